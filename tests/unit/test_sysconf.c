/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sysconf: the pure parsers over text and hand-made caches of both byte orders, cut at every
 * byte and with every bit flipped, and the three calls over small trees made here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "check.h"
#include "sysconf/sysconf_int.h"

/* ---- a sink that writes lines ----------------------------------------------------------- */

struct lines {
	struct sap_sink sink;
	struct sap_buf text;
	unsigned diagnostics;
};

static void put(struct sap_sink *sink, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct sap_sink *sink, const char *fmt, ...)
{
	char line[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sap_buf_puts(&((struct lines *)sink)->text, sap_str_of(line));
}

static int on_cache(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
		    struct sap_err *err)
{
	(void)err;
	put(sink, "%u %x %llx %.*s %.*s %.*s\n", rec->index, rec->flags,
	    (unsigned long long)rec->hwcap, SAP_FMT(rec->hwcaps), SAP_FMT(rec->soname),
	    SAP_FMT(rec->path));
	return 0;
}

static int on_setting(struct sap_sink *sink, const struct sap_rec_setting *rec, struct sap_err *err)
{
	static const char *const names[] = { "",     "cache", "conf", "preload",
					     "musl", "nss",   "pam",  "include" };

	(void)err;
	put(sink, "%s %u %.*s=%.*s %.*s\n", names[rec->kind], rec->order, SAP_FMT(rec->key),
	    SAP_FMT(rec->value), SAP_FMT(rec->extra));
	return 0;
}

static int on_service(struct sap_sink *sink, const struct sap_rec_service *rec, struct sap_err *err)
{
	(void)err;
	put(sink, "%.*s %.*s user=%.*s %s", SAP_FMT(rec->name), SAP_FMT(rec->path),
	    SAP_FMT(rec->user), rec->enabled == SAP_YES ? "yes" : "no");
	for (uint32_t i = 0; i < rec->programs.n; i++)
		put(sink, " %.*s", SAP_FMT(rec->programs.v[i]));
	put(sink, "\n");
	return 0;
}

static int on_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			 struct sap_err *err)
{
	(void)err;
	((struct lines *)sink)->diagnostics++;
	put(sink, "! %.*s %.*s\n", SAP_FMT(rec->path), SAP_FMT(rec->code));
	return 0;
}

static struct lines lines_new(void)
{
	struct lines lines = {
		.sink = {
			.cache_entry = on_cache,
			.setting = on_setting,
			.service = on_service,
			.diagnostic = on_diagnostic,
		},
	};

	sap_buf_init(&lines.text, SAP_TEXT_FILE_MAX);
	return lines;
}

static struct sap_str got(const struct lines *lines)
{
	return sap_buf_str(&lines->text);
}

static struct sap_span bytes_of(const char *text)
{
	return sap_span_of(text, strlen(text));
}

/* ---- ld.so.cache ------------------------------------------------------------------------ */

static void put_int(struct sap_buf *buf, uint64_t v, unsigned n, bool big)
{
	for (unsigned i = 0; i < n; i++)
		sap_buf_putc(buf, (char)(v >> 8 * (big ? n - 1 - i : i)));
}

static void put_zeros(struct sap_buf *buf, unsigned n)
{
	while (n--)
		sap_buf_putc(buf, '\0');
}

/* The new format at the end of buf: three entries, one of them below glibc-hwcaps. */
static void put_new(struct sap_buf *buf, bool big, uint8_t order)
{
	static const char strings[] = "x86-64-v3\0libz.so.1\0/usr/lib/glibc-hwcaps/x86-64-v3/"
				      "libz.so.1\0/usr/lib/libz.so.1\0libc.so.6\0/lib/libc.so.6";
	const uint32_t soname = 10, capped = 20, plain = 62, libc = 81, libc_path = 91;
	const uint32_t base = 48 + 3 * 24;
	const uint32_t ext = (uint32_t)((buf->n + base + sizeof(strings) + 3) / 4 * 4);
	const uint32_t entries[3][2] = { { soname, capped },
					 { soname, plain },
					 { libc, libc_path } };
	const uint64_t hwcaps[3] = { 1ULL << 62 | 3ULL << 32, 0, 1ULL << 16 };

	sap_buf_puts(buf, SAP_STR("glibc-ld.so.cache1.1"));
	put_int(buf, 3, 4, big);
	put_int(buf, sizeof(strings), 4, big);
	sap_buf_putc(buf, (char)order);
	put_zeros(buf, 3);
	put_int(buf, ext, 4, big);
	put_zeros(buf, 12);
	for (int i = 0; i < 3; i++) {
		put_int(buf, 0x303, 4, big);
		put_int(buf, base + entries[i][0], 4, big);
		put_int(buf, base + entries[i][1], 4, big);
		put_int(buf, 0, 4, big);
		put_int(buf, hwcaps[i], 8, big);
	}
	sap_buf_put(buf, strings, sizeof(strings));
	put_zeros(buf, ext - (unsigned)buf->n);
	put_int(buf, 0xEAA42174, 4, big);
	put_int(buf, 2, 4, big);
	put_int(buf, 0, 4, big); /* generator */
	put_int(buf, 0, 4, big);
	put_int(buf, ext + 44, 4, big);
	put_int(buf, 4, 4, big);
	put_int(buf, 1, 4, big); /* glibc-hwcaps */
	put_int(buf, 0, 4, big);
	put_int(buf, ext + 40, 4, big);
	put_int(buf, 4, 4, big);
	put_int(buf, base, 4, big);
	sap_buf_puts(buf, SAP_STR("test"));
}

