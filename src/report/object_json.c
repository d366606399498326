/* SPDX-License-Identifier: Apache-2.0 */
#include "model/machine.h"
#include "report/report_int.h"

enum { ET_REL = 1, ET_EXEC = 2, ET_DYN = 3, ET_CORE = 4 };

static const char *type_name(uint16_t type)
{
	switch (type) {
	case ET_REL:
		return "relocatable";
	case ET_EXEC:
		return "executable";
	case ET_DYN:
		return "shared";
	case ET_CORE:
		return "core";
	default:
		return "other";
	}
}

static void put_identity(struct sap_json *json, const struct sap_facts *facts,
			 const struct sap_object *o)
{
	const char *machine = sap_machine_name(o->machine);

	sap_json_name(json, "type", type_name(o->type));
	sap_json_name(json, "machine", machine);
	if (sap_str_is(sap_str_of(machine), "unknown"))
		sap_json_u64(json, "e_machine", o->machine);
	sap_json_u64(json, "class", o->elf_class == 1 ? 32 : 64);
	sap_json_name(json, "endian", o->endian == 2 ? "big" : "little");
	if (o->build_id)
		sap_json_hex(json, "build_id", sap_facts_str(facts, o->build_id));
	sap_json_u64(json, "size", o->size);
}

static void put_hardening(struct sap_json *json, const struct sap_object *o)
{
	const char *relro = o->flags & SAP_OBJ_BIND_NOW ? "full" : "partial";

	sap_json_bool(json, "static", o->flags & SAP_OBJ_STATIC);
	sap_json_bool(json, "pie", o->flags & SAP_OBJ_PIE);
	sap_json_bool(json, "setuid", o->mode & 04000);
	sap_json_bool(json, "setgid", o->mode & 02000);
	sap_json_name(json, "relro", o->flags & SAP_OBJ_RELRO ? relro : "none");
	sap_json_bool(json, "bind_now", o->flags & SAP_OBJ_BIND_NOW);
	sap_json_bool(json, "textrel", o->flags & SAP_OBJ_TEXTREL);
	if (!(o->flags & SAP_OBJ_NO_STACK_NOTE))
		sap_json_bool(json, "exec_stack", o->flags & SAP_OBJ_EXECSTACK);
	sap_json_bool(json, "rwx", o->flags & SAP_OBJ_RWX);
	sap_json_bool(json, "nodeflib", o->flags & SAP_OBJ_NODEFLIB);
}

static uint32_t version_at(const void *ctx, uint32_t i)
{
	return ((const struct sap_verneed *)ctx)[i].version;
}

static uint32_t weak_at(const void *ctx, uint32_t i)
{
	const struct sap_verneed *v = (const struct sap_verneed *)ctx + i;

	return v->weak ? v->version : SAP_NONE;
}

