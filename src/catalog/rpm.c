/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "base/limits.h"
#include "catalog/catalog.h"
#include "catalog/rpm_int.h"

/* Where rpm keeps its database: by default; on SUSE and Fedora 36 and later; on systems made
 * by rpm-ostree. Often they are one folder by symbolic links. */
static const char *const folders[] = { "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm" };

/* In the order in which rpm itself looks for them. */
static const char *const files[] = { "rpmdb.sqlite", "Packages.db", "Packages" };
enum { SQLITE, NDB, BDB };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct search {
	struct sap_catalog *catalog;
	struct sap_rpm_emit emit;
	struct sap_rpm_reasons reasons;
	struct sap_arena arena;
	struct sap_str seen[COUNT(folders) * COUNT(files)]; /* canonical paths */
	size_t n_seen;
	struct sap_str given; /* the database that gave packages last */
	struct sap_watch watch;
};

static struct sap_str make_path(char room[256], const char *folder, const char *file,
				const char *suffix)
{
	int n = snprintf(room, 256, "%s/%s%s", folder, file, suffix);

	return (struct sap_str){ room, n > 0 && n < 256 ? (size_t)n : 0 };
}

/* The canonical path of a database in the arena. *again: it was read under another name. */
static int note_seen(struct search *search, struct sap_str path, struct sap_str *out, bool *again,
		     struct sap_err *err)
{
	struct sap_str canonical = { 0 };
	int r = sap_input_canonical(search->catalog->input, path, &search->arena, &canonical, NULL,
				    err);

	if (r == SAP_ENOMEM)
		return r;
	if (r < 0 && !sap_arena_str(&search->arena, path, &canonical))
		return sap_err_nomem(err);
	*again = false;
	for (size_t i = 0; i < search->n_seen; i++)
		*again = *again || sap_str_eq(search->seen[i], canonical);
	if (!*again)
		search->seen[search->n_seen++] = canonical;
	*out = canonical;
	return 0;
}

/* 1: a log that says something; 0: none, or one that cannot be read, which is a fault. */
static int open_log(struct search *search, const char *folder, const char *suffix,
		    struct sap_input_file *out, struct sap_err *err)
{
	struct sap_rpm_visit *visit = &search->emit.visit;
	struct sap_err fault = { 0 };
	char room[256];
	struct sap_str path = make_path(room, folder, files[SQLITE], suffix);
	int r = sap_input_file_open(search->catalog->input, path, out, &fault);

	if (r == SAP_ENOENT)
		return 0;
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (r < 0) {
		sap_err_wrap(&fault, "recent changes may be missing: %.*s", SAP_FMT(path));
		return visit->fault(visit, &fault, err);
	}
	if (out->size)
		return 1;
	sap_input_file_close(out);
	return 0;
}

static int read_sqlite(struct search *search, const char *folder, const struct sap_reader *db,
		       struct sap_err *err)
{
	struct sap_rpm_visit *visit = &search->emit.visit;
	struct sap_rpm_image image = { 0 };
	struct sap_err fault = { 0 };
	struct sap_input_file log, journal;
	struct sap_reader log_reader;
	int r = open_log(search, folder, "-wal", &log, err);
	bool has_log = r > 0;

	if (r < 0)
		return r;
	if (has_log)
		log_reader = sap_input_file_reader(&log);
	r = sap_rpm_image_load(db, has_log ? &log_reader : NULL, &image, &fault, err);
	if (has_log)
		sap_input_file_close(&log);
	if (r < 0)
		return r;
	if (fault.code && image.p)
		sap_err_wrap(&fault, "recent changes may be missing: the write-ahead log");
	if (fault.code)
		r = visit->fault(visit, &fault, err);
	if (r == 0)
		r = open_log(search, folder, "-journal", &journal, err);
	if (r > 0) {
		sap_input_file_close(&journal);
		fault = (struct sap_err){ 0 };
		sap_err_set(&fault, SAP_ECHANGED,
			    "a change was under way and half of it may be in the database: there "
			    "is a rollback journal");
		r = visit->fault(visit, &fault, err);
	}
	if (r == 0 && image.p)
		r = sap_rpm_sqlite_read(&image, visit, err);
	sap_rpm_image_clear(&image);
	return r;
}

static int read_database(struct search *search, const char *folder, unsigned format,
			 const struct sap_input_file *file, struct sap_err *err)
{
	struct sap_reader reader = sap_input_file_reader(file);
	struct sap_err fault = { 0 };

	if (!search->reasons.keys) {
		int r = sap_rpm_reasons_init(&search->reasons, err);

		search->watch.aside = true;
		if (r == 0)
			r = sap_rpm_reasons_load(&search->reasons, search->catalog->input,
						 search->catalog->sink, err);
		search->watch.aside = false;
		if (r < 0)
			return r;
		search->emit.reasons = &search->reasons;
	}
	if (file->size > SAP_DB_FILE_MAX) {
		sap_err_set(&fault, SAP_ELIMIT, "a database of %llu bytes",
			    (unsigned long long)file->size);
		return search->emit.visit.fault(&search->emit.visit, &fault, err);
	}
	switch (format) {
	case SQLITE:
		return read_sqlite(search, folder, &reader, err);
	case NDB:
		return sap_rpm_ndb_read(&reader, &search->emit.visit, err);
	default:
		return sap_rpm_bdb_read(&reader, &search->emit.visit, err);
	}
}

