/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON export of Debian's security tracker (tracker/data/json):
 *
 *     { "xz-utils": { "CVE-2024-3094": { "releases": { "bookworm": {
 *         "status": "resolved" | "open" | "undetermined",
 *         "fixed_version": "0" (never affected) | VERSION,
 *         "urgency": "high" | "medium**" | "low" | "unimportant" | "not yet assigned" |
 *                    "end-of-life",
 *         "nodsa": "Minor issue", "nodsa_reason": "" | "ignored" | "postponed" }}}}}
 *
 * It goes by package, and one CVE is listed under many, while a record of the store stands for
 * all that a source says under its id. So a record is what the tracker says of one CVE in one
 * package: id "CVE-2024-3094/xz-utils", alias CVE-2024-3094.
 *
 *     resolved, "0"        not-affected
 *     resolved, VERSION    affected introduced=0 fixed=VERSION
 *     open                 affected introduced=0; with nodsa also unfixed reason=no-dsa, ignored
 *                          or postponed; with urgency unimportant or end-of-life also unfixed
 *                          with that reason
 *     undetermined         under-investigation
 *
 * "sid" is the space "Debian", which speaks for every release without a statement of its own.
 * The source is replaced as a whole.
 */
#include "import/import_int.h"
#include "import/lists_int.h"

static bool is_name(struct sap_str s)
{
	enum sap_id_kind kind = sap_id_kind(s);

	return kind == SAP_ID_CVE || kind == SAP_ID_WEAKNESS;
}

static bool recognise(const struct sap_import_head *head)
{
	const struct sap_json *package = sap_json_first(head->root);
	const struct sap_json *entry = sap_json_first(package);

	if (!head->json || head->json_array || !sap_json_is(package, SAP_JSON_OBJECT) ||
	    !sap_json_is(entry, SAP_JSON_OBJECT) || !is_name(entry->key))
		return false;
	return sap_json_get(entry, "releases") || sap_json_get(entry, "description") ||
	       sap_json_get(entry, "scope") || sap_json_get(entry, "debianbug");
}

static const char *nodsa_reason(const struct sap_json *release)
{
	struct sap_str reason = sap_json_text(release, "nodsa_reason");

	if (!sap_json_get(release, "nodsa") && reason.n == 0)
		return NULL;
	if (sap_str_is(reason, "ignored"))
		return "ignored";
	return sap_str_is(reason, "postponed") ? "postponed" : "no-dsa";
}

static const char *open_reason(const struct sap_json *release, struct sap_str urgency)
{
	if (sap_str_is(urgency, "unimportant"))
		return "unimportant";
	return sap_str_is(urgency, "end-of-life") ? "end-of-life" : nodsa_reason(release);
}

static void write_release(struct sap_import *im, struct sap_str id, struct sap_str package,
			  const struct sap_json *release)
{
	struct sap_str status = sap_json_text(release, "status"), fixed, urgency, space;
	struct sap_list_claim claim = { .status = "affected", .package = package };
	enum sap_codename known = sap_debian_space(release->key, &space);

	if (known == SAP_CODENAME_NONE)
		return;
	if (known == SAP_CODENAME_UNKNOWN || release->key.n == 0) {
		sap_import_problem(im, "%.*s: the release \"%.*s\" is not known", SAP_FMT(id),
				   SAP_FMT(release->key));
		return;
	}
	claim.space = space;
	urgency = sap_json_text(release, "urgency");
	while (urgency.n > 0 && urgency.p[urgency.n - 1] == '*')
		urgency.n--;
	claim.severity = sap_list_severity(urgency);
	fixed = sap_json_text(release, "fixed_version");
	if (sap_str_is(status, "resolved") && sap_str_is(fixed, "0")) {
		claim.status = "not-affected";
	} else if (sap_str_is(status, "resolved") && sap_list_version_ok(fixed)) {
		claim.fixed = fixed;
	} else if (sap_str_is(status, "undetermined")) {
		claim.status = "under-investigation";
	} else if (!sap_str_is(status, "open")) {
		sap_import_problem(im, "%.*s: %.*s: no valid status and fixed_version", SAP_FMT(id),
				   SAP_FMT(release->key));
		return;
	}
	sap_list_claim(im->rows, &claim);
	claim.reason = sap_str_is(status, "open") ? open_reason(release, urgency) : NULL;
	if (claim.reason) {
		claim.status = "unfixed";
		sap_list_claim(im->rows, &claim);
	}
}

/* One CVE of one package. */
static int write_entry(struct sap_import *im, struct sap_str package, const struct sap_json *entry,
		       struct sap_err *err)
{
	const struct sap_json *releases = sap_json_get(entry, "releases");
	size_t n = entry->key.n + 1 + package.n;
	char *id;

	if (!is_name(entry->key) || !sap_json_is(releases, SAP_JSON_OBJECT)) {
		sap_import_problem(im, "\"%.*s\" is no entry with \"releases\"",
				   SAP_FMT(entry->key));
		return 0;
	}
	id = sap_arena_alloc(im->arena, n);
	if (!id)
		return sap_err_nomem(err);
	memcpy(id, entry->key.p, entry->key.n);
	id[entry->key.n] = '/';
	memcpy(id + entry->key.n + 1, package.p, package.n);
	sap_rows_begin(im->rows, SAP_ROW_RECORD);
	sap_rows_arg(im->rows, (struct sap_str){ id, n });
	sap_rows_list_begin(im->rows, "alias");
	sap_rows_list_item(im->rows, entry->key);
	sap_rows_list_end(im->rows);
	sap_rows_done(im->rows);
	for (const struct sap_json *m = sap_json_first(releases); m; m = m->next)
		write_release(im, (struct sap_str){ id, n }, package, m);
	return 0;
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	int rc = 0;

	sap_import_source(im, "debian-json", SAP_STR("Debian"), (struct sap_str){ 0 }, "replace");
	if (!sap_json_is(value, SAP_JSON_OBJECT) || !sap_list_name_ok(value->key)) {
		sap_import_problem(im, "\"%.*s\" is no package with entries", SAP_FMT(value->key));
		return 0;
	}
	for (const struct sap_json *m = value->first; m && rc == 0; m = m->next)
		rc = write_entry(im, value->key, m, err);
	return rc;
}

static const char *const skip[] = { "description", "repositories", NULL };

const struct sap_import_format sap_format_debian_json = {
	.name = "debian-json",
	.json = true,
	.split = SAP_JSON_MEMBERS,
	.skip = skip,
	.recognise = recognise,
	.record = record,
};
