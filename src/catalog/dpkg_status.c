/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's stanzas and what is built from them: the packages, what apt installed by itself,
 * the diversions. Pure.
 */
#include <strings.h>

#include "base/limits.h"
#include "catalog/catalog_int.h"

/* ---- one stanza ------------------------------------------------------------------------- */

static const struct sap_str field_names[SAP_DPKG_FIELDS] = {
	[SAP_DPKG_PACKAGE] = SAP_STR_INIT("Package"),
	[SAP_DPKG_STATUS] = SAP_STR_INIT("Status"),
	[SAP_DPKG_VERSION] = SAP_STR_INIT("Version"),
	[SAP_DPKG_ARCHITECTURE] = SAP_STR_INIT("Architecture"),
	[SAP_DPKG_MULTI_ARCH] = SAP_STR_INIT("Multi-Arch"),
	[SAP_DPKG_SOURCE] = SAP_STR_INIT("Source"),
	[SAP_DPKG_MAINTAINER] = SAP_STR_INIT("Maintainer"),
	[SAP_DPKG_ORIGIN] = SAP_STR_INIT("Origin"),
	[SAP_DPKG_SECTION] = SAP_STR_INIT("Section"),
	[SAP_DPKG_ESSENTIAL] = SAP_STR_INIT("Essential"),
	[SAP_DPKG_PROTECTED] = SAP_STR_INIT("Protected"),
	[SAP_DPKG_INSTALLED_SIZE] = SAP_STR_INIT("Installed-Size"),
	[SAP_DPKG_DEPENDS] = SAP_STR_INIT("Depends"),
	[SAP_DPKG_PRE_DEPENDS] = SAP_STR_INIT("Pre-Depends"),
	[SAP_DPKG_RECOMMENDS] = SAP_STR_INIT("Recommends"),
	[SAP_DPKG_SUGGESTS] = SAP_STR_INIT("Suggests"),
	[SAP_DPKG_PROVIDES] = SAP_STR_INIT("Provides"),
	[SAP_DPKG_CONFLICTS] = SAP_STR_INIT("Conflicts"),
	[SAP_DPKG_BREAKS] = SAP_STR_INIT("Breaks"),
	[SAP_DPKG_CONFFILES] = SAP_STR_INIT("Conffiles"),
	[SAP_DPKG_AUTO_INSTALLED] = SAP_STR_INIT("Auto-Installed"),
};

static int field_of(struct sap_str name)
{
	for (int i = 0; i < SAP_DPKG_FIELDS; i++) {
		if (field_names[i].n == name.n && (field_names[i].p[0] ^ name.p[0]) % 0x20 == 0 &&
		    strncasecmp(field_names[i].p, name.p, name.n) == 0)
			return i;
	}
	return -1;
}

static void fault_at(struct sap_dpkg_stanza *out, uint64_t offset, const char *code,
		     const char *what)
{
	if (out->fault)
		return;
	out->fault_code = code;
	out->fault = what;
	out->fault_offset = offset;
}

/* A line that starts a field. Gives the field's number, -1 where it is not kept. */
static int start_field(struct sap_dpkg_stanza *out, struct sap_str line, uint64_t offset)
{
	struct sap_str name, value;
	int field;

	if (!sap_str_cut(line, ':', &name, &value) || name.n == 0) {
		fault_at(out, offset, "format", "a line that is no field");
		return -1;
	}
	field = field_of(name);
	if (field < 0)
		return -1;
	if (out->f[field].p) {
		fault_at(out, offset, "format", "a field that occurs twice; the first counts");
		return -1;
	}
	out->f[field] = value;
	return field;
}

bool sap_dpkg_stanza_next(struct sap_span text, uint64_t *pos, struct sap_dpkg_stanza *out)
{
	struct sap_str rest, line;
	bool begun = false;
	int field = -1;

	if (*pos >= text.n)
		return false;
	rest = sap_str_skip(sap_text_of(text), *pos);
	*out = (struct sap_dpkg_stanza){ 0 };
	while (rest.n) {
		uint64_t offset = text.n - rest.n;

		sap_str_line(&rest, &line);
		if (line.n == 0 || (line.n == 1 && line.p[0] == '\r')) {
			if (begun)
				break;
			continue;
		}
		if (!begun)
			out->offset = offset;
		begun = true;
		if (line.n > SAP_DB_LINE_MAX) {
			fault_at(out, offset, "limit", "a line of more than a mebibyte");
			field = -1;
		} else if (line.p[0] != ' ' && line.p[0] != '\t') {
			field = start_field(out, line, offset);
		} else if (field >= 0) {
			out->f[field].n = (size_t)(line.p + line.n - out->f[field].p);
		}
	}
	*pos = text.n - rest.n;
	for (int i = 0; i < SAP_DPKG_FIELDS; i++) {
		if (out->f[i].p)
			out->f[i] = sap_str_trim(out->f[i]);
	}
	return begun;
}

