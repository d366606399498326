/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States: facts, evidence and findings joined. Pure. For each file of the evidence the object of
 * the facts that it is, for each object and package the highest state that is proved, and for each finding its
 * state with what proves it, or what keeps it from being known.
 *
 * Joined by path in the same root, where build-ids do not contradict; a replaced or deleted file
 * (stale) is not the object that lies at its path now: it counts for findings of the version it was of
 * only where the build-id is known, and always as "restart".
 */
#ifndef SAP_DECIDE_STATES_H
#define SAP_DECIDE_STATES_H

#include "base/err.h"
#include "model/evidence.h"
#include "model/facts.h"
#include "model/finding.h"
#include "model/tree.h"

/* What stands for an answer that is not "seen". */
enum sap_not_seen {
	SAP_SEEN = 0,       /* the state is proved */
	SAP_NOT_SEEN,       /* not seen in the window */
	SAP_NOT_OBSERVABLE, /* could not have been seen; the reason says why */
	SAP_NO_EVIDENCE,    /* nobody watched: facts alone */
};

struct sap_object_state {
	uint8_t state; /* enum sap_state: LINKED where some program would load it, else PRESENT; then by
			* evidence */
	uint8_t exposure;       /* the highest of the processes that map it; enum sap_exposure */
	bool stale;             /* an old copy of this path is mapped somewhere */
	bool load_time_only;    /* executed, but only by load-time code */
	struct sap_range files; /* of states->files: evidence files that are this object (or, with
				 * stale, an old copy of it) */
};

/* Per package: the highest of its objects. */
struct sap_package_state {
	uint8_t state, exposure;
	bool stale;
	uint32_t objects; /* objects of this package */
	uint32_t mapped;  /* of these, mapped or more */
};

/* For a finding. */
struct sap_finding_state {
	uint8_t state; /* as finding.state becomes */
	uint8_t not_seen; /* enum sap_not_seen, about the next higher state of the vulnerable code being mapped or executed */
	uint8_t exposure; /* of the processes that map it */
	bool stale;       /* the fixed file may be on disk, an old one is mapped: restart */
	struct sap_str
		reason; /* for NOT_SEEN: "not seen in 2 h 10 min over 61 processes, 0 lost"; for NOT_OBSERVABLE: why */
	uint32_t function; /* index of evidence->functions: the vulnerable one; SAP_NONE */
	uint32_t
		process; /* index of evidence->processes: the most exposed that maps or executes it; SAP_NONE */
};

struct sap_states {
	struct sap_arena arena;
	const struct sap_facts *facts;
	const struct sap_evidence *evidence; /* NULL: none */
	struct sap_object_state *objects;    /* one for each object */
	struct sap_package_state *packages;  /* one for each package */
	struct sap_finding_state
		*findings; /* one for each finding, in the order of the list; NULL: no findings */
	uint32_t *files;   /* grouped by object */
	uint32_t *
		file_object; /* for each evidence file: object, or SAP_NONE (no such path here, another root) */
	uint32_t n_unowned_files; /* mapped files that are no object of the facts */
};

/* linked: for each object whether some program of these facts would load it (link/radius.h);
 * NULL: unknown. findings may be NULL; their state is set. The result borrows all of it. */
int sap_states_compute(const struct sap_facts *facts, struct sap_tree *tree, const bool *linked,
		       const struct sap_evidence *evidence, struct sap_findings *findings,
		       struct sap_states **out, struct sap_err *err);
void sap_states_free(struct sap_states *s); /* takes NULL */

/* "2 h 10 min": a duration for people. */
void sap_duration_text(int64_t ns, char *out, size_t size);

#endif
