/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of test_link.c: tests/link/NAME.table hold small trees and what a loader makes of
 * them.
 *
 * A table is lines of words. `case TEXT` starts an empty tree; then come, in any order:
 *   exe|lib PATH KEY=VALUE...  an object. Keys: needed soname rpath runpath filter aux interp
 *                              loader (folders built in) verneed (FILE:VERSION[:weak]) verdef
 *                              use string abi (x86-64 i386 arm64 s390x) flag (nodeflib exec
 *                              setuid static damaged) inode import export (NAME[@VERSION]) note
 *                              (PRIORITY:FEATURE:SONAME/SONAME). Lists are cut at commas. An
 *                              exe has glibc's interp unless it says otherwise.
 *   debian, musl               the loader and libc of either
 *   link PATH TARGET, dir PATH, other PATH [unreadable|empty|no-file|damaged]
 *   cache SONAME PATH [hwcaps=NAME] [flags=N], conf DIR, preload NAME, muslpath ARCH DIR,
 *   nss DATABASE SERVICE, pam SERVICE TYPE MODULE, paminclude SERVICE TYPE SERVICE
 *   option level=N | beyond | path=LD_LIBRARY_PATH | lookups (on demand, only what `known`
 *   lines name is known; `known PATH` is then an answer, `known PATH unreadable` too)
 * and questions, whose answers are the indented lines behind them:
 *   closure PATH            libraries in load order: PATH HOW [KIND] [beyond]; `missing NAME:
 *                           WHY of the last step`; `version FILE VERSION [weak]`;
 *                           `static`, `secure`, `incomplete`; `count STRICT DIRECT`
 *   searched PATH NAME      every step of the search for a missing name
 *   why PATH LIBRARY        chains as LIBRARY > LIBRARY, and how many there are
 *   unneeded PATH [LIBRARY] LIBRARY: what leaves with it
 *   wanted PATH             paths that a closure would like to have looked up
 */
#ifndef SAP_TESTS_LINK_TABLE_H
#define SAP_TESTS_LINK_TABLE_H

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "link/link.h"

enum { LIST_MAX = 16, SYMBOLS_MAX = 32 };

struct table {
	const char *file;
	unsigned line;
	struct sap_facts *facts;
	struct sap_link_options options;
	bool finished;
	struct sap_tree *tree;
	struct sap_link *link;
	struct sap_str name; /* of the case */
	uint32_t order;
};

static struct sap_err err;

static void fail(struct table *t, const char *what, struct sap_str word)
{
	fprintf(stderr, "%s:%u: %.*s\n", t->file, t->line, SAP_FMT(word));
	check_true(t->file, (int)t->line, what, false);
}

static void drop(struct table *t)
{
	sap_link_free(t->link);
	sap_tree_free(t->tree);
	sap_facts_free(t->facts);
	t->link = NULL;
	t->tree = NULL;
	t->facts = NULL;
}

static void start(struct table *t, struct sap_str name)
{
	drop(t);
	t->name = name;
	t->facts = sap_facts_new();
	t->facts->whole = true;
	t->facts->with_symbols = true;
	t->options = (struct sap_link_options){ .cpu_level = 0 };
	t->finished = false;
}

static void add_dirs(struct table *t, struct sap_str path)
{
	while (path.n > 1) {
		struct sap_rec_dir dir;

		path = sap_path_dir(path);
		dir.path = path;
		t->facts->sink.dir(&t->facts->sink, &dir, &err);
	}
}

/* ---- objects ---------------------------------------------------------------------------- */

struct maker {
	struct sap_rec_object rec;
	struct sap_str lists[8][LIST_MAX];
	struct sap_rec_verneed verneeds[LIST_MAX];
	struct sap_rec_dlopen_note notes[LIST_MAX];
	struct sap_str sonames[LIST_MAX][LIST_MAX];
	struct sap_rec_symbol symbols[SYMBOLS_MAX];
	uint32_t n_symbols;
};

static uint32_t cut_list(struct sap_str value, char sep, struct sap_str *out)
{
	uint32_t n = 0;

	while (value.n && n < LIST_MAX) {
		sap_str_cut(value, sep, &out[n], &value);
		n++;
	}
	return n;
}

