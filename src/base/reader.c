/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reader.h"

#include <string.h>
#include <unistd.h>

static int memory_read(const struct sap_reader *reader, uint64_t off, void *buf, uint64_t n,
		       uint64_t *got, struct sap_err *err)
{
	uint64_t room = off < reader->memory.n ? reader->memory.n - off : 0;

	(void)err;
	if (n > room)
		n = room;
	if (n)
		memcpy(buf, reader->memory.p + off, n);
	*got = n;
	return 0;
}

static int fd_read(const struct sap_reader *reader, uint64_t off, void *buf, uint64_t n,
		   uint64_t *got, struct sap_err *err)
{
	uint64_t done = 0;

	while (done < n) {
		ssize_t r;

		if (off + done > INT64_MAX)
			break;
		r = pread(reader->fd, (char *)buf + done, n - done, (off_t)(off + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return sap_err_sys(err, errno, "cannot read");
		if (r == 0)
			break;
		done += (uint64_t)r;
	}
	*got = done;
	return 0;
}

struct sap_reader sap_reader_memory(struct sap_span bytes)
{
	return (struct sap_reader){
		.read_at = memory_read, .size = bytes.n, .fd = -1, .memory = bytes
	};
}

struct sap_reader sap_reader_fd(int fd, uint64_t size)
{
	return (struct sap_reader){ .read_at = fd_read, .size = size, .fd = fd };
}

int sap_reader_get(const struct sap_reader *reader, uint64_t off, uint64_t n,
		   struct sap_arena *arena, struct sap_span *out, struct sap_err *err)
{
	uint64_t got = 0;
	void *p;
	int r;

	if (off > reader->size || n > reader->size - off)
		return sap_err_format(err, off, "%llu bytes expected, the file ends before",
				      (unsigned long long)n);
	if (reader->read_at == memory_read) {
		sap_span_sub(reader->memory, off, n, out);
		return 0;
	}
	p = sap_arena_alloc(arena, n);
	if (!p)
		return sap_err_nomem(err);
	r = reader->read_at(reader, off, p, n, &got, err);
	if (r < 0)
		return r;
	if (got != n)
		return sap_err_set(err, SAP_ECHANGED, "the file became shorter while it was read");
	*out = sap_span_of(p, n);
	return 0;
}
