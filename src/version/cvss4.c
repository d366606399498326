/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS 4.0 (first.org/cvss/v4-0/specification-document, section 8). The metrics give six
 * equivalence classes (EQ), these a score of the table; how far the metrics are below the
 * highest vectors of their classes takes a share of the way to the next lower score.
 *
 *     EQ1      AV PR UI                 0, 1, 2
 *     EQ2      AC AT                    0, 1
 *     EQ3+EQ6  VC VI VA with CR IR AR   00, 01, 10, 11, 21 (numbered 0 .. 4 here)
 *     EQ4      SC SI SA                 0, 1, 2
 *     EQ5      E                        0, 1, 2
 *
 * All is counted in whole numbers: scores in tenths, distances in steps of a metric's values.
 * So the last step rounds exactly, half up, where floating point would have to guess.
 */
#include "version/cvss_int.h"

/* The base metrics stand first and the modified ones in the same order. */
enum {
	AV,
	AC,
	AT,
	PR,
	UI,
	VC,
	VI,
	VA,
	SC,
	SI,
	SA,
	E,
	CR,
	IR,
	AR,
	MAV,
	S = MAV + 11,
	AU,
	R,
	V,
	RE,
	U,
	METRICS,
};

#define BASE_METRICS 11

/* Values from the most severe to the least, the undefined one last. */
static const struct sap_cvss_metric metrics[METRICS] = {
	[AV] = SAP_CVSS_METRIC("AV", "N A L P", true),
	[AC] = SAP_CVSS_METRIC("AC", "L H", true),
	[AT] = SAP_CVSS_METRIC("AT", "N P", true),
	[PR] = SAP_CVSS_METRIC("PR", "N L H", true),
	[UI] = SAP_CVSS_METRIC("UI", "N P A", true),
	[VC] = SAP_CVSS_METRIC("VC", "H L N", true),
	[VI] = SAP_CVSS_METRIC("VI", "H L N", true),
	[VA] = SAP_CVSS_METRIC("VA", "H L N", true),
	[SC] = SAP_CVSS_METRIC("SC", "H L N", true),
	[SI] = SAP_CVSS_METRIC("SI", "H L N", true),
	[SA] = SAP_CVSS_METRIC("SA", "H L N", true),
	[E] = SAP_CVSS_METRIC("E", "A P U X", false),
	[CR] = SAP_CVSS_METRIC("CR", "H M L X", false),
	[IR] = SAP_CVSS_METRIC("IR", "H M L X", false),
	[AR] = SAP_CVSS_METRIC("AR", "H M L X", false),
	[MAV + AV] = SAP_CVSS_METRIC("MAV", "N A L P X", false),
	[MAV + AC] = SAP_CVSS_METRIC("MAC", "L H X", false),
	[MAV + AT] = SAP_CVSS_METRIC("MAT", "N P X", false),
	[MAV + PR] = SAP_CVSS_METRIC("MPR", "N L H X", false),
	[MAV + UI] = SAP_CVSS_METRIC("MUI", "N P A X", false),
	[MAV + VC] = SAP_CVSS_METRIC("MVC", "H L N X", false),
	[MAV + VI] = SAP_CVSS_METRIC("MVI", "H L N X", false),
	[MAV + VA] = SAP_CVSS_METRIC("MVA", "H L N X", false),
	[MAV + SC] = SAP_CVSS_METRIC("MSC", "H L N X", false),
	[MAV + SI] = SAP_CVSS_METRIC("MSI", "S H L N X", false),
	[MAV + SA] = SAP_CVSS_METRIC("MSA", "S H L N X", false),
	[S] = SAP_CVSS_METRIC("S", "N P X", false),
	[AU] = SAP_CVSS_METRIC("AU", "N Y X", false),
	[R] = SAP_CVSS_METRIC("R", "A U I X", false),
	[V] = SAP_CVSS_METRIC("V", "D C X", false),
	[RE] = SAP_CVSS_METRIC("RE", "L M H X", false),
	[U] = SAP_CVSS_METRIC("U", "Clear Green Amber Red X", false),
};

_Static_assert(METRICS <= SAP_CVSS_METRICS_MAX, "room for the values");

