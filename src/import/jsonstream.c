/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yajl's events to values. What yajl does not do is done here:
 *
 * - It keeps a token that spans several calls in memory, of any length. The end of each piece
 *   that it gets is looked at: a text that goes on for more than SAP_IMPORT_STRING_MAX bytes
 *   is withheld from then on up to its closing quote. Where the text belongs to a member that
 *   is skipped nothing is lost, else the record is rejected. With each call yajl begins such
 *   a token from its first byte again, so that pieces grow with it.
 * - It cannot go on after a syntax error. A stream of documents (SAP_JSON_WHOLE) begins anew
 *   at the next line that starts with '{', as the records of JSON lines do.
 * - It does not check what malloc gives: an allocation that fails leaves it by longjmp.
 */
#include <setjmp.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

#include "base/limits.h"
#include "import/import_int.h"

enum { PIECE = 64 * 1024 };

/* What the last piece ended in. */
enum token { TOKEN_NONE, TOKEN_TEXT, TOKEN_OTHER };

enum skipping {
	SKIP_NOTHING,
	SKIP_MEMBER, /* a member that is not wanted */
	SKIP_RECORD, /* the rest of a rejected record */
};

struct level {
	struct sap_json *node, *last; /* a container and its last child so far */
};

struct sap_json_stream {
	struct sap_json_options options;
	struct sap_arena own, *arena;
	yajl_handle yajl;
	jmp_buf *nomem;

	struct sap_str *skip; /* the names in options.skip */
	size_t n_skip;
	size_t skip_longest;

	struct level *levels; /* open containers of the record */
	uint32_t depth;       /* open containers of the document */
	uint32_t base;        /* open containers around a record */
	uint32_t skip_depth;  /* when depth is this again skipping ends */
	enum skipping skipping;
	bool skip_next; /* the value that comes next is that of a skipped member */
	bool reading;   /* a record is */
	bool cut;       /* the text that comes next was withheld in part */
	struct sap_str key;
	struct sap_json *root;
	struct sap_str root_key;
	const char *reason; /* why the record is rejected */
	uint64_t size;      /* text of the record */
	uint64_t number;    /* of the record */
	uint64_t done;      /* records that were complete */
	uint64_t broken;    /* syntax errors that were survived */

	uint64_t offset; /* of the piece at hand, in the whole input */
	size_t at;       /* end of the last token in the piece at hand */
	bool any;        /* there was one */
	enum token token;
	uint64_t token_n; /* bytes of it so far */
	unsigned escape;  /* 0: not in an escape sequence */
	bool withholding;
	bool searching; /* for a line to go on with */
	char before;    /* the byte before the piece at hand */
	int rc;         /* what stopped the parser */
	struct sap_err err;
};

/* ---- yajl's memory ---------------------------------------------------------------------- */

static void *checked(struct sap_json_stream *s, void *p)
{
	if (!p && s->nomem)
		longjmp(*s->nomem, 1);
	return p;
}

static void *yajl_get(void *ctx, size_t n)
{
	return checked(ctx, malloc(n));
}

static void *yajl_grow(void *ctx, void *p, size_t n)
{
	return checked(ctx, realloc(p, n));
}

