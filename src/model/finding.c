/* SPDX-License-Identifier: Apache-2.0 */
#include "model/finding.h"

#include <stdlib.h>

const char *sap_status_name(enum sap_status status)
{
	switch (status) {
	case SAP_STATUS_AFFECTED:
		return "affected";
	case SAP_STATUS_UNFIXED:
		return "unfixed";
	case SAP_STATUS_UNDER_INVESTIGATION:
		return "under_investigation";
	case SAP_STATUS_FIXED:
		return "fixed";
	case SAP_STATUS_NOT_AFFECTED:
		return "not_affected";
	case SAP_STATUSES:
		break;
	}
	return "unknown";
}

const char *sap_state_name(enum sap_state state)
{
	switch (state) {
	case SAP_STATE_PRESENT:
		return "present";
	case SAP_STATE_LINKED:
		return "linked";
	case SAP_STATE_MAPPED:
		return "mapped";
	case SAP_STATE_EXECUTED:
		return "executed";
	case SAP_STATE_VULNERABLE_EXECUTED:
		return "vulnerable_function_executed";
	case SAP_STATE_UNKNOWN:
		break;
	}
	return "unknown";
}

bool sap_findings_sound(const struct sap_findings *f)
{
	const struct sap_facts *facts = f->facts;

	if (!f->store.n || facts->truncated || f->coverage.n == 0 || f->n_judged == 0 ||
	    f->not_judged.n)
		return false;
	for (size_t i = 0; i < f->coverage.n; i++)
		if (!f->coverage.v[i].covered || f->coverage.v[i].stale)
			return false;
	/* Packages of a database that could not be read were not compared with anything. */
	for (size_t i = 0; i < facts->settings.n; i++) {
		const struct sap_setting *s = &facts->settings.v[i];

		if (s->kind == SAP_SET_DATABASE &&
		    !sap_str_is(sap_facts_str(facts, s->value), "read"))
			return false;
	}
	return true;
}

void sap_findings_free(struct sap_findings *f)
{
	if (!f)
		return;
	sap_vec_clear(&f->coverage);
	sap_vec_clear(&f->list);
	sap_vec_clear(&f->not_judged);
	sap_vec_clear(&f->notes);
	sap_arena_clear(&f->arena);
	free(f);
}
