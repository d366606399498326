/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/judge.h"

/* Which of two comes first: compromised, then the order of enum sap_status, known to be
 * exploited, severity, id, package. */
static int compare_findings(const void *va, const void *vb)
{
	const struct sap_finding *a = va, *b = vb;
	int c;

	if (a->compromised != b->compromised)
		return a->compromised ? -1 : 1;
	if (a->status != b->status)
		return a->status < b->status ? -1 : 1;
	if (a->kev != b->kev)
		return a->kev ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	c = sap_str_cmp(a->id, b->id);
	if (c == 0)
		c = sap_str_cmp(a->package, b->package);
	if (c == 0 && a->n_objects && b->n_objects)
		c = a->objects[0] < b->objects[0] ? -1 : a->objects[0] > b->objects[0];
	return c;
}

void sap_findings_sort(struct sap_findings *f)
{
	if (f->list.n)
		qsort(f->list.v, f->list.n, sizeof(*f->list.v), compare_findings);
	/* What is fixed or not affected is not in the list: these counts stay as they are. */
	f->n_status[SAP_STATUS_AFFECTED] = 0;
	f->n_status[SAP_STATUS_UNFIXED] = 0;
	f->n_status[SAP_STATUS_UNDER_INVESTIGATION] = 0;
	f->n_suppressed = f->n_compromised = f->n_kev = 0;
	for (size_t i = 0; i < f->list.n; i++) {
		const struct sap_finding *it = &f->list.v[i];

		if (it->suppression) {
			f->n_suppressed++;
			continue;
		}
		if (it->status >= SAP_STATUS_FIXED)
			continue;
		f->n_status[it->status]++;
		f->n_compromised += it->compromised;
		f->n_kev += it->kev;
	}
}