static void yajl_give(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* ---- records ---------------------------------------------------------------------------- */

static int stop(struct sap_json_stream *s, int rc)
{
	s->rc = rc;
	return 0;
}

static void begin_record(struct sap_json_stream *s, struct sap_str key)
{
	s->reading = true;
	s->number++;
	s->size = 0;
	s->reason = NULL;
	s->root = NULL;
	s->root_key = key;
}

static int end_record(struct sap_json_stream *s)
{
	const struct sap_json_options *o = &s->options;
	int rc;

	s->reading = false;
	s->skipping = SKIP_NOTHING;
	if (!s->reason)
		rc = o->record(o->ctx, s->root, s->number, &s->err);
	else if (o->rejected)
		rc = o->rejected(o->ctx, s->number, s->root_key, sap_str_of(s->reason), &s->err);
	else
		rc = sap_err_set(&s->err, SAP_ELIMIT, "record %llu: %s",
				 (unsigned long long)s->number, s->reason);
	s->done++;
	s->size = 0;
	s->key = (struct sap_str){ 0 };
	if (s->arena == &s->own)
		sap_arena_reset(s->arena);
	return rc < 0 ? stop(s, rc) : 1;
}

/* Leaves the record out. Its containers are still to be closed. */
static int reject(struct sap_json_stream *s, const char *reason)
{
	s->reason = reason;
	s->skipping = SKIP_RECORD;
	s->skip_depth = s->base;
	return s->depth == s->base ? end_record(s) : 1;
}

/* Memory for the record, or NULL: *why is the reason to reject it, or NULL too (no memory). */
static void *get(struct sap_json_stream *s, uint64_t n, const char **why)
{
	void *p = sap_arena_alloc(s->arena, n);

	/* The alignment of allocations counts against the ceiling. */
	*why = p || n + 16 <= s->arena->max - s->arena->used ? NULL : "it has too many values";
	return p;
}

/* A new value in its place in the tree; NULL as above. */
static struct sap_json *add(struct sap_json_stream *s, enum sap_json_kind kind, struct sap_str text,
			    const char **why)
{
	bool whole = s->depth == s->base;
	struct level *up = whole ? NULL : &s->levels[s->depth - s->base - 1];
	struct sap_json *v;
	char *copy;

	if (whole)
		begin_record(s, s->key);
	s->size += text.n + s->key.n;
	*why = "it is too large";
	if (s->size > s->options.record_max)
		return NULL;
	v = get(s, sizeof(*v) + text.n, why);
	if (!v)
		return NULL;
	copy = (char *)(v + 1);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	*v = (struct sap_json){ .kind = kind, .key = s->key, .text = { copy, text.n } };
	s->key = (struct sap_str){ 0 };
	if (whole) {
		s->root = v;
	} else {
		if (up->last)
			up->last->next = v;
		else
			up->node->first = v;
		up->last = v;
		up->node->n++;
	}
	return v;
}

/* ---- yajl's events ---------------------------------------------------------------------- */

/* Whether the value at hand is none of ours. *result is then what the callback returns. */
static bool passed_over(struct sap_json_stream *s)
{
	s->at = yajl_get_bytes_consumed(s->yajl);
	s->any = true;
	if (s->skipping != SKIP_NOTHING)
		return true;
	if (!s->skip_next)
		return false;
	s->skip_next = false;
	return true;
}

/* A document that is not of the kind that its records are cut from. */
static int wrong_root(struct sap_json_stream *s)
{
	return stop(s, sap_err_format(&s->err, s->offset, "an %s was expected at byte %llu",
				      s->options.split == SAP_JSON_MEMBERS ? "object" : "array",
				      (unsigned long long)s->offset));
}

static int scalar(struct sap_json_stream *s, enum sap_json_kind kind, struct sap_str text)
{
	const char *why = "one of its texts is too long";
	struct sap_json *v = NULL;
	bool cut = s->cut;

	s->cut = false;
	if (passed_over(s))
		return 1;
	if (s->depth < s->base)
		return wrong_root(s);
	if (!cut)
		v = add(s, kind, text, &why);
	else if (s->depth == s->base)
		begin_record(s, s->key);
	if (!v)
		return why ? reject(s, why) : stop(s, sap_err_nomem(&s->err));
	return s->depth == s->base ? end_record(s) : 1;
}

static int open_container(struct sap_json_stream *s, enum sap_json_kind kind)
{
	enum sap_json_kind root =
		s->options.split == SAP_JSON_MEMBERS ? SAP_JSON_OBJECT : SAP_JSON_ARRAY;
	bool member = s->skip_next;
	uint32_t depth = s->depth; /* around it */
	const char *why;
	struct sap_json *v;

	if (depth >= SAP_IMPORT_NESTING_MAX)
		return stop(s, sap_err_set(&s->err, SAP_ELIMIT, "more than %u values inside values",
					   SAP_IMPORT_NESTING_MAX));
	if (passed_over(s)) {
		if (member && s->skipping == SKIP_NOTHING) {
			s->skipping = SKIP_MEMBER;
			s->skip_depth = depth;
		}
		s->depth++;
		return 1;
	}
	if (depth < s->base) {
		s->depth++;
		return kind == root ? 1 : wrong_root(s);
	}
	v = add(s, kind, (struct sap_str){ 0 }, &why);
	s->depth++;
	if (v && depth - s->base >= s->options.depth_max)
		why = "its values are nested too deeply";
	else if (v)
		s->levels[depth - s->base] = (struct level){ v, NULL };
	if (why)
		return reject(s, why);
	return v ? 1 : stop(s, sap_err_nomem(&s->err));
}

static int close_container(struct sap_json_stream *s)
{
	s->at = yajl_get_bytes_consumed(s->yajl);
	s->any = true;
	s->depth--;
	if (s->skipping != SKIP_NOTHING) {
		if (s->depth != s->skip_depth)
			return 1;
		if (s->skipping == SKIP_MEMBER) {
			s->skipping = SKIP_NOTHING;
			return 1;
		}
	}
	return s->reading && s->depth == s->base ? end_record(s) : 1;
}

static int on_null(void *ctx)
{
	return scalar(ctx, SAP_JSON_NULL, (struct sap_str){ 0 });
}

static int on_boolean(void *ctx, int value)
{
	return scalar(ctx, SAP_JSON_BOOL, value ? SAP_STR("true") : SAP_STR("false"));
}

static int on_number(void *ctx, const char *p, size_t n)
{
	return scalar(ctx, SAP_JSON_NUMBER, (struct sap_str){ p, n });
}

static int on_string(void *ctx, const unsigned char *p, size_t n)
{
	return scalar(ctx, SAP_JSON_STRING, (struct sap_str){ (const char *)p, n });
}

static bool unwanted(const struct sap_json_stream *s, struct sap_str key)
{
	if (key.n > s->skip_longest)
		return false;
	for (size_t i = 0; i < s->n_skip; i++) {
		if (s->skip[i].n == key.n && key.n > 0 && s->skip[i].p[0] == key.p[0] &&
		    sap_str_eq(s->skip[i], key))
			return true;
	}
	return false;
}

static int on_key(void *ctx, const unsigned char *p, size_t n)
{
	struct sap_json_stream *s = ctx;
	struct sap_str key = { (const char *)p, n };
	bool cut = s->cut;
	const char *why;
	char *copy;

	s->cut = false;
	s->at = yajl_get_bytes_consumed(s->yajl);
	s->any = true;
	if (s->skipping != SKIP_NOTHING)
		return 1;
	if (cut || s->size + n > s->options.record_max) {
		if (s->reading)
			return reject(s, "the name of a member is too long");
		return stop(s,
			    sap_err_set(&s->err, SAP_ELIMIT, "the name of a record is too long"));
	}
	if (s->depth > s->base && unwanted(s, key)) {
		s->skip_next = true;
		return 1;
	}
	copy = get(s, n, &why);
	if (!copy)
		return why && s->reading ? reject(s, why) : stop(s, sap_err_nomem(&s->err));
	if (n > 0)
		memcpy(copy, p, n);
	s->key = (struct sap_str){ copy, n };
	return 1;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, SAP_JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, SAP_JSON_ARRAY);
}

