/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox of the extract worker, tried out in forked children: what is forbidden is
 * really refused, what the worker needs works; as root (where the test is) and as nobody,
 * with all layers and with one of them missing.
 */
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"
#include "sandbox/sandbox_int.h"
#include "input/input.h"

#define NOBODY 65534

static char top[256];
static int root_fd, log_fd; /* the target's root; a regular file open for writing */
static struct sap_sandbox_report report;

static const struct setting {
	const char *name;
	unsigned without;
	bool nobody;
} settings[] = {
	{ "all layers", 0, false },
	{ "all layers, as nobody", 0, true },
	{ "no Landlock", SAP_SANDBOX_LANDLOCK, false },
	{ "no Landlock, as nobody", SAP_SANDBOX_LANDLOCK, true },
	{ "no seccomp", SAP_SANDBOX_SECCOMP, false },
	{ "no seccomp, as nobody", SAP_SANDBOX_SECCOMP, true },
};

static void must(bool held, const char *what)
{
	if (!held) {
		perror(what);
		exit(1);
	}
}

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	must(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0, path);
}

static void become_nobody(void)
{
	must(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		     setresuid(NOBODY, NOBODY, NOBODY) == 0,
	     "setresuid");
}

/*
 * What fn does in a sandboxed child: its result (0 to 200) or 1000 + the signal that ended
 * it. 201: entering failed; 0 is what the tests want.
 */
static int inside(const struct setting *setting, int (*fn)(void))
{
	const struct sap_sandbox_options options = { .without = setting->without,
						     .parent = getpid() };
	struct sap_err err = { 0 };
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (setting->nobody && geteuid() == 0)
			become_nobody();
		if (sap_sandbox_enter(root_fd, &options, &report, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(201);
		}
		_exit(fn());
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Each of these returns 0 where all is as it should be, else the step that was not. */

static int reads_beneath(void)
{
	static const unsigned flags[] = { 0, SAP_INPUT_NO_OPENAT2, SAP_INPUT_HOST };

	for (int i = 0; i < 3; i++) {
		struct sap_input *input = NULL;
		struct sap_input_entry *entries;
		struct sap_arena arena;
		struct sap_span text;
		struct sap_str canon;
		uint32_t n = 0;
		uint8_t type;

		sap_arena_init(&arena, 0);
		if (sap_input_from_fd(dup(root_fd), flags[i], &input, NULL) < 0)
			return 10 * i + 1;
		if (sap_input_read(input, SAP_STR("/usr/lib/file"), 100, &arena, &text, NULL) < 0 ||
		    text.n != 6)
			return 10 * i + 2;
		if (sap_input_read(input, SAP_STR("/lib/link"), 100, &arena, &text, NULL) < 0)
			return 10 * i + 3;
		if (sap_input_list(input, SAP_STR("/lib"), &arena, &entries, &n, NULL) < 0 ||
		    n != 2)
			return 10 * i + 4;
		if (sap_input_canonical(input, SAP_STR("/lib/link"), &arena, &canon, &type, NULL) <
			    0 ||
		    !sap_str_is(canon, "/usr/lib/file"))
			return 10 * i + 5;
		if (sap_input_read(input, SAP_STR("/out"), 100, &arena, &text, NULL) != SAP_ENOENT)
			return 10 * i + 6;
		sap_arena_clear(&arena);
		sap_input_free(input);
	}
	return 0;
}

static int root_reads_all(void)
{
	int fd = openat(root_fd, "private/file", O_RDONLY);

	if (geteuid() == 0)
		return fd >= 0 ? 0 : 1;
	return fd < 0 && errno == EACCES ? 0 : 2;
}

static int openat2_answers(void)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root_fd, "/lib/link", &how, sizeof(how));

	if (!report.openat2)
		return fd < 0 && errno == ENOSYS ? 0 : 1;
	if (fd < 0)
		return errno == ENOSYS ? 0 : 2; /* an old kernel */
	how.flags = O_RDWR;
	fd = syscall(SYS_openat2, root_fd, "/usr/lib/file", &how, sizeof(how));
	if (report.landlock == 0)
		return 0;
	return fd < 0 && errno == EACCES ? 0 : 3;
}

static void *work(void *arg)
{
	unsigned long sum = 0;

	for (int i = 1; i < 200; i++) {
		size_t n = (size_t)i * 1000;
		char *p = malloc(n);

		if (!p)
			return NULL;
		memset(p, i, n);
		sum += (unsigned char)p[n - 1];
		free(p);
	}
	*(unsigned long *)arg = sum;
	return arg;
}