bool sap_dpkg_name_ok(struct sap_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || !memchr("-+._", c, 4)))
			return false;
	}
	return name.n > 0 && name.n <= 200;
}

bool sap_dpkg_is_present(const struct sap_dpkg_package *package, bool *broken, bool *odd)
{
	struct sap_str text = package->stanza.f[SAP_DPKG_STATUS];
	struct sap_str want = { 0 }, flag = { 0 }, state = { 0 };

	*broken = false;
	*odd = false;
	if (package->place == SAP_DPKG_IN_STATUS_D && !text.p)
		return true;
	sap_str_word(&text, &want);
	sap_str_word(&text, &flag);
	sap_str_word(&text, &state);
	*broken = sap_str_is(flag, "reinstreq");
	if (sap_str_is(state, "installed") || sap_str_is(state, "triggers-awaited") ||
	    sap_str_is(state, "triggers-pending"))
		return true;
	if (sap_str_is(state, "not-installed") || sap_str_is(state, "config-files"))
		return false;
	*broken = true;
	*odd = !sap_str_is(state, "half-installed") && !sap_str_is(state, "unpacked") &&
	       !sap_str_is(state, "half-configured");
	return true;
}

/* ---- the database ----------------------------------------------------------------------- */

void sap_dpkg_db_init(struct sap_dpkg_db *db, struct sap_catalog *catalog)
{
	*db = (struct sap_dpkg_db){ .catalog = catalog };
	db->notes.sink = catalog->sink;
	sap_arena_init(&db->arena, 0);
	sap_arena_init(&db->work, 0);
	sap_strmap_init(&db->index);
	sap_strmap_init(&db->diverted);
	sap_strmap_init(&db->autos);
	sap_strmap_init(&db->md5_map);
	sap_strmap_init(&db->conffile_map);
	sap_strmap_init(&db->parents);
	sap_buf_init(&db->path, SAP_PATH_MAX + 1);
}

void sap_dpkg_db_clear(struct sap_dpkg_db *db)
{
	sap_vec_clear(&db->packages);
	sap_vec_clear(&db->diversions);
	sap_vec_clear(&db->relations);
	sap_vec_clear(&db->md5s);
	sap_vec_clear(&db->items);
	sap_vec_clear(&db->conffiles);
	sap_strmap_clear(&db->index);
	sap_strmap_clear(&db->diverted);
	sap_strmap_clear(&db->autos);
	sap_strmap_clear(&db->md5_map);
	sap_strmap_clear(&db->conffile_map);
	sap_strmap_clear(&db->parents);
	sap_buf_clear(&db->path);
	sap_arena_clear(&db->arena);
	sap_arena_clear(&db->work);
}

/* "name:arch", in the arena. */
static bool key_of(struct sap_arena *arena, struct sap_str name, struct sap_str arch,
		   struct sap_str *out)
{
	char *p = sap_arena_alloc(arena, name.n + 1 + arch.n);

	if (!p)
		return false;
	if (name.n)
		memcpy(p, name.p, name.n);
	p[name.n] = ':';
	if (arch.n)
		memcpy(p + name.n + 1, arch.p, arch.n);
	*out = (struct sap_str){ p, name.n + 1 + arch.n };
	return true;
}

static int add_package(struct sap_dpkg_db *db, const struct sap_dpkg_package *new,
		       struct sap_notes *notes, struct sap_err *err)
{
	struct sap_str name = new->stanza.f[SAP_DPKG_PACKAGE];
	struct sap_str arch = new->stanza.f[SAP_DPKG_ARCHITECTURE];
	struct sap_dpkg_package *slot;
	struct sap_str key;
	uint32_t *at;

