/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/rows.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

enum { FLUSH_AT = 256 * 1024 };

/* The kinds: word, positional fields with their names, and which of them is a list. */
struct kind {
	const char *name;
	const char *args[SAP_ROW_ARGS_MAX];
	uint8_t n;
	uint8_t list; /* number of the list among the fields, from 1; 0: none */
};

static const struct kind kinds[SAP_ROW_KINDS] = {
	[SAP_ROW_SOURCE] = { "source", { "KIND", "NAME" }, 2, 0 },
	[SAP_ROW_RECORD] = { "record", { "ID" }, 1, 0 },
	[SAP_ROW_CLAIM] = { "claim", { "SPACE", "PACKAGE", "STATUS" }, 3, 2 },
	[SAP_ROW_VULNERABILITY] = { "vulnerability", { "ID" }, 1, 0 },
	[SAP_ROW_KEV] = { "kev", { "ID" }, 1, 0 },
	[SAP_ROW_EPSS] = { "epss", { "ID", "SCORE", "PERCENTILE" }, 3, 0 },
	[SAP_ROW_FUNCTION] = { "function", { "ID", "PROJECT", "NAME" }, 3, 0 },
	[SAP_ROW_OBJECT] = { "object", { "BUILD_ID", "SPACE", "PACKAGE", "VERSION" }, 4, 0 },
	[SAP_ROW_VEX] = { "vex", { "ID", "PRODUCT", "STATUS" }, 3, 0 },
	[SAP_ROW_PROBLEM] = { "problem", { "WHERE", "MESSAGE" }, 2, 0 },
	[SAP_ROW_END] = { "end", { "N" }, 1, 0 },
};

/* Attributes whose value is a list, whatever the kind. */
static const struct sap_str list_keys[] = {
	SAP_STR_INIT("alias"),    SAP_STR_INIT("covers"),       SAP_STR_INIT("related"),
	SAP_STR_INIT("versions"), SAP_STR_INIT("arch"),         SAP_STR_INIT("functions"),
	SAP_STR_INIT("basis"),    SAP_STR_INIT("subcomponent"),
};

const char *sap_row_kind_name(enum sap_row_kind kind)
{
	return kind > 0 && kind < SAP_ROW_KINDS ? kinds[kind].name : NULL;
}

/* ---- writing ---------------------------------------------------------------------------- */

void sap_rows_init(struct sap_rows *rows,
		   int (*flush)(void *ctx, struct sap_str lines, struct sap_err *err), void *ctx)
{
	*rows = (struct sap_rows){ .flush = flush, .ctx = ctx };
	sap_buf_init(&rows->buf, FLUSH_AT + SAP_ROW_MAX + 64 * SAP_KIB);
	sap_buf_puts(&rows->buf, SAP_STR(SAP_ROWS_MAGIC "\n"));
}

void sap_rows_clear(struct sap_rows *rows)
{
	sap_buf_clear(&rows->buf);
}

static void fail(struct sap_rows *rows, int code)
{
	if (!rows->failure)
		rows->failure = code;
}

static void flush(struct sap_rows *rows)
{
	if (!rows->failure && rows->buf.n > 0)
		fail(rows, rows->flush(rows->ctx, sap_buf_str(&rows->buf), &rows->err));
	sap_buf_reset(&rows->buf);
}

static void put_plain(struct sap_rows *rows, const char *p, size_t n)
{
	if (n > SAP_ROW_MAX || rows->buf.n - rows->row > SAP_ROW_MAX - n)
		rows->too_long = true;
	if (!rows->too_long)
		sap_buf_put(&rows->buf, p, n);
}

/* What stands for a byte: 0 the byte itself, else the letter after the backslash; NUL and, in
 * a list, the comma are seen to by the caller. */
static char escape_of(char c, bool list)
{
	switch (c) {
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\\':
		return '\\';
	case ',':
		return list ? ',' : 0;
	default:
		return 0;
	}
}

static void put_text(struct sap_rows *rows, struct sap_str s, bool list)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		char e;

		/* All that is special stands before the comma's successor, or is the
		 * backslash. */
		if ((unsigned char)s.p[i] > ',' && s.p[i] != '\\')
			continue;
		e = escape_of(s.p[i], list);
		if (!e && s.p[i] != '\0')
			continue;
		put_plain(rows, s.p + from, i - from);
		if (e)
			put_plain(rows, (const char[]){ '\\', e }, 2);
		from = i + 1;
	}
	put_plain(rows, s.p + from, s.n - from);
}

void sap_rows_begin(struct sap_rows *rows, enum sap_row_kind kind)
{
	rows->row = rows->buf.n;
	rows->too_long = false;
	put_plain(rows, kinds[kind].name, strlen(kinds[kind].name));
}

void sap_rows_arg(struct sap_rows *rows, struct sap_str value)
{
	put_plain(rows, "\t", 1);
	put_text(rows, value, false);
}

static void put_key(struct sap_rows *rows, const char *key)
{
	put_plain(rows, "\t", 1);
	if (!key)
		return;
	put_plain(rows, key, strlen(key));
	put_plain(rows, "=", 1);
}

