/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts back to records: what was decoded, written again. Packages come with their files
 * behind them, in the sorted order that sap_facts_finish gave.
 */
#include "base/arena.h"
#include "base/limits.h"
#include "model/codec.h"
#include "model/facts.h"

/* Work space for one record. */
struct work {
	const struct sap_facts *facts;
	struct sap_sink *sink;
	struct sap_arena arena;
	bool failed; /* memory ran out */
};

static struct sap_str text(const struct work *w, uint32_t id)
{
	return sap_facts_str(w->facts, id);
}

static void *take(struct work *w, uint64_t n, uint64_t size)
{
	void *p = n ? sap_arena_array(&w->arena, n, size) : NULL;

	if (n && !p)
		w->failed = true;
	return p;
}

static struct sap_strs list(struct work *w, struct sap_range range)
{
	struct sap_str *v = take(w, range.n, sizeof(*v));

	if (!v)
		return (struct sap_strs){ 0 };
	for (uint32_t i = 0; i < range.n; i++)
		v[i] = text(w, w->facts->ids.v[range.at + i]);
	return (struct sap_strs){ v, range.n };
}

static int give_os(struct work *w, struct sap_err *err)
{
	const struct sap_os *os = &w->facts->os;
	const struct sap_rec_os rec = {
		.source = text(w, os->source),
		.id = text(w, os->id),
		.id_like = text(w, os->id_like),
		.version_id = text(w, os->version_id),
		.codename = text(w, os->codename),
		.name = text(w, os->name),
		.pretty_name = text(w, os->pretty_name),
		.variant_id = text(w, os->variant_id),
		.build_id = text(w, os->build_id),
		.cpe_name = text(w, os->cpe_name),
		.point_release = text(w, os->point_release),
	};

	return w->facts->has_os ? w->sink->os(w->sink, &rec, err) : 0;
}

static int give_files(struct work *w, uint32_t id, const struct sap_package *p, struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->files.n; i++) {
		const struct sap_file *f = &w->facts->files.v[p->files.at + i];
		const struct sap_rec_file rec = {
			.package = id,
			.flags = f->flags,
			.path = text(w, f->path),
			.digest_kind = (enum sap_digest_kind)f->digest_kind,
			.digest = text(w, f->digest),
		};

		r = w->sink->file(w->sink, &rec, err);
	}
	return r;
}

static int give_package(struct work *w, uint32_t index, struct sap_err *err)
{
	const struct sap_package *p = &w->facts->packages.v[index];
	struct sap_rec_relation *relations = take(w, p->relations.n, sizeof(*relations));
	struct sap_rec_package rec = {
		.id = index + 1,
		.type = (enum sap_package_type)p->type,
		.name = text(w, p->name),
		.version = text(w, p->version),
		.arch = text(w, p->arch),
		.source = text(w, p->source),
		.source_version = text(w, p->source_version),
		.licence = text(w, p->licence),
		.maintainer = text(w, p->maintainer),
		.vendor = text(w, p->vendor),
		.section = text(w, p->section),
		.modularity = text(w, p->modularity),
		.database = text(w, p->database),
		.install_time = p->install_time,
		.installed_size = p->installed_size,
		.auto_installed = (enum sap_tristate)p->auto_installed,
		.essential = (enum sap_tristate)p->essential,
		.broken = p->broken,
		.relations = relations,
		.n_relations = relations ? p->relations.n : 0,
	};
	int r;

	for (uint32_t i = 0; i < rec.n_relations; i++) {
		const struct sap_relation *from = &w->facts->relations.v[p->relations.at + i];

		relations[i] =
			(struct sap_rec_relation){ .kind = (enum sap_relation_kind)from->kind,
						   .text = text(w, from->text) };
	}
	r = w->sink->package(w->sink, &rec, err);
	return r < 0 ? r : give_files(w, rec.id, p, err);
}

