/* SPDX-License-Identifier: Apache-2.0 */
#include <cbor.h>

#include "base/limits.h"
#include "model/codec.h"
#include "model/codec_int.h"
#include "model/facts.h"

enum { HEAD_MAX = 9 }; /* bytes of the longest CBOR item head */

/* ---- items ------------------------------------------------------------------------------ */

static void put_uint(struct sap_buf *buf, uint64_t v)
{
	unsigned char *to = sap_buf_reserve(buf, HEAD_MAX);

	if (to)
		buf->n += cbor_encode_uint(v, to, HEAD_MAX);
}

static void put_int(struct sap_buf *buf, int64_t v)
{
	unsigned char *to = sap_buf_reserve(buf, HEAD_MAX);

	if (!to)
		return;
	if (v >= 0)
		buf->n += cbor_encode_uint((uint64_t)v, to, HEAD_MAX);
	else
		buf->n += cbor_encode_negint((uint64_t)(-1 - v), to, HEAD_MAX);
}

static void put_bool(struct sap_buf *buf, bool v)
{
	unsigned char *to = sap_buf_reserve(buf, HEAD_MAX);

	if (to)
		buf->n += cbor_encode_bool(v, to, HEAD_MAX);
}

static void put_array(struct sap_buf *buf, uint64_t n)
{
	unsigned char *to = sap_buf_reserve(buf, HEAD_MAX);

	if (to)
		buf->n += cbor_encode_array_start(n, to, HEAD_MAX);
}

static void put_str(struct sap_buf *buf, struct sap_str s)
{
	unsigned char *to = sap_buf_reserve(buf, HEAD_MAX + s.n);

	if (!to)
		return;
	buf->n += cbor_encode_bytestring_start(s.n, to, HEAD_MAX);
	sap_buf_puts(buf, s);
}

static void put_strs(struct sap_buf *buf, struct sap_strs list)
{
	put_array(buf, list.n);
	for (uint32_t i = 0; i < list.n; i++)
		put_str(buf, list.v[i]);
}

/* ---- records ---------------------------------------------------------------------------- */

static struct sap_encoder *encoder_of(struct sap_sink *sink)
{
	return (struct sap_encoder *)sink; /* the sink is the first member */
}

static struct sap_buf *begin(struct sap_encoder *encoder, enum sap_record_kind kind,
			     enum sap_record_length length, size_t *start)
{
	*start = encoder->buf.n;
	put_array(&encoder->buf, length);
	put_uint(&encoder->buf, kind);
	return &encoder->buf;
}

/* Ends a record. One that went over the ceiling is taken back and reported under path. */
static int end(struct sap_encoder *encoder, size_t start, struct sap_str path, struct sap_err *err)
{
	struct sap_buf *buf = &encoder->buf;

	if (!sap_buf_ok(buf))
		return sap_err_nomem(err);
	if (buf->n - start > SAP_RECORD_MAX) {
		buf->n = start;
		return sap_sink_note(&encoder->sink, path, 0, sap_code_name(SAP_ELIMIT), err,
				     "what was found here is larger than %llu bytes and left out",
				     SAP_RECORD_MAX);
	}
	if (encoder->flush && buf->n >= encoder->flush_at)
		return encoder->flush(encoder, err);
	return 0;
}

int sap_encoder_header(struct sap_encoder *encoder, const struct sap_rec_header *rec,
		       struct sap_err *err)
{
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_HEADER, SAP_LENGTH_HEADER, &start);

	put_str(buf, SAP_STR(SAP_FACTS_MAGIC));
	put_uint(buf, rec->version);
	put_str(buf, rec->tool);
	put_str(buf, rec->target);
	put_str(buf, rec->target_kind);
	put_bool(buf, rec->whole);
	put_bool(buf, rec->with_symbols);
	return end(encoder, start, rec->target, err);
}

int sap_encoder_end(struct sap_encoder *encoder, struct sap_err *err)
{
	size_t start;

	begin(encoder, SAP_RECORD_END, SAP_LENGTH_END, &start);
	return end(encoder, start, SAP_STR(""), err);
}

static int encode_os(struct sap_sink *sink, const struct sap_rec_os *rec, struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_OS, SAP_LENGTH_OS, &start);

	put_str(buf, rec->source);
	put_str(buf, rec->id);
	put_str(buf, rec->id_like);
	put_str(buf, rec->version_id);
	put_str(buf, rec->codename);
	put_str(buf, rec->name);
	put_str(buf, rec->pretty_name);
	put_str(buf, rec->variant_id);
	put_str(buf, rec->build_id);
	put_str(buf, rec->cpe_name);
	put_str(buf, rec->point_release);
	return end(encoder, start, rec->source, err);
}

