/* SPDX-License-Identifier: Apache-2.0 */
#include "states_table.h"

static void lasts(int64_t seconds, const char *want)
{
	char text[48];

	sap_duration_text(seconds * SECOND, text, sizeof(text));
	CHECK_STR(sap_str_of(text), want);
}

static void test_durations(void)
{
	lasts(-5, "less than 1 s");
	lasts(0, "less than 1 s");
	lasts(1, "1 s");
	lasts(59, "59 s");
	lasts(60, "1 min");
	lasts(61, "1 min 1 s");
	lasts(3599, "59 min 59 s");
	lasts(3600, "1 h");
	lasts(3659, "1 h");
	lasts(7800, "2 h 10 min");
	lasts(86400, "1 d");
	lasts(90000, "1 d 1 h");
	lasts(100 * 86400, "100 d");
	lasts(INT64_MAX / SECOND, "106751 d 23 h");
}

/* Evidence that points nowhere is passed over, not followed. */
static void test_wild_indexes(void)
{
	struct table t = { .file = "wild" };
	struct sap_evidence *e;
	uint32_t file, process;
	const struct sap_file_id id = { .dev = 1, .ino = 5, .ctime = 1 };

	start(&t);
	add_package(&t, SAP_STR("libx"));
	add_elf(&t, SAP_STR("/usr/lib/libx.so.1 package=libx"));
	finish(&t);
	add_finding(&t, SAP_STR("CVE-1 package=libx functions=f"));
	e = t.evidence = sap_evidence_new();
	CHECK_OK(sap_evidence_file(e, &id, 0, SAP_STR("/usr/lib/libx.so.1"), &file, NULL, &err),
		 &err);
	CHECK_OK(sap_evidence_process(e, 7, 1, &process, NULL, &err), &err);
	CHECK_OK(sap_evidence_use(e, file, process, 0, 1, &err), &err);
	CHECK_OK(sap_evidence_entered(e, file, 1, SAP_STR("f"), SAP_NONE, 1, NULL, &err), &err);
	*SAP_VEC_PUSH(&e->uses, 100) = (struct sap_seen_use){ SAP_NONE, SAP_NONE, 0, 0, 0 };
	*SAP_VEC_PUSH(&e->uses, 100) = (struct sap_seen_use){ file, 99, 0, 0, 0 };
	*SAP_VEC_PUSH(&e->functions, 100) =
		(struct sap_seen_function){ .file = 99, .names = SAP_STR("f") };
	*SAP_VEC_PUSH(&e->unobserved, 100) =
		(struct sap_unobserved){ .file = 99, .name = SAP_STR("f") };
	e->files.v[file].root = 0;
	CHECK_OK(sap_states_compute(t.facts, t.tree, NULL, e, t.findings, &t.states, &err), &err);
	CHECK_INT(t.states->findings[0].state, SAP_STATE_VULNERABLE_EXECUTED);
	CHECK_INT(t.states->findings[0].process, process);
	sap_states_free(t.states);
	t.states = NULL;
	e->files.v[file].root = 99;
	CHECK_OK(sap_states_compute(t.facts, t.tree, NULL, e, t.findings, &t.states, &err), &err);
	CHECK_INT(t.states->findings[0].state, SAP_STATE_PRESENT);
	drop(&t);
}

/* However much there is, it is one pass: 2,000 findings over 20,000 objects and mappings. */
static void test_large(void)
{
	struct table t = { .file = "large" };
	char text[256];

	start(&t);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "p%u", i);
		add_package(&t, sap_str_of(text));
	}
	for (unsigned i = 0; i < 20000; i++) {
		struct sap_rec_file file = { .package = i % 2000 + 1 };
		struct sap_rec_object rec = { .type = 3 };

		snprintf(text, sizeof(text), "/usr/lib/lib%u.so", i);
		file.path = rec.path = sap_str_of(text);
		CHECK(t.facts->sink.file(&t.facts->sink, &file, &err) == 0);
		CHECK(t.facts->sink.object(&t.facts->sink, &rec, &err) == 0);
	}
	add_dirs(&t, SAP_STR("/usr/lib/x"));
	finish(&t);
	t.evidence = sap_evidence_new();
	for (unsigned i = 0; i < 20000; i++) {
		const struct sap_file_id id = { .dev = 1, .ino = i, .ctime = 1 };
		uint32_t file, process;

		snprintf(text, sizeof(text), "/usr/lib/lib%u.so", i);
		CHECK(sap_evidence_file(t.evidence, &id, 0, sap_str_of(text), &file, NULL, &err) ==
		      0);
		CHECK(sap_evidence_process(t.evidence, (int32_t)(i % 500), 1, &process, NULL,
					   &err) == 0);
		CHECK(sap_evidence_use(t.evidence, file, process, 0, 1, &err) == 0);
		CHECK(sap_evidence_entered(t.evidence, file, i, SAP_STR("f g"), process, 1, NULL,
					   &err) == 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "CVE package=p%u functions=f%u", i, i % 3 ? 1 : 2);
		add_finding(&t, sap_str_of(text));
		t.findings->list.v[i].id = (struct sap_str){ 0 };
		t.findings->list.v[i].n_functions = 0;
	}
	CHECK_OK(sap_states_compute(t.facts, t.tree, NULL, t.evidence, t.findings, &t.states, &err),
		 &err);
	for (unsigned i = 0; i < 2000; i++)
		CHECK(t.states->findings[i].state == SAP_STATE_EXECUTED);
	drop(&t);
}

int main(void)
{
	test_durations();
	test_tables();
	test_wild_indexes();
	test_large();
	return check_done();
}
