/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON in ELF notes: package metadata (an object of strings) and dlopen metadata (an
 * array of objects, or a single one, each with "soname" as an array or a string). And that of
 * Node's packages (an object with "name" and "version", among much else).
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/vec.h"
#include "extract/extract_int.h"

struct sap_notes {
	sqlite3 *db;
	sqlite3_stmt *package;
	sqlite3_stmt *dlopen;
	sqlite3_stmt *node;
};

static const char package_sql[] =
	"SELECT json_type(?1), json_extract(?1,'$.type'), json_extract(?1,'$.name'),"
	" json_extract(?1,'$.version'), json_extract(?1,'$.architecture'),"
	" json_extract(?1,'$.os'), json_extract(?1,'$.osVersion'), json_extract(?1,'$.osCpe'),"
	" json_extract(?1,'$.debugInfoUrl')";

/* One row a soname, in order; key tells the entries apart. */
static const char dlopen_sql[] =
	"SELECT e.key, json_extract(e.value,'$.feature'), json_extract(e.value,'$.description'),"
	" json_extract(e.value,'$.priority'), s.value"
	" FROM json_each(CASE json_type(?1) WHEN 'array' THEN ?1 ELSE json_array(json(?1)) END)"
	" AS e, json_each(CASE json_type(e.value,'$.soname') WHEN 'array'"
	" THEN json_extract(e.value,'$.soname')"
	" ELSE json_array(json_extract(e.value,'$.soname')) END) AS s"
	" WHERE e.type = 'object' AND s.type = 'text'";

static const char node_sql[] =
	"SELECT json_type(?1),"
	" CASE json_type(?1,'$.name') WHEN 'text' THEN json_extract(?1,'$.name') END,"
	" CASE json_type(?1,'$.version') WHEN 'text' THEN json_extract(?1,'$.version') END";

void sap_notes_free(struct sap_notes *notes)
{
	if (!notes)
		return;
	sqlite3_finalize(notes->package);
	sqlite3_finalize(notes->dlopen);
	sqlite3_finalize(notes->node);
	sqlite3_close(notes->db);
	free(notes);
}

