/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/watch_int.h"

enum {
	READY_MS = 10000,
	SEND_MS = 30000, /* a helper that takes nothing for that long is as good as dead */
	PACKETS = 64,    /* in one call */
};

/* ---- clocks, death -------------------------------------------------------------------------- */

int64_t sap_watch_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t sap_watch_realtime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int means(struct sap_watch *w, struct sap_str *to, const char *a, const char *b,
		 struct sap_err *err)
{
	char text[SAP_WATCH_NOTE_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s", a, b);
	return sap_evidence_text(w->e, sap_str_of(text), to) ? 0 : sap_err_nomem(err);
}

int sap_watch_lost(struct sap_watch *w, const char *why, struct sap_err *err)
{
	char text[SAP_ERR_TEXT_MAX], old[SAP_WATCH_NOTE_TEXT_MAX];
	int64_t now = sap_watch_realtime();

	if (w->dead)
		return sap_err_set(err, w->dead, "the helper sapper-observe has ended");
	w->dead = SAP_EWORKER;
	w->backlog_at = w->backlog.n;
	w->e->end = now;
	sap_watch_freeze(w, NULL);
	snprintf(text, sizeof(text), "%s", why);
	if (sap_evidence_gap(w->e, now, now, SAP_STR("the helper sapper-observe ended: no events"),
			     NULL) == 0)
		w->dead_gap = (uint32_t)w->e->gaps.n - 1;
	snprintf(old, sizeof(old), "%.*s", SAP_FMT(w->e->means.maps));
	means(w, &w->e->means.maps, old, "; the helper sapper-observe ended", NULL);
	if (w->e->means.functions.n) {
		snprintf(old, sizeof(old), "%.*s", SAP_FMT(w->e->means.functions));
		means(w, &w->e->means.functions, old, "; the helper sapper-observe ended", NULL);
	}
	return sap_err_set(err, SAP_EWORKER, "the helper sapper-observe ended%s%s",
			   text[0] ? ": " : "", text);
}

/* ---- packets ------------------------------------------------------------------------------ */

static int on_ready(struct sap_watch *w, const struct sap_wire_ready *m, struct sap_err *err)
{
	struct sap_means *to = &w->e->means;
	int r;

	if (w->got_ready)
		return sap_err_format(err, 0, "a second answer to START");
	w->ready = *m;
	w->e->live = m->flags & SAP_WIRE_MAPS;
	w->got_ready = true;
	if (m->flags & SAP_WIRE_MAPS)
		r = means(w, &to->maps, "/proc, then ", m->maps, err);
	else
		r = means(w, &to->maps, m->maps[0] ? "/proc only: " : "/proc", m->maps, err);
	if (r == 0 && (w->o.flags & SAP_WIRE_FUNCTIONS))
		r = means(w, &to->functions, "", m->functions, err);
	if (r == 0 && (w->o.flags & SAP_WIRE_OPENS))
		r = means(w, &to->opens, "", m->opens, err);
	return r;
}

static void count(uint64_t *to, uint64_t n)
{
	*to = n > UINT64_MAX - *to ? UINT64_MAX : *to + n;
}

static int on_note(struct sap_watch *w, const struct sap_wire_message *m, struct sap_err *err)
{
	struct sap_str *to = &w->e->means.maps, text = { m->body, strnlen(m->body, m->size) };
	char all[SAP_WATCH_NOTE_TEXT_MAX];

	/* Notes begin with what they are about. */
	if (sap_str_starts(text, SAP_STR("functions")) || sap_str_starts(text, SAP_STR("probe")))
		to = &w->e->means.functions;
	else if (sap_str_starts(text, SAP_STR("opens")))
		to = &w->e->means.opens;
	/* A helper that repeats itself does not fill the arena. */
	if (to->n + text.n + 3 > sizeof(all))
		return 0;
	snprintf(all, sizeof(all), "%.*s%s%.*s", SAP_FMT(*to), to->n ? "; " : "", SAP_FMT(text));
	return sap_evidence_text(w->e, sap_str_of(all), to) ? 0 : sap_err_nomem(err);
}

static int dispatch(struct sap_watch *w, const struct sap_wire_message *m, struct sap_err *err)
{
	const struct sap_wire_lost *lost = m->body;

	if (!w->got_ready && m->type != SAP_WIRE_READY && m->type != SAP_WIRE_NOTE)
		return sap_err_format(err, 0, "a message of type %u before READY", m->type);
	if (w->ended)
		return sap_err_format(err, 0, "a message after END");
	switch ((enum sap_wire_type)m->type) {
	case SAP_WIRE_READY:
		return on_ready(w, m->body, err);
	case SAP_WIRE_MAP:
		return sap_watch_map(w, m->body, err);
	case SAP_WIRE_EXEC:
		return sap_watch_exec(w, m->body, err);
	case SAP_WIRE_FORK:
		return sap_watch_fork(w, m->body, err);
	case SAP_WIRE_EXIT:
		return sap_watch_exit(w, m->body, err);
	case SAP_WIRE_HIT:
		return sap_watch_hit(w, m->body, err);
	case SAP_WIRE_PLACED:
		return sap_watch_placed(w, m->body, err);
	case SAP_WIRE_REFUSED:
		return sap_watch_refused(w, m->body, err);
	case SAP_WIRE_OPEN:
		return sap_watch_open(w, m->body, err);
	case SAP_WIRE_NOTE:
		return on_note(w, m, err);
	case SAP_WIRE_LOST:
		count(&w->e->losses.maps, lost->maps);
		count(&w->e->losses.hits, lost->hits);
		count(&w->e->losses.opens, lost->opens);
		return 0;
	case SAP_WIRE_END:
		w->ended = true;
		return 0;
	default:
		return sap_err_format(err, 0, "a message of type %u, which is not for us", m->type);
	}
}

static int on_packet(struct sap_watch *w, const void *p, uint32_t n, struct sap_err *err)
{
	struct sap_span packet = sap_span_of(p, n);
	struct sap_wire_message m;
	int r;

	while ((r = sap_wire_next(&packet, &m, err)) > 0) {
		r = dispatch(w, &m, err);
		if (r < 0)
			break;
	}
	return r;
}

/* 1: a packet; 0: none now. SAP_EWORKER: the helper is gone. */
static int receive(struct sap_watch *w, uint32_t *n, struct sap_err *err)
{
	int fd = -1, r = sap_wire_receive(w->o.observer, w->packet, n, &fd, err);

	/* ECONNRESET (it ended with messages of ours unread) comes before what it had still sent. */
	if (r == 0)
		r = sap_wire_receive(w->o.observer, w->packet, n, &fd, err);
	/* The helper has none to give. */
	if (r > 0 && fd >= 0) {
		close(fd);
		return sap_err_format(err, 0, "a descriptor came along");
	}
	if (r == 0)
		return sap_err_set(err, SAP_EWORKER, "it closed the connection");
	return r < 0 ? r : *n > 0;
}

/* What came while something of ours had to wait. */
static int keep_packet(struct sap_watch *w, uint32_t n, struct sap_err *err)
{
	struct sap_watch_packet *to;

	if (w->backlog_at == w->backlog.n)
		w->backlog_at = w->backlog.n = 0;
	to = SAP_VEC_PUSH(&w->backlog, SAP_WATCH_BACKLOG_MAX / 8);
	if (!to)
		return sap_err_nomem(err);
	to->p = malloc(n);
	if (!to->p) {
		w->backlog.n--;
		return sap_err_nomem(err);
	}
	memcpy(to->p, w->packet, n);
	to->n = n;
	w->backlog_bytes += n;
	return 0;
}

/* The socket takes no more: perhaps because the helper waits for us, so we listen meanwhile. */
static int on_full(void *ctx, struct sap_err *err)
{
	struct sap_watch *w = ctx;
	bool room = w->backlog_bytes < SAP_WATCH_BACKLOG_MAX;
	struct pollfd p = { .fd = w->o.observer, .events = (short)(POLLOUT | (room ? POLLIN : 0)) };
	uint32_t n = 0;
	int r = poll(&p, 1, SEND_MS);

	if (r < 0 && errno != EINTR)
		return sap_err_sys(err, errno, "poll");
	if (r == 0)
		return sap_err_set(err, SAP_EIO, "it takes nothing any more");
	if (r < 0 || !room || !(p.revents & (POLLIN | POLLHUP)))
		return 0;
	r = receive(w, &n, err);
	if (r > 0)
		return keep_packet(w, n, err);
	return r == SAP_EWORKER || r == SAP_EFORMAT ? SAP_EIO : r;
}

static int work_backlog(struct sap_watch *w, struct sap_err *err)
{
	int r = 0;

	while (w->backlog_at < w->backlog.n && r == 0) {
		struct sap_watch_packet *p = &w->backlog.v[w->backlog_at++];
		unsigned char *bytes = p->p;
		uint32_t n = p->n;

		p->p = NULL;
		w->backlog_bytes -= n;
		r = on_packet(w, bytes, n, err);
		free(bytes);
	}
	return r;
}

static int work_packets(struct sap_watch *w, struct sap_err *err)
{
	int r = work_backlog(w, err);

	for (int i = 0; i < PACKETS && r == 0 && !w->ended; i++) {
		uint32_t n = 0;

		r = receive(w, &n, err);
		if (r <= 0)
			break;
		r = on_packet(w, w->packet, n, err);
	}
	return r;
}

/* ---- work ---------------------------------------------------------------------------------- */

int sap_watch_more(struct sap_watch *w, struct sap_err *err)
{
	bool more = w->queue_at < w->queue.n || w->backlog_at < w->backlog.n;
	uint64_t one = 1;

	if (more) {
		if (write(w->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			return sap_err_sys(err, errno, "eventfd");
	} else if (read(w->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN) {
		return sap_err_sys(err, errno, "eventfd");
	}
	return 0;
}

static int settle_one(struct sap_watch *w, struct sap_watch_task *t, void *ctx, struct sap_err *err)
{
	(void)ctx;
	return sap_watch_task_settle(w, t, err);
}

int sap_watch_settle_all(struct sap_watch *w, struct sap_err *err)
{
	int r = sap_watch_tasks_each(w, settle_one, NULL, err);

	if (r == 0)
		r = sap_watch_pending(w, true, err);
	if (r == 0)
		r = sap_watch_finish(w, err);
	if (r == 0)
		r = sap_watch_tell_all(w, err);
	w->e->end = sap_watch_realtime();
	return r < 0 ? r : sap_watch_freeze(w, err);
}

/* What broke the connection, as the caller shall know it. */
static int broken(struct sap_watch *w, int r, struct sap_err *err)
{
	struct sap_err was = { 0 };

	if (r != SAP_EWORKER && r != SAP_EFORMAT && r != SAP_EIO)
		return r;
	if (w->dead)
		return w->dead;
	if (err)
		was = *err;
	sap_watch_lost(w, was.text, NULL);
	r = sap_watch_settle_all(w, err);
	return r < 0 ? r
		     : sap_err_set(err, SAP_EWORKER, "the helper sapper-observe ended%s%s",
				   was.text[0] ? ": " : "", was.text);
}

int sap_watch_work(struct sap_watch *w, struct sap_err *err)
{
	int r;

	if (w->late < 0) {
		if (err)
			*err = w->late_err;
		r = w->late;
		w->late = 0;
		return r;
	}
	if (w->dead)
		return sap_err_set(err, w->dead, "the helper sapper-observe has ended");
	if (w->ended)
		return 0;
	w->now_ms = sap_watch_clock_ms();
	r = w->o.observer >= 0 ? work_packets(w, err) : 0;
	if (r == 0)
		r = sap_watch_pending(w, false, err);
	if (r == 0 && !w->stopping && !w->ended)
		r = sap_watch_list(w, WATCH_LIST_MS, err);
	if (r == 0 && w->ended)
		r = sap_watch_settle_all(w, err);
	/* TAKENs. */
	if (r == 0 && w->out.n && !w->stopping && !w->ended)
		r = sap_wire_flush(&w->out, err);
	if (r == 0)
		r = sap_watch_more(w, err);
	if (r < 0)
		return broken(w, r, err);
	return w->ended ? 0 : 1;
}

int sap_watch_stop(struct sap_watch *w, struct sap_err *err)
{
	int r;

	if (w->stopping || w->ended || w->dead)
		return 0;
	w->stopping = true;
	if (w->o.observer < 0) {
		w->ended = true;
		return sap_watch_settle_all(w, err);
	}
	r = sap_wire_put(&w->out, SAP_WIRE_STOP, NULL, 0, NULL, 0, err);
	if (r == 0)
		r = sap_wire_flush(&w->out, err);
	return r < 0 ? broken(w, r, err) : 0;
}

/* ---- start --------------------------------------------------------------------------------- */

/* What is not as said here the helper tells in a note. */
static int watch_mounts(struct sap_watch *w, struct sap_err *err)
{
	char text[SAP_WATCH_NOTE_TEXT_MAX / 2], link[64], path[256];
	size_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < w->o.n_mounts && r == 0; i++) {
		ssize_t len;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", w->o.mounts[i]);
		len = readlink(link, path, sizeof(path));
		if (len > 0 && n + (size_t)len + 32 < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s",
					      n ? ", " : " on the file systems of ", (int)len,
					      path);
		r = sap_wire_put_fd(&w->out, SAP_WIRE_MOUNT, NULL, 0, w->o.mounts[i], err);
	}
	return n && r == 0 ? means(w, &w->e->means.opens, w->ready.opens, text, err) : r;
}

static int start(struct sap_watch *w, struct sap_err *err)
{
	struct sap_wire_start m = { .version = SAP_WIRE_VERSION,
				    .flags = w->o.flags | (w->e->narrow ? SAP_WIRE_KEEP : 0u),
				    .pid = w->o.flags & SAP_WIRE_CHILD ? w->o.pid : 0,
				    .cgroup = w->o.cgroup };
	int64_t until = sap_watch_clock_ms() + READY_MS;
	int r = sap_wire_put(&w->out, SAP_WIRE_START, &m, sizeof(m), NULL, 0, err);

	if (r == 0)
		r = sap_wire_flush(&w->out, err);
	while (r == 0 && !w->got_ready) {
		int64_t left = until - sap_watch_clock_ms();
		struct pollfd p = { .fd = w->o.observer, .events = POLLIN };
		uint32_t n = 0;

		if (left <= 0)
			r = sap_err_set(err, SAP_EWORKER, "it does not answer");
		else if (poll(&p, 1, (int)left) > 0)
			r = receive(w, &n, err);
		if (r > 0)
			r = on_packet(w, w->packet, n, err);
	}
	if (r == 0 && (w->ready.flags & SAP_WIRE_OPENS))
		r = watch_mounts(w, err);
	if (r == SAP_EWORKER || r == SAP_EFORMAT || r == SAP_EIO) {
		sap_err_wrap(err, "the helper sapper-observe");
		if (err)
			err->code = SAP_EWORKER;
		r = SAP_EWORKER;
	}
	return r;
}

static int copy_options(struct sap_watch *w, const struct sap_watch_options *options)
{
	const int32_t *pids = options->pids;
	uint32_t n = options->n_pids;
	bool child = options->flags & SAP_WIRE_CHILD;

	w->o = *options;
	w->proc = strdup(options->proc ? options->proc : "/proc");
	w->cgroup_path = options->cgroup_path ? strdup(options->cgroup_path) : NULL;
	if (!w->proc || (options->cgroup_path && !w->cgroup_path))
		return SAP_ENOMEM;
	/* The helper tells of that one and its descendants only; the picture shall be of no others. */
	if (n == 0 && child) {
		pids = &w->o.pid;
		w->o.narrow_children = true;
		n = 1;
	}
	if (n) {
		w->pids = malloc(n * sizeof(*w->pids));
		if (!w->pids)
			return SAP_ENOMEM;
		memcpy(w->pids, pids, n * sizeof(*w->pids));
		w->n_pids = n;
	}
	return 0;
}

static int open_all(struct sap_watch *w, struct sap_err *err)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int flags;

	w->proc_fd = open(w->proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->proc_fd < 0)
		return sap_err_sys(err, errno, "%s", w->proc);
	w->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->root_fd < 0 || w->epoll_fd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev) < 0)
		return sap_err_sys(err, errno, "cannot watch");
	if (w->o.observer < 0)
		return 0;
	flags = fcntl(w->o.observer, F_GETFL);
	if (flags < 0 || fcntl(w->o.observer, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->o.observer, &ev) < 0)
		return sap_err_sys(err, errno, "cannot listen to sapper-observe");
	return 0;
}

