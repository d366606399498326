/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: an input that begins with '#' is a stream of rows for a writer, what it makes is
 * read and exported; any other is a file that a reader opens.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "advisory/store.h"
#include "base/limits.h"

static char folder[64], path[128], lock[160];

static void remove_folder(void)
{
	unlink(path);
	unlink(lock);
	rmdir(folder);
}

static void make_folder(void)
{
	if (folder[0])
		return;
	snprintf(folder, sizeof(folder), "/dev/shm/sapper-fuzz-XXXXXX");
	if (!mkdtemp(folder)) {
		snprintf(folder, sizeof(folder), "/tmp/sapper-fuzz-XXXXXX");
		if (!mkdtemp(folder))
			abort();
	}
	snprintf(path, sizeof(path), "%s/db", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	atexit(remove_folder);
}

static int swallow(void *ctx, struct sap_str lines, struct sap_err *err)
{
	(void)ctx;
	(void)lines;
	(void)err;
	return 0;
}

/* Every reading call. */
static void read_all(void)
{
	static const char *const spaces[] = { "debian:12", "debian:13", "pypi", "almalinux:9" };
	static const char *const packages[] = { "xz-utils", "a", "foo" };
	struct sap_vulnerability v;
	struct sap_functions f = { 0 };
	struct sap_names_list names = { 0 };
	struct sap_known_object o;
	struct sap_claims claims = { 0 };
	struct sap_store *store;
	struct sap_arena arena;
	struct sap_rows rows;
	struct sap_err err;
	bool found;

	if (sap_store_open(path, &store, &err) < 0)
		return;
	sap_arena_init(&arena, 0);
	for (unsigned i = 0; i < 12; i++)
		(void)sap_store_claims(store, sap_str_of(spaces[i % 4]),
				       sap_str_of(packages[i / 4]), &arena, &claims, &err);
	for (size_t i = 0; i < claims.n; i++)
		if (!claims.v[i].advisory->id.p || claims.v[i].advisory->withdrawn.n > 0)
			abort();
	(void)sap_store_vulnerability(store, SAP_STR("CVE-2024-3094"), &arena, &v, &found, &err);
	(void)sap_store_functions(store, SAP_STR("CVE-2024-3094"), &arena, &f, &err);
	(void)sap_store_names(store, SAP_STR("X-1"), &arena, &names, &err);
	(void)sap_store_object(store, SAP_STR("00ffaa"), &arena, &o, &found, &err);
	sap_rows_init(&rows, swallow, NULL);
	(void)sap_store_export(store, SAP_STR(""), &rows, &err);
	sap_rows_clear(&rows);
	free(claims.v);
	free(f.v);
	free(names.v);
	sap_store_close(store);
	sap_arena_clear(&arena);
}

static void write_rows(const uint8_t *data, size_t size)
{
	struct sap_store_writer *w;
	struct sap_err err;
	int r;

	unlink(path);
	if (sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err) < 0)
		abort();
	/* Two streams, the second as the first: a drop or a merge. */
	for (int i = 0; i < 2; i++) {
		size_t half = size / 2;

		if (sap_store_begin_stream(w, "x", SAP_STR("checked=1"), &err) < 0)
			abort();
		r = sap_store_feed(w, data, half, &err);
		if (r == 0)
			r = sap_store_feed(w, data + half, size - half, &err);
		if (r == 0)
			r = sap_store_end_stream(w, NULL, &err);
		if (r < 0 && sap_store_drop_stream(w, &err) < 0)
			abort();
	}
	if (sap_store_commit(w, &err) < 0)
		abort();
	read_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	make_folder();
	if (size > 0 && data[0] == '#') {
		write_rows(data, size);
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	read_all();
	return 0;
}
