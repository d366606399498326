/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/fnworker.h"
#include "sandbox/sandbox.h"

enum { FILES = 2 };

struct server {
	int fd;
	sap_fn_unpack *unpack;
	struct sap_arena arena;
	struct sap_err *err;
	uint64_t n; /* bytes of the packet */
	_Alignas(8) unsigned char packet[SAP_FNW_PACKET_MAX];
};

struct request {
	struct sap_fnw_request body;
	int fds[FILES];
};

/* ---- what comes ------------------------------------------------------------------------- */

/* Descriptors become ours, however many there are. Returns their number. */
static unsigned take_files(struct msghdr *msg, int fds[FILES])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (n < FILES)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* 1; 0: the other side is gone. */
static int receive(struct server *s, struct request *out)
{
	union {
		char bytes[CMSG_SPACE(FILES * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { &out->body, sizeof(out->body) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	unsigned files;
	ssize_t n;

	do {
		n = recvmsg(s->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return sap_err_sys(s->err, errno, "cannot read a request");
	if (n <= 0)
		return 0;
	files = take_files(&msg, out->fds);
	if (n != sizeof(out->body) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || files == 0 ||
	    out->body.version != SAP_FNW_VERSION)
		return sap_err_format(s->err, 0, "a request that is none");
	return 1;
}

/* ---- what goes -------------------------------------------------------------------------- */

static struct sap_fnw_head *head(struct server *s)
{
	return (struct sap_fnw_head *)(void *)s->packet;
}

static void begin_packet(struct server *s)
{
	*head(s) = (struct sap_fnw_head){ 0 };
	s->n = sizeof(struct sap_fnw_head);
}

static int send_packet(struct server *s)
{
	ssize_t n;

	do {
		n = write(s->fd, s->packet, s->n);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return sap_err_sys(s->err, errno, "cannot answer");
	begin_packet(s);
	return 0;
}

static void put(struct server *s, const void *p, uint64_t n)
{
	const uint64_t padded = sap_fnw_padded(n);

	if (n)
		memcpy(s->packet + s->n, p, n);
	memset(s->packet + s->n + n, 0, padded - n);
	s->n += padded;
}

static int send_function(struct server *s, const struct sap_fn *fn)
{
	const struct sap_fnw_item item = { .offset = fn->offset,
					   .addr = fn->addr,
					   .size = fn->size,
					   .flags = fn->flags,
					   .n_names = (uint32_t)fn->names.n };
	const uint64_t need = sizeof(item) + sap_fnw_padded(fn->names.n);
	int r = need > sizeof(s->packet) - s->n ? send_packet(s) : 0;

	if (r < 0)
		return r;
	put(s, &item, sizeof(item));
	put(s, fn->names.p, fn->names.n);
	head(s)->n++;
	return 0;
}

static uint32_t from_index(const char *from)
{
	for (uint32_t i = 1; from && sap_fnw_from(i); i++) {
		if (strcmp(sap_fnw_from(i), from) == 0)
			return i;
	}
	return 0;
}

static int send_last(struct server *s, const struct sap_fn_list *list, int code,
		     struct sap_str text)
{
	struct sap_fnw_head *h = head(s);
	int r = h->n ? send_packet(s) : 0;

	if (r < 0)
		return r;
	if (text.n > SAP_ERR_TEXT_MAX - 1)
		text.n = SAP_ERR_TEXT_MAX - 1;
	*h = (struct sap_fnw_head){
		.last = 1,
		.code = code,
		.n_text = (uint32_t)text.n,
		.machine = list->machine,
		.from = from_index(list->local_from),
		.n_constructors = list->n_constructors,
		.n_ifuncs = list->n_ifuncs,
		.has_symtab = list->has_symtab,
		.damaged = list->damaged,
	};
	put(s, text.p, text.n);
	return send_packet(s);
}

/* ---- in between ------------------------------------------------------------------------- */

static int open_file(int fd, struct sap_reader *out, struct sap_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at the file");
	if (!S_ISREG(st.st_mode))
		return sap_err_format(err, 0, "no regular file");
	*out = sap_reader_fd(fd, (uint64_t)st.st_size);
	return 0;
}

static int list(struct server *s, const struct request *request, struct sap_fn_list *out,
		struct sap_err *err)
{
	struct sap_fn_options options = { .want = request->body.want, .unpack = s->unpack };
	struct sap_reader file, debug;
	int r = open_file(request->fds[0], &file, err);

	if (r < 0)
		return r;
	if (request->fds[1] >= 0) {
		if ((r = open_file(request->fds[1], &debug, err)) < 0)
			return r;
		options.debug = &debug;
	}
	return sap_elf_functions(&file, &options, &s->arena, out, err);
}

static int answer(struct server *s, const struct request *request)
{
	struct sap_fn_list found = { 0 };
	struct sap_err err = { 0 };
	int r = list(s, request, &found, &err), code = r;

	begin_packet(s);
	r = 0;
	for (size_t i = 0; code == 0 && r == 0 && i < found.v.n; i++)
		r = send_function(s, &found.v.v[i]);
	if (r == 0)
		r = send_last(s, &found, code, code < 0 ? sap_str_of(err.text) : found.damage);
	sap_vec_clear(&found.v);
	sap_arena_reset(&s->arena);
	return r;
}

static int serve(struct server *s)
{
	for (;;) {
		struct request request = { .fds = { -1, -1 } };
		int r = receive(s, &request);

		if (r == 1) {
			r = answer(s, &request);
			if (r == 0)
				r = 1;
			else if (s->err->sys_errno == EPIPE)
				r = 0;
		}
		sap_close_fd(&request.fds[0]);
		sap_close_fd(&request.fds[1]);
		if (r <= 0)
			return r;
	}
}

int sap_fnworker_serve(int fd, sap_fn_unpack *unpack, struct sap_err *err)
{
	const struct sap_sandbox_options options = { .memory_max = SAP_FN_SPACE_MAX,
						     .receive = true };
	struct sap_sandbox_report report;
	struct sap_err own = { 0 };
	struct server *s;
	int r;

	if (!err)
		err = &own;
	/* A side that is gone is an error of write. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return sap_err_sys(err, errno, "cannot ignore SIGPIPE");
	if ((r = sap_sandbox_enter(-1, &options, &report, err)) < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return sap_err_nomem(err);
	s->fd = fd;
	s->unpack = unpack;
	s->err = err;
	sap_arena_init(&s->arena, SAP_FN_MEMORY_MAX);
	r = serve(s);
	sap_arena_clear(&s->arena);
	free(s);
	return r;
}
