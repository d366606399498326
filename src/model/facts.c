/* SPDX-License-Identifier: Apache-2.0 */
#include "model/facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* ---- the builder sink ------------------------------------------------------------------- */

static struct sap_facts *facts_of(struct sap_sink *sink)
{
	return (struct sap_facts *)sink; /* the sink is the first member */
}

static bool keep(struct sap_facts *facts, struct sap_str s, uint32_t *id)
{
	*id = sap_pool_put(facts->pool, s);
	return *id != UINT32_MAX;
}

/* One text and where its id goes. */
struct text {
	struct sap_str s;
	uint32_t *id;
};

static int keep_all(struct sap_facts *facts, const struct text *texts, size_t n,
		    struct sap_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!keep(facts, texts[i].s, texts[i].id))
			return sap_err_set(err, SAP_ENOMEM,
					   "out of memory for the texts of the target");
	}
	return 0;
}

#define KEEP(facts, texts, err) keep_all((facts), (texts), sizeof(texts) / sizeof((texts)[0]), err)

static int keep_list(struct sap_facts *facts, struct sap_strs list, struct sap_range *out,
		     struct sap_err *err)
{
	if (facts->ids.n > UINT32_MAX - list.n)
		return sap_err_set(err, SAP_ELIMIT, "too many list elements in one target");
	*out = (struct sap_range){ (uint32_t)facts->ids.n, list.n };
	for (uint32_t i = 0; i < list.n; i++) {
		uint32_t *id = SAP_VEC_PUSH(&facts->ids, UINT32_MAX);

		if (!id || !keep(facts, list.v[i], id))
			return sap_err_nomem(err);
	}
	return 0;
}

static int put_os(struct sap_sink *sink, const struct sap_rec_os *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_os *os = &facts->os;
	const struct text texts[] = {
		{ rec->source, &os->source },
		{ rec->id, &os->id },
		{ rec->id_like, &os->id_like },
		{ rec->version_id, &os->version_id },
		{ rec->codename, &os->codename },
		{ rec->name, &os->name },
		{ rec->pretty_name, &os->pretty_name },
		{ rec->variant_id, &os->variant_id },
		{ rec->build_id, &os->build_id },
		{ rec->cpe_name, &os->cpe_name },
		{ rec->point_release, &os->point_release },
	};

	facts->has_os = true;
	return KEEP(facts, texts, err);
}

static int put_package(struct sap_sink *sink, const struct sap_rec_package *rec,
		       struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_package *p;

	if (rec->id != facts->packages.n + 1)
		return sap_err_set(err, SAP_EFORMAT, "package record %u out of order", rec->id);
	p = SAP_VEC_PUSH(&facts->packages, SAP_PACKAGES_MAX);
	if (!p)
		return sap_err_set(err, SAP_ELIMIT, "more than %u packages", SAP_PACKAGES_MAX);
	p->key = rec->id;
	p->type = (uint8_t)rec->type;
	p->install_time = rec->install_time;
	p->installed_size = rec->installed_size;
	p->auto_installed = (uint8_t)rec->auto_installed;
	p->essential = (uint8_t)rec->essential;
	p->broken = rec->broken;
	const struct text texts[] = {
		{ rec->name, &p->name },
		{ rec->version, &p->version },
		{ rec->arch, &p->arch },
		{ rec->source, &p->source },
		{ rec->source_version, &p->source_version },
		{ rec->licence, &p->licence },
		{ rec->maintainer, &p->maintainer },
		{ rec->vendor, &p->vendor },
		{ rec->section, &p->section },
		{ rec->modularity, &p->modularity },
		{ rec->database, &p->database },
	};
	p->relations = (struct sap_range){ (uint32_t)facts->relations.n, rec->n_relations };
	for (uint32_t i = 0; i < rec->n_relations; i++) {
		struct sap_relation *r = SAP_VEC_PUSH(&facts->relations, UINT32_MAX);

		if (!r || !keep(facts, rec->relations[i].text, &r->text))
			return sap_err_nomem(err);
		r->kind = rec->relations[i].kind;
	}
	return KEEP(facts, texts, err);
}

