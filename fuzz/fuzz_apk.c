/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apk's installed database; what follows a byte 0x1e is etc/apk/world.
 */
#include "catalog/catalog_int.h"
#include "fuzz_catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str head, rest;
	struct sap_span world;
	struct fuzz_sink sink;
	bool has_world;

	has_world = sap_str_cut((struct sap_str){ (const char *)data, size }, 0x1e, &head, &rest);
	world = sap_span_of(rest.p, rest.n);
	fuzz_sink_init(&sink);
	if (sap_apk_parse(&sink.catalog, SAP_STR("/i"), sap_span_of(head.p, head.n),
			  has_world ? &world : NULL, NULL) < 0)
		abort();
	return 0;
}
