/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "report/evreport_int.h"

enum { LISTENS_SHOWN = 2 };

/* ---- words ------------------------------------------------------------------------------ */

const char *sap_report_time(int64_t ns, bool iso, char text[SAP_TIME_SIZE])
{
	time_t t = (time_t)(ns / 1000000000);
	size_t n = 0;
	struct tm tm;

	text[0] = '\0';
	if (ns > 0 && gmtime_r(&t, &tm))
		n = strftime(text, SAP_TIME_SIZE, iso ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S",
			     &tm);
	if (n && iso)
		snprintf(text + n, SAP_TIME_SIZE - n, ".%03uZ",
			 (unsigned)(ns % 1000000000 / 1000000));
	return text;
}

void sap_report_wrap(const struct sap_tty *tty, unsigned indent, enum sap_style style,
		     struct sap_buf *text)
{
	struct sap_str rest = sap_buf_str(text), word;
	unsigned room = tty->width > indent + 10 ? tty->width - indent - 2 : 8;
	unsigned column = indent;
	bool first = true;

	if (!sap_buf_ok(text))
		tty->out->failed = true;
	sap_buf_printf(tty->out, "%*s", (int)indent, "");
	sap_tty_begin(tty, style);
	while (sap_str_word(&rest, &word)) {
		unsigned columns = sap_tty_columns(word);
		bool wide = tty->width && columns > room;

		columns = wide ? room : columns;
		if (!first && tty->width && column + 1 + columns > tty->width) {
			sap_buf_printf(tty->out, "\n%*s", (int)indent + 2, "");
			column = indent + 2;
		} else if (!first) {
			sap_buf_putc(tty->out, ' ');
			column++;
		}
		if (wide)
			sap_tty_shorten(tty->out, word, room);
		else
			sap_buf_puts(tty->out, word);
		column += columns;
		first = false;
	}
	sap_tty_end(tty, style);
	sap_buf_putc(tty->out, '\n');
	sap_buf_reset(text);
}

/* ---- processes -------------------------------------------------------------------------- */

struct sap_str sap_evidence_process_name(const struct sap_evidence *e, uint32_t process)
{
	const struct sap_seen_process *p = &e->processes.v[process];

	if (p->comm.n)
		return p->comm;
	if (p->exe < e->files.n)
		return sap_path_base(e->files.v[p->exe].path);
	return SAP_STR("?");
}

static int compare_listens(const void *left, const void *right)
{
	const struct sap_listen *a = *(const struct sap_listen *const *)left;
	const struct sap_listen *b = *(const struct sap_listen *const *)right;

	if (a->exposure != b->exposure)
		return a->exposure > b->exposure ? -1 : 1;
	return sap_str_cmp(a->text, b->text);
}

const struct sap_listen **sap_evidence_listens(const struct sap_evidence *e, uint32_t process,
					       size_t *n)
{
	SAP_VEC(const struct sap_listen *) v = { 0 };
	uint32_t at = e->processes.v[process].listens;

	*n = 0;
	for (size_t left = e->listens.n; at && at <= e->listens.n && left; left--) {
		const struct sap_listen **to = SAP_VEC_PUSH(&v, e->listens.n);

		if (!to)
			break;
		*to = &e->listens.v[at - 1];
		at = e->listens.v[at - 1].next;
	}
	if (v.n)
		qsort(v.v, v.n, sizeof(const struct sap_listen *), compare_listens);
	*n = v.n;
	return v.v;
}

void sap_evidence_put_listens(struct sap_buf *out, const struct sap_evidence *e, uint32_t process,
			      size_t max)
{
	size_t n;
	const struct sap_listen **v = sap_evidence_listens(e, process, &n);

	for (size_t i = 0; i < n && i < max; i++) {
		sap_buf_puts(out, i ? SAP_STR(", ") : SAP_STR(""));
		sap_tty_escape(out, v[i]->text);
	}
	if (n > max)
		sap_buf_printf(out, " and %zu more", n - max);
	free(v);
}

void sap_evidence_put_process(struct sap_buf *out, const struct sap_evidence *e, uint32_t process)
{
	const struct sap_seen_process *p = &e->processes.v[process];

	sap_tty_escape(out, sap_evidence_process_name(e, process));
	if (p->count > 1)
		sap_buf_printf(out, " (%llu processes", (unsigned long long)p->count);
	else
		sap_buf_printf(out, " (pid %d", p->pid);
	sap_buf_puts(out, p->ended ? SAP_STR(", ended") : SAP_STR(""));
	if (p->unit.n) {
		sap_buf_puts(out, SAP_STR(", "));
		sap_tty_escape(out, p->unit);
	}
	if (p->container.n) {
		sap_buf_puts(out, SAP_STR(", container "));
		sap_tty_escape(out, p->container);
	}
	if (p->listens) {
		sap_buf_puts(out, SAP_STR(", "));
		sap_evidence_put_listens(out, e, process, LISTENS_SHOWN);
	}
	sap_buf_putc(out, ')');
}