void sap_rows_attr(struct sap_rows *rows, const char *key, struct sap_str value)
{
	if (value.n == 0)
		return;
	put_key(rows, key);
	put_text(rows, value, false);
}

void sap_rows_list_begin(struct sap_rows *rows, const char *key)
{
	rows->list = key ? rows->buf.n : SIZE_MAX;
	rows->list_items = false;
	put_key(rows, key);
}

void sap_rows_list_item(struct sap_rows *rows, struct sap_str value)
{
	if (value.n == 0)
		return;
	if (rows->list_items)
		put_plain(rows, ",", 1);
	put_text(rows, value, true);
	rows->list_items = true;
}

void sap_rows_list_end(struct sap_rows *rows)
{
	if (!rows->list_items && rows->list != SIZE_MAX && rows->list <= rows->buf.n)
		rows->buf.n = rows->list;
}

void sap_rows_done(struct sap_rows *rows)
{
	if (rows->too_long) {
		struct sap_str head = { (const char *)rows->buf.p + rows->row, 0 }, start;
		char text[160];

		/* The beginning of the row says which it was. */
		head.n = rows->buf.n - rows->row;
		start = (struct sap_str){ text, head.n < 120 ? head.n : 120 };
		if (start.n)
			memcpy(text, head.p, start.n);
		for (size_t i = 0; i < start.n; i++)
			text[i] = text[i] == '\t' ? ' ' : text[i];
		rows->buf.n = rows->row;
		sap_rows_problem(rows, start, "left out: a row of more than %llu MiB",
				 SAP_ROW_MAX / SAP_MIB);
		return;
	}
	sap_buf_putc(&rows->buf, '\n');
	if (!sap_buf_ok(&rows->buf)) {
		if (!rows->failure)
			fail(rows, sap_err_nomem(&rows->err));
		sap_buf_reset(&rows->buf);
		return;
	}
	rows->n++;
	if (rows->buf.n >= FLUSH_AT)
		flush(rows);
}

void sap_rows_problem(struct sap_rows *rows, struct sap_str where, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (where.n > SAP_PATH_MAX)
		where.n = SAP_PATH_MAX;
	sap_rows_begin(rows, SAP_ROW_PROBLEM);
	sap_rows_arg(rows, where);
	sap_rows_arg(rows, n < 0 ? SAP_STR("unknown") : sap_str_of(text));
	sap_rows_done(rows);
}

int sap_rows_end(struct sap_rows *rows, struct sap_err *err)
{
	char n[24];

	snprintf(n, sizeof(n), "%llu", (unsigned long long)rows->n);
	sap_rows_begin(rows, SAP_ROW_END);
	sap_rows_arg(rows, sap_str_of(n));
	sap_rows_done(rows);
	flush(rows);
	if (rows->failure && err)
		*err = rows->err;
	return rows->failure;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* What an escape's letter stands for; 0: it is none. */
static char unescape(char c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case '\\':
	case ',':
		return c;
	default:
		return 0;
	}
}

static bool escapes_valid(struct sap_str s)
{
	for (const char *p; s.n > 0 && (p = memchr(s.p, '\\', s.n));) {
		s = sap_str_skip(s, (size_t)(p - s.p) + 1);
		if (s.n == 0 || !unescape(*s.p))
			return false;
		s = sap_str_skip(s, 1);
	}
	return true;
}

/* s without its escapes, in the arena where it has any. Lenient: what is no escape stays. */
static bool decode(struct sap_str s, struct sap_arena *arena, struct sap_str *out)
{
	char *to;
	size_t n = 0;

	if (!arena || s.n == 0 || !memchr(s.p, '\\', s.n)) {
		*out = s;
		return true;
	}
	to = sap_arena_alloc(arena, s.n);
	if (!to)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && i + 1 < s.n && unescape(s.p[i + 1]))
			c = unescape(s.p[++i]);
		to[n++] = c;
	}
	*out = (struct sap_str){ to, n };
	return true;
}

bool sap_row_key_is_list(struct sap_str key)
{
	for (size_t i = 0; i < sizeof(list_keys) / sizeof(list_keys[0]); i++)
		if (sap_str_eq(list_keys[i], key))
			return true;
	return false;
}

/* The next field of *line; *more says whether a TAB followed it. */
static struct sap_str next_field(struct sap_str *line, bool *more)
{
	struct sap_str field;

	*more = sap_str_cut(*line, '\t', &field, line);
	return field;
}

static int parse_args(struct sap_str *line, bool *more, bool escaped, struct sap_arena *arena,
		      struct sap_row *out, struct sap_err *err)
{
	const struct kind *kind = &kinds[out->kind];

	for (uint8_t i = 0; i < kind->n; i++) {
		struct sap_str field;

		if (!*more)
			return sap_err_format(err, 0, "\"%s\" without field %u (%s)", kind->name,
					      i + 1u, kind->args[i]);
		field = next_field(line, more);
		if (escaped && !escapes_valid(field))
			return sap_err_format(err, 0, "unknown escape in field %u (%s)", i + 1u,
					      kind->args[i]);
		if (!escaped || kind->list == i + 1)
			out->args[i] = field;
		else if (!decode(field, arena, &out->args[i]))
			return sap_err_nomem(err);
	}
	return 0;
}

