/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "check.h"
#include "model/codec.h"
#include "model/facts.h"
#include "model/tree.h"

#define S(lit) SAP_STR(lit)

/* ---- a small target, by hand ------------------------------------------------------------ */

static void give_package(struct sap_sink *sink, uint32_t id, struct sap_str name)
{
	static const struct sap_rec_relation relations[] = {
		{ SAP_REL_DEPENDS, SAP_STR_INIT("libc6 (>= 2.34)") },
		{ SAP_REL_PROVIDES, SAP_STR_INIT("thing") },
	};
	const struct sap_rec_package rec = {
		.id = id,
		.type = SAP_PACKAGE_DEB,
		.name = name,
		.version = S("1:2.3-4"),
		.arch = S("amd64"),
		.source = S("src"),
		.source_version = S("2.3-4"),
		.database = S("/var/lib/dpkg/status"),
		.install_time = -5,
		.installed_size = 1u << 20,
		.auto_installed = SAP_YES,
		.relations = relations,
		.n_relations = 2,
	};
	struct sap_err err;

	CHECK_OK(sink->package(sink, &rec, &err), &err);
}

static void give_file(struct sap_sink *sink, uint32_t package, struct sap_str path)
{
	const struct sap_rec_file rec = { .package = package,
					  .path = path,
					  .flags = SAP_FILE_CONFIG,
					  .digest_kind = SAP_DIGEST_MD5,
					  .digest = S("0123456789abcdef") };
	struct sap_err err;

	CHECK_OK(sink->file(sink, &rec, &err), &err);
}

static void give_symlink(struct sap_sink *sink, struct sap_str path, struct sap_str target)
{
	const struct sap_rec_symlink rec = { path, target };
	struct sap_err err;

	CHECK_OK(sink->symlink(sink, &rec, &err), &err);
}

static void give_dir(struct sap_sink *sink, struct sap_str path)
{
	const struct sap_rec_dir rec = { path };
	struct sap_err err;

	CHECK_OK(sink->dir(sink, &rec, &err), &err);
}

static void give_object(struct sap_sink *sink, struct sap_str path, uint64_t link_id)
{
	static const struct sap_str needed[] = { SAP_STR_INIT("libc.so.6"),
						 SAP_STR_INIT("libm.so.6") };
	static const struct sap_rec_verneed verneeds[] = {
		{ SAP_STR_INIT("libc.so.6"), SAP_STR_INIT("GLIBC_2.34"), false },
		{ SAP_STR_INIT("libc.so.6"), SAP_STR_INIT("GLIBC_2.38"), true },
	};
	static const struct sap_rec_dlopen_note notes[] = {
		{ SAP_STR_INIT("zstd"),
		  SAP_STR_INIT("compress"),
		  SAP_STR_INIT("suggested"),
		  { needed, 1 } },
	};
	const struct sap_rec_object rec = {
		.path = path,
		.size = 12345,
		.mode = 0100755,
		.link_id = link_id,
		.elf_class = 2,
		.endian = 1,
		.type = 3,
		.machine = 62,
		.flags = SAP_OBJ_PIE | SAP_OBJ_DYNAMIC,
		.interp = S("/lib64/ld-linux-x86-64.so.2"),
		.soname = S("me.so"),
		.build_id = { "\x00\x01\xff", 3 },
		.needed = { needed, 2 },
		.verneeds = verneeds,
		.n_verneeds = 2,
		.dlopen_notes = notes,
		.n_dlopen_notes = 1,
		.package_note = { .type = S("deb"), .name = S("src") },
		.n_imported = 7,
	};
	static const struct sap_rec_symbol symbols[] = {
		{ .name = SAP_STR_INIT("malloc"),
		  .version = SAP_STR_INIT("GLIBC_2.2.5"),
		  .file = SAP_STR_INIT("libc.so.6"),
		  .flags = SAP_SYM_FUNC },
		{ .name = SAP_STR_INIT("mine"), .value = 0x1000, .size = 10, .defined = true },
	};
	const struct sap_rec_symbols list = { path, symbols, 2 };
	struct sap_err err;

	CHECK_OK(sink->object(sink, &rec, &err), &err);
	CHECK_OK(sink->symbols(sink, &list, &err), &err);
}

