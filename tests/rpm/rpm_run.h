/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the pure readers of rpm's databases over bytes in memory, for the unit test and the
 * fuzz targets.
 */
#ifndef SAP_TESTS_RPM_RUN_H
#define SAP_TESTS_RPM_RUN_H

#include "catalog/rpm_int.h"
#include "rpm_sink.h"

/* What a run over one blob or database gave. */
struct run {
	struct sap_catalog catalog;
	struct rpm_sink sink;
	struct sap_buf text;
	struct sap_rpm_emit emit;
	struct sap_err err;
};

static inline void run_init(struct run *run, bool keep)
{
	*run = (struct run){ .catalog = { .next_id = 1 } };
	sap_buf_init(&run->text, 1 << 26);
	rpm_sink_init(&run->sink, keep ? &run->text : NULL);
	run->catalog.sink = &run->sink.sink;
	sap_rpm_emit_init(&run->emit, &run->catalog);
	sap_rpm_emit_open(&run->emit, SAP_STR("/db"));
}

static inline void run_clear(struct run *run)
{
	sap_rpm_emit_clear(&run->emit);
	sap_buf_clear(&run->text);
}

enum format { HEADER, NDB, BDB, SQLITE };

/* A database file and its log (NULL: none). */
static inline int run_sqlite(struct run *run, const struct sap_reader *db,
			     const struct sap_reader *log)
{
	struct sap_rpm_visit *visit = &run->emit.visit;
	struct sap_rpm_image image;
	struct sap_err fault = { 0 };
	int r = sap_rpm_image_load(db, log, &image, &fault, &run->err);

	if (r == 0 && fault.code)
		r = visit->fault(visit, &fault, &run->err);
	if (r == 0 && image.p)
		r = sap_rpm_sqlite_read(&image, visit, &run->err);
	sap_rpm_image_clear(&image);
	return r;
}

static inline int run_bytes(struct run *run, enum format format, struct sap_str bytes)
{
	struct sap_reader reader =
		sap_reader_memory((struct sap_span){ (const unsigned char *)bytes.p, bytes.n });
	struct sap_rpm_visit *visit = &run->emit.visit;

	switch (format) {
	case HEADER:
		return visit->header(visit, reader.memory, &run->err);
	case NDB:
		return sap_rpm_ndb_read(&reader, visit, &run->err);
	case BDB:
		return sap_rpm_bdb_read(&reader, visit, &run->err);
	default:
		return run_sqlite(run, &reader, NULL);
	}
}

#endif
