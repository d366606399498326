/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "advisory/store_int.h"

/* ---- sets of record numbers ------------------------------------------------------------- */

enum { PAGE_BITS = 32768, PAGE_WORDS = PAGE_BITS / 64 };

bool sap_idset_add(struct sap_idset *set, int64_t id)
{
	uint32_t key = (uint32_t)id;
	size_t page = key / PAGE_BITS;

	if (page >= set->n_pages) {
		size_t n = page + 1 > set->n_pages * 2 ? page + 1 : set->n_pages * 2;
		uint64_t **pages = reallocarray(set->pages, n, sizeof(*pages));

		if (!pages)
			return false;
		memset(pages + set->n_pages, 0, (n - set->n_pages) * sizeof(*pages));
		set->pages = pages;
		set->n_pages = n;
	}
	if (!set->pages[page])
		set->pages[page] = calloc(PAGE_WORDS, sizeof(uint64_t));
	if (!set->pages[page])
		return false;
	set->pages[page][key % PAGE_BITS / 64] |= 1ULL << (key % 64);
	return true;
}

static uint64_t *word_of(const struct sap_idset *set, int64_t id)
{
	uint32_t key = (uint32_t)id;

	if (key / PAGE_BITS >= set->n_pages || !set->pages[key / PAGE_BITS])
		return NULL;
	return &set->pages[key / PAGE_BITS][key % PAGE_BITS / 64];
}

bool sap_idset_has(const struct sap_idset *set, int64_t id)
{
	const uint64_t *word = word_of(set, id);

	return word && (*word >> ((uint32_t)id % 64) & 1);
}

void sap_idset_remove(struct sap_idset *set, int64_t id)
{
	uint64_t *word = word_of(set, id);

	if (word)
		*word &= ~(1ULL << ((uint32_t)id % 64));
}

void sap_idset_clear(struct sap_idset *set)
{
	for (size_t i = 0; i < set->n_pages; i++)
		free(set->pages[i]);
	free(set->pages);
	*set = (struct sap_idset){ 0 };
}

/* ---- dates ------------------------------------------------------------------------------ */

/* n digits off the front of *s. */
static bool take_digits(struct sap_str *s, size_t n, unsigned *out)
{
	unsigned v = 0;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = sap_str_skip(*s, n);
	*out = v;
	return true;
}

static bool take_char(struct sap_str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = sap_str_skip(*s, 1);
	return true;
}

/* Days since 1970 of the Gregorian calendar, counted in years that begin with March. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2), era = y / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool day_exists(unsigned year, unsigned month, unsigned day)
{
	static const unsigned char length[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month >= 1 && month <= 12 && day >= 1 && day <= length[month - 1] &&
	       (month != 2 || day < 29 || leap) && year >= 1;
}

/* ".150" to nanoseconds; further digits do not count. */
static uint32_t take_fraction(struct sap_str *s)
{
	uint32_t nanos = 0, unit = 100000000;

	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		nanos += unit * (uint32_t)(s->p[0] - '0');
		unit /= 10;
		*s = sap_str_skip(*s, 1);
	}
	return nanos;
}

static bool take_zone(struct sap_str *s, int64_t *seconds)
{
	unsigned hours, minutes = 0;
	bool east;

	if (s->n == 0 || take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	east = s->p[0] == '+';
	if ((!take_char(s, '+') && !take_char(s, '-')) || !take_digits(s, 2, &hours))
		return false;
	take_char(s, ':');
	if (s->n > 0 && !take_digits(s, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*seconds += (east ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool sap_store_time_parse(struct sap_str s, struct sap_store_time *out)
{
	unsigned year, month, day, hour, minute, second = 0;
	struct sap_store_time t = { .known = true };

	if (!take_digits(&s, 4, &year) || !take_char(&s, '-') || !take_digits(&s, 2, &month) ||
	    !take_char(&s, '-') || !take_digits(&s, 2, &day) || !day_exists(year, month, day))
		return false;
	t.seconds = days_of(year, month, day) * 86400;
	if (s.n > 0) {
		if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
			return false;
		if (!take_digits(&s, 2, &hour) || !take_char(&s, ':') ||
		    !take_digits(&s, 2, &minute))
			return false;
		if (take_char(&s, ':') && !take_digits(&s, 2, &second))
			return false;
		if (take_char(&s, '.'))
			t.nanos = take_fraction(&s);
		if (hour > 23 || minute > 59 || second > 60)
			return false;
		t.seconds += hour * 3600 + minute * 60 + second;
		if (!take_zone(&s, &t.seconds))
			return false;
	}
	if (s.n > 0)
		return false;
	*out = t;
	return true;
}

int sap_store_time_cmp(const struct sap_store_time *a, const struct sap_store_time *b)
{
	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

uint64_t sap_store_mix(uint64_t h, struct sap_str s)
{
	h ^= s.n * 0x9e3779b97f4a7c15ULL;
	while (s.n > 0) {
		size_t n = s.n < 8 ? s.n : 8;
		uint64_t word = 0;

		memcpy(&word, s.p, n);
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
		s = sap_str_skip(s, n);
	}
	return h * 0xc4ceb9fe1a85ec53ULL ^ h >> 29;
}
