/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's system units: which exist (the first folder that has a name wins), which are
 * masked or mere aliases, which are linked from a .wants or .requires folder, and what the
 * services among them start. Rules of systemd.unit(5), "UNIT FILE LOAD PATH".
 */
#include "sysconf/sysconf_int.h"

#include <dirent.h>

#include "base/limits.h"

enum { TREES_MAX = 5, ALIAS_STEPS_MAX = 8, NO_UNIT = 0 };

enum unit_kind { KIND_NONE, KIND_SERVICE, KIND_SOCKET, KIND_TIMER, KIND_PATH };

static const struct sap_str suffixes[] = {
	[KIND_SERVICE] = SAP_STR_INIT(".service"),
	[KIND_SOCKET] = SAP_STR_INIT(".socket"),
	[KIND_TIMER] = SAP_STR_INIT(".timer"),
	[KIND_PATH] = SAP_STR_INIT(".path"),
};

/* What is known of one name; its index is the id of the name in the pool. */
struct known {
	uint32_t alias;   /* the name it is a link to */
	uint32_t dropins; /* first of its drop-in folders, index + 1 */
	uint8_t tree;     /* where its file is */
	uint8_t type;     /* DT_REG or DT_LNK; 0: no file of that name */
	uint8_t kind;     /* enum unit_kind */
	bool masked;
	bool wanted; /* linked from a .wants folder under this name */
	bool enabled;
	struct sap_str at; /* canonical path of the file, where it is a link */
};

struct dropin_dir {
	struct sap_str path;
	struct sap_str name; /* unit name, "foo-.service" or "service" */
	uint32_t next;       /* of the same unit, index + 1 */
};

struct sap_units {
	struct sap_sysconf *sc;
	struct sap_pool *names;
	SAP_VEC(struct known) known; /* by id */
	SAP_VEC(struct dropin_dir) dropins;
	SAP_VEC(uint32_t) wide; /* drop-in folders for all services or a prefix */
	struct sap_str trees[TREES_MAX];
	uint8_t n_trees;
	bool full;
};

struct sap_units *sap_units_new(struct sap_sysconf *sc)
{
	struct sap_units *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->sc = sc;
	u->names = sap_pool_new();
	if (!u->names || !SAP_VEC_PUSH(&u->known, SAP_UNITS_MAX)) {
		sap_units_free(u);
		return NULL;
	}
	return u;
}

void sap_units_free(struct sap_units *u)
{
	if (!u)
		return;
	sap_pool_free(u->names);
	sap_vec_clear(&u->known);
	sap_vec_clear(&u->dropins);
	sap_vec_clear(&u->wide);
	free(u);
}

static enum unit_kind kind_of(struct sap_str name)
{
	for (int kind = KIND_SERVICE; kind <= KIND_PATH; kind++)
		if (name.n > suffixes[kind].n && sap_str_ends(name, suffixes[kind]))
			return (enum unit_kind)kind;
	return KIND_NONE;
}

/* The id of a name, new where need be. NO_UNIT with *rc 0: there are too many. */
static uint32_t id_of(struct sap_units *u, struct sap_str name, int *rc, struct sap_err *err)
{
	uint32_t id;

	*rc = 0;
	if (u->known.n >= SAP_UNITS_MAX) {
		id = sap_pool_find(u->names, name);
		if (id != UINT32_MAX)
			return id;
		if (!u->full)
			*rc = sap_sink_note(u->sc->sink, u->trees[0], 0, "limit", err,
					    "more than %u units; the rest is left out",
					    SAP_UNITS_MAX);
		u->full = true;
		return NO_UNIT;
	}
	id = sap_pool_put(u->names, name);
	if (id == UINT32_MAX || (id == u->known.n && !SAP_VEC_PUSH(&u->known, SAP_UNITS_MAX))) {
		*rc = sap_err_nomem(err);
		return NO_UNIT;
	}
	u->known.v[id].kind = (uint8_t)kind_of(name);
	return id;
}

/* "foo@bar.service" to "foo@.service"; false where name is no instance. */
static bool template_of(struct sap_units *u, struct sap_str name, uint32_t *id)
{
	char text[256];
	const char *at = memchr(name.p, '@', name.n);
	const char *dot = memrchr(name.p, '.', name.n);
	size_t head, tail;

	if (!at || !dot || dot <= at + 1)
		return false;
	head = (size_t)(at - name.p) + 1;
	tail = name.n - (size_t)(dot - name.p);
	if (head + tail > sizeof(text))
		return false;
	memcpy(text, name.p, head);
	memcpy(text + head, dot, tail);
	*id = sap_pool_find(u->names, (struct sap_str){ text, head + tail });
	return *id != UINT32_MAX;
}

