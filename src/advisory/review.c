/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/review.h"

#include "advisory/review_int.h"
#include "advisory/toml_int.h"

void sap_review_init(struct sap_review *review)
{
	*review = (struct sap_review){ 0 };
	sap_arena_init(&review->arena, 0);
}

void sap_review_clear(struct sap_review *review)
{
	sap_arena_clear(&review->arena);
	sap_vec_clear(&review->exceptions);
	sap_vec_clear(&review->vex);
	review->file = (struct sap_str){ 0 };
}

/* ---- exceptions ------------------------------------------------------------------------- */

/* One [[ignore]] table while it is read. */
struct ignore {
	struct sap_toml_item id, package;
	struct sap_str reason, until;
	uint32_t line; /* 0: no table yet */
};

static int complain(const char *name, uint32_t line, const char *what, struct sap_err *err)
{
	return sap_err_set(err, SAP_EFORMAT, "%s:%u: %s", name, line, what);
}

/* The texts of an item that is a string or a list of them. */
static struct sap_strs texts_of(const struct sap_toml_item *item)
{
	if (item->kind == SAP_TOML_STRINGS)
		return (struct sap_strs){ item->list, item->n };
	return (struct sap_strs){ &item->text, item->kind == SAP_TOML_STRING };
}

static int check_ids(const char *name, const struct ignore *t, struct sap_err *err)
{
	struct sap_strs ids = texts_of(&t->id);

	if (ids.n == 0)
		return complain(name, t->line, "this exception has no id", err);
	for (uint32_t i = 0; i < ids.n; i++) {
		if (sap_str_trim(ids.v[i]).n == 0)
			return complain(name, t->id.line, "an id is empty", err);
	}
	return 0;
}

static int check_packages(const char *name, const struct ignore *t, struct sap_err *err)
{
	struct sap_strs packages = texts_of(&t->package);
	struct sap_purl_parts parts;

	if (t->package.kind == SAP_TOML_STRINGS && packages.n == 0)
		return complain(name, t->package.line,
				"the list of packages is empty; leave it out for any package", err);
	for (uint32_t i = 0; i < packages.n; i++) {
		struct sap_str package = packages.v[i];

		if (sap_str_trim(package).n == 0)
			return complain(name, t->package.line,
					"package is empty; leave it out for any package", err);
		if (sap_str_starts(package, SAP_STR("pkg:")) && !sap_purl_split(package, &parts))
			return complain(name, t->package.line,
					"package is not a purl (pkg:TYPE/NAMESPACE/NAME)", err);
	}
	return 0;
}

/* Copies an item's texts, and drops the blanks around them. */
static bool own_texts(struct sap_review *review, struct sap_toml_item *item)
{
	bool done = true;

	if (item->kind == SAP_TOML_STRING)
		return sap_arena_str(&review->arena, sap_str_trim(item->text), &item->text);
	for (uint32_t i = 0; done && i < item->n; i++)
		done = sap_arena_str(&review->arena, sap_str_trim(item->list[i]), &item->list[i]);
	return done;
}

static int add_exception(struct sap_review *review, const struct ignore *t, struct sap_str id,
			 struct sap_str package, struct sap_err *err)
{
	struct sap_exception *e;

	if (review->exceptions.n >= SAP_EXCEPTIONS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%.*s:%u: more than %u exceptions",
				   SAP_FMT(review->file), t->line, SAP_EXCEPTIONS_MAX);
	e = SAP_VEC_PUSH(&review->exceptions, SAP_EXCEPTIONS_MAX);
	if (!e)
		return sap_err_nomem(err);
	*e = (struct sap_exception){ .file = review->file,
				     .id = id,
				     .package = package,
				     .reason = t->reason,
				     .until = t->until,
				     .line = t->line };
	return 0;
}

/* The table is complete: every id for every package. */
static int finish_table(struct sap_review *review, const char *name, struct ignore *t,
			struct sap_err *err)
{
	struct sap_strs ids, packages;
	const struct sap_str any = { 0 };
	int r;

	if (t->line == 0)
		return 0;
	r = check_ids(name, t, err);
	if (r == 0)
		r = check_packages(name, t, err);
	if (r == 0 && sap_str_trim(t->reason).n == 0)
		r = complain(name, t->line, "this exception has no reason", err);
	if (r == 0 && (!own_texts(review, &t->id) || !own_texts(review, &t->package) ||
		       !sap_arena_str(&review->arena, t->reason, &t->reason) ||
		       !sap_arena_str(&review->arena, t->until, &t->until)))
		r = sap_err_nomem(err);
	ids = texts_of(&t->id);
	packages = texts_of(&t->package);
	if (packages.n == 0)
		packages = (struct sap_strs){ &any, 1 };
	for (uint32_t i = 0; r == 0 && i < ids.n; i++) {
		for (uint32_t j = 0; r == 0 && j < packages.n; j++)
			r = add_exception(review, t, ids.v[i], packages.v[j], err);
	}
	return r;
}

static int take_key(const char *name, struct ignore *t, const struct sap_toml_item *item,
		    struct sap_err *err)
{
	bool text = item->kind == SAP_TOML_STRING;
	bool texts = text || item->kind == SAP_TOML_STRINGS;
	int64_t days;

