/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/probe_int.h"

#define ATTACH_UPROBE_MULTI 48  /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */
#define INIT_PID_NS 0xeffffffcU /* PROC_PID_INIT_INO: the inode of the first pid namespace */
#define CGROUP_LEVELS_MAX 64    /* that the filter walks up */
#define HITS_SINGLE_MAX 65536u  /* all memory at once, see maps_make() */

int sap_probe_bpf(int cmd, void *attr, size_t size)
{
	long r = syscall(SYS_bpf, cmd, attr, size);

	return r < 0 ? -errno : (int)r;
}

/* ---- emitters: each is one instruction; labels are resolved at the end ------------------- */

enum label { OUT, AGAIN, LOST, COUNT, INSIDE, UP, N_LABELS };

struct code {
	struct bpf_insn insn[128];
	unsigned char jump[128]; /* label + 1 where it jumps */
	unsigned n;
	unsigned label[N_LABELS];
};

static void emit(struct code *c, unsigned op, unsigned dst, unsigned src, int off, int32_t imm)
{
	c->insn[c->n++] = (struct bpf_insn){ .code = (uint8_t)op,
					     .dst_reg = (uint8_t)(dst & 15),
					     .src_reg = (uint8_t)(src & 15),
					     .off = (int16_t)off,
					     .imm = imm };
}

/* dst = src */
static void mov(struct code *c, unsigned dst, unsigned src)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

/* dst = imm */
static void set(struct code *c, unsigned dst, int32_t imm)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

/* dst = imm, of 64 bits; src BPF_PSEUDO_MAP_FD: the map with that descriptor */
static void set64(struct code *c, unsigned dst, unsigned src, uint64_t imm)
{
	emit(c, BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (int32_t)(uint32_t)imm);
	emit(c, 0, 0, 0, 0, (int32_t)(imm >> 32));
}

/* dst = dst op imm */
static void alu(struct code *c, unsigned op, unsigned dst, int32_t imm)
{
	emit(c, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

/* dst = fp + off: the address of a variable on the stack */
static void address(struct code *c, unsigned dst, int off)
{
	mov(c, dst, BPF_REG_10);
	alu(c, BPF_ADD, dst, off);
}

/* *(size *)(fp + off) = src */
static void store(struct code *c, unsigned size, int off, unsigned src)
{
	emit(c, BPF_STX | BPF_MEM | size, BPF_REG_10, src, off, 0);
}

/* dst = *(size *)(fp + off) */
static void load(struct code *c, unsigned size, unsigned dst, int off)
{
	emit(c, BPF_LDX | BPF_MEM | size, dst, BPF_REG_10, off, 0);
}

static void call(struct code *c, int32_t helper)
{
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

/* if (dst op imm) goto to */
static void jump_if(struct code *c, unsigned op, unsigned dst, int32_t imm, enum label to)
{
	c->jump[c->n] = (unsigned char)(to + 1);
	emit(c, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

static void jump(struct code *c, enum label to)
{
	jump_if(c, BPF_JA, 0, 0, to);
}

static void label(struct code *c, enum label l)
{
	c->label[l] = c->n;
}

static void resolve(struct code *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->jump[i])
			c->insn[i].off = (int16_t)((int)c->label[c->jump[i] - 1] - (int)i - 1);
}

/* ---- the program -------------------------------------------------------------------------- */

/* Its stack. */
enum {
	KEY = -8,     /* u32 cookie, u32 pid */
	RECORD = -24, /* struct sap_probe_record */
	INDEX = -28,  /* u32, of the counters */
	VALUE = -32,  /* u32, of the hash map: of no meaning */
	NS_PID = -40, /* struct bpf_pidns_info: u32 pid, u32 tgid */
};

/*
 * for (level = 0; level < CGROUP_LEVELS_MAX; level++) {
 *         id = bpf_get_current_ancestor_cgroup_id(level);
 *         if (id == wanted) goto inside;
 *         if (id == 0) return 0;
 * }
 * return 0;
 */
static void emit_cgroup(struct code *c, uint64_t wanted)
{
	set64(c, BPF_REG_8, 0, wanted);
	set(c, BPF_REG_9, 0);
	label(c, UP);
	mov(c, BPF_REG_1, BPF_REG_9);
	call(c, BPF_FUNC_get_current_ancestor_cgroup_id);
	c->jump[c->n] = INSIDE + 1;
	emit(c, BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_0, BPF_REG_8, 0, 0);
	jump_if(c, BPF_JEQ, BPF_REG_0, 0, OUT);
	alu(c, BPF_ADD, BPF_REG_9, 1);
	jump_if(c, BPF_JLT, BPF_REG_9, CGROUP_LEVELS_MAX, UP);
	jump(c, OUT);
	label(c, INSIDE);
}

/* In the first namespace of processes: r0 = bpf_get_current_pid_tgid() >> 32.
 * In another: info = { 0 }; bpf_get_ns_current_pid_tgid(dev, ino, &info, 8); r0 = info.tgid;
 * it stays 0 for a process that is not directly in ours. */
static void emit_pid(struct code *c)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == INIT_PID_NS) {
		call(c, BPF_FUNC_get_current_pid_tgid);
		alu(c, BPF_RSH, BPF_REG_0, 32);
		return;
	}
	set(c, BPF_REG_1, 0);
	store(c, BPF_DW, NS_PID, BPF_REG_1);
	/* The kernel's own form of a device number. */
	set64(c, BPF_REG_1, 0, (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev));
	set64(c, BPF_REG_2, 0, st.st_ino);
	address(c, BPF_REG_3, NS_PID);
	set(c, BPF_REG_4, 8);
	call(c, BPF_FUNC_get_ns_current_pid_tgid);
	load(c, BPF_W, BPF_REG_0, NS_PID + 4);
}

/*
 * if (bpf_map_lookup_elem(&hits, &key)) goto again;
 * value = 0;
 * r = bpf_map_update_elem(&hits, &key, &value, BPF_NOEXIST);
 * if (r == -EEXIST) goto again;            another thread of it was first
 * if (r) goto lost;                        -E2BIG: full
 * record = { key, bpf_ktime_get_ns() };
 * if (!bpf_ringbuf_output(&ring, &record, sizeof(record), 0)) return 0;
 * bpf_map_delete_elem(&hits, &key);        so that the next entry can be told
 * goto lost;
 */
static void emit_tell(struct code *c, const struct sap_probes *p)
{
	set64(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)p->hits);
	address(c, BPF_REG_2, KEY);
	call(c, BPF_FUNC_map_lookup_elem);
	jump_if(c, BPF_JNE, BPF_REG_0, 0, AGAIN);
	set(c, BPF_REG_1, 0);
	store(c, BPF_W, VALUE, BPF_REG_1);
	set64(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)p->hits);
	address(c, BPF_REG_2, KEY);
	address(c, BPF_REG_3, VALUE);
	set(c, BPF_REG_4, BPF_NOEXIST);
	call(c, BPF_FUNC_map_update_elem);
	jump_if(c, BPF_JEQ, BPF_REG_0, -EEXIST, AGAIN);
	jump_if(c, BPF_JNE, BPF_REG_0, 0, LOST);
	call(c, BPF_FUNC_ktime_get_ns);
	store(c, BPF_DW, RECORD + 8, BPF_REG_0);
	load(c, BPF_DW, BPF_REG_1, KEY);
	store(c, BPF_DW, RECORD, BPF_REG_1);
	set64(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)p->ring);
	address(c, BPF_REG_2, RECORD);
	set(c, BPF_REG_3, sizeof(struct sap_probe_record));
	set(c, BPF_REG_4, 0);
	call(c, BPF_FUNC_ringbuf_output);
	jump_if(c, BPF_JEQ, BPF_REG_0, 0, OUT);
	set64(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)p->hits);
	address(c, BPF_REG_2, KEY);
	call(c, BPF_FUNC_map_delete_elem);
}

