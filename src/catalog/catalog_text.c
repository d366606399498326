/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/auxv.h>

#include "base/limits.h"
#include "catalog/catalog_int.h"

struct sap_str sap_text_of(struct sap_span span)
{
	return (struct sap_str){ (const char *)span.p, span.n };
}

/* The value of a digit and 16; 0 for what is none. */
static const unsigned char nibbles[256] = {
	['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21,
	['6'] = 22, ['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27,
	['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['A'] = 26, ['B'] = 27,
	['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31,
};

bool sap_hex_decode(const char *hex, size_t digits, unsigned char *out, size_t n)
{
	unsigned good = 16;

	if (digits != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned high = nibbles[(unsigned char)hex[2 * i]];
		unsigned low = nibbles[(unsigned char)hex[2 * i + 1]];

		good &= high & low;
		out[i] = (unsigned char)(high << 4 | (low & 15));
	}
	return good != 0;
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool sap_base64_decode(struct sap_str text, unsigned char *out, size_t n)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t done = 0;

	if (text.n != (n + 2) / 3 * 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int six = sextet(text.p[i]);

		if (six < 0)
			return done == n && text.p[i] == '=' &&
			       (i + 1 == text.n || text.p[text.n - 1] == '=');
		bits = bits << 6 | (uint32_t)six;
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (done == n)
				return false;
			out[done++] = (unsigned char)(bits >> have & 0xff);
		}
	}
	return done == n;
}

bool sap_relpath_ok(struct sap_str path)
{
	size_t start = 0;

	if (path.n == 0 || path.n >= SAP_PATH_MAX)
		return false;
	for (size_t i = 0; i <= path.n; i++) {
		size_t len = i - start;

		if (i < path.n && path.p[i] == '\0')
			return false;
		if (i < path.n && path.p[i] != '/')
			continue;
		if (len == 0 || (len == 1 && path.p[start] == '.') ||
		    (len == 2 && path.p[start] == '.' && path.p[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

int64_t sap_text_time(struct sap_str text)
{
	bool minus = text.n && text.p[0] == '-';
	uint64_t v;

	if (!sap_str_u64(sap_str_skip(text, minus), &v) || v > INT64_MAX)
		return 0;
	return minus ? -(int64_t)v : (int64_t)v;
}

/* ---- the map ---------------------------------------------------------------------------- */

enum { FIRST_SLOTS = 64 };

static uint32_t hash_of(uint64_t seed, struct sap_str s)
{
	uint64_t h = seed ^ s.n;
	uint64_t w;

	for (; s.n >= 8; s = sap_str_skip(s, 8)) {
		memcpy(&w, s.p, 8);
		h = (h ^ w) * 0x9fb21c651e98df25ULL;
		h ^= h >> 35;
	}
	if (s.n) {
		w = 0;
		memcpy(&w, s.p, s.n);
		h = (h ^ w) * 0x9fb21c651e98df25ULL;
		h ^= h >> 35;
	}
	h *= 0xd6e8feb86659fd93ULL;
	return (uint32_t)(h >> 32);
}

void sap_strmap_init(struct sap_strmap *map)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	/* Of the bytes that the kernel gives each program at its start: a target cannot be made
	 * to collide. */
	*map = (struct sap_strmap){ .seed = 0x2545f4914f6cdd1dULL };
	if (random)
		memcpy(&map->seed, (const char *)random + 8, sizeof(map->seed));
}

void sap_strmap_clear(struct sap_strmap *map)
{
	free(map->v);
	map->v = NULL;
	map->cap = map->mask = map->n = 0;
}

bool sap_strmap_reset(struct sap_strmap *map, size_t n)
{
	uint64_t want = FIRST_SLOTS;

	while (want < (uint64_t)n * 2)
		want *= 2;
	if (want > UINT32_MAX / 2)
		return false;
	if (want > map->cap) {
		struct sap_strmap_slot *v = calloc(want, sizeof(*v));

		if (!v)
			return false;
		free(map->v);
		map->v = v;
		map->cap = (uint32_t)want;
		map->generation = 0;
	}
	/* After 2^32 packages an old slot could pass for a new one. */
	if (++map->generation == 0) {
		memset(map->v, 0, sizeof(*map->v) * map->cap);
		map->generation = 1;
	}
	map->mask = (uint32_t)want - 1;
	map->n = 0;
	return true;
}

static struct sap_strmap_slot *slot_of(const struct sap_strmap *map, struct sap_str key,
				       uint32_t hash)
{
	for (uint32_t at = hash & map->mask;; at = (at + 1) & map->mask) {
		struct sap_strmap_slot *slot = &map->v[at];

		if (slot->generation != map->generation)
			return slot;
		if (slot->hash == hash && slot->n == key.n &&
		    (key.n == 0 || memcmp(slot->p, key.p, key.n) == 0))
			return slot;
	}
}

static bool grow(struct sap_strmap *map)
{
	struct sap_strmap old = *map;

	if (map->mask > UINT32_MAX / 8)
		return false;
	map->v = NULL;
	map->cap = 0;
	if (!sap_strmap_reset(map, old.v ? (size_t)old.mask + 1 : FIRST_SLOTS / 2)) {
		*map = old;
		return false;
	}
	for (uint32_t i = 0; old.v && i <= old.mask; i++) {
		const struct sap_strmap_slot *slot = &old.v[i];

		if (slot->generation != old.generation)
			continue;
		*slot_of(map, (struct sap_str){ slot->p, slot->n }, slot->hash) =
			(struct sap_strmap_slot){ slot->p, slot->n, slot->hash, slot->value,
						  map->generation };
		map->n++;
	}
	free(old.v);
	return true;
}

uint32_t *sap_strmap_put(struct sap_strmap *map, struct sap_str key)
{
	struct sap_strmap_slot *slot;
	uint32_t hash = hash_of(map->seed, key);

	if (key.n > UINT32_MAX)
		return NULL;
	if ((!map->v || (uint64_t)map->n * 2 > map->mask) && !grow(map))
		return NULL;
	slot = slot_of(map, key, hash);
	if (slot->generation != map->generation) {
		*slot = (struct sap_strmap_slot){ key.p, (uint32_t)key.n, hash, SAP_STRMAP_NONE,
						  map->generation };
		map->n++;
	}
	return &slot->value;
}

uint32_t sap_strmap_get(const struct sap_strmap *map, struct sap_str key)
{
	const struct sap_strmap_slot *slot;

	if (map->n == 0)
		return SAP_STRMAP_NONE;
	slot = slot_of(map, key, hash_of(map->seed, key));
	return slot->generation == map->generation ? slot->value : SAP_STRMAP_NONE;
}
