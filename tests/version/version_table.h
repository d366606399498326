/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads tables of version comparisons: lines `left OP right`, separated by blanks; OP is '<',
 * '=' or '>'. Lines that begin with '#' or '//' are comments, blank lines are skipped. apk's
 * tables have '~' too (right is left, or left's first parts), with '<' or '>' in front (or that
 * holds) or '!' (it is not so).
 */
#ifndef SAP_TESTS_VERSION_TABLE_H
#define SAP_TESTS_VERSION_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "version/version.h"

struct version_line {
	const char *path;
	unsigned number;
	struct sap_str text, left, op, right;
	int held; /* 1, 0; -1: a bad line */
};

/* Whether a is b, or b with more parts behind it, by apk's rules. */
static inline bool version_prefix(struct sap_str a, struct sap_str b)
{
	bool suffix = false, hash = false;

	for (size_t n = 1; n <= a.n; n++) {
		char last = a.p[n - 1], next = n < a.n ? a.p[n] : '.';
		bool digits = next >= '0' && next <= '9' && last >= '0' && last <= '9';
		bool letter = next >= 'a' && next <= 'z';

		suffix = suffix || last == '_';
		hash = hash || last == '~';
		if (digits || (suffix && letter) || (hash && next != '-' && n < a.n))
			continue; /* inside a part */
		if (sap_version_cmp(SAP_VERSION_APK, (struct sap_str){ a.p, n }, b) == 0)
			return true;
	}
	return false;
}

/* Whether `a op b` holds: 1, 0; -1 where op is none. */
static inline int version_holds(enum sap_version_scheme scheme, struct sap_str a, struct sap_str op,
				struct sap_str b)
{
	int order = sap_version_cmp(scheme, a, b);

	if (sap_str_is(op, "<"))
		return order < 0;
	if (sap_str_is(op, "="))
		return order == 0;
	if (sap_str_is(op, ">"))
		return order > 0;
	if (scheme != SAP_VERSION_APK)
		return -1;
	if (sap_str_is(op, "~"))
		return version_prefix(a, b);
	if (sap_str_is(op, "!~"))
		return !version_prefix(a, b);
	if (sap_str_is(op, "<~"))
		return order < 0 || version_prefix(a, b);
	if (sap_str_is(op, ">~"))
		return order > 0 || version_prefix(a, b);
	return -1;
}

/* Calls each for every line that is no comment. False: the file cannot be read. */
static inline bool version_table_read(enum sap_version_scheme scheme, const char *path,
				      void (*each)(const struct version_line *line, void *arg),
				      void *arg)
{
	FILE *file = fopen(path, "r");
	unsigned number = 0;
	char *buf = NULL;
	size_t cap = 0;
	ssize_t got;
	bool good;

	if (!file)
		return false;
	while ((got = getline(&buf, &cap, file)) >= 0) {
		struct version_line line = { .path = path, .number = ++number, .held = -1 };
		struct sap_str rest;

		line.text = rest = sap_str_trim((struct sap_str){ buf, (size_t)got });
		if (rest.n == 0 || *rest.p == '#' || sap_str_starts(rest, SAP_STR("//")))
			continue;
		if (sap_str_word(&rest, &line.left) && sap_str_word(&rest, &line.op) &&
		    sap_str_word(&rest, &line.right) && sap_str_trim(rest).n == 0)
			line.held = version_holds(scheme, line.left, line.op, line.right);
		each(&line, arg);
	}
	good = !ferror(file);
	free(buf);
	fclose(file);
	return good;
}

#endif
