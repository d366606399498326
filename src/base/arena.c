/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct sap_arena_block {
	struct sap_arena_block *next;
	uint64_t cap;
	uint64_t used;
	alignas(max_align_t) unsigned char bytes[];
};

enum { FIRST_BLOCK = 64 * 1024, KEEP_BLOCK = 4 * 1024 * 1024 };

void sap_arena_init(struct sap_arena *arena, uint64_t max)
{
	*arena = (struct sap_arena){ .max = max ? max : UINT64_MAX };
}

void sap_arena_reset(struct sap_arena *arena)
{
	struct sap_arena_block *keep = NULL;

	for (struct sap_arena_block *b = arena->head, *next; b; b = next) {
		next = b->next;
		/* Keep the largest of moderate size: a huge file must not pin its memory. */
		if (b->cap <= KEEP_BLOCK && (!keep || b->cap > keep->cap)) {
			free(keep);
			keep = b;
		} else {
			free(b);
		}
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	arena->head = keep;
	arena->used = 0;
}

void sap_arena_clear(struct sap_arena *arena)
{
	for (struct sap_arena_block *b = arena->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	arena->head = NULL;
	arena->used = 0;
}

static struct sap_arena_block *add_block(struct sap_arena *arena, uint64_t n)
{
	uint64_t cap = arena->head ? arena->head->cap * 2 : FIRST_BLOCK;
	struct sap_arena_block *b;

	if (cap > KEEP_BLOCK)
		cap = KEEP_BLOCK;
	if (cap < n)
		cap = n;
	if (cap > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + cap);
	if (!b)
		return NULL;
	*b = (struct sap_arena_block){ .next = arena->head, .cap = cap };
	arena->head = b;
	return b;
}

void *sap_arena_alloc(struct sap_arena *arena, uint64_t n)
{
	const uint64_t align = alignof(max_align_t);
	struct sap_arena_block *b = arena->head;
	void *p;

	if (n > UINT64_MAX - align)
		return NULL;
	n = (n + align - 1) / align * align;
	if (n > arena->max - arena->used)
		return NULL;
	if (!b || n > b->cap - b->used) {
		b = add_block(arena, n);
		if (!b)
			return NULL;
	}
	p = b->bytes + b->used;
	b->used += n;
	arena->used += n;
	return p;
}

void *sap_arena_zalloc(struct sap_arena *arena, uint64_t n)
{
	void *p = sap_arena_alloc(arena, n);

	return p ? memset(p, 0, n) : NULL;
}

void *sap_arena_array(struct sap_arena *arena, uint64_t n, uint64_t size)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return sap_arena_zalloc(arena, bytes);
}

bool sap_arena_str(struct sap_arena *arena, struct sap_str s, struct sap_str *out)
{
	char *p = sap_arena_cstr(arena, s);

	if (!p)
		return false;
	*out = (struct sap_str){ p, s.n };
	return true;
}

char *sap_arena_cstr(struct sap_arena *arena, struct sap_str s)
{
	char *p = s.n < SIZE_MAX ? sap_arena_alloc(arena, s.n + 1) : NULL;

	if (!p)
		return NULL;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}
