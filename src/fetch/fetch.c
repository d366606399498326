/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "fetch/fetch_int.h"

enum { PAUSE_MAX = 60, RETRY_AFTER_MAX = 120, REDIRECTS_MAX = 5, CONNECT_MAX = 60 };

/* What Content-Range says: "bytes first-last/total". */
struct range {
	uint64_t first, last, total;
};

/* One try: the state that libcurl's callbacks share. */
struct transfer {
	const struct sap_fetch_request *request;
	struct sap_fetch_part *part;
	struct sap_fetch_result *result;
	CURL *curl;
	uint64_t asked_from; /* offset of the Range that was asked for; 0: from the start */
	bool asked_kept;     /* If-None-Match has the tag of what came whole before */
	bool asked_have;     /* it has the tag of the request */
	struct range range;  /* of the answer; total 0: it has none, or a bad one */
	uint64_t length;     /* Content-Length of the answer */
	bool has_length, chunked;
	uint64_t expected;       /* bytes of the file; 0: unknown */
	uint64_t received;       /* bytes of the file that are there */
	uint64_t header_bytes;   /* of all answers */
	bool started;            /* the first byte of a good answer has come */
	bool refused;            /* the first byte of another answer has come */
	bool stalled, too_large; /* why it was ended */
	bool again;              /* err may be better next time */
	bool unconditional;      /* a 304 made no sense: no conditions any more */
	struct sap_err err;      /* of a callback */
	/* When something came last, and the present time over which the rate is taken. */
	uint64_t seen_bytes, window_bytes;
	int64_t seen_ms, window_ms;
};

int sap_fetch_init(struct sap_err *err)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : sap_err_nomem(err);
}

/* ---- callbacks -------------------------------------------------------------------------- */

static long answer_of(CURL *curl)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool take_field(struct sap_str line, struct sap_str name, struct sap_str *value)
{
	if (line.n <= name.n || strncasecmp(line.p, name.p, name.n) != 0)
		return false;
	*value = sap_str_trim(sap_str_skip(line, name.n));
	return true;
}

/* A range whose total the server does not know is as good as none. */
static struct range read_range(struct sap_str value)
{
	static const struct range none = { 0 };
	struct sap_str first, last, total, rest;
	struct range r;

	if (!sap_str_starts(value, SAP_STR("bytes ")))
		return none;
	sap_str_cut(sap_str_trim(sap_str_skip(value, 6)), '-', &first, &rest);
	sap_str_cut(rest, '/', &last, &total);
	if (!sap_str_u64(first, &r.first) || !sap_str_u64(last, &r.last) ||
	    !sap_str_u64(total, &r.total) || r.first > r.last || r.last >= r.total)
		return none;
	return r;
}

/* libcurl takes "1e5" for 1, and of two lengths the last. */
static bool take_length(struct transfer *t, struct sap_str value)
{
	uint64_t n;

	if (!sap_str_u64(value, &n) || (t->has_length && n != t->length)) {
		t->again = true;
		sap_err_set(&t->err, SAP_EIO, "%s: the server sends a length that is none",
			    t->request->url);
		return false;
	}
	t->length = n;
	t->has_length = true;
	return true;
}

static bool ends_chunked(struct sap_str value)
{
	static const char word[] = "chunked";
	const size_t n = sizeof(word) - 1;

	return value.n >= n && strncasecmp(value.p + value.n - n, word, n) == 0;
}

