/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/wire.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"

enum { HEAD = 8, ALIGN = 8, FDS_MAX = 8 };

/* Least size of the body of each type; 0: any. False: no such type. */
static bool least_size(uint32_t type, uint32_t *out)
{
	switch ((enum sap_wire_type)type) {
	case SAP_WIRE_START:
		*out = sizeof(struct sap_wire_start);
		return true;
	case SAP_WIRE_FILE:
		*out = sizeof(struct sap_wire_file);
		return true;
	case SAP_WIRE_PROBE:
		*out = sizeof(struct sap_wire_probe);
		return true;
	case SAP_WIRE_FORGET:
	case SAP_WIRE_TAKEN:
		*out = sizeof(uint32_t);
		return true;
	case SAP_WIRE_READY:
		*out = sizeof(struct sap_wire_ready);
		return true;
	case SAP_WIRE_MAP:
		*out = offsetof(struct sap_wire_map, path);
		return true;
	case SAP_WIRE_EXEC:
		*out = sizeof(struct sap_wire_comm);
		return true;
	case SAP_WIRE_FORK:
	case SAP_WIRE_EXIT:
		*out = sizeof(struct sap_wire_task);
		return true;
	case SAP_WIRE_LOST:
		*out = sizeof(struct sap_wire_lost);
		return true;
	case SAP_WIRE_HIT:
		*out = sizeof(struct sap_wire_hit);
		return true;
	case SAP_WIRE_PLACED:
		*out = sizeof(struct sap_wire_placed);
		return true;
	case SAP_WIRE_REFUSED:
		*out = sizeof(struct sap_wire_refused);
		return true;
	case SAP_WIRE_OPEN:
		*out = offsetof(struct sap_wire_open, path);
		return true;
	case SAP_WIRE_MOUNT:
	case SAP_WIRE_STOP:
	case SAP_WIRE_NOTE:
	case SAP_WIRE_END:
		*out = 0;
		return true;
	}
	return false;
}

static bool ends(const char *text, size_t n)
{
	return memchr(text, '\0', n) != NULL;
}

static bool probe_holds(const struct sap_wire_probe *p, uint32_t size)
{
	uint32_t room = (uint32_t)((size - sizeof(*p)) / sizeof(p->offsets[0]));

	if (p->n == 0 || p->n > room || p->cookie > UINT32_MAX - (p->n - 1))
		return false;
	for (uint32_t i = 1; i < p->n; i++)
		if (p->offsets[i] <= p->offsets[i - 1])
			return false;
	return true;
}

/* size is at least the least one. */
static bool body_holds(uint32_t type, const void *body, uint32_t size)
{
	const struct sap_wire_ready *ready = body;
	const struct sap_wire_map *map = body;
	const struct sap_wire_comm *comm = body;
	const struct sap_wire_open *opened = body;

	switch (type) {
	case SAP_WIRE_PROBE:
		return probe_holds(body, size);
	case SAP_WIRE_READY:
		return ends(ready->maps, sizeof(ready->maps)) &&
		       ends(ready->functions, sizeof(ready->functions)) &&
		       ends(ready->opens, sizeof(ready->opens));
	case SAP_WIRE_MAP:
		return map->n_build_id <= sizeof(map->build_id) && map->n_path <= SAP_PATH_MAX &&
		       map->n_path <= size - offsetof(struct sap_wire_map, path);
	case SAP_WIRE_EXEC:
		return ends(comm->comm, sizeof(comm->comm));
	case SAP_WIRE_OPEN:
		return opened->n_path <= SAP_PATH_MAX &&
		       opened->n_path <= size - offsetof(struct sap_wire_open, path);
	default:
		return true;
	}
}

int sap_wire_next(struct sap_span *packet, struct sap_wire_message *out, struct sap_err *err)
{
	uint32_t type, size, least;
	uint64_t padded;

	if (packet->n == 0)
		return 0;
	if (packet->n < HEAD)
		return sap_err_format(err, 0, "a message is cut within its head");
	memcpy(&type, packet->p, sizeof(type));
	memcpy(&size, packet->p + sizeof(type), sizeof(size));
	padded = ((uint64_t)size + ALIGN - 1) / ALIGN * ALIGN;
	if (padded > packet->n - HEAD)
		return sap_err_format(err, 0,
				      "a message of type %u says it has %u bytes: only %llu", type,
				      size, (unsigned long long)(packet->n - HEAD));
	if (!least_size(type, &least))
		return sap_err_format(err, 0, "a message of the unknown type %u", type);
	if (size < least || !body_holds(type, packet->p + HEAD, size))
		return sap_err_format(err, 0, "a message of type %u and %u bytes is not sound",
				      type, size);
	*out = (struct sap_wire_message){ .type = type, .size = size, .body = packet->p + HEAD };
	packet->p += HEAD + padded;
	packet->n -= HEAD + padded;
	return 1;
}

