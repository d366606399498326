/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who listens where. The lists of sockets are read once for each network namespace, through a
 * process in it; which process holds a socket is known from the links of its descriptors. The
 * numbers of sockets are unique over all namespaces, so a socket that was handed to a process
 * of another namespace (systemd does so) counts for it too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "observe/snapshot_int.h"

struct listing {
	struct sap_look *look;
	enum sap_proc_net net;
	bool full;
};

static int on_socket(void *ctx, struct sap_str line, bool cut, struct sap_err *err)
{
	struct listing *in = ctx;
	struct sap_proc_socket s, *to;

	(void)cut; /* at most the end of a path is missing */
	if (!sap_proc_socket_parse(line, in->net, &s))
		return 0;
	to = SAP_VEC_PUSH(&in->look->sockets, SAP_PROC_SOCKETS_MAX);
	if (!to && in->look->sockets.n >= SAP_PROC_SOCKETS_MAX) {
		in->look->e->losses.ceiling++;
		in->full = true;
		return 0;
	}
	if (!to)
		return sap_err_nomem(err);
	*to = s;
	if (s.path.n && !sap_arena_str(&in->look->arena, s.path, &to->path))
		return sap_err_nomem(err);
	return 0;
}

/* *complete: all lists of the namespace were read. */
static int read_net(struct sap_look *look, const struct sap_task *t, bool *complete,
		    struct sap_err *err)
{
	static const char *const names[] = { "net/tcp", "net/tcp6", "net/udp", "net/udp6",
					     "net/unix" };

	*complete = true;
	for (unsigned net = SAP_NET_TCP; net <= SAP_NET_UNIX; net++) {
		sap_cleanup_fd int fd = openat(t->dir, names[net], O_RDONLY | O_CLOEXEC);
		struct listing in = { .look = look, .net = (enum sap_proc_net)net };
		int r;

		if (fd < 0) {
			/* A kernel without IPv6 has no list of it. */
			*complete &=
				errno == ENOENT && (net == SAP_NET_TCP6 || net == SAP_NET_UDP6);
			continue;
		}
		r = sap_proc_lines(fd, '\n', look->buf, SAP_PROC_NET_MAX, on_socket, &in, err);
		if (r == SAP_ENOMEM)
			return r;
		if (r == SAP_ELIMIT)
			look->e->losses.ceiling++;
		*complete &= r == 0 && !in.full;
	}
	return 0;
}

static int see_net(struct sap_look *look, const struct sap_task *t, bool *complete,
		   struct sap_err *err)
{
	struct sap_net_seen *seen;
	struct sap_str text;
	char buf[64];
	uint64_t ns;

	*complete = false;
	if (sap_proc_link(t->dir, "ns/net", buf, sizeof(buf), &text) < 0 ||
	    !sap_proc_bracket(text, SAP_STR("net:"), &ns))
		return 0;
	for (size_t i = look->nets.n; i > 0; i--) {
		if (look->nets.v[i - 1].ns == ns) {
			*complete = look->nets.v[i - 1].read;
			return 0;
		}
	}
	seen = SAP_VEC_PUSH(&look->nets, SAP_PROC_PIDS_MAX);
	if (!seen)
		return sap_err_nomem(err);
	seen->ns = ns;
	if (read_net(look, t, complete, err) < 0)
		return SAP_ENOMEM;
	seen->read = *complete;
	return 0;
}

static int hold(struct sap_look *look, uint64_t ino, uint32_t process, struct sap_err *err)
{
	struct sap_held *held = SAP_VEC_PUSH(&look->held, SAP_PROC_HELD_MAX);

	if (held)
		*held = (struct sap_held){ ino, process };
	else if (look->held.n < SAP_PROC_HELD_MAX)
		return sap_err_nomem(err);
	return held ? 0 : SAP_ELIMIT;
}

/* *complete stays only where all descriptors were looked at. */
static int read_fds(struct sap_look *look, struct sap_task *t, bool *complete, struct sap_err *err)
{
	int fd = openat(t->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct sap_str text;
	char buf[64];
	uint64_t ino;
	int r = 0;

	if (!dir) {
		sap_close_fd(&fd);
		*complete = false;
		return 0;
	}
	for (unsigned n = 0; r == 0 && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (n++ == SAP_PROC_FDS_MAX)
			r = SAP_ELIMIT;
		else if (sap_proc_link(fd, entry->d_name, buf, sizeof(buf), &text) == 0 &&
			 sap_proc_bracket(text, SAP_STR("socket:"), &ino))
			r = hold(look, ino, t->process, err);
	}
	closedir(dir);
	if (r == SAP_ELIMIT) {
		look->e->losses.ceiling++;
		*complete = false;
		r = 0;
	}
	return r;
}

int sap_task_sockets(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	struct sap_holder *holder = SAP_VEC_PUSH(&look->holders, SAP_PROC_PIDS_MAX);
	bool complete;
	int r;

	if (!holder)
		return sap_err_nomem(err);
	holder->process = t->process;
	r = see_net(look, t, &complete, err);
	if (r == 0)
		r = read_fds(look, t, &complete, err);
	holder->complete = complete;
	return r;
}

/* ---- after all processes ----------------------------------------------------------------- */

static int by_ino(const void *a, const void *b)
{
	const struct sap_proc_socket *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->net - y->net;
}

/* The first with that number. */
static size_t find_socket(const struct sap_look *look, uint64_t ino)
{
	size_t low = 0, high = look->sockets.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (look->sockets.v[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* n: sockets of the process that are named already. */
static int listens_on(struct sap_look *look, uint32_t process, const struct sap_proc_socket *s,
		      unsigned n, struct sap_err *err)
{
	struct sap_seen_process *p = &look->e->processes.v[process];
	const enum sap_exposure exposure = sap_proc_socket_exposure(s);
	char buf[80];
	int r = SAP_ELIMIT;

	if (n < SAP_PROC_LISTENS_MAX)
		r = sap_evidence_listen(look->e, process, sap_proc_socket_text(s, buf), exposure,
					err);
	else
		look->e->losses.ceiling++;
	if (r == SAP_ELIMIT) { /* counted; what it means stays */
		if (p->exposure < exposure)
			p->exposure = (uint8_t)exposure;
		r = 0;
	}
	return r;
}

int sap_look_listens(struct sap_look *look, struct sap_err *err)
{
	struct sap_evidence *e = look->e;
	uint32_t last = SAP_NONE;
	unsigned n = 0;
	int r = 0;

	if (look->sockets.n)
		qsort(look->sockets.v, look->sockets.n, sizeof(*look->sockets.v), by_ino);
	for (size_t i = 0; i < look->holders.n; i++)
		if (look->holders.v[i].complete)
			sap_evidence_no_listens(e, look->holders.v[i].process);
	for (size_t i = 0; r == 0 && i < look->held.n; i++) {
		const struct sap_held *held = &look->held.v[i];
		size_t at = find_socket(look, held->ino);

		if (at == look->sockets.n || look->sockets.v[at].ino != held->ino)
			continue;
		n = held->process == last ? n + 1 : 0;
		last = held->process;
		r = listens_on(look, held->process, &look->sockets.v[at], n, err);
	}
	for (size_t i = 0; i < look->holders.n; i++) {
		struct sap_seen_process *p = &e->processes.v[look->holders.v[i].process];

		if (look->holders.v[i].complete && p->exposure == SAP_EXPOSURE_UNKNOWN)
			p->exposure = SAP_EXPOSURE_NONE;
	}
	return r;
}