int sap_watch_new(const struct sap_watch_options *options, struct sap_watch **out,
		  struct sap_err *err)
{
	struct sap_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return sap_err_nomem(err);
	w->proc_fd = w->root_fd = w->epoll_fd = w->wake_fd = -1;
	w->dead_gap = SAP_NONE;
	w->e = sap_evidence_new();
	w->out.fd = options->observer;
	w->out.full = on_full;
	w->out.ctx = w;
	sap_arena_init(&w->scratch, SAP_WATCH_SCRATCH_MAX);
	if (w->e)
		w->e->narrow = options->n_pids || options->cgroup_path || options->pid;
	r = !w->e || copy_options(w, options) < 0 ? sap_err_nomem(err) : open_all(w, err);
	w->now_ms = sap_watch_clock_ms();
	/* First the events, then the picture: nothing falls in between. */
	if (r == 0 && w->o.observer >= 0)
		r = start(w, err);
	else if (r == 0)
		r = means(w, &w->e->means.maps, "/proc", "", err);
	if (r == 0)
		r = sap_watch_look(w, err);
	if (r == 0)
		r = sap_watch_list(w, WATCH_LIST_MS, err);
	if (r == 0)
		r = sap_watch_more(w, err);
	if (r < 0) {
		sap_watch_free(w);
		return r;
	}
	*out = w;
	return 0;
}

