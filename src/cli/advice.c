/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisories for a command: which store, judged when, reviewed by what.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "advisory/judge.h"
#include "advisory/review.h"
#include "base/fd.h"
#include "base/limits.h"
#include "cli/advice.h"
#include "cli/cli.h"

/* ---- where the store is ----------------------------------------------------------------- */

int cli_store_path(const char *said, char *path, size_t size, struct sap_err *err)
{
	const char *from = said ? said : getenv("SAPPER_DB");
	const char *home = getenv("HOME"), *data = getenv("XDG_DATA_HOME");
	int n;

	if (from && *from)
		n = snprintf(path, size, "%s", from);
	else if (geteuid() == 0)
		n = snprintf(path, size, "/var/lib/sapper/advisories.db");
	else if (data && *data == '/')
		n = snprintf(path, size, "%s/sapper/advisories.db", data);
	else if (home && *home == '/')
		n = snprintf(path, size, "%s/.local/share/sapper/advisories.db", home);
	else
		return sap_err_set(err, SAP_EUSAGE,
				   "no place for the advisories: neither HOME nor XDG_DATA_HOME is "
				   "set; say --db FILE");
	if (n < 0 || (size_t)n >= size)
		return sap_err_set(err, SAP_ELIMIT, "the path of the advisories is too long");
	return 0;
}

/* What comes with the program: in its build folder, or where it was installed to. */
bool cli_baseline_path(char *path, size_t size)
{
	static const char inside[] = "/src/cli";
	char folder[PATH_MAX];
	size_t n;

	if (cli_own_folder(folder, sizeof(folder))) {
		n = strlen(folder);
		if (n > sizeof(inside) && strcmp(folder + n - (sizeof(inside) - 1), inside) == 0) {
			folder[n - (sizeof(inside) - 1)] = '\0';
			if (snprintf(path, size, "%s/data/advisories.db", folder) < (int)size &&
			    access(path, R_OK) == 0)
				return true;
		}
	}
	return snprintf(path, size, "%s", SAP_DATADIR "/advisories.db") < (int)size &&
	       access(path, R_OK) == 0;
}

/* *out NULL: there is none, and no_store says so. A store that is there and cannot be read is
 * an error: to go on without it would hide things. */
static int open_store(const struct advice *advice, struct sap_store **out, char *no_store,
		      size_t size, struct sap_err *err)
{
	char path[PATH_MAX];
	int r = cli_store_path(advice->db, path, sizeof(path), err);

	*out = NULL;
	if (r == 0)
		r = sap_store_open(path, out, err);
	if (r == SAP_EIO && !advice->db && err && err->sys_errno == EACCES) {
		/* Another user's folder, as with HOME kept by sudo or setpriv. */
		cli_say("%s; going on with the advisories that came with this program", err->text);
		r = SAP_ENOENT;
	}
	if (r == SAP_ENOENT && !advice->db) {
		if (cli_baseline_path(path, sizeof(path)))
			return sap_store_open(path, out, err);
		snprintf(no_store, size, "there are no advisories yet; remedy: sapper db update");
		return 0;
	}
	return r;
}

/* ---- reviews ---------------------------------------------------------------------------- */

/* Found by itself, a file may only take findings away where it is this user's or root's, and
 * nobody else can write it. */
static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* found: nobody named the file. One that is not there, or that others could have written, then
 * is as good as empty: what was opened is what is judged. */
