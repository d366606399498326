/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside matching: what a claim says to one package, and how such sayings are weighed.
 */
#ifndef SAP_ADVISORY_MATCH_INT_H
#define SAP_ADVISORY_MATCH_INT_H

#include "advisory/match.h"

/* In the order of weighing. A subscription in use stands above the release's own statements
 * (these say "not fixed here" of what the subscription repairs), one that is not used below. */
enum sap_class {
	SAP_CLASS_COMPROMISED = 1,
	SAP_CLASS_SUBSCRIPTION,
	SAP_CLASS_RELEASE,
	SAP_CLASS_PRO,
	SAP_CLASS_GENERAL,
	SAP_CLASSES
};

/* Why a claim is not about this package. */
enum sap_unfit {
	SAP_FITS = 0,
	SAP_UNFIT_NAME,    /* names another package, or the source where it has another name */
	SAP_UNFIT_RELEASE, /* about a release, and which one this is is not known */
	SAP_UNFIT_MODULE,  /* of another module stream */
	SAP_UNFIT_MODULAR, /* the claim is about a module, the package is of none, or reversed */
	SAP_UNFIT_ARCH,    /* for other architectures */
	SAP_UNFIT_ORIGIN,  /* only statements about compromised versions count */
	SAP_UNFIT_WITHDRAWN
};

/* Why a claim about a module may be about another stream than the package's. */
enum sap_doubt {
	SAP_NO_DOUBT = 0,
	SAP_DOUBT_CLAIM,  /* the claim names no stream */
	SAP_DOUBT_PACKAGE /* the package names none */
};

struct sap_heard {
	const struct sap_claim *claim;
	struct sap_str version; /* of the package, as the claim's names have it */
	struct sap_str fixed;   /* ends the range that holds it */
	uint8_t unfit;          /* enum sap_unfit */
	uint8_t class;          /* enum sap_class */
	uint8_t place;          /* enum sap_place; INVALID where there is doubt */
	uint8_t doubt;          /* enum sap_doubt */
};

/* A claim that speaks of a vulnerability. */
struct sap_speaker {
	uint32_t claim; /* index into what was heard */
	bool own;       /* its record is the vulnerability's own, no bundle's */
};

/* One vulnerability to weigh. */
struct sap_case {
	const struct sap_subject *subject;
	const struct sap_heard *heard;      /* all claims */
	const struct sap_speaker *speakers; /* those that speak of it */
	uint32_t n;
	const struct sap_source *sources; /* may be NULL */
	unsigned classes;                 /* flags: those of speakers that are fit */
};

enum { SAP_NOBODY = -1 };

/* Fills verdict but for id, claims and steps; *decider gets the index of the speaker that
 * decided, or SAP_NOBODY. False: nothing applies, there is no verdict (status is NOT_AFFECTED). */
bool sap_weigh(const struct sap_case *c, struct sap_verdict *verdict, int64_t *decider);

/* Whether a version can be compared, and sap_rule_place where that is known. */
bool sap_rule_valid(enum sap_version_scheme scheme, struct sap_str v);
enum sap_place sap_rule_place_of(enum sap_version_scheme scheme, struct sap_str rule,
				 struct sap_str v, bool valid, struct sap_str *fixed);

/* The doubt in words: "the advisory does not name the module's stream". */
struct sap_str sap_doubt_text(enum sap_doubt doubt);

/* Whether the version is one that a subscription to extended maintenance gave (Ubuntu's esm). */
bool sap_version_is_esm(struct sap_str version);

/* Makes the steps of a verdict: first one about the facts, which names no advisory, then its
 * speakers in the order of weighing. SAP_ENOMEM. */
int sap_steps_make(const struct sap_case *c, const struct sap_match_options *options,
		   int64_t decider, struct sap_arena *arena, struct sap_verdict *verdict,
		   struct sap_err *err);

#endif
