/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/judge_int.h"

#include <stdio.h>

#include "advisory/origin.h"
#include "base/limits.h"

enum { DAY = 86400 };

/* A package of the system, on its way into a unit. Ids of the facts' pool. */
struct member {
	uint32_t source, version;
	uint32_t package;
	uint8_t type;
	bool foreign;
};

struct system {
	struct sap_court court;
	bool known;                 /* the target says what it is */
	enum sap_package_type type; /* of its packages; NONE: not known */
	size_t coverage;            /* its place in the list */
	SAP_VEC(struct member) members;
	SAP_VEC(struct sap_trial) trials;
};

/* ---- courts ----------------------------------------------------------------------------- */

bool sap_court_of(struct sap_judge *j, struct sap_str published, struct sap_court *out)
{
	struct sap_court court = { .n_spaces = 1 };
	char pro[SAP_SPACE_MAX + 16];
	struct sap_str rest;
	int64_t as_of, checked;

	if (!sap_space_parse(published, &court.space))
		return false;
	court.spaces[0] = court.space;
	court.scheme = sap_space_scheme(&court.space);
	court.release_known = court.space.n > court.space.ecosystem_n;
	court.covered = j->store &&
			sap_store_covers(j->store, sap_space_str(&court.space), &as_of, &checked);
	if (court.release_known &&
	    sap_space_parse(sap_space_ecosystem(&court.space), &court.spaces[court.n_spaces]))
		court.n_spaces++;
	if (court.release_known && sap_str_is(sap_space_ecosystem(&court.space), "ubuntu")) {
		rest = sap_str_skip(sap_space_str(&court.space), court.space.ecosystem_n);
		rest.n = (size_t)snprintf(pro, sizeof(pro), "ubuntu:pro%.*s", SAP_FMT(rest));
		rest.p = pro;
		if (sap_space_parse(rest, &court.spaces[court.n_spaces]))
			court.n_spaces++;
	}
	for (unsigned i = 0; j->store && i < court.n_spaces; i++)
		court.named[i] = sap_store_named(j->store, sap_space_str(&court.spaces[i]));
	*out = court;
	return true;
}

bool sap_judge_fold(struct sap_judge *j, const struct sap_court *court, struct sap_str name,
		    struct sap_str *out)
{
	sap_buf_reset(&j->buf);
	sap_space_put_name(&j->buf, &court->space, name);
	*out = name;
	if (!sap_buf_ok(&j->buf))
		return false;
	return sap_str_eq(sap_buf_str(&j->buf), name) ||
	       sap_arena_str(&j->scratch, sap_buf_str(&j->buf), out);
}

/* A date that has not come yet is no date. */
static bool is_old(const struct sap_judge *j, int64_t newest)
{
	return newest <= 0 || newest > j->options->now + DAY ||
	       newest < j->options->now - j->options->max_age;
}

int sap_judge_cover(struct sap_judge *j, const struct sap_court *court, size_t *index,
		    struct sap_err *err)
{
	struct sap_coverage *c = SAP_VEC_PUSH(&j->out->coverage, SAP_PACKAGES_MAX);
	int64_t newest;

	if (!c)
		return sap_err_nomem(err);
	*index = j->out->coverage.n - 1;
	sap_buf_reset(&j->buf);
	if (court)
		sap_space_put(&j->buf, &court->space);
	else
		sap_buf_puts(&j->buf, SAP_STR("a system that does not say what it is"));
	if (!sap_buf_ok(&j->buf) || !sap_judge_keep(j, sap_buf_str(&j->buf), &c->space))
		return sap_err_nomem(err);
	c->covered = court && court->covered;
	if (!c->covered)
		return 0;
	sap_store_covers(j->store, sap_space_str(&court->space), &c->as_of, &c->checked);
	newest = c->as_of > c->checked ? c->as_of : c->checked;
	c->stale = is_old(j, newest);
	return 0;
}

/* Whether anything can be said about exploitation, and as of when. */
static void note_exploited(struct sap_judge *j, uint32_t n_sources)
{
	struct sap_findings *out = j->out;

	for (uint32_t i = 0; i < n_sources; i++) {
		const struct sap_source *s = &j->match.sources[i];
		int64_t newest = s->as_of > s->checked ? s->as_of : s->checked;

		if (!sap_str_is(s->kind, "kev") || s->records == 0)
			continue;
		out->kev_known = true;
		if (newest > out->kev_as_of)
			out->kev_as_of = newest;
	}
	out->kev_stale = out->kev_known && is_old(j, out->kev_as_of);
}

