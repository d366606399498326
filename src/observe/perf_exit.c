/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/perf_int.h"

enum { STAT_BYTES = 1024, THREADS_FIELD = 17 }; /* num_threads, counted from the state */

enum life { GONE, LAST_THREAD_GONE, GOES_ON };

/* proc(5), stat: "PID (COMM) STATE ..."; a COMM may hold anything, so the last ')' counts. */
static enum life look(int32_t pid)
{
	char path[32], text[STAT_BYTES];
	struct sap_str rest, word = { 0 };
	const char *close_paren;
	int sap_cleanup_fd fd = -1;
	uint64_t threads;
	bool zombie = false;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n <= 0)
		return GONE;
	close_paren = memrchr(text, ')', (size_t)n);
	if (!close_paren)
		return GONE;
	rest = (struct sap_str){ close_paren + 1, (size_t)(text + n - (close_paren + 1)) };
	for (int field = 0; field <= THREADS_FIELD; field++) {
		if (!sap_str_word(&rest, &word))
			return GONE;
		if (field == 0)
			zombie = sap_str_is(word, "Z") || sap_str_is(word, "X");
	}
	if (!zombie)
		return GOES_ON;
	return sap_str_u64(word, &threads) && threads > 1 ? GOES_ON : LAST_THREAD_GONE;
}

static int put(const struct sap_wire_task *task, struct sap_wire_out *out, struct sap_err *err)
{
	return sap_wire_put(out, SAP_WIRE_EXIT, task, sizeof(*task), NULL, 0, err);
}

static size_t find(const struct sap_exits *x, int32_t pid)
{
	size_t i = 0;

	while (i < x->waiting.n && x->waiting.v[i].pid != pid)
		i++;
	return i;
}

static void drop(struct sap_exits *x, size_t i)
{
	x->waiting.v[i] = x->waiting.v[--x->waiting.n];
}

int sap_exits_ended(struct sap_exits *x, const struct sap_wire_task *task, struct sap_wire_out *out,
		    struct sap_err *err)
{
	struct sap_wire_task *kept;
	int r = sap_exits_forked(x, task->pid, out, err);

	if (r < 0 || look(task->pid) != GOES_ON)
		return r < 0 ? r : put(task, out, err);
	/* Too many: said a little early. */
	kept = SAP_VEC_PUSH(&x->waiting, SAP_OBSERVE_EXITS_MAX);
	if (!kept)
		return put(task, out, err);
	*kept = *task;
	return 0;
}

int sap_exits_forked(struct sap_exits *x, int32_t pid, struct sap_wire_out *out,
		     struct sap_err *err)
{
	size_t i = find(x, pid);
	struct sap_wire_task task;

	if (i == x->waiting.n)
		return 0;
	task = x->waiting.v[i];
	drop(x, i);
	return put(&task, out, err);
}

void sap_exits_alive(struct sap_exits *x, int32_t pid)
{
	size_t i = find(x, pid);

	if (i < x->waiting.n)
		drop(x, i);
}

int sap_exits_look(struct sap_exits *x, int64_t now, struct sap_wire_out *out, struct sap_err *err)
{
	for (size_t i = x->waiting.n; i-- > 0;) {
		struct sap_wire_task task = x->waiting.v[i];
		int r;

		if (look(task.pid) == GOES_ON)
			continue;
		drop(x, i);
		task.when = now;
		r = put(&task, out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void sap_exits_clear(struct sap_exits *x)
{
	sap_vec_clear(&x->waiting);
}