static int threads_work(void)
{
	pthread_t threads[4];
	unsigned long sums[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, work, &sums[i]) != 0)
			return 1;
	}
	for (int i = 0; i < 4; i++) {
		void *got = NULL;

		if (pthread_join(threads[i], &got) != 0 || got != &sums[i] || sums[i] != 19900)
			return 2;
	}
	return 0;
}

static int small_things_work(void)
{
	struct timespec ts;
	char *text = NULL;
	void *p;
	int fd;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0 ||
	    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 0, 1000 }, NULL) != 0)
		return 1;
	if (getpid() <= 0 || sysconf(_SC_NPROCESSORS_ONLN) < 1)
		return 2;
	if (asprintf(&text, "%d %s", 7, strerror(ENOENT)) < 0)
		return 3;
	free(text);
	if (prctl(PR_SET_NAME, "reader", 0, 0, 0) < 0)
		return 4;
	fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || close(fd) < 0)
		return 5;
	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) < 0 || munmap(p, 1 << 20) < 0)
		return 6;
	/* Descriptors that stdio asks about are no terminals here. */
	return report.seccomp && isatty(1) ? 7 : 0;
}

static int memory_has_a_ceiling(void)
{
	void *p = mmap(NULL, SAP_WORKER_MEMORY_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return SAP_SANITISED || p == MAP_FAILED ? 0 : 1;
}

static int files_stay_as_they_are(void)
{
	if (openat(root_fd, "usr/lib/file", O_WRONLY) >= 0)
		return 1;
	if (openat(root_fd, "usr/lib/file", O_RDWR) >= 0)
		return 2;
	if (openat(root_fd, "usr/lib/new", O_RDONLY | O_CREAT, 0644) >= 0)
		return 3;
	if (openat(root_fd, "usr/lib/file", O_RDONLY | O_TRUNC) >= 0)
		return 4;
	if (openat(root_fd, "usr", O_RDWR | O_TMPFILE, 0600) >= 0)
		return 5;
	if (write(log_fd, "x", 1) >= 0 || errno != EFBIG)
		return 6;
	return 0;
}

static int outside_is_closed(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/secret", top);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && (report.landlock || report.chroot))
		return 1;
	fd = openat(root_fd, "../secret", O_RDONLY);
	if (fd >= 0 && (report.landlock || report.chroot))
		return 2;
	fd = openat(root_fd, "out", O_RDONLY);
	return fd >= 0 && (report.landlock || report.chroot) ? 3 : 0;
}

/* Refusals that do not kill. */
static int filter_refuses(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit limit;

	if (!report.seccomp)
		return 0;
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EPERM)
		return 1;
	if (mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 2;
	if (openat(root_fd, "usr/lib/file", O_WRONLY) >= 0 || errno != EPERM)
		return 3;
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != 0)
		return 4;
	if (setrlimit(RLIMIT_CORE, &limit) == 0 || errno != EPERM)
		return 5;
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 || errno != EPERM)
		return 6;
	if (fcntl(root_fd, F_SETOWN, 1) == 0 || errno != EPERM)
		return 7;
	return syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS ? 0 : 8;
}

static int aborts(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* Calls that end the process (EPERM in sanitised builds). */
static long forbidden_call;

static int calls_forbidden(void)
{
	static const char path[] = "/usr/lib/file";

	errno = 0;
	if (syscall(forbidden_call, path, path, 0, 0, 0, 0) >= 0)
		return 1;
	return !report.kills && errno == EPERM ? 0 : 2;
}

static int forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 1 : report.kills || errno != EPERM ? 2 : 0;
}

