/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/judge_int.h"

#include "base/limits.h"

/* ---- copies of what packages own -------------------------------------------------------- */

/* An unowned object with a build-id. */
struct stray {
	uint32_t build_id, object;
	uint32_t package; /* the owner of the first owned object with that build-id */
};

static int compare_strays(const void *va, const void *vb)
{
	const struct stray *a = va, *b = vb;

	if (a->build_id != b->build_id)
		return a->build_id < b->build_id ? -1 : 1;
	return a->object < b->object ? -1 : a->object > b->object;
}

static int compare_copies(const void *va, const void *vb)
{
	const struct sap_copy *a = va, *b = vb;

	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	return a->object < b->object ? -1 : a->object > b->object;
}

/* The first stray with that build-id, or NULL. */
static struct stray *find_stray(struct stray *v, size_t n, uint32_t build_id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (v[mid].build_id < build_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && v[low].build_id == build_id ? &v[low] : NULL;
}

static int keep_copies(struct sap_judge *j, struct stray *v, size_t n, struct sap_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct sap_copy *to;

		if (i > 0 && v[i].build_id == v[i - 1].build_id)
			v[i].package = v[i - 1].package;
		if (v[i].package == SAP_NONE)
			continue;
		if (!j->copied)
			j->copied = calloc(j->facts->objects.n, sizeof(*j->copied));
		to = SAP_VEC_PUSH(&j->copies, SAP_OBJECTS_MAX);
		if (!to || !j->copied)
			return sap_err_nomem(err);
		*to = (struct sap_copy){ v[i].package, v[i].object };
		j->copied[v[i].object] = true;
	}
	if (j->copies.n)
		qsort(j->copies.v, j->copies.n, sizeof(*j->copies.v), compare_copies);
	return 0;
}

int sap_judge_find_copies(struct sap_judge *j, struct sap_err *err)
{
	const struct sap_facts *facts = j->facts;
	SAP_VEC(struct stray) strays = { 0 };
	int r = 0;

	for (size_t i = 0; i < facts->objects.n; i++) {
		const struct sap_object *o = &facts->objects.v[i];
		struct stray *to;

		if (o->package != SAP_NONE || !o->build_id)
			continue;
		to = SAP_VEC_PUSH(&strays, SAP_OBJECTS_MAX);
		if (!to) {
			free(strays.v);
			return sap_err_nomem(err);
		}
		*to = (struct stray){ o->build_id, (uint32_t)i, SAP_NONE };
	}
	if (strays.n == 0)
		return 0;
	qsort(strays.v, strays.n, sizeof(*strays.v), compare_strays);
	for (size_t i = 0; i < facts->objects.n; i++) {
		const struct sap_object *o = &facts->objects.v[i];
		struct stray *s = NULL;

		if (o->package != SAP_NONE && o->build_id)
			s = find_stray(strays.v, strays.n, o->build_id);
		if (s && s->package == SAP_NONE)
			s->package = o->package;
	}
	r = keep_copies(j, strays.v, strays.n, err);
	free(strays.v);
	return r;
}

/* ---- objects that say or are known to be something -------------------------------------- */

/* Either what .note.package says, or what the store knows by the build-id. */
struct named {
	struct sap_str space; /* published: "debian:12" */
	struct sap_str os, release, name, version, arch;
	uint32_t object;
};

struct names {
	SAP_VEC(struct named) list;
};

static int compare_named(const void *va, const void *vb)
{
	const struct named *a = va, *b = vb;
	int c = sap_str_cmp(a->space, b->space);

	if (c == 0)
		c = sap_str_cmp(a->name, b->name);
	if (c == 0)
		c = sap_str_cmp(a->version, b->version);
	if (c == 0)
		c = sap_str_cmp(a->arch, b->arch);
	return c ? c : a->object < b->object ? -1 : a->object > b->object;
}

static bool same_named(const struct named *a, const struct named *b)
{
	return sap_str_eq(a->space, b->space) && sap_str_eq(a->name, b->name) &&
	       sap_str_eq(a->version, b->version) && sap_str_eq(a->arch, b->arch);
}

/* False: the note does not say enough, or memory is out (then *r is set). */
static bool by_note(struct sap_judge *j, const struct sap_object *o, struct named *out, int *r,
		    struct sap_err *err)
{
	const struct sap_facts *facts = j->facts;

	out->os = sap_facts_str(facts, o->note.os);
	out->release = sap_facts_str(facts, o->note.os_version);
	out->name = sap_facts_str(facts, o->note.name);
	out->version = sap_facts_str(facts, o->note.version);
	out->arch = sap_facts_str(facts, o->note.arch);
	if (!out->os.n || !out->name.n || !out->version.n)
		return false;
	sap_buf_reset(&j->buf);
	sap_buf_puts(&j->buf, out->os);
	sap_buf_putc(&j->buf, ':');
	sap_buf_puts(&j->buf, out->release);
	if (sap_buf_ok(&j->buf) && sap_arena_str(&j->scratch, sap_buf_str(&j->buf), &out->space))
		return true;
	*r = sap_err_nomem(err);
	return false;
}

static bool by_build_id(struct sap_judge *j, const struct sap_object *o, struct named *out, int *r,
			struct sap_err *err)
{
	static const char hex[] = "0123456789abcdef";
	struct sap_str id = sap_facts_str(j->facts, o->build_id);
	struct sap_known_object known;
	struct sap_space space;
	bool found = false;

