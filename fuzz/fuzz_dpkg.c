/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's texts, in one input: status, a list, md5sums, diversions, extended_states, a journal
 * and a file of status.d, with the byte 0x1e between one and the next.
 */
#include "catalog/catalog_int.h"
#include "fuzz_catalog.h"

enum { STATUS, LIST, MD5SUMS, DIVERSIONS, STATES, JOURNAL, STATUS_D, PARTS };

static int run(struct sap_catalog *catalog, const struct sap_span part[PARTS])
{
	const struct sap_dpkg_info listed = { .has_list = true,
					      .list = part[LIST],
					      .md5 = part[MD5SUMS] };
	const struct sap_dpkg_info unlisted = { .md5 = part[MD5SUMS] };
	struct sap_dpkg_db db;
	int r;

	sap_dpkg_db_init(&db, catalog);
	r = sap_dpkg_db_add(&db, SAP_STR("/s"), part[STATUS], SAP_DPKG_IN_STATUS, NULL);
	if (r == 0)
		r = sap_dpkg_db_add(&db, SAP_STR("/j"), part[JOURNAL], SAP_DPKG_IN_JOURNAL, NULL);
	if (r == 0)
		r = sap_dpkg_db_add(&db, SAP_STR("/d"), part[STATUS_D], SAP_DPKG_IN_STATUS_D, NULL);
	if (r == 0)
		r = sap_dpkg_db_autos(&db, SAP_STR("/a"), part[STATES], NULL);
	if (r == 0)
		r = sap_dpkg_db_diversions(&db, SAP_STR("/v"), part[DIVERSIONS], NULL);
	/* The list is the same for each package: a few of them show all there is to see. */
	for (size_t i = 0; i < db.packages.n && i < 8 && r == 0; i++) {
		bool alone = db.packages.v[i].place == SAP_DPKG_IN_STATUS_D;

		r = sap_dpkg_emit(&db, &db.packages.v[i], alone ? &unlisted : &listed, NULL);
	}
	sap_dpkg_db_clear(&db);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str rest = { (const char *)data, size };
	struct sap_span part[PARTS] = { { 0 } };
	struct fuzz_sink sink;

	for (int i = 0; i < PARTS; i++) {
		struct sap_str head;

		sap_str_cut(rest, 0x1e, &head, &rest);
		part[i] = sap_span_of(head.p, head.n);
	}
	fuzz_sink_init(&sink);
	if (run(&sink.catalog, part) < 0)
		abort();
	return 0;
}
