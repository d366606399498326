/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox of the extract worker: what a process keeps that parses hostile files.
 *
 * - rlimits: no memory beyond a ceiling, no core dumps, at most SAP_WORKER_FILES_MAX
 *   descriptors, no writing to files.
 * - no_new_privs and capabilities: no privilege but CAP_DAC_READ_SEARCH (where there is one,
 *   so that root still reads all of a target).
 * - Landlock (Linux 5.13): no file-system right but reading beneath the root; from ABI 4 no
 *   TCP; from ABI 6 no abstract UNIX sockets of others, no signals to others.
 * - chroot, only where Landlock is missing and CAP_SYS_CHROOT is there: no path outside the
 *   root.
 * - seccomp: no system call but those of the list in sandbox_filter.c.
 *
 * What stays possible: reading beneath the root, looking at the attributes of any path
 * (Landlock does not cover stat), using descriptors that are already open, CPU time. The
 * caller closes what the worker shall not have before it enters.
 *
 * Sanitised builds (ASan, TSan, MSan) have no ceiling for memory, and answer EPERM where
 * others kill, because the run-time library of the sanitiser needs more calls.
 */
#ifndef SAP_SANDBOX_SANDBOX_H
#define SAP_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum sap_sandbox_layers {
	SAP_SANDBOX_LANDLOCK = 1,
	SAP_SANDBOX_SECCOMP = 2,
	SAP_SANDBOX_CHROOT = 4,
};

struct sap_sandbox_options {
	unsigned require;    /* layers without which entering fails */
	unsigned without;    /* layers left out, for tests and measurements */
	uint64_t memory_max; /* bytes of address space; 0: SAP_WORKER_MEMORY_MAX */
	pid_t parent;        /* who must still be the parent; 0: not checked */
	bool write_files;    /* a descriptor that is open already may be a regular file: no
			      * RLIMIT_FSIZE */
	bool receive;        /* recvmsg(2) stays: descriptors come over a socket that is open
			      * already */
};

#define SAP_SANDBOX_TEXT_MAX 160

struct sap_sandbox_report {
	int landlock;       /* ABI in force, 0: none */
	int landlock_errno; /* why not: ENOSYS, EOPNOTSUPP (disabled at boot) ...; 0: left out */
	bool chroot;
	bool seccomp;
	int seccomp_errno; /* why not, as above */
	bool openat2;      /* false: it answers ENOSYS, because nothing would check its flags */
	bool kills;        /* a forbidden call ends the process (else EPERM: sanitised build) */
	/* For people: "landlock 7, seccomp", "no landlock (disabled), chroot, seccomp". */
	char text[SAP_SANDBOX_TEXT_MAX];
};

/*
 * Confines this process for the rest of its life. Call it while there is one thread: later
 * threads inherit all layers, existing ones would not. rootfd: the folder of the target
 * (O_PATH will do); stays the caller's. -1: there is none, nothing of the file system can be
 * opened; the filter refuses it too, so that it holds without Landlock.
 *
 * A layer that this system lacks is left out and reported, unless options->require has it
 * (SAP_EUNSUPPORTED). SAP_EWORKER: options->parent is gone. SAP_EIO: the system refused
 * something that always works. After a failure the process is half confined: it must exit.
 *
 * Afterwards:
 * - A forbidden system call ends the process with SIGSYS. EPERM instead: opening for
 *   writing, executable mappings, changing limits, prctl but for thread names, fcntl but for
 *   F_GETFD, F_SETFD, F_GETFL and duplicating. ENOTTY: ioctl. ENOSYS: clone3 (libc then uses
 *   clone, whose flags can be checked), and openat2 without Landlock: src/input then walks.
 * - Landlock answers EACCES for what is not beneath rootfd (-1: the filter does, for all). Files of the system (locale,
 *   time zone, /proc, /dev/urandom) are out of reach unless rootfd is "/".
 * - Writing to a regular file gives EFBIG (SIGXFSZ is ignored) unless options->write_files
 *   is set: results go to a pipe or a socket, with write(2) or writev(2).
 * - The process dies when the thread that made it ends (PR_SET_PDEATHSIG): fork from one
 *   that lives longer.
 * - No core is dumped, not even to a core_pattern program, which RLIMIT_CORE does not stop
 *   (PR_SET_DUMPABLE 0): it would hold the contents of the target's files. /proc/PID of the
 *   worker belongs to root from then on.
 * - Leave with _exit: leak checkers at exit need ptrace.
 */
int sap_sandbox_enter(int rootfd, const struct sap_sandbox_options *options,
		      struct sap_sandbox_report *report, struct sap_err *err);

#endif
