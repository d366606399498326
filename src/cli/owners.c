/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "elf/elf.h"
#include "extract/extract.h"
#include "model/tree.h"

/* What one round of questions to one root folder gave. */
struct batch {
	struct sap_facts *facts;
	struct sap_tree *tree;
	struct sap_findings *findings;
};

struct known {
	const struct sap_str *names; /* functions that findings name */
	uint32_t n_names;
	bool found; /* there is a finding */
	bool asked;
};

struct owners {
	const struct advice *advice;
	struct sap_arena arena;
	SAP_VEC(struct known) files;      /* as long as the evidence's */
	SAP_VEC(struct sap_str) packages; /* likewise */
	char problem[SAP_ERR_TEXT_MAX];
};

int owners_new(const struct advice *advice, struct owners **out, struct sap_err *err)
{
	struct owners *o = calloc(1, sizeof(*o));

	if (!o)
		return sap_err_nomem(err);
	o->advice = advice;
	sap_arena_init(&o->arena, SAP_EVIDENCE_TEXT_MAX);
	*out = o;
	return 0;
}

static void clear_batch(struct batch *b)
{
	sap_findings_free(b->findings);
	sap_tree_free(b->tree);
	sap_facts_free(b->facts);
}

void owners_free(struct owners *o)
{
	if (!o)
		return;
	sap_vec_clear(&o->files);
	sap_vec_clear(&o->packages);
	sap_arena_clear(&o->arena);
	free(o);
}

/* ---- asking ----------------------------------------------------------------------------- */

/* Two questions: which objects lie there, then who owns them. */
static int ask(const char *root, bool host, struct batch *b, uint32_t *paths, uint32_t n,
	       struct sap_err *err)
{
	const struct sap_extract_options options = { .worker = CLI_WORKER,
						     .target = root,
						     .kind = host ? "host" : "directory",
						     .flags = SAP_EXTRACT_REAP |
							      (host ? SAP_EXTRACT_HOST : 0u),
						     .threads = 1 };
	struct sap_session *session = NULL;
	int r = sap_session_new(root, &options, b->facts, &session, err);

	if (r == 0)
		r = sap_session_ask(session, SAP_PART_OS, SAP_ELF_NOTES, paths, n, err);
	for (uint32_t i = 0; r == 0 && i < b->facts->objects.n && i < n; i++)
		paths[i] = b->facts->objects.v[i].path;
	if (r == 0 && b->facts->objects.n)
		r = sap_session_ask(session, SAP_PART_OWNERS, 0, paths,
				    b->facts->objects.n < n ? (uint32_t)b->facts->objects.n : n,
				    err);
	sap_session_free(session);
	if (r < 0)
		return r;
	b->tree = sap_tree_new(b->facts);
	if (!b->tree)
		return sap_err_nomem(err);
	return sap_tree_own(b->tree, b->facts, err);
}

static int ask_paths(const struct sap_evidence *e, const char *root, const uint32_t *files,
		     uint32_t n, struct batch *b, struct sap_err *err)
{
	uint32_t *paths = malloc(n * sizeof(*paths));
	int r = 0;

	b->facts = sap_facts_new();
	if (!paths || !b->facts)
		r = sap_err_nomem(err);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		paths[i] = sap_pool_put(b->facts->pool, e->files.v[files[i]].path);
		if (paths[i] == UINT32_MAX)
			r = sap_err_nomem(err);
	}
	if (r == 0)
		r = ask(root, strcmp(root, "/") == 0, b, paths, n, err);
	free(paths);
	return r;
}

/* ---- what the findings name --------------------------------------------------------------- */

static bool counts(const struct sap_finding *f)
{
	return !f->suppression && f->status < SAP_STATUS_FIXED;
}

