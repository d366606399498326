/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages of languages' own managers, as the walk comes across them.
 */
#include "extract/extract_int.h"

/* The fields that matter are at the top of METADATA, in front of a whole manual. */
enum { TOP_BYTES = 16 * 1024 };

/* ---- what was found --------------------------------------------------------------------- */

static bool keep(struct sap_languages *languages, const struct sap_language_found *from)
{
	struct sap_language_found *to;

	if (languages->list.n >= SAP_PACKAGES_MAX) {
		languages->full = true;
		return true;
	}
	to = SAP_VEC_PUSH(&languages->list, SAP_PACKAGES_MAX);
	if (!to)
		return false;
	to->type = from->type;
	return sap_arena_str(&languages->arena, from->name, &to->name) &&
	       sap_arena_str(&languages->arena, from->version, &to->version) &&
	       sap_arena_str(&languages->arena, from->arch, &to->arch) &&
	       sap_arena_str(&languages->arena, from->database, &to->database);
}

static int add(struct sap_worker_thread *thread, enum sap_package_type type, struct sap_str path,
	       const struct sap_language_package *p, struct sap_err *err)
{
	struct sap_languages *languages = &thread->worker->languages;
	const struct sap_language_found found = { type, p->name, p->version, p->arch, path };
	bool ok;

	pthread_mutex_lock(&languages->lock);
	ok = keep(languages, &found);
	pthread_mutex_unlock(&languages->lock);
	return ok ? 0 : sap_err_nomem(err);
}

int sap_languages_give(struct sap_worker_thread *thread, struct sap_err *err)
{
	struct sap_worker *worker = thread->worker;
	struct sap_languages *languages = &worker->languages;
	struct sap_sink *sink = &thread->encoder.sink;
	int r = 0;

	for (size_t i = 0; r == 0 && i < languages->list.n; i++) {
		const struct sap_language_found *found = &languages->list.v[i];
		const struct sap_rec_package rec = {
			.id = worker->next_package,
			.type = found->type,
			.name = found->name,
			.version = found->version,
			.arch = found->arch,
			.database = found->database,
		};

		if (worker->next_package > SAP_PACKAGES_MAX) {
			languages->full = true;
			break;
		}
		worker->next_package++;
		r = sink->package(sink, &rec, err);
	}
	if (r == 0 && languages->full)
		r = sap_sink_note(sink, SAP_STR("/"), 0, sap_code_name(SAP_ELIMIT), err,
				  "more than %u packages; the others are left out",
				  SAP_PACKAGES_MAX);
	languages->list.n = 0;
	languages->full = false;
	sap_arena_reset(&languages->arena);
	return r;
}

void sap_languages_clear(struct sap_languages *languages)
{
	sap_vec_clear(&languages->list);
	sap_arena_clear(&languages->arena);
}

/* ---- files ------------------------------------------------------------------------------ */

/* What the file says. 1: out; 0: nothing, which *fault (code 0: too little) explains. */
static int parse(struct sap_worker_thread *thread, enum sap_language_file file, const char *name,
		 struct sap_str text, struct sap_language_package *out, struct sap_err *fault,
		 struct sap_err *err)
{
	int r = 0;

	*out = (struct sap_language_package){ .name = { 0 } };
	if (file == SAP_LANGUAGE_PYTHON)
		return sap_language_python(text, out);
	if (file == SAP_LANGUAGE_RUBY)
		return sap_language_ruby(text, sap_str_of(name), out);
	r = sap_notes_node(&thread->notes, text, &thread->arena, &out->name, &out->version, fault,
			   err);
	return r < 0 ? r : sap_language_text_ok(out->name) && sap_language_text_ok(out->version);
}

static int read_text(struct sap_worker_thread *thread, const struct sap_input_file *file,
		     uint64_t max, struct sap_str *out, struct sap_err *fault)
{
	const struct sap_reader reader = sap_input_file_reader(file);
	struct sap_span bytes = { NULL, 0 };
	uint64_t n = file->size < max ? file->size : max;
	int r = sap_reader_get(&reader, 0, n, &thread->arena, &bytes, fault);

	if (r < 0)
		return r;
	if (n < file->size) { /* not half a line */
		while (n && bytes.p[n - 1] != '\n')
			n--;
	}
	*out = (struct sap_str){ (const char *)bytes.p, (size_t)n };
	return 0;
}

