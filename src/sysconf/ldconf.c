/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What steers the loaders besides the cache: ld.so.conf (rules of glibc's elf/ldconfig.c),
 * ld.so.preload (elf/rtld.c) and ld-musl-ARCH.path (musl's ldso/dynlink.c).
 */
#include "sysconf/sysconf_int.h"

#include <dirent.h>

#include "base/limits.h"

struct conf {
	struct sap_sysconf *sc;
	uint32_t order;
	uint32_t files; /* read so far */
	uint32_t names; /* compared so far */
	uint32_t notes; /* lines complained of */
	bool full;      /* a ceiling was reached, and said */
};

#define LD_SO_CONF SAP_STR("/etc/ld.so.conf")

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int conf_file(struct conf *conf, struct sap_str path, uint32_t depth, struct sap_err *err);

static int note_full(struct conf *conf, struct sap_str path, const char *what, unsigned max,
		     struct sap_err *err)
{
	if (conf->full)
		return 0;
	conf->full = true;
	return sap_sink_note(conf->sc->sink, path, 0, "limit", err,
			     "ld.so.conf: more than %u %s; the rest is left out", max, what);
}

/* "DIR" or "DIR=TYPE". */
static int conf_dir(struct conf *conf, struct sap_str line, struct sap_str path,
		    struct sap_err *err)
{
	struct sap_rec_setting rec = { .kind = SAP_SET_LD_CONF, .file = LD_SO_CONF, .extra = path };
	struct sap_arena *arena = &conf->sc->arena;
	struct sap_str dir, type, canonical;
	uint8_t kind;
	int rc;

	sap_str_cut(line, '=', &dir, &type);
	while (dir.n && is_space(dir.p[dir.n - 1]))
		dir.n--;
	if (dir.n == 0)
		return 0;
	if (dir.p[0] != '/' || dir.n > SAP_PATH_MAX) {
		if (conf->notes == SAP_LDCONF_NOTES_MAX)
			return note_full(conf, path, "bad lines", SAP_LDCONF_NOTES_MAX, err);
		conf->notes++;
		return sap_sink_note(conf->sc->sink, path, 0, "format", err,
				     "ld.so.conf: \"%.*s\" is no absolute path", SAP_FMT(dir));
	}
	rc = sap_sysconf_normal(arena, dir, &rec.value, err);
	/* Only the tree can say where ".." leads. */
	if (rc == 0 && sap_sysconf_has_dotdot(dir)) {
		rc = sap_sysconf_canonical(conf->sc, dir, arena, &canonical, &kind, err);
		if (rc == 1)
			rec.value = canonical;
	}
	if (rc >= 0)
		rc = sap_sysconf_once(conf->sc->pool, rec.value, err);
	if (rc <= 0)
		return rc;
	rec.order = conf->order++;
	return conf->sc->sink->setting(conf->sc->sink, &rec, err);
}

static bool has_magic(struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '*' || s.p[i] == '?' || s.p[i] == '[' || s.p[i] == '\\')
			return true;
	return false;
}

/* The files that `rest` matches below dir, in glob's order: sorted, component by component. */
static int conf_glob(struct conf *conf, struct sap_str dir, struct sap_str rest, uint32_t depth,
		     struct sap_err *err)
{
	struct sap_input_entry *entries;
	struct sap_str part, path, tail;
	bool more = sap_str_cut(rest, '/', &part, &tail);
	uint32_t n = 0;
	int rc;

	while (more && part.n == 0)
		more = sap_str_cut(tail, '/', &part, &tail);
	while (tail.n && tail.p[0] == '/')
		tail = sap_str_skip(tail, 1);
	if (!has_magic(part)) {
		rc = sap_sysconf_join(&conf->sc->arena, dir, part, &path, err);
		if (rc < 0)
			return rc;
		return more && tail.n ? conf_glob(conf, path, tail, depth, err)
				      : conf_file(conf, path, depth, err);
	}
	if (part.n > SAP_LDCONF_PATTERN_MAX)
		return note_full(conf, dir, "bytes in a pattern", SAP_LDCONF_PATTERN_MAX, err);
	if (conf->names > SAP_LDCONF_NAMES_MAX)
		return note_full(conf, dir, "names to compare", SAP_LDCONF_NAMES_MAX, err);
	rc = sap_sysconf_list(conf->sc, dir, &conf->sc->arena, &entries, &n, err);
	if (rc <= 0)
		return rc;
	rc = 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		if (++conf->names > SAP_LDCONF_NAMES_MAX)
			return note_full(conf, dir, "names to compare", SAP_LDCONF_NAMES_MAX, err);
		if (!sap_sysconf_match(part, entries[i].name))
			continue;
		if (more && tail.n && entries[i].type != DT_DIR && entries[i].type != DT_LNK)
			continue;
		rc = sap_sysconf_join(&conf->sc->arena, dir, entries[i].name, &path, err);
		if (rc == 0)
			rc = more && tail.n ? conf_glob(conf, path, tail, depth, err)
					    : conf_file(conf, path, depth, err);
	}
	return rc;
}

