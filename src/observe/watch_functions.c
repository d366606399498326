/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New files: is it ELF, what does the policy want, which functions has it, where do probes go.
 *
 * Probes are on an inode, so a file that is seen at several paths or in several roots is
 * listed and probed once, by (device, inode, ctime).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "elf/elf.h"
#include "observe/snapshot_int.h"
#include "observe/watch_int.h"

enum {
	PROBE_PIECE = 8000, /* offsets of one message: 64,000 of 65,536 bytes */
	DEBUG_PATH_MAX = 256,
};

void sap_watch_object_free(struct sap_watch_object *o)
{
	if (!o)
		return;
	free(o->fns);
	free(o->text);
	sap_vec_clear(&o->files);
	free(o);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* A ctime that has moved is not yet another file. */
static bool same_file(const struct sap_seen_file *f, const struct sap_file_id *id, int fd)
{
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_reader reader;
	struct stat st;

	if (f->id.dev != id->dev || f->id.ino != id->ino)
		return false;
	if (f->id.ctime == id->ctime || !f->id.ctime)
		return true;
	if (!f->build_id.n || fd < 0 || fstat(fd, &st) < 0)
		return false;
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	return sap_str_eq(f->build_id, sap_build_id_read(&reader, hex));
}

/* By its path where that still leads to it, else through a process that maps it. */
static int open_file(struct sap_watch *w, uint32_t file, int32_t pid)
{
	const struct sap_seen_file *f = &w->e->files.v[file];
	struct sap_file_id id;
	struct stat st;
	int sap_cleanup_fd path = sap_watch_path(w, f->root, pid, f->path, &st);
	int fd = -1;

	if (path >= 0) {
		id = sap_watch_id(&st);
		fd = sap_watch_reopen(path);
		if (same_file(f, &id, fd))
			return fd;
		sap_close_fd(&fd);
	}
	if (pid > 0 && sap_snapshot_open(w->proc, pid, f, &fd, &id, NULL) == 0)
		return fd;
	return -1;
}

/* Its debug file: /usr/lib/debug/.build-id/ab/cdef.debug of its root. -1: none. */
static int open_debug(struct sap_watch *w, uint32_t file, int32_t pid)
{
	const struct sap_seen_file *f = &w->e->files.v[file];
	int sap_cleanup_fd path = -1;
	char name[DEBUG_PATH_MAX];
	struct stat st;
	int n;

	if (f->build_id.n < 4)
		return -1;
	n = snprintf(name, sizeof(name), "/usr/lib/debug/.build-id/%.2s/%.*s.debug", f->build_id.p,
		     (int)f->build_id.n - 2, f->build_id.p + 2);
	if (n < 0 || n >= (int)sizeof(name))
		return -1;
	path = sap_watch_path(w, f->root, pid, sap_str_of(name), &st);
	return path < 0 ? -1 : sap_watch_reopen(path);
}

static bool is_elf(int fd)
{
	unsigned char head[4];

	return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       sap_elf_magic(sap_span_of(head, sizeof(head)));
}

/* Somebody who maps it and lives; the first one may be gone. */
struct mapper {
	uint32_t file;
	int32_t pid;
};

static int find_mapper(struct sap_watch *w, struct sap_watch_task *t, void *ctx,
		       struct sap_err *err)
{
	struct mapper *m = ctx;

	(void)w;
	(void)err;
	if (!m->pid && sap_watch_maps_has(t->maps, m->file))
		m->pid = t->pid;
	return 0;
}

/* ---- what is known about its functions --------------------------------------------------------- */

static int say(struct sap_watch *w, uint32_t file, enum sap_observed observed, const char *text,
	       struct sap_err *err)
{
	struct sap_seen_file *f = &w->e->files.v[file];

	f->observed = (uint8_t)observed;
	return sap_evidence_text(w->e, sap_str_of(text), &f->reason) ? 0 : sap_err_nomem(err);
}

static int note_load_time(struct sap_watch *w, uint32_t file, const struct sap_fn_list *list,
			  struct sap_err *err)
{
	struct sap_seen_file *f = &w->e->files.v[file];
	uint32_t c = list->n_constructors, i = list->n_ifuncs;
	char text[96];

	f->load_time = c || i ? SAP_YES : list->damaged ? SAP_UNKNOWN : SAP_NO;
	if (f->load_time != SAP_YES)
		return 0;
	if (c && i)
		snprintf(text, sizeof(text), "%u constructor%s, %u IFUNC resolver%s", c,
			 c == 1 ? "" : "s", i, i == 1 ? "" : "s");
	else if (c)
		snprintf(text, sizeof(text), "%u constructor%s", c, c == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "%u IFUNC resolver%s", i, i == 1 ? "" : "s");
	return sap_evidence_text(w->e, sap_str_of(text), &f->load_time_why) ? 0
									    : sap_err_nomem(err);
}

/* What every file that shares the object says of itself. */
static void copy_load_time(struct sap_watch *w, uint32_t to, uint32_t from)
{
	w->e->files.v[to].load_time = w->e->files.v[from].load_time;
	w->e->files.v[to].load_time_why = w->e->files.v[from].load_time_why;
	w->e->files.v[to].reason = w->e->files.v[from].reason;
	w->e->files.v[to].observed = w->e->files.v[from].observed;
}

/* ---- objects ----------------------------------------------------------------------------- */

static uint32_t hash_id(const struct sap_file_id *id)
{
	return sap_watch_mix(sap_watch_mix((uint32_t)id->dev, id->ino), (uint64_t)id->ctime);
}

static struct sap_watch_object *find_object(struct sap_watch *w, const struct sap_file_id *id)
{
	uint32_t hash = hash_id(id), at = hash;

	for (uint32_t i = sap_watch_table_next(&w->object_table, hash, &at); i != SAP_NONE;
	     i = sap_watch_table_next(&w->object_table, hash, &at)) {
		struct sap_watch_object *o = w->objects.v[i];

		if (!o->dead && o->id.dev == id->dev && o->id.ino == id->ino &&
		    o->id.ctime == id->ctime)
			return o;
	}
	return NULL;
}

static int add_file(struct sap_watch *w, struct sap_watch_object *o, uint32_t file,
		    struct sap_err *err)
{
	uint32_t *to = SAP_VEC_PUSH(&o->files, SAP_EVIDENCE_FILES_MAX);

	if (!to)
		return sap_err_nomem(err);
	*to = file;
	return sap_watch_belongs(w, file, o, err);
}

static struct sap_watch_object *new_object(struct sap_watch *w, uint32_t file)
{
	struct sap_watch_object *o = calloc(1, sizeof(*o)), **to;

	to = o ? SAP_VEC_PUSH(&w->objects, SAP_EVIDENCE_FILES_MAX) : NULL;
	if (!to) {
		sap_watch_object_free(o);
		return NULL;
	}
	*to = o;
	o->id = w->e->files.v[file].id;
	o->number = (uint32_t)w->objects.n - 1;
	o->cookie = w->next_cookie;
	if (add_file(w, o, file, NULL) < 0 ||
	    !sap_watch_table_add(&w->object_table, hash_id(&o->id), o->number)) {
		w->objects.n--;
		sap_watch_object_free(o);
		return NULL;
	}
	return o;
}

/* ---- probes ------------------------------------------------------------------------------ */

static int send_probes(struct sap_watch *w, struct sap_watch_object *o, int fd, uint16_t machine,
		       struct sap_err *err)
{
	struct sap_wire_file head = { .file = o->number, .machine = machine };
	uint64_t *offsets = malloc(PROBE_PIECE * sizeof(*offsets));
	int r;

	if (!offsets)
		return sap_err_nomem(err);
	r = sap_wire_put_fd(&w->out, SAP_WIRE_FILE, &head, sizeof(head), fd, err);
	for (uint32_t at = 0; at < o->n && r == 0;) {
		struct sap_wire_probe p = { .file = o->number, .cookie = o->cookie + at };

		p.n = o->n - at < PROBE_PIECE ? o->n - at : PROBE_PIECE;
		for (uint32_t i = 0; i < p.n; i++)
			offsets[i] = o->fns[at + i].offset;
		r = sap_wire_put(&w->out, SAP_WIRE_PROBE, &p, sizeof(p), offsets,
				 (uint32_t)(p.n * sizeof(*offsets)), err);
		if (r == 0)
			r = sap_wire_flush(&w->out, err);
		if (r == 0) {
			o->waiting++;
			w->asked++;
		}
		at += p.n;
	}
	free(offsets);
	if (r == 0)
		o->sent = true;
	return r == SAP_EIO ? sap_watch_lost(w, err ? err->text : "", err) : r;
}

static const char too_late[] = "the watch ended before its probes stood";

/* Why probes cannot be asked for; NULL: they can. */
static const char *no_probes(const struct sap_watch *w, const struct sap_watch_object *o)
{
	if (w->o.observer < 0)
		return "functions are not watched: nothing was started that could";
	if (w->dead || w->stopping || w->ended)
		return too_late;
	if (!(w->ready.flags & SAP_WIRE_FUNCTIONS))
		return w->ready.functions[0] ? w->ready.functions
					     : "functions cannot be watched here";
	if (w->standing + o->n > SAP_WIRE_COOKIES_MAX || w->next_cookie > UINT32_MAX - o->n - 1)
		return "too many functions are under watch";
	return NULL;
}

static int remark(struct sap_watch *w, uint32_t file, const struct sap_watch_want *want,
		  const struct sap_fn_list *list, const char *help, struct sap_err *err)
{
	char text[512] = "";

	if (list->damaged)
		snprintf(text, sizeof(text), "parts of it could not be read: %.*s",
			 SAP_FMT(list->damage));
	else if (!list->has_symtab && want->choice == SAP_WATCH_ALL)
		snprintf(text, sizeof(text), "no symbol table: local functions have no names; %s",
			 help);
	return say(w, file, SAP_OBSERVED_PROBED, text, err);
}

static int place(struct sap_watch *w, uint32_t file, const struct sap_watch_want *want,
		 const struct sap_fn_list *list, const char *help, int fd,
		 struct sap_watch_object *o, struct sap_err *err)
{
	const char *why = no_probes(w, o);
	char text[512];
	int r;

	if (why && w->o.observer >= 0 && w->standing + o->n > SAP_WIRE_COOKIES_MAX)
		w->e->losses.ceiling++;
	if (!why && o->n == 0) {
		snprintf(text, sizeof(text), "no function of it can be probed%s%s",
			 o->n_refused ? ": the kernel refuses them" : ": no symbols; ",
			 o->n_refused ? "" : help);
		why = text;
	}
	w->e->files.v[file].n_functions = o->n_functions;
	w->e->files.v[file].n_refused = o->n_refused;
	if (why) {
		/* Nothing stands that could fire: names and places need not be kept. */
		o->n = 0;
		return say(w, file, SAP_OBSERVED_NOT, why, err);
	}
	r = remark(w, file, want, list, help, err);
	/* Until they stand, nothing is observed. */
	w->e->files.v[file].observed = SAP_OBSERVED_NOT_ASKED;
	if (r < 0)
		return r;
	w->next_cookie += o->n;
	w->standing += o->n;
	return send_probes(w, o, fd, list->machine, err);
}

static int list_functions(struct sap_watch *w, uint32_t file, int32_t pid,
			  const struct sap_watch_want *want, int fd, struct sap_err *err)
{
	bool all = want->choice == SAP_WATCH_ALL || want->n_names;
	int sap_cleanup_fd debug = all ? open_debug(w, file, pid) : -1;
	const char *help = sap_watch_help(w, file, pid);
	struct sap_fn_list list = { 0 };
	struct sap_err fault = { 0 };
	struct sap_watch_object *o;
	int r;

	r = sap_fnworker_list(w->o.functions, fd, debug,
			      all ? SAP_FN_WANT_ALL : SAP_FN_WANT_EXPORTED, &w->scratch, &list,
			      &fault);
	if (r == SAP_ENOMEM) {
		if (err)
			*err = fault;
		return r;
	}
	/* A file that breaks the helper is not tried again at another path. */
	o = new_object(w, file);
	if (r < 0 && o)
		return say(w, file, SAP_OBSERVED_NOT, fault.text, err);
	r = o ? note_load_time(w, file, &list, err) : sap_err_nomem(err);
	if (r == 0)
		r = sap_watch_choose(w, file, want, &list, help, o, err);
	if (r == 0)
		r = place(w, file, want, &list, help, fd, o, err);
	sap_vec_clear(&list.v);
	sap_arena_reset(&w->scratch);
	return r;
}

/* ---- the queue ---------------------------------------------------------------------------- */

int sap_watch_enqueue(struct sap_watch *w, uint32_t file, int32_t pid, struct sap_err *err)
{
	struct sap_watch_queued *q;

	if (!w->o.policy || !w->o.functions)
		return 0;
	if (w->queue_at == w->queue.n)
		w->queue_at = w->queue.n = 0;
	q = SAP_VEC_PUSH(&w->queue, SAP_EVIDENCE_FILES_MAX);
	if (!q)
		return sap_err_nomem(err);
	*q = (struct sap_watch_queued){ file, pid };
	return 0;
}

static int share(struct sap_watch *w, struct sap_watch_object *o, uint32_t file,
		 struct sap_err *err)
{
	uint32_t from = o->files.v[0];
	size_t n = w->e->unobserved.n, n_functions = w->e->functions.n;
	int r = 0;

	for (size_t i = 0; i < o->files.n; i++)
		if (o->files.v[i] == file)
			return 0;
	copy_load_time(w, file, from);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct sap_unobserved u = w->e->unobserved.v[i];

		if (u.file == from)
			r = sap_watch_soft(
				sap_evidence_unobserved(w->e, file, u.name, u.reason, err));
	}
	/* Their places were given up at the first entry. */
	for (size_t i = 0; i < n_functions && r == 0; i++) {
		struct sap_seen_function f = w->e->functions.v[i];

		if (f.file == from)
			r = sap_watch_soft(sap_evidence_entered(w->e, file, f.offset, f.names,
								SAP_NONE, f.when, NULL, err));
	}
	if (r == 0)
		r = add_file(w, o, file, err);
	return r < 0 ? r : sap_watch_show(w, o, err);
}