static void fill_lists(struct work *w, const struct sap_object *o, struct sap_rec_object *rec)
{
	struct sap_rec_verneed *verneeds = take(w, o->verneeds.n, sizeof(*verneeds));
	struct sap_rec_dlopen_note *notes = take(w, o->dlopen_notes.n, sizeof(*notes));

	for (uint32_t i = 0; verneeds && i < o->verneeds.n; i++) {
		const struct sap_verneed *from = &w->facts->verneeds.v[o->verneeds.at + i];

		verneeds[i] = (struct sap_rec_verneed){ text(w, from->file), text(w, from->version),
							from->weak };
	}
	for (uint32_t i = 0; notes && i < o->dlopen_notes.n; i++) {
		const struct sap_dlopen_note *from =
			&w->facts->dlopen_notes.v[o->dlopen_notes.at + i];

		notes[i] = (struct sap_rec_dlopen_note){
			.feature = text(w, from->feature),
			.description = text(w, from->description),
			.priority = text(w, from->priority),
			.sonames = list(w, from->sonames),
		};
	}
	rec->verneeds = verneeds;
	rec->n_verneeds = verneeds ? o->verneeds.n : 0;
	rec->dlopen_notes = notes;
	rec->n_dlopen_notes = notes ? o->dlopen_notes.n : 0;
	rec->needed = list(w, o->needed);
	rec->filters = list(w, o->filters);
	rec->auxiliaries = list(w, o->auxiliaries);
	rec->verdefs = list(w, o->verdefs);
	rec->uses = list(w, o->uses);
	rec->dlopen_strings = list(w, o->dlopen_strings);
	rec->loader_dirs = list(w, o->loader_dirs);
}

static int give_symbols(struct work *w, const struct sap_object *o, struct sap_err *err)
{
	struct sap_rec_symbol *v = take(w, o->symbols.n, sizeof(*v));
	const struct sap_rec_symbols rec = { text(w, o->path), v, v ? o->symbols.n : 0 };

	for (uint32_t i = 0; i < rec.n; i++) {
		const struct sap_symbol *s = &w->facts->symbols.v[o->symbols.at + i];

		v[i] = (struct sap_rec_symbol){
			.name = text(w, s->name),
			.version = text(w, s->version),
			.file = text(w, s->file),
			.value = s->value,
			.size = s->size,
			.flags = s->flags,
			.defined = s->defined,
		};
	}
	return rec.n ? w->sink->symbols(w->sink, &rec, err) : 0;
}

static int give_object(struct work *w, uint32_t index, struct sap_err *err)
{
	const struct sap_object *o = &w->facts->objects.v[index];
	const struct sap_package_note *note = &o->note;
	struct sap_rec_object rec = {
		.path = text(w, o->path),
		.size = o->size,
		.mode = o->mode,
		.link_id = o->link_id,
		.elf_class = o->elf_class,
		.endian = o->endian,
		.osabi = o->osabi,
		.type = o->type,
		.machine = o->machine,
		.e_flags = o->e_flags,
		.flags = o->flags,
		.interp = text(w, o->interp),
		.soname = text(w, o->soname),
		.rpath = text(w, o->rpath),
		.runpath = text(w, o->runpath),
		.build_id = text(w, o->build_id),
		.mapped_bytes = o->mapped_bytes,
		.code_bytes = o->code_bytes,
		.n_defined = o->n_defined,
		.n_imported = o->n_imported,
		.n_ifuncs = o->n_ifuncs,
		.n_irelative = o->n_irelative,
		.n_constructors = o->n_constructors,
		.package_note = {
			.type = text(w, note->type),
			.name = text(w, note->name),
			.version = text(w, note->version),
			.arch = text(w, note->arch),
			.os = text(w, note->os),
			.os_version = text(w, note->os_version),
			.cpe = text(w, note->cpe),
			.debug_info_url = text(w, note->debug_info_url),
		},
	};
	int r;

	fill_lists(w, o, &rec);
	if (w->failed)
		return sap_err_nomem(err);
	r = w->sink->object(w->sink, &rec, err);
	return r < 0 ? r : give_symbols(w, o, err);
}

static int give_symlink(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_symlink *l = &w->facts->symlinks.v[i];
	const struct sap_rec_symlink rec = { text(w, l->path), text(w, l->target) };

	return w->sink->symlink(w->sink, &rec, err);
}

