/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char *sap_edge_kind_name(enum sap_edge_kind kind)
{
	static const char *const names[SAP_EDGE_KINDS] = {
		[SAP_EDGE_NEEDED] = "needed",
		[SAP_EDGE_INTERP] = "interp",
		[SAP_EDGE_PRELOAD] = "preload",
		[SAP_EDGE_FILTER] = "filter",
		[SAP_EDGE_AUXILIARY] = "auxiliary",
		[SAP_EDGE_DLOPEN_NOTE] = "dlopen-note",
		[SAP_EDGE_DLOPEN_STRING] = "dlopen-string",
		[SAP_EDGE_PAM] = "pam",
		[SAP_EDGE_NSS] = "nss",
	};
	unsigned at = (unsigned)kind;

	return at < SAP_EDGE_KINDS && names[at] ? names[at] : "unknown";
}

const char *sap_link_how_name(enum sap_link_how how)
{
	static const char *const names[SAP_HOW_KINDS] = {
		[SAP_HOW_NONE] = "none",
		[SAP_HOW_PATH] = "path",
		[SAP_HOW_LOADED] = "loaded",
		[SAP_HOW_RPATH] = "rpath",
		[SAP_HOW_LIBRARY_PATH] = "LD_LIBRARY_PATH",
		[SAP_HOW_RUNPATH] = "runpath",
		[SAP_HOW_CACHE] = "ld.so.cache",
		[SAP_HOW_CONF] = "ld.so.conf",
		[SAP_HOW_DEFAULT] = "default",
		[SAP_HOW_MUSL_PATH] = "ld-musl.path",
		[SAP_HOW_BUILTIN] = "builtin",
	};
	unsigned at = (unsigned)how;

	return at < SAP_HOW_KINDS ? names[at] : "unknown";
}

bool sap_link_put(struct sap_link *link, struct sap_str s, uint32_t *id)
{
	*id = sap_pool_put(link->facts->pool, s);
	return *id != UINT32_MAX;
}

/* ---- life cycle ------------------------------------------------------------------------- */

/* The first setting of each kind; they are sorted by kind. */
static void find_settings(struct sap_link *link)
{
	const struct sap_facts *facts = link->facts;

	link->first_nss = facts->settings.n;
	link->has_cache = facts->cache.n != 0;
	for (size_t i = facts->settings.n; i-- > 0;) {
		switch (facts->settings.v[i].kind) {
		case SAP_SET_CACHE:
			link->has_cache = true;
			break;
		case SAP_SET_LD_PRELOAD:
			link->first_preload = (uint32_t)i;
			link->n_preloads++;
			break;
		case SAP_SET_NSS:
			link->first_nss = i;
			break;
		default:
			break;
		}
	}
}

/* Whether any folder has a name that old versions of glibc look for below others. */
static bool has_legacy_dirs(struct sap_link *link)
{
	static const struct sap_str names[] = { SAP_STR_INIT("tls"),     SAP_STR_INIT("x86_64"),
						SAP_STR_INIT("haswell"), SAP_STR_INIT("avx512_1"),
						SAP_STR_INIT("sse2"),    SAP_STR_INIT("i686"),
						SAP_STR_INIT("aarch64") };
	const struct sap_facts *facts = link->facts;

	for (size_t i = 0; i < facts->dirs.n; i++) {
		struct sap_str base = sap_path_base(sap_link_str(link, facts->dirs.v[i]));

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			if (sap_str_eq(base, names[k]))
				return true;
		}
	}
	return !facts->whole;
}

/* ABI of each object, and which objects are one file under several names. */
static int know_objects(struct sap_link *link, struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;
	struct sap_memo links = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < link->n_objects; i++) {
		const struct sap_object *o = &facts->objects.v[i];
		uint32_t *first;

		link->abi_key[i] = sap_abi_key(o);
		link->same[i] = i;
		if (!o->link_id)
			continue;
		first = sap_memo_at(&links, o->link_id, 0);
		if (!first) {
			r = sap_err_nomem(err);
			break;
		}
		if (!*first)
			*first = i + 1;
		link->same[i] = *first - 1;
	}
	sap_memo_clear(&links);
	return r;
}