static int put_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_file *f;

	if (rec->package == 0 || rec->package > facts->packages.n)
		return sap_err_set(err, SAP_EFORMAT, "file record of an unknown package %u",
				   rec->package);
	f = SAP_VEC_PUSH(&facts->files, SAP_FILES_MAX);
	if (!f)
		return sap_err_set(err, SAP_ELIMIT, "more than %u owned files", SAP_FILES_MAX);
	f->package = rec->package - 1;
	f->flags = (uint16_t)rec->flags;
	f->digest_kind = (uint8_t)rec->digest_kind;
	if (!keep(facts, rec->path, &f->path) || !keep(facts, rec->digest, &f->digest))
		return sap_err_nomem(err);
	return 0;
}

static int put_symlink(struct sap_sink *sink, const struct sap_rec_symlink *rec,
		       struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_symlink *l = SAP_VEC_PUSH(&facts->symlinks, SAP_FILES_MAX);

	if (!l || !keep(facts, rec->path, &l->path) || !keep(facts, rec->target, &l->target))
		return sap_err_nomem(err);
	return 0;
}

static int put_dir(struct sap_sink *sink, const struct sap_rec_dir *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	uint32_t *d = SAP_VEC_PUSH(&facts->dirs, SAP_FILES_MAX);

	if (!d || !keep(facts, rec->path, d))
		return sap_err_nomem(err);
	return 0;
}

static int put_other(struct sap_sink *sink, const struct sap_rec_other *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_other *o = SAP_VEC_PUSH(&facts->others, SAP_FILES_MAX);

	if (!o || !keep(facts, rec->path, &o->path))
		return sap_err_nomem(err);
	o->size = rec->size;
	o->reason = rec->reason;
	return 0;
}

static int put_lookup(struct sap_sink *sink, const struct sap_rec_lookup *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_lookup *l = SAP_VEC_PUSH(&facts->lookups, SAP_FILES_MAX);

	if (!l || !keep(facts, rec->path, &l->path) || !keep(facts, rec->canonical, &l->canonical))
		return sap_err_nomem(err);
	l->result = rec->result;
	return 0;
}

static int keep_note(struct sap_facts *facts, const struct sap_rec_package_note *rec,
		     struct sap_package_note *note, struct sap_err *err)
{
	const struct text texts[] = {
		{ rec->type, &note->type },       { rec->name, &note->name },
		{ rec->version, &note->version }, { rec->arch, &note->arch },
		{ rec->os, &note->os },           { rec->os_version, &note->os_version },
		{ rec->cpe, &note->cpe },         { rec->debug_info_url, &note->debug_info_url },
	};

	return KEEP(facts, texts, err);
}