/* Versions needed, grouped by file: those of one file stand together in the object. */
static void put_version_needs(struct sap_json *json, const struct sap_facts *facts,
			      struct sap_range range)
{
	sap_json_list(json, "version_needs");
	for (uint32_t i = 0, n; i < range.n; i += n) {
		const struct sap_verneed *v = &facts->verneeds.v[range.at + i];
		bool weak = false;

		for (n = 0; i + n < range.n && v[n].file == v->file; n++)
			weak = weak || v[n].weak;
		sap_json_object(json, NULL);
		sap_json_text(json, "file", sap_facts_str(facts, v->file));
		sap_report_json_each(json, "versions", facts, n, version_at, v);
		if (weak)
			sap_report_json_each(json, "weak", facts, n, weak_at, v);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_symbols(struct sap_json *json, const struct sap_facts *facts,
			const struct sap_object *o)
{
	bool read = o->flags & SAP_OBJ_SYMBOLS_READ;

	if (read) {
		sap_json_object(json, "symbols");
		sap_json_u64(json, "defined", o->n_defined);
		sap_json_u64(json, "imported", o->n_imported);
		sap_json_u64(json, "ifuncs", o->n_ifuncs);
		sap_json_close(json);
	}
	if (read || o->n_irelative)
		sap_json_u64(json, "irelative", o->n_irelative);
	if (read || o->n_constructors)
		sap_json_u64(json, "constructors", o->n_constructors);
	if (read) {
		sap_report_json_ids(json, "uses", facts, o->uses);
		sap_report_json_ids(json, "dlopen_strings", facts, o->dlopen_strings);
	}
}

static void put_notes(struct sap_json *json, const struct sap_facts *facts,
		      const struct sap_object *o)
{
	sap_json_list(json, "dlopen_notes");
	for (uint32_t i = 0; i < o->dlopen_notes.n; i++) {
		const struct sap_dlopen_note *note = &facts->dlopen_notes.v[o->dlopen_notes.at + i];

		sap_json_object(json, NULL);
		sap_json_text(json, "feature", sap_facts_str(facts, note->feature));
		sap_json_text(json, "description", sap_facts_str(facts, note->description));
		sap_json_text(json, "priority", sap_facts_str(facts, note->priority));
		sap_report_json_ids(json, "sonames", facts, note->sonames);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_package_note(struct sap_json *json, const struct sap_facts *facts,
			     const struct sap_package_note *note)
{
	const struct {
		const char *key;
		uint32_t id;
	} texts[] = {
		{ "type", note->type },       { "name", note->name },
		{ "version", note->version }, { "arch", note->arch },
		{ "os", note->os },           { "os_version", note->os_version },
		{ "cpe", note->cpe },         { "debug_info_url", note->debug_info_url },
	};

	if (!note->name && !note->type)
		return;
	sap_json_object(json, "package_note");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		sap_json_text(json, texts[i].key, sap_facts_str(facts, texts[i].id));
	sap_json_close(json);
}

/* What only loadable objects have. */
static void put_loading(struct sap_json *json, const struct sap_facts *facts,
			const struct sap_object *o)
{
	sap_json_text(json, "soname", sap_facts_str(facts, o->soname));
	sap_json_text(json, "interpreter", sap_facts_str(facts, o->interp));
	sap_report_json_ids(json, "needed", facts, o->needed);
	sap_json_text(json, "rpath", sap_facts_str(facts, o->rpath));
	sap_json_text(json, "runpath", sap_facts_str(facts, o->runpath));
	sap_report_json_ids(json, "filters", facts, o->filters);
	sap_report_json_ids(json, "auxiliaries", facts, o->auxiliaries);
	put_hardening(json, o);
	put_version_needs(json, facts, o->verneeds);
	sap_report_json_ids(json, "version_definitions", facts, o->verdefs);
	put_symbols(json, facts, o);
	sap_json_u64(json, "mapped_bytes", o->mapped_bytes);
	sap_json_u64(json, "code_bytes", o->code_bytes);
	put_notes(json, facts, o);
}

static void put_state(struct sap_json *json, const struct sap_object_state *s)
{
	sap_json_name(json, "state", sap_state_name(s->state));
	if (s->state == SAP_STATE_EXECUTED)
		sap_json_bool(json, "load_time_only", s->load_time_only);
	if (s->exposure != SAP_EXPOSURE_UNKNOWN)
		sap_json_name(json, "exposure", sap_exposure_name(s->exposure));
	if (s->stale)
		sap_json_bool(json, "stale", true);
	if (s->contradicted)
		sap_json_bool(json, "contradicted", true);
}

void sap_object_json(struct sap_report *report, struct sap_json *json,
		     const struct sap_facts *facts, uint32_t index,
		     const struct sap_object_state *state)
{
	const struct sap_object *o = &facts->objects.v[index];

	sap_json_object(json, NULL);
	sap_json_text(json, "path", sap_facts_str(facts, o->path));
	sap_report_json_owner(report, json, facts, index);
	put_identity(json, facts, o);
	if (o->type == ET_EXEC || o->type == ET_DYN)
		put_loading(json, facts, o);
	put_package_note(json, facts, &o->note);
	sap_json_bool(json, "damaged", o->flags & SAP_OBJ_DAMAGED);
	if (state)
		put_state(json, state);
	sap_json_close(json);
}
