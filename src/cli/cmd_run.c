/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/watching.h"

static const char help[] =
	"usage: sapper run [OPTIONS] [--] COMMAND [ARGUMENT...]\n"
	"\n"
	"Runs a command and shows what it and all its descendants really load and execute: the\n"
	"libraries that were mapped, and of their functions those that were entered. Standard\n"
	"input and output, signals and the exit status are the command's; the summary goes to\n"
	"stderr. It ends with the command; descendants that live on are seen until then.\n"
	"Without root mappings are seen, functions are not.\n"
	"\n"
	"      --functions WHICH  exported: of every file (default); affected: of files with a "
	"finding;\n"
	"                         all: local ones too; none; or a list: NAME,NAME\n"
	"      --show LIB         list the functions of this library that were entered\n"
	"      --processes        list the processes as well\n"
	"      --db FILE          the advisories (default: see sapper help db)\n" COMMON_HELP "\n"
	"The exit status is the command's; 127: it was not found, 126: it could not be started,\n"
	"2: it was not run.\n"
	"\n"
	"examples:\n"
	"  sapper run -- openssl speed -seconds 1 sha256\n"
	"  sapper run --show libcrypto.so.3 -- curl -s https://example.org -o page\n"
	"  sapper run --format json -o build.json -- make -j2\n";

struct options {
	struct common common;
	struct watching watching;
	const char *show;
	bool processes;
	char **command;
};

enum {
	OPTION_FUNCTIONS = OPTION_OWN,
	OPTION_SHOW,
	OPTION_PROCESSES,
	OPTION_DB,
};

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "functions", required_argument, NULL, OPTION_FUNCTIONS },
	{ "show", required_argument, NULL, OPTION_SHOW },
	{ "processes", no_argument, NULL, OPTION_PROCESSES },
	{ "db", required_argument, NULL, OPTION_DB },
	{ 0 },
};

