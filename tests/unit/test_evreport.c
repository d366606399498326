/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence in reports. With SAP_DOCUMENTS set to a folder the JSON documents are left there, for
 * tests/report/schema_check.py.
 */
#include "report_reader.h"
#include "report_world.h"

#define SECOND 1000000000LL
#define START (1795341600 * SECOND) /* 2026-11-22 10:00 UTC */

static struct sap_err err;

struct scene {
	struct world world;
	struct sap_findings *findings; /* states know them by their address */
	struct sap_evidence *e;
	struct sap_states *states;
	uint32_t prog, liba, libb, old, box; /* files */
	uint32_t nginx, evil, ended;         /* processes */
};

/* ---- a scene ---------------------------------------------------------------------------- */

static struct sap_str keep(struct sap_evidence *e, const char *text)
{
	struct sap_str out = { 0 };

	CHECK(sap_evidence_text(e, sap_str_of(text), &out));
	return out;
}

static uint32_t add_process(struct sap_evidence *e, int32_t pid, const char *comm, const char *unit)
{
	uint32_t i = 0;

	CHECK_OK(sap_evidence_process(e, pid, 1, &i, NULL, &err), &err);
	e->processes.v[i].comm = keep(e, comm);
	e->processes.v[i].unit = keep(e, unit);
	e->processes.v[i].exposure = SAP_EXPOSURE_NONE;
	return i;
}

static uint32_t add_file(struct sap_evidence *e, const char *path, uint32_t root, uint64_t ino)
{
	const struct sap_file_id id = { .dev = 1, .ino = ino, .ctime = START };
	uint32_t i = 0;

	CHECK_OK(sap_evidence_file(e, &id, root, sap_str_of(path), &i, NULL, &err), &err);
	return i;
}

static void use(struct sap_evidence *e, uint32_t file, uint32_t process)
{
	CHECK_OK(sap_evidence_use(e, file, process, SAP_USE_PROC, START, &err), &err);
}

static void add_evidence(struct scene *s)
{
	struct sap_evidence *e = s->e = sap_evidence_new();
	uint32_t root = 0;

	e->start = START;
	e->end = START + 7800 * SECOND;
	e->live = true;
	e->host = keep(e, "box\x1b[2J");
	e->boot_id = keep(e, "0123");
	e->roots.v[0].ino = 2;
	e->processes_hidden = 3;
	e->losses.maps = 12;
	e->losses.hits = 1;
	e->means.maps = keep(e, "/proc, then perf MMAP2 with build-ids");
	e->means.functions = keep(e, "uprobe_multi");
	CHECK_OK(sap_evidence_gap(e, START + 60 * SECOND, START + 360 * SECOND,
				  SAP_STR("the watcher was stopped"), &err),
		 &err);
	CHECK_OK(sap_evidence_root(e, 4026532000, 1, 99, &root, NULL, &err), &err);
	e->roots.v[root].container = keep(e, "web-\x07");
	s->prog = add_file(e, "/usr/bin/prog", 0, 10);
	s->liba = add_file(e, "/usr/lib/liba.so.1", 0, 11);
	s->libb = add_file(e, "/usr/lib/libb.so.1", 0, 12);
	s->old = add_file(e, "/usr/lib/libb.so.1", 0, 13);
	s->box = add_file(e, "/usr/lib/libbox\xff.so", root, 14);
	s->nginx = add_process(e, 812, "nginx", "nginx.service");
	s->evil = add_process(e, 900, "e\x1b[31mvil\n", "");
	s->ended = add_process(e, 950, "cc1", "session-3.scope");
	e->processes.v[s->nginx].exe = s->prog;
	CHECK_OK(sap_evidence_listen(e, s->nginx, SAP_STR("0.0.0.0:443/tcp"), SAP_EXPOSURE_NETWORK,
				     &err),
		 &err);
	CHECK_OK(sap_evidence_listen(e, s->nginx, SAP_STR("/run/n\x9b.sock"), SAP_EXPOSURE_LOCAL,
				     &err),
		 &err);
	e->processes.v[s->evil].container = keep(e, "web-\x07");
	e->processes.v[s->evil].root = root;
	e->processes.v[s->evil].exposure = SAP_EXPOSURE_UNKNOWN;
	e->processes.v[s->evil].preloads = SAP_ENV_PRELOAD | SAP_ENV_AUDIT;
	use(e, s->prog, s->nginx);
	use(e, s->liba, s->nginx);
	use(e, s->liba, s->ended);
	use(e, s->old, s->nginx);
	use(e, s->old, s->ended);
	use(e, s->box, s->evil);
	CHECK_OK(sap_evidence_end(e, s->ended, START + 60 * SECOND, &s->ended, &err), &err);
}