static int keep_dlopen_notes(struct sap_facts *facts, const struct sap_rec_object *rec,
			     struct sap_range *out, struct sap_err *err)
{
	*out = (struct sap_range){ (uint32_t)facts->dlopen_notes.n, rec->n_dlopen_notes };
	for (uint32_t i = 0; i < rec->n_dlopen_notes; i++) {
		const struct sap_rec_dlopen_note *from = &rec->dlopen_notes[i];
		struct sap_dlopen_note *to = SAP_VEC_PUSH(&facts->dlopen_notes, UINT32_MAX);
		int r;

		if (!to || !keep(facts, from->feature, &to->feature) ||
		    !keep(facts, from->description, &to->description) ||
		    !keep(facts, from->priority, &to->priority))
			return sap_err_nomem(err);
		r = keep_list(facts, from->sonames, &to->sonames, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int keep_verneeds(struct sap_facts *facts, const struct sap_rec_object *rec,
			 struct sap_range *out, struct sap_err *err)
{
	*out = (struct sap_range){ (uint32_t)facts->verneeds.n, rec->n_verneeds };
	for (uint32_t i = 0; i < rec->n_verneeds; i++) {
		struct sap_verneed *v = SAP_VEC_PUSH(&facts->verneeds, UINT32_MAX);

		if (!v || !keep(facts, rec->verneeds[i].file, &v->file) ||
		    !keep(facts, rec->verneeds[i].version, &v->version))
			return sap_err_nomem(err);
		v->weak = rec->verneeds[i].weak;
	}
	return 0;
}

static void copy_numbers(struct sap_object *o, const struct sap_rec_object *rec)
{
	o->size = rec->size;
	o->mode = rec->mode;
	o->link_id = rec->link_id;
	o->elf_class = rec->elf_class;
	o->endian = rec->endian;
	o->osabi = rec->osabi;
	o->type = rec->type;
	o->machine = rec->machine;
	o->e_flags = rec->e_flags;
	o->flags = rec->flags;
	o->mapped_bytes = rec->mapped_bytes;
	o->code_bytes = rec->code_bytes;
	o->n_defined = rec->n_defined;
	o->n_imported = rec->n_imported;
	o->n_ifuncs = rec->n_ifuncs;
	o->n_irelative = rec->n_irelative;
	o->n_constructors = rec->n_constructors;
	o->package = SAP_NONE;
}

static int put_object(struct sap_sink *sink, const struct sap_rec_object *rec, struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_object *o = SAP_VEC_PUSH(&facts->objects, SAP_OBJECTS_MAX);
	int r;

	if (!o)
		return sap_err_set(err, SAP_ELIMIT, "more than %u ELF objects", SAP_OBJECTS_MAX);
	copy_numbers(o, rec);
	const struct text texts[] = {
		{ rec->path, &o->path },       { rec->interp, &o->interp },
		{ rec->soname, &o->soname },   { rec->rpath, &o->rpath },
		{ rec->runpath, &o->runpath }, { rec->build_id, &o->build_id },
	};
	const struct {
		struct sap_strs from;
		struct sap_range *to;
	} lists[] = {
		{ rec->needed, &o->needed },
		{ rec->filters, &o->filters },
		{ rec->auxiliaries, &o->auxiliaries },
		{ rec->verdefs, &o->verdefs },
		{ rec->uses, &o->uses },
		{ rec->dlopen_strings, &o->dlopen_strings },
		{ rec->loader_dirs, &o->loader_dirs },
	};
	r = KEEP(facts, texts, err);
	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		r = keep_list(facts, lists[i].from, lists[i].to, err);
	if (r == 0)
		r = keep_verneeds(facts, rec, &o->verneeds, err);
	if (r == 0)
		r = keep_dlopen_notes(facts, rec, &o->dlopen_notes, err);
	if (r == 0)
		r = keep_note(facts, &rec->package_note, &o->note, err);
	return r;
}

static int put_symbols(struct sap_sink *sink, const struct sap_rec_symbols *rec,
		       struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_object *o = facts->objects.n ? &facts->objects.v[facts->objects.n - 1] : NULL;

	if (!o || !sap_str_eq(sap_pool_str(facts->pool, o->path), rec->path))
		return sap_err_set(err, SAP_EFORMAT, "symbols that do not follow their object");
	if (o->symbols.n == 0)
		o->symbols.at = (uint32_t)facts->symbols.n;
	facts->with_symbols = true;
	for (uint32_t i = 0; i < rec->n; i++) {
		const struct sap_rec_symbol *from = &rec->v[i];
		struct sap_symbol *s = SAP_VEC_PUSH(&facts->symbols, UINT32_MAX);

		if (!s || !keep(facts, from->name, &s->name) ||
		    !keep(facts, from->version, &s->version) || !keep(facts, from->file, &s->file))
			return sap_err_nomem(err);
		s->flags = from->flags;
		s->value = from->value;
		s->size = from->size;
		s->defined = from->defined;
	}
	o->symbols.n += rec->n;
	return 0;
}

static int put_cache_entry(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
			   struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_cache_entry *e = SAP_VEC_PUSH(&facts->cache, SAP_LIST_MAX);

	if (!e || !keep(facts, rec->soname, &e->soname) || !keep(facts, rec->path, &e->path) ||
	    !keep(facts, rec->hwcaps, &e->hwcaps))
		return sap_err_nomem(err);
	e->flags = rec->flags;
	e->hwcap = rec->hwcap;
	e->index = rec->index;
	return 0;
}

static int put_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
		       struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_setting *s = SAP_VEC_PUSH(&facts->settings, SAP_LIST_MAX);

	if (!s || !keep(facts, rec->file, &s->file) || !keep(facts, rec->key, &s->key) ||
	    !keep(facts, rec->value, &s->value) || !keep(facts, rec->extra, &s->extra))
		return sap_err_nomem(err);
	s->kind = rec->kind;
	s->order = rec->order;
	return 0;
}

static int put_service(struct sap_sink *sink, const struct sap_rec_service *rec,
		       struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_service *s = SAP_VEC_PUSH(&facts->services, SAP_LIST_MAX);

	if (!s || !keep(facts, rec->name, &s->name) || !keep(facts, rec->path, &s->path) ||
	    !keep(facts, rec->user, &s->user))
		return sap_err_nomem(err);
	s->kind = rec->kind;
	s->enabled = (uint8_t)rec->enabled;
	return keep_list(facts, rec->programs, &s->programs, err);
}

static int put_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			  struct sap_err *err)
{
	struct sap_facts *facts = facts_of(sink);
	struct sap_diagnostic *d;

	if (facts->diagnostics.n >= SAP_DIAGNOSTICS_MAX) {
		facts->diagnostics_dropped++;
		return 0;
	}
	d = SAP_VEC_PUSH(&facts->diagnostics, SAP_DIAGNOSTICS_MAX);
	if (!d || !keep(facts, rec->path, &d->path) || !keep(facts, rec->code, &d->code) ||
	    !keep(facts, rec->message, &d->message))
		return sap_err_nomem(err);
	d->offset = rec->offset;
	return 0;
}

static int put_stats(struct sap_sink *sink, const struct sap_rec_stats *rec, struct sap_err *err)
{
	struct sap_rec_stats *stats = &facts_of(sink)->stats;

	(void)err;
	stats->files += rec->files;
	stats->dirs += rec->dirs;
	stats->symlinks += rec->symlinks;
	stats->specials += rec->specials;
	stats->objects += rec->objects;
	stats->unreadable += rec->unreadable;
	stats->skipped_mounts += rec->skipped_mounts;
	return 0;
}

struct sap_facts *sap_facts_new(void)
{
	struct sap_facts *facts = calloc(1, sizeof(*facts));