/* The entity tag, the length, which part it is. Each answer begins anew: redirects have headers too. */
static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct sap_str line = { p, size * n }, value;

	t->header_bytes += line.n;
	if (t->header_bytes > SAP_FETCH_HEADERS_MAX) {
		sap_err_set(&t->err, SAP_ELIMIT, "%s: the server sends headers without end",
			    t->request->url);
		return 0;
	}
	if (t->started) /* trailers */
		return line.n;
	if (take_field(line, SAP_STR("HTTP/"), &value)) {
		t->result->etag[0] = '\0';
		t->range = (struct range){ 0 };
		t->has_length = false;
		t->chunked = value.n > 0 && value.p[0] >= '2'; /* by frames, which is as good */
	} else if (take_field(line, SAP_STR("content-length:"), &value)) {
		return take_length(t, value) ? line.n : 0;
	} else if (take_field(line, SAP_STR("transfer-encoding:"), &value)) {
		t->chunked = t->chunked || ends_chunked(value);
	} else if (take_field(line, SAP_STR("etag:"), &value)) {
		if (value.n <= SAP_FETCH_TAG_MAX && sap_fetch_tag_ok(value)) {
			memcpy(t->result->etag, value.p, value.n);
			t->result->etag[value.n] = '\0';
		}
	} else if (take_field(line, SAP_STR("content-range:"), &value)) {
		t->range = read_range(value);
	}
	return line.n;
}

/* Throws away what is there and says why; the next try asks for all of it. */
static int begin_anew(struct transfer *t, const char *why)
{
	int r = sap_fetch_part_restart(t->part, &t->err);

	if (r < 0)
		return r;
	t->again = true;
	return sap_err_set(&t->err, SAP_EIO, "%s: %s", t->request->url, why);
}

