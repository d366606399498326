/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/watching.h"
#include "observe/snapshot.h"
#include "store/evstore.h"

static const char help[] =
	"usage: sapper watch [OPTIONS]\n"
	"\n"
	"Records what runs on this host: which libraries are mapped, by whom, exposed to whom, "
	"and\n"
	"which of their functions are entered. No program is changed or slowed for long: a probe\n"
	"is taken away once it has fired. What was seen is kept for 'sapper scan'. Needs root for\n"
	"all processes and for functions; says what it cannot see.\n"
	"\n"
	"      --for TIME         end after TIME: 45s, 10m, 1h30m, 2d (default: at Ctrl-C or "
	"SIGTERM)\n"
	"      --interval TIME    write what is new this often (default: 1m)\n"
	"      --functions WHICH  affected: of files with a finding, those that the advisory names "
	"and\n"
	"                         all exported ones (default); exported: of every file; all: "
	"local\n"
	"                         ones too; none; or a list: NAME,NAME\n"
	"      --opens            opened files that are not ELF as well (fanotify)\n"
	"      --pid PID          this process and its descendants only; may be repeated\n"
	"      --cgroup PATH      processes in this cgroup only\n"
	"      --container ID     processes of this container only\n"
	"      --store FILE       where evidence is kept (default: /var/lib/sapper/evidence.db)\n"
	"      --no-store         keep nothing, only show it at the end\n"
	"      --processes        at the end: list the processes as well\n"
	"      --db FILE          the advisories (default: see sapper help db)\n"
	"      --capabilities     what this kernel and these rights allow; then end\n" COMMON_HELP
	"\n"
	"examples:\n"
	"  sapper watch --for 10m\n"
	"  sapper watch --for 1h --functions exported\n"
	"  sapper watch --container 3f2a --no-store --for 5m\n"
	"  sapper watch --capabilities\n"
	"  systemctl start sapper-watch\n";

enum { OPENS_MAX = 8 };

struct options {
	struct common common;
	struct watching watching;
	int64_t length, interval; /* ns; length 0: until a signal */
	const char *store, *container;
	bool no_store, capabilities, processes, opens;
};

enum {
	OPTION_FOR = OPTION_OWN,
	OPTION_INTERVAL,
	OPTION_FUNCTIONS,
	OPTION_OPENS,
	OPTION_PID,
	OPTION_CGROUP,
	OPTION_CONTAINER,
	OPTION_STORE,
	OPTION_NO_STORE,
	OPTION_PROCESSES,
	OPTION_DB,
	OPTION_CAPABILITIES,
};

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "for", required_argument, NULL, OPTION_FOR },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "functions", required_argument, NULL, OPTION_FUNCTIONS },
	{ "opens", no_argument, NULL, OPTION_OPENS },
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "cgroup", required_argument, NULL, OPTION_CGROUP },
	{ "container", required_argument, NULL, OPTION_CONTAINER },
	{ "store", required_argument, NULL, OPTION_STORE },
	{ "no-store", no_argument, NULL, OPTION_NO_STORE },
	{ "processes", no_argument, NULL, OPTION_PROCESSES },
	{ "db", required_argument, NULL, OPTION_DB },
	{ "capabilities", no_argument, NULL, OPTION_CAPABILITIES },
	{ 0 },
};

/* ---- options ------------------------------------------------------------------------------ */

static int take_pid(struct options *o)
{
	struct watching *w = &o->watching;
	uint64_t pid;

	if (!sap_str_u64(sap_str_of(optarg), &pid) || pid == 0 || pid > INT_MAX)
		return cli_usage(&cmd_watch, "--pid is the number of a process, not '%s'", optarg);
	if (w->n_pids == sizeof(w->pids) / sizeof(w->pids[0]))
		return cli_usage(&cmd_watch, "at most %u processes", w->n_pids);
	if (kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
		cli_say("there is no process %s", optarg);
		return STATUS_FAILURE;
	}
	w->pids[w->n_pids++] = (int32_t)pid;
	w->children = true;
	return -1;
}

