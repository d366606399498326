/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSV, schema 1.7 (https://ossf.github.io/osv-schema): a record a document, JSON lines, or an
 * array of records.
 *
 *     OSV                                row
 *     id modified published withdrawn    record
 *     aliases                            alias=; of bundles: covers=
 *     upstream                           covers= of bundles; alias= where it is one CVE, under
 *                                        whatever names
 *     related                            related=; CVEs of bundles: covers=
 *     severity, affected[].severity      cvss=, severity=
 *     database_specific.severity         severity=
 *     summary "Moderate: ..."            severity= (AlmaLinux, Rocky Linux), module=
 *     affected[]                         claims: osv_claims.c
 *     details references credits         not kept
 *
 * Bundles are advisories about any number of vulnerabilities (DSA, USN, RHSA, ALSA ...); what
 * older exports call their aliases are the CVEs they fix. ALBA, ALEA and their like mend and
 * enhance; where no CVE is named they say nothing about security, and no row is written. So it
 * is with RustSec's notice that a crate is unmaintained: a record, but no claim.
 *
 * A withdrawn record has no claims: it never matches.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "import/osv_int.h"

static const char *const skip[] = { "details",  "references", "credits",        "contacts",
				    "binaries", "patches",    "cpes",           "cwe_ids",
				    "cwes",     "iocs",       "schema_version", NULL };

static bool is_affected_entry(const struct sap_json *v)
{
	return sap_json_get(v, "package") || sap_json_get(v, "ranges") ||
	       sap_json_get(v, "versions");
}

static bool recognise(const struct sap_import_head *head)
{
	const struct sap_json *root = head->json_array ? sap_json_first(head->root) : head->root;
	const struct sap_json *affected = sap_json_get(root, "affected");
	bool listed = sap_json_is(affected, SAP_JSON_ARRAY);

	if (sap_json_text(root, "id").n > 0)
		return listed || sap_json_text(root, "modified").n > 0;
	/* The names may stand behind a long list. */
	return listed && is_affected_entry(sap_json_first(affected));
}

/* ---- severity --------------------------------------------------------------------------- */

enum sap_severity sap_osv_severity(const struct sap_json *list,
				   void (*put)(struct sap_rows *rows, struct sap_str vector),
				   struct sap_rows *rows)
{
	enum sap_severity word = SAP_SEVERITY_UNKNOWN;
	unsigned left = 16;

	if (!sap_json_is(list, SAP_JSON_ARRAY))
		return word;
	for (const struct sap_json *s = list->first; s && left > 0; s = s->next, left--) {
		struct sap_str type = sap_json_text(s, "type");
		struct sap_str score = sap_json_text(s, "score");

		if (sap_str_starts(type, SAP_STR("CVSS_"))) {
			if (put)
				put(rows, score);
		} else if (word == SAP_SEVERITY_UNKNOWN) {
			word = sap_severity_parse(score);
		}
	}
	return word;
}

static void put_vector(struct sap_rows *rows, struct sap_str vector)
{
	sap_rows_attr(rows, "cvss", vector);
}

/* "Moderate: curl security update", "ALSA-2022:5468: php:8.0 security update (Important)". */
static enum sap_severity severity_of_summary(struct sap_str summary)
{
	struct sap_str word, rest = summary;
	enum sap_severity found = SAP_SEVERITY_UNKNOWN;

	if (sap_str_cut(summary, ':', &word, &rest))
		found = sap_severity_parse(word);
	if (found == SAP_SEVERITY_UNKNOWN && sap_str_ends(summary, SAP_STR(")"))) {
		size_t i = summary.n - 1;

		while (i > 0 && summary.p[i - 1] != '(' && summary.n - i < 16)
			i--;
		found = sap_severity_parse((struct sap_str){ summary.p + i, summary.n - 1 - i });
	}
	return found;
}

/* ---- names ------------------------------------------------------------------------------ */

enum list { ALIAS, COVERS, RELATED, LISTS };

struct names {
	struct sap_str *v[LISTS];
	size_t n[LISTS];
	size_t cvss;
};

static bool is_vulnerability(enum sap_id_kind kind)
{
	return kind == SAP_ID_CVE || kind == SAP_ID_WEAKNESS || kind == SAP_ID_DERIVED;
}

enum member { ALIASES, UPSTREAM, RELATES, MEMBERS };

/* Where a name goes that stands in one of the record's three lists. single: upstream names
 * one vulnerability only. */
static enum list place(enum sap_id_kind self, struct sap_str derived, enum member member,
		       struct sap_str name, bool single)
{
	enum sap_id_kind kind = sap_id_kind(name);

	if (self == SAP_ID_BUNDLE) {
		if (member == RELATES)
			return kind == SAP_ID_CVE || kind == SAP_ID_DERIVED ? COVERS : RELATED;
		return is_vulnerability(kind) ? COVERS : member == ALIASES ? ALIAS : RELATED;
	}
	if (member == ALIASES || (self == SAP_ID_DERIVED && sap_str_eq(name, derived)))
		return ALIAS;
	if (member == UPSTREAM && is_vulnerability(kind))
		return single ? ALIAS : COVERS;
	return RELATED;
}

/* Whether the record is about one vulnerability upstream, which may have a name in more than
 * one registry. */
static bool is_single(const struct sap_json *upstream)
{
	uint32_t cves = 0, all = 0;

	for (const struct sap_json *m = sap_json_first(upstream); m && cves < 2; m = m->next) {
		enum sap_id_kind kind = sap_id_kind(sap_json_string(m));

		all += is_vulnerability(kind);
		cves += kind == SAP_ID_CVE || kind == SAP_ID_DERIVED;
	}
	return cves == 1 || all == 1;
}

static int by_bytes(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

/* Sorted, each once. */
static size_t unique(struct sap_str *v, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), by_bytes);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !sap_str_eq(v[kept - 1], v[i]))
			v[kept++] = v[i];
	}
	return kept;
}