static bool is_about(const struct sap_finding *f, uint32_t package, uint32_t object)
{
	for (uint32_t i = 0; i < f->n_packages; i++)
		if (f->packages[i] == package)
			return true;
	for (uint32_t i = 0; i < f->n_objects; i++)
		if (f->objects[i] == object)
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

static uint32_t without_twins(struct sap_str *v, uint32_t n)
{
	uint32_t to = 0;

	if (n)
		qsort(v, n, sizeof(*v), compare_names);
	for (uint32_t i = 0; i < n; i++)
		if (to == 0 || !sap_str_eq(v[to - 1], v[i]))
			v[to++] = v[i];
	return to;
}

static int note_findings(struct owners *o, const struct batch *b, uint32_t object,
			 struct known *known, struct sap_err *err)
{
	uint32_t package = b->facts->objects.v[object].package, n = 0;
	const struct sap_finding *v = b->findings->list.v;
	struct sap_str *names;

	for (size_t i = 0; i < b->findings->list.n; i++)
		if (counts(&v[i]) && is_about(&v[i], package, object)) {
			known->found = true;
			n += v[i].n_functions;
		}
	if (n == 0)
		return 0;
	names = sap_arena_array(&o->arena, n, sizeof(*names));
	if (!names)
		return sap_err_nomem(err);
	n = 0;
	for (size_t i = 0; i < b->findings->list.n; i++)
		if (counts(&v[i]) && is_about(&v[i], package, object))
			for (uint32_t k = 0; k < v[i].n_functions; k++)
				if (!sap_arena_str(&o->arena, v[i].functions[k].name, &names[n++]))
					return sap_err_nomem(err);
	known->names = names;
	known->n_names = without_twins(names, n);
	return 0;
}

static int note_file(struct owners *o, const struct batch *b, const struct sap_evidence *e,
		     uint32_t file, struct sap_err *err)
{
	const struct sap_package *package;
	uint32_t object = SAP_NONE;
	struct sap_buf buf;
	bool ok;

	if (sap_tree_lookup(b->tree, e->files.v[file].path, &object) != SAP_TREE_OBJECT)
		return 0;
	if (b->facts->objects.v[object].package != SAP_NONE) {
		package = &b->facts->packages.v[b->facts->objects.v[object].package];
		sap_buf_init(&buf, SAP_MIB);
		sap_buf_puts(&buf, sap_facts_str(b->facts, package->name));
		sap_buf_putc(&buf, ' ');
		sap_buf_puts(&buf, sap_facts_str(b->facts, package->version));
		ok = sap_buf_ok(&buf) &&
		     sap_arena_str(&o->arena, sap_buf_str(&buf), &o->packages.v[file]);
		sap_buf_clear(&buf);
		if (!ok)
			return sap_err_nomem(err);
	}
	return b->findings ? note_findings(o, b, object, &o->files.v[file], err) : 0;
}

/* ---- by root ------------------------------------------------------------------------------ */

/* A living process in that root: its /proc/PID/root is the way in. */
static int32_t way_in(const struct sap_evidence *e, uint32_t root)
{
	for (size_t i = 0; i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (p->root == root && !p->ended && !sap_seen_free(p))
			return p->pid;
	}
	return 0;
}

static int update_root(struct owners *o, const struct sap_evidence *e, uint32_t root,
		       const uint32_t *files, uint32_t n, struct sap_err *err)
{
	struct batch b = { 0 };
	int32_t pid = root ? way_in(e, root) : 0;
	struct sap_err late = { 0 };
	char path[64] = "/";
	int r;

	if (root && !pid)
		return 0;
	if (root)
		snprintf(path, sizeof(path), "/proc/%d/root", pid);
	r = ask_paths(e, path, files, n, &b, &late);
	if (r == SAP_ENOMEM) {
		sap_err_nomem(err);
	} else if (r < 0) {
		/* It has gone, or we may not look: its files stay without an answer. */
		snprintf(o->problem, sizeof(o->problem), "%s", late.text);
		r = 0;
		n = 0;
	}
	if (r == 0 && n && o->advice)
		r = cli_advise(o->advice, b.facts, &b.findings, err);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = note_file(o, &b, e, files[i], err);
	/* Of all this only texts are kept: a watch may last for months. */
	clear_batch(&b);
	return r;
}

static int grow(struct owners *o, size_t n, struct sap_err *err)
{
	while (o->files.n < n)
		if (!SAP_VEC_PUSH(&o->files, SAP_EVIDENCE_FILES_MAX) ||
		    !SAP_VEC_PUSH(&o->packages, SAP_EVIDENCE_FILES_MAX))
			return sap_err_nomem(err);
	return 0;
}

int owners_update(struct owners *o, const struct sap_evidence *e, struct sap_err *err)
{
	uint32_t *files = malloc((e->files.n + 1) * sizeof(*files));
	int r = files ? grow(o, e->files.n, err) : sap_err_nomem(err);

	for (uint32_t root = 0; r == 0 && root < e->roots.n; root++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < e->files.n; i++) {
			if (e->files.v[i].root != root || o->files.v[i].asked)
				continue;
			o->files.v[i].asked = true;
			files[n++] = i;
		}
		if (n)
			r = update_root(o, e, root, files, n, err);
	}
	free(files);
	return r;
}

/* ---- answers ------------------------------------------------------------------------------ */

struct sap_str owners_package(const struct owners *o, uint32_t file)
{
	return file < o->packages.n ? o->packages.v[file] : (struct sap_str){ 0 };
}

const struct sap_str *owners_packages(const struct owners *o)
{
	return o->packages.v;
}

bool owners_findings(const struct owners *o, uint32_t file, const struct sap_str **names,
		     uint32_t *n)
{
	const struct known *known = file < o->files.n ? &o->files.v[file] : NULL;

	*names = known ? known->names : NULL;
	*n = known ? known->n_names : 0;
	return known && known->found;
}

const char *owners_problem(const struct owners *o)
{
	return o->problem[0] ? o->problem : NULL;
}
