/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of the system: os-release(5), and what distributions had before it.
 */

#include "base/limits.h"
#include "catalog/catalog_int.h"

/* ---- os-release ------------------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Takes the value of an assignment off *rest, as a POSIX shell would read it: parts in single
 * or double quotes or in none, one after the other. False where a quote is not closed within
 * the size of out. */
static bool take_value(struct sap_str *rest, char *out, size_t size, size_t *n)
{
	struct sap_str s = *rest;
	char quote = '\0';
	size_t i = 0, len = 0;

	for (; i < s.n && len + 2 <= size; i++) {
		char c = s.p[i];

		if (quote == '\0' && (c == '\n' || c == '\r' || c == ' ' || c == '\t'))
			break;
		if (quote && c == quote) {
			quote = '\0';
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
		} else if (c == '\\' && quote != '\'' && i + 1 < s.n) {
			c = s.p[++i];
			/* In double quotes it stays before what it need not protect. */
			if (quote && !memchr("$\"\\`\n", c, 5))
				out[len++] = '\\';
			if (c != '\n')
				out[len++] = c;
		} else {
			out[len++] = c;
		}
	}
	if (quote || len + 2 > size)
		return false;
	*n = len;
	*rest = sap_str_skip(s, i);
	return true;
}

static struct sap_str *field_of(struct sap_rec_os *rec, struct sap_str name,
				struct sap_str *version)
{
	const struct {
		struct sap_str name;
		struct sap_str *field;
	} fields[] = {
		{ SAP_STR("ID"), &rec->id },
		{ SAP_STR("ID_LIKE"), &rec->id_like },
		{ SAP_STR("VERSION_ID"), &rec->version_id },
		{ SAP_STR("VERSION_CODENAME"), &rec->codename },
		{ SAP_STR("NAME"), &rec->name },
		{ SAP_STR("PRETTY_NAME"), &rec->pretty_name },
		{ SAP_STR("VARIANT_ID"), &rec->variant_id },
		{ SAP_STR("BUILD_ID"), &rec->build_id },
		{ SAP_STR("CPE_NAME"), &rec->cpe_name },
		{ SAP_STR("VERSION"), version },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (sap_str_eq(fields[i].name, name))
			return fields[i].field;
	}
	return NULL;
}

/* The rest of the line that *rest is in. */
static void skip_line(struct sap_str *rest)
{
	struct sap_str line;

	sap_str_line(rest, &line);
}

int sap_os_release_parse(struct sap_span text, struct sap_arena *arena, struct sap_rec_os *rec,
			 struct sap_str *version, struct sap_notes *notes, struct sap_err *err)
{
	struct sap_str all = sap_text_of(text), rest = all;
	int r = 0;

	while (r == 0 && rest.n) {
		struct sap_str line_start = rest, name, *field, after;
		char value[SAP_PATH_MAX];
		size_t n = 0;

		while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t' || rest.p[0] == '\r'))
			rest = sap_str_skip(rest, 1);
		if (rest.n == 0 || rest.p[0] == '#' || rest.p[0] == '\n') {
			skip_line(&rest);
			continue;
		}
		while (n < rest.n && is_name_char(rest.p[n]))
			n++;
		name = (struct sap_str){ rest.p, n };
		if (n == 0 || n == rest.n || rest.p[n] != '=') {
			r = sap_notes_add(notes, (uint64_t)(line_start.p - all.p), "format", err,
					  "a line that is no assignment");
			skip_line(&rest);
			continue;
		}
		rest = sap_str_skip(rest, n + 1);
		field = field_of(rec, name, version);
		if (!field) {
			/* Unknown ones are passed over by line: their quotes are not ours. */
			skip_line(&rest);
			continue;
		}
		after = rest;
		if (!take_value(&after, value, sizeof(value), &n)) {
			/* The quote would swallow what follows: the line as it is. */
			r = sap_notes_add(
				notes, (uint64_t)(line_start.p - all.p), "format", err,
				"a quote that is not closed, or a value that is too long");
			sap_str_line(&rest, &after);
			*field = sap_str_trim(sap_str_skip(after, 1));
			continue;
		}
		if (!sap_arena_str(arena, (struct sap_str){ value, n }, field))
			return sap_err_nomem(err);
		rest = after;
		skip_line(&rest);
	}
	return r;
}

/* ---- what there was before -------------------------------------------------------------- */

static struct sap_str first_line(struct sap_str text)
{
	struct sap_str line = { 0 };

	while (sap_str_line(&text, &line)) {
		line = sap_str_trim(line);
		if (line.n)
			break;
	}
	return line;
}