	if (db->packages.n >= SAP_PACKAGES_MAX) {
		if (db->full)
			return 0;
		db->full = true;
		return sap_notes_add(notes, new->stanza.offset, "limit", err,
				     "more than %u stanzas; the others are left out",
				     SAP_PACKAGES_MAX);
	}
	if (!key_of(&db->arena, name, arch, &key) || !(at = sap_strmap_put(&db->index, key)))
		return sap_err_nomem(err);
	if (*at == SAP_STRMAP_NONE) {
		slot = SAP_VEC_PUSH(&db->packages, SAP_PACKAGES_MAX);
		if (!slot)
			return sap_err_nomem(err);
		*at = (uint32_t)(db->packages.n - 1);
		*slot = *new;
		return 0;
	}
	slot = &db->packages.v[*at];
	if (new->place == SAP_DPKG_IN_JOURNAL) {
		*slot = *new;
		return 0;
	}
	/* dpkg itself takes the later one; a stanza of status.d says less than one of status. */
	if (new->place == slot->place)
		*slot = *new;
	return sap_notes_add(notes, new->stanza.offset, "duplicate", err,
			     "a second stanza for %.*s", SAP_FMT(key));
}

int sap_dpkg_db_add(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
		    enum sap_dpkg_place place, struct sap_err *err)
{
	struct sap_notes notes = { .sink = db->catalog->sink, .path = path };
	struct sap_dpkg_package package = { .path = path, .place = place };
	const struct sap_dpkg_stanza *s = &package.stanza;
	bool cut = place == SAP_DPKG_IN_STATUS && text.n && text.p[text.n - 1] != '\n';
	uint64_t pos = 0;
	int r = 0;

	if (cut)
		r = sap_notes_add(&notes, text.n, "format", err,
				  "the last line does not end: the file may be cut");
	while (r == 0 && sap_dpkg_stanza_next(text, &pos, &package.stanza)) {
		/* What is left of the cut line has been said. */
		if (s->fault &&
		    (!cut || memchr(text.p + s->fault_offset, '\n', text.n - s->fault_offset)))
			r = sap_notes_add(&notes, s->fault_offset, s->fault_code, err, "%s",
					  s->fault);
		if (r < 0)
			break;
		if (s->f[SAP_DPKG_PACKAGE].n == 0) {
			r = sap_notes_add(&notes, s->offset, "format", err,
					  "a stanza without a package name");
			continue;
		}
		if (place != SAP_DPKG_IN_STATUS_D && !s->f[SAP_DPKG_STATUS].p) {
			r = sap_notes_add(&notes, s->offset, "format", err,
					  "%.*s has no Status, so it is not installed",
					  SAP_FMT(s->f[SAP_DPKG_PACKAGE]));
			continue;
		}
		r = add_package(db, &package, &notes, err);
	}
	return r;
}

static struct sap_str native_arch(const struct sap_dpkg_db *db)
{
	for (size_t i = 0; i < db->packages.n; i++) {
		const struct sap_dpkg_stanza *s = &db->packages.v[i].stanza;

		if (sap_str_is(s->f[SAP_DPKG_PACKAGE], "dpkg"))
			return s->f[SAP_DPKG_ARCHITECTURE];
	}
	return SAP_STR("");
}

int sap_dpkg_db_autos(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
		      struct sap_err *err)
{
	struct sap_notes notes = { .sink = db->catalog->sink, .path = path };
	struct sap_dpkg_stanza s;
	uint64_t pos = 0;
	int r = 0;

	if (!db->native.n)
		db->native = native_arch(db);
	while (r == 0 && sap_dpkg_stanza_next(text, &pos, &s)) {
		struct sap_str name = s.f[SAP_DPKG_PACKAGE];
		struct sap_str key;
		uint32_t *at;

		if (name.n == 0 || s.fault) {
			r = sap_notes_add(&notes, s.offset, "format", err, "%s",
					  s.fault ? s.fault : "a stanza without a package name");
			continue;
		}
		if (!sap_str_is(s.f[SAP_DPKG_AUTO_INSTALLED], "1"))
			continue;
		if (!key_of(&db->arena, name, s.f[SAP_DPKG_ARCHITECTURE], &key) ||
		    !(at = sap_strmap_put(&db->autos, key)))
			return sap_err_nomem(err);
		*at = 1;
		at = sap_strmap_put(&db->autos, name);
		if (!at)
			return sap_err_nomem(err);
		*at = 1;
	}
	return r;
}