/* ---- losses ----------------------------------------------------------------------------- */

bool sap_evidence_put_losses(struct sap_buf *out, const struct sap_evidence *e)
{
	const struct {
		uint64_t n;
		const char *name, *names;
	} losses[] = {
		{ e->losses.maps, "record of mappings", "records of mappings" },
		{ e->losses.hits, "function entry", "function entries" },
		{ e->losses.opens, "open", "opens" },
		{ e->losses.files, "file not identified in time", "files not identified in time" },
		{ e->losses.ceiling, "thing beyond a limit", "things beyond a limit" },
	};
	const char *mark = "lost: ";

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		if (losses[i].n == 0)
			continue;
		sap_buf_printf(out, "%s%llu %s", mark, (unsigned long long)losses[i].n,
			       losses[i].n == 1 ? losses[i].name : losses[i].names);
		mark = ", ";
	}
	return mark[0] == ',';
}

void sap_evidence_put_gaps(struct sap_buf *out, const struct sap_evidence *e)
{
	int64_t whole = e->end > e->start ? e->end - e->start : 0;
	char text[48];

	if (e->gaps.n == 0)
		return;
	sap_duration_text(whole - sap_evidence_watched(e), text, sizeof(text));
	sap_buf_printf(out, ", %zu gap%s (%s not watched)", e->gaps.n, sap_plural(e->gaps.n), text);
}

/* ---- files ------------------------------------------------------------------------------ */

static int compare_files(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	uint32_t i = *(const uint32_t *)left, k = *(const uint32_t *)right;
	const struct sap_seen_file *a = &e->files.v[i], *b = &e->files.v[k];
	int c = sap_str_cmp(a->path, b->path);

	if (c == 0 && a->root != b->root)
		c = a->root < b->root ? -1 : 1;
	if (c == 0)
		c = sap_str_cmp(a->build_id, b->build_id);
	if (c == 0 && a->id.ctime != b->id.ctime)
		c = a->id.ctime < b->id.ctime ? -1 : 1;
	if (c == 0 && a->id.ino != b->id.ino)
		c = a->id.ino < b->id.ino ? -1 : 1;
	return c ? c : i < k ? -1 : i > k;
}

bool sap_evidence_ctx_make(struct sap_report *report, struct sap_evidence_ctx *ctx,
			   const struct sap_evidence *e, const struct sap_states *states)
{
	*ctx = (struct sap_evidence_ctx){ .e = e, .states = states };
	ctx->order = calloc(e->files.n + 1, sizeof(*ctx->order));
	if (states)
		ctx->groups = states->groups;
	else if (sap_evidence_groups_new(e, &ctx->own, NULL) == 0)
		ctx->groups = ctx->own;
	if (!ctx->order || !ctx->groups) {
		report->out->failed = true;
		sap_evidence_ctx_clear(ctx);
		return false;
	}
	for (uint32_t i = 0; i < e->files.n; i++)
		ctx->order[i] = i;
	if (e->files.n)
		qsort_r(ctx->order, e->files.n, sizeof(*ctx->order), compare_files,
			(void *)(uintptr_t)e);
	return true;
}

void sap_evidence_ctx_clear(struct sap_evidence_ctx *ctx)
{
	sap_evidence_groups_free(ctx->own);
	free(ctx->order);
	*ctx = (struct sap_evidence_ctx){ 0 };
}

uint32_t sap_evidence_object(const struct sap_evidence_ctx *ctx, uint32_t file)
{
	if (!ctx->states || ctx->states->file_how[file] != SAP_FILE_JOINED)
		return SAP_NONE;
	return ctx->states->file_object[file];
}

enum sap_state sap_evidence_state(const struct sap_evidence_ctx *ctx, uint32_t file,
				  bool *load_time_only)
{
	enum sap_state state = sap_evidence_file_state(ctx->groups, file, load_time_only);

	if (state == SAP_STATE_MAPPED && sap_evidence_load_time(ctx, file) == SAP_YES) {
		state = SAP_STATE_EXECUTED;
		*load_time_only = true;
	}
	return state;
}

enum sap_tristate sap_evidence_load_time(const struct sap_evidence_ctx *ctx, uint32_t file)
{
	uint32_t object = sap_evidence_object(ctx, file);
	const struct sap_object *o;

