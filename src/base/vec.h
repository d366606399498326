/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable arrays with a ceiling, as three lines of macro over one function.
 *
 *     SAP_VEC(struct thing) things = { 0 };
 *     struct thing *t = SAP_VEC_PUSH(&things, SAP_OBJECTS_MAX);   zeroed, NULL: no memory or full
 *     for (size_t i = 0; i < things.n; i++) use(&things.v[i]);
 *     sap_vec_clear(&things);
 *
 * Pointers into v are valid until the next push.
 */
#ifndef SAP_BASE_VEC_H
#define SAP_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SAP_VEC(type)       \
	struct {            \
		type *v;    \
		size_t n;   \
		size_t cap; \
	}

/* Makes room for one more element of the given size; false when max is reached or memory
 * is out. *v, *cap are updated on success only. */
bool sap_vec_grow(void **v, size_t n, size_t *cap, size_t size, size_t max);

#define SAP_VEC_PUSH(vec, max)                                                               \
	(((vec)->n < (vec)->cap ||                                                           \
	  sap_vec_grow((void **)&(vec)->v, (vec)->n, &(vec)->cap, sizeof(*(vec)->v), (max))) \
		 ? (__typeof__((vec)->v))memset(&(vec)->v[(vec)->n++], 0, sizeof(*(vec)->v)) \
		 : NULL)

#define sap_vec_clear(vec)       \
	do {                     \
		free((vec)->v);  \
		(vec)->v = NULL; \
		(vec)->n = 0;    \
		(vec)->cap = 0;  \
	} while (0)

#endif
