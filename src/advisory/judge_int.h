/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside judging. The work is cut into units: what was built from one source in one version.
 * A unit is judged in a place (the system, an ecosystem), and each vulnerability that its
 * claims come to makes one finding.
 *
 *     judge.c            the system, the packages, coverage
 *     judge_languages.c  packages of languages' own managers
 *     judge_objects.c    ELF objects that no package owns
 *     judge_unit.c       claims of a unit, matched and merged over its binary packages
 *     judge_threads.c    many units at once
 *     enrich.c           a verdict to a finding: names, scores, functions
 */
#ifndef SAP_ADVISORY_JUDGE_INT_H
#define SAP_ADVISORY_JUDGE_INT_H

#include "advisory/judge.h"
#include "advisory/match.h"

enum { SAP_PLACE_SPACES = 3, SAP_JUDGE_THREADS_MAX = 4 };

/* Where a unit is judged. */
struct sap_court {
	struct sap_space space;                    /* with the release, where it is known */
	struct sap_space spaces[SAP_PLACE_SPACES]; /* all that are looked up */
	uint8_t named[SAP_PLACE_SPACES];           /* enum sap_names: what claims there name */
	unsigned n_spaces;
	enum sap_version_scheme scheme;
	bool release_known;
	bool covered; /* by more than lists of malicious versions */
};

/* One binary package, language package, or what an object says of itself. Names as the
 * space folds them. */
struct sap_item {
	struct sap_str name, version, arch, modularity;
	uint32_t package; /* SAP_NONE: none */
};

struct sap_unit {
	struct sap_str source, source_version; /* empty: the items' own */
	const struct sap_item *items;          /* by name */
	uint32_t n_items;
	const uint32_t *objects; /* unowned objects that this was found in, sorted */
	uint32_t n_objects;
	uint8_t type;      /* enum sap_package_type: epochs are compared by it; NONE */
	bool foreign;      /* only malicious versions count */
	struct sap_str os; /* purl of an object's package: os-release words and purl type */
	struct sap_str release;
	const char *purl_type; /* NULL: a package of the facts */
};

/* A unit and its court, to be judged when others are, too. */
struct sap_trial {
	const struct sap_court *court;
	struct sap_unit unit;
	uint32_t n_skipped; /* result: items of another line than the distribution's */
};

/* An unowned object that is a copy of one that a package owns. */
struct sap_copy {
	uint32_t package, object;
};

/* What is known of a vulnerability, looked up once. */
struct sap_known {
	struct sap_str id;
	bool found;
	struct sap_vulnerability v;
	struct sap_function_name *functions;
	uint32_t n_functions;
};

/* A finding that is not enriched yet. */
struct sap_pending {
	struct sap_str id;
	uint32_t finding; /* index */
	size_t trial;     /* that it came out of */
	uint8_t severity;
	struct sap_str cvss, functions;
	struct sap_record_names *said; /* the records that spoke of it */
	uint32_t n_said;
};

struct sap_judge {
	const struct sap_facts *facts;
	struct sap_store *store; /* NULL: none */
	const struct sap_judge_options *options;
	struct sap_findings *out;
	struct sap_arena scratch; /* gone at the end */
	struct sap_arena unit;    /* claims, verdicts: gone with the unit */
	struct sap_match_options match;
	struct sap_claims claims;     /* of the unit at hand */
	struct sap_verdicts verdicts; /* likewise */
	struct sap_buf buf;
	SAP_VEC(struct sap_copy) copies; /* by package, object */
	bool system_covered;             /* advisories speak about the system's own packages */
	bool *copied;                    /* for each object: it is one of them; NULL: none is */
	SAP_VEC(struct sap_pending) pending;
	SAP_VEC(struct sap_str) aliases; /* being collected */
	struct sap_names_list names;     /* the other names of the vulnerability at hand */
	size_t trial;                    /* the one at hand */
	struct {
		struct sap_str name, version, package;
	} subject; /* of findings about the unit's source; name empty: none was made yet */
	struct sap_crew *crew; /* one for all threads, each of which has a sap_judge */
	struct {
		unsigned char *p;
		uint64_t n;
	} room; /* of the findings' arena, for this thread */
};

/* Begins with an empty one; ends it, and those of all threads. False: out of memory. */
bool sap_judge_start(struct sap_judge *j);
void sap_judge_end(struct sap_judge *j);

/* n elements of size bytes in the findings' arena, zeroed; NULL: out of memory. */
void *sap_judge_array(struct sap_judge *j, uint64_t n, uint64_t size);

/* Judges units that are many, as if one after the other. */
int sap_judge_units(struct sap_judge *j, struct sap_trial *trials, size_t n, struct sap_err *err);

/* The court of a published space ("debian:12", "PyPI"). False: it names none. */
bool sap_court_of(struct sap_judge *j, struct sap_str published, struct sap_court *out);

/* name as the court's space folds it, in facts or scratch. False: out of memory. */
bool sap_judge_fold(struct sap_judge *j, const struct sap_court *court, struct sap_str name,
		    struct sap_str *out);

/* Judges a unit: appends findings, counts. What turned out to be of another line than the
 * distribution's is noted as not judged; *n_skipped: how many items that are. */
int sap_judge_unit(struct sap_judge *j, const struct sap_court *court, const struct sap_unit *unit,
		   uint32_t *n_skipped, struct sap_err *err);

/* Adds what is known of each vulnerability. All at once and in the order of their names: their
 * neighbours in the store are read together. */
int sap_judge_enrich(struct sap_judge *j, struct sap_err *err);
int sap_judge_enrich_all(struct sap_judge *j, struct sap_err *err); /* these are sorted */
/* Those of the n, in this order, whose name first comes up in [from, to). */
int sap_judge_enrich_some(struct sap_judge *j, const struct sap_pending *v, size_t n, size_t from,
			  size_t to, struct sap_err *err);

/* Makes a finding of a verdict about the unit's items that are named. */
int sap_judge_finding(struct sap_judge *j, const struct sap_unit *unit,
		      const struct sap_verdict *verdict, const uint32_t *items, uint32_t n_items,
		      struct sap_err *err);

/* The space's entry among what the findings are covered by, a new one. court NULL: a system
 * that does not say what it is. */
int sap_judge_cover(struct sap_judge *j, const struct sap_court *court, size_t *index,
		    struct sap_err *err);

enum sap_package_type sap_judge_type(enum sap_version_scheme scheme); /* NONE: no system's */
bool sap_judge_is_system(uint8_t type); /* a package of a system's own manager */

/* Language packages: each in its ecosystem, or by the system's package that owns its file. */
int sap_judge_languages(struct sap_judge *j, struct sap_err *err);

/* Notes which unowned objects are copies; then, after the packages, judges the others. */
int sap_judge_find_copies(struct sap_judge *j, struct sap_err *err);
int sap_judge_objects(struct sap_judge *j, struct sap_err *err);

/* Notes that something was not judged. reason is copied. */
int sap_judge_skip(struct sap_judge *j, uint32_t package, uint32_t object, struct sap_str reason,
		   struct sap_err *err);

/* A copy in the findings' arena. */
bool sap_judge_keep(struct sap_judge *j, struct sap_str s, struct sap_str *out);

#endif
