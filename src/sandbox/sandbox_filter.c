/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter: an allow-list as classic BPF, see seccomp(2) and the kernel's
 * Documentation/userspace-api/seccomp_filter.rst.
 *
 * Each rule is a piece of program that either returns a verdict or falls through with the
 * number of the call still in the accumulator. Calls whose verdict does not depend on
 * arguments cost next to nothing: the kernel (5.11) remembers them in a bitmap. Those that
 * do come first, the busiest ahead.
 */
#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__ILP32__)
#error "x32 is not supported: its calls share the audit number of x86-64"
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__powerpc64__)
#define ARCH AUDIT_ARCH_PPC64
#endif

#define X32_BIT 0x40000000u /* x86-64: set in the numbers of the x32 calls */

#define ALLOW SECCOMP_RET_ALLOW
#define FAIL(e) (SECCOMP_RET_ERRNO | ((unsigned)(e)&SECCOMP_RET_DATA))
/* Sanitisers call what no list foresees, and survive a refusal. */
#define FORBID (SAP_SANITISED ? FAIL(EPERM) : SECCOMP_RET_KILL_PROCESS)

/* Without O_DIRECTORY, which is for reading too. */
#define WRITE_FLAGS (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

#define FILTER_MAX 512

struct filter {
	struct sock_filter v[FILTER_MAX];
	unsigned short n;
};

static void put(struct filter *f, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	/* Too long a program fails to load: see sap_sandbox_filter. */
	if (f->n < FILTER_MAX)
		f->v[f->n] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	f->n++;
}

static void verdict(struct filter *f, uint32_t action)
{
	put(f, BPF_RET | BPF_K, 0, 0, action);
}

