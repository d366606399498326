/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cursor_int.h"

#include <cbor.h>

#include "base/limits.h"

static void on_uint8(void *ctx, uint8_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_UINT, .v = v };
}

static void on_uint16(void *ctx, uint16_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_UINT, .v = v };
}

static void on_uint32(void *ctx, uint32_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_UINT, .v = v };
}

static void on_uint64(void *ctx, uint64_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_UINT, .v = v };
}

static void on_negint8(void *ctx, uint8_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_NEGINT, .v = v };
}

static void on_negint16(void *ctx, uint16_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_NEGINT, .v = v };
}

static void on_negint32(void *ctx, uint32_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_NEGINT, .v = v };
}

static void on_negint64(void *ctx, uint64_t v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_NEGINT, .v = v };
}

static void on_bytes(void *ctx, cbor_data p, size_t n)
{
	*(struct sap_item *)ctx =
		(struct sap_item){ .type = SAP_ITEM_BYTES, .bytes = { (const char *)p, n } };
}

static void on_array(void *ctx, size_t n)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_ARRAY, .v = n };
}

static void on_bool(void *ctx, bool v)
{
	*(struct sap_item *)ctx = (struct sap_item){ .type = SAP_ITEM_BOOL, .v = v };
}

/* Everything else is no part of the format. */
static void on_bad(void *ctx)
{
	((struct sap_item *)ctx)->type = SAP_ITEM_BAD;
}

static void on_bad_text(void *ctx, cbor_data p, size_t n)
{
	(void)p;
	(void)n;
	on_bad(ctx);
}

static void on_bad_size(void *ctx, size_t n)
{
	(void)n;
	on_bad(ctx);
}

static void on_bad_tag(void *ctx, uint64_t n)
{
	(void)n;
	on_bad(ctx);
}

static void on_bad_float(void *ctx, float v)
{
	(void)v;
	on_bad(ctx);
}

static void on_bad_double(void *ctx, double v)
{
	(void)v;
	on_bad(ctx);
}

static const struct cbor_callbacks item_callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = on_bad,
	.byte_string = on_bytes,
	.string = on_bad_text,
	.string_start = on_bad,
	.indef_array_start = on_bad,
	.array_start = on_array,
	.indef_map_start = on_bad,
	.map_start = on_bad_size,
	.tag = on_bad_tag,
	.float2 = on_bad_float,
	.float4 = on_bad_float,
	.float8 = on_bad_double,
	.undefined = on_bad,
	.null = on_bad,
	.boolean = on_bool,
	.indef_break = on_bad,
};

void sap_cursor_stop(struct sap_cursor *c, int code, const char *what)
{
	if (!c->code) {
		c->code = code;
		c->what = what;
	}
}

struct sap_item sap_cursor_next(struct sap_cursor *c)
{
	struct sap_item item = { .type = SAP_ITEM_NONE };
	struct cbor_decoder_result got;

	if (c->code)
		return item;
	if (c->at == c->n) {
		sap_cursor_stop(c, SAP_NEED_MORE, NULL);
		return item;
	}
	got = cbor_stream_decode(c->p + c->at, c->n - c->at, &item_callbacks, &item);
	if (got.status == CBOR_DECODER_NEDATA)
		sap_cursor_stop(c, SAP_NEED_MORE, NULL);
	else if (got.status != CBOR_DECODER_FINISHED || got.read == 0 || got.read > c->n - c->at)
		sap_cursor_stop(c, SAP_EFORMAT, "not a CBOR item");
	else if (item.type == SAP_ITEM_BAD || item.type == SAP_ITEM_NONE)
		sap_cursor_stop(c, SAP_EFORMAT, "a CBOR item of a kind that facts do not use");
	else
		c->at += got.read;
	return item;
}

uint64_t sap_cursor_uint(struct sap_cursor *c, uint64_t max)
{
	struct sap_item item = sap_cursor_next(c);

	if (c->code)
		return 0;
	if (item.type != SAP_ITEM_UINT || item.v > max) {
		sap_cursor_stop(c, SAP_EFORMAT, "a number that is not what its field may hold");
		return 0;
	}
	return item.v;
}

int64_t sap_cursor_int(struct sap_cursor *c)
{
	struct sap_item item = sap_cursor_next(c);

	if (c->code)
		return 0;
	if (item.v > INT64_MAX || (item.type != SAP_ITEM_UINT && item.type != SAP_ITEM_NEGINT)) {
		sap_cursor_stop(c, SAP_EFORMAT, "a signed number expected");
		return 0;
	}
	return item.type == SAP_ITEM_UINT ? (int64_t)item.v : -1 - (int64_t)item.v;
}

bool sap_cursor_bool(struct sap_cursor *c)
{
	struct sap_item item = sap_cursor_next(c);

	if (!c->code && item.type != SAP_ITEM_BOOL)
		sap_cursor_stop(c, SAP_EFORMAT, "a truth value expected");
	return item.v != 0;
}

struct sap_str sap_cursor_str(struct sap_cursor *c)
{
	struct sap_item item = sap_cursor_next(c);

	if (!c->code && item.type != SAP_ITEM_BYTES)
		sap_cursor_stop(c, SAP_EFORMAT, "a byte string expected");
	return item.bytes;
}

uint32_t sap_cursor_array(struct sap_cursor *c, uint64_t max)
{
	struct sap_item item = sap_cursor_next(c);

	if (c->code)
		return 0;
	if (item.type != SAP_ITEM_ARRAY || item.v > max) {
		sap_cursor_stop(c, SAP_EFORMAT, "an array expected, or one of fewer elements");
		return 0;
	}
	/* An element takes a byte at least: a length beyond the bytes cannot be whole. This
	 * keeps a lying length from costing memory. */
	if (item.v > c->n - c->at) {
		sap_cursor_stop(c, SAP_NEED_MORE, NULL);
		return 0;
	}
	return (uint32_t)item.v;
}

void *sap_cursor_take(struct sap_cursor *c, struct sap_arena *arena, uint64_t n, uint64_t size)
{
	void *p = c->code ? NULL : sap_arena_array(arena, n, size);

	if (!p)
		sap_cursor_stop(c, SAP_ENOMEM, "out of memory");
	return p;
}

struct sap_strs sap_cursor_strs(struct sap_cursor *c, struct sap_arena *arena)
{
	uint32_t n = sap_cursor_array(c, SAP_LIST_MAX);
	struct sap_str *v = n ? sap_cursor_take(c, arena, n, sizeof(*v)) : NULL;

	if (!v)
		return (struct sap_strs){ 0 };
	for (uint32_t i = 0; i < n; i++)
		v[i] = sap_cursor_str(c);
	return (struct sap_strs){ v, n };
}

void sap_cursor_skip(struct sap_cursor *c)
{
	uint64_t left = 1;

	while (left && !c->code) {
		struct sap_item item = sap_cursor_next(c);

		left--;
		if (item.type == SAP_ITEM_ARRAY) {
			if (item.v > c->n - c->at)
				sap_cursor_stop(c, SAP_NEED_MORE, NULL);
			left += item.v;
		}
	}
}
