/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "catalog/catalog_int.h"

int sap_notes_add(struct sap_notes *notes, uint64_t offset, const char *code, struct sap_err *err,
		  const char *fmt, ...)
{
	char text[SAP_ERR_TEXT_MAX];
	va_list ap;

	if (notes->n > SAP_DB_NOTES_MAX)
		return 0;
	if (notes->n++ == SAP_DB_NOTES_MAX)
		return sap_sink_note(notes->sink, notes->path, offset, "limit", err,
				     "more than %u faults in this file; the others are not listed",
				     SAP_DB_NOTES_MAX);
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return sap_sink_note(notes->sink, notes->path, offset, code, err, "%s", text);
}

int sap_catalog_put_package(struct sap_catalog *catalog, struct sap_rec_package *rec,
			    struct sap_notes *notes, struct sap_err *err)
{
	int r;

	if (catalog->next_id > SAP_PACKAGES_MAX) {
		if (catalog->next_id++ > SAP_PACKAGES_MAX + 1)
			return 0;
		return sap_notes_add(notes, 0, "limit", err,
				     "more than %u packages; the others are left out",
				     SAP_PACKAGES_MAX);
	}
	rec->id = catalog->next_id++;
	r = catalog->sink->package(catalog->sink, rec, err);
	return r < 0 ? r : 1;
}

int sap_catalog_put_file(struct sap_catalog *catalog, const struct sap_rec_file *rec,
			 struct sap_notes *notes, struct sap_err *err)
{
	if (catalog->n_files >= SAP_FILES_MAX) {
		if (catalog->n_files++ > SAP_FILES_MAX)
			return 0;
		return sap_notes_add(notes, 0, "limit", err,
				     "more than %u owned files; the others are left out",
				     SAP_FILES_MAX);
	}
	catalog->n_files++;
	return catalog->sink->file(catalog->sink, rec, err);
}

int sap_catalog_fault(struct sap_catalog *catalog, struct sap_str path, const struct sap_err *fault,
		      struct sap_err *err)
{
	if (fault->code == SAP_ENOENT)
		return 0;
	if (fault->code == SAP_ENOMEM)
		return sap_err_nomem(err);
	return sap_sink_fault(catalog->sink, path, fault, err);
}

int sap_catalog_slurp(struct sap_catalog *catalog, struct sap_str path, uint64_t max,
		      struct sap_arena *arena, struct sap_span *out, struct sap_err *err)
{
	struct sap_err fault = { 0 };

	if (sap_input_read(catalog->input, path, max, arena, out, &fault) == 0)
		return 1;
	return sap_catalog_fault(catalog, path, &fault, err);
}

int sap_relations_add(struct sap_relations *list, enum sap_relation_kind kind, struct sap_str text,
		      struct sap_err *err)
{
	struct sap_rec_relation *relation;

	if (list->n >= SAP_RELATIONS_MAX) {
		list->full = true;
		return 0;
	}
	relation = SAP_VEC_PUSH(list, SAP_RELATIONS_MAX);
	if (!relation)
		return sap_err_nomem(err);
	*relation = (struct sap_rec_relation){ .kind = kind, .text = text };
	return 0;
}
