/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CycloneDX 1.4 to 1.6 (ECMA-424): what its vulnerabilities say where they have an analysis.
 * One without analysis is what some scanner found: no statement, and left out.
 *
 *     vulnerabilities[]
 *         id, references[].id          the name; a CVE among them is preferred
 *         analysis.state               resolved, resolved_with_pedigree: fixed
 *                                      exploitable: affected      in_triage: under_investigation
 *                                      not_affected, false_positive: not_affected
 *         analysis.justification, else analysis.detail (false_positive says itself)
 *         analysis.response[]          the action; else recommendation, workaround
 *         affects[].ref                a bom-ref of components (nested ones too), of
 *                                      metadata.component, or a BOM-link
 *                                      "urn:cdx:SERIAL/VERSION#REF", by its fragment
 *         affects[].versions[]         of a component whose purl has no version: a statement
 *                                      each, "unaffected" ones as not_affected
 *
 * Without affects a vulnerability is about the whole: metadata.component's purl, else "*".
 */
#include <stdlib.h>

#include "base/limits.h"
#include "import/vex_int.h"

struct component {
	struct sap_str ref, purl;
	uint64_t hash;
	uint32_t place;
};

struct bom {
	struct sap_import *im;
	struct component *v; /* sorted by hash, ref */
	size_t n;
	struct sap_str whole, author, date;
	uint64_t unresolved, without_purl;
	struct sap_str first;
	char action[512];
};

static bool recognise(const struct sap_import_head *head)
{
	return sap_str_is(sap_json_text(head->root, "bomFormat"), "CycloneDX");
}

/* ---- components ------------------------------------------------------------------------- */

static int by_ref(const void *pa, const void *pb)
{
	const struct component *a = pa, *b = pb;
	int c;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	c = sap_str_cmp(a->ref, b->ref);
	return c ? c : a->place < b->place ? -1 : a->place > b->place;
}

/* Counts components where bom->v is NULL, else fills them in. */
static void add(struct bom *bom, const struct sap_json *c, unsigned depth)
{
	struct sap_str ref = sap_json_text(c, "bom-ref");
	const struct sap_json *m = sap_json_first(sap_json_get(c, "components"));

	if (ref.n > 0) {
		if (bom->v)
			bom->v[bom->n] =
				(struct component){ ref, sap_str_trim(sap_json_text(c, "purl")),
						    sap_vex_hash(ref), (uint32_t)bom->n };
		bom->n++;
	}
	for (; m && depth > 0; m = m->next)
		add(bom, m, depth - 1);
}

static void add_all(struct bom *bom, const struct sap_json *root)
{
	const struct sap_json *m = sap_json_first(sap_json_get(root, "components"));

	add(bom, sap_json_get(sap_json_get(root, "metadata"), "component"), SAP_IMPORT_DEPTH_MAX);
	for (; m; m = m->next)
		add(bom, m, SAP_IMPORT_DEPTH_MAX);
}

static int read_components(struct bom *bom, const struct sap_json *root, struct sap_err *err)
{
	struct component *v;

	add_all(bom, root);
	v = sap_arena_array(bom->im->arena, bom->n, sizeof(*v));
	if (!v)
		return sap_err_nomem(err);
	bom->v = v;
	bom->n = 0;
	add_all(bom, root);
	qsort(bom->v, bom->n, sizeof(*bom->v), by_ref);
	return 0;
}