static void set_abi(struct sap_rec_object *rec, struct sap_str abi)
{
	static const struct {
		const char *name;
		uint16_t machine;
		uint8_t elf_class, endian;
	} abis[] = { { "x86-64", 62, 2, 1 },
		     { "i386", 3, 1, 1 },
		     { "arm64", 183, 2, 1 },
		     { "s390x", 22, 2, 2 } };

	for (size_t i = 0; i < 4; i++) {
		if (sap_str_eq(abi, sap_str_of(abis[i].name))) {
			rec->machine = abis[i].machine;
			rec->elf_class = abis[i].elf_class;
			rec->endian = abis[i].endian;
		}
	}
}

static void set_flag(struct sap_rec_object *rec, struct sap_str flag)
{
	if (sap_str_is(flag, "nodeflib"))
		rec->flags |= SAP_OBJ_NODEFLIB;
	else if (sap_str_is(flag, "damaged"))
		rec->flags |= SAP_OBJ_DAMAGED;
	else if (sap_str_is(flag, "exec"))
		rec->type = 2;
	else if (sap_str_is(flag, "setuid"))
		rec->mode |= 04000;
	else if (sap_str_is(flag, "static"))
		rec->flags = (rec->flags | SAP_OBJ_STATIC) & ~(unsigned)SAP_OBJ_DYNAMIC;
	else if (sap_str_is(flag, "runnable")) /* a library with an interpreter: no DF_1_PIE */
		rec->flags &= ~(unsigned)SAP_OBJ_PIE_MARK;
	else if (sap_str_is(flag, "pie"))
		rec->flags |= SAP_OBJ_PIE | SAP_OBJ_PIE_MARK;
}

static void add_symbols(struct maker *m, struct sap_str value, bool defined)
{
	struct sap_str names[LIST_MAX];
	uint32_t n = cut_list(value, ',', names);

	for (uint32_t i = 0; i < n && m->n_symbols < SYMBOLS_MAX; i++) {
		struct sap_rec_symbol *s = &m->symbols[m->n_symbols++];

		sap_str_cut(names[i], '@', &s->name, &s->version);
		s->defined = defined;
		s->flags = SAP_SYM_FUNC;
		if (sap_str_starts(s->name, SAP_STR("%"))) { /* data, copied into a program */
			s->name = sap_str_skip(s->name, 1);
			s->flags = SAP_SYM_OBJECT;
		}
		if (s->version.n && s->version.p[0] == '@')
			s->version = sap_str_skip(s->version, 1);
		else if (s->version.n && defined)
			s->flags |= SAP_SYM_HIDDEN_VERSION;
	}
}

static void add_note(struct maker *m, struct sap_str value)
{
	struct sap_rec_dlopen_note *note = &m->notes[m->rec.n_dlopen_notes];
	struct sap_str *names = m->sonames[m->rec.n_dlopen_notes++];
	struct sap_str rest;

	sap_str_cut(value, ':', &note->priority, &rest);
	sap_str_cut(rest, ':', &note->feature, &rest);
	note->sonames = (struct sap_strs){ names, cut_list(rest, '/', names) };
}

static void add_verneeds(struct maker *m, struct sap_str value)
{
	struct sap_str parts[LIST_MAX], weak;

	m->rec.n_verneeds = cut_list(value, ',', parts);
	m->rec.verneeds = m->verneeds;
	for (uint32_t i = 0; i < m->rec.n_verneeds; i++) {
		struct sap_rec_verneed *need = &m->verneeds[i];

		sap_str_cut(parts[i], ':', &need->file, &need->version);
		sap_str_cut(need->version, ':', &need->version, &weak);
		need->weak = weak.n != 0;
	}
}

