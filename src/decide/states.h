/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States: facts, evidence and findings joined. Pure. For each file of the evidence the object of
 * the facts that it is, for each object and package the highest state that is proved, and for each finding its
 * state with what proves it, or what keeps it from being known.
 *
 * Joined by path in the same root, where build-ids do not contradict; a replaced or deleted file
 * (stale) is not the object that lies at its path now: it counts for findings of the version it was
 * of only where the build-id is known, and always as "restart". Where build-ids differ although the
 * file was not replaced, the facts are older than the evidence: nothing is joined, and that is said.
 *
 * Root 0 of the evidence is the host that the facts are of. Other mount namespaces with the same
 * root folder (services with a private /tmp) count as root 0; containers do not.
 *
 * What proves a state:
 *   mapped      a file of the evidence is that object
 *   executed    one of its functions was entered; or it was mapped and has code that the loader
 *               runs (constructors, IFUNC resolvers), or it was the program of a process, which
 *               is told apart (load_time_only)
 *   vulnerable  one of the finding's functions was entered, whatever its version or alias
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

/* What is known of some code: an object, all objects of a package, all of a finding. */
struct sap_object_state {
	uint8_t state;          /* enum sap_state: LINKED where some program would load it, else
			      * PRESENT; then by evidence */
	uint8_t exposure;       /* the highest of the processes that map it, by sap_exposure_max */
	bool stale;             /* an old copy of this path is mapped somewhere */
	bool load_time_only;    /* executed, but only by load-time code */
	bool contradicted;      /* another file was mapped from this path: the facts are older */
	uint32_t process;       /* the most exposed that maps it: index of processes, or SAP_NONE */
	struct sap_range files; /* of states->files: evidence files that are this object (or, with
				 * stale, an old copy of it; see file_how) */
};

/* Per package: the highest of its objects. A module of Go has the program that it is in. */
struct sap_package_state {
	uint8_t state, exposure;
	bool stale, load_time_only, contradicted;
	uint32_t process;
	uint32_t objects; /* objects of this package */
	uint32_t code;    /* of these, programs and shared objects: what processes map */
	uint32_t mapped;  /* of these, mapped or more */
};

/* For a finding. */
struct sap_finding_state {
	uint8_t state;    /* as finding.state becomes */
	uint8_t not_seen; /* enum sap_not_seen, about the next question: is the code mapped, is it
			      * executed, was the vulnerable function */
	uint8_t exposure; /* of the processes that map it */
	bool stale;       /* the fixed file may be on disk, an old one is mapped: restart */
	bool load_time_only;   /* as of objects */
	struct sap_str reason; /* NOT_SEEN: "not seen in 2 h 10 min over 61 processes, 0 lost";
				* NOT_OBSERVABLE: why; else empty */
	uint32_t function;     /* index of evidence->functions: the vulnerable one; SAP_NONE */
	uint32_t process;      /* index of evidence->processes: the most exposed that maps it (then
				* one that lives, then the lowest pid); SAP_NONE */
};

/* What a file of the evidence is to the facts. */
enum sap_file_how {
	SAP_FILE_FOREIGN = 0,  /* another root, or no object at its path */
	SAP_FILE_JOINED,       /* the object at its path */
	SAP_FILE_OLD,          /* an old copy of what lies at its path now */
	SAP_FILE_CONTRADICTED, /* another file than the facts describe: they are older */
};

/* The reason where nobody asked for functions at all. */
#define SAP_NOT_WATCHED "functions were not watched (run `sapper watch`)"

/* The reason where probes were placed, but nobody was there any more to enter what they watch. */
#define SAP_NOBODY_LEFT "the processes that mapped it ended before its probes stood"

struct sap_states {
	struct sap_arena arena;
	const struct sap_facts *facts;
	const struct sap_evidence *evidence; /* NULL: none */
	const struct sap_findings *of;       /* the findings they are of; NULL: none */
	struct sap_object_state *objects;    /* one for each object */
	struct sap_package_state *packages;  /* one for each package */
	struct sap_finding_state *findings; /* one for each finding, in the order of the list; NULL:
					      * no findings */
	uint32_t *files;                    /* grouped by object */
	uint32_t *file_object;    /* for each evidence file: object, or SAP_NONE (no such path here,
				   * another root, contradicted) */
	uint8_t *file_how;        /* for each evidence file: enum sap_file_how */
	bool functions_watched;   /* functions of some file were asked for */
	uint32_t n_unowned_files; /* mapped files that are no object of the facts */
	uint32_t n_contradicted;  /* files whose build-id the facts contradict */
	struct sap_evidence_groups *groups; /* of the evidence; NULL where there is none */
};

/* linked: for each object whether some program of these facts would load it (link/radius.h), or a
 * service starts it; NULL: unknown. findings may be NULL; their state is set, and their order must
 * stay as it is. Objects must be owned (sap_tree_own). The result borrows all of it. SAP_ENOMEM. */
int sap_states_compute(const struct sap_facts *facts, struct sap_tree *tree, const bool *linked,
		       const struct sap_evidence *evidence, struct sap_findings *findings,
		       struct sap_states **out, struct sap_err *err);
void sap_states_free(struct sap_states *s); /* takes NULL */

/* ---- evidence alone --------------------------------------------------------------------- */

/* The lists of a set of evidence, by file. Those of file f are v[first[f]] .. v[first[f + 1]]. */
struct sap_evidence_list {
	uint32_t *first, *v;
};

struct sap_evidence_groups {
	const struct sap_evidence *evidence;
	struct sap_evidence_list uses;       /* most exposed process first; then those that live;
					      * then by pid */
	struct sap_evidence_list functions;  /* by name, then offset */
	struct sap_evidence_list unobserved; /* by name */
	struct sap_arena arena;
};

int sap_evidence_groups_new(const struct sap_evidence *evidence, struct sap_evidence_groups **out,
			    struct sap_err *err);
void sap_evidence_groups_free(struct sap_evidence_groups *groups); /* takes NULL */

/* The state of a file by evidence alone: MAPPED or EXECUTED. *load_time_only may be NULL. */
enum sap_state sap_evidence_file_state(const struct sap_evidence_groups *groups, uint32_t file,
				       bool *load_time_only);

/* Whether a file was probed when all processes that mapped it had ended, and none of its functions
 * was seen to be entered: nothing is known of its functions. */
bool sap_evidence_nobody_left(const struct sap_evidence_groups *groups, uint32_t file);

/* Whether a file was replaced or deleted while it is mapped. Not where the new one has the same
 * build-id, nor for memory that only has a name (memfd, SysV shared memory, /dev). */
bool sap_evidence_is_old_copy(const struct sap_seen_file *file);

/* Whether paths of that root are paths of root 0. */
bool sap_evidence_is_host(const struct sap_evidence *evidence, uint32_t root);

/* The time that was watched: the window without its gaps, in ns. */
int64_t sap_evidence_watched(const struct sap_evidence *evidence);

/* The order of `uses`: <0 where process a comes before b. */
int sap_evidence_process_cmp(const struct sap_evidence *evidence, uint32_t a, uint32_t b);

/* "2 h 10 min": a duration for people. */
void sap_duration_text(int64_t ns, char *out, size_t size);

#endif
