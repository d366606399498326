/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules and matching from any bytes: a byte for the scheme, a line with a version, a line with
 * a rule, then lines that become claims: a byte with status and what it names, a byte with
 * flags, and what is left as id, lists and rule.
 */
#include <stdlib.h>

#include "advisory/match.h"
#include "advisory/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLAIMS_MAX = 16 };

static void check_place(enum sap_version_scheme scheme, struct sap_str rule, struct sap_str v)
{
	struct sap_str fixed, again;
	enum sap_place place = sap_rule_place(scheme, rule, v, &fixed);

	if (place < SAP_PLACE_IN || place > SAP_PLACE_UNORDERED)
		abort();
	if (sap_rule_place(scheme, rule, v, &again) != place || !sap_str_eq(fixed, again))
		abort();
	if (place != SAP_PLACE_IN && fixed.n)
		abort();
	/* The version that ends the range is not in front of what it ends. */
	if (fixed.n && sap_version_valid(scheme, v) && !sap_str_is(fixed, "0") &&
	    sap_version_cmp(scheme, fixed, v) <= 0)
		abort();
}

static void take_claim(struct sap_str line, struct sap_advisory *a, struct sap_claim *claim)
{
	struct sap_str rest;
	unsigned char status = 0, flags = 0;

	if (line.n >= 2) {
		status = (unsigned char)line.p[0];
		flags = (unsigned char)line.p[1];
		line = sap_str_skip(line, 2);
	}
	sap_str_cut(line, ';', &a->id, &rest);
	sap_str_cut(rest, ';', &a->alias, &rest);
	sap_str_cut(rest, ';', &a->covers, &rest);
	a->compromised = flags & 1;
	*claim = (struct sap_claim){ .advisory = a,
				     .space = flags & 2 ? SAP_STR("debian:12") : SAP_STR("debian"),
				     .package = flags & 4 ? SAP_STR("a") : SAP_STR("b"),
				     .rule = rest,
				     .fixed = flags & 8 ? SAP_STR("2.module_el8") : SAP_STR("2"),
				     .module = flags & 16 ? a->alias : SAP_STR(""),
				     .arch = flags & 32 ? a->covers : SAP_STR(""),
				     .functions = rest,
				     .status = (uint8_t)(1 + status % 4),
				     .names = (uint8_t)(1 + status / 4 % 2),
				     .not_offered = flags & 64,
				     .pro = flags & 128 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str text = { (const char *)data, size }, version = { 0 }, rule = { 0 }, line;
	struct sap_advisory advisories[CLAIMS_MAX] = { 0 };
	struct sap_claim claims[CLAIMS_MAX];
	struct sap_match_options options = { .sources = NULL };
	struct sap_verdicts verdicts = { 0 };
	struct sap_subject s = { .name = SAP_STR("a"), .source = SAP_STR("b") };
	struct sap_arena arena;
	size_t n = 0;

	if (size == 0)
		return 0;
	s.scheme = data[0] % SAP_VERSION_SCHEMES;
	s.release_known = data[0] & 128;
	text = sap_str_skip(text, 1);
	if (sap_str_line(&text, &version) && sap_str_line(&text, &rule))
		check_place(s.scheme, rule, version);
	s.version = s.source_version = s.modularity = version;
	while (n < CLAIMS_MAX && sap_str_line(&text, &line)) {
		take_claim(line, &advisories[n], &claims[n]);
		n++;
	}
	if (n)
		options.explain = advisories[0].id;
	sap_arena_init(&arena, 0);
	if (sap_match(&s, claims, n, &options, &arena, &verdicts, NULL) < 0)
		abort();
	for (size_t i = 0; i < verdicts.n; i++) {
		const struct sap_verdict *v = &verdicts.v[i];

		if (v->status < 1 || v->status >= SAP_STATUSES || v->n_claims > n)
			abort();
		if (i > 0 && sap_str_cmp(verdicts.v[i - 1].id, v->id) >= 0)
			abort();
		for (uint32_t k = 0; k < v->n_steps; k++)
			if (!v->steps[k].says.n || !v->steps[k].outcome.n)
				abort();
	}
	free(verdicts.v);
	sap_arena_clear(&arena);
	return 0;
}
