/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"
#include "observe/wire.h"

struct ends {
	int ours, theirs;
	struct sap_wire_out *out; /* to theirs */
	_Alignas(8) unsigned char in[SAP_WIRE_PACKET_MAX];
};

static struct ends *ends_new(void)
{
	struct ends *e = calloc(1, sizeof(*e));
	int pair[2];

	e->out = calloc(1, sizeof(*e->out));
	if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0))
		exit(1);
	e->ours = e->out->fd = pair[0];
	e->theirs = pair[1];
	return e;
}

static void ends_free(struct ends *e)
{
	sap_close_fd(&e->ours);
	sap_close_fd(&e->theirs);
	free(e->out);
	free(e);
}

static struct sap_span receive(struct ends *e, int *fd)
{
	struct sap_err err = { 0 };
	uint32_t n = 0;

	CHECK_INT(sap_wire_receive(e->theirs, e->in, &n, fd, &err), 1);
	return sap_span_of(e->in, n);
}

static void test_there_and_back(void)
{
	struct ends *e = ends_new();
	struct sap_wire_map map = { .pid = 7, .tid = 8, .dev = 9, .n_build_id = 2, .n_path = 5 };
	struct sap_wire_comm comm = { .pid = 7, .comm = "x" };
	struct sap_wire_message m;
	struct sap_err err = { 0 };
	struct sap_span packet;
	const struct sap_wire_map *got;
	int fd = -1;

	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_MAP, &map, offsetof(struct sap_wire_map, path),
			      "/a/bc", 5, &err),
		 &err);
	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_EXEC, &comm, sizeof(comm), NULL, 0, &err), &err);
	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_END, NULL, 0, NULL, 0, &err), &err);
	CHECK_OK(sap_wire_flush(e->out, &err), &err);
	packet = receive(e, &fd);
	CHECK_INT(fd, -1);
	CHECK_INT(sap_wire_next(&packet, &m, &err), 1);
	CHECK_INT(m.type, SAP_WIRE_MAP);
	got = m.body;
	CHECK_INT((uintptr_t)got % 8, 0);
	CHECK_INT(got->dev, 9);
	CHECK_STR(((struct sap_str){ got->path, got->n_path }), "/a/bc");
	CHECK_INT(sap_wire_next(&packet, &m, &err), 1);
	CHECK_INT(m.type, SAP_WIRE_EXEC);
	CHECK_INT(sap_wire_next(&packet, &m, &err), 1);
	CHECK_INT(m.type, SAP_WIRE_END);
	CHECK_INT(m.size, 0);
	CHECK_INT(sap_wire_next(&packet, &m, &err), 0);
	ends_free(e);
}

static void test_packets_are_sent_when_full(void)
{
	struct ends *e = ends_new();
	struct sap_wire_hit hit = { .pid = 1 };
	unsigned received = 0, packets = 0;
	struct sap_wire_message m;
	struct sap_err err = { 0 };
	static const char large[SAP_WIRE_PACKET_MAX];

	for (uint32_t i = 0; i < 6000; i++) {
		hit.cookie = i;
		CHECK_OK(sap_wire_put(e->out, SAP_WIRE_HIT, &hit, sizeof(hit), NULL, 0, &err),
			 &err);
	}
	CHECK_OK(sap_wire_flush(e->out, &err), &err);
	while (received < 6000 && packets < 10) {
		int fd = -1;
		struct sap_span packet = receive(e, &fd);

		packets++;
		while (sap_wire_next(&packet, &m, &err) == 1)
			CHECK_INT(((const struct sap_wire_hit *)m.body)->cookie, received++);
	}
	CHECK_INT(received, 6000);
	CHECK_INT(packets, 3);
	CHECK_INT(sap_wire_put(e->out, SAP_WIRE_NOTE, large, sizeof(large), NULL, 0, &err),
		  SAP_ELIMIT);
	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_NOTE, large, sizeof(large) - 8, NULL, 0, &err),
		 &err);
	ends_free(e);
}