static bool set_key(struct maker *m, struct sap_str key, struct sap_str value)
{
	static const char *const lists[] = { "needed", "filter", "aux",    "verdef",
					     "use",    "string", "loader", "flag" };
	struct sap_rec_object *rec = &m->rec;
	struct sap_strs *const to[] = { &rec->needed,     &rec->filters, &rec->auxiliaries,
					&rec->verdefs,    &rec->uses,    &rec->dlopen_strings,
					&rec->loader_dirs };
	uint64_t n;

	for (size_t i = 0; i < 8; i++) {
		uint32_t count;

		if (!sap_str_eq(key, sap_str_of(lists[i])))
			continue;
		count = cut_list(value, ',', m->lists[i]);
		if (i < 7)
			*to[i] = (struct sap_strs){ m->lists[i], count };
		for (uint32_t k = 0; i == 7 && k < count; k++)
			set_flag(rec, m->lists[i][k]);
		return true;
	}
	if (sap_str_is(key, "soname"))
		rec->soname = value;
	else if (sap_str_is(key, "rpath"))
		rec->rpath = value;
	else if (sap_str_is(key, "runpath"))
		rec->runpath = value;
	else if (sap_str_is(key, "interp"))
		rec->interp = value;
	else if (sap_str_is(key, "abi"))
		set_abi(rec, value);
	else if (sap_str_is(key, "inode") && sap_str_u64(value, &n))
		rec->link_id = n;
	else if (sap_str_is(key, "import") || sap_str_is(key, "export"))
		add_symbols(m, value, sap_str_is(key, "export"));
	else if (sap_str_is(key, "note"))
		add_note(m, value);
	else if (sap_str_is(key, "verneed"))
		add_verneeds(m, value);
	else
		return false;
	return true;
}

static void add_object(struct table *t, struct sap_str rest, bool exe)
{
	struct maker m = { .rec = { .elf_class = 2, .endian = 1, .type = 3, .machine = 62 } };
	struct sap_str word, key, value;
	struct sap_rec_symbols symbols;

	m.rec.mode = exe ? 0100755 : 0100644;
	m.rec.flags =
		SAP_OBJ_DYNAMIC | SAP_OBJ_SYMBOLS_READ | (exe ? SAP_OBJ_PIE | SAP_OBJ_PIE_MARK : 0);
	m.rec.dlopen_notes = m.notes;
	if (exe)
		m.rec.interp = SAP_STR("/lib64/ld-linux-x86-64.so.2");
	sap_str_word(&rest, &m.rec.path);
	while (sap_str_word(&rest, &word)) {
		sap_str_cut(word, '=', &key, &value);
		if (!set_key(&m, key, value))
			fail(t, "unknown key", word);
	}
	if (m.rec.flags & SAP_OBJ_STATIC)
		m.rec.interp = SAP_STR("");
	add_dirs(t, m.rec.path);
	CHECK_OK(t->facts->sink.object(&t->facts->sink, &m.rec, &err), &err);
	symbols = (struct sap_rec_symbols){ m.rec.path, m.symbols, m.n_symbols };
	if (m.n_symbols)
		CHECK_OK(t->facts->sink.symbols(&t->facts->sink, &symbols, &err), &err);
}

static void add_debian(struct table *t)
{
	add_object(t,
		   SAP_STR("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "
			   "soname=ld-linux-x86-64.so.2 verdef=GLIBC_2.2.5,GLIBC_2.35 "
			   "loader=/lib/x86_64-linux-gnu/,/usr/lib/x86_64-linux-gnu/,/lib/,"
			   "/usr/lib/"),
		   false);
	add_object(t,
		   SAP_STR("/usr/lib/x86_64-linux-gnu/libc.so.6 soname=libc.so.6 "
			   "needed=ld-linux-x86-64.so.2 verdef=GLIBC_2.2.5,GLIBC_2.34,GLIBC_2.36"),
		   false);
	t->facts->sink.symlink(&t->facts->sink,
			       &(struct sap_rec_symlink){ SAP_STR("/lib64"), SAP_STR("usr/lib64") },
			       &err);
	t->facts->sink.symlink(&t->facts->sink,
			       &(struct sap_rec_symlink){ SAP_STR("/lib"), SAP_STR("usr/lib") },
			       &err);
	add_dirs(t, SAP_STR("/usr/lib64/x"));
	t->facts->sink.symlink(&t->facts->sink,
			       &(struct sap_rec_symlink){
				       SAP_STR("/usr/lib64/ld-linux-x86-64.so.2"),
				       SAP_STR("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2") },
			       &err);
}

