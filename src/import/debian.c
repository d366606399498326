/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of Debian's security tracker (data/DSA/list, data/DLA/list, data/CVE/list).
 *
 *     [12 Feb 2025] DSA-5865-1 webkit2gtk - security update     entry of DSA/list, DLA/list
 *     CVE-2024-10041 (A vulnerability was found in PAM ...)     entry of CVE/list
 *     CVE-2024-XXXX [description]                               ... without a name so far
 *     <TAB>{CVE-2025-24143 CVE-2025-24150}                      vulnerabilities; in CVE/list
 *                                                               advisories, which are noted
 *     <TAB>[bookworm] - webkit2gtk 2.46.6-1~deb12u1 (notes)     a statement about a release
 *     <TAB>- pam 1.7.0-2 (bug #1086038; low)                    ... about unstable
 *     <TAB>NOTE: TODO: RESERVED REJECTED NOT-FOR-US:            not statements
 *
 * What becomes of a statement (release lines: space "Debian:12"; unstable: "Debian", which
 * speaks for every release without a statement of its own; experimental and backports: nothing):
 *
 *     version              affected introduced=0 fixed=VERSION
 *     <unfixed>            affected introduced=0
 *     <removed>            affected introduced=0 reason=removed
 *     <not-affected>       not-affected
 *     <undetermined>       under-investigation
 *     <no-dsa> <ignored> <postponed> <end-of-life>   unfixed reason=...
 *     <itp>                nothing: the package is not in Debian
 *
 * Notes "low", "medium", "high", "unimportant" are the severity; "unimportant" without a
 * version is unfixed reason=unimportant. A record of DSA/list is named by its id and covers its
 * CVEs; one of CVE/list is named by its CVE, or like the tracker's web pages do it (TEMP-...).
 * Entries without a statement about a package (most are NOT-FOR-US or RESERVED) and REJECTED
 * ones give no record: nothing could match them, and the source is replaced as a whole. The
 * lists of advisories are published in parts, so these merge; no list says its date, the
 * newest entry's is taken by the store.
 */
#include <stdlib.h>

#include "import/import_int.h"
#include "import/lists_int.h"

struct debian {
	struct sap_entry entry;
	int (*parse)(struct sap_import *im, struct sap_str text, uint64_t line,
		     struct sap_err *err);
	bool stopped; /* "STOP:" was seen */
};

struct statement {
	struct sap_str release, source, what, notes;
};

/* ---- statements ------------------------------------------------------------------------- */

/* "[release] - source what notes"; NULL or what is wrong with it. */
static const char *statement_parse(struct sap_str line, struct statement *out)
{
	struct sap_str rest = line, dash;
	size_t n;

	*out = (struct statement){ 0 };
	if (rest.p[0] == '[') {
		if (!sap_str_cut(sap_str_skip(rest, 1), ']', &out->release, &rest))
			return "a release without its ']'";
		out->release = sap_str_trim(out->release);
		if (out->release.n == 0)
			return "a release without a name";
	}
	if (!sap_str_word(&rest, &dash) || !sap_str_is(dash, "-"))
		return "no '-' before the package";
	if (!sap_str_word(&rest, &out->source) || !sap_list_name_ok(out->source))
		return "no name of a package";
	rest = sap_str_trim(rest);
	if (rest.n == 0 || rest.p[0] == '(')
		return "neither a version nor a status";
	if (rest.p[0] != '<') {
		sap_str_word(&rest, &out->what);
		out->notes = rest;
		return sap_list_version_ok(out->what) ? NULL : "no valid version";
	}
	for (n = 0; n < rest.n && rest.p[n] != '>'; n++)
		;
	if (n == rest.n)
		return "a status without its '>'";
	out->what = (struct sap_str){ rest.p, n + 1 };
	out->notes = sap_str_skip(rest, n + 1);
	return NULL;
}

/* Takes the next part off notes: "(a; b) (c)" has three. */
static bool note_next(struct sap_str *notes, struct sap_str *note)
{
	while (notes->n > 0) {
		size_t n = 0;

		while (n < notes->n && !memchr("();", notes->p[n], 3))
			n++;
		*note = sap_str_trim((struct sap_str){ notes->p, n });
		*notes = sap_str_skip(*notes, n + 1);
		if (note->n > 0)
			return true;
	}
	return false;
}

static const char *urgency(struct sap_str notes)
{
	static const char *const words[] = { "unimportant", "low", "medium", "high" };
	struct sap_str note;

	while (note_next(&notes, &note)) {
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (sap_str_eq(note, sap_str_of(words[i])))
				return words[i];
		}
	}
	return NULL;
}

