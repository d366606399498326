/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd unit files by the rules of systemd.syntax(7) and systemd.service(5), "COMMAND
 * LINES": what a unit starts, as whom, and which unit a socket, timer or path activates.
 */
#include "sysconf/sysconf_int.h"

#include "base/limits.h"

enum section { SECTION_OTHER, SECTION_SERVICE, SECTION_TRIGGER };

/* What the next word of a shell's command line is. */
enum shell { SHELL_NONE, SHELL_OPTIONS, SHELL_VALUE, SHELL_TEXT };

struct unit_reader {
	struct sap_arena *arena;
	struct sap_unit *unit;
	struct sap_err *fault;
	struct sap_buf joined; /* a line with continuations */
	uint64_t offset;       /* of the line in hand */
	enum section section;
	enum shell shell; /* of the command in hand */
	bool skip_argv0;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_in_backslash(struct sap_str line)
{
	size_t n = 0;

	while (n < line.n && line.p[line.n - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* The next logical line. Comments are left out, also between the parts of a long line. */
static bool unit_line(struct unit_reader *r, struct sap_str *text, struct sap_str *line)
{
	bool joining = false;

	sap_buf_reset(&r->joined);
	while (sap_str_line(text, line)) {
		*line = sap_str_trim(*line);
		if (line->n && (line->p[0] == '#' || line->p[0] == ';'))
			continue;
		if (line->n && ends_in_backslash(*line)) {
			line->n--;
			sap_buf_puts(&r->joined, *line);
			sap_buf_putc(&r->joined, ' ');
			joining = true;
			continue;
		}
		if (!joining)
			return true;
		sap_buf_puts(&r->joined, *line);
		break;
	}
	*line = sap_buf_str(&r->joined);
	return joining;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The character that a backslash and what follows at s stand for; *used counts what follows. */
static char unescape(struct sap_str s, size_t *used)
{
	static const char from[] = "abfnrtvs\\\"'";
	static const char to[] = "\a\b\f\n\r\t\v \\\"'";
	const char *at = s.n && s.p[0] ? strchr(from, s.p[0]) : NULL;

	*used = s.n ? 1 : 0;
	if (at)
		return to[at - from];
	if (s.n >= 3 && s.p[0] == 'x' && hex_digit(s.p[1]) >= 0 && hex_digit(s.p[2]) >= 0) {
		*used = 3;
		return (char)(hex_digit(s.p[1]) * 16 + hex_digit(s.p[2]));
	}
	/* "\;" is a semicolon that separates nothing; others stand for themselves. */
	return s.n ? s.p[0] : '\\';
}

/* The next word of a command line, quotes and escapes undone. Its first `room` bytes go to
 * out; *n_out is its whole length. */
static bool command_word(struct sap_str *rest, char *out, size_t room, size_t *n_out)
{
	struct sap_str s = *rest;
	size_t n = 0, i = 0;
	char quote = 0;

	while (s.n && is_blank(s.p[0]))
		s = sap_str_skip(s, 1);
	if (s.n == 0) {
		*rest = s;
		return false;
	}
	for (; i < s.n; i++) {
		char c = s.p[i];

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			continue;
		}
		if (!quote && is_blank(c))
			break;
		if (c == '\\') {
			size_t used;

			c = unescape(sap_str_skip(s, i + 1), &used);
			i += used;
		}
		if (n < room)
			out[n] = c;
		n++;
	}
	*n_out = n;
	*rest = sap_str_skip(s, i);
	return true;
}

static bool is_shell(struct sap_str word)
{
	static const struct sap_str names[] = {
		SAP_STR_INIT("sh"),  SAP_STR_INIT("bash"), SAP_STR_INIT("dash"),
		SAP_STR_INIT("ash"), SAP_STR_INIT("ksh"),  SAP_STR_INIT("mksh"),
		SAP_STR_INIT("zsh"),
	};
	const char *slash = memrchr(word.p, '/', word.n);

	if (slash)
		word = sap_str_skip(word, (size_t)(slash - word.p) + 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sap_str_eq(word, names[i]))
			return true;
	return false;
}

static int add_program(struct unit_reader *r, enum sap_unit_exec exec, struct sap_str word,
		       struct sap_err *err)
{
	struct sap_str *slot;

	r->skip_argv0 = false;
	/* '@': the next word is argv[0]; '-', '+', '!', ':', '|': how to run and to fail. */
	while (word.n && memchr("@-:+!|", word.p[0], 6)) {
		r->skip_argv0 |= word.p[0] == '@';
		word = sap_str_skip(word, 1);
	}
	if (word.n == 0) {
		sap_sysconf_blame(r->fault, SAP_EFORMAT, r->offset,
				  "unit: a command without program");
		return 0;
	}
	if (r->unit->exec[exec].n >= SAP_UNIT_PROGRAMS_MAX) {
		sap_sysconf_blame(r->fault, SAP_ELIMIT, r->offset,
				  "unit: more than %u commands of one kind", SAP_UNIT_PROGRAMS_MAX);
		return 0;
	}
	slot = SAP_VEC_PUSH(&r->unit->exec[exec], SAP_UNIT_PROGRAMS_MAX);
	if (!slot || !sap_arena_str(r->arena, word, slot) ||
	    !SAP_VEC_PUSH(&r->unit->inner[exec], SAP_UNIT_PROGRAMS_MAX))
		return sap_err_nomem(err);
	if (is_shell(word))
		r->shell = SHELL_OPTIONS;
	return 0;
}

/* What the text of "sh -c" starts, where that is an absolute path. */
static int add_inner(struct unit_reader *r, enum sap_unit_exec exec, struct sap_str text,
		     struct sap_err *err)
{
	struct sap_str word;
	size_t n = 0;

	if (!sap_str_word(&text, &word))
		return 0;
	if (sap_str_is(word, "exec") && !sap_str_word(&text, &word))
		return 0;
	if (word.n > 2 && (word.p[0] == '"' || word.p[0] == '\'') &&
	    word.p[word.n - 1] == word.p[0])
		word = (struct sap_str){ word.p + 1, word.n - 2 };
	while (n < word.n && !memchr(";&|<>()", word.p[n], 7))
		n++;
	word.n = n;
	if (n == 0 || word.p[0] != '/')
		return 0;
	return sap_arena_str(r->arena, word, &r->unit->inner[exec].v[r->unit->inner[exec].n - 1])
		       ? 0
		       : sap_err_nomem(err);
}

/* A word after the program, of which only a shell's "-c TEXT" matters. */
static int add_argument(struct unit_reader *r, enum sap_unit_exec exec, struct sap_str word,
			struct sap_err *err)
{
	enum shell was = r->shell;

	if (r->skip_argv0) {
		r->skip_argv0 = false;
		return 0;
	}
	r->shell = SHELL_NONE;
	if (was == SHELL_TEXT)
		return add_inner(r, exec, word, err);
	if (was == SHELL_VALUE)
		r->shell = SHELL_OPTIONS;
	if (was != SHELL_OPTIONS || word.n < 2 || (word.p[0] != '-' && word.p[0] != '+'))
		return 0;
	r->shell = SHELL_OPTIONS;
	if (word.p[0] == '-' && word.p[1] != '-' && memchr(word.p, 'c', word.n))
		r->shell = SHELL_TEXT;
	else if (word.p[1] != '-' && (word.p[word.n - 1] == 'o' || word.p[word.n - 1] == 'O'))
		r->shell = SHELL_VALUE;
	return 0;
}

/* A value of Exec*=: commands separated by a lone ';'. An empty one forgets those before. */
static int add_commands(struct unit_reader *r, enum sap_unit_exec exec, struct sap_str value,
			struct sap_err *err)
{
	char word[SAP_PATH_MAX];
	bool first = true;
	int rc = 0;

	if (value.n == 0)
		r->unit->exec[exec].n = r->unit->inner[exec].n = 0;
	while (rc == 0 && (value = sap_str_trim(value)).n) {
		size_t n = 0;

		if (value.p[0] == ';' && (value.n == 1 || is_blank(value.p[1]))) {
			value = sap_str_skip(value, 1);
			first = true;
			continue;
		}
		command_word(&value, word, first || r->shell ? sizeof(word) : 0, &n);
		if (first)
			r->shell = SHELL_NONE;
		if (first && n > sizeof(word))
			sap_sysconf_blame(r->fault, SAP_ELIMIT, r->offset,
					  "unit: a program of %zu bytes", n);
		else if (first)
			rc = add_program(r, exec, (struct sap_str){ word, n }, err);
		else if (r->shell)
			rc = add_argument(
				r, exec,
				(struct sap_str){ word, n < sizeof(word) ? n : sizeof(word) }, err);
		first = false;
	}
	return rc;
}

static int keep(struct unit_reader *r, struct sap_str value, struct sap_str *out,
		struct sap_err *err)
{
	if (value.n > SAP_PATH_MAX) {
		sap_sysconf_blame(r->fault, SAP_ELIMIT, r->offset, "unit: a value of %zu bytes",
				  value.n);
		return 0;
	}
	if (value.n == 0) {
		*out = (struct sap_str){ 0 };
		return 0;
	}
	return sap_arena_str(r->arena, value, out) ? 0 : sap_err_nomem(err);
}

static bool is_true(struct sap_str value)
{
	static const char *const words[] = { "1", "yes", "y", "true", "t", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (value.n == strlen(words[i]) && strncasecmp(value.p, words[i], value.n) == 0)
			return true;
	return false;
}

static int assign(struct unit_reader *r, struct sap_str key, struct sap_str value,
		  struct sap_err *err)
{
	static const struct sap_str exec[SAP_UNIT_EXECS] = {
		[SAP_UNIT_START] = SAP_STR_INIT("ExecStart"),
		[SAP_UNIT_CONDITION] = SAP_STR_INIT("ExecCondition"),
		[SAP_UNIT_START_PRE] = SAP_STR_INIT("ExecStartPre"),
		[SAP_UNIT_START_POST] = SAP_STR_INIT("ExecStartPost"),
		[SAP_UNIT_RELOAD] = SAP_STR_INIT("ExecReload"),
		[SAP_UNIT_STOP] = SAP_STR_INIT("ExecStop"),
		[SAP_UNIT_STOP_POST] = SAP_STR_INIT("ExecStopPost"),
	};

	if (r->section == SECTION_TRIGGER) {
		if (sap_str_is(key, "Service") || sap_str_is(key, "Unit"))
			return keep(r, value, &r->unit->triggers, err);
		if (sap_str_is(key, "Accept"))
			r->unit->accept = is_true(value);
		return 0;
	}
	if (sap_str_is(key, "User"))
		return keep(r, value, &r->unit->user, err);
	if (!sap_str_starts(key, SAP_STR("Exec")))
		return 0;
	for (int i = 0; i < SAP_UNIT_EXECS; i++)
		if (sap_str_eq(key, exec[i]))
			return add_commands(r, (enum sap_unit_exec)i, value, err);
	return 0;
}

static int unit_statement(struct unit_reader *r, struct sap_str line, struct sap_err *err)
{
	struct sap_str key, value;

	if (line.n == 0)
		return 0;
	if (line.p[0] == '[') {
		r->section = SECTION_OTHER;
		if (sap_str_is(line, "[Service]"))
			r->section = SECTION_SERVICE;
		else if (sap_str_is(line, "[Socket]") || sap_str_is(line, "[Timer]") ||
			 sap_str_is(line, "[Path]"))
			r->section = SECTION_TRIGGER;
		else if (line.p[line.n - 1] != ']')
			sap_sysconf_blame(r->fault, SAP_EFORMAT, r->offset,
					  "unit: a section header without \"]\"");
		return 0;
	}
	if (!sap_str_cut(line, '=', &key, &value)) {
		sap_sysconf_blame(r->fault, SAP_EFORMAT, r->offset, "unit: a line without \"=\"");
		return 0;
	}
	if (r->section == SECTION_OTHER)
		return 0;
	return assign(r, sap_str_trim(key), sap_str_trim(value), err);
}

int sap_unit_read(struct sap_span bytes, struct sap_arena *arena, struct sap_unit *unit,
		  struct sap_err *fault, struct sap_err *err)
{
	struct unit_reader r = { .arena = arena, .unit = unit, .fault = fault };
	struct sap_str text = { (const char *)bytes.p, bytes.n };
	struct sap_str line;
	int rc = 0;

	sap_buf_init(&r.joined, SAP_TEXT_FILE_MAX);
	if (sap_str_starts(text, SAP_STR("\xef\xbb\xbf")))
		text = sap_str_skip(text, 3);
	while (rc == 0) {
		r.offset = bytes.n - text.n;
		if (!unit_line(&r, &text, &line))
			break;
		rc = unit_statement(&r, line, err);
		if (rc == 0 && !sap_buf_ok(&r.joined))
			rc = sap_err_nomem(err);
	}
	sap_buf_clear(&r.joined);
	return rc;
}

void sap_unit_clear(struct sap_unit *unit)
{
	for (int i = 0; i < SAP_UNIT_EXECS; i++) {
		sap_vec_clear(&unit->exec[i]);
		sap_vec_clear(&unit->inner[i]);
	}
}