/* Tenths, by EQ1, EQ2, EQ3+EQ6, then EQ4 three times and EQ5 within. */
static const unsigned char scores[3][2][5][9] = {
	{
		{
			{ 100, 98, 95, 100, 93, 91, 93, 89, 81 },
			{ 99, 95, 92, 96, 87, 81, 90, 80, 68 },
			{ 98, 95, 90, 93, 89, 81, 88, 78, 69 },
			{ 95, 92, 84, 92, 81, 65, 80, 70, 48 },
			{ 92, 82, 72, 79, 69, 50, 69, 55, 27 },
		},
		{
			{ 99, 95, 92, 95, 90, 84, 92, 82, 72 },
			{ 97, 92, 85, 91, 83, 71, 81, 71, 53 },
			{ 95, 92, 85, 92, 80, 70, 84, 71, 50 },
			{ 93, 85, 73, 82, 72, 59, 70, 52, 30 },
			{ 86, 75, 52, 71, 52, 29, 63, 29, 17 },
		},
	},
	{
		{
			{ 98, 94, 91, 94, 86, 77, 87, 74, 63 },
			{ 95, 87, 81, 89, 74, 64, 75, 63, 49 },
			{ 94, 88, 76, 86, 74, 59, 72, 57, 52 },
			{ 89, 77, 67, 76, 58, 50, 57, 52, 25 },
			{ 83, 70, 54, 65, 58, 26, 53, 21, 13 },
		},
		{
			{ 95, 88, 76, 90, 75, 61, 77, 68, 52 },
			{ 90, 76, 70, 77, 62, 53, 66, 59, 30 },
			{ 89, 76, 62, 74, 57, 47, 61, 57, 24 },
			{ 78, 67, 58, 59, 57, 23, 52, 29, 16 },
			{ 71, 59, 30, 58, 26, 15, 23, 13, 6 },
		},
	},
	{
		{
			{ 93, 86, 75, 86, 74, 56, 70, 52, 40 },
			{ 87, 72, 58, 74, 61, 34, 54, 40, 22 },
			{ 85, 74, 62, 72, 55, 46, 53, 34, 19 },
			{ 75, 55, 51, 57, 41, 19, 36, 19, 8 },
			{ 64, 51, 20, 47, 21, 11, 24, 9, 4 },
		},
		{
			{ 88, 73, 60, 73, 59, 41, 54, 45, 20 },
			{ 75, 53, 50, 55, 40, 20, 43, 22, 11 },
			{ 75, 58, 40, 61, 48, 20, 46, 17, 8 },
			{ 55, 45, 21, 51, 18, 9, 18, 7, 2 },
			{ 53, 24, 14, 24, 12, 5, 10, 3, 1 },
		},
	},
};

/* How severe each metric is: 0 for its most severe value, one more for each below. SC, SI and SA
 * count from the S that only MSI and MSA have. */
struct levels {
	int v[AR + 1];
};

struct classes {
	int eq1, eq2, eq36, eq4, eq5;
};

static char letter_of(unsigned metric, unsigned char value)
{
	return metrics[metric].values.p[(value - 1) * 2];
}

/* With the threat and environmental metrics, or over the base metrics alone. */
static struct levels levels_of(const unsigned char *m, bool all)
{
	struct levels out = { { 0 } };

	for (unsigned i = 0; i < BASE_METRICS; i++) {
		unsigned char modified = all ? m[MAV + i] : 0;
		bool system = i == SC || i == SI || i == SA;

		if (modified != 0 && letter_of(MAV + i, modified) != 'X')
			out.v[i] = modified - (i == SC ? 0 : 1);
		else
			out.v[i] = m[i] - (system ? 0 : 1);
	}
	for (unsigned i = E; i <= AR; i++) /* undefined: as the most severe */
		if (all && m[i] != 0 && letter_of(i, m[i]) != 'X')
			out.v[i] = m[i] - 1;
	return out;
}

static struct classes classes_of(const struct levels *l)
{
	const int *v = l->v;
	bool needed = (v[CR] == 0 && v[VC] == 0) || (v[IR] == 0 && v[VI] == 0) ||
		      (v[AR] == 0 && v[VA] == 0);
	struct classes out = { .eq1 = 2, .eq2 = 1, .eq36 = 4, .eq4 = 2, .eq5 = v[E] };

	if (v[AV] == 0 && v[PR] == 0 && v[UI] == 0)
		out.eq1 = 0;
	else if ((v[AV] == 0 || v[PR] == 0 || v[UI] == 0) && v[AV] != 3)
		out.eq1 = 1;
	if (v[AC] == 0 && v[AT] == 0)
		out.eq2 = 0;
	if (v[VC] == 0 && v[VI] == 0)
		out.eq36 = needed ? 0 : 1;
	else if (v[VC] == 0 || v[VI] == 0 || v[VA] == 0)
		out.eq36 = needed ? 2 : 3;
	if (v[SI] == 0 || v[SA] == 0)
		out.eq4 = 0;
	else if (v[SC] == 1 || v[SI] == 1 || v[SA] == 1)
		out.eq4 = 1;
	return out;
}

/* The highest vectors of a class, as levels of its metrics, and its depth: the steps from the
 * highest vector to the lowest. */
struct tops {
	int n;
	int depth;
	signed char level[5][6];
};

