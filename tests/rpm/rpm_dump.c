/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm_dump [-n] ROOT: what our reader finds in the rpm databases below ROOT, as the lines of
 * rpm_sink.h. -n: print nothing but the counts and the time it took.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "catalog/catalog.h"
#include "rpm_sink.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	struct sap_catalog catalog = { .next_id = 1 };
	bool quiet = argc == 3 && strcmp(argv[1], "-n") == 0;
	struct sap_err err = { 0 };
	struct rpm_sink sink;
	struct sap_buf buf;
	double start = now_ms();
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: rpm_dump [-n] ROOT\n");
		return 2;
	}
	sap_buf_init(&buf, SAP_GIB);
	rpm_sink_init(&sink, quiet ? NULL : &buf);
	/* rpm has nothing to compare it with. */
	sink.sink.setting = NULL;
	catalog.sink = &sink.sink;
	r = sap_input_open(argv[argc - 1], 0, &catalog.input, &err);
	if (r == 0)
		r = sap_catalog_rpm(&catalog, &err);
	if (r < 0)
		fprintf(stderr, "rpm_dump: %s\n", err.text);
	fwrite(buf.p ? (const void *)buf.p : "", 1, buf.n, stdout);
	if (quiet)
		printf("%u packages, %u files, %u diagnostics, %.2f ms\n", sink.packages,
		       sink.files, sink.notes, now_ms() - start);
	sap_input_free(catalog.input);
	sap_buf_clear(&buf);
	return r < 0;
}
