/* SPDX-License-Identifier: Apache-2.0 */
/* JSON cut into records: kinds, skipped members, limits, pieces of any size, broken lines. */
#include "import/jsontree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "check.h"
#include "import/import_int.h"

/* What came: records as text, "!KEY" for rejected ones; each ends with ";". */
struct seen {
	struct sap_buf text;
	uint64_t records, rejected;
	char reason[SAP_ERR_TEXT_MAX];
	int answer;
};

static void put_value(struct sap_buf *out, const struct sap_json *v)
{
	static const char open[] = { [SAP_JSON_ARRAY] = '[', [SAP_JSON_OBJECT] = '{' };

	if (v->key.n > 0) {
		sap_buf_puts(out, v->key);
		sap_buf_putc(out, ':');
	}
	if (v->kind < SAP_JSON_ARRAY) {
		sap_buf_puts(out, v->kind == SAP_JSON_NULL ? SAP_STR("null") : v->text);
		return;
	}
	sap_buf_putc(out, open[v->kind]);
	for (const struct sap_json *m = v->first; m; m = m->next) {
		put_value(out, m);
		if (m->next)
			sap_buf_putc(out, ',');
	}
	sap_buf_putc(out, (char)(open[v->kind] + 2));
}

static int on_record(void *ctx, const struct sap_json *value, uint64_t number, struct sap_err *err)
{
	struct seen *seen = ctx;

	(void)number;
	seen->records++;
	if (seen->text.n < SAP_MIB)
		put_value(&seen->text, value);
	sap_buf_putc(&seen->text, ';');
	return seen->answer < 0 ? sap_err_set(err, seen->answer, "told to stop") : 0;
}

static int on_rejected(void *ctx, uint64_t number, struct sap_str key, struct sap_str reason,
		       struct sap_err *err)
{
	struct seen *seen = ctx;

	(void)number;
	(void)err;
	seen->rejected++;
	sap_buf_printf(&seen->text, "!%.*s;", SAP_FMT(key));
	snprintf(seen->reason, sizeof(seen->reason), "%.*s", SAP_FMT(reason));
	return 0;
}

static const char *const skip[] = { "details", "references", NULL };

/* Feeds the text in pieces of the given size; the code of the first failure. */
static int read_json(struct sap_str text, size_t piece, enum sap_json_split split, bool lenient,
		     struct seen *seen, struct sap_err *err)
{
	struct sap_json_options options = { .split = split,
					    .skip = skip,
					    .record = on_record,
					    .rejected = lenient ? on_rejected : NULL,
					    .ctx = seen };
	struct sap_json_stream *s;
	int rc;

	sap_buf_init(&seen->text, 16 * SAP_MIB);
	rc = sap_json_stream_new(&options, &s, err);
	while (rc == 0 && text.n > 0) {
		size_t n = text.n < piece ? text.n : piece;

		rc = sap_json_stream_feed(s, text.p, n, err);
		text = sap_str_skip(text, n);
	}
	if (rc == 0)
		rc = sap_json_stream_finish(s, err);
	sap_json_stream_free(s);
	return rc;
}

static void expect(int line, const char *text, enum sap_json_split split, int code,
		   const char *want)
{
	const size_t sizes[] = { 1, 2, 3, 7, 100000 };

	for (size_t i = 0; i < 5; i++) {
		struct seen seen = { 0 };
		struct sap_err err = { 0 };
		int rc = read_json(sap_str_of(text), sizes[i], split, true, &seen, &err);

		if (!check_int(__FILE__, line, err.text, rc, code) ||
		    !check_str(__FILE__, line, text, sap_buf_str(&seen.text), sap_str_of(want)))
			i = 5;
		sap_buf_clear(&seen.text);
	}
}

#define EXPECT(text, split, code, want) expect(__LINE__, text, SAP_JSON_##split, code, want)

static void test_values(void)
{
	EXPECT("{\"a\": [1, -2.5e3, true, false, null, \"x\\ty\\u00e9\"], \"b\": {}}", WHOLE, 0,
	       "{a:[1,-2.5e3,true,false,null,x\ty\xc3\xa9],b:{}};");
	EXPECT("", WHOLE, 0, "");
	EXPECT("1 2\n\"three\"", WHOLE, 0, "1;2;three;");
	EXPECT("[]", WHOLE, 0, "[];");
	EXPECT("{\"a\":1}{\"a\":2}\n{\"a\":3}\n", WHOLE, 0, "{a:1};{a:2};{a:3};");
	/* Wrong UTF-8 is no reason to lose the record. */
	EXPECT("{\"a\":\"\xff\xfe\"}", WHOLE, 0, "{a:\xff\xfe};");
}