static const struct {
	const char *name;
	long nr;
} forbidden[] = {
	{ "execve", SYS_execve },
	{ "execveat", SYS_execveat },
	{ "socket", SYS_socket },
	{ "socketpair", SYS_socketpair },
	{ "connect", SYS_connect },
	{ "bind", SYS_bind },
	{ "sendmsg", SYS_sendmsg },
	{ "sendto", SYS_sendto },
	{ "ptrace", SYS_ptrace },
	{ "process_vm_readv", SYS_process_vm_readv },
	{ "process_vm_writev", SYS_process_vm_writev },
	{ "kill", SYS_kill },
	{ "tkill", SYS_tkill },
	{ "tgkill of another", SYS_tgkill },
	{ "mount", SYS_mount },
	{ "unshare", SYS_unshare },
	{ "setns", SYS_setns },
	{ "chroot", SYS_chroot },
	{ "init_module", SYS_init_module },
	{ "bpf", SYS_bpf },
	{ "perf_event_open", SYS_perf_event_open },
	{ "keyctl", SYS_keyctl },
	{ "unlinkat", SYS_unlinkat },
	{ "renameat2", SYS_renameat2 },
	{ "mkdirat", SYS_mkdirat },
	{ "fchmodat", SYS_fchmodat },
	{ "fchownat", SYS_fchownat },
	{ "linkat", SYS_linkat },
	{ "symlinkat", SYS_symlinkat },
	{ "truncate", SYS_truncate },
	{ "ftruncate", SYS_ftruncate },
	{ "utimensat", SYS_utimensat },
	{ "setxattr", SYS_setxattr },
	{ "memfd_create", SYS_memfd_create },
	{ "io_uring_setup", SYS_io_uring_setup },
	{ "userfaultfd", SYS_userfaultfd },
	{ "setuid", SYS_setuid },
	{ "capset", SYS_capset },
	{ "shmget", SYS_shmget },
	{ "personality", SYS_personality },
	{ "open_by_handle_at", SYS_open_by_handle_at },
	{ "pidfd_getfd", 438 },
	{ "a call of the future", 1000 },
};

static void check_forbidden(const struct setting *setting)
{
	CHECK_INT(inside(setting, forks), SAP_SANITISED ? 0 : 1000 + SIGSYS);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int want = SAP_SANITISED ? 0 : 1000 + SIGSYS;

		forbidden_call = forbidden[i].nr;
		if (!CHECK_INT(inside(setting, calls_forbidden), want))
			fprintf(stderr, "  (%s)\n", forbidden[i].name);
	}
}

#ifdef __x86_64__
static int calls_i386(void)
{
	long r = 20; /* getpid */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	return 1;
}

static int calls_x32(void)
{
	syscall(0x40000000 | 39);
	return 1;
}

/* The architecture check kills in every build. */
static void check_foreign(const struct setting *setting)
{
	int got = inside(setting, calls_i386);

	/* A kernel without 32-bit support raises SIGSEGV. */
	CHECK(got == 1000 + SIGSYS || got == 1000 + SIGSEGV);
	CHECK_INT(inside(setting, calls_x32), 1000 + SIGSYS);
}
#else
static void check_foreign(const struct setting *setting)
{
	(void)setting;
}
#endif