/* A database file that cannot be opened. *blocked: nor can the others in its folder. */
static int note_closed(struct search *search, struct sap_str path, const char *folder,
		       const struct sap_err *fault, bool *blocked, struct sap_err *err)
{
	struct sap_catalog *catalog = search->catalog;
	struct sap_str at = path, kept;
	int r;

	if (fault->code == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (!sap_arena_str(&search->arena, path, &kept))
		return sap_err_nomem(err);
	sap_watch_begin(&search->watch, catalog, SAP_STR("rpm"));
	if (fault->code == SAP_ENOENT) {
		r = sap_catalog_absent(catalog, path, 0, false, err);
		if (r > 0)
			search->watch.file = kept;
	} else {
		r = sap_catalog_blame(catalog, path, fault, &at, err);
		*blocked = at.n < path.n;
		search->watch.file = *blocked ? sap_str_of(folder) : kept;
	}
	return sap_watch_end(&search->watch, r < 0 ? r : 0, err);
}

/* Reads a database file that is the first under its name. */
static int read_watched(struct search *search, const char *folder, unsigned format,
			const struct sap_input_file *file, struct sap_str canonical, bool *found,
			struct sap_err *err)
{
	struct sap_catalog *catalog = search->catalog;
	uint64_t before = search->emit.packages;
	int r;

	sap_watch_begin(&search->watch, catalog, SAP_STR("rpm"));
	search->watch.file = canonical;
	sap_rpm_emit_open(&search->emit, canonical);
	if (file->size)
		r = read_database(search, folder, format, file, err);
	else
		r = sap_sink_note(catalog->sink, canonical, 0, "empty", err,
				  "the file is empty: no package is known from it");
	r = sap_watch_end(&search->watch, r, err);
	*found = search->emit.packages > before;
	if (r == 0 && *found && search->given.n)
		r = sap_sink_note(catalog->sink, canonical, 0, "several-databases", err,
				  "its packages are listed beside those of %.*s",
				  SAP_FMT(search->given));
	if (*found)
		search->given = canonical;
	return r;
}

/* One database file. *found: the folder's packages are known now, or out of reach. */
static int visit_file(struct search *search, const char *folder, unsigned format, bool *found,
		      bool *blocked, struct sap_err *err)
{
	struct sap_input_file file;
	struct sap_err fault = { 0 };
	struct sap_str canonical = { 0 };
	char room[256];
	struct sap_str path = make_path(room, folder, files[format], "");
	bool again = false;
	int r = sap_input_file_open(search->catalog->input, path, &file, &fault);

	if (r < 0)
		return note_closed(search, path, folder, &fault, blocked, err);
	r = note_seen(search, path, &canonical, &again, err);
	if (r < 0 || again)
		*found = *found || again;
	else if (!*found)
		r = read_watched(search, folder, format, &file, canonical, found, err);
	else if (file.size)
		r = sap_sink_note(search->catalog->sink, canonical, 0, "ignored", err,
				  "not read: %.*s in the same folder is what rpm reads",
				  SAP_FMT(search->given));
	sap_input_file_close(&file);
	return r;
}

/* A folder of databases. 1: it is there; 0: it is not, or that it is something else is said. */
static int check_folder(struct search *search, struct sap_str folder, struct sap_err *err)
{
	struct sap_catalog *catalog = search->catalog;
	struct sap_err fault = { 0 };
	struct sap_str real, at = folder;
	uint8_t type = DT_UNKNOWN;
	int r = sap_input_canonical(catalog->input, folder, &search->arena, &real, &type, &fault);

	if (r == 0 && type == DT_DIR)
		return 1;
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	sap_watch_begin(&search->watch, catalog, SAP_STR("rpm"));
	if (r == 0 || r == SAP_ENOENT)
		r = sap_catalog_absent(catalog, folder, 0, true, err);
	else
		r = sap_catalog_blocked(catalog, folder, &fault, &at, err);
	/* Nobody knows what is in a folder above it. */
	if (r >= 0 && search->watch.faults && at.n == folder.n)
		search->watch.file = folder;
	return sap_watch_end(&search->watch, r < 0 ? r : 0, err);
}

int sap_catalog_rpm(struct sap_catalog *catalog, struct sap_err *err)
{
	struct search search = { .catalog = catalog };
	int r = 0;

	sap_rpm_emit_init(&search.emit, catalog);
	sap_arena_init(&search.arena, 0);
	for (size_t f = 0; f < COUNT(folders) && r == 0; f++) {
		bool found = false, blocked = false;

		r = check_folder(&search, sap_str_of(folders[f]), err);
		if (r <= 0)
			continue;
		r = 0;
		for (unsigned format = SQLITE; format <= BDB && r == 0 && !blocked; format++)
			r = visit_file(&search, folders[f], format, &found, &blocked, err);
	}
	sap_rpm_emit_clear(&search.emit);
	sap_rpm_reasons_clear(&search.reasons);
	sap_arena_clear(&search.arena);
	return r;
}