static void add_functions(struct scene *s)
{
	struct sap_evidence *e = s->e;
	struct sap_seen_file *f;

	e->files.v[s->prog].is_program = true;
	f = &e->files.v[s->liba];
	f->observed = SAP_OBSERVED_PROBED;
	f->observed_since = START + SECOND / 5;
	f->watched = sap_evidence_stood(e, f->observed_since);
	f->watched_processes = 1;
	f->n_functions = 514;
	f->n_probed = 512;
	f->n_refused = 2;
	f->load_time = SAP_YES;
	f->load_time_why = keep(e, "2 constructors");
	f->build_id = keep(e, "0a0b");
	f->stale = SAP_STALE_NO;
	f = &e->files.v[s->old];
	f->stale = SAP_STALE_REPLACED;
	f->build_id = keep(e, "11");
	f->new_build_id = keep(e, "22");
	e->files.v[s->libb].observed = SAP_OBSERVED_NOT;
	e->files.v[s->libb].reason = keep(e, "no\x1b rights");
	CHECK_OK(sap_evidence_entered(e, s->liba, 0x40, SAP_STR("a_parse@@A_1 a_parse64@@A_1"),
				      s->nginx, START + 5 * SECOND + 123000000, NULL, &err),
		 &err);
	CHECK_OK(sap_evidence_entered(e, s->liba, 0x80, SAP_STR(""), SAP_NONE, START, NULL, &err),
		 &err);
	CHECK_OK(sap_evidence_entered(e, s->liba, 0x90, SAP_STR("a\x1b[0m\xff"), s->ended, START,
				      NULL, &err),
		 &err);
	CHECK_OK(sap_evidence_unobserved(e, s->liba, SAP_STR("a_inner"),
					 SAP_STR("no symbol: install liba-dbgsym"), &err),
		 &err);
}

static void add_finding(struct scene *s, unsigned i, const char *id, const char *package,
			struct sap_function_name *functions, uint32_t n_functions)
{
	struct sap_finding *v = SAP_VEC_PUSH(&s->findings->list, 100);
	struct sap_facts *facts = s->world.facts;
	char purl[64];

	snprintf(purl, sizeof(purl), "pkg:deb/debian/%s@1", package);
	*v = (struct sap_finding){
		.id = sap_str_of(id),
		.status = SAP_STATUS_AFFECTED,
		.severity = i == 0 ? 5 : 3,
		.score = -1,
		.epss = -1,
		.percentile = -1,
		.name = sap_str_of(package),
		.version = SAP_STR("1"),
		.functions = functions,
		.n_functions = n_functions,
	};
	CHECK(sap_arena_str(&s->findings->arena, sap_str_of(purl), &v->package));
	v->packages = sap_arena_array(&s->findings->arena, 1, sizeof(*v->packages));
	for (uint32_t p = 0; p < facts->packages.n; p++) {
		if (sap_str_eq(sap_facts_str(facts, facts->packages.v[p].name),
			       sap_str_of(package))) {
			v->packages[0] = p;
			v->n_packages = 1;
		}
	}
	if (v->n_packages == 0) {
		v->objects = sap_arena_array(&s->findings->arena, 1, sizeof(*v->objects));
		v->objects[0] = s->world.odd;
		v->n_objects = 1;
	}
}

