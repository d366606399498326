/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVE records, version 5: how severe a vulnerability is, and what CISA's SSVC says of it.
 *
 *     dataType            "CVE_RECORD"
 *     cveMetadata         cveId, state (REJECTED: left out)
 *     containers.cna      of who assigned the number
 *     containers.adp[]    of others: CISA's Vulnrichment, the CVE program
 *         metrics[]
 *             cvssV4_0, cvssV3_1, cvssV3_0, cvssV2_0    vectorString, baseSeverity, baseScore
 *             other       type "ssvc": content.options[], an object each with one of
 *                         "Exploitation", "Automatable", "Technical Impact"
 *
 * Vectors are listed newest version of CVSS first, within a version the CNA's first; the
 * severity is that of the first. Of two SSVC decisions the one with the later timestamp counts.
 */
#include "advisory/claim.h"
#include "import/vex_int.h"
#include "version/cvss.h"

#define VECTORS_MAX 16u

struct vector {
	struct sap_str text;
	uint8_t severity; /* enum sap_severity */
	uint8_t version;  /* index into versions: 0 is the newest */
};

struct cve {
	struct sap_import *im;
	struct sap_str id;
	struct vector vectors[VECTORS_MAX]; /* sorted by version */
	size_t n;
	struct sap_str exploitation, automatable, impact, decided;
	uint64_t bad; /* metrics that make no sense */
	struct sap_str first;
};

static const char *const versions[] = { "cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0" };

static bool recognise(const struct sap_import_head *head)
{
	const struct sap_json *containers = sap_json_get(head->root, "containers");

	return sap_str_is(sap_json_text(head->root, "dataType"), "CVE_RECORD") ||
	       sap_json_get(containers, "cna") ||
	       (sap_json_get(containers, "adp") && sap_json_is(containers, SAP_JSON_OBJECT)) ||
	       sap_json_get(sap_json_get(head->root, "cveMetadata"), "cveId");
}

static void bad(struct cve *c, struct sap_str what)
{
	if (c->bad++ == 0)
		c->first = what;
}

/* ---- CVSS ------------------------------------------------------------------------------- */

static uint8_t severity_of(const struct sap_json *metric, struct sap_str vector)
{
	struct sap_str word = sap_json_text(metric, "baseSeverity");
	enum sap_severity s = sap_severity_parse(word);
	struct sap_cvss cvss;

	/* CVSS 2 has no word, and in all versions it may be missing. */
	if (s == SAP_SEVERITY_UNKNOWN && sap_cvss_parse(vector, &cvss)) {
		word = sap_str_of(sap_cvss_rating(&cvss, cvss.base));
		s = sap_severity_parse(word);
	}
	if (s == SAP_SEVERITY_UNKNOWN && (sap_str_is(word, "NONE") || sap_str_is(word, "none")))
		s = SAP_SEVERITY_NEGLIGIBLE;
	return (uint8_t)s;
}