static void put_old(struct sap_buf *buf, bool big, bool strings)
{
	sap_buf_puts(buf, SAP_STR("ld.so-1.7.0"));
	put_zeros(buf, 1);
	put_int(buf, 1, 4, big);
	put_int(buf, 3, 4, big);
	put_int(buf, 0, 4, big);
	put_int(buf, 10, 4, big);
	if (strings)
		sap_buf_put(buf, "libz.so.1\0/lib/libz.so.1", 25);
	else
		put_zeros(buf, 4); /* to a multiple of 8 */
}

static const char entries_text[] =
	"0 303 0 x86-64-v3 libz.so.1 /usr/lib/glibc-hwcaps/x86-64-v3/libz.so.1\n"
	"1 303 0  libz.so.1 /usr/lib/libz.so.1\n"
	"2 303 10000  libc.so.6 /lib/libc.so.6\n";

static void check_cache(const struct sap_buf *buf, const char *format)
{
	struct lines lines = lines_new();
	struct sap_err err = { 0 };
	char want[1024];

	snprintf(want, sizeof(want), "cache 0 =%s \n%s", format, entries_text);
	CHECK_OK(sap_ldcache_parse(sap_span_of(buf->p, buf->n), SAP_STR("/c"), &lines.sink, &err),
		 &err);
	CHECK_STR(got(&lines), want);
	sap_buf_clear(&lines.text);
}

static void test_cache_formats(void)
{
	struct sap_buf buf;

	sap_buf_init(&buf, SAP_MIB);
	for (int big = 0; big < 2; big++) {
		put_new(&buf, big, big ? 3 : 2);
		check_cache(&buf, "new");
		sap_buf_reset(&buf);
		put_new(&buf, big, 0); /* before glibc 2.33 the byte order was not said */
		check_cache(&buf, "new");
		sap_buf_reset(&buf);
		put_old(&buf, big, false);
		put_new(&buf, big, big ? 3 : 2);
		check_cache(&buf, "compat");
		sap_buf_reset(&buf);
	}
	sap_buf_clear(&buf);
}

static void test_cache_old_alone(void)
{
	struct lines lines = lines_new();
	struct sap_buf buf;

	sap_buf_init(&buf, SAP_MIB);
	put_old(&buf, true, true);
	CHECK_OK(sap_ldcache_parse(sap_span_of(buf.p, buf.n), SAP_STR("/c"), &lines.sink, NULL),
		 NULL);
	CHECK_STR(got(&lines), "cache 0 =old \n0 3 0  libz.so.1 /lib/libz.so.1\n");
	sap_buf_clear(&buf);
	sap_buf_clear(&lines.text);
}

/* Runs a parser over an allocation of exactly n bytes, so that a sanitizer sees one more. */
static int cache_exact(const unsigned char *p, size_t n, struct lines *lines, struct sap_err *err)
{
	unsigned char *exact = malloc(n ? n : 1);
	int rc;

	memcpy(exact, p, n);
	sap_buf_reset(&lines->text);
	rc = sap_ldcache_parse(sap_span_of(exact, n), SAP_STR("/c"), &lines->sink, err);
	free(exact);
	return rc;
}

