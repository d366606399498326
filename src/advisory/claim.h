/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: what advisories say about a package, as the store gives them and matching takes
 * them. Plain data, borrowed from the arena that they were read into.
 */
#ifndef SAP_ADVISORY_CLAIM_H
#define SAP_ADVISORY_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Where a statement comes from. */
struct sap_source {
	struct sap_str kind;   /* "osv", "debian-dsa", "secdb" ... */
	struct sap_str name;   /* "AlmaLinux" */
	struct sap_str origin; /* URL or file it was read from; may be empty */
	struct sap_str date;   /* what the data is as of, ISO 8601; empty: unknown */
	int64_t as_of;         /* the same in seconds since 1970; 0: unknown */
	int64_t checked;       /* last time an update found it to be current; 0: never */
	uint64_t records, claims, rejected;
	struct sap_str etag, digest, licence;
};

enum sap_severity {
	SAP_SEVERITY_UNKNOWN = 0,
	SAP_SEVERITY_NEGLIGIBLE,
	SAP_SEVERITY_LOW,
	SAP_SEVERITY_MEDIUM,
	SAP_SEVERITY_HIGH,
	SAP_SEVERITY_CRITICAL,
};

/* "critical" ...; NULL for unknown. And back: publishers' words too ("Important", "Moderate",
 * "unimportant", "urgent"), without regard to case. */
const char *sap_severity_name(enum sap_severity severity);
enum sap_severity sap_severity_parse(struct sap_str word);

struct sap_advisory {
	struct sap_str id;
	struct sap_str alias, covers; /* lists, undecoded: sap_row_list_next */
	struct sap_str cvss;          /* list of vectors */
	struct sap_str modified, published, withdrawn;
	uint32_t source;  /* index in the store's sources */
	uint8_t severity; /* enum sap_severity */
	bool compromised;
	int64_t row; /* the store's number of it: one advisory, one number */
};

enum sap_claim_status {
	SAP_CLAIM_AFFECTED = 1,
	SAP_CLAIM_NOT_AFFECTED,
	SAP_CLAIM_UNDER_INVESTIGATION,
	SAP_CLAIM_UNFIXED,
};

struct sap_claim {
	const struct sap_advisory *advisory;
	struct sap_str space;   /* canonical */
	struct sap_str package; /* as the space folds names */
	struct sap_str rule;    /* events and versions, as in a claim row; empty: every version */
	struct sap_str fixed;   /* the last "fixed" of the rule; empty: none */
	struct sap_str reason;
	struct sap_str module; /* "nodejs:12" */
	struct sap_str arch;   /* list */
	struct sap_str functions;
	uint8_t status;   /* enum sap_claim_status */
	uint8_t names;    /* enum sap_names: what package is the name of */
	uint8_t severity; /* of this claim; unknown: the advisory's */
	bool not_offered; /* the fixed version is not published for this release */
	bool pro;         /* only with a subscription */
};

/* What a record is called to people: its id, but without the tail that makes the entries of one
 * list unique ("CVE-2023-45853/zlib", "RHSA-2024:1234/CVE-2024-1"). */
struct sap_str sap_advisory_name(struct sap_str id);

/* Whether a record is the vulnerability's own entry by its id: "CVE-2024-1" itself, a tracker's
 * "CVE-2024-1/xz" or "UBUNTU-CVE-2024-1", a document's "RHSA-2024:1/CVE-2024-1". */
bool sap_advisory_is_own(struct sap_str id, struct sap_str vulnerability);

/* Whether two words for an architecture mean one: as they stand, or what different systems call
 * the same (x86_64 is amd64, aarch64 arm64, i686 i386, armv7hl armhf, ppc64le ppc64el). */
bool sap_arch_same(struct sap_str a, struct sap_str b);

/* Whether the word is one of these, or of another architecture that is known. */
bool sap_arch_known(struct sap_str word);

#endif