	if (!id.n)
		return false;
	sap_buf_reset(&j->buf);
	for (size_t i = 0; i < id.n; i++) {
		sap_buf_putc(&j->buf, hex[(unsigned char)id.p[i] >> 4]);
		sap_buf_putc(&j->buf, hex[(unsigned char)id.p[i] & 15]);
	}
	if (!sap_buf_ok(&j->buf))
		return false; /* longer than any that the store could have */
	*r = sap_store_object(j->store, sap_buf_str(&j->buf), &j->scratch, &known, &found, err);
	if (*r < 0 || !found || !sap_space_parse(known.space, &space))
		return false;
	*out = (struct named){ .space = known.space,
			       .name = known.package,
			       .version = known.version };
	sap_str_cut(known.space, ':', &out->os, &out->release);
	return true;
}

/* The type of purl that an ecosystem's packages have, where it is not its own name. */
static const char *purl_type(const struct sap_court *court)
{
	static const struct {
		struct sap_str ecosystem;
		const char *type;
	} types[] = {
		{ SAP_STR_INIT("pypi"), "pypi" },       { SAP_STR_INIT("go"), "golang" },
		{ SAP_STR_INIT("crates.io"), "cargo" }, { SAP_STR_INIT("npm"), "npm" },
		{ SAP_STR_INIT("maven"), "maven" },     { SAP_STR_INIT("rubygems"), "gem" },
		{ SAP_STR_INIT("nuget"), "nuget" },     { SAP_STR_INIT("packagist"), "composer" },
		{ SAP_STR_INIT("hackage"), "hackage" }, { SAP_STR_INIT("cran"), "cran" },
		{ SAP_STR_INIT("pub"), "pub" },         { SAP_STR_INIT("hex"), "hex" },
		{ SAP_STR_INIT("bitnami"), "bitnami" },
	};
	enum sap_package_type type = sap_judge_type(court->scheme);

	if (type != SAP_PACKAGE_NONE)
		return sap_package_type_name(type);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (sap_str_eq(sap_space_ecosystem(&court->space), types[i].ecosystem))
			return types[i].type;
	return "generic";
}

static int skip_all(struct sap_judge *j, const struct named *v, size_t n, struct sap_str reason,
		    struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = sap_judge_skip(j, SAP_NONE, v[i].object, reason, err);
	return r;
}

static int skip_uncovered(struct sap_judge *j, const struct sap_court *court, const struct named *v,
			  size_t n, struct sap_err *err)
{
	struct sap_str reason;

	sap_buf_reset(&j->buf);
	sap_buf_puts(&j->buf, SAP_STR("no advisories for "));
	sap_space_put(&j->buf, &court->space);
	if (!sap_buf_ok(&j->buf) || !sap_judge_keep(j, sap_buf_str(&j->buf), &reason))
		return sap_err_nomem(err);
	return skip_all(j, v, n, reason, err);
}

/* Objects [0, n) of v are said to be of one package. */
static int judge_named(struct sap_judge *j, const struct named *v, size_t n, struct sap_err *err)
{
	struct sap_item item = { .version = v->version, .arch = v->arch, .package = SAP_NONE };
	struct sap_unit unit = { .items = &item, .n_items = 1, .source_version = v->version };
	struct sap_court court;
	uint32_t *objects, n_skipped;
	bool of_system;
	int r = 0;

	if (!sap_court_of(j, v->space, &court))
		return skip_all(j, v, n, SAP_STR("its note names no system that is known"), err);
	if (!court.covered)
		r = skip_uncovered(j, &court, v, n, err);
	objects = sap_arena_alloc(&j->scratch, n * sizeof(*objects));
	if (r < 0 || !objects || !sap_judge_fold(j, &court, v->name, &item.name))
		return r < 0 ? r : sap_err_nomem(err);
	for (size_t i = 0; i < n; i++)
		objects[i] = v[i].object;
	of_system = sap_judge_type(court.scheme) != SAP_PACKAGE_NONE;
	unit.source = item.name;
	unit.objects = objects;
	unit.n_objects = (uint32_t)n;
	unit.type = (uint8_t)sap_judge_type(court.scheme);
	unit.purl_type = purl_type(&court);
	unit.os = of_system ? v->os : (struct sap_str){ 0 };
	unit.release = of_system ? v->release : (struct sap_str){ 0 };
	return sap_judge_unit(j, &court, &unit, &n_skipped, err);
}

static int find_names(struct sap_judge *j, struct names *names, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->facts->objects.n; i++) {
		const struct sap_object *o = &j->facts->objects.v[i];
		struct named found = { .object = 0 }, *to;

		if (o->package != SAP_NONE || (j->copied && j->copied[i]))
			continue;
		if (!by_note(j, o, &found, &r, err) &&
		    (r < 0 || !by_build_id(j, o, &found, &r, err))) {
			if (r == 0 && o->note.name)
				r = sap_judge_skip(j, SAP_NONE, (uint32_t)i,
						   SAP_STR("its note does not say of which "
							   "system or version it is"),
						   err);
			continue;
		}
		to = SAP_VEC_PUSH(&names->list, SAP_OBJECTS_MAX);
		if (!to)
			return sap_err_nomem(err);
		*to = found;
		to->object = (uint32_t)i;
	}
	return r;
}

int sap_judge_objects(struct sap_judge *j, struct sap_err *err)
{
	struct names names = { 0 };
	int r;

	if (!j->store)
		return 0;
	r = find_names(j, &names, err);
	if (r == 0 && names.list.n)
		qsort(names.list.v, names.list.n, sizeof(*names.list.v), compare_named);
	for (size_t i = 0, end; r == 0 && i < names.list.n; i = end) {
		for (end = i + 1;
		     end < names.list.n && same_named(&names.list.v[i], &names.list.v[end]); end++)
			;
		r = judge_named(j, &names.list.v[i], end - i, err);
	}
	free(names.list.v);
	return r;
}
