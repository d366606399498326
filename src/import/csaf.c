/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSAF 2.0 (OASIS): advisories and VEX of vendors, and VEX of the user's own.
 *
 * A vendor's document whose products have spaces (csaf_int.h) becomes one record: its
 * tracking.id, with the CVEs that it covers where that is no CVE itself, and claims. Where its
 * vulnerabilities say different things about packages, those that say the same share a record
 * "ID", "ID/CVE-..." and so on.
 *
 *     product_status                            claim
 *     fixed, first_fixed, recommended           affected, introduced=0 fixed=VERSION
 *     known_affected, first_/last_affected      affected
 *         remediation no_fix_planned            unfixed reason=wont-fix, end-of-life ("Out of
 *                                               support scope")
 *         remediation none_available,           unfixed reason=deferred
 *             "Fix deferred"
 *     known_not_affected                        not-affected
 *     under_investigation                       under-investigation
 *
 * Without product_status the remediations count alone: vendor_fix is fixed, the others are
 * affected. Only rpm packages are taken over; containers, jars and products as a whole have no
 * package database to be found in. threats of category "impact" give a claim's severity.
 *
 * Any other document (publisher.category "user", products without a space) becomes rows "vex",
 * one for each vulnerability and product: its purl, else its identifier. A relationship is a
 * product (the platform) with a subcomponent.
 */
#include <stdlib.h>

#include "advisory/claim.h"
#include "base/limits.h"
#include "base/vec.h"
#include "import/csaf_int.h"
#include "import/vex_int.h"

struct csaf {
	struct sap_import *im;
	struct sap_csaf_tree tree;
	const struct sap_json *product_tree, *groups, *vulnerabilities;
	struct sap_str id, publisher, date, published;
	uint8_t severity;
	bool statements; /* rows vex instead of claims */
	uint32_t round;  /* number of the vulnerability at hand */
	uint64_t steps;  /* left for product identifiers, in all */
	struct sap_csaf_claims claims;
	/* Products that could not be used: how many, and the first. */
	struct {
		uint64_t n;
		struct sap_str first;
	} unknown, unplaced, unread;
};

static bool recognise(const struct sap_import_head *head)
{
	const struct sap_json *document = sap_json_get(head->root, "document");

	return sap_json_text(document, "csaf_version").n > 0 ||
	       sap_str_starts(sap_json_text(document, "category"), SAP_STR("csaf_"));
}

/* ---- what a vulnerability says about products -------------------------------------------- */

/* The product with that identifier, with nothing noted of it for this vulnerability yet. */
static struct sap_csaf_product *product_of(struct csaf *c, struct sap_str id)
{
	struct sap_csaf_product *p = sap_csaf_tree_find(&c->tree, id);

	if (p && p->round != c->round) {
		p->round = c->round;
		p->status = p->reason = p->severity = 0;
		p->justification = p->action = (struct sap_str){ 0 };
	}
	return p;
}

/* What a remediation, a threat or a flag says of the products that it names. */
struct note {
	uint8_t status, reason, severity;
	bool fix; /* its action stands above others */
	struct sap_str justification, action;
};

typedef void note_fn(const struct sap_json *item, struct note *out);

static void take_steps(struct csaf *c, uint64_t n)
{
	c->steps -= n < c->steps ? n : c->steps;
}

static void note_list(struct csaf *c, const struct sap_json *ids, const struct note *note)
{
	for (const struct sap_json *m = sap_json_first(ids); m && c->steps > 0; m = m->next) {
		struct sap_csaf_product *p = product_of(c, sap_json_string(m));

		take_steps(c, 1);
		if (!p)
			continue;
		if (note->status) {
			p->status = note->status;
			p->reason = note->reason;
		}
		if (note->severity)
			p->severity = note->severity;
		if (note->justification.n > 0)
			p->justification = note->justification;
		if (p->action.n == 0 || note->fix)
			p->action = note->action;
	}
}

/* Notes every item of a list with the products that it names, by themselves or by group. */
static void note_all(struct csaf *c, const struct sap_json *list, note_fn *read)
{
	for (const struct sap_json *item = sap_json_first(list); item; item = item->next) {
		const struct sap_json *g = sap_json_first(sap_json_get(item, "group_ids")), *have;
		struct note note = { 0 };

		read(item, &note);
		note_list(c, sap_json_get(item, "product_ids"), &note);
		for (; g && c->steps > 0; g = g->next) {
			for (have = sap_json_first(c->groups); have && c->steps > 0;
			     have = have->next) {
				take_steps(c, have->n + 1);
				if (sap_str_eq(sap_json_text(have, "group_id"), sap_json_string(g)))
					note_list(c, sap_json_get(have, "product_ids"), &note);
			}
		}
	}
}

static void read_remediation(const struct sap_json *item, struct note *out)
{
	struct sap_str category = sap_json_text(item, "category");

	out->action = sap_str_trim(sap_json_text(item, "details"));
	out->fix = sap_str_is(category, "vendor_fix");
	if (out->fix)
		out->status = SAP_CSAF_FIXED;
	else if (sap_str_is(category, "no_fix_planned") || sap_str_is(category, "none_available"))
		out->status = SAP_CSAF_AFFECTED;
	if (sap_str_is(category, "no_fix_planned"))
		out->reason = sap_str_is(out->action, "Out of support scope") ? SAP_CSAF_END_OF_LIFE
									      : SAP_CSAF_WONT_FIX;
	else if (sap_str_is(category, "none_available") && sap_str_is(out->action, "Fix deferred"))
		out->reason = SAP_CSAF_DEFERRED;
}

static void read_threat(const struct sap_json *item, struct note *out)
{
	struct sap_str details = sap_json_text(item, "details");

	if (!sap_str_is(sap_json_text(item, "category"), "impact"))
		return;
	out->severity = (uint8_t)sap_severity_parse(details);
	if (out->severity == SAP_SEVERITY_UNKNOWN)
		out->justification = details; /* an impact statement */
}

static void read_flag(const struct sap_json *item, struct note *out)
{
	out->justification = sap_json_text(item, "label");
}

static void missing(uint64_t *n, struct sap_str *first, struct sap_str id)
{
	if ((*n)++ == 0)
		*first = id;
}

#define MISSING(what, id) missing(&(what)->n, &(what)->first, (id))

/* One product of one status list as a claim. */
static int claim(struct csaf *c, struct sap_csaf_product *product, uint8_t status,
		 struct sap_err *err)
{
	struct sap_csaf_claim claim = { .status = status, .severity = product->severity };
	struct sap_csaf_parts parts;
	struct sap_csaf_product *p;
	int rc;

	if (!sap_csaf_parts(&c->tree, product, &parts)) {
		MISSING(&c->unknown, product->id);
		return 0;
	}
	if (!parts.platform)
		return 0; /* a product as a whole */
	p = parts.package;
	rc = sap_csaf_package(&c->tree, p, err);
	if (rc == 0)
		rc = sap_csaf_space(&c->tree, parts.platform, err);
	if (rc == 0 && parts.module)
		rc = sap_csaf_module(&c->tree, parts.module, &claim.module, err);
	if (rc < 0 || p->kind == SAP_CSAF_OTHER)
		return rc;
	if (p->kind == SAP_CSAF_BAD ||
	    (status == SAP_CSAF_FIXED &&
	     !(p->version.n && memchr(p->version.p, '-', p->version.n)))) {
		MISSING(&c->unread, p->id);
		return 0;
	}
	if (parts.platform->space.n == 0) {
		MISSING(&c->unplaced, parts.platform->id);
		return 0;
	}
	if (p->module.n > 0)
		claim.module = p->module;
	claim.space = parts.platform->space;
	claim.package = p->package;
	claim.source = p->source && (!p->bare || p->purl.n > 0 ||
				     sap_str_starts(claim.space, SAP_STR("Red Hat:")));
	if (status == SAP_CSAF_FIXED) {
		claim.version = p->version;
		claim.arch = p->source ? 0 : p->arch;
	} else if (status == SAP_CSAF_AFFECTED && product->reason) {
		claim.status = SAP_CSAF_UNFIXED;
		claim.reason = product->reason;
	}
	if (status == SAP_CSAF_NOT_AFFECTED || status == SAP_CSAF_INVESTIGATED)
		claim.severity = 0;
	if (claim.severity == 0)
		claim.severity = c->severity;
	return sap_csaf_claims_add(&c->claims, &claim, err);
}

/* One product of one status list as a statement of a VEX document. */
static int statement(struct csaf *c, struct sap_csaf_product *product, uint8_t status,
		     struct sap_str id)
{
	static const char *const words[] = { [SAP_CSAF_FIXED] = "fixed",
					     [SAP_CSAF_AFFECTED] = "affected",
					     [SAP_CSAF_NOT_AFFECTED] = "not_affected",
					     [SAP_CSAF_INVESTIGATED] = "under_investigation" };
	struct sap_vex vex = { .id = id,
			       .status = sap_str_of(words[status]),
			       .justification = product->justification,
			       .action = product->action,
			       .date = c->date,
			       .author = c->publisher };
	struct sap_csaf_parts parts;
	struct sap_str component;

	if (!sap_csaf_parts(&c->tree, product, &parts)) {
		MISSING(&c->unknown, product->id);
		return 0;
	}
	component = parts.package->purl.n ? parts.package->purl : parts.package->id;
	vex.product = component;
	if (parts.platform && parts.platform->purl.n > 0) {
		vex.product = parts.platform->purl;
		vex.subcomponents = &component;
		vex.n_subcomponents = 1;
	}
	sap_vex_put(c->im->rows, &vex);
	return 0;
}

static int product(struct csaf *c, struct sap_str product_id, uint8_t status, struct sap_str id,
		   struct sap_err *err)
{
	struct sap_csaf_product *p = product_of(c, product_id);

	if (!p) {
		MISSING(&c->unknown, product_id);
		return 0;
	}
	return c->statements ? statement(c, p, status, id) : claim(c, p, status, err);
}

/* All that a vulnerability says: claims added, or statements written. */
static int vulnerability(struct csaf *c, const struct sap_json *v, struct sap_str id,
			 struct sap_err *err)
{
	static const struct {
		const char *list;
		uint8_t status;
	} lists[] = {
		{ "fixed", SAP_CSAF_FIXED },
		{ "first_fixed", SAP_CSAF_FIXED },
		{ "recommended", SAP_CSAF_FIXED },
		{ "known_affected", SAP_CSAF_AFFECTED },
		{ "first_affected", SAP_CSAF_AFFECTED },
		{ "last_affected", SAP_CSAF_AFFECTED },
		{ "known_not_affected", SAP_CSAF_NOT_AFFECTED },
		{ "under_investigation", SAP_CSAF_INVESTIGATED },
	};
	const struct sap_json *all = sap_json_get(v, "product_status"), *m;
	int rc = 0;

	c->round++;
	note_all(c, sap_json_get(v, "remediations"), read_remediation);
	note_all(c, sap_json_get(v, "threats"), read_threat);
	note_all(c, sap_json_get(v, "flags"), read_flag);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (m = sap_json_first(sap_json_get(all, lists[i].list)); m && rc == 0;
		     m = m->next)
			rc = product(c, sap_json_string(m), lists[i].status, id, err);
	if (all)
		return rc;
	for (size_t i = 0; i < c->tree.n && rc == 0 && c->steps > 0; i++) {
		struct sap_csaf_product *p = &c->tree.v[i];

		take_steps(c, 1);
		if (p->round == c->round && p->status)
			rc = product(c, p->id, p->status, id, err);
	}
	return rc;
}

/* ---- records ---------------------------------------------------------------------------- */

/* A vulnerability of the document, and a digest of what it says about products: those with
 * equal ones can share a record. */
struct entry {
	const struct sap_json *v;
	uint64_t digest;
	uint32_t number;
};

static uint64_t mix(uint64_t h, struct sap_str s)
{
	return ((h ^ sap_vex_hash(s)) * 0x100000001b3u) ^ (h >> 29);
}

/* Of a value and what is inside it; depth is bounded by the reader of JSON. */
static uint64_t digest(uint64_t h, const struct sap_json *v)
{
	if (!v)
		return h;
	h = mix(mix(h, v->key), v->text);
	for (const struct sap_json *m = v->first; m; m = m->next)
		h = digest(h, m);
	return (h ^ v->n) * 0x100000001b3u;
}

static uint64_t digest_vulnerability(const struct sap_json *v)
{
	const struct sap_json *status = sap_json_get(v, "product_status");
	const struct sap_json *m = sap_json_first(sap_json_get(v, "remediations"));
	uint64_t h = digest(0xcbf29ce484222325u, status);

	for (; m; m = m->next) {
		struct sap_str category = sap_json_text(m, "category");

		if (!status || sap_str_is(category, "no_fix_planned") ||
		    sap_str_is(category, "none_available"))
			h = digest(h, m);
	}
	return h;
}

static int by_digest(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->digest != b->digest)
		return a->digest < b->digest ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static struct sap_str name_of(const struct sap_json *v)
{
	return sap_vex_id(sap_json_text(v, "cve"), sap_json_get(v, "ids"), "text");
}

/* The vectors of a vulnerability, each once. */
static void put_cvss(struct csaf *c, const struct sap_json *v)
{
	struct sap_str seen[8];
	size_t n = 0;

	for (const struct sap_json *s = sap_json_first(sap_json_get(v, "scores")); s; s = s->next) {
		static const char *const kinds[] = { "cvss_v4", "cvss_v3", "cvss_v2" };

		for (size_t k = 0; k < 3 && n < 8; k++) {
			struct sap_str vector =
				sap_json_text(sap_json_get(s, kinds[k]), "vectorString");
			bool known = vector.n == 0;

			for (size_t i = 0; i < n && !known; i++)
				known = sap_str_eq(seen[i], vector);
			if (!known)
				seen[n++] = vector;
		}
	}
	for (size_t i = 0; i < n; i++)
		sap_rows_attr(c->im->rows, "cvss", seen[i]);
}

/* The record of n vulnerabilities that say the same; extra: the document has several such. */
static int put_record(struct csaf *c, const struct entry *e, size_t n, bool extra,
		      struct sap_err *err)
{
	struct sap_rows *rows = c->im->rows;
	struct sap_str id = c->id, first = name_of(e[0].v);
	int rc;

	if (extra && first.n > 0) {
		char *p = sap_arena_alloc(c->im->arena, id.n + 1 + first.n);

		if (!p)
			return sap_err_nomem(err);
		memcpy(p, id.p, id.n);
		p[id.n] = '/';
		memcpy(p + id.n + 1, first.p, first.n);
		id = (struct sap_str){ p, id.n + 1 + first.n };
	}
	rc = vulnerability(c, e[0].v, id, err);
	if (rc < 0)
		return rc;
	sap_rows_begin(rows, SAP_ROW_RECORD);
	sap_rows_arg(rows, id);
	sap_rows_attr(rows, "modified", c->date);
	sap_rows_attr(rows, "published", c->published);
	sap_rows_list_begin(rows, "covers");
	for (size_t i = 0; i < n; i++) {
		struct sap_str name = name_of(e[i].v);

		if (!sap_str_eq(name, id))
			sap_rows_list_item(rows, name);
	}
	sap_rows_list_end(rows);
	sap_rows_attr(rows, "severity",
		      sap_str_of(sap_severity_name((enum sap_severity)c->severity)));
	if (n == 1)
		put_cvss(c, e[0].v);
	sap_rows_done(rows);
	sap_csaf_claims_put(&c->claims, c->severity, rows);
	return 0;
}

static int put_records(struct csaf *c, struct sap_err *err)
{
	const struct sap_json *list = c->vulnerabilities;
	struct entry *e = sap_arena_array(c->im->arena, list ? list->n : 0, sizeof(*e));
	uint64_t main_digest;
	size_t n = 0;
	int rc = 0;

	if (!e)
		return sap_err_nomem(err);
	for (const struct sap_json *v = sap_json_first(list); v && n < list->n; v = v->next, n++)
		e[n] = (struct entry){ v, digest_vulnerability(v), (uint32_t)n };
	if (n == 0)
		return 0;
	main_digest = e[0].digest;
	qsort(e, n, sizeof(*e), by_digest);
	/* The record with the document's own name first. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0, next; i < n && rc == 0; i = next) {
			bool extra = e[i].digest != main_digest;

			next = i + 1;
			while (next < n && e[next].digest == e[i].digest)
				next++;
			if (extra == (pass == 1))
				rc = put_record(c, &e[i], next - i, extra, err);
		}
	}
	return rc;
}

static int put_statements(struct csaf *c, struct sap_err *err)
{
	uint64_t nameless = 0;
	int rc = 0;

	for (const struct sap_json *v = sap_json_first(c->vulnerabilities); v && rc == 0;
	     v = v->next) {
		struct sap_str id = name_of(v);

		if (id.n == 0)
			nameless++;
		else
			rc = vulnerability(c, v, id, err);
	}
	if (nameless > 0)
		sap_import_problem(c->im, "vulnerabilities that have no name, left out: %llu",
				   (unsigned long long)nameless);
	return rc;
}

/* ---- documents -------------------------------------------------------------------------- */

/* Whether it speaks of the publisher's own packages, in spaces that we know. */
static int is_vendor(struct csaf *c, const struct sap_json *publisher, bool *out,
		     struct sap_err *err)
{
	struct sap_str category = sap_json_text(publisher, "category");
	int rc = 0;

	*out = false;
	if (!sap_str_is(category, "vendor") && !sap_str_is(category, "coordinator"))
		return 0;
	for (size_t i = 0; i < c->tree.n && rc == 0 && !*out; i++) {
		rc = sap_csaf_space(&c->tree, &c->tree.v[i], err);
		*out = c->tree.v[i].space.n > 0;
	}
	return rc;
}

/* "Red Hat" of "Red Hat Product Security", "SUSE" of "SUSE Product Security Team". */
static struct sap_str short_name(struct sap_str name)
{
	static const struct sap_str tails[] = { SAP_STR_INIT(" Team"), SAP_STR_INIT(" PSIRT"),
						SAP_STR_INIT(" Security"),
						SAP_STR_INIT(" Product") };

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (name.n > tails[i].n && sap_str_ends(name, tails[i]))
			name.n -= tails[i].n;
	return name;
}

static void put_source(struct csaf *c)
{
	struct sap_str name = c->publisher, full = name;
	char *p;

	if (!c->statements) {
		sap_import_source(c->im, "csaf", short_name(name), (struct sap_str){ 0 }, "merge");
		return;
	}
	/* A document of one's own is replaced by its next version, and no other one is. */
	p = sap_arena_alloc(c->im->arena, name.n + 1 + c->id.n);
	if (p) {
		memcpy(p, name.p, name.n);
		p[name.n] = ' ';
		memcpy(p + name.n + 1, c->id.p, c->id.n);
		full = (struct sap_str){ p, name.n + 1 + c->id.n };
	}
	sap_import_source(c->im, "csaf", full, c->date, "replace");
}

static void put_problems(struct csaf *c)
{
	if (c->unknown.n > 0)
		sap_import_problem(
			c->im, "products that are not in the product tree: %llu; the first: %.*s",
			(unsigned long long)c->unknown.n, SAP_FMT(c->unknown.first));
	if (c->unread.n > 0)
		sap_import_problem(
			c->im,
			"packages that cannot be read as rpm packages: %llu; the first: %.*s",
			(unsigned long long)c->unread.n, SAP_FMT(c->unread.first));
	if (c->unplaced.n > 0)
		sap_import_problem(
			c->im, "packages of products without a known CPE: %llu; the first: %.*s",
			(unsigned long long)c->unplaced.n, SAP_FMT(c->unplaced.first));
	if (c->steps == 0)
		sap_import_problem(c->im,
				   "it names products more than %llu times; the rest of "
				   "the remediations, threats and flags was left out",
				   (unsigned long long)SAP_CSAF_STEPS_MAX);
}

static int read_document(struct csaf *c, const struct sap_json *document, struct sap_err *err)
{
	const struct sap_json *tracking = sap_json_get(document, "tracking");
	const struct sap_json *publisher = sap_json_get(document, "publisher");
	struct sap_arena *arena = c->im->arena;
	bool vendor = false;
	int rc;

	c->id = sap_str_trim(sap_json_text(tracking, "id"));
	c->publisher = sap_str_trim(sap_json_text(publisher, "name"));
	c->severity = (uint8_t)sap_severity_parse(
		sap_json_text(sap_json_get(document, "aggregate_severity"), "text"));
	if (!sap_vex_date(arena, sap_json_text(tracking, "current_release_date"), &c->date) ||
	    !sap_vex_date(arena, sap_json_text(tracking, "initial_release_date"), &c->published))
		return sap_err_nomem(err);
	if (c->id.n == 0 || c->publisher.n == 0) {
		sap_import_problem(c->im, "the CSAF document has no %s",
				   c->id.n == 0 ? "tracking.id" : "publisher.name");
		return 0;
	}
	rc = sap_csaf_tree_read(c->product_tree, arena, &c->tree, err);
	if (rc == 0)
		rc = is_vendor(c, publisher, &vendor, err);
	if (rc < 0)
		return rc;
	c->statements = !vendor;
	put_source(c);
	rc = c->statements ? put_statements(c, err) : put_records(c, err);
	if (rc == 0)
		put_problems(c);
	return rc;
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *document = sap_json_get(value, "document");
	const struct sap_json *tree = sap_json_get(value, "product_tree");
	struct csaf c = { .im = im,
			  .product_tree = tree,
			  .groups = sap_json_get(tree, "product_groups"),
			  .vulnerabilities = sap_json_get(value, "vulnerabilities"),
			  .steps = SAP_CSAF_STEPS_MAX };
	int rc;

	if (!sap_json_is(document, SAP_JSON_OBJECT)) {
		sap_import_problem(im, "no CSAF document: it has no member \"document\"");
		return 0;
	}
	rc = read_document(&c, document, err);
	free(c.claims.v);
	return sap_vex_outcome(im, rc, err);
}

static const char *const skipped[] = { "notes",
				       "references",
				       "acknowledgments",
				       "distribution",
				       "revision_history",
				       "generator",
				       "cwe",
				       "title",
				       NULL };

const struct sap_import_format sap_format_csaf = {
	.name = "csaf",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.skip = skipped,
	.recognise = recognise,
	.record = record,
};
