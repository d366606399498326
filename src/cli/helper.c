/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"

enum { ABOVE = 10, PIPE_BYTES = 1024 * 1024 };

bool cli_own_folder(char *folder, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", folder, size - 1);
	char *slash;

	if (n <= 0)
		return false;
	folder[n] = '\0';
	slash = strrchr(folder, '/');
	if (!slash)
		return false;
	slash[slash == folder] = '\0';
	return true;
}

/* Beside this program (a build folder), else where it was installed to. */
static int find_helper(const char *name, char *path, size_t size, struct sap_err *err)
{
	char folder[PATH_MAX];

	if (cli_own_folder(folder, sizeof(folder)) &&
	    snprintf(path, size, "%s/%s", folder, name) < (int)size && access(path, X_OK) == 0)
		return 0;
	if (snprintf(path, size, SAP_LIBEXECDIR "/%s", name) < (int)size && access(path, X_OK) == 0)
		return 0;
	return sap_err_set(
		err, SAP_ENOENT,
		"the helper program %s is neither beside this program nor in " SAP_LIBEXECDIR
		"; is sapper fully installed?",
		name);
}

/* output -1: nowhere. */
static int spawn(const char *path, char *const argv[], int input, int output, pid_t *pid,
		 struct sap_err *err)
{
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return sap_err_nomem(err);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0 && output < 0)
		r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	else if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, output, 1);
	if (r == 0 && input >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, input, CLI_HELPER_INPUT);
	if (r == 0)
		r = posix_spawn(pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? 0 : sap_err_sys(err, r, "cannot start %s", path);
}

int cli_helper_start(const char *name, char *const argv[], int input, struct helper *out,
		     struct sap_err *err)
{
	int sap_cleanup_fd in = -1;
	int sap_cleanup_fd write_end = -1;
	int sap_cleanup_fd read_end = -1;
	char path[PATH_MAX];
	int ends[2];
	int r = find_helper(name, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sap_err_sys(err, errno, "cannot make a pipe from %s", name);
	read_end = ends[0];
	/* Above the numbers that dup2 in the child puts things to. */
	write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, ABOVE);
	close(ends[1]);
	if (input >= 0)
		in = fcntl(input, F_DUPFD_CLOEXEC, ABOVE);
	if (write_end < 0 || (input >= 0 && in < 0))
		return sap_err_sys(err, errno, "cannot make descriptors for %s", name);
	(void)fcntl(read_end, F_SETPIPE_SZ, PIPE_BYTES); /* fewer wake-ups; no matter if not */
	*out = (struct helper){ .name = name };
	r = spawn(path, argv, in, write_end, &out->pid, err);
	if (r == 0)
		out->output = sap_steal_fd(&read_end);
	return r;
}

int cli_helper_socket(const char *name, char *const argv[], int socket, pid_t *pid,
		      struct sap_err *err)
{
	int sap_cleanup_fd end = fcntl(socket, F_DUPFD_CLOEXEC, ABOVE);
	char path[PATH_MAX];
	int r = find_helper(name, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (end < 0)
		return sap_err_sys(err, errno, "cannot make descriptors for %s", name);
	return spawn(path, argv, end, -1, pid, err);
}

int cli_helper_wait(struct helper *helper, int *status, struct sap_err *err)
{
	int raw;

	sap_close_fd(&helper->output);
	while (waitpid(helper->pid, &raw, 0) < 0) {
		if (errno != EINTR)
			return sap_err_sys(err, errno, "cannot wait for %s", helper->name);
	}
	helper->pid = 0;
	if (WIFSIGNALED(raw))
		return sap_err_set(err, SAP_EWORKER, "%s was ended by signal %d", helper->name,
				   WTERMSIG(raw));
	*status = WEXITSTATUS(raw);
	return 0;
}
