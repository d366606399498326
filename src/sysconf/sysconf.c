/* SPDX-License-Identifier: Apache-2.0 */
#include "sysconf/sysconf_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

int sap_sysconf_begin(struct sap_sysconf *sc, struct sap_input *input, struct sap_sink *sink,
		      struct sap_err *err)
{
	*sc = (struct sap_sysconf){ .input = input, .sink = sink, .pool = sap_pool_new() };
	sap_arena_init(&sc->arena, 0);
	sap_arena_init(&sc->file, 0);
	return sc->pool ? 0 : sap_err_nomem(err);
}

void sap_sysconf_end(struct sap_sysconf *sc)
{
	sap_arena_clear(&sc->arena);
	sap_arena_clear(&sc->file);
	sap_pool_free(sc->pool);
	sc->pool = NULL;
}

/* What a failure to read means for the whole: absence is no fault, memory is the end, and
 * anything else is a diagnostic. */
static int settle(struct sap_sysconf *sc, struct sap_str path, int rc, const struct sap_err *fault,
		  struct sap_err *err)
{
	if (rc == 0)
		return 1;
	if (rc == SAP_ENOENT)
		return 0;
	if (rc == SAP_ENOMEM)
		return sap_err_nomem(err);
	rc = sap_sink_fault(sc->sink, path, fault, err);
	return rc < 0 ? rc : 0;
}

int sap_sysconf_read(struct sap_sysconf *sc, struct sap_str path, uint64_t max,
		     struct sap_arena *arena, struct sap_span *out, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int rc = sap_input_read(sc->input, path, max, arena, out, &fault);

	return settle(sc, path, rc, &fault, err);
}

int sap_sysconf_list(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
		     struct sap_input_entry **out, uint32_t *n, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int rc = sap_input_list(sc->input, path, arena, out, n, &fault);

	return settle(sc, path, rc, &fault, err);
}

int sap_sysconf_readlink(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
			 struct sap_str *out, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int rc = sap_input_readlink(sc->input, path, arena, out, &fault);

	return settle(sc, path, rc, &fault, err);
}

int sap_sysconf_canonical(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
			  struct sap_str *out, uint8_t *type, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int rc = sap_input_canonical(sc->input, path, arena, out, type, &fault);

	return settle(sc, path, rc, &fault, err);
}

int sap_sysconf_fault(struct sap_sink *sink, struct sap_str path, const struct sap_err *fault,
		      struct sap_err *err)
{
	return fault->code ? sap_sink_fault(sink, path, fault, err) : 0;
}

int sap_sysconf_once(struct sap_pool *pool, struct sap_str s, struct sap_err *err)
{
	uint32_t before = sap_pool_count(pool);
	uint32_t id = sap_pool_put(pool, s);

	if (id == UINT32_MAX)
		return sap_err_nomem(err);
	return id == before;
}

int sap_sysconf_join(struct sap_arena *arena, struct sap_str dir, struct sap_str name,
		     struct sap_str *out, struct sap_err *err)
{
	char *p;

	while (dir.n && dir.p[dir.n - 1] == '/')
		dir.n--;
	p = sap_arena_alloc(arena, (uint64_t)dir.n + name.n + 1);
	if (!p)
		return sap_err_nomem(err);
	if (dir.n)
		memcpy(p, dir.p, dir.n);
	p[dir.n] = '/';
	if (name.n)
		memcpy(p + dir.n + 1, name.p, name.n);
	*out = (struct sap_str){ p, dir.n + name.n + 1 };
	return 0;
}

int sap_sysconf_normal(struct sap_arena *arena, struct sap_str path, struct sap_str *out,
		       struct sap_err *err)
{
	char *p = sap_arena_alloc(arena, (uint64_t)path.n + 1);
	size_t n = 0;