static int prepare(struct sap_link *link, struct sap_err *err)
{
	size_t n = link->n_objects + 1;
	int r;

	link->abi_key = calloc(n, sizeof(*link->abi_key));
	link->same = calloc(n, sizeof(*link->same));
	link->by_object = calloc(n, sizeof(*link->by_object));
	link->last_node = calloc(n, sizeof(*link->last_node));
	link->vgroup_of = calloc(n, sizeof(*link->vgroup_of));
	link->use_bits = calloc(n, sizeof(*link->use_bits));
	/* Index 0 is the empty list and the empty chain. */
	if (!link->abi_key || !link->same || !link->by_object || !link->last_node ||
	    !link->vgroup_of || !link->use_bits || !SAP_VEC_PUSH(&link->lists, 1) ||
	    !SAP_VEC_PUSH(&link->chains, 1))
		return sap_err_nomem(err);
	find_settings(link);
	link->legacy_dirs = has_legacy_dirs(link);
	r = know_objects(link, err);
	return r < 0 ? r : sap_cache_index(link, err);
}

struct sap_link *sap_link_new(struct sap_facts *facts, struct sap_tree *tree,
			      const struct sap_link_options *options)
{
	struct sap_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->facts = facts;
	link->tree = tree;
	link->options = *options;
	link->n_objects = (uint32_t)facts->objects.n;
	sap_arena_init(&link->arena, 0);
	sap_buf_init(&link->path, SAP_MIB * 16);
	sap_buf_init(&link->expand, SAP_MIB * 16);
	if (prepare(link, NULL) < 0) {
		sap_link_free(link);
		return NULL;
	}
	return link;
}

static void free_memos(struct sap_link *link)
{
	sap_memo_clear(&link->memo_env);
	sap_memo_clear(&link->memo_list);
	sap_memo_clear(&link->memo_chain);
	sap_memo_clear(&link->memo_context);
	sap_memo_clear(&link->memo_found);
	sap_memo_clear(&link->memo_node);
	sap_memo_clear(&link->memo_dir);
	sap_memo_clear(&link->memo_wanted);
	sap_memo_clear(&link->memo_loader);
	sap_memo_clear(&link->memo_folders);
}

void sap_link_free(struct sap_link *link)
{
	if (!link)
		return;
	free_memos(link);
	sap_vec_clear(&link->envs);
	sap_vec_clear(&link->dirs);
	sap_vec_clear(&link->lists);
	sap_vec_clear(&link->chains);
	sap_vec_clear(&link->contexts);
	sap_vec_clear(&link->found);
	sap_vec_clear(&link->deps);
	sap_vec_clear(&link->nodes);
	sap_vec_clear(&link->subs);
	sap_vec_clear(&link->sub_ranges);
	sap_vec_clear(&link->wanted);
	sap_vec_clear(&link->loaded);
	sap_vec_clear(&link->vgroups);
	sap_vec_clear(&link->vgroup_ranges);
	sap_vec_clear(&link->pam);
	sap_vec_clear(&link->wishes);
	sap_vec_clear(&link->order);
	for (uint32_t i = 0; link->defs && i < link->n_objects; i++)
		free(link->defs[i].first);
	free(link->defs);
	free(link->abi_key);
	free(link->same);
	free(link->by_object);
	free(link->by_name);
	free(link->last_node);
	free(link->vgroup_of);
	free(link->mark);
	free(link->use_bits);
	free(link->cache_head);
	free(link->cache_next);
	sap_arena_clear(&link->arena);
	sap_buf_clear(&link->path);
	sap_buf_clear(&link->expand);
	free(link);
}

/* ---- small questions -------------------------------------------------------------------- */

const uint32_t *sap_link_wanted(const struct sap_link *link, uint32_t *n)
{
	*n = (uint32_t)link->wanted.n;
	return link->wanted.v;
}