/* 1: a package; 0: none, *fault says why; or a failure. */
static int read_package(struct sap_worker_thread *thread, const struct sap_input_file *file,
			enum sap_language_file kind, const char *name,
			struct sap_language_package *out, struct sap_err *fault,
			struct sap_err *err)
{
	struct sap_str text;
	int r = 0;

	if (kind == SAP_LANGUAGE_PYTHON && file->size > TOP_BYTES) {
		if (read_text(thread, file, TOP_BYTES, &text, fault) == 0)
			r = parse(thread, kind, name, text, out, fault, err);
		if (r != 0 || fault->code)
			return r;
	}
	if (file->size > SAP_LANGUAGE_FILE_MAX) {
		sap_err_set(fault, SAP_ELIMIT,
			    "larger than %llu bytes; which package it is of was "
			    "not read",
			    SAP_LANGUAGE_FILE_MAX);
		return 0;
	}
	if (read_text(thread, file, SAP_LANGUAGE_FILE_MAX, &text, fault) < 0)
		return 0;
	return parse(thread, kind, name, text, out, fault, err);
}

/* Why a file gives no package. */
static int explain(struct sap_worker_thread *thread, struct sap_str path,
		   enum sap_language_file kind, const struct sap_err *fault, struct sap_err *err)
{
	struct sap_sink *sink = &thread->encoder.sink;

	if (fault->code == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (fault->code == SAP_EIO)
		thread->stats.unreadable++;
	if (fault->code)
		return sap_sink_fault(sink, path, fault, err);
	return sap_sink_note(sink, path, 0, "missing", err,
			     "it does not say the name and version of its package (%s)",
			     sap_package_type_name(sap_language_type(kind)));
}

int sap_languages_file(struct sap_worker_thread *thread, int dirfd, struct sap_str dir,
		       const char *name, enum sap_language_file kind, struct sap_err *err)
{
	struct sap_language_package found;
	struct sap_err fault = { 0 };
	struct sap_input_file file;
	struct sap_str path;
	int r;

	/* The parent asks for those alone, later. */
	if (sap_worker_skips(thread->worker, dir, name))
		return 0;
	sap_arena_reset(&thread->arena);
	if (!sap_path_join(&thread->arena, dir, name, &path))
		return sap_err_nomem(err);
	if (sap_input_file_open_at(dirfd, name, &file, &fault) < 0)
		return explain(thread, path, kind, &fault, err);
	sap_slot_text(thread->slot->name, sizeof(thread->slot->name), sap_str_of(name));
	atomic_store(&thread->slot->reading, 1);
	if (thread->worker->hooks)
		thread->worker->hooks->before_object(path.p);
	r = read_package(thread, &file, kind, name, &found, &fault, err);
	sap_input_file_close(&file);
	if (r < 0)
		return r;
	atomic_store(&thread->slot->reading, 0);
	return r ? add(thread, sap_language_type(kind), path, &found, err)
		 : explain(thread, path, kind, &fault, err);
}

/* ---- Go --------------------------------------------------------------------------------- */

int sap_languages_go(struct sap_worker_thread *thread, const struct sap_elf *elf,
		     struct sap_err *err)
{
	const struct sap_elf_fault *fault = &elf->go_fault;
	const struct sap_str path = elf->rec.path;
	struct sap_str modules = elf->go_modules;
	struct sap_language_package p;
	uint32_t bad = 0, n = 0;
	int r = 0;

	if (fault->code) {
		const struct sap_rec_diagnostic rec = { .path = path,
							.code = sap_str_of(
								sap_code_name(fault->code)),
							.message = fault->text,
							.offset = fault->offset };

		return thread->encoder.sink.diagnostic(&thread->encoder.sink, &rec, err);
	}
	if (elf->go_version.n == 0)
		return 0;
	sap_language_go_library(elf->go_version, &p);
	r = add(thread, SAP_PACKAGE_GOLANG, path, &p, err);
	while (r == 0 && n < SAP_GO_MODULES_MAX && sap_language_go_next(&modules, &p, &bad)) {
		r = add(thread, SAP_PACKAGE_GOLANG, path, &p, err);
		n++;
	}
	if (r == 0 && n == SAP_GO_MODULES_MAX)
		r = sap_sink_note(&thread->encoder.sink, path, 0, sap_code_name(SAP_ELIMIT), err,
				  "more than %u modules of Go; the others are left out",
				  SAP_GO_MODULES_MAX - 1);
	else if (r == 0 && bad)
		r = sap_sink_note(&thread->encoder.sink, path, 0, sap_code_name(SAP_EFORMAT), err,
				  "%u lines of the build information of Go name no module", bad);
	return r;
}