	if (sap_str_is(item->name, "id") && texts) {
		t->id = *item;
		return 0;
	}
	if (sap_str_is(item->name, "package") && texts) {
		t->package = *item;
		return 0;
	}
	if (sap_str_is(item->name, "reason") && text) {
		t->reason = item->text;
		return 0;
	}
	if (sap_str_is(item->name, "until") && (text || item->kind == SAP_TOML_DATE)) {
		if (!sap_date_parse(item->text, &days))
			return complain(name, item->line,
					"until should be a date: YYYY-MM-DD, a day that exists",
					err);
		t->until = item->text;
		return 0;
	}
	if (sap_str_is(item->name, "id") || sap_str_is(item->name, "package") ||
	    sap_str_is(item->name, "reason") || sap_str_is(item->name, "until"))
		return complain(name, item->line,
				"id and package should be strings or lists of them, reason a "
				"string, until a date",
				err);
	return sap_err_set(err, SAP_EFORMAT,
			   "%s:%u: unknown key \"%.*s\": id, package, reason or until should stand "
			   "here",
			   name, item->line, (int)(item->name.n > 64 ? 64 : item->name.n),
			   item->name.p);
}

static int read_tables(struct sap_review *review, const char *name, struct sap_toml *toml,
		       struct sap_err *err)
{
	struct ignore table = { 0 };
	struct sap_toml_item item;
	int r;

	do {
		r = sap_toml_next(toml, &item, err);
		if (r == 0 && (item.kind == SAP_TOML_TABLE || item.kind == SAP_TOML_END)) {
			r = finish_table(review, name, &table, err);
			table = (struct ignore){ .line = item.line };
			if (r == 0 && item.kind == SAP_TOML_TABLE &&
			    !sap_str_is(item.name, "ignore"))
				r = complain(name, item.line, "a table should be [[ignore]]", err);
		} else if (r == 0) {
			r = take_key(name, &table, &item, err);
		}
	} while (r == 0 && item.kind != SAP_TOML_END);
	return r;
}

int sap_review_read_toml(struct sap_review *review, const char *name, struct sap_str text,
			 struct sap_err *err)
{
	size_t before = review->exceptions.n;
	struct sap_str file_before = review->file;
	struct sap_arena arena;
	struct sap_toml toml;
	int r;

	if (text.n > SAP_TEXT_FILE_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%s: larger than %llu MiB", name,
				   SAP_TEXT_FILE_MAX / SAP_MIB);
	sap_arena_init(&arena, 0);
	if (!sap_arena_str(&review->arena, sap_str_of(name), &review->file)) {
		r = sap_err_nomem(err);
	} else {
		sap_toml_init(&toml, name, text, &arena);
		r = read_tables(review, name, &toml, err);
	}
	if (r < 0) {
		review->exceptions.n = before;
		review->file = file_before;
	}
	sap_arena_clear(&arena);
	return r;
}

/* ---- VEX -------------------------------------------------------------------------------- */

int sap_review_add_vex(struct sap_review *review, const struct sap_row *row,
		       struct sap_str document, struct sap_err *err)
{
	static const char *const words[] = { "not_affected", "affected", "fixed",
					     "under_investigation" };
	struct sap_arena *arena = &review->arena;
	struct sap_vex_statement s = { 0 }, *v;
	bool known = false;

	if (row->kind != SAP_ROW_VEX || row->args[0].n == 0 || row->args[1].n == 0)
		return sap_err_set(err, SAP_EFORMAT, "%.*s: not a statement of VEX",
				   SAP_FMT(document));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		known |= sap_str_eq(row->args[2], sap_str_of(words[i]));
	if (!known)
		return sap_err_set(err, SAP_EFORMAT, "%.*s: %.*s has an unknown status: %.*s",
				   SAP_FMT(document), SAP_FMT(row->args[0]), SAP_FMT(row->args[2]));
	if (review->vex.n >= SAP_VEX_STATEMENTS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%.*s: more than %u statements of VEX",
				   SAP_FMT(document), SAP_VEX_STATEMENTS_MAX);
	/* Statements of one document come one after the other: its name is kept once. */
	if (review->vex.n && sap_str_eq(review->vex.v[review->vex.n - 1].document, document))
		s.document = review->vex.v[review->vex.n - 1].document;
	else if (!sap_arena_str(arena, document, &s.document))
		return sap_err_nomem(err);
	if (!sap_arena_str(arena, row->args[0], &s.id) ||
	    !sap_arena_str(arena, row->args[1], &s.product) ||
	    !sap_arena_str(arena, row->args[2], &s.status) ||
	    !sap_arena_str(arena, sap_row_attr(row, "subcomponent"), &s.subcomponents) ||
	    !sap_arena_str(arena, sap_row_attr(row, "justification"), &s.justification) ||
	    !sap_arena_str(arena, sap_row_attr(row, "action"), &s.action) ||
	    !sap_arena_str(arena, sap_row_attr(row, "date"), &s.date) ||
	    !sap_arena_str(arena, sap_row_attr(row, "author"), &s.author))
		return sap_err_nomem(err);
	v = SAP_VEC_PUSH(&review->vex, SAP_VEX_STATEMENTS_MAX);
	if (!v)
		return sap_err_nomem(err);
	*v = s;
	return 0;
}
