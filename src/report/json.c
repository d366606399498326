/* SPDX-License-Identifier: Apache-2.0 */
#include "report/json.h"

#include "report/utf8.h"

/* Most pieces are short: no call where there is room. */
static inline void put_raw(struct sap_json *json, const void *p, size_t n)
{
	struct sap_buf *out = json->out;

	if (n == 0)
		return;
	if (out->failed || n > out->cap - out->n) {
		sap_buf_put(out, p, n);
		return;
	}
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

#define PUT(json, lit) put_raw((json), (lit), sizeof(lit) - 1)

/* What must be escaped below 0x80: the letter after the backslash, 'u' for \u00XX. */
static const char escapes[128] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',          't',           'n',          'u',
	'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',          'u',           'u',          'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', [0x22] = '"', [0x5c] = '\\', [0x7f] = 'u',
};

static bool plain(unsigned char c)
{
	return c < 0x80 && !escapes[c];
}

static void put_escape(struct sap_json *json, unsigned char c, char how)
{
	static const char hex[] = "0123456789abcdef";
	const char text[] = { '\\', how, '0', '0', hex[c >> 4], hex[c & 15] };

	put_raw(json, text, how == 'u' ? 6 : 2);
}

/* The text without its quotes. False where some of it was no UTF-8. */
static bool put_escaped(struct sap_json *json, struct sap_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t at = 0;
	bool valid = true;

	while (at < s.n) {
		size_t from = at;
		uint32_t code;
		unsigned n;

		while (at < s.n && plain(p[at]))
			at++;
		put_raw(json, p + from, at - from);
		if (at == s.n)
			break;
		if (p[at] < 0x80) {
			put_escape(json, p[at], escapes[p[at]]);
			at++;
			continue;
		}
		n = sap_utf8_next(p + at, s.n - at, &code);
		if (n == 0)
			PUT(json, "\xef\xbf\xbd");
		else if (code < 0xa0)
			put_escape(json, (unsigned char)code, 'u');
		else
			put_raw(json, p + at, n);
		valid = valid && n;
		at += n ? n : 1;
	}
	return valid;
}

static void put_key(struct sap_json *json, const char *key, const char *suffix)
{
	PUT(json, "\"");
	put_escaped(json, sap_str_of(key));
	put_escaped(json, sap_str_of(suffix));
	PUT(json, "\":");
}

/* What stands before a value: a comma, the key. */
static void begin_value(struct sap_json *json, const char *key, const char *suffix)
{
	uint64_t bit = 1ull << json->depth;
	bool in_object = json->depth && !(json->lists & bit);

	if (in_object != (key != NULL) || json->done) {
		json->out->failed = true;
		return;
	}
	if (json->filled & bit) {
		if (json->depth == 1 || (json->depth == 2 && !in_object))
			PUT(json, ",\n");
		else
			PUT(json, ",");
	}
	json->filled |= bit;
	json->done = json->depth == 0;
	if (key)
		put_key(json, key, suffix);
}

void sap_json_init(struct sap_json *json, struct sap_buf *out)
{
	*json = (struct sap_json){ .out = out };
}

static void open_container(struct sap_json *json, const char *key, bool list)
{
	begin_value(json, key, "");
	json->done = false;
	if (json->depth >= SAP_JSON_DEPTH_MAX) {
		json->out->failed = true;
		return;
	}
	if (list)
		PUT(json, "[");
	else
		PUT(json, "{");
	json->depth++;
	json->filled &= ~(1ull << json->depth);
	json->lists &= ~(1ull << json->depth);
	json->lists |= (uint64_t)list << json->depth;
}

void sap_json_object(struct sap_json *json, const char *key)
{
	open_container(json, key, false);
}

void sap_json_list(struct sap_json *json, const char *key)
{
	open_container(json, key, true);
}

void sap_json_close(struct sap_json *json)
{
	if (json->depth == 0) {
		json->out->failed = true;
		return;
	}
	if (json->lists >> json->depth & 1)
		PUT(json, "]");
	else
		PUT(json, "}");
	json->depth--;
	json->done = json->depth == 0;
}

void sap_json_end(struct sap_json *json)
{
	if (!json->done)
		json->out->failed = true;
	PUT(json, "\n");
}

bool sap_json_str(struct sap_json *json, const char *key, struct sap_str s)
{
	bool valid;

	begin_value(json, key, "");
	PUT(json, "\"");
	valid = put_escaped(json, s);
	PUT(json, "\"");
	return valid;
}

void sap_json_text(struct sap_json *json, const char *key, struct sap_str s)
{
	if (s.n == 0)
		return;
	if (!sap_json_str(json, key, s) && key)
		sap_json_bytes(json, key, s);
}

static void put_hex(struct sap_json *json, struct sap_str s)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char *to = sap_buf_reserve(json->out, s.n * 2);

	if (!to)
		return;
	for (size_t i = 0; i < s.n; i++) {
		*to++ = (unsigned char)hex[(unsigned char)s.p[i] >> 4];
		*to++ = (unsigned char)hex[(unsigned char)s.p[i] & 15];
	}
	json->out->n += s.n * 2;
}

void sap_json_hex(struct sap_json *json, const char *key, struct sap_str s)
{
	begin_value(json, key, "");
	PUT(json, "\"");
	put_hex(json, s);
	PUT(json, "\"");
}

void sap_json_bytes(struct sap_json *json, const char *key, struct sap_str s)
{
	begin_value(json, key, "_bytes");
	PUT(json, "\"");
	put_hex(json, s);
	PUT(json, "\"");
}

void sap_json_u64(struct sap_json *json, const char *key, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	begin_value(json, key, "");
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	put_raw(json, digits + at, sizeof(digits) - at);
}

void sap_json_decimal(struct sap_json *json, const char *key, uint64_t v, unsigned places)
{
	char digits[24];
	size_t at = sizeof(digits);
	unsigned done = 0;

	begin_value(json, key, "");
	/* Trailing zeros of the fraction say nothing; one digit always stays before the point. */
	while (done < places && v % 10 == 0) {
		v /= 10;
		done++;
	}
	while (done < places) {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
		if (++done == places)
			digits[--at] = '.';
	}
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v && at);
	sap_buf_puts(json->out, (struct sap_str){ digits + at, sizeof(digits) - at });
}

void sap_json_bool(struct sap_json *json, const char *key, bool v)
{
	begin_value(json, key, "");
	if (v)
		PUT(json, "true");
	else
		PUT(json, "false");
}

void sap_json_null(struct sap_json *json, const char *key)
{
	begin_value(json, key, "");
	PUT(json, "null");
}

void sap_json_ascii(struct sap_json *json, const char *key, struct sap_str s)
{
	begin_value(json, key, "");
	PUT(json, "\"");
	put_raw(json, s.p, s.n);
	PUT(json, "\"");
}
