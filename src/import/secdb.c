/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secdb: what Alpine, Wolfi and Chainguard repaired (https://secdb.alpinelinux.org/).
 *
 *     { "distroversion": "v3.19", "reponame": "main", "urlprefix": "https://dl-cdn...",
 *       "packages": [ { "pkg": { "name": "xz", "secfixes": {
 *           "5.6.1-r2": ["CVE-2024-3094"],
 *           "0": ["CVE-2022-1271"] } } } ] }
 *
 * "0" means that the package was never affected. A text names a vulnerability, and may name
 * others and say more: "CVE-2026-48785 / GHSA-cr2j-534f-mf3g", "CVE-2017-10918 XSA-222",
 * "CVE-2019-17349 CVE-2019-17350 XSA-295", "CVE-2017-16808 # (AoE)". Each CVE in it is a
 * vulnerability of its own; where there is none, its first name is. A GHSA beside a single CVE is
 * an alias; all other names are advisories, which go with several vulnerabilities (XSA-489 has
 * four CVEs), and are noted as related.
 *
 * One CVE is listed under many packages, while a record of the store stands for all that a
 * source says under its id. So a record is a vulnerability in a package: id
 * "CVE-2024-3094/xz", alias CVE-2024-3094; one claim: affected introduced=0 fixed=VERSION, or
 * not-affected. Where a package repairs the same CVE twice, the higher version counts.
 *
 * The source is "secdb/Alpine v3.19 main", replaced as a whole; a snapshot of edge may bring
 * its date ("edge-2026-08-22"). Wolfi and Chainguard have no releases; their URLs tell them.
 */
#include <stdlib.h>

#include "import/import_int.h"
#include "import/lists_int.h"
#include "version/version.h"

struct origin {
	struct sap_str space, name, date; /* name: of the source */
};

struct fix {
	struct sap_str id, version;
	struct sap_str text; /* the names it was listed with */
	size_t order;
};

struct package {
	struct sap_str name;
	SAP_VEC(struct fix) fixes;
};

static bool recognise(const struct sap_import_head *head)
{
	return head->json && !head->json_array && sap_import_head_has(head, "packages") &&
	       (sap_import_head_has(head, "reponame") || sap_import_head_has(head, "apkurl")) &&
	       (sap_import_head_has(head, "urlprefix") ||
		sap_import_head_has(head, "distroversion"));
}

/* ---- where it comes from ---------------------------------------------------------------- */

static bool contains(struct sap_str s, const char *word)
{
	return s.n > 0 && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

/* Joins parts in the arena; empty when memory is out. */
static struct sap_str join(struct sap_arena *arena, struct sap_str a, struct sap_str b,
			   struct sap_str c)
{
	struct sap_str parts[] = { a, b, c };
	char *p = sap_arena_alloc(arena, a.n + b.n + c.n);
	size_t n = 0;

	for (int i = 0; p && i < 3; i++) {
		if (parts[i].n > 0)
			memcpy(p + n, parts[i].p, parts[i].n);
		n += parts[i].n;
	}
	return (struct sap_str){ p, n };
}

/* The "3.19" of "v3.19.1"; empty: no release. */
static struct sap_str release_of(struct sap_str version)
{
	size_t n = 0, dots = 0;

	if (version.n > 0 && version.p[0] == 'v')
		version = sap_str_skip(version, 1);
	while (n < version.n && (sap_list_digits(version, n, 1) || version.p[n] == '.')) {
		dots += version.p[n] == '.';
		if (dots == 2)
			break;
		n++;
	}
	if (dots == 0 || (n < version.n && dots < 2))
		return (struct sap_str){ 0 };
	return (struct sap_str){ version.p, n };
}

/* False: unknown; NULL texts: memory is out. */
static bool origin_of(struct sap_arena *arena, const struct sap_json *root, struct origin *out)
{
	struct sap_str version = sap_json_text(root, "distroversion");
	struct sap_str prefix = sap_json_text(root, "urlprefix");
	struct sap_str url = sap_json_text(root, "apkurl");
	struct sap_str repository = sap_json_text(root, "reponame"), release;
	struct sap_str distribution = { 0 };

	*out = (struct origin){ 0 };
	if (contains(prefix, "wolfi") || contains(url, "wolfi") || sap_str_is(repository, "wolfi"))
		distribution = SAP_STR("Wolfi");
	else if (contains(prefix, "chainguard") || contains(url, "chainguard") ||
		 contains(prefix, "cgr.dev") || sap_str_is(repository, "chainguard"))
		distribution = SAP_STR("Chainguard");
	if (distribution.n > 0) {
		out->space = distribution;
		out->name = join(arena, distribution, SAP_STR(" "), repository);
		return true;
	}
	release = release_of(version);
	if (sap_str_starts(version, SAP_STR("edge"))) {
		out->space = SAP_STR("Alpine:edge");
		out->date = sap_list_date(arena, sap_str_skip(version, 5));
		version = SAP_STR("edge");
	} else if (release.n > 0) {
		out->space = join(arena, SAP_STR("Alpine:"), release, (struct sap_str){ 0 });
		version = join(arena, SAP_STR("v"), release, (struct sap_str){ 0 });
	} else {
		return false;
	}
	version = join(arena, SAP_STR("Alpine "), version, SAP_STR(" "));
	out->name = sap_str_trim(join(arena, version, repository, (struct sap_str){ 0 }));
	return true;
}

/* ---- names ------------------------------------------------------------------------------ */

/* A name of a registry that is not known here: "XSA-207", "VSV00019", "ZDI-CAN-22300". */
static bool is_name(struct sap_str s)
{
	if (s.n < 4 || s.p[0] < 'A' || s.p[0] > 'Z' || !sap_list_digits(s, s.n - 1, 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !sap_list_digits(s, i, 1) && s.p[i] != '-')
			return false;
	}
	return true;
}

/* The next name in a text like those above; text in parentheses and behind '#' is skipped.
 * A "CVE 2025-48379" is read as CVE-2025-48379: *number is then the part behind "CVE". */
static bool name_next(struct sap_str *text, struct sap_str *name, bool *split)
{
	struct sap_str inside;

	while (text->n > 0) {
		size_t n = 0;

		if (text->p[0] == '#')
			return false;
		if (text->p[0] == '(') {
			sap_str_cut(*text, ')', &inside, text);
			continue;
		}
		while (n < text->n && text->p[n] > ' ' && !memchr(",;/()#", text->p[n], 6))
			n++;
		*name = (struct sap_str){ text->p, n };
		*text = sap_str_skip(*text, n ? n : 1);
		*split = sap_str_is(*name, "CVE") && text->n > 6 && text->p[0] == ' ' &&
			 sap_list_digits(*text, 1, 4) && text->p[5] == '-';
		if (*split)
			return true;
		if (sap_id_kind(*name) != SAP_ID_NONE || is_name(*name))
			return true;
		inside = *name; /* "CVE-2021-35940.patch" */
		if (sap_id_next(&inside, name, NULL))
			return true;
	}
	return false;
}

/* As name_next, with "CVE 2025-48379" put together in the arena. */
static bool name_take(struct sap_arena *arena, struct sap_str *text, struct sap_str *name)
{
	struct sap_str number;
	bool split;

	if (!name_next(text, name, &split))
		return false;
	if (split && sap_str_word(text, &number))
		*name = join(arena, SAP_STR("CVE-"), number, (struct sap_str){ 0 });
	return name->p != NULL;
}

/* ---- one package ------------------------------------------------------------------------ */

static int add_fix(struct package *package, struct sap_str id, struct sap_str version,
		   struct sap_str text, struct sap_err *err)
{
	struct fix *fix = SAP_VEC_PUSH(&package->fixes, SAP_CLAIMS_MAX);

	if (!fix)
		return package->fixes.n < SAP_CLAIMS_MAX
			       ? sap_err_nomem(err)
			       : sap_err_set(err, SAP_ELIMIT, "more than %u repairs of one package",
					     SAP_CLAIMS_MAX);
	*fix = (struct fix){ id, version, text, package->fixes.n };
	return 0;
}

/* The vulnerabilities that one text names. */
static int read_text(struct sap_import *im, struct package *package, struct sap_str version,
		     struct sap_str text, struct sap_err *err)
{
	struct sap_str rest = text, name, first = { 0 };
	bool found = false;
	int rc;

	while (name_take(im->arena, &rest, &name)) {
		if (first.n == 0)
			first = name;
		if (sap_id_kind(name) != SAP_ID_CVE)
			continue;
		found = true;
		rc = add_fix(package, name, version, text, err);
		if (rc < 0)
			return rc;
	}
	if (found)
		return 0;
	if (first.n == 0 || !sap_list_name_ok(first)) {
		sap_import_problem(im, "%.*s %.*s: no name of a vulnerability: \"%.*s\"",
				   SAP_FMT(package->name), SAP_FMT(version),
				   (int)(text.n > 120 ? 120 : text.n), text.p ? text.p : "");
		return 0;
	}
	return add_fix(package, first, version, text, err);
}

static int by_id(const void *a, const void *b)
{
	const struct fix *x = a, *y = b;
	int c = sap_str_cmp(x->id, y->id);

	if (c == 0 && !sap_str_eq(x->version, y->version)) {
		/* The highest first; "0" is below every version. */
		if (sap_str_is(x->version, "0") || sap_str_is(y->version, "0"))
			return sap_str_is(x->version, "0") ? 1 : -1;
		c = sap_version_cmp(SAP_VERSION_APK, y->version, x->version);
	}
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Aliases or related names of a vulnerability, from all texts it was listed with. */
static void write_names(struct sap_import *im, const struct fix *fix, size_t n, bool alias)
{
	struct sap_str rest, name;

	sap_rows_list_begin(im->rows, alias ? "alias" : "related");
	if (alias)
		sap_rows_list_item(im->rows, fix->id);
	for (size_t i = 0; i < n; i++) {
		size_t cves = 0;
		bool is_alias;

		for (rest = fix[i].text; name_take(im->arena, &rest, &name);)
			cves += sap_id_kind(name) == SAP_ID_CVE;
		for (rest = fix[i].text; name_take(im->arena, &rest, &name);) {
			enum sap_id_kind kind = sap_id_kind(name);

			if (sap_str_eq(name, fix->id) || (kind == SAP_ID_CVE && cves > 0))
				continue;
			is_alias = cves <= 1 && kind == SAP_ID_WEAKNESS;
			if (is_alias == alias && sap_list_name_ok(name))
				sap_rows_list_item(im->rows, name);
		}
	}
	sap_rows_list_end(im->rows);
}

/* n fixes of one vulnerability, the highest version first. */
static int write_fix(struct sap_import *im, const struct origin *origin, struct sap_str package,
		     const struct fix *fix, size_t n, struct sap_err *err)
{
	struct sap_list_claim claim = { .space = origin->space, .package = package };
	struct sap_str id = join(im->arena, fix->id, SAP_STR("/"), package);

	if (!id.p)
		return sap_err_nomem(err);
	sap_rows_begin(im->rows, SAP_ROW_RECORD);
	sap_rows_arg(im->rows, id);
	write_names(im, fix, n, true);
	write_names(im, fix, n, false);
	sap_rows_done(im->rows);
	claim.status = "not-affected";
	if (!sap_str_is(fix->version, "0")) {
		claim.status = "affected";
		claim.fixed = fix->version;
	}
	sap_list_claim(im->rows, &claim);
	return 0;
}

static int read_fixes(struct sap_import *im, const struct sap_json *fixes, struct package *package,
		      struct sap_err *err)
{
	int rc = 0;

	for (const struct sap_json *m = sap_json_first(fixes); m && rc == 0; m = m->next) {
		if (!sap_json_is(m, SAP_JSON_ARRAY) || !sap_list_version_ok(m->key)) {
			sap_import_problem(im,
					   "%.*s: \"%.*s\" is no version with a list of repairs",
					   SAP_FMT(package->name), SAP_FMT(m->key));
			continue;
		}
		for (const struct sap_json *e = m->first; e && rc == 0; e = e->next)
			rc = read_text(im, package, m->key, sap_json_string(e), err);
	}
	return rc;
}

static int write_package(struct sap_import *im, const struct origin *origin,
			 const struct sap_json *value, struct sap_err *err)
{
	struct package package = { .name = sap_json_text(value, "name") };
	const struct sap_json *fixes = sap_json_get(value, "secfixes");
	size_t i = 0;
	int rc;

	if (!sap_list_name_ok(package.name) || !sap_json_is(fixes, SAP_JSON_OBJECT)) {
		sap_import_problem(im, "\"%.*s\": a package without a name or \"secfixes\"",
				   SAP_FMT(package.name));
		return 0;
	}
	rc = read_fixes(im, fixes, &package, err);
	if (package.fixes.n > 0)
		qsort(package.fixes.v, package.fixes.n, sizeof(package.fixes.v[0]), by_id);
	while (rc == 0 && i < package.fixes.n) {
		size_t n = 1;

		while (i + n < package.fixes.n &&
		       sap_str_eq(package.fixes.v[i + n].id, package.fixes.v[i].id))
			n++;
		rc = write_fix(im, origin, package.name, &package.fixes.v[i], n, err);
		i += n;
	}
	sap_vec_clear(&package.fixes);
	return rc;
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	const struct sap_json *packages = sap_json_get(value, "packages");
	struct origin origin;
	int rc = 0;

	if (!sap_json_is(packages, SAP_JSON_ARRAY)) {
		sap_import_problem(im, "no list \"packages\"");
		return 0;
	}
	if (!origin_of(im->arena, value, &origin)) {
		sap_import_problem(im, "neither distroversion nor urlprefix names a distribution "
				       "that is known");
		return 0;
	}
	if (!origin.space.p || !origin.name.p)
		return sap_err_nomem(err);
	sap_import_source(im, "secdb", origin.name, origin.date, "replace");
	for (const struct sap_json *m = packages->first; m && rc == 0; m = m->next)
		rc = write_package(im, &origin, sap_json_get(m, "pkg"), err);
	return rc;
}

const struct sap_import_format sap_format_secdb = {
	.name = "secdb",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.recognise = recognise,
	.record = record,
};