static struct sap_function_name a_parse[] = { { SAP_STR_INIT("a_parse"), { 0 }, 'M' } };
static struct sap_function_name a_inner[] = { { SAP_STR_INIT("a_inner"), { 0 }, 'M' } };

static struct scene make_scene(bool with_evidence)
{
	struct scene s = { .world = make_world(), .findings = calloc(1, sizeof(*s.findings)) };

	s.findings->facts = s.world.facts;
	s.findings->store = SAP_STR("/db");
	sap_arena_init(&s.findings->arena, 0);
	add_finding(&s, 0, "CVE-2026-1", "prog", a_parse, 1);
	add_finding(&s, 1, "CVE-2026-2", "prog", a_inner, 1);
	add_finding(&s, 2, "CVE-2026-3", "libb", NULL, 0);
	add_finding(&s, 3, "CVE-2026-4", "bare", NULL, 0);
	s.findings->n_status[SAP_STATUS_AFFECTED] = 4;
	s.findings->n_judged = 2;
	if (with_evidence) {
		add_evidence(&s);
		add_functions(&s);
	}
	CHECK_OK(sap_states_compute(s.world.facts, s.world.tree, NULL, s.e, s.findings, &s.states,
				    &err),
		 &err);
	return s;
}

static void clear_scene(struct scene *s)
{
	sap_states_free(s->states);
	sap_evidence_free(s->e);
	sap_findings_free(s->findings);
	clear_world(&s->world);
}

static struct sap_scan_view view_of(const struct scene *s)
{
	return (struct sap_scan_view){
		.facts = s->world.facts,
		.radius = &s->world.radius,
		.findings = s->findings,
		.states = s->states,
	};
}

/* ---- output ----------------------------------------------------------------------------- */

static struct sap_report *report_to(struct sap_buf *out, enum sap_format format, unsigned width,
				    bool verbose)
{
	const struct sap_report_options options = { .format = format,
						    .width = width,
						    .verbose = verbose };

	sap_buf_reset(out);
	return sap_report_new(&options, out);
}

#define REPORT(out, format, width, verbose, call, view)                           \
	do {                                                                      \
		struct sap_report *r_ = report_to((out), format, width, verbose); \
		call(r_, (view));                                                 \
		sap_report_free(r_);                                              \
	} while (0)

static unsigned longest_line(struct sap_str text)
{
	struct sap_str line;
	unsigned longest = 0;

	while (sap_str_line(&text, &line)) {
		unsigned columns = sap_tty_columns(line);

		longest = columns > longest ? columns : longest;
	}
	return longest;
}

/* No byte of a target reaches the terminal as a control. */
static bool harmless(const struct sap_buf *out)
{
	for (size_t i = 0; i < out->n; i++) {
		if ((out->p[i] < 0x20 && out->p[i] != '\n') || out->p[i] >= 0x7f) {
			fprintf(stderr, "byte %02x at %zu: %.*s\n", out->p[i], i,
				SAP_FMT(sap_buf_str(out)));
			return false;
		}
	}
	return true;
}

static void leave(const char *name, const struct sap_buf *out)
{
	const char *folder = getenv("SAP_DOCUMENTS");
	char path[4096];
	FILE *f;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s.json", folder, name);
	f = fopen(path, "w");
	if (!CHECK(f != NULL))
		return;
	CHECK(fwrite(out->p, 1, out->n, f) == out->n);
	fclose(f);
}

/* ---- a scan ----------------------------------------------------------------------------- */

