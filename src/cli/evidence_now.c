/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs on this host now, and what watches have kept.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/watching.h"
#include "observe/snapshot.h"
#include "store/evstore.h"

static const int64_t second = 1000000000;

int cli_evidence_path(const char *said, char *path, size_t size, struct sap_err *err)
{
	const char *from = said ? said : getenv("SAPPER_STORE");
	const char *home = getenv("HOME"), *data = getenv("XDG_DATA_HOME");
	int n;

	if (from && *from)
		n = snprintf(path, size, "%s", from);
	else if (geteuid() == 0)
		n = snprintf(path, size, "/var/lib/sapper/evidence.db");
	else if (data && *data == '/')
		n = snprintf(path, size, "%s/sapper/evidence.db", data);
	else if (home && *home == '/')
		n = snprintf(path, size, "%s/.local/share/sapper/evidence.db", home);
	else
		return sap_err_set(
			err, SAP_EUSAGE,
			"no place for the evidence: neither HOME nor XDG_DATA_HOME is set; "
			"say --store FILE");
	if (n < 0 || (size_t)n >= size)
		return sap_err_set(err, SAP_ELIMIT, "the path of the evidence is too long");
	return 0;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * second + t.tv_nsec;
}

/* What watches have kept; an empty set where there is nothing. A store that was not named and cannot
 * be read is a remark: what runs now can still be told. */
static int read_store(const char *said, bool quiet, struct sap_evidence **out, struct sap_err *err)
{
	struct sap_err late = { 0 };
	char path[PATH_MAX];
	bool found = false;
	int r = cli_evidence_path(said, path, sizeof(path), &late);

	*out = NULL;
	if (r == 0)
		r = sap_evstore_read(path, now() - EVIDENCE_DAYS * 86400LL * second, out, &found,
				     &late);
	if (r == 0 && !found && said)
		return sap_err_set(err, SAP_ENOENT,
				   "%s holds no evidence; 'sapper watch --store %s' makes some",
				   path, path);
	if (r < 0 && said) {
		*err = late;
		return r;
	}
	if (r < 0 && !quiet)
		cli_say("%s; going on with what runs now", late.text);
	if (!*out)
		*out = sap_evidence_new();
	return *out ? 0 : sap_err_nomem(err);
}

int cli_evidence_of_host(const char *said, bool quiet, struct sap_evidence **out,
			 struct sap_err *err)
{
	const struct sap_snapshot_options options = { .proc = "/proc",
						      .sockets = true,
						      .build_ids = true };
	struct sap_evidence *here = sap_evidence_new(), *kept = NULL;
	int r = here ? sap_snapshot_take(here, &options, err) : sap_err_nomem(err);

	if (r == 0)
		r = sap_snapshot_stale(here, options.proc, err);
	if (r == 0)
		r = read_store(said, quiet, &kept, err);
	if (r == 0)
		r = sap_evidence_merge(kept, here, err);
	if (r == 0)
		r = sap_snapshot_end_gone(kept, options.proc, here->end, err);
	sap_evidence_free(here);
	if (r < 0) {
		sap_evidence_free(kept);
		return r;
	}
	*out = kept;
	return 0;
}

bool cli_time_parse(const char *text, int64_t *ns)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const int64_t most = 3660 * 86400LL; /* ten years */
	int64_t total = 0;

	if (!*text)
		return false;
	while (*text) {
		int64_t n = 0, seconds = 1;
		size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 9)
			return false;
		for (size_t i = 0; i < digits; i++)
			n = n * 10 + (text[i] - '0');
		text += digits;
		for (size_t i = 0; *text && i < sizeof(units) / sizeof(units[0]); i++) {
			if (units[i].unit == *text) {
				seconds = units[i].seconds;
				text++;
				break;
			}
			if (i + 1 == sizeof(units) / sizeof(units[0]))
				return false;
		}
		total += n * seconds;
		if (total > most)
			return false;
	}
	*ns = total * second;
	return total > 0;
}
