/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes programs load modules: nsswitch.conf(5), and pam.d(5) / pam.conf(5) by the
 * rules of Linux-PAM's libpam/pam_handlers.c (with Debian's "@include").
 */
#include "sysconf/sysconf_int.h"

#include <dirent.h>

#include "base/limits.h"

/* ---- nsswitch.conf ---------------------------------------------------------------------- */

/* "db: service [STATUS=action ...] service". Several lines for one database are given as
 * they stand. */
static int nss_line(struct sap_str line, struct sap_rec_setting *rec, struct sap_sink *sink,
		    struct sap_err *err)
{
	struct sap_str rest;
	int rc = 0;

	sap_str_cut(line, '#', &line, &rest);
	if (!sap_str_cut(line, ':', &rec->key, &rest))
		return 0;
	rec->key = sap_str_trim(rec->key);
	while (rc == 0 && rec->key.n && (rest = sap_str_trim(rest)).n) {
		size_t n = 0;

		if (rest.p[0] == '[') {
			struct sap_str action;

			sap_str_cut(rest, ']', &action, &rest);
			continue;
		}
		while (n < rest.n && rest.p[n] != '[' && rest.p[n] != ' ' && rest.p[n] != '\t')
			n++;
		rec->value = (struct sap_str){ rest.p, n };
		rest = sap_str_skip(rest, n);
		rc = sink->setting(sink, rec, err);
		rec->order++;
	}
	return rc;
}

int sap_nsswitch_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		       struct sap_err *err)
{
	struct sap_rec_setting rec = { .kind = SAP_SET_NSS, .file = path };
	struct sap_str text = { (const char *)bytes.p, bytes.n };
	struct sap_str line;
	int rc = 0;

	while (rc == 0 && sap_str_line(&text, &line))
		rc = nss_line(line, &rec, sink, err);
	return rc;
}

/* ---- PAM -------------------------------------------------------------------------------- */

struct pam {
	const struct sap_pam_source *source;
	struct sap_sink *sink;
	struct sap_pool *seen; /* what was given, with the path of the file before it */
	struct sap_buf key;    /* scratch */
	struct sap_buf joined; /* a line with continuations */
	struct sap_str all;    /* the whole text, for offsets */
	struct sap_err *fault;
	uint32_t order;
};

/* The next logical line: comments cut, lines that end in a backslash joined. A comment ends
 * a line in spite of a backslash before it; lines of nothing else are passed over. */
static bool pam_line(struct pam *pam, struct sap_str *text, struct sap_str *line)
{
	struct sap_str rest;
	bool joining = false;

	sap_buf_reset(&pam->joined);
	while (sap_str_line(text, line)) {
		bool comment = sap_str_cut(*line, '#', line, &rest);

		*line = sap_str_trim(*line);
		if (line->n == 0)
			continue;
		if (!comment && line->p[line->n - 1] == '\\') {
			line->n--;
			sap_buf_puts(&pam->joined, *line);
			sap_buf_putc(&pam->joined, ' ');
			joining = true;
			continue;
		}
		if (!joining)
			return true;
		sap_buf_puts(&pam->joined, *line);
		break;
	}
	*line = sap_buf_str(&pam->joined);
	return joining;
}

/* The next token: a word, or [text in brackets], in which "\]" is no end. */
static bool pam_token(struct sap_str *rest, struct sap_str *token)
{
	size_t n = 1;

	*rest = sap_str_trim(*rest);
	if (rest->n == 0)
		return false;
	if (rest->p[0] != '[')
		return sap_str_word(rest, token);
	while (n < rest->n && (rest->p[n] != ']' || rest->p[n - 1] == '\\'))
		n++;
	*token = (struct sap_str){ rest->p + 1, n - 1 };
	*rest = sap_str_skip(*rest, n + 1);
	return true;
}

