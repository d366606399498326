/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a target, rebuilt from facts: where a path leads, and who owns what.
 *
 * Pure: no file system is touched. Symbolic links are followed as the kernel follows them
 * with the target as root directory (".." at the root stays there, at most
 * SAP_SYMLINKS_MAX links). With on-demand facts (facts->whole is false) only paths with a
 * lookup record have a known answer.
 */
#ifndef SAP_MODEL_TREE_H
#define SAP_MODEL_TREE_H

#include "model/facts.h"

struct sap_tree;

/* Borrows facts, which must be finished and outlive the tree. NULL: out of memory. */
struct sap_tree *sap_tree_new(const struct sap_facts *facts);
void sap_tree_free(struct sap_tree *tree);

enum sap_tree_answer {
	SAP_TREE_UNKNOWN = 0, /* nobody looked (on-demand facts only) */
	SAP_TREE_ABSENT,
	SAP_TREE_OBJECT, /* *object is its index in facts->objects */
	SAP_TREE_OTHER,  /* a file, but no ELF object */
	SAP_TREE_DIR,
	SAP_TREE_UNREADABLE, /* nobody could look: no rights, an error, or a loop of links */
};

/* Where an absolute path leads. object may be NULL. */
enum sap_tree_answer sap_tree_lookup(struct sap_tree *tree, struct sap_str path, uint32_t *object);

/* What a path is that sap_tree_lookup calls OTHER or UNREADABLE: "not ELF", "cannot be read",
 * "empty file", "no regular file", "damaged ELF file" or "symbolic-link loop", static text. NULL
 * for all other answers. */
const char *sap_tree_why(struct sap_tree *tree, struct sap_str path);

/* The folder that an absolute path to a folder leads to, as a pool-independent text valid as
 * long as the tree; false where a link loops. Whole facts only. */
bool sap_tree_canonical_dir(struct sap_tree *tree, struct sap_str dir, struct sap_str *out);

/* The same for any path: its folder made canonical, and the last component followed as well
 * when it is a link. */
bool sap_tree_canonical(struct sap_tree *tree, struct sap_str path, struct sap_str *out);

/* Sets object->package of every object from the files of the packages, through all symbolic
 * links. facts must be the ones the tree was made from. */
int sap_tree_own(struct sap_tree *tree, struct sap_facts *facts, struct sap_err *err);

/* Notes the symbolic links that lead round in a circle, as diagnostics with the code "loop".
 * Whole facts only. */
int sap_tree_note_loops(struct sap_tree *tree, struct sap_facts *facts, struct sap_err *err);

#endif
