/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/toml_int.h"

#include <string.h>

#include "base/buf.h"

void sap_toml_init(struct sap_toml *toml, const char *file, struct sap_str text,
		   struct sap_arena *arena)
{
	*toml = (struct sap_toml){ .file = file, .text = text, .line = 1, .arena = arena };
}

/* ---- bytes ------------------------------------------------------------------------------ */

static int expected(const struct sap_toml *t, const char *what, struct sap_err *err)
{
	return sap_err_format(err, t->at, "%s:%u: %s", t->file, t->line, what);
}

static bool is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* How many bytes the UTF-8 character at p takes; 0: none, overlong or a surrogate. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = p[0] < 0x80   ? 1
			: p[0] < 0xc2 ? 0
			: p[0] < 0xe0 ? 2
			: p[0] < 0xf0 ? 3
			: p[0] < 0xf5 ? 4
				      : 0;
	uint32_t c;

	if (length < 2 || length > n)
		return length > n ? 0 : length;
	c = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return length;
}

/* The byte at hand; 0 at the end (a NUL in the text is refused wherever bytes are taken). */
static char peek(const struct sap_toml *t)
{
	return t->at < t->text.n ? t->text.p[t->at] : '\0';
}

static bool ahead(const struct sap_toml *t, const char *word)
{
	size_t n = strlen(word);

	return t->text.n - t->at >= n && memcmp(t->text.p + t->at, word, n) == 0;
}

/* Steps over one character that may stand in a comment or a string. */
static int take_character(struct sap_toml *t, struct sap_err *err)
{
	const unsigned char *p = (const unsigned char *)t->text.p + t->at;
	size_t n = utf8_length(p, t->text.n - t->at);

	if (n == 0)
		return expected(t, "text that is not UTF-8", err);
	if (is_control(p[0]))
		return expected(t, "a control character; write it as an escape (\\u0000)", err);
	t->at += n;
	return 0;
}