/* -1: taken; else the exit status. */
static int take_option(int opt, struct options *o)
{
	switch (opt) {
	case OPTION_FOR:
		if (!cli_time_parse(optarg, &o->length))
			return cli_usage(&cmd_watch, "--for is a time like 10m or 1h30m, not '%s'",
					 optarg);
		return -1;
	case OPTION_INTERVAL:
		if (!cli_time_parse(optarg, &o->interval))
			return cli_usage(&cmd_watch, "--interval is a time like 30s, not '%s'",
					 optarg);
		return -1;
	case OPTION_FUNCTIONS:
		if (!cli_functions_parse(optarg, &o->watching))
			return cli_usage(
				&cmd_watch,
				"--functions is affected, exported, all, none, or names with "
				"commas between them, not '%s'",
				optarg);
		return -1;
	case OPTION_OPENS:
		o->opens = true;
		return -1;
	case OPTION_PID:
		return take_pid(o);
	case OPTION_CGROUP:
		o->watching.cgroup = optarg;
		return -1;
	case OPTION_CONTAINER:
		o->container = optarg;
		return -1;
	case OPTION_STORE:
		o->store = optarg;
		return -1;
	case OPTION_NO_STORE:
		o->no_store = true;
		return -1;
	case OPTION_PROCESSES:
		o->processes = true;
		return -1;
	case OPTION_DB:
		o->watching.advice.db = optarg;
		return -1;
	default:
		o->capabilities = true;
		return -1;
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	int opt, r;

	*o = (struct options){ .common.format = SAP_FORMAT_TTY,
			       .interval = 60000000000LL,
			       .watching = { .observer = -1,
					     .judged = true,
					     .mode = FUNCTIONS_AFFECTED,
					     .flags = SAP_WIRE_MAPS,
					     .advice.max_age_days = MAX_AGE_DAYS } };
	opterr = 0; /* messages are our own */
	while ((opt = getopt_long(argc, argv, COMMON_SHORT, long_options, NULL)) != -1) {
		switch (cli_common_option(&o->common, &cmd_watch, opt, argv)) {
		case COMMON_TAKEN:
			continue;
		case COMMON_BAD:
			return STATUS_FAILURE;
		case COMMON_HELPED:
			return STATUS_OK;
		case COMMON_NOT_MINE:
			break;
		}
		r = take_option(opt, o);
		if (r >= 0)
			return r;
	}
	if (optind < argc)
		return cli_usage(&cmd_watch,
				 "'%s' is too much; 'sapper run -- %s' watches a command",
				 argv[optind], argv[optind]);
	if (o->no_store && o->store)
		return cli_usage(&cmd_watch, "--store and --no-store exclude each other");
	if ((o->watching.cgroup != NULL) + (o->container != NULL) + (o->watching.n_pids > 0) > 1)
		return cli_usage(&cmd_watch, "one of --pid, --cgroup and --container");
	return -1;
}

/* ---- what is watched ---------------------------------------------------------------------- */

/* The cgroup v2 line of a process: "0::/system.slice/x.scope". */
static int read_cgroup(int32_t pid, char *out, size_t size, struct sap_err *err)
{
	char path[64], text[PATH_MAX + 64];
	FILE *f;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return sap_err_sys(err, errno, "cannot read %s", path);
	while (!found && fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		found = strncmp(text, "0::/", 4) == 0;
	}
	fclose(f);
	if (!found || snprintf(out, size, "%s", text + 3) >= (int)size)
		return sap_err_set(err, SAP_EUNSUPPORTED, "process %d has no cgroup v2", pid);
	return 0;
}

/* The cgroup of the one container whose id or name begins so. */
static int find_container(const char *id, char *cgroup, size_t size, struct sap_err *err)
{
	const struct sap_snapshot_options look = { .proc = "/proc" };
	struct sap_evidence *e = sap_evidence_new();
	const struct sap_seen_process *found = NULL;
	bool several = false;
	int r = e ? sap_snapshot_take(e, &look, err) : sap_err_nomem(err);

	for (size_t i = 0; r == 0 && i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (p->ended || !sap_str_starts(p->container, sap_str_of(id)))
			continue;
		several |= found && !sap_str_eq(found->container, p->container);
		if (!found)
			found = p;
	}
	if (r == 0 && !found)
		r = sap_err_set(err, SAP_ENOENT,
				"no process here belongs to a container '%s'; 'sapper watch "
				"--no-store --for 1s --processes' shows what there is",
				id);
	else if (r == 0 && several)
		r = sap_err_set(err, SAP_EUSAGE, "more than one container begins with '%s'", id);
	else if (r == 0)
		r = read_cgroup(found->pid, cgroup, size, err);
	sap_evidence_free(e);
	return r;
}

/* The number of a cgroup v2 is the inode of its folder. */
static uint64_t cgroup_id(const char *path)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char folder[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/cgroup.procs", roots[i]);
		if (access(folder, F_OK) < 0) /* no cgroup v2 there */
			continue;
		if (snprintf(folder, sizeof(folder), "%s/%s", roots[i], path) <
			    (int)sizeof(folder) &&
		    stat(folder, &st) == 0)
			return st.st_ino;
	}
	return 0;
}