void sap_watch_free(struct sap_watch *w)
{
	if (!w)
		return;
	sap_watch_tasks_clear(w);
	for (size_t i = 0; i < w->objects.n; i++)
		sap_watch_object_free(w->objects.v[i]);
	for (size_t i = w->backlog_at; i < w->backlog.n; i++)
		free(w->backlog.v[i].p);
	sap_vec_clear(&w->objects);
	sap_vec_clear(&w->known);
	sap_vec_clear(&w->seen);
	sap_vec_clear(&w->pending);
	sap_vec_clear(&w->queue);
	sap_vec_clear(&w->backlog);
	sap_vec_clear(&w->kinds);
	free(w->known_table.v);
	free(w->object_table.v);
	free(w->proc);
	free(w->cgroup_path);
	free(w->pids);
	sap_close_fd(&w->proc_fd);
	sap_close_fd(&w->root_fd);
	sap_close_fd(&w->epoll_fd);
	sap_close_fd(&w->wake_fd);
	sap_arena_clear(&w->scratch);
	sap_evidence_free(w->e);
	free(w);
}

/* ---- what the caller looks at ----------------------------------------------------------------- */

int sap_watch_fd(const struct sap_watch *w)
{
	return w->epoll_fd;
}

struct sap_evidence *sap_watch_evidence(struct sap_watch *w)
{
	if (w->late == 0)
		w->late = sap_watch_tell_all(w, &w->late_err);
	if (w->late == 0)
		w->late = sap_watch_stood(w, &w->late_err);
	return w->e;
}