int sap_judge_skip(struct sap_judge *j, uint32_t package, uint32_t object, struct sap_str reason,
		   struct sap_err *err)
{
	struct sap_not_judged *to =
		SAP_VEC_PUSH(&j->out->not_judged, SAP_PACKAGES_MAX + SAP_OBJECTS_MAX);

	if (!to || !sap_judge_keep(j, reason, &to->reason))
		return sap_err_nomem(err);
	to->package = package;
	to->object = package == SAP_NONE ? object : SAP_NONE;
	return 0;
}

/* ---- packages of the system ------------------------------------------------------------- */

enum sap_package_type sap_judge_type(enum sap_version_scheme scheme)
{
	switch (scheme) {
	case SAP_VERSION_DEB:
		return SAP_PACKAGE_DEB;
	case SAP_VERSION_RPM:
		return SAP_PACKAGE_RPM;
	case SAP_VERSION_APK:
		return SAP_PACKAGE_APK;
	case SAP_VERSION_PACMAN:
		return SAP_PACKAGE_ALPM;
	default:
		return SAP_PACKAGE_NONE;
	}
}

bool sap_judge_is_system(uint8_t type)
{
	return type == SAP_PACKAGE_DEB || type == SAP_PACKAGE_RPM || type == SAP_PACKAGE_APK ||
	       type == SAP_PACKAGE_ALPM;
}

/* Kernels signed for Secure Boot are packaged again from a source of their own
 * (linux-signed-amd64 6.1.76+1, linux-signed-hwe-6.5); advisories name the source that was
 * compiled, whose version the binary package bears. False: it is no such source. */
static bool unsigned_kernel(struct sap_str source, struct sap_buf *out)
{
	static const struct sap_str ends[] = { SAP_STR_INIT("-amd64"), SAP_STR_INIT("-arm64"),
					       SAP_STR_INIT("-i386") };
	struct sap_str rest;

	if (!sap_str_starts(source, SAP_STR("linux-signed")))
		return false;
	rest = sap_str_skip(source, sizeof("linux-signed") - 1);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (sap_str_ends(rest, ends[i])) {
			rest.n -= ends[i].n;
			break;
		}
	}
	if (rest.n && rest.p[0] != '-')
		return false;
	sap_buf_reset(out);
	sap_buf_puts(out, SAP_STR("linux"));
	sap_buf_puts(out, rest);
	return sap_buf_ok(out);
}

/* Debian's grub-efi-amd64-signed 1+2.06-13+deb12u1 is grub2 2.06-13+deb12u1 signed. */
static bool is_signed_grub(struct sap_str source, struct sap_str version)
{
	return sap_str_starts(source, SAP_STR("grub-efi-")) &&
	       sap_str_ends(source, SAP_STR("-signed")) && sap_str_starts(version, SAP_STR("1+"));
}

/* Other things that were signed: of which version what is inside is, theirs does not say. */
static bool is_signed_other(struct sap_str source)
{
	return sap_str_ends(source, SAP_STR("-signed")) ||
	       sap_str_starts(source, SAP_STR("shim-helpers-"));
}

/* The source's ids. */
static void set_source(struct sap_judge *j, const struct sap_package *p, struct member *m)
{
	const struct sap_facts *facts = j->facts;
	uint32_t id;

	m->source = p->source ? p->source : p->name;
	m->version = p->source_version ? p->source_version : p->version;
	if (p->type != SAP_PACKAGE_DEB ||
	    !unsigned_kernel(sap_facts_str(facts, m->source), &j->buf))
		return;
	m->version = p->version;
	id = sap_pool_find(facts->pool, sap_buf_str(&j->buf));
	if (id != UINT32_MAX)
		m->source = id;
}

static int skip_foreign(struct sap_judge *j, uint32_t package, enum sap_origin origin,
			struct sap_str reason, struct sap_err *err)
{
	sap_buf_reset(&j->buf);
	sap_buf_puts(&j->buf, sap_str_of(sap_origin_name(origin)));
	if (reason.n) {
		sap_buf_puts(&j->buf, SAP_STR(": "));
		sap_buf_puts(&j->buf, reason);
	}
	if (!sap_buf_ok(&j->buf))
		return sap_err_nomem(err);
	return sap_judge_skip(j, package, SAP_NONE, sap_buf_str(&j->buf), err);
}

/* Packages of another manager than the system's own are somebody else's. */
static int skip_other_type(struct sap_judge *j, const struct system *s, uint32_t package,
			   struct sap_err *err)
{
	sap_buf_reset(&j->buf);
	sap_buf_printf(&j->buf, "third-party: a package of type %s on ",
		       sap_package_type_name(j->facts->packages.v[package].type));
	sap_space_put(&j->buf, &s->court.space);
	if (!sap_buf_ok(&j->buf))
		return sap_err_nomem(err);
	return sap_judge_skip(j, package, SAP_NONE, sap_buf_str(&j->buf), err);
}

