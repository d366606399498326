/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

enum node_kind { NODE_NONE = 0, NODE_OBJECT, NODE_OTHER, NODE_DIR, NODE_SYMLINK, NODE_LOOKUP };

/* What a pool id, read as a canonical path, stands for. */
struct node {
	uint32_t kind : 3;
	uint32_t index : 29; /* in the facts' array of that kind */
};

struct sap_tree {
	const struct sap_facts *facts;
	struct node *nodes; /* by pool id */
	uint32_t n_nodes;
	struct sap_pool *names; /* folders asked for, and their canonical forms */
	SAP_VEC(uint32_t)
	memo;                /* by names id: names id of the canonical folder + 1; 0: not
			      * known; or MEMO_... */
	struct sap_buf path; /* work space of resolve() */
	struct sap_buf rest;
	struct sap_buf spare;
	struct sap_buf joined;
	bool unread; /* the last path worked on leads through something that cannot be read */
};

/* Ends without a folder; from the first of them on no number is one of a folder. */
enum { MEMO_UNREADABLE = UINT32_MAX - 2, MEMO_ABSENT = UINT32_MAX - 1, MEMO_LOOP = UINT32_MAX };
enum { MEMO_UNREAD = 1u << 31 }; /* beside a number: tree->unread */
enum { INDEX_MAX = (1 << 29) - 1, WORK_MAX = 4 * 1024 * 1024 };

static void set_node(struct sap_tree *tree, uint32_t id, enum node_kind kind, size_t index)
{
	/* A path that comes twice under different kinds keeps its first: objects win. */
	if (id < tree->n_nodes && tree->nodes[id].kind == NODE_NONE && index <= INDEX_MAX)
		tree->nodes[id] = (struct node){ kind, (uint32_t)index & INDEX_MAX };
}

static void fill_nodes(struct sap_tree *tree)
{
	const struct sap_facts *facts = tree->facts;

	/* On demand only questions have answers: an object's own path is one of them. */
	for (size_t i = 0; i < facts->objects.n; i++)
		set_node(tree, facts->objects.v[i].path, NODE_OBJECT, i);
	for (size_t i = 0; i < facts->symlinks.n; i++)
		set_node(tree, facts->symlinks.v[i].path, NODE_SYMLINK, i);
	/* A folder that was read only in part comes as a folder as well. */
	for (size_t i = 0; i < facts->others.n; i++) {
		if (facts->others.v[i].reason == SAP_OTHER_UNREADABLE)
			set_node(tree, facts->others.v[i].path, NODE_OTHER, i);
	}
	for (size_t i = 0; i < facts->dirs.n; i++)
		set_node(tree, facts->dirs.v[i], NODE_DIR, i);
	for (size_t i = 0; i < facts->others.n; i++)
		set_node(tree, facts->others.v[i].path, NODE_OTHER, i);
	for (size_t i = 0; !facts->whole && i < facts->lookups.n; i++)
		set_node(tree, facts->lookups.v[i].path, NODE_LOOKUP, i);
}

struct sap_tree *sap_tree_new(const struct sap_facts *facts)
{
	struct sap_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	tree->facts = facts;
	tree->n_nodes = sap_pool_count(facts->pool);
	tree->nodes = calloc(tree->n_nodes, sizeof(*tree->nodes));
	tree->names = sap_pool_new();
	sap_buf_init(&tree->path, WORK_MAX);
	sap_buf_init(&tree->rest, WORK_MAX);
	sap_buf_init(&tree->spare, WORK_MAX);
	sap_buf_init(&tree->joined, WORK_MAX);
	if (!tree->nodes || !tree->names) {
		sap_tree_free(tree);
		return NULL;
	}
	fill_nodes(tree);
	return tree;
}

void sap_tree_free(struct sap_tree *tree)
{
	if (!tree)
		return;
	free(tree->nodes);
	sap_pool_free(tree->names);
	sap_vec_clear(&tree->memo);
	sap_buf_clear(&tree->path);
	sap_buf_clear(&tree->rest);
	sap_buf_clear(&tree->spare);
	sap_buf_clear(&tree->joined);
	free(tree);
}

