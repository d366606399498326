/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a ceiling. The first failure sticks: later puts do nothing,
 * and sap_buf_ok tells at the end whether everything went in.
 */
#ifndef SAP_BASE_BUF_H
#define SAP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct sap_buf {
	unsigned char *p;
	size_t n;
	size_t cap;
	size_t max;  /* ceiling for n */
	bool failed; /* memory out or ceiling reached */
};

void sap_buf_init(struct sap_buf *buf, size_t max);
void sap_buf_clear(struct sap_buf *buf); /* frees; the buffer can be used again */
void sap_buf_reset(struct sap_buf *buf); /* empties, keeps the memory and forgets failure */

/* Room for n more bytes; a pointer to it, or NULL. Does not change buf->n. */
unsigned char *sap_buf_reserve(struct sap_buf *buf, size_t n);

void sap_buf_put(struct sap_buf *buf, const void *p, size_t n);
void sap_buf_puts(struct sap_buf *buf, struct sap_str s);
void sap_buf_putc(struct sap_buf *buf, char c);
void sap_buf_printf(struct sap_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline bool sap_buf_ok(const struct sap_buf *buf)
{
	return !buf->failed;
}

/* What is in the buffer, borrowed until the next put. */
static inline struct sap_str sap_buf_str(const struct sap_buf *buf)
{
	return (struct sap_str){ (const char *)buf->p, buf->n };
}

#endif