static void test_cache_cut_and_flipped(void)
{
	struct lines lines = lines_new();
	struct sap_err err = { 0 };
	bool cut_ok = true, flip_ok = true;
	struct sap_buf buf;
	size_t whole;

	sap_buf_init(&buf, SAP_MIB);
	put_old(&buf, false, false);
	put_new(&buf, false, 2);
	whole = buf.n - 4; /* behind the name of the generator */
	for (size_t n = 0; n < whole; n++)
		cut_ok &= cache_exact(buf.p, n, &lines, &err) == SAP_EFORMAT || n < 32 || n > 40;
	CHECK(cut_ok);
	for (size_t n = 0; n < 40; n++)
		CHECK(cache_exact(buf.p, n, &lines, &err) < 0 || n >= 28);
	for (size_t bit = 0; bit < buf.n * 8; bit++) {
		int rc;

		buf.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		rc = cache_exact(buf.p, buf.n, &lines, &err);
		flip_ok &= rc == 0 || rc == SAP_EFORMAT;
		buf.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	CHECK(flip_ok);
	/* One entry out of bounds: the others are given, and the fault is said. */
	memset(buf.p + 32 + 48 + 24 + 4, 0xff, 4);
	CHECK_INT(cache_exact(buf.p, buf.n, &lines, &err), SAP_EFORMAT);
	CHECK_INT(err.offset, 32 + 48 + 24);
	CHECK_STR(got(&lines), "cache 0 =compat \n"
			       "0 303 0 x86-64-v3 libz.so.1 "
			       "/usr/lib/glibc-hwcaps/x86-64-v3/libz.so.1\n"
			       "2 303 10000  libc.so.6 /lib/libc.so.6\n");
	CHECK_INT(sap_ldcache_parse(bytes_of("hello"), SAP_STR("/c"), &lines.sink, NULL),
		  SAP_EFORMAT);
	sap_buf_clear(&buf);
	sap_buf_clear(&lines.text);
}

/* ---- texts ------------------------------------------------------------------------------ */

static void test_match(void)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} table[] = {
		{ "*", "a", true },
		{ "*", ".a", false },
		{ ".*", ".a", true },
		{ "*.conf", "a.conf", true },
		{ "*.conf", ".conf", false },
		{ "*.conf", "a.conf.old", false },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "aXbYbZ", false },
		{ "?", "", false },
		{ "?x", "ax", true },
		{ "[a-c]", "b", true },
		{ "[!a-c]", "b", false },
		{ "[^a-c]", "d", true },
		{ "[]x]", "]", true },
		{ "[a-]", "-", true },
		{ "[", "[", true },
		{ "[ab", "[ab", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "", "", true },
		{ "**", "", true },
		{ "[a\\]]", "]", true },
		{ "x\\", "x\\", true },
		{ "*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!CHECK_INT(sap_sysconf_match(sap_str_of(table[i].pattern),
						 sap_str_of(table[i].name)),
			       table[i].want))
			printf("    pattern %s, name %s\n", table[i].pattern, table[i].name);
	}
}

static void test_normal(void)
{
	struct sap_arena arena;
	struct sap_str out;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_sysconf_normal(&arena, SAP_STR("//usr///lib/./x/../y//"), &out, NULL), NULL);
	CHECK_STR(out, "/usr/lib/y");
	CHECK_OK(sap_sysconf_normal(&arena, SAP_STR("/../.."), &out, NULL), NULL);
	CHECK_STR(out, "/");
	sap_arena_clear(&arena);
}

static void test_preload_and_musl(void)
{
	struct lines lines = lines_new();

	CHECK_OK(sap_preload_read(
			 bytes_of("# none\n liba.so:/x/libb.so\tlibc.so#libd.so\n::libe.so"),
			 SAP_STR("/p"), &lines.sink, NULL),
		 NULL);
	CHECK_STR(got(&lines), "preload 0 =liba.so \npreload 1 =/x/libb.so \npreload 2 =libc.so \n"
			       "preload 3 =libe.so \n");
	sap_buf_reset(&lines.text);
	CHECK_OK(sap_muslpath_read(bytes_of("/lib:/usr/lib\n\n/a b\n"), SAP_STR("/m"),
				   SAP_STR("s390x"), &lines.sink, NULL),
		 NULL);
	CHECK_STR(got(&lines), "musl 0 s390x=/lib \nmusl 1 s390x=/usr/lib \nmusl 2 s390x=/a b \n");
	sap_buf_reset(&lines.text);
	CHECK_OK(sap_muslpath_read(bytes_of("\n"), SAP_STR("/m"), SAP_STR("i386"), &lines.sink,
				   NULL),
		 NULL);
	CHECK_STR(got(&lines), "musl 0 i386= \n");
	sap_buf_clear(&lines.text);
}

static void test_nsswitch(void)
{
	struct lines lines = lines_new();

	CHECK_OK(sap_nsswitch_parse(bytes_of("# comment\npasswd: files systemd # x\n"
					     "hosts:\tfiles mymachines [!UNAVAIL=return] dns\n"
					     "junk\nnetgroup: nis[NOTFOUND=return]ldap\nempty:\n"),
				    SAP_STR("/n"), &lines.sink, NULL),
		 NULL);
	CHECK_STR(got(&lines), "nss 0 passwd=files \nnss 1 passwd=systemd \nnss 2 hosts=files \n"
			       "nss 3 hosts=mymachines \nnss 4 hosts=dns \nnss 5 netgroup=nis \n"
			       "nss 6 netgroup=ldap \n");
	sap_buf_clear(&lines.text);
}

static const char pam_text[] = "#%PAM-1.0\n"
			       "auth [success=2 default=ignore] pam_unix.so nullok # why\n"
			       "-auth   optional /lib/security/pam_x.so\n"
			       "auth required pam_unix.so try_first_pass\n"
			       "@include common-account\n"
			       "ACCOUNT include /etc/pam.d/system-auth\n"
			       "password substack password-auth\n"
			       "session required \\\n"
			       "   # in between\n"
			       "   pam_limits.so conf=x\n"
			       "session [default=1 \\] x] pam_permit.so\n";

