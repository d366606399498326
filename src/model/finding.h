/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings: a vulnerability and what of this target it is about. Plain data: made by
 * advisory/judge.h, read by reports and decisions. All texts are borrowed from the arena of
 * struct sap_findings, except where they are said to be pool ids of the facts.
 *
 * One finding is one vulnerability in one source package (or one language package, or one
 * object), whatever number of binary packages and advisories speak of it.
 */
#ifndef SAP_MODEL_FINDING_H
#define SAP_MODEL_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "base/vec.h"
#include "model/facts.h"

enum sap_status {
	SAP_STATUS_AFFECTED = 1,
	SAP_STATUS_UNFIXED,             /* affected; the publisher decided not to fix it here */
	SAP_STATUS_UNDER_INVESTIGATION, /* nobody has said yet */
	SAP_STATUS_FIXED,
	SAP_STATUS_NOT_AFFECTED,
	SAP_STATUSES
};

/* "affected", "unfixed", "under_investigation", "fixed", "not_affected". */
const char *sap_status_name(enum sap_status status);

/* Evidence, in rising order (design: four states). Facts alone give the first two. */
enum sap_state {
	SAP_STATE_UNKNOWN = 0,
	SAP_STATE_PRESENT,
	SAP_STATE_LINKED,
	SAP_STATE_MAPPED,
	SAP_STATE_EXECUTED,
	SAP_STATE_VULNERABLE_EXECUTED,
};

const char *sap_state_name(enum sap_state state); /* "present", "linked" ... */

/* Why something is not shown among the findings. */
struct sap_suppression {
	struct sap_str by;     /* the file and its line, or the VEX document */
	struct sap_str reason; /* in the reviewer's words */
	struct sap_str until;  /* date; empty: for ever */
};

/* One statement that was weighed, in the order of weighing: for --explain. */
struct sap_step {
	struct sap_str advisory; /* id */
	struct sap_str source;   /* "debian-dsa: Debian, as of 2026-08-21" */
	struct sap_str space;    /* "debian:12" */
	struct sap_str says;     /* the statement: "versions before 1.2-3 are affected" */
	struct sap_str outcome;  /* what it means for this version, and why */
	bool decides;
};

struct sap_function_name {
	struct sap_str name;
	struct sap_str project;
	char kind; /* 'M' changed, 'D' removed by the fix, 'H' hooked by malicious code, 'S' named
		    * by the advisory itself */
};

struct sap_finding {
	struct sap_str id;       /* CVE where there is one */
	struct sap_str *aliases; /* every other name, sorted; advisories among them */
	uint32_t n_aliases;
	uint8_t status;   /* enum sap_status */
	uint8_t severity; /* enum sap_severity of advisory/claim.h */
	uint8_t state;    /* enum sap_state */
	uint8_t offered;  /* enum sap_tristate: the fixed version can be had for this release */
	bool compromised; /* malicious code, not only vulnerable */
	bool pro;         /* the fix needs a subscription */
	struct sap_str reason;        /* "no-dsa", "end-of-life" ...; empty */
	struct sap_str fixed_version; /* empty: none known */
	struct sap_str cvss;          /* the vector that was scored; empty */
	double score;                 /* its base score; <0: none */
	bool kev, kev_ransomware;
	struct sap_str kev_added, kev_due;
	double epss, percentile;                          /* <0: unknown */
	struct sap_str exploitation, automatable, impact; /* CISA's SSVC values; empty: unknown */
	struct sap_function_name *functions;
	uint32_t n_functions;
	/* What it is about. */
	struct sap_str package; /* purl of the source package (deb, rpm, apk), or of the package */
	struct sap_str name;    /* name and version that were compared */
	struct sap_str version;
	uint32_t *packages; /* indexes into facts->packages, sorted; none for a bare object */
	uint32_t n_packages;
	uint32_t *objects; /* unowned ELF objects that it was found in: indexes */
	uint32_t n_objects;
	const struct sap_suppression *suppression; /* NULL: it counts */
	struct sap_step *steps;                    /* only of findings that are to be explained */
	uint32_t n_steps;
};

/* A package that no statement of its distribution can be applied to. */
struct sap_not_judged {
	uint32_t package;      /* index into facts->packages; SAP_NONE: an object */
	uint32_t object;       /* index into facts->objects, with package SAP_NONE */
	struct sap_str reason; /* "third-party: backports (~bpo12)", "no advisories for ..." */
};

/* What is known of the data that was judged by, for one space of the target. */
struct sap_coverage {
	struct sap_str space; /* for people: "Debian 12" */
	bool covered;         /* some source speaks about it */
	int64_t as_of;        /* seconds since 1970; 0: unknown */
	int64_t checked;
	bool stale;        /* older than the limit */
	uint32_t packages; /* of the target that are judged by it */
};

struct sap_findings {
	struct sap_arena arena;
	const struct sap_facts *facts;
	struct sap_str store;    /* path of the store; empty: there was none */
	struct sap_str no_store; /* why there was none */
	int64_t max_age;         /* seconds */
	int64_t now;
	SAP_VEC(struct sap_coverage) coverage;
	bool kev_known;    /* there is a list of exploited vulnerabilities; false: nothing can be
			     * said about exploitation */
	bool kev_stale;    /* it is older than max_age */
	int64_t kev_as_of; /* seconds since 1970; 0: unknown */
	/* Sorted: compromised first, then by status, known exploited, severity, id, package. */
	SAP_VEC(struct sap_finding) list;
	SAP_VEC(struct sap_not_judged) not_judged; /* by package index */
	SAP_VEC(struct sap_str) notes;             /* expired exceptions and the like, for people */
	struct sap_str explain; /* the id that was asked to be explained; empty */
	bool explain_known;     /* the store has heard of it */
	/* Counts. Fixed and not affected are not listed unless they are to be explained. */
	uint32_t n_status[SAP_STATUSES]; /* without suppressed ones */
	uint32_t n_suppressed, n_compromised, n_kev;
	uint32_t n_judged; /* packages that were compared with at least one covered space */
};

/* Whether "no findings" may be said: everything was covered by data that is not stale. */
bool sap_findings_sound(const struct sap_findings *f);

void sap_findings_free(struct sap_findings *f); /* takes NULL */

#endif
