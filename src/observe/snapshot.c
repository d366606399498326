/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "observe/snapshot_int.h"

/* ---- a look ------------------------------------------------------------------------------ */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int on_boot_time(void *ctx, struct sap_str line, bool cut, struct sap_err *err)
{
	uint64_t seconds;

	(void)err;
	if (cut || !sap_str_starts(line, SAP_STR("btime ")) ||
	    !sap_str_u64(sap_str_skip(line, 6), &seconds) || seconds > INT64_MAX / 1000000000)
		return 0;
	*(int64_t *)ctx = (int64_t)seconds * 1000000000;
	return 1;
}

/* Once for a set of evidence: the number moves by a second when the clock is adjusted, and the
 * start of a process must stay what it is. */
static void find_boot_time(struct sap_look *look)
{
	sap_cleanup_fd int fd = openat(look->proc, "stat", O_RDONLY | O_CLOEXEC);
	int64_t boot;

	if (look->e->boot_time)
		return;
	if (fd >= 0)
		sap_proc_lines(fd, '\n', look->buf, SAP_TEXT_FILE_MAX, on_boot_time,
			       &look->e->boot_time, NULL);
	if (look->e->boot_time)
		return;
	boot = clock_ns(CLOCK_REALTIME) -
	       clock_ns(CLOCK_BOOTTIME); /* /proc mounted with subset=pid */
	look->e->boot_time = boot - boot % 1000000000;
}

static int find_text(struct sap_look *look, const char *name, struct sap_str *to,
		     struct sap_err *err)
{
	struct sap_str text;

	if (to->n || sap_proc_read(look->proc, name, look->small, SAP_PROC_BUFFER, &text) < 0)
		return 0;
	return sap_evidence_text(look->e, sap_str_trim(text), to) ? 0 : sap_err_nomem(err);
}

static uint64_t mnt_ns_of(int dir, const char *name)
{
	struct sap_str text;
	uint64_t ns = 0;
	char buf[64];

	if (sap_proc_link(dir, name, buf, sizeof(buf), &text) < 0 ||
	    !sap_proc_bracket(text, SAP_STR("mnt:"), &ns))
		return 0;
	return ns;
}

