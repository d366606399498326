/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the catalog: a sink that writes every record as a line of tab-separated text
 * into a buffer. Bytes below a blank, DEL and backslashes are written as \xNN.
 *
 *     os         source id version_id codename name pretty_name point_release id_like
 *     package    id type name version arch source source_version auto broken essential time
 *                size licence maintainer vendor section database
 *     relation   id kind text             (with relations)
 *     file       id path flags kind digest
 *     diagnostic path code offset message
 */
#ifndef SAP_TESTS_CATALOG_SINK_H
#define SAP_TESTS_CATALOG_SINK_H

#include <stdio.h>

#include "base/buf.h"
#include "catalog/catalog.h"

struct text_sink {
	struct sap_sink sink;
	struct sap_buf out;
	bool with_relations;
	bool mute; /* count only */
	unsigned packages, files, diagnostics, systems;
	struct sap_buf databases; /* of SAP_SET_DATABASE: lines "key value file" */
};

static void text_put(struct sap_buf *out, struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 0x7f || c == '\\')
			sap_buf_printf(out, "\\x%02x", c);
		else
			sap_buf_putc(out, (char)c);
	}
}

static void text_line(struct sap_buf *out, const char *what, const struct sap_str *v, size_t n)
{
	sap_buf_puts(out, sap_str_of(what));
	for (size_t i = 0; i < n; i++) {
		sap_buf_putc(out, '\t');
		text_put(out, v[i]);
	}
	sap_buf_putc(out, '\n');
}

#define TEXT_LINE(out, what, ...)                                         \
	text_line((out), (what), (const struct sap_str[]){ __VA_ARGS__ }, \
		  sizeof((const struct sap_str[]){ __VA_ARGS__ }) / sizeof(struct sap_str))

struct text_number {
	char digits[32];
};

static struct sap_str text_u64(struct text_number *room, uint64_t v)
{
	snprintf(room->digits, sizeof(room->digits), "%llu", (unsigned long long)v);
	return sap_str_of(room->digits);
}

static struct sap_str text_tristate(enum sap_tristate t)
{
	return t == SAP_YES ? SAP_STR("yes") : t == SAP_NO ? SAP_STR("no") : SAP_STR("unknown");
}

static int text_os(struct sap_sink *sink, const struct sap_rec_os *rec, struct sap_err *err)
{
	struct text_sink *t = (struct text_sink *)sink;

	(void)err;
	t->systems++;
	if (!t->mute)
		TEXT_LINE(&t->out, "os", rec->source, rec->id, rec->version_id, rec->codename,
			  rec->name, rec->pretty_name, rec->point_release, rec->id_like);
	return 0;
}

static int text_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			struct sap_err *err)
{
	struct text_sink *t = (struct text_sink *)sink;
	struct text_number id, kind, time, size;

	(void)err;
	t->packages++;
	if (t->mute)
		return 0;
	TEXT_LINE(&t->out, "package", text_u64(&id, rec->id),
		  sap_str_of(sap_package_type_name(rec->type)), rec->name, rec->version, rec->arch,
		  rec->source, rec->source_version, text_tristate(rec->auto_installed),
		  rec->broken ? SAP_STR("broken") : SAP_STR("ok"), text_tristate(rec->essential),
		  text_u64(&time, (uint64_t)rec->install_time),
		  text_u64(&size, rec->installed_size), rec->licence, rec->maintainer, rec->vendor,
		  rec->section, rec->database);
	for (uint32_t i = 0; t->with_relations && i < rec->n_relations; i++)
		TEXT_LINE(&t->out, "relation", text_u64(&id, rec->id),
			  text_u64(&kind, rec->relations[i].kind), rec->relations[i].text);
	return 0;
}

static int text_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	static const char digits[] = "0123456789abcdef";
	struct text_sink *t = (struct text_sink *)sink;
	struct text_number id, flags, kind;
	char hex[129];
	size_t n = 0;

	(void)err;
	t->files++;
	if (t->mute)
		return 0;
	for (size_t i = 0; i < rec->digest.n && n + 2 < sizeof(hex); i++) {
		hex[n++] = digits[(unsigned char)rec->digest.p[i] >> 4];
		hex[n++] = digits[(unsigned char)rec->digest.p[i] & 15];
	}
	TEXT_LINE(&t->out, "file", text_u64(&id, rec->package), rec->path,
		  text_u64(&flags, rec->flags), text_u64(&kind, rec->digest_kind),
		  (struct sap_str){ hex, n });
	return 0;
}

static int text_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			   struct sap_err *err)
{
	struct text_sink *t = (struct text_sink *)sink;
	struct text_number offset;

	(void)err;
	t->diagnostics++;
	if (!t->mute)
		TEXT_LINE(&t->out, "diagnostic", rec->path, rec->code,
			  text_u64(&offset, rec->offset), rec->message);
	return 0;
}

static int text_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			struct sap_err *err)
{
	struct text_sink *t = (struct text_sink *)sink;

	(void)err;
	if (rec->kind == SAP_SET_DATABASE)
		sap_buf_printf(&t->databases, "%.*s %.*s %.*s\n", SAP_FMT(rec->key),
			       SAP_FMT(rec->value), SAP_FMT(rec->file));
	return 0;
}

static void text_sink_init(struct text_sink *t)
{
	*t = (struct text_sink){ .sink = { .os = text_os,
					   .package = text_package,
					   .file = text_file,
					   .setting = text_setting,
					   .diagnostic = text_diagnostic } };
	sap_buf_init(&t->databases, 1u << 20);
	sap_buf_init(&t->out, 1u << 30);
}

static inline void text_sink_reset(struct text_sink *t)
{
	sap_buf_reset(&t->out);
	sap_buf_reset(&t->databases);
	t->packages = t->files = t->diagnostics = t->systems = 0;
}

static inline void text_sink_clear(struct text_sink *t)
{
	sap_buf_clear(&t->out);
	sap_buf_clear(&t->databases);
}

#endif