static bool is_word(struct sap_str s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* A leading '-' stays: it says that nobody minds when the module is not there. */
static bool pam_type(struct sap_str token, struct sap_str *type)
{
	static const struct sap_str types[] = {
		SAP_STR_INIT("auth"),     SAP_STR_INIT("account"),   SAP_STR_INIT("session"),
		SAP_STR_INIT("password"), SAP_STR_INIT("-auth"),     SAP_STR_INIT("-account"),
		SAP_STR_INIT("-session"), SAP_STR_INIT("-password"),
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (is_word(token, types[i].p)) {
			*type = types[i];
			return true;
		}
	}
	return false;
}

static int pam_give(struct pam *pam, struct sap_rec_setting *rec, struct sap_err *err)
{
	int rc;

	/* An include without a type covers all four; the folder of pam.d goes without saying. */
	if (rec->kind == SAP_SET_PAM_INCLUDE &&
	    sap_str_starts(rec->value, SAP_STR("/etc/pam.d/")) && rec->value.n > 11)
		rec->value = sap_str_skip(rec->value, 11);
	sap_buf_reset(&pam->key);
	sap_buf_puts(&pam->key, rec->file);
	sap_buf_putc(&pam->key, '\0');
	sap_buf_putc(&pam->key, (char)rec->kind);
	sap_buf_puts(&pam->key, rec->key);
	sap_buf_putc(&pam->key, '\0');
	sap_buf_puts(&pam->key, rec->extra);
	sap_buf_putc(&pam->key, '\0');
	sap_buf_puts(&pam->key, rec->value);
	if (!sap_buf_ok(&pam->key))
		return sap_err_nomem(err);
	rc = sap_sysconf_once(pam->seen, sap_buf_str(&pam->key), err);
	if (rc <= 0)
		return rc;
	rec->order = pam->order++;
	rc = pam->sink->setting(pam->sink, rec, err);
	if (rc == 0 && rec->kind == SAP_SET_PAM_INCLUDE && pam->source->include)
		rc = pam->source->include(pam->source->arg, rec->value, err);
	return rc;
}

static int pam_rule(struct pam *pam, struct sap_str line, uint64_t offset, struct sap_err *err)
{
	struct sap_rec_setting rec = {
		.kind = SAP_SET_PAM,
		.file = pam->source->path,
		.key = pam->source->service,
	};
	struct sap_str token, control;

	if (rec.key.n == 0 && !pam_token(&line, &rec.key))
		return 0;
	if (!pam_token(&line, &token))
		return 0;
	if (is_word(token, "@include")) {
		rec.kind = SAP_SET_PAM_INCLUDE;
	} else if (!pam_type(token, &rec.extra)) {
		sap_sysconf_blame(pam->fault, SAP_EFORMAT, offset,
				  "PAM: \"%.*s\" is no type (auth, account, session, password)",
				  SAP_FMT(token));
		return 0;
	} else if (!pam_token(&line, &control)) {
		sap_sysconf_blame(pam->fault, SAP_EFORMAT, offset, "PAM: a rule without control");
		return 0;
	} else if (is_word(control, "include") || is_word(control, "substack")) {
		rec.kind = SAP_SET_PAM_INCLUDE;
	}
	if (!pam_token(&line, &rec.value) || rec.value.n == 0 || rec.value.n > SAP_PATH_MAX) {
		sap_sysconf_blame(pam->fault, SAP_EFORMAT, offset, "PAM: a rule without module");
		return 0;
	}
	return pam_give(pam, &rec, err);
}

int sap_pam_read(const struct sap_pam_source *source, struct sap_sink *sink, struct sap_err *fault,
		 struct sap_err *err)
{
	struct pam pam = { .source = source, .sink = sink, .fault = fault };
	struct sap_str text = { (const char *)source->bytes.p, source->bytes.n };
	struct sap_str line;
	uint64_t offset = 0;
	int rc = 0;

	pam.seen = source->seen ? source->seen : sap_pool_new();
	if (!pam.seen)
		return sap_err_nomem(err);
	sap_buf_init(&pam.key, SAP_TEXT_FILE_MAX);
	sap_buf_init(&pam.joined, SAP_TEXT_FILE_MAX);
	while (rc == 0 && pam_line(&pam, &text, &line)) {
		rc = pam_rule(&pam, line, offset, err);
		offset = source->bytes.n - text.n;
		if (rc == 0 && !sap_buf_ok(&pam.joined))
			rc = sap_err_nomem(err);
	}
	sap_buf_clear(&pam.key);
	sap_buf_clear(&pam.joined);
	if (!source->seen)
		sap_pool_free(pam.seen);
	return rc;
}

int sap_pam_parse(struct sap_span bytes, struct sap_str path, struct sap_str service,
		  struct sap_sink *sink, struct sap_err *err)
{
	const struct sap_pam_source source = { .bytes = bytes, .path = path, .service = service };
	struct sap_err fault = { 0 };
	int rc = sap_pam_read(&source, sink, &fault, err);

	if (rc == 0 && fault.code) {
		if (err)
			*err = fault;
		return fault.code;
	}
	return rc;
}

/* ---- the folders ------------------------------------------------------------------------ */

struct pam_tree {
	struct sap_sysconf *sc;
	SAP_VEC(struct sap_str) outside; /* files included by an absolute path, in sc->arena */
	uint32_t files;
};

/* Remembers a file outside pam.d for reading; the pool sees to it that it is read once. */
static int pam_outside(void *arg, struct sap_str target, struct sap_err *err)
{
	struct pam_tree *tree = arg;
	struct sap_str *slot;
	int rc;

	if (target.n == 0 || target.p[0] != '/')
		return 0;
	rc = sap_sysconf_once(tree->sc->pool, target, err);
	if (rc <= 0)
		return rc;
	if (tree->outside.n >= SAP_PAM_FILES_MAX)
		return sap_sink_note(tree->sc->sink, target, 0, "limit", err,
				     "PAM: more than %u files included", SAP_PAM_FILES_MAX);
	slot = SAP_VEC_PUSH(&tree->outside, SAP_PAM_FILES_MAX);
	return slot && sap_arena_str(&tree->sc->arena, target, slot) ? 0 : sap_err_nomem(err);
}

static int pam_file(struct pam_tree *tree, struct sap_str path, struct sap_str service,
		    struct sap_err *err)
{
	struct sap_pam_source source = {
		.path = path,
		.service = service,
		.include = pam_outside,
		.arg = tree,
		.seen = tree->sc->pool,
	};
	struct sap_sysconf *sc = tree->sc;
	struct sap_err fault = { 0 };
	int rc;

	sap_arena_reset(&sc->file);
	rc = sap_sysconf_read(sc, path, SAP_PAM_FILE_MAX, &sc->file, &source.bytes, err);
	if (rc <= 0)
		return rc;
	rc = sap_pam_read(&source, sc->sink, &fault, err);
	return rc < 0 ? rc : sap_sysconf_fault(sc->sink, path, &fault, err);
}

/* Names that package managers and editors leave behind; no program asks for them. */
static bool is_leftover(struct sap_str name)
{
	return sap_sysconf_match(SAP_STR("*.dpkg-*"), name) ||
	       sap_str_ends(name, SAP_STR(".rpmsave")) || sap_str_ends(name, SAP_STR(".rpmnew")) ||
	       sap_str_ends(name, SAP_STR(".rpmorig")) || sap_str_ends(name, SAP_STR("~"));
}

static int pam_entry(struct pam_tree *tree, struct sap_str dir, struct sap_str name,
		     struct sap_err *err)
{
	struct sap_sysconf *sc = tree->sc;
	struct sap_str path;
	/* A name of an earlier folder hides this one. Other strings of the pool have a slash. */
	int rc = sap_sysconf_once(sc->pool, name, err);

	if (rc <= 0)
		return rc;
	if (tree->files == SAP_PAM_FILES_MAX)
		return 0;
	if (++tree->files == SAP_PAM_FILES_MAX)
		return sap_sink_note(sc->sink, dir, 0, "limit", err, "PAM: more than %u services",
				     SAP_PAM_FILES_MAX - 1);
	rc = sap_sysconf_join(&sc->arena, dir, name, &path, err);
	return rc < 0 ? rc : pam_file(tree, path, name, err);
}

static int pam_folder(struct pam_tree *tree, struct sap_str dir, bool *found, struct sap_err *err)
{
	struct sap_sysconf *sc = tree->sc;
	struct sap_input_entry *entries;
	uint32_t n = 0;
	int rc = sap_sysconf_list(sc, dir, &sc->arena, &entries, &n, err);

	if (rc <= 0)
		return rc;
	*found = true;
	rc = 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		if ((entries[i].type == DT_REG || entries[i].type == DT_LNK) &&
		    !is_leftover(entries[i].name))
			rc = pam_entry(tree, dir, entries[i].name, err);
	}
	return rc;
}

