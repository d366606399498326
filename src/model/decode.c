/* SPDX-License-Identifier: Apache-2.0 */
#include <cbor.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "model/codec.h"
#include "model/codec_int.h"
#include "model/facts.h"

/* One CBOR item, as far as facts use them. */
enum item_type { ITEM_NONE, ITEM_UINT, ITEM_NEGINT, ITEM_BYTES, ITEM_ARRAY, ITEM_BOOL, ITEM_BAD };

struct item {
	enum item_type type;
	uint64_t v; /* number, length of an array, truth */
	struct sap_str bytes;
};

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

/* The bytes being decoded, and how that goes. code is the first thing that went wrong:
 * later reads do nothing. */
struct cursor {
	const unsigned char *p;
	size_t n;
	size_t at;
	int code; /* SAP_EFORMAT ..., or NEED_MORE */
	const char *what;
};

enum { NEED_MORE = 1 };

/* ---- items ---------------------------------------------------------------------------- */

static void on_uint8(void *ctx, uint8_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_UINT, .v = v };
}

static void on_uint16(void *ctx, uint16_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_UINT, .v = v };
}

static void on_uint32(void *ctx, uint32_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_UINT, .v = v };
}

static void on_uint64(void *ctx, uint64_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_UINT, .v = v };
}

static void on_negint8(void *ctx, uint8_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_NEGINT, .v = v };
}

static void on_negint16(void *ctx, uint16_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_NEGINT, .v = v };
}

static void on_negint32(void *ctx, uint32_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_NEGINT, .v = v };
}

static void on_negint64(void *ctx, uint64_t v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_NEGINT, .v = v };
}

static void on_bytes(void *ctx, cbor_data p, size_t n)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_BYTES, .bytes = { (const char *)p, n } };
}

static void on_array(void *ctx, size_t n)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_ARRAY, .v = n };
}

static void on_bool(void *ctx, bool v)
{
	*(struct item *)ctx = (struct item){ .type = ITEM_BOOL, .v = v };
}

/* Everything else is no part of the format. */
static void on_bad(void *ctx)
{
	((struct item *)ctx)->type = ITEM_BAD;
}

static void on_bad_text(void *ctx, cbor_data p, size_t n)
{
	(void)p;
	(void)n;
	on_bad(ctx);
}

static void on_bad_size(void *ctx, size_t n)
{
	(void)n;
	on_bad(ctx);
}

static void on_bad_tag(void *ctx, uint64_t n)
{
	(void)n;
	on_bad(ctx);
}

static void on_bad_float(void *ctx, float v)
{
	(void)v;
	on_bad(ctx);
}

static void on_bad_double(void *ctx, double v)
{
	(void)v;
	on_bad(ctx);
}

static const struct cbor_callbacks item_callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = on_bad,
	.byte_string = on_bytes,
	.string = on_bad_text,
	.string_start = on_bad,
	.indef_array_start = on_bad,
	.array_start = on_array,
	.indef_map_start = on_bad,
	.map_start = on_bad_size,
	.tag = on_bad_tag,
	.float2 = on_bad_float,
	.float4 = on_bad_float,
	.float8 = on_bad_double,
	.undefined = on_bad,
	.null = on_bad,
	.boolean = on_bool,
	.indef_break = on_bad,
};

static void stop(struct cursor *c, int code, const char *what)
{
	if (!c->code) {
		c->code = code;
		c->what = what;
	}
}

static struct item next(struct cursor *c)
{
	struct item item = { .type = ITEM_NONE };
	struct cbor_decoder_result got;

	if (c->code)
		return item;
	if (c->at == c->n) {
		stop(c, NEED_MORE, NULL);
		return item;
	}
	got = cbor_stream_decode(c->p + c->at, c->n - c->at, &item_callbacks, &item);
	if (got.status == CBOR_DECODER_NEDATA)
		stop(c, NEED_MORE, NULL);
	else if (got.status != CBOR_DECODER_FINISHED || got.read == 0 || got.read > c->n - c->at)
		stop(c, SAP_EFORMAT, "not a CBOR item");
	else if (item.type == ITEM_BAD || item.type == ITEM_NONE)
		stop(c, SAP_EFORMAT, "a CBOR item of a kind that facts do not use");
	else
		c->at += got.read;
	return item;
}

