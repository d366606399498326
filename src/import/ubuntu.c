/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ubuntu's CVE tracker: one file for each CVE, in active/ and retired/.
 *
 *     Candidate: CVE-2022-0778
 *     PublicDate: 2022-03-15 17:15:00 UTC
 *     Description:                         values go on in indented lines
 *      text
 *     Priority: high                       critical high medium low negligible untriaged
 *     CVSS:
 *      nvd: CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H [7.5 HIGH]
 *     Priority_edk2: low                   of one package
 *     Priority_linux_trusty/esm: medium    ... in one suite
 *     jammy_openssl: released (3.0.2-0ubuntu1)
 *     esm-infra/bionic_openssl1.0: needed
 *
 * The record is "UBUNTU-CVE-2022-0778" (OSV's name for it), alias CVE-2022-0778. Suites are
 * spaces: "jammy" Ubuntu:22.04, "esm-infra/bionic" and "trusty/esm" Ubuntu:Pro:18.04, with
 * pro=yes on their fixes; upstream, snaps and products beside the distribution (fips ...) are
 * left out.
 *
 *     released (VERSION)      affected introduced=0 fixed=VERSION
 *     pending (VERSION)       the same with offered=no; without a version as needed
 *     needed, active          affected introduced=0
 *     needs-triage            under-investigation
 *     deferred (DATE)         unfixed reason=deferred
 *     ignored (end of life | end of standard support ...)   unfixed reason=end-of-life
 *     ignored (REASON)        unfixed reason=ignored
 *     ignored (... was needs-triage ...)   under-investigation with that reason: nobody has
 *                             found out whether the package is affected
 *     not-affected            not-affected
 *     DNE                     nothing: the package is not in the suite
 *
 * "devel" is the release to come. It is the space "Ubuntu", which speaks for every release
 * without a statement of its own; so of devel only what holds for older versions too is taken:
 * "not-affected (VERSION)" means that VERSION came with the fix (affected introduced=0
 * fixed=VERSION), and a not-affected without a version says nothing.
 *
 * Packages of which the same is said are put into one claim.
 */
#include <stdlib.h>

#include "import/import_int.h"
#include "import/lists_int.h"

struct ubuntu {
	struct sap_entry entry; /* the lines that count */
	bool cvss;              /* inside the value of CVSS */
};

struct priority {
	struct sap_str package, suite; /* suite empty: in all of them */
	const char *severity;
};

struct statement {
	struct sap_list_claim claim;
	struct sap_str suite;
	size_t order;
};

struct cve {
	struct sap_str candidate, published;
	const char *severity;
	SAP_VEC(struct sap_str) cvss;
	SAP_VEC(struct priority) priorities;
	SAP_VEC(struct statement) statements;
};

/* ---- lines ------------------------------------------------------------------------------ */

static bool recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line, key, value;
	bool candidate = false, other = false;

	if (head->json)
		return false;
	while (!(candidate && other) && sap_str_line(&text, &line)) {
		line = sap_list_line(line, 0);
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ' ' || line.p[0] == '\t')
			continue;
		if (!sap_str_cut(line, ':', &key, &value) || memchr(key.p, ' ', key.n))
			return false;
		candidate = candidate || sap_str_is(key, "Candidate");
		other = other || sap_str_is(key, "PublicDate") || sap_str_is(key, "Priority") ||
			sap_str_is(key, "References");
	}
	return candidate && other;
}

static int begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	struct ubuntu *state = calloc(1, sizeof(*state));

	(void)head;
	if (!state)
		return sap_err_nomem(err);
	sap_entry_init(&state->entry);
	sap_entry_start(&state->entry, 1);
	im->state = state;
	return 0;
}

static void end(struct sap_import *im)
{
	struct ubuntu *state = im->state;

	if (state)
		sap_entry_clear(&state->entry);
	free(state);
	im->state = NULL;
}