static void add_vector(struct cve *c, const struct sap_json *metric, uint8_t version)
{
	struct sap_str text = sap_str_trim(sap_json_text(metric, "vectorString"));
	bool v2 = version == 3;
	size_t at;

	if (!metric)
		return;
	if (!sap_str_starts(text, v2 ? SAP_STR("AV:") : SAP_STR("CVSS:"))) {
		bad(c, text.n > 0 ? text : sap_str_of(versions[version]));
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (sap_str_eq(c->vectors[i].text, text))
			return;
	if (c->n == VECTORS_MAX) {
		bad(c, text);
		return;
	}
	for (at = c->n; at > 0 && c->vectors[at - 1].version > version; at--)
		c->vectors[at] = c->vectors[at - 1];
	c->vectors[at] = (struct vector){ text, severity_of(metric, text), version };
	c->n++;
}

/* ---- SSVC ------------------------------------------------------------------------------- */

static bool same_word(struct sap_str a, struct sap_str lower)
{
	if (a.n != lower.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char c = a.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (c != lower.p[i])
			return false;
	}
	return true;
}

/* One decision point: what the record says, in our words; empty: it says nothing we know. */
static struct sap_str option(struct cve *c, const struct sap_json *value,
			     const struct sap_str *words, size_t n)
{
	struct sap_str s = sap_str_trim(sap_json_string(value));

	if (same_word(s, SAP_STR("public poc"))) /* of SSVC before 2.2 */
		s = SAP_STR("poc");
	for (size_t i = 0; i < n; i++)
		if (same_word(s, words[i]))
			return words[i];
	bad(c, s.n > 0 ? s : value->key);
	return (struct sap_str){ 0 };
}

static void read_ssvc(struct cve *c, const struct sap_json *content)
{
	static const struct sap_str exploitation[] = { SAP_STR_INIT("none"), SAP_STR_INIT("poc"),
						       SAP_STR_INIT("active") };
	static const struct sap_str yes_no[] = { SAP_STR_INIT("yes"), SAP_STR_INIT("no") };
	static const struct sap_str impact[] = { SAP_STR_INIT("partial"), SAP_STR_INIT("total") };
	const struct sap_json *m = sap_json_first(sap_json_get(content, "options"));
	struct sap_str when = sap_json_text(content, "timestamp");

	if (c->decided.n > 0 && sap_str_cmp(when, c->decided) < 0)
		return;
	c->decided = when;
	for (; m; m = m->next) {
		for (const struct sap_json *o = sap_json_first(m); o; o = o->next) {
			if (sap_str_is(o->key, "Exploitation"))
				c->exploitation = option(c, o, exploitation, 3);
			else if (sap_str_is(o->key, "Automatable"))
				c->automatable = option(c, o, yes_no, 2);
			else if (sap_str_is(o->key, "Technical Impact"))
				c->impact = option(c, o, impact, 2);
		}
	}
}

/* ---- records ---------------------------------------------------------------------------- */

static void read_container(struct cve *c, const struct sap_json *container)
{
	const struct sap_json *m = sap_json_first(sap_json_get(container, "metrics"));

	for (; m; m = m->next) {
		const struct sap_json *other = sap_json_get(m, "other");

		for (uint8_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
			add_vector(c, sap_json_get(m, versions[i]), i);
		if (sap_str_is(sap_json_text(other, "type"), "ssvc"))
			read_ssvc(c, sap_json_get(other, "content"));
	}
}

static void put(struct cve *c)
{
	struct sap_rows *rows = c->im->rows;
	uint8_t severity = 0;

	for (size_t i = c->n; i-- > 0;)
		if (c->vectors[i].severity)
			severity = c->vectors[i].severity;
	if (c->n == 0 && c->exploitation.n + c->automatable.n + c->impact.n == 0)
		return;
	sap_import_source(c->im, "cve", SAP_STR("CVE"), (struct sap_str){ 0 }, "merge");
	sap_rows_begin(rows, SAP_ROW_VULNERABILITY);
	sap_rows_arg(rows, c->id);
	sap_rows_attr(rows, "severity", sap_str_of(sap_severity_name((enum sap_severity)severity)));
	for (size_t i = 0; i < c->n; i++)
		sap_rows_attr(rows, "cvss", c->vectors[i].text);
	sap_rows_attr(rows, "exploitation", c->exploitation);
	sap_rows_attr(rows, "automatable", c->automatable);
	sap_rows_attr(rows, "impact", c->impact);
	sap_rows_done(rows);
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *metadata = sap_json_get(value, "cveMetadata");
	const struct sap_json *containers = sap_json_get(value, "containers"), *m;
	struct cve c = { .im = im, .id = sap_json_text(metadata, "cveId") };

	(void)err;
	if (sap_id_kind(c.id) != SAP_ID_CVE) {
		sap_import_problem(im, "no CVE record: its cveMetadata.cveId is \"%.*s\"",
				   SAP_FMT(c.id));
		return 0;
	}
	if (sap_str_is(sap_json_text(metadata, "state"), "REJECTED"))
		return 0;
	read_container(&c, sap_json_get(containers, "cna"));
	for (m = sap_json_first(sap_json_get(containers, "adp")); m; m = m->next)
		read_container(&c, m);
	put(&c);
	if (c.bad > 0)
		sap_import_problem(im,
				   "%.*s: metrics that cannot be read: %llu; the first: \"%.*s\"",
				   SAP_FMT(c.id), (unsigned long long)c.bad, SAP_FMT(c.first));
	return 0;
}

static const char *const skipped[] = { "descriptions",
				       "references",
				       "affected",
				       "problemTypes",
				       "credits",
				       "x_legacyV4Record",
				       "configurations",
				       "workarounds",
				       "solutions",
				       "exploits",
				       "timeline",
				       "impacts",
				       "cpeApplicability",
				       "taxonomyMappings",
				       "providerMetadata",
				       "rejectedReasons",
				       NULL };

const struct sap_import_format sap_format_cve = {
	.name = "cve",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.skip = skipped,
	.recognise = recognise,
	.record = record,
};
