/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a look at /proc.
 *
 * Who does what:
 *     snapshot.c          the whole look; one process; who is gone
 *     snapshot_maps.c     maps and exe of a process: which files those are, each looked at once
 *     snapshot_sockets.c  net/... of each network namespace, fd of each process
 *     snapshot_open.c     paths inside the root of a process; opening; build-ids; what is stale
 *     snapshot_util.c     reading files of /proc; the parsers of their lines
 *     cgroup.c            units and containers
 */
#ifndef SAP_OBSERVE_SNAPSHOT_INT_H
#define SAP_OBSERVE_SNAPSHOT_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/reader.h"
#include "observe/snapshot.h"

/* ---- the parsers: pure, for any bytes; false: the text is not of that form, or (sockets)
 * it does not listen. What they give are slices of the text. -------------------------------- */

/* /proc/PID/stat. The name in brackets is the process's choice: it may hold ')' and line ends. */
struct sap_proc_stat {
	struct sap_str comm;
	char state;
	int32_t ppid;
	uint64_t flags;   /* PF_*: kernel's include/linux/sched.h */
	uint64_t threads; /* living ones */
	uint64_t start;   /* in clock ticks since the kernel started */
};

#define SAP_PF_KTHREAD 0x00200000u

bool sap_proc_stat_parse(struct sap_str text, struct sap_proc_stat *out);

/* A line of /proc/PID/maps:  START-END PERMS OFFSET MAJOR:MINOR INODE   PATH  */
struct sap_proc_map {
	uint64_t start, end;
	uint64_t dev, ino;
	bool executable;
	struct sap_str path; /* as it stands there: a line end is \012, a backslash itself */
};

bool sap_proc_map_parse(struct sap_str line, struct sap_proc_map *out);

/* Is it a file, executable, and not memory that the kernel only gives a name? */
bool sap_proc_map_counts(const struct sap_proc_map *m);

/* The path with \012 as line ends, in out (at least path.n bytes). */
struct sap_str sap_proc_unescape(struct sap_str path, char *out);

/* path without a last " (deleted)"; false: there is none. */
bool sap_proc_deleted(struct sap_str path, struct sap_str *stripped);

/* A line of net/{tcp,tcp6,udp,udp6,unix}. */
enum sap_proc_net { SAP_NET_TCP, SAP_NET_TCP6, SAP_NET_UDP, SAP_NET_UDP6, SAP_NET_UNIX };

struct sap_proc_socket {
	uint64_t ino;
	uint8_t net; /* enum sap_proc_net */
	uint16_t port;
	unsigned char addr[16]; /* network byte order; the first 4 for IPv4 */
	struct sap_str path;    /* UNIX: begins with '@' where it is abstract */
};

bool sap_proc_socket_parse(struct sap_str line, enum sap_proc_net net, struct sap_proc_socket *out);
enum sap_exposure sap_proc_socket_exposure(const struct sap_proc_socket *s);

/* "0.0.0.0:443/tcp"; a slice of buf, or the path. */
struct sap_str sap_proc_socket_text(const struct sap_proc_socket *s, char buf[static 80]);

/* An entry of an environment. */
unsigned sap_proc_preload(struct sap_str entry); /* of enum sap_preloads, or 0 */

/* "mnt:[4026531841]", "socket:[12345]". */
bool sap_proc_bracket(struct sap_str text, struct sap_str prefix, uint64_t *out);

/* Is what a line of /proc/PID/cgroup names `want`, or below it? See sap_snapshot_options. */
bool sap_cgroup_within(struct sap_str line, struct sap_str want);

/* The build-id of an ELF file in lower-case hex; an empty text: it has none, or is no good. Reads at most
 * SAP_BUILD_ID_READ_MAX bytes: the header, the program headers, notes (ELF gABI, "Note Section"). */
struct sap_str sap_build_id_read(const struct sap_reader *reader,
				 char hex[static 2 * SAP_BUILD_ID_MAX]);

/* ---- reading ----------------------------------------------------------------------------- */

/* All of a small file that the kernel makes in one piece, cut at cap. 0 or -errno. */
int sap_proc_read(int dir, const char *name, char *buf, size_t cap, struct sap_str *out);
int sap_proc_link(int dir, const char *name, char *buf, size_t cap, struct sap_str *out);

/* Calls fn for each line (that ends with sep); cut: it was longer than the buffer of SAP_PROC_BUFFER bytes
 * and this is its beginning. fn's answer, where it is not 0, ends it and is returned.
 * SAP_ELIMIT: there is more than max bytes; SAP_EIO. */