static struct node node_at(const struct sap_tree *tree, struct sap_str path)
{
	uint32_t id = sap_pool_find(tree->facts->pool, path);

	return id < tree->n_nodes ? tree->nodes[id] : (struct node){ NODE_NONE, 0 };
}

/* ---- following a path ------------------------------------------------------------------- */

enum resolved { RESOLVED, RESOLVED_ABSENT, RESOLVED_UNREADABLE, RESOLVED_LOOP, RESOLVED_NOMEM };

static bool is_unread(const struct sap_tree *tree, struct node node)
{
	return node.kind == NODE_OTHER &&
	       tree->facts->others.v[node.index].reason == SAP_OTHER_UNREADABLE;
}

/* Drops the last component of the path worked on; at the root it stays. */
static void go_up(struct sap_buf *path)
{
	while (path->n && path->p[path->n - 1] != '/')
		path->n--;
	if (path->n)
		path->n--;
}

/* Puts a link's target in front of what is left to walk. */
static bool follow(struct sap_tree *tree, struct sap_str target, struct sap_str left)
{
	struct sap_buf swap;

	sap_buf_reset(&tree->spare);
	sap_buf_puts(&tree->spare, target);
	sap_buf_putc(&tree->spare, '/');
	sap_buf_puts(&tree->spare, left);
	if (!sap_buf_ok(&tree->spare))
		return false;
	swap = tree->rest;
	tree->rest = tree->spare;
	tree->spare = swap;
	if (target.n && target.p[0] == '/')
		tree->path.n = 0;
	return true;
}

/*
 * Walks an absolute path; the canonical one is in tree->path afterwards ("" is the root).
 * A component that is no link and no known folder ends the walk as absent, unless it is the
 * last: what it is then is for the caller to look up. Beneath a folder that cannot be read
 * nothing is known to be absent: tree->unread.
 */
static enum resolved resolve(struct sap_tree *tree, struct sap_str path)
{
	unsigned links = 0;
	size_t at = 0;

	tree->unread = false;
	sap_buf_reset(&tree->path);
	sap_buf_reset(&tree->rest);
	sap_buf_puts(&tree->rest, path);
	while (at < tree->rest.n) {
		struct sap_str left = sap_str_skip(sap_buf_str(&tree->rest), at);
		struct sap_str name;
		struct node node;
		size_t parent;

		sap_str_cut(left, '/', &name, &left);
		at = tree->rest.n - left.n;
		if (name.n == 0 || sap_str_is(name, "."))
			continue;
		if (sap_str_is(name, "..")) {
			go_up(&tree->path);
			continue;
		}
		parent = tree->path.n;
		sap_buf_putc(&tree->path, '/');
		sap_buf_puts(&tree->path, name);
		if (!sap_buf_ok(&tree->path) || !sap_buf_ok(&tree->rest))
			return RESOLVED_NOMEM;
		node = node_at(tree, sap_buf_str(&tree->path));
		tree->unread |= is_unread(tree, node);
		if (node.kind == NODE_SYMLINK) {
			const struct sap_symlink *link = &tree->facts->symlinks.v[node.index];

			if (++links > SAP_SYMLINKS_MAX)
				return RESOLVED_LOOP;
			tree->path.n = parent;
			if (!follow(tree, sap_facts_str(tree->facts, link->target), left))
				return RESOLVED_NOMEM;
			at = 0;
		} else if (node.kind != NODE_DIR && left.n && !is_unread(tree, node)) {
			return tree->unread ? RESOLVED_UNREADABLE : RESOLVED_ABSENT;
		}
	}
	return RESOLVED;
}

static uint32_t *memo_of(struct sap_tree *tree, uint32_t id)
{
	while (tree->memo.n <= id) {
		if (!SAP_VEC_PUSH(&tree->memo, UINT32_MAX))
			return NULL;
	}
	return &tree->memo.v[id];
}

/* What a memo says. */
static uint32_t recall(struct sap_tree *tree, uint32_t memo)
{
	if (memo >= MEMO_UNREADABLE)
		return memo;
	tree->unread = memo & MEMO_UNREAD;
	return (memo & ~(uint32_t)MEMO_UNREAD) - 1;
}

