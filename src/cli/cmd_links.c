/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/links.h"

static const char help[] =
	"usage: sapper links [OPTIONS] PROGRAM...\n"
	"       sapper links --why LIB PROGRAM...\n"
	"       sapper links --reverse LIB [TARGET]\n"
	"       sapper links --census PROGRAM TARGET...\n"
	"       sapper links --unneeded [PROGRAM...|TARGET]\n"
	"       sapper links TARGET\n"
	"\n"
	"Who loads what, found how, and why: as the dynamic loader of the system would do it, but\n"
	"without running it. Beyond the loader: modules of PAM and NSS, dlopen metadata, and "
	"sonames\n"
	"in read-only data of objects that call dlopen (marked as guesses).\n"
	"\n"
	"PROGRAM is a path, or a name looked for in /usr/sbin, /usr/bin and so on. TARGET is a\n"
	"folder with a root file system or a facts file; a TARGET alone means all its programs.\n"
	"\n"
	"      --why LIB          every chain from each program to LIB\n"
	"      --count            a line a program: libraries, direct ones, path. Libraries are\n"
	"                         counted without the vDSO and the program itself\n"
	"      --reverse LIB      every program, service and library that would load LIB\n"
	"      --census PROGRAM   a line a target: what PROGRAM loads there\n"
	"      --unneeded         DT_NEEDED entries of which nothing is imported, and what would\n"
	"                         leave with each\n"
	"  -t, --target TARGET    where PROGRAM is (default: this host)\n"
	"      --strict           only what the loader does at start\n"
	"      --cpu LEVEL        CPU level for glibc-hwcaps folders: host, base, 2, 3, 4\n"
	"                         (default: the host's own; 2 for a folder)\n"
	"      --library-path P   LD_LIBRARY_PATH to assume\n" COMMON_HELP "\n"
	"examples:\n"
	"  sapper links sshd\n"
	"  sapper links --why liblzma.so.5 sshd\n"
	"  sapper links --reverse liblzma.so.5 /srv/root\n"
	"  sapper links --census sshd /srv/debian-11 /srv/debian-12\n"
	"  sapper links --unneeded /usr/sbin/nginx\n"
	"  sapper links --count -t /srv/root /usr/bin/ssh\n";

enum {
	OPTION_WHY = OPTION_OWN,
	OPTION_COUNT,
	OPTION_REVERSE,
	OPTION_CENSUS,
	OPTION_UNNEEDED,
	OPTION_STRICT,
	OPTION_CPU,
	OPTION_LIBRARY_PATH,
};

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "why", required_argument, NULL, OPTION_WHY },
	{ "count", no_argument, NULL, OPTION_COUNT },
	{ "reverse", required_argument, NULL, OPTION_REVERSE },
	{ "census", required_argument, NULL, OPTION_CENSUS },
	{ "unneeded", no_argument, NULL, OPTION_UNNEEDED },
	{ "target", required_argument, NULL, 't' },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "cpu", required_argument, NULL, OPTION_CPU },
	{ "library-path", required_argument, NULL, OPTION_LIBRARY_PATH },
	{ 0 },
};

/* -1: taken; else the exit status. */
static int set_mode(struct links_options *o, enum links_mode mode)
{
	if (o->mode != MODE_TREE && o->mode != mode)
		return cli_usage(&cmd_links, "--why, --count, --reverse, --census and --unneeded "
					     "are different questions: ask one at a time");
	o->mode = mode;
	return -1;
}

static int own_option(struct links_options *o, int opt)
{
	switch (opt) {
	case OPTION_WHY:
		o->library = optarg;
		return set_mode(o, MODE_WHY);
	case OPTION_COUNT:
		return set_mode(o, MODE_COUNT);
	case OPTION_REVERSE:
		o->library = optarg;
		return set_mode(o, MODE_REVERSE);
	case OPTION_CENSUS:
		o->census = optarg;
		return set_mode(o, MODE_CENSUS);
	case OPTION_UNNEEDED:
		return set_mode(o, MODE_UNNEEDED);
	case 't':
		o->target = optarg;
		return -1;
	case OPTION_STRICT:
		o->strict = true;
		return -1;
	case OPTION_LIBRARY_PATH:
		o->library_path = optarg;
		return -1;
	default:
		if (!cli_cpu_parse(optarg, &o->cpu))
			return cli_usage(&cmd_links, "--cpu is host, base, 2, 3 or 4, not '%s'",
					 optarg);
		return -1;
	}
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct links_options *o)
{
	int opt, r = -1;

	*o = (struct links_options){ .common.format = SAP_FORMAT_TTY, .cpu = -1 };
	opterr = 0; /* messages are our own */
	while (r < 0 &&
	       (opt = getopt_long(argc, argv, COMMON_SHORT "t:", long_options, NULL)) != -1) {
		switch (cli_common_option(&o->common, &cmd_links, opt, argv)) {
		case COMMON_TAKEN:
			continue;
		case COMMON_BAD:
			return STATUS_FAILURE;
		case COMMON_HELPED:
			return STATUS_OK;
		case COMMON_NOT_MINE:
			r = own_option(o, opt);
		}
	}
	o->arguments = argv + optind;
	o->n_arguments = (uint32_t)(argc - optind);
	return r;
}

/* ---- trees, counts, chains -------------------------------------------------------------- */