static void skip_blanks(struct sap_toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

/* The end of a line, or of the text. */
static bool take_line_end(struct sap_toml *t)
{
	size_t n = ahead(t, "\n") ? 1 : ahead(t, "\r\n") ? 2 : 0;

	t->at += n;
	t->line += n > 0;
	return n > 0;
}

/* Blanks and a comment, but not the end of the line. */
static int skip_comment(struct sap_toml *t, struct sap_err *err)
{
	int r = 0;

	skip_blanks(t);
	if (peek(t) != '#')
		return 0;
	while (r == 0 && t->at < t->text.n && !ahead(t, "\n") && !ahead(t, "\r\n"))
		r = take_character(t, err);
	return r;
}

/* What is allowed behind a table's name or a value: a comment, then the line ends. */
static int take_rest_of_line(struct sap_toml *t, struct sap_err *err)
{
	int r = skip_comment(t, err);

	if (r < 0)
		return r;
	if (t->at < t->text.n && !take_line_end(t))
		return expected(t, "the line should end here", err);
	return 0;
}

static bool take_bare_key(struct sap_toml *t, struct sap_str *key)
{
	size_t from = t->at;

	while (t->at < t->text.n) {
		char c = t->text.p[t->at];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			break;
		t->at++;
	}
	*key = (struct sap_str){ t->text.p + from, t->at - from };
	return key->n > 0;
}

/* ---- strings ---------------------------------------------------------------------------- */

static void put_utf8(struct sap_buf *out, uint32_t c)
{
	if (c < 0x80) {
		sap_buf_putc(out, (char)c);
	} else if (c < 0x800) {
		sap_buf_putc(out, (char)(0xc0 | c >> 6));
		sap_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		sap_buf_putc(out, (char)(0xe0 | c >> 12));
		sap_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sap_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		sap_buf_putc(out, (char)(0xf0 | c >> 18));
		sap_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		sap_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sap_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

static int take_unicode(struct sap_toml *t, size_t digits, struct sap_buf *out, struct sap_err *err)
{
	uint32_t c = 0;

	if (t->text.n - t->at < digits)
		return expected(t, "an escape that is cut off", err);
	for (size_t i = 0; i < digits; i++) {
		char d = t->text.p[t->at++];
		uint32_t v;

		if (d >= '0' && d <= '9')
			v = (uint32_t)(d - '0');
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			v = (uint32_t)((d | 0x20) - 'a') + 10;
		else
			return expected(t, "an escape with a digit that is not hexadecimal", err);
		c = c << 4 | v;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return expected(t, "an escape that stands for no character", err);
	put_utf8(out, c);
	return 0;
}

/* Behind a backslash. */
static int take_escape(struct sap_toml *t, struct sap_buf *out, struct sap_err *err)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	char c = peek(t);
	const char *known = c ? strchr(from, c) : NULL;

	if (known) {
		t->at++;
		sap_buf_putc(out, to[known - from]);
		return 0;
	}
	if (c != 'u' && c != 'U')
		return expected(t, "an unknown escape; a backslash itself is \\\\", err);
	t->at++;
	return take_unicode(t, c == 'u' ? 4 : 8, out, err);
}

static int keep(struct sap_toml *t, const struct sap_buf *buf, struct sap_str *out,
		struct sap_err *err)
{
	if (!sap_buf_ok(buf) || !sap_arena_str(t->arena, sap_buf_str(buf), out))
		return sap_err_nomem(err);
	return 0;
}

static int take_basic(struct sap_toml *t, struct sap_buf *out, struct sap_err *err)
{
	int r = 0;

	while (r == 0 && t->at < t->text.n && peek(t) != '"') {
		size_t from = t->at;

		if (peek(t) == '\n' || ahead(t, "\r\n"))
			break;
		if (peek(t) == '\\') {
			t->at++;
			r = take_escape(t, out, err);
			continue;
		}
		r = take_character(t, err);
		sap_buf_put(out, t->text.p + from, t->at - from);
	}
	if (r < 0)
		return r;
	return peek(t) == '"' ? 0 : expected(t, "a string without its closing \"", err);
}

static int take_literal(struct sap_toml *t, struct sap_str *out, struct sap_err *err)
{
	size_t from = t->at;
	int r = 0;

	while (r == 0 && t->at < t->text.n && peek(t) != '\'') {
		if (peek(t) == '\n' || ahead(t, "\r\n"))
			break;
		r = take_character(t, err);
	}
	if (r < 0)
		return r;
	if (peek(t) != '\'')
		return expected(t, "a string without its closing '", err);
	*out = (struct sap_str){ t->text.p + from, t->at - from };
	return 0;
}

/* A string whose opening quote is at hand. */
static int take_string(struct sap_toml *t, struct sap_str *out, struct sap_err *err)
{
	struct sap_buf buf;
	char quote = peek(t);
	int r;

	if (ahead(t, "\"\"\"") || ahead(t, "'''"))
		return expected(t, "strings of several lines are not understood here", err);
	t->at++;
	if (quote == '\'') {
		r = take_literal(t, out, err);
	} else {
		sap_buf_init(&buf, t->text.n + 1);
		r = take_basic(t, &buf, err);
		if (r == 0)
			r = keep(t, &buf, out, err);
		sap_buf_clear(&buf);
	}
	t->at += r == 0;
	return r;
}

/* ---- other values ----------------------------------------------------------------------- */

/* Between items of an array: blanks, comments, ends of lines. */
static int skip_space(struct sap_toml *t, struct sap_err *err)
{
	int r;

	do {
		r = skip_comment(t, err);
	} while (r == 0 && take_line_end(t));
	return r;
}

static int take_array(struct sap_toml *t, struct sap_toml_item *item, struct sap_err *err)
{
	struct sap_str *list;
	uint32_t cap = 0;
	int r;

	t->at++;
	for (;;) {
		r = skip_space(t, err);
		if (r < 0)
			return r;
		if (peek(t) == ']')
			break;
		if (peek(t) != '"' && peek(t) != '\'')
			return expected(t, "a string or ']' should stand here", err);
		if (item->n == SAP_TOML_ITEMS_MAX)
			return sap_err_set(err, SAP_ELIMIT, "%s:%u: more than %u items in a list",
					   t->file, t->line, SAP_TOML_ITEMS_MAX);
		if (item->n == cap) {
			cap = cap ? cap * 2 : 4;
			list = sap_arena_array(t->arena, cap, sizeof(*list));
			if (!list)
				return sap_err_nomem(err);
			if (item->n)
				memcpy(list, item->list, item->n * sizeof(*list));
			item->list = list;
		}
		r = take_string(t, &item->list[item->n], err);
		if (r < 0)
			return r;
		item->n++;
		r = skip_space(t, err);
		if (r < 0)
			return r;
		if (peek(t) == ',')
			t->at++;
		else if (peek(t) != ']')
			return expected(t, "',' or ']' should stand here", err);
	}
	t->at++;
	return 0;
}

bool sap_date_parse(struct sap_str text, int64_t *days)
{
	static const uint8_t month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint64_t y, m, d;
	int64_t year, era, of_era, of_year;

	if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
	    !sap_str_u64((struct sap_str){ text.p, 4 }, &y) ||
	    !sap_str_u64((struct sap_str){ text.p + 5, 2 }, &m) ||
	    !sap_str_u64((struct sap_str){ text.p + 8, 2 }, &d))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1)
		return false;
	if (d > month_days[m - 1] &&
	    !(m == 2 && d == 29 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)))
		return false;
	/* Years that begin in March: the leap day is the last. */
	year = (int64_t)y - (m <= 2);
	era = year / 400;
	of_era = year % 400;
	of_year = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + (int64_t)d - 1;
	*days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
	return true;
}

