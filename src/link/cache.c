/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

/* Bits of a cache entry's legacy mask (sysdeps/x86/dl-hwcap.h, elf/dl-cache.c). */
enum { SSE2_BIT = 0, X86_64_BIT = 1, AVX512_1_BIT = 2, PLATFORM_BIT = 48, I686_BIT = 49 };

#define BIT(n) (1ULL << (n))
#define TLS_MASK BIT(63)
#define EXTENSION_MASK BIT(62) /* a glibc-hwcaps folder: glibc 2.33 and later */
#define PLATFORM_MASK (15 * BIT(PLATFORM_BIT))

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The cache compares runs of digits as numbers: "libx.so.01" finds "libx.so.1". */
static struct sap_str plain_digits(struct sap_link *link, struct sap_str s)
{
	bool odd = false;

	for (size_t i = 0; i + 1 < s.n; i++)
		odd |= s.p[i] == '0' && is_digit(s.p[i + 1]) && (i == 0 || !is_digit(s.p[i - 1]));
	if (!odd)
		return s;
	sap_buf_reset(&link->expand);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '0' && i + 1 < s.n && is_digit(s.p[i + 1]) &&
		    (link->expand.n == 0 || !is_digit((char)link->expand.p[link->expand.n - 1])))
			continue;
		sap_buf_putc(&link->expand, s.p[i]);
	}
	return sap_buf_ok(&link->expand) ? sap_buf_str(&link->expand) : s;
}

int sap_cache_index(struct sap_link *link, struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;
	size_t n = facts->cache.n;
	uint32_t id;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct sap_str name = sap_link_str(link, facts->cache.v[i].soname);

		if (!sap_link_put(link, plain_digits(link, name), &id))
			return sap_err_nomem(err);
	}
	link->n_cache_head = sap_pool_count(facts->pool);
	link->cache_head = calloc(link->n_cache_head, sizeof(*link->cache_head));
	link->cache_next = calloc(n, sizeof(*link->cache_next));
	if (!link->cache_head || !link->cache_next)
		return sap_err_nomem(err);
	for (size_t i = n; i-- > 0;) {
		struct sap_str name = sap_link_str(link, facts->cache.v[i].soname);

		id = sap_pool_find(facts->pool, plain_digits(link, name));
		link->cache_next[i] = link->cache_head[id];
		link->cache_head[id] = (uint32_t)i + 1;
	}
	return 0;
}

static bool abi_fits(const struct sap_env *env, uint32_t flags)
{
	if (!env->abi)
		return false;
	return flags == env->abi->cache_id ||
	       (env->abi->cache_also && flags == env->abi->cache_also);
}

/* Place of a glibc-hwcaps folder among those that the processor can use, 1 the best; 0: none. */
static uint32_t priority(struct sap_link *link, const struct sap_env *env, uint32_t hwcaps)
{
	struct sap_str name = sap_link_str(link, hwcaps);

	for (uint32_t i = 0; i < env->n_hwcaps; i++) {
		struct sap_str sub = sap_str_skip(env->subs[i], sizeof("glibc-hwcaps/") - 1);

		if (sub.n == name.n + 1 && sap_str_starts(sub, name))
			return i + 1;
	}
	return 0;
}

static bool legacy_fits(const struct sap_link *link, const struct sap_env *env, uint64_t hwcap)
{
	uint64_t mask = hwcap & ~TLS_MASK, allowed = 0;

	if (hwcap == 0)
		return true;
	if (env->glibc == 0 || env->glibc >= 37 || (hwcap & EXTENSION_MASK) || !env->abi)
		return false;
	if (sap_str_is(sap_str_of(env->abi->triplet), "x86_64-linux-gnu")) {
		allowed = BIT(X86_64_BIT);
		if (link->options.cpu_level >= 4)
			allowed |= BIT(AVX512_1_BIT);
	} else if (sap_str_is(sap_str_of(env->abi->triplet), "i386-linux-gnu")) {
		allowed = BIT(SSE2_BIT);
		if ((mask & PLATFORM_MASK) == BIT(I686_BIT))
			mask &= ~PLATFORM_MASK;
	}
	return (mask & ~allowed) == 0;
}

uint32_t sap_cache_find(struct sap_link *link, const struct sap_env *env, struct sap_str name)
{
	const struct sap_facts *facts = link->facts;
	uint32_t id = sap_pool_find(facts->pool, plain_digits(link, name));
	uint32_t best = 0, best_priority = UINT32_MAX;

	if (id >= link->n_cache_head)
		return 0;
	for (uint32_t at = link->cache_head[id]; at; at = link->cache_next[at - 1]) {
		const struct sap_cache_entry *e = &facts->cache.v[at - 1];
		uint32_t place;

		if (!abi_fits(env, e->flags))
			continue;
		if (e->hwcaps) {
			place = priority(link, env, e->hwcaps);
			if (place && place < best_priority) {
				best = e->path;
				best_priority = place;
			}
			continue;
		}
		/* Entries of glibc-hwcaps folders come first. */
		if (best_priority != UINT32_MAX)
			break;
		if (!legacy_fits(link, env, e->hwcap))
			continue;
		if (!best || e->flags == env->abi->cache_id)
			best = e->path;
		if (e->flags == env->abi->cache_id)
			break;
	}
	return best;
}