static int open_notes(struct sap_notes **out, struct sap_err *err)
{
	struct sap_notes *notes;

	if (*out)
		return 0;
	notes = calloc(1, sizeof(*notes));
	if (!notes)
		return sap_err_nomem(err);
	if (sqlite3_open_v2(":memory:", &notes->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(notes->db, package_sql, -1, &notes->package, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(notes->db, dlopen_sql, -1, &notes->dlopen, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(notes->db, node_sql, -1, &notes->node, NULL) != SQLITE_OK) {
		sap_err_set(err, SAP_EUNSUPPORTED, "SQLite cannot read JSON: %s",
			    notes->db ? sqlite3_errmsg(notes->db) : "out of memory");
		sap_notes_free(notes);
		return SAP_EUNSUPPORTED;
	}
	*out = notes;
	return 0;
}

/* A text column into the arena; anything but text is absent. */
static bool column(sqlite3_stmt *stmt, int i, struct sap_arena *arena, struct sap_str *out)
{
	const struct sap_str text = { (const char *)sqlite3_column_text(stmt, i),
				      (size_t)sqlite3_column_bytes(stmt, i) };

	if (sqlite3_column_type(stmt, i) != SQLITE_TEXT || text.n > SAP_ELF_NAME_MAX)
		return true;
	return sap_arena_str(arena, text, out);
}

/*
 * SQLite's JSON of some versions (3.40 is one) takes an object for the key of an object and
 * stumbles over it later. Whether keys are texts is all that is looked at here. The forms of
 * notes nest three deep, package.json may nest deeper, and SQLite's limit lies beyond a
 * thousand.
 */
static bool keys_are_texts(struct sap_str json)
{
	enum { DEPTH = 512 };
	char open[DEPTH];
	unsigned depth = 0;
	bool in_text = false, key_next = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (in_text) {
			i += c == '\\';
			in_text = c != '"';
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			continue;
		if (key_next && c != '"' && c != '}')
			return false;
		key_next = c == '{' || (c == ',' && depth && open[depth - 1] == '{');
		in_text = c == '"';
		if ((c == '{' || c == '[') && depth == DEPTH)
			return false;
		if (c == '{' || c == '[')
			open[depth++] = c;
		else if ((c == '}' || c == ']') && depth)
			depth--;
	}
	return true;
}

static int bind(sqlite3_stmt *stmt, struct sap_str json, struct sap_err *err)
{
	sqlite3_reset(stmt);
	if (sqlite3_bind_text64(stmt, 1, json.p ? json.p : "", json.n, SQLITE_STATIC,
				SQLITE_UTF8) != SQLITE_OK)
		return sap_err_nomem(err);
	return 0;
}

int sap_notes_package(struct sap_notes **notes, struct sap_str json, struct sap_arena *arena,
		      struct sap_rec_package_note *out, struct sap_err *fault, struct sap_err *err)
{
	struct sap_str *const to[] = { &out->type,    &out->name,
				       &out->version, &out->arch,
				       &out->os,      &out->os_version,
				       &out->cpe,     &out->debug_info_url };
	sqlite3_stmt *stmt;
	struct sap_str type = { 0 };
	int r = open_notes(notes, err);

	fault->code = SAP_OK;
	if (r == 0 && !keys_are_texts(json)) {
		sap_err_set(fault, SAP_EFORMAT, "the package note holds no JSON object");
		return 0;
	}
	if (r < 0)
		return r;
	stmt = (*notes)->package;
	r = bind(stmt, json, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW && column(stmt, 0, arena, &type) &&
	    sap_str_is(type, "object")) {
		for (int i = 0; r == 0 && i < (int)(sizeof(to) / sizeof(to[0])); i++) {
			if (!column(stmt, i + 1, arena, to[i]))
				r = sap_err_nomem(err);
		}
	} else {
		sap_err_set(fault, SAP_EFORMAT, "the package note holds no JSON object");
	}
	sqlite3_reset(stmt);
	return r;
}

int sap_notes_node(struct sap_notes **notes, struct sap_str json, struct sap_arena *arena,
		   struct sap_str *name, struct sap_str *version, struct sap_err *fault,
		   struct sap_err *err)
{
	const struct sap_str bom = SAP_STR("\xef\xbb\xbf");
	struct sap_str type = { 0 };
	sqlite3_stmt *stmt;
	int r = open_notes(notes, err);

	if (r < 0)
		return r;
	fault->code = SAP_OK;
	*name = *version = (struct sap_str){ 0 };
	if (sap_str_starts(json, bom)) /* npm takes it */
		json = sap_str_skip(json, bom.n);
	if (!keys_are_texts(json)) {
		sap_err_set(fault, SAP_EFORMAT, "no JSON object");
		return 0;
	}
	stmt = (*notes)->node;
	r = bind(stmt, json, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW && column(stmt, 0, arena, &type) &&
	    sap_str_is(type, "object")) {
		if (!column(stmt, 1, arena, name) || !column(stmt, 2, arena, version))
			r = sap_err_nomem(err);
	} else {
		sap_err_set(fault, SAP_EFORMAT, "no JSON object");
	}
	sqlite3_reset(stmt);
	return r;
}

typedef SAP_VEC(struct sap_rec_dlopen_note) note_vec;
typedef SAP_VEC(struct sap_str) soname_vec;

/* Ends the entry at hand: its sonames become its own. */
static int end_entry(note_vec *list, soname_vec *sonames, struct sap_arena *arena,
		     struct sap_err *err)
{
	struct sap_str *v;

	if (list->n == 0 || sonames->n == 0)
		return 0;
	v = sap_arena_array(arena, sonames->n, sizeof(*v));
	if (!v)
		return sap_err_nomem(err);
	memcpy(v, sonames->v, sonames->n * sizeof(*v));
	list->v[list->n - 1].sonames = (struct sap_strs){ v, (uint32_t)sonames->n };
	sonames->n = 0;
	return 0;
}

static int read_rows(sqlite3_stmt *stmt, note_vec *list, soname_vec *sonames,
		     struct sap_arena *arena, struct sap_err *fault, struct sap_err *err)
{
	sqlite3_int64 key = -1;
	bool first = true;
	int r, step;

	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sap_str *soname;

		if (first || sqlite3_column_int64(stmt, 0) != key) {
			struct sap_rec_dlopen_note *note;

			r = end_entry(list, sonames, arena, err);
			if (r < 0)
				return r;
			note = SAP_VEC_PUSH(list, SAP_ELF_STRINGS_MAX);
			if (!note) {
				sap_err_set(fault, SAP_ELIMIT, "more than %u dlopen notes",
					    SAP_ELF_STRINGS_MAX);
				return 0;
			}
			if (!column(stmt, 1, arena, &note->feature) ||
			    !column(stmt, 2, arena, &note->description) ||
			    !column(stmt, 3, arena, &note->priority))
				return sap_err_nomem(err);
			key = sqlite3_column_int64(stmt, 0);
			first = false;
		}
		soname = SAP_VEC_PUSH(sonames, SAP_ELF_STRINGS_MAX);
		if (soname && !column(stmt, 4, arena, soname))
			return sap_err_nomem(err);
	}
	if (step != SQLITE_DONE)
		sap_err_set(fault, SAP_EFORMAT, "a dlopen note holds no JSON of its form");
	return end_entry(list, sonames, arena, err);
}

int sap_notes_dlopen(struct sap_notes **notes, struct sap_strs json, struct sap_arena *arena,
		     struct sap_rec_object *rec, struct sap_err *fault, struct sap_err *err)
{
	note_vec list = { 0 };
	soname_vec sonames = { 0 };
	struct sap_rec_dlopen_note *v = NULL;
	int r = open_notes(notes, err);

	fault->code = SAP_OK;
	for (uint32_t i = 0; r == 0 && i < json.n; i++) {
		sqlite3_stmt *stmt = (*notes)->dlopen;

		if (!keys_are_texts(json.v[i])) {
			sap_err_set(fault, SAP_EFORMAT, "a dlopen note holds no JSON of its form");
			continue;
		}
		r = bind(stmt, json.v[i], err);
		if (r == 0)
			r = read_rows(stmt, &list, &sonames, arena, fault, err);
		sqlite3_reset(stmt);
	}
	if (r == 0 && list.n) {
		v = sap_arena_array(arena, list.n, sizeof(*v));
		if (v)
			memcpy(v, list.v, list.n * sizeof(*v));
		else
			r = sap_err_nomem(err);
	}
	if (v) {
		rec->dlopen_notes = v;
		rec->n_dlopen_notes = (uint32_t)list.n;
	}
	sap_vec_clear(&list);
	sap_vec_clear(&sonames);
	return r;
}
