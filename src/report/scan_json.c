/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include <string.h>

#include "report/report_int.h"

struct text {
	const char *key;
	uint32_t id;
};

static void put_texts(struct sap_json *json, const struct sap_facts *facts,
		      const struct text *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sap_json_text(json, texts[i].key, sap_facts_str(facts, texts[i].id));
}

#define PUT_TEXTS(json, facts, texts) \
	put_texts((json), (facts), (texts), sizeof(texts) / sizeof((texts)[0]))

static void put_tristate(struct sap_json *json, const char *key, uint8_t state)
{
	if (state != SAP_UNKNOWN)
		sap_json_bool(json, key, state == SAP_YES);
}

static void put_os(struct sap_json *json, const struct sap_facts *facts)
{
	const struct sap_os *os = &facts->os;
	const struct text texts[] = {
		{ "source", os->source },
		{ "id", os->id },
		{ "version_id", os->version_id },
		{ "codename", os->codename },
		{ "name", os->name },
		{ "pretty_name", os->pretty_name },
		{ "variant_id", os->variant_id },
		{ "build_id", os->build_id },
		{ "cpe_name", os->cpe_name },
		{ "point_release", os->point_release },
	};
	struct sap_str like = sap_facts_str(facts, os->id_like);
	struct sap_str word;

	if (!facts->has_os)
		return;
	sap_json_object(json, "os");
	PUT_TEXTS(json, facts, texts);
	if (like.n) {
		sap_json_list(json, "id_like");
		while (sap_str_word(&like, &word))
			sap_json_str(json, NULL, word);
		sap_json_close(json);
	}
	sap_json_close(json);
}

uint32_t sap_scan_count_unowned(const struct sap_facts *facts)
{
	uint32_t n = 0;

	for (size_t i = 0; i < facts->objects.n; i++)
		n += facts->objects.v[i].package == SAP_NONE;
	return n;
}

uint32_t sap_scan_count_languages(const struct sap_facts *facts)
{
	uint32_t n = 0;

	for (size_t i = 0; i < facts->packages.n; i++)
		n += sap_package_type_is_language(facts->packages.v[i].type);
	return n;
}

static void put_summary(struct sap_json *json, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_radius *radius = view->radius;
	uint64_t enabled = 0;

	for (size_t i = 0; i < facts->services.n; i++)
		enabled += facts->services.v[i].enabled == SAP_YES;

	const struct {
		const char *key;
		uint64_t n;
	} counts[] = {
		{ "packages", facts->packages.n },
		{ "language_packages", sap_scan_count_languages(facts) },
		{ "objects", facts->objects.n },
		{ "programs", radius->n_programs },
		{ "dynamic_programs", radius->n_dynamic },
		{ "static_programs", radius->n_programs - radius->n_dynamic },
		{ "services", facts->services.n },
		{ "enabled_services", enabled },
		{ "unowned", sap_scan_count_unowned(facts) },
		{ "programs_with_missing", radius->n_missing },
		{ "diagnostics", facts->diagnostics.n },
		{ "diagnostics_dropped", facts->diagnostics_dropped },
		{ "files", facts->stats.files },
		{ "folders", facts->stats.dirs },
		{ "symlinks", facts->stats.symlinks },
		{ "specials", facts->stats.specials },
		{ "unreadable", facts->stats.unreadable },
		{ "skipped_mounts", facts->stats.skipped_mounts },
	};

	const bool owners_known = sap_report_owners_known(facts);

	sap_json_object(json, "summary");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (owners_known || strcmp(counts[i].key, "unowned") != 0)
			sap_json_u64(json, counts[i].key, counts[i].n);
	}
	sap_json_close(json);
}

/* RFC 3339, to the second, UTC; nothing for a time that it cannot write. */
static void put_time(struct sap_json *json, const char *key, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (seconds <= 0 || seconds > 253402300799 || !gmtime_r(&t, &tm)) /* 9999-12-31 */
		return;
	if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		sap_json_name(json, key, text);
}

struct relation_list {
	const struct sap_relation *v;
	uint32_t kind;
};

static uint32_t relation_at(const void *ctx, uint32_t i)
{
	const struct relation_list *list = ctx;

	return list->v[i].kind == list->kind ? list->v[i].text : SAP_NONE;
}

