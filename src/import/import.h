/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import: publications about vulnerabilities to rows (advisory/rows.h). The heart of
 * sapper-import, which reads one descriptor in the sandbox and writes rows to its standard
 * output; it knows neither files nor the store.
 *
 * An input is a file, or a folder with files; a file may be an archive (zip, tar) or compressed
 * (gzip, zstd, xz, bzip2), recognised by content with libarchive; what is inside is recognised
 * by content too. An input that is nothing known is a problem row, never silence.
 *
 * A format is a struct sap_import_format: how it is recognised and what it makes of a record or
 * a line. Formats are independent of each other and keep no state but their own.
 */
#ifndef SAP_IMPORT_IMPORT_H
#define SAP_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "advisory/rows.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "import/jsontree.h"

/* ---- for formats ------------------------------------------------------------------------ */

/* One document while it is read: given to every call of its format. */
struct sap_import {
	struct sap_rows *rows;
	struct sap_arena *arena; /* for the record or line at hand; reset after each */
	struct sap_str name;     /* of the file or the archive's member, for problems */
	struct sap_str where;    /* name and record ("all.zip/GHSA-1.json", "CVE/list line 12") */
	struct sap_str source;   /* "KIND/NAME" that the caller wants all to belong to; empty */
	bool replace;            /* the caller wants whole sources replaced */
	void *state;             /* the format's own, from begin; freed by end */
	struct sap_str current; /* "KIND/NAME" of the source row written last (sap_import_source) */
};

/* Writes a source row unless this source is current already. date and mode ("replace",
 * "merge") may be empty. The caller's wish (im->source, im->replace) overrides. */
void sap_import_source(struct sap_import *im, const char *kind, struct sap_str name,
		       struct sap_str date, const char *mode);

/* A problem with the record at hand. */
void sap_import_problem(struct sap_import *im, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What recognition sees: the first bytes of a document (64 KiB or all of it). For JSON also
 * the names of the members of the root object or, if the root is an array, of its first
 * element, as far as the first bytes go: has() asks for one. */
struct sap_import_head {
	struct sap_str bytes;
	struct sap_str name;         /* of the file: formats that only a name tells may use it */
	bool json, json_array;       /* the first value is an object or array; an array */
	const struct sap_json *root; /* of json: what the first bytes hold, cut off anywhere */
};

bool sap_import_head_has(const struct sap_import_head *head, const char *member);

struct sap_import_format {
	const char *name; /* "osv" */
	bool json;        /* else lines of text */
	enum sap_json_split split;
	const char *const *skip; /* as in struct sap_json_options */
	bool (*recognise)(const struct sap_import_head *head);
	/* May be NULL: no state. */
	int (*begin)(struct sap_import *im, const struct sap_import_head *head,
		     struct sap_err *err);
	/* One record of JSON. A record that makes no sense is sap_import_problem and 0. */
	int (*record)(struct sap_import *im, const struct sap_json *value, struct sap_err *err);
	/* One line of text, without its LF. */
	int (*line)(struct sap_import *im, struct sap_str line, uint64_t number,
		    struct sap_err *err);
	/* The document is complete. May be NULL. */
	int (*finish)(struct sap_import *im, struct sap_err *err);
	/* Frees im->state; also after failure. May be NULL. */
	void (*end)(struct sap_import *im);
};

/* The formats, each defined in a file of its own. */
extern const struct sap_import_format sap_format_osv;  /* osv.c: OSV schema 1.7 */
extern const struct sap_import_format sap_format_rows; /* rows themselves: taken over, checked */
extern const struct sap_import_format sap_format_debian_dsa;  /* debian.c: DSA/list, DLA/list */
extern const struct sap_import_format sap_format_debian_cve;  /* debian.c: CVE/list */
extern const struct sap_import_format sap_format_debian_json; /* debian_json.c */
extern const struct sap_import_format sap_format_ubuntu;      /* ubuntu.c: one CVE file each */
extern const struct sap_import_format sap_format_secdb;       /* secdb.c: Alpine, Wolfi */
extern const struct sap_import_format sap_format_arch;        /* arch.c: AVG JSON */
extern const struct sap_import_format sap_format_kev_json, sap_format_kev_csv; /* kev.c */
extern const struct sap_import_format sap_format_epss;                         /* epss.c: CSV */
extern const struct sap_import_format sap_format_functions; /* functions.c: TSV of functions */
extern const struct sap_import_format sap_format_csaf;      /* csaf.c: CSAF 2.0, Red Hat's VEX */
extern const struct sap_import_format sap_format_openvex;   /* openvex.c */
extern const struct sap_import_format sap_format_cyclonedx; /* cyclonedx.c: vulnerabilities */
extern const struct sap_import_format sap_format_cve;       /* cve.c: CVE 5 records: CVSS, SSVC */

/* The list that recognition goes through, in order; NULL at the end (formats.c). */
extern const struct sap_import_format *const sap_import_formats[];

/* ---- for the program -------------------------------------------------------------------- */

struct sap_import_options {
	const char *name;   /* of the input, for messages */
	const char *source; /* "KIND/NAME" or NULL */
	bool replace;
};

/* Reads the file or folder behind fd, writes rows, an end row last. Documents that cannot be
 * read are problems; SAP_EFORMAT: the input as a whole cannot be (a truncated archive, nothing
 * recognised in it). The stream then has no end row, so that nobody takes it for whole. */
int sap_import_fd(int fd, const struct sap_import_options *options, struct sap_rows *rows,
		  struct sap_err *err);

/* One document in memory: for tests and fuzzing. format NULL: recognise. */
int sap_import_memory(struct sap_str bytes, const struct sap_import_format *format,
		      const struct sap_import_options *options, struct sap_rows *rows,
		      struct sap_err *err);

#endif
