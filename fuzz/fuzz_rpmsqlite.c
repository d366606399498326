/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite file: as rpm's database and as dnf's history. With its write-ahead log: four bytes,
 * little endian, say how long the file is that follows; the rest is the log.
 */
#include "../tests/rpm/rpm_run.h"

static void run_packages(const struct sap_reader *db, const struct sap_reader *log)
{
	struct run run;

	run_init(&run, false);
	if (run_sqlite(&run, db, log) < 0)
		abort();
	run_clear(&run);
}

static void run_history(const struct sap_reader *db, const struct sap_reader *log)
{
	struct sap_err fault = { 0 }, err = { 0 };
	struct sap_rpm_reasons reasons;
	struct sap_rpm_image image;

	if (sap_rpm_reasons_init(&reasons, &err) < 0 ||
	    sap_rpm_image_load(db, log, &image, &fault, &err) < 0)
		abort();
	fault = (struct sap_err){ 0 };
	if (image.p && sap_rpm_reasons_dnf4(&reasons, &image, &fault, &err) < 0)
		abort();
	sap_rpm_reasons_get(&reasons, SAP_STR("dep"), SAP_STR("x86_64"));
	sap_rpm_image_clear(&image);
	sap_rpm_reasons_clear(&reasons);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_span all = sap_span_of(data, size), file = all, rest = { 0 };
	struct sap_reader db, log;
	uint32_t n;

	if (sap_span_u32(all, 0, false, &n) && sap_span_sub(all, 4, n, &file))
		sap_span_sub(all, 4 + (uint64_t)n, size - 4 - n, &rest);
	db = sap_reader_memory(file);
	log = sap_reader_memory(rest);
	run_packages(&db, rest.n ? &log : NULL);
	run_history(&db, rest.n ? &log : NULL);
	return 0;
}
