/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation with workers: one is kept as long as it lives; when it dies over a file, the
 * next one goes on without that file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/vec.h"
#include "extract/child.h"
#include "extract/extract_int.h"

typedef SAP_VEC(uint32_t) id_vec;

struct sap_session {
	struct sap_extract_options options;
	struct sap_facts *facts;
	struct sap_child child;
	struct sap_buf request;
	int rootfd;
	unsigned restarts;
	unsigned bad_parts; /* databases that killed a worker: not asked for again */
	id_vec skips;       /* files that killed one, as pool ids */
	id_vec suspects;    /* of these, not yet tried alone */
	char sandbox[SAP_SANDBOX_SANDBOX_MAX];
	uint64_t peak_bytes;
	bool gave_up;
};

static unsigned thread_count(const struct sap_extract_options *options)
{
	cpu_set_t set;
	int n = 1;

	if (options->threads)
		return options->threads;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n > SAP_WORKER_THREADS_MAX ? SAP_WORKER_THREADS_MAX : (unsigned)n;
}

/* ---- requests --------------------------------------------------------------------------- */

static void put_text(struct sap_buf *buf, struct sap_str s)
{
	uint32_t n = (uint32_t)s.n;

	sap_buf_put(buf, &n, sizeof(n));
	sap_buf_puts(buf, s);
}

/* The order of the skips on the wire is the order of their texts. */
static int compare_ids(const void *a, const void *b, void *facts)
{
	return sap_str_cmp(sap_facts_str(facts, *(const uint32_t *)a),
			   sap_facts_str(facts, *(const uint32_t *)b));
}

static int write_request(struct sap_session *s, unsigned parts, unsigned want,
			 const uint32_t *paths, uint32_t n_paths, bool with_skips,
			 struct sap_err *err)
{
	struct sap_buf *buf = &s->request;
	struct sap_request_head head = {
		.parts = parts & ~s->bad_parts,
		.want = want,
		.flags = s->options.flags,
		.threads = thread_count(&s->options),
		.n_paths = n_paths,
		.n_skips = with_skips ? (uint32_t)s->skips.n : 0,
		.first_package = (uint32_t)s->facts->packages.n + 1,
	};

	if (s->skips.n > 1)
		qsort_r(s->skips.v, s->skips.n, sizeof(*s->skips.v), compare_ids, s->facts);
	sap_buf_reset(buf);
	sap_buf_put(buf, &head, sizeof(head));
	put_text(buf, sap_str_of(s->options.target));
	put_text(buf, sap_str_of(s->options.kind));
	for (uint32_t i = 0; i < n_paths; i++)
		put_text(buf, sap_facts_str(s->facts, paths[i]));
	for (uint32_t i = 0; i < head.n_skips; i++)
		put_text(buf, sap_facts_str(s->facts, s->skips.v[i]));
	if (!sap_buf_ok(buf))
		return sap_err_nomem(err);
	head.bytes = buf->n - sizeof(head);
	memcpy(buf->p, &head, sizeof(head));
	return 0;
}

/* ---- when a worker dies ----------------------------------------------------------------- */

static bool add_id(id_vec *v, struct sap_facts *facts, struct sap_str path)
{
	uint32_t id = sap_pool_put(facts->pool, path), *at;

	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i] == id)
			return true;
	}
	at = id == UINT32_MAX ? NULL : SAP_VEC_PUSH(v, 10000);
	if (!at)
		return false;
	*at = id;
	return true;
}

/* The file that a slot says was being read. The page may hold anything by now. */
static bool slot_path(const struct sap_progress_slot *slot, char *out, size_t cap)
{
	char dir[sizeof(slot->dir)], name[sizeof(slot->name)];
	int n;

	memcpy(dir, slot->dir, sizeof(dir));
	memcpy(name, slot->name, sizeof(name));
	dir[sizeof(dir) - 1] = '\0';
	name[sizeof(name) - 1] = '\0';
	if (dir[0] != '/' || name[0] == '\0')
		return false;
	n = snprintf(out, cap, "%s%s%s", dir, dir[1] ? "/" : "", name);
	return n > 0 && (size_t)n < cap;
}