int sap_dpkg_db_diversions(struct sap_dpkg_db *db, struct sap_str path, struct sap_span text,
			   struct sap_err *err)
{
	struct sap_notes notes = { .sink = db->catalog->sink, .path = path };
	struct sap_str rest = sap_text_of(text);
	int r = 0;

	while (r == 0 && rest.n) {
		uint64_t offset = text.n - rest.n;
		struct sap_str from, to, package = { 0 }, rest_of_name;
		struct sap_dpkg_diversion *diversion;
		uint32_t *at;

		if (!sap_str_line(&rest, &from) || !sap_str_line(&rest, &to) ||
		    !sap_str_line(&rest, &package) || from.n == 0 || from.p[0] != '/' ||
		    to.n == 0 || to.p[0] != '/' || !sap_relpath_ok(sap_str_skip(from, 1)) ||
		    !sap_relpath_ok(sap_str_skip(to, 1))) {
			r = sap_notes_add(&notes, offset, "format", err,
					  "not a diversion (from, to, package)");
			continue;
		}
		/* ":" is a local one; "name:arch" is a package, all its architectures. */
		sap_str_cut(package, ':', &package, &rest_of_name);
		at = sap_strmap_put(&db->diverted, from);
		diversion = at ? SAP_VEC_PUSH(&db->diversions, SAP_PACKAGES_MAX) : NULL;
		if (!diversion)
			return sap_err_nomem(err);
		*diversion = (struct sap_dpkg_diversion){ from, to, package };
		*at = (uint32_t)(db->diversions.n - 1);
		db->diverted_lengths |= 1ULL << (from.n & 63);
	}
	return r;
}

/* ---- records ---------------------------------------------------------------------------- */

static bool has_newline(struct sap_str s)
{
	return s.n && memchr(s.p, '\n', s.n);
}

/* Continuation lines joined by one blank each. */
static bool unfold(struct sap_arena *arena, struct sap_str s, struct sap_str *out)
{
	char *p = sap_arena_alloc(arena, s.n);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool blank = s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r';

		if (!blank)
			p[n++] = s.p[i];
		else if (n && p[n - 1] != ' ')
			p[n++] = ' ';
	}
	*out = (struct sap_str){ p, n };
	return true;
}

/* Splits a field at the commas that stand outside of all brackets. */
static int add_relations(struct sap_dpkg_db *db, enum sap_relation_kind kind, struct sap_str text,
			 struct sap_err *err)
{
	bool inside = false;
	size_t start = 0;
	int r = 0;

	for (size_t i = 0; i <= text.n && r == 0; i++) {
		char c = i < text.n ? text.p[i] : ',';
		struct sap_str part;

		if (c == '(' || c == '[')
			inside = true;
		else if (c == ')' || c == ']')
			inside = false;
		if (i < text.n && (c != ',' || inside))
			continue;
		part = sap_str_trim((struct sap_str){ text.p + start, i - start });
		start = i + 1;
		if (has_newline(part) && !unfold(&db->work, part, &part))
			return sap_err_nomem(err);
		if (part.n)
			r = sap_relations_add(&db->relations, kind, part, err);
	}
	return r;
}

static int collect_relations(struct sap_dpkg_db *db, const struct sap_dpkg_stanza *s,
			     struct sap_err *err)
{
	static const struct {
		enum sap_dpkg_field field;
		enum sap_relation_kind kind;
	} fields[] = {
		{ SAP_DPKG_DEPENDS, SAP_REL_DEPENDS },
		{ SAP_DPKG_PRE_DEPENDS, SAP_REL_PRE_DEPENDS },
		{ SAP_DPKG_RECOMMENDS, SAP_REL_RECOMMENDS },
		{ SAP_DPKG_SUGGESTS, SAP_REL_SUGGESTS },
		{ SAP_DPKG_PROVIDES, SAP_REL_PROVIDES },
		{ SAP_DPKG_CONFLICTS, SAP_REL_CONFLICTS },
		{ SAP_DPKG_BREAKS, SAP_REL_CONFLICTS },
	};
	int r = 0;

	db->relations.n = 0;
	db->relations.full = false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r == 0; i++) {
		if (s->f[fields[i].field].n)
			r = add_relations(db, fields[i].kind, s->f[fields[i].field], err);
	}
	return r;
}

