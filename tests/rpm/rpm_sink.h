/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink that writes package, file and diagnostic records as lines of text into a buffer,
 * tab-separated, for rpm_dump.c, the unit test and the fuzz targets of the rpm reader:
 *
 *     P name version arch source source_version licence vendor maintainer group modularity
 *       install_time size auto
 *     R kind text
 *     F path flags kind:digest
 *     D database code message
 *     S database read|partial|unreadable
 *
 * With buf NULL nothing is kept, but every byte of every text is looked at.
 */
#ifndef SAP_TESTS_RPM_SINK_H
#define SAP_TESTS_RPM_SINK_H

#include "base/buf.h"
#include "model/record.h"

struct rpm_sink {
	struct sap_sink sink;
	struct sap_buf *buf;
	unsigned packages, files, notes;
	unsigned touched;    /* so that reading the texts is not optimised away */
	unsigned fail_after; /* != 0: the sink refuses at the n-th record */
	unsigned records;
};

static void rpm_sink_text(struct rpm_sink *self, struct sap_str s, char end)
{
	for (size_t i = 0; i < s.n; i++)
		self->touched += (unsigned char)s.p[i];
	if (!self->buf)
		return;
	sap_buf_puts(self->buf, s);
	sap_buf_putc(self->buf, end);
}

static int rpm_sink_count(struct rpm_sink *self, struct sap_err *err)
{
	self->records++;
	if (self->fail_after && self->records >= self->fail_after)
		return sap_err_set(err, SAP_EWORKER, "the sink refuses");
	return 0;
}

static int rpm_sink_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			    struct sap_err *err)
{
	static const char *const autos[] = { "unknown", "no", "yes" };
	static const char *const kinds[] = { "",         "requires", "pre",      "recommends",
					     "suggests", "provides", "conflicts" };
	const struct sap_str texts[] = { rec->name,      rec->version,        rec->arch,
					 rec->source,    rec->source_version, rec->licence,
					 rec->vendor,    rec->maintainer,     rec->section,
					 rec->modularity };
	struct rpm_sink *self = (struct rpm_sink *)sink;

	self->packages++;
	rpm_sink_text(self, SAP_STR("P"), '\t');
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		rpm_sink_text(self, texts[i], '\t');
	if (self->buf)
		sap_buf_printf(self->buf, "%lld\t%llu\t%s\n", (long long)rec->install_time,
			       (unsigned long long)rec->installed_size, autos[rec->auto_installed]);
	for (uint32_t i = 0; i < rec->n_relations; i++) {
		rpm_sink_text(self, SAP_STR("R"), '\t');
		rpm_sink_text(self, sap_str_of(kinds[rec->relations[i].kind]), '\t');
		rpm_sink_text(self, rec->relations[i].text, '\n');
	}
	return rpm_sink_count(self, err);
}

static int rpm_sink_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	struct rpm_sink *self = (struct rpm_sink *)sink;

	self->files++;
	rpm_sink_text(self, SAP_STR("F"), '\t');
	rpm_sink_text(self, rec->path, '\t');
	if (self->buf) {
		sap_buf_printf(self->buf, "%u\t%u:", rec->flags, (unsigned)rec->digest_kind);
		for (size_t i = 0; i < rec->digest.n; i++)
			sap_buf_printf(self->buf, "%02x", (unsigned char)rec->digest.p[i]);
		sap_buf_putc(self->buf, '\n');
	}
	return rpm_sink_count(self, err);
}

static int rpm_sink_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			       struct sap_err *err)
{
	struct rpm_sink *self = (struct rpm_sink *)sink;

	self->notes++;
	rpm_sink_text(self, SAP_STR("D"), '\t');
	rpm_sink_text(self, rec->path, '\t');
	rpm_sink_text(self, rec->code, '\t');
	rpm_sink_text(self, rec->message, '\n');
	return rpm_sink_count(self, err);
}

static int rpm_sink_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			    struct sap_err *err)
{
	struct rpm_sink *self = (struct rpm_sink *)sink;

	rpm_sink_text(self, SAP_STR("S"), '\t');
	rpm_sink_text(self, rec->file, '\t');
	rpm_sink_text(self, rec->value, '\n');
	return rpm_sink_count(self, err);
}

/* The other members stay unset: a catalog has no use for them. */
static inline void rpm_sink_init(struct rpm_sink *self, struct sap_buf *buf)
{
	*self = (struct rpm_sink){
		.sink = { .package = rpm_sink_package,
			  .file = rpm_sink_file,
			  .setting = rpm_sink_setting,
			  .diagnostic = rpm_sink_diagnostic },
		.buf = buf,
	};
}

#endif