/* The names id of the canonical form of a folder, with tree->unread; or MEMO_... */
static uint32_t canonical_dir(struct sap_tree *tree, struct sap_str dir)
{
	uint32_t id = sap_pool_put(tree->names, dir), to;
	uint32_t *memo = id == UINT32_MAX ? NULL : memo_of(tree, id);
	enum resolved how;

	if (!memo)
		return MEMO_ABSENT;
	if (*memo)
		return recall(tree, *memo);
	how = resolve(tree, dir);
	if (how == RESOLVED) {
		to = sap_pool_put(tree->names, sap_buf_str(&tree->path));
		*memo = to >= MEMO_UNREAD - 1 ? MEMO_ABSENT : to + 1;
		if (tree->unread && *memo != MEMO_ABSENT)
			*memo |= MEMO_UNREAD;
	} else if (how == RESOLVED_UNREADABLE) {
		*memo = MEMO_UNREADABLE;
	} else {
		*memo = how == RESOLVED_LOOP ? MEMO_LOOP : MEMO_ABSENT;
	}
	return recall(tree, *memo);
}

bool sap_tree_canonical_dir(struct sap_tree *tree, struct sap_str dir, struct sap_str *out)
{
	uint32_t id = canonical_dir(tree, dir);

	if (id >= MEMO_UNREADABLE)
		return false;
	*out = sap_pool_str(tree->names, id);
	if (out->n == 0)
		*out = SAP_STR("/");
	return true;
}

/* The folder of path made canonical and its last name behind it, in tree->joined. False
 * where the folder is not there, or the last name is one that resolve() must see. */
static bool join(struct sap_tree *tree, struct sap_str path)
{
	struct sap_str base = sap_path_base(path);
	uint32_t dir;

	if (base.n == 0 || sap_str_is(base, ".") || sap_str_is(base, ".."))
		return false;
	dir = canonical_dir(tree, sap_path_dir(path));
	if (dir >= MEMO_UNREADABLE)
		return false;
	sap_buf_reset(&tree->joined);
	sap_buf_puts(&tree->joined, sap_pool_str(tree->names, dir));
	sap_buf_putc(&tree->joined, '/');
	sap_buf_puts(&tree->joined, base);
	return sap_buf_ok(&tree->joined);
}

static enum resolved canonical(struct sap_tree *tree, struct sap_str path, struct sap_str *out)
{
	enum resolved how;

	if (join(tree, path)) {
		*out = sap_buf_str(&tree->joined);
		if (node_at(tree, *out).kind != NODE_SYMLINK)
			return RESOLVED;
	}
	how = resolve(tree, path);
	if (how == RESOLVED)
		*out = tree->path.n ? sap_buf_str(&tree->path) : SAP_STR("/");
	return how;
}

bool sap_tree_canonical(struct sap_tree *tree, struct sap_str path, struct sap_str *out)
{
	struct sap_str found;
	uint32_t id;

	if (canonical(tree, path, &found) != RESOLVED)
		return false;
	id = sap_pool_put(tree->names, found);
	if (id == UINT32_MAX)
		return false;
	*out = sap_pool_str(tree->names, id);
	return true;
}

/* Why there is no object, by the reason of an `other` record. */
static const char *const reasons[SAP_OTHER_REASONS] = {
	[SAP_OTHER_NOT_ELF] = "not ELF",          [SAP_OTHER_UNREADABLE] = "cannot be read",
	[SAP_OTHER_EMPTY] = "empty file",         [SAP_OTHER_NO_FILE] = "no regular file",
	[SAP_OTHER_DAMAGED] = "damaged ELF file", [SAP_OTHER_LOOP] = "symbolic-link loop",
};

static enum sap_tree_answer answer_other(uint32_t reason, const char **why)
{
	*why = reasons[reason < SAP_OTHER_REASONS ? reason : SAP_OTHER_NOT_ELF];
	return reason == SAP_OTHER_UNREADABLE || reason == SAP_OTHER_LOOP ? SAP_TREE_UNREADABLE
									  : SAP_TREE_OTHER;
}

