/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS 2.0 (first.org/cvss/v2/guide, section 3.2) and 3.0, 3.1 (specification documents,
 * sections 7 and 8). The equations' weights stand in the order of the metrics' values.
 */
#include "version/cvss_int.h"

static bool find_value(struct sap_str values, struct sap_str value, unsigned char *out)
{
	unsigned char n = 0;

	while (values.n > 0) {
		struct sap_str word;

		sap_str_cut(values, ' ', &word, &values);
		n++;
		if (sap_str_eq(word, value)) {
			*out = n;
			return true;
		}
	}
	return false;
}

bool sap_cvss_read(struct sap_str text, const struct sap_cvss_metric *metrics, unsigned n,
		   unsigned char *value)
{
	bool more = true;

	/* Real records end in "/" now and then. */
	if (text.n > 0 && text.p[text.n - 1] == '/')
		text.n--;
	memset(value, 0, n);
	while (more) {
		struct sap_str item, name, letter;
		unsigned i = 0;

		more = sap_str_cut(text, '/', &item, &text);
		if (!sap_str_cut(item, ':', &name, &letter))
			return false;
		while (i < n && !sap_str_eq(metrics[i].name, name))
			i++;
		if (i == n || value[i] != 0 || !find_value(metrics[i].values, letter, &value[i]))
			return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (metrics[i].mandatory && value[i] == 0)
			return false;
	return true;
}

/* The weight of a value; the last weight is that of "not defined" and of an absent metric. */
#define WEIGHT(weights, value) \
	((value) == 0 ? (weights)[sizeof(weights) / sizeof(*(weights)) - 1] : (weights)[(value)-1])

static char letter_of(const struct sap_cvss_metric *metric, unsigned char value)
{
	/* Every base metric has values of one letter. */
	return metric->values.p[(value - 1) * 2];
}

static double min(double a, double b)
{
	return a < b ? a : b;
}

static double power(double x, unsigned n)
{
	double out = 1;

	while (n-- > 0)
		out *= x;
	return out;
}

/* To one decimal, half up. The weights have few decimals: what is a half in decimal and just
 * below it in binary is lifted over it. */
static double round_half(double x)
{
	return x <= 0 ? 0 : (double)(long)(x * 10 + 0.5 + 1e-8) / 10;
}

/* Version 2. */

enum {
	V2_AV,
	V2_AC,
	V2_AU,
	V2_C,
	V2_I,
	V2_A,
	V2_E,
	V2_RL,
	V2_RC,
	V2_CDP,
	V2_TD,
	V2_CR,
	V2_IR,
	V2_AR,
	V2_METRICS,
};

static const struct sap_cvss_metric v2[V2_METRICS] = {
	[V2_AV] = SAP_CVSS_METRIC("AV", "L A N", true),
	[V2_AC] = SAP_CVSS_METRIC("AC", "H M L", true),
	[V2_AU] = SAP_CVSS_METRIC("Au", "M S N", true),
	[V2_C] = SAP_CVSS_METRIC("C", "N P C", true),
	[V2_I] = SAP_CVSS_METRIC("I", "N P C", true),
	[V2_A] = SAP_CVSS_METRIC("A", "N P C", true),
	[V2_E] = SAP_CVSS_METRIC("E", "U POC F H ND", false),
	[V2_RL] = SAP_CVSS_METRIC("RL", "OF TF W U ND", false),
	[V2_RC] = SAP_CVSS_METRIC("RC", "UC UR C ND", false),
	[V2_CDP] = SAP_CVSS_METRIC("CDP", "N L LM MH H ND", false),
	[V2_TD] = SAP_CVSS_METRIC("TD", "N L M H ND", false),
	[V2_CR] = SAP_CVSS_METRIC("CR", "L M H ND", false),
	[V2_IR] = SAP_CVSS_METRIC("IR", "L M H ND", false),
	[V2_AR] = SAP_CVSS_METRIC("AR", "L M H ND", false),
};

static double v2_base(const unsigned char *m, bool adjusted)
{
	static const double av[] = { 0.395, 0.646, 1.0 }, ac[] = { 0.35, 0.61, 0.71 };
	static const double au[] = { 0.45, 0.56, 0.704 }, cia[] = { 0, 0.275, 0.660 };
	static const double need[] = { 0.5, 1.0, 1.51, 1.0 };
	double left = 1, impact, exploitability;

	for (unsigned i = 0; i < 3; i++) {
		double hurt = WEIGHT(cia, m[V2_C + i]);

		left *= 1 - (adjusted ? hurt * WEIGHT(need, m[V2_CR + i]) : hurt);
	}
	impact = 10.41 * (1 - left);
	if (adjusted)
		impact = min(10, impact);
	exploitability = 20 * WEIGHT(av, m[V2_AV]) * WEIGHT(ac, m[V2_AC]) * WEIGHT(au, m[V2_AU]);
	if (impact <= 0)
		return 0;
	return round_half((0.6 * impact + 0.4 * exploitability - 1.5) * 1.176);
}

static double v2_temporal(const unsigned char *m, double base)
{
	static const double e[] = { 0.85, 0.9, 0.95, 1.0, 1.0 };
	static const double rl[] = { 0.87, 0.90, 0.95, 1.0, 1.0 };
	static const double rc[] = { 0.90, 0.95, 1.0, 1.0 };

	return round_half(base * WEIGHT(e, m[V2_E]) * WEIGHT(rl, m[V2_RL]) * WEIGHT(rc, m[V2_RC]));
}

static double v2_environmental(const unsigned char *m)
{
	static const double cdp[] = { 0, 0.1, 0.3, 0.4, 0.5, 0 };
	static const double td[] = { 0, 0.25, 0.75, 1.0, 1.0 };
	double temporal = v2_temporal(m, v2_base(m, true));

	return round_half((temporal + (10 - temporal) * WEIGHT(cdp, m[V2_CDP])) *
			  WEIGHT(td, m[V2_TD]));
}

/* Whether one of the metrics first .. end-1 has a value other than its "not defined", which
 * stands at the end of its values. */
static bool any_defined(const struct sap_cvss_metric *metrics, const unsigned char *m,
			unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		unsigned char last = 1;

		for (size_t j = 0; j < metrics[i].values.n; j++)
			if (metrics[i].values.p[j] == ' ')
				last++;
		if (m[i] != 0 && m[i] != last)
			return true;
	}
	return false;
}