/*
 * cookie = bpf_get_attach_cookie(ctx);     the link's number above, the place's below
 * key = { (u32)cookie, pid };
 * tell; that it was told before, or was lost, is counted:
 * lost:  slot = 0;
 * again: n = bpf_map_lookup_elem(&counters, &slot);
 * if (n) __sync_fetch_and_add(n, 1);
 * return 0;
 */
static void emit_program(struct code *c, const struct sap_probes *p)
{
	mov(c, BPF_REG_6, BPF_REG_1);
	if (p->options.cgroup)
		emit_cgroup(c, p->options.cgroup);
	mov(c, BPF_REG_1, BPF_REG_6);
	call(c, BPF_FUNC_get_attach_cookie);
	store(c, BPF_W, KEY, BPF_REG_0);
	mov(c, BPF_REG_7, BPF_REG_0);
	alu(c, BPF_RSH, BPF_REG_7, 32);
	emit_pid(c);
	store(c, BPF_W, KEY + 4, BPF_REG_0);
	emit_tell(c, p);
	label(c, LOST);
	set(c, BPF_REG_7, 0);
	label(c, AGAIN);
	store(c, BPF_W, INDEX, BPF_REG_7);
	set64(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)p->counters);
	address(c, BPF_REG_2, INDEX);
	call(c, BPF_FUNC_map_lookup_elem);
	jump_if(c, BPF_JEQ, BPF_REG_0, 0, OUT);
	set(c, BPF_REG_1, 1);
	emit(c, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD);
	label(c, OUT);
	set(c, BPF_REG_0, 0);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	resolve(c);
}

