/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/claim.h"
#include "report/report_int.h"

enum { DAY = 86400 };

static void put_date(struct sap_json *json, const char *key, int64_t seconds)
{
	char text[SAP_DAY_SIZE];

	sap_json_text(json, key, sap_str_of(sap_report_day(seconds, text)));
}

static void put_word(struct sap_json *json, const char *key, const char *word)
{
	if (word)
		sap_json_name(json, key, word);
}

/* A decimal fraction that came as one, with at most five places. */
static void put_fraction(struct sap_json *json, const char *key, double value)
{
	if (value >= 0 && value <= 10)
		sap_json_decimal(json, key, (uint64_t)(value * 100000 + 0.5), 5);
}

/* ---- what it was judged by -------------------------------------------------------------- */

static void put_coverage(struct sap_json *json, const struct sap_findings *f)
{
	sap_json_list(json, "coverage");
	for (size_t i = 0; i < f->coverage.n; i++) {
		const struct sap_coverage *c = &f->coverage.v[i];
		int64_t newest = c->as_of > c->checked ? c->as_of : c->checked;

		sap_json_object(json, NULL);
		sap_json_text(json, "space", c->space);
		sap_json_bool(json, "covered", c->covered);
		put_date(json, "as_of", c->as_of);
		put_date(json, "checked", c->checked);
		if (newest > 0 && newest <= f->now)
			sap_json_u64(json, "age_days", (uint64_t)(f->now - newest) / DAY);
		sap_json_bool(json, "stale", c->stale);
		sap_json_u64(json, "packages", c->packages);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_counts(struct sap_json *json, const struct sap_findings *f)
{
	sap_json_object(json, "counts");
	for (unsigned status = 1; status < SAP_STATUSES; status++)
		sap_json_u64(json, sap_status_name(status), f->n_status[status]);
	sap_json_u64(json, "compromised", f->n_compromised);
	if (f->kev_known)
		sap_json_u64(json, "known_exploited", f->n_kev);
	sap_json_u64(json, "suppressed", f->n_suppressed);
	sap_json_u64(json, "packages_judged", f->n_judged);
	sap_json_u64(json, "not_judged", f->not_judged.n);
	sap_json_close(json);
}

static void put_advisories(struct sap_json *json, const struct sap_findings *f)
{
	sap_json_object(json, "advisories");
	sap_json_text(json, "store", f->store);
	sap_json_text(json, "reason", f->no_store);
	sap_json_bool(json, "sound", sap_findings_sound(f));
	sap_json_u64(json, "max_age_days", (uint64_t)(f->max_age / DAY));
	put_coverage(json, f);
	if (f->kev_known) {
		sap_json_object(json, "exploited_list");
		put_date(json, "as_of", f->kev_as_of);
		sap_json_bool(json, "stale", f->kev_stale);
		sap_json_close(json);
	}
	put_counts(json, f);
	if (f->notes.n) {
		sap_json_list(json, "notes");
		for (size_t i = 0; i < f->notes.n; i++)
			sap_json_str(json, NULL, f->notes.v[i]);
		sap_json_close(json);
	}
	sap_json_close(json);
}

/* ---- findings --------------------------------------------------------------------------- */

static void put_subjects(struct sap_report *report, struct sap_json *json,
			 const struct sap_finding *v, const struct sap_facts *facts)
{
	sap_json_text(json, "package", v->package);
	sap_json_text(json, "name", v->name);
	sap_json_text(json, "version", v->version);
	sap_json_list(json, "packages");
	for (uint32_t i = 0; i < v->n_packages; i++)
		sap_json_ascii(json, NULL, sap_report_purl(report, facts, v->packages[i]));
	sap_json_close(json);
	if (v->n_objects == 0)
		return;
	sap_json_list(json, "objects");
	for (uint32_t i = 0; i < v->n_objects; i++)
		sap_json_str(json, NULL, sap_report_path(facts, v->objects[i]));
	sap_json_close(json);
}

static void put_exploitation(struct sap_json *json, const struct sap_findings *f,
			     const struct sap_finding *v)
{
	if (f->kev_known)
		sap_json_bool(json, "kev", v->kev);
	if (v->kev) {
		sap_json_text(json, "kev_added", v->kev_added);
		sap_json_text(json, "kev_due", v->kev_due);
		sap_json_bool(json, "kev_ransomware", v->kev_ransomware);
	}
	put_fraction(json, "epss", v->epss);
	put_fraction(json, "epss_percentile", v->percentile);
	if (v->exploitation.n || v->automatable.n || v->impact.n) {
		sap_json_object(json, "ssvc");
		sap_json_text(json, "exploitation", v->exploitation);
		sap_json_text(json, "automatable", v->automatable);
		sap_json_text(json, "technical_impact", v->impact);
		sap_json_close(json);
	}
}

static void put_functions(struct sap_json *json, const struct sap_finding *v)
{
	const char *kind;

	if (v->n_functions == 0)
		return;
	sap_json_list(json, "functions");
	for (uint32_t i = 0; i < v->n_functions; i++) {
		const struct sap_function_name *f = &v->functions[i];

		kind = f->kind == 'M'   ? "changed"
		       : f->kind == 'D' ? "removed"
		       : f->kind == 'H' ? "hooked"
					: "named";
		sap_json_object(json, NULL);
		sap_json_text(json, "name", f->name);
		sap_json_text(json, "project", f->project);
		sap_json_name(json, "kind", kind);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_steps(struct sap_json *json, const struct sap_finding *v)
{
	if (v->n_steps == 0)
		return;
	sap_json_list(json, "explanation");
	for (uint32_t i = 0; i < v->n_steps; i++) {
		const struct sap_step *s = &v->steps[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "advisory", s->advisory);
		sap_json_text(json, "source", s->source);
		sap_json_text(json, "space", s->space);
		sap_json_text(json, "says", s->says);
		sap_json_text(json, "outcome", s->outcome);
		sap_json_bool(json, "decides", s->decides);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_finding(struct sap_report *report, struct sap_json *json,
			const struct sap_scan_view *view, const struct sap_finding *v)
{
	const struct sap_findings *f = view->findings;

	sap_json_object(json, NULL);
	sap_json_text(json, "id", v->id);
	sap_json_list(json, "aliases");
	for (uint32_t i = 0; i < v->n_aliases; i++)
		sap_json_str(json, NULL, v->aliases[i]);
	sap_json_close(json);
	put_subjects(report, json, v, f->facts);
	put_word(json, "status", sap_status_name(v->status));
	sap_json_bool(json, "compromised", v->compromised);
	sap_json_text(json, "reason", v->reason);
	sap_json_text(json, "fixed_version", v->fixed_version);
	if (v->offered != SAP_UNKNOWN)
		sap_json_bool(json, "offered", v->offered == SAP_YES);
	if (v->pro)
		sap_json_bool(json, "subscription", true);
	put_word(json, "severity", sap_severity_name(v->severity));
	sap_json_text(json, "cvss", v->cvss);
	if (v->score >= 0)
		sap_json_decimal(json, "cvss_score", (uint64_t)(v->score * 10 + 0.5), 1);
	put_exploitation(json, f, v);
	if (v->state != SAP_STATE_UNKNOWN)
		sap_json_name(json, "state", sap_state_name(v->state));
	sap_finding_json_state(json, view, v);
	put_functions(json, v);
	if (v->suppression) {
		sap_json_object(json, "suppressed");
		sap_json_text(json, "by", v->suppression->by);
		sap_json_text(json, "reason", v->suppression->reason);
		sap_json_text(json, "until", v->suppression->until);
		sap_json_close(json);
	}
	put_steps(json, v);
	sap_json_close(json);
}

static void put_not_judged(struct sap_report *report, struct sap_json *json,
			   const struct sap_findings *f)
{
	sap_json_list(json, "not_judged");
	for (size_t i = 0; i < f->not_judged.n; i++) {
		const struct sap_not_judged *v = &f->not_judged.v[i];

		sap_json_object(json, NULL);
		if (v->package != SAP_NONE)
			sap_json_ascii(json, "package",
				       sap_report_purl(report, f->facts, v->package));
		else
			sap_json_text(json, "object", sap_report_path(f->facts, v->object));
		sap_json_text(json, "reason", v->reason);
		sap_json_close(json);
	}
	sap_json_close(json);
}

void sap_findings_json(struct sap_report *report, struct sap_json *json,
		       const struct sap_scan_view *view)
{
	const struct sap_findings *f = view->findings;

	put_advisories(json, f);
	sap_json_list(json, "findings");
	for (size_t i = 0; i < f->list.n; i++) {
		if (view->show_suppressed || !f->list.v[i].suppression)
			put_finding(report, json, view, &f->list.v[i]);
	}
	sap_json_close(json);
	put_not_judged(report, json, f);
}
