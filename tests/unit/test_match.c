/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching: the tables of tests/advisory (see match_table.h), and claims that no publication
 * should make.
 */
#include "match_table.h"

/* ---- hostile claims --------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252ULL;

static uint32_t dice(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % n;
}

static struct sap_str any_of(const struct sap_str *words, size_t n)
{
	return words[dice((uint32_t)n)];
}

#define ANY(words) any_of(words, sizeof(words) / sizeof((words)[0]))

/* Whatever stands in claims: each vulnerability has one verdict, in order, and its claims are
 * among those given. */
static void any_claims_give_ordered_verdicts(void)
{
	static const struct sap_str ids[] = { SAP_STR_INIT("CVE-2024-1"), SAP_STR_INIT("GHSA-a"),
					      SAP_STR_INIT("X"), SAP_STR_INIT("") };
	static const struct sap_str lists[] = {
		SAP_STR_INIT(""),          SAP_STR_INIT("CVE-2024-1,X"), SAP_STR_INIT(",,,"),
		SAP_STR_INIT("a,b,c\\,d"), SAP_STR_INIT("GHSA-a"),       SAP_STR_INIT("\\")
	};
	static const struct sap_str rules[] = {
		SAP_STR_INIT(""),
		SAP_STR_INIT("introduced=0\tfixed=2"),
		SAP_STR_INIT("introduced=0\tfixed="),
		SAP_STR_INIT("fixed\t\t=\tversions=,,1"),
		SAP_STR_INIT("type=git\tintroduced=0"),
		SAP_STR_INIT("limit=\x01\tlast=!"),
	};
	static const struct sap_str spaces[] = { SAP_STR_INIT(""), SAP_STR_INIT("debian"),
						 SAP_STR_INIT("debian:12"), SAP_STR_INIT(":") };
	static const struct sap_str texts[] = { SAP_STR_INIT(""), SAP_STR_INIT("p"),
						SAP_STR_INIT("nodejs:12"), SAP_STR_INIT("1.0") };
	enum { N = 12 };

	for (int round = 0; round < 3000; round++) {
		struct sap_advisory advisories[N];
		struct sap_claim claims[N];
		struct sap_subject s = { .scheme = dice(SAP_VERSION_SCHEMES),
					 .name = ANY(texts),
					 .version = ANY(texts),
					 .source = ANY(texts),
					 .source_version = ANY(texts),
					 .arch = ANY(texts),
					 .modularity = ANY(texts),
					 .release_known = dice(2),
					 .compromised_only = dice(4) == 0 };
		struct sap_match_options options = { .explain = ANY(ids) };
		struct sap_verdicts verdicts = { 0 };
		struct sap_arena arena;

		sap_arena_init(&arena, 0);
		for (int i = 0; i < N; i++) {
			advisories[i] = (struct sap_advisory){ .id = ANY(ids),
							       .alias = ANY(lists),
							       .covers = ANY(lists),
							       .compromised = dice(5) == 0 };
			claims[i] =
				(struct sap_claim){ .advisory = &advisories[dice((uint32_t)i + 1)],
						    .space = ANY(spaces),
						    .package = ANY(texts),
						    .rule = ANY(rules),
						    .fixed = ANY(texts),
						    .module = ANY(texts),
						    .arch = ANY(lists),
						    .functions = ANY(lists),
						    .status = (uint8_t)(1 + dice(4)),
						    .names = (uint8_t)(1 + dice(2)),
						    .pro = dice(6) == 0 };
		}
		CHECK_OK(sap_match(&s, claims, N, &options, &arena, &verdicts, &err), &err);
		for (size_t i = 0; i < verdicts.n; i++) {
			const struct sap_verdict *v = &verdicts.v[i];

			if (i > 0 && sap_str_cmp(verdicts.v[i - 1].id, v->id) >= 0)
				check_true(__FILE__, __LINE__,
					   "verdicts are sorted and each of another vulnerability",
					   false);
			if (v->status < 1 || v->status >= SAP_STATUSES)
				check_true(__FILE__, __LINE__, "a status", false);
			for (uint32_t k = 0; k < v->n_claims; k++)
				if (v->claims[k] >= N)
					check_true(__FILE__, __LINE__, "claims are those given",
						   false);
		}
		free(verdicts.v);
		sap_arena_clear(&arena);
	}
}

/* A kernel has tens of thousands of claims. */
static void many_claims_take_no_quadratic_time(void)
{
	enum { N = 100000 };
	struct sap_advisory *advisories = calloc(N, sizeof(*advisories));
	struct sap_claim *claims = calloc(N, sizeof(*claims));
	const struct sap_subject s = { .scheme = SAP_VERSION_DEB,
				       .name = SAP_STR("linux"),
				       .version = SAP_STR("6.1.76-1"),
				       .release_known = true };
	const struct sap_match_options options = { .sources = NULL };
	struct sap_verdicts verdicts = { 0 };
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	for (int i = 0; i < N; i++) {
		char id[32];

		snprintf(id, sizeof(id), "CVE-2024-%d", i / 2);
		sap_arena_str(&arena, sap_str_of(id), &advisories[i].id);
		claims[i] = (struct sap_claim){ .advisory = &advisories[i],
						.space = i % 2 ? SAP_STR("debian")
							       : SAP_STR("debian:12"),
						.package = SAP_STR("linux"),
						.rule = SAP_STR("introduced=0\tfixed=6.1.90-1"),
						.fixed = SAP_STR("6.1.90-1"),
						.status = SAP_CLAIM_AFFECTED,
						.names = SAP_NAMES_SOURCE };
	}
	CHECK_OK(sap_match(&s, claims, N, &options, &arena, &verdicts, &err), &err);
	CHECK_INT(verdicts.n, N / 2);
	free(verdicts.v);
	free(claims);
	free(advisories);
	sap_arena_clear(&arena);
}

/* A bundle that covers everything, claimed again and again. */
static void too_many_statements_are_refused(void)
{
	enum { COVERED = 60000, N = 200 };
	char *covers = malloc(COVERED * 12);
	struct sap_advisory advisory = { .id = SAP_STR("B-1") };
	struct sap_claim *claims = calloc(N, sizeof(*claims));
	const struct sap_subject s = { .scheme = SAP_VERSION_DEB,
				       .name = SAP_STR("a"),
				       .version = SAP_STR("1") };
	const struct sap_match_options options = { .sources = NULL };
	struct sap_verdicts verdicts = { 0 };
	struct sap_arena arena;
	size_t at = 0;

	for (int i = 0; i < COVERED; i++)
		at += (size_t)snprintf(covers + at, 12, "%sC-%d", i ? "," : "", i);
	advisory.covers = (struct sap_str){ covers, at };
	for (int i = 0; i < N; i++)
		claims[i] = (struct sap_claim){ .advisory = &advisory,
						.space = SAP_STR("debian"),
						.package = SAP_STR("a"),
						.status = SAP_CLAIM_AFFECTED,
						.names = SAP_NAMES_SOURCE };
	sap_arena_init(&arena, 0);
	CHECK_INT(sap_match(&s, claims, N, &options, &arena, &verdicts, &err), SAP_ELIMIT);
	CHECK_INT(verdicts.n, 0);
	free(verdicts.v);
	free(claims);
	free(covers);
	sap_arena_clear(&arena);
}

int main(void)
{
	read_tables();
	any_claims_give_ordered_verdicts();
	many_claims_take_no_quadratic_time();
	too_many_statements_are_refused();
	return check_done();
}