/* ---- what there is ---------------------------------------------------------------------- */

static int find_trees(struct sap_units *u, struct sap_err *err)
{
	static const struct sap_str dirs[TREES_MAX] = {
		SAP_STR_INIT("/etc/systemd/system"),
		SAP_STR_INIT("/run/systemd/system"),
		SAP_STR_INIT("/usr/local/lib/systemd/system"),
		SAP_STR_INIT("/usr/lib/systemd/system"),
		SAP_STR_INIT("/lib/systemd/system"),
	};

	for (int i = 0; i < TREES_MAX; i++) {
		struct sap_str path;
		bool again = false;
		uint8_t type = 0;
		int rc = sap_sysconf_canonical(u->sc, dirs[i], &u->sc->arena, &path, &type, err);

		if (rc < 0)
			return rc;
		for (int k = 0; k < u->n_trees; k++)
			again |= rc && sap_str_eq(path, u->trees[k]);
		if (rc && type == DT_DIR && !again)
			u->trees[u->n_trees++] = path;
	}
	return 0;
}

/* Links in a .wants or .requires folder. */
static int add_wants(struct sap_units *u, struct sap_str dir, struct sap_err *err)
{
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc;

	sap_arena_reset(&u->sc->file);
	rc = sap_sysconf_list(u->sc, dir, &u->sc->file, &entries, &n, err);
	for (uint32_t i = 0; rc > 0 && i < n; i++) {
		uint32_t id;
		int failed;

		if (kind_of(entries[i].name) == KIND_NONE)
			continue;
		id = id_of(u, entries[i].name, &failed, err);
		if (failed < 0)
			return failed;
		u->known.v[id].wanted = true;
	}
	return rc < 0 ? rc : 0;
}

/* A folder NAME.d, where NAME is a service, a socket ..., a prefix of services that ends in
 * a dash, or all services ("service"). */
static int add_dropin_dir(struct sap_units *u, struct sap_str dir, struct sap_str name,
			  struct sap_err *err)
{
	bool wide = sap_str_is(name, "service") || sap_str_ends(name, SAP_STR("-.service"));
	struct dropin_dir *d;
	uint32_t id = NO_UNIT;
	int rc = 0;

	if (!wide && kind_of(name) == KIND_NONE)
		return 0;
	if (!wide)
		id = id_of(u, name, &rc, err);
	if (rc < 0)
		return rc;
	if (u->dropins.n >= SAP_UNIT_DROPINS_MAX || (wide && u->wide.n >= 64))
		return sap_sink_note(u->sc->sink, dir, 0, "limit", err,
				     "too many drop-in folders; this one is left out");
	d = SAP_VEC_PUSH(&u->dropins, SAP_UNIT_DROPINS_MAX);
	if (!d)
		return sap_err_nomem(err);
	d->path = dir;
	d->name = name;
	if (wide) {
		uint32_t *slot = SAP_VEC_PUSH(&u->wide, 64);

		if (!slot)
			return sap_err_nomem(err);
		*slot = (uint32_t)(u->dropins.n - 1);
		return 0;
	}
	d->next = u->known.v[id].dropins;
	u->known.v[id].dropins = (uint32_t)u->dropins.n;
	return 0;
}

static int add_folder(struct sap_units *u, struct sap_str tree, struct sap_str name,
		      struct sap_err *err)
{
	struct sap_str dir;
	int rc;

	if (sap_str_ends(name, SAP_STR(".wants")) || sap_str_ends(name, SAP_STR(".requires")) ||
	    sap_str_ends(name, SAP_STR(".upholds"))) {
		rc = sap_sysconf_join(&u->sc->arena, tree, name, &dir, err);
		return rc < 0 ? rc : add_wants(u, dir, err);
	}
	if (!sap_str_ends(name, SAP_STR(".d")))
		return 0;
	rc = sap_sysconf_join(&u->sc->arena, tree, name, &dir, err);
	name.n -= 2;
	return rc < 0 ? rc : add_dropin_dir(u, dir, name, err);
}

