/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Init scripts (System V, OpenRC) that no systemd unit replaces. What a script starts is
 * guessed from its text, by the habits of the distributions: DAEMON=, command=, "exec=",
 * "# processname:", start-stop-daemon --exec. A guess counts where such a file exists.
 */
#include "sysconf/sysconf_int.h"

#include <dirent.h>

#include "base/limits.h"

/* ---- the text --------------------------------------------------------------------------- */

enum { VARS_MAX = 32, VALUE_MAX = 512 };

struct var {
	struct sap_str name;
	struct sap_str value;
};

struct script {
	struct sap_arena *arena;
	struct var vars[VARS_MAX];
	uint32_t n_vars;
	struct sap_str *paths;
	uint32_t n;
	uint32_t max;
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_path_char(char c)
{
	return is_name_char(c) || (c && strchr("/.+-@:,~", c));
}

static const struct var *find_var(const struct script *s, struct sap_str name)
{
	for (uint32_t i = 0; i < s->n_vars; i++)
		if (sap_str_eq(s->vars[i].name, name))
			return &s->vars[i];
	return NULL;
}

/* Copies text to out with the variables known so far put in; of "${NAME:-default}" the
 * default stays when NAME is unknown. Cut at VALUE_MAX. */
static struct sap_str expand(const struct script *s, struct sap_str text, char out[VALUE_MAX])
{
	size_t n = 0;

	while (text.n && n < VALUE_MAX) {
		bool brace = text.n > 1 && text.p[1] == '{';
		struct sap_str name = sap_str_skip(text, brace ? 2 : 1);
		const struct var *var;
		size_t len = 0;

		if (text.p[0] != '$' || name.n == 0 || !is_name_char(name.p[0])) {
			out[n++] = text.p[0];
			text = sap_str_skip(text, 1);
			continue;
		}
		while (len < name.n && is_name_char(name.p[len]))
			len++;
		text = sap_str_skip(name, len);
		name.n = len;
		var = find_var(s, name);
		if (var) {
			size_t room = VALUE_MAX - n;

			room = var->value.n < room ? var->value.n : room;
			memcpy(out + n, var->value.p, room);
			n += room;
		} else if (!brace || !text.n || text.p[0] != ':') {
			/* Unknown: a mark that no path runs across. */
			out[n++] = '$';
		}
		if (brace && text.n && (text.p[0] == '}' || var)) {
			struct sap_str skipped;

			sap_str_cut(text, '}', &skipped, &text);
		} else if (brace && text.n > 1 && text.p[0] == ':') {
			text = sap_str_skip(text, 2);
		}
	}
	return (struct sap_str){ out, n };
}

static int add_path(struct script *s, struct sap_str path, struct sap_err *err)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (sap_str_eq(s->paths[i], path))
			return 0;
	if (s->n == s->max)
		return 0;
	return sap_arena_str(s->arena, path, &s->paths[s->n++]) ? 0 : sap_err_nomem(err);
}

/* Every absolute path in a text; only the first where one is wanted. */
static int add_paths(struct script *s, struct sap_str text, bool only_first, struct sap_err *err)
{
	char value[VALUE_MAX];
	int rc = 0;

	text = expand(s, text, value);
	for (size_t i = 0; rc == 0 && i < text.n; i++) {
		size_t n = 0;

		while (i + n < text.n && is_path_char(text.p[i + n]))
			n++;
		if (n > 1 && text.p[i] == '/' && (i == 0 || text.p[i - 1] != '$') &&
		    (i + n == text.n || text.p[i + n] != '$')) {
			rc = add_path(s, (struct sap_str){ text.p + i, n }, err);
			if (only_first)
				return rc;
		}
		i += n;
		if (only_first && n)
			return rc;
	}
	return rc;
}

static struct sap_str unquote(struct sap_str s)
{
	s = sap_str_trim(s);
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		return (struct sap_str){ s.p + 1, s.n - 2 };
	return s;
}

/* NAME=value at the start of a line. */
static bool assignment(struct sap_str line, struct sap_str *name, struct sap_str *value)
{
	size_t n = 0;

	if (sap_str_starts(line, SAP_STR("export ")))
		line = sap_str_trim(sap_str_skip(line, 7));
	while (n < line.n && is_name_char(line.p[n]))
		n++;
	if (n == 0 || n == line.n || line.p[n] != '=')
		return false;
	*name = (struct sap_str){ line.p, n };
	*value = sap_str_skip(line, n + 1);
	return true;
}