static void load(struct filter *f, size_t offset)
{
	put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void load_low(struct filter *f, unsigned arg)
{
	load(f, offsetof(struct seccomp_data, args) + 8 * (size_t)arg +
			(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
}

static void load_high(struct filter *f, unsigned arg)
{
	load(f, offsetof(struct seccomp_data, args) + 8 * (size_t)arg +
			(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 0 : 4));
}

/* The next n instructions are for this call only. */
static void only_for(struct filter *f, uint32_t nr, unsigned n)
{
	put(f, BPF_JMP | BPF_JEQ | BPF_K, 0, n, nr);
}

static void rule(struct filter *f, uint32_t nr, uint32_t action)
{
	only_for(f, nr, 1);
	verdict(f, action);
}

/* Allowed where the argument has none of the bits. */
static void rule_without(struct filter *f, uint32_t nr, unsigned arg, uint32_t bits, uint32_t bad)
{
	only_for(f, nr, 4);
	load_low(f, arg);
	put(f, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
	verdict(f, bad);
	verdict(f, ALLOW);
}

/* Allowed where the argument has the bit. */
static void rule_with(struct filter *f, uint32_t nr, unsigned arg, uint32_t bit, uint32_t bad)
{
	only_for(f, nr, 4);
	load_low(f, arg);
	put(f, BPF_JMP | BPF_JSET | BPF_K, 1, 0, bit);
	verdict(f, bad);
	verdict(f, ALLOW);
}

/* Allowed where the argument (an int) is one of n values. */
static void rule_one_of(struct filter *f, uint32_t nr, unsigned arg, const uint32_t *values,
			unsigned n, uint32_t bad)
{
	only_for(f, nr, n + 3);
	load_low(f, arg);
	for (unsigned i = 0; i < n; i++)
		put(f, BPF_JMP | BPF_JEQ | BPF_K, n - i, 0, values[i]);
	verdict(f, bad);
	verdict(f, ALLOW);
}

/* Allowed where the argument is a null pointer. */
static void rule_null(struct filter *f, uint32_t nr, unsigned arg, uint32_t bad)
{
	only_for(f, nr, 6);
	load_low(f, arg);
	put(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
	load_high(f, arg);
	put(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
	verdict(f, bad);
	verdict(f, ALLOW);
}

/* Calls of 32-bit and of older architectures are absent from the others. */
static const uint32_t always[] = {
	/* reading */
	__NR_read,
	__NR_pread64,
	__NR_readv,
	__NR_preadv,
	__NR_lseek,
	__NR_getdents64,
	__NR_readlinkat,
	__NR_statx,
	__NR_close,
	__NR_close_range,
	__NR_dup,
	__NR_statfs,
	__NR_fstatfs,
	__NR_getcwd,
#ifdef __NR_fstat
	__NR_fstat,
#endif
#ifdef __NR_newfstatat
	__NR_newfstatat,
#endif
#ifdef __NR_fstatat64
	__NR_fstatat64,
#endif
#ifdef __NR_fstat64
	__NR_fstat64,
#endif
#ifdef __NR_stat
	__NR_stat,
	__NR_lstat,
#endif
#ifdef __NR_readlink
	__NR_readlink,
#endif
#ifdef __NR__llseek
	__NR__llseek,
#endif
#ifdef __NR_statfs64
	__NR_statfs64,
	__NR_fstatfs64,
#endif
#ifdef __NR_fadvise64
	__NR_fadvise64,
#endif
#ifdef __NR_fadvise64_64
	__NR_fadvise64_64,
#endif
#ifdef __NR_arm_fadvise64_64
	__NR_arm_fadvise64_64,
#endif
	/* results */
	__NR_write,
	__NR_writev,
	__NR_ppoll,
#ifdef __NR_poll
	__NR_poll,
#endif
#ifdef __NR_ppoll_time64
	__NR_ppoll_time64,
#endif
	/* memory */
	__NR_munmap,
	__NR_mremap,
	__NR_madvise,
	__NR_brk,
	/* threads, signals, the end */
	__NR_futex,
	__NR_set_robust_list,
	__NR_rseq,
	__NR_sigaltstack,
	__NR_rt_sigaction,
	__NR_rt_sigprocmask,
	__NR_rt_sigreturn,
	__NR_gettid,
	__NR_getpid,
	__NR_getppid,
	__NR_sched_yield,
	__NR_sched_getaffinity,
	__NR_restart_syscall,
	__NR_exit,
	__NR_exit_group,
#ifdef __NR_futex_time64
	__NR_futex_time64,
#endif
#ifdef __NR_sigreturn
	__NR_sigreturn,
#endif
	/* the time, and who and where this is */
	__NR_clock_gettime,
	__NR_clock_getres,
	__NR_clock_nanosleep,
	__NR_nanosleep,
	__NR_gettimeofday,
	__NR_getrandom,
	__NR_getuid,
	__NR_geteuid,
	__NR_getgid,
	__NR_getegid,
	__NR_getrusage,
	__NR_sysinfo,
	__NR_uname,
#ifdef __NR_clock_gettime64
	__NR_clock_gettime64,
	__NR_clock_getres_time64,
	__NR_clock_nanosleep_time64,
#endif
#ifdef __NR_getuid32
	__NR_getuid32,
	__NR_geteuid32,
	__NR_getgid32,
	__NR_getegid32,
#endif
#ifdef __NR_getrlimit
	__NR_getrlimit,
#endif
#ifdef __NR_ugetrlimit
	__NR_ugetrlimit,
#endif
};

static void put_open(struct filter *f, bool allow_open, bool allow_openat2)
{
	if (allow_open) {
		rule_without(f, __NR_openat, 2, WRITE_FLAGS, FAIL(EPERM));
#ifdef __NR_open
		rule_without(f, __NR_open, 1, WRITE_FLAGS, FAIL(EPERM));
#endif
		/* Its flags lie in memory, out of a filter's sight: Landlock must check them. */
		rule(f, __NR_openat2, allow_openat2 ? ALLOW : FAIL(ENOSYS));
	} else {
		rule(f, __NR_openat, FAIL(EACCES));
#ifdef __NR_open
		rule(f, __NR_open, FAIL(EACCES));
#endif
		rule(f, __NR_openat2, FAIL(EACCES));
	}
	/* Asked of descriptors that turn out to be pipes or files. */
	rule(f, __NR_ioctl, FAIL(ENOTTY));
}

static void put_memory(struct filter *f)
{
#if defined(__s390x__)
	/* One pointer to all arguments; mprotect below still refuses. */
	rule(f, __NR_mmap, ALLOW);
#elif defined(__NR_mmap2)
	rule_without(f, __NR_mmap2, 2, PROT_EXEC, FAIL(EPERM));
#else
	rule_without(f, __NR_mmap, 2, PROT_EXEC, FAIL(EPERM));
#endif
	rule_without(f, __NR_mprotect, 2, PROT_EXEC, FAIL(EPERM));
}

static void put_process(struct filter *f)
{
	static const uint32_t fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC };
	static const uint32_t prctls[] = { PR_SET_NAME, PR_GET_NAME };
	const uint32_t self[] = { (uint32_t)getpid() };
	const unsigned nfcntls = sizeof(fcntls) / sizeof(fcntls[0]);

	/* Threads, no processes. s390x has the first two arguments swapped. */
#if defined(__s390x__)
	rule_with(f, __NR_clone, 1, CLONE_THREAD, FORBID);
#else
	rule_with(f, __NR_clone, 0, CLONE_THREAD, FORBID);
#endif
	rule(f, __NR_clone3, FAIL(ENOSYS));
	rule_one_of(f, __NR_tgkill, 0, self, 1, FORBID);
	rule_null(f, __NR_prlimit64, 2, FAIL(EPERM));
	rule_one_of(f, __NR_prctl, 0, prctls, 2, FAIL(EPERM));
#ifdef __NR_fcntl
	rule_one_of(f, __NR_fcntl, 1, fcntls, nfcntls, FAIL(EPERM));
#endif
#ifdef __NR_fcntl64
	rule_one_of(f, __NR_fcntl64, 1, fcntls, nfcntls, FAIL(EPERM));
#endif
}

static void put_arch(struct filter *f, uint32_t arch)
{
	load(f, offsetof(struct seccomp_data, arch));
	put(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch);
	verdict(f, SECCOMP_RET_KILL_PROCESS);
	load(f, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	put(f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	verdict(f, SECCOMP_RET_KILL_PROCESS);
#endif
}

int sap_sandbox_filter(bool allow_open, bool allow_openat2, bool allow_receive)
{
#ifdef ARCH
	struct filter f;
	struct sock_fprog prog = { .filter = f.v };

	f.n = 0;
	put_arch(&f, ARCH);
	put_open(&f, allow_open, allow_openat2);
	put_memory(&f);
	put_process(&f);
	/* On sockets that are open already: none can be made. */
	if (allow_receive)
		rule(&f, __NR_recvmsg, ALLOW);
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		rule(&f, always[i], ALLOW);
	verdict(&f, FORBID);
	if (f.n > FILTER_MAX)
		return -E2BIG;
	prog.len = f.n;
	/* No SECCOMP_FILTER_FLAG_TSYNC: there is one thread, and later ones inherit. */
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
#else
	(void)allow_open;
	(void)allow_openat2;
	(void)allow_receive;
	return -EOPNOTSUPP; /* an architecture whose numbers nobody has checked */
#endif
}