bool sap_os_release_line(struct sap_str text, struct sap_str *name, struct sap_str *version,
			 struct sap_str *codename)
{
	struct sap_str line = first_line(text);
	struct sap_str rest = line, word, inside, after;

	while (sap_str_word(&rest, &word)) {
		if (!sap_str_is(word, "release"))
			continue;
		*name = sap_str_trim((struct sap_str){ line.p, (size_t)(word.p - line.p) });
		if (!sap_str_word(&rest, version) || name->n == 0)
			return false;
		*codename = (struct sap_str){ 0 };
		if (sap_str_cut(rest, '(', &after, &inside) &&
		    sap_str_cut(inside, ')', &inside, &after))
			*codename = sap_str_trim(inside);
		return true;
	}
	return false;
}

static bool ascii_lower(struct sap_arena *arena, struct sap_str s, struct sap_str *out)
{
	char *p = sap_arena_alloc(arena, s.n);

	if (!p)
		return false;
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
	*out = (struct sap_str){ p, s.n };
	return true;
}

/* The ID that the same distribution gives itself in os-release. */
static bool id_of_name(struct sap_arena *arena, struct sap_str name, struct sap_str *out)
{
	static const struct {
		struct sap_str prefix;
		struct sap_str id;
	} known[] = {
		{ SAP_STR_INIT("Red Hat"), SAP_STR_INIT("rhel") },
		{ SAP_STR_INIT("CentOS"), SAP_STR_INIT("centos") },
		{ SAP_STR_INIT("Rocky"), SAP_STR_INIT("rocky") },
		{ SAP_STR_INIT("AlmaLinux"), SAP_STR_INIT("almalinux") },
		{ SAP_STR_INIT("Oracle Linux"), SAP_STR_INIT("ol") },
		{ SAP_STR_INIT("Enterprise Linux"), SAP_STR_INIT("ol") },
		{ SAP_STR_INIT("Amazon Linux"), SAP_STR_INIT("amzn") },
		{ SAP_STR_INIT("Fedora"), SAP_STR_INIT("fedora") },
		{ SAP_STR_INIT("Scientific Linux"), SAP_STR_INIT("scientific") },
		{ SAP_STR_INIT("SUSE Linux Enterprise Server"), SAP_STR_INIT("sles") },
		{ SAP_STR_INIT("SUSE Linux Enterprise Desktop"), SAP_STR_INIT("sled") },
		{ SAP_STR_INIT("openSUSE"), SAP_STR_INIT("opensuse") },
		{ SAP_STR_INIT("Gentoo"), SAP_STR_INIT("gentoo") },
	};
	struct sap_str word = { 0 }, rest = name;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (sap_str_starts(name, known[i].prefix)) {
			*out = known[i].id;
			return true;
		}
	}
	sap_str_word(&rest, &word);
	return ascii_lower(arena, word, out);
}

/* Each takes the text of its file and fills rec. 1: it says who the system is; 0: not. */
static int from_release_line(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	if (!sap_os_release_line(text, &rec->name, &rec->version_id, &rec->codename))
		return 0;
	rec->pretty_name = first_line(text);
	return id_of_name(arena, rec->name, &rec->id) ? 1 : SAP_ENOMEM;
}

static int from_debian(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	struct sap_str line = first_line(text), after;

	(void)arena;
	if (line.n == 0)
		return 0;
	rec->id = SAP_STR("debian");
	rec->name = SAP_STR("Debian GNU/Linux");
	if (line.p[0] >= '0' && line.p[0] <= '9') {
		rec->point_release = line;
		sap_str_cut(line, '.', &rec->version_id, &after);
	} else {
		sap_str_cut(line, '/', &rec->codename, &after);
	}
	return 1;
}

static int from_alpine(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	(void)arena;
	rec->version_id = rec->point_release = first_line(text);
	rec->id = SAP_STR("alpine");
	rec->name = SAP_STR("Alpine Linux");
	return rec->version_id.n > 0;
}

/* An empty file on most systems: that it exists is all it says. */
static int from_arch(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	(void)text;
	(void)arena;
	rec->id = SAP_STR("arch");
	rec->name = SAP_STR("Arch Linux");
	return 1;
}

/* The value of "KEY = value" or "KEY=value", without double quotes around it. */
static struct sap_str assigned(struct sap_str text, struct sap_str key)
{
	struct sap_str line, name, value;