static int conf_include(struct conf *conf, struct sap_str pattern, struct sap_str path,
			uint32_t depth, struct sap_err *err)
{
	struct sap_str dir = sap_path_dir(path);

	if (pattern.n > SAP_PATH_MAX)
		return note_full(conf, path, "bytes in a path", SAP_PATH_MAX, err);
	if (pattern.p[0] == '/')
		dir = SAP_STR("/");
	return conf_glob(conf, dir, pattern, depth + 1, err);
}

static int conf_line(struct conf *conf, struct sap_str line, struct sap_str path, uint32_t depth,
		     struct sap_err *err)
{
	struct sap_str rest, word;
	int rc = 0;

	sap_str_cut(line, '#', &line, &rest);
	while (line.n && is_space(line.p[0]))
		line = sap_str_skip(line, 1);
	if (line.n > 7 && sap_str_starts(line, SAP_STR("include")) &&
	    (line.p[7] == ' ' || line.p[7] == '\t')) {
		line = sap_str_skip(line, 7);
		while (rc == 0 && sap_str_word(&line, &word))
			rc = conf_include(conf, word, path, depth, err);
		return rc;
	}
	/* "hwcap BIT NAME" has been without meaning since glibc 2.33. */
	if (line.n > 5 && strncasecmp(line.p, "hwcap", 5) == 0 &&
	    (line.p[5] == ' ' || line.p[5] == '\t'))
		return 0;
	return line.n ? conf_dir(conf, line, path, err) : 0;
}

static int conf_file(struct conf *conf, struct sap_str path, uint32_t depth, struct sap_err *err)
{
	struct sap_span bytes;
	struct sap_str text, line;
	int rc = 0;

	if (depth > SAP_LDCONF_DEPTH_MAX)
		return note_full(conf, path, "includes inside each other", SAP_LDCONF_DEPTH_MAX,
				 err);
	if (conf->files >= SAP_LDCONF_FILES_MAX)
		return note_full(conf, path, "files", SAP_LDCONF_FILES_MAX, err);
	conf->files++;
	if (sap_sysconf_has_dotdot(path))
		rc = sap_sysconf_canonical(conf->sc, path, &conf->sc->arena, &path, NULL, err);
	if (rc < 0)
		return rc;
	/* In the arena of the call: the lines are still needed after an include was read. */
	rc = sap_sysconf_read(conf->sc, path, SAP_LDCONF_FILE_MAX, &conf->sc->arena, &bytes, err);
	if (rc <= 0)
		return rc;
	text = (struct sap_str){ (const char *)bytes.p, bytes.n };
	rc = 0;
	while (rc == 0 && sap_str_line(&text, &line))
		rc = conf_line(conf, line, path, depth, err);
	return rc;
}

/* Takes the next name off text; names stand between characters of seps. */
static bool next_name(struct sap_str *text, const char *seps, struct sap_str *name)
{
	size_t n = 0;

	while (text->n && text->p[0] && strchr(seps, text->p[0]))
		*text = sap_str_skip(*text, 1);
	while (n < text->n && (!text->p[n] || !strchr(seps, text->p[n])))
		n++;
	*name = (struct sap_str){ text->p, n };
	*text = sap_str_skip(*text, n);
	return n > 0;
}

