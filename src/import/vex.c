/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats of VEX documents share: see vex_int.h. */
#include "import/vex_int.h"

/* ---- dates ------------------------------------------------------------------------------ */

/* Digits and fixed characters: '0' in the pattern is any digit. */
static bool looks(struct sap_str s, struct sap_str pattern)
{
	if (s.n < pattern.n)
		return false;
	for (size_t i = 0; i < pattern.n; i++) {
		char c = s.p[i];

		if (pattern.p[i] == '0' ? c < '0' || c > '9' : c != pattern.p[i])
			return false;
	}
	return true;
}

static int number(struct sap_str s, size_t at, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (s.p[at + i] - '0');
	return v;
}

static void put(char *to, int v, unsigned n)
{
	while (n-- > 0) {
		to[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

static int month_days(int year, int month)
{
	static const signed char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Moves a time by less than a day. False: out of the years 0 to 9999. */
static bool shift(int t[5], int minutes)
{
	int m = t[3] * 60 + t[4] - minutes;

	if (m < 0) {
		m += 24 * 60;
		if (--t[2] == 0) {
			if (--t[1] == 0) {
				t[1] = 12;
				t[0]--;
			}
			if (t[0] >= 0)
				t[2] = month_days(t[0], t[1]);
		}
	} else if (m >= 24 * 60) {
		m -= 24 * 60;
		if (++t[2] > month_days(t[0], t[1])) {
			t[2] = 1;
			if (++t[1] > 12) {
				t[1] = 1;
				t[0]++;
			}
		}
	}
	t[3] = m / 60;
	t[4] = m % 60;
	return t[0] >= 0 && t[0] <= 9999;
}

bool sap_vex_date(struct sap_arena *arena, struct sap_str text, struct sap_str *out)
{
	struct sap_str s = sap_str_trim(text), zone;
	int t[5], offset = 0;
	size_t at = 19;
	bool west;
	char *to;

	*out = (struct sap_str){ 0 };
	if (!looks(s, SAP_STR("0000-00-00")))
		return true;
	t[0] = number(s, 0, 4);
	t[1] = number(s, 5, 2);
	t[2] = number(s, 8, 2);
	if (t[1] < 1 || t[1] > 12 || t[2] < 1 || t[2] > month_days(t[0], t[1]))
		return true;
	if (s.n == 10)
		*out = s;
	if (!looks(sap_str_skip(s, 11), SAP_STR("00:00:00")))
		return true;
	t[3] = number(s, 11, 2);
	t[4] = number(s, 14, 2);
	if (t[3] > 23 || t[4] > 59 || number(s, 17, 2) > 60)
		return true;
	if (at < s.n && s.p[at] == '.')
		for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9';)
			at++;
	zone = sap_str_skip(s, at);
	west = looks(zone, SAP_STR("-00:00"));
	if (west || looks(zone, SAP_STR("+00:00"))) {
		offset = number(zone, 1, 2) * 60 + number(zone, 4, 2);
		if (offset >= 24 * 60)
			return true;
		if (west)
			offset = -offset;
	}
	if (!shift(t, offset))
		return true;
	to = sap_arena_alloc(arena, 20);
	if (!to)
		return false;
	memcpy(to, "0000-00-00T00:00:00Z", 20);
	put(to, t[0], 4);
	put(to + 5, t[1], 2);
	put(to + 8, t[2], 2);
	put(to + 11, t[3], 2);
	put(to + 14, t[4], 2);
	memcpy(to + 17, s.p + 17, 2);
	*out = (struct sap_str){ to, 20 };
	return true;
}

/* ---- texts ------------------------------------------------------------------------------ */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sap_vex_decode(struct sap_arena *arena, struct sap_str s, struct sap_str *out)
{
	char *to;
	size_t n = 0;

	if (s.n == 0 || !memchr(s.p, '%', s.n)) {
		*out = s;
		return true;
	}
	to = sap_arena_alloc(arena, s.n);
	if (!to)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && s.n - i > 2 && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			to[n++] = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
			i += 2;
		} else {
			to[n++] = s.p[i];
		}
	}
	*out = (struct sap_str){ to, n };
	return true;
}

uint64_t sap_vex_hash(struct sap_str text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (unsigned char)text.p[i]) * 0x100000001b3u;
	return h;
}

/* ---- statements ------------------------------------------------------------------------- */

void sap_vex_put(struct sap_rows *rows, const struct sap_vex *vex)
{
	sap_rows_begin(rows, SAP_ROW_VEX);
	sap_rows_arg(rows, vex->id);
	sap_rows_arg(rows, vex->product.n > 0 ? vex->product : SAP_STR("*"));
	sap_rows_arg(rows, vex->status);
	sap_rows_attr(rows, "justification", vex->justification);
	sap_rows_attr(rows, "action", vex->action);
	sap_rows_attr(rows, "date", vex->date);
	sap_rows_attr(rows, "author", vex->author);
	sap_rows_list_begin(rows, "subcomponent");
	for (size_t i = 0; i < vex->n_subcomponents; i++)
		sap_rows_list_item(rows, vex->subcomponents[i]);
	sap_rows_list_end(rows);
	sap_rows_done(rows);
}

struct sap_str sap_vex_id(struct sap_str name, const struct sap_json *list, const char *member)
{
	struct sap_str best = sap_str_trim(name);

	if (sap_id_kind(best) == SAP_ID_CVE)
		return best;
	for (const struct sap_json *m = sap_json_first(list); m; m = m->next) {
		struct sap_str s = member && sap_json_is(m, SAP_JSON_OBJECT)
					   ? sap_json_text(m, member)
					   : sap_json_string(m);

		s = sap_str_trim(s);
		if (sap_id_kind(s) == SAP_ID_CVE)
			return s;
		if (best.n == 0 && sap_id_kind(s) != SAP_ID_NONE)
			best = s;
	}
	return best;
}

/* The arena's ceiling, not memory itself, where half of it is gone. */
int sap_vex_outcome(struct sap_import *im, int rc, const struct sap_err *err)
{
	bool ceiling =
		rc == SAP_ENOMEM && im->arena->max > 0 && im->arena->used > im->arena->max / 2;

	if (rc != SAP_ELIMIT && !ceiling)
		return rc;
	sap_import_problem(im, "the document is too large: %s",
			   rc == SAP_ELIMIT && err ? err->text : "too many products");
	return 0;
}