	while (sap_str_line(&text, &line)) {
		if (!sap_str_cut(line, '=', &name, &value) || !sap_str_eq(sap_str_trim(name), key))
			continue;
		value = sap_str_trim(value);
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct sap_str){ value.p + 1, value.n - 2 };
		return value;
	}
	return (struct sap_str){ 0 };
}

static int from_suse(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	struct sap_str level = assigned(text, SAP_STR("PATCHLEVEL"));
	struct sap_str version = assigned(text, SAP_STR("VERSION"));
	char *p;

	rec->pretty_name = first_line(text);
	if (rec->pretty_name.n == 0)
		return 0;
	rec->name = rec->pretty_name;
	rec->version_id = version;
	rec->codename = assigned(text, SAP_STR("CODENAME"));
	/* os-release of the same system writes version and service pack as "11.4". */
	if (version.n && level.n && !sap_str_is(level, "0")) {
		p = sap_arena_alloc(arena, version.n + 1 + level.n);
		if (!p)
			return SAP_ENOMEM;
		memcpy(p, version.p, version.n);
		p[version.n] = '.';
		memcpy(p + version.n + 1, level.p, level.n);
		rec->version_id = (struct sap_str){ p, version.n + 1 + level.n };
	}
	return id_of_name(arena, rec->name, &rec->id) ? 1 : SAP_ENOMEM;
}

static int from_lsb(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec)
{
	struct sap_str id = assigned(text, SAP_STR("DISTRIB_ID"));

	if (id.n == 0)
		return 0;
	rec->name = id;
	rec->version_id = assigned(text, SAP_STR("DISTRIB_RELEASE"));
	rec->codename = assigned(text, SAP_STR("DISTRIB_CODENAME"));
	rec->pretty_name = assigned(text, SAP_STR("DISTRIB_DESCRIPTION"));
	return id_of_name(arena, id, &rec->id) ? 1 : SAP_ENOMEM;
}

static const struct {
	struct sap_str path;
	int (*read)(struct sap_str text, struct sap_arena *arena, struct sap_rec_os *rec);
} fallbacks[] = {
	/* Derivatives keep the file of what they are made from: the more special comes first. */
	{ SAP_STR_INIT("/etc/rocky-release"), from_release_line },
	{ SAP_STR_INIT("/etc/almalinux-release"), from_release_line },
	{ SAP_STR_INIT("/etc/oracle-release"), from_release_line },
	{ SAP_STR_INIT("/etc/centos-release"), from_release_line },
	{ SAP_STR_INIT("/etc/fedora-release"), from_release_line },
	{ SAP_STR_INIT("/etc/redhat-release"), from_release_line },
	{ SAP_STR_INIT("/etc/system-release"), from_release_line },
	{ SAP_STR_INIT("/etc/SuSE-release"), from_suse },
	{ SAP_STR_INIT("/etc/alpine-release"), from_alpine },
	{ SAP_STR_INIT("/etc/arch-release"), from_arch },
	{ SAP_STR_INIT("/etc/gentoo-release"), from_release_line },
	{ SAP_STR_INIT("/etc/lsb-release"), from_lsb },
	{ SAP_STR_INIT("/etc/debian_version"), from_debian },
};

/* ---- the point release ------------------------------------------------------------------ */

/* Whether a release refines a version: equal, or it begins with the version and a '.'. */
static bool refines(struct sap_str release, struct sap_str version)
{
	return version.n && sap_str_starts(release, version) &&
	       (release.n == version.n || release.p[version.n] == '.');
}

/* The same number before the first '.'. */
static bool same_major(struct sap_str a, struct sap_str b)
{
	sap_str_cut(a, '.', &a, &(struct sap_str){ 0 });
	sap_str_cut(b, '.', &b, &(struct sap_str){ 0 });
	return a.n && sap_str_eq(a, b);
}

static const struct {
	struct sap_str id;
	struct sap_str path;
	bool line; /* "NAME release VERSION" */
} points[] = {
	{ SAP_STR_INIT("debian"), SAP_STR_INIT("/etc/debian_version"), false },
	{ SAP_STR_INIT("raspbian"), SAP_STR_INIT("/etc/debian_version"), false },
	{ SAP_STR_INIT("alpine"), SAP_STR_INIT("/etc/alpine-release"), false },
	{ SAP_STR_INIT("rocky"), SAP_STR_INIT("/etc/rocky-release"), true },
	{ SAP_STR_INIT("almalinux"), SAP_STR_INIT("/etc/almalinux-release"), true },
	{ SAP_STR_INIT("ol"), SAP_STR_INIT("/etc/oracle-release"), true },
	{ SAP_STR_INIT("centos"), SAP_STR_INIT("/etc/centos-release"), true },
	{ SAP_STR_INIT("fedora"), SAP_STR_INIT("/etc/fedora-release"), true },
	{ SAP_STR_INIT("rhel"), SAP_STR_INIT("/etc/redhat-release"), true },
	{ SAP_STR_INIT("amzn"), SAP_STR_INIT("/etc/system-release"), true },
};

