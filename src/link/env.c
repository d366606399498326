/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include <elf.h>
#include <sys/stat.h>

enum { LEGACY_LAST = 36, HWCAPS_FIRST = 33, LEGACY_ATOMS_MAX = 4 };

/* Second keys of link->memo_loader: what is known of an ABI. */
enum { MEMO_GLIBC = 0, MEMO_MUSL = 1, MEMO_LIBC = 2 };

/* ---- looking up ------------------------------------------------------------------------- */

enum sap_tree_answer sap_link_look(struct sap_link *link, struct sap_str path, uint32_t *object)
{
	enum sap_tree_answer answer = sap_tree_lookup(link->tree, path, object);
	uint32_t id, *memo, *at;

	if (answer != SAP_TREE_UNKNOWN || !sap_link_put(link, path, &id))
		return answer;
	memo = sap_memo_at(&link->memo_wanted, id, 0);
	if (!memo || *memo)
		return answer;
	*memo = 1;
	at = SAP_VEC_PUSH(&link->wanted, UINT32_MAX);
	if (at)
		*at = id;
	return answer;
}

enum sap_tree_answer sap_link_dir(struct sap_link *link, uint32_t dir)
{
	uint32_t *memo = sap_memo_at(&link->memo_dir, dir, 0);
	enum sap_tree_answer answer;

	if (!memo)
		return SAP_TREE_DIR; /* only a short cut is lost */
	if (!*memo) {
		answer = sap_link_look(link, sap_link_str(link, dir), NULL);
		if (answer == SAP_TREE_UNKNOWN)
			answer = SAP_TREE_DIR;
		else if (answer != SAP_TREE_DIR && answer != SAP_TREE_UNREADABLE)
			answer = SAP_TREE_ABSENT;
		*memo = answer;
	}
	return (enum sap_tree_answer) * memo;
}

bool sap_link_dir_exists(struct sap_link *link, uint32_t dir)
{
	return sap_link_dir(link, dir) != SAP_TREE_ABSENT;
}

/* Whether dir/sub is a folder, as far as anybody knows. */
static bool has_sub(struct sap_link *link, struct sap_str dir, struct sap_str sub, bool *unknown)
{
	enum sap_tree_answer answer;

	sap_buf_reset(&link->path);
	if (dir.n > 1)
		sap_buf_puts(&link->path, dir);
	sap_buf_putc(&link->path, '/');
	sap_buf_puts(&link->path, sub);
	if (link->path.n > 1 && link->path.p[link->path.n - 1] == '/')
		link->path.n--;
	if (!sap_buf_ok(&link->path))
		return false;
	answer = sap_link_look(link, sap_buf_str(&link->path), NULL);
	*unknown |= answer == SAP_TREE_UNKNOWN;
	/* What is in a folder that cannot be read is tried, and noted then. */
	return answer == SAP_TREE_DIR || answer == SAP_TREE_UNREADABLE;
}

/* Adds the folders below dir to link->subs; how many. */
static int find_subs(struct sap_link *link, const struct sap_env *e, struct sap_str dir,
		     struct sap_range *range, bool *unknown, struct sap_err *err)
{
	bool hwcaps = e->n_hwcaps && has_sub(link, dir, SAP_STR("glibc-hwcaps/"), unknown);
	bool legacy = false;

	/* Without any folder of a single legacy name no combination can be there. */
	for (uint32_t i = e->n_hwcaps; i < e->n_subs; i++) {
		struct sap_str sub = e->subs[i];

		if (memchr(sub.p, '/', sub.n) == sub.p + sub.n - 1)
			legacy |= has_sub(link, dir, sub, unknown);
	}
	for (uint32_t i = 0; i < e->n_subs; i++) {
		uint8_t *at;

		if (!(i < e->n_hwcaps ? hwcaps : legacy) ||
		    !has_sub(link, dir, e->subs[i], unknown))
			continue;
		at = SAP_VEC_PUSH(&link->subs, UINT32_MAX);
		SAP_LINK_NEED(at, err);
		*at = (uint8_t)i;
		range->n++;
	}
	return 0;
}