static void test_splits(void)
{
	EXPECT("{\"p\": {\"x\": 1}, \"q\": 2, \"r\": []}", MEMBERS, 0, "p:{x:1};q:2;r:[];");
	EXPECT("[{\"x\": 1}, 2, [3, [4]]]", ELEMENTS, 0, "{x:1};2;[3,[4]];");
	EXPECT("{}", MEMBERS, 0, "");
	EXPECT("[]", MEMBERS, SAP_EFORMAT, "");
	EXPECT("{}", ELEMENTS, SAP_EFORMAT, "");
	EXPECT("12 ", ELEMENTS, SAP_EFORMAT, "");
	EXPECT("[1, 2", ELEMENTS, SAP_EFORMAT, "1;2;");
	EXPECT("[1, x, 2]", ELEMENTS, SAP_EFORMAT, "1;");
}

static void test_skipping(void)
{
	EXPECT("{\"details\": \"long\", \"a\": 1, \"references\": [{\"a\": [1]}], \"b\": 2}", WHOLE,
	       0, "{a:1,b:2};");
	EXPECT("{\"a\": {\"details\": {\"details\": {}}, \"c\": 3}, \"details\": 1}", WHOLE, 0,
	       "{a:{c:3}};");
	/* The name of a record is no member of it. */
	EXPECT("{\"details\": {\"details\": 1, \"a\": 2}}", MEMBERS, 0, "details:{a:2};");
}

static void test_broken_lines(void)
{
	EXPECT("{\"a\":1}\n{\"a\":\n{\"a\":3}\n{\"a\":4}\n", WHOLE, 0, "{a:1};!;{a:4};");
	EXPECT("{\"a\":1}\n{\"a\":x}\n{\"a\":3}\n", WHOLE, 0, "{a:1};!;{a:3};");
	EXPECT("{bad}\n{\"a\":2}\n", WHOLE, 0, "!;{a:2};");
	EXPECT("{\"a\":1}\n}}}\n{\"a\":2}\n", WHOLE, 0, "{a:1};!;{a:2};");
	EXPECT("{\"a\":1}\nnonsense\n", WHOLE, 0, "{a:1};!;");
	EXPECT("\n{/\n{\"a\":2}", WHOLE, 0, "!;{a:2};");
	EXPECT("{x\n{x\n{x\n{\"a\":4}", WHOLE, 0, "!;!;!;{a:4};");
	EXPECT("{\"a\": x}\n", WHOLE, SAP_EFORMAT, "");
	EXPECT("{\"a\":1}\n{\"a\":", WHOLE, SAP_EFORMAT, "{a:1};");
}

static void test_every_cut(void)
{
	const struct sap_str whole = SAP_STR("{\"a\": [1, \"\\u00e9\\\\\"], \"details\": {\"b\": "
					     "[true]}, \"c\": {\"d\": null}}");

	for (size_t n = 1; n < whole.n; n++) {
		struct seen seen = { 0 };
		struct sap_err err;

		CHECK_INT(read_json((struct sap_str){ whole.p, n }, 5, SAP_JSON_WHOLE, true, &seen,
				    &err),
			  SAP_EFORMAT);
		CHECK_INT(seen.records, 0);
		sap_buf_clear(&seen.text);
	}
}

/* prefix, n times fill, suffix. */
static struct sap_str build(const char *prefix, const char *fill, size_t n, const char *suffix)
{
	const size_t a = strlen(prefix), b = strlen(fill), c = strlen(suffix);
	char *p = malloc(a + b * n + c + 1);

	if (!p)
		abort();
	memcpy(p, prefix, a);
	for (size_t i = 0; i < n; i++)
		memcpy(p + a + i * b, fill, b);
	memcpy(p + a + b * n, suffix, c);
	p[a + b * n + c] = '\0';
	return (struct sap_str){ p, a + b * n + c };
}

static void limit(int line, struct sap_str text, size_t piece, int code, const char *want,
		  const char *reason)
{
	struct seen seen = { 0 };
	struct sap_err err = { 0 };

	check_int(__FILE__, line, err.text,
		  read_json(text, piece, SAP_JSON_WHOLE, true, &seen, &err), code);
	check_str(__FILE__, line, "records", sap_buf_str(&seen.text), sap_str_of(want));
	check_str(__FILE__, line, "reason", sap_str_of(seen.reason), sap_str_of(reason));
	sap_buf_clear(&seen.text);
	free((void *)(uintptr_t)text.p);
}

#define LIMIT(text, piece, code, want, reason) limit(__LINE__, text, piece, code, want, reason)