static const struct {
	unsigned part;
	const char *what;
} part_names[] = {
	{ SAP_PART_OS, "the identity of the system" },
	{ SAP_PART_PACKAGES, "the package databases" },
	{ SAP_PART_OWNERS, "the package databases" },
	{ SAP_PART_LOADER, "the configuration of the dynamic loader" },
	{ SAP_PART_MODULES, "nsswitch.conf and pam.d" },
	{ SAP_PART_SERVICES, "the services" },
};

static int note_part(struct sap_session *s, unsigned part, const char *how, struct sap_err *err)
{
	for (size_t i = 0; i < sizeof(part_names) / sizeof(part_names[0]); i++) {
		if (part_names[i].part == part)
			return sap_sink_note(&s->facts->sink, SAP_STR("/"), 0,
					     sap_code_name(SAP_EWORKER), err,
					     "reading %s failed, they are left out: the worker was "
					     "%s",
					     part_names[i].what, how);
	}
	return 0;
}

/* What the dead worker was reading is left out from now on. *found: something was blamed. */
static int blame(struct sap_session *s, const char *how, bool *found, struct sap_err *err)
{
	char path[SAP_PATH_MAX + 256];
	int r = 0;

	*found = false;
	for (unsigned i = 0; r == 0 && i < SAP_WORKER_THREADS_MAX; i++) {
		struct sap_progress_slot *slot = &s->child.progress->slots[i];
		unsigned part = atomic_load(&slot->part);

		if (atomic_load(&slot->reading) && slot_path(slot, path, sizeof(path))) {
			if (!add_id(&s->skips, s->facts, sap_str_of(path)) ||
			    !add_id(&s->suspects, s->facts, sap_str_of(path)))
				r = sap_err_nomem(err);
			*found = true;
		} else if (part && !(part & s->bad_parts)) {
			s->bad_parts |= part;
			r = note_part(s, part, how, err);
			*found = true;
		}
	}
	return r;
}

static void end_child(struct sap_session *s, struct sap_child_end *end)
{
	sap_child_stop(&s->child, end);
	if (end->peak_bytes > s->peak_bytes)
		s->peak_bytes = end->peak_bytes;
}

/* ---- asking ----------------------------------------------------------------------------- */

static int talk(struct sap_session *s, struct sap_err *err)
{
	int r = 0;

	if (s->child.pid == 0)
		r = sap_child_start(&s->child, s->options.worker, s->rootfd, s->facts, err);
	if (r == 0)
		r = sap_child_send(&s->child, &s->request, err);
	if (r == 0)
		r = sap_child_receive(&s->child, &s->options, err);
	if (r == 0) {
		memcpy(s->sandbox, s->child.progress->sandbox, sizeof(s->sandbox));
		s->sandbox[sizeof(s->sandbox) - 1] = '\0';
	}
	return r;
}

static int give_up(struct sap_session *s, const char *how, struct sap_err *err)
{
	s->gave_up = true;
	s->facts->truncated = true;
	return sap_sink_note(&s->facts->sink, SAP_STR("/"), 0, sap_code_name(SAP_EWORKER), err,
			     "the target was not read to its end: the worker was %s, and what it "
			     "was reading is not known",
			     how);
}

/* One request, with as many workers as it takes. */
static int ask(struct sap_session *s, unsigned parts, unsigned want, const uint32_t *paths,
	       uint32_t n_paths, struct sap_err *err)
{
	struct sap_facts_mark mark = sap_facts_mark(s->facts);
	struct sap_child_end end;
	unsigned unexplained = 0;
	bool found;
	int r;

	for (;;) {
		r = write_request(s, parts, want, paths, n_paths, true, err);
		if (r == 0)
			r = talk(s, err);
		if (r != SAP_EWORKER)
			return r;
		s->restarts++;
		end_child(s, &end);
		/* The last attempt's facts are kept; every other's are made anew. */
		if (s->restarts >= SAP_WORKER_RESTARTS_MAX || unexplained >= 2) {
			sap_child_clear(&s->child);
			return give_up(s, end.text, err);
		}
		sap_facts_rollback(s->facts, &mark);
		r = blame(s, end.text, &found, err);
		sap_child_clear(&s->child);
		if (r < 0)
			return r;
		unexplained += !found;
		mark = sap_facts_mark(s->facts); /* with the diagnostics about databases */
	}
}

