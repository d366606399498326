/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/fnworker.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"

enum { TIMEOUT_MS = 20000 };

struct sap_fnworker {
	struct sap_fnworker_options options;
	int fd; /* -1: none is running */
	pid_t pid;
	_Alignas(8) unsigned char packet[SAP_FNW_PACKET_MAX];
};

/* ---- its life --------------------------------------------------------------------------- */

static int start(struct sap_fnworker *w, struct sap_err *err)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sap_err_sys(err, errno, "cannot make a socket to sapper-functions");
	r = w->options.start(w->options.ctx, pair[1], &w->pid, err);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	w->fd = pair[0];
	return 0;
}

static void end(struct sap_fnworker *w)
{
	if (w->fd < 0)
		return;
	sap_close_fd(&w->fd);
	if (w->pid <= 0)
		return;
	/* It would end by itself; not where it is stuck. */
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
}

/* The helper is of no use any more. */
static int give_up(struct sap_fnworker *w, struct sap_err *err, const char *why)
{
	end(w);
	return sap_err_set(err, SAP_EWORKER, "sapper-functions %s", why);
}

int sap_fnworker_new(const struct sap_fnworker_options *options, struct sap_fnworker **out,
		     struct sap_err *err)
{
	struct sap_fnworker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return sap_err_nomem(err);
	w->options = *options;
	if (w->options.timeout_ms == 0)
		w->options.timeout_ms = TIMEOUT_MS;
	w->fd = -1;
	r = start(w, err);
	if (r < 0) {
		free(w);
		return r;
	}
	*out = w;
	return 0;
}

void sap_fnworker_free(struct sap_fnworker *w)
{
	if (!w)
		return;
	end(w);
	free(w);
}

/* ---- asking ----------------------------------------------------------------------------- */

