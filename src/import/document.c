/* SPDX-License-Identifier: Apache-2.0 */
/* One document: recognised by its first bytes, then read by its format. */
#include <stdio.h>

#include "base/limits.h"
#include "import/import_int.h"

/* Enough for the format of the document before to know its own kind. */
enum { GLANCE = 1024 };

struct document {
	struct sap_importer *imp;
	const struct sap_import_format *format;
	size_t name_n; /* bytes of the name in imp->where */
	/* Lines. */
	uint64_t number;
	bool too_long; /* the line at hand */
	/* It is read as the document before was: whether that is right its first record tells. */
	const struct sap_import_head *guess;
};

/* From on_record and on_rejected: the guess was wrong. */
enum { WRONG_GUESS = -1001 };

/* ---- what a record or line is called ---------------------------------------------------- */

static void name_it(struct document *d, const char *what, uint64_t number)
{
	struct sap_importer *imp = d->imp;
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	imp->where.n = d->name_n;
	sap_buf_puts(&imp->where, sap_str_of(what));
	sap_buf_put(&imp->where, digits + n, sizeof(digits) - n);
	imp->im.where = sap_buf_str(&imp->where);
}

static void name_record(struct document *d, uint64_t number, struct sap_str key)
{
	struct sap_importer *imp = d->imp;

	if (d->format->split == SAP_JSON_MEMBERS) {
		imp->where.n = d->name_n;
		sap_buf_puts(&imp->where, SAP_STR(" member "));
		sap_buf_puts(&imp->where, (struct sap_str){ key.p, key.n < 256 ? key.n : 256 });
		imp->im.where = sap_buf_str(&imp->where);
	} else if (d->format->split == SAP_JSON_ELEMENTS) {
		name_it(d, " element ", number);
	} else if (number > 1) {
		name_it(d, " record ", number);
	}
}

/* ---- JSON ------------------------------------------------------------------------------- */

static int on_record(void *ctx, const struct sap_json *value, uint64_t number, struct sap_err *err)
{
	struct document *d = ctx;
	int rc;

	if (d->guess) {
		struct sap_import_head head = *d->guess;

		head.root = value;
		if (!d->format->recognise(&head))
			return WRONG_GUESS;
		d->guess = NULL;
	}
	name_record(d, number, value->key);
	rc = d->format->record(&d->imp->im, value, err);
	sap_arena_reset(&d->imp->arena);
	return rc < 0 ? rc : d->imp->im.rows->failure;
}

static int on_rejected(void *ctx, uint64_t number, struct sap_str key, struct sap_str reason,
		       struct sap_err *err)
{
	struct document *d = ctx;

	(void)err;
	if (d->guess)
		return WRONG_GUESS;
	name_record(d, number, key);
	sap_import_problem(&d->imp->im, "this record is left out: %.*s", SAP_FMT(reason));
	return d->imp->im.rows->failure;
}

/* ---- lines ------------------------------------------------------------------------------ */

static int give_line(struct document *d, struct sap_str line, struct sap_err *err)
{
	int rc;

	name_it(d, " line ", ++d->number);
	if (d->too_long || line.n > SAP_IMPORT_LINE_MAX) {
		d->too_long = false;
		sap_import_problem(&d->imp->im, "this line is left out: it is too long");
		return d->imp->im.rows->failure;
	}
	rc = d->format->line(&d->imp->im, line, d->number, err);
	sap_arena_reset(&d->imp->arena);
	return rc < 0 ? rc : d->imp->im.rows->failure;
}

/* A part of a line that goes on in the next block. */
static int keep(struct document *d, struct sap_str part, struct sap_err *err)
{
	struct sap_buf *line = &d->imp->line;

	if (d->too_long)
		return 0;
	if (part.n > line->max - line->n) {
		d->too_long = true;
		sap_buf_reset(line);
		return 0;
	}
	sap_buf_puts(line, part);
	return sap_buf_ok(line) ? 0 : sap_err_nomem(err);
}

static int feed_lines(struct document *d, struct sap_str block, struct sap_err *err)
{
	struct sap_buf *begun = &d->imp->line;
	int rc = 0;

	while (rc == 0 && block.n > 0) {
		const char *lf = memchr(block.p, '\n', block.n);
		struct sap_str line = { block.p, lf ? (size_t)(lf - block.p) : block.n };

		if (!lf)
			return keep(d, line, err);
		block = sap_str_skip(block, line.n + 1);
		if (begun->n == 0 && !d->too_long) {
			rc = give_line(d, line, err);
			continue;
		}
		rc = keep(d, line, err);
		if (rc == 0)
			rc = give_line(d, sap_buf_str(begun), err);
		sap_buf_reset(begun);
	}
	return rc;
}

/* ---- recognition ------------------------------------------------------------------------ */