/* The number in "bug #123"; 0: none. */
static uint64_t bug_number(struct sap_str notes)
{
	struct sap_str note;
	uint64_t bug;

	while (note_next(&notes, &note)) {
		if (sap_str_starts(note, SAP_STR("bug #")) &&
		    sap_str_u64(sap_str_skip(note, 5), &bug))
			return bug;
	}
	return 0;
}

struct meaning {
	struct sap_str what;
	const char *status, *reason; /* status NULL: no statement about vulnerability */
};

static const struct meaning meanings[] = {
	{ SAP_STR_INIT("<not-affected>"), "not-affected", NULL },
	{ SAP_STR_INIT("<unfixed>"), "affected", NULL },
	{ SAP_STR_INIT("<removed>"), "affected", "removed" },
	{ SAP_STR_INIT("<undetermined>"), "under-investigation", NULL },
	{ SAP_STR_INIT("<no-dsa>"), "unfixed", "no-dsa" },
	{ SAP_STR_INIT("<ignored>"), "unfixed", "ignored" },
	{ SAP_STR_INIT("<postponed>"), "unfixed", "postponed" },
	{ SAP_STR_INIT("<end-of-life>"), "unfixed", "end-of-life" },
	{ SAP_STR_INIT("<unimportant>"), "unfixed", "unimportant" },
	{ SAP_STR_INIT("<itp>"), NULL, NULL },
};

/* What a statement says, without its space. False: it was a problem, or says nothing. */
static bool statement_claim(struct sap_import *im, uint64_t line, const struct statement *st,
			    struct sap_list_claim *out)
{
	const char *word = urgency(st->notes);
	bool unimportant = word && strcmp(word, "unimportant") == 0;

	*out = (struct sap_list_claim){ .status = "affected", .package = st->source };
	out->severity = word ? sap_list_severity(sap_str_of(word)) : NULL;
	if (st->what.p[0] != '<') {
		out->fixed = st->what;
		return true;
	}
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		const struct meaning *m = &meanings[i];

		if (!sap_str_eq(m->what, st->what))
			continue;
		out->status = m->status;
		out->reason = m->reason;
		if (m->status && unimportant && strcmp(m->status, "affected") == 0) {
			out->status = "unfixed";
			out->reason = "unimportant";
		}
		return m->status != NULL;
	}
	sap_list_problem(im, line, "the status \"%.*s\" is not known", SAP_FMT(st->what));
	return false;
}

/* A line's statement as a claim. False: it was a problem, or says nothing. */
static bool line_claim(struct sap_import *im, struct sap_str line, uint64_t number,
		       struct sap_list_claim *out)
{
	struct statement st;
	const char *wrong = statement_parse(line, &st);
	struct sap_str space;

	if (wrong) {
		sap_list_problem(im, number, "%s: \"%.*s\"", wrong,
				 (int)(line.n > 120 ? 120 : line.n), line.p);
		return false;
	}
	switch (sap_debian_space(st.release, &space)) {
	case SAP_CODENAME_RELEASE:
		break;
	case SAP_CODENAME_NONE:
		return false;
	default:
		sap_list_problem(im, number, "the release \"%.*s\" is not known",
				 SAP_FMT(st.release));
		return false;
	}
	if (!statement_claim(im, number, &st, out))
		return false;
	out->space = space;
	return true;
}

/* ---- an entry --------------------------------------------------------------------------- */

struct claims {
	SAP_VEC(struct sap_list_claim) list;
	uint64_t bug; /* the first one named */
	bool rejected;
};

static bool is_statement(struct sap_str line)
{
	return line.p[0] == '[' || (line.p[0] == '-' && (line.n == 1 || line.p[1] <= ' '));
}

static bool is_remark(struct sap_str line)
{
	static const char *const heads[] = { "NOTE", "TODO", "RESERVED", "NOT-FOR-US", "NFU" };

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (sap_str_starts(line, sap_str_of(heads[i])))
			return true;
	}
	return false;
}

