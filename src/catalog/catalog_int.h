/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the catalog: what its readers share, and the pure parsers that the readers drive
 * (and that fuzzing and unit tests call directly). The parsers take bytes and give records;
 * they open nothing.
 */
#ifndef SAP_CATALOG_CATALOG_INT_H
#define SAP_CATALOG_CATALOG_INT_H

#include "base/buf.h"
#include "base/vec.h"
#include "catalog/catalog.h"

/* ---- diagnostics about one file --------------------------------------------------------- */

/* At most SAP_DB_NOTES_MAX go to the sink; then one with the code "limit" says that more
 * follow. */
struct sap_notes {
	struct sap_sink *sink;
	struct sap_str path;
	uint32_t n;
};

int sap_notes_add(struct sap_notes *notes, uint64_t offset, const char *code, struct sap_err *err,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- records, counted against the limits ------------------------------------------------ */

/* Gives rec to the sink under the next id. 1: given; 0: SAP_PACKAGES_MAX reached (the first
 * one too many is noted, in notes); negative: failure. */
int sap_catalog_put_package(struct sap_catalog *catalog, struct sap_rec_package *rec,
			    struct sap_notes *notes, struct sap_err *err);

/* The same for a file and SAP_FILES_MAX. */
int sap_catalog_put_file(struct sap_catalog *catalog, const struct sap_rec_file *rec,
			 struct sap_notes *notes, struct sap_err *err);

/* ---- reading ---------------------------------------------------------------------------- */

/* A whole file into the arena. 1: there it is; 0: it is absent, or it cannot be read and a
 * diagnostic says why; negative: out of memory, or the sink failed. */
int sap_catalog_slurp(struct sap_catalog *catalog, struct sap_str path, uint64_t max,
		      struct sap_arena *arena, struct sap_span *out, struct sap_err *err);

/* What a failed read means: 0 after a diagnostic (none for SAP_ENOENT), or the code of a
 * failure that ends everything (memory, the sink). */
int sap_catalog_fault(struct sap_catalog *catalog, struct sap_str path, const struct sap_err *fault,
		      struct sap_err *err);

/* ---- how much of a database could be read ------------------------------------------------ */

/* Stands in for the catalog's sink from begin to end. Every diagnostic in between, but those
 * said `aside`, means that something of the database is missing. */
struct sap_watch {
	struct sap_sink sink;
	struct sap_sink *inner;
	struct sap_catalog *catalog;
	struct sap_str type; /* purl type */
	struct sap_str file; /* the database, set by the reader; n is 0: there is none */
	uint32_t packages;
	uint32_t faults;
	bool aside; /* what is said now is not about packages and their files */
};

void sap_watch_begin(struct sap_watch *watch, struct sap_catalog *catalog, struct sap_str type);

/* Gives the catalog its sink back. Without a failure (r, which is passed on), gives the setting
 * of a database that is there. */
int sap_watch_end(struct sap_watch *watch, int r, struct sap_err *err);

/* A path that cannot be read, other than for its absence: says so, of the folder that blocks
 * the way where there is one. *at: what was blamed, a beginning of the path. As
 * sap_catalog_fault. */
int sap_catalog_blame(struct sap_catalog *catalog, struct sap_str path, const struct sap_err *fault,
		      struct sap_str *at, struct sap_err *err);

/* The same, and a folder is said only once: the path must live as long as the catalog. */
int sap_catalog_blocked(struct sap_catalog *catalog, struct sap_str path,
			const struct sap_err *fault, struct sap_str *at, struct sap_err *err);

/* After SAP_ENOENT for a path (folder: for a folder): 1 where something is there all the same,
 * and is said: a symbolic link that leads nowhere, or no folder where there should be one, at
 * the path or one of `depth` folders above it. 0: it is just absent. */
int sap_catalog_absent(struct sap_catalog *catalog, struct sap_str path, unsigned depth,
		       bool folder, struct sap_err *err);

/* One folder from which hundreds of files are read: resolved once, then each file costs
 * fstatat, openat, read and close. A file that is a symbolic link goes by sap_input_file_open. */
struct sap_catalog_dir {
	struct sap_input *input;
	struct sap_str path; /* as given */
	int fd;              /* -1: each file by its path */
};

/* SAP_ENOENT where there is no such folder. */
int sap_catalog_dir_open(struct sap_catalog_dir *dir, struct sap_input *input, struct sap_str path,
			 struct sap_err *err);
void sap_catalog_dir_close(struct sap_catalog_dir *dir);

/* The file `name` (no '/' in it) whole, and its modification time in seconds. out or mtime
 * may be NULL; without out the file is not opened. Errors as sap_input_read. */
int sap_catalog_dir_read(const struct sap_catalog_dir *dir, struct sap_str name, uint64_t max,
			 struct sap_arena *arena, struct sap_span *out, int64_t *mtime,
			 struct sap_err *err);

/* ---- text ------------------------------------------------------------------------------- */

/* A span as text, and the first n bytes of a text. */
struct sap_str sap_text_of(struct sap_span span);

/* Hexadecimal digits, either case, exactly 2 * n of them, into out. */
bool sap_hex_decode(const char *hex, size_t digits, unsigned char *out, size_t n);

/* Base64 (RFC 4648 section 4, padding required) of exactly n bytes, into out. */
bool sap_base64_decode(struct sap_str text, unsigned char *out, size_t n);

/* True for a path below the root, written without its leading slash, that has no empty, "."
 * or ".." component, no NUL, and at most SAP_PATH_MAX - 1 bytes. */
bool sap_relpath_ok(struct sap_str path);

/* A decimal number with an optional '-', as pacman and apk write times; 0 where it is none. */
int64_t sap_text_time(struct sap_str text);

/* A map from texts (borrowed) to numbers, emptied in constant time so that one serves many
 * packages. Seeded anew in every process. */
struct sap_strmap_slot {
	const char *p;
	uint32_t n;
	uint32_t hash;
	uint32_t value;
	uint32_t generation; /* another than the map's: free */
};

struct sap_strmap {
	struct sap_strmap_slot *v;
	uint32_t cap;  /* slots there are */
	uint32_t mask; /* of those in use: a power of two less one */
	uint32_t n;
	uint32_t generation;
	uint64_t seed;
};

#define SAP_STRMAP_NONE UINT32_MAX

void sap_strmap_init(struct sap_strmap *map);
void sap_strmap_clear(struct sap_strmap *map);

/* Empties the map and makes it fit for n texts. False: memory. */
bool sap_strmap_reset(struct sap_strmap *map, size_t n);

/* The value of a text, SAP_STRMAP_NONE where it is new and the caller is to set it. NULL:
 * memory, or a text of 4 GiB. Valid until the next put. */
uint32_t *sap_strmap_put(struct sap_strmap *map, struct sap_str key);
uint32_t sap_strmap_get(const struct sap_strmap *map, struct sap_str key);

/* Relations, collected for one package at a time. */
struct sap_relations {
	struct sap_rec_relation *v;
	size_t n;
	size_t cap;
	bool full; /* SAP_RELATIONS_MAX was reached */
};

/* Adds one relation; past the ceiling it only sets full. */
int sap_relations_add(struct sap_relations *list, enum sap_relation_kind kind, struct sap_str text,
		      struct sap_err *err);

/* ---- dpkg ------------------------------------------------------------------------------- */

/* The fields of deb822 stanzas that are kept (deb-control(5), dpkg's status and apt's
 * extended_states). Names are compared without regard to case, as dpkg does. */
enum sap_dpkg_field {
	SAP_DPKG_PACKAGE,
	SAP_DPKG_STATUS,
	SAP_DPKG_VERSION,
	SAP_DPKG_ARCHITECTURE,
	SAP_DPKG_MULTI_ARCH,
	SAP_DPKG_SOURCE,
	SAP_DPKG_MAINTAINER,
	SAP_DPKG_ORIGIN,
	SAP_DPKG_SECTION,
	SAP_DPKG_ESSENTIAL,
	SAP_DPKG_PROTECTED,
	SAP_DPKG_INSTALLED_SIZE,
	SAP_DPKG_DEPENDS,
	SAP_DPKG_PRE_DEPENDS,
	SAP_DPKG_RECOMMENDS,
	SAP_DPKG_SUGGESTS,
	SAP_DPKG_PROVIDES,
	SAP_DPKG_CONFLICTS,
	SAP_DPKG_BREAKS,
	SAP_DPKG_CONFFILES,
	SAP_DPKG_AUTO_INSTALLED,
	SAP_DPKG_FIELDS
};

/* One stanza; its texts are borrowed, trimmed, and keep the line breaks of continuation
 * lines. A text whose p is NULL is absent. */
struct sap_dpkg_stanza {
	uint64_t offset; /* of its first byte */
	struct sap_str f[SAP_DPKG_FIELDS];
	const char *fault_code; /* of the first line that could not be used; NULL: none */
	const char *fault;
	uint64_t fault_offset;
};

/* The next stanza at or after *pos, which moves behind it. False at the end. */
bool sap_dpkg_stanza_next(struct sap_span text, uint64_t *pos, struct sap_dpkg_stanza *out);

/* Where a stanza stands. */
enum sap_dpkg_place {
	SAP_DPKG_IN_STATUS,   /* var/lib/dpkg/status */
	SAP_DPKG_IN_JOURNAL,  /* var/lib/dpkg/updates/NNNN: overrides the status file */
	SAP_DPKG_IN_STATUS_D, /* var/lib/dpkg/status.d/NAME: no Status field, no .list */
};

struct sap_dpkg_package {
	struct sap_dpkg_stanza stanza;
	struct sap_str path; /* of the file with the stanza */
	enum sap_dpkg_place place;
};

/* A diversion (dpkg-divert(1)): `from` of every other package lies at `to`. An empty
 * package: a local one, which concerns all. */
struct sap_dpkg_diversion {
	struct sap_str from;
	struct sap_str to;
	struct sap_str package;
};

struct sap_dpkg_md5 {
	struct sap_str path; /* without leading slash */
	uint32_t offset;     /* of its line */
	bool used;           /* a path of the list has it */
	unsigned char digest[16];
};

/* A path of a list, with the position of its digest in md5s. */
struct sap_dpkg_item {
	struct sap_str path;
	uint32_t md5; /* SAP_STRMAP_NONE: it has none */
};

struct sap_dpkg_conffile {
	struct sap_str path;
	struct sap_str hex; /* as written; "newconffile" where dpkg has none yet */
	bool obsolete;      /* obsolete or remove-on-upgrade: of an earlier version */
};

/* The whole database: borrowed texts, which must outlive it, and room for the work on one
 * package after the other. */
struct sap_dpkg_db {
	struct sap_catalog *catalog;
	struct sap_notes notes; /* about packages and their files, all together */
	struct sap_arena arena; /* keys */
	struct sap_arena work;  /* of one package */
	SAP_VEC(struct sap_dpkg_package) packages;
	struct sap_strmap index; /* "name:arch" to a position in packages */
	bool full;               /* SAP_PACKAGES_MAX was reached, and said */

	SAP_VEC(struct sap_dpkg_diversion) diversions;
	struct sap_strmap diverted; /* from to a position in diversions */
	uint64_t diverted_lengths;  /* bit n: there is one with a length of n mod 64 */

	struct sap_strmap autos;        /* "name:arch" and "name" of what apt installed by itself */
	enum sap_tristate auto_default; /* for packages that are not among them */
	struct sap_str native;          /* dpkg's own architecture; empty: not known */

	struct sap_relations relations;
	struct sap_buf path;
	SAP_VEC(struct sap_dpkg_md5) md5s;
	SAP_VEC(struct sap_dpkg_item) items;
	struct sap_strmap md5_map;
	SAP_VEC(struct sap_dpkg_conffile) conffiles;
	struct sap_strmap conffile_map;
	struct sap_strmap parents; /* folders that hold an entry of the list */
	bool parents_known;
};

void sap_dpkg_db_init(struct sap_dpkg_db *db, struct sap_catalog *catalog);
void sap_dpkg_db_clear(struct sap_dpkg_db *db);

/* Adds the stanzas of one file; later ones of the same name and architecture take the place
 * of earlier ones (with a diagnostic, unless they come from the journal). */
int sap_dpkg_db_add(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
		    enum sap_dpkg_place place, struct sap_err *err);

/* apt's var/lib/apt/extended_states; to be called after the stanzas were added. */
int sap_dpkg_db_autos(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
		      struct sap_err *err);

/* var/lib/dpkg/diversions: three lines each, from, to, package. */
int sap_dpkg_db_diversions(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
			   struct sap_err *err);

/* What the Status field says: false for a package that is not unpacked (not-installed,
 * config-files). *odd: it says nothing that dpkg knows. */
bool sap_dpkg_is_present(const struct sap_dpkg_package *package, bool *broken, bool *odd);

/* A name or architecture that dpkg allows, and that is safe as part of a file name. */
bool sap_dpkg_name_ok(struct sap_str name);

/* The files of info/ (or status.d) for one package. */
struct sap_dpkg_info {
	bool has_list;
	int64_t list_time; /* modification time of the list, 0: unknown */
	struct sap_str list_path;
	struct sap_span list;
	struct sap_str md5_path;
	struct sap_span md5;
};

/* Gives the records of one package that is present, and of its files. */
int sap_dpkg_emit(struct sap_dpkg_db *db, const struct sap_dpkg_package *package,
		  const struct sap_dpkg_info *info, struct sap_err *err);

/* The second half of it. */
int sap_dpkg_emit_files(struct sap_dpkg_db *db, const struct sap_dpkg_package *package, uint32_t id,
			const struct sap_dpkg_info *info, struct sap_err *err);

/* ---- apk -------------------------------------------------------------------------------- */

/* Gives all records of an installed database (apk-v2 format: lines "X:value", records ended
 * by an empty line). world: the text of etc/apk/world, or NULL where there is none. */
int sap_apk_parse(struct sap_catalog *catalog, struct sap_str path, struct sap_span text,
		  const struct sap_span *world, struct sap_err *err);

/* ---- pacman ----------------------------------------------------------------------------- */

struct sap_pacman_info {
	struct sap_str folder; /* NAME-VERSION-RELEASE, of the local database */
	struct sap_str desc_path;
	struct sap_span desc; /* p is NULL where there is none, and that was said */
	struct sap_str files_path;
	struct sap_span files; /* empty where there is none */
};

/* Gives the records of one package. */
int sap_pacman_parse(struct sap_catalog *catalog, const struct sap_pacman_info *info,
		     struct sap_err *err);

/* ---- the system's identity -------------------------------------------------------------- */

/* os-release(5); texts are in the arena or borrowed. *version: the VERSION field. */
int sap_os_release_parse(struct sap_span text, struct sap_arena *arena, struct sap_rec_os *rec,
			 struct sap_str *version, struct sap_notes *notes, struct sap_err *err);

/* "Rocky Linux release 9.2 (Blue Onyx)": false where the text has no such line. */
bool sap_os_release_line(struct sap_str text, struct sap_str *name, struct sap_str *version,
			 struct sap_str *codename);

#endif