static int on_end(void *ctx)
{
	return close_container(ctx);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

/* ---- the stream ------------------------------------------------------------------------- */

/* A parser in its first state. */
static int start_parser(struct sap_json_stream *s, struct sap_err *err)
{
	yajl_alloc_funcs memory = { yajl_get, yajl_grow, yajl_give, s };
	jmp_buf nomem;

	if (s->yajl)
		yajl_free(s->yajl);
	s->yajl = NULL;
	s->nomem = &nomem;
	if (setjmp(nomem)) {
		s->nomem = NULL;
		return sap_err_nomem(err);
	}
	s->yajl = yajl_alloc(&callbacks, &memory, s);
	yajl_config(s->yajl, yajl_allow_multiple_values, 1);
	/* A wrong byte in a description must not cost the record. */
	yajl_config(s->yajl, yajl_dont_validate_strings, 1);
	s->nomem = NULL;
	s->depth = 0;
	s->reading = s->skip_next = s->cut = s->withholding = false;
	s->skipping = SKIP_NOTHING;
	s->key = (struct sap_str){ 0 };
	s->token = TOKEN_NONE;
	s->token_n = 0;
	s->escape = 0;
	return 0;
}

static int list_skipped(struct sap_json_stream *s, struct sap_err *err)
{
	size_t n = 0;

	while (s->options.skip && s->options.skip[n])
		n++;
	s->skip = calloc(n ? n : 1, sizeof(*s->skip));
	if (!s->skip)
		return sap_err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		s->skip[i] = sap_str_of(s->options.skip[i]);
		if (s->skip[i].n > s->skip_longest)
			s->skip_longest = s->skip[i].n;
	}
	s->n_skip = n;
	return 0;
}

