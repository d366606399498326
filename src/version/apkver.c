/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of apk-tools (Alpine, Wolfi ...), apk-package(5):
 *
 *     number{.number}...[letter]{_suffix[number]}...[~hash][-rnumber]
 *
 *     before the version itself   _alpha < _beta < _pre < _rc
 *     after it                    _cvs < _svn < _git < _hg < _p
 *
 * The first difference decides, between: a suffix of before < the end < -r < ~hash < the number
 * of a suffix < a suffix of after < a letter < one more number. Numbers by value; only those
 * after the first '.' are compared as text where one of the two starts with 0, as fractions
 * are (1.1 > 1.01 > 1.009). The hash is hexadecimal, bytewise.
 *
 * Valid is every text without blanks and control bytes that starts with a digit. What does not
 * fit the format (1.0bc, 23_foo) is compared as far as it does, as apk-tools does; the rest stands
 * before the end and after a suffix of before, bytewise.
 */
#include "version/evr_int.h"

/* In the order of the comparison. */
enum kind { BEFORE, BAD, END, REVISION, HASH, SUFFIX_NUMBER, AFTER, LETTER, NUMBER, FIRST };

struct token {
	enum kind kind;
	int suffix; /* of BEFORE and AFTER: its place in the row */
	struct sap_str text;
};

static const struct {
	struct sap_str name;
	enum kind kind;
} suffixes[] = {
	{ SAP_STR_INIT("alpha"), BEFORE }, { SAP_STR_INIT("beta"), BEFORE },
	{ SAP_STR_INIT("pre"), BEFORE },   { SAP_STR_INIT("rc"), BEFORE },
	{ SAP_STR_INIT("cvs"), AFTER },    { SAP_STR_INIT("svn"), AFTER },
	{ SAP_STR_INIT("git"), AFTER },    { SAP_STR_INIT("hg"), AFTER },
	{ SAP_STR_INIT("p"), AFTER },
};

static inline bool is_small(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool is_hex(char c)
{
	return sap_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static struct token digits(enum kind kind, struct sap_str *s)
{
	struct token token = { kind, 0, sap_evr_take(s, sap_digit) };

	if (token.text.n == 0)
		token.kind = BAD;
	return token;
}

static struct token suffix(struct sap_str *s)
{
	struct token token = { BAD, 0, sap_evr_take(s, is_small) };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (sap_str_eq(token.text, suffixes[i].name)) {
			token.kind = suffixes[i].kind;
			token.suffix = (int)i;
			break;
		}
	}
	return token;
}

static struct token hash(struct sap_str *s)
{
	struct token token = { HASH, 0, sap_evr_take(s, is_hex) };

	if (token.text.n == 0)
		token.kind = BAD;
	return token;
}

/* The token at the start of *s, which is not empty, taken off it where it may follow one of
 * kind last. */
static struct token token_take(struct sap_str *s, enum kind last)
{
	bool in_numbers = last == FIRST || last == NUMBER;
	bool at_end = last == HASH || last == REVISION;
	struct token token = { LETTER, 0, { s->p, 1 } };
	char c = *s->p;

	if (sap_digit(c) && (last == BEFORE || last == AFTER))
		return digits(SUFFIX_NUMBER, s);
	sap_evr_skip(s, 1);
	if (is_small(c) && in_numbers)
		return token;
	if (c == '.' && in_numbers)
		return digits(NUMBER, s);
	if (c == '_' && !at_end)
		return suffix(s);
	if (c == '~' && !at_end)
		return hash(s);
	if (c == '-' && last != REVISION && s->n > 0 && *s->p == 'r') {
		sap_evr_skip(s, 1);
		return digits(REVISION, s);
	}
	token.kind = BAD;
	return token;
}

static inline struct token next(struct sap_str *s, enum kind last)
{
	const struct sap_str all = *s;
	struct token token = { END, 0, all };

	if (all.n > 0)
		token = token_take(s, last);
	if (token.kind == BAD)
		token.text = all;
	return token;
}

static bool apk_valid(struct sap_str v)
{
	return sap_digit(*v.p) && sap_evr_clean(v);
}

static int token_cmp(const struct token *a, const struct token *b)
{
	switch (a->kind) {
	case NUMBER:
		if (*a->text.p == '0' || *b->text.p == '0')
			return sap_str_cmp(a->text, b->text);
		return sap_digits_cmp(a->text, b->text);
	case FIRST:
	case SUFFIX_NUMBER:
	case REVISION:
		return sap_digits_cmp(a->text, b->text);
	case BEFORE:
	case AFTER:
		return a->suffix - b->suffix;
	default:
		return sap_str_cmp(a->text, b->text);
	}
}

static int apk_cmp(struct sap_str a, struct sap_str b)
{
	struct token x = digits(FIRST, &a), y = digits(FIRST, &b);

	while (x.kind == y.kind && x.kind != END) {
		int r = token_cmp(&x, &y);

		if (r != 0 || x.kind == BAD)
			return r;
		x = next(&a, x.kind);
		y = next(&b, y.kind);
	}
	return (x.kind > y.kind) - (x.kind < y.kind);
}

const struct sap_version_rules sap_version_apk = { .valid = apk_valid, .cmp = apk_cmp };
