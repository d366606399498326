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

void sap_purl_put(struct sap_buf *out, const struct sap_purl *purl)
{
	char mark = '?';

	sap_buf_puts(out, SAP_STR("pkg:"));
	sap_buf_puts(out, sap_str_of(purl->type));
	sap_buf_putc(out, '/');
	if (purl->ns.n) {
		put_encoded(out, purl->ns, true);
		sap_buf_putc(out, '/');
	}
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

void sap_purl_put_package(struct sap_buf *out, const struct sap_facts *facts,
			  const struct sap_package *package)
{
	struct sap_str id = sap_facts_str(facts, facts->os.id);
	struct sap_str release = sap_facts_str(facts, facts->os.version_id);
	struct sap_str version = sap_facts_str(facts, package->version);
	struct sap_str epoch = { 0 };
	unsigned char room[256];
	struct sap_buf distro = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	if (release.n == 0)
		release = sap_facts_str(facts, facts->os.codename);
	if (id.n) {
		sap_buf_puts(&distro, id);
		if (release.n) {
			sap_buf_putc(&distro, '-');
			sap_buf_puts(&distro, release);
		}
		if (!sap_buf_ok(&distro)) /* longer than any real one */
			distro.n = 0;
	}
	if (package->type == SAP_PACKAGE_RPM)
		epoch = take_epoch(&version);

	const struct sap_purl_qualifier qualifiers[] = {
		{ "arch", sap_facts_str(facts, package->arch) },
		{ "distro", sap_buf_str(&distro) },
		{ "epoch", epoch },
	};

	sap_purl_put(out, &(struct sap_purl){
				  .type = sap_package_type_name(package->type),
				  .ns = id,
				  .name = sap_facts_str(facts, package->name),
				  .version = version,
				  .qualifiers = qualifiers,
				  .n_qualifiers = sizeof(qualifiers) / sizeof(qualifiers[0]),
				  .fold_name = package->type != SAP_PACKAGE_RPM,
			  });
}
