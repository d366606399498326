/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints whose each package is. Standard input: a line "ID TAB VERSION_ID TAB ID_LIKE", then a
 * line a package: type, name, version, source version, maintainer, vendor, section, separated
 * by TAB. Output, in the order of facts: name, version, origin, reason. With --time the time
 * that the answers took, instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "advisory/origin.h"

static enum sap_package_type type_of(struct sap_str word)
{
	for (int t = SAP_PACKAGE_NONE + 1; t < SAP_PACKAGE_TYPES; t++) {
		if (sap_str_eq(word, sap_str_of(sap_package_type_name((enum sap_package_type)t))))
			return (enum sap_package_type)t;
	}
	return SAP_PACKAGE_NONE;
}

static void split(char *line, struct sap_str *column, int n)
{
	struct sap_str rest = sap_str_of(line);

	if (rest.n && rest.p[rest.n - 1] == '\n')
		rest.n--;
	for (int i = 0; i < n; i++)
		sap_str_cut(rest, '\t', &column[i], &rest);
}

static int read_all(struct sap_facts *facts, struct sap_err *err)
{
	struct sap_str c[7];
	char *line = NULL;
	size_t room = 0;
	uint32_t id = 0;
	int r = 0;

	while (r == 0 && getline(&line, &room, stdin) > 0) {
		split(line, c, id ? 7 : 3);
		if (id++ == 0) {
			const struct sap_rec_os os = { .id = c[0],
						       .version_id = c[1],
						       .id_like = c[2] };

			r = facts->sink.os(&facts->sink, &os, err);
			continue;
		}
		const struct sap_rec_package rec = { .id = id - 1,
						     .type = type_of(c[0]),
						     .name = c[1],
						     .version = c[2],
						     .source_version = c[3],
						     .maintainer = c[4],
						     .vendor = c[5],
						     .section = c[6] };

		r = facts->sink.package(&facts->sink, &rec, err);
	}
	free(line);
	return r < 0 ? r : sap_facts_finish(facts, err);
}

int main(int argc, char **argv)
{
	bool timed = argc > 1 && strcmp(argv[1], "--time") == 0;
	struct sap_facts *facts = sap_facts_new();
	struct timespec from, to;
	struct sap_arena arena;
	struct sap_err err = { 0 };

	if (!facts || read_all(facts, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	sap_arena_init(&arena, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t i = 0; i < facts->packages.n; i++) {
		const struct sap_package *p = &facts->packages.v[i];
		struct sap_str reason, name = sap_facts_str(facts, p->name),
				       version = sap_facts_str(facts, p->version);
		enum sap_origin origin = sap_origin_of(facts, p, &arena, &reason);

		if (!timed)
			printf("%.*s\t%.*s\t%s\t%.*s\n", SAP_FMT(name), SAP_FMT(version),
			       sap_origin_name(origin), SAP_FMT(reason));
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (timed)
		printf("%zu packages, %.3f ms\n", facts->packages.n,
		       (double)(to.tv_sec - from.tv_sec) * 1e3 +
			       (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	sap_arena_clear(&arena);
	sap_facts_free(facts);
	return fflush(stdout) ? 2 : 0;
}