static int new_stream(const struct sap_json_options *options, struct sap_arena *arena,
		      struct sap_json_stream **out, struct sap_err *err)
{
	struct sap_json_stream *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return sap_err_nomem(err);
	s->options = *options;
	if (s->options.record_max == 0)
		s->options.record_max = SAP_IMPORT_RECORD_MAX;
	if (s->options.depth_max == 0 || s->options.depth_max > SAP_IMPORT_DEPTH_MAX)
		s->options.depth_max = SAP_IMPORT_DEPTH_MAX;
	s->base = options->split == SAP_JSON_WHOLE ? 0 : 1;
	/* Nodes take more than their text: "0," is two bytes of input and sixty of memory. */
	sap_arena_init(&s->own, s->options.record_max * 5 / 2);
	s->arena = arena ? arena : &s->own;
	s->levels = calloc(s->options.depth_max, sizeof(*s->levels));
	rc = s->levels ? list_skipped(s, err) : sap_err_nomem(err);
	if (rc == 0)
		rc = start_parser(s, err);
	if (rc < 0) {
		sap_json_stream_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int sap_json_stream_new(const struct sap_json_options *options, struct sap_json_stream **out,
			struct sap_err *err)
{
	return new_stream(options, NULL, out, err);
}

void sap_json_stream_free(struct sap_json_stream *s)
{
	if (!s)
		return;
	if (s->yajl)
		yajl_free(s->yajl);
	sap_arena_clear(&s->own);
	free(s->levels);
	free(s->skip);
	free(s);
}

/* What yajl says of a syntax error, as one line. */
static int syntax_error(struct sap_json_stream *s, size_t at)
{
	unsigned char *text = yajl_get_error(s->yajl, 0, NULL, 0);
	struct sap_str why = sap_str_trim(sap_str_of((const char *)text));
	int rc = sap_err_format(&s->err, s->offset + at, "no JSON at byte %llu: %.*s",
				(unsigned long long)(s->offset + at), SAP_FMT(why));

	yajl_free_error(s->yajl, text);
	return rc;
}

/* Runs yajl over a piece, or (end) tells it that there is no more. 0, or what the callbacks or the syntax say, with
 * its text in s->err; s->rc is 0 where it was the syntax. */
static int run(struct sap_json_stream *s, const unsigned char *p, size_t n, bool end)
{
	jmp_buf nomem;
	yajl_status status;

	s->rc = 0;
	s->nomem = &nomem;
	if (setjmp(nomem)) {
		s->nomem = NULL;
		return s->rc = sap_err_nomem(&s->err);
	}
	status = end ? yajl_complete_parse(s->yajl) : yajl_parse(s->yajl, p, n);
	if (status != yajl_status_ok && s->rc == 0)
		syntax_error(s, end ? 0 : yajl_get_bytes_consumed(s->yajl));
	s->nomem = NULL;
	return s->rc < 0 ? s->rc : status == yajl_status_ok ? 0 : SAP_EFORMAT;
}

static int failed(const struct sap_json_stream *s, int rc, struct sap_err *err)
{
	if (err)
		*err = s->err;
	return rc;
}

/* The state of escape sequences behind these bytes of a text: 1 after the backslash, 2 to 5
 * while hexadecimal digits are due. */
static unsigned escape_after(unsigned state, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (state == 0)
			state = p[i] == '\\';
		else if (state == 1)
			state = p[i] == 'u' ? 2 : 0;
		else
			state = (state + 1) % 6;
	}
	return state;
}

/* Which token goes on beyond this piece, and how long it is by now. */
static void look_at_end(struct sap_json_stream *s, const unsigned char *p, size_t n)
{
	size_t i = s->any ? s->at : 0;

	if (s->any || s->token == TOKEN_NONE) {
		s->token = TOKEN_NONE;
		s->token_n = 0;
		s->escape = 0;
		while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n' ||
				 p[i] == ',' || p[i] == ':'))
			i++;
		if (i == n)
			return;
		s->token = p[i] == '"' ? TOKEN_TEXT : TOKEN_OTHER;
		i++;
	}
	s->token_n += n - i;
	if (s->token == TOKEN_TEXT)
		s->escape = escape_after(s->escape, p + i, n - i);
}

/* Bytes of the rest of a text that is too long, up to its quote. */
static size_t withhold(struct sap_json_stream *s, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->escape == 0 && p[i] == '"') {
			s->withholding = false;
			s->cut = true;
			return i;
		}
		s->escape = escape_after(s->escape, p + i, 1);
	}
	return n;
}

/* Bytes before the next line that begins with '{'. */
static size_t search(struct sap_json_stream *s, const unsigned char *p, size_t n)
{
	char before = s->before;

	for (size_t i = 0; i < n; i++) {
		if (before == '\n' && p[i] == '{') {
			s->searching = false;
			return i;
		}
		before = (char)p[i];
	}
	return n;
}

