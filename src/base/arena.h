/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: memory for one unit of work, given back all at once.
 *
 * An arena belongs to one thread. What it hands out lives until sap_arena_reset or
 * sap_arena_clear. It has a ceiling: beyond it allocation fails as if memory were out.
 */
#ifndef SAP_BASE_ARENA_H
#define SAP_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct sap_arena_block;

struct sap_arena {
	struct sap_arena_block *head; /* the block in use; older ones behind it */
	uint64_t used;                /* bytes handed out since the last reset */
	uint64_t max;                 /* ceiling for used */
};

/* max 0 means no ceiling but memory itself. Allocates nothing yet. */
void sap_arena_init(struct sap_arena *arena, uint64_t max);

/* Gives everything back but one block, for the next unit of work. */
void sap_arena_reset(struct sap_arena *arena);
void sap_arena_clear(struct sap_arena *arena);

/* n bytes aligned for any type, not zeroed / zeroed. NULL: memory or ceiling.
 * n == 0 gives a valid pointer. */
void *sap_arena_alloc(struct sap_arena *arena, uint64_t n);
void *sap_arena_zalloc(struct sap_arena *arena, uint64_t n);

/* n elements of size bytes, zeroed; the product is checked. */
void *sap_arena_array(struct sap_arena *arena, uint64_t n, uint64_t size);

/* A copy of s in the arena; false on failure. */
bool sap_arena_str(struct sap_arena *arena, struct sap_str s, struct sap_str *out);

/* A copy of s with a NUL after it; NULL on failure. */
char *sap_arena_cstr(struct sap_arena *arena, struct sap_str s);

#endif