static const struct component *find(const struct bom *bom, struct sap_str ref)
{
	struct component key = { .ref = ref, .hash = sap_vex_hash(ref) };
	size_t lo = 0, hi = bom->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_ref(&bom->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < bom->n && bom->v[lo].hash == key.hash && sap_str_eq(bom->v[lo].ref, ref)
		       ? &bom->v[lo]
		       : NULL;
}

/* The component that a ref means, as a purl; empty: nothing that could be found here. */
static int resolve(struct bom *bom, struct sap_str ref, struct sap_str *out, struct sap_err *err)
{
	const struct component *c = find(bom, ref);
	struct sap_str fragment, serial;

	*out = (struct sap_str){ 0 };
	if (!c && sap_str_starts(ref, SAP_STR("urn:cdx:")) &&
	    sap_str_cut(ref, '#', &serial, &fragment)) {
		/* RFC 3986: what a fragment cannot hold is %XX in it. As it stands first: a purl
		 * as a bom-ref has such of its own. */
		c = find(bom, fragment);
		ref = fragment;
		if (!c) {
			if (!sap_vex_decode(bom->im->arena, fragment, &ref))
				return sap_err_nomem(err);
			c = find(bom, ref);
		}
	}
	if (c && c->purl.n > 0)
		*out = c->purl;
	else if (sap_str_starts(ref, SAP_STR("pkg:")))
		*out = ref; /* many tools take the purl itself as bom-ref */
	if (out->n == 0) {
		if (bom->unresolved + bom->without_purl == 0)
			bom->first = ref;
		*(c ? &bom->without_purl : &bom->unresolved) += 1;
	}
	return 0;
}

/* ---- vulnerabilities -------------------------------------------------------------------- */

static struct sap_str status_of(struct sap_str state)
{
	static const struct {
		struct sap_str state, status;
	} states[] = {
		{ SAP_STR_INIT("resolved"), SAP_STR_INIT("fixed") },
		{ SAP_STR_INIT("resolved_with_pedigree"), SAP_STR_INIT("fixed") },
		{ SAP_STR_INIT("exploitable"), SAP_STR_INIT("affected") },
		{ SAP_STR_INIT("in_triage"), SAP_STR_INIT("under_investigation") },
		{ SAP_STR_INIT("false_positive"), SAP_STR_INIT("not_affected") },
		{ SAP_STR_INIT("not_affected"), SAP_STR_INIT("not_affected") },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (sap_str_eq(states[i].state, state))
			return states[i].status;
	return (struct sap_str){ 0 };
}

/* "update, workaround_available" in bom->action; else what else the vulnerability advises. */
static struct sap_str action_of(struct bom *bom, const struct sap_json *v,
				const struct sap_json *response)
{
	size_t n = 0;

	for (const struct sap_json *m = sap_json_first(response); m; m = m->next) {
		struct sap_str s = sap_json_string(m);

		if (s.n == 0 || s.n + 2 > sizeof(bom->action) - n)
			continue;
		if (n > 0) {
			memcpy(bom->action + n, ", ", 2);
			n += 2;
		}
		memcpy(bom->action + n, s.p, s.n);
		n += s.n;
	}
	if (n > 0)
		return (struct sap_str){ bom->action, n };
	return sap_json_text(v, "recommendation").n > 0 ? sap_json_text(v, "recommendation")
							: sap_json_text(v, "workaround");
}

/* PURL@VERSION; what a purl may not hold as it is, is %XX. */
static int with_version(struct bom *bom, struct sap_str purl, struct sap_str version,
			struct sap_str *out, struct sap_err *err)
{
	struct sap_str base, tail = { 0 };
	char *to = sap_arena_alloc(bom->im->arena, purl.n + 1 + version.n * 3);
	size_t n;

	if (!to)
		return sap_err_nomem(err);
	base = purl;
	for (size_t i = 0; i < purl.n; i++) {
		if (purl.p[i] != '?' && purl.p[i] != '#')
			continue;
		base.n = i;
		tail = sap_str_skip(purl, i);
		break;
	}
	memcpy(to, base.p, base.n);
	n = base.n;
	to[n++] = '@';
	for (size_t i = 0; i < version.n; i++) {
		unsigned char c = (unsigned char)version.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || (c && strchr(".-_~:", c));

		if (plain) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = "0123456789ABCDEF"[c >> 4];
		to[n++] = "0123456789ABCDEF"[c & 15];
	}
	if (tail.n > 0)
		memcpy(to + n, tail.p, tail.n);
	*out = (struct sap_str){ to, n + tail.n };
	return 0;
}

static bool has_version(struct sap_str purl)
{
	for (size_t i = 0; i < purl.n && purl.p[i] != '?' && purl.p[i] != '#'; i++)
		if (purl.p[i] == '@' && i > 0 && purl.p[i - 1] != '/')
			return true;
	return false;
}

/* What is said of one affected component. */
static int put_affected(struct bom *bom, struct sap_vex *vex, const struct sap_json *affected,
			struct sap_err *err)
{
	const struct sap_json *versions = sap_json_get(affected, "versions"), *m;
	struct sap_str purl, status = vex->status;
	int rc = resolve(bom, sap_str_trim(sap_json_text(affected, "ref")), &purl, err);

	if (rc < 0 || purl.n == 0)
		return rc;
	vex->product = purl;
	if (!sap_json_first(versions) || has_version(purl)) {
		sap_vex_put(bom->im->rows, vex);
		return 0;
	}
	for (m = sap_json_first(versions); m && rc == 0; m = m->next) {
		struct sap_str version = sap_str_trim(sap_json_text(m, "version"));
		struct sap_str word = sap_json_text(m, "status");

		if (version.n == 0) {
			sap_import_problem(bom->im,
					   "%.*s: a range of versions of %.*s was left out",
					   SAP_FMT(vex->id), SAP_FMT(purl));
			continue;
		}
		vex->status = status;
		if (sap_str_is(word, "unaffected"))
			vex->status = SAP_STR("not_affected");
		else if (sap_str_is(word, "unknown") && sap_str_is(status, "affected"))
			vex->status = SAP_STR("under_investigation");
		rc = with_version(bom, purl, version, &vex->product, err);
		if (rc == 0)
			sap_vex_put(bom->im->rows, vex);
	}
	vex->status = status;
	return rc;
}

static int vulnerability(struct bom *bom, const struct sap_json *v, struct sap_err *err)
{
	const struct sap_json *analysis = sap_json_get(v, "analysis");
	const struct sap_json *affects = sap_json_get(v, "affects"), *m;
	struct sap_str state = sap_json_text(analysis, "state");
	struct sap_vex vex = { .status = status_of(state), .author = bom->author };
	static const char *const dates[] = { "updated", "published" };
	int rc = 0;

	if (!analysis || state.n == 0)
		return 0;
	vex.id = sap_vex_id(sap_json_text(v, "id"), sap_json_get(v, "references"), "id");
	if (vex.id.n == 0) {
		sap_import_problem(bom->im, "a vulnerability has no id");
		return 0;
	}
	if (vex.status.n == 0) {
		sap_import_problem(bom->im, "%.*s has an unknown state of analysis: %.*s",
				   SAP_FMT(vex.id), SAP_FMT(state));
		return 0;
	}
	vex.justification = sap_json_text(analysis, "justification");
	if (vex.justification.n == 0)
		vex.justification = sap_str_is(state, "false_positive")
					    ? state
					    : sap_json_text(analysis, "detail");
	vex.action = action_of(bom, v, sap_json_get(analysis, "response"));
	if (!sap_vex_date(bom->im->arena, sap_json_text(analysis, "lastUpdated"), &vex.date))
		return sap_err_nomem(err);
	for (size_t i = 0; i < 2 && vex.date.n == 0; i++)
		if (!sap_vex_date(bom->im->arena, sap_json_text(v, dates[i]), &vex.date))
			return sap_err_nomem(err);
	if (vex.date.n == 0)
		vex.date = bom->date;
	if (!sap_json_first(affects)) {
		vex.product = bom->whole;
		sap_vex_put(bom->im->rows, &vex);
	}
	for (m = sap_json_first(affects); m && rc == 0; m = m->next)
		rc = put_affected(bom, &vex, m, err);
	return rc;
}

/* ---- documents -------------------------------------------------------------------------- */

static struct sap_str author_of(const struct sap_json *metadata)
{
	static const char *const makers[] = { "manufacturer", "manufacture", "supplier" };
	struct sap_str s = sap_json_text(sap_json_first(sap_json_get(metadata, "authors")), "name");

	for (size_t i = 0; i < 3 && s.n == 0; i++)
		s = sap_json_text(sap_json_get(metadata, makers[i]), "name");
	return s;
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *metadata = sap_json_get(value, "metadata");
	const struct sap_json *list = sap_json_get(value, "vulnerabilities"), *m;
	struct sap_str serial = sap_str_trim(sap_json_text(value, "serialNumber"));
	struct bom bom = { .im = im,
			   .whole = sap_str_trim(
				   sap_json_text(sap_json_get(metadata, "component"), "purl")),
			   .author = author_of(metadata) };
	uint64_t before;
	int rc;

	if (!sap_vex_date(im->arena, sap_json_text(metadata, "timestamp"), &bom.date))
		return sap_err_nomem(err);
	rc = read_components(&bom, value, err);
	if (rc < 0)
		return sap_vex_outcome(im, rc, err);
	sap_import_source(im, "cyclonedx", serial.n > 0 ? serial : im->name, bom.date, "replace");
	before = im->rows->n;
	for (m = sap_json_first(list); m && rc == 0; m = m->next)
		rc = vulnerability(&bom, m, err);
	if (rc < 0)
		return sap_vex_outcome(im, rc, err);
	if (bom.unresolved + bom.without_purl > 0)
		sap_import_problem(im,
				   "affected components that are not in this BOM: %llu, without "
				   "purl: %llu; the first: %.*s",
				   (unsigned long long)bom.unresolved,
				   (unsigned long long)bom.without_purl, SAP_FMT(bom.first));
	if (im->rows->n == before)
		sap_import_problem(im, "no vulnerability in this BOM has an analysis: it says "
				       "nothing about them");
	return 0;
}

static const char *const skipped[] = { "licenses",     "hashes",       "externalReferences",
				       "evidence",     "dependencies", "properties",
				       "description",  "pedigree",     "compositions",
				       "annotations",  "signature",    "copyright",
				       "tools",        "ratings",      "cwes",
				       "advisories",   "credits",      "proofOfConcept",
				       "releaseNotes", "modelCard",    NULL };

const struct sap_import_format sap_format_cyclonedx = {
	.name = "cyclonedx",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.skip = skipped,
	.recognise = recognise,
	.record = record,
};