/* 0 or errno. */
static int send_request(const struct sap_fnworker *w, int fd, int debug_fd, unsigned want)
{
	struct sap_fnw_request request = { .version = SAP_FNW_VERSION, .want = want };
	const int fds[2] = { fd, debug_fd };
	const size_t n = (debug_fd >= 0 ? 2 : 1) * sizeof(int);
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { &request, sizeof(request) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), fds, n);
	while (sendmsg(w->fd, &msg, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

static int ask(struct sap_fnworker *w, int fd, int debug_fd, unsigned want, struct sap_err *err)
{
	int r = 0, e;

	if (w->fd < 0 && (r = start(w, err)) < 0)
		return r;
	e = send_request(w, fd, debug_fd, want);
	/* Dead before it saw this file: which is not to blame. */
	if (e == EPIPE || e == ECONNRESET) {
		end(w);
		if ((r = start(w, err)) < 0)
			return r;
		e = send_request(w, fd, debug_fd, want);
	}
	if (e == EPIPE || e == ECONNRESET)
		return give_up(w, err, "ends as soon as it is started");
	return e ? sap_err_sys(err, e, "cannot hand a file to sapper-functions") : 0;
}

/* ---- the answer ------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One packet, before the deadline. */
static int receive(struct sap_fnworker *w, int64_t deadline, struct sap_span *out,
		   struct sap_err *err)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	ssize_t n;
	int r;

	for (;;) {
		int64_t left = deadline - now_ms();

		r = poll(&p, 1, left > 0 ? (int)left : 0);
		if (r == 0)
			return give_up(w, err, "takes too long for this file");
		if (r < 0 && errno != EINTR)
			return sap_err_sys(err, errno, "cannot wait for sapper-functions");
		if (r < 0)
			continue;
		n = recv(w->fd, w->packet, sizeof(w->packet), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return give_up(w, err, "died on this file");
		if ((size_t)n > sizeof(w->packet))
			return SAP_EFORMAT;
		*out = sap_span_of(w->packet, (uint64_t)n);
		return 0;
	}
}

struct answer {
	struct sap_fnworker *w;
	struct sap_arena *arena;
	struct sap_fn_list list;
	struct sap_err *err;
};

static int take_item(struct answer *a, struct sap_span *s)
{
	const uint32_t known = SAP_FN_EXPORTED | SAP_FN_LOCAL | SAP_FN_BARE | SAP_FN_IFUNC |
			       SAP_FN_CONSTRUCTOR | SAP_FN_REFUSED;
	struct sap_fnw_item item;
	struct sap_fn *fn;
	uint64_t n;

	if (s->n < sizeof(item))
		return SAP_EFORMAT;
	memcpy(&item, s->p, sizeof(item));
	n = sizeof(item) + sap_fnw_padded(item.n_names);
	if (n > s->n || (item.flags & ~known) || a->list.v.n == SAP_FN_LIST_MAX ||
	    (a->list.v.n && a->list.v.v[a->list.v.n - 1].offset >= item.offset))
		return SAP_EFORMAT;
	fn = SAP_VEC_PUSH(&a->list.v, SAP_FN_LIST_MAX);
	if (!fn)
		return sap_err_nomem(a->err);
	*fn = (struct sap_fn){
		.offset = item.offset, .addr = item.addr, .size = item.size, .flags = item.flags
	};
	if (item.n_names)
		fn->names = (struct sap_str){ (const char *)s->p + sizeof(item), item.n_names };
	*s = sap_span_of(s->p + n, s->n - n);
	return 0;
}

static int take_items(struct answer *a, uint32_t n, struct sap_span s)
{
	void *copy;
	int r = 0;

	/* One copy for the names of all. */
	copy = sap_arena_alloc(a->arena, s.n);
	if (!copy)
		return sap_err_nomem(a->err);
	memcpy(copy, s.p, s.n);
	s.p = copy;
	for (; n && r == 0; n--)
		r = take_item(a, &s);
	return r == 0 && s.n ? SAP_EFORMAT : r;
}

/* Of the codes that listing gives. */
static bool is_answer(int32_t code)
{
	return code == SAP_ENOMEM || code == SAP_EIO || code == SAP_EFORMAT || code == SAP_ELIMIT ||
	       code == SAP_ENOENT || code == SAP_ECHANGED || code == SAP_EUNSUPPORTED;
}

/* *code: what the list failed with. */
static int take_last(struct answer *a, const struct sap_fnw_head *h, struct sap_span s, int *code)
{
	struct sap_str text = { (const char *)s.p, h->n_text };

	if (h->n || h->n_text >= SAP_ERR_TEXT_MAX || sap_fnw_padded(h->n_text) != s.n ||
	    (h->code && !is_answer(h->code)))
		return SAP_EFORMAT;
	*code = h->code;
	if (h->code)
		return (sap_err_set)(a->err, (enum sap_code)h->code, "%.*s", SAP_FMT(text)), 0;
	a->list.has_symtab = h->has_symtab != 0;
	a->list.local_from = sap_fnw_from(h->from);
	a->list.n_constructors = h->n_constructors;
	a->list.n_ifuncs = h->n_ifuncs;
	a->list.machine = (uint16_t)h->machine;
	a->list.damaged = h->damaged != 0;
	if (text.n && !sap_arena_str(a->arena, text, &a->list.damage))
		return sap_err_nomem(a->err);
	return 0;
}

static int take_answer(struct answer *a, int *code)
{
	const int64_t deadline = now_ms() + a->w->options.timeout_ms;
	struct sap_fnw_head h;

	do {
		struct sap_span s = { NULL, 0 };
		int r = receive(a->w, deadline, &s, a->err);

		if (r < 0)
			return r;
		if (s.n < sizeof(h))
			return SAP_EFORMAT;
		memcpy(&h, s.p, sizeof(h));
		s = sap_span_of(s.p + sizeof(h), s.n - sizeof(h));
		if (h.last)
			r = take_last(a, &h, s, code);
		else
			r = h.n ? take_items(a, h.n, s) : SAP_EFORMAT;
		if (r < 0)
			return r;
	} while (!h.last);
	return 0;
}

int sap_fnworker_list(struct sap_fnworker *w, int fd, int debug_fd, unsigned want,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err)
{
	struct answer a = { .w = w, .arena = arena, .err = err };
	int code = 0, r = ask(w, fd, debug_fd, want, err);

	if (r < 0)
		return r;
	r = take_answer(&a, &code);
	if (r == 0 && code == 0) {
		*out = a.list;
		return 0;
	}
	sap_vec_clear(&a.list.v);
	if (r == SAP_EFORMAT)
		return give_up(w, err, "broke its protocol");
	/* What it still sends belongs to nobody. */
	if (r < 0)
		end(w);
	return r < 0 ? r : code;
}
