/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON cut into records. The first byte says how, the second the size of the pieces; the rest
 * is fed in such pieces and at once, and both must come to the same.
 */
#include <stdlib.h>

#include "import/jsontree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash, records, rejected;
};

static void mix(struct seen *seen, struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		seen->hash = (seen->hash ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	seen->hash = (seen->hash ^ s.n) * 0x100000001b3ULL;
}

static void walk(struct seen *seen, const struct sap_json *v)
{
	uint32_t n = 0;

	seen->hash ^= v->kind;
	mix(seen, v->key);
	mix(seen, v->text);
	for (const struct sap_json *m = v->first; m; m = m->next, n++)
		walk(seen, m);
	if (n != v->n)
		abort();
}

static int on_record(void *ctx, const struct sap_json *value, uint64_t number, struct sap_err *err)
{
	struct seen *seen = ctx;

	(void)err;
	if (number != ++seen->records + seen->rejected)
		abort();
	walk(seen, value);
	return 0;
}

static int on_rejected(void *ctx, uint64_t number, struct sap_str key, struct sap_str reason,
		       struct sap_err *err)
{
	struct seen *seen = ctx;

	(void)err;
	if (number != ++seen->rejected + seen->records || reason.n == 0)
		abort();
	mix(seen, key);
	return 0;
}

static int run(enum sap_json_split split, bool lenient, const uint8_t *p, size_t n, size_t piece,
	       struct seen *seen)
{
	static const char *const skip[] = { "details", "s", NULL };
	const struct sap_json_options options = { .split = split,
						  .skip = skip,
						  .record_max = 1024,
						  .depth_max = 8,
						  .record = on_record,
						  .rejected = lenient ? on_rejected : NULL,
						  .ctx = seen };
	struct sap_json_stream *s;
	int rc = sap_json_stream_new(&options, &s, NULL);

	if (rc < 0)
		return rc;
	while (rc == 0 && n > 0) {
		size_t k = n < piece ? n : piece;

		rc = sap_json_stream_feed(s, p, k, NULL);
		p += k;
		n -= k;
	}
	if (rc == 0)
		rc = sap_json_stream_finish(s, NULL);
	sap_json_stream_free(s);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, parts = { 0 };
	enum sap_json_split split;
	bool lenient;
	size_t piece;

	if (size < 2)
		return 0;
	split = SAP_JSON_WHOLE + data[0] % 3;
	lenient = !(data[0] & 0x80);
	piece = data[1] ? data[1] : 1;
	if (run(split, lenient, data + 2, size - 2, size, &whole) !=
		    run(split, lenient, data + 2, size - 2, piece, &parts) ||
	    whole.hash != parts.hash || whole.records != parts.records ||
	    whole.rejected != parts.rejected)
		abort();
	return 0;
}