/* Programs and their closures, and the view of them. */
struct programs {
	struct sap_links_program *v;
	struct sap_closure *closures;
	uint32_t n;
};

static void clear_programs(struct programs *p)
{
	for (uint32_t i = 0; p->closures && i < p->n; i++)
		sap_closure_clear(&p->closures[i]);
	free(p->closures);
	free(p->v);
}

/* True where the arguments are one TARGET instead of programs. */
static bool names_target(const struct links_options *o)
{
	return o->n_arguments == 1 && !o->target && cli_is_target(o->arguments[0]);
}

static int open_programs(struct asked *a, const struct links_options *o, struct programs *p,
			 struct sap_err *err)
{
	int r;

	if (names_target(o)) {
		r = asked_open_whole(a, o, o->arguments[0], false, err);
		if (r == 0)
			r = asked_all_programs(a, &p->v, &p->n, err);
	} else {
		r = asked_open(a, o, o->target, false, err);
		p->n = o->n_arguments;
		p->v = calloc(p->n + 1, sizeof(*p->v));
		if (r == 0 && !p->v)
			r = sap_err_nomem(err);
		for (uint32_t i = 0; r == 0 && i < p->n; i++)
			p->v[i].asked = o->arguments[i];
		if (r == 0)
			r = asked_find(a, p->v, p->n, err);
	}
	p->closures = calloc(p->n + 1, sizeof(*p->closures));
	if (r == 0 && !p->closures)
		r = sap_err_nomem(err);
	if (r == 0)
		r = asked_close_over(a, p->v, p->closures, p->n, err);
	if (r == 0 && (o->mode != MODE_COUNT || o->common.format == SAP_FORMAT_JSON))
		r = asked_own(a, p->v, p->n, err);
	return r;
}

/* What was noted about the objects of the answer; on demand nothing else was looked at. */
static void note_diagnostics(const struct asked *a, const struct links_options *o,
			     const struct programs *p)
{
	bool *shown = calloc(sap_pool_count(a->facts->pool) + 1, sizeof(*shown));

	for (uint32_t i = 0; shown && i < p->n; i++) {
		const struct sap_closure *c = p->v[i].closure;

		if (c)
			shown[a->facts->objects.v[c->program].path] = true;
		for (size_t l = 0; c && l < c->libs.n; l++)
			shown[a->facts->objects.v[c->libs.v[l].object].path] = true;
	}
	cli_note_diagnostics(&o->common, a->facts, a->session ? NULL : shown);
	free(shown);
}

static int report_programs(struct asked *a, const struct links_options *o, const struct programs *p,
			   uint32_t library, struct sap_err *err)
{
	const struct sap_links_view view = {
		.link = a->link,
		.facts = a->facts,
		.programs = p->v,
		.n_programs = p->n,
		.cpu_level = a->cpu.level,
		.cpu_of_host = a->cpu.of_host,
		.owners_known = o->mode != MODE_COUNT || o->common.format == SAP_FORMAT_JSON,
	};
	struct output output;
	int status = cli_output_open(&output, &o->common), answer = STATUS_OK, r = 0;

	if (status != STATUS_OK)
		return status;
	if (o->mode == MODE_COUNT)
		sap_report_count(output.report, &view);
	else if (o->mode == MODE_WHY)
		r = asked_report_why(a, o, &view, output.report, library, &answer, err);
	else
		sap_report_links(output.report, &view);
	status = cli_output_close(&output);
	if (status == STATUS_OK)
		status = answer;
	note_diagnostics(a, o, p);
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i].object != SAP_NONE)
			continue;
		cli_say("%s: %s", p->v[i].asked, p->v[i].problem);
		status = STATUS_FAILURE;
	}
	return r < 0 ? r : status;
}

static int links_programs(const struct links_options *o, struct sap_err *err)
{
	struct programs p = { 0 };
	uint32_t library = SAP_NONE;
	struct asked a;
	int r;

	if (o->n_arguments == 0)
		return cli_usage(&cmd_links, "name a program, or a target");
	r = open_programs(&a, o, &p, err);
	if (r == 0 && o->mode == MODE_WHY)
		r = asked_library_object(&a, o->library, &library, err);
	if (r == 0 && p.n == 0) {
		cli_say("%s: no program was found there; is it the right folder, and is it "
			"mounted?",
			o->arguments[0]);
		r = STATUS_FAILURE;
	} else if (r == 0) {
		r = report_programs(&a, o, &p, library, err);
	}
	clear_programs(&p);
	asked_close(&a);
	return r;
}

static int run(int argc, char **argv)
{
	struct links_options o;
	struct sap_err err = { 0 };
	int r = parse(argc, argv, &o);

	if (r >= 0)
		return r;
	switch (o.mode) {
	case MODE_REVERSE:
		r = links_reverse(&o, &err);
		break;
	case MODE_CENSUS:
		r = links_census(&o, &err);
		break;
	case MODE_UNNEEDED:
		r = links_unneeded(&o, &err);
		break;
	default:
		r = links_programs(&o, &err);
		break;
	}
	return r < 0 ? cli_fail(&err) : r;
}

const struct command cmd_links = {
	.name = "links",
	.summary = "who loads what, and why: trees, chains, counts, blast radius",
	.help = help,
	.run = run,
};
