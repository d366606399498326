/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of a service: where a word leads, and for scripts what runs them, by the rules
 * of execve(2), "Interpreter scripts", and env(1).
 */
#include "sysconf/sysconf_int.h"

#include <dirent.h>

#include "base/limits.h"

enum { NOTHING = 0 };

/* Where a word leads. */
struct found {
	uint32_t path; /* id in paths; NOTHING: nowhere */
	bool exists;   /* as a regular file */
};

struct program {
	uint32_t round; /* the service that it was last given to */
	bool looked;
	struct found runs_it[2]; /* the interpreter; what "env NAME" starts */
};

struct sap_programs {
	struct sap_sysconf *sc;
	struct sap_pool *words;
	SAP_VEC(struct found) found; /* by id of the word */
	struct sap_pool *paths;
	SAP_VEC(struct program) program; /* by id of the path */
	SAP_VEC(struct sap_str) list;    /* of the service in hand */
	uint32_t round;
};

struct sap_programs *sap_programs_new(struct sap_sysconf *sc)
{
	struct sap_programs *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sc = sc;
	p->words = sap_pool_new();
	p->paths = sap_pool_new();
	if (!p->words || !p->paths) {
		sap_programs_free(p);
		return NULL;
	}
	return p;
}

void sap_programs_free(struct sap_programs *p)
{
	if (!p)
		return;
	sap_pool_free(p->words);
	sap_pool_free(p->paths);
	sap_vec_clear(&p->found);
	sap_vec_clear(&p->program);
	sap_vec_clear(&p->list);
	free(p);
}

/* The id of a path (the empty one: NOTHING), or UINT32_MAX. */
static uint32_t path_id(struct sap_programs *p, struct sap_str path)
{
	uint32_t id = sap_pool_put(p->paths, path);

	while (id != UINT32_MAX && p->program.n <= id)
		if (!SAP_VEC_PUSH(&p->program, UINT32_MAX))
			return UINT32_MAX;
	return id;
}

/* The canonical path, or what is written where there is no such file. Nothing: a name without
 * folder that is nowhere. */
static int search(struct sap_programs *p, struct sap_str word, struct found *out,
		  struct sap_err *err)
{
	/* systemd's own search path, which the environment does not change. */
	static const struct sap_str dirs[] = {
		SAP_STR_INIT("/usr/local/sbin"), SAP_STR_INIT("/usr/local/bin"),
		SAP_STR_INIT("/usr/sbin"),       SAP_STR_INIT("/usr/bin"),
		SAP_STR_INIT("/sbin"),           SAP_STR_INIT("/bin"),
	};
	struct sap_arena *arena = &p->sc->arena;
	bool absolute = word.n && word.p[0] == '/';
	size_t n = absolute ? 1 : sizeof(dirs) / sizeof(dirs[0]);
	struct sap_str at = word;
	uint8_t type = 0;
	int rc = 0;

	*out = (struct found){ NOTHING, false };
	for (size_t i = 0; word.n && i < n && !out->exists; i++) {
		if (!absolute)
			rc = sap_sysconf_join(arena, dirs[i], word, &at, err);
		if (rc >= 0)
			rc = sap_sysconf_canonical(p->sc, at, arena, &at, &type, err);
		if (rc < 0)
			return rc;
		out->exists = rc > 0 && type == DT_REG;
	}
	if (absolute && !out->exists)
		rc = sap_sysconf_normal(arena, word, &at, err);
	if (rc < 0)
		return rc;
	if (absolute || out->exists)
		out->path = path_id(p, at);
	return out->path == UINT32_MAX ? sap_err_nomem(err) : 0;
}

/* search with a memory: many units start the same few programs. */
static int find(struct sap_programs *p, struct sap_str word, struct found *out, struct sap_err *err)
{
	uint32_t id = sap_pool_put(p->words, word);

	if (id == UINT32_MAX)
		return sap_err_nomem(err);
	while (p->found.n <= id) {
		struct found found = { NOTHING, false };
		struct sap_str s = sap_pool_str(p->words, (uint32_t)p->found.n);
		int rc = search(p, s, &found, err);

		if (rc < 0)
			return rc;
		if (!SAP_VEC_PUSH(&p->found, UINT32_MAX))
			return sap_err_nomem(err);
		p->found.v[p->found.n - 1] = found;
	}
	*out = p->found.v[id];
	return 0;
}

/* A word up to a blank; the kernel knows no others in "#!" lines. */
static struct sap_str next_word(struct sap_str *line)
{
	struct sap_str word;
	size_t n = 0;

	while (line->n && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = sap_str_skip(*line, 1);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	word = (struct sap_str){ line->p, n };
	*line = sap_str_skip(*line, n);
	return word;
}

/* What env starts: the first word that is neither an option nor an assignment. */
static struct sap_str env_name(struct sap_str line)
{
	const struct sap_str split = SAP_STR("--split-string=");
	struct sap_str word;

