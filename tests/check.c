/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdio.h>

static unsigned passed, failed, skipped;

static bool count(bool held)
{
	if (held)
		passed++;
	else
		failed++;
	return held;
}

bool check_true(const char *file, int line, const char *cond, bool held)
{
	if (!held)
		fprintf(stderr, "%s:%d: %s does not hold\n", file, line, cond);
	return count(held);
}

bool check_int(const char *file, int line, const char *what, long long got, long long want)
{
	if (got != want)
		fprintf(stderr, "%s:%d: %s is %lld (0x%llx), wanted %lld (0x%llx)\n", file, line,
			what, got, (unsigned long long)got, want, (unsigned long long)want);
	return count(got == want);
}

bool check_str(const char *file, int line, const char *what, struct sap_str got,
	       struct sap_str want)
{
	bool held = sap_str_eq(got, want);

	if (!held)
		fprintf(stderr, "%s:%d: %s is \"%.*s\", wanted \"%.*s\"\n", file, line, what,
			SAP_FMT(got), SAP_FMT(want));
	return count(held);
}

bool check_ok(const char *file, int line, const char *what, int code, const struct sap_err *err)
{
	if (code < 0)
		fprintf(stderr, "%s:%d: %s failed: %s: %s\n", file, line, what, sap_code_name(code),
			err ? err->text : "");
	return count(code >= 0);
}

void check_skip(const char *what, const char *reason)
{
	fprintf(stderr, "skipped: %s: %s\n", what, reason);
	skipped++;
}

int check_done(void)
{
	if (skipped)
		printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	else
		printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
