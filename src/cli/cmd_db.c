/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/advice.h"
#include "cli/cli.h"
#include "cli/db.h"

static const char help[] =
	"usage: sapper db update [OPTIONS] [ECOSYSTEM...]\n"
	"       sapper db import [OPTIONS] PATH...\n"
	"       sapper db status [OPTIONS]\n"
	"       sapper db export [OPTIONS]\n"
	"\n"
	"The advisories that `sapper scan` judges by: one file, made from what the world "
	"publishes.\n"
	"Without one, scans use the data that came with this program.\n"
	"\n"
	"  update   download OSV's exports of the ECOSYSTEMs (Debian, Alpine, PyPI ...), CISA's "
	"list\n"
	"           of exploited vulnerabilities and EPSS scores; without ECOSYSTEM: those of "
	"this\n"
	"           host and those that are in the store\n"
	"  import   read files, folders and archives, recognised by content: OSV, Debian's and\n"
	"           Ubuntu's trackers, Alpine's secdb, CSAF, Arch's AVG, KEV, EPSS, CVE records,\n"
	"           tables of functions, and rows of our own (sapper-advisories(5))\n"
	"  status   sources, records, dates, age\n"
	"  export   everything as rows\n"
	"\n"
	"      --db FILE          the store (default: SAPPER_DB, else "
	"/var/lib/sapper/advisories.db\n"
	"                         for root, $XDG_DATA_HOME/sapper/advisories.db for others)\n"
	"      --max-age DAYS     status: what counts as old (default: 5)\n"
	"      --source KIND/NAME import, export: this source only, whatever the data says\n"
	"      --replace          import: what the source had before goes\n"
	"      --mirror URL       update: instead of OSV's storage (also SAPPER_OSV_MIRROR)\n"
	"      --kev-url URL      update: instead of CISA's address; 'none' leaves it out (also\n"
	"                         SAPPER_KEV_URL)\n"
	"      --epss-url URL     update: instead of FIRST's address; 'none' leaves it out (also\n"
	"                         SAPPER_EPSS_URL)\n"
	"      --proxy URL        update: through this proxy (also https_proxy)\n"
	"      --cacert FILE      update: certificates to trust instead of the system's\n"
	"      --timeout SECONDS  update: give up on a transfer without progress (default: 30)\n"
	"      --retries N        update: tries after the first, with growing pauses (default: 4)\n"
	"      --max-size MIB     update: no download is larger (default: 4096)\n" COMMON_HELP "\n"
	"examples:\n"
	"  sapper db update\n"
	"  sapper db update Debian Alpine PyPI\n"
	"  sapper db import osv-all.zip known_exploited_vulnerabilities.json\n"
	"  sapper db status --max-age 2\n";

enum {
	OPTION_DB = OPTION_OWN,
	OPTION_MAX_AGE,
	OPTION_SOURCE,
	OPTION_REPLACE,
	OPTION_MIRROR,
	OPTION_KEV_URL,
	OPTION_EPSS_URL,
	OPTION_PROXY,
	OPTION_CACERT,
	OPTION_TIMEOUT,
	OPTION_RETRIES,
	OPTION_MAX_SIZE,
};

static const struct option long_options[] = {
	COMMON_OPTIONS,
	{ "db", required_argument, NULL, OPTION_DB },
	{ "max-age", required_argument, NULL, OPTION_MAX_AGE },
	{ "source", required_argument, NULL, OPTION_SOURCE },
	{ "replace", no_argument, NULL, OPTION_REPLACE },
	{ "mirror", required_argument, NULL, OPTION_MIRROR },
	{ "kev-url", required_argument, NULL, OPTION_KEV_URL },
	{ "epss-url", required_argument, NULL, OPTION_EPSS_URL },
	{ "proxy", required_argument, NULL, OPTION_PROXY },
	{ "cacert", required_argument, NULL, OPTION_CACERT },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "retries", required_argument, NULL, OPTION_RETRIES },
	{ "max-size", required_argument, NULL, OPTION_MAX_SIZE },
	{ 0 },
};

enum verb_bits { IMPORT = 1, STATUS = 2, EXPORT = 4, UPDATE = 8 };

struct verb {
	const char *name;
	enum verb_bits bit;
	int (*run)(const struct db_options *o);
};

static const struct verb verbs[] = {
	{ "import", IMPORT, db_import },
	{ "status", STATUS, db_status },
	{ "export", EXPORT, db_export },
	{ "update", UPDATE, db_update },
};