/* The next name in "{CVE-2025-24143 CVE-2025-24150}"; *line is what is left of it. */
static bool name_next(struct sap_str *line, struct sap_str *name)
{
	while (line->n > 0 && (line->p[0] == '{' || line->p[0] == '}'))
		*line = sap_str_skip(*line, 1);
	if (!sap_str_word(line, name))
		return false;
	sap_str_cut(*name, '}', name, &(struct sap_str){ 0 });
	return name->n > 0;
}

static void check_names(struct sap_import *im, struct sap_str line, uint64_t number)
{
	struct sap_str name;

	while (name_next(&line, &name)) {
		/* CERT's names stand in old entries. */
		if (sap_id_kind(name) == SAP_ID_NONE && !sap_str_starts(name, SAP_STR("VU#")))
			sap_list_problem(im, number, "\"%.*s\" is no name that is known",
					 (int)(name.n > 120 ? 120 : name.n), name.p);
	}
}

/* Reads all lines of an entry behind its first. */
static int entry_read(struct sap_import *im, struct sap_str rest, uint64_t number,
		      struct claims *out, struct sap_err *err)
{
	struct sap_str line;
	struct sap_list_claim claim, *kept;

	for (; sap_str_line(&rest, &line); number++) {
		line = sap_str_trim(line);
		if (line.n == 0)
			continue;
		if (line.p[0] == '{') {
			check_names(im, line, number);
		} else if (is_statement(line)) {
			if (out->bug == 0)
				out->bug = bug_number(line);
			if (!line_claim(im, line, number, &claim))
				continue;
			kept = SAP_VEC_PUSH(&out->list, SAP_CLAIMS_MAX);
			if (!kept && out->list.n < SAP_CLAIMS_MAX)
				return sap_err_nomem(err);
			if (!kept) {
				sap_list_problem(im, number, "more than %u statements",
						 SAP_CLAIMS_MAX);
				return 0;
			}
			*kept = claim;
		} else if (sap_str_starts(line, SAP_STR("REJECTED"))) {
			out->rejected = true;
		} else if (!is_remark(line)) {
			sap_list_problem(im, number, "a line of no known kind: \"%.*s\"",
					 (int)(line.n > 120 ? 120 : line.n), line.p);
		}
	}
	return 0;
}

/* The names in {} lines as an attribute: vulnerabilities, or all that are none. */
static void entry_names(struct sap_rows *rows, struct sap_str rest, const char *key,
			bool vulnerabilities)
{
	struct sap_str line, word;

	sap_rows_list_begin(rows, key);
	while (sap_str_line(&rest, &line)) {
		line = sap_str_trim(line);
		if (line.n == 0 || line.p[0] != '{')
			continue;
		while (name_next(&line, &word)) {
			enum sap_id_kind kind = sap_id_kind(word);

			if ((kind == SAP_ID_CVE || kind == SAP_ID_WEAKNESS) == vulnerabilities)
				sap_rows_list_item(rows, word);
		}
	}
	sap_rows_list_end(rows);
}

static void write_record(struct sap_import *im, struct sap_str id, struct sap_str date,
			 struct sap_str lines, const struct claims *claims)
{
	struct sap_rows *rows = im->rows;

	sap_rows_begin(rows, SAP_ROW_RECORD);
	sap_rows_arg(rows, id);
	if (date.n > 0) {
		sap_rows_attr(rows, "modified", date);
		sap_rows_attr(rows, "published", date);
		entry_names(rows, lines, "covers", true);
	}
	entry_names(rows, lines, "related", false);
	sap_rows_done(rows);
	for (size_t i = 0; i < claims->list.n; i++)
		sap_list_claim(rows, &claims->list.v[i]);
}

/* ---- DSA/list, DLA/list ----------------------------------------------------------------- */

