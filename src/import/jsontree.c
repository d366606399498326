/* SPDX-License-Identifier: Apache-2.0 */
#include "import/jsontree.h"

bool sap_json_is(const struct sap_json *value, enum sap_json_kind kind)
{
	return value && value->kind == kind;
}

/* Of two members with one name the last counts, as in most readers. */
const struct sap_json *sap_json_get(const struct sap_json *object, const char *key)
{
	struct sap_str want = sap_str_of(key);
	const struct sap_json *found = NULL;

	if (!sap_json_is(object, SAP_JSON_OBJECT))
		return NULL;
	for (const struct sap_json *m = object->first; m; m = m->next) {
		if (sap_str_eq(m->key, want))
			found = m;
	}
	return found;
}

struct sap_str sap_json_string(const struct sap_json *value)
{
	return sap_json_is(value, SAP_JSON_STRING) ? value->text : (struct sap_str){ 0 };
}

struct sap_str sap_json_text(const struct sap_json *object, const char *key)
{
	return sap_json_string(sap_json_get(object, key));
}
