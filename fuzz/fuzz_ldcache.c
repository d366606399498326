/* SPDX-License-Identifier: Apache-2.0 */
/* ld.so.cache from any bytes: every text given must lie inside them. */
#include <stdlib.h>

#include "sysconf/sysconf.h"

struct bounds {
	struct sap_sink sink;
	struct sap_span bytes;
	uint64_t entries;
};

static void inside(const struct bounds *b, struct sap_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.n && (p < b->bytes.p || p + s.n > b->bytes.p + b->bytes.n))
		abort();
}

static int on_entry(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
		    struct sap_err *err)
{
	struct bounds *b = (struct bounds *)sink;

	(void)err;
	inside(b, rec->soname);
	inside(b, rec->path);
	inside(b, rec->hwcaps);
	if (++b->entries > b->bytes.n)
		abort();
	return 0;
}

static int on_setting(struct sap_sink *sink, const struct sap_rec_setting *rec, struct sap_err *err)
{
	(void)sink;
	(void)rec;
	(void)err;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bounds b = {
		.sink = { .cache_entry = on_entry, .setting = on_setting },
		.bytes = sap_span_of(data, size),
	};
	struct sap_err err;

	sap_ldcache_parse(b.bytes, SAP_STR("/etc/ld.so.cache"), &b.sink, &err);
	return 0;
}