/* "12 Feb 2025" to "2025-02-12". */
static bool parse_date(struct sap_str s, char out[11])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct sap_str day, month, year;
	unsigned number = 0;

	if (!sap_str_word(&s, &day) || !sap_str_word(&s, &month) || !sap_str_word(&s, &year) ||
	    sap_str_trim(s).n > 0 || month.n != 3 || year.n != 4 || !sap_list_digits(year, 0, 4) ||
	    day.n == 0 || day.n > 2 || !sap_list_digits(day, 0, day.n))
		return false;
	for (unsigned i = 0; i < 12; i++) {
		if (memcmp(months + 3 * (size_t)i, month.p, 3) == 0)
			number = i + 1;
	}
	if (number == 0)
		return false;
	memcpy(out, year.p, 4);
	out[4] = out[7] = '-';
	out[5] = (char)('0' + number / 10);
	out[6] = (char)('0' + number % 10);
	out[8] = day.n == 2 ? day.p[0] : '0';
	out[9] = day.p[day.n - 1];
	out[10] = '\0';
	return true;
}

/* "[12 Feb 2025] DSA-5865-1 ..." */
static bool dsa_header(struct sap_str line, char date[11], struct sap_str *id)
{
	struct sap_str when;

	if (line.n == 0 || line.p[0] != '[' ||
	    !sap_str_cut(sap_str_skip(line, 1), ']', &when, &line) || !parse_date(when, date) ||
	    !sap_str_word(&line, id))
		return false;
	return (sap_str_starts(*id, SAP_STR("DSA-")) || sap_str_starts(*id, SAP_STR("DLA-")) ||
		sap_str_starts(*id, SAP_STR("ELA-")) || sap_str_starts(*id, SAP_STR("DTSA-"))) &&
	       sap_id_kind(*id) == SAP_ID_BUNDLE;
}

static const char *dsa_kind(struct sap_str id)
{
	switch (id.p[1]) {
	case 'S':
		return "debian-dsa";
	case 'T':
		return "debian-dtsa";
	default:
		return id.p[0] == 'E' ? "debian-ela" : "debian-dla";
	}
}

static int dsa_entry(struct sap_import *im, struct sap_str text, uint64_t number,
		     struct sap_err *err)
{
	struct claims claims = { 0 };
	struct sap_str head, id;
	char date[11];
	int rc;

	sap_str_line(&text, &head);
	if (!dsa_header(head, date, &id)) {
		sap_list_problem(im, number, "an entry that is no \"[date] DSA-number\": \"%.*s\"",
				 (int)(head.n > 120 ? 120 : head.n), head.p);
		return 0;
	}
	rc = entry_read(im, text, number + 1, &claims, err);
	if (rc == 0) {
		/* Updates of the extended LTS are no part of Debian's archive. */
		for (size_t i = 0; id.p[0] == 'E' && i < claims.list.n; i++)
			claims.list.v[i].not_offered = claims.list.v[i].fixed.n > 0;
		sap_import_source(im, dsa_kind(id), SAP_STR("Debian"), (struct sap_str){ 0 },
				  "merge");
		write_record(im, id, sap_str_of(date), text, &claims);
	}
	sap_vec_clear(&claims.list);
	return rc;
}

static bool dsa_recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line, id;
	char date[11];

	if (head->json)
		return false;
	while (sap_str_line(&text, &line)) {
		line = sap_list_line(line, 0);
		if (line.n > 0)
			return dsa_header(line, date, &id);
	}
	return false;
}

/* ---- CVE/list --------------------------------------------------------------------------- */

/* "CVE-2024-3094 (text)", "CVE-2024-XXXX [text]" and names that the tracker gave itself. */
static bool cve_header(struct sap_str line, struct sap_str *id, struct sap_str *description)
{
	if (!sap_str_word(&line, id) || id->n < 8)
		return false;
	*description = sap_str_trim(line);
	if (description->n > 0 && description->p[0] != '(' && description->p[0] != '[')
		return false;
	return sap_id_kind(*id) == SAP_ID_CVE || sap_id_kind(*id) == SAP_ID_WEAKNESS ||
	       (sap_str_starts(*id, SAP_STR("CVE-")) && sap_list_digits(*id, 4, 4) &&
		sap_str_ends(*id, SAP_STR("-XXXX")));
}

static struct sap_str inner(struct sap_str s)
{
	if (s.n >= 2 &&
	    ((s.p[0] == '[' && s.p[s.n - 1] == ']') || (s.p[0] == '(' && s.p[s.n - 1] == ')')))
		return (struct sap_str){ s.p + 1, s.n - 2 };
	return s;
}

static int cve_entry(struct sap_import *im, struct sap_str text, uint64_t number,
		     struct sap_err *err)
{
	struct claims claims = { 0 };
	struct sap_str head, id, description;
	char temp[SAP_TEMP_NAME_MAX];
	int rc;

