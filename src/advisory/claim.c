/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/claim.h"

#include <strings.h>

static const char *const names[] = {
	[SAP_SEVERITY_NEGLIGIBLE] = "negligible", [SAP_SEVERITY_LOW] = "low",
	[SAP_SEVERITY_MEDIUM] = "medium",         [SAP_SEVERITY_HIGH] = "high",
	[SAP_SEVERITY_CRITICAL] = "critical",
};

const char *sap_severity_name(enum sap_severity severity)
{
	return severity > 0 && severity <= SAP_SEVERITY_CRITICAL ? names[severity] : NULL;
}

/* The words of publishers: Red Hat and SUSE (Important, Moderate), Debian (unimportant, not yet
 * assigned), Ubuntu (untriaged), GHSA (MODERATE), FIRST (None). */
enum sap_severity sap_severity_parse(struct sap_str word)
{
	static const struct {
		struct sap_str word;
		enum sap_severity severity;
	} words[] = {
		{ SAP_STR_INIT("critical"), SAP_SEVERITY_CRITICAL },
		{ SAP_STR_INIT("high"), SAP_SEVERITY_HIGH },
		{ SAP_STR_INIT("medium"), SAP_SEVERITY_MEDIUM },
		{ SAP_STR_INIT("low"), SAP_SEVERITY_LOW },
		{ SAP_STR_INIT("negligible"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("important"), SAP_SEVERITY_HIGH },
		{ SAP_STR_INIT("urgent"), SAP_SEVERITY_CRITICAL },
		{ SAP_STR_INIT("moderate"), SAP_SEVERITY_MEDIUM },
		{ SAP_STR_INIT("minor"), SAP_SEVERITY_LOW },
		{ SAP_STR_INIT("unimportant"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("informational"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("none"), SAP_SEVERITY_NEGLIGIBLE },
	};

	word = sap_str_trim(word);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word.n == words[i].word.n && strncasecmp(word.p, words[i].word.p, word.n) == 0)
			return words[i].severity;
	return SAP_SEVERITY_UNKNOWN;
}