static void give_rest(struct sap_sink *sink)
{
	static const struct sap_str programs[] = { SAP_STR_INIT("/usr/sbin/sshd") };
	const struct sap_rec_os os = { .id = S("debian"), .version_id = S("12") };
	const struct sap_rec_other other = { S("/usr/lib/libfoo.so"), 40, SAP_OTHER_EMPTY };
	const struct sap_rec_other secret = { S("/secret"), 0, SAP_OTHER_UNREADABLE };
	const struct sap_rec_cache_entry entry = {
		S("libc.so.6"), S("/lib/libc.so.6"), S(""), 0x303, 0, 1
	};
	const struct sap_rec_setting setting = { SAP_SET_PAM, S("/etc/pam.d/sshd"),
						 S("sshd"),   S("pam_unix.so"),
						 S("auth"),   3 };
	const struct sap_rec_service service = { .kind = SAP_SERVICE_SYSTEMD,
						 .name = S("ssh.service"),
						 .path = S("/usr/lib/systemd/system/ssh.service"),
						 .programs = { programs, 1 },
						 .enabled = SAP_YES };
	const struct sap_rec_diagnostic diagnostic = { S("/x"), S("format"), S("bad"), 77 };
	const struct sap_rec_stats stats = { .files = 10, .dirs = 5, .unreadable = 1 };
	struct sap_err err;

	CHECK_OK(sink->os(sink, &os, &err), &err);
	CHECK_OK(sink->other(sink, &other, &err), &err);
	CHECK_OK(sink->other(sink, &secret, &err), &err);
	CHECK_OK(sink->cache_entry(sink, &entry, &err), &err);
	CHECK_OK(sink->setting(sink, &setting, &err), &err);
	CHECK_OK(sink->service(sink, &service, &err), &err);
	CHECK_OK(sink->diagnostic(sink, &diagnostic, &err), &err);
	CHECK_OK(sink->stats(sink, &stats, &err), &err);
}

/* A merged-/usr system; bin2 is a hard link to bin. */
static void give_all(struct sap_sink *sink)
{
	give_package(sink, 1, S("zeta"));
	give_file(sink, 1, S("/lib/zeta.so"));
	give_file(sink, 1, S("/usr/share/doc/zeta"));
	give_package(sink, 2, S("alpha"));
	give_file(sink, 2, S("/bin/alpha"));
	give_file(sink, 2, S("/usr/bin/linked"));
	give_dir(sink, S("/"));
	give_dir(sink, S("/usr"));
	give_dir(sink, S("/usr/bin"));
	give_dir(sink, S("/usr/lib"));
	give_dir(sink, S("/etc"));
	give_symlink(sink, S("/lib"), S("usr/lib"));
	give_symlink(sink, S("/bin"), S("/usr/bin"));
	give_symlink(sink, S("/usr/bin/loop"), S("loop2"));
	give_symlink(sink, S("/usr/bin/loop2"), S("../bin/loop"));
	give_symlink(sink, S("/usr/bin/up"), S("../../../../usr/bin/alpha"));
	give_symlink(sink, S("/usr/bin/linked"), S("/opt/real"));
	give_symlink(sink, S("/usr/bin/broken"), S("/nowhere/at/all"));
	give_dir(sink, S("/opt"));
	give_object(sink, S("/usr/lib/zeta.so"), 0);
	give_object(sink, S("/usr/bin/alpha"), 42);
	give_object(sink, S("/opt/other"), 42);
	give_object(sink, S("/opt/real"), 0);
	give_object(sink, S("/opt/stray"), 0);
	give_object(sink, S("/var/lib/dpkg/info/zeta:amd64.preinst"), 0);
	give_rest(sink);
}

static const struct sap_rec_header header = {
	.version = SAP_FACTS_VERSION,
	.tool = SAP_STR_INIT("test"),
	.target = SAP_STR_INIT("/srv"),
	.target_kind = SAP_STR_INIT("directory"),
	.whole = true,
	.with_symbols = true,
};