static int give_dir(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_rec_dir rec = { text(w, w->facts->dirs.v[i]) };

	return w->sink->dir(w->sink, &rec, err);
}

static int give_other(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_other *o = &w->facts->others.v[i];
	const struct sap_rec_other rec = { text(w, o->path), o->size,
					   (enum sap_other_reason)o->reason };

	return w->sink->other(w->sink, &rec, err);
}

static int give_lookup(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_lookup *l = &w->facts->lookups.v[i];
	const struct sap_rec_lookup rec = { text(w, l->path), text(w, l->canonical),
					    (enum sap_lookup_result)l->result };

	return w->sink->lookup(w->sink, &rec, err);
}

static int give_cache_entry(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_cache_entry *e = &w->facts->cache.v[i];
	const struct sap_rec_cache_entry rec = {
		.soname = text(w, e->soname),
		.path = text(w, e->path),
		.hwcaps = text(w, e->hwcaps),
		.flags = e->flags,
		.hwcap = e->hwcap,
		.index = e->index,
	};

	return w->sink->cache_entry(w->sink, &rec, err);
}

static int give_setting(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_setting *s = &w->facts->settings.v[i];
	const struct sap_rec_setting rec = {
		.kind = (enum sap_setting_kind)s->kind,
		.file = text(w, s->file),
		.key = text(w, s->key),
		.value = text(w, s->value),
		.extra = text(w, s->extra),
		.order = s->order,
	};

	return w->sink->setting(w->sink, &rec, err);
}

static int give_service(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_service *s = &w->facts->services.v[i];
	const struct sap_rec_service rec = {
		.kind = (enum sap_service_kind)s->kind,
		.name = text(w, s->name),
		.path = text(w, s->path),
		.user = text(w, s->user),
		.programs = list(w, s->programs),
		.enabled = (enum sap_tristate)s->enabled,
	};

	return w->sink->service(w->sink, &rec, err);
}

static int give_diagnostic(struct work *w, uint32_t i, struct sap_err *err)
{
	const struct sap_diagnostic *d = &w->facts->diagnostics.v[i];
	const struct sap_rec_diagnostic rec = { text(w, d->path), text(w, d->code),
						text(w, d->message), d->offset };

	return w->sink->diagnostic(w->sink, &rec, err);
}

static int give_all(struct work *w, size_t n,
		    int (*give)(struct work *w, uint32_t index, struct sap_err *err),
		    struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		sap_arena_reset(&w->arena);
		r = give(w, (uint32_t)i, err);
		if (r == 0 && w->failed)
			r = sap_err_nomem(err);
	}
	return r;
}

int sap_facts_encode(const struct sap_facts *facts, struct sap_encoder *encoder,
		     struct sap_err *err)
{
	struct work w = { .facts = facts, .sink = &encoder->sink };
	const struct sap_rec_header header = {
		.version = SAP_FACTS_VERSION,
		.tool = sap_facts_str(facts, facts->tool),
		.target = sap_facts_str(facts, facts->target),
		.target_kind = sap_facts_str(facts, facts->target_kind),
		.whole = facts->whole,
		.with_symbols = facts->with_symbols,
	};
	const struct {
		size_t n;
		int (*give)(struct work *w, uint32_t index, struct sap_err *err);
	} parts[] = {
		{ facts->packages.n, give_package },  { facts->symlinks.n, give_symlink },
		{ facts->dirs.n, give_dir },          { facts->others.n, give_other },
		{ facts->objects.n, give_object },    { facts->lookups.n, give_lookup },
		{ facts->cache.n, give_cache_entry }, { facts->settings.n, give_setting },
		{ facts->services.n, give_service },  { facts->diagnostics.n, give_diagnostic },
	};
	int r;

	sap_arena_init(&w.arena, 0);
	r = sap_encoder_header(encoder, &header, err);
	if (r == 0)
		r = give_os(&w, err);
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		r = give_all(&w, parts[i].n, parts[i].give, err);
	if (r == 0)
		r = encoder->sink.stats(&encoder->sink, &facts->stats, err);
	if (r == 0)
		r = sap_encoder_end(encoder, err);
	sap_arena_clear(&w.arena);
	return r;
}