static void test_pam(void)
{
	struct lines lines = lines_new();
	struct sap_err err = { 0 };

	CHECK_OK(sap_pam_parse(bytes_of(pam_text), SAP_STR("/pam"), SAP_STR("sshd"), &lines.sink,
			       &err),
		 &err);
	CHECK_STR(got(&lines), "pam 0 sshd=pam_unix.so auth\n"
			       "pam 1 sshd=/lib/security/pam_x.so -auth\n"
			       "include 2 sshd=common-account \n"
			       "include 3 sshd=system-auth account\n"
			       "include 4 sshd=password-auth password\n"
			       "pam 5 sshd=pam_limits.so session\n"
			       "pam 6 sshd=pam_permit.so session\n");
	sap_buf_reset(&lines.text);
	CHECK_OK(sap_pam_parse(bytes_of("login auth required pam_a.so\nsu auth include login\n"),
			       SAP_STR("/etc/pam.conf"), SAP_STR(""), &lines.sink, &err),
		 &err);
	CHECK_STR(got(&lines), "pam 0 login=pam_a.so auth\ninclude 1 su=login auth\n");
	sap_buf_reset(&lines.text);
	CHECK_INT(sap_pam_parse(bytes_of("auth required pam_a.so\nnothing here\nauth required\n"
					 "auth required pam_b.so"),
				SAP_STR("/pam"), SAP_STR("x"), &lines.sink, &err),
		  SAP_EFORMAT);
	CHECK_INT(err.offset, 23);
	CHECK_STR(got(&lines), "pam 0 x=pam_a.so auth\npam 1 x=pam_b.so auth\n");
	sap_buf_clear(&lines.text);
}

static const char unit_text[] =
	"[Unit]\nDescription=x\n"
	"[Service]\n"
	"; comment\n"
	"Type=oneshot\n"
	"ExecStart=/bin/one\n"
	"ExecStart=\n"
	"ExecStart=-@\"/usr/bin/my prog\" argv0 \"a ; b\" ; !!/bin/two x \\\n"
	"# inside\n"
	"  y ; +bare\n"
	"ExecStartPre = /bin/sh -c 'exit 0'\n"
	"ExecReload=:/bin/k\\x69ll -HUP $MAINPID\n"
	"ExecStop=/opt/%i/stop\n"
	"User=nobody\n"
	"Executor=/not/this\n"
	"[Install]\nExecStart=/not/that\n";

static int read_unit(const char *text, struct sap_arena *arena, struct sap_unit *unit,
		     struct sap_err *fault)
{
	return sap_unit_read(bytes_of(text), arena, unit, fault, NULL);
}

static void test_unit(void)
{
	struct sap_arena arena;
	struct sap_unit unit = { 0 };
	struct sap_err fault = { 0 };

	sap_arena_init(&arena, 0);
	CHECK_OK(read_unit(unit_text, &arena, &unit, &fault), NULL);
	CHECK_INT(fault.code, 0);
	if (CHECK_INT(unit.exec[SAP_UNIT_START].n, 3)) {
		CHECK_STR(unit.exec[SAP_UNIT_START].v[0], "/usr/bin/my prog");
		CHECK_STR(unit.exec[SAP_UNIT_START].v[1], "/bin/two");
		CHECK_STR(unit.exec[SAP_UNIT_START].v[2], "bare");
	}
	if (CHECK_INT(unit.exec[SAP_UNIT_START_PRE].n, 1))
		CHECK_STR(unit.exec[SAP_UNIT_START_PRE].v[0], "/bin/sh");
	if (CHECK_INT(unit.exec[SAP_UNIT_RELOAD].n, 1))
		CHECK_STR(unit.exec[SAP_UNIT_RELOAD].v[0], "/bin/kill");
	if (CHECK_INT(unit.exec[SAP_UNIT_STOP].n, 1))
		CHECK_STR(unit.exec[SAP_UNIT_STOP].v[0], "/opt/%i/stop");
	CHECK_STR(unit.user, "nobody");
	/* A drop-in. */
	CHECK_OK(read_unit("[Service]\nExecStart=\nExecStart=/bin/new\nUser=\n", &arena, &unit,
			   &fault),
		 NULL);
	CHECK_INT(unit.exec[SAP_UNIT_START].n, 1);
	CHECK_INT(unit.exec[SAP_UNIT_STOP].n, 1);
	CHECK_INT(unit.user.n, 0);
	CHECK_OK(read_unit("[Socket]\nAccept=Yes\nService=a.service\n[Socket\nx\n", &arena, &unit,
			   &fault),
		 NULL);
	CHECK_INT(fault.code, SAP_EFORMAT);
	CHECK_INT(fault.offset, 38);
	CHECK(unit.accept);
	CHECK_STR(unit.triggers, "a.service");
	sap_unit_clear(&unit);
	sap_arena_clear(&arena);
}

