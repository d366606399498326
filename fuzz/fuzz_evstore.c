/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of evidence: the input is the file. It is read; where that goes well, a watcher takes
 * it over, writes a window, prunes, and it is read again.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/evstore.h"

static char folder[64], path[128];

static void forget(const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static void remove_files(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", ".lock" };

	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		forget(suffixes[i]);
}

static void remove_folder(void)
{
	remove_files();
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
	atexit(remove_folder);
}

static bool valid(uint32_t index, size_t n, bool may_miss)
{
	return index < n || (may_miss && index == SAP_NONE);
}

/* Whatever the file said, indexes lead somewhere. */
static void check(const struct sap_evidence *e)
{
	bool ok = e->end >= e->start && e->start >= 0;

	for (size_t i = 0; i < e->files.n; i++)
		ok = ok && valid(e->files.v[i].root, e->roots.n, false);
	for (size_t i = 0; i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];
		size_t left = e->listens.n;

		ok = ok && valid(p->exe, e->files.n, true) && valid(p->root, e->roots.n, false);
		for (uint32_t at = sap_seen_free(p) ? 0 : p->listens; ok && at;
		     at = e->listens.v[at - 1].next)
			ok = at <= e->listens.n && left-- > 0;
	}
	for (size_t i = 0; i < e->uses.n; i++)
		ok = ok && (e->uses.v[i].process == SAP_NONE ||
			    (valid(e->uses.v[i].file, e->files.n, false) &&
			     valid(e->uses.v[i].process, e->processes.n, false)));
	for (size_t i = 0; i < e->functions.n; i++)
		ok = ok && valid(e->functions.v[i].file, e->files.n, false) &&
		     valid(e->functions.v[i].process, e->processes.n, true);
	for (size_t i = 0; i < e->unobserved.n; i++)
		ok = ok && valid(e->unobserved.v[i].file, e->files.n, false);
	for (size_t i = 0; i < e->opens.n; i++)
		ok = ok && valid(e->opens.v[i].root, e->roots.n, false) &&
		     valid(e->opens.v[i].process, e->processes.n, true);
	if (!ok)
		abort();
}

static struct sap_evidence *read_file(int64_t since)
{
	struct sap_evidence *e = NULL;
	struct sap_err err;
	bool found = false;

	if (sap_evstore_read(path, since, &e, &found, &err) < 0)
		return NULL;
	if (found != (e != NULL))
		abort();
	if (e)
		check(e);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_evidence *e, *own;
	struct sap_evstore *s = NULL;
	struct sap_err err;
	int fd;

	make_folder();
	remove_files();
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	e = read_file(0);
	own = sap_evidence_new();
	if (e && own && sap_evstore_open(path, &s, &err) == 0) {
		own->start = own->end = e->end;
		if (sap_evstore_begin(s, own, &err) == 0)
			(void)sap_evstore_prune(s, e->end, &err);
		sap_evstore_close(s);
		sap_evidence_free(read_file(e->end));
	}
	sap_evidence_free(own);
	sap_evidence_free(e);
	return 0;
}
