/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper-fetch: one file by HTTPS into one folder. Run by `sapper db update`; by hand it is a
 * careful downloader. It may write into that folder and nowhere else.
 *
 * usage: sapper-fetch [OPTIONS] --name NAME URL      the folder is descriptor 3, or --dir DIR
 *
 * Prints to its standard output, a line each: unchanged or fetched; "etag TAG", "modified
 * SECONDS", "digest HEX", "bytes N", "resumed N". Exit status: 0 done, 2 it could not be had (said
 * on stderr).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "fetch/fetch.h"
#include "sandbox/writes.h"

enum { DONE = 0, FAILED = 2, INPUT = 3 };

static const char help[] =
	"usage: sapper-fetch [OPTIONS] --name NAME URL\n"
	"\n"
	"Fetches one file by HTTPS; it goes on with what an earlier transfer left, and the\n"
	"file is there whole or not at all. It can write into the one folder only.\n"
	"\n"
	"      --dir DIR          the folder (default: the open descriptor 3)\n"
	"      --name NAME        of the file in the folder\n"
	"      --etag TAG         fetch only what has changed since\n"
	"      --proxy URL        (default: https_proxy; empty: none)\n"
	"      --cacert FILE      certificates to trust instead of the system's\n"
	"      --max-size BYTES   (default: 4 GiB)\n"
	"      --timeout SECONDS  without progress (default: 30)\n"
	"      --retries N        after the first try (default: 4)\n"
	"      --progress         numbers on stderr\n";

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "name", required_argument, NULL, 'n' },
	{ "etag", required_argument, NULL, 'e' },
	{ "proxy", required_argument, NULL, 'p' },
	{ "cacert", required_argument, NULL, 'c' },
	{ "max-size", required_argument, NULL, 'm' },
	{ "timeout", required_argument, NULL, 't' },
	{ "retries", required_argument, NULL, 'r' },
	{ "progress", no_argument, NULL, 'P' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Nothing that a server says may steer the terminal. */
static void put_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c >= 0x7f)
			fprintf(stderr, "\\x%02x", c);
		else
			fputc(c, stderr);
	}
}

static int fail(const char *text)
{
	fputs("sapper-fetch: ", stderr);
	put_text(text);
	fputc('\n', stderr);
	return FAILED;
}

static void say_progress(void *ctx, uint64_t received, uint64_t total)
{
	uint64_t *last = ctx;

	if (received / 1048576 == *last)
		return;
	*last = received / 1048576;
	if (total)
		fprintf(stderr, "\r%llu of %llu MiB ... ", (unsigned long long)*last,
			(unsigned long long)(total / 1048576));
	else
		fprintf(stderr, "\r%llu MiB ... ", (unsigned long long)*last);
}

static void say_waiting(void *ctx, unsigned seconds, const char *why)
{
	(void)ctx;
	fputs("sapper-fetch: ", stderr);
	put_text(why);
	fprintf(stderr, "; again in %u s\n", seconds);
}

static bool number(const char *text, uint64_t max, uint64_t *out)
{
	return sap_str_u64(sap_str_of(text), out) && *out <= max;
}

/* -1: go on. */
static int parse(int argc, char **argv, struct sap_fetch_request *q, const char **dir)
{
	static uint64_t shown;
	uint64_t n;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			*dir = optarg;
			break;
		case 'n':
			q->name = optarg;
			break;
		case 'e':
			q->etag = optarg;
			break;
		case 'p':
			q->proxy = optarg;
			break;
		case 'c':
			q->cacert = optarg;
			break;
		case 'm':
			if (!number(optarg, INT64_MAX, &q->max_bytes))
				return fail("--max-size is a number of bytes");
			break;
		case 't':
			if (!number(optarg, 86400, &n) || n == 0)
				return fail("--timeout is a number of seconds");
			q->timeout = (unsigned)n;
			break;
		case 'r':
			if (!number(optarg, 100, &n))
				return fail("--retries is a number up to 100");
			q->retries = (unsigned)n;
			break;
		case 'P':
			q->progress = say_progress;
			q->waiting = say_waiting;
			q->ctx = &shown;
			break;
		case 'h':
			fputs(help, stdout);
			return DONE;
		default:
			return FAILED; /* getopt has said it */
		}
	}
	if (argc - optind != 1 || !q->name) {
		fputs(help, stderr);
		return FAILED;
	}
	q->url = argv[optind];
	return -1;
}

static void print_result(const struct sap_fetch_result *result)
{
	puts(result->unchanged ? "unchanged" : "fetched");
	if (result->etag[0])
		printf("etag %s\n", result->etag);
	if (result->modified)
		printf("modified %lld\n", (long long)result->modified);
	if (!result->unchanged)
		printf("digest %s\nbytes %llu\nresumed %llu\n", result->digest,
		       (unsigned long long)result->bytes, (unsigned long long)result->resumed);
}

/* Signals whose calls shall fail instead: a connection that is gone, a file that is too large. */
static void ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* Run by sapper: not without it, or the next update would find this transfer still running. */
static int become_helper(void)
{
	struct stat st;

	if (fstat(INPUT, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail("there is no folder: say --dir");
	if (close_range(INPUT + 1, ~0u, 0) < 0 && errno != ENOSYS)
		return fail("cannot close what was open");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail("cannot tie itself to its parent");
	return -1;
}

int main(int argc, char **argv)
{
	struct sap_fetch_request q = {
		.dir = INPUT,
		.max_bytes = 4ULL << 30,
		.timeout = 30,
		.retries = 4,
	};
	struct sap_fetch_result result = { 0 };
	struct sap_err err = { 0 };
	const char *dir = NULL;
	const pid_t parent = getppid();
	int r = parse(argc, argv, &q, &dir);

	if (r >= 0)
		return r;
	if (dir) {
		q.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (q.dir < 0) {
			sap_err_sys(&err, errno, "cannot open the folder %s", dir);
			return fail(err.text);
		}
	} else {
		r = become_helper();
		if (r >= 0)
			return r;
		if (getppid() != parent) /* it ended before it was asked to tell */
			return fail("sapper is gone");
	}
	ignore_signals();
	r = sap_sandbox_writes(q.dir, &err);
	if (r == 0)
		r = sap_fetch_init(&err);
	if (r == 0)
		r = sap_fetch(&q, &result, &err);
	if (q.progress && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (r < 0)
		return fail(err.text);
	print_result(&result);
	return fflush(stdout) == 0 ? DONE : fail("cannot write the result");
}
