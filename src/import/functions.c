/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of vulnerable functions: fields separated by TAB, named by a line that begins with '#'.
 *
 *     what it is        names that are understood
 *     identifier        cve_or_osv_id, osv_id, cve, id
 *     other names       aliases (separated by commas)
 *     project           project, crate, module
 *     package           package: of Go; stands before the function's name
 *     function          function, symbol
 *     file              source_file, file
 *     kind              kind: M changed by the fix, D removed, A added, HOOK taken over by
 *                       malicious code. Without it: M, the advisory itself names the function
 *     basis             source_data_set, basis
 *
 * Other columns are not read; other lines with '#' are comments. A row whose identifier is no CVE
 * but has CVEs among its other names is a row for each of these, as that is what findings go by.
 * The source is "functions/" and the file's name without its end, replaced as a whole.
 */
#include <stdlib.h>

#include "import/import_int.h"
#include "import/lists_int.h"

enum column {
	COLUMN_ID,
	COLUMN_ALIASES,
	COLUMN_PROJECT,
	COLUMN_PACKAGE,
	COLUMN_FUNCTION,
	COLUMN_FILE,
	COLUMN_KIND,
	COLUMN_BASIS,
	COLUMNS
};

static const char *const column_names[COLUMNS][5] = {
	[COLUMN_ID] = { "cve_or_osv_id", "osv_id", "cve", "id" },
	[COLUMN_ALIASES] = { "aliases" },
	[COLUMN_PROJECT] = { "project", "crate", "module" },
	[COLUMN_PACKAGE] = { "package" },
	[COLUMN_FUNCTION] = { "function", "symbol" },
	[COLUMN_FILE] = { "source_file", "file" },
	[COLUMN_KIND] = { "kind" },
	[COLUMN_BASIS] = { "source_data_set", "basis" },
};

#define FIELDS_MAX 32u

struct functions {
	int column[FIELDS_MAX]; /* of each field; -1: not read */
	bool header;
	struct sap_buf last; /* the row before, to leave out repetitions */
	struct sap_buf now;
};

static int column_of(struct sap_str name)
{
	for (int c = 0; c < COLUMNS; c++) {
		for (int i = 0; column_names[c][i]; i++) {
			if (sap_str_eq(name, sap_str_of(column_names[c][i])))
				return c;
		}
	}
	return -1;
}

/* Reads "#id<TAB>project<TAB>function". False: the line is no such header; *state is then as
 * before. */
static bool read_header(struct sap_str line, int column[FIELDS_MAX])
{
	struct sap_str field;
	int found[FIELDS_MAX];
	unsigned seen = 0;

	if (line.n == 0 || line.p[0] != '#' || !memchr(line.p, '\t', line.n))
		return false;
	line = sap_str_skip(line, 1);
	for (unsigned i = 0; i < FIELDS_MAX; i++) {
		bool more = sap_str_cut(line, '\t', &field, &line);

		found[i] = column_of(sap_str_trim(field));
		if (found[i] >= 0)
			seen |= 1u << found[i];
		if (!more)
			line = (struct sap_str){ 0 };
	}
	if (!(seen & 1u << COLUMN_ID) || !(seen & 1u << COLUMN_PROJECT) ||
	    !(seen & 1u << COLUMN_FUNCTION))
		return false;
	memcpy(column, found, sizeof(found));
	return true;
}

static bool recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line;
	int column[FIELDS_MAX];

	if (head->json)
		return false;
	while (sap_str_line(&text, &line)) {
		line = sap_list_line(line, 0);
		if (line.n == 0)
			continue;
		if (line.p[0] != '#')
			return false;
		if (read_header(line, column))
			return true;
	}
	return false;
}

static int begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	struct functions *state = calloc(1, sizeof(*state));

	(void)head;
	if (!state)
		return sap_err_nomem(err);
	sap_buf_init(&state->last, SAP_IMPORT_LINE_MAX);
	sap_buf_init(&state->now, SAP_IMPORT_LINE_MAX);
	im->state = state;
	return 0;
}

static void end(struct sap_import *im)
{
	struct functions *state = im->state;

	if (state) {
		sap_buf_clear(&state->last);
		sap_buf_clear(&state->now);
	}
	free(state);
	im->state = NULL;
}

static bool kind_ok(struct sap_str kind)
{
	return sap_str_is(kind, "M") || sap_str_is(kind, "D") || sap_str_is(kind, "A") ||
	       sap_str_is(kind, "HOOK");
}

/* "cve-function" of "native/cve-function.tsv"; "table" where there is no name. */
static struct sap_str source_name(struct sap_str name)
{
	struct sap_str base = sap_path_base(name);
	size_t n = 0;

	while (n < base.n && base.p[n] != '.')
		n++;
	return n > 0 && n <= 200 ? (struct sap_str){ base.p, n } : SAP_STR("table");
}

