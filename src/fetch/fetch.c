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

/* One transfer: the state that libcurl's callbacks share. */
struct transfer {
	const struct sap_fetch_request *request;
	struct sap_fetch_part *part;
	struct sap_fetch_result *result;
	CURL *curl;
	uint64_t asked_from; /* offset of the Range that was asked for; 0: from the start */
	uint64_t range_from; /* where the answer says that it begins (Content-Range) */
	uint64_t received;   /* bytes of the file that are there */
	bool started;        /* the first byte of a good answer has come */
	bool too_large;
	struct sap_err err; /* of writing */
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

/* The entity tag and where the part begins. Each answer begins anew: redirects have headers
 * too. */
static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct sap_str line = { p, size * n }, value, from, rest;

	if (take_field(line, SAP_STR("HTTP/"), &value)) {
		t->result->etag[0] = '\0';
		t->range_from = UINT64_MAX;
	} else if (take_field(line, SAP_STR("etag:"), &value)) {
		if (value.n <= SAP_FETCH_TAG_MAX && sap_fetch_tag_ok(value)) {
			memcpy(t->result->etag, value.p, value.n);
			t->result->etag[value.n] = '\0';
		}
	} else if (take_field(line, SAP_STR("content-range: bytes"), &value)) {
		sap_str_cut(value, '-', &from, &rest);
		if (!sap_str_u64(from, &t->range_from))
			t->range_from = UINT64_MAX;
	}
	return line.n;
}

/* At the first byte of the body: does it go on where we stopped, or is it the whole file? */
static int start_body(struct transfer *t)
{
	long status = answer_of(t->curl);
	int r = 0;

	t->started = true;
	if (status == 206 && t->range_from != t->asked_from) {
		sap_fetch_part_restart(t->part, &t->err);
		return sap_err_set(&t->err, SAP_EIO, "%s: the server sent another part than asked",
				   t->request->url);
	}
	if (status != 206) {
		t->received = 0;
		r = sap_fetch_part_restart(t->part, &t->err);
	}
	if (r == 0)
		r = sap_fetch_part_tag(t->part, t->result->etag, &t->err);
	t->result->resumed = t->received;
	return r;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t length = size * n;
	long status = answer_of(t->curl);

	if (status != 200 && status != 206)
		return length; /* the text of an error: nobody needs it */
	if (!t->started && start_body(t) < 0)
		return 0;
	if (length > t->request->max_bytes - t->received) {
		t->too_large = true;
		return 0;
	}
	if (sap_fd_write_all(t->part->fd, p, length, &t->err) < 0)
		return 0;
	t->received += length;
	return length;
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
	return 0;
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
	SET(t->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(t->curl, CURLOPT_LOW_SPEED_TIME, timeout);
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
	if (q->proxy)
		SET(t->curl, CURLOPT_PROXY, q->proxy);
	if (q->cacert)
		SET(t->curl, CURLOPT_CAINFO, q->cacert);
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
	const char *have = t->request->etag;
	char range[32];

	if (t->part->size > 0 && t->part->tag[0]) {
		t->asked_from = t->part->size;
		t->received = t->part->size;
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->part->size);
		/* Not libcurl's own resuming: that fails where the server sends all of it. */
		return add_header(headers, "If-Range", t->part->tag) &&
		       curl_easy_setopt(t->curl, CURLOPT_RANGE, range) == CURLE_OK;
	}
	return !have || !*have || add_header(headers, "If-None-Match", have);
}

enum verdict { DONE, AGAIN, GIVE_UP };

/* What is wrong for good, and what may be better in a moment. */
static enum verdict judge(struct transfer *t, CURLcode code, const char *message,
			  struct sap_err *err)
{
	const char *url = t->request->url;
	long status = answer_of(t->curl);

