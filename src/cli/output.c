/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "extract/extract.h"
#include "report/tty.h"

/* Messages may hold names of a target: nothing in them may steer the terminal. */
static void say_escaped(const char *text)
{
	struct sap_buf buf;

	sap_buf_init(&buf, SAP_MIB);
	sap_buf_puts(&buf, SAP_STR("sapper: "));
	sap_tty_escape(&buf, sap_str_of(text));
	sap_buf_putc(&buf, '\n');
	fwrite(buf.p, 1, buf.n, stderr);
	sap_buf_clear(&buf);
}

void cli_say(const char *fmt, ...)
{
	char text[2 * SAP_PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	say_escaped(text);
}

void cli_note_diagnostics(const struct common *common, const struct sap_facts *facts,
			  const bool *only)
{
	enum { SHOWN = 5 };
	size_t n = 0;

	for (size_t i = 0; !common->quiet && i < facts->diagnostics.n; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		if (only && !only[d->path])
			continue;
		if (n++ < SHOWN || common->verbose)
			cli_say("%s: %s", sap_facts_str(facts, d->path).p,
				sap_facts_str(facts, d->message).p);
	}
	if (n > SHOWN && !common->verbose)
		cli_say("and %zu more remarks like these; -v shows them", n - SHOWN);
}

int cli_fail(const struct sap_err *err)
{
	say_escaped(err->text[0] ? err->text : sap_code_name(err->code));
	return STATUS_FAILURE;
}

int cli_usage(const struct command *command, const char *fmt, ...)
{
	char text[SAP_ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	say_escaped(text);
	cli_say("'sapper help %s' shows how to use it", command->name);
	return STATUS_FAILURE;
}

enum common_result cli_common_option(struct common *common, const struct command *command, int opt,
				     char **argv)
{
	switch (opt) {
	case OPTION_FORMAT:
		if (strcmp(optarg, "tty") == 0) {
			common->format = SAP_FORMAT_TTY;
		} else if (strcmp(optarg, "json") == 0) {
			common->format = SAP_FORMAT_JSON;
		} else {
			cli_usage(command, "--format is tty or json, not '%s'", optarg);
			return COMMON_BAD;
		}
		return COMMON_TAKEN;
	case 'o':
		common->output = optarg;
		return COMMON_TAKEN;
	case 'q':
		common->quiet = true;
		return COMMON_TAKEN;
	case 'v':
		common->verbose = true;
		return COMMON_TAKEN;
	case OPTION_NO_COLOR:
		common->no_color = true;
		return COMMON_TAKEN;
	case 'h':
	case OPTION_HELP:
		fputs(command->help, stdout);
		return COMMON_HELPED;
	case ':':
		cli_usage(command, "the option '%s' needs a value", argv[optind - 1]);
		return COMMON_BAD;
	case '?':
		cli_usage(command, "there is no option '%s'", argv[optind - 1]);
		return COMMON_BAD;
	default:
		return COMMON_NOT_MINE;
	}
}

/* ---- where the answer goes -------------------------------------------------------------- */

static unsigned terminal_width(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < 40 ? 40 : size.ws_col;
}

int cli_output_open(struct output *output, const struct common *common)
{
	return cli_output_open_to(output, common, STDOUT_FILENO);
}

int cli_output_open_to(struct output *output, const struct common *common, int fd)
{
	bool terminal = !common->output && isatty(fd);
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	const struct sap_report_options options = {
		.format = common->format,
		.width = terminal ? terminal_width(fd) : 0,
		.color = terminal && !common->no_color && !(no_color && *no_color) &&
			 !(term && strcmp(term, "dumb") == 0),
		.verbose = common->verbose,
	};

	*output = (struct output){ .common = common, .fd = fd };
	sap_buf_init(&output->buf, 4 * SAP_GIB);
	output->report = sap_report_new(&options, &output->buf);
	if (!output->report) {
		cli_say("out of memory");
		return STATUS_FAILURE;
	}
	return STATUS_OK;
}

static int write_out(const struct output *output, struct sap_err *err)
{
	const char *path = output->common->output;
	int sap_cleanup_fd fd = -1;

	if (!path)
		return sap_fd_write_all(output->fd, output->buf.p, output->buf.n, err);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot write %s", path);
	if (sap_fd_write_all(fd, output->buf.p, output->buf.n, err) < 0)
		return sap_err_wrap(err, "%s", path);
	if (close(sap_steal_fd(&fd)) < 0)
		return sap_err_sys(err, errno, "cannot write %s", path);
	return 0;
}

int cli_output_close(struct output *output)
{
	struct sap_err err = { 0 };
	int status = STATUS_OK;

	if (!sap_buf_ok(&output->buf)) {
		cli_say("out of memory while the answer was written");
		status = STATUS_FAILURE;
	} else if (write_out(output, &err) < 0) {
		/* The reader of a pipe has seen enough: nothing to complain about. */
		status = err.sys_errno == EPIPE && !output->common->output ? STATUS_OK
									   : cli_fail(&err);
	}
	sap_report_free(output->report);
	sap_buf_clear(&output->buf);
	return status;
}

/* ---- progress --------------------------------------------------------------------------- */

static bool shows_progress(const struct common *common)
{
	return !common->quiet && isatty(STDERR_FILENO);
}

void cli_progress(void *ctx, const struct sap_extract_progress *progress)
{
	if (shows_progress(ctx))
		fprintf(stderr, "\r%llu files, %llu ELF objects ... ",
			(unsigned long long)progress->files, (unsigned long long)progress->objects);
}

void cli_progress_end(const struct common *common)
{
	if (shows_progress(common))
		fputs("\r\033[K", stderr);
}