static void encode_all(struct sap_encoder *encoder)
{
	struct sap_err err;

	sap_encoder_init(encoder, 0, NULL, NULL);
	CHECK_OK(sap_encoder_header(encoder, &header, &err), &err);
	give_all(&encoder->sink);
	CHECK_OK(sap_encoder_end(encoder, &err), &err);
	CHECK(sap_buf_ok(&encoder->buf));
}

/* Decodes in pieces of the given size. NULL where it fails; *code says how. */
static struct sap_facts *decode(struct sap_str bytes, size_t piece, int *code)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_decoder *decoder = sap_decoder_new(facts);
	struct sap_err err = { 0 };

	*code = 0;
	for (size_t at = 0; *code == 0 && at < bytes.n; at += piece) {
		size_t n = bytes.n - at < piece ? bytes.n - at : piece;
		/* A copy of just that size, so that a sanitizer sees one byte too far. */
		unsigned char *copy = malloc(n);

		memcpy(copy, bytes.p + at, n);
		*code = sap_decoder_feed(decoder, copy, n, &err);
		free(copy);
	}
	if (*code == 0)
		*code = sap_decoder_finish(decoder, &err);
	if (*code == 0)
		*code = sap_facts_finish(facts, &err);
	sap_decoder_free(decoder);
	if (*code < 0) {
		sap_facts_free(facts);
		return NULL;
	}
	return facts;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void facts_come_back_as_they_were_written(void)
{
	static const size_t pieces[] = { 1, 7, 100, 1u << 20 };
	struct sap_encoder first, second;
	struct sap_str before = { 0 };
	struct sap_err err;
	int code;

	encode_all(&first);
	sap_encoder_init(&second, 0, NULL, NULL);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct sap_facts *facts = decode(sap_buf_str(&first.buf), pieces[i], &code);
		struct sap_encoder again;

		if (!CHECK(facts != NULL))
			continue;
		CHECK_INT(facts->objects.n, 6);
		CHECK_INT(facts->packages.n, 2);
		CHECK_STR(sap_facts_str(facts, facts->packages.v[0].name), "alpha");
		CHECK_INT(facts->packages.v[0].install_time, -5);
		CHECK_INT(facts->packages.v[1].files.n, 2);
		CHECK_INT(facts->objects.v[0].symbols.n, 2);
		CHECK_INT(facts->verneeds.v[facts->objects.v[0].verneeds.at + 1].weak, 1);
		CHECK_INT(sap_facts_str(facts, facts->objects.v[0].build_id).n, 3);
		sap_encoder_init(&again, 0, NULL, NULL);
		CHECK_OK(sap_facts_encode(facts, &again, &err), &err);
		if (!before.n) {
			second = again;
			before = sap_buf_str(&second.buf);
		} else {
			CHECK(sap_str_eq(before, sap_buf_str(&again.buf)));
			sap_encoder_clear(&again);
		}
		sap_facts_free(facts);
	}
	/* What was written again decodes to the same once more. */
	struct sap_facts *facts = decode(before, 4096, &code);
	struct sap_encoder third;

	sap_encoder_init(&third, 0, NULL, NULL);
	if (CHECK(facts != NULL)) {
		CHECK_OK(sap_facts_encode(facts, &third, &err), &err);
		CHECK(sap_str_eq(before, sap_buf_str(&third.buf)));
	}
	sap_facts_free(facts);
	sap_encoder_clear(&first);
	sap_encoder_clear(&second);
	sap_encoder_clear(&third);
}

static void facts_cut_anywhere_are_refused(void)
{
	struct sap_encoder encoder;
	int code;

	encode_all(&encoder);
	for (size_t n = 0; n < encoder.buf.n; n++) {
		struct sap_facts *facts =
			decode((struct sap_str){ (const char *)encoder.buf.p, n }, 512, &code);

		if (facts)
			CHECK_INT(n, encoder.buf.n);
		sap_facts_free(facts);
	}
	sap_encoder_clear(&encoder);
}