static bool has_kind(const struct sap_relation *v, uint32_t n, uint32_t kind)
{
	for (uint32_t i = 0; i < n; i++) {
		if (v[i].kind == kind)
			return true;
	}
	return false;
}

static void put_relations(struct sap_json *json, const struct sap_facts *facts,
			  struct sap_range range)
{
	static const char *const keys[SAP_REL_KINDS] = {
		[SAP_REL_DEPENDS] = "depends",       [SAP_REL_PRE_DEPENDS] = "pre_depends",
		[SAP_REL_RECOMMENDS] = "recommends", [SAP_REL_SUGGESTS] = "suggests",
		[SAP_REL_PROVIDES] = "provides",     [SAP_REL_CONFLICTS] = "conflicts",
	};
	struct relation_list list;

	if (range.n == 0)
		return;
	list.v = &facts->relations.v[range.at];
	sap_json_object(json, "relations");
	for (uint32_t kind = SAP_REL_DEPENDS; kind < SAP_REL_KINDS; kind++) {
		list.kind = kind;
		if (has_kind(list.v, range.n, kind))
			sap_report_json_each(json, keys[kind], facts, range.n, relation_at, &list);
	}
	sap_json_close(json);
}

static void put_package_state(struct sap_json *json, const struct sap_package_state *p)
{
	sap_json_name(json, "state", sap_state_name(p->state));
	if (p->state == SAP_STATE_EXECUTED)
		sap_json_bool(json, "load_time_only", p->load_time_only);
	if (p->exposure != SAP_EXPOSURE_UNKNOWN)
		sap_json_name(json, "exposure", sap_exposure_name(p->exposure));
	if (p->stale)
		sap_json_bool(json, "stale", true);
}

static void put_package(struct sap_report *report, struct sap_json *json,
			const struct sap_facts *facts, uint32_t index,
			const struct sap_package_state *state)
{
	const struct sap_package *p = &facts->packages.v[index];
	const struct text texts[] = {
		{ "name", p->name },
		{ "version", p->version },
		{ "arch", p->arch },
		{ "source", p->source },
		{ "source_version", p->source_version },
		{ "origin", p->vendor },
		{ "licence", p->licence },
		{ "maintainer", p->maintainer },
		{ "section", p->section },
		{ "modularity", p->modularity },
		{ "database", p->database },
	};

	sap_json_object(json, NULL);
	sap_json_ascii(json, "purl", sap_report_purl(report, facts, index));
	sap_json_name(json, "type", sap_package_type_name(p->type));
	PUT_TEXTS(json, facts, texts);
	put_time(json, "install_time", p->install_time);
	if (p->installed_size)
		sap_json_u64(json, "installed_size", p->installed_size);
	put_tristate(json, "auto_installed", p->auto_installed);
	put_tristate(json, "essential", p->essential);
	sap_json_bool(json, "broken", p->broken);
	/* Which files belong to a package of a language is not looked at. */
	if (!sap_package_type_is_language(p->type))
		sap_json_u64(json, "files", p->files.n);
	put_relations(json, facts, p->relations);
	if (state)
		put_package_state(json, state);
	sap_json_close(json);
}

