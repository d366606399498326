/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "model/codec.h"
#include "model/codec_int.h"
#include "model/cursor_int.h"
#include "model/facts.h"

struct sap_decoder {
	struct sap_facts *facts;
	struct sap_arena arena; /* lists of the record at hand */
	struct sap_buf held;    /* bytes of a record that is not whole yet */
	size_t retry_at;        /* held bytes before it is worth trying again */
	uint64_t offset;        /* of the record at hand, in the sequence */
	bool started;
	bool ended;
	int failed;
};

/* ---- records ---------------------------------------------------------------------------- */

#define CHECKED(c, call) ((c)->code ? 0 : (call))

static int take_header(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_facts *facts = d->facts;
	struct sap_str magic = sap_cursor_str(c);
	uint64_t version = sap_cursor_uint(c, UINT32_MAX);
	struct sap_str tool = sap_cursor_str(c), target = sap_cursor_str(c),
		       kind = sap_cursor_str(c);
	bool whole = sap_cursor_bool(c), with_symbols = sap_cursor_bool(c);

	if (c->code)
		return 0;
	if (!sap_str_is(magic, SAP_FACTS_MAGIC))
		return sap_err_format(err, 0, "this is no facts file");
	if (version != SAP_FACTS_VERSION)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "facts of version %llu; this program reads version %d",
				   (unsigned long long)version, SAP_FACTS_VERSION);
	facts->tool = sap_pool_put(facts->pool, tool);
	facts->target = sap_pool_put(facts->pool, target);
	facts->target_kind = sap_pool_put(facts->pool, kind);
	if (facts->tool == UINT32_MAX || facts->target == UINT32_MAX ||
	    facts->target_kind == UINT32_MAX)
		return sap_err_nomem(err);
	facts->whole = whole;
	facts->with_symbols = with_symbols;
	d->started = true;
	return 0;
}

static int take_os(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_os rec = { .source = sap_cursor_str(c) };

	rec.id = sap_cursor_str(c);
	rec.id_like = sap_cursor_str(c);
	rec.version_id = sap_cursor_str(c);
	rec.codename = sap_cursor_str(c);
	rec.name = sap_cursor_str(c);
	rec.pretty_name = sap_cursor_str(c);
	rec.variant_id = sap_cursor_str(c);
	rec.build_id = sap_cursor_str(c);
	rec.cpe_name = sap_cursor_str(c);
	rec.point_release = sap_cursor_str(c);
	return CHECKED(c, d->facts->sink.os(&d->facts->sink, &rec, err));
}

static void take_relations(struct sap_decoder *d, struct sap_cursor *c, struct sap_rec_package *rec)
{
	uint32_t n = sap_cursor_array(c, 2 * SAP_RELATIONS_MAX);
	struct sap_rec_relation *v;

	if (n % 2)
		sap_cursor_stop(c, SAP_EFORMAT, "an odd number of relation fields");
	v = n ? sap_cursor_take(c, &d->arena, n / 2, sizeof(*v)) : NULL;
	if (!v)
		return;
	for (uint32_t i = 0; i < n / 2; i++) {
		v[i].kind = (enum sap_relation_kind)sap_cursor_uint(c, SAP_REL_KINDS - 1);
		v[i].text = sap_cursor_str(c);
	}
	rec->relations = v;
	rec->n_relations = n / 2;
}

static int take_package(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_package rec = { .id = (uint32_t)sap_cursor_uint(c, UINT32_MAX) };

	rec.type = (enum sap_package_type)sap_cursor_uint(c, SAP_PACKAGE_TYPES - 1);
	rec.name = sap_cursor_str(c);
	rec.version = sap_cursor_str(c);
	rec.arch = sap_cursor_str(c);
	rec.source = sap_cursor_str(c);
	rec.source_version = sap_cursor_str(c);
	rec.licence = sap_cursor_str(c);
	rec.maintainer = sap_cursor_str(c);
	rec.vendor = sap_cursor_str(c);
	rec.section = sap_cursor_str(c);
	rec.modularity = sap_cursor_str(c);
	rec.database = sap_cursor_str(c);
	rec.install_time = sap_cursor_int(c);
	rec.installed_size = sap_cursor_uint(c, UINT64_MAX);
	rec.auto_installed = (enum sap_tristate)sap_cursor_uint(c, SAP_YES);
	rec.essential = (enum sap_tristate)sap_cursor_uint(c, SAP_YES);
	rec.broken = sap_cursor_bool(c);
	take_relations(d, c, &rec);
	return CHECKED(c, d->facts->sink.package(&d->facts->sink, &rec, err));
}