static void test_scan_tty(void)
{
	struct scene s = make_scene(true);
	struct sap_scan_view view = view_of(&s);
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(harmless(&out));
	CHECK(has(&out, "what runs: watched 2 h 10 min until 2026-11-22 12:10:00 UTC, 1 gap (5 min "
			"not watched) (3 processes, 3 could not be looked into); lost: 12 records "
			"of mappings, 1 function entry\n"));
	CHECK(has(&out, "Of 4 open: 3 mapped, 2 executed, 1 with a vulnerable function entered, "
			"3 not observable\n"));
	CHECK(has(&out, "\n    vulnerable function a_parse entered by nginx (pid 812, "
			"nginx.service, 0.0.0.0:443/tcp, /run/n\\x9B.sock)\n"));
	CHECK(has(&out, "\nRestart: upgraded on disk, the old copy still mapped (1)\n"
			"  nginx.service (pid 812): libb.so.1\n"));
	CHECK(!memmem(out.p, out.n, "STATE", 5)); /* its line says it */
	REPORT(&out, SAP_FORMAT_TTY, 0, true, sap_report_scan, &view);
	CHECK(has(&out, "\n    executed, mapped by nginx (pid 812, nginx.service, 0.0.0.0:443/tcp, "
			"/run/n\\x9B.sock); not observable: a_inner: no symbol: install "
			"liba-dbgsym\n"));
	CHECK(has(&out, "; an old copy is mapped: restart\n"));
	for (unsigned width = 60; width <= 200; width += 5) {
		for (unsigned verbose = 0; verbose < 2; verbose++) {
			view.show_processes = verbose;
			view.functions_of = verbose ? "liba.so.1" : NULL;
			REPORT(&out, SAP_FORMAT_TTY, width, verbose, sap_report_scan, &view);
			CHECK(harmless(&out));
			CHECK(width < 80 || longest_line(sap_buf_str(&out)) <= width);
		}
	}
	sap_buf_clear(&out);
	clear_scene(&s);
}

static void test_scan_lists(void)
{
	struct scene s = make_scene(true);
	struct sap_scan_view view = view_of(&s);
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	view.show_processes = true;
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "\n/usr/lib/liba.so.1 of prog 1:1.0-1: executed\n"));
	CHECK(has(&out, "812        nginx    nginx.service      network   0.0.0.0:443/tcp, "
			"/run/n\\x9B.sock\n"));
	CHECK(has(&out, "950 ended  cc1      session-3.scope    none\n"));
	CHECK(has(&out, "  1 mapped file without findings is not listed (-v does)\n"));
	CHECK(!memmem(out.p, out.n, "libbox", 6));
	REPORT(&out, SAP_FORMAT_TTY, 0, true, sap_report_scan, &view);
	CHECK(has(&out, "/usr/lib/libbox\\xFF.so in container web-\\x07: mapped\n"));
	CHECK(has(&out, "e\\x1B[31mvil\\x0A"));
	view.show_processes = false;
	view.functions_of = "liba.so.1";
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "  3 of 512 functions watched were entered; 514 were asked for, 2 the "
			"kernel refused; watched since 2026-11-22 10:00:00; "
			"what ran in the first 200 ms is not known\n"));
	CHECK(has(&out, "  run by the loader: 2 constructors\n"));
	CHECK(has(&out, "  at 0x80"));
	CHECK(has(&out, "a_parse@@A_1 a_parse64@@A_1  nginx (pid 812)   2026-11-22 10:00:05\n"));
	CHECK(has(&out, "  not observable: a_inner: no symbol: install liba-dbgsym\n"));
	view.functions_of = "libb.so.1";
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "  not observable: no\\x1B rights\n"));
	CHECK(has(&out, ", an old copy (replaced): mapped\n  functions were not watched"));
	view.functions_of = "no\x1bne";
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "\nno\\x1Bne: no mapped file has this name\n"));
	sap_buf_clear(&out);
	clear_scene(&s);
}