static int take_date(struct sap_toml *t, struct sap_str *out, struct sap_err *err)
{
	size_t from = t->at;
	int64_t days;

	while (t->at < t->text.n && t->at - from < 11 &&
	       ((peek(t) >= '0' && peek(t) <= '9') || peek(t) == '-'))
		t->at++;
	*out = (struct sap_str){ t->text.p + from, t->at - from };
	if (!sap_date_parse(*out, &days)) {
		t->at = from;
		return expected(t, "a date should stand here: YYYY-MM-DD, a day that exists", err);
	}
	return 0;
}

static int take_value(struct sap_toml *t, struct sap_toml_item *item, struct sap_err *err)
{
	char c = peek(t);

	if (c == '"' || c == '\'') {
		item->kind = SAP_TOML_STRING;
		return take_string(t, &item->text, err);
	}
	if (c == '[') {
		item->kind = SAP_TOML_STRINGS;
		return take_array(t, item, err);
	}
	if (c >= '0' && c <= '9') {
		item->kind = SAP_TOML_DATE;
		return take_date(t, &item->text, err);
	}
	return expected(t, "a string in quotes, a date or a list of strings should stand here",
			err);
}

/* ---- lines ------------------------------------------------------------------------------ */

static int take_table(struct sap_toml *t, struct sap_toml_item *item, struct sap_err *err)
{
	if (!ahead(t, "[["))
		return expected(t, "a table should be written with two brackets: [[name]]", err);
	t->at += 2;
	skip_blanks(t);
	if (!take_bare_key(t, &item->name))
		return expected(t, "the name of a table should stand here", err);
	skip_blanks(t);
	if (!ahead(t, "]]"))
		return expected(t, "\"]]\" should stand here", err);
	t->at += 2;
	item->kind = SAP_TOML_TABLE;
	t->in_table = true;
	t->n_keys = 0;
	return take_rest_of_line(t, err);
}

static int take_key(struct sap_toml *t, struct sap_toml_item *item, struct sap_err *err)
{
	int r;

	if (!take_bare_key(t, &item->name))
		return expected(t, "a key of letters, digits, '-' or '_' should stand here", err);
	if (!t->in_table)
		return expected(t, "a key before the first table", err);
	for (uint32_t i = 0; i < t->n_keys; i++) {
		if (sap_str_eq(t->keys[i], item->name))
			return expected(t, "this key stands twice in one table", err);
	}
	if (t->n_keys == SAP_TOML_KEYS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%s:%u: more than %u keys in a table", t->file,
				   t->line, SAP_TOML_KEYS_MAX);
	t->keys[t->n_keys++] = item->name;
	skip_blanks(t);
	if (peek(t) != '=')
		return expected(t, "'=' should stand here", err);
	t->at++;
	skip_blanks(t);
	r = take_value(t, item, err);
	return r < 0 ? r : take_rest_of_line(t, err);
}

int sap_toml_next(struct sap_toml *t, struct sap_toml_item *item, struct sap_err *err)
{
	struct sap_toml_item got = { 0 };
	int r = skip_space(t, err);

	got.line = t->line;
	if (r == 0 && t->at < t->text.n)
		r = peek(t) == '[' ? take_table(t, &got, err) : take_key(t, &got, err);
	if (r < 0)
		return r;
	*item = got;
	return 0;
}