static int take_file(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_file rec = { .package = (uint32_t)sap_cursor_uint(c, UINT32_MAX) };

	rec.flags = (uint32_t)sap_cursor_uint(c, UINT16_MAX);
	rec.path = sap_cursor_str(c);
	rec.digest_kind = (enum sap_digest_kind)sap_cursor_uint(c, SAP_DIGEST_KINDS - 1);
	rec.digest = sap_cursor_str(c);
	if (!c->code && rec.digest.n && rec.digest.n != sap_digest_size(rec.digest_kind))
		sap_cursor_stop(c, SAP_EFORMAT, "a digest of the wrong length");
	return CHECKED(c, d->facts->sink.file(&d->facts->sink, &rec, err));
}

static int take_symlink(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_symlink rec = { .path = sap_cursor_str(c) };

	rec.target = sap_cursor_str(c);
	return CHECKED(c, d->facts->sink.symlink(&d->facts->sink, &rec, err));
}

static int take_dir(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	const struct sap_rec_dir rec = { .path = sap_cursor_str(c) };

	return CHECKED(c, d->facts->sink.dir(&d->facts->sink, &rec, err));
}

static int take_other(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_other rec = { .path = sap_cursor_str(c) };

	rec.size = sap_cursor_uint(c, UINT64_MAX);
	rec.reason = (enum sap_other_reason)sap_cursor_uint(c, SAP_OTHER_REASONS - 1);
	return CHECKED(c, d->facts->sink.other(&d->facts->sink, &rec, err));
}

static int take_lookup(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_lookup rec = { .path = sap_cursor_str(c) };

	rec.canonical = sap_cursor_str(c);
	rec.result = (enum sap_lookup_result)sap_cursor_uint(c, SAP_LOOKUP_RESULTS - 1);
	return CHECKED(c, d->facts->sink.lookup(&d->facts->sink, &rec, err));
}

static void take_verneeds(struct sap_decoder *d, struct sap_cursor *c, struct sap_rec_object *rec)
{
	uint32_t n = sap_cursor_array(c, 2 * SAP_ELF_VERSIONS_MAX), n_weak;
	struct sap_rec_verneed *v = NULL;

	if (n % 2)
		sap_cursor_stop(c, SAP_EFORMAT, "an odd number of version fields");
	if (n)
		v = sap_cursor_take(c, &d->arena, n / 2, sizeof(*v));
	for (uint32_t i = 0; v && i < n / 2; i++) {
		v[i].file = sap_cursor_str(c);
		v[i].version = sap_cursor_str(c);
	}
	n_weak = sap_cursor_array(c, n / 2);
	for (uint32_t i = 0; i < n_weak && !c->code; i++) {
		uint64_t at = sap_cursor_uint(c, n / 2 - 1);

		if (v && !c->code)
			v[at].weak = true;
	}
	rec->verneeds = v;
	rec->n_verneeds = v ? n / 2 : 0;
}

static void take_notes(struct sap_decoder *d, struct sap_cursor *c, struct sap_rec_object *rec)
{
	struct sap_rec_package_note *note = &rec->package_note;
	uint32_t n = sap_cursor_array(c, SAP_LIST_MAX);
	struct sap_rec_dlopen_note *v = n ? sap_cursor_take(c, &d->arena, n, sizeof(*v)) : NULL;

	for (uint32_t i = 0; v && i < n && !c->code; i++) {
		if (sap_cursor_array(c, 4) != 4)
			sap_cursor_stop(c, SAP_EFORMAT, "a dlopen note has four fields");
		v[i].feature = sap_cursor_str(c);
		v[i].description = sap_cursor_str(c);
		v[i].priority = sap_cursor_str(c);
		v[i].sonames = sap_cursor_strs(c, &d->arena);
	}
	rec->dlopen_notes = v;
	rec->n_dlopen_notes = v ? n : 0;
	if (sap_cursor_array(c, 8) != 8)
		sap_cursor_stop(c, SAP_EFORMAT, "a package note has eight fields");
	note->type = sap_cursor_str(c);
	note->name = sap_cursor_str(c);
	note->version = sap_cursor_str(c);
	note->arch = sap_cursor_str(c);
	note->os = sap_cursor_str(c);
	note->os_version = sap_cursor_str(c);
	note->cpe = sap_cursor_str(c);
	note->debug_info_url = sap_cursor_str(c);
}