static int sort_names(struct sap_import *im, const struct sap_json *root, struct sap_str id,
		      struct names *names, struct sap_err *err)
{
	static const char *const members[MEMBERS] = { "aliases", "upstream", "related" };
	const enum sap_id_kind self = sap_id_kind(id);
	const struct sap_str derived = sap_id_derived_from(id);
	const struct sap_json *lists[MEMBERS];
	uint64_t n = 0, left;
	bool single;

	for (size_t i = 0; i < MEMBERS; i++) {
		lists[i] = sap_json_get(root, members[i]);
		if (!sap_json_is(lists[i], SAP_JSON_ARRAY))
			lists[i] = NULL;
		n += lists[i] ? lists[i]->n : 0;
	}
	if (n > SAP_NAMES_MAX)
		sap_import_problem(im, "it has %llu names and relations: only %u are kept",
				   (unsigned long long)n, SAP_NAMES_MAX);
	left = n < SAP_NAMES_MAX ? n : SAP_NAMES_MAX;
	for (size_t i = 0; i < LISTS; i++) {
		names->v[i] = sap_arena_array(im->arena, left, sizeof(struct sap_str));
		if (!names->v[i])
			return sap_err_nomem(err);
	}
	single = is_single(lists[UPSTREAM]);
	for (enum member i = 0; i < MEMBERS; i++) {
		for (const struct sap_json *m = sap_json_first(lists[i]); m && left > 0;
		     m = m->next) {
			struct sap_str name = sap_json_string(m);
			struct sap_str inner = sap_id_derived_from(name);
			enum list to = place(self, derived, i, name, single);

			if (name.n == 0 || sap_str_eq(name, id))
				continue;
			/* What a bundle covers are the CVEs, not the records about them. */
			if (to == COVERS && inner.n > 0)
				name = inner;
			names->v[to][names->n[to]++] = name;
			left--;
		}
	}
	for (size_t i = 0; i < LISTS; i++)
		names->n[i] = unique(names->v[i], names->n[i]);
	return 0;
}

static void put_list(struct sap_rows *rows, const char *key, const struct names *names,
		     enum list list)
{
	sap_rows_list_begin(rows, key);
	for (size_t i = 0; i < names->n[list]; i++)
		sap_rows_list_item(rows, names->v[list][i]);
	sap_rows_list_end(rows);
}

/* ---- the record ------------------------------------------------------------------------- */

