/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans: the only way to look at bytes that come from outside.
 *
 * A span is a borrowed (pointer, length). All offsets and lengths are 64 bits wide and
 * every access is tested as  off > n || len > n - off,  which cannot overflow. A getter
 * returns false and leaves its output alone when the bytes are not there.
 *
 * struct sap_str is the same thing for text: not terminated, any byte may occur in it,
 * NUL included. p may be NULL only where n is 0.
 */
#ifndef SAP_BASE_SPAN_H
#define SAP_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sap_span {
	const unsigned char *p;
	uint64_t n;
};

struct sap_str {
	const char *p;
	size_t n;
};

/* A literal as a struct sap_str; printf arguments for "%.*s". */
#define SAP_STR(lit) ((struct sap_str){ (lit), sizeof(lit) - 1 })
#define SAP_STR_INIT(lit)              \
	{                              \
		(lit), sizeof(lit) - 1 \
	}
#define SAP_FMT(s) ((int)((s).n > 4096 ? 4096 : (s).n)), ((s).p ? (s).p : "")

static inline struct sap_span sap_span_of(const void *p, uint64_t n)
{
	return (struct sap_span){ p, n };
}

static inline bool sap_span_has(struct sap_span s, uint64_t off, uint64_t len)
{
	return off <= s.n && len <= s.n - off;
}

/* The part [off, off+len) of s. */
static inline bool sap_span_sub(struct sap_span s, uint64_t off, uint64_t len, struct sap_span *out)
{
	if (!sap_span_has(s, off, len))
		return false;
	*out = (struct sap_span){ s.p ? s.p + off : NULL, len };
	return true;
}

static inline bool sap_span_u8(struct sap_span s, uint64_t off, uint8_t *out)
{
	if (!s.p || !sap_span_has(s, off, 1))
		return false;
	*out = s.p[off];
	return true;
}

/* 16, 32 and 64 bit integers; big says the byte order of the input. */
static inline bool sap_span_u16(struct sap_span s, uint64_t off, bool big, uint16_t *out)
{
	uint16_t v;

	if (!s.p || !sap_span_has(s, off, sizeof(v)))
		return false;
	memcpy(&v, s.p + off, sizeof(v));
	*out = big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap16(v);
	return true;
}

static inline bool sap_span_u32(struct sap_span s, uint64_t off, bool big, uint32_t *out)
{
	uint32_t v;

	if (!s.p || !sap_span_has(s, off, sizeof(v)))
		return false;
	memcpy(&v, s.p + off, sizeof(v));
	*out = big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap32(v);
	return true;
}

static inline bool sap_span_u64(struct sap_span s, uint64_t off, bool big, uint64_t *out)
{
	uint64_t v;

	if (!s.p || !sap_span_has(s, off, sizeof(v)))
		return false;
	memcpy(&v, s.p + off, sizeof(v));
	*out = big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap64(v);
	return true;
}

/* The NUL-terminated text at off, without its NUL. False when no NUL follows in s. */
static inline bool sap_span_cstr(struct sap_span s, uint64_t off, struct sap_str *out)
{
	const unsigned char *end;

	if (!s.p || off >= s.n)
		return false;
	end = memchr(s.p + off, '\0', s.n - off);
	if (!end)
		return false;
	*out = (struct sap_str){ (const char *)s.p + off, (size_t)(end - (s.p + off)) };
	return true;
}

static inline struct sap_str sap_str_of(const char *cstr)
{
	return (struct sap_str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool sap_str_eq(struct sap_str a, struct sap_str b)
{
	return a.n == b.n && (a.n == 0 || (a.p && b.p && memcmp(a.p, b.p, a.n) == 0));
}

#define sap_str_is(s, lit) sap_str_eq((s), SAP_STR(lit))

static inline bool sap_str_starts(struct sap_str s, struct sap_str prefix)
{
	return s.n >= prefix.n &&
	       (prefix.n == 0 || (s.p && prefix.p && memcmp(s.p, prefix.p, prefix.n) == 0));
}

static inline bool sap_str_ends(struct sap_str s, struct sap_str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 ||
		(s.p && suffix.p && memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0));
}

/* s without its first n bytes (all of it when n is larger). */
static inline struct sap_str sap_str_skip(struct sap_str s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct sap_str){ s.p ? s.p + n : NULL, s.n - n };
}

/* Bytewise order, a shorter prefix first: <0, 0, >0. */
int sap_str_cmp(struct sap_str a, struct sap_str b);

/* s without blanks (space, tab, CR, LF) at both ends. */
struct sap_str sap_str_trim(struct sap_str s);

/* Cuts s at the first sep: *head is what stands before it, *rest what follows. Without a
 * sep *head is all of s, *rest is empty, and false is returned. */
bool sap_str_cut(struct sap_str s, char sep, struct sap_str *head, struct sap_str *rest);

/* Takes the next line off *text (without its LF). False at the end. */
bool sap_str_line(struct sap_str *text, struct sap_str *line);

/* Takes the next word off *text; words are separated by blanks (space, tab, CR, LF). */
bool sap_str_word(struct sap_str *text, struct sap_str *word);

/* A decimal number without sign that fills all of s and fits in 64 bits. */
bool sap_str_u64(struct sap_str s, uint64_t *out);

/* The part after the last '/', and the part before it ("/" for a file in the root,
 * empty where there is no '/'). */
struct sap_str sap_path_base(struct sap_str path);
struct sap_str sap_path_dir(struct sap_str path);

#endif