/* ---- the rest of a tree ----------------------------------------------------------------- */

static bool add_setting(struct table *t, struct sap_str verb, struct sap_str rest)
{
	static const struct {
		const char *verb;
		uint32_t kind;
		int words; /* key, extra and value: 1 value; 2 key, value; 3 key, extra, value */
		const char *file;
	} kinds[] = {
		{ "conf", SAP_SET_LD_CONF, 1, "/etc/ld.so.conf" },
		{ "preload", SAP_SET_LD_PRELOAD, 1, "/etc/ld.so.preload" },
		{ "muslpath", SAP_SET_MUSL_PATH, 2, "/etc/ld-musl.path" },
		{ "nss", SAP_SET_NSS, 2, "/etc/nsswitch.conf" },
		{ "pam", SAP_SET_PAM, 3, NULL },
		{ "paminclude", SAP_SET_PAM_INCLUDE, 3, NULL },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct sap_rec_setting rec = { .order = t->order };

		if (!sap_str_eq(verb, sap_str_of(kinds[i].verb)))
			continue;
		t->order++;
		rec.kind = (enum sap_setting_kind)kinds[i].kind;
		if (kinds[i].words > 1)
			sap_str_word(&rest, &rec.key);
		if (kinds[i].words > 2)
			sap_str_word(&rest, &rec.extra);
		if (sap_str_is(rec.extra, "*"))
			rec.extra = SAP_STR("");
		sap_str_word(&rest, &rec.value);
		rec.file = kinds[i].file ? sap_str_of(kinds[i].file) : rec.key;
		CHECK_OK(t->facts->sink.setting(&t->facts->sink, &rec, &err), &err);
		return true;
	}
	return false;
}

static void add_cache(struct table *t, struct sap_str rest)
{
	struct sap_rec_cache_entry rec = { .flags = 0x0303, .index = t->order++ };
	struct sap_str word, key, value;
	uint64_t n;

	sap_str_word(&rest, &rec.soname);
	sap_str_word(&rest, &rec.path);
	while (sap_str_word(&rest, &word)) {
		sap_str_cut(word, '=', &key, &value);
		if (sap_str_is(key, "hwcaps"))
			rec.hwcaps = value;
		else if (sap_str_is(key, "flags") && sap_str_u64(value, &n))
			rec.flags = (uint32_t)n;
		else if (sap_str_is(key, "hwcap") && sap_str_u64(value, &n))
			rec.hwcap = n;
	}
	CHECK_OK(t->facts->sink.cache_entry(&t->facts->sink, &rec, &err), &err);
}

static void set_option(struct table *t, struct sap_str word)
{
	struct sap_str key, value;
	uint64_t n = 0;

	sap_str_cut(word, '=', &key, &value);
	if (sap_str_is(key, "level") && sap_str_u64(value, &n))
		t->options.cpu_level = (int)n;
	else if (sap_str_is(key, "beyond"))
		t->options.beyond = true;
	else if (sap_str_is(key, "path"))
		t->options.library_path = value;
	else if (sap_str_is(key, "lookups"))
		t->facts->whole = false;
	else
		fail(t, "unknown option", word);
}

static void add_known(struct table *t, struct sap_str rest)
{
	struct sap_rec_lookup rec = { .result = SAP_LOOKUP_ABSENT };

	sap_str_word(&rest, &rec.path);
	if (sap_str_word(&rest, &rec.canonical))
		rec.result = sap_str_is(rec.canonical, "dir")          ? SAP_LOOKUP_DIR
			     : sap_str_is(rec.canonical, "unreadable") ? SAP_LOOKUP_UNREADABLE
								       : SAP_LOOKUP_OBJECT;
	CHECK_OK(t->facts->sink.lookup(&t->facts->sink, &rec, &err), &err);
}