/* Bug fixes and enhancements that name no vulnerability. */
static bool beside_the_point(struct sap_str id, const struct names *names)
{
	static const struct sap_str prefixes[] = {
		SAP_STR_INIT("ALBA-"), SAP_STR_INIT("ALEA-"), SAP_STR_INIT("RLBA-"),
		SAP_STR_INIT("RLEA-"), SAP_STR_INIT("RHBA-"), SAP_STR_INIT("RHEA-"),
	};

	if (names->n[COVERS] > 0)
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (sap_str_starts(id, prefixes[i]))
			return true;
	}
	return false;
}

/* "AlmaLinux" of "AlmaLinux:9"; without a package the registry that gave the id. */
static struct sap_str source_of(const struct sap_json *root, struct sap_str id)
{
	struct sap_str name = { 0 }, rest;

	for (const struct sap_json *a = sap_json_first(sap_json_get(root, "affected"));
	     a && name.n == 0; a = a->next)
		name = sap_json_text(sap_json_get(a, "package"), "ecosystem");
	sap_str_cut(name.n > 0 ? name : id, name.n > 0 ? ':' : '-', &name, &rest);
	return name;
}

static void put_record(struct sap_import *im, struct sap_osv_record *r, const struct names *names,
		       struct sap_str withdrawn)
{
	const struct sap_json *own = sap_json_get(r->root, "severity");
	const struct sap_json *special = sap_json_get(r->root, "database_specific");
	struct sap_rows *rows = im->rows;

	sap_rows_begin(rows, SAP_ROW_RECORD);
	sap_rows_arg(rows, r->id);
	sap_rows_attr(rows, "modified", sap_json_text(r->root, "modified"));
	sap_rows_attr(rows, "published", sap_json_text(r->root, "published"));
	sap_rows_attr(rows, "withdrawn", withdrawn);
	put_list(rows, "alias", names, ALIAS);
	put_list(rows, "covers", names, COVERS);
	put_list(rows, "related", names, RELATED);
	/* Where the record has none its packages may: the first that does speaks for all. */
	for (const struct sap_json *a = sap_json_first(sap_json_get(r->root, "affected"));
	     a && !sap_json_first(own); a = a->next)
		own = sap_json_get(a, "severity");
	r->severity = sap_osv_severity(own, put_vector, rows);
	if (r->severity == SAP_SEVERITY_UNKNOWN)
		r->severity = sap_severity_parse(sap_json_text(special, "severity"));
	if (r->severity == SAP_SEVERITY_UNKNOWN && sap_id_kind(r->id) == SAP_ID_BUNDLE)
		r->severity = severity_of_summary(r->summary);
	sap_rows_attr(rows, "severity", sap_str_of(sap_severity_name(r->severity)));
	if (r->malicious)
		sap_rows_attr(rows, "compromised", SAP_STR("yes"));
	sap_rows_done(rows);
}

static int one_record(struct sap_import *im, const struct sap_json *root, struct sap_err *err)
{
	const struct sap_json *special = sap_json_get(root, "database_specific");
	struct sap_osv_record r = { .root = root,
				    .id = sap_json_text(root, "id"),
				    .summary = sap_json_text(root, "summary") };
	struct sap_str withdrawn = sap_json_text(root, "withdrawn");
	struct names names = { 0 };
	int rc;

	if (!sap_json_is(root, SAP_JSON_OBJECT) || r.id.n == 0) {
		sap_import_problem(im, "no OSV record: it has no id");
		return 0;
	}
	rc = sort_names(im, root, r.id, &names, err);
	if (rc < 0 || beside_the_point(r.id, &names))
		return rc;
	r.malicious = sap_str_starts(r.id, SAP_STR("MAL-")) ||
		      sap_json_get(special, "malicious-packages-origins");
	sap_import_source(im, "osv", source_of(root, r.id), (struct sap_str){ 0 }, NULL);
	put_record(im, &r, &names, withdrawn);
	return withdrawn.n > 0 ? 0 : sap_osv_claims(im, &r, err);
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	int rc = 0;

	if (!sap_json_is(value, SAP_JSON_ARRAY))
		return one_record(im, value, err);
	for (const struct sap_json *r = value->first; r && rc == 0; r = r->next)
		rc = one_record(im, r, err);
	return rc;
}

const struct sap_import_format sap_format_osv = {
	.name = "osv",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.skip = skip,
	.recognise = recognise,
	.record = record,
};