static void put_programs(struct sap_json *json, const struct sap_scan_view *view)
{
	sap_json_list(json, "programs");
	for (uint32_t i = 0; i < view->radius->n_objects; i++) {
		const struct sap_radius_object *o = &view->radius->objects[i];

		if (!o->is_program)
			continue;
		sap_json_object(json, NULL);
		sap_json_text(json, "program", sap_report_path(view->facts, i));
		sap_json_u64(json, "count", o->libraries);
		sap_json_u64(json, "direct", o->direct);
		sap_json_u64(json, "missing", o->missing);
		sap_json_bool(json, "static", o->is_static);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_libraries(struct sap_report *report, struct sap_json *json,
			  const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;

	sap_json_list(json, "libraries");
	for (uint32_t i = 0; i < view->radius->n_objects; i++) {
		const struct sap_radius_object *o = &view->radius->objects[i];

		if (o->programs == 0)
			continue;
		sap_json_object(json, NULL);
		sap_json_text(json, "path", sap_report_path(facts, i));
		sap_json_text(json, "soname", sap_facts_str(facts, facts->objects.v[i].soname));
		sap_report_json_owner(report, json, facts, i);
		sap_json_u64(json, "programs", o->programs);
		sap_json_u64(json, "services", o->services);
		sap_json_u64(json, "enabled_services", o->enabled);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_services(struct sap_json *json, const struct sap_facts *facts)
{
	sap_json_list(json, "services");
	for (size_t i = 0; i < facts->services.n; i++) {
		const struct sap_service *s = &facts->services.v[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "name", sap_facts_str(facts, s->name));
		sap_json_name(json, "kind", s->kind == SAP_SERVICE_SYSTEMD ? "systemd" : "init");
		sap_json_text(json, "path", sap_facts_str(facts, s->path));
		sap_json_text(json, "user", sap_facts_str(facts, s->user));
		put_tristate(json, "enabled", s->enabled);
		sap_report_json_ids(json, "programs", facts, s->programs);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static uint32_t unowned_at(const void *ctx, uint32_t i)
{
	const struct sap_object *o = (const struct sap_object *)ctx + i;

	return o->package == SAP_NONE ? o->path : SAP_NONE;
}

static void put_diagnostics(struct sap_json *json, const struct sap_facts *facts)
{
	sap_json_list(json, "diagnostics");
	for (size_t i = 0; i < facts->diagnostics.n; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "path", sap_facts_str(facts, d->path));
		if (d->offset)
			sap_json_u64(json, "offset", d->offset);
		sap_json_text(json, "code", sap_facts_str(facts, d->code));
		sap_json_text(json, "message", sap_facts_str(facts, d->message));
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_file(struct sap_report *report, struct sap_json *json,
		     const struct sap_facts *facts, const struct sap_file *file)
{
	static const char *const algorithms[SAP_DIGEST_KINDS] = {
		[SAP_DIGEST_MD5] = "md5",       [SAP_DIGEST_SHA1] = "sha1",
		[SAP_DIGEST_SHA224] = "sha224", [SAP_DIGEST_SHA256] = "sha256",
		[SAP_DIGEST_SHA384] = "sha384", [SAP_DIGEST_SHA512] = "sha512",
	};

	sap_json_object(json, NULL);
	sap_json_text(json, "path", sap_facts_str(facts, file->path));
	sap_json_ascii(json, "package", sap_report_purl(report, facts, file->package));
	if (file->digest && file->digest_kind < SAP_DIGEST_KINDS && algorithms[file->digest_kind]) {
		sap_json_object(json, "digest");
		sap_json_name(json, "algorithm", algorithms[file->digest_kind]);
		sap_json_hex(json, "value", sap_facts_str(facts, file->digest));
		sap_json_close(json);
	}
	sap_json_bool(json, "config", file->flags & SAP_FILE_CONFIG);
	sap_json_bool(json, "ghost", file->flags & SAP_FILE_GHOST);
	sap_json_close(json);
}

void sap_scan_json(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	struct sap_json json;

	sap_report_json_begin(report, &json, "scan/1");
	sap_report_json_target(&json, facts, view->cpu_level, view->cpu_of_host);
	put_os(&json, facts);
	put_summary(&json, view);
	sap_scan_json_evidence(report, &json, view->states);
	if (view->findings)
		sap_findings_json(report, &json, view);
	sap_json_list(&json, "packages");
	for (uint32_t i = 0; i < facts->packages.n; i++)
		put_package(report, &json, facts, i,
			    view->states ? &view->states->packages[i] : NULL);
	sap_json_close(&json);
	sap_json_list(&json, "objects");
	for (uint32_t i = 0; i < facts->objects.n; i++)
		sap_object_json(report, &json, facts, i,
				view->states ? &view->states->objects[i] : NULL);
	sap_json_close(&json);
	put_programs(&json, view);
	put_libraries(report, &json, view);
	put_services(&json, facts);
	if (sap_report_owners_known(facts))
		sap_report_json_each(&json, "unowned", facts, (uint32_t)facts->objects.n,
				     unowned_at, facts->objects.v);
	put_diagnostics(&json, facts);
	if (view->with_files) {
		sap_json_list(&json, "files");
		for (size_t i = 0; i < facts->files.n; i++)
			put_file(report, &json, facts, &facts->files.v[i]);
		sap_json_close(&json);
	}
	sap_json_close(&json);
	sap_json_end(&json);
}
