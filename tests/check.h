/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks for unit tests: a failed one prints file, line, condition and both values, counts,
 * and lets the test go on. main ends with `return check_done();`, which prints
 * "N passed, N failed" and gives the exit status.
 */
#ifndef SAP_TESTS_CHECK_H
#define SAP_TESTS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define CHECK(cond) check_true(__FILE__, __LINE__, #cond, (cond))
#define CHECK_INT(got, want) \
	check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) check_str(__FILE__, __LINE__, #got, (got), sap_str_of(want))
#define CHECK_OK(call, err) check_ok(__FILE__, __LINE__, #call, (call), (err))

/* Each returns whether it held. */
bool check_true(const char *file, int line, const char *cond, bool held);
bool check_int(const char *file, int line, const char *what, long long got, long long want);
bool check_str(const char *file, int line, const char *what, struct sap_str got,
	       struct sap_str want);
bool check_ok(const char *file, int line, const char *what, int code, const struct sap_err *err);

/* A test that cannot run here: prints the reason, counts as skipped. */
void check_skip(const char *what, const char *reason);

int check_done(void);

#endif