static uint64_t get_uint(struct cursor *c, uint64_t max)
{
	struct item item = next(c);

	if (c->code)
		return 0;
	if (item.type != ITEM_UINT || item.v > max) {
		stop(c, SAP_EFORMAT, "a number that is not what its field may hold");
		return 0;
	}
	return item.v;
}

static int64_t get_int(struct cursor *c)
{
	struct item item = next(c);

	if (c->code)
		return 0;
	if (item.v > INT64_MAX || (item.type != ITEM_UINT && item.type != ITEM_NEGINT)) {
		stop(c, SAP_EFORMAT, "a signed number expected");
		return 0;
	}
	return item.type == ITEM_UINT ? (int64_t)item.v : -1 - (int64_t)item.v;
}

static bool get_bool(struct cursor *c)
{
	struct item item = next(c);

	if (!c->code && item.type != ITEM_BOOL)
		stop(c, SAP_EFORMAT, "a truth value expected");
	return item.v != 0;
}

static struct sap_str get_str(struct cursor *c)
{
	struct item item = next(c);

	if (!c->code && item.type != ITEM_BYTES)
		stop(c, SAP_EFORMAT, "a byte string expected");
	return item.bytes;
}

static uint32_t get_array(struct cursor *c, uint64_t max)
{
	struct item item = next(c);

	if (c->code)
		return 0;
	if (item.type != ITEM_ARRAY || item.v > max) {
		stop(c, SAP_EFORMAT, "an array expected, or one of fewer elements");
		return 0;
	}
	/* An element takes a byte at least: a length beyond the bytes cannot be whole. This
	 * keeps a lying length from costing memory. */
	if (item.v > c->n - c->at) {
		stop(c, NEED_MORE, NULL);
		return 0;
	}
	return (uint32_t)item.v;
}

static void *take(struct cursor *c, struct sap_arena *arena, uint64_t n, uint64_t size)
{
	void *p = c->code ? NULL : sap_arena_array(arena, n, size);

	if (!p)
		stop(c, SAP_ENOMEM, "out of memory");
	return p;
}

static struct sap_strs get_strs(struct cursor *c, struct sap_arena *arena)
{
	uint32_t n = get_array(c, SAP_LIST_MAX);
	struct sap_str *v = n ? take(c, arena, n, sizeof(*v)) : NULL;

	if (!v)
		return (struct sap_strs){ 0 };
	for (uint32_t i = 0; i < n; i++)
		v[i] = get_str(c);
	return (struct sap_strs){ v, n };
}

/* Passes over one item with everything inside it. */
static void skip(struct cursor *c)
{
	uint64_t left = 1;

	while (left && !c->code) {
		struct item item = next(c);

		left--;
		if (item.type == ITEM_ARRAY) {
			if (item.v > c->n - c->at)
				stop(c, NEED_MORE, NULL);
			left += item.v;
		}
	}
}

/* ---- records -------------------------------------------------------------------------- */

#define CHECKED(c, call) ((c)->code ? 0 : (call))

