/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions of a list get probes, and what is said of those that do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "observe/watch_int.h"

/* ---- what would give symbols ------------------------------------------------------------------ */

enum { OS_RELEASE_READ = 8192 };

static bool has_word(struct sap_str text, struct sap_str want)
{
	struct sap_str word;

	while (sap_str_word(&text, &word))
		if (sap_str_eq(word, want))
			return true;
	return false;
}

/* os-release(5): ID and ID_LIKE. */
static enum sap_watch_kind kind_of(struct sap_str text)
{
	static const struct {
		struct sap_str id;
		enum sap_watch_kind kind;
	} known[] = {
		{ SAP_STR_INIT("ubuntu"), WATCH_KIND_UBUNTU },
		{ SAP_STR_INIT("debian"), WATCH_KIND_DEBIAN },
		{ SAP_STR_INIT("fedora"), WATCH_KIND_FEDORA },
		{ SAP_STR_INIT("rhel"), WATCH_KIND_FEDORA },
		{ SAP_STR_INIT("centos"), WATCH_KIND_FEDORA },
		{ SAP_STR_INIT("suse"), WATCH_KIND_SUSE },
		{ SAP_STR_INIT("opensuse"), WATCH_KIND_SUSE },
		{ SAP_STR_INIT("alpine"), WATCH_KIND_ALPINE },
		{ SAP_STR_INIT("arch"), WATCH_KIND_ARCH },
	};
	enum sap_watch_kind like = WATCH_KIND_OTHER, id = WATCH_KIND_OTHER;
	struct sap_str line, key, value;

	while (sap_str_line(&text, &line)) {
		bool is_id;

		if (!sap_str_cut(sap_str_trim(line), '=', &key, &value))
			continue;
		is_id = sap_str_is(key, "ID");
		if (!is_id && !sap_str_is(key, "ID_LIKE"))
			continue;
		if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\''))
			value = (struct sap_str){ value.p + 1, value.n - 2 };
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (has_word(value, known[i].id)) {
				*(is_id ? &id : &like) = known[i].kind;
				break;
			}
	}
	return id != WATCH_KIND_OTHER ? id : like;
}

static enum sap_watch_kind read_kind(struct sap_watch *w, uint32_t root, int32_t pid)
{
	static const struct sap_str paths[] = { SAP_STR_INIT("/etc/os-release"),
						SAP_STR_INIT("/usr/lib/os-release") };
	enum sap_watch_kind kind = WATCH_KIND_OTHER;
	char buf[OS_RELEASE_READ];

	for (size_t i = 0; i < 2 && kind == WATCH_KIND_OTHER; i++) {
		struct stat st;
		int sap_cleanup_fd path = sap_watch_path(w, root, pid, paths[i], &st);
		int sap_cleanup_fd fd = path < 0 ? -1 : sap_watch_reopen(path);
		ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

		if (n > 0)
			kind = kind_of((struct sap_str){ buf, (size_t)n });
	}
	return kind;
}

const char *sap_watch_help(struct sap_watch *w, uint32_t file, int32_t pid)
{
	static const char *const texts[] = {
		[WATCH_KIND_UNREAD] = "",
		[WATCH_KIND_OTHER] = "install its debug symbols",
		[WATCH_KIND_DEBIAN] = "install its debug symbols (Debian: PACKAGE-dbgsym)",
		[WATCH_KIND_UBUNTU] = "install its debug symbols (Ubuntu: PACKAGE-dbgsym)",
		[WATCH_KIND_FEDORA] =
			"install its debug symbols (Fedora: debuginfo-install PACKAGE)",
		[WATCH_KIND_SUSE] = "install its debug symbols (SUSE: PACKAGE-debuginfo)",
		[WATCH_KIND_ALPINE] = "install its debug symbols (Alpine: PACKAGE-dbg)",
		[WATCH_KIND_ARCH] = "install its debug symbols (Arch: PACKAGE-debug)",
	};
	uint32_t root = w->e->files.v[file].root;

	while (w->kinds.n <= root)
		if (!SAP_VEC_PUSH(&w->kinds, SAP_EVIDENCE_ROOTS_MAX))
			return texts[WATCH_KIND_OTHER];
	if (w->kinds.v[root] == WATCH_KIND_UNREAD)
		w->kinds.v[root] = (uint8_t)read_kind(w, root, pid);
	return texts[w->kinds.v[root]];
}

/* ---- names --------------------------------------------------------------------------------- */

struct wanted {
	struct sap_str name;
	bool found;
};

/* A name that a resolver stands for. */
struct ifunc {
	struct sap_str name;
	enum sap_watch_chosen chosen;
	bool found; /* an implementation of that name has a symbol */
};