	if (t->err.code) {
		*err = t->err;
		return GIVE_UP;
	}
	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		sap_err_set(err, SAP_ELIMIT, "%s is larger than %llu bytes", url,
			    (unsigned long long)t->request->max_bytes);
		return GIVE_UP;
	}
	if (code == CURLE_OK && (status == 200 || status == 206 || status == 304))
		return DONE;
	if (code == CURLE_OK && status == 416) { /* nothing behind what is there: begin anew */
		sap_err_set(err, SAP_EIO, "%s: the server has no more of it", url);
		t->part->tag[0] = '\0';
		return AGAIN;
	}
	if (code == CURLE_OK) {
		sap_err_set(err, status == 404 || status == 410 ? SAP_ENOENT : SAP_EIO,
			    "%s: the server answered %ld", url, status);
		return status == 408 || status == 425 || status == 429 || status >= 500 ? AGAIN
											: GIVE_UP;
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

static enum verdict try_once(struct transfer *t, unsigned *pause, struct sap_err *err)
{
	char message[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	enum verdict verdict = GIVE_UP;
	curl_off_t retry_after = 0, filetime = 0;
	CURLcode code;

	t->curl = curl_easy_init();
	t->asked_from = 0;
	t->received = 0;
	t->started = false;
	t->result->resumed = 0;
	if (!t->curl || !add_conditions(t, &headers) || !set_up(t, headers, message)) {
		sap_err_nomem(err);
		goto out;
	}
	code = curl_easy_perform(t->curl);
	verdict = judge(t, code, message, err);
	if (verdict == DONE && answer_of(t->curl) != 304 && !t->started && start_body(t) < 0) {
		*err = t->err; /* an empty file */
		verdict = GIVE_UP;
	}
	t->result->unchanged = answer_of(t->curl) == 304;
	curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &filetime);
	t->result->modified = filetime > 0 ? (int64_t)filetime : 0;
	curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after > *pause)
		*pause = retry_after < RETRY_AFTER_MAX ? (unsigned)retry_after : RETRY_AFTER_MAX;
out:
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

	if (result->unchanged)
		return 0;
	result->bytes = t->received;
	r = sap_fetch_part_digest(t->part, result->bytes, result->digest, err);
	return r < 0 ? r : sap_fetch_part_finish(t->part, err);
}

static int check(const struct sap_fetch_request *q, struct sap_err *err)
{
	if (strncmp(q->url, "https://", 8) != 0)
		return sap_err_set(err, SAP_EUSAGE,
				   "'%s' is no https address; nothing else is fetched", q->url);
	if (!*q->name || strchr(q->name, '/') || q->name[0] == '.')
		return sap_err_set(err, SAP_EUSAGE, "'%s' is no name for a file", q->name);
	return 0;
}

int sap_fetch(const struct sap_fetch_request *request, struct sap_fetch_result *result,
	      struct sap_err *err)
{
	struct sap_fetch_result got = { 0 };
	struct sap_fetch_part part;
	struct transfer t = { .request = request, .part = &part, .result = &got };
	enum verdict verdict = AGAIN;
	unsigned pause = 1;
	int r = check(request, err);

	if (r == 0)
		r = sap_fetch_part_open(&part, request->dir, request->name, request->max_bytes,
					err);
	if (r < 0)
		return r;
	for (unsigned n = 0; verdict == AGAIN; n++) {
		unsigned wait = pause;

		verdict = try_once(&t, &wait, err);
		if (verdict != AGAIN || n == request->retries)
			break;
		wait_before(request, wait, err ? err->text : "");
		pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
		r = sap_fetch_part_reopen(&part, request->max_bytes, err);
		if (r < 0)
			break;
	}
	if (r == 0 && verdict == DONE)
		r = finish(&t, err);
	else if (r == 0)
		r = err && err->code ? (int)err->code : SAP_EIO;
	sap_fetch_part_close(&part, r == SAP_ELIMIT);
	if (r == 0)
		*result = got;
	return r;
}
