/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the catalog: small trees in a temporary folder, read through the real input;
 * and one text in every damaged form.
 */
#ifndef SAP_TESTS_CATALOG_TREE_H
#define SAP_TESTS_CATALOG_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog_sink.h"
#include "check.h"

struct tree {
	char root[64];
	struct text_sink sink;
	unsigned flags; /* enum sap_input_flags */
	bool without_files;
};

static inline void tree_init(struct tree *tree)
{
	*tree = (struct tree){ .root = "/tmp/sap-catalog-XXXXXX" };
	CHECK(mkdtemp(tree->root) != NULL);
	text_sink_init(&tree->sink);
	tree->sink.with_relations = true;
}

static inline int tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_clear(struct tree *tree)
{
	nftw(tree->root, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
	text_sink_clear(&tree->sink);
}

/* ROOT/path, its folders made. */
static inline const char *tree_path(const struct tree *tree, const char *path)
{
	static char full[4096];

	snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	for (char *p = full + strlen(tree->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		CHECK(mkdir(full, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	return full;
}

/* Modification time: 1000000000. */
static inline void tree_bytes(const struct tree *tree, const char *path, struct sap_str bytes)
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	sap_cleanup_fd int fd = open(tree_path(tree, path), O_CREAT | O_WRONLY | O_TRUNC, 0644);

	CHECK(fd >= 0 && sap_fd_write_all(fd, bytes.p, bytes.n, NULL) == 0);
	CHECK(futimens(fd, times) == 0);
}

static inline void tree_write(const struct tree *tree, const char *path, const char *text)
{
	tree_bytes(tree, path, sap_str_of(text));
}

static inline void tree_link(const struct tree *tree, const char *path, const char *target)
{
	CHECK(symlink(target, tree_path(tree, path)) == 0);
}

typedef int tree_reader(struct sap_catalog *catalog, struct sap_err *err);

/* What one reader says of the tree, as lines of catalog_sink.h. */
static inline struct sap_str tree_read(struct tree *tree, tree_reader *reader)
{
	struct sap_input *input = NULL;
	struct sap_catalog catalog = { .sink = &tree->sink.sink,
				       .next_id = 1,
				       .without_files = tree->without_files };
	struct sap_err err = { 0 };

	text_sink_reset(&tree->sink);
	if (CHECK_OK(sap_input_open(tree->root, tree->flags, &input, &err), &err)) {
		catalog.input = input;
		CHECK_OK(reader(&catalog, &err), &err);
		sap_input_free(input);
	}
	return sap_buf_str(&tree->sink.out);
}

#define TREE_CHECK(tree, reader, want) CHECK_STR(tree_read((tree), (reader)), (want))

/* Whether the last answer has that text in it. */
static inline bool tree_said(const struct tree *tree, const char *text)
{
	struct sap_str all = sap_buf_str(&tree->sink.out);

	return memmem(all.p, all.n, text, strlen(text)) != NULL;
}

/* The settings of databases of the last answer, as lines "key value file". */
#define TREE_DATABASES(tree, want) CHECK_STR(sap_buf_str(&(tree)->sink.databases), (want))

/* One of the ways to put something else in the place of a file. */
enum tree_thing { TREE_FIFO, TREE_SOCKET, TREE_DIR, TREE_DANGLING, TREE_LOOP, TREE_THINGS };

static inline void tree_make(const struct tree *tree, const char *path, enum tree_thing thing)
{
	const char *full = tree_path(tree, path);

	switch (thing) {
	case TREE_FIFO:
		CHECK_INT(mkfifo(full, 0644), 0);
		break;
	case TREE_SOCKET:
		CHECK_INT(mknod(full, S_IFSOCK | 0644, 0), 0);
		break;
	case TREE_DIR:
		CHECK_INT(mkdir(full, 0755), 0);
		break;
	case TREE_DANGLING:
		CHECK_INT(symlink("/nowhere", full), 0);
		break;
	default:
		CHECK_INT(symlink(strrchr(full, '/') + 1, full), 0);
		break;
	}
}

/* With anything else in its place, a database is there, cannot be read, and is said once. */
static inline void check_things(const char *path, tree_reader *reader, const char *want)
{
	for (int thing = 0; thing < TREE_THINGS; thing++) {
		struct tree tree;

		tree_init(&tree);
		tree_make(&tree, path, (enum tree_thing)thing);
		tree_read(&tree, reader);
		TREE_DATABASES(&tree, want);
		CHECK_INT(tree.sink.diagnostics, 1);
		tree_clear(&tree);
	}
}

/* A reader, run by somebody who may not look into the folder of that path (mode 0). */
static inline bool tree_read_denied(struct tree *tree, const char *path, tree_reader *reader)
{
	bool root = geteuid() == 0;
	char full[4096];

	snprintf(full, sizeof(full), "%s", tree_path(tree, path));
	CHECK_INT(chmod(tree->root, 0755), 0);
	CHECK_INT(chmod(full, 0), 0);
	if (root && seteuid(65534) < 0) {
		check_skip("denied", "no other user can be had");
		return false;
	}
	tree_read(tree, reader);
	CHECK(!root || seteuid(0) == 0);
	CHECK_INT(chmod(full, 0755), 0);
	return true;
}

typedef int damage_parser(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err);

/* Every beginning of the text and every bit flipped, each in memory of exactly its size: the
 * parser must succeed, with diagnostics or without. */
static inline void check_damage(const char *text, damage_parser *parser)
{
	size_t n = strlen(text);
	struct text_sink sink;
	unsigned failed = 0;

	text_sink_init(&sink);
	sink.mute = true;
	for (size_t i = 0; i <= n + 8 * n; i++) {
		struct sap_catalog catalog = { .sink = &sink.sink, .next_id = 1 };
		size_t len = i <= n ? i : n;
		unsigned char *copy = malloc(len ? len : 1);

		if (!copy)
			break;
		memcpy(copy, text, len);
		if (i > n)
			copy[(i - n - 1) / 8] ^= (unsigned char)(1u << (i - n - 1) % 8);
		if (parser(&catalog, sap_span_of(copy, len), NULL) < 0)
			failed++;
		free(copy);
	}
	CHECK_INT(failed, 0);
	text_sink_clear(&sink);
}

#endif