static int find_own_root(struct sap_look *look, struct sap_err *err)
{
	struct sap_seen_root *host = &look->e->roots.v[0];
	struct statx st;
	int r;

	look->root = openat(look->proc, "self/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (look->root < 0)
		look->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (look->root < 0)
		return sap_err_sys(err, errno, "cannot open the root folder");
	r = sap_look_stat(look->root, "", AT_EMPTY_PATH, &st);
	if (r < 0)
		return sap_err_sys(err, -r, "cannot look at the root folder");
	host->mnt_ns = mnt_ns_of(look->proc, "self/ns/mnt");
	host->dev = sap_statx_dev(&st);
	host->ino = st.stx_ino;
	host->pid = (int32_t)getpid();
	return 0;
}

int sap_look_init(struct sap_look *look, struct sap_evidence *e,
		  const struct sap_snapshot_options *options, struct sap_err *err)
{
	long ticks = sysconf(_SC_CLK_TCK);
	int r;

	*look = (struct sap_look){
		.e = e, .proc = -1, .root = -1, .other = -1, .now = clock_ns(CLOCK_REALTIME)
	};
	if (options)
		look->options = *options;
	if (!look->options.proc)
		look->options.proc = "/proc";
	look->tick = 1000000000 / (uint64_t)(ticks > 0 ? ticks : 100);
	sap_arena_init(&look->arena, SAP_EVIDENCE_TEXT_MAX);
	look->buf = malloc(SAP_PROC_BUFFER);
	look->small = malloc(SAP_PROC_BUFFER);
	if (!look->buf || !look->small)
		return sap_err_nomem(err);
	look->proc = open(look->options.proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (look->proc < 0)
		return sap_err_sys(err, errno, "cannot open %s", look->options.proc);
	r = find_own_root(look, err);
	if (r < 0)
		return r;
	find_boot_time(look);
	r = find_text(look, "sys/kernel/random/boot_id", &e->boot_id, err);
	return r < 0 ? r : find_text(look, "sys/kernel/hostname", &e->host, err);
}

void sap_look_clear(struct sap_look *look)
{
	sap_close_fd(&look->proc);
	sap_close_fd(&look->root);
	sap_close_fd(&look->other);
	free(look->buf);
	free(look->small);
	free(look->slots);
	sap_vec_clear(&look->known);
	sap_vec_clear(&look->sockets);
	sap_vec_clear(&look->nets);
	sap_vec_clear(&look->held);
	sap_vec_clear(&look->holders);
	sap_arena_clear(&look->arena);
	*look = (struct sap_look){ .proc = -1, .root = -1, .other = -1 };
}

/* ---- a process --------------------------------------------------------------------------- */

static int refused(struct sap_err *err, int sys, int32_t pid, const char *what)
{
	if (sys == ESRCH || sys == ENOENT)
		return sap_err_set(err, SAP_ENOENT, "process %d is gone", (int)pid);
	return sap_err_sys(err, sys, "process %d: %s", (int)pid, what);
}

static bool is_dead(const struct sap_proc_stat *st)
{
	return st->state == 'Z' || st->state == 'X' || st->state == 'x';
}

/* The first thread has ended, others go on: their folder says what the process has mapped. */
static int use_living_thread(struct sap_task *t, struct sap_err *err)
{
	int fd = openat(t->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		sap_close_fd(&fd);
		return refused(err, errno, t->pid, "task");
	}
	for (unsigned n = 0; found < 0 && n < SAP_PROC_THREADS_MAX && (entry = readdir(dir)); n++) {
		struct sap_proc_stat st;
		struct sap_str text;
		char buf[1024];

		if (entry->d_name[0] == '.')
			continue;
		found = openat(fd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (found >= 0 && (sap_proc_read(found, "stat", buf, sizeof(buf), &text) < 0 ||
				   !sap_proc_stat_parse(text, &st) || is_dead(&st)))
			sap_close_fd(&found);
	}
	closedir(dir);
	if (found < 0)
		return refused(err, ESRCH, t->pid, "task");
	sap_close_fd(&t->dir);
	t->dir = found;
	t->thread = true;
	return 0;
}

struct cgroup {
	struct sap_str unit, container;
	bool within;
};

/* The unit is what systemd's own hierarchy says, or version 2's; a container may be named in any. */
static void read_cgroup(const struct sap_look *look, struct sap_str text, struct cgroup *out)
{
	const struct sap_str want = sap_str_of(look->options.cgroup);
	struct sap_str line, unit, container;

	while (sap_str_line(&text, &line)) {
		sap_cgroup_parse(line, &unit, &container);
		out->within |= want.p && sap_cgroup_within(line, want);
		if (unit.n && out->unit.n == 0)
			out->unit = unit;
		if (container.n && out->container.n == 0)
			out->container = container;
	}
}

static int task_cgroup(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	struct cgroup cgroup = { 0 };
	struct sap_str text;
	int r = sap_proc_read(t->dir, "cgroup", look->small, SAP_PROC_BUFFER, &text);

	if (r == -ESRCH)
		return refused(err, -r, t->pid, "cgroup");
	if (r == 0)
		read_cgroup(look, text, &cgroup);
	if (look->options.cgroup && !cgroup.within)
		return sap_err_set(err, SAP_ENOENT, "process %d is not in that cgroup",
				   (int)t->pid);
	t->unit = cgroup.unit;
	t->container = cgroup.container;
	return 0;
}

/* SAP_ENOENT: gone, dead, a kernel thread, or not of that cgroup. */
static int task_open(struct sap_look *look, int32_t pid, struct sap_task *t, struct sap_err *err)
{
	struct sap_str text;
	char name[16];
	int r;

	*t = (struct sap_task){ .pid = pid, .dir = -1, .root_fd = -1, .process = SAP_NONE };
	snprintf(name, sizeof(name), "%d", (int)pid);
	t->dir = openat(look->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return refused(err, errno, pid, "its folder");
	r = sap_proc_read(t->dir, "stat", t->stat, sizeof(t->stat), &text);
	if (r < 0)
		return refused(err, -r, pid, "stat");
	if (!sap_proc_stat_parse(text, &t->st))
		return sap_err_format(err, 0, "process %d: stat cannot be understood", (int)pid);
	if ((t->st.flags & SAP_PF_KTHREAD) || (is_dead(&t->st) && t->st.threads <= 1))
		return sap_err_set(err, SAP_ENOENT, "process %d runs no program", (int)pid);
	t->start = (uint64_t)look->e->boot_time + t->st.start * look->tick;
	if (is_dead(&t->st)) {
		r = use_living_thread(t, err);
		if (r < 0)
			return r;
	}
	return task_cgroup(look, t, err);
}

static void task_close(struct sap_task *t)
{
	sap_close_fd(&t->dir);
	sap_close_fd(&t->root_fd);
	sap_vec_clear(&t->files);
}

static int task_root(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	struct sap_evidence *e = look->e;
	struct sap_seen_root *root;
	struct statx st;
	uint32_t living;
	int r = sap_look_stat(t->dir, "root", 0, &st);

	if (r < 0)
		return refused(err, -r, t->pid, "root");
	t->mnt_ns = mnt_ns_of(t->dir, "ns/mnt");
	r = sap_evidence_root(e, t->mnt_ns, sap_statx_dev(&st), st.stx_ino, &t->root, NULL, err);
	if (r < 0 || t->root == 0)
		return r;
	r = sap_proc_link(t->dir, "root", t->root_text, sizeof(t->root_text), &t->root_link);
	if (r < 0)
		return refused(err, -r, t->pid, "root");
	root = &e->roots.v[t->root];
	living = sap_evidence_living(e, root->pid);
	if (living == SAP_NONE || e->processes.v[living].root != t->root)
		root->pid = t->pid;
	if (t->container.n && !sap_evidence_text(e, t->container, &root->container))
		return sap_err_nomem(err);
	return 0;
}

/* What can be known of a process without rights. */
static int task_enter(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	struct sap_evidence *e = look->e;
	struct sap_seen_process *p;
	int r = sap_evidence_process(e, t->pid, t->start, &t->process, NULL, err);

	if (r < 0) {
		t->process = SAP_NONE;
		return r;
	}
	p = &e->processes.v[t->process];
	p->ppid = t->st.ppid;
	if (!p->first_seen)
		p->first_seen = look->now;
	if (look->now > p->last_seen)
		p->last_seen = look->now;
	return sap_evidence_text(e, t->st.comm, &p->comm) &&
			       sap_evidence_text(e, t->unit, &p->unit) &&
			       sap_evidence_text(e, t->container, &p->container)
		       ? 0
		       : sap_err_nomem(err);
}

int sap_task_begin(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	int r = task_root(look, t, err);

	if (r == 0)
		r = task_enter(look, t, err);
	if (r == 0)
		look->e->processes.v[t->process].root = t->root;
	return r;
}

static int on_environment(void *ctx, struct sap_str entry, bool cut, struct sap_err *err)
{
	(void)cut; /* its beginning will do */
	(void)err;
	*(unsigned *)ctx |= sap_proc_preload(entry);
	return 0;
}

static void task_environment(struct sap_look *look, struct sap_task *t)
{
	sap_cleanup_fd int fd = openat(t->dir, "environ", O_RDONLY | O_CLOEXEC);
	unsigned bits = 0;

	if (fd < 0 || sap_proc_lines(fd, '\0', look->buf, SAP_PROC_ENVIRON_MAX, on_environment,
				     &bits, NULL) < 0)
		bits |= SAP_ENV_UNREADABLE;
	look->e->processes.v[t->process].preloads = (uint8_t)bits;
}

/* All about one process. SAP_ENOENT: there is nothing to see; SAP_EIO: not allowed. */
static int look_at_process(struct sap_look *look, int32_t pid, bool maps, uint32_t *process,
			   struct sap_err *err)
{
	struct sap_task t;
	int r = task_open(look, pid, &t, err);

	if (r == 0 && maps) {
		r = sap_task_maps(look, &t, err);
		if (r == 0 && t.process == SAP_NONE)
			r = sap_err_set(err, SAP_ENOENT, "process %d has no memory", (int)pid);
	} else if (r == 0) {
		r = sap_task_begin(look, &t, err);
		if (r == SAP_EIO)
			r = task_enter(look, &t, err);
	}
	if (r == 0)
		r = sap_task_exe(look, &t, err);
	if (r == 0)
		task_environment(look, &t);
	if (r == 0 && maps && look->options.sockets)
		r = sap_task_sockets(look, &t, err);
	if (r == 0)
		*process = t.process;
	task_close(&t);
	return r;
}

int sap_snapshot_process(struct sap_evidence *e, const struct sap_snapshot_options *options,
			 int32_t pid, bool want_maps, uint32_t *process, struct sap_err *err)
{
	struct sap_look look;
	struct sap_err local;
	int r;

	err = err ? err : &local;
	r = sap_look_init(&look, e, options, err);
	look.options.sockets = false;
	if (r == 0)
		r = look_at_process(&look, pid, want_maps, process, err);
	sap_look_clear(&look);
	return r;
}

/* ---- all of them ------------------------------------------------------------------------- */

struct pids {
	SAP_VEC(int32_t) list;
};

static int add_pid(struct pids *pids, int32_t pid, struct sap_err *err)
{
	int32_t *to = SAP_VEC_PUSH(&pids->list, SAP_PROC_PIDS_MAX);

	if (!to)
		return sap_err_nomem(err);
	*to = pid;
	return 0;
}

static int list_pids(const struct sap_look *look, struct pids *pids, struct sap_err *err)
{
	int fd = openat(look->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t pid;
	int r = 0;

	if (!dir) {
		r = sap_err_sys(err, errno, "cannot list %s", look->options.proc);
		sap_close_fd(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (sap_str_u64(sap_str_of(entry->d_name), &pid) && pid > 0 && pid <= INT32_MAX)
			r = add_pid(pids, (int32_t)pid, err);
	closedir(dir);
	return r;
}

static int choose_pids(const struct sap_look *look, struct pids *pids, struct sap_err *err)
{
	int r = 0;

	if (!look->options.pids)
		return list_pids(look, pids, err);
	for (uint32_t i = 0; r == 0 && i < look->options.n_pids; i++)
		r = add_pid(pids, look->options.pids[i], err);
	return r;
}

/* Nothing is wrong with the look as a whole. */
static bool is_about_one(int r, const struct sap_err *err, uint64_t *hidden)
{
	if (r == SAP_EIO && err->sys_errno != EMFILE && err->sys_errno != ENFILE) {
		++*hidden;
		return true;
	}
	/* ELIMIT: what it is, or where, does not fit any more. */
	if (r == SAP_EFORMAT || r == SAP_ELIMIT)
		++*hidden;
	return r == SAP_ENOENT || r == SAP_ELIMIT || r == SAP_EFORMAT;
}

static int on_mount(void *ctx, struct sap_str line, bool cut, struct sap_err *err)
{
	/* number parent device root MOUNTPOINT options ... - TYPE source OPTIONS */
	const struct sap_look *look = ctx;
	struct sap_str word = { 0 };
	int hides = 0;

	(void)cut;
	(void)err;
	for (unsigned i = 0; i < 5; i++)
		if (!sap_str_word(&line, &word))
			return 0;
	if (!sap_str_eq(word, sap_str_of(look->options.proc)))
		return 0;
	while (sap_str_word(&line, &word))
		if (memmem(word.p, word.n, "hidepid=", 8) &&
		    !memmem(word.p, word.n, "hidepid=0", 9) &&
		    !memmem(word.p, word.n, "hidepid=off", 11))
			hides = 1;
	return hides;
}

/* With hidepid, /proc does not even list the processes of others: they cannot be counted. */
static int name_means(struct sap_look *look, struct sap_err *err)
{
	sap_cleanup_fd int fd = -1;
	bool hides = false;

	if (look->e->means.maps.n)
		return 0;
	if (faccessat(look->proc, "1", F_OK, 0) < 0)
		fd = openat(look->proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		hides = sap_proc_lines(fd, '\n', look->buf, SAP_TEXT_FILE_MAX, on_mount, look,
				       NULL) == 1;
	return sap_evidence_text(look->e,
				 hides ? SAP_STR("/proc (hidepid: others are invisible)")
				       : SAP_STR("/proc"),
				 &look->e->means.maps)
		       ? 0
		       : sap_err_nomem(err);
}

static int take(struct sap_look *look, struct sap_err *err)
{
	struct sap_evidence *e = look->e;
	struct pids pids = { 0 };
	uint64_t hidden = 0;
	uint32_t process;
	int r = choose_pids(look, &pids, err);

	for (size_t i = 0; r == 0 && i < pids.list.n; i++) {
		r = look_at_process(look, pids.list.v[i], true, &process, err);
		if (r < 0 && is_about_one(r, err, &hidden))
			r = 0;
	}
	sap_vec_clear(&pids.list);
	if (r == 0 && look->options.sockets)
		r = sap_look_listens(look, err);
	if (r == 0)
		r = name_means(look, err);
	if (r < 0)
		return r;
	e->processes_hidden = hidden;
	if (!e->start)
		e->start = look->now;
	if (look->now > e->end)
		e->end = look->now;
	return 0;
}

int sap_snapshot_take(struct sap_evidence *e, const struct sap_snapshot_options *options,
		      struct sap_err *err)
{
	struct sap_look look;
	struct sap_err local;
	int r;

	err = err ? err : &local;
	r = sap_look_init(&look, e, options, err);
	if (r == 0)
		r = take(&look, err);
	sap_look_clear(&look);
	return r;
}

/* ---- who is gone ------------------------------------------------------------------------- */

static bool is_gone(const struct sap_look *look, const struct sap_seen_process *p)
{
	struct sap_proc_stat st;
	struct sap_str text;
	char name[32], buf[1024];
	int r;

	snprintf(name, sizeof(name), "%d/stat", (int)p->pid);
	r = sap_proc_read(look->proc, name, buf, sizeof(buf), &text);
	if (r < 0)
		return r == -ENOENT || r == -ESRCH;
	if (!sap_proc_stat_parse(text, &st))
		return false;
	return (uint64_t)look->e->boot_time + st.start * look->tick != p->start ||
	       (is_dead(&st) && st.threads <= 1);
}

int sap_snapshot_end_gone(struct sap_evidence *e, const char *proc, int64_t now,
			  struct sap_err *err)
{
	const struct sap_snapshot_options options = { .proc = proc };
	struct sap_look look;
	int r = sap_look_init(&look, e, &options, err);

	for (uint32_t i = 0; r == 0 && i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (!sap_seen_free(p) && !p->ended && is_gone(&look, p))
			r = sap_evidence_end(e, i, now, NULL, err);
	}
	sap_look_clear(&look);
	return r;
}