static int narrow(struct options *o, char *cgroup, size_t size, struct sap_err *err)
{
	struct watching *w = &o->watching;
	int r = 0;

	if (o->container) {
		r = find_container(o->container, cgroup, size, err);
		w->cgroup = cgroup;
	}
	if (r < 0 || !w->cgroup)
		return r;
	w->cgroup_id = cgroup_id(w->cgroup);
	if (w->cgroup_id == 0 && strchr(w->cgroup, '/'))
		return sap_err_set(err, SAP_ENOENT, "there is no cgroup %s here", w->cgroup);
	return 0;
}

static void open_mounts(struct watching *w)
{
	static const char *const folders[OPENS_MAX] = { "/",    "/usr", "/etc",  "/opt",
							"/var", "/srv", "/home", "/usr/local" };
	dev_t seen[OPENS_MAX] = { 0 };
	struct stat st;

	for (size_t i = 0; i < OPENS_MAX; i++) {
		int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool known = fd < 0 || fstat(fd, &st) < 0;

		for (uint32_t k = 0; !known && k < w->n_mounts; k++)
			known = seen[k] == st.st_dev;
		if (known) {
			sap_close_fd(&fd);
			continue;
		}
		seen[w->n_mounts] = st.st_dev;
		w->mounts[w->n_mounts++] = fd;
	}
}

/* ---- capabilities ------------------------------------------------------------------------- */