	sap_str_line(&text, &head);
	if (!cve_header(head, &id, &description)) {
		sap_list_problem(im, number,
				 "an entry that is no \"CVE-year-number (text)\": \"%.*s\"",
				 (int)(head.n > 120 ? 120 : head.n), head.p);
		return 0;
	}
	rc = entry_read(im, text, number + 1, &claims, err);
	if (rc == 0 && claims.list.n > 0 && !claims.rejected) {
		if (sap_str_ends(id, SAP_STR("-XXXX"))) {
			sap_debian_temp_name(claims.bug, inner(description), temp);
			id = sap_str_of(temp);
		}
		write_record(im, id, (struct sap_str){ 0 }, text, &claims);
	}
	sap_vec_clear(&claims.list);
	return rc;
}

static bool cve_recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line, id, description;
	bool named = false;

	if (head->json)
		return false;
	for (unsigned i = 0; i < 16 && sap_str_line(&text, &line); i++) {
		line = sap_list_line(line, 0);
		if (line.n == 0 || sap_str_starts(line, SAP_STR("begin claimed")))
			continue;
		if (line.p[0] == '\t' || line.p[0] == ' ')
			return named;
		if (!cve_header(line, &id, &description))
			return false;
		named = true;
	}
	return named && text.n > 0;
}

/* ---- lines to entries ------------------------------------------------------------------- */

static void debian_end(struct sap_import *im)
{
	struct debian *state = im->state;

	if (state)
		sap_entry_clear(&state->entry);
	free(state);
	im->state = NULL;
}

static int debian_begin(struct sap_import *im, const struct sap_import_head *head,
			struct sap_err *err)
{
	struct debian *state = calloc(1, sizeof(*state));

	(void)head;
	if (!state)
		return sap_err_nomem(err);
	sap_entry_init(&state->entry);
	state->parse = dsa_entry;
	im->state = state;
	return 0;
}

static int cve_begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	int rc = debian_begin(im, head, err);

	if (rc < 0)
		return rc;
	((struct debian *)im->state)->parse = cve_entry;
	sap_import_source(im, "debian-cve", SAP_STR("Debian"), (struct sap_str){ 0 }, "merge");
	return 0;
}

static int debian_finish(struct sap_import *im, struct sap_err *err)
{
	struct debian *state = im->state;
	uint64_t line = state->entry.line;
	struct sap_str text;
	int rc;

	if (sap_entry_take(&state->entry, im, &text, &rc, err))
		rc = state->parse(im, text, line, err);
	return rc;
}

/* Lines of the tracker's own bookkeeping between entries. */
static bool bookkeeping(struct debian *state, struct sap_str line)
{
	if (sap_str_starts(line, SAP_STR("STOP:")))
		state->stopped = true;
	return state->stopped || sap_str_starts(line, SAP_STR("--")) ||
	       sap_str_starts(line, SAP_STR("begin claimed by ")) ||
	       sap_str_starts(line, SAP_STR("end claimed by "));
}

static int debian_line(struct sap_import *im, struct sap_str line, uint64_t number,
		       struct sap_err *err)
{
	struct debian *state = im->state;
	int rc = 0;

	line = sap_list_line(line, number);
	if (sap_str_trim(line).n == 0 && state->entry.line == 0)
		return 0;
	if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t') {
		if (bookkeeping(state, line))
			line.n = 0;
		else
			rc = debian_finish(im, err);
		if (line.n > 0)
			sap_entry_start(&state->entry, number);
	} else if (state->entry.line == 0) {
		sap_list_problem(im, number, "a line that belongs to no entry");
		return 0;
	}
	if (state->entry.line > 0 && !state->stopped)
		sap_entry_add(&state->entry, line);
	return rc;
}

const struct sap_import_format sap_format_debian_dsa = {
	.name = "debian-dsa",
	.recognise = dsa_recognise,
	.begin = debian_begin,
	.line = debian_line,
	.finish = debian_finish,
	.end = debian_end,
};

const struct sap_import_format sap_format_debian_cve = {
	.name = "debian-cve",
	.recognise = cve_recognise,
	.begin = cve_begin,
	.line = debian_line,
	.finish = debian_finish,
	.end = debian_end,
};