/* At the first byte of the body: does it go on where we stopped, or is it the whole file? */
static int start_body(struct transfer *t)
{
	const struct range *range = &t->range;

	t->started = true;
	/* TLS could tell, but libcurl takes the end of TCP for the end of the file. */
	if (!t->has_length && !t->chunked)
		return sap_err_set(&t->err, SAP_EUNSUPPORTED,
				   "%s: the server does not say how long the file is, so that one "
				   "cut off would look whole",
				   t->request->url);
	if (answer_of(t->curl) != 206) {
		t->received = 0;
		return sap_fetch_part_begin(t->part, t->result->etag, &t->err);
	}
	if (t->asked_from == 0 || range->total == 0 || range->first != t->asked_from)
		return begin_anew(t, "the server sent another part than asked");
	/* Servers that do not know If-Range send the rest of another file. */
	if (strcmp(t->result->etag, t->part->tag) != 0)
		return begin_anew(t, "the server's file has changed in between");
	t->expected = range->total;
	t->too_large = range->total > t->request->max_bytes;
	t->result->resumed = t->received;
	return t->too_large ? SAP_ELIMIT : 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t length = size * n;
	long status = answer_of(t->curl);

	if (status != 200 && status != 206) {
		t->refused = true; /* nobody needs the text of an error */
		return 0;
	}
	if (!t->started && start_body(t) < 0)
		return 0;
	if (t->expected && length > t->expected - t->received) {
		begin_anew(t, "the server sent more than it said");
		return 0;
	}
	if (length > t->request->max_bytes - t->received) {
		t->too_large = true;
		return 0;
	}
	if (sap_fd_write_all(t->part->fd, p, length, &t->err) < 0) {
		sap_err_wrap(&t->err, "%s", t->part->part);
		return 0;
	}
	t->received += length;
	return length;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* libcurl's own limit of the rate looks at the last seconds on average, and is not exact. */
static bool is_stalled(struct transfer *t)
{
	const int64_t timeout = (int64_t)t->request->timeout * 1000, now = now_ms();
	const uint64_t bytes = t->header_bytes + t->received;

	if (bytes != t->seen_bytes) {
		t->seen_bytes = bytes;
		t->seen_ms = now;
	}
	if (now - t->seen_ms >= timeout)
		return true;
	if (now - t->window_ms < timeout)
		return false;
	if (bytes - t->window_bytes < (uint64_t)t->request->timeout * SAP_FETCH_RATE_MIN)
		return true;
	t->window_bytes = bytes;
	t->window_ms = now;
	return false;
}

static int take_progress(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total,
			 curl_off_t up_now)
{
	struct transfer *t = ctx;
	uint64_t from = t->result->resumed;

	(void)up_total;
	(void)up_now;
	(void)now;
	if (t->request->progress)
		t->request->progress(t->request->ctx, t->received,
				     total > 0 ? from + (uint64_t)total : 0);
	t->stalled = is_stalled(t);
	return t->stalled;
}

/* ---- one try ---------------------------------------------------------------------------- */

/* libcurl's setters fail for want of memory only, or where this build lacks the option. */
#define SET(curl, option, value) ok = ok && curl_easy_setopt((curl), (option), (value)) == CURLE_OK

static bool set_up(struct transfer *t, struct curl_slist *headers, char *message)
{
	const struct sap_fetch_request *q = t->request;
	long timeout = (long)q->timeout;
	bool ok = true;

	SET(t->curl, CURLOPT_URL, q->url);
	SET(t->curl, CURLOPT_PROTOCOLS_STR, "https");
	SET(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	SET(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
	SET(t->curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	SET(t->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(t->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(t->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(t->curl, CURLOPT_USERAGENT, "sapper/" SAP_VERSION);
	SET(t->curl, CURLOPT_NOSIGNAL, 1L);
	SET(t->curl, CURLOPT_CONNECTTIMEOUT, timeout < CONNECT_MAX ? timeout : (long)CONNECT_MAX);
	SET(t->curl, CURLOPT_FILETIME, 1L);
	SET(t->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)q->max_bytes);
	SET(t->curl, CURLOPT_ERRORBUFFER, message);
	SET(t->curl, CURLOPT_HTTPHEADER, headers);
	SET(t->curl, CURLOPT_HEADERFUNCTION, take_header);
	SET(t->curl, CURLOPT_HEADERDATA, t);
	SET(t->curl, CURLOPT_WRITEFUNCTION, take_body);
	SET(t->curl, CURLOPT_WRITEDATA, t);
	SET(t->curl, CURLOPT_NOPROGRESS, 0L);
	SET(t->curl, CURLOPT_XFERINFOFUNCTION, take_progress);
	SET(t->curl, CURLOPT_XFERINFODATA, t);
	SET(t->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (q->proxy) {
		SET(t->curl, CURLOPT_PROXY, q->proxy);
		SET(t->curl, CURLOPT_NOPROXY, ""); /* what no_proxy says is for its kin */
	}
	if (q->cacert) { /* instead of the system's, not besides */
		SET(t->curl, CURLOPT_CAINFO, q->cacert);
		SET(t->curl, CURLOPT_CAPATH, NULL);
		SET(t->curl, CURLOPT_PROXY_CAINFO, q->cacert);
		SET(t->curl, CURLOPT_PROXY_CAPATH, NULL);
	}
	return ok;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	char line[64 + SAP_FETCH_TAG_MAX];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(*list, line);
	if (!longer)
		return false;
	*list = longer;
	return true;
}

/* Go on behind what is there, or ask whether what one has is still current. */
static bool add_conditions(struct transfer *t, struct curl_slist **headers)
{
	const char *have = t->request->etag ? t->request->etag : "";
	char range[32];

	if (t->part->size > 0) {
		t->asked_from = t->part->size;
		t->received = t->part->size;
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->part->size);
		/* Not libcurl's own resuming: that fails where the server sends all of it. */
		return add_header(headers, "If-Range", t->part->tag) &&
		       curl_easy_setopt(t->curl, CURLOPT_RANGE, range) == CURLE_OK;
	}
	if (t->unconditional)
		return true;
	t->asked_kept = t->part->kept[0] && strcmp(t->part->kept, have) != 0;
	t->asked_have = !t->asked_kept && have[0];
	if (t->asked_kept)
		return add_header(headers, "If-None-Match", t->part->kept);
	return !t->asked_have || add_header(headers, "If-None-Match", have);
}

/* The weak comparison of RFC 9110, 8.8.3.2. */
static bool same_tag(const char *a, const char *b)
{
	return strcmp(a + (*a == 'W' ? 2 : 0), b + (*b == 'W' ? 2 : 0)) == 0;
}

/* "Not modified" is an answer to a question, and names what it speaks of, or nothing. */
static bool is_unchanged(const struct transfer *t)
{
	const char *asked = t->asked_kept ? t->part->kept : t->asked_have ? t->request->etag : "";

	return *asked && (!t->result->etag[0] || same_tag(t->result->etag, asked));
}

enum verdict { DONE, AGAIN, GIVE_UP };

/* The whole answer has come. */
static enum verdict judge_answer(struct transfer *t, long status, struct sap_err *err)
{
	const char *url = t->request->url;

	if ((status == 200 || status == 206) && !t->started && start_body(t) < 0) {
		*err = t->err; /* an empty one */
		return t->again ? AGAIN : GIVE_UP;
	}
	if (status == 200 || (status == 206 && t->received == t->expected))
		return DONE;
	if (status == 304 && is_unchanged(t))
		return DONE;
	if (status == 206) {
		sap_err_set(err, SAP_EIO, "%s: cut off at %llu of %llu bytes", url,
			    (unsigned long long)t->received, (unsigned long long)t->expected);
		return AGAIN;
	}
	if (status == 416 || status == 304) { /* what is there leads nowhere */
		t->unconditional = true;
		begin_anew(t, status == 416 ? "the server has no more of it"
					    : "the server answered 304 to another question");
		*err = t->err;
		return t->again ? AGAIN : GIVE_UP;
	}
	sap_err_set(err, status == 404 || status == 410 ? SAP_ENOENT : SAP_EIO,
		    "%s: the server answered %ld", url, status);
	return status == 408 || status == 425 || status == 429 || status >= 500 ? AGAIN : GIVE_UP;
}

/* What is wrong for good, and what may be better in a moment. */
static enum verdict judge(struct transfer *t, CURLcode code, const char *message,
			  struct sap_err *err)
{
	const char *url = t->request->url;

	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		sap_err_set(err, SAP_ELIMIT, "%s is larger than %llu bytes", url,
			    (unsigned long long)t->request->max_bytes);
		return GIVE_UP;
	}
	if (t->err.code) {
		*err = t->err;
		return t->again ? AGAIN : GIVE_UP;
	}
	if (code == CURLE_OK || t->refused)
		return judge_answer(t, answer_of(t->curl), err);
	if (t->stalled) {
		sap_err_set(err, SAP_EIO, "%s: no progress in %u seconds", url,
			    t->request->timeout);
		return AGAIN;
	}
	sap_err_set(err, SAP_EIO, "%s: %s", url, message[0] ? message : curl_easy_strerror(code));
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_OUT_OF_MEMORY:
		return GIVE_UP;
	default:
		return AGAIN;
	}
}

/* What else the answer said. */
static void note_answer(struct transfer *t, unsigned *pause)
{
	curl_off_t retry_after = 0, filetime = 0;

	curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &filetime);
	t->result->modified = filetime > 0 ? (int64_t)filetime : 0;
	curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after > *pause)
		*pause = retry_after < RETRY_AFTER_MAX ? (unsigned)retry_after : RETRY_AFTER_MAX;
}

static enum verdict try_once(struct transfer *t, unsigned *pause, struct sap_err *err)
{
	char message[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	enum verdict verdict = GIVE_UP;

	*t->result = (struct sap_fetch_result){ 0 };
	*t = (struct transfer){ .request = t->request,
				.part = t->part,
				.result = t->result,
				.unconditional = t->unconditional,
				.seen_ms = now_ms(),
				.window_ms = now_ms() };
	t->curl = curl_easy_init();
	if (!t->curl || !add_conditions(t, &headers) || !set_up(t, headers, message)) {
		sap_err_nomem(err);
	} else {
		t->seen_bytes = t->window_bytes = t->received;
		verdict = judge(t, curl_easy_perform(t->curl), message, err);
		t->result->unchanged = verdict == DONE && answer_of(t->curl) == 304;
		note_answer(t, pause);
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(t->curl);
	return verdict;
}

/* ---- all of it -------------------------------------------------------------------------- */

static void wait_before(const struct sap_fetch_request *q, unsigned seconds, const char *why)
{
	struct timespec left = { .tv_sec = seconds };
	uint32_t chance = 0;

	if (q->waiting)
		q->waiting(q->ctx, seconds, why);
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) == sizeof(chance))
		left.tv_nsec = chance % 500000000; /* many clients shall not come back at once */
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int finish(struct transfer *t, struct sap_err *err)
{
	struct sap_fetch_result *result = t->result;
	int r;

	if (result->unchanged && !t->asked_kept)
		return 0;
	if (result->unchanged) { /* it is there already */
		snprintf(result->etag, sizeof(result->etag), "%s", t->part->kept);
		r = sap_fetch_part_kept(t->part, &result->bytes, result->digest, err);
		result->unchanged = false;
		result->resumed = result->bytes;
		return r;
	}
	result->bytes = t->received;
	r = sap_fetch_part_digest(t->part, result->bytes, result->digest, err);
	return r < 0 ? r : sap_fetch_part_finish(t->part, err);
}

/* What curl would take as a name and a password: up to the first slash. */
static bool has_user(const char *url)
{
	size_t host = strcspn(url + 8, "/?#\\");

	return memchr(url + 8, '@', host) != NULL;
}

static int check(const struct sap_fetch_request *q, struct sap_err *err)
{
	if (strncasecmp(q->url, "https://", 8) != 0)
		return sap_err_set(err, SAP_EUSAGE,
				   "'%s' is no https address; nothing else is fetched", q->url);
	if (has_user(q->url))
		return sap_err_set(err, SAP_EUSAGE,
				   "an address with a user name or password in it is not used, as "
				   "others could see it");
	if (strlen(q->url) > SAP_FETCH_URL_MAX)
		return sap_err_set(err, SAP_EUSAGE, "the address is longer than %u bytes",
				   SAP_FETCH_URL_MAX);
	for (const char *p = q->url; *p; p++) {
		if (*p <= 0x20 || *p >= 0x7f)
			return sap_err_set(err, SAP_EUSAGE,
					   "'%s' has bytes that no address has; they are to be "
					   "percent-encoded",
					   q->url);
	}
	if (!*q->name || strpbrk(q->name, "/\n") || q->name[0] == '.')
		return sap_err_set(err, SAP_EUSAGE, "'%s' is no name for a file", q->name);
	if (q->etag && *q->etag &&
	    (strlen(q->etag) > SAP_FETCH_TAG_MAX || !sap_fetch_tag_ok(sap_str_of(q->etag))))
		return sap_err_set(err, SAP_EUSAGE, "'%s' is no entity tag; these are quoted",
				   q->etag);
	return 0;
}

int sap_fetch(const struct sap_fetch_request *request, struct sap_fetch_result *result,
	      struct sap_err *err)
{
	struct sap_fetch_result got = { 0 };
	struct sap_fetch_part part;
	struct transfer t = { .request = request, .part = &part, .result = &got };
	struct sap_err why = { 0 };
	enum verdict verdict = AGAIN;
	unsigned pause = 1;
	int r = check(request, err);

	if (r == 0)
		r = sap_fetch_part_open(&part, request, err);
	if (r < 0)
		return r;
	for (unsigned n = 0; r == 0; n++) {
		unsigned wait = pause;

		verdict = try_once(&t, &wait, &why);
		if (verdict != AGAIN || n == request->retries)
			break;
		wait_before(request, wait, why.text);
		pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
		r = sap_fetch_part_reopen(&part, err);
	}
	if (r == 0 && verdict == DONE) {
		r = finish(&t, err);
	} else if (r == 0) {
		r = (int)why.code;
		if (err)
			*err = why;
	}
	sap_fetch_part_close(&part, r == SAP_ELIMIT || r == SAP_ECHANGED);
	if (r == 0)
		*result = got;
	return r;
}