static enum sap_other_reason other_reason(struct sap_str word)
{
	static const char *const names[] = { [SAP_OTHER_UNREADABLE] = "unreadable",
					     [SAP_OTHER_EMPTY] = "empty",
					     [SAP_OTHER_NO_FILE] = "no-file",
					     [SAP_OTHER_DAMAGED] = "damaged" };

	for (int i = SAP_OTHER_UNREADABLE; i <= SAP_OTHER_DAMAGED; i++) {
		if (sap_str_eq(word, sap_str_of(names[i])))
			return (enum sap_other_reason)i;
	}
	return SAP_OTHER_NOT_ELF;
}

static bool add_to_tree(struct table *t, struct sap_str verb, struct sap_str rest)
{
	struct sap_str path = rest, target = rest;
	struct sap_sink *sink = &t->facts->sink;

	sap_str_word(&target, &path);
	target = sap_str_trim(target);
	if (sap_str_is(verb, "debian")) {
		add_debian(t);
	} else if (sap_str_is(verb, "musl")) {
		add_object(t, SAP_STR("/lib/ld-musl-x86_64.so.1 soname=libc.musl-x86_64.so.1"),
			   false);
	} else if (sap_str_is(verb, "exe") || sap_str_is(verb, "lib")) {
		add_object(t, rest, sap_str_is(verb, "exe"));
	} else if (sap_str_is(verb, "link")) {
		add_dirs(t, path);
		sink->symlink(sink, &(struct sap_rec_symlink){ path, target }, &err);
	} else if (sap_str_is(verb, "dir")) {
		add_dirs(t, path);
		sink->dir(sink, &(struct sap_rec_dir){ path }, &err);
	} else if (sap_str_is(verb, "other")) {
		add_dirs(t, path);
		sink->other(sink, &(struct sap_rec_other){ path, 1, other_reason(target) }, &err);
	} else if (sap_str_is(verb, "cache")) {
		add_cache(t, rest);
	} else if (sap_str_is(verb, "known")) {
		add_known(t, rest);
	} else if (sap_str_is(verb, "option")) {
		while (sap_str_word(&rest, &path))
			set_option(t, path);
	} else {
		return add_setting(t, verb, rest);
	}
	return true;
}

/* ---- questions -------------------------------------------------------------------------- */

static struct sap_str text_of(const struct table *t, uint32_t id)
{
	return sap_facts_str(t->facts, id);
}

static struct sap_str object_path(const struct table *t, uint32_t object)
{
	return text_of(t, t->facts->objects.v[object].path);
}

static void put(struct sap_buf *out, const char *s)
{
	sap_buf_puts(out, sap_str_of(s));
}

static struct sap_str last_why(const struct sap_closure *c, const struct sap_link_missing *m)
{
	if (!m->searched.n)
		return SAP_STR("nothing searched");
	return sap_str_of(c->searched.v[m->searched.at + m->searched.n - 1].why);
}

static void print_closure(const struct table *t, const struct sap_closure *c, struct sap_buf *out)
{
	for (size_t i = 0; i < c->libs.n; i++) {
		const struct sap_link_lib *lib = &c->libs.v[i];
		const struct sap_link_edge *e = &c->edges.v[lib->edge];

		sap_buf_puts(out, object_path(t, lib->object));
		sap_buf_printf(out, " %s", sap_link_how_name((enum sap_link_how)e->how));
		if (e->kind != SAP_EDGE_NEEDED)
			sap_buf_printf(out, " %s", sap_edge_kind_name((enum sap_edge_kind)e->kind));
		put(out, lib->strict ? "\n" : " beyond\n");
	}
	for (size_t i = 0; i < c->missing.n; i++) {
		const struct sap_link_edge *e = &c->edges.v[c->missing.v[i].edge];

		put(out, e->optional ? "optional " : "missing ");
		sap_buf_puts(out, text_of(t, e->name));
		put(out, ": ");
		sap_buf_puts(out, last_why(c, &c->missing.v[i]));
		put(out, "\n");
	}
	for (size_t i = 0; i < c->versions.n; i++) {
		put(out, "version ");
		sap_buf_puts(out, text_of(t, c->versions.v[i].file));
		put(out, " ");
		sap_buf_puts(out, text_of(t, c->versions.v[i].version));
		put(out, c->versions.v[i].weak ? " weak\n" : "\n");
	}
	put(out, c->is_static ? "static\n" : "");
	put(out, c->secure ? "secure\n" : "");
	put(out, c->complete ? "" : "incomplete\n");
	sap_buf_printf(out, "count %u %u\n", c->n_strict, c->n_direct);
}