static int encode_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			  struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_PACKAGE, SAP_LENGTH_PACKAGE, &start);

	put_uint(buf, rec->id);
	put_uint(buf, rec->type);
	put_str(buf, rec->name);
	put_str(buf, rec->version);
	put_str(buf, rec->arch);
	put_str(buf, rec->source);
	put_str(buf, rec->source_version);
	put_str(buf, rec->licence);
	put_str(buf, rec->maintainer);
	put_str(buf, rec->vendor);
	put_str(buf, rec->section);
	put_str(buf, rec->modularity);
	put_str(buf, rec->database);
	put_int(buf, rec->install_time);
	put_uint(buf, rec->installed_size);
	put_uint(buf, rec->auto_installed);
	put_uint(buf, rec->essential);
	put_bool(buf, rec->broken);
	put_array(buf, (uint64_t)rec->n_relations * 2);
	for (uint32_t i = 0; i < rec->n_relations; i++) {
		put_uint(buf, rec->relations[i].kind);
		put_str(buf, rec->relations[i].text);
	}
	return end(encoder, start, rec->database, err);
}

static int encode_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_FILE, SAP_LENGTH_FILE, &start);

	put_uint(buf, rec->package);
	put_uint(buf, rec->flags);
	put_str(buf, rec->path);
	put_uint(buf, rec->digest_kind);
	put_str(buf, rec->digest);
	return end(encoder, start, rec->path, err);
}

static int encode_symlink(struct sap_sink *sink, const struct sap_rec_symlink *rec,
			  struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_SYMLINK, SAP_LENGTH_SYMLINK, &start);

	put_str(buf, rec->path);
	put_str(buf, rec->target);
	return end(encoder, start, rec->path, err);
}

static int encode_dir(struct sap_sink *sink, const struct sap_rec_dir *rec, struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_DIR, SAP_LENGTH_DIR, &start);

	put_str(buf, rec->path);
	return end(encoder, start, rec->path, err);
}

static int encode_other(struct sap_sink *sink, const struct sap_rec_other *rec, struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_OTHER, SAP_LENGTH_OTHER, &start);

	put_str(buf, rec->path);
	put_uint(buf, rec->size);
	put_uint(buf, rec->reason);
	return end(encoder, start, rec->path, err);
}

static int encode_lookup(struct sap_sink *sink, const struct sap_rec_lookup *rec,
			 struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_LOOKUP, SAP_LENGTH_LOOKUP, &start);

	put_str(buf, rec->path);
	put_str(buf, rec->canonical);
	put_uint(buf, rec->result);
	return end(encoder, start, rec->path, err);
}

static void put_notes(struct sap_buf *buf, const struct sap_rec_object *rec)
{
	const struct sap_rec_package_note *note = &rec->package_note;

	put_array(buf, rec->n_dlopen_notes);
	for (uint32_t i = 0; i < rec->n_dlopen_notes; i++) {
		put_array(buf, 4);
		put_str(buf, rec->dlopen_notes[i].feature);
		put_str(buf, rec->dlopen_notes[i].description);
		put_str(buf, rec->dlopen_notes[i].priority);
		put_strs(buf, rec->dlopen_notes[i].sonames);
	}
	put_array(buf, 8);
	put_str(buf, note->type);
	put_str(buf, note->name);
	put_str(buf, note->version);
	put_str(buf, note->arch);
	put_str(buf, note->os);
	put_str(buf, note->os_version);
	put_str(buf, note->cpe);
	put_str(buf, note->debug_info_url);
}

static int encode_object(struct sap_sink *sink, const struct sap_rec_object *rec,
			 struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_OBJECT, SAP_LENGTH_OBJECT, &start);

	put_str(buf, rec->path);
	put_uint(buf, rec->size);
	put_uint(buf, rec->mode);
	put_uint(buf, rec->link_id);
	put_uint(buf, rec->elf_class);
	put_uint(buf, rec->endian);
	put_uint(buf, rec->osabi);
	put_uint(buf, rec->type);
	put_uint(buf, rec->machine);
	put_uint(buf, rec->e_flags);
	put_uint(buf, rec->flags);
	put_str(buf, rec->interp);
	put_str(buf, rec->soname);
	put_str(buf, rec->rpath);
	put_str(buf, rec->runpath);
	put_str(buf, rec->build_id);
	put_uint(buf, rec->mapped_bytes);
	put_uint(buf, rec->code_bytes);
	put_uint(buf, rec->n_defined);
	put_uint(buf, rec->n_imported);
	put_uint(buf, rec->n_ifuncs);
	put_uint(buf, rec->n_irelative);
	put_uint(buf, rec->n_constructors);
	put_strs(buf, rec->needed);
	put_strs(buf, rec->filters);
	put_strs(buf, rec->auxiliaries);
	put_strs(buf, rec->verdefs);
	put_strs(buf, rec->uses);
	put_strs(buf, rec->dlopen_strings);
	put_strs(buf, rec->loader_dirs);
	put_array(buf, (uint64_t)rec->n_verneeds * 2);
	for (uint32_t i = 0; i < rec->n_verneeds; i++) {
		put_str(buf, rec->verneeds[i].file);
		put_str(buf, rec->verneeds[i].version);
	}
	/* Which of them are weak, by position. */
	uint32_t n_weak = 0;
	for (uint32_t i = 0; i < rec->n_verneeds; i++)
		n_weak += rec->verneeds[i].weak;
	put_array(buf, n_weak);
	for (uint32_t i = 0; i < rec->n_verneeds; i++) {
		if (rec->verneeds[i].weak)
			put_uint(buf, i);
	}
	put_notes(buf, rec);
	return end(encoder, start, rec->path, err);
}

