/* SPDX-License-Identifier: Apache-2.0 */
#include "import/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "import/import_int.h"

/* ---- for formats ------------------------------------------------------------------------ */

bool sap_import_head_has(const struct sap_import_head *head, const char *member)
{
	const struct sap_json *v = head->json_array ? sap_json_first(head->root) : head->root;

	return sap_json_get(v, member) != NULL;
}

/* Makes it the current source and begins its row; false where it is current already. *anew: it
 * comes for the first time. */
static bool begin_source(struct sap_importer *imp, struct sap_str kind, struct sap_str name,
			 bool *anew)
{
	struct sap_import *im = &imp->im;
	uint32_t n = sap_pool_count(imp->sources);

	if (im->source.n > 0)
		sap_str_cut(im->source, '/', &kind, &name);
	if (im->current.n == kind.n + 1 + name.n && sap_str_starts(im->current, kind) &&
	    im->current.p[kind.n] == '/' && sap_str_ends(im->current, name))
		return false;
	sap_buf_reset(&imp->current);
	sap_buf_puts(&imp->current, kind);
	sap_buf_putc(&imp->current, '/');
	sap_buf_puts(&imp->current, name);
	im->current = sap_buf_str(&imp->current);
	*anew = sap_pool_put(imp->sources, im->current) == n;
	sap_rows_begin(im->rows, SAP_ROW_SOURCE);
	sap_rows_arg(im->rows, kind);
	sap_rows_arg(im->rows, name);
	return true;
}

static void put_mode(struct sap_importer *imp, struct sap_str mode)
{
	if (imp->im.replace)
		mode = SAP_STR("replace");
	sap_rows_attr(imp->im.rows, "mode", mode);
	imp->replacing |= sap_str_is(mode, "replace");
}

void sap_import_source(struct sap_import *im, const char *kind, struct sap_str name,
		       struct sap_str date, const char *mode)
{
	struct sap_importer *imp = (struct sap_importer *)im;
	bool anew;

	if (!begin_source(imp, sap_str_of(kind), name, &anew))
		return;
	/* Said once: what came since belongs to another source, and nothing goes again. */
	if (anew) {
		sap_rows_attr(im->rows, "date", date);
		put_mode(imp, sap_str_of(mode));
	}
	sap_rows_done(im->rows);
}

int sap_import_source_row(struct sap_import *im, const struct sap_row *row, struct sap_err *err)
{
	struct sap_importer *imp = (struct sap_importer *)im;
	bool anew;

	if (!begin_source(imp, row->args[0], row->args[1], &anew))
		return 0;
	if (anew)
		put_mode(imp, sap_row_attr(row, "mode"));
	for (uint32_t i = 0; anew && i < row->n_attrs; i++) {
		const struct sap_row_attr *a = &row->attrs[i];
		const char *key = sap_arena_cstr(im->arena, a->key);
		struct sap_str list = a->value, item;

		if (!key) {
			sap_rows_done(im->rows);
			return sap_err_nomem(err);
		}
		if (sap_str_is(a->key, "mode"))
			continue;
		if (!sap_row_key_is_list(a->key)) {
			sap_rows_attr(im->rows, key, a->value);
			continue;
		}
		sap_rows_list_begin(im->rows, key);
		while (sap_row_list_next(&list, im->arena, &item))
			sap_rows_list_item(im->rows, item);
		sap_rows_list_end(im->rows);
	}
	sap_rows_done(im->rows);
	return 0;
}

