/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "advisory/judge.h"
#include "cli/advice.h"
#include "cli/cli.h"
#include "cli/watching.h"
#include "decide/states.h"
#include "link/radius.h"

static const char help[] =
	"usage: sapper scan [OPTIONS] [TARGET]\n"
	"\n"
	"What a system is made of and what is wrong with it: vulnerable and compromised packages\n"
	"by the advisories at hand (sapper help db); programs, libraries, services; which "
	"libraries\n"
	"the most programs load; what nobody owns, what is missing, what could not be read.\n"
	"\n"
	"TARGET is a folder that holds a root file system, or a facts file; without one, this\n"
	"host. dir:PATH and facts:FILE say which.\n"
	"\n"
	"      --db FILE          the advisories (default: see sapper help db)\n"
	"      --max-age DAYS     advisories older than that are called old (default: 5)\n"
	"      --explain ID       how the answer about one vulnerability came about, step by step\n"
	"      --ignore FILE      reviewed exceptions (default: .sapper.toml here, if it is "
	"yours)\n"
	"      --vex FILE         a VEX document (OpenVEX, CycloneDX, CSAF); may be repeated\n"
	"      --show-suppressed  list what exceptions and VEX took out\n"
	"      --no-advisories    do not judge\n"
	"      --processes        this host: list who has mapped which library\n"
	"      --functions LIB    this host: the functions of that library that were entered\n"
	"      --store FILE       evidence of 'sapper watch' (default: "
	"/var/lib/sapper/evidence.db)\n"
	"      --no-evidence      this host: do not look at what runs\n"
	"      --facts FILE       also write the facts to FILE, to be read as facts:FILE\n"
	"      --files            JSON: list the files of every package\n"
	"      --cpu LEVEL        CPU level for glibc-hwcaps folders: host, base, 2, 3, 4\n"
	"                         (default: the host's own; 2 for a folder)\n" COMMON_HELP "\n"
	"examples:\n"
	"  sapper scan\n"
	"  sapper scan --format json -o host.json\n"
	"  sapper scan --explain CVE-2024-3094 /srv/root\n"
	"  sapper scan --facts web1.facts /mnt/web1 && sapper scan facts:web1.facts\n";

struct options {
	struct common common;
	const char *target;
	const char *facts;
	bool files;
	bool no_advisories;
	bool show_suppressed;
	bool processes;
	bool no_evidence;
	const char *functions; /* of which library */
	const char *store;
	int cpu;
	struct advice advice;
};

enum {
	OPTION_FACTS = OPTION_OWN,
	OPTION_FILES,
	OPTION_CPU,
	OPTION_DB,
	OPTION_MAX_AGE,
	OPTION_EXPLAIN,
	OPTION_IGNORE,
	OPTION_VEX,
	OPTION_SHOW_SUPPRESSED,
	OPTION_NO_ADVISORIES,
	OPTION_PROCESSES,
	OPTION_FUNCTIONS,
	OPTION_STORE,
	OPTION_NO_EVIDENCE,
};

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "facts", required_argument, NULL, OPTION_FACTS },
	{ "files", no_argument, NULL, OPTION_FILES },
	{ "cpu", required_argument, NULL, OPTION_CPU },
	{ "db", required_argument, NULL, OPTION_DB },
	{ "max-age", required_argument, NULL, OPTION_MAX_AGE },
	{ "explain", required_argument, NULL, OPTION_EXPLAIN },
	{ "ignore", required_argument, NULL, OPTION_IGNORE },
	{ "vex", required_argument, NULL, OPTION_VEX },
	{ "show-suppressed", no_argument, NULL, OPTION_SHOW_SUPPRESSED },
	{ "no-advisories", no_argument, NULL, OPTION_NO_ADVISORIES },
	{ "processes", no_argument, NULL, OPTION_PROCESSES },
	{ "functions", required_argument, NULL, OPTION_FUNCTIONS },
	{ "store", required_argument, NULL, OPTION_STORE },
	{ "no-evidence", no_argument, NULL, OPTION_NO_EVIDENCE },
	{ 0 },
};