static enum sap_tree_answer answer_of(const struct sap_tree *tree, struct node node,
				      uint32_t *object, const char **why)
{
	switch (node.kind) {
	case NODE_OBJECT:
		if (object)
			*object = node.index;
		return SAP_TREE_OBJECT;
	case NODE_OTHER:
		return answer_other(tree->facts->others.v[node.index].reason, why);
	case NODE_DIR:
		return SAP_TREE_DIR;
	default:
		return tree->facts->whole ? SAP_TREE_ABSENT : SAP_TREE_UNKNOWN;
	}
}

static enum sap_tree_answer answer_lookup(const struct sap_tree *tree,
					  const struct sap_lookup *lookup, uint32_t *object,
					  const char **why)
{
	struct node node = { NODE_NONE, 0 };

	if (lookup->canonical && lookup->canonical < tree->n_nodes)
		node = tree->nodes[lookup->canonical];
	switch (lookup->result) {
	case SAP_LOOKUP_OBJECT:
		/* Without a record of either kind: it was left out, since it killed a worker. */
		if (node.kind == NODE_OBJECT || node.kind == NODE_OTHER)
			return answer_of(tree, node, object, why);
		return answer_other(SAP_OTHER_UNREADABLE, why);
	case SAP_LOOKUP_OTHER:
		if (node.kind == NODE_OTHER)
			return answer_of(tree, node, object, why);
		return answer_other(SAP_OTHER_NOT_ELF, why);
	case SAP_LOOKUP_UNREADABLE:
		if (node.kind == NODE_OTHER)
			return answer_of(tree, node, object, why);
		return answer_other(SAP_OTHER_UNREADABLE, why);
	case SAP_LOOKUP_DIR:
		return SAP_TREE_DIR;
	default:
		return SAP_TREE_ABSENT;
	}
}

static enum sap_tree_answer look(struct sap_tree *tree, struct sap_str path, uint32_t *object,
				 const char **why)
{
	struct node node = node_at(tree, path);
	enum sap_tree_answer answer;
	struct sap_str found;

	if (node.kind == NODE_LOOKUP)
		return answer_lookup(tree, &tree->facts->lookups.v[node.index], object, why);
	if (node.kind != NODE_NONE && node.kind != NODE_SYMLINK)
		return answer_of(tree, node, object, why);
	if (!tree->facts->whole)
		return SAP_TREE_UNKNOWN;
	switch (canonical(tree, path, &found)) {
	case RESOLVED:
		break;
	case RESOLVED_LOOP:
		return answer_other(SAP_OTHER_LOOP, why);
	case RESOLVED_UNREADABLE:
		return answer_other(SAP_OTHER_UNREADABLE, why);
	default:
		return SAP_TREE_ABSENT;
	}
	if (found.n == 1)
		return SAP_TREE_DIR;
	answer = answer_of(tree, node_at(tree, found), object, why);
	if (answer == SAP_TREE_ABSENT && tree->unread)
		return answer_other(SAP_OTHER_UNREADABLE, why);
	return answer;
}

enum sap_tree_answer sap_tree_lookup(struct sap_tree *tree, struct sap_str path, uint32_t *object)
{
	const char *why;

	return look(tree, path, object, &why);
}

const char *sap_tree_why(struct sap_tree *tree, struct sap_str path)
{
	const char *why = NULL;

	look(tree, path, NULL, &why);
	return why;
}

/* ---- ownership -------------------------------------------------------------------------- */

static void own(struct sap_facts *facts, struct node node, uint32_t package)
{
	if (node.kind == NODE_OBJECT && facts->objects.v[node.index].package == SAP_NONE)
		facts->objects.v[node.index].package = package;
}

/* Files by the path that the database gives, its folder made canonical; then, for what is
 * left, through links that a package owns. */
