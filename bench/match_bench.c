/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match_bench [ADVISORIES [PACKAGES [STORE]]]: the time that it takes to open a store and to judge a
 * system by it. Makes a store of that many advisories (300,000) about 20,000 source packages,
 * each in the unstable line, a third in the release too, and 4,000 about a kernel; a system with
 * that many packages (1,000), 600 sources in a thousand, mostly up to date, without and with the
 * kernel. Prints the median and the best of 21 runs, and what was found. Judging uses as many threads
 * as it may have processors: `taskset -c 0` gives it one; processor time is that of all. Links the
 * advisory, version and model libraries, SQLite and libcbor. STORE: where to make the store and leave it; one that is there is used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "advisory/judge.h"
#include "model/tree.h"

enum { SOURCES = 20000, RUNS = 21, KERNEL = 4000 };

static struct sap_err err;
static uint64_t state = 88172645463325252ULL;

static uint32_t dice(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % n;
}

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "match_bench: %s\n", err.text);
		exit(2);
	}
}

static void complain(void *ctx, struct sap_str where, struct sap_str message)
{
	(void)ctx;
	fprintf(stderr, "%.*s: %.*s\n", SAP_FMT(where), SAP_FMT(message));
}

static void put_record(struct sap_buf *buf, unsigned i, unsigned source, unsigned *n)
{
	unsigned major = dice(22), minor = dice(20);

	sap_buf_printf(buf, "record\tCVE-20%02u-%u\tmodified=2026-01-%02u\n", i / 12000, 1000 + i,
		       1 + i % 28);
	if (source == SOURCES)
		sap_buf_printf(buf,
			       "claim\tDebian\tlinux\taffected\tintroduced=0\tfixed=6.%u.%u-1\n",
			       major, minor);
	else
		sap_buf_printf(buf,
			       "claim\tDebian\tsource%u\taffected\tintroduced=0\tfixed=%u.%u-1\n",
			       source, major, minor);
	*n += 2;
	if (i % 3)
		return;
	if (source == SOURCES)
		sap_buf_printf(buf,
			       "claim\tDebian:12\tlinux\taffected\tintroduced=0\t"
			       "fixed=6.1.%u-1\n",
			       dice(150));
	else
		sap_buf_printf(buf, "claim\tDebian:12\tsource%u\tunfixed\treason=no-dsa\n", source);
	(*n)++;
}

static void make_store(const char *path, unsigned n_advisories)
{
	struct sap_store_writer *w;
	struct sap_store_counts counts;
	struct sap_buf buf;
	unsigned n = 1;

	sap_buf_init(&buf, 64u << 20);
	must(sap_store_writer_new(path, NULL, 0, complain, NULL, &w, &err));
	must(sap_store_begin_stream(w, "bench", SAP_STR(""), &err));
	sap_buf_puts(&buf, SAP_STR(SAP_ROWS_MAGIC "\nsource\tbench\tDebian\tdate=2026-02-16\n"));
	for (unsigned i = 0; i < n_advisories; i++) {
		put_record(&buf, i, i < KERNEL ? SOURCES : dice(SOURCES), &n);
		if (buf.n > 1u << 20) {
			must(sap_store_feed(w, buf.p, buf.n, &err));
			sap_buf_reset(&buf);
		}
	}
	for (unsigned i = 0; i < n_advisories; i++, n++)
		sap_buf_printf(&buf, "epss\tCVE-20%02u-%u\t0.0%u\t0.%02u\n", i / 12000, 1000 + i,
			       1 + dice(99), dice(100));
	sap_buf_printf(&buf, "end\t%u\n", n);
	must(sap_store_feed(w, buf.p, buf.n, &err));
	must(sap_store_end_stream(w, &counts, &err));
	must(sap_store_commit(w, &err));
	sap_buf_clear(&buf);
}

static struct sap_facts *make_facts(unsigned n_packages, bool kernel)
{
	const struct sap_rec_os os = { .id = SAP_STR("debian"), .version_id = SAP_STR("12") };
	struct sap_facts *facts = sap_facts_new();

	facts->whole = true;
	facts->sink.os(&facts->sink, &os, &err);
	for (unsigned i = 0; i < n_packages; i++) {
		char name[40], source[40], version[40];
		unsigned k = i * 6 / 10;
		struct sap_rec_package rec = { .id = i + 1,
					       .type = SAP_PACKAGE_DEB,
					       .arch = SAP_STR("amd64") };

		snprintf(name, sizeof(name), "lib%u-%u", k, i);
		snprintf(source, sizeof(source), "source%u", k * 31 % SOURCES);
		snprintf(version, sizeof(version), "%u.%u-1", 20 + k % 20, k % 19);
		rec.name = sap_str_of(name);
		rec.source = kernel && i < 3 ? SAP_STR("linux") : sap_str_of(source);
		rec.version = rec.source_version =
			i < 3 ? SAP_STR("6.1.76-1") : sap_str_of(version);
		must(facts->sink.package(&facts->sink, &rec, &err));
	}
	must(sap_facts_finish(facts, &err));
	return facts;
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *path, unsigned n_packages, bool kernel)
{
	const struct sap_judge_options options = { .now = 1771286400, .max_age = 5 * 86400 };
	struct sap_facts *facts = make_facts(n_packages, kernel);
	double open_ms[RUNS], all_ms[RUNS], cpu_ms[RUNS];
	struct sap_findings *found = NULL;

	for (int i = 0; i < RUNS; i++) {
		struct sap_store *store;
		double start, cpu;

		sap_findings_free(found);
		start = now(CLOCK_MONOTONIC);
		cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		must(sap_store_open(path, &store, &err));
		open_ms[i] = now(CLOCK_MONOTONIC) - start;
		must(sap_judge(facts, store, NULL, &options, &found, &err));
		all_ms[i] = now(CLOCK_MONOTONIC) - start;
		cpu_ms[i] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		sap_store_close(store);
	}
	qsort(open_ms, RUNS, sizeof(*open_ms), by_value);
	qsort(all_ms, RUNS, sizeof(*all_ms), by_value);
	qsort(cpu_ms, RUNS, sizeof(*cpu_ms), by_value);
	printf("%u packages%s: open and judge %.1f ms (best %.1f; processor time %.1f), of that "
	       "open %.1f ms; %zu findings, %u fixed\n",
	       n_packages, kernel ? ", with a kernel" : "", all_ms[RUNS / 2], all_ms[0],
	       cpu_ms[RUNS / 2], open_ms[RUNS / 2], found->list.n,
	       found->n_status[SAP_STATUS_FIXED]);
	sap_findings_free(found);
	sap_facts_free(facts);
}

int main(int argc, char **argv)
{
	unsigned n_advisories = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 300000;
	unsigned n_packages = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
	const char *tmp = getenv("TMPDIR");
	char path[4096], lock[4200];

	snprintf(path, sizeof(path), "%s/sapper-match-bench-%d.db", tmp ? tmp : "/var/tmp",
		 (int)getpid());
	if (argc > 3)
		snprintf(path, sizeof(path), "%s", argv[3]);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	if (access(path, F_OK) != 0)
		make_store(path, n_advisories);
	measure(path, n_packages, false);
	measure(path, n_packages, true);
	if (argc <= 3) {
		unlink(path);
		unlink(lock);
	}
	return 0;
}