static void facts_with_any_bit_flipped_do_no_harm(void)
{
	struct sap_encoder encoder;
	unsigned refused = 0;
	int code;

	encode_all(&encoder);
	for (size_t i = 0; i < encoder.buf.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct sap_facts *facts;

			encoder.buf.p[i] ^= (unsigned char)(1u << bit);
			facts = decode(sap_buf_str(&encoder.buf), 1u << 20, &code);
			if (facts) {
				struct sap_tree *tree = sap_tree_new(facts);
				struct sap_err err;

				sap_tree_own(tree, facts, &err);
				sap_tree_free(tree);
			}
			refused += !facts;
			sap_facts_free(facts);
			encoder.buf.p[i] ^= (unsigned char)(1u << bit);
		}
	}
	/* Flips within texts pass; those of structure must not. */
	CHECK(refused > encoder.buf.n);
	sap_encoder_clear(&encoder);
}

static void hostile_sequences_are_refused(void)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t n;
		int code;
	} cases[] = {
		{ "nothing", "", 0, SAP_EFORMAT },
		{ "no header", "\x81\x0f", 2, SAP_EFORMAT },
		{ "not an array", "\x00", 1, SAP_EFORMAT },
		{ "text", "sapper", 6, SAP_EFORMAT },
		{ "an indefinite array", "\x9f\x00", 2, SAP_EFORMAT },
		{ "an array of 2^64-1", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10,
		  SAP_EFORMAT },
		{ "an empty array", "\x80", 1, SAP_EFORMAT },
		{ "a byte string of 2^63", "\x88\x00\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 11,
		  SAP_EFORMAT },
		{ "a later version", "\x88\x00\x4csapper-facts\x18\x63\x40\x40\x40\xf5\xf5", 22,
		  SAP_EUNSUPPORTED },
	};
	int code;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sap_str bytes = { cases[i].bytes, cases[i].n };

		CHECK(decode(bytes, 4096, &code) == NULL);
		check_int(__FILE__, __LINE__, cases[i].what, code, cases[i].code);
	}
}

static void records_of_later_versions_are_passed_over(void)
{
	struct sap_encoder encoder;
	struct sap_facts *facts;
	struct sap_err err;
	int code;

	sap_encoder_init(&encoder, 0, NULL, NULL);
	sap_encoder_header(&encoder, &header, &err);
	/* kind 99 with nested lists; then a dir record (kind 5) with one field more. */
	sap_buf_put(&encoder.buf, "\x84\x18\x63\x82\x01\x81\x02\x41x\xf5", 10);
	sap_buf_put(&encoder.buf, "\x83\x05\x42/a\x82\x01\x02", 8);
	sap_encoder_end(&encoder, &err);
	facts = decode(sap_buf_str(&encoder.buf), 3, &code);
	if (CHECK(facts != NULL)) {
		CHECK_INT(facts->dirs.n, 1);
		CHECK_STR(sap_facts_str(facts, facts->dirs.v[0]), "/a");
	}
	sap_facts_free(facts);
	sap_encoder_clear(&encoder);
}

static void a_record_over_the_ceiling_becomes_a_diagnostic(void)
{
	const size_t n = 9u << 20;
	char *huge = malloc(n);
	struct sap_encoder encoder;
	struct sap_facts *facts;
	struct sap_rec_symlink rec = { SAP_STR_INIT("/x"), { huge, n } };
	struct sap_err err;
	int code;

	memset(huge, 'a', n);
	sap_encoder_init(&encoder, 0, NULL, NULL);
	sap_encoder_header(&encoder, &header, &err);
	CHECK_OK(encoder.sink.symlink(&encoder.sink, &rec, &err), &err);
	sap_encoder_end(&encoder, &err);
	facts = decode(sap_buf_str(&encoder.buf), 65536, &code);
	if (CHECK(facts != NULL)) {
		CHECK_INT(facts->symlinks.n, 0);
		CHECK_INT(facts->diagnostics.n, 1);
		CHECK_STR(sap_facts_str(facts, facts->diagnostics.v[0].code), "limit");
	}
	sap_facts_free(facts);
	sap_encoder_clear(&encoder);
	free(huge);
}