/* The licence is the program's own: no helper that it calls is for GPL programs only. */
static int program_load(const struct sap_probes *p, bool multi)
{
	struct code c = { .n = 0 };
	union bpf_attr attr;

	emit_program(&c, p);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.expected_attach_type = multi ? ATTACH_UPROBE_MULTI : 0;
	attr.insns = (uintptr_t)c.insn;
	attr.insn_cnt = c.n;
	attr.license = (uintptr_t) "Apache-2.0";
	snprintf(attr.prog_name, sizeof(attr.prog_name), "sapper_entry");
	return sap_probe_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* ---- maps --------------------------------------------------------------------------------- */

static int map_make(unsigned type, uint32_t key, uint32_t value, uint32_t n, unsigned flags,
		    const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key;
	attr.value_size = value;
	attr.max_entries = n;
	attr.map_flags = flags;
	snprintf(attr.map_name, sizeof(attr.map_name), "%s", name);
	return sap_probe_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* A program of this kind may take memory as it goes only since Linux 6.1: before, the kernel warns
 * in its log. Where there is no uprobe_multi (6.6) all of it is taken at once, hence less. */
static int hits_make(const struct sap_probes *p, bool multi)
{
	uint32_t n = p->options.hits_max;

	if (!multi && n > HITS_SINGLE_MAX)
		n = HITS_SINGLE_MAX;
	return map_make(BPF_MAP_TYPE_HASH, 8, 4, n, multi ? BPF_F_NO_PREALLOC : 0, "sapper_hits");
}

static int refused_text(struct sap_err *err, int error, const char *what)
{
	if (error == EPERM || error == EACCES)
		return sap_err_sys(err, error,
				   "no probes on functions: %s is not allowed; needs CAP_BPF and "
				   "CAP_PERFMON (or root outside of a container)",
				   what);
	if (error == ENOSYS)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "no probes on functions: this kernel is built without BPF");
	return sap_err_sys(err, error, "no probes on functions: %s failed", what);
}

static int maps_make(struct sap_probes *p, struct sap_err *err)
{
	p->counters = map_make(BPF_MAP_TYPE_ARRAY, 4, 8, SAP_PROBE_LINKS_MAX, BPF_F_MMAPABLE,
			       "sapper_counts");
	if (p->counters < 0)
		return refused_text(err, -p->counters, "a BPF map");
	p->ring = map_make(BPF_MAP_TYPE_RINGBUF, 0, 0, SAP_PROBE_RING, 0, "sapper_ring");
	if (p->ring == -EINVAL)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "no probes on functions: the kernel has no BPF ring buffer "
				   "(Linux 5.8), nor cookies (Linux 5.15)");
	if (p->ring < 0)
		return refused_text(err, -p->ring, "a BPF ring buffer");
	p->counts = mmap(NULL, SAP_PROBE_LINKS_MAX * sizeof(uint64_t), PROT_READ, MAP_SHARED,
			 p->counters, 0);
	if (p->counts == MAP_FAILED) {
		p->counts = NULL;
		return sap_err_sys(err, errno, "cannot map the counters of probes");
	}
	return 0;
}

static int try_means(struct sap_probes *p, bool multi, struct sap_err *err)
{
	sap_close_fd(&p->prog);
	sap_close_fd(&p->hits);
	p->hits = hits_make(p, multi);
	if (p->hits < 0)
		return refused_text(err, -p->hits, "a BPF map");
	p->prog = program_load(p, multi);
	if (p->prog == -EINVAL)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "no probes on functions: the kernel refuses the BPF program; it "
				   "needs Linux 5.15 or newer");
	if (p->prog < 0)
		return refused_text(err, -p->prog, "a BPF program");
	return 0;
}

/* A BPF file system that is mounted nowhere; -1: not allowed, or not in this kernel. */
static int fs_make(void)
{
	sap_cleanup_fd int fs = (int)syscall(SYS_fsopen, "bpf", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

int sap_probe_load(struct sap_probes *p, struct sap_err *err)
{
	int rc = maps_make(p, err);

	if (rc)
		return rc;
	if (!p->options.no_fs)
		p->fs = fs_make();
	if (!p->options.single) {
		rc = try_means(p, true, err);
		if (rc && rc != SAP_EUNSUPPORTED)
			return rc;
		if (!rc && sap_probe_multi_works(p->prog)) {
			p->multi = true;
			return 0;
		}
	}
	rc = sap_probe_single_type(&p->uprobe_pmu, err);
	return rc ? rc : try_means(p, false, err);
}

void sap_probe_unload(struct sap_probes *p)
{
	if (p->counts)
		munmap(p->counts, SAP_PROBE_LINKS_MAX * sizeof(uint64_t));
	sap_close_fd(&p->fs);
	sap_close_fd(&p->prog);
	sap_close_fd(&p->hits);
	sap_close_fd(&p->ring);
	sap_close_fd(&p->counters);
}

void sap_probe_pair_forget(const struct sap_probes *p, uint32_t cookie, int32_t pid)
{
	struct sap_probe_pair key = { .cookie = cookie, .pid = pid };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)p->hits;
	attr.key = (uintptr_t)&key;
	(void)sap_probe_bpf(BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
}