	if (ctx->e->files.v[file].load_time != SAP_UNKNOWN || object == SAP_NONE)
		return (enum sap_tristate)ctx->e->files.v[file].load_time;
	o = &ctx->states->facts->objects.v[object];
	return o->n_constructors || o->n_ifuncs || o->n_irelative ? SAP_YES : SAP_UNKNOWN;
}

/* "liblzma.so.5" for liblzma.so.5.4.1: an old copy has no object that tells its soname. */
static bool is_version_of(struct sap_str base, struct sap_str name)
{
	return name.n && memmem(name.p, name.n, ".so", 3) && sap_str_starts(base, name) &&
	       base.n > name.n && base.p[name.n] == '.';
}

bool sap_evidence_file_is(const struct sap_evidence_ctx *ctx, uint32_t file, struct sap_str name)
{
	struct sap_str path = ctx->e->files.v[file].path, base = sap_path_base(path);
	uint32_t object = sap_evidence_object(ctx, file);

	if (sap_str_eq(path, name) || sap_str_eq(base, name) || is_version_of(base, name))
		return true;
	if (object == SAP_NONE || name.n == 0)
		return false;
	return sap_str_eq(sap_facts_str(ctx->states->facts,
					ctx->states->facts->objects.v[object].soname),
			  name) ||
	       sap_str_eq(sap_report_path(ctx->states->facts, object), name);
}

void sap_evidence_cell_package(struct sap_table *table, const struct sap_evidence_ctx *ctx,
			       uint32_t file)
{
	uint32_t object = sap_evidence_object(ctx, file);

	if (object != SAP_NONE)
		sap_report_cell_package(table, ctx->states->facts,
					ctx->states->facts->objects.v[object].package);
	else if (ctx->packages)
		sap_table_text(table, ctx->packages[file]);
	else
		sap_table_printf(table, "%s", "");
}

/* The container a file lies in; empty: the host, or none known. */
struct sap_str sap_evidence_container(const struct sap_evidence *e, uint32_t root)
{
	if (root >= e->roots.n || sap_evidence_is_host(e, root))
		return (struct sap_str){ 0 };
	return e->roots.v[root].container;
}

/* ---- restart ---------------------------------------------------------------------------- */

static bool is_service(struct sap_str unit)
{
	return sap_str_ends(unit, SAP_STR(".service"));
}

static int compare_restarts(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct sap_restart *a = left, *b = right;
	const struct sap_seen_process *p = &e->processes.v[a->process];
	const struct sap_seen_process *q = &e->processes.v[b->process];
	int c = sap_str_cmp(p->container, q->container);

	if (c == 0 && is_service(p->unit) != is_service(q->unit))
		c = is_service(p->unit) ? -1 : 1;
	if (c == 0 && is_service(p->unit))
		c = sap_str_cmp(p->unit, q->unit);
	if (c == 0 && p->pid != q->pid)
		c = p->pid < q->pid ? -1 : 1;
	if (c == 0 && p->start != q->start)
		c = p->start < q->start ? -1 : 1;
	if (c == 0)
		c = sap_str_cmp(e->files.v[a->file].path, e->files.v[b->file].path);
	return c ? c : a->file < b->file ? -1 : a->file > b->file;
}

bool sap_restart_same(const struct sap_evidence *e, const struct sap_restart *a,
		      const struct sap_restart *b)
{
	const struct sap_seen_process *p = &e->processes.v[a->process];
	const struct sap_seen_process *q = &e->processes.v[b->process];

	if (a->process == b->process)
		return true;
	return is_service(p->unit) && sap_str_eq(p->unit, q->unit) &&
	       sap_str_eq(p->container, q->container);
}

struct sap_restart *sap_restarts(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				 size_t *n)
{
	const struct sap_evidence_list *uses = &ctx->groups->uses;
	const struct sap_evidence *e = ctx->e;
	SAP_VEC(struct sap_restart) v = { 0 };

	for (uint32_t f = 0; f < e->files.n; f++) {
		if (!sap_evidence_is_old_copy(&e->files.v[f]))
			continue;
		for (uint32_t i = uses->first[f]; i < uses->first[f + 1]; i++) {
			uint32_t process = e->uses.v[uses->v[i]].process;
			struct sap_restart *to;

			if (e->processes.v[process].ended)
				continue;
			to = SAP_VEC_PUSH(&v, SIZE_MAX / sizeof(*to));
			if (to)
				*to = (struct sap_restart){ process, f };
			else
				report->out->failed = true;
		}
	}
	if (v.n)
		qsort_r(v.v, v.n, sizeof(*v.v), compare_restarts, (void *)(uintptr_t)e);
	*n = v.n;
	return v.v;
}
