/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/judge_int.h"

#include "base/limits.h"
#include "model/purl.h"
#include "version/cvss.h"

/* ---- what is known of a vulnerability, once --------------------------------------------- */

static int read_functions(struct sap_judge *j, struct sap_known *known, struct sap_err *err)
{
	struct sap_functions list = { 0 };
	int r = sap_store_functions(j->store, known->id, &j->unit, &list, err);

	if (r == 0 && list.n) {
		known->functions = sap_judge_array(j, list.n, sizeof(*known->functions));
		if (!known->functions)
			r = sap_err_nomem(err);
	}
	for (size_t i = 0; r == 0 && known->functions && i < list.n; i++) {
		struct sap_function_name *to = &known->functions[known->n_functions++];

		to->kind = list.v[i].kind;
		if (!sap_judge_keep(j, list.v[i].name, &to->name) ||
		    !sap_judge_keep(j, list.v[i].project, &to->project))
			r = sap_err_nomem(err);
	}
	free(list.v);
	return r;
}

static int read_known(struct sap_judge *j, const struct sap_pending *p, struct sap_known *known,
		      struct sap_err *err)
{
	struct sap_vulnerability *v = &known->v;
	struct sap_str *texts[] = { &v->kev_added, &v->kev_due, &v->exploitation, &v->automatable,
				    &v->impact };
	int r = sap_store_vulnerability(j->store, known->id, &j->unit, v, &known->found, err);

	for (size_t i = 0; r == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!sap_judge_keep(j, *texts[i], texts[i]))
			r = sap_err_nomem(err);
	if (r == 0)
		r = read_functions(j, known, err);
	j->names.n = 0;
	return r < 0 ? r
		     : sap_store_other_names(j->store, known->id, p->said, p->n_said, &j->unit,
					     &j->names, err);
}

/* ---- names ------------------------------------------------------------------------------ */