static struct sap_str without_mark(struct sap_str bytes)
{
	return sap_str_starts(bytes, SAP_STR("\xef\xbb\xbf")) ? sap_str_skip(bytes, 3) : bytes;
}

/* Text may begin like JSON does: Debian's lists begin with "[12 Feb 2025]". Where the syntax
 * breaks down it is JSON if an object came first. */
static int look_for_json(struct sap_importer *imp, struct sap_import_head *head,
			 struct sap_err *syntax, struct sap_err *err)
{
	struct sap_str text = sap_str_trim(head->bytes);
	int rc;

	sap_arena_reset(&imp->head);
	head->root = NULL;
	head->json = head->json_array = false;
	if (text.n == 0 || (text.p[0] != '{' && text.p[0] != '['))
		return 0;
	rc = sap_json_head(text, &imp->head, &head->root, syntax);
	if (rc == SAP_ENOMEM)
		return sap_err_nomem(err);
	head->json_array = sap_json_is(head->root, SAP_JSON_ARRAY);
	head->json = head->root && (rc == 0 || !head->json_array ||
				    sap_json_is(head->root->first, SAP_JSON_OBJECT));
	return 0;
}

static bool knows(const struct sap_import_format *format, const struct sap_import_head *head)
{
	return format->json == head->json && format->recognise(head);
}

/* *format NULL: nobody knows it. */
static int recognise(struct sap_importer *imp, struct sap_import_head *head,
		     const struct sap_import_format **format, struct sap_err *syntax,
		     struct sap_err *err)
{
	const struct sap_str all = head->bytes;
	int rc;

	/* Most inputs are many documents of one kind. Who begins by the head sees all of it. */
	if (imp->last && imp->last->json && !imp->last->begin && all.n > GLANCE) {
		head->bytes.n = GLANCE;
		rc = look_for_json(imp, head, syntax, err);
		if (rc == 0 && knows(imp->last, head))
			*format = imp->last;
		head->bytes = all;
		if (rc < 0 || *format)
			return rc;
	}
	rc = look_for_json(imp, head, syntax, err);
	for (size_t i = 0; rc == 0 && !*format && sap_import_formats[i]; i++) {
		if (knows(sap_import_formats[i], head))
			*format = sap_import_formats[i];
	}
	return rc;
}

static void tell_unknown(struct sap_importer *imp, const struct sap_import_head *head,
			 const struct sap_err *syntax)
{
	char why[SAP_ERR_TEXT_MAX + 64];

	if (head->bytes.n == 0)
		snprintf(why, sizeof(why), "the file is empty");
	else if (head->json && syntax->code == SAP_EFORMAT)
		snprintf(why, sizeof(why), "of no known format: %s", syntax->text);
	else
		snprintf(why, sizeof(why), "of no known format%s",
			 head->json ? ", although it is JSON" : "");
	sap_import_unknown(imp, head->name, why);
}

/* ---- a document ------------------------------------------------------------------------- */

static int count(struct sap_importer *imp, size_t n, struct sap_err *err)
{
	imp->bytes += n;
	if (imp->bytes <= SAP_IMPORT_INPUT_MAX)
		return 0;
	return sap_err_set(err, SAP_ELIMIT, "the input is larger than %llu GiB, unpacked",
			   SAP_IMPORT_INPUT_MAX / SAP_GIB);
}

/* The first bytes into imp->first, what is left of the last block into *rest. */
static int read_first(struct sap_importer *imp, const struct sap_import_bytes *bytes,
		      struct sap_str *first, struct sap_str *rest, struct sap_err *err)
{
	size_t have = 0;
	int more = 1;

	*rest = (struct sap_str){ 0 };
	while (have < SAP_IMPORT_HEAD && more > 0) {
		const unsigned char *p = NULL;
		size_t n = 0, k;

		more = bytes->next(bytes->ctx, &p, &n, err);
		if (more > 0)
			more = count(imp, n, err) < 0 ? SAP_ELIMIT : 1;
		if (more <= 0)
			break;
		k = n < SAP_IMPORT_HEAD - have ? n : SAP_IMPORT_HEAD - have;
		if (k > 0)
			memcpy(imp->first + have, p, k);
		have += k;
		*rest = sap_str_skip((struct sap_str){ (const char *)p, n }, k);
	}
	*first = (struct sap_str){ (const char *)imp->first, have };
	return more < 0 ? more : 0;
}

static int feed(struct document *d, struct sap_json_stream *json, struct sap_str block,
		struct sap_err *err)
{
	if (json)
		return sap_json_stream_feed(json, block.p, block.n, err);
	return feed_lines(d, block, err);
}