/* Files that were being read when a worker died, one by one: several threads were at work,
 * and most of these files are innocent. */
static int ask_suspects(struct sap_session *s, unsigned want, struct sap_err *err)
{
	bool whole = s->facts->whole;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->suspects.n && !s->gave_up; i++) {
		struct sap_facts_mark mark = sap_facts_mark(s->facts);
		struct sap_child_end end;

		r = write_request(s, whole ? SAP_PART_LANGUAGES : 0, want, &s->suspects.v[i], 1,
				  false, err);
		if (r == 0)
			r = talk(s, err);
		s->facts->whole = whole; /* the new worker was not asked for a walk */
		if (r != SAP_EWORKER) {
			if (whole)
				s->facts->lookups.n = mark.lookups;
			continue;
		}
		s->restarts++;
		end_child(s, &end);
		sap_child_clear(&s->child);
		sap_facts_rollback(s->facts, &mark);
		s->facts->stats.unreadable++;
		r = sap_sink_note(&s->facts->sink, sap_facts_str(s->facts, s->suspects.v[i]), 0,
				  sap_code_name(SAP_EWORKER), err,
				  "reading this file failed, it is left out: the worker was %s",
				  end.text);
	}
	s->suspects.n = 0;
	return r;
}

int sap_session_ask(struct sap_session *s, unsigned parts, unsigned want, const uint32_t *paths,
		    uint32_t n_paths, struct sap_err *err)
{
	int r = ask(s, parts, want, paths, n_paths, err);

	if (r == 0)
		r = ask_suspects(s, want, err);
	return r < 0 ? r : sap_facts_finish(s->facts, err);
}

int sap_session_new(const char *root, const struct sap_extract_options *options,
		    struct sap_facts *facts, struct sap_session **out, struct sap_err *err)
{
	struct sap_session *s = calloc(1, sizeof(*s));

	if (!s)
		return sap_err_nomem(err);
	s->options = *options;
	s->facts = facts;
	s->child = (struct sap_child){ .request_fd = -1, .facts_fd = -1 };
	sap_buf_init(&s->request, SAP_GIB);
	s->rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->rootfd < 0) {
		int saved = errno;

		sap_session_free(s);
		return sap_err_sys(err, saved, "cannot open %s", root);
	}
	*out = s;
	return 0;
}

void sap_session_free(struct sap_session *s)
{
	if (!s)
		return;
	if (s->options.flags & SAP_EXTRACT_REAP)
		sap_child_stop(&s->child, NULL);
	sap_child_clear(&s->child);
	sap_buf_clear(&s->request);
	sap_close_fd(&s->rootfd);
	sap_vec_clear(&s->skips);
	sap_vec_clear(&s->suspects);
	free(s);
}

static void make_report(struct sap_session *s, struct sap_extract_report *report)
{
	struct sap_child_end end = { 0 };

	end_child(s, &end);
	if (!report)
		return;
	memcpy(report->sandbox, s->sandbox, sizeof(report->sandbox));
	report->restarts = s->restarts;
	report->worker_peak_bytes = s->peak_bytes;
}

int sap_extract_whole(const char *root, const struct sap_extract_options *options,
		      struct sap_facts **out, struct sap_extract_report *report,
		      struct sap_err *err)
{
	const unsigned parts = SAP_PART_OS | SAP_PART_PACKAGES | SAP_PART_LOADER |
			       SAP_PART_MODULES | SAP_PART_SERVICES | SAP_PART_WALK;
	const unsigned want =
		SAP_ELF_ALL & ~(options->flags & SAP_EXTRACT_SYMBOLS ? 0u : SAP_ELF_SYMBOLS);
	struct sap_facts *facts = sap_facts_new();
	struct sap_session *session = NULL;
	int r;

	if (!facts)
		return sap_err_nomem(err);
	r = sap_session_new(root, options, facts, &session, err);
	if (r == 0)
		r = sap_session_ask(session, parts, want, NULL, 0, err);
	if (r == 0)
		make_report(session, report);
	sap_session_free(session);
	if (r < 0) {
		sap_facts_free(facts);
		return r;
	}
	*out = facts;
	return 0;
}
