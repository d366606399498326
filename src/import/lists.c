/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats that are lists share. */
#include "import/lists_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "advisory/claim.h"

/* ---- entries ---------------------------------------------------------------------------- */

void sap_entry_init(struct sap_entry *entry)
{
	sap_buf_init(&entry->text, SAP_IMPORT_LINE_MAX);
	entry->line = 0;
}

void sap_entry_clear(struct sap_entry *entry)
{
	sap_buf_clear(&entry->text);
}

void sap_entry_start(struct sap_entry *entry, uint64_t number)
{
	sap_buf_reset(&entry->text);
	entry->line = number;
}

void sap_entry_add(struct sap_entry *entry, struct sap_str line)
{
	sap_buf_puts(&entry->text, line);
	sap_buf_putc(&entry->text, '\n');
}

bool sap_entry_take(struct sap_entry *entry, struct sap_import *im, struct sap_str *text, int *code,
		    struct sap_err *err)
{
	uint64_t line = entry->line;

	*code = 0;
	entry->line = 0;
	if (line == 0)
		return false;
	*text = sap_buf_str(&entry->text);
	if (sap_buf_ok(&entry->text))
		return true;
	if (text->n < SAP_IMPORT_LINE_MAX / 2)
		*code = sap_err_nomem(err);
	else
		sap_list_problem(im, line, "an entry of more than %llu bytes",
				 (unsigned long long)SAP_IMPORT_LINE_MAX);
	return false;
}

/* ---- rows ------------------------------------------------------------------------------- */

void sap_list_problem(struct sap_import *im, uint64_t line, const char *fmt, ...)
{
	struct sap_str was = im->where;
	char text[512], where[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(where, sizeof(where), "%.*s line %llu",
		     (int)(im->name.n > 400 ? 400 : im->name.n), im->name.p ? im->name.p : "",
		     (unsigned long long)line);
	im->where = (struct sap_str){ where, n > 0 ? (size_t)n : 0 };
	sap_import_problem(im, "%s", text);
	im->where = was;
}

void sap_list_claim_begin(struct sap_rows *rows, const struct sap_list_claim *claim)
{
	sap_rows_begin(rows, SAP_ROW_CLAIM);
	sap_rows_arg(rows, claim->space);
	sap_rows_list_begin(rows, NULL);
}

void sap_list_claim_end(struct sap_rows *rows, const struct sap_list_claim *claim)
{
	sap_rows_list_end(rows);
	sap_rows_arg(rows, sap_str_of(claim->status));
	if (strcmp(claim->status, "affected") == 0) {
		sap_rows_attr(rows, "introduced", SAP_STR("0"));
		sap_rows_attr(rows, "fixed", claim->fixed);
	}
	sap_rows_attr(rows, "reason", sap_str_of(claim->reason));
	sap_rows_attr(rows, "severity", sap_str_of(claim->severity));
	if (claim->not_offered)
		sap_rows_attr(rows, "offered", SAP_STR("no"));
	if (claim->pro)
		sap_rows_attr(rows, "pro", SAP_STR("yes"));
	sap_rows_done(rows);
}

void sap_list_claim(struct sap_rows *rows, const struct sap_list_claim *claim)
{
	sap_list_claim_begin(rows, claim);
	sap_rows_list_item(rows, claim->package);
	sap_list_claim_end(rows, claim);
}

/* ---- texts ------------------------------------------------------------------------------ */

static struct sap_str without_mark(struct sap_str s)
{
	return sap_str_starts(s, SAP_STR("\xef\xbb\xbf")) ? sap_str_skip(s, 3) : s;
}

struct sap_str sap_list_head(const struct sap_import_head *head)
{
	return without_mark(head->bytes);
}

struct sap_str sap_list_line(struct sap_str line, uint64_t number)
{
	if (number == 1)
		line = without_mark(line);
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool sap_list_version_ok(struct sap_str version)
{
	if (version.n == 0 || version.n > SAP_VERSION_TEXT_MAX || !alnum(version.p[0]))
		return false;
	for (size_t i = 0; i < version.n; i++) {
		if (!alnum(version.p[i]) && !memchr(".+~:-_^", version.p[i], 7))
			return false;
	}
	return true;
}

bool sap_list_name_ok(struct sap_str name)
{
	if (name.n == 0 || name.n > SAP_VERSION_TEXT_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~' || memchr("<>()[]{},;\"'\\", name.p[i], 13))
			return false;
	}
	return true;
}

bool sap_list_digits(struct sap_str s, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++) {
		if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

struct sap_str sap_list_date(struct sap_arena *arena, struct sap_str s)
{
	char *p;

	if (!sap_list_digits(s, 0, 4) || !sap_list_digits(s, 5, 2) || !sap_list_digits(s, 8, 2) ||
	    s.p[4] != '-' || s.p[7] != '-' || sap_list_digits(s, 10, 1))
		return (struct sap_str){ 0 };
	if (!sap_list_digits(s, 11, 2) || !sap_list_digits(s, 14, 2) ||
	    !sap_list_digits(s, 17, 2) || (s.p[10] != 'T' && s.p[10] != ' ') || s.p[13] != ':' ||
	    s.p[16] != ':')
		return (struct sap_str){ s.p, 10 };
	p = sap_arena_alloc(arena, 20);
	if (!p)
		return (struct sap_str){ s.p, 10 };
	memcpy(p, s.p, 19);
	p[10] = 'T';
	p[19] = 'Z';
	return (struct sap_str){ p, 20 };
}

const char *sap_list_severity(struct sap_str word)
{
	return sap_severity_name(sap_severity_parse(word));
}
