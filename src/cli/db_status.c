/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <time.h>

#include "cli/advice.h"
#include "cli/db.h"

int db_status(const struct db_options *o)
{
	struct sap_store *store = NULL;
	struct sap_db_view view = {
		.now = (int64_t)time(NULL),
		.max_age = (int64_t)o->max_age_days * 86400,
	};
	struct sap_err err = { 0 };
	struct output output;
	char path[PATH_MAX];
	int r;

	if (o->n_args)
		return cli_usage(&cmd_db, "status takes no '%s'", o->args[0]);
	r = cli_store_path(o->db, path, sizeof(path), &err);
	if (r == 0)
		r = sap_store_open(path, &store, &err);
	if (r == SAP_ENOENT && !o->db && cli_baseline_path(path, sizeof(path))) {
		view.baseline = true;
		r = sap_store_open(path, &store, &err);
	}
	if (r < 0)
		return cli_fail(&err);
	view.path = path;
	view.sources = sap_store_sources(store, &view.n_sources);
	r = cli_output_open(&output, &o->common);
	if (r == STATUS_OK) {
		sap_report_db(output.report, &view);
		r = cli_output_close(&output);
	}
	sap_store_close(store);
	return r;
}