static struct sap_facts *small_facts(void)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_err err;

	give_all(&facts->sink);
	facts->whole = true;
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	return facts;
}

static void paths_lead_where_the_kernel_would(void)
{
	struct sap_facts *facts = small_facts();
	struct sap_tree *tree = sap_tree_new(facts);
	static const struct {
		const char *path;
		enum sap_tree_answer answer;
		const char *object; /* or why there is none */
	} cases[] = {
		{ "/usr/bin/alpha", SAP_TREE_OBJECT, "/usr/bin/alpha" },
		{ "/bin/alpha", SAP_TREE_OBJECT, "/usr/bin/alpha" },
		{ "//bin/.//alpha", SAP_TREE_OBJECT, "/usr/bin/alpha" },
		{ "/bin/../lib/zeta.so", SAP_TREE_OBJECT, "/usr/lib/zeta.so" },
		{ "/../../lib/zeta.so", SAP_TREE_OBJECT, "/usr/lib/zeta.so" },
		{ "/bin/up", SAP_TREE_OBJECT, "/usr/bin/alpha" },
		{ "/usr/bin/linked", SAP_TREE_OBJECT, "/opt/real" },
		{ "/usr/bin/loop", SAP_TREE_UNREADABLE, "symbolic-link loop" },
		{ "/usr/bin/loop/x", SAP_TREE_UNREADABLE, "symbolic-link loop" },
		{ "/secret", SAP_TREE_UNREADABLE, "cannot be read" },
		{ "/secret/x", SAP_TREE_UNREADABLE, "cannot be read" },
		{ "/secret/x", SAP_TREE_UNREADABLE, "cannot be read" }, /* now remembered */
		{ "/secret/./x/y/../z", SAP_TREE_UNREADABLE, "cannot be read" },
		{ "/secretly/x", SAP_TREE_ABSENT, NULL },
		{ "/usr/bin/broken", SAP_TREE_ABSENT, NULL },
		{ "/nowhere/../usr/bin/alpha", SAP_TREE_ABSENT, NULL },
		{ "/usr/bin/alpha/x", SAP_TREE_ABSENT, NULL },
		{ "/lib/libfoo.so", SAP_TREE_OTHER, "empty file" },
		{ "/lib", SAP_TREE_DIR, NULL },
		{ "/", SAP_TREE_DIR, NULL },
		{ "/etc/..", SAP_TREE_DIR, NULL },
		{ "/etc/absent", SAP_TREE_ABSENT, NULL },
	};
	struct sap_str out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t object = SAP_NONE;

		check_int(__FILE__, __LINE__, cases[i].path,
			  sap_tree_lookup(tree, sap_str_of(cases[i].path), &object),
			  cases[i].answer);
		if (cases[i].object && object != SAP_NONE)
			CHECK_STR(sap_facts_str(facts, facts->objects.v[object].path),
				  cases[i].object);
		else if (cases[i].object)
			CHECK_STR(sap_str_of(sap_tree_why(tree, sap_str_of(cases[i].path))),
				  cases[i].object);
		else
			CHECK(!sap_tree_why(tree, sap_str_of(cases[i].path)));
	}
	CHECK(sap_tree_canonical_dir(tree, S("/lib/."), &out));
	CHECK_STR(out, "/usr/lib");
	CHECK(sap_tree_canonical(tree, S("/bin/new-name"), &out));
	CHECK_STR(out, "/usr/bin/new-name");
	CHECK(!sap_tree_canonical_dir(tree, S("/usr/bin/loop"), &out));
	sap_tree_free(tree);
	sap_facts_free(facts);
}

