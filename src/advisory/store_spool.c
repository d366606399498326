/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What batches say about packages, sorted in each, kept in a file without a name until the
 * stream ends: then every package is written once, whatever the number of batches.
 *
 * A run is a sequence of: index of the space, bytes of the name, bytes of the text (32 bits
 * each), the name, the text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "advisory/store_int.h"
#include "base/fd.h"

enum { RUN_BUFFER = 128 * 1024, HEAD = 12 };

/* ---- writing a run ---------------------------------------------------------------------- */

static int make_file(struct sap_store_writer *w, struct sap_err *err)
{
	char *name sap_cleanup_free = NULL;

	if (asprintf(&name, "%s-spool", w->next) < 0) {
		name = NULL;
		return sap_err_nomem(err);
	}
	w->spool.fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->spool.fd < 0)
		return sap_err_sys(err, errno, "cannot write in %s", w->folder);
	(void)unlink(name);
	return 0;
}

static int flush_buffer(struct sap_store_spool *s, struct sap_err *err)
{
	int r = sap_fd_write_all(s->fd, s->buf.p, s->buf.n, err);

	s->size += s->buf.n;
	sap_buf_reset(&s->buf);
	return r;
}

int sap_store_spool_begin(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_store_spool *s = &w->spool;
	int r;

	if (s->n == SAP_STORE_RUNS_MAX) {
		r = sap_store_spool_merge(w, err);
		if (r < 0)
			return r;
	}
	if (s->fd < 0) {
		r = make_file(w, err);
		if (r < 0)
			return r;
	}
	s->runs[s->n].from = s->size;
	return 0;
}

int sap_store_spool_put(struct sap_store_writer *w, uint32_t space, struct sap_str name,
			struct sap_str text, struct sap_err *err)
{
	uint32_t head[3] = { space, (uint32_t)name.n, (uint32_t)text.n };
	struct sap_store_spool *s = &w->spool;

	sap_buf_put(&s->buf, head, sizeof(head));
	sap_buf_puts(&s->buf, name);
	sap_buf_puts(&s->buf, text);
	if (!sap_buf_ok(&s->buf))
		return sap_err_nomem(err);
	return s->buf.n >= RUN_BUFFER ? flush_buffer(s, err) : 0;
}

int sap_store_spool_end(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_store_spool *s = &w->spool;
	int r = flush_buffer(s, err);

	if (r == 0)
		s->runs[s->n++].to = s->size;
	return r;
}

/* ---- merging ---------------------------------------------------------------------------- */

/* A run as it is read. */
struct cursor {
	uint64_t at, to;
	unsigned char *p;
	size_t pos, n; /* in p */
	bool done;
	uint32_t space, text;
	size_t name_n;
	char name[SAP_ADVISORY_NAME_MAX];
};

/* Exactly n bytes of the run. */
static int take(const struct sap_store_spool *s, struct cursor *c, void *to, size_t n,
		struct sap_err *err)
{
	unsigned char *out = to;

	while (n > 0) {
		size_t part = c->n - c->pos < n ? c->n - c->pos : n;
		uint64_t want = c->to - c->at < RUN_BUFFER ? c->to - c->at : RUN_BUFFER;
		ssize_t got;

		memcpy(out, c->p + c->pos, part);
		out += part;
		n -= part;
		c->pos += part;
		if (n == 0)
			break;
		got = want ? pread(s->fd, c->p, want, (off_t)c->at) : 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return sap_err_sys(err, got < 0 ? errno : EIO, "cannot read the spool");
		c->at += (uint64_t)got;
		c->pos = 0;
		c->n = (size_t)got;
	}
	return 0;
}

static int next_group(const struct sap_store_spool *s, struct cursor *c, struct sap_err *err)
{
	uint32_t head[3] = { 0 };
	int r;

	if (c->at == c->to && c->pos == c->n) {
		c->done = true;
		return 0;
	}
	r = take(s, c, head, HEAD, err);
	if (r < 0)
		return r;
	if (head[1] > sizeof(c->name))
		return sap_err_sys(err, EIO, "cannot read the spool");
	c->space = head[0];
	c->name_n = head[1];
	c->text = head[2];
	return take(s, c, c->name, c->name_n, err);
}

static int order_of(const struct sap_store_writer *w, const struct cursor *a,
		    const struct cursor *b)
{
	int64_t x = w->spaces.v[a->space].id, y = w->spaces.v[b->space].id;
	int r = sap_str_cmp((struct sap_str){ a->name, a->name_n },
			    (struct sap_str){ b->name, b->name_n });

	return r ? r : (x > y) - (x < y);
}

/* The lowest group of all runs, written with the text of each that has it. */
static int merge_one(struct sap_store_writer *w, struct cursor *c, struct cursor *low,
		     struct sap_err *err)
{
	char name[SAP_ADVISORY_NAME_MAX];
	size_t name_n = low->name_n;
	uint32_t space = low->space;
	int r = 0;

	memcpy(name, low->name, name_n);
	sap_buf_reset(&w->scratch);
	for (struct cursor *end = c + w->spool.n; r == 0 && c < end; c++) {
		unsigned char *to;

		if (c->done || c->space != space || c->name_n != name_n ||
		    memcmp(c->name, name, name_n) != 0)
			continue;
		to = sap_buf_reserve(&w->scratch, c->text);
		if (!to)
			return sap_err_set(err, SAP_ELIMIT, "claims about \"%.*s\" beyond %llu MiB",
					   (int)name_n, name, SAP_STORE_TEXT_MAX / SAP_MIB);
		r = take(&w->spool, c, to, c->text, err);
		w->scratch.n += c->text;
		if (r == 0)
			r = next_group(&w->spool, c, err);
	}
	if (r < 0)
		return r;
	return sap_store_package_write(w, space, (struct sap_str){ name, name_n },
				       sap_buf_str(&w->scratch), err);
}

static int merge(struct sap_store_writer *w, struct cursor *cursors, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->spool.n; i++) {
		cursors[i].at = w->spool.runs[i].from;
		cursors[i].to = w->spool.runs[i].to;
		cursors[i].p = malloc(RUN_BUFFER);
		r = cursors[i].p ? next_group(&w->spool, &cursors[i], err) : sap_err_nomem(err);
	}
	while (r == 0) {
		struct cursor *low = NULL;

		for (size_t i = 0; i < w->spool.n; i++)
			if (!cursors[i].done && (!low || order_of(w, &cursors[i], low) < 0))
				low = &cursors[i];
		if (!low)
			break;
		r = merge_one(w, cursors, low, err);
	}
	return r;
}

int sap_store_spool_merge(struct sap_store_writer *w, struct sap_err *err)
{
	struct cursor *cursors;
	int r;

	if (w->spool.n == 0)
		return 0;
	cursors = calloc(w->spool.n, sizeof(*cursors));
	r = cursors ? merge(w, cursors, err) : sap_err_nomem(err);
	for (size_t i = 0; cursors && i < w->spool.n; i++)
		free(cursors[i].p);
	free(cursors);
	sap_store_spool_drop(w);
	return r;
}

void sap_store_spool_drop(struct sap_store_writer *w)
{
	w->spool.n = 0;
	w->spool.size = 0;
	sap_buf_clear(&w->spool.buf);
	if (w->spool.fd >= 0)
		close(w->spool.fd);
	w->spool.fd = -1;
}
