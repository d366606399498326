/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "link/radius.h"

static const char help[] =
	"usage: sapper scan [OPTIONS] [TARGET]\n"
	"\n"
	"What a system is made of: packages, programs, libraries, services; which libraries the\n"
	"most programs load; what nobody owns; what is missing; what could not be read.\n"
	"\n"
	"TARGET is a folder that holds a root file system, or a facts file; without one, this\n"
	"host. dir:PATH and facts:FILE say which.\n"
	"\n"
	"      --facts FILE       also write the facts to FILE, to be read as facts:FILE\n"
	"      --files            JSON: list the files of every package\n"
	"      --cpu LEVEL        CPU level for glibc-hwcaps folders: host, base, 2, 3, 4\n"
	"                         (default: the host's own; 2 for a folder)\n" COMMON_HELP "\n"
	"examples:\n"
	"  sapper scan\n"
	"  sapper scan --format json -o host.json\n"
	"  sapper scan --facts web1.facts /mnt/web1 && sapper scan facts:web1.facts\n";

struct options {
	struct common common;
	const char *target;
	const char *facts;
	bool files;
	int cpu;
};

enum { OPTION_FACTS = OPTION_OWN, OPTION_FILES, OPTION_CPU };

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "facts", required_argument, NULL, OPTION_FACTS },
	{ "files", no_argument, NULL, OPTION_FILES },
	{ "cpu", required_argument, NULL, OPTION_CPU },
	{ 0 },
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int opt;

	*o = (struct options){ .common.format = SAP_FORMAT_TTY, .cpu = -1 };
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
		if (opt == OPTION_FACTS)
			o->facts = optarg;
		else if (opt == OPTION_FILES)
			o->files = true;
		else if (opt == OPTION_CPU && !cli_cpu_parse(optarg, &o->cpu))
			return cli_usage(&cmd_scan, "--cpu is host, base, 2, 3 or 4, not '%s'",
					 optarg);
	}
	if (argc - optind > 1)
		return cli_usage(&cmd_scan, "one target at a time; '%s' is too many",
				 argv[optind + 1]);
	o->target = argv[optind];
	return -1;
}

static int report(const struct options *o, struct sap_facts *facts, struct sap_tree *tree,
		  struct sap_err *err)
{
	const struct cpu cpu = cli_cpu(facts, o->cpu);
	const struct sap_link_options link_options = { .cpu_level = cpu.level };
	struct sap_link *link = sap_link_new(facts, tree, &link_options);
	struct sap_radius radius = { 0 };
	struct output output;
	int r;

	if (!link)
		return sap_err_nomem(err);
	r = sap_radius_compute(facts, tree, link, &radius, err);
	if (r == 0) {
		const struct sap_scan_view view = {
			.facts = facts,
			.radius = &radius,
			.cpu_level = cpu.level,
			.cpu_of_host = cpu.of_host,
			.with_files = o->files,
		};

		r = cli_output_open(&output, &o->common);
		if (r == STATUS_OK) {
			sap_report_scan(output.report, &view);
			r = cli_output_close(&output);
		}
	}
	sap_radius_clear(&radius);
	sap_link_free(link);
	return r;
}

static int scan(const struct options *o, struct sap_facts **facts, struct sap_tree **tree,
		struct sap_err *err)
{
	const struct loading loading = { &o->common, .symbols = o->facts != NULL };
	struct target target;
	int r = cli_target_parse(o->target, &target, err);

	if (r == 0)
		r = cli_target_load(&target, &loading, facts, err);
	if (r == 0 && o->facts)
		r = cli_facts_write(*facts, o->facts, err);
	if (r < 0)
		return r;
	*tree = sap_tree_new(*facts);
	if (!*tree)
		return sap_err_nomem(err);
	r = sap_tree_note_loops(*tree, *facts, err);
	if (r == 0)
		r = sap_tree_own(*tree, *facts, err);
	return r < 0 ? r : report(o, *facts, *tree, err);
}

static int run(int argc, char **argv)
{
	struct sap_facts *facts = NULL;
	struct sap_tree *tree = NULL;
	struct sap_err err = { 0 };
	struct options o;
	int r = parse(argc, argv, &o);

	if (r >= 0)
		return r;
	r = scan(&o, &facts, &tree, &err);
	sap_tree_free(tree);
	sap_facts_free(facts);
	return r < 0 ? cli_fail(&err) : r;
}

const struct command cmd_scan = {
	.name = "scan",
	.summary = "what is here: packages, objects, who loads what, what cannot be told",
	.help = help,
	.run = run,
};