uint32_t sap_link_interp(struct sap_link *link, uint32_t object)
{
	struct sap_str interp;
	uint32_t at;

	if (object >= link->n_objects)
		return SAP_NONE;
	interp = sap_link_str(link, link->facts->objects.v[object].interp);
	if (!interp.n || interp.p[0] != '/' || sap_link_look(link, interp, &at) != SAP_TREE_OBJECT)
		return SAP_NONE;
	return at;
}

/* What one object needs and wishes, looked for as if it stood alone. */
static int prefetch_object(struct sap_link *link, uint32_t object, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	uint32_t env = 0, chain = 0, context = 0, index = 0, found = 0;
	int r = sap_env_of(link, object, &env, err);

	if (r == 0)
		r = sap_link_own_chain(link, env, object, o->path, o->interp != 0, 0, &chain, err);
	if (r == 0)
		r = sap_link_context_of(link, env, object, o->path, chain, o->interp != 0, &context,
					err);
	if (r == 0)
		r = sap_link_node(link, context, object, o->path, o->interp != 0, &index, err);
	for (uint32_t i = 0; r == 0 && i < link->nodes.v[index].n; i++) {
		const struct sap_dep *dep = &link->deps.v[link->nodes.v[index].at + i];

		if (!dep->bad && dep->name)
			r = sap_link_search(link, context, dep->name, &found, err);
	}
	if (r < 0 || !link->options.beyond)
		return r;
	r = sap_link_wishes(link, &link->envs.v[env], object, o->interp ? object : SAP_NONE, err);
	for (size_t i = 0; r == 0 && i < link->wishes.n; i++)
		r = sap_link_search(link, context, link->wishes.v[i].target, &found, err);
	return r;
}

int sap_link_prefetch(struct sap_link *link, struct sap_err *err)
{
	for (; link->prefetched < link->n_objects; link->prefetched++) {
		const struct sap_object *o = &link->facts->objects.v[link->prefetched];
		int r;

		link->steps = 0;
		if (link->facts->whole || !(o->flags & SAP_OBJ_DYNAMIC))
			continue;
		r = prefetch_object(link, link->prefetched, err);
		if (r < 0 && r != SAP_ELIMIT)
			return r;
	}
	return 0;
}

/* ---- the processor ---------------------------------------------------------------------- */

#if defined(__x86_64__)

/* Features of each level: the x86-64 psABI, section 3.1.1, table 3.1. */
static int level_of(unsigned c1, unsigned b7, unsigned c81)
{
	const unsigned v2 =
		bit_CMPXCHG16B | bit_POPCNT | bit_SSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_SSSE3;
	const unsigned v3 = bit_AVX | bit_F16C | bit_FMA | bit_MOVBE | bit_OSXSAVE;
	const unsigned v3b = bit_AVX2 | bit_BMI | bit_BMI2;
	const unsigned v4b =
		bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
	unsigned low, high;

	if ((c1 & v2) != v2 || !(c81 & bit_LAHF_LM))
		return 1;
	if ((c1 & v3) != v3 || (b7 & v3b) != v3b || !(c81 & bit_LZCNT))
		return 2;
	/* The system must save the wider registers: 2 SSE, 4 AVX, 0xe0 AVX-512. */
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if ((low & 6) != 6)
		return 2;
	return (b7 & v4b) == v4b && (low & 0xe0) == 0xe0 ? 4 : 3;
}

int sap_link_host_cpu_level(void)
{
	unsigned a, b, c1 = 0, d, b7 = 0, c, c81 = 0;

	if (!__get_cpuid(1, &a, &b, &c1, &d))
		return 1;
	if (!__get_cpuid_count(7, 0, &a, &b7, &c, &d))
		b7 = 0;
	if (!__get_cpuid(0x80000001, &a, &b, &c81, &d))
		c81 = 0;
	return level_of(c1, b7, c81);
}

#else

int sap_link_host_cpu_level(void)
{
	return 0;
}

#endif