	if (!p)
		return sap_err_nomem(err);
	while (path.n) {
		struct sap_str part;

		sap_str_cut(path, '/', &part, &path);
		if (part.n == 0 || sap_str_is(part, "."))
			continue;
		if (sap_str_is(part, "..")) {
			while (n && p[--n] != '/')
				;
			continue;
		}
		p[n++] = '/';
		memcpy(p + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0)
		p[n++] = '/';
	*out = (struct sap_str){ p, n };
	return 0;
}

bool sap_sysconf_has_dotdot(struct sap_str path)
{
	while (path.n) {
		struct sap_str part;

		sap_str_cut(path, '/', &part, &path);
		if (sap_str_is(part, ".."))
			return true;
	}
	return false;
}

/* One bracket expression at pattern[at] (after the '['); false where it is not closed, then
 * '[' stands for itself. */
static bool match_set(struct sap_str pattern, size_t at, unsigned char c, size_t *end, bool *hit)
{
	bool negate = at < pattern.n && (pattern.p[at] == '!' || pattern.p[at] == '^');
	bool found = false;
	size_t first = at += negate;

	for (; at < pattern.n; at++) {
		unsigned char lo = (unsigned char)pattern.p[at];
		unsigned char hi;

		if (lo == ']' && at > first) {
			*end = at + 1;
			*hit = found != negate;
			return true;
		}
		if (lo == '\\' && at + 1 < pattern.n)
			lo = (unsigned char)pattern.p[++at];
		hi = lo;
		if (at + 2 < pattern.n && pattern.p[at + 1] == '-' && pattern.p[at + 2] != ']') {
			hi = (unsigned char)pattern.p[at + 2];
			at += 2;
		}
		found = found || (lo <= c && c <= hi);
	}
	return false;
}

/* Whether pattern[*at], which is no '*', accepts c; moves *at behind it. */
static bool match_one(struct sap_str pattern, size_t *at, unsigned char c)
{
	unsigned char want = (unsigned char)pattern.p[*at];
	size_t end;
	bool hit;

	if (want == '[' && memchr(pattern.p + *at, ']', pattern.n - *at) &&
	    match_set(pattern, *at + 1, c, &end, &hit)) {
		*at = end;
		return hit;
	}
	if (want == '\\' && *at + 1 < pattern.n)
		want = (unsigned char)pattern.p[++*at];
	else if (want == '?')
		want = c;
	++*at;
	return want == c;
}

bool sap_sysconf_match(struct sap_str pattern, struct sap_str name)
{
	size_t p = 0, s = 0;
	size_t star = SIZE_MAX, star_s = 0;

	if (name.n && name.p[0] == '.' && (pattern.n == 0 || pattern.p[0] != '.'))
		return false;
	/* Only the last star needs to be retried: what stands before it has matched as early
	 * as it can. */
	while (s < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = ++p;
			star_s = s;
			continue;
		}
		if (p < pattern.n && match_one(pattern, &p, (unsigned char)name.p[s])) {
			s++;
			continue;
		}
		if (star == SIZE_MAX)
			return false;
		p = star;
		s = ++star_s;
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

void sap_sysconf_blame(struct sap_err *fault, enum sap_code code, uint64_t offset, const char *fmt,
		       ...)
{
	va_list ap;

	if (fault->code)
		return;
	fault->code = code;
	fault->offset = offset;
	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
}

int sap_sysconf_services(struct sap_input *input, struct sap_sink *sink, struct sap_err *err)
{
	struct sap_sysconf sc;
	struct sap_units *units = NULL;
	int rc = sap_sysconf_begin(&sc, input, sink, err);

	if (rc < 0)
		goto out;
	sc.programs = sap_programs_new(&sc);
	units = sc.programs ? sap_units_new(&sc) : NULL;
	rc = units ? sap_units_emit(units, err) : sap_err_nomem(err);
	if (rc < 0)
		goto out;
	rc = sap_initscripts_emit(&sc, units, err);
out:
	sap_units_free(units);
	sap_programs_free(sc.programs);
	sap_sysconf_end(&sc);
	return rc;
}