const struct sap_wire_ready *sap_watch_ready(const struct sap_watch *w)
{
	return &w->ready;
}

bool sap_watch_busy(const struct sap_watch *w)
{
	return !w->dead && !w->ended && (w->queue_at < w->queue.n || w->asked);
}

int sap_watch_expect(struct sap_watch *w, struct sap_str path, struct sap_err *err)
{
	char link[64], real[SAP_PATH_MAX];
	struct sap_watch_known k = { 0 };
	struct sap_file_id id;
	struct stat st;
	int sap_cleanup_fd fd = sap_watch_path(w, 0, 0, path, &st);
	ssize_t n;
	bool added = false;
	uint32_t file = 0;
	int r;

	if (fd < 0 || !S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_ENOENT, "%.*s: no such file", SAP_FMT(path));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real));
	if (n <= 0 || n == (ssize_t)sizeof(real))
		return sap_err_sys(err, n < 0 ? errno : ENAMETOOLONG, "%.*s", SAP_FMT(path));
	id = sap_watch_id(&st);
	r = sap_evidence_file(w->e, &id, 0, (struct sap_str){ real, (size_t)n }, &file, &added,
			      err);
	if (r == 0 && added) {
		w->e->files.v[file].stale = SAP_STALE_NO;
		r = sap_watch_set_build_id(w, file, fd, &k, err);
		if (r == 0)
			r = sap_watch_enqueue(w, file, 0, err);
		if (r == 0)
			r = sap_watch_more(w, err);
	}
	return sap_watch_soft(r);
}