/* Landlock and the rest alone, as seen without the filter. */
static int rights_are_gone(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	unsigned want = geteuid() == 0 ? CAP_TO_MASK(CAP_DAC_READ_SEARCH) : 0;

	if (syscall(SYS_capget, &header, caps) < 0 || (caps[0].permitted & ~want) ||
	    (caps[0].effective & ~want) || caps[1].permitted || caps[0].inheritable)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (!SAP_SANITISED && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 3;
	if (unlinkat(root_fd, "usr/lib/file", 0) == 0)
		return 4;
	if (mkdirat(root_fd, "usr/new", 0755) == 0)
		return 5;
	return 0;
}

static int network_is_gone(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return 0;
	if (report.landlock >= 4 &&
	    (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != EACCES))
		return 1;
	return report.landlock >= 6 && kill(getppid(), 0) == 0 ? 2 : 0;
}

static int reports_all(void)
{
	return report.landlock > 0 && report.seccomp && report.openat2 && !report.chroot ? 0 : 1;
}

static int reports_no_landlock(void)
{
	if (report.landlock || !report.seccomp || report.openat2)
		return 1;
	if (report.chroot != (geteuid() == 0))
		return 2;
	return strstr(report.text, "no landlock (left out)") ? 0 : 3;
}

static int nothing(void)
{
	return 0;
}

/* In a child, because half of the sandbox stays. */
static int try_enter(const struct sap_sandbox_options *options)
{
	struct sap_err err = { 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-sap_sandbox_enter(root_fd, options, &report, &err));
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : -WEXITSTATUS(status);
}

static void check_setting(const struct setting *setting)
{
	fprintf(stderr, "%s\n", setting->name);
	CHECK_INT(inside(setting, nothing), 0);
	CHECK_INT(inside(setting, reads_beneath), 0);
	CHECK_INT(inside(setting, root_reads_all), 0);
	CHECK_INT(inside(setting, openat2_answers), 0);
	CHECK_INT(inside(setting, threads_work), 0);
	CHECK_INT(inside(setting, small_things_work), 0);
	CHECK_INT(inside(setting, memory_has_a_ceiling), 0);
	CHECK_INT(inside(setting, outside_is_closed), 0);
	CHECK_INT(inside(setting, filter_refuses), 0);
	CHECK_INT(inside(setting, aborts), 1000 + SIGABRT);
	if (setting->without & SAP_SANDBOX_SECCOMP) {
		CHECK_INT(inside(setting, rights_are_gone), 0);
		CHECK_INT(inside(setting, network_is_gone), 0);
	} else {
		check_forbidden(setting);
		check_foreign(setting);
	}
	CHECK_INT(inside(setting, files_stay_as_they_are), 0);
}

static void check_options(void)
{
	const struct sap_sandbox_options stranger = { .parent = 1 };
	const struct sap_sandbox_options needs = { .without = SAP_SANDBOX_LANDLOCK,
						   .require = SAP_SANDBOX_LANDLOCK };
	const struct sap_sandbox_options all = { .require = SAP_SANDBOX_SECCOMP };

	CHECK_INT(try_enter(&stranger), SAP_EWORKER);
	CHECK_INT(try_enter(&needs), SAP_EUNSUPPORTED);
	CHECK_INT(try_enter(&all), 0);
	if (syscall(444, NULL, 0, 1) < 0)
		check_skip("a report with Landlock", "this kernel has none");
	else
		CHECK_INT(inside(&settings[0], reports_all), 0);
	CHECK_INT(inside(&settings[2], reports_no_landlock), 0);
}

/* Without a root nothing can be opened, whichever layers there are. */
static int nothing_opens(void)
{
	struct open_how how = { .flags = O_RDONLY };

	if (open("/", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (openat(root_fd, "usr/lib/file", O_RDONLY) >= 0 || errno != EACCES)
		return 2;
	if (open("secret", O_RDONLY) >= 0 || errno != EACCES)
		return 3;
	if (syscall(__NR_openat2, root_fd, "usr/lib/file", &how, sizeof(how)) >= 0 ||
	    errno != EACCES)
		return 4;
	return 0;
}

static void check_without_root(void)
{
	const int root = root_fd;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		/* Without both layers there would be nothing left to hold it. */
		if ((!settings[i].nobody && geteuid() != 0) ||
		    (settings[i].without & SAP_SANDBOX_SECCOMP))
			continue;
		root_fd = -1;
		CHECK_INT(inside(&settings[i], nothing_opens), 0);
		root_fd = root;
	}
}

/* The log is a regular file; output to it is allowed where it was asked for. */
static void check_write_files(void)
{
	struct sap_sandbox_options options = { .write_files = true };
	struct sap_err err = { 0 };
	int status = 0;

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		options.write_files = i == 1;
		if (pid == 0) {
			if (sap_sandbox_enter(-1, &options, &report, &err) < 0)
				_exit(201);
			_exit(write(log_fd, "x", 1) == 1);
		}
		must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
		CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, i);
	}
}

static void make_tree(void)
{
	snprintf(top, sizeof(top), "%s/sap-sandbox-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	must(mkdtemp(top) != NULL && chmod(top, 0755) == 0 && chdir(top) == 0, top);
	umask(022);
	put("secret", "outside", 0644);
	must(mkdir("root", 0755) == 0 && mkdir("root/usr", 0755) == 0, "mkdir");
	must(mkdir("root/usr/lib", 0755) == 0 && mkdir("root/private", 0700) == 0, "mkdir");
	put("root/usr/lib/file", "inside", 0666);
	put("root/private/file", "private", 0600);
	must(symlink("usr/lib", "root/lib") == 0 && symlink("file", "root/lib/link") == 0 &&
		     symlink("../secret", "root/out") == 0,
	     "symlink");
	/* For nobody, so that rights of files alone do not stop it. */
	must(geteuid() != 0 || chown("root/usr/lib", NOBODY, NOBODY) == 0, "chown");
	if (geteuid() != 0)
		chmod("root/private", 0);
	root_fd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	log_fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	must(root_fd >= 0 && log_fd >= 0, "open");
}

static void remove_tree(void)
{
	static const char *const files[] = { "secret",
					     "log",
					     "root/usr/lib/file",
					     "root/usr/lib/link",
					     "root/private/file",
					     "root/lib",
					     "root/out" };
	static const char *const dirs[] = { "root/usr/lib", "root/usr", "root/private", "root" };

	chmod("root/private", 0700);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		rmdir(dirs[i]);
	CHECK(chdir("/") == 0 && rmdir(top) == 0);
}

int main(void)
{
	make_tree();
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (settings[i].nobody || geteuid() == 0)
			check_setting(&settings[i]);
	}
	check_options();
	check_without_root();
	check_write_files();
	remove_tree();
	return check_done();
}
