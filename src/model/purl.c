/* SPDX-License-Identifier: Apache-2.0 */
#include "model/purl.h"

static bool stands_for_itself(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_' || c == '~' || c == ':';
}

static void put_encoded(struct sap_buf *out, struct sap_str s, bool fold)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char *to = sap_buf_reserve(out, s.n * 3);
	size_t n = 0;

	if (!to)
		return;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (fold && c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (stands_for_itself(c)) {
			to[n++] = c;
			continue;
		}
		to[n++] = '%';
		to[n++] = (unsigned char)hex[c >> 4];
		to[n++] = (unsigned char)hex[c & 15];
	}
	out->n += n;
}

/* Empty segments are no segments. */
static void put_namespace(struct sap_buf *out, const struct sap_purl *purl)
{
	struct sap_str segment, rest = purl->ns;

	while (rest.n) {
		if (purl->ns_segments) {
			sap_str_cut(rest, '/', &segment, &rest);
		} else {
			segment = rest;
			rest.n = 0;
		}
		if (segment.n == 0)
			continue;
		put_encoded(out, segment, !purl->keep_ns);
		sap_buf_putc(out, '/');
	}
}

void sap_purl_put(struct sap_buf *out, const struct sap_purl *purl)
{
	char mark = '?';

	sap_buf_puts(out, SAP_STR("pkg:"));
	sap_buf_puts(out, sap_str_of(purl->type));
	sap_buf_putc(out, '/');
	put_namespace(out, purl);
	put_encoded(out, purl->name, purl->fold_name);
	if (purl->version.n) {
		sap_buf_putc(out, '@');
		put_encoded(out, purl->version, false);
	}
	for (uint32_t i = 0; i < purl->n_qualifiers; i++) {
		const struct sap_purl_qualifier *q = &purl->qualifiers[i];

		if (q->value.n == 0)
			continue;
		sap_buf_putc(out, mark);
		sap_buf_puts(out, sap_str_of(q->key));
		sap_buf_putc(out, '=');
		put_encoded(out, q->value, false);
		mark = '&';
	}
}

/* "1:2.3-4" is version "2.3-4" and epoch "1". */
static struct sap_str take_epoch(struct sap_str *version)
{
	struct sap_str epoch, rest;
	uint64_t number;

	if (!sap_str_cut(*version, ':', &epoch, &rest) || !sap_str_u64(epoch, &number))
		return (struct sap_str){ 0 };
	*version = rest;
	return number ? epoch : (struct sap_str){ 0 };
}

/* What a purl of a system's package is made of. */
struct parts {
	const char *type;
	struct sap_str os, release, arch, name, version;
};

static void put_parts(struct sap_buf *out, const struct parts *parts)
{
	struct sap_str version = parts->version, epoch = { 0 };
	bool rpm = strcmp(parts->type, "rpm") == 0;
	unsigned char room[256];
	struct sap_buf distro = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	if (parts->os.n) {
		sap_buf_puts(&distro, parts->os);
		if (parts->release.n) {
			sap_buf_putc(&distro, '-');
			sap_buf_puts(&distro, parts->release);
		}
		if (!sap_buf_ok(&distro)) /* longer than any real one */
			distro.n = 0;
	}
	if (rpm)
		epoch = take_epoch(&version);

	const struct sap_purl_qualifier qualifiers[] = {
		{ "arch", parts->arch },
		{ "distro", sap_buf_str(&distro) },
		{ "epoch", epoch },
	};

	sap_purl_put(out, &(struct sap_purl){
				  .type = parts->type,
				  .ns = parts->os,
				  .name = parts->name,
				  .version = version,
				  .qualifiers = qualifiers,
				  .n_qualifiers = sizeof(qualifiers) / sizeof(qualifiers[0]),
				  .fold_name = !rpm,
			  });
}

static struct sap_str release_of(const struct sap_facts *facts)
{
	struct sap_str release = sap_facts_str(facts, facts->os.version_id);

	return release.n ? release : sap_facts_str(facts, facts->os.codename);
}

/* ---- packages of languages -------------------------------------------------------------- */

/* PEP 503: "Zope._Interface" is "zope-interface". Valid until the next put into room. */
static struct sap_str fold_pypi(struct sap_str name, struct sap_buf *room)
{
	bool dash = false;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '-' || c == '_' || c == '.') {
			if (!dash)
				sap_buf_putc(room, '-');
			dash = true;
			continue;
		}
		dash = false;
		sap_buf_putc(room, c);
	}
	return sap_buf_ok(room) ? sap_buf_str(room) : name;
}

/* The name up to its last '/' is the namespace, the rest stays. */
static void cut_namespace(struct sap_purl *purl)
{
	struct sap_str base = sap_path_base(purl->name);

	if (base.n == 0 || base.n == purl->name.n)
		return;
	purl->ns = (struct sap_str){ purl->name.p, purl->name.n - base.n - 1 };
	purl->name = base;
}

static void put_language(struct sap_buf *out, const struct sap_facts *facts,
			 const struct sap_package *package)
{
	const struct sap_purl_qualifier platform = { "platform",
						     sap_facts_str(facts, package->arch) };
	struct sap_purl purl = { .type = sap_package_type_name(package->type),
				 .name = sap_facts_str(facts, package->name),
				 .version = sap_facts_str(facts, package->version) };
	struct sap_buf room;

	sap_buf_init(&room, SIZE_MAX / 2);
	switch (package->type) {
	case SAP_PACKAGE_PYPI:
		purl.fold_name = true;
		purl.name = fold_pypi(purl.name, &room);
		break;
	case SAP_PACKAGE_NPM:
		purl.keep_ns = true;
		if (purl.name.n && purl.name.p[0] == '@')
			cut_namespace(&purl);
		break;
	case SAP_PACKAGE_GOLANG:
		purl.fold_name = true;
		purl.ns_segments = true;
		cut_namespace(&purl);
		break;
	default:
		purl.qualifiers = &platform;
		purl.n_qualifiers = 1;
		break;
	}
	sap_purl_put(out, &purl);
	sap_buf_clear(&room);
}

/* ----------------------------------------------------------------------------------------- */

void sap_purl_put_package(struct sap_buf *out, const struct sap_facts *facts,
			  const struct sap_package *package)
{
	if (sap_package_type_is_language(package->type)) {
		put_language(out, facts, package);
		return;
	}
	put_parts(out, &(struct parts){ .type = sap_package_type_name(package->type),
					.os = sap_facts_str(facts, facts->os.id),
					.release = release_of(facts),
					.arch = sap_facts_str(facts, package->arch),
					.name = sap_facts_str(facts, package->name),
					.version = sap_facts_str(facts, package->version) });
}

void sap_purl_put_source_of(struct sap_buf *out, const char *type, struct sap_str os,
			    struct sap_str release, struct sap_str name, struct sap_str version)
{
	struct sap_str arch = { 0 };

	if (strcmp(type, "deb") == 0)
		arch = SAP_STR("source");
	else if (strcmp(type, "rpm") == 0)
		arch = SAP_STR("src");
	put_parts(out, &(struct parts){ .type = type,
					.os = os,
					.release = release,
					.arch = arch,
					.name = name,
					.version = version });
}

void sap_purl_put_source(struct sap_buf *out, const struct sap_facts *facts,
			 enum sap_package_type type, struct sap_str name, struct sap_str version)
{
	sap_purl_put_source_of(out, sap_package_type_name(type), sap_facts_str(facts, facts->os.id),
			       release_of(facts), name, version);
}
