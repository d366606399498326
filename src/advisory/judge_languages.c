/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages of languages. The ecosystem of a type of purl is found by space.h, which knows
 * these words too ("golang", "gem", "cargo"): a new type of package needs nothing here.
 */
#include "advisory/judge_int.h"

#include "base/limits.h"

/* Who of the system's packages owns a path, by pool id: index + 1, 0: nobody. */
struct owned {
	const struct sap_facts *facts;
	uint32_t *owner;
	uint32_t n;
	bool *skipped;                       /* by package: it was not judged */
	SAP_VEC(struct sap_symlink) folders; /* links in the root: /lib -> usr/lib */
};

struct ecosystem {
	uint8_t type;
	struct sap_court court;
	bool known;
	size_t coverage;
};

struct languages {
	struct owned owned;
	SAP_VEC(struct ecosystem *) ecosystems; /* in scratch */
	SAP_VEC(struct sap_trial) trials;
};

static bool make_owned(struct sap_judge *j, struct owned *o)
{
	const struct sap_facts *facts = j->facts;

	o->facts = facts;
	o->n = sap_pool_count(facts->pool);
	o->owner = calloc(o->n + 1ul, sizeof(*o->owner));
	o->skipped = calloc(facts->packages.n + 1, sizeof(*o->skipped));
	if (!o->owner || !o->skipped)
		return false;
	for (size_t i = 0; i < j->out->not_judged.n; i++)
		if (j->out->not_judged.v[i].package != SAP_NONE)
			o->skipped[j->out->not_judged.v[i].package] = true;
	for (size_t i = 0; i < facts->files.n; i++) {
		const struct sap_file *f = &facts->files.v[i];

		if (sap_judge_is_system(facts->packages.v[f->package].type))
			o->owner[f->path] = f->package + 1;
	}
	for (size_t i = 0; i < facts->symlinks.n; i++) {
		struct sap_str path = sap_facts_str(facts, facts->symlinks.v[i].path);
		struct sap_symlink *to;

		if (path.n < 2 || memchr(path.p + 1, '/', path.n - 1))
			continue;
		to = SAP_VEC_PUSH(&o->folders, SAP_PACKAGES_MAX);
		if (!to)
			return false;
		*to = facts->symlinks.v[i];
	}
	return true;
}

static uint32_t owner_of(const struct owned *o, uint32_t id)
{
	return id && id < o->n && o->owner[id] ? o->owner[id] - 1 : SAP_NONE;
}

/* The system's package that owns a path, or SAP_NONE. A path is canonical, the list of files may
 * name it through a link in the root: what is /usr/lib/x here may be owned as /lib/x. */
static uint32_t find_owner(struct sap_judge *j, const struct owned *o, uint32_t path)
{
	struct sap_str text = sap_facts_str(o->facts, path);
	uint32_t owner = owner_of(o, path);

	for (size_t i = 0; owner == SAP_NONE && i < o->folders.n; i++) {
		struct sap_str target = sap_facts_str(o->facts, o->folders.v[i].target);
		struct sap_str rest = text;

		if (target.n && target.p[0] == '/')
			target = sap_str_skip(target, 1);
		if (rest.n == 0 || target.n == 0)
			continue;
		rest = sap_str_skip(rest, 1);
		if (!sap_str_starts(rest, target))
			continue;
		rest = sap_str_skip(rest, target.n);
		if (rest.n == 0 || rest.p[0] != '/')
			continue;
		sap_buf_reset(&j->buf);
		sap_buf_puts(&j->buf, sap_facts_str(o->facts, o->folders.v[i].path));
		sap_buf_puts(&j->buf, rest);
		if (sap_buf_ok(&j->buf))
			owner = owner_of(o, sap_pool_find(o->facts->pool, sap_buf_str(&j->buf)));
	}
	return owner;
}

/* Whether the distribution has judged the package that owns the file: one of a foreign origin,
 * or on a system without advisories, has not been judged by anybody. */
static bool is_judged_by_owner(struct sap_judge *j, const struct owned *o, uint32_t path)
{
	uint32_t owner = find_owner(j, o, path);

	return owner != SAP_NONE && !o->skipped[owner] && j->system_covered;
}

static int ecosystem_of(struct sap_judge *j, struct languages *l, uint8_t type,
			struct ecosystem **out, struct sap_err *err)
{
	struct ecosystem *e, **to;

	for (size_t i = 0; i < l->ecosystems.n; i++) {
		if (l->ecosystems.v[i]->type == type) {
			*out = l->ecosystems.v[i];
			return 0;
		}
	}
	e = sap_arena_zalloc(&j->scratch, sizeof(*e));
	to = e ? SAP_VEC_PUSH(&l->ecosystems, UINT8_MAX) : NULL;
	if (!to)
		return sap_err_nomem(err);
	*to = e;
	e->type = type;
	e->known = sap_court_of(j, sap_str_of(sap_package_type_name(type)), &e->court);
	*out = e;
	return e->known ? sap_judge_cover(j, &e->court, &e->coverage, err) : 0;
}

static int add_package(struct sap_judge *j, struct languages *l, uint32_t index,
		       struct sap_err *err)
{
	const struct sap_package *p = &j->facts->packages.v[index];
	bool foreign = is_judged_by_owner(j, &l->owned, p->database);
	struct sap_trial *trial;
	struct sap_item *item;
	struct ecosystem *e;
	int r = ecosystem_of(j, l, p->type, &e, err);

	if (r < 0 || !e->known)
		return r;
	j->out->coverage.v[e->coverage].packages++;
	if (!j->store)
		return 0;
	j->out->n_judged += e->court.covered || foreign;
	trial = SAP_VEC_PUSH(&l->trials, SAP_PACKAGES_MAX);
	item = sap_arena_zalloc(&j->scratch, sizeof(*item));
	if (!trial || !item ||
	    !sap_judge_fold(j, &e->court, sap_facts_str(j->facts, p->name), &item->name))
		return sap_err_nomem(err);
	item->version = sap_facts_str(j->facts, p->version);
	item->arch = sap_facts_str(j->facts, p->arch);
	item->package = index;
	trial->court = &e->court;
	/* What is malicious is so whoever ships it. */
	trial->unit = (struct sap_unit){
		.items = item, .n_items = 1, .type = SAP_PACKAGE_NONE, .foreign = foreign
	};
	return 0;
}

int sap_judge_languages(struct sap_judge *j, struct sap_err *err)
{
	struct languages l = { .owned = { .facts = NULL } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->facts->packages.n; i++) {
		if (sap_judge_is_system(j->facts->packages.v[i].type))
			continue;
		if (!l.owned.facts && !make_owned(j, &l.owned))
			r = sap_err_nomem(err);
		else
			r = add_package(j, &l, (uint32_t)i, err);
	}
	if (r == 0)
		r = sap_judge_units(j, l.trials.v, l.trials.n, err);
	free(l.owned.owner);
	free(l.owned.skipped);
	sap_vec_clear(&l.owned.folders);
	sap_vec_clear(&l.ecosystems);
	sap_vec_clear(&l.trials);
	return r;
}