	while ((word = next_word(&line)).n) {
		if (sap_str_is(word, "-u") || sap_str_is(word, "-C")) {
			next_word(&line);
			continue;
		}
		if (sap_str_starts(word, SAP_STR("-S")))
			word = sap_str_skip(word, 2);
		else if (sap_str_starts(word, split))
			word = sap_str_skip(word, split.n);
		if (word.n && word.p[0] != '-' && !memchr(word.p, '=', word.n))
			break;
	}
	return word;
}

void sap_shebang_read(struct sap_span bytes, struct sap_str *interpreter, struct sap_str *name)
{
	struct sap_str line = { (const char *)bytes.p, bytes.n };
	const char *end;

	*interpreter = *name = (struct sap_str){ 0 };
	if (!sap_str_starts(line, SAP_STR("#!")))
		return;
	if (line.n > SAP_SHEBANG_MAX)
		line.n = SAP_SHEBANG_MAX;
	end = memchr(line.p, '\n', line.n);
	if (end)
		line.n = (size_t)(end - line.p);
	end = memchr(line.p, '\0', line.n);
	if (end)
		line.n = (size_t)(end - line.p);
	line = sap_str_skip(line, 2);
	*interpreter = next_word(&line);
	/* A path that the limit cuts is not run by the kernel either. */
	if (interpreter->n == 0 || interpreter->p[0] != '/' ||
	    interpreter->p + interpreter->n == (const char *)bytes.p + SAP_SHEBANG_MAX) {
		*interpreter = (struct sap_str){ 0 };
		return;
	}
	if (sap_str_ends(*interpreter, SAP_STR("/env")))
		*name = env_name(line);
	if (name->n && name->p[0] != '/' && memchr(name->p, '/', name->n))
		*name = (struct sap_str){ 0 };
}

static int find_interpreter(struct sap_programs *p, struct sap_span bytes, struct found out[2],
			    struct sap_err *err)
{
	struct sap_str interpreter, name;
	int rc = 0;

	sap_shebang_read(bytes, &interpreter, &name);
	out[0] = out[1] = (struct found){ NOTHING, false };
	if (interpreter.n)
		rc = find(p, interpreter, &out[0], err);
	if (rc == 0 && name.n)
		rc = find(p, name, &out[1], err);
	return rc;
}

/* Reads the first bytes of a program, once. */
static int look(struct sap_programs *p, uint32_t id, struct sap_err *err)
{
	struct sap_str path = sap_pool_str(p->paths, id);
	unsigned char head[SAP_SHEBANG_MAX];
	struct sap_input_file file;
	struct sap_err fault = { 0 };
	struct found runs_it[2];
	uint64_t got = 0;
	int rc;

	p->program.v[id].looked = true;
	rc = sap_input_file_open(p->sc->input, path, &file, &fault);
	if (rc == 0) {
		struct sap_reader reader = sap_input_file_reader(&file);

		rc = reader.read_at(&reader, 0, head, sizeof(head), &got, &fault);
		sap_input_file_close(&file);
	}
	if (rc == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (rc == SAP_ENOENT || rc == SAP_EUNSUPPORTED)
		return 0;
	if (rc < 0) {
		rc = sap_sink_fault(p->sc->sink, path, &fault, err);
		return rc < 0 ? rc : 0;
	}
	rc = find_interpreter(p, sap_span_of(head, got), runs_it, err);
	if (rc == 0)
		memcpy(p->program.v[id].runs_it, runs_it, sizeof(runs_it));
	return rc;
}

/* Adds a program and what runs it; an interpreter may be a script as well. */
static int add(struct sap_programs *p, struct found found, unsigned level, struct sap_err *err)
{
	struct sap_str *slot;
	int rc = 0;

	if (found.path == NOTHING || p->program.v[found.path].round == p->round)
		return 0;
	p->program.v[found.path].round = p->round;
	slot = SAP_VEC_PUSH(&p->list, UINT32_MAX);
	if (!slot)
		return sap_err_nomem(err);
	*slot = sap_pool_str(p->paths, found.path);
	if (found.exists && !p->program.v[found.path].looked)
		rc = look(p, found.path, err);
	for (int i = 0; rc == 0 && i < 2 && level < SAP_SHEBANG_LEVELS_MAX; i++)
		rc = add(p, p->program.v[found.path].runs_it[i], level + 1, err);
	return rc;
}

void sap_programs_begin(struct sap_programs *p)
{
	p->round++;
	p->list.n = 0;
}

int sap_programs_add(struct sap_programs *p, struct sap_str word, bool if_exists,
		     struct sap_err *err)
{
	struct found found;
	int rc;

	if (memchr(word.p, '%', word.n)) {
		if (if_exists)
			return 0;
		found = (struct found){ path_id(p, word), false };
		if (found.path == UINT32_MAX)
			return sap_err_nomem(err);
		return add(p, found, 0, err);
	}
	rc = find(p, word, &found, err);
	if (rc < 0 || (if_exists && !found.exists))
		return rc;
	return add(p, found, 0, err);
}

int sap_programs_add_interpreter(struct sap_programs *p, struct sap_span script,
				 struct sap_err *err)
{
	struct found runs_it[2];
	int rc = find_interpreter(p, script, runs_it, err);

	for (int i = 0; rc == 0 && i < 2; i++)
		rc = add(p, runs_it[i], 1, err);
	return rc;
}

struct sap_strs sap_programs_list(const struct sap_programs *p)
{
	return (struct sap_strs){ .v = p->list.v, .n = (uint32_t)p->list.n };
}
