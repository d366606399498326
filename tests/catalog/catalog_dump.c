/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_dump [--repeat N] [--names] ROOT: what the catalog says of a root, as the lines of
 * tests/catalog_sink.h. --repeat reads it N times and prints the shortest time instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "catalog_sink.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int read_all(struct sap_input *input, struct text_sink *sink, bool names,
		    struct sap_err *err)
{
	struct sap_catalog catalog = {
		.input = input, .sink = &sink->sink, .next_id = 1, .without_files = names
	};
	int r = sap_catalog_os(&catalog, err);

	return r < 0 ? r : sap_catalog_read(&catalog, err);
}

int main(int argc, char **argv)
{
	struct sap_input *input = NULL;
	struct text_sink sink;
	struct sap_err err = { 0 };
	const char *root = NULL;
	bool names = false;
	long repeat = 0;
	double best = 0;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--repeat") == 0 && i + 1 < argc)
			repeat = strtol(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--names") == 0)
			names = true;
		else
			root = argv[i];
	}
	if (!root) {
		fprintf(stderr, "usage: catalog_dump [--repeat N] [--names] ROOT\n");
		return 2;
	}
	text_sink_init(&sink);
	sink.with_relations = true;
	sink.mute = repeat > 0;
	r = sap_input_open(root, 0, &input, &err);
	for (long i = 0; r == 0 && i < (repeat ? repeat : 1); i++) {
		double start = now(), spent;

		text_sink_reset(&sink);
		r = read_all(input, &sink, names, &err);
		spent = now() - start;
		if (i == 0 || spent < best)
			best = spent;
	}
	if (r == 0 && repeat)
		printf("%.2f ms, %u packages, %u files, %u diagnostics\n", best, sink.packages,
		       sink.files, sink.diagnostics);
	if (r == 0 && repeat)
		fwrite(sink.databases.p, 1, sink.databases.n, stdout);
	else if (r == 0 && sap_buf_ok(&sink.out))
		r = sap_fd_write_all(STDOUT_FILENO, sink.out.p, sink.out.n, &err);
	if (r < 0)
		fprintf(stderr, "catalog_dump: %s\n", err.text);
	sap_input_free(input);
	text_sink_clear(&sink);
	return r < 0;
}