static void test_long_texts(void)
{
	const char *too_long = "one of its texts is too long";
	const size_t n = 10 * SAP_MIB;

	LIMIT(build("{\"details\":\"", "x", n, "\"}\n{\"a\":2}"), 100000, 0, "{};{a:2};", "");
	LIMIT(build("{\"a\":\"", "x", n, "\"}\n{\"a\":2}"), 100000, 0, "!;{a:2};", too_long);
	/* Backslashes everywhere: what looks like the closing quote is none. */
	LIMIT(build("{\"a\":\"", "\\\"", n / 2, "\"}\n{\"a\":2}"), 99999, 0, "!;{a:2};", too_long);
	LIMIT(build("{\"a\":\"", "\\\\", n / 2, "\"}\n{\"a\":2}"), 77777, 0, "!;{a:2};", too_long);
	LIMIT(build("{\"a\":\"", "\\u0041", n / 6, "\"}\n{\"a\":2}"), 65537, 0, "!;{a:2};",
	      too_long);
	LIMIT(build("{\"", "x", n, "\":1}\n{\"a\":2}"), 100000, 0, "!;{a:2};",
	      "the name of a member is too long");
	LIMIT(build("\"", "x", n, "\"\n{\"a\":2}"), 100000, 0, "!;{a:2};", too_long);
	LIMIT(build("{\"a\":\"", "x", n, ""), 100000, SAP_EFORMAT, "", "");
	LIMIT(build("{\"a\":", "1", n, "}"), 100000, SAP_EFORMAT, "", "");
	/* Blanks are of any length. */
	LIMIT(build("{\"a\":", " ", n, "1}"), 100000, 0, "{a:1};", "");
}

static void test_large_records(void)
{
	LIMIT(build("{\"a\":[0", ",0", 3000000, "]}{\"a\":2}"), 100000, 0, "!;{a:2};",
	      "it has too many values");
	LIMIT(build("{\"a\":[0", ",\"01234567890123456789012345678901234567890123456789\"", 1200000,
		    "]}{\"a\":2}"),
	      100000, 0, "!;{a:2};", "it is too large");
}

static void test_depth(void)
{
	const char *deep = "its values are nested too deeply";

	LIMIT(build("", "[", 10000, ""), 4096, SAP_EFORMAT, "", "");
	LIMIT(build("{\"details\":", "[", 500000, "1"), 4096, SAP_EFORMAT, "", "");
	LIMIT(build("", "[", SAP_IMPORT_NESTING_MAX + 1, ""), 4096, SAP_ELIMIT, "", "");
	LIMIT(build("", "{\"a\":", SAP_IMPORT_DEPTH_MAX + 1, "1"), 4096, SAP_EFORMAT, "", "");
	{
		struct sap_str open = build("", "[", 10000, "");
		struct sap_str all = build(open.p, "]", 10000, "\n{\"a\":2}");

		free((void *)(uintptr_t)open.p);
		LIMIT(all, 4096, 0, "!;{a:2};", deep);
	}
}

static void test_stopping(void)
{
	struct seen seen = { .answer = SAP_EUSAGE };
	struct sap_err err = { 0 };

	CHECK_INT(read_json(SAP_STR("{}{}"), 10, SAP_JSON_WHOLE, true, &seen, &err), SAP_EUSAGE);
	CHECK_INT(seen.records, 1);
	CHECK_STR(sap_str_of(err.text), "told to stop");
	sap_buf_clear(&seen.text);
	/* Nobody to tell of a rejected record: that is an end too. */
	seen = (struct seen){ 0 };
	CHECK_INT(
		read_json(
			SAP_STR("{} "
				"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
				"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
				"]"),
			10, SAP_JSON_WHOLE, false, &seen, &err),
		SAP_ELIMIT);
	sap_buf_clear(&seen.text);
}

static void test_getters(void)
{
	const struct sap_str text = SAP_STR(
		"{\"a\":1,\"b\":\"x\",\"a\":\"last\",\"n\":\"p\\u0000q\",\"o\":{\"k\":[7]}");
	const struct sap_json *root = NULL, *o;
	struct sap_arena arena;
	struct sap_err err;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_json_head(text, &arena, &root, &err), &err);
	CHECK(sap_json_is(root, SAP_JSON_OBJECT));
	CHECK_STR(sap_json_text(root, "a"), "last");
	CHECK_STR(sap_json_text(root, "b"), "x");
	CHECK_INT(sap_json_text(root, "n").n, 3);
	o = sap_json_get(root, "o");
	CHECK_STR(sap_json_first(sap_json_get(o, "k"))->text, "7");
	CHECK_STR(sap_json_text(o, "k"), "");
	CHECK(!sap_json_get(NULL, "a") && !sap_json_get(sap_json_get(root, "b"), "a"));
	CHECK(!sap_json_is(NULL, SAP_JSON_NULL) && sap_json_string(NULL).n == 0);
	/* What is no JSON has no root; what breaks off has what came before. */
	CHECK_INT(sap_json_head(SAP_STR("nonsense"), &arena, &root, &err), SAP_EFORMAT);
	CHECK(!root);
	CHECK_INT(sap_json_head(SAP_STR("[12 Feb 2025]"), &arena, &root, &err), SAP_EFORMAT);
	CHECK(sap_json_is(root, SAP_JSON_ARRAY) && root->n == 1);
	sap_arena_clear(&arena);
}

int main(void)
{
	test_values();
	test_splits();
	test_skipping();
	test_broken_lines();
	test_every_cut();
	test_long_texts();
	test_large_records();
	test_depth();
	test_stopping();
	test_getters();
	return check_done();
}