int sap_env_subs(struct sap_link *link, uint32_t env, uint32_t dir, struct sap_range *out,
		 struct sap_err *err)
{
	uint32_t *memo = sap_memo_at(&link->memo_dir, dir, (uint64_t)env + 1);
	struct sap_range range = { (uint32_t)link->subs.n, 0 }, *keep;
	bool unknown = false;
	int r;

	SAP_LINK_NEED(memo, err);
	if (!*memo) {
		keep = SAP_VEC_PUSH(&link->sub_ranges, UINT32_MAX);
		SAP_LINK_NEED(keep, err);
		*memo = (uint32_t)link->sub_ranges.n;
		r = find_subs(link, &link->envs.v[env], sap_link_str(link, dir), &range, &unknown,
			      err);
		if (r < 0)
			return r;
		if (unknown)
			range = (struct sap_range){ SAP_NONE, 0 };
		link->sub_ranges.v[link->sub_ranges.n - 1] = range;
		*out = range;
	} else {
		*out = link->sub_ranges.v[*memo - 1];
	}
	return out->at == SAP_NONE;
}

/* ---- glibc-hwcaps and its predecessor --------------------------------------------------- */

static void add_sub(struct sap_env *env, struct sap_str sub)
{
	if (env->n_subs < SAP_HWSUBS_MAX)
		env->subs[env->n_subs++] = sub;
}

/* Every combination of the legacy names, most of them first, later names in front. */
static void add_legacy(struct sap_link *link, struct sap_env *env, const char *const *atoms,
		       unsigned n)
{
	for (unsigned mask = (1u << n) - 1; mask; mask--) {
		struct sap_str sub;

		sap_buf_reset(&link->path);
		for (unsigned i = n; i-- > 0;) {
			if (!(mask & 1u << i))
				continue;
			sap_buf_puts(&link->path, sap_str_of(atoms[i]));
			sap_buf_putc(&link->path, '/');
		}
		if (sap_buf_ok(&link->path) &&
		    sap_arena_str(&link->arena, sap_buf_str(&link->path), &sub))
			add_sub(env, sub);
	}
}

static void fill_subs(struct sap_link *link, struct sap_env *env)
{
	static const char *const levels[] = { "glibc-hwcaps/x86-64-v4/", "glibc-hwcaps/x86-64-v3/",
					      "glibc-hwcaps/x86-64-v2/" };
	const char *atoms[LEGACY_ATOMS_MAX];
	int level = link->options.cpu_level;
	unsigned n = 0;

	if (env->musl || !env->abi)
		return;
	if (env->abi->machine == EM_X86_64 && (env->glibc == 0 || env->glibc >= HWCAPS_FIRST)) {
		for (int i = 0; i < 3; i++) {
			if (level >= 4 - i)
				add_sub(env, sap_str_of(levels[i]));
		}
	}
	env->n_hwcaps = env->n_subs;
	if (!link->legacy_dirs || env->glibc == 0 || env->glibc > LEGACY_LAST)
		return;
	if (env->abi->machine == EM_X86_64) {
		atoms[n++] = "x86_64";
		if (level >= 4)
			atoms[n++] = "avx512_1";
	} else if (env->abi->machine == EM_386) {
		atoms[n++] = "sse2";
	}
	if (env->abi->platform)
		atoms[n++] = env->abi->platform;
	atoms[n++] = "tls";
	add_legacy(link, env, atoms, n);
}

/* ---- the version of glibc --------------------------------------------------------------- */

static uint32_t newest(struct sap_link *link, const struct sap_object *o)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < o->verdefs.n; i++) {
		struct sap_str v = sap_link_str(link, link->facts->ids.v[o->verdefs.at + i]);
		struct sap_str minor;
		uint64_t n;

		if (!sap_str_starts(v, SAP_STR("GLIBC_2.")))
			continue;
		sap_str_cut(sap_str_skip(v, 8), '.', &minor, &v);
		if (sap_str_u64(minor, &n) && n < 1000 && n > best)
			best = (uint32_t)n;
	}
	return best;
}