static void objects_find_their_owners_through_links(void)
{
	struct sap_facts *facts = small_facts();
	struct sap_tree *tree = sap_tree_new(facts);
	static const struct {
		const char *object, *package;
	} cases[] = {
		{ "/usr/lib/zeta.so", "zeta" }, /* listed below /lib */
		{ "/usr/bin/alpha", "alpha" },  /* listed below /bin */
		{ "/opt/other", "alpha" },      /* a hard link to it */
		{ "/opt/real", "alpha" },       /* what an owned link leads to */
		{ "/opt/stray", NULL },         { "/var/lib/dpkg/info/zeta:amd64.preinst", "zeta" },
	};
	struct sap_err err;

	CHECK_OK(sap_tree_own(tree, facts, &err), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t o = sap_facts_object(facts, sap_str_of(cases[i].object));

		if (!CHECK(o != SAP_NONE))
			continue;
		if (!cases[i].package)
			CHECK_INT(facts->objects.v[o].package, SAP_NONE);
		else if (CHECK(facts->objects.v[o].package != SAP_NONE))
			CHECK_STR(
				sap_facts_str(facts,
					      facts->packages.v[facts->objects.v[o].package].name),
				cases[i].package);
	}
	sap_tree_free(tree);
	sap_facts_free(facts);
}

static void links_in_a_circle_are_noted(void)
{
	struct sap_facts *facts = small_facts();
	struct sap_tree *tree = sap_tree_new(facts);
	struct sap_err err;
	size_t before = facts->diagnostics.n;

	CHECK_OK(sap_tree_note_loops(tree, facts, &err), &err);
	CHECK_INT(facts->diagnostics.n, before + 2);
	CHECK_OK(sap_tree_note_loops(tree, facts, &err), &err);
	CHECK_INT(facts->diagnostics.n, before + 2);
	CHECK_STR(sap_facts_str(facts, facts->diagnostics.v[0].path), "/usr/bin/loop");
	CHECK_STR(sap_facts_str(facts, facts->diagnostics.v[0].code), "loop");
	sap_tree_free(tree);
	sap_facts_free(facts);
}

static void finishing_twice_changes_nothing(void)
{
	struct sap_facts *facts = small_facts();
	struct sap_encoder first, second;
	struct sap_err err;

	sap_encoder_init(&first, 0, NULL, NULL);
	sap_encoder_init(&second, 0, NULL, NULL);
	CHECK_OK(sap_facts_encode(facts, &first, &err), &err);
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	CHECK_OK(sap_facts_encode(facts, &second, &err), &err);
	CHECK(sap_str_eq(sap_buf_str(&first.buf), sap_buf_str(&second.buf)));
	sap_encoder_clear(&first);
	sap_encoder_clear(&second);
	sap_facts_free(facts);
}

static void a_rollback_takes_out_what_came_since(void)
{
	struct sap_facts *facts = small_facts();
	struct sap_facts_mark mark = sap_facts_mark(facts);
	struct sap_encoder first, second;
	struct sap_err err;

	sap_encoder_init(&first, 0, NULL, NULL);
	sap_encoder_init(&second, 0, NULL, NULL);
	CHECK_OK(sap_facts_encode(facts, &first, &err), &err);
	give_package(&facts->sink, 3, S("half"));
	give_file(&facts->sink, 3, S("/half"));
	give_object(&facts->sink, S("/half"), 0);
	sap_facts_rollback(facts, &mark);
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	CHECK_OK(sap_facts_encode(facts, &second, &err), &err);
	CHECK(sap_str_eq(sap_buf_str(&first.buf), sap_buf_str(&second.buf)));
	sap_encoder_clear(&first);
	sap_encoder_clear(&second);
	sap_facts_free(facts);
}

int main(void)
{
	facts_come_back_as_they_were_written();
	facts_cut_anywhere_are_refused();
	facts_with_any_bit_flipped_do_no_harm();
	hostile_sequences_are_refused();
	records_of_later_versions_are_passed_over();
	a_record_over_the_ceiling_becomes_a_diagnostic();
	paths_lead_where_the_kernel_would();
	objects_find_their_owners_through_links();
	links_in_a_circle_are_noted();
	finishing_twice_changes_nothing();
	a_rollback_takes_out_what_came_since();
	return check_done();
}
