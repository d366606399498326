/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysconf_dump ROOT: the records of src/sysconf for a root file system, one a line, fields
 * separated by TABs, control bytes escaped. sysconf_dump --time ROOT N: runs N times and
 * prints the milliseconds of one run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sysconf/sysconf.h"

struct dump {
	struct sap_sink sink;
	bool silent;
};

static bool silent(struct sap_sink *sink)
{
	return ((struct dump *)sink)->silent;
}

static void field(struct sap_str s, char end)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == '\\' || c == 127)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar(end);
}

static int dump_cache(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
		      struct sap_err *err)
{
	(void)err;
	if (silent(sink))
		return 0;
	printf("cache\t%u\t0x%04x\t0x%016llx\t", rec->index, rec->flags,
	       (unsigned long long)rec->hwcap);
	field(rec->hwcaps, '\t');
	field(rec->soname, '\t');
	field(rec->path, '\n');
	return 0;
}

static int dump_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			struct sap_err *err)
{
	static const char *const names[SAP_SET_KINDS] = {
		[SAP_SET_CACHE] = "cache-format",
		[SAP_SET_LD_CONF] = "ld-conf",
		[SAP_SET_LD_PRELOAD] = "preload",
		[SAP_SET_MUSL_PATH] = "musl-path",
		[SAP_SET_NSS] = "nss",
		[SAP_SET_PAM] = "pam",
		[SAP_SET_PAM_INCLUDE] = "pam-include",
	};

	(void)err;
	if (silent(sink))
		return 0;
	printf("%s\t%u\t", names[rec->kind], rec->order);
	field(rec->file, '\t');
	field(rec->key, '\t');
	field(rec->value, '\t');
	field(rec->extra, '\n');
	return 0;
}

static int dump_service(struct sap_sink *sink, const struct sap_rec_service *rec,
			struct sap_err *err)
{
	static const char *const enabled[] = { "unknown", "no", "yes" };

	(void)err;
	if (silent(sink))
		return 0;
	printf("%s\t", rec->kind == SAP_SERVICE_SYSTEMD ? "unit" : "init");
	field(rec->name, '\t');
	field(rec->path, '\t');
	field(rec->user, '\t');
	printf("%s\t", enabled[rec->enabled]);
	for (uint32_t i = 0; i < rec->programs.n; i++)
		field(rec->programs.v[i], i + 1 < rec->programs.n ? ' ' : '\n');
	if (rec->programs.n == 0)
		putchar('\n');
	return 0;
}

static int dump_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			   struct sap_err *err)
{
	(void)err;
	if (silent(sink))
		return 0;
	fputs("diagnostic\t", stdout);
	field(rec->path, '\t');
	field(rec->code, '\t');
	field(rec->message, '\n');
	return 0;
}

static int run(struct sap_input *input, struct sap_sink *sink, struct sap_err *err)
{
	int rc = sap_sysconf_loader(input, sink, err);

	if (rc == 0)
		rc = sap_sysconf_modules(input, sink, err);
	if (rc == 0)
		rc = sap_sysconf_services(input, sink, err);
	return rc;
}

int main(int argc, char **argv)
{
	struct dump dump = {
		.sink = {
			.setting = dump_setting,
			.cache_entry = dump_cache,
			.service = dump_service,
			.diagnostic = dump_diagnostic,
		},
	};
	struct sap_input *input = NULL;
	struct sap_err err = { 0 };
	struct timespec a, b;
	unsigned times = 1;
	int rc;

	if (argc == 4 && strcmp(argv[1], "--time") == 0) {
		dump.silent = true;
		times = (unsigned)strtoul(argv[3], NULL, 10);
		argv++;
		argc -= 2;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: sysconf_dump [--time] ROOT [N]\n");
		return 2;
	}
	rc = sap_input_open(argv[1], 0, &input, &err);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned i = 0; rc == 0 && i < times; i++)
		rc = run(input, &dump.sink, &err);
	clock_gettime(CLOCK_MONOTONIC, &b);
	sap_input_free(input);
	if (rc < 0) {
		fprintf(stderr, "sysconf_dump: %s\n", err.text);
		return 1;
	}
	if (dump.silent && times)
		printf("%.3f ms\n", ((double)(b.tv_sec - a.tv_sec) * 1e3 +
				     (double)(b.tv_nsec - a.tv_nsec) / 1e6) /
					    times);
	return 0;
}