static int take_object(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_object rec = { .path = sap_cursor_str(c) };

	rec.size = sap_cursor_uint(c, UINT64_MAX);
	rec.mode = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.link_id = sap_cursor_uint(c, UINT64_MAX);
	rec.elf_class = (uint8_t)sap_cursor_uint(c, 2);
	rec.endian = (uint8_t)sap_cursor_uint(c, 2);
	rec.osabi = (uint8_t)sap_cursor_uint(c, UINT8_MAX);
	rec.type = (uint16_t)sap_cursor_uint(c, UINT16_MAX);
	rec.machine = (uint16_t)sap_cursor_uint(c, UINT16_MAX);
	rec.e_flags = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.flags = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.interp = sap_cursor_str(c);
	rec.soname = sap_cursor_str(c);
	rec.rpath = sap_cursor_str(c);
	rec.runpath = sap_cursor_str(c);
	rec.build_id = sap_cursor_str(c);
	rec.mapped_bytes = sap_cursor_uint(c, UINT64_MAX);
	rec.code_bytes = sap_cursor_uint(c, UINT64_MAX);
	rec.n_defined = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.n_imported = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.n_ifuncs = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.n_irelative = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.n_constructors = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.needed = sap_cursor_strs(c, &d->arena);
	rec.filters = sap_cursor_strs(c, &d->arena);
	rec.auxiliaries = sap_cursor_strs(c, &d->arena);
	rec.verdefs = sap_cursor_strs(c, &d->arena);
	rec.uses = sap_cursor_strs(c, &d->arena);
	rec.dlopen_strings = sap_cursor_strs(c, &d->arena);
	rec.loader_dirs = sap_cursor_strs(c, &d->arena);
	take_verneeds(d, c, &rec);
	take_notes(d, c, &rec);
	return CHECKED(c, d->facts->sink.object(&d->facts->sink, &rec, err));
}

static int take_symbols(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	enum { FIELDS = 7 };
	struct sap_rec_symbols rec = { .path = sap_cursor_str(c) };
	uint32_t n = sap_cursor_array(c, SAP_LIST_MAX);
	struct sap_rec_symbol *v;

	if (n % FIELDS)
		sap_cursor_stop(c, SAP_EFORMAT, "symbol fields that do not divide by seven");
	v = n ? sap_cursor_take(c, &d->arena, n / FIELDS, sizeof(*v)) : NULL;
	for (uint32_t i = 0; v && i < n / FIELDS; i++) {
		v[i].name = sap_cursor_str(c);
		v[i].version = sap_cursor_str(c);
		v[i].file = sap_cursor_str(c);
		v[i].value = sap_cursor_uint(c, UINT64_MAX);
		v[i].size = sap_cursor_uint(c, UINT64_MAX);
		v[i].flags = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
		v[i].defined = sap_cursor_bool(c);
	}
	rec.v = v;
	rec.n = v ? n / FIELDS : 0;
	return CHECKED(c, d->facts->sink.symbols(&d->facts->sink, &rec, err));
}

static int take_cache_entry(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_cache_entry rec = { .soname = sap_cursor_str(c) };

	rec.path = sap_cursor_str(c);
	rec.hwcaps = sap_cursor_str(c);
	rec.flags = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	rec.hwcap = sap_cursor_uint(c, UINT64_MAX);
	rec.index = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	return CHECKED(c, d->facts->sink.cache_entry(&d->facts->sink, &rec, err));
}

static int take_setting(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_setting rec = {
		.kind = (enum sap_setting_kind)sap_cursor_uint(c, SAP_SET_KINDS - 1)
	};

	rec.file = sap_cursor_str(c);
	rec.key = sap_cursor_str(c);
	rec.value = sap_cursor_str(c);
	rec.extra = sap_cursor_str(c);
	rec.order = (uint32_t)sap_cursor_uint(c, UINT32_MAX);
	return CHECKED(c, d->facts->sink.setting(&d->facts->sink, &rec, err));
}

static int take_service(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_service rec = {
		.kind = (enum sap_service_kind)sap_cursor_uint(c, SAP_SERVICE_KINDS - 1)
	};

	rec.name = sap_cursor_str(c);
	rec.path = sap_cursor_str(c);
	rec.user = sap_cursor_str(c);
	rec.programs = sap_cursor_strs(c, &d->arena);
	rec.enabled = (enum sap_tristate)sap_cursor_uint(c, SAP_YES);
	return CHECKED(c, d->facts->sink.service(&d->facts->sink, &rec, err));
}

