/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"

enum { READ_BYTES = 256 * 1024, PIPE_BYTES = 1024 * 1024, TICK_MS = 100, ABOVE = 10 };

/* ---- starting --------------------------------------------------------------------------- */

/* The worker's ends, all numbered above the places that they are put to. */
struct ends {
	int root;
	int request;
	int facts;
	int progress;
};

static void close_ends(struct ends *ends)
{
	sap_close_fd(&ends->root);
	sap_close_fd(&ends->request);
	sap_close_fd(&ends->facts);
	sap_close_fd(&ends->progress);
}

/* fd again under a number that dup2 in the child cannot collide with; closes fd. */
static int move_up(int fd)
{
	int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);

	sap_close_fd(&fd);
	return up;
}

static int make_progress(struct sap_child *child, struct ends *ends, struct sap_err *err)
{
	int fd = memfd_create("sapper-progress", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*child->progress)) < 0) {
		int saved = errno;

		sap_close_fd(&fd);
		return sap_err_sys(err, saved, "cannot make memory to share with the worker");
	}
	child->progress =
		mmap(NULL, sizeof(*child->progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (child->progress == MAP_FAILED) {
		int saved = errno;

		child->progress = NULL;
		close(fd);
		return sap_err_sys(err, saved, "cannot map memory to share with the worker");
	}
	child->progress->parent = getpid();
	ends->progress = move_up(fd);
	return 0;
}

static int make_pipes(struct sap_child *child, struct ends *ends, int rootfd, struct sap_err *err)
{
	int pair[2], facts[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sap_err_sys(err, errno, "cannot make a socket to the worker");
	child->request_fd = pair[0];
	ends->request = move_up(pair[1]);
	if (pipe2(facts, O_CLOEXEC) < 0)
		return sap_err_sys(err, errno, "cannot make a pipe from the worker");
	/* More room means fewer wake-ups; without it things work as well. */
	(void)fcntl(facts[0], F_SETPIPE_SZ, PIPE_BYTES);
	child->facts_fd = facts[0];
	ends->facts = move_up(facts[1]);
	ends->root = fcntl(rootfd, F_DUPFD_CLOEXEC, ABOVE);
	if (ends->root < 0 || ends->request < 0 || ends->facts < 0)
		return sap_err_sys(err, errno, "cannot make descriptors for the worker");
	return 0;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int spawn(struct sap_child *child, const char *worker, const struct ends *ends,
		 struct sap_err *err)
{
	char name[] = "sapper", argument[] = SAP_WORKER_ARGUMENT, locale[] = "LC_ALL=C";
	/* One heap for all threads: they allocate little, and a heap each costs memory. */
	char arenas[] = "MALLOC_ARENA_MAX=2";
	char *const argv[] = { name, argument, NULL };
	char *const envp[] = { locale, arenas, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return sap_err_nomem(err);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	/* The worker has nothing to say on a terminal; a sanitizer's report has. */
	if (r == 0 && !SANITIZED)
		r = posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, ends->root, SAP_WORKER_ROOT_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, ends->request,
						     SAP_WORKER_REQUEST_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, ends->facts, SAP_WORKER_FACTS_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, ends->progress,
						     SAP_WORKER_PROGRESS_FD);
	if (r == 0)
		r = posix_spawn(&child->pid, worker, &actions, NULL, argv,
				SANITIZED ? environ : envp);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0) {
		child->pid = 0;
		return sap_err_sys(err, r, "cannot start the extract worker %s", worker);
	}
	return 0;
}

int sap_child_start(struct sap_child *child, const char *worker, int rootfd,
		    struct sap_facts *facts, struct sap_err *err)
{
	struct ends ends = { -1, -1, -1, -1 };
	int r;

	*child = (struct sap_child){ .request_fd = -1, .facts_fd = -1 };
	child->decoder = sap_decoder_new(facts);
	child->piece = malloc(READ_BYTES);
	r = child->decoder && child->piece ? make_progress(child, &ends, err) : sap_err_nomem(err);
	if (r == 0)
		r = make_pipes(child, &ends, rootfd, err);
	if (r == 0)
		r = spawn(child, worker, &ends, err);
	close_ends(&ends);
	if (r < 0)
		sap_child_clear(child);
	return r;
}

/* ---- talking ---------------------------------------------------------------------------- */

int sap_child_send(struct sap_child *child, const struct sap_buf *request, struct sap_err *err)
{
	size_t done = 0;

	child->heard = false;
	while (done < request->n) {
		ssize_t n =
			send(child->request_fd, request->p + done, request->n - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			child->ended = true;
			return sap_err_set(err, SAP_EWORKER, "the worker takes no requests");
		}
		done += (size_t)n;
	}
	return 0;
}

/* When the worker last showed a sign of life. */
struct watch {
	uint64_t files;
	uint64_t objects;
	struct timespec at;
	struct timespec told; /* the progress callback was last called */
};

static double seconds_since(const struct timespec *then, const struct timespec *now)
{
	return (double)(now->tv_sec - then->tv_sec) + (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

/* False where nothing has moved for too long. */
static bool keep_watch(const struct sap_child *child, const struct sap_extract_options *options,
		       struct watch *watch, bool moved)
{
	const struct sap_extract_progress progress = {
		.files = atomic_load_explicit(&child->progress->files, memory_order_relaxed),
		.objects = atomic_load_explicit(&child->progress->objects, memory_order_relaxed),
	};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (moved || progress.files != watch->files || progress.objects != watch->objects ||
	    watch->at.tv_sec == 0) {
		watch->files = progress.files;
		watch->objects = progress.objects;
		watch->at = now;
	}
	if (options->progress && seconds_since(&watch->told, &now) * 1000 >= TICK_MS) {
		options->progress(options->ctx, &progress);
		watch->told = now;
	}
	return seconds_since(&watch->at, &now) < SAP_WORKER_STALL_SECONDS;
}

static int take_bytes(struct sap_child *child, struct sap_err *err)
{
	ssize_t n = read(child->facts_fd, child->piece, READ_BYTES);
	int r;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return sap_err_sys(err, errno, "cannot read from the worker");
	if (n == 0) {
		child->ended = true;
		return sap_err_set(err, SAP_EWORKER, "the worker ended");
	}
	child->heard = true;
	r = sap_decoder_feed(child->decoder, child->piece, (size_t)n, err);
	/* What the worker says cannot be trusted any more; memory is our own matter. */
	if (r < 0 && r != SAP_ENOMEM) {
		sap_err_wrap(err, "the worker broke the protocol");
		return SAP_EWORKER;
	}
	return r;
}

int sap_child_receive(struct sap_child *child, const struct sap_extract_options *options,
		      struct sap_err *err)
{
	struct watch watch = { 0 };
	int r = 0;

	while (r == 0) {
		struct pollfd pollfd = { .fd = child->facts_fd, .events = POLLIN };
		int ready = poll(&pollfd, 1, TICK_MS);

		if (ready > 0)
			r = take_bytes(child, err);
		else if (ready == 0 && sap_decoder_feed(child->decoder, NULL, 0, err) < 0)
			r = SAP_EWORKER;
		/* Until something has come, an end that the decoder knows of is the last answer's. */
		if (r == 0 && child->heard && sap_decoder_ended(child->decoder))
			return 0;
		if (r == 0 && !keep_watch(child, options, &watch, ready > 0))
			r = sap_err_set(err, SAP_EWORKER, "no progress for %d seconds",
					SAP_WORKER_STALL_SECONDS);
	}
	return r;
}

/* ---- ending ----------------------------------------------------------------------------- */

static void describe(const struct sap_child *child, int status, struct sap_child_end *end)
{
	char reason[SAP_ERR_TEXT_MAX];

	memcpy(reason, child->progress->reason, sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	if (!child->ended)
		snprintf(end->text, sizeof(end->text), "stopped: it hung, or broke the protocol");
	else if (WIFSIGNALED(status))
		snprintf(end->text, sizeof(end->text), "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (reason[0])
		snprintf(end->text, sizeof(end->text), "it gave up: %.400s", reason);
	else
		snprintf(end->text, sizeof(end->text), "it ended with status %d",
			 WEXITSTATUS(status));
}

/* Waits for the worker to end by itself, for so many milliseconds. True: it has. */
static bool wait_for(const struct sap_child *child, int ms, int *status, struct rusage *usage)
{
	const struct timespec pause = { 0, 1000000 };

	for (;; ms--) {
		pid_t r = wait4(child->pid, status, WNOHANG, usage);

		if (r == child->pid || (r < 0 && errno != EINTR))
			return true;
		if (ms <= 0)
			return false;
		nanosleep(&pause, NULL);
	}
}

void sap_child_stop(struct sap_child *child, struct sap_child_end *end)
{
	struct rusage usage = { 0 };
	int status = 0;

	sap_close_fd(&child->request_fd);
	if (child->pid == 0)
		return;
	/* One that has answered has nothing left to do; but let a sanitizer make its report,
	 * and a death tell its cause. */
	if (!wait_for(child, child->ended || SANITIZED ? 2000 : 0, &status, &usage)) {
		kill(child->pid, SIGKILL);
		while (wait4(child->pid, &status, 0, &usage) < 0 && errno == EINTR)
			;
	}
	child->pid = 0;
	if (end) {
		describe(child, status, end);
		end->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
	}
}

/* One that nobody asks anything more is not waited for: it may take a millisecond to go. */
static void dismiss(struct sap_child *child)
{
	sap_close_fd(&child->request_fd);
	if (child->pid == 0)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, WNOHANG);
	child->pid = 0;
}

void sap_child_clear(struct sap_child *child)
{
	if (SANITIZED)
		sap_child_stop(child, NULL);
	else
		dismiss(child);
	sap_close_fd(&child->facts_fd);
	sap_decoder_free(child->decoder);
	free(child->piece);
	if (child->progress)
		munmap(child->progress, sizeof(*child->progress));
	*child = (struct sap_child){ .request_fd = -1, .facts_fd = -1 };
}
