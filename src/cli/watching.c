/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sapper watch` and `sapper run` share: the helpers, the choice of functions, the end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/watching.h"

enum { STOP_MS = 10000, WAIT_MS = 1000 };

/* ---- which functions ---------------------------------------------------------------------- */

bool cli_functions_parse(char *text, struct watching *w)
{
	static const struct {
		const char *name;
		enum functions_mode mode;
	} modes[] = { { "none", FUNCTIONS_NONE },
		      { "affected", FUNCTIONS_AFFECTED },
		      { "exported", FUNCTIONS_EXPORTED },
		      { "all", FUNCTIONS_ALL } };
	struct sap_str rest = sap_str_of(text), name;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(text, modes[i].name) == 0) {
			w->mode = modes[i].mode;
			return true;
		}
	free(w->names);
	w->n_names = 0;
	w->names = calloc(rest.n + 1, sizeof(*w->names));
	w->mode = FUNCTIONS_LIST;
	if (!w->names)
		return false;
	for (bool more = true; more;) {
		struct sap_str after = { 0 };

		more = sap_str_cut(rest, ',', &name, &after);
		if (!more)
			name = rest;
		if (name.n == 0)
			return false;
		w->names[w->n_names++] = name;
		rest = after;
	}
	return true;
}

/* Those of the command line, beside those of the findings. */
static int add_names(struct watching *w, struct sap_watch_want *want, struct sap_err *err)
{
	uint32_t n = 0;

	free(w->both);
	w->both = calloc(w->n_names + want->n_names + 1, sizeof(*w->both));
	if (!w->both)
		return sap_err_nomem(err);
	for (uint32_t i = 0; i < w->n_names; i++)
		w->both[n++] = w->names[i];
	for (uint32_t i = 0; i < want->n_names; i++)
		w->both[n++] = want->names[i];
	want->names = w->both;
	want->n_names = n;
	return 0;
}

static int choose(void *ctx, const struct sap_evidence *e, uint32_t file,
		  struct sap_watch_want *want, struct sap_err *err)
{
	struct watching *w = ctx;
	bool affected = false;
	int r;

	*want = (struct sap_watch_want){ .choice = SAP_WATCH_NONE };
	if (w->mode == FUNCTIONS_NONE)
		return 0;
	/* What advisories name is always asked for: a scan says of it that it was not entered, or
	 * that it cannot be observed. */
	if (w->judged) {
		r = owners_update(w->owners, e, err);
		if (r < 0)
			return r;
		affected = owners_findings(w->owners, file, &want->names, &want->n_names);
	}
	switch (w->mode) {
	case FUNCTIONS_EXPORTED:
		want->choice = SAP_WATCH_EXPORTED;
		break;
	case FUNCTIONS_ALL:
		want->choice = SAP_WATCH_ALL;
		break;
	case FUNCTIONS_LIST:
		want->choice = SAP_WATCH_LIST;
		return add_names(w, want, err);
	default:
		want->choice = affected ? SAP_WATCH_NAMED : SAP_WATCH_NONE;
		break;
	}
	return 0;
}

/* ---- helpers ------------------------------------------------------------------------------ */

static int start_functions(void *ctx, int fd, pid_t *pid, struct sap_err *err)
{
	static char name[] = "sapper-functions";
	char *const argv[] = { name, NULL };

	(void)ctx;
	return cli_helper_socket(name, argv, fd, pid, err);
}

static int start_observer(struct watching *w, struct sap_err *err)
{
	static char name[] = "sapper-observe";
	char *const argv[] = { name, NULL };
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return sap_err_sys(err, errno, "cannot make a socket to %s", name);
	r = cli_helper_socket(name, argv, ends[1], &w->observer_pid, err);
	close(ends[1]);
	w->observer = ends[0];
	return r;
}

static int start(struct watching *w, struct sap_err *err)
{
	const struct sap_fnworker_options worker = { .start = start_functions };
	struct sap_watch_options options = {
		.proc = "/proc",
		.flags = w->flags | (w->mode == FUNCTIONS_NONE ? 0u : SAP_WIRE_FUNCTIONS),
		.pid = w->child,
		.cgroup = w->cgroup_id,
		.pids = w->n_pids ? w->pids : NULL,
		.n_pids = w->n_pids,
		.cgroup_path = w->cgroup,
		.narrow_children = w->children,
		.fresh = w->fresh,
		.mounts = w->mounts,
		.n_mounts = w->n_mounts,
	};
	int r = owners_new(w->judged ? &w->advice : NULL, &w->owners, err);

	if (r == 0)
		r = start_observer(w, err);
	if (r == 0 && w->mode != FUNCTIONS_NONE) {
		r = sap_fnworker_new(&worker, &w->functions, err);
		options.policy = choose;
		options.ctx = w;
		options.functions = w->functions;
	}
	options.observer = w->observer;
	return r == 0 ? sap_watch_new(&options, &w->watch, err) : r;
}

int cli_watching_start(struct watching *w, struct sap_err *err)
{
	int r;

	r = start(w, err);
	if (r < 0)
		cli_watching_end(w);
	return r;
}

int cli_watching_wait(struct watching *w, int signals, int timeout_ms, struct sap_err *err)
{
	struct pollfd fds[2] = { { .fd = sap_watch_fd(w->watch), .events = POLLIN },
				 { .fd = signals, .events = POLLIN } };
	int n = poll(fds, signals < 0 ? 1 : 2, timeout_ms);

	if (n < 0 && errno != EINTR)
		return sap_err_sys(err, errno, "cannot wait for events");
	return sap_watch_work(w->watch, err);
}

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int cli_watching_stop(struct watching *w, struct sap_err *err)
{
	const int64_t until = clock_ms() + STOP_MS;
	int r = sap_watch_look(w->watch, err);

	if (r == 0)
		r = sap_watch_stop(w->watch, err);
	while (r == 0) {
		r = cli_watching_wait(w, -1, WAIT_MS, err);
		if (r <= 0)
			break;
		r = 0;
		if (clock_ms() > until)
			return sap_err_set(
				err, SAP_EWORKER,
				"sapper-observe does not end: the last events are missing");
	}
	return r;
}

/* Its socket is closed: it ends by itself. One that does not is our own child to end. */
static void end_helper(pid_t *pid)
{
	const int64_t until = clock_ms() + STOP_MS;
	pid_t gone = 0;

	while (*pid > 0 && gone == 0) {
		gone = waitpid(*pid, NULL, WNOHANG);
		if (gone < 0 && errno == EINTR)
			gone = 0;
		if (gone == 0 && clock_ms() > until) {
			kill(*pid, SIGKILL);
			break;
		}
		if (gone == 0)
			usleep(2000);
	}
	*pid = 0;
}

void cli_watching_end(struct watching *w)
{
	sap_watch_free(w->watch);
	w->watch = NULL;
	sap_fnworker_free(w->functions);
	w->functions = NULL;
	sap_close_fd(&w->observer);
	end_helper(&w->observer_pid);
	owners_free(w->owners);
	w->owners = NULL;
}

void cli_watching_clear(struct watching *w)
{
	cli_watching_end(w);
	for (uint32_t i = 0; i < w->n_mounts; i++)
		close(w->mounts[i]);
	w->n_mounts = 0;
	free(w->names);
	w->n_names = 0;
	free(w->both);
	w->names = w->both = NULL;
}

/* ---- the end ------------------------------------------------------------------------------ */

int cli_evidence_report(const struct common *common, struct watching *w, const char *command,
			bool processes, const char *functions_of, bool to_stderr)
{
	struct sap_evidence_view view = {
		.evidence = sap_watch_evidence(w->watch),
		.command = command,
		.show_processes = processes,
		.functions_of = functions_of,
	};
	struct sap_err err = { 0 };
	struct output output;
	int status;

	if (owners_update(w->owners, view.evidence, &err) < 0)
		return cli_fail(&err);
	if (owners_problem(w->owners) && !common->quiet)
		cli_say("whose files these are is not known everywhere: %s",
			owners_problem(w->owners));
	view.packages = owners_packages(w->owners);
	status = cli_output_open_to(&output, common, to_stderr ? STDERR_FILENO : STDOUT_FILENO);
	if (status != STATUS_OK)
		return status;
	sap_report_evidence(output.report, &view);
	return cli_output_close(&output);
}