static void test_descriptors(void)
{
	struct ends *e = ends_new();
	struct sap_wire_file file = { .file = 3 };
	struct sap_wire_message m;
	struct sap_err err = { 0 };
	struct sap_span packet;
	int fd = -1;

	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_STOP, NULL, 0, NULL, 0, &err), &err);
	CHECK_OK(sap_wire_put_fd(e->out, SAP_WIRE_FILE, &file, sizeof(file), e->ours, &err), &err);
	packet = receive(e, &fd);
	CHECK_INT(fd, -1);
	CHECK_INT(sap_wire_next(&packet, &m, &err), 1);
	CHECK_INT(m.type, SAP_WIRE_STOP);
	packet = receive(e, &fd);
	CHECK(fd > e->ours && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_INT(sap_wire_next(&packet, &m, &err), 1);
	CHECK_INT(m.type, SAP_WIRE_FILE);
	sap_close_fd(&fd);
	ends_free(e);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Several descriptors, or more than are looked at: refused, none left open. */
static void test_too_many_descriptors(void)
{
	for (unsigned n = 2; n <= 32; n += 15) {
		struct ends *e = ends_new();
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(32 * sizeof(int))] = { 0 };
		char byte[8] = { SAP_WIRE_STOP };
		struct iovec part = { byte, sizeof(byte) };
		struct msghdr m = { .msg_iov = &part,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		struct sap_err err = { 0 };
		int before = count_fds();
		uint32_t got = 0;
		int fd = -1;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &e->ours, sizeof(int));
		CHECK(sendmsg(e->ours, &m, 0) == sizeof(byte));
		CHECK_INT(sap_wire_receive(e->theirs, e->in, &got, &fd, &err), SAP_EFORMAT);
		CHECK_INT(fd, -1);
		CHECK_INT(count_fds(), before);
		ends_free(e);
	}
}

static void test_ends(void)
{
	struct ends *e = ends_new();
	struct sap_err err = { 0 };
	uint32_t n = 1;
	int fd = -1;

	CHECK(fcntl(e->theirs, F_SETFL, O_NONBLOCK) == 0);
	CHECK_INT(sap_wire_receive(e->theirs, e->in, &n, &fd, &err), 1);
	CHECK_INT(n, 0);
	sap_close_fd(&e->ours);
	CHECK_INT(sap_wire_receive(e->theirs, e->in, &n, &fd, &err), 0);
	e->out->fd = e->theirs;
	CHECK_OK(sap_wire_put(e->out, SAP_WIRE_STOP, NULL, 0, NULL, 0, &err), &err);
	CHECK_INT(sap_wire_flush(e->out, &err), SAP_EIO);
	CHECK_INT(err.sys_errno, EPIPE);
	CHECK_INT(e->out->n, 0);
	ends_free(e);
}

static void test_oversized_packet(void)
{
	struct ends *e = ends_new();
	static const char large[SAP_WIRE_PACKET_MAX + 8];
	struct sap_err err = { 0 };
	uint32_t n = 0;
	int fd = -1;

	CHECK(send(e->ours, large, sizeof(large), 0) == (ssize_t)sizeof(large));
	CHECK_INT(sap_wire_receive(e->theirs, e->in, &n, &fd, &err), SAP_EFORMAT);
	ends_free(e);
}

/* The other side is full: the hook receives there, and the sending goes on. */
struct taker {
	struct ends *e;
	unsigned calls, packets;
};

static int take(void *ctx, struct sap_err *err)
{
	struct taker *t = ctx;
	uint32_t n = 0;
	int fd = -1;

	t->calls++;
	t->packets++;
	return sap_wire_receive(t->e->theirs, t->e->in, &n, &fd, err) < 0 ? SAP_EIO : 0;
}

static int refuse(void *ctx, struct sap_err *err)
{
	(void)ctx;
	return sap_err_set(err, SAP_ELIMIT, "no");
}

static void test_a_full_socket(void)
{
	struct ends *e = ends_new();
	struct taker t = { .e = e };
	static const char text[60000];
	struct sap_err err = { 0 };

	e->out->full = take;
	e->out->ctx = &t;
	for (unsigned i = 0; i < 50; i++)
		CHECK_OK(sap_wire_put(e->out, SAP_WIRE_NOTE, text, sizeof(text), NULL, 0, &err),
			 &err);
	CHECK(t.calls > 0);
	e->out->full = refuse;
	for (unsigned i = 0; i < 50 && err.code == 0; i++)
		(void)sap_wire_put(e->out, SAP_WIRE_NOTE, text, sizeof(text), NULL, 0, &err);
	CHECK_INT(err.code, SAP_ELIMIT);
	ends_free(e);
}