static void test_scan_json(void)
{
	struct scene s = make_scene(true);
	struct sap_scan_view view = view_of(&s);
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &view);
	CHECK(valid(&out));
	leave("scan", &out);
	CHECK(has(&out, "\"window\":{\"start\":\"2026-11-22T10:00:00.000Z\",\"end\":"
			"\"2026-11-22T12:10:00.000Z\",\"watched_seconds\":7500,\"live\":true,"
			"\"gaps\":[{\"start\":"
			"\"2026-11-22T10:01:00.000Z\""));
	CHECK(has(&out, "\"processes_seen\":3,\"processes_hidden\":3,\"lost\":{\"maps\":12,\"hits\""
			":1,\"opens\":0,\"files\":0,\"ceiling\":0}"));
	CHECK(has(&out, "\"findings\":{\"open\":4,\"mapped\":3,\"executed\":2,\"load_time_only\":0,"
			"\"vulnerable_function_executed\":1,\"not_observable\":3}"));
	CHECK(has(&out, "\"object\":\"/usr/lib/liba.so.1\",\"package\":\"pkg:deb/debian/prog@"));
	CHECK(has(&out, "\"names\":[\"a_parse@@A_1\",\"a_parse64@@A_1\"],\"offset\":64,\"pid\":812,"
			"\"process\":\"nginx\",\"when\":\"2026-11-22T10:00:05.123Z\""));
	CHECK(has(&out, "\"stale\":\"replaced\",\"new_build_id\":\"22\""));
	CHECK(has(&out, "\"load_environment\":[\"LD_PRELOAD\",\"LD_AUDIT\"]"));
	CHECK(has(&out, "\"state\":\"vulnerable_function_executed\",\"evidence\":{\"answer\":"
			"\"seen\",\"exposure\":\"network\",\"process\":{\"pid\":812"));
	CHECK(has(&out, "\"answer\":\"not_observable\",\"reason\":\"a_inner: no symbol"));
	CHECK(has(&out, "\"restart\":[{\"process\":{\"pid\":812"));
	CHECK_INT(count_of(&out, "\"mount_namespace\":4026532000"), 1);
	CHECK_INT(count_of(&out, "\"schema\":\"scan/1\""), 1);
	sap_buf_clear(&out);
	clear_scene(&s);
}

/* One look at /proc, nothing watched, nothing lost. */
static void test_scan_one_look(void)
{
	struct scene s = { .world = make_world(), .findings = calloc(1, sizeof(*s.findings)) };
	struct sap_scan_view view;
	struct sap_buf out;
	uint32_t process;

	s.findings->facts = s.world.facts;
	s.findings->store = SAP_STR("/db");
	s.findings->n_judged = 2;
	sap_arena_init(&s.findings->arena, 0);
	add_finding(&s, 0, "CVE-2026-1", "prog", a_parse, 1);
	add_finding(&s, 2, "CVE-2026-3", "libb", NULL, 0);
	s.e = sap_evidence_new();
	s.e->start = s.e->end = START;
	process = add_process(s.e, 5, "", "");
	use(s.e, add_file(s.e, "/usr/lib/liba.so.1", 0, 1), process);
	CHECK_OK(sap_states_compute(s.world.facts, s.world.tree, NULL, s.e, s.findings, &s.states,
				    &err),
		 &err);
	view = view_of(&s);
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "what runs: /proc now (1 process)\n  functions were not watched (run "
			"`sapper watch`)\n"));
	CHECK(has(&out, "\n    mapped by ? (pid 5)\n"));
	CHECK(has(&out, "\n    present, not seen in one look at 1 process, 0 lost\n"));
	CHECK(!memmem(out.p, out.n, "Restart", 7));
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &view);
	CHECK(valid(&out));
	leave("scan-one-look", &out);
	s.findings->explain = SAP_STR("CVE-2026-1");
	s.findings->list.v[0].steps = calloc(1, sizeof(struct sap_step));
	s.findings->list.v[0].n_steps = 1;
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_explain, &view);
	CHECK(has(&out, "\n    state      mapped\n    evidence mapped by ? (pid 5)\n"));
	free(s.findings->list.v[0].steps);
	sap_buf_clear(&out);
	clear_scene(&s);
}

