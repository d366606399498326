/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blast radius: for every library how many programs and services load it at start, and
 * for every program how large its closure is. One pass over all programs of a target.
 */
#ifndef SAP_LINK_RADIUS_H
#define SAP_LINK_RADIUS_H

#include "link/link.h"

/* About the object with the same index in facts->objects. */
struct sap_radius_object {
	uint32_t programs;  /* that load it at start, directly or not */
	uint32_t services;  /* whose programs do */
	uint32_t enabled;   /* of these, enabled ones */
	uint32_t libraries; /* as a program: closure->n_strict */
	uint32_t direct;    /* as a program: closure->n_direct */
	uint32_t missing;   /* as a program: libraries and needed symbol versions not found */
	bool is_program;
	bool is_static; /* a program without a loader */
};

struct sap_radius_start {
	uint32_t service;
	uint32_t object;
};

struct sap_radius {
	struct sap_radius_object *objects; /* facts->objects.n of them */
	uint32_t n_objects;
	uint32_t n_programs;
	uint32_t n_dynamic; /* of these, dynamic ones */
	uint32_t n_missing; /* programs with something missing */
	/* Object indices of programs that services start, for each service: pairs in the order of
	 * facts->services; services whose program is no ELF object (a script) have none. */
	SAP_VEC(struct sap_radius_start) starts;
};

/* Whole facts only. 0, SAP_ENOMEM. */
int sap_radius_compute(const struct sap_facts *facts, struct sap_tree *tree, struct sap_link *link,
		       struct sap_radius *out, struct sap_err *err);
void sap_radius_clear(struct sap_radius *radius);

#endif
