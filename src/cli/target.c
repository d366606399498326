/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "extract/extract.h"
#include "model/codec.h"

static void set_name(struct target *target, const char *name)
{
	snprintf(target->name, sizeof(target->name), "%s", name);
}

static int host_target(struct target *out)
{
	char name[HOST_NAME_MAX + 1];

	*out = (struct target){ .kind = TARGET_HOST, .path = "/" };
	if (gethostname(name, sizeof(name)) < 0)
		snprintf(name, sizeof(name), "localhost");
	name[sizeof(name) - 1] = '\0';
	set_name(out, name);
	return 0;
}

static int dir_target(const char *path, struct target *out, struct sap_err *err)
{
	struct stat st, root;

	if (stat(path, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return sap_err_set(err, SAP_EUSAGE, "%s is no folder", path);
	if (stat("/", &root) == 0 && root.st_dev == st.st_dev && root.st_ino == st.st_ino)
		return host_target(out);
	*out = (struct target){ .kind = TARGET_DIR, .path = path };
	set_name(out, path);
	return 0;
}

/* A facts file starts with its header record, whose first field is its magic text. */
static bool is_facts(const char *path)
{
	unsigned char head[15];
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	       memcmp(head + 3, "sapper-facts", 12) == 0;
}

bool cli_is_target(const char *text)
{
	struct stat st;

	return strncmp(text, "dir:", 4) == 0 || strncmp(text, "facts:", 6) == 0 ||
	       (stat(text, &st) == 0 &&
		(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && is_facts(text))));
}

/* "word:" in front. */
static bool has_scheme(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz-");

	return n > 1 && text[n] == ':';
}

static int path_target(const char *path, struct target *out, struct sap_err *err)
{
	struct stat st;

	if (!*path)
		return sap_err_set(err, SAP_EUSAGE, "the name of the target is empty");
	if (stat(path, &st) < 0 && errno == ENOENT && has_scheme(path))
		return sap_err_set(
			err, SAP_EUNSUPPORTED,
			"%s: there is no such kind of target; dir:PATH and facts:FILE are "
			"there",
			path);
	if (stat(path, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at the target %s", path);
	if (S_ISDIR(st.st_mode))
		return dir_target(path, out, err);
	if (S_ISREG(st.st_mode) && is_facts(path)) {
		*out = (struct target){ .kind = TARGET_FACTS, .path = path };
		return 0;
	}
	return sap_err_set(err, SAP_EUNSUPPORTED,
			   "%s is neither a folder nor a facts file; this version reads dir: and "
			   "facts: targets",
			   path);
}

int cli_target_parse(const char *text, struct target *out, struct sap_err *err)
{
	static const char *const later[] = { "docker-archive:", "oci-archive:", "oci-dir:",
					     "registry:",       "iso:",         "sbom:" };

	if (!text)
		return host_target(out);
	if (strncmp(text, "dir:", 4) == 0)
		return dir_target(text + 4, out, err);
	if (strncmp(text, "facts:", 6) == 0) {
		*out = (struct target){ .kind = TARGET_FACTS, .path = text + 6 };
		return 0;
	}
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strncmp(text, later[i], strlen(later[i])) == 0)
			return sap_err_set(err, SAP_EUNSUPPORTED,
					   "%s: this version does not read %s targets; unpack it "
					   "into a folder and give that",
					   text, later[i]);
	}
	return path_target(text, out, err);
}

/* ---- facts files ------------------------------------------------------------------------ */

static int read_facts(int fd, struct sap_decoder *decoder, struct sap_err *err)
{
	enum { PIECE = 256 * 1024 };
	unsigned char *buf sap_cleanup_free = malloc(PIECE);

	if (!buf)
		return sap_err_nomem(err);
	for (;;) {
		ssize_t n = read(fd, buf, PIECE);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read it");
		if (n == 0)
			return sap_decoder_finish(decoder, err);
		r = sap_decoder_feed(decoder, buf, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

static int load_facts(const char *path, struct sap_facts **out, struct sap_err *err)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_decoder *decoder = facts ? sap_decoder_new(facts) : NULL;
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (!decoder)
		r = sap_err_nomem(err);
	else if (fd < 0)
		r = sap_err_sys(err, errno, "cannot open %s", path);
	else
		r = read_facts(fd, decoder, err);
	if (r < 0 && fd >= 0)
		sap_err_wrap(err, "%s", path);
	if (r == 0)
		r = sap_facts_finish(facts, err);
	sap_decoder_free(decoder);
	if (r < 0) {
		sap_facts_free(facts);
		return r;
	}
	*out = facts;
	return 0;
}

struct writing {
	int fd;
};

static int flush_facts(struct sap_encoder *encoder, struct sap_err *err)
{
	const struct writing *writing = encoder->ctx;
	int r = sap_fd_write_all(writing->fd, encoder->buf.p, encoder->buf.n, err);

	sap_buf_reset(&encoder->buf);
	return r;
}

int cli_facts_write(const struct sap_facts *facts, const char *path, struct sap_err *err)
{
	struct writing writing = { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
					0644) };
	struct sap_encoder encoder;
	int r;

	if (writing.fd < 0)
		return sap_err_sys(err, errno, "cannot write %s", path);
	sap_encoder_init(&encoder, SAP_MIB, flush_facts, &writing);
	r = sap_facts_encode(facts, &encoder, err);
	if (r == 0)
		r = flush_facts(&encoder, err);
	sap_encoder_clear(&encoder);
	if (close(writing.fd) < 0 && r == 0)
		return sap_err_sys(err, errno, "cannot write %s", path);
	return r < 0 ? sap_err_wrap(err, "%s", path) : 0;
}

/* ---- CPU level -------------------------------------------------------------------------- */

/* What this machine's loader would choose is a fact about a host: kept with the others. */
static int note_cpu(struct sap_facts *facts, struct sap_err *err)
{
	char level[2] = { (char)('0' + sap_link_host_cpu_level()), '\0' };
	const struct sap_rec_setting rec = { .kind = SAP_SET_CPU,
					     .key = SAP_STR("x86-64"),
					     .value = sap_str_of(level) };

	if (level[0] == '0')
		return 0;
	return facts->sink.setting(&facts->sink, &rec, err);
}

struct cpu cli_cpu(const struct sap_facts *facts, int said)
{
	if (said >= 0)
		return (struct cpu){ said, false };
	for (size_t i = 0; i < facts->settings.n; i++) {
		const struct sap_setting *s = &facts->settings.v[i];
		struct sap_str value = sap_facts_str(facts, s->value);

		if (s->kind == SAP_SET_CPU && value.n == 1 && value.p[0] >= '1' &&
		    value.p[0] <= '4')
			return (struct cpu){ value.p[0] - '0', true };
	}
	return (struct cpu){ CPU_LEVEL_ASSUMED, false };
}

bool cli_cpu_parse(const char *text, int *out)
{
	if (strncmp(text, "x86-64-v", 8) == 0)
		text += 8;
	if (strcmp(text, "host") == 0)
		*out = sap_link_host_cpu_level();
	else if (strcmp(text, "base") == 0)
		*out = 0;
	else if (text[0] >= '1' && text[0] <= '4' && text[1] == '\0')
		*out = text[0] - '0';
	else
		return false;
	return true;
}

/* ---- loading ---------------------------------------------------------------------------- */

static void remark(const struct common *common, const struct sap_extract_report *report)
{
	if (common->verbose && !common->quiet)
		cli_say("worker: %s; %llu KiB at most", report->sandbox,
			(unsigned long long)report->worker_peak_bytes / 1024);
}

int cli_target_load(const struct target *target, const struct loading *loading,
		    struct sap_facts **out, struct sap_err *err)
{
	struct common common = *loading->common;
	const struct sap_extract_options options = {
		.worker = CLI_WORKER,
		.target = target->name,
		.kind = target->kind == TARGET_HOST ? "host" : "directory",
		.flags = (target->kind == TARGET_HOST ? SAP_EXTRACT_HOST : 0) |
			 (loading->symbols ? SAP_EXTRACT_SYMBOLS : 0),
		.progress = cli_progress,
		.ctx = &common,
	};
	struct sap_extract_report report = { 0 };
	struct sap_facts *facts = NULL;
	int r;

	if (target->kind == TARGET_FACTS)
		return load_facts(target->path, out, err);
	r = sap_extract_whole(target->path, &options, &facts, &report, err);
	cli_progress_end(&common);
	if (r == 0 && target->kind == TARGET_HOST) {
		r = note_cpu(facts, err);
		if (r == 0)
			r = sap_facts_finish(facts, err);
	}
	if (r < 0) {
		sap_facts_free(facts);
		return r;
	}
	remark(&common, &report);
	*out = facts;
	return 0;
}
