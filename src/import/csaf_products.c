/* SPDX-License-Identifier: Apache-2.0 */
/* The product tree of a CSAF document: see csaf_int.h. */
#include <stdlib.h>

#include "base/limits.h"
#include "import/csaf_int.h"
#include "import/vex_int.h"

const char *const sap_csaf_arches[SAP_CSAF_ARCHES] = {
	"noarch", "x86_64", "i686", "aarch64", "ppc64le", "ppc64",   "s390x",   "i386",
	"i586",   "i486",   "ppc",  "s390",    "ia64",    "armv7hl", "riscv64", "armv6hl",
};

/* ---- the table -------------------------------------------------------------------------- */

static int by_id(uint64_t hash, struct sap_str id, const struct sap_csaf_product *b)
{
	if (hash != b->hash)
		return hash < b->hash ? -1 : 1;
	return sap_str_cmp(id, b->id);
}

static int compare(const void *pa, const void *pb)
{
	const struct sap_csaf_product *a = pa, *b = pb;
	int c = by_id(a->hash, a->id, b);

	if (c)
		return c;
	return a->round < b->round ? -1 : a->round > b->round; /* the place in the document */
}

/* Counts entries where tree->v is NULL, else fills them in. */
static void add(struct sap_csaf_tree *tree, const struct sap_json *product,
		const struct sap_json *relationship)
{
	const struct sap_json *helper = sap_json_get(product, "product_identification_helper");
	struct sap_str id = sap_json_text(product, "product_id");

	if (id.n == 0)
		return;
	if (tree->v)
		tree->v[tree->n] = (struct sap_csaf_product){
			.id = id,
			.hash = sap_vex_hash(id),
			.name = sap_json_text(product, "name"),
			.purl = sap_str_trim(sap_json_text(helper, "purl")),
			.cpe = sap_str_trim(sap_json_text(helper, "cpe")),
			.component = sap_json_text(relationship, "product_reference"),
			.platform = sap_json_text(relationship, "relates_to_product_reference"),
			.round = (uint32_t)tree->n,
		};
	tree->n++;
}

static void add_branches(struct sap_csaf_tree *tree, const struct sap_json *list, unsigned depth)
{
	if (depth == 0)
		return;
	for (const struct sap_json *b = sap_json_first(list); b; b = b->next) {
		const struct sap_json *product = sap_json_get(b, "product");

		if (product)
			add(tree, product, NULL);
		add_branches(tree, sap_json_get(b, "branches"), depth - 1);
	}
}

static void add_all(struct sap_csaf_tree *tree, const struct sap_json *root)
{
	const struct sap_json *m;

	add_branches(tree, sap_json_get(root, "branches"), SAP_IMPORT_DEPTH_MAX);
	for (m = sap_json_first(sap_json_get(root, "full_product_names")); m; m = m->next)
		add(tree, m, NULL);
	for (m = sap_json_first(sap_json_get(root, "relationships")); m; m = m->next)
		add(tree, sap_json_get(m, "full_product_name"), m);
}

int sap_csaf_tree_read(const struct sap_json *product_tree, struct sap_arena *arena,
		       struct sap_csaf_tree *out, struct sap_err *err)
{
	struct sap_csaf_tree tree = { .arena = arena };

	add_all(&tree, product_tree);
	tree.v = sap_arena_array(arena, tree.n, sizeof(*tree.v));
	if (!tree.v)
		return sap_err_nomem(err);
	tree.n = 0;
	add_all(&tree, product_tree);
	qsort(tree.v, tree.n, sizeof(*tree.v), compare);
	for (size_t i = 0; i < tree.n; i++)
		tree.v[i].round = 0;
	*out = tree;
	return 0;
}

struct sap_csaf_product *sap_csaf_tree_find(const struct sap_csaf_tree *tree, struct sap_str id)
{
	uint64_t hash = sap_vex_hash(id);
	size_t lo = 0, hi = tree->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_id(hash, id, &tree->v[mid]) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < tree->n && by_id(hash, id, &tree->v[lo]) == 0 ? &tree->v[lo] : NULL;
}

