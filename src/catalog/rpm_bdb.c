/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "catalog/rpm_int.h"

enum { HASH_MAGIC = 0x061561, BTREE_MAGIC = 0x053162 };
enum { META = 72, PAGE_HEAD = 26, PAGE_MIN = 512, PAGE_MAX = 65536 };
enum { PAGE_HASH_UNSORTED = 2, PAGE_OVERFLOW = 7, PAGE_META = 8, PAGE_HASH = 13 };
enum { ITEM_BYTES = 1, ITEM_OFF_PAGE = 3, OFF_PAGE_SIZE = 12 };
enum { META_CHECKSUMS = 1 };

/* Values lie on runs of pages: reading ahead saves system calls, but only where it helps. */
enum { WINDOW_MAX = 256 * 1024 };

struct bdb {
	const struct sap_reader *file;
	struct sap_rpm_visit *visit;
	bool big;
	uint32_t page_size;
	uint32_t pages;
	uint32_t chain_left; /* pages that chains may still visit: each is part of one */
	unsigned char *window;
	uint64_t window_off, window_n;
	uint64_t window_want; /* bytes to read next time */
	unsigned char *hash_page;
	struct sap_buf value;
};

static uint32_t word(const struct bdb *db, struct sap_span s, uint64_t off)
{
	uint32_t v = 0;

	sap_span_u32(s, off, db->big, &v);
	return v;
}

static uint32_t half(const struct bdb *db, struct sap_span s, uint64_t off)
{
	uint16_t v = 0;

	sap_span_u16(s, off, db->big, &v);
	return v;
}

/* A page; valid until the next call. Negative: a fault. */
static int get_page(struct bdb *db, uint32_t no, struct sap_span *out, struct sap_err *fault)
{
	uint64_t off = (uint64_t)no * db->page_size;
	uint64_t got = 0, n = db->page_size;
	int r;

	if (no >= db->pages)
		return sap_err_format(fault, off, "page %u of %u", no, db->pages);
	if (off >= db->window_off && off + n <= db->window_off + db->window_n) {
		*out = sap_span_of(db->window + (off - db->window_off), n);
		return 0;
	}
	if (off == db->window_off + db->window_n && db->window_want < WINDOW_MAX)
		db->window_want *= 2;
	else if (off != db->window_off + db->window_n)
		db->window_want = n;
	db->window_n = 0;
	r = db->file->read_at(db->file, off, db->window, db->window_want, &got, fault);
	if (r < 0)
		return r;
	if (got < n)
		return sap_err_set(fault, SAP_ECHANGED,
				   "the file became shorter while it was read");
	db->window_off = off;
	db->window_n = got / n * n;
	*out = sap_span_of(db->window, n);
	return 0;
}

/* Collects a value that lies on overflow pages in db->value. */
static int get_chain(struct bdb *db, uint32_t no, uint32_t total, struct sap_err *fault)
{
	if (total > SAP_RPM_HEADER_MAX || total > (uint64_t)db->chain_left * db->page_size)
		return sap_err_set(fault, SAP_ELIMIT, "a value of %u bytes on page %u", total, no);
	sap_buf_reset(&db->value);
	while (db->value.n < total) {
		struct sap_span page;
		uint32_t n, next;
		uint8_t type = 0;
		int r;

		if (!db->chain_left)
			return sap_err_set(fault, SAP_ELIMIT,
					   "values on more pages than the file has");
		db->chain_left--;
		r = get_page(db, no, &page, fault);
		if (r < 0)
			return r;
		n = half(db, page, 22);
		next = word(db, page, 16);
		sap_span_u8(page, 25, &type);
		if (type != PAGE_OVERFLOW || !sap_span_has(page, PAGE_HEAD, n) ||
		    n > total - db->value.n)
			return sap_err_format(fault, (uint64_t)no * db->page_size,
					      "page %u is no part of a value of %u bytes", no,
					      total);
		sap_buf_put(&db->value, page.p + PAGE_HEAD, n);
		if (!sap_buf_ok(&db->value))
			return sap_err_nomem(fault);
		if (!next && db->value.n < total)
			return sap_err_format(fault, (uint64_t)no * db->page_size,
					      "a value ends after %zu of %u bytes", db->value.n,
					      total);
		no = next;
	}
	return 0;
}

/* Item i of a hash page, whose layout is known to be right. */
static struct sap_span get_item(const struct bdb *db, struct sap_span page, uint32_t i)
{
	uint32_t start = half(db, page, PAGE_HEAD + 2 * (uint64_t)i);
	uint32_t end = i ? half(db, page, PAGE_HEAD + 2 * (uint64_t)i - 2) : db->page_size;
	struct sap_span item = { 0 };

	sap_span_sub(page, start, end - start, &item);
	return item;
}

/* How many items of a hash page lie in it one before the other, as they must. */
static uint32_t count_items(const struct bdb *db, struct sap_span page, uint32_t entries)
{
	uint64_t low = PAGE_HEAD + 2 * (uint64_t)entries;
	uint32_t end = db->page_size;
	uint32_t i = 0;

	if (low > page.n)
		return 0;
	for (; i < entries; i++) {
		uint32_t start = half(db, page, PAGE_HEAD + 2 * (uint64_t)i);

		if (start < low || start >= end)
			break;
		end = start;
	}
	return i;
}