static int add_tree(struct sap_units *u, uint8_t tree, struct sap_err *err)
{
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc = sap_sysconf_list(u->sc, u->trees[tree], &u->sc->arena, &entries, &n, err);

	for (uint32_t i = 0; rc > 0 && i < n; i++) {
		struct sap_str name = entries[i].name;
		uint8_t type = entries[i].type;
		struct known *k;
		uint32_t id;
		int failed = 0;

		if (kind_of(name) == KIND_NONE) {
			if (type == DT_DIR || type == DT_LNK)
				failed = add_folder(u, u->trees[tree], name, err);
			if (failed < 0)
				return failed;
			continue;
		}
		if (type != DT_REG && type != DT_LNK)
			continue;
		id = id_of(u, name, &failed, err);
		if (failed < 0)
			return failed;
		k = &u->known.v[id];
		if (id != NO_UNIT && k->type == 0) {
			k->type = type;
			k->tree = tree;
		}
	}
	return rc < 0 ? rc : 0;
}

/* ---- links: masks, aliases, files elsewhere --------------------------------------------- */

static int resolve_link(struct sap_units *u, uint32_t id, struct sap_err *err)
{
	struct sap_str name = sap_pool_str(u->names, id);
	struct known *k = &u->known.v[id];
	struct sap_str path, target = { 0 }, base;
	uint32_t other;
	uint8_t type = 0;
	int rc;

	rc = sap_sysconf_join(&u->sc->arena, u->trees[k->tree], name, &path, err);
	if (rc == 0)
		rc = sap_sysconf_readlink(u->sc, path, &u->sc->arena, &target, err);
	if (rc < 0)
		return rc;
	k->masked = rc == 0 || sap_str_ends(target, SAP_STR("/dev/null"));
	if (k->masked)
		return 0;
	base = sap_path_base(target);
	other = sap_pool_find(u->names, base);
	if (other != UINT32_MAX && other != NO_UNIT && other != id && u->known.v[other].type &&
	    kind_of(base) == k->kind) {
		k->alias = other;
		return 0;
	}
	/* The file of the unit, in a place that systemd does not search. */
	rc = sap_sysconf_canonical(u->sc, path, &u->sc->arena, &k->at, &type, err);
	k->masked = rc == 0 || type != DT_REG;
	return rc < 0 ? rc : 0;
}

/* The unit that a name stands for, aliases followed; NO_UNIT where there is none. */
static uint32_t unit_named(const struct sap_units *u, uint32_t id)
{
	for (int steps = 0; steps < ALIAS_STEPS_MAX; steps++) {
		const struct known *k = &u->known.v[id];

		if (k->type == 0 || k->masked)
			return NO_UNIT;
		if (k->alias == NO_UNIT)
			return id;
		id = k->alias;
	}
	return NO_UNIT;
}

/* Marks what a wanted name leads to: the unit itself, and the template of an instance. */
static void enable(struct sap_units *u, uint32_t id)
{
	uint32_t unit = unit_named(u, id);
	uint32_t template;

	if (unit != NO_UNIT) {
		u->known.v[unit].enabled = true;
		return;
	}
	if (u->known.v[id].masked || !template_of(u, sap_pool_str(u->names, id), &template))
		return;
	unit = unit_named(u, template);
	if (unit != NO_UNIT)
		u->known.v[unit].enabled = true;
}

/* ---- one unit --------------------------------------------------------------------------- */

struct fragment {
	struct sap_str dir;
	struct sap_str name;
	uint32_t rank; /* of its folder: a lower one hides the same name */
	uint8_t type;
};

struct fragments {
	SAP_VEC(struct fragment) list;
	uint32_t rank;
};