/* ---- out -------------------------------------------------------------------------------- */

static int wait_for_room(struct sap_wire_out *out, struct sap_err *err)
{
	struct pollfd p = { .fd = out->fd, .events = POLLOUT };

	if (out->full)
		return out->full(out->ctx, err);
	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return sap_err_sys(err, errno, "cannot wait for the other program");
	return 0;
}

/* The packet is gone afterwards, whether it could be sent or not. */
static int send_packet(struct sap_wire_out *out, int fd, struct sap_err *err)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = out->packet, .iov_len = out->n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	int r;

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	out->n = 0;
	while (sendmsg(out->fd, &m, MSG_NOSIGNAL | (out->full ? MSG_DONTWAIT : 0)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return sap_err_sys(err, errno, "cannot send to the other program");
		r = wait_for_room(out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int sap_wire_flush(struct sap_wire_out *out, struct sap_err *err)
{
	return out->n ? send_packet(out, -1, err) : 0;
}

int sap_wire_put(struct sap_wire_out *out, enum sap_wire_type type, const void *a, uint32_t na,
		 const void *b, uint32_t nb, struct sap_err *err)
{
	uint64_t size = (uint64_t)na + nb;
	uint64_t padded = (size + ALIGN - 1) / ALIGN * ALIGN;
	uint32_t head[2] = { (uint32_t)type, (uint32_t)size };
	unsigned char *p;
	int r = 0;

	if (padded > SAP_WIRE_PACKET_MAX - HEAD)
		return sap_err_set(err, SAP_ELIMIT, "a message of %llu bytes fits no packet",
				   (unsigned long long)size);
	if (padded + HEAD > SAP_WIRE_PACKET_MAX - out->n)
		r = sap_wire_flush(out, err);
	if (r < 0)
		return r;
	p = out->packet + out->n;
	memcpy(p, head, HEAD);
	p += HEAD;
	if (na)
		memcpy(p, a, na);
	if (nb)
		memcpy(p + na, b, nb);
	memset(p + size, 0, padded - size);
	out->n += (uint32_t)(HEAD + padded);
	return 0;
}

int sap_wire_put_fd(struct sap_wire_out *out, enum sap_wire_type type, const void *a, uint32_t na,
		    int fd, struct sap_err *err)
{
	int r = sap_wire_flush(out, err);

	if (r == 0)
		r = sap_wire_put(out, type, a, na, NULL, 0, err);
	return r < 0 ? r : send_packet(out, fd, err);
}

/* ---- in --------------------------------------------------------------------------------- */

/* Takes the descriptors that came along: at most one is kept, the rest are closed. */
static uint32_t take_fds(struct msghdr *m, int *fd)
{
	uint32_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t bytes;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		bytes = c->cmsg_len - CMSG_LEN(0);
		for (size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int), n++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i, sizeof(got));
			if (n == 0)
				*fd = got;
			else
				close(got);
		}
	}
	return n;
}

int sap_wire_receive(int from, void *buf, uint32_t *n, int *fd, struct sap_err *err)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec part = { .iov_base = buf, .iov_len = SAP_WIRE_PACKET_MAX };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int sap_cleanup_fd got_fd = -1;
	uint32_t n_fds;
	ssize_t got;

	do
		got = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno != EAGAIN && errno != ECONNRESET)
		return sap_err_sys(err, errno, "cannot receive from the other program");
	if (got < 0 && errno == EAGAIN) {
		*n = 0;
		*fd = -1;
		return 1;
	}
	n_fds = got < 0 ? 0 : take_fds(&m, &got_fd);
	if (got <= 0)
		return 0;
	if (n_fds > 1 || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return sap_err_format(err, 0, "a packet is larger than agreed");
	*n = (uint32_t)got;
	*fd = sap_steal_fd(&got_fd);
	return 1;
}