static int encode_symbols(struct sap_sink *sink, const struct sap_rec_symbols *rec,
			  struct sap_err *err)
{
	enum { BATCH = 1000, FIELDS = 7 };
	struct sap_encoder *encoder = encoder_of(sink);
	int r = 0;

	for (uint32_t at = 0; r == 0 && at < rec->n; at += BATCH) {
		uint32_t n = rec->n - at < BATCH ? rec->n - at : BATCH;
		size_t start;
		struct sap_buf *buf =
			begin(encoder, SAP_RECORD_SYMBOLS, SAP_LENGTH_SYMBOLS, &start);

		put_str(buf, rec->path);
		put_array(buf, (uint64_t)n * FIELDS);
		for (uint32_t i = at; i < at + n; i++) {
			const struct sap_rec_symbol *s = &rec->v[i];

			put_str(buf, s->name);
			put_str(buf, s->version);
			put_str(buf, s->file);
			put_uint(buf, s->value);
			put_uint(buf, s->size);
			put_uint(buf, s->flags);
			put_bool(buf, s->defined);
		}
		r = end(encoder, start, rec->path, err);
	}
	return r;
}

static int encode_cache_entry(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
			      struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf =
		begin(encoder, SAP_RECORD_CACHE_ENTRY, SAP_LENGTH_CACHE_ENTRY, &start);

	put_str(buf, rec->soname);
	put_str(buf, rec->path);
	put_str(buf, rec->hwcaps);
	put_uint(buf, rec->flags);
	put_uint(buf, rec->hwcap);
	put_uint(buf, rec->index);
	return end(encoder, start, rec->path, err);
}

static int encode_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			  struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_SETTING, SAP_LENGTH_SETTING, &start);

	put_uint(buf, rec->kind);
	put_str(buf, rec->file);
	put_str(buf, rec->key);
	put_str(buf, rec->value);
	put_str(buf, rec->extra);
	put_uint(buf, rec->order);
	return end(encoder, start, rec->file, err);
}

static int encode_service(struct sap_sink *sink, const struct sap_rec_service *rec,
			  struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_SERVICE, SAP_LENGTH_SERVICE, &start);

	put_uint(buf, rec->kind);
	put_str(buf, rec->name);
	put_str(buf, rec->path);
	put_str(buf, rec->user);
	put_strs(buf, rec->programs);
	put_uint(buf, rec->enabled);
	return end(encoder, start, rec->path, err);
}

static int encode_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			     struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_DIAGNOSTIC, SAP_LENGTH_DIAGNOSTIC, &start);

	put_str(buf, rec->path);
	put_str(buf, rec->code);
	put_str(buf, rec->message);
	put_uint(buf, rec->offset);
	return end(encoder, start, SAP_STR(""), err);
}

static int encode_stats(struct sap_sink *sink, const struct sap_rec_stats *rec, struct sap_err *err)
{
	struct sap_encoder *encoder = encoder_of(sink);
	size_t start;
	struct sap_buf *buf = begin(encoder, SAP_RECORD_STATS, SAP_LENGTH_STATS, &start);

	put_uint(buf, rec->files);
	put_uint(buf, rec->dirs);
	put_uint(buf, rec->symlinks);
	put_uint(buf, rec->specials);
	put_uint(buf, rec->objects);
	put_uint(buf, rec->unreadable);
	put_uint(buf, rec->skipped_mounts);
	return end(encoder, start, SAP_STR(""), err);
}

void sap_encoder_init(struct sap_encoder *encoder, size_t flush_at,
		      int (*flush)(struct sap_encoder *encoder, struct sap_err *err), void *ctx)
{
	*encoder = (struct sap_encoder){
		.sink = {
			.os = encode_os,
			.package = encode_package,
			.file = encode_file,
			.symlink = encode_symlink,
			.dir = encode_dir,
			.other = encode_other,
			.lookup = encode_lookup,
			.object = encode_object,
			.symbols = encode_symbols,
			.cache_entry = encode_cache_entry,
			.setting = encode_setting,
			.service = encode_service,
			.diagnostic = encode_diagnostic,
			.stats = encode_stats,
		},
		.flush_at = flush_at,
		.flush = flush,
		.ctx = ctx,
	};
	sap_buf_init(&encoder->buf, 4 * SAP_GIB);
}

void sap_encoder_clear(struct sap_encoder *encoder)
{
	sap_buf_clear(&encoder->buf);
}
