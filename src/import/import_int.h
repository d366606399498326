/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats share: identifiers of vulnerabilities and advisories, and the reading of an
 * input document by document. */
#ifndef SAP_IMPORT_IMPORT_INT_H
#define SAP_IMPORT_IMPORT_INT_H

#include "base/buf.h"
#include "base/pool.h"
#include "import/import.h"

/* ---- identifiers (ids.c) ---------------------------------------------------------------- */

enum sap_id_kind {
	SAP_ID_NONE = 0,
	SAP_ID_CVE,      /* CVE-2024-3094 */
	SAP_ID_WEAKNESS, /* one vulnerability, under another registry's name: GHSA, PYSEC, GO,
			  * RUSTSEC, HSEC, OSV, TEMP, PSF, MAL ... */
	SAP_ID_BUNDLE,   /* an advisory about any number of vulnerabilities: DSA, DLA, USN, RHSA,
			  * ALSA, RLSA, ELSA, SUSE-SU, openSUSE-SU, MGASA, ALAS, GLSA, ASA ... */
	SAP_ID_DERIVED,  /* a distribution's record about one CVE: UBUNTU-CVE-2024-3094 */
};

/* What the whole of s is the name of. Case counts. */
enum sap_id_kind sap_id_kind(struct sap_str s);

/* The next identifier in a text: *text is what is left behind it. Identifiers stand alone:
 * "CVE-2024-3094" is found in "(CVE-2024-3094)" and "foo-CVE-2024-3094.", not in
 * "XCVE-2024-3094" nor in "CVE-2024-3094x". kind may be NULL. False at the end. */
bool sap_id_next(struct sap_str *text, struct sap_str *id, enum sap_id_kind *kind);

/* The CVE inside the name of a derived record ("CVE-2024-3094" of "UBUNTU-CVE-2024-3094");
 * empty for other names. */
struct sap_str sap_id_derived_from(struct sap_str s);

/* ---- documents -------------------------------------------------------------------------- */

/* The first value of a document of which only the first bytes are here: as much of the tree
 * as they hold. *root NULL: none at all. SAP_EFORMAT: a syntax error, with what came before it
 * in *root. SAP_ENOMEM. (jsonstream.c) */
int sap_json_head(struct sap_str bytes, struct sap_arena *arena, const struct sap_json **root,
		  struct sap_err *err);

#define SAP_IMPORT_HEAD (64 * 1024)   /* bytes that recognition sees */
#define SAP_IMPORT_BLOCK (256 * 1024) /* bytes read at a time */

/* One import. Every struct sap_import is the head of one. */
struct sap_importer {
	struct sap_import im;
	const struct sap_import_options *options;
	struct sap_arena arena;               /* im.arena */
	struct sap_arena head;                /* what recognition needs */
	struct sap_buf current;               /* im.current */
	struct sap_buf where;                 /* im.where; begins with the document's name */
	struct sap_buf line;                  /* the part of a line that is here */
	struct sap_pool *sources;             /* those that were begun */
	unsigned char *first;                 /* SAP_IMPORT_HEAD bytes */
	unsigned char *block;                 /* SAP_IMPORT_BLOCK bytes, for who reads the input */
	const struct sap_import_format *last; /* the format of the document before */
	bool sole;                            /* the input is one document: if it is bad, all is */
	bool replacing;                       /* a source was begun anew in this document */
	uint64_t bytes;                       /* read in all */
	uint64_t entries;                     /* files seen */
	uint64_t documents;                   /* of a known format */
	uint64_t unknown;                     /* files of none */
};

/* Where a document's bytes come from. */
struct sap_import_bytes {
	/* The next block, valid until the next call. 1; 0: the end; else a code. */
	int (*next)(void *ctx, const unsigned char **p, size_t *n, struct sap_err *err);
	void *ctx;
};

/* Reads one document. format NULL: recognise it. What is wrong with a document is a problem
 * row and 0; a code where the import cannot go on. (document.c) */
int sap_import_document(struct sap_importer *imp, struct sap_str name,
			const struct sap_import_format *format,
			const struct sap_import_bytes *bytes, struct sap_err *err);

/* sap_import_source for a source row that is there already, with all it says. (import.c) */
int sap_import_source_row(struct sap_import *im, const struct sap_row *row, struct sap_err *err);

/* A file that nothing is made of: a problem row, as long as there are few. (import.c) */
void sap_import_unknown(struct sap_importer *imp, struct sap_str name, const char *why);

/* What a failure about one file of the input comes to: 0 after a problem row, or the code
 * where nothing can go on or what was read is lost without it. (import.c) */
int sap_import_failed(struct sap_importer *imp, struct sap_str name, int rc, struct sap_err *err);

/* A file, packed or not; a folder. The descriptor stays the caller's. (archive.c) */
int sap_import_file(struct sap_importer *imp, int fd, struct sap_str name, struct sap_err *err);
int sap_import_folder(struct sap_importer *imp, int fd, struct sap_str name, struct sap_err *err);

#endif