static bool names_program(struct sap_str name)
{
	static const struct sap_str names[] = {
		SAP_STR_INIT("DAEMON"), SAP_STR_INIT("daemon"),      SAP_STR_INIT("command"),
		SAP_STR_INIT("exec"),   SAP_STR_INIT("EXEC"),        SAP_STR_INIT("prog"),
		SAP_STR_INIT("PROG"),   SAP_STR_INIT("program"),     SAP_STR_INIT("BINARY"),
		SAP_STR_INIT("BIN"),    SAP_STR_INIT("processname"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sap_str_eq(name, names[i]))
			return true;
	return false;
}

static int script_assign(struct script *s, struct sap_str name, struct sap_str value,
			 struct sap_err *err)
{
	char text[VALUE_MAX];
	struct var *var;

	if (names_program(name)) {
		int rc = add_paths(s, value, false, err);

		if (rc < 0)
			return rc;
	}
	value = expand(s, unquote(value), text);
	if (s->n_vars == VARS_MAX || find_var(s, name) || memchr(text, '$', value.n))
		return 0;
	var = &s->vars[s->n_vars++];
	var->name = name;
	return sap_arena_str(s->arena, value, &var->value) ? 0 : sap_err_nomem(err);
}

/* What follows --exec, --startas, and -x or -a of start-stop-daemon. */
static int script_options(struct script *s, struct sap_str line, struct sap_err *err)
{
	bool daemon = false;
	struct sap_str word;
	int rc = 0;

	while (rc == 0 && sap_str_word(&line, &word)) {
		struct sap_str next = line, value;

		if (sap_str_is(word, "start-stop-daemon"))
			daemon = true;
		if (sap_str_starts(word, SAP_STR("--exec=")) ||
		    sap_str_starts(word, SAP_STR("--startas=")))
			sap_str_cut(word, '=', &word, &value);
		else if (!(sap_str_is(word, "--exec") || sap_str_is(word, "--startas") ||
			   (daemon && (sap_str_is(word, "-x") || sap_str_is(word, "-a")))) ||
			 !sap_str_word(&next, &value))
			continue;
		rc = add_paths(s, unquote(value), true, err);
	}
	return rc;
}

int sap_initscript_read(struct sap_span bytes, struct sap_arena *arena, struct sap_str *paths,
			uint32_t max, uint32_t *n, struct sap_err *err)
{
	struct script s = { .arena = arena, .paths = paths, .max = max };
	struct sap_str text = { (const char *)bytes.p, bytes.n };
	struct sap_str line, name, value;
	int rc = 0;

	while (rc == 0 && sap_str_line(&text, &line)) {
		line = sap_str_trim(line);
		if (line.n == 0)
			continue;
		if (line.p[0] == '#') {
			line = sap_str_trim(sap_str_skip(line, 1));
			if (sap_str_starts(line, SAP_STR("processname:")))
				rc = add_paths(&s, sap_str_trim(sap_str_skip(line, 12)), true, err);
		} else if (assignment(line, &name, &value)) {
			rc = script_assign(&s, name, value, err);
		} else {
			rc = script_options(&s, line, err);
		}
	}
	*n = s.n;
	return rc;
}

/* ---- the folders ------------------------------------------------------------------------ */

static bool is_helper(struct sap_str name)
{
	static const struct sap_str names[] = {
		SAP_STR_INIT("README"),    SAP_STR_INIT("skeleton"),     SAP_STR_INIT("halt"),
		SAP_STR_INIT("reboot"),    SAP_STR_INIT("single"),       SAP_STR_INIT("sendsigs"),
		SAP_STR_INIT("killprocs"), SAP_STR_INIT("functions.sh"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sap_str_eq(name, names[i]))
			return true;
	return name.p[0] == '.' || sap_str_starts(name, SAP_STR("rc")) ||
	       sap_str_ends(name, SAP_STR("functions")) || sap_str_ends(name, SAP_STR("~")) ||
	       sap_sysconf_match(SAP_STR("*.dpkg-*"), name) ||
	       sap_str_ends(name, SAP_STR(".rpmsave")) || sap_str_ends(name, SAP_STR(".rpmnew"));
}

/* systemd drops ".sh" from the name of a script. */
static bool is_replaced(const struct sap_units *units, struct sap_str name)
{
	if (sap_units_has(units, name))
		return true;
	if (!sap_str_ends(name, SAP_STR(".sh")))
		return false;
	name.n -= 3;
	return sap_units_has(units, name);
}

/* Names that a runlevel starts go into the pool: rcN.d/S20NAME, runlevels/LEVEL/NAME. */
static int add_started(struct sap_sysconf *sc, struct sap_str dir, bool numbered,
		       struct sap_err *err)
{
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc = sap_sysconf_list(sc, dir, &sc->arena, &entries, &n, err);

	for (uint32_t i = 0; rc > 0 && i < n; i++) {
		struct sap_str name = entries[i].name;

		if (entries[i].type != DT_LNK && entries[i].type != DT_REG)
			continue;
		if (numbered) {
			if (name.p[0] != 'S')
				continue;
			name = sap_str_skip(name, 1);
			while (name.n && name.p[0] >= '0' && name.p[0] <= '9')
				name = sap_str_skip(name, 1);
		}
		if (sap_sysconf_once(sc->pool, name, err) < 0)
			return SAP_ENOMEM;
	}
	return rc < 0 ? rc : 0;
}

static int find_started(struct sap_sysconf *sc, struct sap_err *err)
{
	static const struct sap_str dirs[] = {
		SAP_STR_INIT("/etc/rcS.d"), SAP_STR_INIT("/etc/rc2.d"), SAP_STR_INIT("/etc/rc3.d"),
		SAP_STR_INIT("/etc/rc4.d"), SAP_STR_INIT("/etc/rc5.d"),
	};
	const struct sap_str levels = SAP_STR("/etc/runlevels");
	struct sap_input_entry *entries;
	struct sap_str dir;
	uint32_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		rc = add_started(sc, dirs[i], true, err);
	if (rc == 0)
		rc = sap_sysconf_list(sc, levels, &sc->arena, &entries, &n, err);
	for (uint32_t i = 0; rc >= 0 && i < n; i++) {
		if (entries[i].type != DT_DIR)
			continue;
		rc = sap_sysconf_join(&sc->arena, levels, entries[i].name, &dir, err);
		if (rc == 0)
			rc = add_started(sc, dir, false, err);
	}
	return rc < 0 ? rc : 0;
}

static int read_script(struct sap_sysconf *sc, struct sap_str path, struct sap_err *err)
{
	struct sap_str guesses[SAP_INITSCRIPT_PROGRAMS_MAX];
	struct sap_span bytes;
	uint32_t n = 0;
	int rc = sap_sysconf_read(sc, path, SAP_UNIT_FILE_MAX, &sc->file, &bytes, err);

	sap_programs_begin(sc->programs);
	if (rc <= 0)
		return rc;
	rc = sap_programs_add_interpreter(sc->programs, bytes, err);
	if (rc == 0)
		rc = sap_initscript_read(bytes, &sc->file, guesses, SAP_INITSCRIPT_PROGRAMS_MAX, &n,
					 err);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = sap_programs_add(sc->programs, guesses[i], true, err);
	return rc;
}

static int emit_script(struct sap_sysconf *sc, struct sap_str dir, struct sap_str name,
		       struct sap_err *err)
{
	struct sap_rec_service rec = { .kind = SAP_SERVICE_INIT, .name = name };
	struct sap_err fault = { 0 };
	struct sap_input_file file;
	struct sap_str path;
	bool runs;
	int rc;

	sap_arena_reset(&sc->file);
	rc = sap_sysconf_join(&sc->file, dir, name, &path, err);
	if (rc < 0)
		return rc;
	rc = sap_input_file_open(sc->input, path, &file, &fault);
	if (rc == SAP_ENOENT || rc == SAP_EUNSUPPORTED)
		return 0;
	if (rc < 0)
		return sap_sink_fault(sc->sink, path, &fault, err);
	runs = file.mode & 0111;
	sap_input_file_close(&file);
	if (!runs)
		return 0;
	rc = read_script(sc, path, err);
	if (rc < 0)
		return rc;
	rec.programs = sap_programs_list(sc->programs);
	rec.path = path;
	rec.enabled = sap_pool_find(sc->pool, name) == UINT32_MAX ? SAP_NO : SAP_YES;
	return sc->sink->service(sc->sink, &rec, err);
}

int sap_initscripts_emit(struct sap_sysconf *sc, const struct sap_units *units, struct sap_err *err)
{
	struct sap_input_entry *entries;
	bool searched = false;
	struct sap_str dir;
	uint32_t n = 0;
	uint8_t type = 0;
	int rc = sap_sysconf_canonical(sc, SAP_STR("/etc/init.d"), &sc->arena, &dir, &type, err);

	if (rc == 0)
		rc = sap_sysconf_canonical(sc, SAP_STR("/etc/rc.d/init.d"), &sc->arena, &dir, &type,
					   err);
	if (rc <= 0 || type != DT_DIR)
		return rc < 0 ? rc : 0;
	rc = sap_sysconf_list(sc, dir, &sc->arena, &entries, &n, err);
	if (rc <= 0)
		return rc;
	rc = 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct sap_str name = entries[i].name;

		if ((entries[i].type != DT_REG && entries[i].type != DT_LNK) || is_helper(name) ||
		    is_replaced(units, name))
			continue;
		if (!searched)
			rc = find_started(sc, err);
		searched = true;
		if (rc == 0)
			rc = emit_script(sc, dir, name, err);
	}
	return rc;
}