static int parse_attr(struct sap_str field, bool escaped, struct sap_arena *arena,
		      struct sap_row_attr *out, struct sap_err *err)
{
	struct sap_str value;

	if (!sap_str_cut(field, '=', &out->key, &value) || out->key.n == 0)
		return sap_err_format(err, 0, "\"%.*s\" is no KEY=VALUE",
				      (int)(field.n < 60 ? field.n : 60), field.p ? field.p : "");
	if (escaped && !escapes_valid(value))
		return sap_err_format(err, 0, "unknown escape in \"%.*s\"", SAP_FMT(out->key));
	if (!escaped || sap_row_key_is_list(out->key))
		out->value = value;
	else if (!decode(value, arena, &out->value))
		return sap_err_nomem(err);
	return 0;
}

static int parse_attrs(struct sap_str rest, bool escaped, struct sap_arena *arena,
		       struct sap_row *out, struct sap_err *err)
{
	uint32_t n = 1;
	bool more = true;
	int r;

	for (size_t i = 0; i < rest.n; i++)
		n += rest.p[i] == '\t';
	if (n > SAP_ROW_ATTRS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "more than %u attributes", SAP_ROW_ATTRS_MAX);
	out->attrs = sap_arena_alloc(arena, (uint64_t)n * sizeof(*out->attrs));
	if (!out->attrs)
		return sap_err_nomem(err);
	while (more) {
		struct sap_str field = next_field(&rest, &more);

		if (field.n == 0)
			continue;
		r = parse_attr(field, escaped, arena, &out->attrs[out->n_attrs], err);
		if (r < 0)
			return r;
		out->n_attrs++;
	}
	return 0;
}

static enum sap_row_kind kind_of(struct sap_str word)
{
	for (unsigned k = 1; k < SAP_ROW_KINDS; k++)
		if (sap_str_eq(word, sap_str_of(kinds[k].name)))
			return k;
	return 0;
}

int sap_row_parse(struct sap_str line, struct sap_arena *arena, struct sap_row *out,
		  struct sap_err *err)
{
	struct sap_row row = { 0 };
	struct sap_str word;
	bool more, escaped;
	int r;

	/* A file that went through an editor which ends lines with CR LF. */
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#')
		return sap_err_set(err, SAP_ENOENT, "a comment");
	if (memchr(line.p, '\0', line.n))
		return sap_err_format(err, 0, "a NUL byte in it");
	escaped = memchr(line.p, '\\', line.n) != NULL;
	word = next_field(&line, &more);
	row.kind = kind_of(word);
	if (!row.kind)
		return sap_err_format(err, 0, "\"%.*s\" is no kind of row",
				      word.n < 60 ? (int)word.n : 60, word.p ? word.p : "");
	r = parse_args(&line, &more, escaped, arena, &row, err);
	if (r < 0)
		return r;
	if (more && line.n > 0) {
		row.rest = line;
		r = parse_attrs(line, escaped, arena, &row, err);
		if (r < 0)
			return r;
	}
	*out = row;
	return 0;
}

struct sap_str sap_row_attr(const struct sap_row *row, const char *key)
{
	struct sap_str want = sap_str_of(key);

	for (uint32_t i = 0; i < row->n_attrs; i++)
		if (sap_str_eq(row->attrs[i].key, want))
			return row->attrs[i].value;
	return (struct sap_str){ 0 };
}

bool sap_row_list_next(struct sap_str *list, struct sap_arena *arena, struct sap_str *item)
{
	while (list->n > 0) {
		struct sap_str raw = { list->p, 0 };

		while (raw.n < list->n && list->p[raw.n] != ',')
			raw.n += list->p[raw.n] == '\\' && raw.n + 1 < list->n ? 2 : 1;
		*list = sap_str_skip(*list, raw.n + 1);
		if (raw.n == 0)
			continue;
		/* Memory out: the item as it stands is better than none. */
		if (!decode(raw, arena, item))
			*item = raw;
		return true;
	}
	return false;
}

bool sap_row_rest_next(struct sap_str *rest, struct sap_arena *arena, struct sap_row_attr *out)
{
	while (rest->n > 0) {
		struct sap_str field = *rest, value;
		const char *end;
		size_t n = 0;

		/* Keys are too short for memchr. */
		while (n < field.n && field.p[n] != '=' && field.p[n] != '\t')
			n++;
		*rest = value = sap_str_skip(field, n + 1);
		if (n == field.n || field.p[n] == '\t')
			continue;
		end = value.n && value.p ? memchr(value.p, '\t', value.n) : NULL;
		if (end)
			value.n = (size_t)(end - value.p);
		*rest = sap_str_skip(*rest, value.n + 1);
		if (n == 0)
			continue;
		out->key = (struct sap_str){ field.p, n };
		out->value = value;
		if (arena && value.p && value.n > 0 && memchr(value.p, '\\', value.n) &&
		    !sap_row_key_is_list(out->key))
			(void)decode(value, arena, &out->value);
		return true;
	}
	return false;
}