/* Without evidence the text has what it always had; without states the document, too. */
static void test_scan_without(void)
{
	struct scene s = make_scene(false);
	struct sap_scan_view with = view_of(&s), without = with;
	struct sap_buf out, other;

	without.states = NULL;
	sap_buf_init(&out, BUF_MAX);
	sap_buf_init(&other, BUF_MAX);
	for (unsigned i = 0; i < 4; i++) {
		REPORT(&out, SAP_FORMAT_TTY, i / 2 ? 120 : 80, i % 2, sap_report_scan, &with);
		REPORT(&other, SAP_FORMAT_TTY, i / 2 ? 120 : 80, i % 2, sap_report_scan, &without);
		CHECK(sap_str_eq(sap_buf_str(&out), sap_buf_str(&other)));
	}
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &without);
	CHECK(valid(&out));
	leave("scan-without", &out);
	CHECK(!memmem(out.p, out.n, "\"evidence\"", 10));
	CHECK_INT(count_of(&out, "\"state\":"), 4); /* of findings only */
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &with);
	CHECK(valid(&out));
	leave("scan-facts", &out);
	CHECK(!memmem(out.p, out.n, "\"evidence\"", 10));
	CHECK_INT(count_of(&out, "\"state\":\"present\""), 4 + 5 + 2);
	sap_buf_clear(&out);
	sap_buf_clear(&other);
	clear_scene(&s);
}

/* ---- an answer of its own --------------------------------------------------------------- */

static void test_evidence_tty(void)
{
	struct scene s = make_scene(true);
	struct sap_str packages[5] = { [1] = SAP_STR("liba 1\x1b"), [0] = SAP_STR("prog 2") };
	struct sap_evidence_view view = { .evidence = s.e, .command = "./x\x07 --y" };
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_evidence, &view);
	CHECK(harmless(&out));
	CHECK(has(&out, "What ran in ./x\\x07 --y\n2026-11-22 10:00:00 to 2026-11-22 12:10:00 UTC, "
			"2 h 10 min, 1 gap (5 min not watched)\n3 processes seen, 3 could not be "
			"looked into; lost: 12 records of mappings, 1 function entry\nmappings: "
			"/proc, then perf MMAP2 with build-ids; functions: uprobe_multi\n"));
	CHECK(has(&out, "\n5 files mapped executable\n"));
	CHECK(has(&out, "liba.so.1  "));
	CHECK(has(&out, "  executed   3 of 512 "));
	CHECK(has(&out, "libbox\\xFF.so in web-\\x07  mapped     not asked"));
	CHECK(has(&out, "libb.so.1 (old copy) "));
	CHECK(has(&out, "\nNot observable\n  libb.so.1: no\\x1B rights\n  a_inner in liba.so.1: no "
			"symbol: install liba-dbgsym\n  2 functions that the kernel refuses"));
	CHECK(has(&out, "  3 files whose functions were not asked for\n"));
	view.packages = packages;
	view.command = NULL;
	REPORT(&out, SAP_FORMAT_TTY, 0, true, sap_report_evidence, &view);
	CHECK(has(&out, "What ran on box\\x1B[2J\n"));
	CHECK(has(&out,
		  "  not watched: 2026-11-22 10:01:00 to 2026-11-22 10:06:00: the watcher was "
		  "stopped\n"));
	CHECK(has(&out, "  liba 1\\x1B  executed "));
	for (unsigned width = 60; width <= 200; width += 5) {
		for (unsigned verbose = 0; verbose < 2; verbose++) {
			view.show_processes = verbose;
			REPORT(&out, SAP_FORMAT_TTY, width, verbose, sap_report_evidence, &view);
			CHECK(harmless(&out));
			CHECK(width < 80 || longest_line(sap_buf_str(&out)) <= width);
			CHECK(verbose || count_of(&out, "\n") <= 40);
		}
	}
	view.functions_of = "/usr/lib/liba.so.1";
	view.show_processes = false;
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_evidence, &view);
	CHECK(has(&out, "/usr/lib/liba.so.1 of liba 1\\x1B: executed\n"));
	sap_buf_clear(&out);
	clear_scene(&s);
}

