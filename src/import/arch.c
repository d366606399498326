/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arch Linux's vulnerability groups: security.archlinux.org/all.json, an array of these, or one
 * alone (AVG-984.json).
 *
 *     { "name": "AVG-984", "packages": ["linux-lts"], "status": "Fixed", "severity": "High",
 *       "affected": "4.19.51-1", "fixed": "4.19.52-1" | null, "issues": ["CVE-2019-11479"],
 *       "advisories": ["ASA-201906-14"] }
 *
 * The record is the group; it covers its issues. "affected" is the version in which the problem
 * was found, not the first that has it: ranges begin with the first version.
 *
 *     Fixed           affected introduced=0 fixed=FIXED
 *     Testing         the same with offered=no where there is a version, else as Vulnerable
 *     Vulnerable      affected introduced=0
 *     Not affected    not-affected
 *     Unknown         under-investigation
 *
 * Source "arch/Arch"; the array replaces it, a single group is added.
 */
#include "import/import_int.h"
#include "import/lists_int.h"

static bool recognise(const struct sap_import_head *head)
{
	const struct sap_json *group = head->root;

	if (!head->json)
		return false;
	if (head->json_array)
		group = sap_json_first(group);
	return sap_str_starts(sap_json_text(group, "name"), SAP_STR("AVG-")) &&
	       (sap_json_get(group, "packages") || sap_json_get(group, "status") ||
		sap_json_get(group, "issues"));
}

static void write_list(struct sap_rows *rows, const char *key, const struct sap_json *list)
{
	sap_rows_list_begin(rows, key);
	for (const struct sap_json *m = sap_json_first(list); m; m = m->next) {
		if (sap_list_name_ok(sap_json_string(m)))
			sap_rows_list_item(rows, sap_json_string(m));
	}
	sap_rows_list_end(rows);
}

/* Fills status and fixed. False: it makes no sense. */
static bool meaning(const struct sap_json *group, struct sap_list_claim *claim)
{
	struct sap_str status = sap_json_text(group, "status");
	struct sap_str fixed = sap_json_text(group, "fixed");
	bool version = sap_list_version_ok(fixed);

	claim->status = "affected";
	if (sap_str_is(status, "Vulnerable"))
		return true;
	if (sap_str_is(status, "Testing")) {
		if (version)
			claim->fixed = fixed;
		claim->not_offered = version;
		return version || fixed.n == 0;
	}
	if (sap_str_is(status, "Fixed")) {
		claim->fixed = fixed;
		return version;
	}
	if (sap_str_is(status, "Not affected"))
		claim->status = "not-affected";
	else if (sap_str_is(status, "Unknown"))
		claim->status = "under-investigation";
	else
		return false;
	return true;
}

static bool has_names(const struct sap_json *list)
{
	if (!sap_json_is(list, SAP_JSON_ARRAY) || !list->first)
		return false;
	for (const struct sap_json *m = list->first; m; m = m->next) {
		if (!sap_list_name_ok(sap_json_string(m)))
			return false;
	}
	return true;
}

static void write_group(struct sap_import *im, const struct sap_json *group, const char *mode)
{
	struct sap_list_claim claim = { .space = SAP_STR_INIT("Arch") };
	const struct sap_json *packages = sap_json_get(group, "packages");
	struct sap_str name = sap_json_text(group, "name");

	if (!sap_str_starts(name, SAP_STR("AVG-")) || !sap_list_name_ok(name) ||
	    !has_names(packages) || !meaning(group, &claim)) {
		sap_import_problem(im, "\"%.*s\": a group without a valid name, packages or status",
				   SAP_FMT(name));
		return;
	}
	sap_import_source(im, "arch", SAP_STR("Arch"), (struct sap_str){ 0 }, mode);
	sap_rows_begin(im->rows, SAP_ROW_RECORD);
	sap_rows_arg(im->rows, name);
	write_list(im->rows, "covers", sap_json_get(group, "issues"));
	write_list(im->rows, "related", sap_json_get(group, "advisories"));
	sap_rows_attr(im->rows, "severity",
		      sap_str_of(sap_list_severity(sap_json_text(group, "severity"))));
	sap_rows_done(im->rows);
	sap_list_claim_begin(im->rows, &claim);
	for (const struct sap_json *m = packages->first; m; m = m->next)
		sap_rows_list_item(im->rows, sap_json_string(m));
	sap_list_claim_end(im->rows, &claim);
}

static int record(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	(void)err;
	if (!sap_json_is(value, SAP_JSON_ARRAY)) {
		write_group(im, value, "merge");
		return 0;
	}
	for (const struct sap_json *m = value->first; m; m = m->next)
		write_group(im, m, "replace");
	return 0;
}

const struct sap_import_format sap_format_arch = {
	.name = "arch",
	.json = true,
	.split = SAP_JSON_WHOLE,
	.recognise = recognise,
	.record = record,
};
