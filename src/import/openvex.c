/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVEX 0.2.0, and 0.0.1 where it differs:
 *
 *     @context            "https://openvex.dev/ns..."
 *     @id, author, timestamp, last_updated
 *     statements[]
 *         vulnerability   {"@id", "name", "aliases"}, or a name
 *         products        {"@id", "identifiers": {"purl"}, "subcomponents": [...]}, or a purl
 *         subcomponents   of all products (0.0.1)
 *         status, justification, impact_statement, action_statement
 *         timestamp, last_updated   else the document's
 *
 * A product or a subcomponent is its purl, else its "@id". A statement without products is
 * about what the document is about: "*".
 */
#include "base/limits.h"
#include "import/vex_int.h"

#define SUBCOMPONENTS_MAX 1024u /* of one product; more are rows of their own */

struct openvex {
	struct sap_import *im;
	struct sap_str author, date;
	uint64_t number; /* of the statement at hand, from 1 */
};

static bool recognise(const struct sap_import_head *head)
{
	return sap_str_starts(sap_json_text(head->root, "@context"),
			      SAP_STR("https://openvex.dev/"));
}

/* The first of the members that is a date; empty: none. */
static bool date_of(struct sap_import *im, const struct sap_json *v, struct sap_str *out)
{
	if (!sap_vex_date(im->arena, sap_json_text(v, "last_updated"), out))
		return false;
	return out->n > 0 || sap_vex_date(im->arena, sap_json_text(v, "timestamp"), out);
}

/* A product or a subcomponent. */
static struct sap_str component(const struct sap_json *v)
{
	struct sap_str s = sap_json_text(sap_json_get(v, "identifiers"), "purl");

	if (s.n == 0)
		s = sap_json_is(v, SAP_JSON_STRING) ? sap_json_string(v) : sap_json_text(v, "@id");
	return sap_str_trim(s);
}

/* The part of an "@id" that names the vulnerability: what follows the last '/'. */
static struct sap_str vulnerability(const struct sap_json *v)
{
	struct sap_str name =
		sap_json_is(v, SAP_JSON_STRING) ? sap_json_string(v) : sap_json_text(v, "name");

	if (sap_str_trim(name).n == 0)
		name = sap_path_base(sap_json_text(v, "@id"));
	return sap_vex_id(name, sap_json_get(v, "aliases"), NULL);
}

static void problem(struct openvex *o, const char *what, struct sap_str text)
{
	sap_import_problem(o->im, "statement %llu: %s%s%.*s", (unsigned long long)o->number, what,
			   text.n ? " " : "", SAP_FMT(text));
}

/* The statement about one product and its subcomponents. */
static void put_product(struct openvex *o, struct sap_vex *vex, const struct sap_json *list)
{
	struct sap_str parts[SUBCOMPONENTS_MAX];
	size_t n = 0;

	for (const struct sap_json *m = sap_json_first(list); m; m = m->next) {
		parts[n] = component(m);
		if (parts[n].n > 0)
			n++;
		if (n < SUBCOMPONENTS_MAX)
			continue;
		vex->subcomponents = parts;
		vex->n_subcomponents = n;
		sap_vex_put(o->im->rows, vex);
		n = 0;
	}
	if (n == 0 && sap_json_first(list)) {
		/* Nothing is said about the product as a whole. */
		if (vex->n_subcomponents == 0)
			problem(o, "has subcomponents without identifier", (struct sap_str){ 0 });
		return;
	}
	vex->subcomponents = parts;
	vex->n_subcomponents = n;
	sap_vex_put(o->im->rows, vex);
}

static bool status_known(struct sap_str s)
{
	return sap_str_is(s, "not_affected") || sap_str_is(s, "affected") ||
	       sap_str_is(s, "fixed") || sap_str_is(s, "under_investigation");
}

static int statement(struct openvex *o, const struct sap_json *v, struct sap_err *err)
{
	const struct sap_json *products = sap_json_get(v, "products"), *m;
	const struct sap_json *common = sap_json_get(v, "subcomponents");
	struct sap_vex vex = { .id = vulnerability(sap_json_get(v, "vulnerability")),
			       .status = sap_json_text(v, "status"),
			       .justification = sap_json_text(v, "justification"),
			       .action = sap_json_text(v, "action_statement"),
			       .author = o->author };

	if (vex.id.n == 0 || !status_known(vex.status)) {
		if (vex.id.n == 0)
			problem(o, "names no vulnerability", (struct sap_str){ 0 });
		else
			problem(o, "has an unknown status", vex.status);
		return 0;
	}
	if (vex.justification.n == 0)
		vex.justification = sap_json_text(v, "impact_statement");
	if (!date_of(o->im, v, &vex.date))
		return sap_err_nomem(err);
	if (vex.date.n == 0)
		vex.date = o->date;
	if (!products || (sap_json_is(products, SAP_JSON_ARRAY) && products->n == 0)) {
		put_product(o, &vex, common);
		return 0;
	}
	if (!sap_json_is(products, SAP_JSON_ARRAY))
		problem(o, "has products that are no list", (struct sap_str){ 0 });
	for (m = sap_json_first(products); m; m = m->next) {
		const struct sap_json *subs = sap_json_get(m, "subcomponents");

		vex.product = component(m);
		vex.n_subcomponents = 0;
		if (vex.product.n == 0)
			problem(o, "has a product without identifier", (struct sap_str){ 0 });
		else
			put_product(o, &vex, subs ? subs : common);
	}
	return 0;
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *statements = sap_json_get(value, "statements"), *m;
	struct sap_str id = sap_str_trim(sap_json_text(value, "@id"));
	struct openvex o = { .im = im, .author = sap_json_text(value, "author") };
	int rc = 0;

	if (!sap_json_is(statements, SAP_JSON_ARRAY)) {
		sap_import_problem(im, "no OpenVEX document: it has no list \"statements\"");
		return 0;
	}
	if (!date_of(im, value, &o.date))
		return sap_err_nomem(err);
	/* A document's next version has the same id, and replaces it. */
	sap_import_source(im, "openvex", id.n > 0 ? id : im->name, o.date, "replace");
	for (m = sap_json_first(statements); m && rc == 0; m = m->next) {
		o.number++;
		rc = statement(&o, m, err);
	}
	return sap_vex_outcome(im, rc, err);
}

const struct sap_import_format sap_format_openvex = {
	.name = "openvex",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.recognise = recognise,
	.record = record,
};
