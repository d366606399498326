/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command will load, by the rules of its loader: so that probes stand before it runs.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/links.h"
#include "cli/watching.h"

enum { SCRIPTS_MAX = 4, WAIT_MS = 20, WAITS_MAX = 1500 };

/* As execvp finds it. */
static bool find_command(const char *name, char *path, size_t size)
{
	const char *list = getenv("PATH");
	struct sap_str rest, folder;
	struct stat st;

	if (strchr(name, '/'))
		return snprintf(path, size, "%s", name) < (int)size && access(path, X_OK) == 0;
	rest = sap_str_of(list ? list : "/bin:/usr/bin");
	for (bool more = true; more;) {
		struct sap_str after = { 0 };

		more = sap_str_cut(rest, ':', &folder, &after);
		if (!more)
			folder = rest;
		if (snprintf(path, size, "%.*s%s%s", SAP_FMT(folder), folder.n ? "/" : "", name) <
			    (int)size &&
		    access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return true;
		rest = after;
	}
	return false;
}

/* The interpreter that a script's first line names, as execve(2) reads it; false: no script. */
static bool interpreter_of(const char *path, char *out, size_t size)
{
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char line[256], *at = line + 2;
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	size_t length;

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = '\0';
	at += strspn(at, " \t");
	length = strcspn(at, " \t\r\n");
	return length && snprintf(out, size, "%.*s", (int)length, at) < (int)size;
}

/* The program that is to be loaded in the end; empty: it cannot be told. */
static void program_of(const char *name, char *path, size_t size)
{
	char next[PATH_MAX];

	if (!find_command(name, path, size)) {
		path[0] = '\0';
		return;
	}
	for (int i = 0; i < SCRIPTS_MAX && interpreter_of(path, next, sizeof(next)); i++)
		snprintf(path, size, "%s", next);
}

static int expect_object(struct watching *w, const struct asked *a, uint32_t object,
			 struct sap_err *err)
{
	struct sap_err late = { 0 };
	int r = sap_watch_expect(w->watch,
				 sap_facts_str(a->facts, a->facts->objects.v[object].path), &late);

	/* What is not there will not be mapped either. */
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	return 0;
}

static int expect_closure(struct watching *w, struct asked *a, const char *path,
			  struct sap_err *err)
{
	struct sap_links_program program = { .asked = path, .object = SAP_NONE };
	struct sap_closure closure = { 0 };
	int r = asked_find(a, &program, 1, err);

	if (r == 0 && program.object != SAP_NONE) {
		r = asked_close_over(a, &program, &closure, 1, err);
		if (r == 0)
			r = expect_object(w, a, program.object, err);
		for (size_t i = 0; r == 0 && i < closure.libs.n; i++)
			if (closure.libs.v[i].object != SAP_NONE)
				r = expect_object(w, a, closure.libs.v[i].object, err);
		sap_closure_clear(&closure);
	}
	return r;
}

static int wait_for_probes(struct watching *w, struct sap_err *err)
{
	int r = 1;

	for (int i = 0; r > 0 && i < WAITS_MAX && sap_watch_busy(w->watch); i++)
		r = cli_watching_wait(w, -1, WAIT_MS, err);
	if (r == 0)
		return sap_err_set(err, SAP_EWORKER, "sapper-observe has ended by itself");
	return r < 0 ? r : 0;
}

int cli_watching_expect(struct watching *w, const char *command, struct sap_err *err)
{
	const char *library_path = getenv("LD_LIBRARY_PATH");
	const struct links_options options = { .library_path = library_path ? library_path : "",
					       .cpu = -1 };
	char path[PATH_MAX];
	struct asked asked;
	int r;

	program_of(command, path, sizeof(path));
	if (!path[0])
		return 0; /* that it is not there is told when it is started */
	r = asked_open(&asked, &options, NULL, false, err);
	if (r == 0)
		r = expect_closure(w, &asked, path, err);
	asked_close(&asked);
	return r == 0 ? wait_for_probes(w, err) : r;
}