	if (!facts)
		return NULL;
	facts->pool = sap_pool_new();
	if (!facts->pool) {
		free(facts);
		return NULL;
	}
	facts->sink = (struct sap_sink){
		.os = put_os,
		.package = put_package,
		.file = put_file,
		.symlink = put_symlink,
		.dir = put_dir,
		.other = put_other,
		.lookup = put_lookup,
		.object = put_object,
		.symbols = put_symbols,
		.cache_entry = put_cache_entry,
		.setting = put_setting,
		.service = put_service,
		.diagnostic = put_diagnostic,
		.stats = put_stats,
	};
	return facts;
}

void sap_facts_free(struct sap_facts *facts)
{
	if (!facts)
		return;
	sap_vec_clear(&facts->packages);
	sap_vec_clear(&facts->relations);
	sap_vec_clear(&facts->files);
	sap_vec_clear(&facts->symlinks);
	sap_vec_clear(&facts->dirs);
	sap_vec_clear(&facts->others);
	sap_vec_clear(&facts->lookups);
	sap_vec_clear(&facts->objects);
	sap_vec_clear(&facts->verneeds);
	sap_vec_clear(&facts->dlopen_notes);
	sap_vec_clear(&facts->symbols);
	sap_vec_clear(&facts->cache);
	sap_vec_clear(&facts->settings);
	sap_vec_clear(&facts->services);
	sap_vec_clear(&facts->diagnostics);
	sap_vec_clear(&facts->ids);
	sap_pool_free(facts->pool);
	free(facts);
}

struct sap_facts_mark sap_facts_mark(const struct sap_facts *facts)
{
	return (struct sap_facts_mark){
		.packages = facts->packages.n,
		.relations = facts->relations.n,
		.files = facts->files.n,
		.symlinks = facts->symlinks.n,
		.dirs = facts->dirs.n,
		.others = facts->others.n,
		.lookups = facts->lookups.n,
		.objects = facts->objects.n,
		.verneeds = facts->verneeds.n,
		.dlopen_notes = facts->dlopen_notes.n,
		.symbols = facts->symbols.n,
		.cache = facts->cache.n,
		.settings = facts->settings.n,
		.services = facts->services.n,
		.diagnostics = facts->diagnostics.n,
		.ids = facts->ids.n,
		.stats = facts->stats,
		.has_os = facts->has_os,
	};
}

void sap_facts_rollback(struct sap_facts *facts, const struct sap_facts_mark *mark)
{
	facts->packages.n = mark->packages;
	facts->relations.n = mark->relations;
	facts->files.n = mark->files;
	facts->symlinks.n = mark->symlinks;
	facts->dirs.n = mark->dirs;
	facts->others.n = mark->others;
	facts->lookups.n = mark->lookups;
	facts->objects.n = mark->objects;
	facts->verneeds.n = mark->verneeds;
	facts->dlopen_notes.n = mark->dlopen_notes;
	facts->symbols.n = mark->symbols;
	facts->cache.n = mark->cache;
	facts->settings.n = mark->settings;
	facts->services.n = mark->services;
	facts->diagnostics.n = mark->diagnostics;
	facts->ids.n = mark->ids;
	facts->stats = mark->stats;
	facts->has_os = mark->has_os;
}

/* ---- making them final ------------------------------------------------------------------ */

static int by_text(const struct sap_pool *pool, uint32_t a, uint32_t b)
{
	return a == b ? 0 : sap_str_cmp(sap_pool_str(pool, a), sap_pool_str(pool, b));
}

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_objects(const void *a, const void *b, void *pool)
{
	return by_text(pool, ((const struct sap_object *)a)->path,
		       ((const struct sap_object *)b)->path);
}

static int compare_symlinks(const void *a, const void *b, void *pool)
{
	return by_text(pool, ((const struct sap_symlink *)a)->path,
		       ((const struct sap_symlink *)b)->path);
}

static int compare_dirs(const void *a, const void *b, void *pool)
{
	return by_text(pool, *(const uint32_t *)a, *(const uint32_t *)b);
}

static int compare_others(const void *a, const void *b, void *pool)
{
	return by_text(pool, ((const struct sap_other *)a)->path,
		       ((const struct sap_other *)b)->path);
}

static int compare_lookups(const void *a, const void *b, void *pool)
{
	return by_text(pool, ((const struct sap_lookup *)a)->path,
		       ((const struct sap_lookup *)b)->path);
}

static int compare_cache(const void *a, const void *b, void *pool)
{
	(void)pool;
	return by_number(((const struct sap_cache_entry *)a)->index,
			 ((const struct sap_cache_entry *)b)->index);
}

static int compare_settings(const void *a, const void *b, void *pool)
{
	const struct sap_setting *x = a, *y = b;
	int order = by_number(x->kind, y->kind);

	if (!order)
		order = by_text(pool, x->file, y->file);
	if (!order)
		order = by_number(x->order, y->order);
	if (!order)
		order = by_text(pool, x->key, y->key);
	return order ? order : by_text(pool, x->value, y->value);
}

static int compare_services(const void *a, const void *b, void *pool)
{
	const struct sap_service *x = a, *y = b;
	int order = by_text(pool, x->name, y->name);

	if (!order)
		order = by_number(x->kind, y->kind);
	return order ? order : by_text(pool, x->path, y->path);
}

static int compare_diagnostics(const void *a, const void *b, void *pool)
{
	const struct sap_diagnostic *x = a, *y = b;
	int order = by_text(pool, x->path, y->path);

	if (!order)
		order = by_number(x->offset, y->offset);
	if (!order)
		order = by_text(pool, x->code, y->code);
	return order ? order : by_text(pool, x->message, y->message);
}

static int compare_packages(const void *a, const void *b, void *pool)
{
	const struct sap_package *x = a, *y = b;
	int order = by_number(x->type, y->type);

	if (!order)
		order = by_text(pool, x->name, y->name);
	if (!order)
		order = by_text(pool, x->arch, y->arch);
	if (!order)
		order = by_text(pool, x->version, y->version);
	if (!order)
		order = by_text(pool, x->database, y->database);
	return order ? order : by_number(x->key, y->key);
}

#define SORT(vec, compare, pool)                                                           \
	do {                                                                               \
		if ((vec)->n > 1)                                                          \
			qsort_r((vec)->v, (vec)->n, sizeof(*(vec)->v), (compare), (pool)); \
	} while (0)

/* Keeps the first of neighbours that compare equal. Pairs that qsort_r may have swapped are
 * told apart by nothing that is shown. */
#define UNIQUE(vec, compare, pool)                                                            \
	do {                                                                                  \
		size_t sap_n_ = 0;                                                            \
		for (size_t sap_i_ = 0; sap_i_ < (vec)->n; sap_i_++) {                        \
			if (sap_n_ &&                                                         \
			    (compare)(&(vec)->v[sap_n_ - 1], &(vec)->v[sap_i_], (pool)) == 0) \
				continue;                                                     \
			(vec)->v[sap_n_++] = (vec)->v[sap_i_];                                \
		}                                                                             \
		(vec)->n = sap_n_;                                                            \
	} while (0)

/* Sorts packages and brings their files together in that order, in linear time. */
static int finish_packages(struct sap_facts *facts, struct sap_err *err)
{
	size_t n = facts->packages.n, n_files = facts->files.n;
	uint32_t *now, *next;
	struct sap_file *files;
	uint32_t at = 0;
	int r = 0;

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		facts->packages.v[i].key = i; /* where its files point to now */
	SORT(&facts->packages, compare_packages, facts->pool);
	now = calloc(n, sizeof(*now));
	next = calloc(n, sizeof(*next));
	files = calloc(n_files ? n_files : 1, sizeof(*files));
	if (!now || !next || !files) {
		r = sap_err_nomem(err);
		goto out;
	}
	for (uint32_t i = 0; i < n; i++) {
		now[facts->packages.v[i].key] = i;
		facts->packages.v[i].files = (struct sap_range){ 0 };
		facts->packages.v[i].key = i + 1;
	}
	for (size_t i = 0; i < n_files; i++) {
		facts->files.v[i].package = now[facts->files.v[i].package];
		facts->packages.v[facts->files.v[i].package].files.n++;
	}
	for (size_t i = 0; i < n; i++) {
		facts->packages.v[i].files.at = next[i] = at;
		at += facts->packages.v[i].files.n;
	}
	for (size_t i = 0; i < n_files; i++)
		files[next[facts->files.v[i].package]++] = facts->files.v[i];
	free(facts->files.v);
	facts->files.v = files;
	facts->files.cap = n_files;
	files = NULL;
out:
	free(now);
	free(next);
	free(files);
	return r;
}

/* On demand objects keep their places, so that what refers to them by index stays right when
 * more come in: only doubles among the new ones go. */
static int drop_double_objects(struct sap_facts *facts, struct sap_err *err)
{
	uint32_t n_ids = sap_pool_count(facts->pool);
	bool *seen = calloc(n_ids, sizeof(*seen));
	size_t n = 0;

	if (!seen)
		return sap_err_nomem(err);
	for (size_t i = 0; i < facts->objects.n; i++) {
		uint32_t path = facts->objects.v[i].path;

		if (seen[path])
			continue;
		seen[path] = true;
		facts->objects.v[n++] = facts->objects.v[i];
	}
	facts->objects.n = n;
	free(seen);
	return 0;
}

int sap_facts_finish(struct sap_facts *facts, struct sap_err *err)
{
	struct sap_pool *pool = facts->pool;
	int r = 0;

	if (facts->whole) {
		SORT(&facts->objects, compare_objects, pool);
		UNIQUE(&facts->objects, compare_objects, pool);
	} else {
		r = drop_double_objects(facts, err);
	}
	if (r < 0)
		return r;
	SORT(&facts->symlinks, compare_symlinks, pool);
	UNIQUE(&facts->symlinks, compare_symlinks, pool);
	SORT(&facts->dirs, compare_dirs, pool);
	UNIQUE(&facts->dirs, compare_dirs, pool);
	SORT(&facts->others, compare_others, pool);
	UNIQUE(&facts->others, compare_others, pool);
	SORT(&facts->lookups, compare_lookups, pool);
	UNIQUE(&facts->lookups, compare_lookups, pool);
	SORT(&facts->cache, compare_cache, pool);
	SORT(&facts->settings, compare_settings, pool);
	SORT(&facts->services, compare_services, pool);
	SORT(&facts->diagnostics, compare_diagnostics, pool);
	UNIQUE(&facts->diagnostics, compare_diagnostics, pool);
	return finish_packages(facts, err);
}

uint32_t sap_facts_object(const struct sap_facts *facts, struct sap_str path)
{
	size_t low = 0, high = facts->objects.n;

	for (uint32_t i = 0; !facts->whole && i < facts->objects.n; i++) {
		if (sap_str_eq(sap_facts_str(facts, facts->objects.v[i].path), path))
			return i;
	}
	if (!facts->whole)
		return SAP_NONE;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = sap_str_cmp(sap_facts_str(facts, facts->objects.v[mid].path), path);

		if (order == 0)
			return (uint32_t)mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return SAP_NONE;
}

/* libc.so.6 and some others can be started, to print their version; they are libraries. */
static bool has_library_name(struct sap_str path)
{
	struct sap_str base = sap_path_base(path);

	return base.n && memmem(base.p, base.n, ".so", 3) != NULL;
}

bool sap_object_is_program(const struct sap_facts *facts, const struct sap_object *object)
{
	enum { ET_EXEC = 2, ET_DYN = 3 };

	if (!(object->mode & 0111) || object->loader_dirs.n)
		return false;
	if (object->type == ET_EXEC)
		return true;
	return object->type == ET_DYN && (object->flags & (SAP_OBJ_PIE | SAP_OBJ_STATIC)) != 0 &&
	       !(object->soname && has_library_name(sap_facts_str(facts, object->path)));
}
