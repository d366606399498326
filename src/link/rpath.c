/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

static bool is_word(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Bytes that a token takes, braces included, where `in` (behind its '$') starts with it. */
static size_t token(struct sap_str in, struct sap_str name)
{
	bool braces = in.n && in.p[0] == '{';
	struct sap_str rest;

	if (braces)
		in = sap_str_skip(in, 1);
	if (!sap_str_starts(in, name))
		return 0;
	rest = sap_str_skip(in, name.n);
	if (braces)
		return rest.n && rest.p[0] == '}' ? name.n + 2 : 0;
	return rest.n && is_word(rest.p[0]) ? 0 : name.n;
}

struct expansion {
	struct sap_link *link;
	const struct sap_env *env;
	struct sap_str origin;
	bool at_start; /* the token is the first thing in the text */
	bool has_origin;
};

/* Replaces one token at in (behind its '$'). *used is 0 where it is none. */
static const char *replace(struct expansion *x, struct sap_str in, size_t *used)
{
	const struct sap_env *env = x->env;
	size_t n;

	if ((n = token(in, SAP_STR("ORIGIN"))) != 0) {
		/* Secure mode: only as the first component and on its own. */
		if (env->secure && !(x->at_start && (in.n == n || in.p[n] == '/')))
			return "left out: $ORIGIN in a setuid program";
		sap_buf_puts(&x->link->expand, x->origin);
		x->has_origin = true;
	} else if ((n = token(in, SAP_STR("PLATFORM"))) != 0) {
		if (!env->abi || !env->abi->platform)
			return "left out: $PLATFORM depends on the processor";
		sap_buf_puts(&x->link->expand, sap_str_of(env->abi->platform));
	} else if ((n = token(in, SAP_STR("LIB"))) != 0) {
		if (!env->lib.n)
			return "left out: $LIB is not known for this machine";
		sap_buf_puts(&x->link->expand, env->lib);
	}
	*used = n;
	return NULL;
}

/* musl knows only $ORIGIN, and drops a path with anything else in it. */
static const char *expand_musl(struct expansion *x, struct sap_str in, bool program)
{
	struct sap_str rest;

	for (rest = in; rest.n; rest = sap_str_skip(rest, 1)) {
		bool plain = sap_str_starts(rest, SAP_STR("$ORIGIN"));
		bool braces = sap_str_starts(rest, SAP_STR("${ORIGIN}"));

		if (rest.p[0] != '$') {
			sap_buf_putc(&x->link->expand, rest.p[0]);
			continue;
		}
		if (!plain && !braces)
			return "left out: musl knows no token but $ORIGIN";
		if (x->env->secure && program)
			return "left out: $ORIGIN in a setuid program";
		sap_buf_puts(&x->link->expand, x->origin);
		rest = sap_str_skip(rest, plain ? 6 : 8);
	}
	return NULL;
}

const char *sap_link_expand(struct sap_link *link, const struct sap_env *env, struct sap_str in,
			    struct sap_str origin, bool program, struct sap_str *out)
{
	struct expansion x = { .link = link, .env = env, .origin = origin };
	const char *why = NULL;

	if (!in.n || !memchr(in.p, '$', in.n)) {
		*out = in;
		return NULL;
	}
	sap_buf_reset(&link->expand);
	if (env->musl)
		why = expand_musl(&x, in, program);
	for (size_t i = 0; !env->musl && !why && i < in.n;) {
		size_t used = 0;

		if (in.p[i] == '$') {
			x.at_start = i == 0;
			why = replace(&x, sap_str_skip(in, i + 1), &used);
		}
		if (!used && !why)
			sap_buf_putc(&link->expand, in.p[i]);
		i += used + 1;
	}
	if (why)
		return why;
	if (!sap_buf_ok(&link->expand))
		return "left out: too long";
	*out = sap_buf_str(&link->expand);
	if (env->secure && program && x.has_origin && !sap_env_trusts(link, env, *out))
		return "left out: $ORIGIN of a setuid program leads out of the system folders";
	return NULL;
}

/* One element, made ready to have a name put behind it. */
static int add(struct sap_link *link, struct sap_str text, const char *why, struct sap_err *err)
{
	struct sap_dir *dir;
	uint32_t id;

	while (text.n > 1 && text.p[text.n - 1] == '/')
		text.n--;
	if (!why && (text.n == 0 || text.p[0] != '/'))
		why = "left out: relative to the current folder";
	if (!why && text.n >= SAP_PATH_MAX)
		why = "left out: too long";
	if (text.n >= SAP_PATH_MAX)
		text.n = SAP_PATH_MAX;
	if (!sap_link_put(link, text, &id))
		return sap_err_nomem(err);
	dir = SAP_VEC_PUSH(&link->dirs, UINT32_MAX);
	SAP_LINK_NEED(dir, err);
	*dir = (struct sap_dir){ id, why };
	return 0;
}

static bool separates(enum sap_path_kind kind, char c)
{
	return c == ':' || (c == ';' && kind == SAP_PATH_LIBRARY) ||
	       (c == '\n' && kind == SAP_PATH_MUSL);
}

static int cut(struct sap_link *link, uint32_t env, struct sap_str raw, struct sap_str origin,
	       bool program, enum sap_path_kind kind, struct sap_err *err)
{
	uint32_t n = 0;

	for (;;) {
		struct sap_str part = { raw.p, 0 }, text;
		const char *why = NULL;
		int r;

		while (part.n < raw.n && !separates(kind, raw.p[part.n]))
			part.n++;
		if (n++ == SAP_LINK_SEARCH_MAX)
			return add(link, part, "left out: more folders than the limit", err);
		text = part;
		if (kind != SAP_PATH_MUSL)
			why = sap_link_expand(link, &link->envs.v[env], part, origin, program,
					      &text);
		if (why)
			text = part;
		if (part.n || kind != SAP_PATH_MUSL) {
			r = add(link, text, why, err);
			if (r < 0)
				return r;
		}
		if (part.n == raw.n)
			return 0;
		raw = sap_str_skip(raw, part.n + 1);
	}
}

static int close_list(struct sap_link *link, uint32_t at, uint32_t *list, struct sap_err *err)
{
	struct sap_range *range;

	if (link->dirs.n == at) {
		*list = 0;
		return 0;
	}
	range = SAP_VEC_PUSH(&link->lists, UINT32_MAX);
	SAP_LINK_NEED(range, err);
	*range = (struct sap_range){ at, (uint32_t)link->dirs.n - at };
	*list = (uint32_t)link->lists.n - 1;
	return 0;
}

/* musl replaces tokens in the whole path at once, and drops all of it where it cannot. */
static int cut_musl(struct sap_link *link, uint32_t env, struct sap_str raw, struct sap_str origin,
		    bool program, struct sap_err *err)
{
	struct sap_str text, kept;
	const char *why = sap_link_expand(link, &link->envs.v[env], raw, origin, program, &text);

	if (why)
		return add(link, raw, why, err);
	if (text.p == raw.p)
		return cut(link, env, raw, origin, program, SAP_PATH_MUSL, err);
	if (!sap_arena_str(&link->arena, text, &kept))
		return sap_err_nomem(err);
	return cut(link, env, kept, origin, program, SAP_PATH_MUSL, err);
}

int sap_link_list(struct sap_link *link, uint32_t env, uint32_t raw, uint32_t path, bool program,
		  enum sap_path_kind kind, uint32_t *list, struct sap_err *err)
{
	struct sap_str text = sap_link_str(link, raw);
	uint32_t at = (uint32_t)link->dirs.n, *memo;
	int r;

	if (text.n == 0) {
		*list = 0;
		return 0;
	}
	if (!memchr(text.p, '$', text.n)) { /* the same for everybody */
		path = 0;
		program = false;
	}
	memo = sap_memo_at(&link->memo_list, (uint64_t)raw << 32 | path,
			   (uint64_t)env << 8 | (unsigned)kind << 1 | program);
	SAP_LINK_NEED(memo, err);
	if (*memo) {
		*list = *memo - 1;
		return 0;
	}
	*memo = 1;
	if (kind == SAP_PATH_MUSL)
		r = cut_musl(link, env, text, sap_path_dir(sap_link_str(link, path)), program, err);
	else
		r = cut(link, env, text, sap_path_dir(sap_link_str(link, path)), program, kind,
			err);
	if (r == 0)
		r = close_list(link, at, list, err);
	if (r == 0)
		*memo = *list + 1;
	return r;
}

int sap_link_list_of(struct sap_link *link, const struct sap_dir *dirs, size_t n, uint32_t *list,
		     struct sap_err *err)
{
	uint32_t at = (uint32_t)link->dirs.n;

	for (size_t i = 0; i < n; i++) {
		int r = add(link, sap_link_str(link, dirs[i].path), dirs[i].why, err);

		if (r < 0)
			return r;
	}
	return close_list(link, at, list, err);
}
