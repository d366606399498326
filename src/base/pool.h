/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string pool: each distinct string once, named by a small integer.
 *
 * Ids count up from 0 without gaps, so that a table about strings is a plain array indexed
 * by id. Id 0 is always the empty string and stands for "absent" wherever a fact may be
 * missing. Strings may hold any bytes. A pool belongs to one thread at a time.
 */
#ifndef SAP_BASE_POOL_H
#define SAP_BASE_POOL_H

#include <stdint.h>

#include "base/span.h"

struct sap_pool;

/* NULL when memory is out. free takes NULL. */
struct sap_pool *sap_pool_new(void);
void sap_pool_free(struct sap_pool *pool);

/* The id of s, put in if it is new. UINT32_MAX: memory is out or SAP_POOL_MAX reached. */
uint32_t sap_pool_put(struct sap_pool *pool, struct sap_str s);

/* The id of s, or UINT32_MAX where the pool does not have it. */
uint32_t sap_pool_find(const struct sap_pool *pool, struct sap_str s);

/* The string with that id, followed by a NUL that n does not count; the pointer is valid
 * for the life of the pool. An id that was never given out yields the empty string. */
struct sap_str sap_pool_str(const struct sap_pool *pool, uint32_t id);

/* How many strings there are: ids are 0 .. count-1. */
uint32_t sap_pool_count(const struct sap_pool *pool);

#endif
