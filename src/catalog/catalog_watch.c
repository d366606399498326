/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of a package database could be read: a sink between a reader and the catalog's,
 * which sees what was given and what was said.
 */
#include <dirent.h>

#include "base/limits.h"
#include "catalog/catalog_int.h"

static int watch_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			 struct sap_err *err)
{
	struct sap_watch *watch = (struct sap_watch *)sink;

	watch->packages++;
	return watch->inner->package(watch->inner, rec, err);
}

static int watch_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	struct sap_watch *watch = (struct sap_watch *)sink;

	return watch->inner->file(watch->inner, rec, err);
}

static int watch_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			    struct sap_err *err)
{
	struct sap_watch *watch = (struct sap_watch *)sink;

	if (!watch->aside)
		watch->faults++;
	return watch->inner->diagnostic(watch->inner, rec, err);
}

void sap_watch_begin(struct sap_watch *watch, struct sap_catalog *catalog, struct sap_str type)
{
	*watch = (struct sap_watch){
		.sink = { .package = watch_package,
			  .file = watch_file,
			  .diagnostic = watch_diagnostic },
		.inner = catalog->sink,
		.catalog = catalog,
		.type = type,
	};
	catalog->sink = &watch->sink;
}

int sap_watch_end(struct sap_watch *watch, int r, struct sap_err *err)
{
	const struct sap_catalog *catalog = watch->catalog;
	struct sap_sink *sink = watch->inner;
	/* Past a ceiling, only the first loss was said. */
	bool cut = catalog->next_id > SAP_PACKAGES_MAX + 1 || catalog->n_files > SAP_FILES_MAX;
	struct sap_rec_setting rec = { .kind = SAP_SET_DATABASE,
				       .file = watch->file,
				       .key = watch->type };

	watch->catalog->sink = sink;
	if (r < 0 || !watch->file.n || !sink->setting)
		return r;
	if (!watch->faults && !cut)
		rec.value = SAP_STR("read");
	else if (watch->packages)
		rec.value = SAP_STR("partial");
	else
		rec.value = SAP_STR("unreadable");
	return sink->setting(sink, &rec, err);
}

/* ---- where the way to a database ends --------------------------------------------------- */

static bool is_link(struct sap_input *input, struct sap_str path, struct sap_arena *arena)
{
	struct sap_str target;

	return sap_input_readlink(input, path, arena, &target, NULL) == 0;
}

/* The shortest beginning of a path that cannot be looked at is what is wrong with it: that
 * one where it is a link, else the folder that it is in. *why: the reason. */
static struct sap_str blame(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
			    struct sap_err *why)
{
	struct sap_str real;

	for (size_t i = 1; i <= path.n; i++) {
		struct sap_str part = { path.p, i };
		struct sap_err fault = { 0 };
		int r;

		if (i < path.n && path.p[i] != '/')
			continue;
		r = sap_input_canonical(input, part, arena, &real, NULL, &fault);
		if (r != SAP_EIO)
			continue;
		*why = fault;
		return is_link(input, part, arena) ? part : sap_path_dir(part);
	}
	return path;
}

int sap_catalog_blame(struct sap_catalog *catalog, struct sap_str path, const struct sap_err *fault,
		      struct sap_str *at, struct sap_err *err)
{
	struct sap_err why = *fault;
	struct sap_arena arena;

	*at = path;
	if (fault->code == SAP_EIO) {
		sap_arena_init(&arena, 0);
		*at = blame(catalog->input, path, &arena, &why);
		sap_arena_clear(&arena);
	}
	if (at->n == path.n)
		return sap_catalog_fault(catalog, path, fault, err);
	for (unsigned i = 0; i < catalog->n_blocked; i++) {
		if (sap_str_eq(catalog->blocked[i], *at))
			return 0;
	}
	return sap_sink_note(catalog->sink, *at, 0, sap_code_name(SAP_EIO), err,
			     "nothing in this folder can be looked at: %s",
			     strerror(why.sys_errno));
}

int sap_catalog_blocked(struct sap_catalog *catalog, struct sap_str path,
			const struct sap_err *fault, struct sap_str *at, struct sap_err *err)
{
	int r = sap_catalog_blame(catalog, path, fault, at, err);
	bool known = at->n == path.n;

	for (unsigned i = 0; i < catalog->n_blocked; i++)
		known = known || sap_str_eq(catalog->blocked[i], *at);
	if (r == 0 && !known &&
	    catalog->n_blocked < sizeof(catalog->blocked) / sizeof(catalog->blocked[0]))
		catalog->blocked[catalog->n_blocked++] = *at;
	return r;
}

/* What stands where a folder should be. 1: something else, which is said; 0: a folder (*good),
 * or nothing. */
static int note_obstacle(struct sap_catalog *catalog, struct sap_str path, struct sap_arena *arena,
			 bool *good, struct sap_err *err)
{
	struct sap_str real;
	uint8_t type = DT_UNKNOWN;
	int r;

	if (sap_input_canonical(catalog->input, path, arena, &real, &type, NULL) == 0) {
		*good = type == DT_DIR;
		if (*good)
			return 0;
		r = sap_sink_note(catalog->sink, path, 0, "unsupported", err, "not a folder");
		return r < 0 ? r : 1;
	}
	if (!is_link(catalog->input, path, arena))
		return 0;
	r = sap_sink_note(catalog->sink, path, 0, "missing", err,
			  "a symbolic link that leads nowhere");
	return r < 0 ? r : 1;
}

int sap_catalog_absent(struct sap_catalog *catalog, struct sap_str path, unsigned depth,
		       bool folder, struct sap_err *err)
{
	struct sap_arena arena;
	bool good = false;
	int r = 0;

	sap_arena_init(&arena, 0);
	if (folder || is_link(catalog->input, path, &arena))
		r = note_obstacle(catalog, path, &arena, &good, err);
	for (; r == 0 && !good && depth; depth--) {
		path = sap_path_dir(path);
		r = note_obstacle(catalog, path, &arena, &good, err);
	}
	sap_arena_clear(&arena);
	return r;
}