static void own_by_path(struct sap_tree *tree, struct sap_facts *facts, bool through_links)
{
	uint32_t none = 0;

	for (size_t i = 0; through_links && i < facts->objects.n; i++)
		none += facts->objects.v[i].package == SAP_NONE;
	if (through_links && none == 0)
		return;
	for (size_t i = 0; i < facts->files.n; i++) {
		const struct sap_file *file = &facts->files.v[i];
		struct sap_str path = sap_facts_str(facts, file->path), found;
		struct node node = { NODE_NONE, 0 };

		if (file->path < tree->n_nodes)
			node = tree->nodes[file->path];
		if (node.kind == NODE_NONE && join(tree, path))
			node = node_at(tree, sap_buf_str(&tree->joined));
		if (through_links && node.kind == NODE_SYMLINK &&
		    canonical(tree, path, &found) == RESOLVED)
			node = node_at(tree, found);
		own(facts, node, file->package);
	}
}

static int compare_links(const void *a, const void *b, void *arg)
{
	const struct sap_facts *facts = arg;
	const struct sap_object *x = &facts->objects.v[*(const uint32_t *)a];
	const struct sap_object *y = &facts->objects.v[*(const uint32_t *)b];

	if (x->link_id != y->link_id)
		return x->link_id < y->link_id ? -1 : 1;
	return (x->package > y->package) - (x->package < y->package); /* SAP_NONE last */
}

/* A further name of a file that is owned under another. */
static int own_by_hard_link(struct sap_facts *facts, struct sap_err *err)
{
	SAP_VEC(uint32_t) linked = { 0 };
	uint32_t package = SAP_NONE;
	uint64_t id = 0;

	for (uint32_t i = 0; i < facts->objects.n; i++) {
		uint32_t *at;

		if (!facts->objects.v[i].link_id)
			continue;
		at = SAP_VEC_PUSH(&linked, SAP_OBJECTS_MAX);
		if (!at) {
			sap_vec_clear(&linked);
			return sap_err_nomem(err);
		}
		*at = i;
	}
	if (linked.n > 1)
		qsort_r(linked.v, linked.n, sizeof(*linked.v), compare_links, facts);
	for (size_t i = 0; i < linked.n; i++) {
		struct sap_object *o = &facts->objects.v[linked.v[i]];

		if (o->link_id != id) {
			id = o->link_id;
			package = o->package;
		} else if (o->package == SAP_NONE) {
			o->package = package;
		}
	}
	sap_vec_clear(&linked);
	return 0;
}

/* dpkg's own copies of a package's maintainer scripts, some of which are programs: they come and
 * go with the package, though no list names them. */
static void own_control_files(struct sap_facts *facts)
{
	const struct sap_str info = SAP_STR("/var/lib/dpkg/info/");

	for (size_t i = 0; i < facts->objects.n; i++) {
		struct sap_str name = sap_facts_str(facts, facts->objects.v[i].path), rest;

		if (facts->objects.v[i].package != SAP_NONE || !sap_str_starts(name, info))
			continue;
		sap_str_cut(sap_str_skip(name, info.n), '.', &name, &rest);
		sap_str_cut(name, ':', &name, &rest);
		for (uint32_t p = 0; p < facts->packages.n; p++) {
			if (facts->packages.v[p].type == SAP_PACKAGE_DEB &&
			    sap_str_eq(sap_facts_str(facts, facts->packages.v[p].name), name))
				facts->objects.v[i].package = p;
		}
	}
}

int sap_tree_own(struct sap_tree *tree, struct sap_facts *facts, struct sap_err *err)
{
	own_by_path(tree, facts, false);
	own_by_path(tree, facts, true);
	own_control_files(facts);
	return own_by_hard_link(facts, err);
}

int sap_tree_note_loops(struct sap_tree *tree, struct sap_facts *facts, struct sap_err *err)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < facts->symlinks.n; i++) {
		struct sap_str path = sap_facts_str(facts, facts->symlinks.v[i].path);

		if (resolve(tree, path) != RESOLVED_LOOP)
			continue;
		any = true;
		r = sap_sink_note(&facts->sink, path, 0, "loop", err,
				  "a symbolic link that leads back to itself");
	}
	return r == 0 && any ? sap_facts_finish(facts, err) : r;
}
