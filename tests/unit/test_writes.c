/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process can still do that may write into one folder only, tried out in forked
 * children; as root (where the test is) and as nobody.
 */
#include "sandbox/writes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define NOBODY 65534

static int abi;               /* of Landlock; 0: none */
static int out_fd;            /* the folder outside, opened before */
static int listen_fd;         /* on 127.0.0.1 */
static int abstract_fd;       /* an abstract UNIX socket of the parent */
static struct sockaddr_in on; /* where listen_fd is */
static struct sockaddr_un abstract;
static socklen_t abstract_n;

static void must(bool held, const char *what)
{
	if (!held) {
		perror(what);
		exit(1);
	}
}

static void put(const char *path, mode_t mode)
{
	FILE *f = fopen(path, "w");

	must(f && fputs("text\n", f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0, path);
}

/*
 * What fn does in a confined child: its result (0 to 200) or 1000 + the signal that ended it.
 * 201: confining failed; 0 is what the tests want.
 */
static int inside(bool nobody, int (*fn)(void))
{
	struct sap_err err = { 0 };
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int dir = open("in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (nobody && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(202);
		if (sap_sandbox_writes(dir, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(201);
		}
		_exit(fn());
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Each of these returns 0 where all is as it should be, else the step that was not. */

static int writes_inside(void)
{
	int fd = open("in/new", O_RDWR | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || write(fd, "hello", 5) != 5)
		return 1;
	if (ftruncate(fd, 2) < 0 || truncate("in/new", 1) < 0 || fsync(fd) < 0 || close(fd) < 0)
		return 2;
	fd = open("in/new", O_WRONLY | O_TRUNC);
	if (fd < 0 || close(fd) < 0)
		return 3;
	if (rename("in/new", "in/other") < 0)
		return 4;
	if (mkdir("in/folder", 0755) < 0 || symlink("other", "in/link") < 0)
		return 5;
	if (abi >= 2 && rename("in/other", "in/folder/other") < 0)
		return 6;
	if (abi >= 2 && unlink("in/folder/other") < 0)
		return 7;
	if (abi < 2 && unlink("in/other") < 0)
		return 8;
	return unlink("in/link") < 0 || rmdir("in/folder") < 0 ? 9 : 0;
}

static bool refused(int result)
{
	return result < 0 && (errno == EACCES || errno == EXDEV || errno == EPERM);
}

static int changes_nothing_outside(void)
{
	if (!refused(open("out/file", O_WRONLY)) || !refused(open("out/file", O_RDWR)))
		return 1;
	if (!refused(open("out/new", O_WRONLY | O_CREAT, 0644)))
		return 2;
	if (!refused(openat(out_fd, "file", O_WRONLY | O_APPEND)))
		return 3;
	if (!refused(openat(out_fd, ".", O_RDWR | O_TMPFILE, 0600)))
		return 4;
	if (!refused(mkdir("out/folder", 0755)) || !refused(symlink("x", "out/link")) ||
	    !refused(mkfifo("out/pipe", 0644)))
		return 5;
	if (!refused(unlink("out/file")) || !refused(rmdir("out/empty")))
		return 6;
	if (!refused(rename("out/file", "in/file")) || !refused(rename("in/mine", "out/mine")))
		return 7;
	if (!refused(link("out/file", "in/file")) || !refused(link("in/mine", "out/mine")))
		return 8;
	if (abi >= 3 &&
	    (!refused(truncate("out/file", 0)) || !refused(open("out/file", O_RDONLY | O_TRUNC))))
		return 9;
	/* Ways that lead out of the folder. */
	if (!refused(open("in/way-out", O_WRONLY)) || !refused(open("in/../out/file", O_WRONLY)))
		return 10;
	if (!refused(open("in/folder-out/new", O_WRONLY | O_CREAT, 0644)))
		return 11;
	return 0;
}

static int children_neither(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(changes_nothing_outside());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 100;
	return WEXITSTATUS(status);
}

static int reads_as_before(void)
{
	char text[8];
	int fd = open("out/file", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text)) != 5)
		return 1;
	fd = open("/dev/urandom", O_RDONLY);
	return fd < 0 || read(fd, text, sizeof(text)) != 8 ? 2 : 0;
}

static int connects(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&on, sizeof(on)) < 0)
		return 1;
	return 0;
}

static int executes_nothing(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	if (execv("/bin/true", argv) == 0 || errno != EACCES)
		return 1;
	if (execv("in/program", argv) == 0 || errno != EACCES)
		return 2;
	return execv("out/program", argv) == 0 || errno != EACCES ? 3 : 0;
}