static int find_point_release(struct sap_catalog *catalog, struct sap_arena *arena,
			      struct sap_str version, struct sap_rec_os *rec, struct sap_err *err)
{
	struct sap_str word;

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct sap_str text, name, release, codename;
		struct sap_span span;
		int r;

		if (!sap_str_eq(points[i].id, rec->id))
			continue;
		r = sap_catalog_slurp(catalog, points[i].path, SAP_TEXT_FILE_MAX, arena, &span,
				      err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		text = sap_text_of(span);
		if (!points[i].line)
			release = first_line(text);
		else if (!sap_os_release_line(text, &name, &release, &codename))
			continue;
		/* A file of another release, left behind or of the base system, says nothing.
		 * Debian before its release ("trixie/sid") has no VERSION_ID either. */
		if (release.n && (rec->version_id.n == 0 || same_major(release, rec->version_id))) {
			rec->point_release = release;
			return 0;
		}
	}
	/* Ubuntu: VERSION="22.04.4 LTS (Jammy Jellyfish)". */
	if (sap_str_word(&version, &word) && word.n > rec->version_id.n &&
	    refines(word, rec->version_id))
		rec->point_release = word;
	return 0;
}

/* ---- the reader ------------------------------------------------------------------------- */

/* Source is the file itself, not a link to it. */
static struct sap_str real_path(struct sap_catalog *catalog, struct sap_arena *arena,
				struct sap_str path)
{
	struct sap_str real;

	return sap_input_canonical(catalog->input, path, arena, &real, NULL, NULL) == 0 ? real
											: path;
}

/* 1: rec is filled; 0: there is no usable os-release. */
static int read_os_release(struct sap_catalog *catalog, struct sap_arena *arena,
			   struct sap_rec_os *rec, struct sap_err *err)
{
	static const struct sap_str paths[] = { SAP_STR_INIT("/etc/os-release"),
						SAP_STR_INIT("/usr/lib/os-release") };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct sap_notes notes = { .sink = catalog->sink, .path = paths[i] };
		struct sap_str version = { 0 };
		struct sap_span text;
		int r = sap_catalog_slurp(catalog, paths[i], SAP_TEXT_FILE_MAX, arena, &text, err);

		if (r == 0)
			continue;
		*rec = (struct sap_rec_os){ 0 };
		if (r > 0)
			r = sap_os_release_parse(text, arena, rec, &version, &notes, err);
		if (r < 0)
			return r;
		if (rec->id.n == 0 && rec->name.n == 0 && rec->pretty_name.n == 0) {
			r = sap_notes_add(&notes, 0, "format", err,
					  "neither ID nor NAME: not used");
			if (r < 0)
				return r;
			continue;
		}
		rec->source = real_path(catalog, arena, paths[i]);
		r = find_point_release(catalog, arena, version, rec, err);
		return r < 0 ? r : 1;
	}
	return 0;
}

static int read_fallback(struct sap_catalog *catalog, struct sap_arena *arena,
			 struct sap_rec_os *rec, struct sap_err *err)
{
	for (size_t i = 0; i < sizeof(fallbacks) / sizeof(fallbacks[0]); i++) {
		struct sap_span text;
		int r = sap_catalog_slurp(catalog, fallbacks[i].path, SAP_TEXT_FILE_MAX, arena,
					  &text, err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*rec = (struct sap_rec_os){ 0 };
		r = fallbacks[i].read(sap_text_of(text), arena, rec);
		if (r < 0)
			return sap_err_nomem(err);
		if (r > 0) {
			rec->source = real_path(catalog, arena, fallbacks[i].path);
			return 1;
		}
	}
	return 0;
}

int sap_catalog_os(struct sap_catalog *catalog, struct sap_err *err)
{
	struct sap_rec_os rec = { 0 };
	struct sap_arena arena;
	int r;

	sap_arena_init(&arena, 0);
	r = read_os_release(catalog, &arena, &rec, err);
	if (r == 0)
		r = read_fallback(catalog, &arena, &rec, err);
	if (r > 0)
		r = catalog->sink->os(catalog->sink, &rec, err);
	sap_arena_clear(&arena);
	return r;
}
