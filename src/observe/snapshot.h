/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at /proc: every process that can be seen, what it has mapped executable, who it
 * belongs to, where it listens. Takes no rights that it does not have; what it may not look
 * at is counted (evidence->processes_hidden), never taken for empty.
 *
 * A file is that of root 0 where its path leads to the same file from there: a service with a
 * mount namespace of its own, but the host's root folder, uses the host's files. A file that a process
 * in a chroot mapped before it went there counts in the root it had then.
 *
 * Follows proc(5): stat, maps, map_files, exe, root, ns/mnt, ns/net, cgroup, environ, fd,
 * net/{tcp,tcp6,udp,udp6,unix}.
 */
#ifndef SAP_OBSERVE_SNAPSHOT_H
#define SAP_OBSERVE_SNAPSHOT_H

#include "base/err.h"
#include "model/evidence.h"

struct sap_snapshot_options {
	const char *proc;    /* "/proc"; another folder for tests */
	const int32_t *pids; /* only these; NULL: all */
	uint32_t n_pids;
	const char *cgroup; /* only processes in this cgroup and below (a path as in
			       * /proc/PID/cgroup, or a part of it between slashes); NULL: all */
	bool sockets;       /* who listens where */
	bool build_ids;     /* read the build-id of each file (through /proc/PID/map_files, root) */
};

/* Adds what is there now to e; start and end of its window are set to the time of the look where
 * they are 0, else end is moved. Processes of e that are gone are not ended here (see
 * sap_snapshot_end_gone). A process that goes away meanwhile is not an error. */
int sap_snapshot_take(struct sap_evidence *e, const struct sap_snapshot_options *options,
		      struct sap_err *err);

/* One process: what it is and what it has mapped; for one that an event told of. SAP_ENOENT: it is
 * gone (or has no program: a kernel thread, a zombie); SAP_EIO: it may not be looked into, and nothing was
 * added. want_maps false: identity, cgroup, root, exe only, as far as they can be read: then a process that
 * may not be looked into is added too, without exe. Sockets are left to sap_snapshot_take.
 * *process: its index. */
int sap_snapshot_process(struct sap_evidence *e, const struct sap_snapshot_options *options,
			 int32_t pid, bool want_maps, uint32_t *process, struct sap_err *err);

/* Ends the living processes of e that /proc no longer has (or has with another start). */
int sap_snapshot_end_gone(struct sap_evidence *e, const char *proc, int64_t now,
			  struct sap_err *err);

/* Looks again at the files of living processes: what the path leads to now (stale, new_build_id).
 * A file no living process maps keeps what it had. */
int sap_snapshot_stale(struct sap_evidence *e, const char *proc, struct sap_err *err);

/* Opens the file that a process has mapped at [start, end), whatever its path says now: through
 * map_files, else through root where device and inode are the same. O_RDONLY|O_CLOEXEC, only a
 * regular file. *id is what fstat said. SAP_ENOENT, SAP_EACCES-like codes of base/err.h. */
int sap_snapshot_open(const char *proc, int32_t pid, const struct sap_seen_file *file, int *fd,
		      struct sap_file_id *id, struct sap_err *err);

/* What a line of /proc/PID/cgroup says: the systemd unit ("ssh.service", "session-3.scope"; of a
 * user's own manager "user@1000.service/app.slice/x.service", as whoever owns it could give it any name)
 * and the container's id (docker, podman, containerd, cri-o, lxc, nspawn). Slices of line; empty:
 * none. */
void sap_cgroup_parse(struct sap_str line, struct sap_str *unit, struct sap_str *container);

#endif
