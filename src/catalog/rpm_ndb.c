/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "catalog/rpm_int.h"

enum { HEAD = 32, SLOT = 16, SLOT_PAGE = 4096, BLOCK = 16, BLOB_HEAD = 16, BLOB_TAIL = 12 };

#define MAGIC(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

struct slot {
	uint32_t index;
	uint32_t first;
	uint32_t blocks;
};

/* RFC 1950, section 8.2. 5552 bytes are the most that cannot overflow 32 bits. */
static uint32_t adler32(struct sap_span bytes)
{
	uint32_t a = 1, b = 0;

	while (bytes.n) {
		uint64_t n = bytes.n < 5552 ? bytes.n : 5552;

		for (uint64_t i = 0; i < n; i++) {
			a += bytes.p[i];
			b += a;
		}
		a %= 65521;
		b %= 65521;
		bytes.p += n;
		bytes.n -= n;
	}
	return b << 16 | a;
}

static uint32_t word(struct sap_span s, uint64_t off)
{
	uint32_t v = 0;

	sap_span_u32(s, off, false, &v);
	return v;
}

/* The header blob within the blocks of a slot. *doubt: it is there, but not as it was
 * written. */
static int check_blob(struct sap_span blocks, const struct slot *slot, struct sap_span *out,
		      bool *doubt, struct sap_err *fault)
{
	uint64_t at = (uint64_t)slot->first * BLOCK;
	uint32_t n = word(blocks, 12);

	if (word(blocks, 0) != MAGIC('B', 'l', 'b', 'S') || word(blocks, 4) != slot->index)
		return sap_err_format(fault, at, "package %u: no blob of it", slot->index);
	if ((BLOB_HEAD + (uint64_t)n + BLOB_TAIL + BLOCK - 1) / BLOCK != slot->blocks)
		return sap_err_format(fault, at, "package %u: %u bytes in %u blocks", slot->index,
				      n, slot->blocks);
	*doubt = word(blocks, blocks.n - 12) !=
			 adler32((struct sap_span){ blocks.p, blocks.n - BLOB_TAIL }) ||
		 word(blocks, blocks.n - 8) != n ||
		 word(blocks, blocks.n - 4) != MAGIC('B', 'l', 'b', 'E');
	if (*doubt)
		sap_err_format(fault, at, "package %u: its checksum is wrong", slot->index);
	sap_span_sub(blocks, BLOB_HEAD, n, out);
	return 0;
}

static int read_slot(const struct sap_reader *db, const struct slot *slot, struct sap_arena *arena,
		     struct sap_rpm_visit *visit, struct sap_err *err)
{
	uint64_t at = (uint64_t)slot->first * BLOCK;
	uint64_t n = (uint64_t)slot->blocks * BLOCK;
	struct sap_span blocks, blob = { 0 };
	struct sap_err fault = { 0 };
	bool doubt = false;
	int r;

	if (n < BLOB_HEAD + BLOB_TAIL || n > SAP_RPM_HEADER_MAX || at > db->size ||
	    n > db->size - at) {
		sap_err_format(&fault, at, "package %u: %u blocks from block %u on do not fit",
			       slot->index, slot->blocks, slot->first);
		return visit->fault(visit, &fault, err);
	}
	r = sap_reader_get(db, at, n, arena, &blocks, &fault);
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (r == 0)
		r = check_blob(blocks, slot, &blob, &doubt, &fault);
	if (r < 0 || doubt) {
		int r2 = visit->fault(visit, &fault, err);

		if (r < 0 || r2 < 0)
			return r2;
	}
	return visit->header(visit, blob, err);
}

/* The pages of slots, in memory. r < 0 with a fault: not such a database. */
static int read_slots(const struct sap_reader *db, struct sap_arena *arena, struct sap_span *out,
		      struct sap_err *fault)
{
	struct sap_span head;
	uint32_t pages;
	int r = sap_reader_get(db, 0, HEAD, arena, &head, fault);

	if (r < 0)
		return r;
	if (word(head, 0) != MAGIC('R', 'p', 'm', 'P'))
		return sap_err_format(fault, 0, "no ndb database: its first bytes are not RpmP");
	if (word(head, 4) != 0)
		return sap_err_set(fault, SAP_EUNSUPPORTED, "version %u of the ndb format",
				   word(head, 4));
	pages = word(head, 12);
	if (pages == 0)
		return sap_err_format(fault, 12, "no pages of slots");
	if (pages > SAP_PACKAGES_MAX / (SLOT_PAGE / SLOT))
		return sap_err_set(fault, SAP_ELIMIT, "%u pages of slots", pages);
	return sap_reader_get(db, 0, (uint64_t)pages * SLOT_PAGE, arena, out, fault);
}

static int visit_slots(const struct sap_reader *db, struct sap_span slots, struct sap_arena *arena,
		       struct sap_rpm_visit *visit, struct sap_err *err)
{
	/* Blobs do not overlap: together they cannot be larger than the file. */
	uint64_t blocks_left = db->size / BLOCK;

	for (uint64_t at = HEAD; at < slots.n; at += SLOT) {
		struct slot slot = {
			.index = word(slots, at + 4),
			.first = word(slots, at + 8),
			.blocks = word(slots, at + 12),
		};
		struct sap_err fault = { 0 };
		int r;

		if (word(slots, at) != MAGIC('S', 'l', 'o', 't'))
			sap_err_format(&fault, at, "no slot");
		else if (slot.index && slot.blocks > blocks_left)
			sap_err_format(&fault, at, "package %u: more blocks than the file has",
				       slot.index);
		if (fault.code) {
			r = visit->fault(visit, &fault, err);
			if (r < 0)
				return r;
			continue;
		}
		if (!slot.index)
			continue;
		blocks_left -= slot.blocks;
		sap_arena_reset(arena);
		r = read_slot(db, &slot, arena, visit, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int sap_rpm_ndb_read(const struct sap_reader *db, struct sap_rpm_visit *visit, struct sap_err *err)
{
	struct sap_arena slot_arena, blob_arena;
	struct sap_err fault = { 0 };
	struct sap_span slots = { 0 };
	int r;

	sap_arena_init(&slot_arena, 0);
	sap_arena_init(&blob_arena, 0);
	r = read_slots(db, &slot_arena, &slots, &fault);
	if (r == SAP_ENOMEM)
		r = sap_err_nomem(err);
	else if (r < 0)
		r = visit->fault(visit, &fault, err);
	else
		r = visit_slots(db, slots, &blob_arena, visit, err);
	sap_arena_clear(&slot_arena);
	sap_arena_clear(&blob_arena);
	return r;
}
