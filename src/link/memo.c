/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include <stdlib.h>

enum { FIRST = 256 };

static uint32_t hash(uint64_t a, uint64_t b)
{
	uint64_t h = a * 0x9e3779b97f4a7c15ULL ^ (b + 0x632be59bd9b4e019ULL);

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 32) * 0x94d049bb133111ebULL;
	return (uint32_t)(h >> 32);
}

static struct sap_memo_entry *place(struct sap_memo_entry *v, uint32_t mask, uint64_t a, uint64_t b)
{
	uint32_t at = hash(a, b) & mask;

	while (v[at].value && (v[at].a != a || v[at].b != b))
		at = (at + 1) & mask;
	return &v[at];
}

static bool grow(struct sap_memo *memo)
{
	uint64_t size = memo->v ? ((uint64_t)memo->mask + 1) * 2 : FIRST;
	struct sap_memo_entry *v;

	if (size > UINT32_MAX)
		return false;
	v = calloc(size, sizeof(*v));
	if (!v)
		return false;
	for (uint64_t i = 0; memo->v && i <= memo->mask; i++) {
		const struct sap_memo_entry *e = &memo->v[i];

		if (e->value)
			*place(v, (uint32_t)(size - 1), e->a, e->b) = *e;
	}
	free(memo->v);
	memo->v = v;
	memo->mask = (uint32_t)(size - 1);
	return true;
}

uint32_t *sap_memo_at(struct sap_memo *memo, uint64_t a, uint64_t b)
{
	struct sap_memo_entry *e;

	if (!memo->v || memo->n >= memo->mask / 4 * 3) {
		if (!grow(memo))
			return NULL;
	}
	e = place(memo->v, memo->mask, a, b);
	if (!e->value) {
		e->a = a;
		e->b = b;
		memo->n++;
	}
	return &e->value;
}

void sap_memo_clear(struct sap_memo *memo)
{
	free(memo->v);
	*memo = (struct sap_memo){ 0 };
}