/* Keeps every line, so that numbers stay right, but empties those without meaning here. */
static int on_line(struct sap_import *im, struct sap_str line, uint64_t number, struct sap_err *err)
{
	struct ubuntu *state = im->state;
	bool indented;

	(void)err;
	line = sap_list_line(line, number);
	indented = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
	if (!indented && line.n > 0)
		state->cvss = sap_str_starts(line, SAP_STR("CVSS:"));
	if ((indented && !state->cvss) || (line.n > 0 && line.p[0] == '#') ||
	    sap_str_starts(line, SAP_STR("upstream_")) || sap_str_ends(line, SAP_STR(": DNE")))
		line.n = 0;
	sap_entry_add(&state->entry, line);
	return 0;
}

/* ---- statements ------------------------------------------------------------------------- */

/* What stands in the parentheses of a status. */
static struct sap_str note_of(struct sap_str s)
{
	s = sap_str_trim(s);
	if (s.n > 0 && s.p[0] == '(')
		s = sap_str_skip(s, 1);
	if (s.n > 0 && s.p[s.n - 1] == ')')
		s.n--;
	return sap_str_trim(s);
}

static bool contains(struct sap_str s, const char *word)
{
	return s.n > 0 && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static bool is_version(struct sap_str s)
{
	return sap_list_version_ok(s) && sap_list_digits(s, 0, 1);
}

static void ignored(struct sap_list_claim *claim, struct sap_str note)
{
	bool over = contains(note, "end of ") || contains(note, "end-of-life");

	claim->status = contains(note, "was needs-triage") ? "under-investigation" : "unfixed";
	claim->reason = over ? "end-of-life" : "ignored";
}

/* Fills status, fixed and the like. 1: a claim; 0: nothing is said; -1: not understood. */
static int status_claim(struct sap_str status, struct sap_str note, bool devel,
			struct sap_list_claim *claim)
{
	if (sap_str_is(status, "DNE") || sap_str_is(status, "dne"))
		return 0;
	claim->status = "affected";
	if (sap_str_is(status, "released") || sap_str_is(status, "pending")) {
		bool released = sap_str_is(status, "released");

		if (note.n == 0 && !released)
			return 1;
		claim->fixed = note;
		claim->not_offered = !released;
		return is_version(note) ? 1 : -1;
	}
	if (sap_str_is(status, "needed") || sap_str_is(status, "active") ||
	    sap_str_is(status, "in-progress"))
		return 1;
	if (sap_str_is(status, "needs-triage")) {
		claim->status = "under-investigation";
	} else if (sap_str_is(status, "deferred")) {
		claim->status = "unfixed";
		claim->reason = "deferred";
	} else if (sap_str_is(status, "ignored")) {
		ignored(claim, note);
	} else if (sap_str_is(status, "not-affected") && !devel) {
		claim->status = "not-affected";
	} else if (sap_str_is(status, "not-affected")) {
		if (!is_version(note))
			return 0;
		claim->fixed = note;
	} else {
		return -1;
	}
	return 1;
}

/* "jammy_openssl: released (3.0.2-0ubuntu1)"; *unknown: the first suite that is not known. */
static int statement(struct sap_import *im, struct cve *cve, struct sap_str key,
		     struct sap_str value, uint64_t number, struct sap_str *unknown,
		     struct sap_err *err)
{
	struct sap_list_claim claim = { 0 };
	struct sap_str suite, status = { 0 };
	struct statement *kept;
	bool pro;
	int rc;

	sap_str_cut(key, '_', &suite, &claim.package);
	switch (sap_ubuntu_space(suite, &claim.space, &pro)) {
	case SAP_CODENAME_RELEASE:
		break;
	case SAP_CODENAME_NONE:
		return 0;
	default:
		if (unknown->n == 0)
			*unknown = suite;
		return 0;
	}
	value = sap_str_trim(value);
	if (value.n == 0)
		return 0; /* not filled in, as in the tracker's template */
	sap_str_word(&value, &status);
	value = sap_str_trim(value);
	rc = status_claim(status, note_of(value), sap_str_is(suite, "devel"), &claim);
	if (rc < 0 || !sap_list_name_ok(claim.package)) {
		sap_list_problem(im, number, "%.*s: no status that is understood: \"%.*s %.*s\"",
				 SAP_FMT(key), SAP_FMT(status),
				 (int)(value.n > 120 ? 120 : value.n), value.p ? value.p : "");
		return 0;
	}
	if (rc == 0)
		return 0;
	claim.pro = pro && claim.fixed.n > 0;
	kept = SAP_VEC_PUSH(&cve->statements, SAP_CLAIMS_MAX);
	if (!kept && cve->statements.n < SAP_CLAIMS_MAX)
		return sap_err_nomem(err);
	if (!kept)
		return sap_err_set(err, SAP_ELIMIT, "more than %u statements", SAP_CLAIMS_MAX);
	*kept = (struct statement){ claim, suite, cve->statements.n };
	return 0;
}

/* "Priority", "Priority_edk2", "Priority_linux_trusty/esm" */
static int priority(struct cve *cve, struct sap_str key, struct sap_str value, struct sap_err *err)
{
	struct sap_str word = { 0 }, head, package, suite;
	struct priority *p;

	sap_str_word(&value, &word);
	if (!sap_str_cut(key, '_', &head, &package)) {
		cve->severity = sap_list_severity(word);
		return 0;
	}
	sap_str_cut(package, '_', &package, &suite);
	p = SAP_VEC_PUSH(&cve->priorities, SAP_CLAIMS_MAX);
	if (!p)
		return sap_err_nomem(err);
	*p = (struct priority){ package, suite, sap_list_severity(word) };
	return 0;
}

/* " nvd: CVSS:3.1/AV:N/... [7.5 HIGH]" */
static int cvss(struct cve *cve, struct sap_str line, struct sap_err *err)
{
	struct sap_str word, *vector;

	while (sap_str_word(&line, &word)) {
		if (!sap_str_starts(word, SAP_STR("CVSS:")) || word.n < 10)
			continue;
		vector = SAP_VEC_PUSH(&cve->cvss, SAP_NAMES_MAX);
		if (!vector)
			return sap_err_nomem(err);
		*vector = word;
	}
	return 0;
}

/* ---- the record ------------------------------------------------------------------------- */

static int read_lines(struct sap_import *im, struct sap_str text, struct cve *cve,
		      struct sap_err *err)
{
	struct sap_str line, key, value, unknown = { 0 };
	uint64_t number = 0;
	int rc = 0;

	while (rc == 0 && sap_str_line(&text, &line)) {
		number++;
		if (line.n == 0)
			continue;
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			rc = cvss(cve, line, err);
			continue;
		}
		if (!sap_str_cut(line, ':', &key, &value)) {
			sap_list_problem(im, number, "a line that is no field: \"%.*s\"",
					 (int)(line.n > 120 ? 120 : line.n), line.p);
		} else if (sap_str_is(key, "Candidate") && cve->candidate.p) {
			sap_list_problem(im, number,
					 "a second Candidate: what follows is left out");
			break;
		} else if (sap_str_is(key, "Candidate")) {
			cve->candidate = sap_str_trim(value);
		} else if (sap_str_is(key, "PublicDate")) {
			cve->published = sap_list_date(im->arena, sap_str_trim(value));
		} else if (sap_str_starts(key, SAP_STR("Priority"))) {
			rc = priority(cve, key, value, err);
		} else if (key.n > 0 && key.p[0] >= 'a' && key.p[0] <= 'z' &&
			   memchr(key.p, '_', key.n)) {
			rc = statement(im, cve, key, value, number, &unknown, err);
		}
	}
	if (unknown.n > 0)
		sap_import_problem(im, "the release \"%.*s\" is not known", SAP_FMT(unknown));
	return rc;
}