/* ---- relationships ---------------------------------------------------------------------- */

/* Relationships inside relationships, in all: a package of a module of a product are two. */
#define NESTED_MAX 16

bool sap_csaf_parts(const struct sap_csaf_tree *tree, struct sap_csaf_product *product,
		    struct sap_csaf_parts *out)
{
	struct sap_csaf_product *stack[NESTED_MAX + 1], *leaves[NESTED_MAX + 1];
	unsigned depth = 0, n = 0, steps = 0;

	stack[depth++] = product;
	while (depth > 0) {
		struct sap_csaf_product *p = stack[--depth];

		if (p->component.n == 0 && p->platform.n == 0) {
			leaves[n++] = p;
			continue;
		}
		if (++steps > NESTED_MAX || depth + 2 + n > NESTED_MAX + 1)
			return false;
		stack[depth] = sap_csaf_tree_find(tree, p->platform);
		stack[depth + 1] = sap_csaf_tree_find(tree, p->component);
		if (!stack[depth] || !stack[depth + 1])
			return false;
		depth += 2;
	}
	*out = (struct sap_csaf_parts){ .package = leaves[0] };
	if (n > 1)
		out->platform = leaves[n - 1];
	if (n > 2)
		out->module = leaves[n - 2];
	return true;
}

/* ---- texts ------------------------------------------------------------------------------ */

/* The parts of a purl as they stand. */
struct purl {
	struct sap_str type, ns, name, version, qualifiers;
};

/* Cuts s at the last sep: false, *head all of s and *tail empty where there is none. */
static bool cut_last(struct sap_str s, char sep, struct sap_str *head, struct sap_str *tail)
{
	for (size_t i = s.n; i-- > 0;) {
		if (s.p[i] != sep)
			continue;
		*head = (struct sap_str){ s.p, i };
		*tail = sap_str_skip(s, i + 1);
		return true;
	}
	*head = s;
	*tail = (struct sap_str){ 0 };
	return false;
}

static bool purl_split(struct sap_str text, struct purl *out)
{
	struct sap_str rest, drop, path;

	if (!sap_str_starts(text, SAP_STR("pkg:")))
		return false;
	sap_str_cut(sap_str_skip(text, 4), '#', &rest, &drop);
	sap_str_cut(rest, '?', &rest, &out->qualifiers);
	while (rest.n > 0 && rest.p[0] == '/')
		rest = sap_str_skip(rest, 1);
	if (!sap_str_cut(rest, '/', &out->type, &path))
		return false;
	cut_last(path, '@', &path, &out->version);
	if (!cut_last(path, '/', &out->ns, &out->name)) {
		out->name = path;
		out->ns = (struct sap_str){ 0 };
	}
	return out->name.n > 0;
}

static bool qualifier(struct sap_str list, struct sap_str key, struct sap_str *out)
{
	struct sap_str item, name, value;

	while (list.n > 0) {
		sap_str_cut(list, '&', &item, &list);
		sap_str_cut(item, '=', &name, &value);
		if (sap_str_eq(name, key)) {
			*out = value;
			return value.n > 0;
		}
	}
	return false;
}

/* "NAME:STREAM" of "NAME:STREAM:VERSION:CONTEXT"; false: it has no stream. */
static bool module_of(struct sap_str s, struct sap_str *out)
{
	struct sap_str name, rest, stream, drop;

	if (!sap_str_cut(s, ':', &name, &rest))
		return false;
	sap_str_cut(rest, ':', &stream, &drop);
	if (name.n == 0 || stream.n == 0)
		return false;
	*out = (struct sap_str){ s.p, name.n + 1 + stream.n };
	return true;
}

