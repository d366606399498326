/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sap_buf_init(struct sap_buf *buf, size_t max)
{
	*buf = (struct sap_buf){ .max = max };
}

void sap_buf_clear(struct sap_buf *buf)
{
	free(buf->p);
	*buf = (struct sap_buf){ .max = buf->max };
}

void sap_buf_reset(struct sap_buf *buf)
{
	buf->n = 0;
	buf->failed = false;
}

unsigned char *sap_buf_reserve(struct sap_buf *buf, size_t n)
{
	size_t want;
	void *grown;

	if (buf->failed)
		return NULL;
	if (n > buf->max || buf->n > buf->max - n) {
		buf->failed = true;
		return NULL;
	}
	if (n <= buf->cap - buf->n)
		return buf->p + buf->n;
	want = buf->cap ? buf->cap : 256;
	while (want < buf->n + n)
		want = want > SIZE_MAX / 2 ? buf->n + n : want * 2;
	if (want > buf->max)
		want = buf->max;
	grown = realloc(buf->p, want);
	if (!grown) {
		buf->failed = true;
		return NULL;
	}
	buf->p = grown;
	buf->cap = want;
	return buf->p + buf->n;
}

void sap_buf_put(struct sap_buf *buf, const void *p, size_t n)
{
	unsigned char *to;

	if (n == 0)
		return;
	to = sap_buf_reserve(buf, n);
	if (!to)
		return;
	memcpy(to, p, n);
	buf->n += n;
}

void sap_buf_puts(struct sap_buf *buf, struct sap_str s)
{
	sap_buf_put(buf, s.p, s.n);
}

void sap_buf_putc(struct sap_buf *buf, char c)
{
	sap_buf_put(buf, &c, 1);
}

void sap_buf_printf(struct sap_buf *buf, const char *fmt, ...)
{
	char small[256];
	unsigned char *to;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		buf->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		sap_buf_put(buf, small, (size_t)n);
		return;
	}
	to = sap_buf_reserve(buf, (size_t)n + 1);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->n += (size_t)n;
}