static void print_searched(const struct table *t, const struct sap_closure *c, struct sap_str name,
			   struct sap_buf *out)
{
	for (size_t i = 0; i < c->missing.n; i++) {
		struct sap_range range = c->missing.v[i].searched;

		if (!sap_str_eq(text_of(t, c->edges.v[c->missing.v[i].edge].name), name))
			continue;
		for (uint32_t k = 0; k < range.n; k++) {
			const struct sap_link_searched *s = &c->searched.v[range.at + k];

			sap_buf_printf(out, "%s ", sap_link_how_name((enum sap_link_how)s->how));
			sap_buf_puts(out, s->path);
			sap_buf_printf(out, ": %s\n", s->why);
		}
	}
}

static uint32_t lib_at(const struct table *t, const struct sap_closure *c, struct sap_str path)
{
	for (uint32_t i = 0; i < c->libs.n; i++) {
		if (sap_str_eq(object_path(t, c->libs.v[i].object), path))
			return i;
	}
	return SAP_NONE;
}

static void print_why(const struct table *t, const struct sap_closure *c, struct sap_str path,
		      struct sap_buf *out)
{
	struct sap_link_chains chains = { 0 };

	if (!CHECK_OK(sap_link_why(t->link, c, lib_at(t, c, path), 20, &chains, &err), &err))
		return;
	for (size_t i = 0; i < chains.chains.n; i++) {
		struct sap_range range = chains.chains.v[i];

		for (uint32_t k = 0; k < range.n; k++) {
			const struct sap_link_edge *e = &c->edges.v[chains.edges.v[range.at + k]];

			put(out, k ? " > " : "");
			sap_buf_puts(out, text_of(t, e->name));
			if (e->via) {
				put(out, " (");
				sap_buf_puts(out, text_of(t, e->via));
				put(out, ")");
			}
		}
		put(out, "\n");
	}
	sap_buf_printf(out, "%u\n", chains.n_all);
	sap_link_chains_clear(&chains);
}

static void print_unneeded(const struct table *t, const struct sap_closure *c, struct sap_str path,
			   struct sap_buf *out)
{
	struct sap_link_unneeded_list list = { 0 };
	uint32_t from = path.n ? lib_at(t, c, path) : SAP_LINK_PROGRAM;

	if (!CHECK_OK(sap_link_find_unneeded(t->link, c, from, &list, &err), &err))
		return;
	for (size_t i = 0; i < list.entries.n; i++) {
		struct sap_range range = list.entries.v[i].gone;

		sap_buf_puts(out, text_of(t, c->edges.v[list.entries.v[i].edge].name));
		put(out, ":");
		for (uint32_t k = 0; k < range.n; k++) {
			put(out, " ");
			sap_buf_puts(out,
				     object_path(t, c->libs.v[list.gone.v[range.at + k]].object));
		}
		put(out, "\n");
	}
	sap_link_unneeded_clear(&list);
}

static void print_wanted(const struct table *t, struct sap_buf *out)
{
	uint32_t n;
	const uint32_t *ids = sap_link_wanted(t->link, &n);

	for (uint32_t i = 0; i < n; i++) {
		sap_buf_puts(out, text_of(t, ids[i]));
		put(out, "\n");
	}
}

static void finish(struct table *t)
{
	if (t->finished)
		return;
	t->finished = true;
	CHECK_OK(sap_facts_finish(t->facts, &err), &err);
	t->tree = sap_tree_new(t->facts);
	t->link = sap_link_new(t->facts, t->tree, &t->options);
	CHECK(t->tree && t->link);
}

