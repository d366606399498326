/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the functions of each file named on standard input (after a tab: its debug file), for
 * tests/live/functions.py:
 *
 *     file PATH
 *     list machine=N symtab=0|1 from=... constructors=N ifuncs=N [damage=...]
 *     fn OFFSET ADDRESS SIZE FLAGS NAMES
 *
 * --exported: these only. --worker PROGRAM: listed by that helper. --bench N: the time of N
 * rounds instead.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "elf/functions.h"
#include "observe/fnworker.h"

struct dump {
	unsigned want;
	unsigned rounds;
	const char *worker_path;
	struct sap_fnworker *worker;
};

static int start_worker(void *ctx, int fd, pid_t *pid, struct sap_err *err)
{
	const char *path = ctx;

	*pid = fork();
	if (*pid < 0)
		return sap_err_sys(err, errno, "fork");
	if (*pid == 0) {
		if (fd != 3 && dup2(fd, 3) < 0)
			_exit(2);
		if (fd == 3)
			fcntl(3, F_SETFD, 0);
		execl(path, path, (char *)NULL);
		_exit(2);
	}
	return 0;
}

static void put(const struct sap_fn_list *list)
{
	printf("list machine=%u symtab=%d from=%s constructors=%u ifuncs=%u", list->machine,
	       list->has_symtab, list->local_from ? list->local_from : "-", list->n_constructors,
	       list->n_ifuncs);
	if (list->damaged)
		printf(" damage=%.*s", SAP_FMT(list->damage));
	putchar('\n');
	for (size_t i = 0; i < list->v.n; i++) {
		const struct sap_fn *fn = &list->v.v[i];

		printf("fn %" PRIx64 " %" PRIx64 " %" PRIu64 " %u ", fn->offset, fn->addr, fn->size,
		       fn->flags);
		fwrite(fn->names.p ? fn->names.p : "", 1, fn->names.n, stdout);
		putchar('\n');
	}
}

static int list_one(const struct dump *d, int fd, int debug_fd, struct sap_arena *arena,
		    struct sap_fn_list *out, struct sap_err *err)
{
	struct sap_fn_options options = { .want = d->want };
	struct sap_reader reader, debug;
	struct stat st;

	if (d->worker)
		return sap_fnworker_list(d->worker, fd, debug_fd, d->want, arena, out, err);
	if (fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "fstat");
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	if (debug_fd >= 0) {
		if (fstat(debug_fd, &st) < 0)
			return sap_err_sys(err, errno, "fstat");
		debug = sap_reader_fd(debug_fd, (uint64_t)st.st_size);
		options.debug = &debug;
	}
	return sap_elf_functions(&reader, &options, arena, out, err);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void one(const struct dump *d, const char *path, const char *debug_path,
		struct sap_arena *arena)
{
	sap_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	sap_cleanup_fd int debug_fd = debug_path ? open(debug_path, O_RDONLY | O_CLOEXEC) : -1;
	double best = 1e9;

	printf("file %s\n", path);
	for (unsigned i = 0; i < d->rounds; i++) {
		struct sap_fn_list list = { 0 };
		struct sap_err err = { 0 };
		double start = now_ms(), ms;
		int r;

		sap_arena_reset(arena);
		r = list_one(d, fd, debug_fd, arena, &list, &err);
		ms = now_ms() - start;
		best = ms < best ? ms : best;
		if (r < 0) {
			printf("error %s: %s\n", sap_code_name(r), err.text);
			return;
		}
		if (i + 1 == d->rounds && d->rounds > 1)
			printf("%zu functions, %.2f ms, %.1f MiB\n", list.v.n, best,
			       (double)(arena->used + list.v.cap * sizeof(*list.v.v)) / SAP_MIB);
		else if (d->rounds == 1)
			put(&list);
		sap_vec_clear(&list.v);
	}
}

int main(int argc, char **argv)
{
	struct dump d = { .want = SAP_FN_WANT_EXPORTED | SAP_FN_WANT_ALL, .rounds = 1 };
	struct sap_fnworker_options options = { .start = start_worker };
	struct sap_err err = { 0 };
	struct sap_arena arena;
	char line[8192];

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--exported") == 0)
			d.want = SAP_FN_WANT_EXPORTED;
		else if (strcmp(argv[i], "--worker") == 0 && i + 1 < argc)
			d.worker_path = argv[++i];
		else if (strcmp(argv[i], "--bench") == 0 && i + 1 < argc)
			d.rounds = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return 2;
	}
	options.ctx = (void *)(uintptr_t)d.worker_path;
	if (d.worker_path && sap_fnworker_new(&options, &d.worker, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	sap_arena_init(&arena, SAP_FN_MEMORY_MAX);
	while (fgets(line, sizeof(line), stdin)) {
		char *tab;

		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (tab)
			*tab++ = '\0';
		one(&d, line, tab, &arena);
		fflush(stdout);
	}
	sap_arena_clear(&arena);
	sap_fnworker_free(d.worker);
	return 0;
}
