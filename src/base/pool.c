/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/arena.h"
#include "base/limits.h"

struct entry {
	const char *p;
	uint32_t n;
	uint32_t hash;
};

struct sap_pool {
	struct sap_arena text;
	char *chunk; /* room left in the current piece of text */
	size_t room;
	struct entry *entries;
	uint32_t count;
	uint32_t cap;
	uint32_t *slots; /* open addressing; id + 1, 0 is free */
	uint32_t mask;
	uint64_t bytes;
	uint64_t seed;
};

enum { CHUNK = 256 * 1024, FIRST_SLOTS = 4096 };

/* A multiply-and-fold hash over eight bytes at a time, seeded anew in every process so that
 * a target cannot be made to collide. Ids do not depend on it. */
static uint32_t hash_of(uint64_t seed, struct sap_str s)
{
	uint64_t h = seed ^ s.n;
	const char *p = s.p;
	size_t n = s.n;

	while (n >= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
		p += 8;
		n -= 8;
	}
	if (n) {
		uint64_t w = 0;

		memcpy(&w, p, n);
		h = (h ^ w) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	h *= 0xc4ceb9fe1a85ec53ULL;
	return (uint32_t)(h >> 32);
}

/* Eight of the random bytes that the kernel gives every program at its start. */
static uint64_t process_seed(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t seed = 0x9e3779b97f4a7c15ULL;

	if (random)
		memcpy(&seed, random, sizeof(seed));
	return seed;
}

struct sap_pool *sap_pool_new(void)
{
	struct sap_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->seed = process_seed();
	sap_arena_init(&pool->text, SAP_POOL_MAX);
	pool->slots = calloc(FIRST_SLOTS, sizeof(*pool->slots));
	pool->mask = FIRST_SLOTS - 1;
	if (!pool->slots || sap_pool_put(pool, SAP_STR("")) != 0) {
		sap_pool_free(pool);
		return NULL;
	}
	return pool;
}

void sap_pool_free(struct sap_pool *pool)
{
	if (!pool)
		return;
	sap_arena_clear(&pool->text);
	free(pool->entries);
	free(pool->slots);
	free(pool);
}

static uint32_t *slot_of(const struct sap_pool *pool, struct sap_str s, uint32_t hash)
{
	uint32_t at = hash & pool->mask;

	for (;; at = (at + 1) & pool->mask) {
		uint32_t *slot = &pool->slots[at];
		const struct entry *e;

		if (*slot == 0)
			return slot;
		e = &pool->entries[*slot - 1];
		if (e->hash == hash && e->n == s.n && (s.n == 0 || memcmp(e->p, s.p, s.n) == 0))
			return slot;
	}
}

static bool grow_slots(struct sap_pool *pool)
{
	uint64_t want = ((uint64_t)pool->mask + 1) * 2;
	uint32_t *slots;

	if (want > UINT32_MAX)
		return false;
	slots = calloc(want, sizeof(*slots));
	if (!slots)
		return false;
	free(pool->slots);
	pool->slots = slots;
	pool->mask = (uint32_t)(want - 1);
	for (uint32_t id = 0; id < pool->count; id++) {
		uint32_t at = pool->entries[id].hash & pool->mask;

		while (slots[at])
			at = (at + 1) & pool->mask;
		slots[at] = id + 1;
	}
	return true;
}

static const char *keep_text(struct sap_pool *pool, struct sap_str s)
{
	char *p;

	if (s.n + 1 > pool->room) {
		size_t want = s.n + 1 > CHUNK / 4 ? s.n + 1 : CHUNK;

		p = sap_arena_alloc(&pool->text, want);
		if (!p)
			return NULL;
		if (want == CHUNK) {
			pool->chunk = p;
			pool->room = CHUNK;
		} else {
			memcpy(p, s.p, s.n);
			p[s.n] = '\0';
			return p;
		}
	}
	p = pool->chunk;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	pool->chunk += s.n + 1;
	pool->room -= s.n + 1;
	return p;
}

uint32_t sap_pool_put(struct sap_pool *pool, struct sap_str s)
{
	uint32_t hash = hash_of(pool->seed, s);
	uint32_t *slot = slot_of(pool, s, hash);
	const char *text;

	if (*slot)
		return *slot - 1;
	if (s.n > SAP_POOL_MAX || pool->bytes + s.n > SAP_POOL_MAX || pool->count == UINT32_MAX - 1)
		return UINT32_MAX;
	if (pool->count == pool->cap) {
		uint32_t cap = pool->cap ? pool->cap * 2 : 1024;
		struct entry *grown =
			cap > pool->cap ? reallocarray(pool->entries, cap, sizeof(*grown)) : NULL;

		if (!grown)
			return UINT32_MAX;
		pool->entries = grown;
		pool->cap = cap;
	}
	if (pool->count >= pool->mask / 4 * 3) {
		if (!grow_slots(pool))
			return UINT32_MAX;
		slot = slot_of(pool, s, hash);
	}
	text = keep_text(pool, s);
	if (!text)
		return UINT32_MAX;
	pool->entries[pool->count] = (struct entry){ .p = text, .n = (uint32_t)s.n, .hash = hash };
	pool->bytes += s.n;
	*slot = ++pool->count;
	return pool->count - 1;
}

uint32_t sap_pool_find(const struct sap_pool *pool, struct sap_str s)
{
	const uint32_t *slot = slot_of(pool, s, hash_of(pool->seed, s));

	return *slot ? *slot - 1 : UINT32_MAX;
}

struct sap_str sap_pool_str(const struct sap_pool *pool, uint32_t id)
{
	if (id >= pool->count)
		return SAP_STR("");
	return (struct sap_str){ pool->entries[id].p, pool->entries[id].n };
}

uint32_t sap_pool_count(const struct sap_pool *pool)
{
	return pool->count;
}