static int by_priority(const void *a, const void *b)
{
	const struct priority *x = a, *y = b;
	int c = sap_str_cmp(x->package, y->package);

	return c ? c : sap_str_cmp(x->suite, y->suite);
}

static const char *priority_of(const struct cve *cve, struct sap_str package, struct sap_str suite)
{
	struct priority want = { .package = package, .suite = suite }, *p;

	if (cve->priorities.n == 0)
		return NULL;
	p = bsearch(&want, cve->priorities.v, cve->priorities.n, sizeof(want), by_priority);
	if (!p) {
		want.suite = (struct sap_str){ 0 };
		p = bsearch(&want, cve->priorities.v, cve->priorities.n, sizeof(want), by_priority);
	}
	return p ? p->severity : NULL;
}

static int cmp_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Order that puts what can be one claim side by side. */
static int cmp_claim(const struct sap_list_claim *a, const struct sap_list_claim *b)
{
	int c = sap_str_cmp(a->space, b->space);

	if (c == 0)
		c = strcmp(a->status, b->status);
	if (c == 0)
		c = sap_str_cmp(a->fixed, b->fixed);
	if (c == 0)
		c = cmp_text(a->reason, b->reason);
	if (c == 0)
		c = cmp_text(a->severity, b->severity);
	return c ? c : (a->not_offered > b->not_offered) - (a->not_offered < b->not_offered);
}