int sap_preload_read(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		     struct sap_err *err)
{
	struct sap_rec_setting rec = { .kind = SAP_SET_LD_PRELOAD, .file = path };
	struct sap_str text = { (const char *)bytes.p, bytes.n };
	struct sap_str line, comment, name;
	int rc = 0;

	while (rc == 0 && sap_str_line(&text, &line)) {
		sap_str_cut(line, '#', &line, &comment);
		while (rc == 0 && next_name(&line, ": \t", &name)) {
			rec.value = name;
			rc = sink->setting(sink, &rec, err);
			rec.order++;
		}
	}
	return rc;
}

int sap_muslpath_read(struct sap_span bytes, struct sap_str path, struct sap_str arch,
		      struct sap_sink *sink, struct sap_err *err)
{
	struct sap_rec_setting rec = { .kind = SAP_SET_MUSL_PATH, .file = path, .key = arch };
	struct sap_str text = { (const char *)bytes.p, bytes.n };
	struct sap_str name, rest;
	int rc = 0;

	sap_str_cut(text, '\0', &text, &rest);
	while (rc == 0 && next_name(&text, ":\n", &name)) {
		rec.value = name;
		rc = sink->setting(sink, &rec, err);
		rec.order++;
	}
	/* A file without folders means that there are none, not the built-in ones. */
	if (rc == 0 && rec.order == 0)
		rc = sink->setting(sink, &rec, err);
	return rc;
}

static int musl_paths(struct sap_sysconf *sc, struct sap_err *err)
{
	static const struct sap_str prefix = SAP_STR_INIT("ld-musl-");
	static const struct sap_str suffix = SAP_STR_INIT(".path");
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc = sap_sysconf_list(sc, SAP_STR("/etc"), &sc->arena, &entries, &n, err);

	for (uint32_t i = 0; rc > 0 && i < n; i++) {
		struct sap_str name = entries[i].name, path, arch;
		struct sap_span bytes;

		if (name.n <= prefix.n + suffix.n || !sap_str_starts(name, prefix) ||
		    !sap_str_ends(name, suffix))
			continue;
		arch = (struct sap_str){ name.p + prefix.n, name.n - prefix.n - suffix.n };
		if (sap_sysconf_join(&sc->arena, SAP_STR("/etc"), name, &path, err) < 0)
			return SAP_ENOMEM;
		sap_arena_reset(&sc->file);
		rc = sap_sysconf_read(sc, path, SAP_UNIT_FILE_MAX, &sc->file, &bytes, err);
		if (rc == 1)
			rc = sap_muslpath_read(bytes, path, arch, sc->sink, err);
		if (rc == 0)
			rc = 1;
	}
	return rc < 0 ? rc : 0;
}

int sap_sysconf_loader(struct sap_input *input, struct sap_sink *sink, struct sap_err *err)
{
	const struct sap_str cache = SAP_STR("/etc/ld.so.cache");
	const struct sap_str preload = SAP_STR("/etc/ld.so.preload");
	struct sap_err fault = { 0 };
	struct sap_sysconf sc;
	struct conf conf = { .sc = &sc };
	struct sap_span bytes = { 0 };
	int rc = sap_sysconf_begin(&sc, input, sink, err);

	if (rc == 0)
		rc = sap_sysconf_read(&sc, cache, SAP_TEXT_FILE_MAX, &sc.file, &bytes, err);
	if (rc == 1)
		rc = sap_ldcache_read(bytes, cache, sink, &fault, err);
	if (rc == 0)
		rc = sap_sysconf_fault(sink, cache, &fault, err);
	if (rc == 0)
		rc = conf_file(&conf, LD_SO_CONF, 0, err);
	if (rc == 0) {
		sap_arena_reset(&sc.file);
		rc = sap_sysconf_read(&sc, preload, SAP_TEXT_FILE_MAX, &sc.file, &bytes, err);
	}
	if (rc == 1)
		rc = sap_preload_read(bytes, preload, sink, err);
	if (rc == 0)
		rc = musl_paths(&sc, err);
	sap_sysconf_end(&sc);
	return rc;
}