static int compare_strs(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

/* Another CVE is another vulnerability. */
static bool add_alias(struct sap_judge *j, const struct sap_finding *f, struct sap_str id)
{
	const struct sap_str name = sap_advisory_name(id), cve = SAP_STR("CVE-");
	struct sap_str *to;

	if (sap_str_starts(name, cve) && sap_str_starts(f->id, cve))
		return true;
	to = SAP_VEC_PUSH(&j->aliases, SAP_NAMES_MAX);
	if (to)
		*to = name;
	return to || j->aliases.n >= SAP_NAMES_MAX;
}

/* Every other name: those the store knows, and the records that spoke here. */
static int set_aliases(struct sap_judge *j, const struct sap_pending *p, struct sap_finding *f,
		       struct sap_err *err)
{
	bool ok = true;

	j->aliases.n = 0;
	for (size_t i = 0; ok && i < j->names.n; i++)
		ok = add_alias(j, f, j->names.v[i]);
	for (uint32_t i = 0; ok && i < p->n_said; i++) {
		const struct sap_record_names *a = &p->said[i];
		struct sap_str list = a->bundle ? (struct sap_str){ 0 } : a->alias, name;

		ok = add_alias(j, f, a->id);
		while (ok && sap_row_list_next(&list, &j->scratch, &name))
			ok = add_alias(j, f, name);
	}
	if (!ok)
		return sap_err_nomem(err);
	if (j->aliases.n == 0)
		return 0;
	qsort(j->aliases.v, j->aliases.n, sizeof(*j->aliases.v), compare_strs);
	f->aliases = sap_judge_array(j, j->aliases.n, sizeof(*f->aliases));
	if (!f->aliases)
		return sap_err_nomem(err);
	for (size_t i = 0; i < j->aliases.n; i++) {
		struct sap_str name = j->aliases.v[i];

		if (name.n == 0 || sap_str_eq(name, f->id) ||
		    (i > 0 && sap_str_eq(name, j->aliases.v[i - 1])))
			continue;
		if (!sap_judge_keep(j, name, &f->aliases[f->n_aliases++]))
			return sap_err_nomem(err);
	}
	return 0;
}

/* ---- scores ----------------------------------------------------------------------------- */

/* The newest version of CVSS that a list has. */
static void best_vector(struct sap_str list, struct sap_arena *arena, struct sap_cvss *best,
			struct sap_str *vector)
{
	struct sap_str item;
	struct sap_cvss cvss;

	while (sap_row_list_next(&list, arena, &item)) {
		if (!sap_cvss_parse(item, &cvss) || cvss.version <= best->version)
			continue;
		*best = cvss;
		*vector = item;
	}
}

static bool set_scores(struct sap_judge *j, const struct sap_known *known,
		       const struct sap_pending *p, struct sap_finding *f)
{
	struct sap_cvss cvss = { .version = SAP_CVSS_NONE };
	struct sap_str vector = { 0 };

	best_vector(p->cvss, &j->scratch, &cvss, &vector);
	best_vector(known->v.cvss, &j->scratch, &cvss, &vector);
	f->score = cvss.version ? cvss.base : -1;
	f->severity = p->severity ? p->severity : known->v.severity;
	if (!f->severity && cvss.version)
		f->severity =
			(uint8_t)sap_severity_parse(sap_str_of(sap_cvss_rating(&cvss, cvss.base)));
	f->kev = known->v.kev;
	f->kev_ransomware = known->v.kev_ransomware;
	f->kev_added = known->v.kev_added;
	f->kev_due = known->v.kev_due;
	f->epss = known->v.has_epss ? known->v.epss : -1;
	f->percentile = known->v.has_epss ? known->v.percentile : -1;
	f->exploitation = known->v.exploitation;
	f->automatable = known->v.automatable;
	f->impact = known->v.impact;
	return sap_judge_keep(j, vector, &f->cvss);
}

/* ---- functions -------------------------------------------------------------------------- */

static bool has_function(const struct sap_finding *f, struct sap_str name)
{
	for (uint32_t i = 0; i < f->n_functions; i++)
		if (sap_str_eq(f->functions[i].name, name))
			return true;
	return false;
}

/* Those that fixes changed, then those that only the advisory names. */
static int set_functions(struct sap_judge *j, const struct sap_known *known, struct sap_str named,
			 struct sap_finding *f, struct sap_err *err)
{
	struct sap_str list = named, name;
	uint64_t n = known->n_functions;

	f->functions = known->functions;
	f->n_functions = known->n_functions;
	if (named.n == 0)
		return 0;
	while (n < SAP_FUNCTIONS_MAX && sap_row_list_next(&list, NULL, &name))
		n++;
	f->functions = sap_judge_array(j, n, sizeof(*f->functions));
	if (!f->functions)
		return sap_err_nomem(err);
	if (known->n_functions)
		memcpy(f->functions, known->functions, known->n_functions * sizeof(*f->functions));
	while (f->n_functions < n && sap_row_list_next(&named, &j->scratch, &name)) {
		struct sap_function_name *to = &f->functions[f->n_functions];

		if (has_function(f, name))
			continue;
		to->kind = 'S';
		if (!sap_judge_keep(j, name, &to->name))
			return sap_err_nomem(err);
		f->n_functions++;
	}
	return 0;
}

/* ---- what it is about ------------------------------------------------------------------- */

/* Whether the unit's findings are about packages of a source, whichever of them it is. */
static bool purl_is_of_source(const struct sap_unit *unit)
{
	return unit->purl_type || unit->type == SAP_PACKAGE_DEB || unit->type == SAP_PACKAGE_RPM ||
	       unit->type == SAP_PACKAGE_APK;
}

static void put_purl(struct sap_judge *j, const struct sap_unit *unit, const struct sap_item *item,
		     struct sap_finding *f)
{
	struct sap_buf *buf = &j->buf;

	sap_buf_reset(buf);
	if (unit->purl_type)
		sap_purl_put_source_of(buf, unit->purl_type, unit->os, unit->release, f->name,
				       f->version);
	else if (purl_is_of_source(unit))
		sap_purl_put_source(buf, j->facts, unit->type,
				    unit->source.n ? unit->source : f->name,
				    unit->source_version.n ? unit->source_version : f->version);
	else
		sap_purl_put_package(buf, j->facts, &j->facts->packages.v[item->package]);
}

/* The name and version that were compared: the source's, unless the deciding statement names
 * a binary package. */
static int set_subject(struct sap_judge *j, const struct sap_unit *unit,
		       const struct sap_verdict *v, const struct sap_item *item,
		       struct sap_finding *f, struct sap_err *err)
{
	bool binary = unit->source.n == 0 ||
		      (v->n_claims && j->claims.v[v->claims[0]].names == SAP_NAMES_BINARY);
	bool same = !binary && unit->source_version.n && purl_is_of_source(unit);
	struct sap_str version =
		binary || !unit->source_version.n ? item->version : unit->source_version;

	if (same && j->subject.name.n) {
		f->name = j->subject.name;
		f->version = j->subject.version;
		f->package = j->subject.package;
		return 0;
	}
	if (!sap_judge_keep(j, binary ? item->name : unit->source, &f->name) ||
	    !sap_judge_keep(j, version, &f->version))
		return sap_err_nomem(err);
	put_purl(j, unit, item, f);
	if (!sap_buf_ok(&j->buf) || !sap_judge_keep(j, sap_buf_str(&j->buf), &f->package))
		return sap_err_nomem(err);
	if (same) {
		j->subject.name = f->name;
		j->subject.version = f->version;
		j->subject.package = f->package;
	}
	return 0;
}

static size_t first_copy(const struct sap_judge *j, uint32_t package)
{
	size_t low = 0, high = j->copies.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (j->copies.v[mid].package < package)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The packages, and the objects: the unit's own and copies of what the packages own. */
static int set_things(struct sap_judge *j, const struct sap_unit *unit, const uint32_t *items,
		      uint32_t n, struct sap_finding *f, struct sap_err *err)
{
	uint64_t n_objects = unit->n_objects;

	f->packages = sap_judge_array(j, n, sizeof(*f->packages));
	if (!f->packages)
		return sap_err_nomem(err);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t package = unit->items[items[i]].package;

		if (package == SAP_NONE)
			continue;
		f->packages[f->n_packages++] = package;
		for (size_t k = first_copy(j, package);
		     k < j->copies.n && j->copies.v[k].package == package; k++)
			n_objects++;
	}
	if (f->n_packages)
		qsort(f->packages, f->n_packages, sizeof(*f->packages), compare_numbers);
	if (n_objects == 0)
		return 0;
	f->objects = sap_judge_array(j, n_objects, sizeof(*f->objects));
	if (!f->objects)
		return sap_err_nomem(err);
	for (uint32_t i = 0; i < unit->n_objects; i++)
		f->objects[f->n_objects++] = unit->objects[i];
	for (uint32_t i = 0; i < f->n_packages; i++)
		for (size_t k = first_copy(j, f->packages[i]);
		     k < j->copies.n && j->copies.v[k].package == f->packages[i]; k++)
			f->objects[f->n_objects++] = j->copies.v[k].object;
	qsort(f->objects, f->n_objects, sizeof(*f->objects), compare_numbers);
	return 0;
}

static int set_steps(struct sap_judge *j, const struct sap_verdict *v, struct sap_finding *f,
		     struct sap_err *err)
{
	if (!v->n_steps)
		return 0;
	f->steps = sap_judge_array(j, v->n_steps, sizeof(*f->steps));
	if (!f->steps)
		return sap_err_nomem(err);
	f->n_steps = v->n_steps;
	for (uint32_t i = 0; i < v->n_steps; i++) {
		f->steps[i] = v->steps[i];
		if (!sap_judge_keep(j, v->steps[i].advisory, &f->steps[i].advisory) ||
		    !sap_judge_keep(j, v->steps[i].source, &f->steps[i].source) ||
		    !sap_judge_keep(j, v->steps[i].space, &f->steps[i].space) ||
		    !sap_judge_keep(j, v->steps[i].says, &f->steps[i].says) ||
		    !sap_judge_keep(j, v->steps[i].outcome, &f->steps[i].outcome))
			return sap_err_nomem(err);
	}
	return 0;
}

static bool put_by_text(struct sap_judge *j, struct sap_str s, struct sap_str *out)
{
	*out = (struct sap_str){ 0 };
	return s.n == 0 || sap_arena_str(&j->scratch, s, out);
}

/* What enriching will need of the verdict, which is gone by then. */
static int put_by(struct sap_judge *j, const struct sap_verdict *v, struct sap_err *err)
{
	struct sap_pending *p = SAP_VEC_PUSH(&j->pending, SAP_FINDINGS_MAX);

	if (!p)
		return sap_err_nomem(err);
	p->finding = (uint32_t)j->out->list.n - 1;
	p->trial = j->trial;
	p->severity = v->severity;
	p->said = sap_arena_array(&j->scratch, v->n_claims, sizeof(*p->said));
	if (!p->said || !put_by_text(j, v->id, &p->id) || !put_by_text(j, v->cvss, &p->cvss) ||
	    !put_by_text(j, v->functions, &p->functions))
		return sap_err_nomem(err);
	for (uint32_t i = 0; i < v->n_claims; i++) {
		const struct sap_advisory *a = j->claims.v[v->claims[i]].advisory;
		struct sap_record_names *to = &p->said[p->n_said++];

		/* A record may speak of it in several claims. */
		if (to > p->said && to[-1].row == a->row) {
			p->n_said--;
			continue;
		}
		to->row = a->row;
		to->bundle = a->covers.n > 0;
		if (!put_by_text(j, a->id, &to->id) || !put_by_text(j, a->alias, &to->alias))
			return sap_err_nomem(err);
	}
	return 0;
}

int sap_judge_finding(struct sap_judge *j, const struct sap_unit *unit,
		      const struct sap_verdict *verdict, const uint32_t *items, uint32_t n_items,
		      struct sap_err *err)
{
	const struct sap_item *item = &unit->items[n_items ? items[0] : 0];
	struct sap_finding *f = SAP_VEC_PUSH(&j->out->list, SAP_FINDINGS_MAX);
	int r;

	if (!f)
		return sap_err_set(err, SAP_ENOMEM, "out of memory, or more than %u findings",
				   SAP_FINDINGS_MAX);
	f->status = verdict->status;
	f->state = SAP_STATE_PRESENT;
	f->compromised = verdict->compromised;
	f->pro = verdict->pro;
	if (verdict->offered_known)
		f->offered = verdict->offered ? SAP_YES : SAP_NO;
	if (!sap_judge_keep(j, verdict->reason, &f->reason) ||
	    !sap_judge_keep(j, verdict->fixed, &f->fixed_version))
		return sap_err_nomem(err);
	r = set_subject(j, unit, verdict, item, f, err);
	if (r == 0)
		r = set_things(j, unit, items, n_items, f, err);
	if (r == 0)
		r = set_steps(j, verdict, f, err);
	return r == 0 ? put_by(j, verdict, err) : r;
}

/* ---- all findings ----------------------------------------------------------------------- */

static int compare_pending(const void *va, const void *vb)
{
	const struct sap_pending *a = va, *b = vb;
	int c = sap_str_cmp(a->id, b->id);

	return c ? c : a->finding < b->finding ? -1 : a->finding > b->finding;
}

static int enrich(struct sap_judge *j, const struct sap_known *known, const struct sap_pending *p,
		  struct sap_err *err)
{
	struct sap_finding *f = &j->out->list.v[p->finding];
	int r;

	f->id = known->id;
	r = set_aliases(j, p, f, err);
	if (r == 0)
		r = set_functions(j, known, p->functions, f, err);
	if (r == 0 && !set_scores(j, known, p, f))
		r = sap_err_nomem(err);
	return r;
}

int sap_judge_enrich_some(struct sap_judge *j, const struct sap_pending *v, size_t n, size_t from,
			  size_t to, struct sap_err *err)
{
	struct sap_known known = { .found = false };
	int r = 0;

	while (from > 0 && from < to && sap_str_eq(v[from].id, v[from - 1].id))
		from++;
	for (size_t i = from; r == 0 && i < n; i++) {
		if (i == from || !sap_str_eq(v[i].id, v[i - 1].id)) {
			if (i >= to)
				break;
			known = (struct sap_known){ .found = false };
			sap_arena_reset(&j->unit);
			if (!sap_judge_keep(j, v[i].id, &known.id))
				return sap_err_nomem(err);
			r = read_known(j, &v[i], &known, err);
		}
		if (r == 0)
			r = enrich(j, &known, &v[i], err);
	}
	return r;
}

int sap_judge_enrich(struct sap_judge *j, struct sap_err *err)
{
	if (j->pending.n == 0)
		return 0;
	qsort(j->pending.v, j->pending.n, sizeof(*j->pending.v), compare_pending);
	return sap_judge_enrich_all(j, err);
}