/* -1: taken; else the exit status. */
static int take_option(int opt, struct options *o)
{
	switch (opt) {
	case OPTION_FACTS:
		o->facts = optarg;
		return -1;
	case OPTION_FILES:
		o->files = true;
		return -1;
	case OPTION_CPU:
		if (!cli_cpu_parse(optarg, &o->cpu))
			return cli_usage(&cmd_scan, "--cpu is host, base, 2, 3 or 4, not '%s'",
					 optarg);
		return -1;
	case OPTION_DB:
		o->advice.db = optarg;
		return -1;
	case OPTION_MAX_AGE:
		if (!cli_days_parse(optarg, &o->advice.max_age_days))
			return cli_usage(&cmd_scan, "--max-age is a number of days, not '%s'",
					 optarg);
		return -1;
	case OPTION_EXPLAIN:
		if (!*optarg)
			return cli_usage(&cmd_scan, "--explain needs the name of a vulnerability");
		o->advice.explain = optarg;
		return -1;
	case OPTION_IGNORE:
		o->advice.ignore = optarg;
		return -1;
	case OPTION_VEX:
		if (o->advice.n_vex == VEX_MAX)
			return cli_usage(&cmd_scan, "at most %d VEX documents", VEX_MAX);
		o->advice.vex[o->advice.n_vex++] = optarg;
		return -1;
	case OPTION_SHOW_SUPPRESSED:
		o->show_suppressed = true;
		return -1;
	case OPTION_PROCESSES:
		o->processes = true;
		return -1;
	case OPTION_FUNCTIONS:
		if (!*optarg)
			return cli_usage(&cmd_scan, "--functions needs the name of a library");
		o->functions = optarg;
		return -1;
	case OPTION_STORE:
		o->store = optarg;
		return -1;
	case OPTION_NO_EVIDENCE:
		o->no_evidence = true;
		return -1;
	default:
		o->no_advisories = true;
		return -1;
	}
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int opt, r;

	*o = (struct options){
		.common.format = SAP_FORMAT_TTY,
		.cpu = -1,
		.advice.max_age_days = MAX_AGE_DAYS,
	};
	opterr = 0; /* messages are our own */
	while ((opt = getopt_long(argc, argv, COMMON_SHORT, long_options, NULL)) != -1) {
		switch (cli_common_option(&o->common, &cmd_scan, opt, argv)) {
		case COMMON_TAKEN:
			continue;
		case COMMON_BAD:
			return STATUS_FAILURE;
		case COMMON_HELPED:
			return STATUS_OK;
		case COMMON_NOT_MINE:
			break;
		}
		r = take_option(opt, o);
		if (r >= 0)
			return r;
	}
	if (o->no_advisories && o->advice.explain)
		return cli_usage(&cmd_scan, "--explain needs advisories");
	if (o->no_evidence && (o->processes || o->functions || o->store))
		return cli_usage(&cmd_scan, "--processes, --functions and --store need evidence");
	if (argc - optind > 1)
		return cli_usage(&cmd_scan, "one target at a time; '%s' is too many",
				 argv[optind + 1]);
	o->target = argv[optind];
	return -1;
}

/* A target, and all that is thought about it. */
struct judged {
	bool host;
	struct sap_facts *facts;
	struct sap_tree *tree;
	struct sap_radius radius;
	struct sap_findings *findings; /* NULL: not asked for */
	struct sap_evidence *evidence; /* of this host; NULL: none */
	struct sap_states *states;
};

/* Which objects some program here would load, or a service starts. */
static bool *linked_objects(const struct sap_facts *facts, const struct sap_radius *radius)
{
	bool *linked = calloc(facts->objects.n + 1, sizeof(*linked));

	if (!linked)
		return NULL;
	for (uint32_t i = 0; i < radius->n_objects; i++)
		linked[i] = radius->objects[i].programs > 0 || radius->objects[i].services > 0;
	for (size_t i = 0; i < radius->starts.n; i++)
		linked[radius->starts.v[i].object] = true;
	return linked;
}