/* After a syntax error: whether the stream may begin anew. */
static int survive(struct sap_json_stream *s, struct sap_err *err)
{
	const struct sap_json_options *o = &s->options;

	if (o->split != SAP_JSON_WHOLE || !o->rejected)
		return failed(s, SAP_EFORMAT, err);
	if (++s->broken > SAP_IMPORT_BROKEN_MAX)
		return sap_err_format(err, s->offset, "no JSON: more than %u errors of syntax",
				      SAP_IMPORT_BROKEN_MAX);
	s->searching = true;
	if (!s->reading)
		s->number++;
	return 0;
}

/* The parser begins anew; what it lost is told. */
static int begin_anew(struct sap_json_stream *s, struct sap_err *err)
{
	const struct sap_json_options *o = &s->options;
	int rc =
		o->rejected(o->ctx, s->number, (struct sap_str){ 0 }, sap_str_of(s->err.text), err);

	if (s->arena == &s->own)
		sap_arena_reset(s->arena);
	return rc < 0 ? rc : start_parser(s, err);
}

/* *n: bytes of it that were used. */
static int feed_piece(struct sap_json_stream *s, const unsigned char *p, size_t *n,
		      struct sap_err *err)
{
	int rc;

	s->any = false;
	s->at = 0;
	rc = run(s, p, *n, false);
	if (rc < 0 && s->rc == 0) {
		/* The token that does not fit may begin a line: it is looked at again. One that
		 * did fit is not, so that there is always progress. */
		*n = yajl_get_bytes_consumed(s->yajl);
		if (*n > s->at)
			*n -= 1;
		return survive(s, err);
	}
	if (rc < 0)
		return failed(s, rc, err);
	look_at_end(s, p, *n);
	if (s->token_n <= SAP_IMPORT_STRING_MAX)
		return 0;
	if (s->token == TOKEN_OTHER)
		return sap_err_format(err, s->offset, "no JSON at byte %llu: a number without end",
				      (unsigned long long)s->offset);
	s->withholding = s->escape == 0;
	return 0;
}

int sap_json_stream_feed(struct sap_json_stream *s, const void *bytes, size_t n,
			 struct sap_err *err)
{
	const unsigned char *p = bytes;

	while (n > 0) {
		size_t k = s->token_n > PIECE ? s->token_n : PIECE;
		int rc = 0;

		if (k > n)
			k = n;
		if (s->searching) {
			k = search(s, p, n);
			if (!s->searching)
				rc = begin_anew(s, err);
		} else if (s->withholding) {
			k = withhold(s, p, n);
		} else {
			/* A byte at a time to where an escape sequence is complete. */
			if (s->token == TOKEN_TEXT && s->token_n > SAP_IMPORT_STRING_MAX)
				k = 1;
			rc = feed_piece(s, p, &k, err);
		}
		if (rc < 0)
			return rc;
		if (k > 0)
			s->before = (char)p[k - 1];
		s->offset += k;
		p += k;
		n -= k;
	}
	return 0;
}

int sap_json_stream_finish(struct sap_json_stream *s, struct sap_err *err)
{
	int rc;

	if (s->searching) {
		s->searching = false;
		if (s->done > 0)
			return begin_anew(s, err);
		return failed(s, SAP_EFORMAT, err);
	}
	if (s->withholding)
		return sap_err_format(err, s->offset, "it ends inside a text");
	if (s->offset == 0)
		return 0;
	rc = run(s, NULL, 0, true);
	return rc < 0 ? failed(s, rc, err) : 0;
}

/* ---- the beginning of a document -------------------------------------------------------- */

static int first_only(void *ctx, const struct sap_json *value, uint64_t number, struct sap_err *err)
{
	(void)number;
	(void)err;
	*(const struct sap_json **)ctx = value;
	return SAP_ENOENT; /* seen enough */
}

int sap_json_head(struct sap_str bytes, struct sap_arena *arena, const struct sap_json **root,
		  struct sap_err *err)
{
	const struct sap_json *whole = NULL;
	const struct sap_json_options options = { .split = SAP_JSON_WHOLE,
						  .record = first_only,
						  .ctx = &whole };
	struct sap_json_stream *s;
	int rc = new_stream(&options, arena, &s, err);

	if (rc < 0)
		return rc;
	rc = sap_json_stream_feed(s, bytes.p, bytes.n, err);
	*root = whole ? whole : s->root;
	sap_json_stream_free(s);
	return rc == SAP_ENOMEM || rc == SAP_EFORMAT ? rc : 0;
}
