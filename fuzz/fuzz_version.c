/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of any bytes in any scheme: the order must be one. The first byte is the scheme, the
 * rest three versions, cut at the first two NULs or line ends.
 */
#include <stdlib.h>

#include "version/version.h"

struct version {
	char *memory; /* exactly as long as the text, so that ASan sees one byte too far */
	struct sap_str text;
	bool valid;
};

static void take(struct version *v, enum sap_version_scheme scheme, const uint8_t **data,
		 size_t *left, bool last)
{
	size_t n = 0;

	while (n < *left && (last || ((*data)[n] != '\0' && (*data)[n] != '\n')))
		n++;
	v->memory = malloc(n ? n : 1);
	if (!v->memory)
		exit(1);
	if (n > 0)
		memcpy(v->memory, *data, n);
	v->text = (struct sap_str){ v->memory, n };
	v->valid = sap_version_valid(scheme, v->text);
	if (v->valid != sap_version_valid(scheme, v->text) || (v->valid && n == 0))
		abort();
	n += n < *left;
	*data += n;
	*left -= n;
}

static void check_pair(enum sap_version_scheme scheme, const struct version *a,
		       const struct version *b)
{
	int r = sap_version_cmp(scheme, a->text, b->text);
	int s = sap_version_cmp(scheme, b->text, a->text);

	if ((r < 0) != (s > 0) || (r == 0) != (s == 0))
		abort();
	if (sap_str_eq(a->text, b->text) && r != 0)
		abort();
	if (scheme == SAP_VERSION_NONE)
		return;
	if (a->valid && b->valid && sap_version_cmp_valid(scheme, a->text, b->text) != r)
		abort();
	if (a->valid != b->valid && (r > 0) != a->valid)
		abort();
	if (!a->valid && !b->valid && (r < 0) != (sap_str_cmp(a->text, b->text) < 0))
		abort();
}

/* PHP's "#" equals the end and any number, which no order allows: see packagist.c. */
static bool has_no_place(enum sap_version_scheme scheme, struct sap_str v)
{
	return scheme == SAP_VERSION_PACKAGIST && v.n > 0 && memchr(v.p, '#', v.n);
}

static void check_triple(enum sap_version_scheme scheme, struct sap_str a, struct sap_str b,
			 struct sap_str c)
{
	int ab = sap_version_cmp(scheme, a, b), bc = sap_version_cmp(scheme, b, c);
	int ac = sap_version_cmp(scheme, a, c);

	if (ab > 0 || bc > 0 || has_no_place(scheme, a) || has_no_place(scheme, b) ||
	    has_no_place(scheme, c))
		return;
	if (ab == 0 && bc == 0 ? ac != 0 : ac >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sap_version_scheme scheme;
	struct version v[3];

	if (size == 0)
		return 0;
	scheme = (enum sap_version_scheme)(*data % SAP_VERSION_SCHEMES);
	data++;
	size--;
	for (int i = 0; i < 3; i++)
		take(&v[i], scheme, &data, &size, i == 2);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			check_pair(scheme, &v[i], &v[j]);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			for (int k = 0; k < 3; k++)
				check_triple(scheme, v[i].text, v[j].text, v[k].text);
	for (int i = 0; i < 3; i++)
		free(v[i].memory);
	return 0;
}