/* An epoch of 0 is left out, as dpkg does. */
static struct sap_str version_of(struct sap_str text)
{
	struct sap_str rest = sap_str_skip(text, 2);

	if (sap_str_starts(text, SAP_STR("0:")) && !(rest.n && memchr(rest.p, ':', rest.n)))
		return rest;
	return text;
}

/* Source: "name" or "name (version)". */
static void set_source(struct sap_rec_package *rec, struct sap_str text)
{
	struct sap_str name, rest, version;

	rec->source = rec->name;
	rec->source_version = rec->version;
	if (text.n == 0)
		return;
	if (sap_str_cut(text, '(', &name, &rest)) {
		sap_str_cut(rest, ')', &version, &rest);
		version = sap_str_trim(version);
		if (version.n)
			rec->source_version = version_of(version);
	}
	name = sap_str_trim(name);
	if (name.n)
		rec->source = name;
}

static enum sap_tristate auto_of(struct sap_dpkg_db *db, const struct sap_rec_package *rec)
{
	/* apt files packages of architecture "all" under the native one. */
	struct sap_str arch = sap_str_is(rec->arch, "all") ? db->native : rec->arch;
	struct sap_str key = rec->name;

	if (db->autos.n == 0)
		return db->auto_default;
	if (arch.n && !key_of(&db->work, rec->name, arch, &key))
		key = rec->name;
	return sap_strmap_get(&db->autos, key) != SAP_STRMAP_NONE ? SAP_YES : db->auto_default;
}

static bool is_yes(struct sap_str s)
{
	return s.n == 3 && strncasecmp(s.p, "yes", 3) == 0;
}

static struct sap_rec_package record_of(const struct sap_dpkg_package *package,
					const struct sap_dpkg_info *info)
{
	const struct sap_str *f = package->stanza.f;
	struct sap_rec_package rec = {
		.type = SAP_PACKAGE_DEB,
		.name = f[SAP_DPKG_PACKAGE],
		.version = version_of(f[SAP_DPKG_VERSION]),
		.arch = f[SAP_DPKG_ARCHITECTURE],
		.maintainer = f[SAP_DPKG_MAINTAINER],
		.vendor = f[SAP_DPKG_ORIGIN],
		.section = f[SAP_DPKG_SECTION],
		.database = package->path,
		.install_time = info->list_time,
		.essential = is_yes(f[SAP_DPKG_ESSENTIAL]) || is_yes(f[SAP_DPKG_PROTECTED])
				     ? SAP_YES
				     : SAP_NO,
	};
	uint64_t kib;

	set_source(&rec, f[SAP_DPKG_SOURCE]);
	if (sap_str_u64(f[SAP_DPKG_INSTALLED_SIZE], &kib) && kib <= UINT64_MAX / 1024)
		rec.installed_size = kib * 1024;
	return rec;
}

int sap_dpkg_emit(struct sap_dpkg_db *db, const struct sap_dpkg_package *package,
		  const struct sap_dpkg_info *info, struct sap_err *err)
{
	struct sap_notes *notes = &db->notes;
	struct sap_rec_package rec = record_of(package, info);
	uint64_t offset = package->stanza.offset;
	bool odd;
	int r = 0;

	if (!sap_dpkg_is_present(package, &rec.broken, &odd))
		return 0;
	notes->path = package->path;
	sap_arena_reset(&db->work);
	rec.auto_installed = auto_of(db, &rec);
	if (odd)
		r = sap_notes_add(notes, offset, "format", err, "%.*s has an unknown status",
				  SAP_FMT(rec.name));
	if (r == 0 && rec.version.n == 0)
		r = sap_notes_add(notes, offset, "format", err, "%.*s has no version",
				  SAP_FMT(rec.name));
	if (r == 0)
		r = collect_relations(db, &package->stanza, err);
	if (r == 0 && db->relations.full)
		r = sap_notes_add(notes, offset, "limit", err,
				  "%.*s has more than %u relations; the others are left out",
				  SAP_FMT(rec.name), SAP_RELATIONS_MAX);
	if (r == 0) {
		rec.relations = db->relations.v;
		rec.n_relations = (uint32_t)db->relations.n;
		r = sap_catalog_put_package(db->catalog, &rec, notes, err);
	}
	if (r <= 0)
		return r;
	if (db->catalog->without_files)
		return 0;
	return sap_dpkg_emit_files(db, package, rec.id, info, err);
}