/* Where an implementation lies that our loader chose. */
struct chosen {
	uint64_t offset;
	struct sap_str names; /* with versions */
};

struct choosing {
	struct sap_watch *w;
	uint32_t file;
	const struct sap_watch_want *want;
	const struct sap_fn_list *list;
	const char *help;
	struct wanted *names; /* sorted */
	size_t n_names;
	SAP_VEC(struct ifunc) ifuncs;  /* sorted by name; a name may stand there twice */
	SAP_VEC(struct chosen) chosen; /* sorted by offset */
	struct sap_watch_own own;
	SAP_VEC(struct sap_str) words; /* names of one place */
	struct sap_buf text;
	struct sap_err *err;
};

static int by_name(const void *a, const void *b)
{
	return sap_str_cmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static struct wanted *find_name(struct wanted *v, size_t n, struct sap_str name)
{
	struct wanted key = { .name = name };

	return n ? bsearch(&key, v, n, sizeof(*v), by_name) : NULL;
}

/* The next of "a@@V b@V2", without its version. */
static bool next_name(struct sap_str *names, struct sap_str *name)
{
	struct sap_str rest;

	if (!sap_str_word(names, name))
		return false;
	sap_str_cut(*name, '@', name, &rest);
	return true;
}

/* Is one of its names wanted? All of them are marked. */
static bool is_named(struct choosing *c, struct sap_str names)
{
	struct sap_str name;
	bool any = false;

	while (c->n_names && next_name(&names, &name)) {
		struct wanted *found = find_name(c->names, c->n_names, name);

		if (found)
			any = found->found = true;
	}
	return any;
}

static bool by_choice(const struct choosing *c, const struct sap_fn *fn)
{
	switch (c->want->choice) {
	case SAP_WATCH_NAMED:
	case SAP_WATCH_EXPORTED:
		return fn->flags & SAP_FN_EXPORTED;
	case SAP_WATCH_ALL:
		return true;
	default:
		return false;
	}
}

static int by_ifunc(const void *a, const void *b)
{
	return sap_str_cmp(((const struct ifunc *)a)->name, ((const struct ifunc *)b)->name);
}

/* "__memcpy_avx_unaligned" is taken for an implementation of "memcpy": that is how the C
 * library names them. */
static struct ifunc *implements(struct choosing *c, struct sap_str names)
{
	struct sap_str name;

	while (c->ifuncs.n && next_name(&names, &name)) {
		while (name.n && name.p[0] == '_')
			name = sap_str_skip(name, 1);
		for (size_t i = 1; i < name.n; i++) {
			struct ifunc key = { .name = { name.p, i } }, *found = NULL;

			if (name.p[i] == '_')
				found = bsearch(&key, c->ifuncs.v, c->ifuncs.n, sizeof(key),
						by_ifunc);
			if (found)
				return found;
		}
	}
	return NULL;
}

static int unobserved(struct choosing *c, struct sap_str names, const char *reason)
{
	struct sap_str name;
	int r = 0;

	while (r == 0 && next_name(&names, &name))
		r = sap_watch_soft(sap_evidence_unobserved(c->w->e, c->file, name,
							   sap_str_of(reason), c->err));
	return r;
}

/* ---- IFUNCs -------------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* All names of one resolver get the same implementation. */
static int resolve(struct choosing *c, const struct sap_fn *fn)
{
	enum sap_watch_chosen chosen = WATCH_CHOSEN_UNKNOWN;
	struct sap_str names = fn->names, name;
	struct chosen *to;
	uint64_t offset = 0;

	if (c->own.handle && fn->flags & SAP_FN_EXPORTED)
		while (chosen == WATCH_CHOSEN_UNKNOWN && sap_str_word(&names, &name))
			chosen = sap_watch_own_find(&c->own, name, &offset);
	if (chosen == WATCH_CHOSEN_HERE) {
		to = SAP_VEC_PUSH(&c->chosen, SAP_ELF_SYMBOLS_MAX);
		if (!to)
			return sap_err_nomem(c->err);
		*to = (struct chosen){ offset, fn->names };
	}
	for (names = fn->names; next_name(&names, &name);) {
		struct ifunc *ifunc = SAP_VEC_PUSH(&c->ifuncs, SAP_ELF_SYMBOLS_MAX);

		if (!ifunc)
			return sap_err_nomem(c->err);
		ifunc->name = name;
		ifunc->chosen = chosen;
	}
	return 0;
}

static int prepare_ifuncs(struct choosing *c)
{
	bool looked = false;
	int r = 0;

	for (size_t i = 0; i < c->list->v.n && r == 0; i++) {
		const struct sap_fn *fn = &c->list->v.v[i];

		if (!(fn->flags & SAP_FN_IFUNC) || !(by_choice(c, fn) || is_named(c, fn->names)))
			continue;
		if (!looked)
			sap_watch_own_open(c->w, c->file, &c->own);
		looked = true;
		r = resolve(c, fn);
	}
	if (c->ifuncs.n)
		qsort(c->ifuncs.v, c->ifuncs.n, sizeof(*c->ifuncs.v), by_ifunc);
	if (c->chosen.n)
		qsort(c->chosen.v, c->chosen.n, sizeof(*c->chosen.v), by_offset);
	return r;
}

static int tell_ifunc(struct choosing *c, const struct ifunc *ifunc, bool found)
{
	char reason[256];

	if (ifunc->chosen == WATCH_CHOSEN_VDSO)
		snprintf(reason, sizeof(reason), "IFUNC: the loader chose the kernel's vDSO");
	else if (found)
		snprintf(reason, sizeof(reason),
			 "IFUNC: the loader chose an implementation; those that have a symbol "
			 "are watched under their own names");
	else if (c->list->has_symtab)
		snprintf(reason, sizeof(reason),
			 "IFUNC: which implementation the loader chose is not known");
	else
		snprintf(reason, sizeof(reason),
			 "IFUNC: the implementation that the loader chose has no symbol: %s%s",
			 c->help,
			 c->want->choice == SAP_WATCH_EXPORTED && !c->n_names
				 ? ", and watch all functions"
				 : "");
	return unobserved(c, ifunc->name, reason);
}

static int tell_ifuncs(struct choosing *c)
{
	size_t next;
	int r = 0;

	/* Versions of one name may have resolvers of their own. */
	for (size_t i = 0; i < c->ifuncs.n && r == 0; i = next) {
		const struct ifunc *worst = NULL;
		bool found = false;

		for (next = i; next < c->ifuncs.n && !by_ifunc(&c->ifuncs.v[i], &c->ifuncs.v[next]);
		     next++) {
			const struct ifunc *one = &c->ifuncs.v[next];

			found |= one->found;
			if (one->chosen != WATCH_CHOSEN_HERE)
				worst = one;
		}
		if (worst)
			r = tell_ifunc(c, worst, found);
	}
	return r;
}

/* ---- choosing ------------------------------------------------------------------------------ */

static int prepare_names(struct choosing *c)
{
	uint32_t n = c->want->n_names;

	c->names = calloc(n + 1, sizeof(*c->names));
	if (!c->names)
		return sap_err_nomem(c->err);
	for (uint32_t i = 0; i < n; i++)
		c->names[i].name = c->want->names[i];
	c->n_names = n;
	qsort(c->names, n, sizeof(*c->names), by_name);
	return 0;
}

static bool is_chosen(struct choosing *c, const struct sap_fn *fn)
{
	bool named = is_named(c, fn->names);
	struct ifunc *ifunc;

	if (by_choice(c, fn) || named)
		return true;
	if (fn->flags & SAP_FN_IFUNC)
		return false;
	/* What stands in for a wanted name is wanted too. */
	ifunc = implements(c, fn->names);
	return ifunc && find_name(c->names, c->n_names, ifunc->name);
}

static int add_words(struct choosing *c, struct sap_str names)
{
	struct sap_str name, *to;

	while (sap_str_word(&names, &name)) {
		to = SAP_VEC_PUSH(&c->words, SAP_ELF_SYMBOLS_MAX);
		if (!to)
			return sap_err_nomem(c->err);
		*to = name;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

/* The names of a place, in order, each once: those of the list, and those of IFUNCs. */
static int join_names(struct choosing *c, struct sap_str names, const struct chosen *chosen,
		      size_t n)
{
	int r;

	c->words.n = 0;
	r = add_words(c, names);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_words(c, chosen[i].names);
	if (r == 0 && c->words.n)
		qsort(c->words.v, c->words.n, sizeof(*c->words.v), by_text);
	for (size_t i = 0; i < c->words.n && r == 0; i++) {
		if (i && sap_str_eq(c->words.v[i], c->words.v[i - 1]))
			continue;
		if (i)
			sap_buf_putc(&c->text, ' ');
		sap_buf_puts(&c->text, c->words.v[i]);
	}
	return r;
}

static int refuse(struct choosing *c, struct sap_str names, const struct chosen *chosen, size_t n)
{
	static const char why[] = "the kernel refuses a probe on its first instruction";
	int r = unobserved(c, names, why);

	for (size_t i = 0; i < n && r == 0; i++)
		r = unobserved(c, chosen[i].names, why);
	return r;
}

/* Places must rise: the list comes from a helper that parses hostile files. */
static bool rises(const struct sap_watch_object *o, uint64_t offset)
{
	return o->n == 0 || offset > o->fns[o->n - 1].offset;
}

/* A place of the list (fn NULL: that it does not know), and the n IFUNCs whose implementation it is. */
static int take(struct choosing *c, const struct sap_fn *fn, const struct chosen *chosen, size_t n,
		struct sap_watch_object *o)
{
	struct sap_str names = fn ? fn->names : (struct sap_str){ 0 }, name;
	uint64_t offset = fn ? fn->offset : chosen->offset;
	struct ifunc *ifunc;

	o->n_functions++;
	if (fn ? fn->flags & SAP_FN_REFUSED
	       : sap_watch_own_refused(&c->own, c->list->machine, offset)) {
		o->n_refused++;
		return refuse(c, names, chosen, n);
	}
	o->fns[o->n].offset = offset;
	o->fns[o->n].name = (uint32_t)c->text.n;
	o->n++;
	if (fn && fn->flags & SAP_FN_IFUNC) {
		/* It is not the function of that name that is entered here. */
		if (next_name(&names, &name)) {
			sap_buf_puts(&c->text, SAP_STR("resolver-of:"));
			sap_buf_puts(&c->text, name);
		}
		return 0;
	}
	ifunc = implements(c, names);
	if (ifunc)
		ifunc->found = true;
	return join_names(c, names, chosen, n);
}

/* How many of those that were chosen lie at the same place, from `at` on. */
static size_t count_here(const struct choosing *c, size_t at)
{
	size_t end = at;

	while (end < c->chosen.n && c->chosen.v[end].offset == c->chosen.v[at].offset)
		end++;
	return end - at;
}

/* The list and what was chosen, merged by place. */
static int take_all(struct choosing *c, struct sap_watch_object *o)
{
	size_t at = 0, n = c->list->v.n, here;
	int r = 0;

	for (size_t i = 0; i <= n && r == 0; i++) {
		const struct sap_fn *fn = i < n ? &c->list->v.v[i] : NULL;

		for (; at < c->chosen.n && r == 0; at += here) {
			const struct chosen *first = &c->chosen.v[at];

			if (fn && first->offset >= fn->offset)
				break;
			here = count_here(c, at);
			if (rises(o, first->offset))
				r = take(c, NULL, first, here, o);
		}
		if (!fn || r < 0)
			break;
		here = at < c->chosen.n && c->chosen.v[at].offset == fn->offset ? count_here(c, at)
										: 0;
		if (rises(o, fn->offset) && (is_chosen(c, fn) || here))
			r = take(c, fn, here ? &c->chosen.v[at] : NULL, here, o);
		at += here;
	}
	return r;
}

static int tell_missing(struct choosing *c)
{
	char reason[256];
	int r = 0;

	if (c->list->has_symtab)
		snprintf(reason, sizeof(reason),
			 "not in the symbol table of this file: inlined, or not part of it");
	else
		snprintf(reason, sizeof(reason), "no symbol: %s", c->help);
	for (size_t i = 0; i < c->n_names && r == 0; i++)
		if (!c->names[i].found)
			r = unobserved(c, c->names[i].name, reason);
	return r;
}

int sap_watch_choose(struct sap_watch *w, uint32_t file, const struct sap_watch_want *want,
		     const struct sap_fn_list *list, const char *help, struct sap_watch_object *o,
		     struct sap_err *err)
{
	struct choosing c = { .w = w,
			      .file = file,
			      .want = want,
			      .list = list,
			      .help = help,
			      .own = { .fd = -1 },
			      .err = err };
	struct sap_watch_fn *shrunk;
	int r;

	sap_buf_init(&c.text, SAP_ELF_SYMBOL_BYTES_MAX);
	r = prepare_names(&c);
	if (r == 0)
		r = prepare_ifuncs(&c);
	if (r == 0) {
		o->fns = calloc(list->v.n + c.chosen.n + 1, sizeof(*o->fns));
		r = o->fns ? take_all(&c, o) : sap_err_nomem(err);
	}
	if (r == 0)
		r = tell_ifuncs(&c);
	if (r == 0)
		r = tell_missing(&c);
	if (r == 0 && !sap_buf_ok(&c.text))
		r = sap_err_nomem(err);
	if (r == 0) {
		o->fns[o->n].name = (uint32_t)c.text.n;
		shrunk = realloc(o->fns, (o->n + 1ULL) * sizeof(*o->fns));
		o->fns = shrunk ? shrunk : o->fns;
		o->text = (char *)c.text.p;
		c.text.p = NULL;
	} else {
		o->n = 0;
	}
	sap_watch_own_close(&c.own);
	sap_buf_clear(&c.text);
	free(c.names);
	sap_vec_clear(&c.ifuncs);
	sap_vec_clear(&c.chosen);
	sap_vec_clear(&c.words);
	return r;
}