static int take_header(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_facts *facts = d->facts;
	struct sap_str magic = get_str(c);
	uint64_t version = get_uint(c, UINT32_MAX);
	struct sap_str tool = get_str(c), target = get_str(c), kind = get_str(c);
	bool whole = get_bool(c), with_symbols = get_bool(c);

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

static int take_os(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_os rec = { .source = get_str(c) };

	rec.id = get_str(c);
	rec.id_like = get_str(c);
	rec.version_id = get_str(c);
	rec.codename = get_str(c);
	rec.name = get_str(c);
	rec.pretty_name = get_str(c);
	rec.variant_id = get_str(c);
	rec.build_id = get_str(c);
	rec.cpe_name = get_str(c);
	rec.point_release = get_str(c);
	return CHECKED(c, d->facts->sink.os(&d->facts->sink, &rec, err));
}

static void take_relations(struct sap_decoder *d, struct cursor *c, struct sap_rec_package *rec)
{
	uint32_t n = get_array(c, 2 * SAP_RELATIONS_MAX);
	struct sap_rec_relation *v;

	if (n % 2)
		stop(c, SAP_EFORMAT, "an odd number of relation fields");
	v = n ? take(c, &d->arena, n / 2, sizeof(*v)) : NULL;
	if (!v)
		return;
	for (uint32_t i = 0; i < n / 2; i++) {
		v[i].kind = (enum sap_relation_kind)get_uint(c, SAP_REL_KINDS - 1);
		v[i].text = get_str(c);
	}
	rec->relations = v;
	rec->n_relations = n / 2;
}

static int take_package(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_package rec = { .id = (uint32_t)get_uint(c, UINT32_MAX) };

	rec.type = (enum sap_package_type)get_uint(c, SAP_PACKAGE_TYPES - 1);
	rec.name = get_str(c);
	rec.version = get_str(c);
	rec.arch = get_str(c);
	rec.source = get_str(c);
	rec.source_version = get_str(c);
	rec.licence = get_str(c);
	rec.maintainer = get_str(c);
	rec.vendor = get_str(c);
	rec.section = get_str(c);
	rec.modularity = get_str(c);
	rec.database = get_str(c);
	rec.install_time = get_int(c);
	rec.installed_size = get_uint(c, UINT64_MAX);
	rec.auto_installed = (enum sap_tristate)get_uint(c, SAP_YES);
	rec.essential = (enum sap_tristate)get_uint(c, SAP_YES);
	rec.broken = get_bool(c);
	take_relations(d, c, &rec);
	return CHECKED(c, d->facts->sink.package(&d->facts->sink, &rec, err));
}

static int take_file(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_file rec = { .package = (uint32_t)get_uint(c, UINT32_MAX) };

	rec.flags = (uint32_t)get_uint(c, UINT16_MAX);
	rec.path = get_str(c);
	rec.digest_kind = (enum sap_digest_kind)get_uint(c, SAP_DIGEST_KINDS - 1);
	rec.digest = get_str(c);
	if (!c->code && rec.digest.n && rec.digest.n != sap_digest_size(rec.digest_kind))
		stop(c, SAP_EFORMAT, "a digest of the wrong length");
	return CHECKED(c, d->facts->sink.file(&d->facts->sink, &rec, err));
}

static int take_symlink(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_symlink rec = { .path = get_str(c) };

	rec.target = get_str(c);
	return CHECKED(c, d->facts->sink.symlink(&d->facts->sink, &rec, err));
}

static int take_dir(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	const struct sap_rec_dir rec = { .path = get_str(c) };

	return CHECKED(c, d->facts->sink.dir(&d->facts->sink, &rec, err));
}

static int take_other(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_other rec = { .path = get_str(c) };

	rec.size = get_uint(c, UINT64_MAX);
	return CHECKED(c, d->facts->sink.other(&d->facts->sink, &rec, err));
}

static int take_lookup(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_lookup rec = { .path = get_str(c) };

	rec.canonical = get_str(c);
	rec.result = (enum sap_lookup_result)get_uint(c, SAP_LOOKUP_RESULTS - 1);
	return CHECKED(c, d->facts->sink.lookup(&d->facts->sink, &rec, err));
}

static void take_verneeds(struct sap_decoder *d, struct cursor *c, struct sap_rec_object *rec)
{
	uint32_t n = get_array(c, 2 * SAP_ELF_VERSIONS_MAX), n_weak;
	struct sap_rec_verneed *v = NULL;

	if (n % 2)
		stop(c, SAP_EFORMAT, "an odd number of version fields");
	if (n)
		v = take(c, &d->arena, n / 2, sizeof(*v));
	for (uint32_t i = 0; v && i < n / 2; i++) {
		v[i].file = get_str(c);
		v[i].version = get_str(c);
	}
	n_weak = get_array(c, n / 2);
	for (uint32_t i = 0; i < n_weak && !c->code; i++) {
		uint64_t at = get_uint(c, n / 2 - 1);

		if (v && !c->code)
			v[at].weak = true;
	}
	rec->verneeds = v;
	rec->n_verneeds = v ? n / 2 : 0;
}

static void take_notes(struct sap_decoder *d, struct cursor *c, struct sap_rec_object *rec)
{
	struct sap_rec_package_note *note = &rec->package_note;
	uint32_t n = get_array(c, SAP_LIST_MAX);
	struct sap_rec_dlopen_note *v = n ? take(c, &d->arena, n, sizeof(*v)) : NULL;

	for (uint32_t i = 0; v && i < n && !c->code; i++) {
		if (get_array(c, 4) != 4)
			stop(c, SAP_EFORMAT, "a dlopen note has four fields");
		v[i].feature = get_str(c);
		v[i].description = get_str(c);
		v[i].priority = get_str(c);
		v[i].sonames = get_strs(c, &d->arena);
	}
	rec->dlopen_notes = v;
	rec->n_dlopen_notes = v ? n : 0;
	if (get_array(c, 8) != 8)
		stop(c, SAP_EFORMAT, "a package note has eight fields");
	note->type = get_str(c);
	note->name = get_str(c);
	note->version = get_str(c);
	note->arch = get_str(c);
	note->os = get_str(c);
	note->os_version = get_str(c);
	note->cpe = get_str(c);
	note->debug_info_url = get_str(c);
}

static int take_object(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_object rec = { .path = get_str(c) };

	rec.size = get_uint(c, UINT64_MAX);
	rec.mode = (uint32_t)get_uint(c, UINT32_MAX);
	rec.link_id = get_uint(c, UINT64_MAX);
	rec.elf_class = (uint8_t)get_uint(c, 2);
	rec.endian = (uint8_t)get_uint(c, 2);
	rec.osabi = (uint8_t)get_uint(c, UINT8_MAX);
	rec.type = (uint16_t)get_uint(c, UINT16_MAX);
	rec.machine = (uint16_t)get_uint(c, UINT16_MAX);
	rec.e_flags = (uint32_t)get_uint(c, UINT32_MAX);
	rec.flags = (uint32_t)get_uint(c, UINT32_MAX);
	rec.interp = get_str(c);
	rec.soname = get_str(c);
	rec.rpath = get_str(c);
	rec.runpath = get_str(c);
	rec.build_id = get_str(c);
	rec.mapped_bytes = get_uint(c, UINT64_MAX);
	rec.code_bytes = get_uint(c, UINT64_MAX);
	rec.n_defined = (uint32_t)get_uint(c, UINT32_MAX);
	rec.n_imported = (uint32_t)get_uint(c, UINT32_MAX);
	rec.n_ifuncs = (uint32_t)get_uint(c, UINT32_MAX);
	rec.n_irelative = (uint32_t)get_uint(c, UINT32_MAX);
	rec.n_constructors = (uint32_t)get_uint(c, UINT32_MAX);
	rec.needed = get_strs(c, &d->arena);
	rec.filters = get_strs(c, &d->arena);
	rec.auxiliaries = get_strs(c, &d->arena);
	rec.verdefs = get_strs(c, &d->arena);
	rec.uses = get_strs(c, &d->arena);
	rec.dlopen_strings = get_strs(c, &d->arena);
	rec.loader_dirs = get_strs(c, &d->arena);
	take_verneeds(d, c, &rec);
	take_notes(d, c, &rec);
	return CHECKED(c, d->facts->sink.object(&d->facts->sink, &rec, err));
}

static int take_symbols(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	enum { FIELDS = 7 };
	struct sap_rec_symbols rec = { .path = get_str(c) };
	uint32_t n = get_array(c, SAP_LIST_MAX);
	struct sap_rec_symbol *v;

	if (n % FIELDS)
		stop(c, SAP_EFORMAT, "symbol fields that do not divide by seven");
	v = n ? take(c, &d->arena, n / FIELDS, sizeof(*v)) : NULL;
	for (uint32_t i = 0; v && i < n / FIELDS; i++) {
		v[i].name = get_str(c);
		v[i].version = get_str(c);
		v[i].file = get_str(c);
		v[i].value = get_uint(c, UINT64_MAX);
		v[i].size = get_uint(c, UINT64_MAX);
		v[i].flags = (uint32_t)get_uint(c, UINT32_MAX);
		v[i].defined = get_bool(c);
	}
	rec.v = v;
	rec.n = v ? n / FIELDS : 0;
	return CHECKED(c, d->facts->sink.symbols(&d->facts->sink, &rec, err));
}

static int take_cache_entry(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_cache_entry rec = { .soname = get_str(c) };

	rec.path = get_str(c);
	rec.hwcaps = get_str(c);
	rec.flags = (uint32_t)get_uint(c, UINT32_MAX);
	rec.hwcap = get_uint(c, UINT64_MAX);
	rec.index = (uint32_t)get_uint(c, UINT32_MAX);
	return CHECKED(c, d->facts->sink.cache_entry(&d->facts->sink, &rec, err));
}

static int take_setting(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_setting rec = { .kind = (enum sap_setting_kind)get_uint(c,
									       SAP_SET_KINDS - 1) };

	rec.file = get_str(c);
	rec.key = get_str(c);
	rec.value = get_str(c);
	rec.extra = get_str(c);
	rec.order = (uint32_t)get_uint(c, UINT32_MAX);
	return CHECKED(c, d->facts->sink.setting(&d->facts->sink, &rec, err));
}

static int take_service(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_service rec = {
		.kind = (enum sap_service_kind)get_uint(c, SAP_SERVICE_KINDS - 1)
	};

	rec.name = get_str(c);
	rec.path = get_str(c);
	rec.user = get_str(c);
	rec.programs = get_strs(c, &d->arena);
	rec.enabled = (enum sap_tristate)get_uint(c, SAP_YES);
	return CHECKED(c, d->facts->sink.service(&d->facts->sink, &rec, err));
}

static int take_diagnostic(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_diagnostic rec = { .path = get_str(c) };

	rec.code = get_str(c);
	rec.message = get_str(c);
	rec.offset = get_uint(c, UINT64_MAX);
	return CHECKED(c, d->facts->sink.diagnostic(&d->facts->sink, &rec, err));
}

static int take_stats(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct sap_rec_stats rec = { .files = get_uint(c, INT64_MAX) };

	rec.dirs = get_uint(c, INT64_MAX);
	rec.symlinks = get_uint(c, INT64_MAX);
	rec.specials = get_uint(c, INT64_MAX);
	rec.objects = get_uint(c, INT64_MAX);
	rec.unreadable = get_uint(c, INT64_MAX);
	rec.skipped_mounts = get_uint(c, INT64_MAX);
	return CHECKED(c, d->facts->sink.stats(&d->facts->sink, &rec, err));
}

static int take_end(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	(void)d;
	(void)c;
	(void)err;
	return 0;
}

static const struct {
	int (*take)(struct sap_decoder *d, struct cursor *c, struct sap_err *err);
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

/* ---- the sequence --------------------------------------------------------------------- */

/* What went wrong at the cursor, as an error. NEED_MORE stays NEED_MORE. */
static int verdict(struct sap_decoder *d, const struct cursor *c, struct sap_err *err)
{
	if (c->code == 0 || c->code == NEED_MORE)
		return c->code;
	if (c->code == SAP_ENOMEM)
		return sap_err_nomem(err);
	return sap_err_format(err, d->offset + c->at, "facts: %s", c->what);
}

/*
 * Takes the record at the cursor and leaves the cursor behind it. NEED_MORE where it is not
 * whole: nothing has been given to the sink then, which every kind does last.
 */
static int take_record(struct sap_decoder *d, struct cursor *c, struct sap_err *err)
{
	struct cursor whole = *c;
	uint64_t length, kind;
	struct item item = next(c);
	int r;

	if (!c->code && (item.type != ITEM_ARRAY || item.v == 0 || item.v > SAP_LIST_MAX))
		stop(c, SAP_EFORMAT, "a record is an array that starts with its kind");
	length = item.v;
	kind = get_uint(c, UINT64_MAX);
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
		skip(&whole);
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
		struct cursor c = { .p = p + *used, .n = n - *used };
		int r = take_record(d, &c, err);

		if (r == NEED_MORE && c.n <= SAP_RECORD_MAX)
			return 0;
		if (r == NEED_MORE)
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
		return sap_err_format(err, d->offset + d->held.n,
				      "facts: the sequence ends before its end record");
	return 0;
}
