/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPSS: the probability that a vulnerability is exploited within 30 days (FIRST.org).
 *
 *     #model_version:v2023.03.01,score_date:2024-10-25T00:00:00+0000
 *     cve,epss,percentile
 *     CVE-1999-0005,0.91963,0.99030
 *
 * Comment and header may be missing, and the separator may be ';' (archives that keep a file for
 * each year). A file that says its date is all there is: it replaces the source "epss/FIRST";
 * others add to it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "import/import_int.h"
#include "import/lists_int.h"

struct epss {
	char date[24];
	size_t n; /* bytes of it */
};

struct score {
	struct sap_str id, score, percentile;
};

/* A decimal fraction in 0..1 */
static bool is_fraction(struct sap_str s)
{
	bool above = false; /* a digit behind the point that is not 0 */

	if (s.n < 1 || s.n > 24 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.') ||
	    s.n == 2)
		return false;
	if (s.n > 2 && !sap_list_digits(s, 2, s.n - 2))
		return false;
	for (size_t i = 2; i < s.n; i++)
		above = above || s.p[i] != '0';
	return s.p[0] == '0' || !above;
}

/* "9.5e-05", which some producers write, as 0.000095000. Gives s itself where it is none. */
static struct sap_str plain_fraction(struct sap_str s, char out[16])
{
	uint64_t digits, exponent;
	struct sap_str mantissa, power, whole, part;
	double v;

	if (!sap_str_cut(s, 'e', &mantissa, &power) || power.n < 2 || power.n > 3 ||
	    power.p[0] != '-' || !sap_str_u64(sap_str_skip(power, 1), &exponent))
		return s;
	sap_str_cut(mantissa, '.', &whole, &part);
	if (whole.n != 1 || part.n > 15 || !sap_str_u64(whole, &digits))
		return s;
	v = (double)digits;
	if (part.n > 0) {
		double scale = 1;

		if (!sap_str_u64(part, &digits))
			return s;
		for (size_t i = 0; i < part.n; i++)
			scale *= 10;
		v += (double)digits / scale;
	}
	while (exponent-- > 0)
		v /= 10;
	snprintf(out, 16, "%.9f", v);
	return sap_str_of(out);
}

/* Cuts a line into its three fields. False: it has not the form "CVE,number,number". */
static bool score_parse(struct sap_str line, struct score *out)
{
	char separator = line.n > 0 && memchr(line.p, ';', line.n) ? ';' : ',';
	struct sap_str rest;

	if (!sap_str_cut(line, separator, &out->id, &rest) ||
	    !sap_str_cut(rest, separator, &out->score, &rest))
		return false;
	sap_str_cut(rest, separator, &out->percentile, &rest);
	out->id = sap_str_trim(out->id);
	out->score = sap_str_trim(out->score);
	out->percentile = sap_str_trim(out->percentile);
	return true;
}

static bool score_ok(const struct score *s)
{
	return sap_id_kind(s->id) == SAP_ID_CVE && is_fraction(s->score) &&
	       is_fraction(s->percentile);
}

static bool is_header(struct sap_str line)
{
	struct score s;

	return score_parse(line, &s) && sap_str_is(s.id, "cve") && sap_str_is(s.score, "epss");
}

static bool recognise(const struct sap_import_head *head)
{
	struct sap_str text = sap_list_head(head), line;
	struct score s;

	if (head->json)
		return false;
	for (int i = 0; i < 8 && sap_str_line(&text, &line); i++) {
		line = sap_str_trim(line);
		if (line.n == 0)
			continue;
		if (sap_str_starts(line, SAP_STR("#model_version:")) || is_header(line))
			return true;
		if (line.p[0] != '#')
			return score_parse(line, &s) && score_ok(&s);
	}
	return false;
}

static int begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	(void)head;
	im->state = calloc(1, sizeof(struct epss));
	return im->state ? 0 : sap_err_nomem(err);
}

static void comment(struct sap_import *im, struct epss *state, struct sap_str line)
{
	struct sap_str part, date;

	while (line.n > 0) {
		sap_str_cut(line, ',', &part, &line);
		part = sap_str_trim(part);
		if (!sap_str_starts(part, SAP_STR("score_date:")))
			continue;
		date = sap_list_date(im->arena, sap_str_skip(part, 11));
		if (date.n > 0 && date.n < sizeof(state->date)) {
			memcpy(state->date, date.p, date.n);
			state->n = date.n;
		}
	}
}

static int on_line(struct sap_import *im, struct sap_str line, uint64_t number, struct sap_err *err)
{
	struct epss *state = im->state;
	struct score s = { 0 };
	char score[16], percentile[16];
	bool ok;

	(void)err;
	line = sap_str_trim(sap_list_line(line, number));
	if (line.n == 0 || is_header(line))
		return 0;
	if (line.p[0] == '#') {
		comment(im, state, sap_str_skip(line, 1));
		return 0;
	}
	ok = score_parse(line, &s);
	s.score = plain_fraction(s.score, score);
	s.percentile = plain_fraction(s.percentile, percentile);
	if (!ok || !score_ok(&s)) {
		sap_list_problem(im, number,
				 "no CVE with a score and a percentile in 0..1: \"%.*s\"",
				 (int)(line.n > 80 ? 80 : line.n), line.p);
		return 0;
	}
	sap_import_source(im, "epss", SAP_STR("FIRST"), (struct sap_str){ state->date, state->n },
			  state->n > 0 ? "replace" : "merge");
	sap_rows_begin(im->rows, SAP_ROW_EPSS);
	sap_rows_arg(im->rows, s.id);
	sap_rows_arg(im->rows, s.score);
	sap_rows_arg(im->rows, s.percentile);
	sap_rows_done(im->rows);
	return 0;
}

static void end(struct sap_import *im)
{
	free(im->state);
	im->state = NULL;
}

const struct sap_import_format sap_format_epss = {
	.name = "epss",
	.recognise = recognise,
	.begin = begin,
	.line = on_line,
	.end = end,
};
