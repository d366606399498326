/* SPDX-License-Identifier: Apache-2.0 */
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

static bool open_log(struct search *search, const char *folder, const char *suffix,
		     struct sap_input_file *out)
{
	char room[256];
	struct sap_str path = make_path(room, folder, files[SQLITE], suffix);

	if (sap_input_file_open(search->catalog->input, path, out, NULL) < 0)
		return false;
	if (out->size)
		return true;
	sap_input_file_close(out);
	return false;
}

static int read_sqlite(struct search *search, const char *folder, const struct sap_reader *db,
		       struct sap_err *err)
{
	struct sap_rpm_visit *visit = &search->emit.visit;
	struct sap_rpm_image image = { 0 };
	struct sap_err fault = { 0 };
	struct sap_input_file log, journal;
	struct sap_reader log_reader;
	bool has_log = open_log(search, folder, "-wal", &log);
	int r;

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
	if (r == 0 && open_log(search, folder, "-journal", &journal)) {
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

		if (r == 0)
			r = sap_rpm_reasons_load(&search->reasons, search->catalog->input,
						 search->catalog->sink, err);
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

/* One database file. *found: the folder's packages are known now. */
static int visit_file(struct search *search, const char *folder, unsigned format, bool *found,
		      struct sap_err *err)
{
	struct sap_sink *sink = search->catalog->sink;
	struct sap_input_file file;
	struct sap_err fault = { 0 };
	uint64_t before = search->emit.packages;
	struct sap_str canonical = { 0 };
	char room[256];
	struct sap_str path = make_path(room, folder, files[format], "");
	bool again = false;
	int r = sap_input_file_open(search->catalog->input, path, &file, &fault);

	if (r == SAP_ENOENT)
		return 0;
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (r < 0)
		return sap_sink_fault(sink, path, &fault, err);
	r = note_seen(search, path, &canonical, &again, err);
	if (r < 0 || !file.size || again) {
		*found = *found || again;
	} else if (*found) {
		r = sap_sink_note(sink, canonical, 0, "ignored", err,
				  "not read: %.*s in the same folder is what rpm reads",
				  SAP_FMT(search->given));
	} else {
		sap_rpm_emit_open(&search->emit, canonical);
		r = read_database(search, folder, format, &file, err);
		*found = search->emit.packages > before;
		if (r == 0 && *found && search->given.n)
			r = sap_sink_note(sink, canonical, 0, "several-databases", err,
					  "its packages are listed beside those of %.*s",
					  SAP_FMT(search->given));
		if (*found)
			search->given = canonical;
	}
	sap_input_file_close(&file);
	return r;
}

int sap_catalog_rpm(struct sap_catalog *catalog, struct sap_err *err)
{
	struct search search = { .catalog = catalog };
	int r = 0;

	sap_rpm_emit_init(&search.emit, catalog);
	sap_arena_init(&search.arena, 0);
	for (size_t f = 0; f < COUNT(folders) && r == 0; f++) {
		bool found = false;

		if (!sap_input_has_dir(catalog->input, sap_str_of(folders[f])))
			continue;
		for (unsigned format = SQLITE; format <= BDB && r == 0; format++)
			r = visit_file(&search, folders[f], format, &found, err);
	}
	sap_rpm_emit_clear(&search.emit);
	sap_rpm_reasons_clear(&search.reasons);
	sap_arena_clear(&search.arena);
	return r;
}
