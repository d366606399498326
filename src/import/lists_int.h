/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the formats that are lists share: entries of several lines, claims and problems in one
 * call, codenames.
 */
#ifndef SAP_IMPORT_LISTS_INT_H
#define SAP_IMPORT_LISTS_INT_H

#include "base/limits.h"
#include "base/vec.h"
#include "import/import.h"

/* ---- entries of several lines (lists.c) ------------------------------------------------- */

/* Lines that belong together, kept until the entry is complete. */
struct sap_entry {
	struct sap_buf text; /* the lines, each with its LF; at most SAP_IMPORT_LINE_MAX bytes */
	uint64_t line;       /* number of the first one in the document; 0: there is no entry */
};

void sap_entry_init(struct sap_entry *entry);
void sap_entry_clear(struct sap_entry *entry);

/* Empties it; the entry begins at that line. */
void sap_entry_start(struct sap_entry *entry, uint64_t number);
void sap_entry_add(struct sap_entry *entry, struct sap_str line);

/* The text of a complete entry. An entry that was too long is a problem and gives false; out of
 * memory is told by *code (SAP_ENOMEM), which is 0 otherwise. */
bool sap_entry_take(struct sap_entry *entry, struct sap_import *im, struct sap_str *text, int *code,
		    struct sap_err *err);

/* ---- rows (lists.c) --------------------------------------------------------------------- */

/* A problem with a line other than the one at hand: its where is "NAME line N". */
void sap_list_problem(struct sap_import *im, uint64_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct sap_list_claim {
	const char *status; /* as in advisory/rows.h */
	struct sap_str space, package;
	struct sap_str fixed; /* with "affected": where it ends; empty: nowhere */
	const char *reason, *severity;
	bool not_offered, pro;
};

/* One claim row. "affected" begins with introduced=0. */
void sap_list_claim(struct sap_rows *rows, const struct sap_list_claim *claim);

/* The same about several packages: begin, at least one sap_rows_list_item, end. The claim's own
 * package is not looked at. */
void sap_list_claim_begin(struct sap_rows *rows, const struct sap_list_claim *claim);
void sap_list_claim_end(struct sap_rows *rows, const struct sap_list_claim *claim);

/* ---- texts (lists.c) -------------------------------------------------------------------- */

/* The document's beginning without a byte order mark, and a line without it. */
struct sap_str sap_list_head(const struct sap_import_head *head);
struct sap_str sap_list_line(struct sap_str line, uint64_t number);

/* A version as deb, apk and pacman write them: visible ASCII without '<', '>', ',' and brackets,
 * a digit in front or, where the distribution has such, a letter. */
bool sap_list_version_ok(struct sap_str version);
/* A name of a package: visible ASCII without brackets, commas and quotes. */
bool sap_list_name_ok(struct sap_str name);

/* YYYY-MM-DD at the head of s, with "Thh:mm:ss" where it follows (fractions are dropped, "Z"
 * put behind). Empty: s does not begin with a date. May allocate. */
struct sap_str sap_list_date(struct sap_arena *arena, struct sap_str s);

/* The first len bytes at p are [0-9] each. */
bool sap_list_digits(struct sap_str s, size_t at, size_t n);

/* The store's word for a publisher's severity; NULL: none. */
const char *sap_list_severity(struct sap_str word);

/* ---- codenames (debian_names.c) --------------------------------------------------------- */

enum sap_codename {
	SAP_CODENAME_UNKNOWN = 0,
	SAP_CODENAME_RELEASE,
	SAP_CODENAME_NONE, /* a suite, but no release: experimental, backports, FIPS builds */
};

/* "bookworm": "Debian:12"; "bookworm-security", "squeeze-lts" likewise; "sid" and the empty
 * name: "Debian". The text of *space is constant. */
enum sap_codename sap_debian_space(struct sap_str codename, struct sap_str *space);

/* "jammy": "Ubuntu:22.04"; "esm-infra/jammy", "trusty/esm": "Ubuntu:Pro:14.04" with *pro;
 * "devel": "Ubuntu". */
enum sap_codename sap_ubuntu_space(struct sap_str suite, struct sap_str *space, bool *pro);

/* The name that Debian's tracker gives to an entry without a CVE: "TEMP-" bug "-" and six digits
 * of the MD5 of its description. out has room for SAP_TEMP_NAME_MAX bytes, NUL included. */
#define SAP_TEMP_NAME_MAX 40u
void sap_debian_temp_name(uint64_t bug, struct sap_str description, char *out);

#endif
