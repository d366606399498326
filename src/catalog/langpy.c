/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core metadata of Python packages: header fields as in mail (RFC 822), up to the first empty
 * line. Of a field that comes twice the first counts, as for importlib.metadata.
 */
#include <strings.h>

#include "catalog/language.h"

/* "Name: value". False: no field, and the header ends before it. */
static bool split(struct sap_str line, struct sap_str *name, struct sap_str *value)
{
	if (!sap_str_cut(line, ':', name, value) || name->n == 0)
		return false;
	for (size_t i = 0; i < name->n; i++) {
		if (name->p[i] <= ' ' || name->p[i] >= 0x7f)
			return false;
	}
	return true;
}

static bool is_field(struct sap_str name, const char *field, size_t n)
{
	return name.n == n && strncasecmp(name.p, field, n) == 0;
}

bool sap_language_python(struct sap_str text, struct sap_language_package *out)
{
	struct sap_language_package found = { .name = { 0 } };
	struct sap_str line, name, value;
	bool first = true;

	while (!(found.name.p && found.version.p) && sap_str_line(&text, &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		/* A mailbox's line may stand before the fields. */
		if (first && sap_str_starts(line, SAP_STR("From ")))
			continue;
		first = false;
		if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
			continue;
		if (!split(line, &name, &value))
			break;
		if (!found.name.p && is_field(name, "Name", 4))
			found.name = sap_str_trim(value);
		else if (!found.version.p && is_field(name, "Version", 7))
			found.version = sap_str_trim(value);
	}
	if (!sap_language_text_ok(found.name) || !sap_language_text_ok(found.version))
		return false;
	*out = found;
	return true;
}