static int take_diagnostic(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_diagnostic rec = { .path = sap_cursor_str(c) };

	rec.code = sap_cursor_str(c);
	rec.message = sap_cursor_str(c);
	rec.offset = sap_cursor_uint(c, UINT64_MAX);
	return CHECKED(c, d->facts->sink.diagnostic(&d->facts->sink, &rec, err));
}

static int take_stats(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_rec_stats rec = { .files = sap_cursor_uint(c, INT64_MAX) };

	rec.dirs = sap_cursor_uint(c, INT64_MAX);
	rec.symlinks = sap_cursor_uint(c, INT64_MAX);
	rec.specials = sap_cursor_uint(c, INT64_MAX);
	rec.objects = sap_cursor_uint(c, INT64_MAX);
	rec.unreadable = sap_cursor_uint(c, INT64_MAX);
	rec.skipped_mounts = sap_cursor_uint(c, INT64_MAX);
	return CHECKED(c, d->facts->sink.stats(&d->facts->sink, &rec, err));
}

static int take_end(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	(void)d;
	(void)c;
	(void)err;
	return 0;
}

static const struct {
	int (*take)(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err);
	uint32_t length;
} kinds[] = {
	[SAP_RECORD_HEADER] = { take_header, SAP_LENGTH_HEADER },
	[SAP_RECORD_OS] = { take_os, SAP_LENGTH_OS },
	[SAP_RECORD_PACKAGE] = { take_package, SAP_LENGTH_PACKAGE },
	[SAP_RECORD_FILE] = { take_file, SAP_LENGTH_FILE },
	[SAP_RECORD_SYMLINK] = { take_symlink, SAP_LENGTH_SYMLINK },
	[SAP_RECORD_DIR] = { take_dir, SAP_LENGTH_DIR },
	[SAP_RECORD_OTHER] = { take_other, SAP_LENGTH_OTHER },
	[SAP_RECORD_LOOKUP] = { take_lookup, SAP_LENGTH_LOOKUP },
	[SAP_RECORD_OBJECT] = { take_object, SAP_LENGTH_OBJECT },
	[SAP_RECORD_SYMBOLS] = { take_symbols, SAP_LENGTH_SYMBOLS },
	[SAP_RECORD_CACHE_ENTRY] = { take_cache_entry, SAP_LENGTH_CACHE_ENTRY },
	[SAP_RECORD_SETTING] = { take_setting, SAP_LENGTH_SETTING },
	[SAP_RECORD_SERVICE] = { take_service, SAP_LENGTH_SERVICE },
	[SAP_RECORD_DIAGNOSTIC] = { take_diagnostic, SAP_LENGTH_DIAGNOSTIC },
	[SAP_RECORD_STATS] = { take_stats, SAP_LENGTH_STATS },
	[SAP_RECORD_END] = { take_end, SAP_LENGTH_END },
};

/* ---- the sequence ----------------------------------------------------------------------- */

/* What went wrong at the cursor, as an error. SAP_NEED_MORE stays SAP_NEED_MORE. */
static int verdict(struct sap_decoder *d, const struct sap_cursor *c, struct sap_err *err)
{
	if (c->code == 0 || c->code == SAP_NEED_MORE)
		return c->code;
	if (c->code == SAP_ENOMEM)
		return sap_err_nomem(err);
	return sap_err_format(err, d->offset + c->at, "facts: %s", c->what);
}

/*
 * Takes the record at the cursor and leaves the cursor behind it. SAP_NEED_MORE where it is not
 * whole: nothing has been given to the sink then, which every kind does last.
 */
static int take_record(struct sap_decoder *d, struct sap_cursor *c, struct sap_err *err)
{
	struct sap_cursor whole = *c;
	uint64_t length, kind;
	struct sap_item item = sap_cursor_next(c);
	int r;

	if (!c->code && (item.type != SAP_ITEM_ARRAY || item.v == 0 || item.v > SAP_LIST_MAX))
		sap_cursor_stop(c, SAP_EFORMAT, "a record is an array that starts with its kind");
	length = item.v;
	kind = sap_cursor_uint(c, UINT64_MAX);
	if (c->code)
		return verdict(d, c, err);
	if (!d->started != (kind == SAP_RECORD_HEADER))
		return sap_err_format(err, d->offset, "facts: %s",
				      d->started ? "a second header" : "this is no facts file");
	if (kind < sizeof(kinds) / sizeof(kinds[0]) && length < kinds[kind].length)
		return sap_err_format(err, d->offset, "facts: record %llu lacks fields",
				      (unsigned long long)kind);
	/* Of a later version: a kind not known, or more fields. Passed over. */
	if (kind >= sizeof(kinds) / sizeof(kinds[0]) || length > kinds[kind].length) {
		sap_cursor_skip(&whole);
		if (whole.code || kind >= sizeof(kinds) / sizeof(kinds[0])) {
			*c = whole;
			return verdict(d, c, err);
		}
	} else {
		whole.at = 0;
	}
	sap_arena_reset(&d->arena);
	r = kinds[kind].take(d, c, err);
	if (r < 0)
		return r;
	if (!c->code && whole.at)
		c->at = whole.at;
	if (!c->code)
		d->ended = kind == SAP_RECORD_END;
	return verdict(d, c, err);
}