static int compare_fragments(const void *a, const void *b)
{
	const struct fragment *x = a, *y = b;
	int order = sap_str_cmp(x->name, y->name);

	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int list_dropins(struct sap_units *u, struct sap_str dir, struct fragments *fragments,
			struct sap_err *err)
{
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc = sap_sysconf_list(u->sc, dir, &u->sc->file, &entries, &n, err);

	fragments->rank++;
	for (uint32_t i = 0; rc > 0 && i < n; i++) {
		struct fragment *f;

		if (!sap_str_ends(entries[i].name, SAP_STR(".conf")) ||
		    (entries[i].type != DT_REG && entries[i].type != DT_LNK))
			continue;
		if (fragments->list.n >= SAP_UNIT_DROPIN_FILES_MAX)
			return sap_sink_note(u->sc->sink, dir, 0, "limit", err,
					     "more than %u drop-ins for one unit",
					     SAP_UNIT_DROPIN_FILES_MAX);
		f = SAP_VEC_PUSH(&fragments->list, SAP_UNIT_DROPIN_FILES_MAX);
		if (!f)
			return sap_err_nomem(err);
		*f = (struct fragment){
			.dir = dir,
			.name = entries[i].name,
			.rank = fragments->rank,
			.type = entries[i].type,
		};
	}
	return rc < 0 ? rc : 0;
}

/* All folders of drop-ins that hold for a unit, the nearest first: its own by tree, then
 * those for a prefix of its name, then those for all services. */
static int collect_dropins(struct sap_units *u, uint32_t id, struct fragments *fragments,
			   struct sap_err *err)
{
	struct sap_str name = sap_pool_str(u->names, id);
	int rc = 0;

	/* The trees were read from the first, and each chain grew at its head. */
	for (uint32_t pass = 0; pass < u->n_trees && rc == 0; pass++) {
		for (uint32_t at = u->known.v[id].dropins; at && rc == 0;
		     at = u->dropins.v[at - 1].next)
			if (sap_str_eq(sap_path_dir(u->dropins.v[at - 1].path), u->trees[pass]))
				rc = list_dropins(u, u->dropins.v[at - 1].path, fragments, err);
	}
	for (size_t i = 0; i < u->wide.n && rc == 0; i++) {
		const struct dropin_dir *d = &u->dropins.v[u->wide.v[i]];
		struct sap_str prefix = { d->name.p, d->name.n - suffixes[KIND_SERVICE].n };

		if (kind_of(name) != KIND_SERVICE)
			break;
		if (sap_str_is(d->name, "service") ||
		    (prefix.n < name.n && sap_str_starts(name, prefix)))
			rc = list_dropins(u, d->path, fragments, err);
	}
	return rc;
}

static int read_part(struct sap_units *u, struct sap_str path, struct sap_unit *unit, bool *empty,
		     struct sap_err *err)
{
	struct sap_err fault = { 0 };
	struct sap_span bytes;
	int rc = sap_sysconf_read(u->sc, path, SAP_UNIT_FILE_MAX, &u->sc->file, &bytes, err);

	*empty = rc <= 0 || bytes.n == 0;
	if (rc > 0)
		rc = sap_unit_read(bytes, &u->sc->file, unit, &fault, err);
	if (rc == 0)
		rc = sap_sysconf_fault(u->sc->sink, path, &fault, err);
	return rc;
}

static int read_dropins(struct sap_units *u, uint32_t id, struct sap_unit *unit,
			struct sap_err *err)
{
	struct fragments fragments = { 0 };
	struct sap_arena *arena = &u->sc->file;
	int rc = collect_dropins(u, id, &fragments, err);

	if (fragments.list.n)
		qsort(fragments.list.v, fragments.list.n, sizeof(*fragments.list.v),
		      compare_fragments);
	for (size_t i = 0; rc == 0 && i < fragments.list.n; i++) {
		const struct fragment *f = &fragments.list.v[i];
		struct sap_str path, target = { 0 };
		bool empty;

		if (i && sap_str_eq(f->name, f[-1].name))
			continue;
		rc = sap_sysconf_join(arena, f->dir, f->name, &path, err);
		if (rc == 0 && f->type == DT_LNK) {
			rc = sap_sysconf_readlink(u->sc, path, arena, &target, err);
			if (rc == 0 || (rc > 0 && sap_str_ends(target, SAP_STR("/dev/null")))) {
				rc = 0;
				continue;
			}
		}
		if (rc >= 0)
			rc = read_part(u, path, unit, &empty, err);
	}
	sap_vec_clear(&fragments.list);
	return rc;
}

/* Reads a unit with its drop-ins into the arena of the file. *empty: masked. */
static int read_unit(struct sap_units *u, uint32_t id, struct sap_unit *unit, struct sap_str *path,
		     bool *empty, struct sap_err *err)
{
	const struct known *k = &u->known.v[id];
	int rc = 0;

	sap_arena_reset(&u->sc->file);
	*path = k->at;
	if (path->n == 0)
		rc = sap_sysconf_join(&u->sc->file, u->trees[k->tree], sap_pool_str(u->names, id),
				      path, err);
	if (rc == 0)
		rc = read_part(u, *path, unit, empty, err);
	if (rc == 0 && !*empty && (k->dropins || u->wide.n))
		rc = read_dropins(u, id, unit, err);
	return rc;
}

static int emit_service(struct sap_units *u, uint32_t id, struct sap_unit *unit,
			struct sap_str path, struct sap_err *err)
{
	struct sap_rec_service rec = {
		.kind = SAP_SERVICE_SYSTEMD,
		.name = sap_pool_str(u->names, id),
		.path = path,
		.user = unit->user,
		.enabled = u->known.v[id].enabled ? SAP_YES : SAP_NO,
	};
	struct sap_programs *programs = u->sc->programs;
	int rc = 0;

	sap_programs_begin(programs);
	for (int i = 0; i < SAP_UNIT_EXECS; i++) {
		for (size_t j = 0; rc == 0 && j < unit->exec[i].n; j++) {
			rc = sap_programs_add(programs, unit->exec[i].v[j], false, err);
			if (rc == 0 && unit->inner[i].v[j].n)
				rc = sap_programs_add(programs, unit->inner[i].v[j], true, err);
		}
	}
	if (rc < 0)
		return rc;
	rec.programs = sap_programs_list(programs);
	return u->sc->sink->service(u->sc->sink, &rec, err);
}

/* ---- all of them ------------------------------------------------------------------------ */

/* A socket, timer or path that is enabled enables what it activates. */
static int enable_activated(struct sap_units *u, uint32_t id, struct sap_err *err)
{
	struct sap_str name = sap_pool_str(u->names, id);
	struct sap_unit unit = { 0 };
	struct sap_str path, target;
	uint32_t service;
	bool empty = false;
	int rc = read_unit(u, id, &unit, &path, &empty, err);

	if (rc == 0 && !empty) {
		target = unit.triggers;
		if (target.n == 0) {
			char text[300];
			size_t stem = name.n - suffixes[u->known.v[id].kind].n;
			bool instance = unit.accept && u->known.v[id].kind == KIND_SOCKET &&
					!memchr(name.p, '@', name.n);

			if (stem + 16 < sizeof(text)) {
				memcpy(text, name.p, stem);
				if (instance)
					text[stem++] = '@';
				memcpy(text + stem, ".service", 8);
				target = (struct sap_str){ text, stem + 8 };
				service = id_of(u, target, &rc, err);
				enable(u, service);
			}
		} else {
			service = id_of(u, target, &rc, err);
			enable(u, service);
		}
	}
	sap_unit_clear(&unit);
	return rc;
}

static int emit_unit(struct sap_units *u, uint32_t id, struct sap_err *err)
{
	struct sap_unit unit = { 0 };
	struct sap_str path;
	bool empty = false;
	int rc = read_unit(u, id, &unit, &path, &empty, err);

	if (rc == 0 && empty)
		u->known.v[id].masked = true;
	else if (rc == 0)
		rc = emit_service(u, id, &unit, path, err);
	sap_unit_clear(&unit);
	return rc;
}

/* Drop-ins of an alias hold for the unit as well. */
static void merge_dropins(struct sap_units *u, uint32_t id)
{
	uint32_t unit = unit_named(u, id);
	uint32_t *end;

	if (unit == NO_UNIT || unit == id)
		return;
	for (end = &u->known.v[unit].dropins; *end; end = &u->dropins.v[*end - 1].next)
		;
	*end = u->known.v[id].dropins;
	u->known.v[id].dropins = 0;
}

int sap_units_emit(struct sap_units *u, struct sap_err *err)
{
	int rc = find_trees(u, err);

	for (uint8_t tree = 0; rc == 0 && tree < u->n_trees; tree++)
		rc = add_tree(u, tree, err);
	for (uint32_t id = 1; rc == 0 && id < u->known.n; id++)
		if (u->known.v[id].type == DT_LNK)
			rc = resolve_link(u, id, err);
	for (uint32_t id = 1; rc == 0 && id < u->known.n; id++) {
		if (u->known.v[id].wanted)
			enable(u, id);
		if (u->known.v[id].dropins)
			merge_dropins(u, id);
	}
	for (uint32_t id = 1; rc == 0 && id < u->known.n; id++)
		if (u->known.v[id].enabled && u->known.v[id].kind > KIND_SERVICE)
			rc = enable_activated(u, id, err);
	for (uint32_t id = 1; rc == 0 && id < u->known.n; id++) {
		const struct known *k = &u->known.v[id];

		if (k->kind == KIND_SERVICE && k->type && !k->masked && k->alias == NO_UNIT)
			rc = emit_unit(u, id, err);
	}
	return rc;
}

bool sap_units_has(const struct sap_units *u, struct sap_str stem)
{
	char text[300];
	uint32_t id;

	if (stem.n + 8 > sizeof(text))
		return false;
	memcpy(text, stem.p, stem.n);
	memcpy(text + stem.n, ".service", 8);
	id = sap_pool_find(u->names, (struct sap_str){ text, stem.n + 8 });
	return id != UINT32_MAX && u->known.v[id].type != 0;
}