static int has_no_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct rlimit core;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (syscall(SYS_capget, &header, caps) < 0)
		return 2;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if (caps[i].effective || caps[i].permitted || caps[i].inheritable)
			return 3;
	}
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur || core.rlim_max)
		return 4;
	core = (struct rlimit){ 1, 1 };
	if (setrlimit(RLIMIT_CORE, &core) == 0)
		return 5;
	/* What root could do by its capabilities alone. */
	if (open("out/of-nobody", O_RDONLY) >= 0 && geteuid() == 0)
		return 6;
	return chown("in/mine", 1, 1) == 0 || setgroups(0, NULL) == 0 ? 7 : 0;
}

static int reaches_no_others(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (kill(getpid(), 0) < 0)
		return 1;
	if (kill(getppid(), 0) == 0 || errno != EPERM)
		return 2;
	if (connect(fd, (const struct sockaddr *)&abstract, abstract_n) == 0 || errno != EPERM)
		return 3;
	return 0;
}

static void prepare(void)
{
	char folder[] = "/tmp/sapper-writes-XXXXXX";
	socklen_t n = sizeof(on);

	umask(0);
	must(mkdtemp(folder) && chmod(folder, 0755) == 0 && chdir(folder) == 0, folder);
	must(mkdir("in", 0777) == 0 && mkdir("out", 0777) == 0 && mkdir("out/empty", 0777) == 0,
	     "mkdir");
	put("out/file", 0666);
	put("out/of-nobody", 0600);
	must(geteuid() != 0 || chown("out/of-nobody", NOBODY, NOBODY) == 0, "chown");
	put("in/mine", 0666);
	must(link("/bin/true", "in/program") == 0 || symlink("/bin/true", "in/program") == 0,
	     "link");
	must(symlink("/bin/true", "out/program") == 0, "symlink");
	must(symlink("../out/file", "in/way-out") == 0 && symlink("../out", "in/folder-out") == 0,
	     "symlink");
	out_fd = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	on = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(out_fd >= 0 && bind(listen_fd, (const struct sockaddr *)&on, sizeof(on)) == 0 &&
		     listen(listen_fd, 16) == 0 &&
		     getsockname(listen_fd, (struct sockaddr *)&on, &n) == 0,
	     "listen");
	abstract = (struct sockaddr_un){ .sun_family = AF_UNIX };
	abstract_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				 (size_t)snprintf(abstract.sun_path + 1, 60, "%s", folder));
	abstract_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(abstract_fd, (const struct sockaddr *)&abstract, abstract_n) == 0 &&
		     listen(abstract_fd, 16) == 0,
	     "listen");
}

static void clean_up(void)
{
	static const char *const files[] = { "in/mine",       "in/program", "in/way-out",
					     "in/folder-out", "out/file",   "out/of-nobody",
					     "out/program" };
	static const char *const folders[] = { "out/empty", "in", "out" };
	char folder[64];

	/* All of them are still there, and nothing else is. */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		CHECK_INT(unlink(files[i]), 0);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		CHECK_INT(rmdir(folders[i]), 0);
	must(getcwd(folder, sizeof(folder)) && rmdir(folder) == 0, "rmdir");
}

static void check_as(bool nobody)
{
	struct stat st;

	CHECK_INT(inside(nobody, writes_inside), 0);
	CHECK_INT(inside(nobody, reads_as_before), 0);
	CHECK_INT(inside(nobody, connects), 0);
	CHECK_INT(inside(nobody, has_no_privileges), 0);
	if (abi == 0) {
		check_skip("Landlock", "this kernel has none, or it is disabled");
		return;
	}
	CHECK_INT(inside(nobody, changes_nothing_outside), 0);
	CHECK_INT(inside(nobody, children_neither), 0);
	CHECK(stat("out/file", &st) == 0 && st.st_size == 5);
	CHECK_INT(inside(nobody, executes_nothing), 0);
	if (abi < 6)
		check_skip("other processes", "this kernel's Landlock has no scopes");
	else
		CHECK_INT(inside(nobody, reaches_no_others), 0);
}

/* A descriptor that is no folder: a failure where there is Landlock, said in words. */
static void check_bad_folder(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct sap_err err = { 0 };

		_exit(sap_sandbox_writes(-1, &err) == SAP_EIO && err.text[0] ? 0 : 1);
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (abi == 0));
}

int main(void)
{
	abi = (int)syscall(444, NULL, 0, 1); /* landlock_create_ruleset: the version */
	if (abi < 0)
		abi = 0;
	prepare();
	check_as(false);
	if (geteuid() == 0)
		check_as(true);
	else
		check_skip("as nobody", "the test is not run by root");
	check_bad_folder();
	clean_up();
	return check_done();
}