/* By the newest version that the loader, or a libc of its ABI, defines. */
static uint32_t glibc_version(struct sap_link *link, const struct sap_env *env)
{
	uint32_t best = 0, *libc;

	if (env->loader != SAP_NONE)
		best = newest(link, &link->facts->objects.v[env->loader]);
	libc = sap_memo_at(&link->memo_loader, env->abi_key, MEMO_LIBC);
	if (!libc)
		return best;
	if (!*libc)
		*libc = 1;
	return *libc - 1 > best ? *libc - 1 : best;
}

/* ---- folders ---------------------------------------------------------------------------- */

/* "/usr/lib/x86_64-linux-gnu/" and "/lib/x86_64-linux-gnu" give what $LIB stands for. */
static struct sap_str lib_of(struct sap_str dir)
{
	while (dir.n && dir.p[dir.n - 1] == '/')
		dir.n--;
	if (sap_str_starts(dir, SAP_STR("/usr/lib")))
		return sap_str_skip(dir, 5);
	if (sap_str_starts(dir, SAP_STR("/lib")))
		return sap_str_skip(dir, 1);
	return sap_path_base(dir);
}

static int list_of_texts(struct sap_link *link, const struct sap_str *texts, size_t n,
			 uint32_t *list, struct sap_err *err)
{
	struct sap_dir dirs[8];
	size_t used = 0;

	for (size_t i = 0; i < n && used < 8; i++, used++) {
		dirs[used] = (struct sap_dir){ 0, NULL };
		if (!sap_link_put(link, texts[i], &dirs[used].path))
			return sap_err_nomem(err);
	}
	return sap_link_list_of(link, dirs, used, list, err);
}

/* The usual folders of a glibc whose own list is not known. */
static int guess_system(struct sap_link *link, struct sap_env *env, struct sap_err *err)
{
	struct sap_str none = SAP_STR(""), texts[4] = { SAP_STR("/lib"), SAP_STR("/usr/lib") };
	struct sap_str triplet = env->abi ? sap_str_of(env->abi->triplet) : none;
	struct sap_str lib = env->abi ? sap_str_of(env->abi->lib) : SAP_STR("lib");
	const struct sap_str roots[] = { SAP_STR("/lib/"), SAP_STR("/usr/lib/"), SAP_STR("/"),
					 SAP_STR("/usr/") };
	uint32_t ids[4];

	env->lib = lib;
	for (int i = 0; i < 4; i++) {
		sap_buf_reset(&link->path);
		sap_buf_puts(&link->path, roots[i]);
		sap_buf_puts(&link->path, i < 2 ? triplet : lib);
		if (!sap_buf_ok(&link->path) ||
		    !sap_link_put(link, sap_buf_str(&link->path), &ids[i]))
			return sap_err_nomem(err);
	}
	if (triplet.n && (sap_link_dir_exists(link, ids[0]) || sap_link_dir_exists(link, ids[1]))) {
		const struct sap_str debian[] = { sap_link_str(link, ids[0]),
						  sap_link_str(link, ids[1]), SAP_STR("/lib"),
						  SAP_STR("/usr/lib") };

		env->lib = lib_of(debian[0]);
		return list_of_texts(link, debian, 4, &env->system, err);
	}
	if (!sap_str_is(lib, "lib") &&
	    (sap_link_dir_exists(link, ids[2]) || sap_link_dir_exists(link, ids[3]))) {
		texts[0] = sap_link_str(link, ids[2]);
		texts[1] = sap_link_str(link, ids[3]);
	}
	return list_of_texts(link, texts, 2, &env->system, err);
}