static void test_unit_too_many_commands(void)
{
	struct sap_arena arena;
	struct sap_unit unit = { 0 };
	struct sap_err fault = { 0 };
	struct sap_buf buf;

	sap_arena_init(&arena, 0);
	sap_buf_init(&buf, SAP_TEXT_FILE_MAX);
	sap_buf_puts(&buf, SAP_STR("[Service]\nExecStart="));
	for (unsigned i = 0; i < SAP_UNIT_PROGRAMS_MAX + 1; i++)
		sap_buf_puts(&buf, SAP_STR("/bin/a ; "));
	CHECK_OK(sap_unit_read(sap_span_of(buf.p, buf.n), &arena, &unit, &fault, NULL), NULL);
	CHECK_INT(fault.code, SAP_ELIMIT);
	CHECK_INT(unit.exec[SAP_UNIT_START].n, SAP_UNIT_PROGRAMS_MAX);
	sap_unit_clear(&unit);
	sap_buf_clear(&buf);
	sap_arena_clear(&arena);
}

static void test_initscript(void)
{
	static const char text[] = "#!/bin/sh\n# processname: /usr/sbin/chk\nNAME=food\n"
				   "DAEMON=/usr/sbin/$NAME\n"
				   "command=\"${SSHD:-\"/usr/sbin/sshd\"}\"\n"
				   "[ -x /usr/bin/test ] || exit 0\n"
				   "exec=$UNKNOWN/sbin/no\n"
				   "start-stop-daemon --start -x \"${BIN_DIR}/x\" -a /usr/bin/a\n"
				   "  --exec $DAEMON -- --exec=/usr/bin/b\n"
				   "x=${a:-\n${\n$\n";
	struct sap_str paths[8];
	struct sap_arena arena;
	uint32_t n = 0;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_initscript_read(bytes_of(text), &arena, paths, 8, &n, NULL), NULL);
	if (CHECK_INT(n, 5)) {
		CHECK_STR(paths[0], "/usr/sbin/chk");
		CHECK_STR(paths[1], "/usr/sbin/food");
		CHECK_STR(paths[2], "/usr/sbin/sshd");
		CHECK_STR(paths[3], "/usr/bin/a");
		CHECK_STR(paths[4], "/usr/bin/b");
	}
	sap_arena_clear(&arena);
}

static void test_texts_cut_and_flipped(void)
{
	static const char *const texts[] = { pam_text, unit_text };
	bool ok = true;

	for (size_t t = 0; t < 2; t++) {
		size_t whole = strlen(texts[t]);

		for (size_t i = 0; i < whole * 9; i++) {
			size_t n = i < whole ? i : whole;
			char *exact = malloc(n + 1);
			struct lines lines = lines_new();
			struct sap_unit unit = { 0 };
			struct sap_err fault = { 0 };
			struct sap_str guesses[4];
			struct sap_arena arena;
			uint32_t n_guesses;
			struct sap_span span;

			sap_arena_init(&arena, 0);
			memcpy(exact, texts[t], n);
			if (i >= whole)
				exact[(i - whole) / 8] ^= (char)(1u << (i - whole) % 8);
			exact = realloc(exact, n ? n : 1);
			span = sap_span_of(exact, n);
			ok &= sap_unit_read(span, &arena, &unit, &fault, NULL) == 0;
			ok &= sap_pam_parse(span, SAP_STR("/p"), SAP_STR("s"), &lines.sink,
					    &fault) >= SAP_ELIMIT;
			ok &= sap_nsswitch_parse(span, SAP_STR("/n"), &lines.sink, NULL) == 0;
			ok &= sap_preload_read(span, SAP_STR("/n"), &lines.sink, NULL) == 0;
			ok &= sap_initscript_read(span, &arena, guesses, 4, &n_guesses, NULL) == 0;
			sap_unit_clear(&unit);
			sap_arena_clear(&arena);
			sap_buf_clear(&lines.text);
			free(exact);
		}
	}
	CHECK(ok);
}

/* ---- trees ------------------------------------------------------------------------------ */

struct tree {
	char root[64];
};

static void tree_path(const struct tree *tree, const char *path, char out[512])
{
	snprintf(out, 512, "%s%s", tree->root, path);
	for (char *p = out + strlen(tree->root) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(out, 0755);
		*p = '/';
	}
}

static void tree_file(const struct tree *tree, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	tree_path(tree, path, full);
	f = fopen(full, "w");
	if (CHECK(f != NULL)) {
		fputs(text, f);
		fclose(f);
	}
	chmod(full, strstr(path, "/init.d/") || strstr(path, "bin/") ? 0755 : 0644);
}

static void tree_link(const struct tree *tree, const char *path, const char *target)
{
	char full[512];

	tree_path(tree, path, full);
	CHECK_INT(symlink(target, full), 0);
}

static bool tree_new(struct tree *tree)
{
	snprintf(tree->root, sizeof(tree->root), "/tmp/sapper-test-XXXXXX");
	return CHECK(mkdtemp(tree->root) != NULL);
}

static void tree_free(struct tree *tree)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", tree->root);
	CHECK_INT(system(command), 0);
}

typedef int call_fn(struct sap_input *, struct sap_sink *, struct sap_err *);

static void check_tree(struct tree *tree, call_fn *call, const char *want)
{
	struct lines lines = lines_new();
	struct sap_input *input = NULL;
	struct sap_err err = { 0 };

	if (CHECK_OK(sap_input_open(tree->root, 0, &input, &err), &err)) {
		CHECK_OK(call(input, &lines.sink, &err), &err);
		CHECK_STR(got(&lines), want);
	}
	sap_input_free(input);
	sap_buf_clear(&lines.text);
}

