/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sapper` and the helper program sapper-observe say to each other, over one
 * SOCK_SEQPACKET pair (the helper's descriptor 3). Both are the same version, on the same
 * machine: native byte order. A packet is one or more messages, each
 *
 *     type:4 size:4 body[size] padded to 8
 *
 * at most SAP_WIRE_PACKET_MAX bytes in all. A packet with a descriptor (SCM_RIGHTS) holds one
 * message. Both sides check each message as if it came from a stranger: one with fewer
 * rights.
 */
#ifndef SAP_OBSERVE_WIRE_H
#define SAP_OBSERVE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define SAP_WIRE_PACKET_MAX 65536u
#define SAP_WIRE_FD 3
#define SAP_WIRE_VERSION 1u
#define SAP_WIRE_COOKIES_MAX 4000000u /* functions under watch at once */

enum sap_wire_type {
	/* to the helper */
	SAP_WIRE_START = 1, /* struct sap_wire_start: the first message */
	SAP_WIRE_FILE,      /* struct sap_wire_file, with the descriptor of a file */
	SAP_WIRE_PROBE,  /* struct sap_wire_probe: places in a file; then SAP_WIRE_PLACED comes */
	SAP_WIRE_FORGET, /* uint32_t file: its probes are removed, its descriptor closed */
	SAP_WIRE_MOUNT,  /* with the descriptor of a folder: opens on its mount are told */
	SAP_WIRE_TAKEN,  /* uint32_t cookie: with KEEP, its entry was by a process that is wanted */
	SAP_WIRE_STOP,   /* everything that is there is sent, then SAP_WIRE_END */

	/* to sapper */
	SAP_WIRE_READY = 32, /* struct sap_wire_ready: the answer to START */
	SAP_WIRE_MAP,        /* struct sap_wire_map */
	SAP_WIRE_EXEC,       /* struct sap_wire_comm: the process has become another program */
	SAP_WIRE_FORK,       /* struct sap_wire_task */
	SAP_WIRE_EXIT,       /* struct sap_wire_task: the last thread of a process has ended */
	SAP_WIRE_LOST,       /* struct sap_wire_lost */
	SAP_WIRE_HIT,        /* struct sap_wire_hit: a function was entered */
	SAP_WIRE_PLACED,     /* struct sap_wire_placed */
	SAP_WIRE_REFUSED,    /* struct sap_wire_refused */
	SAP_WIRE_OPEN,       /* struct sap_wire_open */
	SAP_WIRE_NOTE,       /* text for people: something is not in use after all */
	SAP_WIRE_END,        /* nothing comes behind it */
};

enum sap_wire_flags {
	SAP_WIRE_MAPS = 1,      /* mappings, forks, execs, exits of all processes */
	SAP_WIRE_FUNCTIONS = 2, /* probes will be asked for */
	SAP_WIRE_OPENS = 4,
	SAP_WIRE_SINGLE = 8,       /* tests: single perf uprobes even where uprobe_multi is there */
	SAP_WIRE_NO_BUILD_ID = 16, /* tests: as on a kernel before 5.12 */
	SAP_WIRE_CHILD = 32,       /* pid and its descendants only, by inherited perf events of that
				 * process: works without privileges. It is stopped until READY */
	SAP_WIRE_BUILD_IDS = 64,   /* mappings carry build-ids too (Linux 5.12). Off, because the
				  * second event of each CPU that it takes makes a storm of
				  * /bin/true about 2 % slower; sapper reads them from the files */
	SAP_WIRE_KEEP =
		128, /* probes stay until TAKEN: others than those that are wanted may fire them */
};

struct sap_wire_start {
	uint32_t version; /* SAP_WIRE_VERSION */
	uint32_t flags;
	int32_t pid;          /* with CHILD: the process; else 0 */
	uint32_t interval_ms; /* how often what was heard is sent at the latest; 0: 100 */
	uint64_t cgroup; /* id of a cgroup v2: only functions entered in it and below; 0: all */
};

struct sap_wire_ready {
	uint32_t flags;            /* of those asked for, what is in use */
	uint32_t build_ids, multi; /* booleans */
	char maps[160], functions[160],
		opens[160]; /* what is in use, or why not and what would help; NUL-ended */
};

struct sap_wire_file {
	uint32_t file;    /* number chosen by sapper, not in use */
	uint32_t machine; /* e_machine */
};

struct sap_wire_probe {
	uint32_t file;
	uint32_t n;
	uint32_t cookie; /* of the first; the others follow. Not used before. */
	uint32_t pad;
	uint64_t offsets[]; /* n (at least 1), each above the one before, in the file */
};

struct sap_wire_placed {
	uint32_t file;
	uint32_t cookie; /* of the PROBE that it answers */
	uint32_t n_placed, n_refused;
	int64_t when;  /* ns since 1970: from now on entries are seen */
	int32_t error; /* errno where none could be placed; 0 */
	uint32_t pad;
};

struct sap_wire_refused {
	uint32_t cookie;
	int32_t error; /* 524: the instruction; others as the kernel says */
};

struct sap_wire_map {
	int32_t pid, tid;
	int64_t when; /* ns since 1970 */
	uint64_t addr, len, pgoff;
	uint64_t dev, ino; /* dev as makedev(3); both 0 where only the build-id is known */
	uint64_t generation;
	uint32_t n_build_id; /* bytes; 0: none was told */
	unsigned char build_id[20];
	uint32_t n_path;
	uint32_t pad;
	char path[]; /* as the process sees it, at most 4096; "//anon", "[vdso]" are not sent. The
		      * kernel puts " (deleted)" behind one that is unlinked; one above 4088
		      * bytes it does not tell: counted as lost */
};

struct sap_wire_comm {
	int32_t pid, tid;
	int64_t when;
	char comm[16];
};

struct sap_wire_task {
	int32_t pid, ppid;
	int64_t when;
};

struct sap_wire_lost {
	uint64_t maps, hits, opens; /* since the last such message */
};

struct sap_wire_hit {
	uint32_t cookie;
	int32_t pid;
	int64_t when;
};

struct sap_wire_open {
	int32_t pid;
	uint32_t n_path;
	int64_t when;
	char path[];
};

/* ---- packets ---------------------------------------------------------------------------- */

/* One message of a packet. Bodies are aligned to 8 and may be cast to the struct once size was
 * checked: sap_wire_next has checked it against the least size of its type, and that n and n_path
 * lie inside it. */
struct sap_wire_message {
	uint32_t type;
	uint32_t size;
	const void *body;
};

/* Takes the first message off packet. 1; 0 at its end; SAP_EFORMAT. */
int sap_wire_next(struct sap_span *packet, struct sap_wire_message *out, struct sap_err *err);

/*
 * Messages on their way out; { .fd = ... } is an empty one. full (may be NULL) is called, instead of
 * waiting, when the other side does not take more: it may wait for either direction and
 * receive, so that two that both send never wait for each other, but it must not put anything here. 0: try
 * again; an error ends the sending. A side that never has more than one PROBE unanswered does
 * not need it: that much always fits into the socket.
 */
struct sap_wire_out {
	int fd;
	uint32_t n;
	int (*full)(void *ctx, struct sap_err *err);
	void *ctx;
	_Alignas(8) unsigned char packet[SAP_WIRE_PACKET_MAX];
};

/* Adds a message of two parts (b may be NULL), sends the packet first where it does not fit.
 * SAP_ELIMIT: larger than a packet. SAP_EIO: the other side is gone. */
int sap_wire_put(struct sap_wire_out *out, enum sap_wire_type type, const void *a, uint32_t na,
		 const void *b, uint32_t nb, struct sap_err *err);
/* Sends what is there, then this message with the descriptor, which stays the caller's. */
int sap_wire_put_fd(struct sap_wire_out *out, enum sap_wire_type type, const void *a, uint32_t na,
		    int fd, struct sap_err *err);
int sap_wire_flush(struct sap_wire_out *out, struct sap_err *err);

/* One packet into buf (SAP_WIRE_PACKET_MAX bytes, aligned to 8). *fd: -1, or the caller's now.
 * 1; 0: the other side is gone; SAP_EFORMAT, SAP_EIO. Waits unless the descriptor is non-blocking: then
 * SAP_EAGAIN-like is told by *n == 0 with result 1. */
int sap_wire_receive(int from, void *buf, uint32_t *n, int *fd, struct sap_err *err);

#endif
