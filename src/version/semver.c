/* SPDX-License-Identifier: Apache-2.0 */
#include "version/langver_int.h"

static bool is_id(char c)
{
	return sap_digit(c) || sap_letter(c) || c == '-' || c == '_' || c == '~';
}

bool sap_semver_take_numbers(struct sap_str *s, struct sap_str *numbers)
{
	struct sap_str rest = *s;

	for (;;) {
		struct sap_str run = sap_digits_take(&rest);

		if (run.n == 0)
			return false;
		if (rest.n < 2 || rest.p[0] != '.' || !sap_digit(rest.p[1]))
			break;
		rest = sap_str_skip(rest, 1);
	}
	*numbers = (struct sap_str){ s->p, s->n - rest.n };
	*s = rest;
	return true;
}

bool sap_semver_take_ids(struct sap_str *s, struct sap_str *ids)
{
	size_t n = 0;
	bool empty = true; /* the id that is being read */

	for (; n < s->n; n++) {
		if (s->p[n] == '.') {
			if (empty)
				return false;
			empty = true;
		} else if (is_id(s->p[n])) {
			empty = false;
		} else {
			break;
		}
	}
	if (empty)
		return false;
	*ids = (struct sap_str){ s->p, n };
	*s = sap_str_skip(*s, n);
	return true;
}

bool sap_semver_parse(struct sap_str v, struct sap_semver *out)
{
	struct sap_semver found = { 0 };

	if (v.n > 0 && (*v.p == 'v' || *v.p == 'V'))
		v = sap_str_skip(v, 1);
	if (!sap_semver_take_numbers(&v, &found.numbers))
		return false;
	if (v.n > 0 && *v.p == '-') {
		v = sap_str_skip(v, 1);
		if (!sap_semver_take_ids(&v, &found.pre))
			return false;
	}
	if (v.n > 0 && *v.p == '+') {
		v = sap_str_skip(v, 1);
		if (!sap_semver_take_ids(&v, &found.build))
			return false;
	}
	if (v.n > 0)
		return false;
	*out = found;
	return true;
}

int sap_semver_numbers_cmp(struct sap_str a, struct sap_str b)
{
	while (a.n > 0 || b.n > 0) {
		struct sap_str x = sap_digits_take(&a), y = sap_digits_take(&b);
		int cmp = sap_digits_cmp(x, y);

		if (cmp != 0)
			return cmp;
		a = sap_str_skip(a, 1); /* the dot */
		b = sap_str_skip(b, 1);
	}
	return 0;
}

/* The next id of a list; false at its end. */
static bool next_id(struct sap_str *list, bool joined, struct sap_str *id, bool *numeric)
{
	struct sap_str run = *list;
	size_t n = 0;

	if (list->n == 0)
		return false;
	*numeric = true;
	while (n < list->n && list->p[n] != '.') {
		if (!sap_digit(list->p[n])) {
			if (joined && *numeric && n > 0)
				break;
			*numeric = false;
		} else if (joined && !*numeric) {
			break;
		}
		n++;
	}
	*id = (struct sap_str){ run.p, n };
	*list = sap_str_skip(*list, n < list->n && list->p[n] == '.' ? n + 1 : n);
	return true;
}

static int ids_cmp(struct sap_str a, bool a_joined, struct sap_str b, bool b_joined, bool fold)
{
	for (;;) {
		struct sap_str x, y;
		bool x_numeric, y_numeric;
		bool has_x = next_id(&a, a_joined, &x, &x_numeric);
		bool has_y = next_id(&b, b_joined, &y, &y_numeric);
		int cmp;

		if (!has_x || !has_y)
			return has_x - has_y;
		if (x_numeric != y_numeric)
			return x_numeric ? -1 : 1;
		if (x_numeric)
			cmp = sap_digits_cmp(x, y);
		else
			cmp = fold ? sap_fold_cmp(x, y) : sap_str_cmp(x, y);
		if (cmp != 0)
			return cmp;
	}
}

int sap_semver_ids_cmp(struct sap_str a, struct sap_str b, bool fold)
{
	return ids_cmp(a, false, b, false, fold);
}

int sap_semver_cmp(const struct sap_semver *a, const struct sap_semver *b, bool fold)
{
	int cmp = sap_semver_numbers_cmp(a->numbers, b->numbers);

	if (cmp != 0)
		return cmp;
	if (a->pre.n == 0 || b->pre.n == 0)
		return (a->pre.n == 0) - (b->pre.n == 0);
	return ids_cmp(a->pre, a->joined, b->pre, b->joined, fold);
}

static bool valid(struct sap_str v)
{
	struct sap_semver parsed;

	return sap_semver_parse(v, &parsed);
}

/* A fourth number and those behind it are compared like the others, where semver itself
 * would not have them: 1.2.3.4 repaired in 1.2.3.5 is no repair otherwise. */
static int cmp(struct sap_str a, struct sap_str b)
{
	struct sap_semver x = { 0 }, y = { 0 };

	sap_semver_parse(a, &x);
	sap_semver_parse(b, &y);
	return sap_semver_cmp(&x, &y, false);
}

const struct sap_version_rules sap_version_semver = { valid, cmp };