static void test_loader_tree(void)
{
	struct tree tree;

	if (!tree_new(&tree))
		return;
	check_tree(&tree, sap_sysconf_loader, "");
	tree_file(&tree, "/etc/ld.so.conf",
		  "include ld.so.conf.d/*.conf\n/opt/z//  # last\n/opt/a=libc6\n/opt/a\nrelative\n"
		  "hwcap 1 x\ninclude ld.so.conf\n");
	tree_file(&tree, "/etc/ld.so.conf.d/b.conf", "/opt/b/../c\n");
	tree_file(&tree, "/etc/ld.so.conf.d/a.conf", "include ../more/x[0-9]\t/etc/none/*\n");
	tree_file(&tree, "/etc/ld.so.conf.d/.hidden.conf", "/opt/hidden\n");
	tree_file(&tree, "/etc/more/x1", "/opt/x1");
	tree_file(&tree, "/etc/ld.so.preload", "libp.so");
	tree_file(&tree, "/etc/ld-musl-x86_64.path", "");
	tree_file(&tree, "/etc/ld.so.cache", "not a cache");
	check_tree(&tree, sap_sysconf_loader,
		   "! /etc/ld.so.cache format\n"
		   "conf 0 =/opt/x1 /etc/more/x1\n"
		   "conf 1 =/opt/c /etc/ld.so.conf.d/b.conf\n"
		   "conf 2 =/opt/z /etc/ld.so.conf\n"
		   "conf 3 =/opt/a /etc/ld.so.conf\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf.d/../more/x1 limit\n"
		   "! /etc/ld.so.conf format\n! /etc/ld.so.conf format\n"
		   "preload 0 =libp.so \nmusl 0 x86_64= \n");
	tree_free(&tree);
}

static void test_modules_tree(void)
{
	struct tree tree;

	if (!tree_new(&tree))
		return;
	tree_file(&tree, "/etc/pam.conf", "su auth required pam_conf.so\n");
	check_tree(&tree, sap_sysconf_modules, "pam 0 su=pam_conf.so auth\n");
	tree_file(&tree, "/usr/etc/nsswitch.conf", "group: vendor\n");
	tree_file(&tree, "/etc/pam.d/su", "auth include /opt/extra\nauth include /opt/extra\n");
	tree_file(&tree, "/etc/pam.d/su.dpkg-old", "auth required pam_old.so\n");
	tree_file(&tree, "/usr/lib/pam.d/su", "auth required pam_hidden.so\n");
	tree_file(&tree, "/usr/lib/pam.d/sudo", "auth required pam_sudo.so\nbad\n");
	tree_file(&tree, "/opt/extra", "auth required pam_extra.so\nauth include /opt/extra\n");
	check_tree(&tree, sap_sysconf_modules,
		   "nss 0 group=vendor \n"
		   "include 0 su=/opt/extra auth\n"
		   "pam 0 sudo=pam_sudo.so auth\n"
		   "! /usr/lib/pam.d/sudo format\n"
		   "pam 0 /opt/extra=pam_extra.so auth\n"
		   "include 1 /opt/extra=/opt/extra auth\n");
	tree_file(&tree, "/etc/nsswitch.conf", "group: files\n");
	tree_file(&tree, "/usr/lib/pam.d/sudo", "");
	check_tree(&tree, sap_sysconf_modules,
		   "nss 0 group=files \n"
		   "include 0 su=/opt/extra auth\n"
		   "pam 0 /opt/extra=pam_extra.so auth\n"
		   "include 1 /opt/extra=/opt/extra auth\n");
	tree_free(&tree);
}