static int read_pam(struct sap_sysconf *sc, struct sap_err *err)
{
	static const struct sap_str dirs[] = {
		SAP_STR_INIT("/etc/pam.d"),
		SAP_STR_INIT("/usr/lib/pam.d"),
		SAP_STR_INIT("/usr/etc/pam.d"),
	};
	struct pam_tree tree = { .sc = sc };
	bool found = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		rc = pam_folder(&tree, dirs[i], &found, err);
	/* libpam reads pam.conf only where there is no folder. */
	if (rc == 0 && !found)
		rc = pam_file(&tree, SAP_STR("/etc/pam.conf"), SAP_STR(""), err);
	for (size_t i = 0; rc == 0 && i < tree.outside.n; i++) {
		struct sap_str path = tree.outside.v[i];

		rc = pam_file(&tree, path, path, err);
	}
	sap_vec_clear(&tree.outside);
	return rc;
}

int sap_sysconf_modules(struct sap_input *input, struct sap_sink *sink, struct sap_err *err)
{
	struct sap_str path = SAP_STR("/etc/nsswitch.conf");
	struct sap_sysconf sc;
	struct sap_span bytes;
	int rc = sap_sysconf_begin(&sc, input, sink, err);

	if (rc == 0)
		rc = sap_sysconf_read(&sc, path, SAP_TEXT_FILE_MAX, &sc.file, &bytes, err);
	if (rc == 0) {
		path = SAP_STR("/usr/etc/nsswitch.conf");
		rc = sap_sysconf_read(&sc, path, SAP_TEXT_FILE_MAX, &sc.file, &bytes, err);
	}
	if (rc == 1)
		rc = sap_nsswitch_parse(bytes, path, sink, err);
	if (rc == 0)
		rc = read_pam(&sc, err);
	sap_sysconf_end(&sc);
	return rc;
}
