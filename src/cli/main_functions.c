/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper-functions: lists the functions of ELF files, in the sandbox. sapper runs it with a
 * socket as descriptor 3, over which the files come and the lists go (observe/fnworker.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "observe/fnworker.h"

enum { SOCKET = 3, FAILED = 2, FIRST = 256 * 1024 };

static const char usage[] =
	"Usage: sapper-functions\n"
	"\n"
	"Lists the functions of ELF files for sapper, which starts this program with a socket as\n"
	"descriptor 3. It is of no use alone.\n"
	"\n"
	"  -h, --help     this text\n"
	"      --version  the version\n";

static int lzma_failure(lzma_ret ret, struct sap_err *err)
{
	switch (ret) {
	case LZMA_MEM_ERROR:
		return sap_err_nomem(err);
	case LZMA_MEMLIMIT_ERROR:
		return sap_err_set(err, SAP_ELIMIT, "unpacking takes more than %llu bytes",
				   (unsigned long long)SAP_FN_XZ_MEMORY_MAX);
	case LZMA_OPTIONS_ERROR:
	case LZMA_UNSUPPORTED_CHECK:
		return sap_err_set(err, SAP_EUNSUPPORTED, "an xz stream of an unknown kind");
	case LZMA_FORMAT_ERROR:
		return sap_err_format(err, 0, "no xz stream");
	default:
		return sap_err_format(err, 0, "a damaged xz stream");
	}
}

/* Decodes into buf, whose ceiling is that of the output. */
static int decode(lzma_stream *stream, struct sap_buf *buf, struct sap_err *err)
{
	size_t room = FIRST;

	for (;;) {
		const size_t left = buf->max - buf->n;
		lzma_ret ret;
		size_t n;

		/* One byte more than there may be tells an end from a ceiling. */
		if (left == 0)
			return sap_err_set(err, SAP_ELIMIT, "it unpacks to more than %llu bytes",
					   (unsigned long long)SAP_FN_UNPACKED_MAX);
		n = room < left ? room : left;
		stream->next_out = sap_buf_reserve(buf, n);
		if (!stream->next_out)
			return sap_err_nomem(err);
		stream->avail_out = n;
		ret = lzma_code(stream, LZMA_FINISH);
		buf->n += n - stream->avail_out;
		if (ret == LZMA_STREAM_END)
			break;
		if (ret != LZMA_OK)
			return lzma_failure(ret, err);
		room = buf->n;
	}
	return stream->avail_in
		       ? sap_err_format(err, stream->total_in, "bytes behind the xz stream")
		       : 0;
}

static int unpack(void *ctx, struct sap_span packed, struct sap_arena *arena, struct sap_span *out,
		  struct sap_err *err)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	struct sap_buf buf;
	lzma_ret ret = lzma_stream_decoder(&stream, SAP_FN_XZ_MEMORY_MAX, 0);
	void *p;
	int r;

	(void)ctx;
	if (ret != LZMA_OK)
		return lzma_failure(ret, err);
	sap_buf_init(&buf, SAP_FN_UNPACKED_MAX + 1);
	stream.next_in = packed.p;
	stream.avail_in = packed.n;
	r = decode(&stream, &buf, err);
	lzma_end(&stream);
	if (r == 0) {
		p = sap_arena_alloc(arena, buf.n);
		if (p) {
			memcpy(p, buf.p, buf.n);
			*out = sap_span_of(p, buf.n);
		} else {
			r = sap_err_nomem(err);
		}
	}
	sap_buf_clear(&buf);
	return r;
}

static int run(struct sap_err *err)
{
	socklen_t n = sizeof(int);
	int type = 0;

	if (getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_SEQPACKET)
		return sap_err_set(err, SAP_EUSAGE,
				   "descriptor 3 is no socket: sapper starts this program");
	if (close_range(SOCKET + 1, ~0u, 0) < 0 && errno != ENOSYS)
		return sap_err_sys(err, errno, "cannot close what was open");
	return sap_fnworker_serve(SOCKET, unpack, err);
}

int main(int argc, char **argv)
{
	struct sap_err err = { 0 };

	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		fputs(usage, stdout);
		return fflush(stdout) == 0 ? 0 : FAILED;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("sapper-functions " SAP_VERSION);
		return fflush(stdout) == 0 ? 0 : FAILED;
	}
	if (argc > 1) {
		fputs("sapper-functions: takes no arguments; --help says more\n", stderr);
		return FAILED;
	}
	if (run(&err) < 0) {
		fprintf(stderr, "sapper-functions: %s\n", err.text);
		fflush(stderr);
		_exit(FAILED);
	}
	/* Not exit: leak checkers need calls that the sandbox forbids. */
	_exit(0);
}