static bool v2_parse(struct sap_str text, struct sap_cvss *out)
{
	unsigned char m[V2_METRICS];
	struct sap_cvss found = { .version = SAP_CVSS_2 };

	/* The guide's own text and NVD's first feeds put a vector in brackets. */
	if (text.n > 1 && text.p[0] == '(' && text.p[text.n - 1] == ')')
		text = (struct sap_str){ text.p + 1, text.n - 2 };
	if (!sap_cvss_read(text, v2, V2_METRICS, m))
		return false;
	found.base = v2_base(m, false);
	found.score = any_defined(v2, m, V2_CDP, V2_METRICS) ? v2_environmental(m)
							     : v2_temporal(m, found.base);
	found.attack_vector = letter_of(&v2[V2_AV], m[V2_AV]);
	found.attack_complexity = letter_of(&v2[V2_AC], m[V2_AC]);
	found.privileges_required = letter_of(&v2[V2_AU], m[V2_AU]);
	found.confidentiality = letter_of(&v2[V2_C], m[V2_C]);
	found.integrity = letter_of(&v2[V2_I], m[V2_I]);
	found.availability = letter_of(&v2[V2_A], m[V2_A]);
	*out = found;
	return true;
}

/* Version 3. */

enum {
	V3_AV,
	V3_AC,
	V3_PR,
	V3_UI,
	V3_S,
	V3_C,
	V3_I,
	V3_A,
	V3_E,
	V3_RL,
	V3_RC,
	V3_CR,
	V3_IR,
	V3_AR,
	V3_MAV, /* the modified base metrics, in the order of the base metrics */
	V3_METRICS = V3_MAV + 8,
};