static void units_tree(struct tree *tree)
{
	tree_link(tree, "/lib", "usr/lib");
	tree_file(tree, "/usr/bin/prog", "");
	tree_link(tree, "/usr/sbin/link", "../bin/prog");
	tree_file(tree, "/usr/lib/systemd/system/a.service",
		  "[Service]\nExecStart=/usr/sbin/link -x\nExecStop=/usr/bin/prog\nUser=u\n");
	tree_link(tree, "/etc/systemd/system/alias.service", "/lib/systemd/system/a.service");
	tree_link(tree, "/etc/systemd/system/x.target.wants/alias.service", "/nowhere");
	tree_file(tree, "/usr/lib/systemd/system/masked.service", "[Service]\nExecStart=/m\n");
	tree_link(tree, "/etc/systemd/system/masked.service", "/dev/null");
	tree_file(tree, "/usr/lib/systemd/system/over.service", "[Service]\nExecStart=/m\n");
	tree_file(tree, "/etc/systemd/system/over.service", "");
	tree_file(tree, "/usr/lib/systemd/system/t@.service", "[Service]\nExecStart=prog %i\n");
	tree_link(tree, "/usr/lib/systemd/system/x.target.wants/t@one.service", "../t@.service");
	tree_file(tree, "/usr/lib/systemd/system/s.socket", "[Socket]\nAccept=yes\n");
	tree_link(tree, "/etc/systemd/system/sockets.target.wants/s.socket", "/x");
	tree_file(tree, "/usr/lib/systemd/system/s@.service", "[Service]\nExecStart=-/no/%i\n");
	tree_file(tree, "/usr/lib/systemd/system/tick.timer", "[Timer]\nUnit=w.service\n");
	tree_link(tree, "/etc/systemd/system/timers.target.requires/tick.timer", "/x");
	tree_file(tree, "/opt/w.service", "[Service]\nExecStart=/w\n");
	tree_link(tree, "/etc/systemd/system/w.service", "../../../opt/w.service");
	tree_file(tree, "/usr/lib/systemd/system/d-e.service", "[Service]\nExecStart=/old\n");
	tree_file(tree, "/usr/lib/systemd/system/d-e.service.d/10.conf",
		  "[Service]\nExecStart=\nExecStart=/hidden\n");
	tree_file(tree, "/etc/systemd/system/d-e.service.d/10.conf",
		  "[Service]\nExecStart=\nExecStart=/new\n");
	tree_file(tree, "/etc/systemd/system/d-.service.d/20.conf",
		  "[Service]\nExecStartPre=/pre\n");
	tree_link(tree, "/etc/systemd/system/d-e.service.d/30.conf", "/dev/null");
	tree_file(tree, "/usr/lib/systemd/system/service.d/30.conf", "[Service]\nUser=hidden\n");
	tree_file(tree, "/etc/systemd/system/alias.service.d/x.conf", "[Service]\nUser=v\n");
}

static void test_services_tree(void)
{
	struct tree tree;

	if (!tree_new(&tree))
		return;
	check_tree(&tree, sap_sysconf_services, "");
	units_tree(&tree);
	tree_file(&tree, "/etc/init.d/a", "DAEMON=/usr/bin/prog\n");
	tree_file(&tree, "/etc/init.d/masked.sh", "DAEMON=/usr/bin/prog\n");
	tree_file(&tree, "/etc/init.d/README", "");
	tree_file(&tree, "/etc/init.d/own", "DAEMON=/usr/sbin/link\nPROG=/usr/bin/absent\n");
	tree_link(&tree, "/etc/rc3.d/S20own", "../init.d/own");
	tree_file(&tree, "/etc/init.d/rare", "command=/usr/bin/prog\n");
	check_tree(&tree, sap_sysconf_services,
		   "d-e.service /usr/lib/systemd/system/d-e.service user= no /new /pre\n"
		   "w.service /opt/w.service user=hidden yes /w\n"
		   "a.service /usr/lib/systemd/system/a.service user=v yes /usr/bin/prog\n"
		   "s@.service /usr/lib/systemd/system/s@.service user=hidden yes /no/%i\n"
		   "t@.service /usr/lib/systemd/system/t@.service user=hidden yes /usr/bin/prog\n"
		   "own /etc/init.d/own user= yes /usr/bin/prog\n"
		   "rare /etc/init.d/rare user= no /usr/bin/prog\n");
	tree_free(&tree);
}

static void check_shebang(const char *text, const char *interpreter, const char *name)
{
	size_t n = strlen(text);
	char *exact = malloc(n + 1);
	struct sap_str a, b;

	memcpy(exact, text, n);
	sap_shebang_read(sap_span_of(exact, n), &a, &b);
	CHECK_STR(a, interpreter);
	CHECK_STR(b, name);
	free(exact);
}

static void test_shebang(void)
{
	char text[300] = "#!/";

	check_shebang("", "", "");
	check_shebang("#", "", "");
	check_shebang("#!", "", "");
	check_shebang("#!\n/bin/sh", "", "");
	check_shebang("#!/bin/sh", "/bin/sh", "");
	check_shebang("#! \t/bin/sh\t-e\n", "/bin/sh", "");
	check_shebang(" #!/bin/sh\n", "", "");
	check_shebang("#!bin/sh\n", "", "");
	check_shebang("#!/usr/bin/env python3\n", "/usr/bin/env", "python3");
	check_shebang("#!/usr/bin/env\npython3\n", "/usr/bin/env", "");
	check_shebang("#!/usr/bin/env -S -i -u X A=b /opt/p -u", "/usr/bin/env", "/opt/p");
	check_shebang("#!/usr/bin/env -Sperl -w\n", "/usr/bin/env", "perl");
	check_shebang("#!/usr/bin/env --split-string=perl -w\n", "/usr/bin/env", "perl");
	check_shebang("#!/usr/bin/env a/b\n", "/usr/bin/env", "");
	check_shebang("#!/bin/dash env\n", "/bin/dash", "");
	/* A path that is longer than what is read. */
	memset(text + 3, 'a', sizeof(text) - 4);
	check_shebang(text, "", "");
	text[255] = '\n';
	text[256] = '\0';
	{
		char want[256] = { 0 };

		memcpy(want, text + 2, 253);
		check_shebang(text, want, "");
	}
}

