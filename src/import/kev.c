/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CISA's catalogue of known exploited vulnerabilities, as JSON
 *
 *     { "catalogVersion": ..., "dateReleased": "2025-08-25T17:04:19.9796Z", "vulnerabilities":
 *       [ { "cveID", "dateAdded", "dueDate", "knownRansomwareCampaignUse": "Known" } ] }
 *
 * and as CSV with the same names in its first line. The CSV does not say when it was published;
 * its newest entry stands first, whose dateAdded is taken. Source "kev/CISA", replaced as a
 * whole.
 */
#include <stdlib.h>

#include "import/csv.h"
#include "import/import_int.h"
#include "import/lists_int.h"

static void write_kev(struct sap_import *im, struct sap_str id, struct sap_str added,
		      struct sap_str due, struct sap_str ransomware)
{
	struct sap_rows *rows = im->rows;

	sap_rows_begin(rows, SAP_ROW_KEV);
	sap_rows_arg(rows, id);
	sap_rows_attr(rows, "added", sap_list_date(im->arena, added));
	sap_rows_attr(rows, "due", sap_list_date(im->arena, due));
	if (sap_str_is(ransomware, "Known"))
		sap_rows_attr(rows, "ransomware", SAP_STR("yes"));
	sap_rows_done(rows);
}

/* ---- JSON ------------------------------------------------------------------------------- */

static bool json_recognise(const struct sap_import_head *head)
{
	return head->json && !head->json_array && sap_import_head_has(head, "catalogVersion") &&
	       sap_import_head_has(head, "vulnerabilities");
}

static int json_record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *list = sap_json_get(value, "vulnerabilities");
	uint64_t number = 0;

	(void)err;
	if (!sap_json_is(list, SAP_JSON_ARRAY)) {
		sap_import_problem(im, "no list \"vulnerabilities\"");
		return 0;
	}
	sap_import_source(im, "kev", SAP_STR("CISA"),
			  sap_list_date(im->arena, sap_json_text(value, "dateReleased")),
			  "replace");
	for (const struct sap_json *m = list->first; m; m = m->next) {
		struct sap_str id = sap_json_text(m, "cveID");

		number++;
		if (sap_id_kind(id) == SAP_ID_CVE)
			write_kev(im, id, sap_json_text(m, "dateAdded"),
				  sap_json_text(m, "dueDate"),
				  sap_json_text(m, "knownRansomwareCampaignUse"));
		else
			sap_import_problem(im, "vulnerability %llu has no valid cveID",
					   (unsigned long long)number);
	}
	return 0;
}

static const char *const skip[] = { "shortDescription", "requiredAction", "notes", "cwes", NULL };

const struct sap_import_format sap_format_kev_json = {
	.name = "kev-json",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.skip = skip,
	.recognise = json_recognise,
	.record = json_record,
};

/* ---- CSV -------------------------------------------------------------------------------- */

enum column { COLUMN_ID, COLUMN_ADDED, COLUMN_DUE, COLUMN_RANSOMWARE, COLUMNS };

static const struct sap_str column_names[COLUMNS] = {
	[COLUMN_ID] = SAP_STR_INIT("cveID"),
	[COLUMN_ADDED] = SAP_STR_INIT("dateAdded"),
	[COLUMN_DUE] = SAP_STR_INIT("dueDate"),
	[COLUMN_RANSOMWARE] = SAP_STR_INIT("knownRansomwareCampaignUse"),
};

struct kev {
	struct sap_csv csv;
	size_t at[COLUMNS]; /* SIZE_MAX: there is no such column */
	bool begun;         /* the header was read */
	uint64_t last;      /* number of the last line */
};

/* Finds the columns. False: this is no header of the catalogue. */
static bool read_header(struct kev *state)
{
	for (int c = 0; c < COLUMNS; c++) {
		state->at[c] = SIZE_MAX;
		for (size_t i = 0; i < state->csv.fields.n; i++) {
			if (sap_str_eq(sap_str_trim(sap_csv_field(&state->csv, i)),
				       column_names[c]))
				state->at[c] = i;
		}
	}
	return state->at[COLUMN_ID] != SIZE_MAX && state->at[COLUMN_ADDED] != SIZE_MAX;
}

static bool csv_recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line;
	struct kev state = { 0 };
	bool is = false;

	if (head->json || !sap_str_line(&text, &line))
		return false;
	sap_csv_init(&state.csv, ',');
	is = sap_csv_line(&state.csv, line, 1, NULL) == 1 && read_header(&state);
	sap_csv_clear(&state.csv);
	return is;
}

static int csv_begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	struct kev *state = calloc(1, sizeof(*state));

	(void)head;
	if (!state)
		return sap_err_nomem(err);
	sap_csv_init(&state->csv, ',');
	im->state = state;
	return 0;
}

static void csv_row(struct sap_import *im, struct kev *state)
{
	struct sap_str v[COLUMNS];

	for (int c = 0; c < COLUMNS; c++)
		v[c] = sap_str_trim(sap_csv_field(&state->csv, state->at[c]));
	if (sap_id_kind(v[COLUMN_ID]) != SAP_ID_CVE) {
		sap_list_problem(im, state->csv.line, "no valid cveID: \"%.*s\"",
				 (int)(v[COLUMN_ID].n > 80 ? 80 : v[COLUMN_ID].n),
				 v[COLUMN_ID].p ? v[COLUMN_ID].p : "");
		return;
	}
	sap_import_source(im, "kev", SAP_STR("CISA"), sap_list_date(im->arena, v[COLUMN_ADDED]),
			  "replace");
	write_kev(im, v[COLUMN_ID], v[COLUMN_ADDED], v[COLUMN_DUE], v[COLUMN_RANSOMWARE]);
}

static int csv_line(struct sap_import *im, struct sap_str line, uint64_t number,
		    struct sap_err *err)
{
	struct kev *state = im->state;
	struct sap_err why;
	int rc;

	line = sap_list_line(line, number);
	state->last = number;
	if (line.n == 0 && !state->csv.open)
		return 0;
	rc = sap_csv_line(&state->csv, line, number, &why);
	if (rc == SAP_ELIMIT) {
		sap_list_problem(im, state->csv.line, "%s; lines up to %llu are lost", why.text,
				 (unsigned long long)number);
		return 0;
	}
	if (rc < 0)
		return sap_err_nomem(err);
	if (rc == 0)
		return 0;
	if (state->begun) {
		csv_row(im, state);
		return 0;
	}
	state->begun = true;
	return read_header(state) ? 0
				  : sap_err_format(err, 0, "the first line names no column cveID");
}

static int csv_finish(struct sap_import *im, struct sap_err *err)
{
	struct kev *state = im->state;

	(void)err;
	if (state->csv.open)
		sap_list_problem(im, state->csv.line,
				 "quotes that begin here do not end; lines up to %llu are lost",
				 (unsigned long long)state->last);
	return 0;
}

static void csv_end(struct sap_import *im)
{
	struct kev *state = im->state;

	if (state)
		sap_csv_clear(&state->csv);
	free(state);
	im->state = NULL;
}

const struct sap_import_format sap_format_kev_csv = {
	.name = "kev-csv",
	.recognise = csv_recognise,
	.begin = csv_begin,
	.line = csv_line,
	.finish = csv_finish,
	.end = csv_end,
};