static bool answer(struct table *t, struct sap_str verb, struct sap_str rest, struct sap_buf *out)
{
	static struct sap_closure closure; /* kept: its memory is to be used again */
	struct sap_str path = SAP_STR(""), more = SAP_STR("");
	uint32_t object;

	if (!sap_str_is(verb, "closure") && !sap_str_is(verb, "searched") &&
	    !sap_str_is(verb, "why") && !sap_str_is(verb, "unneeded") &&
	    !sap_str_is(verb, "wanted"))
		return false;
	finish(t);
	sap_str_word(&rest, &path);
	sap_str_word(&rest, &more);
	object = sap_facts_object(t->facts, path);
	if (object == SAP_NONE) {
		fail(t, "no such object", path);
		return true;
	}
	if (!CHECK_OK(sap_link_closure(t->link, object, &closure, &err), &err))
		return true;
	if (sap_str_is(verb, "closure"))
		print_closure(t, &closure, out);
	else if (sap_str_is(verb, "searched"))
		print_searched(t, &closure, more, out);
	else if (sap_str_is(verb, "why"))
		print_why(t, &closure, more, out);
	else if (sap_str_is(verb, "unneeded"))
		print_unneeded(t, &closure, more, out);
	else
		print_wanted(t, out);
	return true;
}

/* ---- reading ---------------------------------------------------------------------------- */

static void compare(struct table *t, struct sap_str question, unsigned line, struct sap_buf *got,
		    struct sap_buf *want)
{
	if (!question.n)
		return;
	if (!sap_str_eq(sap_buf_str(got), sap_buf_str(want)))
		fprintf(stderr, "%s:%u: case %.*s: %.*s\n", t->file, line, SAP_FMT(t->name),
			SAP_FMT(question));
	sap_buf_putc(want, '\0');
	check_str(t->file, (int)line, "answer", sap_buf_str(got),
		  (const char *)want->p ? sap_str_of((const char *)want->p) : SAP_STR(""));
	sap_buf_reset(got);
	sap_buf_reset(want);
}

static void read_table(const char *file, struct sap_str text)
{
	struct table t = { .file = file };
	struct sap_str line, question = SAP_STR("");
	struct sap_buf got, want;
	unsigned asked = 0;

	sap_buf_init(&got, SAP_MIB);
	sap_buf_init(&want, SAP_MIB);
	while (sap_str_line(&text, &line)) {
		struct sap_str rest = line, verb;
		bool indented = line.n && (line.p[0] == '\t' || line.p[0] == ' ');

		t.line++;
		if (!sap_str_word(&rest, &verb) || verb.p[0] == '#')
			continue;
		if (indented) {
			sap_buf_puts(&want, sap_str_trim(line));
			sap_buf_putc(&want, '\n');
			continue;
		}
		compare(&t, question, asked, &got, &want);
		question = SAP_STR("");
		if (sap_str_is(verb, "case")) {
			start(&t, sap_str_trim(rest));
		} else if (!t.facts) {
			fail(&t, "before the first case", verb);
		} else if (answer(&t, verb, rest, &got)) {
			question = line;
			asked = t.line;
		} else if (t.finished || !add_to_tree(&t, verb, rest)) {
			fail(&t, t.finished ? "after a question" : "unknown word", verb);
		}
	}
	compare(&t, question, asked, &got, &want);
	drop(&t);
	sap_buf_clear(&got);
	sap_buf_clear(&want);
}

static void read_file(const char *dir, const char *name)
{
	char path[8192];
	static char text[1 << 20];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!CHECK(f != NULL))
		return;
	read_table(name, (struct sap_str){ text, fread(text, 1, sizeof(text), f) });
	fclose(f);
}

static void test_tables(void)
{
	const char *tests = getenv("SAP_TESTS");
	char dir[4096];
	struct dirent **entries;
	int n, tables = 0;

	if (!tests) {
		check_skip("tables", "SAP_TESTS is not set");
		return;
	}
	snprintf(dir, sizeof(dir), "%s/link", tests);
	n = scandir(dir, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		size_t length = strlen(entries[i]->d_name);

		if (length > 6 && strcmp(entries[i]->d_name + length - 6, ".table") == 0) {
			read_file(dir, entries[i]->d_name);
			tables++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	CHECK(tables >= 4);
}

#endif
