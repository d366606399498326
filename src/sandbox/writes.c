/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/writes.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/landlock_int.h"

/* Rights of the file system that change something or execute, as far as this kernel knows
 * them. */
static uint64_t rights_of(int abi)
{
	uint64_t rights = LANDLOCK_FS_ABI1 & ~(LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR);

	if (abi >= 2)
		rights |= LANDLOCK_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_FS_TRUNCATE;
	return rights;
}

static int confine(int dirfd, int abi)
{
	const uint64_t rights = rights_of(abi);
	const struct landlock_rules rules = {
		.fs = rights,
		.scoped = abi >= 6 ? LANDLOCK_SCOPE_SOCKET_SIGNAL : 0,
	};
	const struct landlock_beneath beneath = { rights & ~LANDLOCK_FS_EXECUTE, dirfd };
	int sap_cleanup_fd fd = (int)syscall(NR_LANDLOCK_CREATE_RULESET, &rules, sizeof(rules), 0);

	if (fd < 0 || syscall(NR_LANDLOCK_ADD_RULE, fd, LANDLOCK_PATH_BENEATH, &beneath, 0) < 0 ||
	    syscall(NR_LANDLOCK_RESTRICT_SELF, fd, 0) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int sap_sandbox_writes(int dirfd, struct sap_err *err)
{
	const struct rlimit no_core = { 0, 0 };
	int abi, r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return sap_err_sys(err, errno, "cannot give up privileges");
	abi = (int)syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION_FLAG);
	if (abi > 0) {
		r = confine(dirfd, abi);
		if (r < 0)
			return sap_err_sys(err, -r, "cannot confine writing to one folder");
	}
	r = drop_capabilities();
	return r < 0 ? sap_err_sys(err, -r, "cannot give up capabilities") : 0;
}
