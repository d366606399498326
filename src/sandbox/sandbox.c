/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "sandbox/landlock_int.h"
#include "sandbox/sandbox_int.h"

/* The ABI put in force, or -errno. */
static int enter_landlock(int rootfd)
{
	struct landlock_beneath beneath = { LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR, rootfd };
	struct landlock_rules attr = { .fs = LANDLOCK_FS_ABI1 };
	int sap_cleanup_fd fd = -1;
	long abi = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION_FLAG);

	if (abi < 0)
		return -errno;
	if (abi >= 2)
		attr.fs |= LANDLOCK_FS_REFER;
	if (abi >= 3)
		attr.fs |= LANDLOCK_FS_TRUNCATE;
	if (abi >= 4)
		attr.net = LANDLOCK_NET_TCP;
	if (abi >= 5)
		attr.fs |= LANDLOCK_FS_IOCTL_DEV;
	if (abi >= 6)
		attr.scoped = LANDLOCK_SCOPE_SOCKET_SIGNAL;
	fd = (int)syscall(NR_LANDLOCK_CREATE_RULESET, &attr, sizeof(attr), 0);
	if (fd < 0 ||
	    (rootfd >= 0 &&
	     syscall(NR_LANDLOCK_ADD_RULE, fd, LANDLOCK_PATH_BENEATH, &beneath, 0) < 0) ||
	    syscall(NR_LANDLOCK_RESTRICT_SELF, fd, 0) < 0)
		return -errno;
	return (int)abi;
}

static int set_limit(int resource, rlim_t max)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > max)
		limit.rlim_max = max;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

/* RLIMIT_NPROC stays: it counts the user's processes everywhere, and threads too. */
static int enter_limits(const struct sap_sandbox_options *options, struct sap_err *err)
{
	uint64_t memory_max = options->memory_max;
	int rc = 0;

	if (!SAP_SANITISED)
		rc = set_limit(RLIMIT_AS, memory_max ? memory_max : SAP_WORKER_MEMORY_MAX);
	if (rc == 0)
		rc = set_limit(RLIMIT_CORE, 0);
	if (rc == 0)
		rc = set_limit(RLIMIT_NOFILE, SAP_WORKER_FILES_MAX);
	if (rc == 0 && !options->write_files)
		rc = set_limit(RLIMIT_FSIZE, 0);
	if (rc == 0 && signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		rc = -errno;
	return rc < 0 ? sap_err_sys(err, -rc, "cannot limit the worker") : 0;
}

/* Keeps CAP_DAC_READ_SEARCH where it is there, and nothing else. */
static int drop_capabilities(struct sap_err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return sap_err_sys(err, errno, "cannot read the capabilities of the worker");
	data[0].permitted &= CAP_TO_MASK(CAP_DAC_READ_SEARCH);
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){ 0 };
	if (syscall(SYS_capset, &header, data) < 0)
		return sap_err_sys(err, errno, "cannot drop the capabilities of the worker");
	return 0;
}

static int tie_to_parent(pid_t parent, struct sap_err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    (!SAP_SANITISED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		return sap_err_sys(err, errno, "cannot tie the worker to its parent");
	/* It may have ended before the signal was asked for. */
	if (parent != 0 && getppid() != parent)
		return sap_err_set(err, SAP_EWORKER, "the parent of the worker is gone");
	return 0;
}

static void enter_landlock_or_chroot(int rootfd, unsigned without, struct sap_sandbox_report *out)
{
	int rc;

	if (!(without & SAP_SANDBOX_LANDLOCK)) {
		rc = enter_landlock(rootfd);
		out->landlock = rc > 0 ? rc : 0;
		out->landlock_errno = rc < 0 ? -rc : 0;
	}
	if (out->landlock == 0 && rootfd >= 0 && !(without & SAP_SANDBOX_CHROOT))
		out->chroot = fchdir(rootfd) == 0 && chroot(".") == 0;
}

static const char *why(int sys_errno)
{
	if (sys_errno == 0)
		return "left out";
	if (sys_errno == ENOSYS || sys_errno == EINVAL)
		return "not in this kernel";
	if (sys_errno == EOPNOTSUPP)
		return "disabled";
	return sys_errno == EPERM || sys_errno == EACCES ? "not permitted" : "failed";
}

static void describe(struct sap_sandbox_report *report)
{
	char landlock[64], seccomp[64] = "seccomp";

	if (report->landlock)
		snprintf(landlock, sizeof(landlock), "landlock %d", report->landlock);
	else
		snprintf(landlock, sizeof(landlock), "no landlock (%s)",
			 why(report->landlock_errno));
	if (!report->seccomp)
		snprintf(seccomp, sizeof(seccomp), "no seccomp (%s)", why(report->seccomp_errno));
	snprintf(report->text, sizeof(report->text), "%s%s, %s", landlock,
		 report->chroot ? ", chroot" : "", seccomp);
}

static int check_required(unsigned require, const struct sap_sandbox_report *report,
			  struct sap_err *err)
{
	unsigned have = (report->landlock ? SAP_SANDBOX_LANDLOCK : 0u) |
			(report->seccomp ? SAP_SANDBOX_SECCOMP : 0u) |
			(report->chroot ? SAP_SANDBOX_CHROOT : 0u);

	if ((require & ~have) == 0)
		return 0;
	return sap_err_set(err, SAP_EUNSUPPORTED,
			   "this system lacks a layer of the sandbox that was required: %s",
			   report->text);
}

int sap_sandbox_enter(int rootfd, const struct sap_sandbox_options *options,
		      struct sap_sandbox_report *report, struct sap_err *err)
{
	struct sap_sandbox_report out = { .kills = !SAP_SANITISED };
	int rc = enter_limits(options, err);

	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sap_err_sys(err, errno, "cannot give up new privileges");
	enter_landlock_or_chroot(rootfd, options->without, &out);
	rc = drop_capabilities(err);
	if (rc == 0)
		rc = tie_to_parent(options->parent, err);
	if (rc < 0)
		return rc;
	out.openat2 = out.landlock > 0 || (options->without & SAP_SANDBOX_SECCOMP);
	if (!(options->without & SAP_SANDBOX_SECCOMP)) {
		rc = sap_sandbox_filter(rootfd >= 0, out.openat2, options->receive);
		out.seccomp = rc == 0;
		out.seccomp_errno = -rc;
		/* No filter, nothing that answers ENOSYS. */
		out.openat2 |= !out.seccomp;
	}
	out.kills &= out.seccomp;
	describe(&out);
	rc = check_required(options->require, &out, err);
	if (rc == 0)
		*report = out;
	return rc;
}
