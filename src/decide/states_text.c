/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/states_int.h"

#include <stdio.h>

#define SECOND 1000000000LL

void sap_duration_text(int64_t ns, char *out, size_t size)
{
	static const struct {
		long long seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	long long s = ns / SECOND;
	unsigned i = 0;

	if (ns < 0)
		s = 0;
	while (i < 3 && s < units[i].seconds)
		i++;
	if (s == 0)
		snprintf(out, size, "less than 1 s");
	else if (i == 3 || s % units[i].seconds / units[i + 1].seconds == 0)
		snprintf(out, size, "%lld %s", s / units[i].seconds, units[i].name);
	else
		snprintf(out, size, "%lld %s %lld %s", s / units[i].seconds, units[i].name,
			 s % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
}

void sap_states_put_window(struct sap_buf *out, const struct sap_evidence *e)
{
	unsigned long long n = e->processes_seen;
	char text[48];

	if (e->end > e->start) {
		sap_duration_text(sap_evidence_watched(e), text, sizeof(text));
		/* What came and went between two looks was not seen. */
		if (e->live)
			sap_buf_printf(out, "not seen in %s over %llu process%s", text, n,
				       n == 1 ? "" : "es");
		else
			sap_buf_printf(out, "not seen in looks at /proc over %s at %llu process%s",
				       text, n, n == 1 ? "" : "es");
	} else {
		sap_buf_printf(out, "not seen in one look at %llu process%s", n,
			       n == 1 ? "" : "es");
	}
}
