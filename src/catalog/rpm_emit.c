/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "catalog/rpm_int.h"

/* What one package may need beside its header: paths, versions, relations. */
#define ARENA_MAX (2 * SAP_RPM_HEADER_MAX)

static int emit_fault(struct sap_rpm_visit *visit, const struct sap_err *fault, struct sap_err *err)
{
	struct sap_rpm_emit *emit = (struct sap_rpm_emit *)visit;

	/* Another database than the last time counts anew. */
	if (emit->notes.path.p != emit->database.p)
		emit->notes =
			(struct sap_notes){ .sink = emit->catalog->sink, .path = emit->database };
	return sap_notes_add(&emit->notes, fault->offset, sap_code_name(fault->code), err, "%s",
			     fault->text);
}

static int emit_package(struct sap_rpm_emit *emit, const struct sap_rpm_header *header,
			struct sap_rec_package *rec, struct sap_err *fault, struct sap_err *err)
{
	int r;

	rec->database = emit->database;
	if (emit->reasons)
		rec->auto_installed = sap_rpm_reasons_get(emit->reasons, rec->name, rec->arch);
	r = sap_catalog_put_package(emit->catalog, rec, &emit->notes, err);
	if (r <= 0)
		return r;
	emit->packages++;
	if (!emit->catalog->without_files) {
		r = sap_rpm_emit_files(emit, header, rec->id, fault, err);
		if (r < 0)
			return r;
	}
	if (!fault->code)
		return 0;
	sap_err_wrap(fault, "package %.*s", SAP_FMT(rec->name));
	return emit_fault(&emit->visit, fault, err);
}

static int emit_header(struct sap_rpm_visit *visit, struct sap_span blob, struct sap_err *err)
{
	struct sap_rpm_emit *emit = (struct sap_rpm_emit *)visit;
	struct sap_err fault = { 0 }, reason = { 0 };
	struct sap_rec_package rec = { 0 };
	struct sap_rpm_header header;
	int r;

	sap_arena_reset(&emit->arena);
	r = sap_rpm_header_parse(blob, &header, &fault, &reason);
	if (r == 0)
		r = sap_rpm_header_package(&header, &emit->arena, &rec, &fault, &reason);
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (r < 0)
		return emit_fault(visit, &reason, err);
	return emit_package(emit, &header, &rec, &fault, err);
}

void sap_rpm_emit_open(struct sap_rpm_emit *emit, struct sap_str database)
{
	emit->database = database;
	emit->notes = (struct sap_notes){ .sink = emit->catalog->sink, .path = database };
}

void sap_rpm_emit_init(struct sap_rpm_emit *emit, struct sap_catalog *catalog)
{
	*emit = (struct sap_rpm_emit){
		.visit = { .header = emit_header, .fault = emit_fault },
		.catalog = catalog,
	};
	sap_arena_init(&emit->arena, ARENA_MAX);
	sap_buf_init(&emit->path, SAP_PATH_MAX);
}

void sap_rpm_emit_clear(struct sap_rpm_emit *emit)
{
	sap_arena_clear(&emit->arena);
	sap_buf_clear(&emit->path);
}