static int glibc_folders(struct sap_link *link, struct sap_env *env, struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;
	struct sap_range built_in = { 0, 0 };
	SAP_VEC(struct sap_dir) dirs = { 0 };
	int r;

	env->system_how = SAP_HOW_DEFAULT;
	if (env->loader != SAP_NONE)
		built_in = facts->objects.v[env->loader].loader_dirs;
	if (!built_in.n)
		return env->loader_unknown ? 0 : guess_system(link, env, err);
	env->lib = lib_of(sap_link_str(link, facts->ids.v[built_in.at]));
	for (uint32_t i = 0; i < built_in.n && i < SAP_LINK_SEARCH_MAX; i++) {
		struct sap_dir *dir = SAP_VEC_PUSH(&dirs, SAP_LINK_SEARCH_MAX);

		if (dir)
			dir->path = facts->ids.v[built_in.at + i];
	}
	r = dirs.n ? sap_link_list_of(link, dirs.v, dirs.n, &env->system, err) : sap_err_nomem(err);
	sap_vec_clear(&dirs);
	return r;
}

/* First setting of a kind: they are sorted by it. */
static size_t first_setting(const struct sap_facts *facts, enum sap_setting_kind kind)
{
	size_t low = 0, high = facts->settings.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (facts->settings.v[mid].kind < (uint32_t)kind)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Folders that settings of one kind with that key name, as a list. False in *any where no
 * setting does. */
static int folders_of(struct sap_link *link, enum sap_setting_kind kind, struct sap_str key,
		      uint32_t *list, bool *any, struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;
	uint32_t id = sap_pool_find(facts->pool, key), *memo, count = 0;
	SAP_VEC(struct sap_dir) dirs = { 0 };
	int r = 0;

	memo = sap_memo_at(&link->memo_folders, kind, id);
	SAP_LINK_NEED(memo, err);
	if (*memo) {
		*any = *memo > 1;
		*list = *any ? *memo - 2 : 0;
		return 0;
	}
	*memo = 1;
	*list = 0;
	for (size_t i = first_setting(facts, kind); i < facts->settings.n; i++) {
		const struct sap_setting *s = &facts->settings.v[i];
		struct sap_dir *dir;

		if (s->kind != (uint32_t)kind)
			break;
		if (s->key != id || ++count > SAP_LINK_SEARCH_MAX || !s->value)
			continue;
		dir = SAP_VEC_PUSH(&dirs, SAP_LINK_SEARCH_MAX);
		if (!dir) {
			sap_vec_clear(&dirs);
			return sap_err_nomem(err);
		}
		dir->path = s->value;
	}
	*any = count != 0;
	if (dirs.n)
		r = sap_link_list_of(link, dirs.v, dirs.n, list, err);
	if (*any && r == 0)
		*memo = *list + 2;
	sap_vec_clear(&dirs);
	return r;
}

/* "/lib/ld-musl-x86_64.so.1": "x86_64". */
static struct sap_str musl_arch(struct sap_str interp)
{
	struct sap_str base = sap_path_base(interp), arch;

	if (!sap_str_starts(base, SAP_STR("ld-musl-")))
		return SAP_STR("");
	sap_str_cut(sap_str_skip(base, 8), '.', &arch, &base);
	return arch;
}

static int musl_folders(struct sap_link *link, struct sap_env *env, struct sap_err *err)
{
	static const struct sap_str built_in[] = { SAP_STR_INIT("/lib"),
						   SAP_STR_INIT("/usr/local/lib"),
						   SAP_STR_INIT("/usr/lib") };
	struct sap_str arch = musl_arch(sap_link_str(link, env->interp));
	bool any = false;
	int r;

	env->system_how = SAP_HOW_MUSL_PATH;
	r = arch.n ? folders_of(link, SAP_SET_MUSL_PATH, arch, &env->system, &any, err) : 0;
	if (r < 0 || any)
		return r;
	env->system_how = SAP_HOW_DEFAULT;
	return list_of_texts(link, built_in, 3, &env->system, err);
}

/* Appends path to the buffer without "." and "..", as if no links were there. */
static void normalise(struct sap_buf *buf, struct sap_str path)
{
	while (path.n) {
		struct sap_str part;

		sap_str_cut(path, '/', &part, &path);
		if (part.n == 0 || sap_str_is(part, "."))
			continue;
		if (sap_str_is(part, "..")) {
			while (buf->n && buf->p[buf->n - 1] != '/')
				buf->n--;
			if (buf->n)
				buf->n--;
			continue;
		}
		sap_buf_putc(buf, '/');
		sap_buf_puts(buf, part);
	}
	sap_buf_putc(buf, '/');
}

bool sap_env_trusts(struct sap_link *link, const struct sap_env *env, struct sap_str path)
{
	struct sap_range list = link->lists.v[env->system];

	sap_buf_reset(&link->path);
	normalise(&link->path, path);
	if (!sap_buf_ok(&link->path))
		return false;
	for (uint32_t i = 0; i < list.n; i++) {
		struct sap_str dir = sap_link_str(link, link->dirs.v[list.at + i].path);
		struct sap_str got = sap_buf_str(&link->path);

		if (sap_str_starts(got, dir) &&
		    (dir.n == 1 || sap_str_starts(sap_str_skip(got, dir.n), SAP_STR("/"))))
			return true;
	}
	return false;
}

/* ---- making one ------------------------------------------------------------------------- */

static bool loader_is_musl(struct sap_link *link, uint32_t loader, struct sap_str interp)
{
	struct sap_str soname = SAP_STR("");

	if (sap_str_starts(sap_path_base(interp), SAP_STR("ld-musl-")))
		return true;
	if (loader != SAP_NONE)
		soname = sap_link_str(link, link->facts->objects.v[loader].soname);
	return sap_str_is(soname, "libc.so") || sap_str_starts(soname, SAP_STR("libc.musl-"));
}

static int fill(struct sap_link *link, uint32_t at, struct sap_err *err)
{
	struct sap_env env = link->envs.v[at];
	struct sap_str interp = sap_link_str(link, env.interp);
	struct sap_context plain = { .env = at };
	uint32_t id;
	bool any = false;
	int r;

	env.loader = SAP_NONE;
	if (interp.n && interp.p[0] == '/') {
		switch (sap_link_look(link, interp, &id)) {
		case SAP_TREE_OBJECT:
			env.loader = id;
			break;
		case SAP_TREE_UNKNOWN:
			env.loader_unknown = true;
			break;
		case SAP_TREE_UNREADABLE:
			env.loader_unread = true;
			break;
		default:
			break;
		}
	}
	env.musl = loader_is_musl(link, env.loader, interp);
	if (!env.musl)
		env.glibc = glibc_version(link, &env);
	fill_subs(link, &env);
	r = env.musl ? musl_folders(link, &env, err) : glibc_folders(link, &env, err);
	if (r == 0 && !env.musl && !link->has_cache)
		r = folders_of(link, SAP_SET_LD_CONF, SAP_STR(""), &env.conf, &any, err);
	link->envs.v[at] = env;
	if (r == 0 && link->options.library_path.n) {
		if (!sap_link_put(link, link->options.library_path, &id))
			return sap_err_nomem(err);
		r = sap_link_list(link, at, id, 0, false,
				  env.musl ? SAP_PATH_MUSL : SAP_PATH_LIBRARY, &env.library_path,
				  err);
	}
	if (r == 0)
		r = sap_link_context(link, plain, &env.plain, err);
	link->envs.v[at] = env;
	return r;
}

static int env_at(struct sap_link *link, uint32_t object, uint32_t interp, bool secure,
		  uint32_t *env, struct sap_err *err)
{
	uint32_t abi = link->abi_key[object];
	uint32_t *memo = sap_memo_at(&link->memo_env, (uint64_t)abi << 32 | interp, secure);
	struct sap_env *e;

	SAP_LINK_NEED(memo, err);
	if (*memo) {
		*env = *memo - 1;
		return 0;
	}
	e = SAP_VEC_PUSH(&link->envs, UINT32_MAX);
	SAP_LINK_NEED(e, err);
	*memo = (uint32_t)link->envs.n;
	*env = *memo - 1;
	e->abi_key = abi;
	e->abi = sap_abi_of(&link->facts->objects.v[object]);
	e->interp = interp;
	e->secure = secure;
	return fill(link, *env, err);
}

static int count_loader(struct sap_link *link, uint32_t object, struct sap_memo *counts,
			struct sap_memo *most, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	struct sap_str interp = sap_link_str(link, o->interp);
	uint32_t abi = link->abi_key[object], *count, *top, *loader;
	unsigned musl = musl_arch(interp).n ? MEMO_MUSL : MEMO_GLIBC;

	if (!interp.n || interp.p[0] != '/')
		return 0;
	count = sap_memo_at(counts, abi, o->interp);
	SAP_LINK_NEED(count, err);
	++*count;
	top = sap_memo_at(most, abi, musl);
	SAP_LINK_NEED(top, err);
	if (*count <= *top)
		return 0;
	*top = *count;
	loader = sap_memo_at(&link->memo_loader, abi, musl);
	SAP_LINK_NEED(loader, err);
	*loader = o->interp + 1;
	return 0;
}

/* Once over all objects: the interpreter that most programs of an ABI have, for musl and for
 * others (pool id + 1), and the version of its glibc (+ 1). */
static int find_loaders(struct sap_link *link, struct sap_err *err)
{
	uint32_t libc = sap_pool_find(link->facts->pool, SAP_STR("libc.so.6"));
	struct sap_memo counts = { 0 }, most = { 0 };
	int r = 0;

	link->loaders_known = true;
	for (uint32_t i = 0; i < link->n_objects && r == 0; i++) {
		const struct sap_object *o = &link->facts->objects.v[i];
		uint32_t *version, v;

		r = count_loader(link, i, &counts, &most, err);
		if (r < 0 || o->soname != libc || !libc)
			continue;
		v = newest(link, o) + 1;
		version = sap_memo_at(&link->memo_loader, link->abi_key[i], MEMO_LIBC);
		if (!version)
			r = sap_err_nomem(err);
		else if (v > *version)
			*version = v;
	}
	sap_memo_clear(&counts);
	sap_memo_clear(&most);
	return r;
}

/* The interpreter that a library would find itself under; 0: not known. */
static int loader_for(struct sap_link *link, uint32_t object, uint32_t *interp, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	const struct sap_abi *abi = sap_abi_of(o);
	bool musl = false;
	uint32_t *loader;

	for (uint32_t i = 0; i < o->needed.n; i++) {
		struct sap_str name = sap_link_str(link, link->facts->ids.v[o->needed.at + i]);

		musl |= sap_str_is(name, "libc.so") || sap_str_starts(name, SAP_STR("libc.musl-"));
	}
	for (int i = 0; i < 2; i++) {
		loader = sap_memo_at(&link->memo_loader, link->abi_key[object], musl ^ i);
		SAP_LINK_NEED(loader, err);
		if (*loader > 1) {
			*interp = *loader - 1;
			return 0;
		}
		*loader = 1; /* pool id 0: none */
	}
	*interp = 0;
	if (abi && !sap_link_put(link, sap_str_of(abi->interp), interp))
		return sap_err_nomem(err);
	return 0;
}

int sap_env_of(struct sap_link *link, uint32_t object, uint32_t *env, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	bool secure = o->interp && (o->mode & (S_ISUID | S_ISGID));
	uint32_t interp = o->interp;
	int r = link->loaders_known ? 0 : find_loaders(link, err);

	if (r < 0)
		return r;
	if (!interp) {
		r = loader_for(link, object, &interp, err);
		if (r < 0)
			return r;
	}
	return env_at(link, object, interp, secure, env, err);
}
