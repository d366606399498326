/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "catalog/rpm_int.h"

enum { WAL_HEAD = 32, FRAME_HEAD = 24, SUMMED_HEAD = 24, SUMMED_FRAME = 8 };

static const uint32_t magic_little = 0x377f0682u;
static const uint32_t magic_big = 0x377f0683u;

static uint32_t word(struct sap_span s, uint64_t off)
{
	uint32_t v = 0;

	sap_span_u32(s, off, true, &v);
	return v;
}

/* The running checksum over pairs of words, whose byte order the magic number says. */
static void add_sum(uint32_t sums[2], struct sap_span bytes, bool big)
{
	uint32_t a = sums[0], b = sums[1];

	for (uint64_t at = 0; at + 8 <= bytes.n; at += 8) {
		uint32_t x = 0, y = 0;

		sap_span_u32(bytes, at, big, &x);
		sap_span_u32(bytes, at + 4, big, &y);
		a += x + b;
		b += y + a;
	}
	sums[0] = a;
	sums[1] = b;
}

static uint64_t frame_size(const struct sap_rpm_wal *wal)
{
	return FRAME_HEAD + (uint64_t)wal->page_size;
}

/* Frame no into wal->frame. *got is false where the file ends before. */
static int read_frame(struct sap_rpm_wal *wal, uint64_t no, bool *got, struct sap_err *fault)
{
	uint64_t n = 0;
	int r = wal->file->read_at(wal->file, WAL_HEAD + no * frame_size(wal), wal->frame,
				   frame_size(wal), &n, fault);

	*got = n == frame_size(wal);
	return r;
}

static struct sap_span head_of(const struct sap_rpm_wal *wal)
{
	return sap_span_of(wal->frame, FRAME_HEAD);
}

static struct sap_span page_of(const struct sap_rpm_wal *wal)
{
	return sap_span_of(wal->frame + FRAME_HEAD, wal->page_size);
}

static bool same_salts(const struct sap_rpm_wal *wal, struct sap_span head)
{
	return word(head, 8) == wal->salts[0] && word(head, 12) == wal->salts[1];
}

/* Whether frame no or one after it ends a transaction of this log. A frame with a wrong
 * checksum is nothing unusual in a transaction that is not finished: SQLite writes its pages
 * in place and sets the checksums right at the end. Before a commit it is damage. */
static bool commit_follows(const struct sap_rpm_wal *wal, uint64_t no, uint64_t whole)
{
	for (; no < whole; no++) {
		unsigned char bytes[FRAME_HEAD];
		struct sap_span head = sap_span_of(bytes, sizeof(bytes));
		uint64_t got = 0;

		if (wal->file->read_at(wal->file, WAL_HEAD + no * frame_size(wal), bytes,
				       sizeof(bytes), &got, NULL) < 0 ||
		    got < sizeof(bytes) || !same_salts(wal, head))
			return false;
		if (word(head, 4))
			return true;
	}
	return false;
}

/* Goes over the frames and sets wal->frames and wal->db_pages. Other salts mean what is left
 * of an older log, which is no fault. */
static int find_frames(struct sap_rpm_wal *wal, uint32_t sums[2], struct sap_err *fault)
{
	uint64_t whole = (wal->file->size - WAL_HEAD) / frame_size(wal);
	uint64_t no = 0;

	for (; no < whole; no++) {
		bool got = false;
		int r = read_frame(wal, no, &got, fault);

		if (r < 0)
			return r;
		if (!got || !same_salts(wal, head_of(wal)))
			return 0;
		add_sum(sums, (struct sap_span){ wal->frame, SUMMED_FRAME }, wal->big);
		add_sum(sums, page_of(wal), wal->big);
		if (!word(head_of(wal), 0) || word(head_of(wal), 16) != sums[0] ||
		    word(head_of(wal), 20) != sums[1]) {
			if (!commit_follows(wal, no, whole))
				return 0;
			return sap_err_format(fault, WAL_HEAD + no * frame_size(wal),
					      "the checksum of a change is wrong: it and those "
					      "after it are left out");
		}
		if (word(head_of(wal), 4)) {
			wal->frames = no + 1;
			wal->db_pages = word(head_of(wal), 4);
		}
	}
	if ((wal->file->size - WAL_HEAD) % frame_size(wal))
		return sap_err_format(fault, WAL_HEAD + no * frame_size(wal),
				      "the log ends within a change");
	return 0;
}

int sap_rpm_wal_open(const struct sap_reader *file, struct sap_rpm_wal *out, struct sap_err *fault,
		     struct sap_err *err)
{
	struct sap_rpm_wal wal = { .file = file };
	unsigned char bytes[WAL_HEAD];
	struct sap_span head = sap_span_of(bytes, sizeof(bytes));
	uint32_t sums[2] = { 0 }, magic;
	uint64_t got = 0;

	*out = wal;
	if (!file->size || file->read_at(file, 0, bytes, sizeof(bytes), &got, fault) < 0)
		return 0;
	magic = word(head, 0);
	wal.big = magic == magic_big;
	wal.page_size = word(head, 8);
	wal.salts[0] = word(head, 16);
	wal.salts[1] = word(head, 20);
	if (got == sizeof(bytes))
		add_sum(sums, (struct sap_span){ bytes, SUMMED_HEAD }, wal.big);
	if (got < sizeof(bytes) || (magic != magic_little && magic != magic_big) ||
	    word(head, 4) != 3007000 || wal.page_size < 512 || wal.page_size > 65536 ||
	    wal.page_size & (wal.page_size - 1) || word(head, 24) != sums[0] ||
	    word(head, 28) != sums[1]) {
		sap_err_format(fault, 0, "no write-ahead log that can be read");
		return 0;
	}
	wal.frame = malloc(frame_size(&wal));
	if (!wal.frame)
		return sap_err_nomem(err);
	/* What was found before a fault counts. */
	find_frames(&wal, sums, fault);
	*out = wal;
	return 0;
}

void sap_rpm_wal_apply(struct sap_rpm_wal *wal, struct sap_rpm_image *image, struct sap_err *fault)
{
	for (uint64_t no = 0; no < wal->frames; no++) {
		bool got = false;
		uint64_t at;

		if (read_frame(wal, no, &got, fault) < 0)
			return;
		if (!got || !same_salts(wal, head_of(wal))) {
			sap_err_set(fault, SAP_ECHANGED, "the log changed while it was read");
			return;
		}
		/* Pages beyond the end were cut off again before the commit. */
		at = ((uint64_t)word(head_of(wal), 0) - 1) * wal->page_size;
		if (!word(head_of(wal), 0) || at > image->n || wal->page_size > image->n - at)
			continue;
		memcpy(image->p + at, page_of(wal).p, wal->page_size);
	}
}

void sap_rpm_wal_close(struct sap_rpm_wal *wal)
{
	free(wal->frame);
	*wal = (struct sap_rpm_wal){ 0 };
}