static void write_function(struct sap_import *im, struct sap_str id,
			   const struct sap_str v[COLUMNS])
{
	struct sap_rows *rows = im->rows;
	struct sap_str basis = v[COLUMN_BASIS], item;

	sap_rows_begin(rows, SAP_ROW_FUNCTION);
	sap_rows_arg(rows, id);
	sap_rows_arg(rows, v[COLUMN_PROJECT]);
	sap_rows_arg(rows, v[COLUMN_FUNCTION]);
	sap_rows_attr(rows, "kind", v[COLUMN_KIND].n > 0 ? v[COLUMN_KIND] : SAP_STR("M"));
	sap_rows_attr(rows, "file", v[COLUMN_FILE]);
	sap_rows_list_begin(rows, "basis");
	while (basis.n > 0) {
		sap_str_cut(basis, ',', &item, &basis);
		sap_rows_list_item(rows, sap_str_trim(item));
	}
	sap_rows_list_end(rows);
	sap_rows_done(rows);
}

/* The row under every name that findings go by. */
static void write_all(struct sap_import *im, const struct sap_str v[COLUMNS])
{
	struct sap_str aliases = v[COLUMN_ALIASES], name;
	bool written = false;

	while (sap_id_kind(v[COLUMN_ID]) != SAP_ID_CVE && aliases.n > 0) {
		sap_str_cut(aliases, ',', &name, &aliases);
		name = sap_str_trim(name);
		if (sap_id_kind(name) != SAP_ID_CVE)
			continue;
		write_function(im, name, v);
		written = true;
	}
	if (!written)
		write_function(im, v[COLUMN_ID], v);
}

/* Whether the row says what the one before said; commits are not read, so that tables sorted
 * by function have such rows. */
static bool repeated(struct functions *state, const struct sap_str v[COLUMNS])
{
	struct sap_buf was;
	bool same;

	sap_buf_reset(&state->now);
	for (int c = 0; c < COLUMNS; c++) {
		sap_buf_puts(&state->now, v[c]);
		sap_buf_putc(&state->now, '\t');
	}
	same = sap_buf_ok(&state->now) && sap_buf_ok(&state->last) &&
	       sap_str_eq(sap_buf_str(&state->now), sap_buf_str(&state->last));
	was = state->last;
	state->last = state->now;
	state->now = was;
	return same;
}

/* Go's symbols are named by their package. */
static bool join_package(struct sap_arena *arena, struct sap_str v[COLUMNS])
{
	size_t a = v[COLUMN_PACKAGE].n, b = v[COLUMN_FUNCTION].n;
	char *p;

	if (a == 0)
		return true;
	p = sap_arena_alloc(arena, a + 1 + b);
	if (!p)
		return false;
	memcpy(p, v[COLUMN_PACKAGE].p, a);
	p[a] = '.';
	memcpy(p + a + 1, v[COLUMN_FUNCTION].p, b);
	v[COLUMN_FUNCTION] = (struct sap_str){ p, a + 1 + b };
	return true;
}

static int on_line(struct sap_import *im, struct sap_str line, uint64_t number, struct sap_err *err)
{
	struct functions *state = im->state;
	struct sap_str v[COLUMNS] = { 0 }, field;
	const char *wrong = NULL;
	enum sap_id_kind kind;

	line = sap_list_line(line, number);
	if (line.n == 0)
		return 0;
	if (line.p[0] == '#') {
		if (read_header(line, state->column))
			state->header = true;
		return 0;
	}
	for (unsigned i = 0; i < FIELDS_MAX && line.n > 0; i++) {
		sap_str_cut(line, '\t', &field, &line);
		if (state->header && state->column[i] >= 0)
			v[state->column[i]] = sap_str_trim(field);
	}
	kind = sap_id_kind(v[COLUMN_ID]);
	if (!state->header)
		wrong = "no line with '#' names the columns before this one";
	else if (kind != SAP_ID_CVE && kind != SAP_ID_WEAKNESS)
		wrong = "no identifier of a vulnerability in its column";
	else if (v[COLUMN_PROJECT].n == 0 || v[COLUMN_FUNCTION].n == 0)
		wrong = "no project or no function";
	else if (v[COLUMN_KIND].n > 0 && !kind_ok(v[COLUMN_KIND]))
		wrong = "the kind is none of M, D, A, HOOK";
	if (wrong) {
		sap_list_problem(im, number, "%s", wrong);
		return 0;
	}
	if (!join_package(im->arena, v))
		return sap_err_nomem(err);
	if (repeated(state, v))
		return 0;
	sap_import_source(im, "functions", source_name(im->name), (struct sap_str){ 0 }, "replace");
	write_all(im, v);
	return 0;
}

const struct sap_import_format sap_format_functions = {
	.name = "functions",
	.recognise = recognise,
	.begin = begin,
	.line = on_line,
	.end = end,
};