static void test_evidence_json(void)
{
	struct scene s = make_scene(true);
	struct sap_str packages[5] = { [1] = SAP_STR("liba 1\xff"), [0] = SAP_STR("prog 2") };
	struct sap_evidence_view view = { .evidence = s.e,
					  .packages = packages,
					  .command = "x\xff" };
	struct sap_evidence *empty = sap_evidence_new();
	struct sap_seen_open *opened;
	struct sap_buf out, again;

	opened = SAP_VEC_PUSH(&s.e->opens, 10);
	*opened = (struct sap_seen_open){ .path = SAP_STR("/etc/x\xff"), .count = 3 };
	sap_buf_init(&out, BUF_MAX);
	sap_buf_init(&again, BUF_MAX);
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_evidence, &view);
	REPORT(&again, SAP_FORMAT_JSON, 80, true, sap_report_evidence, &view);
	CHECK(valid(&out));
	CHECK(sap_str_eq(sap_buf_str(&out), sap_buf_str(&again)));
	leave("evidence", &out);
	CHECK(has(&out, "\"schema\":\"evidence/1\"},\n\"command\":\"x\xef\xbf\xbd\",\n"
			"\"command_bytes\":\"78ff\""));
	CHECK(has(&out, "\"package_name\":\"liba 1\xef\xbf\xbd\",\"package_name_bytes\""));
	CHECK(has(&out, "\"opens\":[{\"path\":\"/etc/x\xef\xbf\xbd\",\"path_bytes\":"));
	CHECK(!memmem(out.p, out.n, "\"object\"", 8));
	view = (struct sap_evidence_view){ .evidence = empty };
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_evidence, &view);
	CHECK(valid(&out));
	leave("evidence-empty", &out);
	CHECK(has(&out, "\"libraries\":[],\"restart\":[]}"));
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_evidence, &view);
	CHECK(has(&out, "0 processes seen; nothing lost\n"));
	for (size_t max = 0; max < again.n; max += 97) { /* no room: said, not hidden */
		struct sap_buf small;

		view.evidence = s.e;
		sap_buf_init(&small, max);
		REPORT(&small, SAP_FORMAT_JSON, 0, false, sap_report_evidence, &view);
		CHECK(!sap_buf_ok(&small) || small.n < again.n);
		sap_buf_clear(&small);
	}
	sap_evidence_free(empty);
	sap_buf_clear(&out);
	sap_buf_clear(&again);
	clear_scene(&s);
}

/* Many of everything are a screen. */
static void test_many(void)
{
	struct sap_evidence *e = sap_evidence_new();
	struct sap_evidence_view view = { .evidence = e };
	struct sap_buf out;
	char text[128];

	e->start = START;
	e->end = START + 3600 * SECOND;
	for (unsigned i = 0; i < 500; i++) {
		uint32_t process, file;

		snprintf(text, sizeof(text), "p%u", i);
		process = add_process(e, (int32_t)i + 1, text, i % 3 ? "" : "many.service");
		snprintf(text, sizeof(text), "/usr/lib/some/deep/folder/lib%u.so", i);
		file = add_file(e, text, 0, i + 10);
		use(e, file, process);
		e->files.v[file].stale = i % 2 ? SAP_STALE_DELETED : SAP_STALE_REPLACED;
		snprintf(text, sizeof(text), "reason %u", i);
		CHECK_OK(sap_evidence_unobserved(e, file, SAP_STR("f"), sap_str_of(text), &err),
			 &err);
	}
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_evidence, &view);
	CHECK(count_of(&out, "\n") <= 50);
	CHECK(longest_line(sap_buf_str(&out)) <= 80);
	CHECK(has(&out,
		  "still mapped (334)\n  many.service (pid 1, 4, 7 and 164 more): lib0.so, "));
	CHECK(has(&out, "and 163 more\n"));
	sap_buf_clear(&out);
	sap_evidence_free(e);
}

static void test_times(void)
{
	char text[SAP_DAY_SIZE];

	CHECK_STR(sap_str_of(sap_report_day(START / SECOND, text)), "2026-11-22");
}

int main(void)
{
	test_times();
	test_scan_tty();
	test_scan_lists();
	test_scan_json();
	test_scan_one_look();
	test_scan_without();
	test_evidence_tty();
	test_evidence_json();
	test_many();
	return check_done();
}