/* What is wrong with it, and what of it runs. */
static int judge(const struct options *o, struct judged *j, struct sap_err *err)
{
	bool *linked;
	int r = 0;

	if (!o->no_advisories)
		r = cli_advise(&o->advice, j->facts, &j->findings, err);
	if (r == 0 && j->host && !o->no_evidence)
		r = cli_evidence_of_host(o->store, o->common.quiet, &j->evidence, err);
	if (r < 0)
		return r;
	linked = linked_objects(j->facts, &j->radius);
	r = linked ? sap_states_compute(j->facts, j->tree, linked, j->evidence, j->findings,
					&j->states, err)
		   : sap_err_nomem(err);
	free(linked);
	return r;
}

static int report(const struct options *o, const struct judged *j, const struct cpu *cpu)
{
	const struct sap_scan_view view = {
		.facts = j->facts,
		.radius = &j->radius,
		.cpu_level = cpu->level,
		.cpu_of_host = cpu->of_host,
		.with_files = o->files,
		.findings = j->findings,
		.show_suppressed = o->show_suppressed,
		.states = j->evidence ? j->states : NULL,
		.show_processes = o->processes,
		.functions_of = o->functions,
	};
	struct output output;
	int status = cli_output_open(&output, &o->common);

	if (status != STATUS_OK)
		return status;
	if (o->advice.explain)
		sap_report_explain(output.report, &view);
	else
		sap_report_scan(output.report, &view);
	return cli_output_close(&output);
}

static int judge_and_report(const struct options *o, struct judged *j, struct sap_err *err)
{
	const struct cpu cpu = cli_cpu(j->facts, o->cpu);
	const struct sap_link_options link_options = { .cpu_level = cpu.level };
	struct sap_link *link = sap_link_new(j->facts, j->tree, &link_options);
	int r;

	if (!link)
		return sap_err_nomem(err);
	r = sap_radius_compute(j->facts, j->tree, link, &j->radius, err);
	if (r == 0)
		r = judge(o, j, err);
	if (r == 0)
		r = report(o, j, &cpu);
	sap_link_free(link);
	return r;
}

static int scan(const struct options *o, struct judged *j, struct sap_err *err)
{
	const struct loading loading = { &o->common, .symbols = o->facts != NULL };
	struct target target;
	int r = cli_target_parse(o->target, &target, err);

	if (r == 0)
		r = cli_target_load(&target, &loading, &j->facts, err);
	if (r == 0 && o->facts)
		r = cli_facts_write(j->facts, o->facts, err);
	if (r < 0)
		return r;
	j->host = target.kind == TARGET_HOST;
	if (!j->host && (o->processes || o->functions || o->store))
		return sap_err_set(
			err, SAP_EUSAGE,
			"--processes, --functions and --store are about this host, not %s",
			o->target);
	j->tree = sap_tree_new(j->facts);
	if (!j->tree)
		return sap_err_nomem(err);
	r = sap_tree_note_loops(j->tree, j->facts, err);
	if (r == 0)
		r = sap_tree_own(j->tree, j->facts, err);
	return r < 0 ? r : judge_and_report(o, j, err);
}

static int run(int argc, char **argv)
{
	struct judged j = { .host = false };
	struct sap_err err = { 0 };
	struct options o;
	int r = parse(argc, argv, &o);

	if (r >= 0)
		return r;
	r = scan(&o, &j, &err);
	sap_states_free(j.states);
	sap_evidence_free(j.evidence);
	sap_findings_free(j.findings);
	sap_radius_clear(&j.radius);
	sap_tree_free(j.tree);
	sap_facts_free(j.facts);
	return r < 0 ? cli_fail(&err) : r;
}

const struct command cmd_scan = {
	.name = "scan",
	.summary = "what is here: packages, objects, who loads what, what cannot be told",
	.help = help,
	.run = run,
};
