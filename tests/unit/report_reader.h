/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the test of reports: looking into what came out, and a strict reader of JSON that knows no
 * more than the writer writes.
 */
#ifndef SAP_TESTS_REPORT_READER_H
#define SAP_TESTS_REPORT_READER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "report/report_int.h"
#include "report/utf8.h"

#define BUF_MAX ((size_t)64 << 20)

static bool has(const struct sap_buf *buf, const char *part)
{
	bool found = buf->n && memmem(buf->p, buf->n, part, strlen(part));

	if (!found)
		fprintf(stderr, "no \"%s\" in:\n%.*s\n", part, SAP_FMT(sap_buf_str(buf)));
	return found;
}

static size_t count_of(const struct sap_buf *buf, const char *part)
{
	struct sap_str rest = sap_buf_str(buf);
	size_t n = 0;
	const char *at;

	while (rest.n && (at = memmem(rest.p, rest.n, part, strlen(part)))) {
		rest = sap_str_skip(rest, (size_t)(at - rest.p) + strlen(part));
		n++;
	}
	return n;
}

/* ---- a JSON reader, strict -------------------------------------------------------------- */

struct reader {
	const unsigned char *p;
	size_t n, at;
	struct sap_buf *text; /* the last string, decoded */
};

static int peek(struct reader *r)
{
	while (r->at < r->n && (r->p[r->at] == '\n' || r->p[r->at] == ' '))
		r->at++;
	return r->at < r->n ? r->p[r->at] : -1;
}

static bool take(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (r->n - r->at < n || memcmp(r->p + r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char hex[5] = { 0 };
	unsigned long code;

	if (r->at >= r->n)
		return false;
	if (r->p[r->at] != 'u') {
		at = strchr(from, r->p[r->at++]);
		if (at && *at)
			sap_buf_putc(r->text, to[at - from]);
		return at && *at;
	}
	if (r->n - r->at < 5)
		return false;
	memcpy(hex, r->p + r->at + 1, 4);
	code = strtoul(hex, NULL, 16);
	r->at += 5;
	if (code >= 0x80) { /* the writer escapes C1 only: two bytes */
		sap_buf_putc(r->text, (char)(0xc0 | code >> 6));
		sap_buf_putc(r->text, (char)(0x80 | (code & 0x3f)));
	} else {
		sap_buf_putc(r->text, (char)code);
	}
	return code < 0xa0;
}

static bool read_string(struct reader *r)
{
	if (!take(r, "\""))
		return false;
	sap_buf_reset(r->text);
	while (r->at < r->n && r->p[r->at] != '"') {
		uint32_t code;
		unsigned n;

		if (r->p[r->at] == '\\') {
			r->at++;
			if (!read_escape(r))
				return false;
			continue;
		}
		n = sap_utf8_next(r->p + r->at, r->n - r->at, &code);
		if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
		sap_buf_put(r->text, r->p + r->at, n);
		r->at += n;
	}
	return take(r, "\"");
}

static bool read_value(struct reader *r, unsigned depth);

static bool read_container(struct reader *r, unsigned depth, bool object)
{
	const char *end = object ? "}" : "]";

	r->at++;
	if (peek(r) == *end)
		return take(r, end);
	for (;;) {
		if (object && (peek(r) != '"' || !read_string(r) || !take(r, ":")))
			return false;
		if (!read_value(r, depth + 1))
			return false;
		if (peek(r) == *end)
			return take(r, end);
		if (!take(r, ","))
			return false;
	}
}

static bool read_value(struct reader *r, unsigned depth)
{
	int c = peek(r);
	size_t from = r->at;

	if (depth > 64)
		return false;
	if (c == '{' || c == '[')
		return read_container(r, depth, c == '{');
	if (c == '"')
		return read_string(r);
	if (c >= '0' && c <= '9') {
		while (r->at < r->n && r->p[r->at] >= '0' && r->p[r->at] <= '9')
			r->at++;
		return r->p[from] != '0' || r->at == from + 1;
	}
	return take(r, "true") || take(r, "false") || take(r, "null");
}

static bool is_json(const struct sap_buf *buf, struct sap_buf *text)
{
	struct reader r = { .p = buf->p, .n = buf->n, .text = text };
	bool ok = sap_buf_ok(buf) && read_value(&r, 0) && take(&r, "\n") && r.at == r.n;

	if (!ok)
		fprintf(stderr, "no JSON at %zu of %zu: %.*s\n", r.at, buf->n,
			(int)(r.n - r.at > 80 ? 80 : r.n - r.at), (const char *)buf->p + r.at);
	return ok;
}

static bool valid(const struct sap_buf *buf)
{
	struct sap_buf text;
	bool ok;

	sap_buf_init(&text, BUF_MAX);
	ok = is_json(buf, &text);
	sap_buf_clear(&text);
	return ok;
}

#endif
