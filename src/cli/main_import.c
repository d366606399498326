/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper-import: a publication about vulnerabilities to rows (advisory/rows.h), in the sandbox.
 * sapper runs it with the input as descriptor 3; people give it a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "import/import.h"
#include "sandbox/sandbox.h"

enum { INPUT = 3, FAILED = 2 };

static const char usage[] =
	"Usage: sapper-import [--source KIND/NAME] [--replace] [--name NAME] FILE|FOLDER > ROWS\n"
	"\n"
	"Reads what is published about vulnerabilities and writes it as rows, as described in\n"
	"docs/formats/advisories.md, to its standard output. sapper runs this program; it can be\n"
	"used alone to see what an import would give. Without FILE the input is descriptor 3.\n"
	"\n"
	"Known by content: OSV (JSON, JSON lines), Debian security tracker (DSA, DLA and CVE "
	"lists,\n"
	"JSON), Ubuntu CVE tracker, Alpine secdb, Arch AVG, CSAF, OpenVEX, CycloneDX VEX, CVE\n"
	"records, KEV, EPSS, tables of functions, and rows; alone, in a folder, in zip or tar, "
	"and\n"
	"compressed with gzip, zstd, xz or bzip2. Names that begin with a dot are passed over,\n"
	"links are not followed.\n"
	"\n"
	"  --source KIND/NAME  the source that everything belongs to, whatever the format says\n"
	"  --replace           what the store has of the sources goes; else newer records replace\n"
	"                      older ones\n"
	"  --name NAME         what the input is called in messages (default: FILE)\n"
	"  -h, --help          this text\n"
	"      --version       the version\n"
	"\n"
	"What cannot be read is a problem row, all else is kept. Exit status: 0 done; 2 nothing "
	"of\n"
	"a known format, a damaged archive, or another failure: the rows then have no end row.\n";

/* Messages may hold names of the input: nothing in them may steer the terminal. */
static int fail(const struct sap_err *err)
{
	fputs("sapper-import: ", stderr);
	for (const char *p = err->text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c >= 0x7f)
			fprintf(stderr, "\\x%02x", c);
		else
			fputc(c, stderr);
	}
	fputc('\n', stderr);
	return FAILED;
}

static int write_rows(void *ctx, struct sap_str lines, struct sap_err *err)
{
	(void)ctx;
	return sap_fd_write_all(STDOUT_FILENO, lines.p, lines.n, err);
}

/* The input becomes descriptor 3; what else is open is closed. */
static int take_input(const char *path, struct sap_err *err)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : INPUT;

	if (fd < 0)
		return sap_err_sys(err, errno, "cannot open %s", path);
	if (fd != INPUT && (dup2(fd, INPUT) < 0 || close(fd) < 0))
		return sap_err_sys(err, errno, "cannot hand %s over", path);
	if (close_range(INPUT + 1, ~0u, 0) < 0 && errno != ENOSYS)
		return sap_err_sys(err, errno, "cannot close what was open");
	close(STDIN_FILENO);
	return 0;
}

static int confine(struct sap_err *err)
{
	struct sap_sandbox_options options = { .memory_max = SAP_IMPORT_SPACE_MAX };
	struct sap_sandbox_report report;
	struct stat in, out, said;

	if (fstat(INPUT, &in) < 0)
		return sap_err_sys(err, errno, "there is no input: give a FILE, or descriptor 3");
	if (fstat(STDOUT_FILENO, &out) < 0)
		return sap_err_sys(err, errno, "there is no standard output");
	/* What it has to say may go to a file, too. */
	options.write_files =
		S_ISREG(out.st_mode) || (fstat(STDERR_FILENO, &said) == 0 && S_ISREG(said.st_mode));
	return sap_sandbox_enter(S_ISDIR(in.st_mode) ? INPUT : -1, &options, &report, err);
}

static int import(const char *path, const struct sap_import_options *options)
{
	struct sap_rows rows;
	struct sap_err err = { 0 };
	int rc = take_input(path, &err);

	if (rc == 0)
		rc = confine(&err);
	if (rc < 0)
		return fail(&err);
	/* libarchive asks for the time zone with each member of a zip, and the C library would look
	 * for /etc/localtime every time. */
	setenv("TZ", "UTC0", 1);
	sap_rows_init(&rows, write_rows, NULL);
	rc = sap_import_fd(INPUT, options, &rows, &err);
	sap_rows_clear(&rows);
	return rc < 0 ? fail(&err) : 0;
}

static int usage_error(const char *text)
{
	fprintf(stderr, "sapper-import: %s; --help says more\n", text);
	return FAILED;
}

static bool valid_source(const char *source)
{
	const char *slash = strchr(source, '/');

	return slash && slash != source && slash[1] != '\0';
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "source", required_argument, NULL, 's' },
		{ "replace", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct sap_import_options options = { 0 };
	const char *path;
	int c, status;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			options.name = optarg;
			break;
		case 's':
			options.source = optarg;
			break;
		case 'r':
			options.replace = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return fflush(stdout) == 0 ? 0 : FAILED;
		case 'V':
			puts("sapper-import " SAP_VERSION);
			return fflush(stdout) == 0 ? 0 : FAILED;
		default:
			return FAILED;
		}
	}
	if (argc - optind > 1)
		return usage_error("one FILE or FOLDER at a time");
	if (options.source && !valid_source(options.source))
		return usage_error("--source wants KIND/NAME");
	path = optind < argc ? argv[optind] : NULL;
	if (!options.name)
		options.name = path ? path : "the input";
	status = import(path, &options);
	fflush(stderr);
	/* Not exit: leak checkers need calls that the sandbox forbids. */
	_exit(status);
}