static int show_capabilities(void)
{
	char program[] = "sapper-observe", option[] = "--capabilities", piece[4096];
	char *const argv[] = { program, option, NULL };
	struct sap_err err = { 0 };
	struct helper helper = { .output = -1 };
	int status = 0, r = cli_helper_start("sapper-observe", argv, -1, &helper, &err);
	ssize_t n;

	if (r < 0)
		return cli_fail(&err);
	while ((n = read(helper.output, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			fwrite(piece, 1, (size_t)n, stdout);
	r = cli_helper_wait(&helper, &status, &err);
	return r < 0 ? cli_fail(&err) : status;
}

/* ---- watching ----------------------------------------------------------------------------- */

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void say_state(const struct options *o, int64_t since)
{
	const struct sap_evidence *e = sap_watch_evidence(o->watching.watch);
	uint64_t probed = 0;
	char time[64];

	if (o->common.quiet || !isatty(STDERR_FILENO))
		return;
	for (size_t i = 0; i < e->files.n; i++)
		probed += e->files.v[i].n_probed;
	sap_duration_text(clock_ns() - since, time, sizeof(time));
	fprintf(stderr,
		"\r\033[K%s: %llu processes, %zu files mapped, %zu of %llu functions entered, %llu "
		"lost",
		time, (unsigned long long)e->processes_seen, e->files.n, e->functions.n,
		(unsigned long long)probed,
		(unsigned long long)(e->losses.maps + e->losses.hits + e->losses.opens));
	fflush(stderr);
}

static void say_means(const struct options *o)
{
	const struct sap_wire_ready *ready = sap_watch_ready(o->watching.watch);

	if (o->common.quiet)
		return;
	if (!(ready->flags & SAP_WIRE_MAPS))
		cli_say("new mappings are not seen as they come, only at each look: %s",
			ready->maps);
	if (o->watching.mode != FUNCTIONS_NONE && !(ready->flags & SAP_WIRE_FUNCTIONS))
		cli_say("functions are not watched: %s", ready->functions);
	if (o->opens && !(ready->flags & SAP_WIRE_OPENS))
		cli_say("opened files are not watched: %s", ready->opens);
}

/* The store of a watch. One that is full, or became so, is tried again at each interval. */
struct keeping {
	bool wanted;
	const char *path;
	struct sap_evstore *store;
	bool begun, complained;
};

static bool is_full(const struct sap_err *err)
{
	return err->sys_errno == ENOSPC || err->sys_errno == EDQUOT || err->sys_errno == EFBIG;
}

static int begin_store(struct keeping *k, const struct sap_evidence *e, struct sap_err *err)
{
	const int64_t day = 86400LL * 1000000000;
	int r = 0;

	if (!k->store) {
		r = sap_evstore_open(k->path, &k->store, err);
		if (r == 0)
			r = sap_evstore_prune(k->store, e->start - EVIDENCE_DAYS * day, err);
	}
	if (r == 0 && !k->begun) {
		r = sap_evstore_begin(k->store, e, err);
		k->begun = r == 0 || is_full(err);
	}
	return r;
}

static int try_store(struct keeping *k, const struct sap_evidence *e, struct sap_err *err)
{
	int r = 0;

	if (k->wanted && !k->begun)
		r = begin_store(k, e, err);
	return r == 0 && k->wanted ? sap_evstore_write(k->store, e, err) : r;
}

/* Writes what is new. A failure is told once; nothing is lost by it but when the watch is killed. */
static void write_store(struct keeping *k, const struct sap_evidence *e)
{
	struct sap_err err = { 0 };
	int r = try_store(k, e, &err);

	if (r < 0 && !k->complained)
		cli_say("%s; trying again at each interval", err.text);
	if (r == 0 && k->complained)
		cli_say("the evidence is written again");
	k->complained = r < 0;
}

/* 0: the time is up or a signal came. */
static int watch(struct options *o, struct keeping *keeping, int signals, struct sap_err *err)
{
	const int64_t start = clock_ns(), second = 1000000000, longest = 60 * second;
	const int64_t end = o->length ? start + o->length : INT64_MAX;
	int64_t next = start + o->interval, shown = 0;
	struct signalfd_siginfo info;

	for (;;) {
		int64_t now = clock_ns(), until = next < end ? next : end;
		int r;

		if (now >= end)
			break;
		if (now >= next) {
			r = sap_watch_look(o->watching.watch, err);
			if (r < 0)
				return r;
			write_store(keeping, sap_watch_evidence(o->watching.watch));
			next = now + o->interval;
			continue;
		}
		if (now - shown >= second) {
			say_state(o, start);
			shown = now;
		}
		if (isatty(STDERR_FILENO) && until - now > second)
			until = now + second;
		if (until - now > longest)
			until = now + longest;
		r = cli_watching_wait(&o->watching, signals, (int)((until - now) / 1000000 + 1),
				      err);
		if (r < 0)
			return r;
		if (r == 0)
			return sap_err_set(err, SAP_EWORKER, "sapper-observe has ended by itself");
		if (read(signals, &info, sizeof(info)) == sizeof(info))
			break;
	}
	if (!o->common.quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return 0;
}

static int block_signals(struct sap_err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return sap_err_sys(err, errno, "cannot wait for signals");
	return fd;
}

static int watch_host(struct options *o, struct keeping *keeping, int signals, struct sap_err *err)
{
	const struct sap_evidence *e;
	struct sap_err late = { 0 };
	int status = STATUS_OK, r = cli_watching_start(&o->watching, err);

	if (r < 0)
		return r;
	say_means(o);
	e = sap_watch_evidence(o->watching.watch);
	/* What is wrong with the store is known at once; a full disk may be well again later. */
	if (keeping->wanted && begin_store(keeping, e, err) < 0) {
		if (!is_full(err))
			return err->code;
		cli_say("%s; trying again at each interval", err->text);
		keeping->complained = true;
	} else {
		write_store(keeping, e);
	}
	r = watch(o, keeping, signals, err);
	/* Whatever ended it: what was seen is kept, before a helper is waited for. */
	write_store(keeping, sap_watch_evidence(o->watching.watch));
	if (cli_watching_stop(&o->watching, &late) < 0 && r == 0)
		cli_say("%s", late.text);
	if (try_store(keeping, sap_watch_evidence(o->watching.watch), &late) < 0) {
		cli_say("the last interval is not kept: %s", late.text);
		status = STATUS_FAILURE;
	}
	/* Also where a helper has died: what was seen until then holds, and says so. */
	if (!o->common.quiet || o->common.output) {
		int shown = cli_evidence_report(&o->common, &o->watching, NULL, o->processes, NULL,
						false);

		status = shown > status ? shown : status;
	}
	return r < 0 ? r : status;
}

static int run(int argc, char **argv)
{
	char cgroup[PATH_MAX], path[PATH_MAX];
	struct sap_err err = { 0 };
	struct keeping keeping;
	struct options o;
	int r = parse(argc, argv, &o);
	int sap_cleanup_fd signals = -1;

	if (r >= 0)
		return r;
	keeping = (struct keeping){ .wanted = !o.no_store, .path = path };
	if (o.capabilities)
		return show_capabilities();
	r = narrow(&o, cgroup, sizeof(cgroup), &err);
	if (r == 0 && o.opens) {
		o.watching.flags |= SAP_WIRE_OPENS;
		open_mounts(&o.watching);
	}
	if (r == 0)
		r = signals = block_signals(&err);
	if (r >= 0 && keeping.wanted)
		r = cli_evidence_path(o.store, path, sizeof(path), &err);
	if (r >= 0)
		r = watch_host(&o, &keeping, signals, &err);
	sap_evstore_close(keeping.store);
	cli_watching_clear(&o.watching);
	return r < 0 ? cli_fail(&err) : r;
}

const struct command cmd_watch = {
	.name = "watch",
	.summary = "record what runs: mappings, and functions that are entered",
	.help = help,
	.run = run,
};
