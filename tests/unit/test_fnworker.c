/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper that lists functions: answers are those of the library itself, large lists come in
 * pieces, and a helper that dies, stalls or talks nonsense is replaced.
 */
#include "observe/fnworker.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"

enum { SOCKET = 3, LARGE = 500000 };

enum mood { SERVES, DIES, STALLS, SAYS_NOTHING, LIES, FALLS, UNSORTED, TOO_LONG, CUT };

struct helper {
	enum mood mood;
	unsigned started;
	pid_t pid;
};

static int no_unpack(void *ctx, struct sap_span packed, struct sap_arena *arena,
		     struct sap_span *out, struct sap_err *err)
{
	(void)ctx;
	(void)packed;
	(void)arena;
	(void)out;
	return sap_err_set(err, SAP_EUNSUPPORTED, "not in this test");
}

/* What a helper gone wrong sends. */
static void misbehave(enum mood mood)
{
	struct {
		struct sap_fnw_head head;
		struct sap_fnw_item items[2];
	} packet = { .head = { .n = 2 }, .items = { { .offset = 8 }, { .offset = 16 } } };
	size_t n = sizeof(packet);
	char request[64];

	(void)!read(SOCKET, request, sizeof(request));
	switch (mood) {
	case DIES:
		return;
	case STALLS:
		pause();
		return;
	case SAYS_NOTHING:
		packet.head.n = 0;
		n = sizeof(packet.head);
		break;
	case LIES:
		packet.head.last = 1;
		packet.head.code = 5;
		break;
	case FALLS:
		packet.head.n = 3;
		break;
	case UNSORTED:
		packet.items[1].offset = 8;
		break;
	case TOO_LONG:
		packet.items[1].n_names = UINT32_MAX;
		break;
	default:
		n -= 4;
	}
	(void)!write(SOCKET, &packet, n);
	pause();
}

static int start(void *ctx, int fd, pid_t *pid, struct sap_err *err)
{
	struct helper *h = ctx;

	h->started++;
	*pid = fork();
	if (*pid < 0)
		return sap_err_sys(err, errno, "fork");
	if (*pid == 0) {
		if (fd != SOCKET && dup2(fd, SOCKET) < 0)
			_exit(2);
		close_range(SOCKET + 1, ~0u, 0);
		if (h->mood == SERVES)
			_exit(sap_fnworker_serve(SOCKET, no_unpack, NULL) < 0);
		misbehave(h->mood);
		_exit(0);
	}
	h->pid = *pid;
	return 0;
}

static struct sap_fnworker *new_worker(struct helper *h, unsigned timeout_ms)
{
	struct sap_fnworker_options options = { .start = start,
						.ctx = h,
						.timeout_ms = timeout_ms };
	struct sap_fnworker *w = NULL;
	struct sap_err err = { 0 };

	CHECK_OK(sap_fnworker_new(&options, &w, &err), &err);
	return w;
}

static bool same(const struct sap_fn_list *a, const struct sap_fn_list *b)
{
	if (!CHECK_INT(a->v.n, b->v.n) || a->has_symtab != b->has_symtab ||
	    a->local_from != b->local_from || a->n_constructors != b->n_constructors ||
	    a->n_ifuncs != b->n_ifuncs || a->machine != b->machine || a->damaged != b->damaged ||
	    !sap_str_eq(a->damage, b->damage))
		return false;
	for (size_t i = 0; i < a->v.n; i++) {
		const struct sap_fn *x = &a->v.v[i], *y = &b->v.v[i];

		if (x->offset != y->offset || x->addr != y->addr || x->size != y->size ||
		    x->flags != y->flags || !sap_str_eq(x->names, y->names))
			return false;
	}
	return true;
}

/* By the helper and by the library. */
static void compare(struct sap_fnworker *w, int fd, int debug_fd, unsigned want)
{
	struct sap_fn_options options = { .want = want, .unpack = no_unpack };
	struct sap_fn_list got = { 0 }, wanted = { 0 };
	struct sap_reader reader, debug;
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct stat st;

	sap_arena_init(&arena, SAP_FN_MEMORY_MAX);
	CHECK(fstat(fd, &st) == 0);
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	if (debug_fd >= 0 && CHECK(fstat(debug_fd, &st) == 0)) {
		debug = sap_reader_fd(debug_fd, (uint64_t)st.st_size);
		options.debug = &debug;
	}
	CHECK_OK(sap_elf_functions(&reader, &options, &arena, &wanted, &err), &err);
	CHECK_OK(sap_fnworker_list(w, fd, debug_fd, want, &arena, &got, &err), &err);
	/* Constants of two programs in one. */
	if (got.local_from && wanted.local_from) {
		CHECK_STR(sap_str_of(got.local_from), wanted.local_from);
		got.local_from = wanted.local_from;
	}
	CHECK(same(&got, &wanted));
	sap_vec_clear(&got.v);
	sap_vec_clear(&wanted.v);
	sap_arena_clear(&arena);
}

static int list_code(struct sap_fnworker *w, int fd, char text[SAP_ERR_TEXT_MAX])
{
	struct sap_fn_list got = { 0 };
	struct sap_arena arena;
	struct sap_err err = { 0 };
	int r;

	sap_arena_init(&arena, SAP_FN_MEMORY_MAX);
	r = sap_fnworker_list(w, fd, -1, SAP_FN_WANT_ALL, &arena, &got, &err);
	memcpy(text, err.text, SAP_ERR_TEXT_MAX);
	sap_vec_clear(&got.v);
	sap_arena_clear(&arena);
	return r;
}