static bool join(struct sap_arena *arena, const struct sap_str *parts, unsigned n,
		 struct sap_str *out)
{
	size_t len = 0, at = 0;
	char *p;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].n;
	p = sap_arena_alloc(arena, len);
	if (!p)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (parts[i].n)
			memcpy(p + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	*out = (struct sap_str){ p, len };
	return true;
}

/* ---- packages --------------------------------------------------------------------------- */

/* Notes an architecture; false: none that is known. */
static bool arch_of(struct sap_str word, struct sap_csaf_product *p)
{
	if (sap_str_is(word, "src") || sap_str_is(word, "nosrc")) {
		p->source = true;
		return true;
	}
	for (unsigned i = 0; i < SAP_CSAF_ARCHES; i++) {
		if (sap_str_eq(word, sap_str_of(sap_csaf_arches[i]))) {
			p->arch = 1u << i;
			return true;
		}
	}
	return false;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "NAME-[EPOCH:]VERSION-RELEASE.ARCH". */
static bool nevra(struct sap_str text, struct sap_csaf_product *p)
{
	struct sap_str rest, arch, release, name, version, epoch;

	if (!cut_last(text, '.', &rest, &arch) || !arch_of(arch, p))
		return false;
	if (!cut_last(rest, '-', &name, &release) || !cut_last(name, '-', &name, &version) ||
	    name.n == 0 || release.n == 0 || version.n == 0 || !digit(version.p[0]))
		return false;
	p->package = name;
	p->version = (struct sap_str){ version.p, version.n + 1 + release.n };
	if (sap_str_cut(version, ':', &epoch, &version) && sap_str_is(epoch, "0"))
		p->version = sap_str_skip(p->version, 2);
	return true;
}

/* What an identifier says by itself: a NEVRA, "NAME", "NAME.src", "MODULE:STREAM/NAME", any of
 * them with "::MODULE:STREAM" behind it. */
static void read_id(struct sap_csaf_product *p)
{
	struct sap_str text = p->id, module, name;

	for (size_t i = 0; i + 2 < text.n; i++) {
		if (text.p[i] != ':' || text.p[i + 1] != ':')
			continue;
		module_of(sap_str_skip(text, i + 2), &p->module);
		text.n = i;
		break;
	}
	p->kind = SAP_CSAF_PACKAGE;
	if (nevra(text, p))
		return;
	p->bare = true;
	if (sap_str_cut(text, '/', &module, &name)) {
		if (!module_of(module, &p->module))
			p->kind = SAP_CSAF_OTHER; /* a container's repository */
		text = name;
	}
	if (sap_str_ends(text, SAP_STR(".src")))
		text.n -= 4;
	if (text.n == 0 || memchr(text.p, '@', text.n) || memchr(text.p, ' ', text.n))
		p->kind = SAP_CSAF_OTHER;
	p->package = text;
	p->source = true;
}

/* What a purl of type rpm says. */
static bool read_rpm(const struct sap_csaf_tree *tree, const struct purl *purl,
		     struct sap_csaf_product *p)
{
	struct sap_str text = { 0 }, epoch = { 0 }, version, rest;

	if (!sap_vex_decode(tree->arena, purl->name, &p->package))
		return false;
	p->bare = false;
	p->source = sap_str_ends(p->id, SAP_STR(".src"));
	if (qualifier(purl->qualifiers, SAP_STR("arch"), &text)) {
		p->arch = 0;
		p->source = false;
		arch_of(text, p);
	}
	if (qualifier(purl->qualifiers, SAP_STR("rpmmod"), &text)) {
		if (!sap_vex_decode(tree->arena, text, &text))
			return false;
		if (!module_of(text, &p->module))
			p->kind = SAP_CSAF_BAD;
	}
	if (purl->version.n == 0)
		return true;
	if (!sap_vex_decode(tree->arena, purl->version, &version))
		return false;
	if (!qualifier(purl->qualifiers, SAP_STR("epoch"), &epoch) &&
	    (!sap_str_cut(p->version, ':', &epoch, &rest) || !sap_str_eq(rest, version)))
		epoch = (struct sap_str){ 0 };
	p->version = version;
	if (epoch.n == 0 || sap_str_is(epoch, "0"))
		return true;
	return join(tree->arena, (struct sap_str[]){ epoch, SAP_STR(":"), version }, 3,
		    &p->version);
}

int sap_csaf_package(const struct sap_csaf_tree *tree, struct sap_csaf_product *p,
		     struct sap_err *err)
{
	struct purl purl;

	if (p->kind != SAP_CSAF_UNREAD)
		return 0;
	read_id(p);
	if (p->purl.n == 0)
		return 0;
	p->kind = SAP_CSAF_OTHER;
	if (!purl_split(p->purl, &purl)) {
		p->kind = SAP_CSAF_BAD;
	} else if (sap_str_is(purl.type, "rpm")) {
		p->kind = SAP_CSAF_PACKAGE;
		if (!read_rpm(tree, &purl, p))
			return sap_err_nomem(err);
	} else if (sap_str_is(purl.type, "rpmmod") && purl.ns.n > 0) {
		struct sap_str drop, module;

		/* A package inside a module: "pkg:rpmmod/redhat/ruby:2.6/ruby". */
		if (cut_last(purl.ns, '/', &drop, &module)) {
			if (!sap_vex_decode(tree->arena, module, &module) ||
			    !sap_vex_decode(tree->arena, purl.name, &p->package))
				return sap_err_nomem(err);
			p->kind = module_of(module, &p->module) ? SAP_CSAF_PACKAGE : SAP_CSAF_BAD;
			p->source = true;
		}
	}
	return 0;
}

int sap_csaf_module(const struct sap_csaf_tree *tree, struct sap_csaf_product *p,
		    struct sap_str *out, struct sap_err *err)
{
	struct sap_str version, text, module = { 0 };
	struct purl purl;

	if (purl_split(p->purl, &purl) && sap_str_is(purl.type, "rpmmod") && purl.version.n > 0) {
		if (!sap_vex_decode(tree->arena, purl.version, &version) ||
		    !join(tree->arena, (struct sap_str[]){ purl.name, SAP_STR(":"), version }, 3,
			  &text))
			return sap_err_nomem(err);
	} else {
		text = p->id;
	}
	module_of(text, &module);
	*out = module;
	return 0;
}

/* ---- spaces ----------------------------------------------------------------------------- */

struct cpe {
	struct sap_str vendor, product, version, edition;
};

/* CPE 2.2 "cpe:/o:vendor:product:version:update:edition" and CPE 2.3
 * "cpe:2.3:o:vendor:product:version:update:edition:...", "*" and "-" as nothing. */
static bool cpe_split(struct sap_str text, struct cpe *out)
{
	struct sap_str part[6] = { { 0 } };

	if (sap_str_starts(text, SAP_STR("cpe:/")))
		text = sap_str_skip(text, 5);
	else if (sap_str_starts(text, SAP_STR("cpe:2.3:")))
		text = sap_str_skip(text, 8);
	else
		return false;
	for (unsigned i = 0; i < 6; i++) {
		sap_str_cut(text, ':', &part[i], &text);
		if (sap_str_is(part[i], "*") || sap_str_is(part[i], "-"))
			part[i] = (struct sap_str){ 0 };
	}
	*out = (struct cpe){ part[1], part[2], part[3], part[5] };
	return out->vendor.n > 0 && out->product.n > 0;
}

static bool contains(struct sap_str s, struct sap_str part)
{
	for (; s.n >= part.n; s = sap_str_skip(s, 1))
		if (sap_str_starts(s, part))
			return true;
	return false;
}

/* The product of an extended stream as Red Hat's CPEs up to RHEL 9 have it ("rhel_eus"); empty
 * for the main stream and for other products. */
static struct sap_str stream_of(const struct cpe *cpe, struct sap_str id)
{
	static const struct {
		struct sap_str word, id, product;
	} streams[] = {
		{ SAP_STR_INIT("eus"), SAP_STR_INIT(".EUS"), SAP_STR_INIT("rhel_eus") },
		{ SAP_STR_INIT("aus"), SAP_STR_INIT(".AUS"), SAP_STR_INIT("rhel_aus") },
		{ SAP_STR_INIT("tus"), SAP_STR_INIT(".TUS"), SAP_STR_INIT("rhel_tus") },
		{ SAP_STR_INIT("e4s"), SAP_STR_INIT(".E4S"), SAP_STR_INIT("rhel_e4s") },
		{ SAP_STR_INIT("els"), SAP_STR_INIT(".ELS"), SAP_STR_INIT("rhel_els") },
	};
	struct sap_str word = { 0 };
	bool minor;

	if (sap_str_starts(cpe->product, SAP_STR("enterprise_linux_")))
		word = sap_str_skip(cpe->product, 17);
	/* "enterprise_linux:8.6" is main, unless the product's own name tells otherwise. */
	minor = sap_str_is(cpe->product, "enterprise_linux") && cpe->version.n > 0 &&
		memchr(cpe->version.p, '.', cpe->version.n) && !contains(id, SAP_STR("MAIN"));
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		if (word.n > 0 ? sap_str_eq(word, streams[i].word)
			       : minor && contains(id, streams[i].id))
			return streams[i].product;
	}
	return (struct sap_str){ 0 };
}