static int one_file(struct sap_watch *w, uint32_t file, int32_t pid, struct sap_err *err)
{
	struct sap_watch_want want = { 0 };
	struct mapper m = { .file = file };
	struct sap_watch_object *o;
	int sap_cleanup_fd fd = open_file(w, file, pid);
	int r;

	if (fd < 0) {
		sap_watch_tasks_each(w, find_mapper, &m, err);
		if (m.pid && m.pid != pid)
			fd = open_file(w, file, m.pid);
	}
	if (fd >= 0 && !is_elf(fd))
		return 0;
	r = w->o.policy(w->o.ctx, w->e, file, &want, err);
	if (r < 0 || want.choice == SAP_WATCH_NONE)
		return r;
	if (fd < 0)
		return say(w, file, SAP_OBSERVED_NOT,
			   "it was gone, or could not be opened, before its functions were listed",
			   err);
	o = find_object(w, &w->e->files.v[file].id);
	return o ? share(w, o, file, err) : list_functions(w, file, pid, &want, fd, err);
}

int sap_watch_finish(struct sap_watch *w, struct sap_err *err)
{
	int r = sap_watch_list(w, WATCH_FINISH_MS, err);

	for (size_t i = 0; i < w->objects.n && r == 0; i++) {
		const struct sap_watch_object *o = w->objects.v[i];

		for (size_t k = 0; k < o->files.n && o->waiting && !o->n_probed && r == 0; k++)
			r = say(w, o->files.v[k], SAP_OBSERVED_NOT, too_late, err);
	}
	for (; w->queue_at < w->queue.n && r == 0; w->queue_at++)
		r = say(w, w->queue.v[w->queue_at].file, SAP_OBSERVED_NOT,
			"the watch ended before its functions were listed", err);
	return r;
}

int sap_watch_list(struct sap_watch *w, int64_t ms, struct sap_err *err)
{
	int64_t until = sap_watch_clock_ms() + ms;
	int r = 0;

	while (w->queue_at < w->queue.n && r == 0) {
		struct sap_watch_queued q = w->queue.v[w->queue_at++];

		r = sap_watch_soft(one_file(w, q.file, q.pid, err));
		if (ms && sap_watch_clock_ms() >= until)
			break;
	}
	return r;
}