/* ---- bad messages ----------------------------------------------------------------------- */

static int next_of(uint32_t type, uint32_t size, const void *body, uint32_t n)
{
	_Alignas(8) static unsigned char packet[SAP_WIRE_PACKET_MAX];
	struct sap_span span = sap_span_of(packet, 8 + (n + 7) / 8 * 8);
	struct sap_wire_message m;
	struct sap_err err = { 0 };

	memset(packet, 0, sizeof(packet));
	memcpy(packet, &type, 4);
	memcpy(packet + 4, &size, 4);
	memcpy(packet + 8, body, n);
	return sap_wire_next(&span, &m, &err);
}

static void test_lengths_are_checked(void)
{
	union {
		struct sap_wire_map map;
		unsigned char bytes[8192];
	} m = { .map.n_path = 100 };
	const uint32_t fixed = offsetof(struct sap_wire_map, path);

	CHECK_INT(next_of(SAP_WIRE_MAP, fixed + 100, &m, fixed + 100), 1);
	CHECK_INT(next_of(SAP_WIRE_MAP, fixed + 99, &m, fixed + 99), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_MAP, fixed - 1, &m, fixed), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_MAP, UINT32_MAX, &m, fixed), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_MAP, UINT32_MAX - 7, &m, fixed), SAP_EFORMAT);
	m.map.n_path = SAP_PATH_MAX + 1;
	CHECK_INT(next_of(SAP_WIRE_MAP, 8000, &m, 8000), SAP_EFORMAT);
	m.map.n_path = UINT32_MAX;
	CHECK_INT(next_of(SAP_WIRE_MAP, 8000, &m, 8000), SAP_EFORMAT);
	m.map.n_path = 0;
	m.map.n_build_id = 21;
	CHECK_INT(next_of(SAP_WIRE_MAP, 8000, &m, 8000), SAP_EFORMAT);
	CHECK_INT(next_of(0, 0, &m, 0), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_END + 1, 0, &m, 0), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_STOP, 8, &m, 0), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_FORGET, 4, &m, 4), 1);
	CHECK_INT(next_of(SAP_WIRE_FORGET, 3, &m, 4), SAP_EFORMAT);
}

static void test_texts_end(void)
{
	struct sap_wire_ready ready = { 0 };
	struct sap_wire_comm comm = { 0 };

	CHECK_INT(next_of(SAP_WIRE_READY, sizeof(ready), &ready, sizeof(ready)), 1);
	memset(ready.functions, 'x', sizeof(ready.functions));
	CHECK_INT(next_of(SAP_WIRE_READY, sizeof(ready), &ready, sizeof(ready)), SAP_EFORMAT);
	CHECK_INT(next_of(SAP_WIRE_EXEC, sizeof(comm), &comm, sizeof(comm)), 1);
	memset(comm.comm, 'x', sizeof(comm.comm));
	CHECK_INT(next_of(SAP_WIRE_EXEC, sizeof(comm), &comm, sizeof(comm)), SAP_EFORMAT);
}

static void test_probe_offsets(void)
{
	enum { AT = sizeof(struct sap_wire_probe) / sizeof(uint64_t) };
	union {
		struct sap_wire_probe probe;
		uint64_t words[AT + 3];
	} p = { .probe = { .file = 1, .n = 3, .cookie = 5 } };

	p.words[AT] = 1;
	p.words[AT + 1] = 2;
	p.words[AT + 2] = 9;

	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), 1);
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p) - 1, &p, sizeof(p)), SAP_EFORMAT);
	p.words[AT + 2] = 2;
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), SAP_EFORMAT);
	p.words[AT + 2] = 9;
	p.probe.cookie = UINT32_MAX - 2;
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), 1);
	p.probe.cookie++;
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), SAP_EFORMAT);
	p.probe.cookie = 5;
	p.probe.n = 0;
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), SAP_EFORMAT);
	p.probe.n = UINT32_MAX;
	CHECK_INT(next_of(SAP_WIRE_PROBE, sizeof(p), &p, sizeof(p)), SAP_EFORMAT);
}

int main(void)
{
	test_there_and_back();
	test_packets_are_sent_when_full();
	test_descriptors();
	test_too_many_descriptors();
	test_ends();
	test_oversized_packet();
	test_a_full_socket();
	test_lengths_are_checked();
	test_texts_end();
	test_probe_offsets();
	return check_done();
}