/* Pair i/2 of a hash page: *out is empty for the pair that is no package. */
static int get_pair(struct bdb *db, struct sap_span page, uint32_t i, struct sap_span *out,
		    struct sap_err *fault)
{
	struct sap_span key = get_item(db, page, i), value = get_item(db, page, i + 1);
	uint8_t type = 0;
	int r;

	*out = (struct sap_span){ 0 };
	if (key.p[0] != ITEM_BYTES || key.n != 5)
		return sap_err_format(fault, 0, "item %u is no package number", i);
	if (word(db, key, 1) == 0)
		return 0;
	sap_span_u8(value, 0, &type);
	if (type == ITEM_BYTES) {
		sap_span_sub(value, 1, value.n - 1, out);
		return 0;
	}
	if (type != ITEM_OFF_PAGE || value.n < OFF_PAGE_SIZE)
		return sap_err_format(fault, 0, "package %u: a value of type %u", word(db, key, 1),
				      type);
	r = get_chain(db, word(db, value, 4), word(db, value, 8), fault);
	if (r < 0) {
		sap_err_wrap(fault, "package %u", word(db, key, 1));
		return r;
	}
	*out = sap_span_of(db->value.p, db->value.n);
	return 0;
}

static int visit_hash_page(struct bdb *db, uint32_t no, struct sap_span page, struct sap_err *err)
{
	uint32_t entries = half(db, page, 20);
	uint32_t items = count_items(db, page, entries);
	uint64_t off = (uint64_t)no * db->page_size;
	struct sap_err fault = { 0 };
	int r;

	if (items < entries || entries % 2) {
		sap_err_format(&fault, off, "a hash page with %u of %u items", items, entries);
		r = db->visit->fault(db->visit, &fault, err);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i + 1 < items; i += 2) {
		struct sap_span blob;

		fault = (struct sap_err){ 0 };
		r = get_pair(db, page, i, &blob, &fault);
		if (r == SAP_ENOMEM)
			return sap_err_nomem(err);
		if (r < 0) {
			if (!fault.offset)
				fault.offset = off;
			r = db->visit->fault(db->visit, &fault, err);
		} else if (blob.n) {
			r = db->visit->header(db->visit, blob, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int visit_pages(struct bdb *db, struct sap_err *err)
{
	struct sap_err fault = { 0 };

	for (uint32_t no = 1; no < db->pages; no++) {
		struct sap_span page;
		uint8_t type = 0;
		int r = get_page(db, no, &page, &fault);

		if (r < 0)
			return db->visit->fault(db->visit, &fault, err);
		sap_span_u8(page, 25, &type);
		if (type != PAGE_HASH && type != PAGE_HASH_UNSORTED)
			continue;
		/* Chains move the window. */
		memcpy(db->hash_page, page.p, page.n);
		r = visit_hash_page(db, no, sap_span_of(db->hash_page, page.n), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads the first page. Negative: not such a database, or one that cannot be read. */
static int read_meta(struct bdb *db, struct sap_err *fault)
{
	unsigned char bytes[META];
	struct sap_span meta = sap_span_of(bytes, sizeof(bytes));
	uint64_t got = 0, pages;
	uint32_t magic;
	int r = db->file->read_at(db->file, 0, bytes, sizeof(bytes), &got, fault);

	if (r < 0)
		return r;
	if (got < sizeof(bytes))
		return sap_err_format(fault, got, "too short for a Berkeley DB file");
	magic = word(db, meta, 12);
	if (magic != HASH_MAGIC && magic != BTREE_MAGIC) {
		db->big = true;
		magic = word(db, meta, 12);
	}
	if (magic == BTREE_MAGIC)
		return sap_err_set(fault, SAP_EUNSUPPORTED, "a Berkeley DB file, but no hash");
	if (magic != HASH_MAGIC || bytes[25] != PAGE_META)
		return sap_err_format(fault, 12, "no Berkeley DB hash file");
	if (bytes[24] || bytes[26] & META_CHECKSUMS)
		return sap_err_set(fault, SAP_EUNSUPPORTED,
				   "a Berkeley DB file with encryption or checksums");
	db->page_size = word(db, meta, 20);
	if (db->page_size < PAGE_MIN || db->page_size > PAGE_MAX ||
	    db->page_size & (db->page_size - 1))
		return sap_err_format(fault, 20, "pages of %u bytes", db->page_size);
	pages = (uint64_t)word(db, meta, 32) + 1;
	if (pages > db->file->size / db->page_size) {
		pages = db->file->size / db->page_size;
		sap_err_format(fault, db->file->size, "the file ends before its page %u",
			       word(db, meta, 32));
	}
	db->pages = (uint32_t)pages;
	return 0;
}

int sap_rpm_bdb_read(const struct sap_reader *file, struct sap_rpm_visit *visit,
		     struct sap_err *err)
{
	struct bdb db = { .file = file, .visit = visit };
	struct sap_err fault = { 0 };
	int r = read_meta(&db, &fault);

	if (r < 0 || fault.code) {
		int r2 = visit->fault(visit, &fault, err);

		if (r < 0 || r2 < 0)
			return r2;
	}
	db.chain_left = db.pages;
	db.window_want = db.page_size;
	sap_buf_init(&db.value, SAP_RPM_HEADER_MAX);
	db.window = malloc(WINDOW_MAX);
	db.hash_page = malloc(db.page_size);
	if (db.window && db.hash_page)
		r = visit_pages(&db, err);
	else
		r = sap_err_nomem(err);
	free(db.window);
	free(db.hash_page);
	sap_buf_clear(&db.value);
	return r;
}