static int read_inner(const char *command, struct sap_str want)
{
	struct sap_unit unit = { 0 };
	struct sap_err fault = { 0 };
	struct sap_arena arena;
	char text[512];
	bool ok;

	sap_arena_init(&arena, 0);
	snprintf(text, sizeof(text), "[Service]\nExecStart=/x\nExecStart=\nExecStart=%s\n",
		 command);
	CHECK_OK(read_unit(text, &arena, &unit, &fault), NULL);
	ok = unit.exec[0].n == unit.inner[0].n && unit.inner[0].n &&
	     sap_str_eq(unit.inner[0].v[unit.inner[0].n - 1], want);
	sap_unit_clear(&unit);
	sap_arena_clear(&arena);
	return ok;
}

static void test_shell_text(void)
{
	const struct sap_str none = SAP_STR(""), x = SAP_STR("/usr/bin/x");

	CHECK(read_inner("/bin/sh -c \"exec /usr/bin/x -y\"", x));
	CHECK(read_inner("-/bin/sh -c '/usr/bin/x;true'", x));
	CHECK(read_inner("@bash name -e -o pipefail -c 'exec \"/usr/bin/x\"'", x));
	CHECK(read_inner("/a ; /usr/bin/dash --norc -ec /usr/bin/x", x));
	CHECK(read_inner("/bin/sh -c /usr/bin/x ; /b -c /usr/bin/y", none));
	CHECK(read_inner("/bin/sh -c 'exec'", none));
	CHECK(read_inner("/bin/sh -c", none));
	CHECK(read_inner("/bin/sh -c ''", none));
	CHECK(read_inner("/bin/sh -c 'cd /; /usr/bin/x'", none));
	CHECK(read_inner("/bin/sh script -c /usr/bin/x", none));
	CHECK(read_inner("/bin/cash -c /usr/bin/x", none));
}

static void test_programs_that_are_scripts(void)
{
	struct tree tree;

	if (!tree_new(&tree))
		return;
	tree_link(&tree, "/bin", "usr/bin");
	tree_file(&tree, "/usr/bin/dash", "\177ELF");
	tree_link(&tree, "/usr/bin/sh", "dash");
	tree_file(&tree, "/usr/bin/env", "");
	tree_file(&tree, "/usr/bin/python3", "#!/bin/sh\n");
	tree_file(&tree, "/usr/bin/loop", "#!/usr/bin/loop2\n");
	tree_file(&tree, "/usr/bin/loop2", "#!/usr/bin/loop\n");
	tree_file(&tree, "/usr/bin/lost", "#!/opt/none -x\n");
	tree_file(&tree, "/usr/bin/script", "#! /bin/sh -e\n");
	tree_file(&tree, "/usr/bin/tool", "#!/usr/bin/env python3\n");
	tree_file(&tree, "/usr/lib/systemd/system/a.service",
		  "[Service]\nExecStart=/bin/script\nExecStart=/bin/none\nExecStop=/bin/tool\n");
	tree_file(&tree, "/usr/lib/systemd/system/b.service",
		  "[Service]\nExecStart=loop\nExecStop=lost\n");
	tree_file(&tree, "/usr/lib/systemd/system/c.service",
		  "[Service]\nExecStart=/bin/sh -c 'exec /bin/tool'\n"
		  "ExecStop=/bin/sh -c '/bin/none'\n");
	tree_file(&tree, "/etc/init.d/own", "#!/bin/sh\nDAEMON=/usr/bin/tool\n");
	tree_file(&tree, "/etc/init.d/rc", "#!/bin/sh\n");
	tree_file(&tree, "/etc/init.d/py", "#!/usr/bin/env python3\n");
	check_tree(&tree, sap_sysconf_services,
		   "a.service /usr/lib/systemd/system/a.service user= no /usr/bin/script "
		   "/usr/bin/dash /bin/none /usr/bin/tool /usr/bin/env /usr/bin/python3\n"
		   "b.service /usr/lib/systemd/system/b.service user= no /usr/bin/loop "
		   "/usr/bin/loop2 /usr/bin/lost /opt/none\n"
		   "c.service /usr/lib/systemd/system/c.service user= no /usr/bin/dash "
		   "/usr/bin/tool /usr/bin/env /usr/bin/python3\n"
		   "own /etc/init.d/own user= no /usr/bin/dash /usr/bin/tool /usr/bin/env "
		   "/usr/bin/python3\n"
		   "py /etc/init.d/py user= no /usr/bin/env /usr/bin/python3 /usr/bin/dash\n");
	tree_free(&tree);
}

int main(void)
{
	test_cache_formats();
	test_cache_old_alone();
	test_cache_cut_and_flipped();
	test_match();
	test_normal();
	test_preload_and_musl();
	test_nsswitch();
	test_pam();
	test_unit();
	test_unit_too_many_commands();
	test_initscript();
	test_texts_cut_and_flipped();
	test_loader_tree();
	test_modules_tree();
	test_services_tree();
	test_shebang();
	test_shell_text();
	test_programs_that_are_scripts();
	return check_done();
}