static int by_claim(const void *a, const void *b)
{
	const struct statement *x = a, *y = b;
	int c = cmp_claim(&x->claim, &y->claim);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void write_claims(struct sap_rows *rows, struct cve *cve)
{
	struct statement *v = cve->statements.v;
	size_t n = cve->statements.n, i = 0;

	if (cve->priorities.n > 0)
		qsort(cve->priorities.v, cve->priorities.n, sizeof(cve->priorities.v[0]),
		      by_priority);
	for (size_t k = 0; k < n; k++)
		v[k].claim.severity = priority_of(cve, v[k].claim.package, v[k].suite);
	if (n > 0)
		qsort(v, n, sizeof(v[0]), by_claim);
	while (i < n) {
		const struct sap_list_claim *first = &v[i].claim;

		sap_list_claim_begin(rows, first);
		do {
			sap_rows_list_item(rows, v[i].claim.package);
			i++;
		} while (i < n && cmp_claim(first, &v[i].claim) == 0);
		sap_list_claim_end(rows, first);
	}
}

static int write_record(struct sap_import *im, struct cve *cve, struct sap_err *err)
{
	static const char prefix[] = "UBUNTU-";
	struct sap_rows *rows = im->rows;
	char *id = sap_arena_alloc(im->arena, sizeof(prefix) - 1 + cve->candidate.n);

	if (!id)
		return sap_err_nomem(err);
	memcpy(id, prefix, sizeof(prefix) - 1);
	memcpy(id + sizeof(prefix) - 1, cve->candidate.p, cve->candidate.n);
	sap_import_source(im, "ubuntu-cve", SAP_STR("Ubuntu"), (struct sap_str){ 0 }, "merge");
	sap_rows_begin(rows, SAP_ROW_RECORD);
	sap_rows_arg(rows, (struct sap_str){ id, sizeof(prefix) - 1 + cve->candidate.n });
	sap_rows_attr(rows, "published", cve->published);
	if (sap_id_kind(cve->candidate) == SAP_ID_CVE) {
		sap_rows_list_begin(rows, "alias");
		sap_rows_list_item(rows, cve->candidate);
		sap_rows_list_end(rows);
	}
	sap_rows_attr(rows, "severity", sap_str_of(cve->severity));
	for (size_t i = 0; i < cve->cvss.n; i++)
		sap_rows_attr(rows, "cvss", cve->cvss.v[i]);
	sap_rows_done(rows);
	write_claims(rows, cve);
	return 0;
}

static int finish(struct sap_import *im, struct sap_err *err)
{
	struct ubuntu *state = im->state;
	struct cve cve = { 0 };
	struct sap_str text;
	int rc;

	if (!sap_entry_take(&state->entry, im, &text, &rc, err))
		return rc;
	rc = read_lines(im, text, &cve, err);
	if (rc == 0 &&
	    (!sap_str_starts(cve.candidate, SAP_STR("CVE-")) || !sap_list_name_ok(cve.candidate)))
		sap_import_problem(im, "the field Candidate names no CVE");
	else if (rc == 0)
		rc = write_record(im, &cve, err);
	sap_vec_clear(&cve.cvss);
	sap_vec_clear(&cve.priorities);
	sap_vec_clear(&cve.statements);
	return rc;
}

const struct sap_import_format sap_format_ubuntu = {
	.name = "ubuntu-cve",
	.recognise = recognise,
	.begin = begin,
	.line = on_line,
	.finish = finish,
	.end = end,
};