typedef int sap_proc_line_fn(void *ctx, struct sap_str line, bool cut, struct sap_err *err);
int sap_proc_lines(int fd, char sep, char *buf, uint64_t max, sap_proc_line_fn *fn, void *ctx,
		   struct sap_err *err);

/* ---- a look ------------------------------------------------------------------------------ */

/* A line of maps that has been looked at. */
struct sap_known {
	uint32_t hash;
	uint32_t root; /* of the process */
	uint64_t dev, ino;
	struct sap_str path;
	uint32_t file; /* index of files; SAP_NONE: it does not count */
};

struct sap_net_seen {
	uint64_t ns;
	bool read;
};

struct sap_held {
	uint64_t ino;
	uint32_t process;
};

struct sap_holder {
	uint32_t process;
	bool complete; /* all its sockets, and all that listen in its namespace, are known */
};

struct sap_look {
	struct sap_evidence *e;
	struct sap_snapshot_options options;
	int proc;          /* descriptor of /proc */
	int root;          /* of root 0 */
	int64_t now;       /* CLOCK_REALTIME */
	uint64_t tick;     /* ns */
	bool no_map_files; /* following its links is not allowed */
	bool no_openat2;
	char *buf, *small; /* SAP_PROC_BUFFER bytes each */
	struct sap_arena arena;
	SAP_VEC(struct sap_known) known;
	uint32_t *slots; /* of known, + 1 */
	uint32_t n_slots;
	int other;            /* descriptor of the root that was last asked for, -1 */
	uint32_t other_index; /* of roots */
	SAP_VEC(struct sap_proc_socket) sockets;
	SAP_VEC(struct sap_net_seen) nets;
	SAP_VEC(struct sap_held) held;
	SAP_VEC(struct sap_holder) holders;
};

/* proc may be NULL: "/proc". Also sets boot time, boot id, host name and root 0 of the evidence
 * where they are not known yet. */
int sap_look_init(struct sap_look *look, struct sap_evidence *e,
		  const struct sap_snapshot_options *options, struct sap_err *err);
void sap_look_clear(struct sap_look *look);

/* A process that is being looked at. */
struct sap_task {
	int32_t pid;
	int dir;     /* of /proc/PID, or of a thread of it that lives */
	bool thread; /* the latter: no map_files there */
	int root_fd; /* its root folder; -1: not opened yet */
	char stat[1024];
	struct sap_proc_stat st;        /* slices of stat */
	struct sap_str unit, container; /* slices of the look's small buffer, until it has begun */
	uint64_t start;
	uint32_t process; /* SAP_NONE: not begun */
	uint32_t root;    /* index of roots */
	uint64_t mnt_ns;
	struct sap_str root_link; /* where its root is in ours: "/" */
	char root_text[SAP_PATH_MAX];
	SAP_VEC(uint32_t) files; /* that it maps */
};

/* Its entry in the evidence, with root, cgroup, name. */
int sap_task_begin(struct sap_look *look, struct sap_task *t, struct sap_err *err);

/* What it maps; begins it with the first mapping. Stays SAP_NONE where there is none. SAP_ENOENT, or
 * SAP_EIO: not allowed. */
int sap_task_maps(struct sap_look *look, struct sap_task *t, struct sap_err *err);

/* Its program (after maps). */
int sap_task_exe(struct sap_look *look, struct sap_task *t, struct sap_err *err);

/* Its network namespace, and the sockets it holds; then, after all, who listens. */
int sap_task_sockets(struct sap_look *look, struct sap_task *t, struct sap_err *err);
int sap_look_listens(struct sap_look *look, struct sap_err *err);

/* A file or folder by its path in a root. *fd: O_PATH. 0 or -errno. */
int sap_look_path(struct sap_look *look, int root, struct sap_str path, int *fd, struct statx *st);
int sap_look_stat(int dir, const char *name, int flags, struct statx *st);

/* The root folder with that index of roots; the descriptor stays the look's, until the next
 * call. -1: nobody who lives in it is known. */
int sap_look_root(struct sap_look *look, uint32_t root);

/* The root folder of a process, O_PATH, where it is still that one. -1: it is not. */
int sap_root_open(int proc, int32_t pid, const struct sap_seen_root *want);

/* Opens a regular file that an O_PATH descriptor stands for. -1: no. */
int sap_look_reopen(int fd);

/* The build-id of an open regular file, in e's texts. */
int sap_look_build_id(struct sap_evidence *e, int fd, struct sap_str *out, struct sap_err *err);

/* "map_files/START-END", of a line of maps. */
void sap_map_files_name(const struct sap_proc_map *m, char name[static 64]);

uint64_t sap_statx_dev(const struct statx *st);
int64_t sap_statx_ctime(const struct statx *st);

#endif
