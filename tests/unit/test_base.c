/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/vec.h"
#include "check.h"

static void spans_never_reach_outside(void)
{
	const unsigned char bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 0, 'x' };
	const struct sap_span s = sap_span_of(bytes, sizeof(bytes));
	struct sap_span part;
	struct sap_str text = SAP_STR("kept");
	uint16_t v16 = 0;
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	CHECK(sap_span_u16(s, 0, false, &v16) && v16 == 0x0201);
	CHECK(sap_span_u16(s, 0, true, &v16) && v16 == 0x0102);
	CHECK(sap_span_u32(s, 1, true, &v32) && v32 == 0x02030405);
	CHECK(sap_span_u64(s, 0, false, &v64) && v64 == 0x0807060504030201ULL);
	CHECK(!sap_span_u64(s, 3, false, &v64));
	CHECK(!sap_span_u32(s, UINT64_MAX - 1, false, &v32));
	CHECK(!sap_span_sub(s, 4, UINT64_MAX, &part));
	CHECK(!sap_span_sub(s, UINT64_MAX, 4, &part));
	CHECK(sap_span_sub(s, 10, 0, &part) && part.n == 0);
	CHECK(sap_span_cstr(s, 4, &text));
	CHECK_INT(text.n, 4);
	CHECK(!sap_span_cstr(s, 9, &text)); /* no NUL follows */
	CHECK(!sap_span_cstr(s, 10, &text));
}

static void texts_are_cut_into_lines_and_words(void)
{
	struct sap_str text = SAP_STR("one\n\nthree"), line, word, head, rest;
	uint64_t v;

	CHECK(sap_str_line(&text, &line));
	CHECK_STR(line, "one");
	CHECK(sap_str_line(&text, &line));
	CHECK_STR(line, "");
	CHECK(sap_str_line(&text, &line));
	CHECK_STR(line, "three");
	CHECK(!sap_str_line(&text, &line));
	text = SAP_STR("  a\t bc \r\n");
	CHECK(sap_str_word(&text, &word));
	CHECK_STR(word, "a");
	CHECK(sap_str_word(&text, &word));
	CHECK_STR(word, "bc");
	CHECK(!sap_str_word(&text, &word));
	CHECK(!sap_str_cut(SAP_STR("abc"), ':', &head, &rest));
	CHECK_STR(head, "abc");
	CHECK(sap_str_cut(SAP_STR("a:b:c"), ':', &head, &rest));
	CHECK_STR(rest, "b:c");
	CHECK_STR(sap_str_trim(SAP_STR(" \t x y \n")), "x y");
	CHECK(sap_str_u64(SAP_STR("18446744073709551615"), &v) && v == UINT64_MAX);
	CHECK(!sap_str_u64(SAP_STR("18446744073709551616"), &v));
	CHECK(!sap_str_u64(SAP_STR("-1"), &v));
	CHECK(!sap_str_u64(SAP_STR(""), &v));
	CHECK_STR(sap_path_base(SAP_STR("/usr/bin/ls")), "ls");
	CHECK_STR(sap_path_dir(SAP_STR("/usr/bin/ls")), "/usr/bin");
	CHECK_STR(sap_path_dir(SAP_STR("/ls")), "/");
	CHECK_STR(sap_path_dir(SAP_STR("ls")), "");
	CHECK(sap_str_cmp(SAP_STR("a"), SAP_STR("ab")) < 0);
	CHECK(sap_str_cmp(SAP_STR("b"), SAP_STR("ab")) > 0);
}

static void an_arena_keeps_its_ceiling(void)
{
	struct sap_arena arena;
	unsigned char *p;

	sap_arena_init(&arena, 1000);
	p = sap_arena_alloc(&arena, 900);
	CHECK(p != NULL);
	memset(p, 1, 900);
	CHECK(sap_arena_alloc(&arena, 200) == NULL);
	CHECK(sap_arena_alloc(&arena, UINT64_MAX) == NULL);
	CHECK(sap_arena_array(&arena, UINT64_MAX / 2, 4) == NULL);
	sap_arena_reset(&arena);
	CHECK(sap_arena_alloc(&arena, 900) != NULL);
	sap_arena_clear(&arena);
	sap_arena_init(&arena, 0);
	for (uint64_t n = 1; n < 20 * SAP_MIB; n *= 3)
		CHECK(sap_arena_zalloc(&arena, n) != NULL);
	sap_arena_reset(&arena);
	CHECK(sap_arena_alloc(&arena, 0) != NULL);
	sap_arena_clear(&arena);
}