/* -1: taken; else the exit status. */
static int take_option(int opt, struct options *o)
{
	switch (opt) {
	case OPTION_FUNCTIONS:
		if (!cli_functions_parse(optarg, &o->watching))
			return cli_usage(
				&cmd_run,
				"--functions is affected, exported, all, none, or names with "
				"commas between them, not '%s'",
				optarg);
		return -1;
	case OPTION_SHOW:
		o->show = optarg;
		return -1;
	case OPTION_PROCESSES:
		o->processes = true;
		return -1;
	default:
		o->watching.advice.db = optarg;
		return -1;
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	int opt, r;

	*o = (struct options){ .command = argv,
			       .common.format = SAP_FORMAT_TTY,
			       .watching = { .observer = -1,
					     .mode = FUNCTIONS_EXPORTED,
					     .flags = SAP_WIRE_MAPS,
					     .children = true,
					     .advice.max_age_days = MAX_AGE_DAYS } };
	opterr = 0; /* messages are our own */
	/* The plus: options behind the command are the command's. */
	while ((opt = getopt_long(argc, argv, "+" COMMON_SHORT, long_options, NULL)) != -1) {
		switch (cli_common_option(&o->common, &cmd_run, opt, argv)) {
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
	if (optind == argc)
		return cli_usage(&cmd_run, "which command?");
	o->command = argv + optind;
	return -1;
}

/* ---- the command -------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int gate;  /* a byte lets it go */
	int fault; /* errno of exec comes here; closed by an exec that worked */
	bool stopped, ended;
	int status; /* where it has ended */
};

/* What the child says before it goes on: that it is traced, or waits at the gate. */
enum { TRACED = 't', WAITING = 'w' };

static void be_command(char **command, int gate, int fault, bool stop, const sigset_t *mask)
{
	char byte = WAITING;
	int error;

	/* Dies with us only while it waits: afterwards it is the user's. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Refused under a debugger, by Yama, in some containers. */
	if (stop && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
		byte = TRACED;
	if (write(fault, &byte, 1) != 1 || (byte == WAITING && read(gate, &byte, 1) != 1))
		_exit(STATUS_FAILURE);
	prctl(PR_SET_PDEATHSIG, 0);
	(void)signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	error = errno;
	if (write(fault, &error, sizeof(error)) < 0)
		_exit(STATUS_FAILURE);
	_exit(error == ENOENT ? 127 : 126);
}

/* Before its first instruction: execve(2) stops a process that is traced. */
static int wait_for_stop(struct child *child, struct sap_err *err)
{
	int status = 0;
	char byte = 0;

	if (read(child->fault, &byte, 1) != 1)
		return sap_err_set(err, SAP_EWORKER, "the process for the command ended early");
	if (byte == WAITING)
		return 0;
	for (;;) {
		if (waitpid(child->pid, &status, 0) < 0) {
			if (errno == EINTR)
				continue;
			return sap_err_sys(err, errno, "cannot wait for the command");
		}
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGTRAP)
			break;
		/* Another signal on its way to the execve: it gets it. */
		if (ptrace(PTRACE_CONT, child->pid, NULL, (long)WSTOPSIG(status)) < 0)
			return sap_err_sys(err, errno, "cannot start the command");
	}
	child->stopped = WIFSTOPPED(status);
	child->ended = !child->stopped;
	child->status = status;
	return 0;
}

/*
 * stop: the command stands still behind its execve, before it has entered a function; probes are
 * placed, then it is let go and nothing of the tracing is left. Only for root: a program with set-uid
 * would lose its rights if another user traced it. Else, and where it may not be traced, the child waits
 * at a gate before its execve.
 */
static int start_child(char **command, bool stop, const sigset_t *mask, struct child *out,
		       struct sap_err *err)
{
	int gate[2] = { -1, -1 }, fault[2] = { -1, -1 };

	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(fault, O_CLOEXEC) < 0) {
		sap_err_sys(err, errno, "cannot make a pipe");
		goto failed;
	}
	out->pid = fork();
	if (out->pid < 0) {
		sap_err_sys(err, errno, "cannot start a process");
		goto failed;
	}
	if (out->pid == 0) {
		close(gate[1]);
		be_command(command, gate[0], fault[1], stop, mask);
	}
	close(gate[0]);
	close(fault[1]);
	out->gate = gate[1];
	out->fault = fault[0];
	return wait_for_stop(out, err);
failed:
	for (int i = 0; i < 2; i++) {
		sap_close_fd(&gate[i]);
		sap_close_fd(&fault[i]);
	}
	return err->code;
}

static int let_go(struct child *child, struct sap_err *err)
{
	if (child->stopped && ptrace(PTRACE_DETACH, child->pid, NULL, NULL) < 0)
		return sap_err_sys(err, errno, "cannot let the command go on");
	if (child->stopped) {
		child->stopped = false;
		return 0;
	}
	if (write(child->gate, "", 1) != 1)
		return sap_err_sys(err, errno, "cannot let the command start");
	sap_close_fd(&child->gate);
	return 0;
}

/* ---- watching it -------------------------------------------------------------------------- */

/* All of the system's events where we may have them (then functions too), else the child's own. */
static int start_watching(struct options *o, const struct child *child, struct sap_err *err)
{
	struct watching *w = &o->watching;
	int r = 0;

	w->pids[0] = child->pid;
	w->n_pids = 1;
	w->fresh = !child->stopped;
	if (geteuid() == 0) {
		r = cli_watching_start(w, err);
		if (r < 0 || (sap_watch_ready(w->watch)->flags & SAP_WIRE_MAPS))
			return r;
		cli_watching_stop(w, err);
		cli_watching_end(w);
	}
	w->flags |= SAP_WIRE_CHILD;
	w->child = child->pid;
	return cli_watching_start(w, err);
}

static void say_means(const struct options *o)
{
	const struct sap_wire_ready *ready = sap_watch_ready(o->watching.watch);

	if (o->common.quiet)
		return;
	if (!(ready->flags & SAP_WIRE_MAPS))
		cli_say("mappings are not seen as they come: %s", ready->maps);
	if (o->watching.mode != FUNCTIONS_NONE && !(ready->flags & SAP_WIRE_FUNCTIONS))
		cli_say("functions are not observable: %s", ready->functions);
}

/* What was sent to us is for the command; what the terminal sends it has got itself. */
static void pass_signal(const struct child *child, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCHLD ||
	    (info->ssi_code == SI_KERNEL && info->ssi_signo != SIGHUP))
		return;
	kill(child->pid, (int)info->ssi_signo);
}

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Until the command has ended; *status as waitpid gives it. */
static int watch(struct options *o, const struct child *child, int signals, int *status,
		 struct sap_err *err)
{
	enum { LOOK_MS = 1000, STEP_MS = 100 };
	struct signalfd_siginfo info;
	struct sap_err late = { 0 };
	int64_t looked = clock_ms();
	bool seen = true;

