/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/claim.h"
#include "report/report_int.h"

enum { DAY = 86400 };

static int64_t newest(const struct sap_source *s)
{
	return s->as_of > s->checked ? s->as_of : s->checked;
}

static bool is_old(const struct sap_db_view *view, const struct sap_source *s)
{
	return newest(s) <= 0 || view->now - newest(s) > view->max_age;
}

static bool has_rejected(const struct sap_db_view *view)
{
	for (uint32_t i = 0; i < view->n_sources; i++) {
		if (view->sources[i].rejected)
			return true;
	}
	return false;
}

void sap_db_tty(struct sap_report *report, const struct sap_db_view *view)
{
	static const struct sap_column columns[] = {
		{ .head = "SOURCE", .min = 16 },
		{ .head = "RECORDS", .right = true },
		{ .head = "STATEMENTS", .right = true },
		{ .head = "AS OF" },
		{ .head = "CHECKED" },
		{ .head = "AGE", .right = true },
		{ .head = "REJECTED", .right = true },
	};
	const struct sap_tty *tty = &report->tty;
	unsigned n_columns = 6 + has_rejected(view);
	uint32_t old = 0;
	struct sap_table table;
	char date[SAP_DAY_SIZE];

	sap_tty_text(tty, SAP_BOLD, sap_str_of(view->path));
	sap_buf_puts(report->out,
		     view->baseline ? SAP_STR("  (came with this program)\n") : SAP_STR("\n"));
	sap_table_begin(&table, tty, columns, n_columns);
	for (uint32_t i = 0; i < view->n_sources; i++) {
		const struct sap_source *s = &view->sources[i];
		int64_t age = newest(s) > 0 ? (view->now - newest(s)) / DAY : -1;

		old += is_old(view, s);
		sap_table_text(&table, s->kind);
		sap_table_more(&table, s->name);
		sap_table_printf(&table, "%llu", (unsigned long long)s->records);
		sap_table_printf(&table, "%llu", (unsigned long long)s->claims);
		sap_table_printf(&table, "%s", sap_report_day(s->as_of, date));
		sap_table_printf(&table, "%s", sap_report_day(s->checked, date));
		if (age >= 0)
			sap_table_printf(&table, "%lld d", (long long)age);
		else
			sap_table_printf(&table, "unknown");
		if (is_old(view, s))
			sap_table_style(&table, SAP_YELLOW);
		if (n_columns == 7)
			sap_table_printf(&table, "%llu", (unsigned long long)s->rejected);
	}
	sap_table_end(&table);
	if (view->n_sources == 0)
		sap_tty_line(tty, SAP_RED, "it is empty; remedy: sapper db update");
	if (old)
		sap_tty_line(tty, SAP_YELLOW,
			     "%u of %u source%s older than %lld day%s; remedy: sapper db update",
			     old, view->n_sources, old == 1 ? " is" : "s are",
			     (long long)(view->max_age / DAY),
			     sap_plural((uint64_t)(view->max_age / DAY)));
}

void sap_db_json(struct sap_report *report, const struct sap_db_view *view)
{
	struct sap_json json;
	char date[SAP_DAY_SIZE];

	sap_report_json_begin(report, &json, "db/1");
	sap_json_text(&json, "store", sap_str_of(view->path));
	sap_json_bool(&json, "baseline", view->baseline);
	sap_json_u64(&json, "max_age_days", (uint64_t)(view->max_age / DAY));
	sap_json_list(&json, "sources");
	for (uint32_t i = 0; i < view->n_sources; i++) {
		const struct sap_source *s = &view->sources[i];

		sap_json_object(&json, NULL);
		sap_json_text(&json, "kind", s->kind);
		sap_json_text(&json, "name", s->name);
		sap_json_text(&json, "origin", s->origin);
		sap_json_text(&json, "licence", s->licence);
		sap_json_text(&json, "etag", s->etag);
		sap_json_text(&json, "digest", s->digest);
		sap_json_text(&json, "as_of", sap_str_of(sap_report_day(s->as_of, date)));
		sap_json_text(&json, "checked", sap_str_of(sap_report_day(s->checked, date)));
		if (newest(s) > 0 && newest(s) <= view->now)
			sap_json_u64(&json, "age_days", (uint64_t)(view->now - newest(s)) / DAY);
		sap_json_bool(&json, "stale", is_old(view, s));
		sap_json_u64(&json, "records", s->records);
		sap_json_u64(&json, "statements", s->claims);
		sap_json_u64(&json, "rejected", s->rejected);
		sap_json_close(&json);
	}
	sap_json_close(&json);
	sap_json_close(&json);
	sap_json_end(&json);
}