static void a_buffer_keeps_its_ceiling_and_its_failure(void)
{
	struct sap_buf buf;

	sap_buf_init(&buf, 300);
	for (int i = 0; i < 299; i++)
		sap_buf_putc(&buf, 'x');
	CHECK(sap_buf_ok(&buf));
	sap_buf_put(&buf, "yy", 2);
	CHECK(!sap_buf_ok(&buf));
	sap_buf_putc(&buf, 'z');
	CHECK(!sap_buf_ok(&buf));
	CHECK_INT(buf.n, 299);
	sap_buf_reset(&buf);
	sap_buf_printf(&buf, "%0280d", 7);
	CHECK(sap_buf_ok(&buf));
	CHECK_INT(buf.n, 280);
	sap_buf_clear(&buf);
}

static void a_pool_gives_each_text_one_small_number(void)
{
	struct sap_pool *pool = sap_pool_new();
	char text[32];

	CHECK_INT(sap_pool_put(pool, SAP_STR("")), 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20000; i++) {
			int n = snprintf(text, sizeof(text), "name-%u", i);
			uint32_t id = sap_pool_put(pool, (struct sap_str){ text, (size_t)n });

			if (id != i + 1)
				CHECK_INT(id, i + 1);
		}
	}
	CHECK_INT(sap_pool_count(pool), 20001);
	CHECK_STR(sap_pool_str(pool, 17), "name-16");
	CHECK_INT(sap_pool_find(pool, SAP_STR("name-19999")), 20000);
	CHECK_INT(sap_pool_find(pool, SAP_STR("absent")), UINT32_MAX);
	CHECK_STR(sap_pool_str(pool, 4000000), "");
	CHECK(sap_pool_put(pool, (struct sap_str){ "a\0b", 3 }) !=
	      sap_pool_put(pool, (struct sap_str){ "a\0c", 3 }));
	sap_pool_free(pool);
}

static void a_vector_stops_at_its_ceiling(void)
{
	SAP_VEC(int) v = { 0 };

	for (int i = 0; i < 100; i++) {
		int *p = SAP_VEC_PUSH(&v, 100);

		if (CHECK(p != NULL))
			*p = i;
	}
	CHECK(SAP_VEC_PUSH(&v, 100) == NULL);
	CHECK_INT(v.v[99], 99);
	sap_vec_clear(&v);
}

static void a_reader_says_where_the_input_ends(void)
{
	const unsigned char bytes[] = "0123456789";
	struct sap_reader reader = sap_reader_memory(sap_span_of(bytes, 10));
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct sap_span part;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_reader_get(&reader, 8, 2, &arena, &part, &err), &err);
	CHECK_INT(part.p[0], '8');
	CHECK_INT(sap_reader_get(&reader, 8, 3, &arena, &part, &err), SAP_EFORMAT);
	CHECK_INT(err.offset, 8);
	CHECK_INT(sap_reader_get(&reader, UINT64_MAX, 3, &arena, &part, &err), SAP_EFORMAT);
	sap_arena_clear(&arena);
}

static void a_file_that_shrinks_is_told_apart_from_a_bad_one(void)
{
	FILE *f = tmpfile();
	struct sap_reader reader;
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct sap_span part;

	if (!f) {
		check_skip("shrinking file", "no temporary file can be made");
		return;
	}
	fputs("0123456789", f);
	fflush(f);
	reader = sap_reader_fd(fileno(f), 10);
	sap_arena_init(&arena, 0);
	CHECK_OK(sap_reader_get(&reader, 0, 10, &arena, &part, &err), &err);
	CHECK(ftruncate(fileno(f), 4) == 0);
	CHECK_INT(sap_reader_get(&reader, 0, 10, &arena, &part, &err), SAP_ECHANGED);
	sap_arena_clear(&arena);
	fclose(f);
}

static void errors_keep_their_code_and_gain_context(void)
{
	struct sap_err err = { 0 };

	CHECK_INT(sap_err_sys(&err, ENOENT, "cannot open %s", "/x"), SAP_ENOENT);
	CHECK_STR(sap_str_of(err.text), "cannot open /x: No such file or directory");
	CHECK_INT(sap_err_wrap(&err, "target %s", "y"), SAP_ENOENT);
	CHECK_STR(sap_str_of(err.text), "target y: cannot open /x: No such file or directory");
	for (int i = 0; i < 200; i++)
		sap_err_wrap(&err, "again and again");
	CHECK(strlen(err.text) == sizeof(err.text) - 1);
	CHECK_INT(sap_err_format(NULL, 5, "no place for it"), SAP_EFORMAT);
}

int main(void)
{
	spans_never_reach_outside();
	texts_are_cut_into_lines_and_words();
	an_arena_keeps_its_ceiling();
	a_buffer_keeps_its_ceiling_and_its_failure();
	a_pool_gives_each_text_one_small_number();
	a_vector_stops_at_its_ceiling();
	a_reader_says_where_the_input_ends();
	a_file_that_shrinks_is_told_apart_from_a_bad_one();
	errors_keep_their_code_and_gain_context();
	return check_done();
}