static const struct sap_cvss_metric v3[V3_METRICS] = {
	[V3_AV] = SAP_CVSS_METRIC("AV", "N A L P", true),
	[V3_AC] = SAP_CVSS_METRIC("AC", "L H", true),
	[V3_PR] = SAP_CVSS_METRIC("PR", "N L H", true),
	[V3_UI] = SAP_CVSS_METRIC("UI", "N R", true),
	[V3_S] = SAP_CVSS_METRIC("S", "U C", true),
	[V3_C] = SAP_CVSS_METRIC("C", "H L N", true),
	[V3_I] = SAP_CVSS_METRIC("I", "H L N", true),
	[V3_A] = SAP_CVSS_METRIC("A", "H L N", true),
	[V3_E] = SAP_CVSS_METRIC("E", "U P F H X", false),
	[V3_RL] = SAP_CVSS_METRIC("RL", "O T W U X", false),
	[V3_RC] = SAP_CVSS_METRIC("RC", "U R C X", false),
	[V3_CR] = SAP_CVSS_METRIC("CR", "L M H X", false),
	[V3_IR] = SAP_CVSS_METRIC("IR", "L M H X", false),
	[V3_AR] = SAP_CVSS_METRIC("AR", "L M H X", false),
	[V3_MAV + V3_AV] = SAP_CVSS_METRIC("MAV", "N A L P X", false),
	[V3_MAV + V3_AC] = SAP_CVSS_METRIC("MAC", "L H X", false),
	[V3_MAV + V3_PR] = SAP_CVSS_METRIC("MPR", "N L H X", false),
	[V3_MAV + V3_UI] = SAP_CVSS_METRIC("MUI", "N R X", false),
	[V3_MAV + V3_S] = SAP_CVSS_METRIC("MS", "U C X", false),
	[V3_MAV + V3_C] = SAP_CVSS_METRIC("MC", "H L N X", false),
	[V3_MAV + V3_I] = SAP_CVSS_METRIC("MI", "H L N X", false),
	[V3_MAV + V3_A] = SAP_CVSS_METRIC("MA", "H L N X", false),
};

/* To one decimal, up, as appendix A of the specification of 3.1 does it in whole numbers. That of
 * 3.0 says "the smallest number that is equal to or higher", which is the same number for every
 * vector where binary fractions do not get in between. */
static double round_up(double x)
{
	long n = (long)(x * 100000 + 0.5);

	return n % 10000 == 0 ? (double)n / 100000 : (double)(n / 10000 + 1) / 10;
}

/* The base score, or what the environmental score is made of. */
static double v3_score(enum sap_cvss_version version, const unsigned char *base,
		       const double need[3], bool modified)
{
	static const double av[] = { 0.85, 0.62, 0.55, 0.2 }, ac[] = { 0.77, 0.44 };
	static const double pr[] = { 0.85, 0.62, 0.27 }, pr_changed[] = { 0.85, 0.68, 0.5 };
	static const double ui[] = { 0.85, 0.62 }, cia[] = { 0.56, 0.22, 0 };
	bool changed = base[V3_S] == 2;
	double left = 1, iss, impact, exploitability;

	for (unsigned i = 0; i < 3; i++)
		left *= 1 - need[i] * WEIGHT(cia, base[V3_C + i]);
	iss = modified ? min(1 - left, 0.915) : 1 - left;
	if (!changed)
		impact = 6.42 * iss;
	else if (modified && version == SAP_CVSS_31)
		impact = 7.52 * (iss - 0.029) - 3.25 * power(iss * 0.9731 - 0.02, 13);
	else
		impact = 7.52 * (iss - 0.029) - 3.25 * power(iss - 0.02, 15);
	if (impact <= 0)
		return 0;
	exploitability = 8.22 * WEIGHT(av, base[V3_AV]) * WEIGHT(ac, base[V3_AC]) *
			 (changed ? WEIGHT(pr_changed, base[V3_PR]) : WEIGHT(pr, base[V3_PR])) *
			 WEIGHT(ui, base[V3_UI]);
	return round_up(min((changed ? 1.08 : 1) * (impact + exploitability), 10));
}