static int read_text(const char *path, bool found, struct sap_arena *arena, struct sap_str *out,
		     struct sap_err *err)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (found ? O_NOFOLLOW : 0);
	int sap_cleanup_fd fd = open(path, flags);
	struct stat st;
	char *text;
	size_t at = 0;

	*out = SAP_STR("");
	if (fd < 0 && found && errno == ENOENT)
		return 0;
	if (fd < 0 && found && errno == EACCES) {
		cli_say("%s is not used: it cannot be read", path);
		return 0;
	}
	if (fd < 0 && found && errno == ELOOP) {
		cli_say("%s is not used: it is a symbolic link; --ignore %s uses it", path, path);
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	if (found && !is_trusted(&st)) {
		cli_say("%s is not used: others own it or may write it; --ignore %s uses it", path,
			path);
		return 0;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)SAP_TEXT_FILE_MAX)
		return sap_err_set(err, SAP_EUSAGE, "%s is no file of exceptions", path);
	text = sap_arena_alloc(arena, (uint64_t)st.st_size + 1);
	if (!text)
		return sap_err_nomem(err);
	while (at < (size_t)st.st_size) {
		ssize_t n = read(fd, text + at, (size_t)st.st_size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read %s", path);
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*out = (struct sap_str){ text, at };
	return 0;
}

struct vex_reading {
	struct sap_review *review;
	struct sap_str document;
	uint64_t statements;
	bool complete; /* the end row came */
	struct sap_err problem;
};

static int take_vex_line(struct vex_reading *v, struct sap_str line, struct sap_err *err)
{
	struct sap_arena *arena = &v->review->arena;
	struct sap_row row;
	int r = sap_row_parse(line, arena, &row, err);

	if (r == SAP_ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (row.kind == SAP_ROW_END)
		v->complete = true;
	if (row.kind == SAP_ROW_PROBLEM)
		sap_err_set(&v->problem, SAP_EFORMAT, "%.*s: %.*s", SAP_FMT(row.args[0]),
			    SAP_FMT(row.args[1]));
	if (row.kind != SAP_ROW_VEX)
		return 0;
	v->statements++;
	return sap_review_add_vex(v->review, &row, v->document, err);
}

static int take_vex_text(struct vex_reading *v, struct sap_str text, struct sap_err *err)
{
	struct sap_str line;
	int r = 0;

	while (r == 0 && sap_str_line(&text, &line))
		r = take_vex_line(v, line, err);
	return r;
}

static int read_all(int fd, struct sap_buf *out, struct sap_err *err)
{
	unsigned char piece[65536];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read from the helper");
		if (n == 0)
			return 0;
		sap_buf_put(out, piece, (size_t)n);
		if (!sap_buf_ok(out))
			return sap_err_set(err, SAP_ELIMIT, "more statements than memory may hold");
	}
}

static int read_vex(struct sap_review *review, const char *path, struct sap_err *err)
{
	char program[] = "sapper-import", name_option[] = "--name";
	char *const argv[] = { program, name_option, (char *)(uintptr_t)path, NULL };
	struct vex_reading v = { .review = review };
	struct helper helper = { .output = -1 };
	struct sap_err late = { 0 };
	struct sap_str text;
	struct sap_buf buf;
	int status = 0;
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	sap_buf_init(&buf, SAP_TEXT_FILE_MAX);
	r = cli_helper_start("sapper-import", argv, fd, &helper, err);
	if (r == 0) {
		r = read_all(helper.output, &buf, err);
		if (cli_helper_wait(&helper, &status, r < 0 ? &late : err) < 0 && r == 0)
			r = SAP_EWORKER;
	}
	/* The rows stay where the statements borrow from. */
	if (r == 0 && (!sap_arena_str(&review->arena, sap_buf_str(&buf), &text) ||
		       !sap_arena_str(&review->arena, sap_str_of(path), &v.document)))
		r = sap_err_nomem(err);
	if (r == 0)
		r = take_vex_text(&v, text, err);
	if (r == 0 && (status != 0 || !v.complete))
		r = sap_err_set(err, SAP_EFORMAT, "%s is no VEX document that can be read", path);
	if (r == 0 && v.problem.code)
		r = sap_err_set(err, SAP_EFORMAT, "%s", v.problem.text);
	if (r == 0 && v.statements == 0)
		r = sap_err_set(err, SAP_EFORMAT,
				"%s makes no statement: it is no OpenVEX, CycloneDX VEX or CSAF "
				"document, or an empty one",
				path);
	sap_buf_clear(&buf);
	return r;
}

static int review(const struct advice *advice, struct sap_findings *f, struct sap_err *err)
{
	static const char own_file[] = ".sapper.toml";
	const char *file = advice->ignore ? advice->ignore : own_file;
	struct sap_review review;
	struct sap_str text;
	int r = 0;

	sap_review_init(&review);
	if (*file) {
		r = read_text(file, !advice->ignore, &review.arena, &text, err);
		if (r == 0)
			r = sap_review_read_toml(&review, file, text, err);
	}
	for (unsigned i = 0; r == 0 && i < advice->n_vex; i++)
		r = read_vex(&review, advice->vex[i], err);
	if (r == 0)
		r = sap_review_apply(&review, f, f->now, err);
	sap_review_clear(&review);
	return r;
}

/* ---- all of it -------------------------------------------------------------------------- */

int cli_advise(const struct advice *advice, const struct sap_facts *facts,
	       struct sap_findings **out, struct sap_err *err)
{
	const struct sap_judge_options options = {
		.now = (int64_t)time(NULL),
		.max_age = (int64_t)advice->max_age_days * 86400,
		.explain = sap_str_of(advice->explain),
	};
	struct sap_store *store = NULL;
	char no_store[256] = "";
	int r = open_store(advice, &store, no_store, sizeof(no_store), err);

	if (r == 0)
		r = sap_judge(facts, store, store ? NULL : no_store, &options, out, err);
	sap_store_close(store);
	if (r == 0)
		r = review(advice, *out, err);
	return r;
}

bool cli_days_parse(const char *text, unsigned *out)
{
	uint64_t days;
	struct sap_str s = sap_str_of(text);

	if (s.n && (s.p[s.n - 1] == 'd'))
		s.n--;
	if (!sap_str_u64(s, &days) || days > 36500)
		return false;
	*out = (unsigned)days;
	return true;
}
