/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sapper db update`: sapper-fetch downloads, sapper-import reads, the store's writer keeps.
 *
 * Downloads lie in FILE.downloads beside the store, each until it has been taken over; what was
 * cut off is found there by the next update. Whatever fails leaves its source as it was; the
 * store is put in place once, at the end, with everything that went well.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "advisory/space.h"
#include "base/fd.h"
#include "cli/advice.h"
#include "cli/db.h"

static const char osv_storage[] = "https://storage.googleapis.com/osv-vulnerabilities";
static const char kev_address[] =
	"https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
static const char epss_address[] = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";

enum { FEEDS_MAX = 256, URL_MAX = 2048, NAME_MAX_ = 200 };

/* One thing to download: the source that it becomes, and where from. */
struct feed {
	char source[NAME_MAX_]; /* "osv/Debian" */
	char url[URL_MAX];
	char file[NAME_MAX_]; /* name of the download */
};

struct update {
	const struct db_options *o;
	struct feed *feeds;
	unsigned n;
	struct sap_store_writer *w;
	struct db_problems problems;
	char path[PATH_MAX];
	int dir; /* of the downloads */
	unsigned fetched, unchanged, failed;
};

/* ---- what to download ------------------------------------------------------------------- */

static const char *setting(const char *said, const char *variable, const char *otherwise)
{
	const char *from = said ? said : getenv(variable);

	return from && *from ? from : otherwise;
}

static int add_feed(struct update *u, const char *kind, const char *name, const char *url,
		    struct sap_err *err)
{
	struct feed *f = &u->feeds[u->n];

	for (unsigned i = 0; i < u->n; i++) {
		if (strncmp(u->feeds[i].source, kind, strlen(kind)) == 0 &&
		    strcmp(u->feeds[i].source + strlen(kind) + 1, name) == 0)
			return 0;
	}
	if (u->n == FEEDS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "more than %d sources at a time", FEEDS_MAX);
	if (snprintf(f->source, sizeof(f->source), "%s/%s", kind, name) >= (int)sizeof(f->source) ||
	    snprintf(f->url, sizeof(f->url), "%s", url) >= (int)sizeof(f->url))
		return sap_err_set(err, SAP_EUSAGE, "the name '%s' is too long", name);
	snprintf(f->file, sizeof(f->file), "%s", f->source);
	for (char *p = f->file; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *p))
			*p = '_';
	}
	u->n++;
	return 0;
}

/* The name goes into an address: what is no letter or digit is percent-encoded. */
static int add_osv(struct update *u, const char *name, struct sap_err *err)
{
	const char *base = setting(u->o->mirror, "SAPPER_OSV_MIRROR", osv_storage);
	char url[URL_MAX], encoded[3 * NAME_MAX_];
	size_t n = 0;

	if (!*name || strlen(name) >= NAME_MAX_ - 8)
		return sap_err_set(err, SAP_EUSAGE, "'%s' is no name of an ecosystem", name);
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p < 0x20 || *p == '/' || *p == 0x7f)
			return sap_err_set(err, SAP_EUSAGE, "'%s' is no name of an ecosystem",
					   name);
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", *p))
			encoded[n++] = (char)*p;
		else
			n += (size_t)snprintf(encoded + n, 4, "%%%02X", *p);
	}
	encoded[n] = '\0';
	if (snprintf(url, sizeof(url), "%s/%s/all.zip", base, encoded) >= (int)sizeof(url))
		return sap_err_set(err, SAP_EUSAGE, "the address of the mirror is too long");
	return add_feed(u, "osv", name, url, err);
}

/* OSV's name for a system. */
static const char *ecosystem_of(struct sap_str id)
{
	static const char *const names[][2] = {
		{ "debian", "Debian" },
		{ "ubuntu", "Ubuntu" },
		{ "alpine", "Alpine" },
		{ "almalinux", "AlmaLinux" },
		{ "rocky", "Rocky Linux" },
		{ "rhel", "Red Hat" },
		{ "opensuse-leap", "openSUSE" },
		{ "opensuse-tumbleweed", "openSUSE" },
		{ "sles", "SUSE" },
		{ "wolfi", "Wolfi" },
		{ "chainguard", "Chainguard" },
		{ "mageia", "Mageia" },
		{ "photon", "Photon OS" },
		{ "openEuler", "openEuler" },
		{ "azurelinux", "Azure Linux" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (sap_str_eq(id, sap_str_of(names[i][0])))
			return names[i][1];
	}
	return NULL;
}

/* ID of this host's os-release(5). It is this machine's own file, not a target's. */
static const char *host_ecosystem(void)
{
	static const char *const files[] = { "/etc/os-release", "/usr/lib/os-release" };
	const char *found = NULL;
	char line[512];

	for (size_t i = 0; i < 2 && !found; i++) {
		FILE *f = fopen(files[i], "re");

		while (f && !found && fgets(line, sizeof(line), f)) {
			struct sap_str s = sap_str_trim(sap_str_of(line));

			if (!sap_str_starts(s, SAP_STR("ID=")))
				continue;
			s = sap_str_skip(s, 3);
			if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\''))
				s = (struct sap_str){ s.p + 1, s.n - 2 };
			found = ecosystem_of(s);
		}
		if (f)
			fclose(f);
	}
	return found;
}

/* Without names: this host's system, and what the store has been given by OSV before. */
static int add_usual(struct update *u, struct sap_store *store, struct sap_err *err)
{
	const char *host = host_ecosystem();
	const struct sap_source *sources = NULL;
	char name[NAME_MAX_];
	uint32_t n = 0;
	int r = host ? add_osv(u, host, err) : 0;

	if (store)
		sources = sap_store_sources(store, &n);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (!sap_str_is(sources[i].kind, "osv") || sources[i].name.n >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", SAP_FMT(sources[i].name));
		r = add_osv(u, name, err);
	}
	return r;
}

static int choose(struct update *u, struct sap_store *store, struct sap_err *err)
{
	const char *kev = setting(u->o->kev_url, "SAPPER_KEV_URL", kev_address);
	const char *epss = setting(u->o->epss_url, "SAPPER_EPSS_URL", epss_address);
	int r = 0;

	for (int i = 0; r == 0 && i < u->o->n_args; i++)
		r = add_osv(u, u->o->args[i], err);
	if (r == 0 && u->o->n_args == 0)
		r = add_usual(u, store, err);
	if (r == 0 && strcmp(kev, "none") != 0)
		r = add_feed(u, "kev", "CISA", kev, err);
	if (r == 0 && strcmp(epss, "none") != 0)
		r = add_feed(u, "epss", "FIRST", epss, err);
	return r;
}

/* ---- one download ----------------------------------------------------------------------- */

/* What sapper-fetch said. */
struct answer {
	bool unchanged;
	char etag[600], digest[72];
	long long modified;
};

static void take_line(struct sap_str line, struct answer *out)
{
	struct sap_str word, value;
	uint64_t n;

	sap_str_cut(line, ' ', &word, &value);
	if (sap_str_is(word, "unchanged"))
		out->unchanged = true;
	else if (sap_str_is(word, "etag"))
		snprintf(out->etag, sizeof(out->etag), "%.*s", SAP_FMT(value));
	else if (sap_str_is(word, "digest"))
		snprintf(out->digest, sizeof(out->digest), "%.*s", SAP_FMT(value));
	else if (sap_str_is(word, "modified") && sap_str_u64(value, &n) && n < INT64_MAX)
		out->modified = (long long)n;
}

static int read_answer(int fd, struct answer *out, struct sap_err *err)
{
	char text[4096];
	struct sap_str rest, line;
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, text + n, sizeof(text) - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return sap_err_sys(err, errno, "cannot read from sapper-fetch");
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == sizeof(text))
			return sap_err_set(err, SAP_EFORMAT, "sapper-fetch said too much");
	}
	rest = (struct sap_str){ text, n };
	while (sap_str_line(&rest, &line))
		take_line(line, out);
	return 0;
}

/* The tag of what the store has of that source, if it has come from the same address. */
static const char *known_tag(const struct sap_store *store, const struct feed *f, char *out,
			     size_t size)
{
	uint32_t n = 0;
	const struct sap_source *sources = store ? sap_store_sources(store, &n) : NULL;
	struct sap_str kind, name;

	sap_str_cut(sap_str_of(f->source), '/', &kind, &name);
	for (uint32_t i = 0; i < n; i++) {
		if (sap_str_eq(sources[i].kind, kind) && sap_str_eq(sources[i].name, name) &&
		    sap_str_eq(sources[i].origin, sap_str_of(f->url)) && sources[i].etag.n &&
		    sources[i].etag.n < size) {
			snprintf(out, size, "%.*s", SAP_FMT(sources[i].etag));
			return out;
		}
	}
	return NULL;
}

static int fetch(const struct update *u, const struct feed *f, const char *etag, struct answer *out,
		 struct sap_err *err)
{
	const struct db_options *o = u->o;
	char timeout[16], retries[16], size[24];
	const char *argv[24] = { "sapper-fetch", "--name", f->file,      "--timeout", timeout,
				 "--retries",    retries,  "--max-size", size };
	struct helper helper;
	struct sap_err late = { 0 };
	unsigned n = 9;
	int status = 0, r, waited;

	snprintf(timeout, sizeof(timeout), "%u", o->timeout);
	snprintf(retries, sizeof(retries), "%u", o->retries);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)o->max_bytes);
	if (etag) {
		argv[n++] = "--etag";
		argv[n++] = etag;
	}
	if (o->proxy) {
		argv[n++] = "--proxy";
		argv[n++] = o->proxy;
	}
	if (o->cacert) {
		argv[n++] = "--cacert";
		argv[n++] = o->cacert;
	}
	if (!o->common.quiet && isatty(STDERR_FILENO))
		argv[n++] = "--progress";
	argv[n++] = "--";
	argv[n] = f->url;
	r = cli_helper_start("sapper-fetch", (char *const *)(uintptr_t)argv, u->dir, &helper, err);
	if (r < 0)
		return r;
	r = read_answer(helper.output, out, err);
	waited = cli_helper_wait(&helper, &status, &late);
	if (r == 0 && waited < 0) {
		*err = late;
		r = waited;
	}
	if (r == 0 && status != 0) /* it has said why, on stderr */
		r = sap_err_set(err, SAP_EIO, "%s stays as it was", f->source);
	return r;
}

/* ---- taking over ------------------------------------------------------------------------ */

static void put_time(char *out, size_t size, long long seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds <= 0 || !gmtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		out[0] = '\0';
}

/* Fields of the source row: where it came from, and as of when. */
static int put_defaults(struct sap_buf *out, const struct feed *f, const struct answer *a)
{
	char now[32], modified[32];

	put_time(now, sizeof(now), (long long)time(NULL));
	put_time(modified, sizeof(modified), a->modified);
	sap_buf_printf(out, "origin=%s\tchecked=%s", f->url, now);
	if (modified[0])
		sap_buf_printf(out, "\tdate=%s", modified);
	if (a->etag[0])
		sap_buf_printf(out, "\tetag=%s", a->etag);
	if (a->digest[0])
		sap_buf_printf(out, "\tdigest=sha256:%s", a->digest);
	return sap_buf_ok(out) ? 0 : SAP_ENOMEM;
}

static int take_over(struct update *u, const struct feed *f, const struct answer *a,
		     struct sap_err *err)
{
	struct sap_store_counts counts = { 0 };
	struct db_input input = { .name = f->source, .source = f->source, .replace = true };
	struct sap_buf defaults;
	int sap_cleanup_fd fd = openat(u->dir, f->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return sap_err_sys(err, errno, "cannot read the download of %s", f->source);
	sap_buf_init(&defaults, 65536);
	r = put_defaults(&defaults, f, a);
	if (r < 0) {
		sap_buf_clear(&defaults);
		return sap_err_nomem(err);
	}
	input.fd = fd;
	input.defaults = sap_buf_str(&defaults);
	r = db_import_input(u->w, &input, &counts, err);
	sap_buf_clear(&defaults);
	/* Taken over or of no use: either way it is not needed again. */
	(void)unlinkat(u->dir, f->file, 0);
	if (r == 0 && !u->o->common.quiet)
		cli_say("%s: %llu advisories with %llu statements", f->source,
			(unsigned long long)counts.records, (unsigned long long)counts.claims);
	return r;
}

static void update_one(struct update *u, const struct sap_store *store, const struct feed *f)
{
	struct answer answer = { 0 };
	struct sap_str kind, name;
	struct sap_err err = { 0 };
	char tag[600];
	int r = fetch(u, f, known_tag(store, f, tag, sizeof(tag)), &answer, &err);

	sap_str_cut(sap_str_of(f->source), '/', &kind, &name);
	if (r == 0 && answer.unchanged) {
		r = sap_store_checked(u->w, kind, name, (int64_t)time(NULL), &err);
		u->unchanged += r == 0;
		if (r == 0 && !u->o->common.quiet)
			cli_say("%s: unchanged", f->source);
	} else if (r == 0) {
		r = take_over(u, f, &answer, &err);
		u->fetched += r == 0;
	}
	if (r < 0) {
		u->failed++;
		cli_fail(&err);
	}
}

/* The folder of downloads; one update at a time uses it. */
static int open_downloads(struct update *u, struct sap_err *err)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s.downloads", u->path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return sap_err_sys(err, errno, "cannot make the folder %s", path);
	u->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (u->dir < 0)
		return sap_err_sys(err, errno, "cannot open the folder %s", path);
	return 0;
}

static void close_downloads(struct update *u)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s.downloads", u->path);
	sap_close_fd(&u->dir);
	(void)rmdir(path); /* stays where a download was cut off */
}

static int run(struct update *u, struct sap_err *err)
{
	struct sap_store *store = NULL;
	char base[PATH_MAX];
	int r = cli_store_path(u->o->db, u->path, sizeof(u->path), err);

	if (r == 0) {
		r = sap_store_open(u->path, &store, err);
		if (r == SAP_ENOENT && !u->o->db && cli_baseline_path(base, sizeof(base)))
			r = sap_store_open(base, &store, err);
		if (r == SAP_ENOENT)
			r = 0;
	}
	if (r == 0)
		r = choose(u, store, err);
	/* The writer's lock is held from here on: a second update waits. */
	if (r == 0)
		r = db_writer_new(u->o, &u->problems, u->path, sizeof(u->path), &u->w, err);
	if (r == 0)
		r = open_downloads(u, err);
	if (r == 0) {
		/* Another update may have brought the store forward while we waited. */
		sap_store_close(store);
		store = NULL;
		if (sap_store_open(u->path, &store, NULL) < 0)
			store = NULL;
		for (unsigned i = 0; i < u->n; i++)
			update_one(u, store, &u->feeds[i]);
		close_downloads(u);
	}
	sap_store_close(store);
	if (r == 0 && u->fetched + u->unchanged > 0) {
		r = sap_store_commit(u->w, err);
		u->w = NULL;
	}
	return r;
}

int db_update(const struct db_options *o)
{
	struct update u = { .o = o, .dir = -1 };
	struct sap_err err = { 0 };
	int r;

	u.feeds = calloc(FEEDS_MAX, sizeof(*u.feeds));
	if (!u.feeds)
		return cli_usage(&cmd_db, "out of memory");
	r = run(&u, &err);
	sap_store_abandon(u.w);
	free(u.feeds);
	if (r < 0)
		return cli_fail(&err);
	if (u.fetched + u.unchanged == 0) {
		cli_say("nothing could be had; %s is as it was", u.path);
		return STATUS_FAILURE;
	}
	return u.failed || u.problems.n ? STATUS_FOUND : STATUS_OK;
}