/* Which verbs an option of our own belongs to. */
static unsigned verbs_of(int opt)
{
	switch (opt) {
	case OPTION_DB:
		return IMPORT | STATUS | EXPORT | UPDATE;
	case OPTION_MAX_AGE:
		return STATUS;
	case OPTION_SOURCE:
		return IMPORT | EXPORT;
	case OPTION_REPLACE:
		return IMPORT;
	default:
		return UPDATE;
	}
}

static const char *name_of(int opt)
{
	for (const struct option *o = long_options; o->name; o++) {
		if (o->val == opt)
			return o->name;
	}
	return "?";
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	return sap_str_u64(sap_str_of(text), out) && *out <= max;
}

/* -1: taken; else an exit status. */
static int take_number(int opt, struct db_options *o)
{
	uint64_t n;

	switch (opt) {
	case OPTION_MAX_AGE:
		if (!cli_days_parse(optarg, &o->max_age_days))
			return cli_usage(&cmd_db, "--max-age is a number of days, not '%s'",
					 optarg);
		return -1;
	case OPTION_TIMEOUT:
		if (!parse_number(optarg, 86400, &n) || n == 0)
			return cli_usage(&cmd_db, "--timeout is a number of seconds, not '%s'",
					 optarg);
		o->timeout = (unsigned)n;
		return -1;
	case OPTION_RETRIES:
		if (!parse_number(optarg, 100, &n))
			return cli_usage(&cmd_db, "--retries is a number up to 100, not '%s'",
					 optarg);
		o->retries = (unsigned)n;
		return -1;
	default:
		if (!parse_number(optarg, 1 << 20, &n) || n == 0)
			return cli_usage(&cmd_db, "--max-size is a number of MiB, not '%s'",
					 optarg);
		o->max_bytes = n << 20;
		return -1;
	}
}

static int take_option(int opt, struct db_options *o)
{
	switch (opt) {
	case OPTION_DB:
		o->db = optarg;
		return -1;
	case OPTION_SOURCE:
		if (!strchr(optarg, '/'))
			return cli_usage(&cmd_db,
					 "--source is KIND/NAME, as in osv/Debian, not '%s'",
					 optarg);
		o->source = optarg;
		return -1;
	case OPTION_REPLACE:
		o->replace = true;
		return -1;
	case OPTION_MIRROR:
		o->mirror = optarg;
		return -1;
	case OPTION_KEV_URL:
		o->kev_url = optarg;
		return -1;
	case OPTION_EPSS_URL:
		o->epss_url = optarg;
		return -1;
	case OPTION_PROXY:
		o->proxy = optarg;
		return -1;
	case OPTION_CACERT:
		o->cacert = optarg;
		return -1;
	default:
		return take_number(opt, o);
	}
}

static int parse(int argc, char **argv, const struct verb *verb, struct db_options *o)
{
	int opt, r;

	*o = (struct db_options){
		.common.format = SAP_FORMAT_TTY,
		.max_age_days = MAX_AGE_DAYS,
		.timeout = 30,
		.retries = 4,
		.max_bytes = 4096ULL << 20,
	};
	opterr = 0; /* messages are our own */
	while ((opt = getopt_long(argc, argv, COMMON_SHORT, long_options, NULL)) != -1) {
		switch (cli_common_option(&o->common, &cmd_db, opt, argv)) {
		case COMMON_TAKEN:
			continue;
		case COMMON_BAD:
			return STATUS_FAILURE;
		case COMMON_HELPED:
			return STATUS_OK;
		case COMMON_NOT_MINE:
			break;
		}
		if (!(verbs_of(opt) & verb->bit))
			return cli_usage(&cmd_db, "--%s is no option of db %s", name_of(opt),
					 verb->name);
		r = take_option(opt, o);
		if (r >= 0)
			return r;
	}
	o->args = argv + optind;
	o->n_args = argc - optind;
	return -1;
}

static int run(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct db_options o;
	int r;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	if (argc < 2)
		return cli_usage(&cmd_db, "db what? update, import, status or export");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			verb = &verbs[i];
	}
	if (!verb)
		return cli_usage(&cmd_db,
				 "db has no '%s'; it has update, import, status and export",
				 argv[1]);
	r = parse(argc - 1, argv + 1, verb, &o);
	return r >= 0 ? r : verb->run(&o);
}

const struct command cmd_db = {
	.name = "db",
	.summary = "advisories: download, import, how old they are",
	.help = help,
	.run = run,
};