static int end_of_bytes(struct document *d, struct sap_json_stream *json, struct sap_err *err)
{
	struct sap_buf *line = &d->imp->line;
	int rc = 0;

	if (json)
		return sap_json_stream_finish(json, err);
	if (line->n > 0 || d->too_long)
		rc = give_line(d, sap_buf_str(line), err);
	return rc;
}

static int read_all(struct document *d, const struct sap_import_bytes *bytes, struct sap_str first,
		    struct sap_str rest, struct sap_json_stream *json, struct sap_err *err)
{
	int rc = feed(d, json, first, err);

	if (rc == 0)
		rc = feed(d, json, rest, err);
	while (rc == 0) {
		const unsigned char *p = NULL;
		size_t n = 0;
		int more = bytes->next(bytes->ctx, &p, &n, err);

		if (more <= 0)
			return more < 0 ? more : end_of_bytes(d, json, err);
		rc = count(d->imp, n, err);
		if (rc == 0)
			rc = feed(d, json, (struct sap_str){ (const char *)p, n }, err);
	}
	return rc;
}

static int read_as(struct document *d, const struct sap_import_head *head,
		   const struct sap_import_bytes *bytes, struct sap_str rest, struct sap_err *err)
{
	const struct sap_import_format *f = d->format;
	const struct sap_json_options options = {
		.split = f->split,
		.skip = f->skip,
		.record_max = SAP_IMPORT_RECORD_MAX,
		.depth_max = SAP_IMPORT_DEPTH_MAX,
		.record = on_record,
		.rejected = on_rejected,
		.ctx = d,
	};
	struct sap_import *im = &d->imp->im;
	struct sap_json_stream *json = NULL;
	int rc = f->begin ? f->begin(im, head, err) : 0;

	if (rc == 0 && f->json)
		rc = sap_json_stream_new(&options, &json, err);
	if (rc == 0)
		rc = read_all(d, bytes, head->bytes, rest, json, err);
	sap_json_stream_free(json);
	d->imp->where.n = d->name_n;
	im->where = sap_buf_str(&d->imp->where);
	if (rc == 0 && f->finish)
		rc = f->finish(im, err);
	if (f->end)
		f->end(im);
	im->state = NULL;
	sap_arena_reset(&d->imp->arena);
	sap_buf_reset(&d->imp->line);
	return rc;
}

/* Most inputs are many small documents of one kind: all of such a one is in memory, and it is
 * parsed only once. *known: it was of that kind indeed; else nothing came of it. */
static int read_as_before(struct document *d, struct sap_import_head *head,
			  const struct sap_import_bytes *bytes, bool *known, struct sap_err *err)
{
	const struct sap_import_format *f = d->imp->last;
	struct sap_str text = sap_str_trim(head->bytes);
	int rc;

	if (!f || !f->json || f->split != SAP_JSON_WHOLE || f->begin || text.n == 0 ||
	    text.n >= SAP_IMPORT_HEAD || text.p[0] != '{')
		return 0;
	head->json = true;
	d->guess = head;
	d->format = f;
	rc = read_as(d, head, bytes, (struct sap_str){ 0 }, err);
	*known = d->guess == NULL;
	d->guess = NULL;
	if (*known)
		d->imp->documents++;
	else
		head->json = false;
	return *known || rc == SAP_ENOMEM ? rc : 0;
}

int sap_import_document(struct sap_importer *imp, struct sap_str name,
			const struct sap_import_format *format,
			const struct sap_import_bytes *bytes, struct sap_err *err)
{
	struct sap_import_head head = { .name = name };
	struct document d = { .imp = imp };
	struct sap_err syntax = { 0 };
	struct sap_str rest;
	bool whole, done = false;
	int rc;

	sap_buf_reset(&imp->where);
	sap_buf_puts(&imp->where, name);
	d.name_n = imp->where.n;
	imp->im.name = name;
	imp->im.where = sap_buf_str(&imp->where);
	imp->replacing = false;
	imp->entries++;
	rc = read_first(imp, bytes, &head.bytes, &rest, err);
	whole = rc == 0 && head.bytes.n < SAP_IMPORT_HEAD;
	head.bytes = without_mark(head.bytes);
	if (whole && !format)
		rc = read_as_before(&d, &head, bytes, &done, err);
	if (done)
		return rc < 0 ? sap_import_failed(imp, name, rc, err) : 0;
	if (rc == 0 && format)
		rc = look_for_json(imp, &head, &syntax, err);
	else if (rc == 0)
		rc = recognise(imp, &head, &format, &syntax, err);
	if (rc == 0 && !format) {
		tell_unknown(imp, &head, &syntax);
		rc = imp->im.rows->failure;
	} else if (rc == 0) {
		imp->documents++;
		imp->last = d.format = format;
		rc = read_as(&d, &head, bytes, rest, err);
	}
	return rc < 0 ? sap_import_failed(imp, name, rc, err) : 0;
}