static const struct tops tops1[3] = {
	{ 1, 1, { { 0, 0, 0 } } },
	{ 3, 4, { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } } },
	{ 2, 5, { { 3, 0, 0 }, { 1, 1, 1 } } },
};
static const struct tops tops2[2] = {
	{ 1, 1, { { 0, 0 } } },
	{ 2, 2, { { 1, 0 }, { 0, 1 } } },
};
static const struct tops tops36[5] = {
	{ 1, 7, { { 0, 0, 0, 0, 0, 0 } } },
	{ 2, 6, { { 0, 0, 1, 1, 1, 0 }, { 0, 0, 0, 1, 1, 1 } } },
	{ 2, 8, { { 1, 0, 0, 0, 0, 0 }, { 0, 1, 0, 0, 0, 0 } } },
	{ 5,
	  8,
	  { { 1, 0, 1, 0, 1, 0 },
	    { 1, 0, 0, 0, 1, 1 },
	    { 0, 1, 0, 1, 0, 1 },
	    { 0, 1, 1, 1, 0, 0 },
	    { 1, 1, 0, 0, 0, 1 } } },
	{ 1, 10, { { 1, 1, 1, 0, 0, 0 } } },
};
static const struct tops tops4[3] = {
	{ 1, 6, { { 1, 0, 0 } } },
	{ 1, 5, { { 1, 1, 1 } } },
	{ 1, 4, { { 2, 2, 2 } } },
};

/* Steps of the metrics below the first of the highest vectors that none of them is above. */
static int distance(const struct levels *l, const struct tops *tops, const unsigned char *metric,
		    int n)
{
	for (int i = 0; i < tops->n; i++) {
		bool above = false;
		int sum = 0;

		for (int j = 0; j < n; j++) {
			int step = l->v[metric[j]] - tops->level[i][j];

			above = above || step < 0;
			sum += step;
		}
		if (!above)
			return sum;
	}
	return 0;
}

/* The score of classes, or -1 where there are none such. */
static int lookup(struct classes c)
{
	if ((unsigned)c.eq1 > 2 || (unsigned)c.eq2 > 1 || (unsigned)c.eq36 > 4 ||
	    (unsigned)c.eq4 > 2 || (unsigned)c.eq5 > 2)
		return -1;
	return scores[c.eq1][c.eq2][c.eq36][c.eq4 * 3 + c.eq5];
}

/* The score one class lower in EQ3+EQ6; of 00 the higher of the two ways down. */
static int lower36(struct classes c)
{
	static const int next[5] = { 1, 3, 3, 4, 5 };
	int first, second;
	bool two = c.eq36 == 0;

	c.eq36 = next[c.eq36];
	first = lookup(c);
	c.eq36 = 2;
	second = two ? lookup(c) : -1;
	return first > second ? first : second;
}

#define UNITS 2520 /* what every depth divides */

struct share {
	int n;    /* of classes that have a lower one */
	long sum; /* of what they take off, in tenths / UNITS */
};

static void add_share(struct share *share, int score, int lower, int steps, int depth)
{
	if (lower < 0)
		return;
	share->n++;
	share->sum += (long)(score - lower) * steps * (UNITS / depth);
}

static int score_of(const struct levels *l)
{
	static const unsigned char metrics1[] = { AV, PR, UI }, metrics2[] = { AC, AT };
	static const unsigned char metrics36[] = { VC, VI, VA, CR, IR, AR };
	static const unsigned char metrics4[] = { SC, SI, SA };
	struct classes c = classes_of(l), lower = c;
	int score = lookup(c);
	struct share share = { 0 };
	long whole, units;

	if (l->v[VC] == 2 && l->v[VI] == 2 && l->v[VA] == 2 && l->v[SC] == 3 && l->v[SI] == 3 &&
	    l->v[SA] == 3)
		return 0;
	lower.eq1++;
	add_share(&share, score, lookup(lower), distance(l, &tops1[c.eq1], metrics1, 3),
		  tops1[c.eq1].depth);
	lower = c;
	lower.eq2++;
	add_share(&share, score, lookup(lower), distance(l, &tops2[c.eq2], metrics2, 2),
		  tops2[c.eq2].depth);
	add_share(&share, score, lower36(c), distance(l, &tops36[c.eq36], metrics36, 6),
		  tops36[c.eq36].depth);
	lower = c;
	lower.eq4++;
	add_share(&share, score, lookup(lower), distance(l, &tops4[c.eq4], metrics4, 3),
		  tops4[c.eq4].depth);
	lower = c;
	lower.eq5++; /* E is its class: no distance, but it counts in the mean */
	add_share(&share, score, lookup(lower), 0, 1);
	if (share.n == 0)
		return score;
	units = (long)UNITS * share.n;
	whole = score * units - share.sum;
	return whole <= 0 ? 0 : (int)((2 * whole + units) / (2 * units));
}

bool sap_cvss4_parse(struct sap_str text, struct sap_cvss *out)
{
	unsigned char m[METRICS];
	struct sap_cvss found = { .version = SAP_CVSS_40 };
	struct levels levels;

	if (!sap_cvss_read(text, metrics, METRICS, m))
		return false;
	levels = levels_of(m, false);
	found.base = (double)score_of(&levels) / 10;
	levels = levels_of(m, true);
	found.score = (double)score_of(&levels) / 10;
	found.attack_vector = letter_of(AV, m[AV]);
	found.attack_complexity = letter_of(AC, m[AC]);
	found.privileges_required = letter_of(PR, m[PR]);
	found.user_interaction = letter_of(UI, m[UI]);
	found.confidentiality = letter_of(VC, m[VC]);
	found.integrity = letter_of(VI, m[VI]);
	found.availability = letter_of(VA, m[VA]);
	*out = found;
	return true;
}