static double v3_temporal(const unsigned char *m, double base)
{
	static const double e[] = { 0.91, 0.94, 0.97, 1.0, 1.0 };
	static const double rl[] = { 0.95, 0.96, 0.97, 1.0, 1.0 };
	static const double rc[] = { 0.92, 0.96, 1.0, 1.0 };

	return round_up(base * WEIGHT(e, m[V3_E]) * WEIGHT(rl, m[V3_RL]) * WEIGHT(rc, m[V3_RC]));
}

static double v3_environmental(enum sap_cvss_version version, const unsigned char *m)
{
	static const double weights[] = { 0.5, 1.0, 1.5, 1.0 };
	unsigned char base[8];
	double need[3];

	for (unsigned i = 0; i < 8; i++) {
		bool kept = m[V3_MAV + i] == 0 || letter_of(&v3[V3_MAV + i], m[V3_MAV + i]) == 'X';

		base[i] = kept ? m[i] : m[V3_MAV + i];
	}
	for (unsigned i = 0; i < 3; i++)
		need[i] = WEIGHT(weights, m[V3_CR + i]);
	return v3_temporal(m, v3_score(version, base, need, true));
}

static bool v3_parse(enum sap_cvss_version version, struct sap_str text, struct sap_cvss *out)
{
	static const double plain[3] = { 1, 1, 1 };
	unsigned char m[V3_METRICS];
	struct sap_cvss found = { .version = version };

	if (!sap_cvss_read(text, v3, V3_METRICS, m))
		return false;
	found.base = v3_score(version, m, plain, false);
	found.score = any_defined(v3, m, V3_CR, V3_METRICS) ? v3_environmental(version, m)
							    : v3_temporal(m, found.base);
	found.attack_vector = letter_of(&v3[V3_AV], m[V3_AV]);
	found.attack_complexity = letter_of(&v3[V3_AC], m[V3_AC]);
	found.privileges_required = letter_of(&v3[V3_PR], m[V3_PR]);
	found.user_interaction = letter_of(&v3[V3_UI], m[V3_UI]);
	found.scope = letter_of(&v3[V3_S], m[V3_S]);
	found.confidentiality = letter_of(&v3[V3_C], m[V3_C]);
	found.integrity = letter_of(&v3[V3_I], m[V3_I]);
	found.availability = letter_of(&v3[V3_A], m[V3_A]);
	*out = found;
	return true;
}

static bool take_prefix(struct sap_str *s, struct sap_str prefix)
{
	if (!sap_str_starts(*s, prefix))
		return false;
	*s = sap_str_skip(*s, prefix.n);
	return true;
}

bool sap_cvss_parse(struct sap_str vector, struct sap_cvss *out)
{
	if (take_prefix(&vector, SAP_STR("CVSS:3.1/")))
		return v3_parse(SAP_CVSS_31, vector, out);
	if (take_prefix(&vector, SAP_STR("CVSS:3.0/")))
		return v3_parse(SAP_CVSS_30, vector, out);
	if (take_prefix(&vector, SAP_STR("CVSS:4.0/")))
		return sap_cvss4_parse(vector, out);
	take_prefix(&vector, SAP_STR("CVSS:2.0/")); /* not in the guide, but written */
	return v2_parse(vector, out);
}

const char *sap_cvss_rating(const struct sap_cvss *cvss, double score)
{
	if (score >= 9.0 && cvss->version != SAP_CVSS_2)
		return "critical";
	if (score >= 7.0)
		return "high";
	if (score >= 4.0)
		return "medium";
	return score > 0 || cvss->version == SAP_CVSS_2 ? "low" : "none";
}
