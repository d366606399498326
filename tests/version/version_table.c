/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of version comparisons, for anyone:
 *
 *     version_table ECOSYSTEM FILE
 *
 * ECOSYSTEM is a scheme or an ecosystem of version/version.h (deb, Debian, npm ...), FILE a
 * table as version_table.h describes. Prints each line that fails with what Sapper says, then
 * "N passed, N failed". Exit status: 0 all hold, 1 one does not, 2 usage, a file that cannot be
 * read, or a bad line.
 */
#include <errno.h>
#include <string.h>

#include "version_table.h"

struct run {
	enum sap_version_scheme scheme;
	unsigned passed, failed, bad;
};

static const char *invalid(const struct run *run, struct sap_str v)
{
	return sap_version_valid(run->scheme, v) ? "" : " (invalid)";
}

static void each(const struct version_line *line, void *arg)
{
	struct run *run = (struct run *)arg;
	int order;

	if (line->held < 0) {
		fprintf(stderr, "%s:%u: not 'left OP right' with OP one of < = >: %.*s\n",
			line->path, line->number, SAP_FMT(line->text));
		run->bad++;
		return;
	}
	run->passed += line->held == 1;
	run->failed += line->held == 0;
	if (line->held)
		return;
	order = sap_version_cmp(run->scheme, line->left, line->right);
	printf("line %u: %.*s: we say %.*s%s %c %.*s%s\n", line->number, SAP_FMT(line->text),
	       SAP_FMT(line->left), invalid(run, line->left),
	       order < 0   ? '<'
	       : order > 0 ? '>'
			   : '=',
	       SAP_FMT(line->right), invalid(run, line->right));
}

int main(int argc, char **argv)
{
	struct run run = { SAP_VERSION_NONE, 0, 0, 0 };

	if (argc == 3)
		run.scheme = sap_version_scheme_parse(sap_str_of(argv[1]));
	if (run.scheme == SAP_VERSION_NONE) {
		fprintf(stderr, "usage: version_table ECOSYSTEM FILE\nECOSYSTEM:");
		for (int i = SAP_VERSION_NONE + 1; i < SAP_VERSION_SCHEMES; i++)
			fprintf(stderr, " %s", sap_version_scheme_name((enum sap_version_scheme)i));
		fprintf(stderr, ", or an ecosystem that has the rules of one of them\n");
		return 2;
	}
	if (!version_table_read(run.scheme, argv[2], each, &run)) {
		fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
		return 2;
	}
	printf("%u passed, %u failed\n", run.passed, run.failed);
	return run.bad ? 2 : run.failed > 0;
}