	for (;;) {
		pid_t gone = waitpid(child->pid, status, WNOHANG);
		int r = 0;

		if (gone == child->pid)
			return 0;
		if (gone < 0 && errno != EINTR)
			return sap_err_sys(err, errno, "cannot wait for the command");
		if (seen)
			r = cli_watching_wait(&o->watching, signals, STEP_MS, err);
		if (r < 0 || (seen && r == 0)) {
			/* The command is not to suffer from it. */
			cli_say("from here on nothing is seen: %s",
				r < 0 ? err->text : "sapper-observe has ended");
			seen = false;
		}
		if (!seen)
			usleep(STEP_MS * 1000);
		/* What could not be looked at now is looked at the next time. */
		if (seen && clock_ms() - looked >= LOOK_MS) {
			looked = clock_ms();
			if (sap_watch_look(o->watching.watch, &late) < 0 && !o->common.quiet)
				cli_say("%s", late.text);
		}
		while (read(signals, &info, sizeof(info)) == sizeof(info))
			pass_signal(child, &info);
	}
}

/* Signals that would end us are for the command. */
static int take_signals(sigset_t *before, struct sap_err *err)
{
	static const int numbers[] = { SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGUSR1,
				       SIGUSR2, SIGCONT, SIGCHLD, SIGALRM, SIGWINCH };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, before) < 0)
		return sap_err_sys(err, errno, "cannot wait for signals");
	return fd;
}

static int fault_of(const struct child *child, const char *name)
{
	int error = 0;
	ssize_t n;

	while ((n = read(child->fault, &error, sizeof(error))) < 0 && errno == EINTR)
		;
	if (n == sizeof(error))
		cli_say("cannot run %s: %s", name, strerror(error));
	return n == sizeof(error) ? error : 0;
}

/* Ends as the command did. */
static int end_like(int status, const sigset_t *mask)
{
	const struct rlimit none = { 0, 0 };

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none); /* the core is the command's, there is no second one */
	(void)signal(WTERMSIG(status), SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int run_command(struct options *o, struct sap_err *err)
{
	struct child child = { .gate = -1, .fault = -1 };
	struct sap_err late = { 0 };
	sigset_t mask;
	int status = 0, r;
	int sap_cleanup_fd signals = take_signals(&mask, err);

	if (signals < 0)
		return signals;
	o->watching.judged = o->watching.mode == FUNCTIONS_AFFECTED;
	r = start_child(o->command, geteuid() == 0, &mask, &child, err);
	if (r < 0)
		return r;
	if (child.ended) { /* it could not be started */
		fault_of(&child, o->command[0]);
		sap_close_fd(&child.fault);
		sap_close_fd(&child.gate);
		return end_like(child.status, &mask);
	}
	r = start_watching(o, &child, err);
	if (r == 0 && (sap_watch_ready(o->watching.watch)->flags & SAP_WIRE_FUNCTIONS))
		r = cli_watching_expect(&o->watching, o->command[0], err);
	if (r == 0) {
		say_means(o);
		r = let_go(&child, err);
	}
	sap_close_fd(&child.gate); /* it ends where it was not let go */
	if (child.stopped)
		kill(child.pid, SIGKILL);
	if (r == 0)
		r = watch(o, &child, signals, &status, err);
	else
		waitpid(child.pid, &status, 0);
	if (r == 0 && fault_of(&child, o->command[0]) == 0) {
		if (cli_watching_stop(&o->watching, &late) < 0)
			cli_say("%s", late.text);
		if (!o->common.quiet || o->common.output)
			cli_evidence_report(&o->common, &o->watching, o->command[0], o->processes,
					    o->show, true);
	}
	sap_close_fd(&child.fault);
	cli_watching_clear(&o->watching);
	return r < 0 ? r : end_like(status, &mask);
}

static int run(int argc, char **argv)
{
	struct sap_err err = { 0 };
	struct options o;
	int r = parse(argc, argv, &o);

	if (r >= 0)
		return r;
	r = run_command(&o, &err);
	if (r < 0)
		cli_watching_clear(&o.watching);
	return r < 0 ? cli_fail(&err) : r;
}

const struct command cmd_run = {
	.name = "run",
	.summary = "run a command and show what it loads and executes",
	.help = help,
	.run = run,
};