/* Where nothing covers the system, that is said once (coverage), not for each package. */
static int add_member(struct sap_judge *j, struct system *s, uint32_t package, struct sap_err *err)
{
	const struct sap_package *p = &j->facts->packages.v[package];
	struct sap_coverage *coverage = &j->out->coverage.v[s->coverage];
	struct sap_str reason = { 0 };
	enum sap_origin origin;
	struct member *m;

	if (s->known && s->type && p->type != s->type) {
		if (!s->court.covered)
			coverage->packages++;
		return s->court.covered ? skip_other_type(j, s, package, err) : 0;
	}
	m = SAP_VEC_PUSH(&s->members, SAP_PACKAGES_MAX);
	if (!m)
		return sap_err_nomem(err);
	m->package = package;
	m->type = p->type;
	set_source(j, p, m);
	origin = sap_origin_of(j->facts, p, &j->scratch, &reason);
	m->foreign = origin != SAP_ORIGIN_DISTRIBUTION;
	if (!s->court.covered || !m->foreign) {
		coverage->packages++;
		return 0;
	}
	return skip_foreign(j, package, origin, reason, err);
}

static int compare_members(const void *va, const void *vb)
{
	const struct member *a = va, *b = vb;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->foreign != b->foreign)
		return a->foreign ? 1 : -1;
	return a->package < b->package ? -1 : a->package > b->package;
}

static bool same_unit(const struct member *a, const struct member *b)
{
	return a->source == b->source && a->version == b->version && a->type == b->type &&
	       a->foreign == b->foreign;
}

static struct sap_item *make_items(struct sap_judge *j, struct system *s, const struct member *m,
				   size_t n)
{
	struct sap_item *items = sap_arena_array(&j->scratch, n, sizeof(*items));

	for (size_t i = 0; items && i < n; i++) {
		const struct sap_package *p = &j->facts->packages.v[m[i].package];
		struct sap_item *item = &items[i];

		if (!sap_judge_fold(j, &s->court, sap_facts_str(j->facts, p->name), &item->name))
			return NULL;
		item->version = sap_facts_str(j->facts, p->version);
		item->arch = sap_facts_str(j->facts, p->arch);
		item->modularity = sap_facts_str(j->facts, p->modularity);
		item->package = m[i].package;
	}
	return items;
}

static int skip_signed(struct sap_judge *j, struct system *s, const struct member *m, size_t n,
		       struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && s->court.covered && i < n; i++) {
		j->out->coverage.v[s->coverage].packages--;
		r = sap_judge_skip(j, m[i].package, SAP_NONE,
				   SAP_STR("signed anew: its version does not say what is inside"),
				   err);
	}
	return r;
}

static int add_trial(struct sap_judge *j, struct system *s, const struct member *m, size_t n,
		     struct sap_err *err)
{
	struct sap_str source = sap_facts_str(j->facts, m->source);
	struct sap_unit unit = { .type = m->type, .foreign = m->foreign };
	struct sap_trial *trial;

	unit.source_version = sap_facts_str(j->facts, m->version);
	if (m->type == SAP_PACKAGE_DEB && is_signed_grub(source, unit.source_version)) {
		source = SAP_STR("grub2");
		unit.source_version = sap_str_skip(unit.source_version, 2);
	} else if (m->type == SAP_PACKAGE_DEB && unsigned_kernel(source, &j->buf)) {
		if (!sap_arena_str(&j->scratch, sap_buf_str(&j->buf), &source))
			return sap_err_nomem(err);
	} else if (m->type == SAP_PACKAGE_DEB && is_signed_other(source) && !m->foreign) {
		return skip_signed(j, s, m, n, err);
	}
	unit.items = make_items(j, s, m, n);
	unit.n_items = (uint32_t)n;
	trial = SAP_VEC_PUSH(&s->trials, SAP_PACKAGES_MAX);
	if (!unit.items || !trial || !sap_judge_fold(j, &s->court, source, &unit.source))
		return sap_err_nomem(err);
	trial->court = &s->court;
	trial->unit = unit;
	return 0;
}

