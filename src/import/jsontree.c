/* SPDX-License-Identifier: Apache-2.0 */
#include "import/jsontree.h"

bool sap_json_is(const struct sap_json *value, enum sap_json_kind kind)
{
	return value && value->kind == kind;
}

/* Of two members with one name the last counts, as in most readers. */
const struct sap_json *sap_json_find(const struct sap_json *object, struct sap_str name)
{
	const struct sap_json *found = NULL;

	if (!sap_json_is(object, SAP_JSON_OBJECT))
		return NULL;
	for (const struct sap_json *m = object->first; m; m = m->next) {
		/* Most names differ in their first byte: that spares the call. */
		if (m->key.n == name.n &&
		    (name.n == 0 || (m->key.p[0] == name.p[0] && sap_str_eq(m->key, name))))
			found = m;
	}
	return found;
}

struct sap_str sap_json_string(const struct sap_json *value)
{
	return sap_json_is(value, SAP_JSON_STRING) ? value->text : (struct sap_str){ 0 };
}
