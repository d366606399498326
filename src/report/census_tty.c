/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

enum { CENSUS_COLUMNS = 9, NUMBERS = 7 };

/* How the table is made to fit: each step as well as those before it. */
enum fit { FIT_ALL, FIT_SHORT_NAMES, FIT_SHORT_HEADS };

/* Columns that the numbers take, two blanks before each, with their heads in full. */
enum { NUMBERS_WIDTH = 65 };

/* ---- names ------------------------------------------------------------------------------ */

static struct sap_str name_of(const struct sap_census_row *row)
{
	return row->system.n ? row->system : sap_str_of(row->target);
}

/* "Debian GNU/Linux 12 (bookworm)" as "Debian 12". */
static void put_short(struct sap_buf *out, struct sap_str name)
{
	static const struct sap_str extra = SAP_STR_INIT("GNU/Linux ");
	const char *bracket = name.p ? memmem(name.p, name.n, " (", 2) : NULL;
	const char *middle;

	if (bracket && bracket > name.p)
		name.n = (size_t)(bracket - name.p);
	middle = name.p ? memmem(name.p, name.n, extra.p, extra.n) : NULL;
	if (middle && middle > name.p) {
		size_t head = (size_t)(middle - name.p);

		sap_buf_put(out, name.p, head);
		name = sap_str_skip(name, head + extra.n);
	}
	sap_buf_puts(out, name);
}

/* The name that a row goes by, in *text until the next call. */
static struct sap_str shown_name(struct sap_report *report, const struct sap_census_row *row,
				 enum fit fit, struct sap_buf *text)
{
	if (fit == FIT_ALL || row->system.n == 0)
		return name_of(row);
	sap_buf_reset(text);
	put_short(text, row->system);
	if (!sap_buf_ok(text))
		report->out->failed = true;
	return sap_buf_str(text);
}

/* The path that all rows have in common; empty: there is none. */
static struct sap_str common_program(const struct sap_census_view *view)
{
	struct sap_str program = { 0 };

	for (uint32_t i = 0; i < view->n_rows; i++) {
		const struct sap_census_row *row = &view->rows[i];

		if (row->problem || row->program.n == 0)
			continue;
		if (program.n && !sap_str_eq(program, row->program))
			return (struct sap_str){ 0 };
		program = row->program;
	}
	return program;
}

static unsigned columns_of(struct sap_str s)
{
	struct sap_buf text;
	unsigned n;

	sap_buf_init(&text, SIZE_MAX / 2);
	sap_tty_escape(&text, s);
	n = sap_tty_columns(sap_buf_str(&text));
	sap_buf_clear(&text);
	return n;
}

static enum fit choose_fit(struct sap_report *report, const struct sap_census_view *view,
			   bool programs, struct sap_buf *text)
{
	unsigned program = 0;

	for (uint32_t i = 0; programs && i < view->n_rows; i++) {
		unsigned n = columns_of(view->rows[i].program) + 2;

		program = n > program ? n : program;
	}
	for (enum fit fit = FIT_ALL; fit < FIT_SHORT_HEADS; fit++) {
		unsigned widest = 0;

		for (uint32_t i = 0; i < view->n_rows; i++) {
			unsigned n = columns_of(shown_name(report, &view->rows[i], fit, text));

			widest = n > widest ? n : widest;
		}
		if (report->tty.width == 0 || widest + program + NUMBERS_WIDTH <= report->tty.width)
			return fit;
	}
	return FIT_SHORT_HEADS;
}

/* ---- the table -------------------------------------------------------------------------- */

static void put_row(struct sap_table *table, const struct sap_census_row *row, struct sap_str name,
		    bool program)
{
	sap_table_text(table, name);
	if (row->problem) {
		sap_table_style(table, SAP_RED);
		for (unsigned i = 0; i < NUMBERS; i++)
			sap_table_printf(table, "-");
	} else {
		sap_table_printf(table, "%u", row->libraries);
		sap_table_printf(table, "%u", row->direct);
		/* None at all: there is no package database, or it says nothing. */
		if (row->packages)
			sap_table_printf(table, "%u", row->packages);
		else
			sap_table_printf(table, "-");
		sap_table_printf(table, "%llu",
				 (unsigned long long)(row->code_bytes + 1023) / 1024);
		sap_table_printf(table, "%u", row->beyond);
		sap_table_printf(table, "%u", row->guesses);
		sap_table_printf(table, "%u", row->missing);
		if (row->missing)
			sap_table_style(table, SAP_RED);
	}
	if (program)
		sap_table_text(table, row->program);
}