static int judge_system(struct sap_judge *j, struct system *s, struct sap_err *err)
{
	int r = 0;

	if (!j->store || !s->known || s->members.n == 0)
		return 0;
	qsort(s->members.v, s->members.n, sizeof(*s->members.v), compare_members);
	for (size_t i = 0, end; r == 0 && i < s->members.n; i = end) {
		for (end = i + 1;
		     end < s->members.n && same_unit(&s->members.v[i], &s->members.v[end]); end++)
			;
		if (s->court.scheme == SAP_VERSION_NONE) /* packages that it does not know */
			break;
		r = add_trial(j, s, &s->members.v[i], end - i, err);
	}
	if (r == 0)
		r = sap_judge_units(j, s->trials.v, s->trials.n, err);
	for (size_t i = 0; r == 0 && s->court.covered && i < s->trials.n; i++) {
		const struct sap_trial *t = &s->trials.v[i];

		if (t->unit.foreign)
			continue;
		j->out->n_judged += t->unit.n_items - t->n_skipped;
		j->out->coverage.v[s->coverage].packages -= t->n_skipped;
	}
	return r;
}

static int judge_packages(struct sap_judge *j, struct sap_err *err)
{
	struct system s = { .known = false };
	struct sap_space space;
	bool rolling, any = false;
	int r = 0;

	for (size_t i = 0; !any && i < j->facts->packages.n; i++)
		any = sap_judge_is_system(j->facts->packages.v[i].type);
	s.known = sap_space_of_os(j->facts, &space, &rolling) &&
		  sap_court_of(j, sap_space_str(&space), &s.court);
	if (s.known)
		s.type = sap_judge_type(s.court.scheme);
	j->system_covered = s.known && s.court.covered;
	if (s.known || any)
		r = sap_judge_cover(j, s.known ? &s.court : NULL, &s.coverage, err);
	for (size_t i = 0; r == 0 && i < j->facts->packages.n; i++)
		if (sap_judge_is_system(j->facts->packages.v[i].type))
			r = add_member(j, &s, (uint32_t)i, err);
	if (r == 0)
		r = judge_system(j, &s, err);
	sap_vec_clear(&s.members);
	sap_vec_clear(&s.trials);
	return r;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int compare_not_judged(const void *va, const void *vb)
{
	const struct sap_not_judged *a = va, *b = vb;

	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	return a->object < b->object ? -1 : a->object > b->object;
}

/* People ask by any of its names, statements may know it by another. */
static int resolve_explain(struct sap_judge *j, struct sap_err *err)
{
	struct sap_names_list names = { 0 };
	struct sap_str best = j->options->explain;
	int r;

	j->match.explain = best;
	if (!j->store || best.n == 0)
		return 0;
	r = sap_store_names(j->store, best, &j->scratch, &names, err);
	j->out->explain_known = names.n > 0;
	if (sap_str_starts(best, SAP_STR("CVE-")))
		names.n = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (sap_str_starts(names.v[i], SAP_STR("CVE-")))
			j->match.explain = names.v[i];
	free(names.v);
	return r;
}

static int run(struct sap_judge *j, struct sap_err *err)
{
	int r = resolve_explain(j, err);

	if (r == 0)
		r = sap_judge_find_copies(j, err);
	if (r == 0)
		r = judge_packages(j, err);
	if (r == 0)
		r = sap_judge_languages(j, err);
	if (r == 0)
		r = sap_judge_objects(j, err);
	if (r == 0)
		r = sap_judge_enrich(j, err);
	if (r < 0)
		return r;
	if (j->out->not_judged.n)
		qsort(j->out->not_judged.v, j->out->not_judged.n, sizeof(*j->out->not_judged.v),
		      compare_not_judged);
	sap_findings_sort(j->out);
	return 0;
}

static bool start(struct sap_judge *j, const char *no_store)
{
	struct sap_findings *out = j->out;
	uint32_t n_sources;

	sap_arena_init(&out->arena, 0);
	if (!sap_judge_start(j))
		return false;
	out->facts = j->facts;
	out->now = j->options->now;
	out->max_age = j->options->max_age;
	if (j->store) {
		j->match.sources = sap_store_sources(j->store, &n_sources);
		note_exploited(j, n_sources);
		if (!sap_judge_keep(j, sap_str_of(sap_store_path(j->store)), &out->store))
			return false;
	} else if (!sap_judge_keep(j, sap_str_of(no_store), &out->no_store)) {
		return false;
	}
	return sap_judge_keep(j, j->options->explain, &out->explain);
}

int sap_judge(const struct sap_facts *facts, struct sap_store *store, const char *no_store,
	      const struct sap_judge_options *options, struct sap_findings **out,
	      struct sap_err *err)
{
	struct sap_judge j = { .facts = facts, .store = store, .options = options };
	int r;

	j.out = calloc(1, sizeof(*j.out));
	if (!j.out)
		return sap_err_nomem(err);
	r = start(&j, no_store) ? run(&j, err) : sap_err_nomem(err);
	sap_judge_end(&j);
	sap_vec_clear(&j.copies);
	free(j.copied);
	if (r < 0) {
		sap_findings_free(j.out);
		return r;
	}
	*out = j.out;
	return 0;
}