static bool redhat_space(struct sap_arena *arena, const struct cpe *cpe, struct sap_str id,
			 struct sap_str *out)
{
	struct sap_str stream = stream_of(cpe, id), part[6] = { SAP_STR("Red Hat:") };
	bool main = sap_str_is(cpe->product, "enterprise_linux") && stream.n == 0, extended;
	unsigned n = 1;

	if (main) {
		struct sap_str minor;

		if (cpe->version.n == 0)
			return true; /* of no release: nothing that could be compared */
		sap_str_cut(cpe->version, '.', &part[n++], &minor);
		return join(arena, part, n, out);
	}
	extended = stream.n > 0 || sap_str_starts(cpe->product, SAP_STR("rhel_eus")) ||
		   sap_str_is(cpe->product, "rhel_aus") || sap_str_is(cpe->product, "rhel_tus") ||
		   sap_str_is(cpe->product, "rhel_e4s") || sap_str_is(cpe->product, "rhel_els");
	part[n++] = stream.n > 0 ? stream : cpe->product;
	if (cpe->version.n > 0) {
		part[n++] = SAP_STR(":");
		part[n++] = cpe->version;
	}
	/* Channels of an extended stream are one, as those of the main stream are. */
	if (cpe->edition.n > 0 && !extended) {
		part[n++] = SAP_STR("::");
		part[n++] = cpe->edition;
	}
	return join(arena, part, n, out);
}

int sap_csaf_space(const struct sap_csaf_tree *tree, struct sap_csaf_product *p,
		   struct sap_err *err)
{
	struct sap_str part[2] = { { 0 } };
	struct cpe cpe;
	bool ok = true;

	if (p->has_space)
		return 0;
	p->has_space = true;
	if (!cpe_split(p->cpe, &cpe))
		return 0;
	if (sap_str_is(cpe.vendor, "redhat")) {
		ok = redhat_space(tree->arena, &cpe, p->id, &p->space);
	} else if (sap_str_is(cpe.vendor, "suse") && sap_str_starts(p->name, SAP_STR("SUSE "))) {
		part[0] = SAP_STR("SUSE:");
		part[1] = sap_str_skip(p->name, 5);
		ok = join(tree->arena, part, 2, &p->space);
	} else if (sap_str_is(cpe.vendor, "opensuse") &&
		   sap_str_starts(p->name, SAP_STR("openSUSE "))) {
		part[0] = SAP_STR("openSUSE:");
		part[1] = sap_str_skip(p->name, 9);
		ok = join(tree->arena, part, 2, &p->space);
	}
	return ok ? 0 : sap_err_nomem(err);
}