static void put_table(struct sap_report *report, const struct sap_census_view *view, enum fit fit,
		      bool program, struct sap_buf *text)
{
	bool s = fit == FIT_SHORT_HEADS;
	const struct sap_column columns[CENSUS_COLUMNS] = {
		{ .head = "SYSTEM", .min = 16 },
		{ .head = s ? "LIBS" : "LIBRARIES", .right = true },
		{ .head = "DIRECT", .right = true },
		{ .head = s ? "PKGS" : "PACKAGES", .right = true },
		{ .head = s ? "KiB" : "CODE KiB", .right = true },
		{ .head = "BEYOND", .right = true },
		{ .head = "GUESSES", .right = true },
		{ .head = "MISSING", .right = true },
		{ .head = "PROGRAM", .style = SAP_DIM, .min = 12 },
	};
	struct sap_table table;

	sap_table_begin(&table, &report->tty, columns, CENSUS_COLUMNS - !program);
	for (uint32_t i = 0; i < view->n_rows; i++)
		put_row(&table, &view->rows[i], shown_name(report, &view->rows[i], fit, text),
			program);
	sap_table_end(&table);
}

/* ---- around it -------------------------------------------------------------------------- */

static void put_gap(const struct sap_tty *tty, const struct sap_census_row *row)
{
	if (row->problem || (!row->missing && !row->incomplete))
		return;
	sap_tty_begin(tty, SAP_RED);
	sap_buf_puts(tty->out, SAP_STR("INCOMPLETE: "));
	sap_tty_escape(tty->out, name_of(row));
	if (row->missing)
		sap_buf_printf(tty->out, ": %u librar%s %s not found", row->missing,
			       sap_plural_y(row->missing), row->missing == 1 ? "was" : "were");
	else
		sap_buf_puts(tty->out, SAP_STR(": some files could not be looked up"));
	sap_tty_end(tty, SAP_RED);
	sap_buf_putc(tty->out, '\n');
}

static void put_note(const struct sap_tty *tty, const struct sap_census_row *row)
{
	if (!row->problem && !row->unowned)
		return;
	sap_tty_escape(tty->out, name_of(row));
	sap_buf_puts(tty->out, SAP_STR(": "));
	if (row->problem) {
		sap_tty_text(tty, SAP_RED, sap_str_of(row->problem));
	} else {
		sap_tty_begin(tty, SAP_YELLOW);
		sap_buf_printf(tty->out, "%u librar%s that no package owns", row->unowned,
			       sap_plural_y(row->unowned));
		sap_tty_end(tty, SAP_YELLOW);
	}
	sap_buf_putc(tty->out, '\n');
}

void sap_census_tty(struct sap_report *report, const struct sap_census_view *view)
{
	const struct sap_tty *tty = &report->tty;
	struct sap_str program = common_program(view);
	struct sap_buf text;
	enum fit fit;

	sap_buf_init(&text, SIZE_MAX / 2);
	for (uint32_t i = 0; i < view->n_rows; i++)
		put_gap(tty, &view->rows[i]);
	if (program.n) {
		sap_buf_puts(tty->out, SAP_STR("Program: "));
		sap_tty_text(tty, SAP_BOLD, program);
		sap_buf_putc(tty->out, '\n');
	}
	fit = choose_fit(report, view, program.n == 0, &text);
	put_table(report, view, fit, program.n == 0, &text);
	for (uint32_t i = 0; i < view->n_rows; i++)
		put_note(tty, &view->rows[i]);
	sap_tty_line(tty, SAP_DIM, "%s: loaded at start, as %s loads them",
		     fit == FIT_SHORT_HEADS ? "LIBS" : "LIBRARIES",
		     sap_report_cpu(view->cpu_level));
	sap_tty_line(tty, SAP_DIM, "BEYOND: further ones by PAM, NSS, dlopen notes%s",
		     fit == FIT_SHORT_HEADS ? "; KiB: of code" : "");
	sap_buf_clear(&text);
}
