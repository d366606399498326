/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sapper db update`: sapper-fetch downloads, sapper-import reads, the store's writer keeps.
 *
 * Downloads lie in FILE.downloads beside the store, each until the store that has it is in its
 * place: what was cut off, or was not taken over, is found there by the next update. Whatever
 * fails leaves its source as it was; the store is put in place once, at the end, with everything
 * that went well.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

enum { FEEDS_MAX = 256, URL_MAX = 2048, NAME_MAX_ = 200, OPEN_TRIES = 16 };

/* One thing to download: the source that it becomes, and where from. */
struct feed {
	char source[NAME_MAX_]; /* "osv/Debian" */
	char url[URL_MAX];
	char file[NAME_MAX_]; /* name of the download */
	bool spent;           /* once the store is in its place, the download is not needed */
};

struct update {
	const struct db_options *o;
	struct feed feeds[FEEDS_MAX];
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
	if (strncasecmp(url, "https://", 8) != 0)
		return sap_err_set(err, SAP_EUSAGE,
				   "'%s' is no https address; nothing else is fetched", url);
	if (u->n == FEEDS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "more than %d sources at a time", FEEDS_MAX);
	if (snprintf(f->source, sizeof(f->source), "%s/%s", kind, name) >= (int)sizeof(f->source) ||
	    snprintf(f->url, sizeof(f->url), "%s", url) >= (int)sizeof(f->url))
		return sap_err_set(err, SAP_EUSAGE, "the name '%s' is too long", name);
	memcpy(f->file, f->source, sizeof(f->file)); /* of one size */
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
	size_t n = 0, slash = strlen(base);

	while (slash > 0 && base[slash - 1] == '/')
		slash--;
	if (!*name || *name == '.' || strlen(name) >= NAME_MAX_ - 8)
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
	if (snprintf(url, sizeof(url), "%.*s/%s/all.zip", (int)slash, base, encoded) >=
	    (int)sizeof(url))
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

/* Without names: this host's system, and what has been downloaded before. */
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
		if (!sap_str_is(sources[i].kind, "osv") || sources[i].name.n >= sizeof(name) ||
		    !sap_str_starts(sources[i].origin, SAP_STR("https://")))
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

/* A field of a row; a tag may have a backslash. */
static void put_field(struct sap_buf *out, const char *key, const char *value)
{
	sap_buf_printf(out, "%s%s=", out->n ? "\t" : "", key);
	for (; *value; value++) {
		if (*value == '\\')
			sap_buf_putc(out, '\\');
		sap_buf_putc(out, *value);
	}
}

/* Fields of the source row: where it came from, and as of when. */
static int put_defaults(struct sap_buf *out, const struct feed *f, const struct answer *a)
{
	char now[32], modified[32], digest[96];

	put_time(now, sizeof(now), (long long)time(NULL));
	put_time(modified, sizeof(modified), a->modified);
	put_field(out, "origin", f->url);
	put_field(out, "checked", now);
	if (modified[0])
		put_field(out, "date", modified);
	if (a->etag[0])
		put_field(out, "etag", a->etag);
	snprintf(digest, sizeof(digest), "sha256:%s", a->digest);
	put_field(out, "digest", digest);
	return sap_buf_ok(out) ? 0 : SAP_ENOMEM;
}

/* sapper-fetch keeps the tag of what it brought beside it. */
static void drop_download(const struct update *u, const struct feed *f)
{
	char tag[NAME_MAX_ + 8];

	snprintf(tag, sizeof(tag), "%s.tag", f->file);
	(void)unlinkat(u->dir, tag, 0);
	(void)unlinkat(u->dir, f->file, 0);
}

static int take_over(struct update *u, struct feed *f, const struct answer *a, struct sap_err *err)
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
	f->spent = r == 0;
	if (r == SAP_EFORMAT || r == SAP_ELIMIT)
		drop_download(u, f); /* of no use to the next update either */
	if (r == 0 && !u->o->common.quiet)
		cli_say("%s: %llu advisories with %llu statements", f->source,
			(unsigned long long)counts.records, (unsigned long long)counts.claims);
	return r;
}

static void update_one(struct update *u, const struct sap_store *store, struct feed *f)
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
		f->spent = true;
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

/* 1: the folder is open and ours alone; 0: an update that ended just now has removed it. */
static int try_open_downloads(struct update *u, const char *path, struct sap_err *err)
{
	int sap_cleanup_fd fd = -1;
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return sap_err_sys(err, errno, "cannot make the folder %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot open the folder %s", path);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return sap_err_sys(err, errno, "cannot lock the folder %s", path);
	}
	if (fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at the folder %s", path);
	if (st.st_nlink == 0)
		return 0;
	/* Others could exchange a download after it was verified. */
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return sap_err_set(err, SAP_EIO,
				   "others can write to the folder %s; remedy: remove it, and "
				   "update again",
				   path);
	u->dir = sap_steal_fd(&fd);
	return 1;
}

/* One update at a time uses it. The store's lock goes with the commit, before it is tidied up:
 * it has a lock of its own. */
static int open_downloads(struct update *u, struct sap_err *err)
{
	char path[PATH_MAX + 16];
	int r = 0;

	snprintf(path, sizeof(path), "%s.downloads", u->path);
	for (int i = 0; r == 0 && i < OPEN_TRIES; i++)
		r = try_open_downloads(u, path, err);
	if (r == 0)
		return sap_err_set(err, SAP_EIO, "%s is always being removed", path);
	return r < 0 ? r : 0;
}

static void close_downloads(struct update *u, bool committed)
{
	char path[PATH_MAX + 16];

	if (u->dir < 0)
		return;
	for (unsigned i = 0; committed && i < u->n; i++) {
		if (u->feeds[i].spent)
			drop_download(u, &u->feeds[i]);
	}
	snprintf(path, sizeof(path), "%s.downloads", u->path);
	(void)rmdir(path); /* stays where a download was cut off */
	sap_close_fd(&u->dir);
}

static int run(struct update *u, struct sap_err *err)
{
	struct sap_store *store = NULL;
	char base[PATH_MAX];
	bool committed = false;
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
	}
	sap_store_close(store);
	if (r == 0 && u->fetched + u->unchanged > 0) {
		r = sap_store_commit(u->w, err);
		u->w = NULL;
		committed = r == 0;
	}
	close_downloads(u, committed);
	return r;
}

int db_update(const struct db_options *o)
{
	struct update *u sap_cleanup_free = calloc(1, sizeof(*u));
	struct sap_err err = { 0 };
	int r;

	if (!u) {
		sap_err_nomem(&err);
		return cli_fail(&err);
	}
	u->o = o;
	u->dir = -1;
	r = run(u, &err);
	sap_store_abandon(u->w);
	if (r < 0)
		return cli_fail(&err);
	if (u->fetched + u->unchanged == 0) {
		cli_say("nothing could be had; %s is as it was", u->path);
		return STATUS_FAILURE;
	}
	return u->failed || u->problems.n ? STATUS_FOUND : STATUS_OK;
}
