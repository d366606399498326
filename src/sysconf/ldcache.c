/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ld.so.cache, as glibc's ldconfig writes it (facts from sysdeps/generic/dl-cache.h and from
 * files it wrote). All integers are in the byte order of the target.
 *
 *   old format                          new format (at H)
 *   0   "ld.so-1.7.0" 0                 H+0   "glibc-ld.so.cache1.1"
 *   12  u32 nlibs                       H+20  u32 nlibs
 *   16  nlibs * { i32 flags;            H+24  u32 bytes of strings
 *         u32 soname; u32 path }        H+28  u8  byte order: 0 unsaid, 2 little, 3 big
 *   strings, offsets count from         H+32  u32 extension directory, offset in the file
 *   the end of the table                H+48  nlibs * { i32 flags; u32 soname; u32 path;
 *                                               u32 unused; u64 hwcap }
 *                                       strings, offsets count from H
 *
 * The new format stands alone (H = 0) or behind the table of the old one, aligned to 8 (on
 * i386 and m68k: 4). Bit 62 of hwcap says that its low 32 bits are an index into the list of
 * glibc-hwcaps names; bits 32 to 41 are an ISA level.
 *
 *   extension directory                 section 1, glibc-hwcaps
 *   0   u32 0xEAA42174                  u32 per name: offset of the name, counted from H
 *   4   u32 count
 *   8   count * { u32 tag; u32 flags;
 *         u32 offset in the file; u32 size }
 */
#include "sysconf/sysconf_int.h"

#include "base/limits.h"

#define OLD_MAGIC SAP_STR("ld.so-1.7.0")
#define NEW_MAGIC SAP_STR("glibc-ld.so.cache1.1")

enum {
	OLD_HEADER = 16,
	OLD_ENTRY = 12,
	NEW_HEADER = 48,
	NEW_ENTRY = 24,
	EXT_SECTION = 16,
	EXT_TAG_HWCAPS = 1,
	ORDER_LITTLE = 2,
	ORDER_BIG = 3,
};

#define EXT_MAGIC 0xEAA42174u

struct cache {
	struct sap_span bytes;
	uint64_t strings; /* where string offsets count from */
	uint64_t table;   /* first entry */
	uint32_t n;
	bool modern;
	bool big;
	uint64_t hwcaps; /* list of offsets of names */
	uint32_t n_hwcaps;
};

static bool magic_at(struct sap_span bytes, uint64_t off, struct sap_str magic)
{
	return sap_span_has(bytes, off, magic.n) && memcmp(bytes.p + off, magic.p, magic.n) == 0;
}

static bool text_at(const struct cache *c, uint32_t off, struct sap_str *out)
{
	uint64_t at = c->strings + off;
	struct sap_span window = { 0 };

	if (at >= c->bytes.n)
		return false;
	window = sap_span_of(c->bytes.p + at, c->bytes.n - at);
	/* A text may not run on: entries can share their strings, and a file of nothing but
	 * entries into one long text must stay cheap. */
	if (window.n > SAP_PATH_MAX)
		window.n = SAP_PATH_MAX;
	return sap_span_cstr(window, 0, out) && out->n > 0;
}

/* Whether a table of entries fits behind a header, in one byte order. */
static bool fits(struct sap_span bytes, uint64_t count_at, uint64_t table, uint32_t entry, bool big,
		 uint32_t *n)
{
	return sap_span_u32(bytes, count_at, big, n) && table <= bytes.n &&
	       *n <= (bytes.n - table) / entry;
}

static bool open_new(struct cache *c, uint64_t at, struct sap_err *fault)
{
	uint8_t order = 0;
	bool known;

	if (!sap_span_has(c->bytes, at, NEW_HEADER)) {
		sap_sysconf_blame(fault, SAP_EFORMAT, c->bytes.n, "ld.so.cache: cut in its header");
		return false;
	}
	sap_span_u8(c->bytes, at + 28, &order);
	order &= 3;
	known = order == ORDER_LITTLE || order == ORDER_BIG;
	if (order == 1) {
		sap_sysconf_blame(fault, SAP_EFORMAT, at + 28,
				  "ld.so.cache: marked as invalid by its byte order");
		return false;
	}
	c->strings = at;
	c->table = at + NEW_HEADER;
	c->modern = true;
	for (int big = 0; big < 2; big++) {
		c->big = big;
		if (known && c->big != (order == ORDER_BIG))
			continue;
		if (fits(c->bytes, at + 20, c->table, NEW_ENTRY, c->big, &c->n))
			return true;
	}
	sap_sysconf_blame(fault, SAP_EFORMAT, at + 20,
			  "ld.so.cache: more entries than the file has room for");
	return false;
}

/* Behind an old table: finds the new header, if there is one, and else the byte order in
 * which the old table fits. */