/* Takes all whole records of [p, p+n); *used says how far that went. */
static int take_records(struct sap_decoder *d, const unsigned char *p, size_t n, size_t *used,
			struct sap_err *err)
{
	*used = 0;
	while (*used < n) {
		struct sap_cursor c = { .p = p + *used, .n = n - *used };
		int r = take_record(d, &c, err);

		if (r == SAP_NEED_MORE && c.n <= SAP_RECORD_MAX)
			return 0;
		if (r == SAP_NEED_MORE)
			return sap_err_set(err, SAP_ELIMIT,
					   "facts: the record at byte %llu is larger than %llu "
					   "bytes",
					   (unsigned long long)d->offset, SAP_RECORD_MAX);
		if (r < 0)
			return r;
		*used += c.at;
		d->offset += c.at;
	}
	return 0;
}

struct sap_decoder *sap_decoder_new(struct sap_facts *facts)
{
	struct sap_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->facts = facts;
	sap_arena_init(&d->arena, 0);
	sap_buf_init(&d->held, 2 * SAP_RECORD_MAX);
	return d;
}

void sap_decoder_free(struct sap_decoder *d)
{
	if (!d)
		return;
	sap_arena_clear(&d->arena);
	sap_buf_clear(&d->held);
	free(d);
}

/* Adds bytes to those held, and takes what is whole by then. */
static int feed_held(struct sap_decoder *d, const unsigned char *p, size_t n, struct sap_err *err)
{
	size_t used;
	int r;

	sap_buf_put(&d->held, p, n);
	if (!sap_buf_ok(&d->held))
		return sap_err_nomem(err);
	if (n && d->held.n < d->retry_at)
		return 0;
	r = take_records(d, d->held.p, d->held.n, &used, err);
	if (r < 0)
		return r;
	if (used)
		memmove(d->held.p, d->held.p + used, d->held.n - used);
	d->held.n -= used;
	/* A large record is not measured anew for every piece that comes. */
	d->retry_at = d->held.n > SAP_MIB ? d->held.n + d->held.n / 4 : 0;
	return 0;
}

/* Whatever is wrong before the header: the file is something else. */
static int no_facts(const struct sap_decoder *d, int r, struct sap_err *err)
{
	if (r != SAP_EFORMAT || d->started)
		return r;
	return sap_err_format(err, 0, "this is no facts file; 'sapper scan --facts' makes them");
}

int sap_decoder_feed(struct sap_decoder *d, const void *bytes, size_t n, struct sap_err *err)
{
	const unsigned char *p = bytes;
	size_t used = 0;

	if (d->failed)
		return sap_err_set(err, d->failed, "facts: the sequence failed before");
	/* The usual case: nothing held, records taken from where they lie. */
	if (d->held.n == 0)
		d->failed = take_records(d, p, n, &used, err);
	if (n == 0 && d->held.n)
		d->failed = feed_held(d, NULL, 0, err);
	while (!d->failed && used < n) {
		size_t piece = n - used < SAP_MIB ? n - used : SAP_MIB;

		d->failed = feed_held(d, p + used, piece, err);
		used += piece;
	}
	d->failed = no_facts(d, d->failed, err);
	return d->failed;
}

bool sap_decoder_ended(const struct sap_decoder *d)
{
	return d->ended && d->held.n == 0;
}

int sap_decoder_finish(struct sap_decoder *d, struct sap_err *err)
{
	if (d->failed)
		return sap_err_set(err, d->failed, "facts: the sequence failed before");
	d->retry_at = 0;
	if (d->held.n)
		d->failed = feed_held(d, NULL, 0, err);
	if (d->failed)
		return d->failed;
	if (d->held.n || !d->ended)
		return no_facts(d,
				sap_err_format(err, d->offset + d->held.n,
					       "the facts are cut short: write or copy them again"),
				err);
	return 0;
}
