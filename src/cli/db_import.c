/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sapper db import` and `export`: sapper-import reads, the store's writer keeps.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "cli/advice.h"
#include "cli/db.h"

enum { PIECE = 256 * 1024, PROBLEMS_SHOWN = 10 };

static void say_problem(void *ctx, struct sap_str where, struct sap_str message)
{
	struct db_problems *problems = ctx;

	problems->n++;
	if (problems->n <= PROBLEMS_SHOWN || problems->common->verbose)
		cli_say("%.*s: %.*s", SAP_FMT(where), SAP_FMT(message));
}

int db_writer_new(const struct db_options *o, struct db_problems *problems, char *path, size_t size,
		  struct sap_store_writer **out, struct sap_err *err)
{
	char base[PATH_MAX];
	const char *from = cli_baseline_path(base, sizeof(base)) ? base : NULL;
	int r = cli_store_path(o->db, path, size, err);

	problems->common = &o->common;
	if (r == 0)
		r = sap_store_writer_new(path, o->db ? NULL : from, DB_WAIT_SECONDS, say_problem,
					 problems, out, err);
	return r;
}

/* Everything that the helper writes goes to the writer. */
static int feed(struct sap_store_writer *w, int fd, struct sap_err *err)
{
	unsigned char *piece sap_cleanup_free = malloc(PIECE);

	if (!piece)
		return sap_err_nomem(err);
	for (;;) {
		ssize_t n = read(fd, piece, PIECE);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read from sapper-import");
		if (n == 0)
			return 0;
		r = sap_store_feed(w, piece, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

static int run_helper(struct sap_store_writer *w, const struct db_input *input, struct sap_err *err)
{
	char program[] = "sapper-import", name[] = "--name", source[] = "--source",
	     replace[] = "--replace";
	char *argv[7] = { program, name, (char *)(uintptr_t)input->name };
	struct helper helper;
	struct sap_err late = { 0 };
	unsigned n = 3;
	int status = 0, r, waited;

	if (input->source) {
		argv[n++] = source;
		argv[n++] = (char *)(uintptr_t)input->source;
	}
	if (input->replace)
		argv[n++] = replace;
	argv[n] = NULL;
	r = cli_helper_start("sapper-import", argv, input->fd, &helper, err);
	if (r < 0)
		return r;
	r = feed(w, helper.output, err);
	waited = cli_helper_wait(&helper, &status, &late);
	if (r < 0)
		return r;
	if (waited < 0) {
		*err = late;
		return waited;
	}
	if (status != 0) /* it has said why, on stderr */
		return sap_err_set(err, SAP_EFORMAT, "%s was not imported", input->name);
	return 0;
}

int db_import_input(struct sap_store_writer *w, const struct db_input *input,
		    struct sap_store_counts *counts, struct sap_err *err)
{
	struct sap_err drop = { 0 };
	int r = sap_store_begin_stream(w, input->name, input->defaults, err);

	if (r < 0)
		return r;
	r = run_helper(w, input, err);
	if (r == 0)
		r = sap_store_end_stream(w, counts, err);
	if (r < 0 && sap_store_drop_stream(w, &drop) < 0)
		*err = drop;
	return r;
}

/* ---- import ----------------------------------------------------------------------------- */

static int import_path(struct sap_store_writer *w, const struct db_options *o, const char *path,
		       struct sap_store_counts *total, struct sap_err *err)
{
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct sap_store_counts counts = { 0 };
	struct db_input input = { .name = path, .source = o->source, .replace = o->replace };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return sap_err_set(err, SAP_EUSAGE, "%s is neither a file nor a folder", path);
	input.fd = fd;
	if (o->replace)
		input.defaults = SAP_STR("force=yes");
	r = db_import_input(w, &input, &counts, err);
	if (r < 0)
		return r;
	total->rows += counts.rows;
	total->records += counts.records;
	total->claims += counts.claims;
	total->replaced += counts.replaced;
	total->older += counts.older;
	total->problems += counts.problems;
	return 0;
}

static void say_counts(const struct db_options *o, const char *path,
		       const struct sap_store_counts *c, uint64_t problems)
{
	if (problems > PROBLEMS_SHOWN && !o->common.verbose)
		cli_say("and %llu more like these; -v shows them",
			(unsigned long long)(problems - PROBLEMS_SHOWN));
	if (o->common.quiet)
		return;
	cli_say("%s: %llu rows: %llu advisories with %llu statements (%llu replaced older ones, "
		"%llu "
		"were older than what is there)",
		path, (unsigned long long)c->rows, (unsigned long long)c->records,
		(unsigned long long)c->claims, (unsigned long long)c->replaced,
		(unsigned long long)c->older);
	if (problems)
		cli_say("%llu %s could not be taken over, see above", (unsigned long long)problems,
			problems == 1 ? "thing" : "things");
}

int db_import(const struct db_options *o)
{
	struct sap_store_counts total = { 0 };
	struct sap_store_writer *w = NULL;
	struct db_problems problems = { 0 };
	struct sap_err err = { 0 };
	char path[PATH_MAX];
	int failed = 0;
	int r;

	if (o->n_args == 0)
		return cli_usage(&cmd_db, "import what? name files or folders");
	r = db_writer_new(o, &problems, path, sizeof(path), &w, &err);
	if (r < 0)
		return cli_fail(&err);
	for (int i = 0; i < o->n_args; i++) {
		if (import_path(w, o, o->args[i], &total, &err) < 0) {
			cli_fail(&err);
			failed++;
		}
	}
	if (failed == o->n_args) {
		sap_store_abandon(w);
		cli_say("nothing was imported; %s is as it was", path);
		return STATUS_FAILURE;
	}
	if (sap_store_commit(w, &err) < 0)
		return cli_fail(&err);
	say_counts(o, path, &total, problems.n);
	return failed ? STATUS_FAILURE : problems.n ? STATUS_FOUND : STATUS_OK;
}

/* ---- export ----------------------------------------------------------------------------- */

static int write_lines(void *ctx, struct sap_str lines, struct sap_err *err)
{
	return sap_fd_write_all(*(int *)ctx, lines.p, lines.n, err);
}

int db_export(const struct db_options *o)
{
	struct sap_store *store = NULL;
	struct sap_err err = { 0 };
	struct sap_rows rows;
	char path[PATH_MAX];
	int sap_cleanup_fd fd = -1;
	int to = STDOUT_FILENO;
	int r;

	if (o->n_args)
		return cli_usage(&cmd_db, "export takes no '%s'", o->args[0]);
	r = cli_store_path(o->db, path, sizeof(path), &err);
	if (r == 0)
		r = sap_store_open(path, &store, &err);
	if (r == 0 && o->common.output) {
		fd = open(o->common.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
			  0644);
		to = fd;
		if (fd < 0)
			r = sap_err_sys(&err, errno, "cannot write %s", o->common.output);
	}
	if (r == 0) {
		sap_rows_init(&rows, write_lines, &to);
		r = sap_store_export(store, o->source ? sap_str_of(o->source) : SAP_STR(""), &rows,
				     &err);
		if (r == 0)
			r = sap_rows_end(&rows, &err);
		sap_rows_clear(&rows);
	}
	sap_store_close(store);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