void sap_import_problem(struct sap_import *im, const char *fmt, ...)
{
	char text[SAP_ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sap_rows_problem(im->rows, im->where, "%s", text);
}

/* ---- inside ----------------------------------------------------------------------------- */

void sap_import_unknown(struct sap_importer *imp, struct sap_str name, const char *why)
{
	if (imp->unknown++ < SAP_IMPORT_UNKNOWN_MAX)
		sap_rows_problem(imp->im.rows, name, "%s", why);
}

int sap_import_failed(struct sap_importer *imp, struct sap_str name, int rc, struct sap_err *err)
{
	if (imp->im.rows->failure < 0) {
		if (err)
			*err = imp->im.rows->err;
		return imp->im.rows->failure;
	}
	if (rc == SAP_ENOMEM || imp->sole || imp->bytes > SAP_IMPORT_INPUT_MAX)
		return sap_err_wrap(err, "%.*s", SAP_FMT(name));
	if (imp->replacing)
		return sap_err_wrap(err, "%.*s, which was to replace what is there, is not whole",
				    SAP_FMT(name));
	sap_rows_problem(imp->im.rows, name, "%s", err->text);
	return 0;
}

static void clear(struct sap_importer *imp)
{
	sap_arena_clear(&imp->arena);
	sap_arena_clear(&imp->head);
	sap_buf_clear(&imp->current);
	sap_buf_clear(&imp->where);
	sap_buf_clear(&imp->line);
	sap_pool_free(imp->sources);
	free(imp->first);
	free(imp->block);
}

static int init(struct sap_importer *imp, const struct sap_import_options *options,
		struct sap_rows *rows, struct sap_err *err)
{
	*imp = (struct sap_importer){
		.im = { .rows = rows,
			.arena = &imp->arena,
			.source = sap_str_of(options->source),
			.replace = options->replace },
		.options = options,
	};
	sap_arena_init(&imp->arena, SAP_IMPORT_RECORD_MAX * 2);
	/* Values of the first bytes: a value takes two bytes at least. */
	sap_arena_init(&imp->head, SAP_IMPORT_HEAD / 2 * 128);
	sap_buf_init(&imp->current, SAP_IMPORT_LINE_MAX);
	sap_buf_init(&imp->where, SAP_IMPORT_LINE_MAX);
	sap_buf_init(&imp->line, SAP_IMPORT_LINE_MAX);
	imp->sources = sap_pool_new();
	imp->first = malloc(SAP_IMPORT_HEAD);
	imp->block = malloc(SAP_IMPORT_BLOCK);
	if (imp->sources && imp->first && imp->block)
		return 0;
	clear(imp);
	return sap_err_nomem(err);
}

/* Nothing at all is a failure: who gives a wrong file must not be told that all is well. */
static int conclude(struct sap_importer *imp, struct sap_err *err)
{
	const char *name = imp->options->name;

	if (imp->documents == 0 && imp->unknown == 0 && imp->entries == 0)
		return sap_err_format(err, 0, "%s: there is no file in it", name);
	if (imp->documents == 0)
		return sap_err_format(err, 0, "%s: nothing in it is of a known format", name);
	if (imp->unknown > SAP_IMPORT_UNKNOWN_MAX)
		sap_rows_problem(imp->im.rows, sap_str_of(name),
				 "%llu more files in it are of no known format",
				 (unsigned long long)(imp->unknown - SAP_IMPORT_UNKNOWN_MAX));
	return sap_rows_end(imp->im.rows, err);
}

/* ---- for the program -------------------------------------------------------------------- */

int sap_import_fd(int fd, const struct sap_import_options *options, struct sap_rows *rows,
		  struct sap_err *err)
{
	struct sap_str name = sap_str_of(options->name);
	struct sap_importer imp;
	struct sap_err own;
	struct stat st;
	int rc;

	if (!err)
		err = &own;
	if (fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at %s", options->name);
	rc = init(&imp, options, rows, err);
	if (rc < 0)
		return rc;
	imp.sole = !S_ISDIR(st.st_mode);
	if (S_ISDIR(st.st_mode))
		rc = sap_import_folder(&imp, fd, name, err);
	else
		rc = sap_import_file(&imp, fd, name, err);
	if (rc == 0)
		rc = conclude(&imp, err);
	clear(&imp);
	return rc;
}

static int next_of_memory(void *ctx, const unsigned char **p, size_t *n, struct sap_err *err)
{
	struct sap_str *bytes = ctx;

	(void)err;
	*p = (const unsigned char *)bytes->p;
	*n = bytes->n;
	*bytes = (struct sap_str){ 0 };
	return *n > 0;
}

int sap_import_memory(struct sap_str bytes, const struct sap_import_format *format,
		      const struct sap_import_options *options, struct sap_rows *rows,
		      struct sap_err *err)
{
	struct sap_import_bytes source = { next_of_memory, &bytes };
	struct sap_importer imp;
	struct sap_err own;
	int rc;

	if (!err)
		err = &own;
	rc = init(&imp, options, rows, err);
	if (rc < 0)
		return rc;
	imp.sole = true;
	rc = sap_import_document(&imp, sap_str_of(options->name), format, &source, err);
	if (rc == 0)
		rc = conclude(&imp, err);
	clear(&imp);
	return rc;
}