static void test_serves(int self)
{
	struct helper h = { .mood = SERVES };
	struct sap_fnworker *w = new_worker(&h, 0);

	if (!w)
		return;
	compare(w, self, -1, SAP_FN_WANT_ALL);
	compare(w, self, self, SAP_FN_WANT_EXPORTED);
	compare(w, self, self, SAP_FN_WANT_ALL);
	CHECK_INT(h.started, 1);
	sap_fnworker_free(w);
	sap_fnworker_free(NULL);
}

static void test_bad_files(int self)
{
	struct helper h = { .mood = SERVES };
	struct sap_fnworker *w = new_worker(&h, 0);
	sap_cleanup_fd int text = memfd_create("text", MFD_CLOEXEC);
	sap_cleanup_fd int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sap_cleanup_fd int path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	char why[SAP_ERR_TEXT_MAX];

	if (!w || !CHECK(text >= 0 && folder >= 0 && path >= 0) ||
	    !CHECK(write(text, "no object", 9) == 9))
		return;
	CHECK_INT(list_code(w, text, why), SAP_EFORMAT);
	CHECK_STR(sap_str_of(why), "no ELF file");
	CHECK_INT(list_code(w, folder, why), SAP_EFORMAT);
	CHECK_INT(list_code(w, path, why), SAP_EIO);
	CHECK_INT(list_code(w, 9999, why), SAP_EIO);
	compare(w, self, -1, SAP_FN_WANT_ALL);
	CHECK_INT(h.started, 1);
	sap_fnworker_free(w);
}

/* Killed while it had nothing to do: nobody notices. */
static void test_killed_idle(int self)
{
	struct helper h = { .mood = SERVES };
	struct sap_fnworker *w = new_worker(&h, 0);

	if (!w)
		return;
	compare(w, self, -1, SAP_FN_WANT_EXPORTED);
	kill(h.pid, SIGKILL);
	/* Its end of the socket is closed before it can be waited for. */
	CHECK(waitid(P_PID, (id_t)h.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) == 0);
	compare(w, self, -1, SAP_FN_WANT_EXPORTED);
	CHECK_INT(h.started, 2);
	sap_fnworker_free(w);
}

static void test_gone_wrong(int self)
{
	for (enum mood mood = DIES; mood <= CUT; mood++) {
		struct helper h = { .mood = mood };
		struct sap_fnworker *w = new_worker(&h, mood == STALLS ? 200 : 0);
		char why[SAP_ERR_TEXT_MAX];

		if (!w)
			return;
		if (!CHECK_INT(list_code(w, self, why), SAP_EWORKER))
			fprintf(stderr, "  (%d: %s)\n", mood, why);
		/* A fresh one, with the time that a loaded machine takes. */
		sap_fnworker_free(w);
		h.mood = mood == STALLS ? DIES : mood;
		w = new_worker(&h, 0);
		CHECK_INT(list_code(w, self, why), SAP_EWORKER);
		h.mood = SERVES;
		compare(w, self, -1, SAP_FN_WANT_ALL);
		CHECK_INT(h.started, 3);
		sap_fnworker_free(w);
	}
}

/* A file with many functions in .symtab; the code is a hole. */
static int large_file(void)
{
	const uint64_t code = 16ULL * LARGE, syms = 4096 + code;
	const uint64_t strs = syms + 24ULL * (LARGE + 1), end = strs + 24ULL * LARGE + 24;
	int fd = memfd_create("large", MFD_CLOEXEC);
	Elf64_Ehdr e = { .e_ident = "\177ELF\2\1\1",
			 ET_DYN,
			 EM_X86_64,
			 1,
			 4096,
			 64,
			 end,
			 0,
			 64,
			 56,
			 1,
			 64,
			 3,
			 0 };
	Elf64_Phdr p = { PT_LOAD, PF_R | PF_X, 4096, 4096, 4096, code, code, 4096 };
	Elf64_Shdr s[3] = { { 0 },
			    { .sh_type = SHT_SYMTAB,
			      .sh_offset = syms,
			      .sh_size = 24ULL * (LARGE + 1),
			      .sh_link = 2,
			      .sh_entsize = 24 },
			    { .sh_type = SHT_STRTAB, .sh_offset = strs, .sh_size = end - strs } };
	unsigned char *m;

	if (fd < 0 || ftruncate(fd, (off_t)(end + sizeof(s))) < 0)
		return -1;
	m = mmap(NULL, end + sizeof(s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return -1;
	memcpy(m, &e, sizeof(e));
	memcpy(m + 64, &p, sizeof(p));
	memcpy(m + end, s, sizeof(s));
	for (uint32_t i = 0; i < LARGE; i++) {
		/* In no order. */
		uint32_t k = (uint32_t)((i * 7919ULL) % LARGE);
		Elf64_Sym sym = { i * 24 + 1, 2, 0, 1, 4096 + k * 16ULL, 16 };

		memcpy(m + syms + 24ULL * (i + 1), &sym, sizeof(sym));
		snprintf((char *)m + strs + 1 + i * 24ULL, 24, "function_number_%06u", k);
	}
	munmap(m, end + sizeof(s));
	return fd;
}

static void test_large(void)
{
	struct helper h = { .mood = SERVES };
	struct sap_fnworker *w = new_worker(&h, 120000);
	sap_cleanup_fd int fd = large_file();
	struct timespec a, b;

	if (!w || !CHECK(fd >= 0))
		return;
	clock_gettime(CLOCK_MONOTONIC, &a);
	compare(w, fd, -1, SAP_FN_WANT_ALL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	fprintf(stderr, "%d functions, twice: %lld ms\n", LARGE,
		(long long)(b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	sap_fnworker_free(w);
}

int main(void)
{
	sap_cleanup_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (!CHECK(self >= 0))
		return check_done();
	test_serves(self);
	test_bad_files(self);
	test_killed_idle(self);
	test_gone_wrong(self);
	test_large();
	return check_done();
}
