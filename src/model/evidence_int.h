/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a set of evidence: how things are found by their identity.
 */
#ifndef SAP_MODEL_EVIDENCE_INT_H
#define SAP_MODEL_EVIDENCE_INT_H

#include "model/evidence.h"

/* A hash table of indexes. Deleting moves later entries back, so that no marks stay behind. */
struct sap_slot {
	uint32_t hash;
	uint32_t index; /* + 1; 0: free */
};

struct sap_slots {
	struct sap_slot *v;
	uint32_t size; /* a power of two, or 0 */
	uint32_t used;
};

/* Looks at the entries with that hash one after the other: *at is where to go on (begin with
 * sap_slots_first). SAP_NONE: no more. */
uint32_t sap_slots_first(const struct sap_slots *s, uint32_t hash, uint32_t *at);
uint32_t sap_slots_next(const struct sap_slots *s, uint32_t hash, uint32_t *at);
bool sap_slots_add(struct sap_slots *s, uint32_t hash, uint32_t index);
void sap_slots_remove(struct sap_slots *s, uint32_t hash, uint32_t index);

/* Chains through uses and functions of one process; index + 1, 0 ends them. */
struct sap_process_links {
	uint32_t first_use;
	uint32_t first_function;
	bool opens;
};

struct sap_evidence_index {
	uint64_t seed;  /* of hashes: paths are chosen by others */
	bool text_full; /* the last text did not fit under the ceiling */
	struct sap_slots texts, roots, living, files, uses, functions, opens, unobserved;
	struct sap_slots folded; /* ended processes by what they were */
	SAP_VEC(struct sap_str) text;
	SAP_VEC(struct sap_process_links) links;      /* as long as processes */
	SAP_VEC(uint32_t) next_use;                   /* as long as uses */
	SAP_VEC(uint32_t) next_function;              /* as long as functions */
	uint32_t free_process, free_use, free_listen; /* first of a list of free slots, + 1 */
};

uint32_t sap_evidence_mix(uint32_t h, uint64_t v);
uint32_t sap_evidence_hash(const struct sap_evidence *e, struct sap_str s);

/* What is full is counted; SAP_ENOMEM where it was memory. */
int sap_evidence_full(struct sap_evidence *e, size_t n, size_t max, const char *what,
		      struct sap_err *err);

/* Where an ended process of that kind is or would be folded to. */
uint32_t sap_evidence_fold_hash(const struct sap_evidence *e, const struct sap_seen_process *p);
uint32_t sap_evidence_fold_target(const struct sap_evidence *e, const struct sap_seen_process *p);

/* Uses, functions and opens of one process become those of another. */
int sap_evidence_move(struct sap_evidence *e, uint32_t from, uint32_t to, struct sap_err *err);

/* A new slot of processes, zeroed; its count is 1. */
int sap_evidence_new_process(struct sap_evidence *e, uint32_t *out, struct sap_err *err);

#endif
