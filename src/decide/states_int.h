/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States, the private part.
 *
 *   states.c           files to objects; objects; packages
 *   states_findings.c  findings: their state, their functions, what keeps more from being known
 *   states_groups.c    the lists of a set of evidence by file; what a file alone says
 *   states_text.c      words
 */
#ifndef SAP_DECIDE_STATES_INT_H
#define SAP_DECIDE_STATES_INT_H

#include "base/buf.h"
#include "decide/states.h"

/* Objects by package: those of package p are v[first[p]] .. v[first[p + 1]]. A module of Go has
 * the program that its record names. */
struct sap_package_objects {
	uint32_t *first, *v;
};

struct sap_states_work {
	struct sap_states *states;
	struct sap_tree *tree;
	struct sap_package_objects objects;
	struct sap_arena arena; /* work space */
};

int sap_states_findings(struct sap_states_work *work, struct sap_findings *findings,
			struct sap_err *err);

/* "not seen in 2 h over 61 processes": the window of mappings, where nothing was live with
 * "in looks at /proc". */
void sap_states_put_window(struct sap_buf *out, const struct sap_evidence *e);

static inline uint8_t sap_states_max(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

/* Exposure of a sum and of a part, whose processes are given; without one nothing is mapped. */
static inline uint8_t sap_states_exposure(uint32_t process, uint8_t a, uint32_t of_part, uint8_t b)
{
	if (process == SAP_NONE || of_part == SAP_NONE)
		return process == SAP_NONE ? b : a;
	return (uint8_t)sap_exposure_max(a, b);
}

/* The process of the two that is named as an example. */
static inline uint32_t sap_states_first(const struct sap_evidence *e, uint32_t a, uint32_t b)
{
	if (a == SAP_NONE || b == SAP_NONE)
		return a == SAP_NONE ? b : a;
	return sap_evidence_process_cmp(e, a, b) <= 0 ? a : b;
}

#endif