static bool open_old(struct cache *c, bool *compat, struct sap_err *fault)
{
	for (int big = 0; big < 2; big++) {
		uint64_t end;

		if (!fits(c->bytes, 12, OLD_HEADER, OLD_ENTRY, big, &c->n))
			continue;
		end = OLD_HEADER + (uint64_t)c->n * OLD_ENTRY;
		for (int step = 0; step < 2; step++, end = (end + 7) / 8 * 8) {
			if (magic_at(c->bytes, end, NEW_MAGIC)) {
				*compat = true;
				return open_new(c, end, fault);
			}
		}
	}
	for (int big = 0; big < 2; big++) {
		if (!fits(c->bytes, 12, OLD_HEADER, OLD_ENTRY, big, &c->n))
			continue;
		c->big = big;
		c->table = OLD_HEADER;
		c->strings = OLD_HEADER + (uint64_t)c->n * OLD_ENTRY;
		return true;
	}
	sap_sysconf_blame(fault, SAP_EFORMAT, 12,
			  "ld.so.cache: more entries than the file has room for");
	return false;
}

static void find_hwcaps(struct cache *c, struct sap_err *fault)
{
	uint32_t dir = 0, magic = 0, count = 0;

	sap_span_u32(c->bytes, c->strings + 32, c->big, &dir);
	if (dir == 0)
		return;
	if (!sap_span_u32(c->bytes, dir, c->big, &magic) || magic != EXT_MAGIC ||
	    !sap_span_u32(c->bytes, (uint64_t)dir + 4, c->big, &count) ||
	    count > (c->bytes.n - dir - 8) / EXT_SECTION) {
		sap_sysconf_blame(fault, SAP_EFORMAT, dir,
				  "ld.so.cache: no extension directory where the header says");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)dir + 8 + (uint64_t)i * EXT_SECTION;
		uint32_t tag = 0, off = 0, size = 0;

		sap_span_u32(c->bytes, at, c->big, &tag);
		sap_span_u32(c->bytes, at + 8, c->big, &off);
		sap_span_u32(c->bytes, at + 12, c->big, &size);
		if (tag != EXT_TAG_HWCAPS)
			continue;
		if (!sap_span_has(c->bytes, off, size)) {
			sap_sysconf_blame(fault, SAP_EFORMAT, at,
					  "ld.so.cache: the list of glibc-hwcaps lies outside");
			return;
		}
		c->hwcaps = off;
		c->n_hwcaps = size / 4;
		return;
	}
}

/* Fills rec from entry i; false where it points outside. */
static bool read_entry(const struct cache *c, uint32_t i, struct sap_rec_cache_entry *rec)
{
	uint64_t at = c->table + (uint64_t)i * (c->modern ? NEW_ENTRY : OLD_ENTRY);
	uint32_t soname = 0, path = 0, name = 0;
	uint64_t hwcap = 0;

	*rec = (struct sap_rec_cache_entry){ .index = i };
	if (!sap_span_u32(c->bytes, at, c->big, &rec->flags) ||
	    !sap_span_u32(c->bytes, at + 4, c->big, &soname) ||
	    !sap_span_u32(c->bytes, at + 8, c->big, &path) || !text_at(c, soname, &rec->soname) ||
	    !text_at(c, path, &rec->path))
		return false;
	if (!c->modern)
		return true;
	if (!sap_span_u64(c->bytes, at + 16, c->big, &hwcap))
		return false;
	/* Above the index only the ISA level may stand beside bit 62. */
	if ((hwcap >> 42) != (1u << 20)) {
		rec->hwcap = hwcap;
		return true;
	}
	return (uint32_t)hwcap < c->n_hwcaps &&
	       sap_span_u32(c->bytes, c->hwcaps + (hwcap & UINT32_MAX) * 4, c->big, &name) &&
	       text_at(c, name, &rec->hwcaps);
}

int sap_ldcache_read(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		     struct sap_err *fault, struct sap_err *err)
{
	struct cache c = { .bytes = bytes };
	struct sap_rec_setting found = { .kind = SAP_SET_CACHE, .file = path };
	bool compat = false;
	int rc;

	if (magic_at(bytes, 0, NEW_MAGIC)) {
		if (!open_new(&c, 0, fault))
			return 0;
	} else if (magic_at(bytes, 0, OLD_MAGIC)) {
		if (!open_old(&c, &compat, fault))
			return 0;
	} else {
		sap_sysconf_blame(fault, SAP_EFORMAT, 0, "ld.so.cache: unknown format");
		return 0;
	}
	if (c.modern)
		find_hwcaps(&c, fault);
	found.value = compat ? SAP_STR("compat") : c.modern ? SAP_STR("new") : SAP_STR("old");
	rc = sink->setting(sink, &found, err);
	if (c.n > SAP_LDCACHE_ENTRIES_MAX) {
		sap_sysconf_blame(fault, SAP_ELIMIT, c.table,
				  "ld.so.cache: %u entries, only %u are read", c.n,
				  SAP_LDCACHE_ENTRIES_MAX);
		c.n = SAP_LDCACHE_ENTRIES_MAX;
	}
	for (uint32_t i = 0; rc == 0 && i < c.n; i++) {
		struct sap_rec_cache_entry rec;

		if (read_entry(&c, i, &rec))
			rc = sink->cache_entry(sink, &rec, err);
		else
			sap_sysconf_blame(fault, SAP_EFORMAT,
					  c.table +
						  (uint64_t)i * (c.modern ? NEW_ENTRY : OLD_ENTRY),
					  "ld.so.cache: entry %u points outside the file", i);
	}
	return rc;
}

int sap_ldcache_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		      struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int rc = sap_ldcache_read(bytes, path, sink, &fault, err);

	if (rc == 0 && fault.code) {
		if (err)
			*err = fault;
		return fault.code;
	}
	return rc;
}
