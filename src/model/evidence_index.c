/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "model/evidence_int.h"

enum { FIRST_SIZE = 64 };

uint32_t sap_evidence_mix(uint32_t h, uint64_t v)
{
	uint64_t x = (v + h) * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 29;
	return (uint32_t)(x >> 32) ^ (uint32_t)x;
}

uint32_t sap_evidence_hash(const struct sap_evidence *e, struct sap_str s)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ e->index->seed;

	for (size_t i = 0; i < s.n; i++)
		h = ((h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL) ^ (h >> 47);
	return sap_evidence_mix((uint32_t)s.n, h);
}

uint32_t sap_slots_next(const struct sap_slots *s, uint32_t hash, uint32_t *at)
{
	while (s->size) {
		const struct sap_slot *slot = &s->v[*at & (s->size - 1)];

		if (slot->index == 0)
			break;
		++*at;
		if (slot->hash == hash)
			return slot->index - 1;
	}
	return SAP_NONE;
}

uint32_t sap_slots_first(const struct sap_slots *s, uint32_t hash, uint32_t *at)
{
	*at = hash;
	return sap_slots_next(s, hash, at);
}

static void put(struct sap_slots *s, struct sap_slot slot)
{
	uint32_t at = slot.hash & (s->size - 1);

	while (s->v[at].index)
		at = (at + 1) & (s->size - 1);
	s->v[at] = slot;
}

static bool grow(struct sap_slots *s)
{
	struct sap_slots bigger = { .size = s->size ? s->size * 2 : FIRST_SIZE, .used = s->used };

	bigger.v = calloc(bigger.size, sizeof(*bigger.v));
	if (!bigger.v)
		return false;
	for (uint32_t i = 0; i < s->size; i++)
		if (s->v[i].index)
			put(&bigger, s->v[i]);
	free(s->v);
	*s = bigger;
	return true;
}

bool sap_slots_add(struct sap_slots *s, uint32_t hash, uint32_t index)
{
	if (s->used >= s->size / 4 * 3 && !grow(s))
		return false;
	put(s, (struct sap_slot){ hash, index + 1 });
	s->used++;
	return true;
}

void sap_slots_remove(struct sap_slots *s, uint32_t hash, uint32_t index)
{
	uint32_t mask = s->size - 1, at = hash & mask, hole;

	if (s->size == 0)
		return;
	while (s->v[at].index != index + 1) {
		if (s->v[at].index == 0)
			return;
		at = (at + 1) & mask;
	}
	hole = at;
	s->v[hole].index = 0;
	s->used--;
	/* Those behind that could not stand where they belong move up. */
	for (at = (at + 1) & mask; s->v[at].index; at = (at + 1) & mask) {
		uint32_t home = s->v[at].hash & mask;

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		s->v[hole] = s->v[at];
		s->v[at].index = 0;
		hole = at;
	}
}
