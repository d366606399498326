/* SPDX-License-Identifier: Apache-2.0 */
#include "input/input_int.h"

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename anywhere in the system makes the kernel give up on a path with ".." in it. */
#define AGAIN_MAX 16

int sap_input_cpath(struct sap_str path, char out[static SAP_PATH_MAX])
{
	if (path.n == 0 || memchr(path.p, '\0', path.n))
		return -ENOENT;
	if (path.n >= SAP_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out, path.p, path.n);
	out[path.n] = '\0';
	return 0;
}

static int call_openat2(int rootfd, const char *path, int flags, unsigned more)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more,
	};
	long fd;

	for (unsigned i = 0; i < AGAIN_MAX; i++) {
		fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

int sap_input_openat2(struct sap_input *input, const char *path, int flags, unsigned more)
{
	int fd;

	if (atomic_load_explicit(&input->no_openat2, memory_order_relaxed))
		return -ENOSYS;
	fd = call_openat2(input->rootfd, path, flags, more);
	if (fd == -EPERM && (flags & O_NOATIME)) {
		flags &= ~O_NOATIME;
		fd = call_openat2(input->rootfd, path, flags, more);
	}
	/* Else opening for reading never gives EPERM by itself: it is a seccomp filter's answer to
	 * calls that it does not know. */
	if (fd == -ENOSYS || fd == -EPERM) {
		atomic_store_explicit(&input->no_openat2, true, memory_order_relaxed);
		fd = -ENOSYS;
	}
	return fd;
}

int sap_input_resolve(struct sap_input *input, const char *path, int flags)
{
	int fd = sap_input_openat2(input, path, flags, 0);

	if (fd == -ENOSYS || fd == -EAGAIN)
		fd = sap_input_walk(input, path, flags & ~O_NOATIME, NULL);
	return fd;
}

int sap_input_fail(int sys, const char *what, struct sap_str path, struct sap_err *err)
{
	if (sys == -EAGAIN || sys == -ESTALE)
		return sap_err_set(err, SAP_ECHANGED, "%s %.*s: it changed at the same time", what,
				   SAP_FMT(path));
	return sap_err_sys(err, -sys, "%s %.*s", what, SAP_FMT(path));
}
