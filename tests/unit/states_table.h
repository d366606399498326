/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of test_states.c: tests/decide/NAME.table hold small systems, what was seen to run,
 * and the states that follow.
 *
 * `case TEXT` starts an empty system. Then come, as lines of words:
 *   package NAME [golang=PATH]
 *   elf PATH [package=NAME] [build=HEX] [constructors=N] [rel] [linked]
 *   symlink PATH TARGET
 *   finding ID [package=NAME,NAME] [object=PATH] [functions=NAME,NAME]
 * what was seen (without any of these lines there is no evidence at all):
 *   window SECONDS; looks (nothing was live); gap FROM TO (seconds); hidden N; lost maps|hits|files N; seen N
 *   root NAME INO [container=NAME] (the host's has the inode 2)
 *   process PID NAME [unit=] [listens=TEXT:local|network] [none] [root=NAME] [ended]
 *   file NAME PATH [build=HEX] [new=HEX] [replaced|deleted|same] [root=NAME] [program]
 *        [load|noload] [probed=N] [since=SECONDS] [not=TEXT_WITH_UNDERSCORES]
 *   use PID FILE; entered FILE OFFSET PID NAME...; unobserved FILE FUNCTION REASON...
 * and questions, whose answers are the indented lines behind them:
 *   object PATH, of PACKAGE: STATE [load-time] [stale] [contradicted] [EXPOSURE PID]
 *   found ID: the same, with [function=NAME by PID], then the answer and the reason
 *   files: each file of the evidence: NAME HOW
 *
 * Every case is also computed for each beginning of what was seen: more evidence never lowers a
 * state.
 */
#ifndef SAP_TESTS_STATES_TABLE_H
#define SAP_TESTS_STATES_TABLE_H

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "decide/states.h"

enum { THINGS_MAX = 64, WORDS_MAX = 16 };
#define SECOND 1000000000LL
#define START (1795341600 * SECOND) /* 2026-11-22 10:00 UTC */

struct named {
	struct sap_str name;
	uint32_t index;
};

struct table {
	const char *file;
	unsigned line;
	struct sap_facts *facts;
	struct sap_tree *tree; /* facts are finished */
	struct sap_findings *findings;
	struct sap_str seen[THINGS_MAX]; /* lines of evidence */
	unsigned n_seen;
	struct sap_str linked[THINGS_MAX];
	unsigned n_linked;
	struct sap_str late[THINGS_MAX]; /* lines of findings */
	unsigned n_late;
	/* Of the evidence. */
	struct sap_evidence *evidence;
	struct named roots[THINGS_MAX], files[THINGS_MAX], processes[THINGS_MAX];
	unsigned n_roots, n_files, n_processes;
	struct sap_states *states;
};

static struct sap_err err;

static void fail(struct table *t, const char *what, struct sap_str word)
{
	fprintf(stderr, "%s:%u: %.*s\n", t->file, t->line, SAP_FMT(word));
	check_true(t->file, (int)t->line, what, false);
}

static uint64_t number(struct sap_str s)
{
	uint64_t n = 0;

	CHECK(sap_str_u64(s, &n));
	return n;
}

/* Takes the next KEY=VALUE or flag off *rest. */
static bool option(struct sap_str *rest, struct sap_str *key, struct sap_str *value)
{
	struct sap_str word;

	if (!sap_str_word(rest, &word))
		return false;
	sap_str_cut(word, '=', key, value);
	return true;
}

/* ---- facts ------------------------------------------------------------------------------ */

static void drop_evidence(struct table *t)
{
	sap_states_free(t->states);
	sap_evidence_free(t->evidence);
	t->states = NULL;
	t->evidence = NULL;
	t->n_roots = t->n_files = t->n_processes = 0;
}

static void drop(struct table *t)
{
	drop_evidence(t);
	sap_findings_free(t->findings);
	sap_tree_free(t->tree);
	sap_facts_free(t->facts);
	t->findings = NULL;
	t->tree = NULL;
	t->facts = NULL;
	t->n_seen = t->n_linked = t->n_late = 0;
}

static void start(struct table *t)
{
	drop(t);
	t->facts = sap_facts_new();
	t->facts->whole = true;
}

static void add_dirs(struct table *t, struct sap_str path)
{
	for (size_t i = 1; i < path.n; i++) {
		const struct sap_rec_dir rec = { .path = { path.p, i } };

		if (path.p[i] == '/')
			CHECK_OK(t->facts->sink.dir(&t->facts->sink, &rec, &err), &err);
	}
}

static size_t from_hex(struct sap_str hex, char *out)
{
	for (size_t i = 0; i < hex.n / 2; i++) {
		char digits[3] = { hex.p[2 * i], hex.p[2 * i + 1], '\0' };

		out[i] = (char)strtoul(digits, NULL, 16);
	}
	return hex.n / 2;
}

/* Packages are records whose id is the order of their line, + 1. */
static uint32_t package_key(struct table *t, struct sap_str name)
{
	for (size_t i = 0; i < t->facts->packages.n; i++) {
		if (sap_str_eq(sap_facts_str(t->facts, t->facts->packages.v[i].name), name))
			return t->facts->packages.v[i].key;
	}
	fail(t, "no such package", name);
	return 0;
}

static void add_package(struct table *t, struct sap_str rest)
{
	struct sap_rec_package rec = { .id = (uint32_t)t->facts->packages.n + 1,
				       .type = SAP_PACKAGE_DEB,
				       .version = SAP_STR("1") };
	struct sap_str key, value;

	sap_str_word(&rest, &rec.name);
	while (option(&rest, &key, &value)) {
		rec.type = SAP_PACKAGE_GOLANG;
		rec.database = value;
	}
	CHECK_OK(t->facts->sink.package(&t->facts->sink, &rec, &err), &err);
}

static void add_elf(struct table *t, struct sap_str rest)
{
	struct sap_rec_object rec = {
		.elf_class = 2, .endian = 1, .type = 3, .machine = 62, .mode = 0100755
	};
	struct sap_str key, value;
	char build_id[64];

	sap_str_word(&rest, &rec.path);
	while (option(&rest, &key, &value)) {
		if (sap_str_is(key, "package")) {
			const struct sap_rec_file file = { .package = package_key(t, value),
							   .path = rec.path };

			CHECK_OK(t->facts->sink.file(&t->facts->sink, &file, &err), &err);
		} else if (sap_str_is(key, "build")) {
			rec.build_id = (struct sap_str){ build_id, from_hex(value, build_id) };
		} else if (sap_str_is(key, "constructors")) {
			rec.n_constructors = (uint32_t)number(value);
		} else if (sap_str_is(key, "rel")) {
			rec.type = 1;
		} else if (sap_str_is(key, "linked")) {
			t->linked[t->n_linked++] = rec.path;
		} else {
			fail(t, "unknown word", key);
		}
	}
	add_dirs(t, rec.path);
	CHECK_OK(t->facts->sink.object(&t->facts->sink, &rec, &err), &err);
}

static void add_symlink(struct table *t, struct sap_str rest)
{
	struct sap_rec_symlink rec = { 0 };

	sap_str_word(&rest, &rec.path);
	sap_str_word(&rest, &rec.target);
	add_dirs(t, rec.path);
	CHECK_OK(t->facts->sink.symlink(&t->facts->sink, &rec, &err), &err);
}

static void add_finding(struct table *t, struct sap_str rest)
{
	struct sap_finding *v = SAP_VEC_PUSH(&t->findings->list, SAP_FINDINGS_MAX);
	struct sap_arena *arena = &t->findings->arena;
	struct sap_str key, value, word;

	*v = (struct sap_finding){ .status = SAP_STATUS_AFFECTED };
	v->packages = sap_arena_array(arena, WORDS_MAX, sizeof(*v->packages));
	v->objects = sap_arena_array(arena, WORDS_MAX, sizeof(*v->objects));
	v->functions = sap_arena_array(arena, WORDS_MAX, sizeof(*v->functions));
	sap_str_word(&rest, &v->id);
	while (option(&rest, &key, &value)) {
		while (value.n) {
			sap_str_cut(value, ',', &word, &value);
			if (sap_str_is(key, "object")) {
				v->objects[v->n_objects] = sap_facts_object(t->facts, word);
				CHECK(v->objects[v->n_objects++] != SAP_NONE);
			} else if (sap_str_is(key, "functions")) {
				v->functions[v->n_functions++].name = word;
			}
			for (uint32_t p = 0; p < t->facts->packages.n; p++) {
				if (sap_str_is(key, "package") &&
				    sap_str_eq(sap_facts_str(t->facts,
							     t->facts->packages.v[p].name),
					       word))
					v->packages[v->n_packages++] = p;
			}
		}
	}
}

static void finish(struct table *t)
{
	if (t->tree)
		return;
	CHECK_OK(sap_facts_finish(t->facts, &err), &err);
	t->tree = sap_tree_new(t->facts);
	CHECK_OK(sap_tree_own(t->tree, t->facts, &err), &err);
	t->findings = calloc(1, sizeof(*t->findings));
	sap_arena_init(&t->findings->arena, 0);
	t->findings->facts = t->facts;
	for (unsigned i = 0; i < t->n_late; i++)
		add_finding(t, t->late[i]);
}

/* ---- evidence --------------------------------------------------------------------------- */

static uint32_t find(struct table *t, const struct named *v, unsigned n, struct sap_str name)
{
	for (unsigned i = 0; i < n; i++) {
		if (sap_str_eq(v[i].name, name))
			return v[i].index;
	}
	fail(t, "no such name", name);
	return 0;
}

static struct sap_str keep(struct table *t, struct sap_str s)
{
	struct sap_str out = { 0 };

	CHECK(sap_evidence_text(t->evidence, s, &out));
	return out;
}

static void see_root(struct table *t, struct sap_str rest)
{
	struct named *root = &t->roots[t->n_roots++];
	struct sap_str word = { 0 }, key, value;

	sap_str_word(&rest, &root->name);
	sap_str_word(&rest, &word);
	CHECK_OK(sap_evidence_root(t->evidence, 100 + t->n_roots, 1, number(word), &root->index,
				   NULL, &err),
		 &err);
	while (option(&rest, &key, &value))
		t->evidence->roots.v[root->index].container = keep(t, value);
}

static void see_process(struct table *t, struct sap_str rest)
{
	struct named *process = &t->processes[t->n_processes++];
	struct sap_evidence *e = t->evidence;
	struct sap_str name = { 0 }, key, value, how;
	struct sap_seen_process *p;

	sap_str_word(&rest, &process->name);
	sap_str_word(&rest, &name);
	CHECK_OK(sap_evidence_process(e, (int32_t)number(process->name), 1, &process->index, NULL,
				      &err),
		 &err);
	p = &e->processes.v[process->index];
	p->comm = keep(t, name);
	while (option(&rest, &key, &value)) {
		if (sap_str_is(key, "unit")) {
			p->unit = keep(t, value);
		} else if (sap_str_is(key, "none")) {
			p->exposure = SAP_EXPOSURE_NONE;
		} else if (sap_str_is(key, "root")) {
			p->root = find(t, t->roots, t->n_roots, value);
		} else if (sap_str_is(key, "listens")) {
			how = sap_str_skip(value, value.n - 7);
			CHECK_OK(sap_evidence_listen(e, process->index, value,
						     sap_str_is(how, "network")
							     ? SAP_EXPOSURE_NETWORK
							     : SAP_EXPOSURE_LOCAL,
						     &err),
				 &err);
		} else if (sap_str_is(key, "ended")) {
			p->ended = true;
		} else {
			fail(t, "unknown word", key);
		}
	}
}

/* gone: all who mapped it ended before its probes stood; short: they stood for 2 s in all. */
enum { GONE = 1 };
#define SHORT (2 * SECOND)

static void set_file(struct table *t, struct sap_seen_file *f, struct sap_str key,
		     struct sap_str value)
{
	if (sap_str_is(key, "build"))
		f->build_id = keep(t, value);
	else if (sap_str_is(key, "new"))
		f->new_build_id = keep(t, value);
	else if (sap_str_is(key, "replaced"))
		f->stale = SAP_STALE_REPLACED;
	else if (sap_str_is(key, "deleted"))
		f->stale = SAP_STALE_DELETED;
	else if (sap_str_is(key, "same"))
		f->stale = SAP_STALE_NO;
	else if (sap_str_is(key, "program"))
		f->is_program = true;
	else if (sap_str_is(key, "load"))
		f->load_time = SAP_YES;
	else if (sap_str_is(key, "noload"))
		f->load_time = SAP_NO;
	else if (sap_str_is(key, "since"))
		f->observed_since = START + (int64_t)number(value) * SECOND;
	else if (sap_str_is(key, "gone"))
		f->watched = GONE;
	else if (sap_str_is(key, "short"))
		f->watched = SHORT;
	else if (sap_str_is(key, "not"))
		f->reason = keep(t, value);
	else if (sap_str_is(key, "probed"))
		f->n_functions = f->n_probed = (uint32_t)number(value);
	else
		fail(t, "unknown word", key);
	if (sap_str_is(key, "probed"))
		f->observed = SAP_OBSERVED_PROBED;
	if (sap_str_is(key, "not"))
		f->observed = SAP_OBSERVED_NOT;
}

/* Probes stand until the end; without other words all who map the file are there meanwhile. */
static void watch_file(const struct sap_evidence *e, struct sap_seen_file *f)
{
	if (f->observed != SAP_OBSERVED_PROBED)
		return;
	if (f->watched != GONE && f->watched != SHORT)
		f->watched = sap_evidence_stood(e, f->observed_since);
	f->watched_processes = f->watched == GONE ? 0 : f->n_processes;
}

static void see_file(struct table *t, struct sap_str rest)
{
	struct named *file = &t->files[t->n_files++];
	const struct sap_file_id id = { .dev = 1, .ino = 1000 + t->n_files, .ctime = 1 };
	struct sap_str path = { 0 }, key, value, options;
	uint32_t root = 0;

	sap_str_word(&rest, &file->name);
	sap_str_word(&rest, &path);
	options = rest;
	while (option(&options, &key, &value)) {
		if (sap_str_is(key, "root"))
			root = find(t, t->roots, t->n_roots, value);
	}
	CHECK_OK(sap_evidence_file(t->evidence, &id, root, path, &file->index, NULL, &err), &err);
	while (option(&rest, &key, &value)) {
		if (!sap_str_is(key, "root"))
			set_file(t, &t->evidence->files.v[file->index], key, value);
	}
}

static void see_entered(struct table *t, struct sap_str rest)
{
	struct sap_str file = { 0 }, offset = { 0 }, pid = { 0 };

	sap_str_word(&rest, &file);
	sap_str_word(&rest, &offset);
	sap_str_word(&rest, &pid);
	CHECK_OK(sap_evidence_entered(t->evidence, find(t, t->files, t->n_files, file),
				      number(offset), sap_str_trim(rest),
				      find(t, t->processes, t->n_processes, pid),
				      START + (int64_t)number(offset) * SECOND, NULL, &err),
		 &err);
}

static void see_number(struct table *t, struct sap_str verb, struct sap_str rest)
{
	struct sap_evidence *e = t->evidence;
	struct sap_str a = { 0 }, b = { 0 };

	sap_str_word(&rest, &a);
	sap_str_word(&rest, &b);
	if (sap_str_is(verb, "window"))
		e->end = e->start + (int64_t)number(a) * SECOND;
	else if (sap_str_is(verb, "looks"))
		e->live = false;
	else if (sap_str_is(verb, "gap"))
		CHECK_OK(sap_evidence_gap(e, START + (int64_t)number(a) * SECOND,
					  START + (int64_t)number(b) * SECOND,
					  SAP_STR("the watcher was stopped"), &err),
			 &err);
	else if (sap_str_is(verb, "hidden"))
		e->processes_hidden = number(a);
	else if (sap_str_is(verb, "seen"))
		e->processes_seen = number(a);
	else if (sap_str_is(a, "maps"))
		e->losses.maps = number(b);
	else if (sap_str_is(a, "hits"))
		e->losses.hits = number(b);
	else
		e->losses.files = number(b);
}

static void see(struct table *t, struct sap_str line)
{
	struct sap_str rest = line, verb = { 0 }, a, b, c;

	sap_str_word(&rest, &verb);
	if (sap_str_is(verb, "root")) {
		see_root(t, rest);
	} else if (sap_str_is(verb, "process")) {
		see_process(t, rest);
	} else if (sap_str_is(verb, "file")) {
		see_file(t, rest);
	} else if (sap_str_is(verb, "use")) {
		sap_str_word(&rest, &a);
		sap_str_word(&rest, &b);
		CHECK_OK(sap_evidence_use(t->evidence, find(t, t->files, t->n_files, b),
					  find(t, t->processes, t->n_processes, a), SAP_USE_PROC,
					  START, &err),
			 &err);
	} else if (sap_str_is(verb, "entered")) {
		see_entered(t, rest);
	} else if (sap_str_is(verb, "unobserved")) {
		sap_str_word(&rest, &a);
		sap_str_word(&rest, &c);
		CHECK_OK(sap_evidence_unobserved(t->evidence, find(t, t->files, t->n_files, a), c,
						 sap_str_trim(rest), &err),
			 &err);
	} else {
		see_number(t, verb, rest);
	}
}

/* States by the first n lines of what was seen. */
static void compute(struct table *t, unsigned n)
{
	bool *linked;

	finish(t);
	drop_evidence(t);
	linked = calloc(t->facts->objects.n + 1, sizeof(*linked));
	for (unsigned i = 0; i < t->n_linked; i++)
		linked[sap_facts_object(t->facts, t->linked[i])] = true;
	if (n) {
		t->evidence = sap_evidence_new();
		t->evidence->start = t->evidence->end = START;
		t->evidence->live = true;
		t->evidence->roots.v[0].dev = 1;
		t->evidence->roots.v[0].ino = 2;
	}
	for (unsigned i = 0; i < n; i++)
		see(t, t->seen[i]);
	for (size_t i = 0; t->evidence && i < t->evidence->files.n; i++)
		watch_file(t->evidence, &t->evidence->files.v[i]);
	CHECK_OK(sap_states_compute(t->facts, t->tree, linked, t->evidence, t->findings, &t->states,
				    &err),
		 &err);
	free(linked);
}

/* ---- questions -------------------------------------------------------------------------- */

static void put_state(struct table *t, struct sap_buf *out, uint8_t state, bool load_time,
		      bool stale, bool contradicted, uint8_t exposure, uint32_t process)
{
	sap_buf_printf(out, "%s%s%s%s", sap_state_name(state), load_time ? " load-time" : "",
		       stale ? " stale" : "", contradicted ? " contradicted" : "");
	if (process != SAP_NONE)
		sap_buf_printf(out, " %s %d", sap_exposure_name(exposure),
			       t->evidence->processes.v[process].pid);
}

static void put_finding(struct table *t, struct sap_buf *out, const struct sap_finding_state *f)
{
	static const char *const answers[] = { "seen", "not seen", "not observable",
					       "no evidence" };

	put_state(t, out, f->state, f->load_time_only, f->stale, false, f->exposure, f->process);
	if (f->function != SAP_NONE) {
		const struct sap_seen_function *fn = &t->evidence->functions.v[f->function];

		sap_buf_printf(out, " function=%.*s by %d", SAP_FMT(fn->names),
			       t->evidence->processes.v[fn->process].pid);
	}
	sap_buf_printf(out, "\n%s%s%.*s", answers[f->not_seen], f->reason.n ? ": " : "",
		       SAP_FMT(f->reason));
}

static bool answer(struct table *t, struct sap_str verb, struct sap_str rest, struct sap_buf *out)
{
	static const char *const hows[] = { "foreign", "joined", "old", "contradicted" };
	bool object = sap_str_is(verb, "object"), of = sap_str_is(verb, "of");
	bool found = sap_str_is(verb, "found"), files = sap_str_is(verb, "files");
	struct sap_str name = sap_str_trim(rest);

	if (!object && !of && !found && !files)
		return false;
	compute(t, t->n_seen);
	for (unsigned i = 0; files && i < t->n_files; i++)
		sap_buf_printf(out, "%.*s %s\n", SAP_FMT(t->files[i].name),
			       hows[t->states->file_how[t->files[i].index]]);
	if (object) {
		const struct sap_object_state *o =
			&t->states->objects[sap_facts_object(t->facts, name)];

		put_state(t, out, o->state, o->load_time_only, o->stale, o->contradicted,
			  o->exposure, o->process);
	}
	for (uint32_t p = 0; of && p < t->facts->packages.n; p++) {
		const struct sap_package_state *v = &t->states->packages[p];

		if (sap_str_eq(sap_facts_str(t->facts, t->facts->packages.v[p].name), name))
			put_state(t, out, v->state, v->load_time_only, v->stale, v->contradicted,
				  v->exposure, v->process);
	}
	for (size_t i = 0; found && i < t->findings->list.n; i++) {
		if (sap_str_eq(t->findings->list.v[i].id, name))
			put_finding(t, out, &t->states->findings[i]);
	}
	if (!files)
		sap_buf_putc(out, '\n');
	return true;
}

/* More evidence never lowers a state. */
static void check_monotone(struct table *t)
{
	uint8_t objects[THINGS_MAX] = { 0 }, findings[THINGS_MAX] = { 0 };

	if (!t->facts)
		return;
	for (unsigned n = 0; n <= t->n_seen; n++) {
		compute(t, n);
		for (size_t i = 0; i < t->facts->objects.n; i++) {
			CHECK(t->states->objects[i].state >= objects[i]);
			objects[i] = t->states->objects[i].state;
		}
		for (size_t i = 0; i < t->findings->list.n; i++) {
			CHECK(t->states->findings[i].state >= findings[i]);
			CHECK_INT(t->states->findings[i].state, t->findings->list.v[i].state);
			findings[i] = t->states->findings[i].state;
		}
	}
}

/* ---- tables ----------------------------------------------------------------------------- */

static bool take(struct table *t, struct sap_str verb, struct sap_str rest, struct sap_str line)
{
	static const char *const evidence[] = { "window", "looks", "gap",     "hidden",
						"lost",   "seen",  "root",    "process",
						"file",   "use",   "entered", "unobserved" };

	for (size_t i = 0; i < sizeof(evidence) / sizeof(evidence[0]); i++) {
		if (sap_str_eq(verb, sap_str_of(evidence[i])) && t->n_seen < THINGS_MAX) {
			t->seen[t->n_seen++] = line;
			return true;
		}
	}
	if (sap_str_is(verb, "package"))
		add_package(t, rest);
	else if (sap_str_is(verb, "elf"))
		add_elf(t, rest);
	else if (sap_str_is(verb, "symlink"))
		add_symlink(t, rest);
	else if (sap_str_is(verb, "finding"))
		t->late[t->n_late++] = rest;
	else
		return false;
	return true;
}

static void compare(struct table *t, struct sap_str question, unsigned line, struct sap_buf *got,
		    struct sap_buf *want)
{
	if (question.n && !sap_str_eq(sap_buf_str(got), sap_buf_str(want))) {
		fprintf(stderr, "%s:%u: %.*s\n--- got\n%.*s--- want\n%.*s", t->file, line,
			SAP_FMT(question), SAP_FMT(sap_buf_str(got)), SAP_FMT(sap_buf_str(want)));
		check_true(t->file, (int)line, "the answer", false);
	} else if (question.n) {
		CHECK(true);
	}
	sap_buf_reset(got);
	sap_buf_reset(want);
}

static void read_table(const char *file, struct sap_str text)
{
	struct table t = { .file = file };
	struct sap_str line, question = { 0 };
	struct sap_buf got, want;
	unsigned asked = 0;

	sap_buf_init(&got, SAP_MIB);
	sap_buf_init(&want, SAP_MIB);
	while (sap_str_line(&text, &line)) {
		struct sap_str rest = line, verb;
		bool indented = line.n && (line.p[0] == '\t' || line.p[0] == ' ');

		t.line++;
		if (!sap_str_word(&rest, &verb) || verb.p[0] == '#')
			continue;
		if (indented) {
			sap_buf_puts(&want, sap_str_trim(line));
			sap_buf_putc(&want, '\n');
			continue;
		}
		compare(&t, question, asked, &got, &want);
		question = (struct sap_str){ 0 };
		if (sap_str_is(verb, "case")) {
			check_monotone(&t);
			start(&t);
		} else if (!t.facts) {
			fail(&t, "before the first case", verb);
		} else if (answer(&t, verb, rest, &got)) {
			question = line;
			asked = t.line;
		} else if (!take(&t, verb, rest, line)) {
			fail(&t, "unknown word", verb);
		}
	}
	compare(&t, question, asked, &got, &want);
	check_monotone(&t);
	drop(&t);
	sap_buf_clear(&got);
	sap_buf_clear(&want);
}

static void test_tables(void)
{
	const char *tests = getenv("SAP_TESTS");
	static char text[1 << 20];
	char path[8192];
	struct dirent **entries;
	int n, tables = 0;

	if (!tests) {
		check_skip("tables", "SAP_TESTS is not set");
		return;
	}
	snprintf(path, sizeof(path), "%s/decide", tests);
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct sap_str name = sap_str_of(entries[i]->d_name);
		FILE *f = NULL;

		if (sap_str_ends(name, SAP_STR(".table"))) {
			snprintf(path, sizeof(path), "%s/decide/%s", tests, entries[i]->d_name);
			f = fopen(path, "r");
		}
		if (f) {
			read_table(entries[i]->d_name,
				   (struct sap_str){ text, fread(text, 1, sizeof(text), f) });
			fclose(f);
			tables++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	CHECK(tables >= 1);
}

#endif
