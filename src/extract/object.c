/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "extract/extract_int.h"

/* Enough for the ELF header, the program headers and the interpreter of nearly every file:
 * one read tells whether it is ELF and has half of what is needed then. */
enum { HEAD_BYTES = 1024 };

bool sap_path_join(struct sap_arena *arena, struct sap_str dir, const char *name,
		   struct sap_str *out)
{
	size_t n = strlen(name), slash = dir.n > 1;
	char *p = sap_arena_alloc(arena, dir.n + slash + n + 1);

	if (!p)
		return false;
	memcpy(p, dir.p, dir.n);
	p[dir.n] = '/'; /* the root itself already ends with it */
	memcpy(p + dir.n + slash, name, n + 1);
	*out = (struct sap_str){ p, dir.n + slash + n };
	return true;
}

static int note_faults(struct sap_worker_thread *thread, const struct sap_elf *elf,
		       struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < elf->n_faults; i++) {
		const struct sap_elf_fault *f = &elf->faults[i];
		const struct sap_rec_diagnostic rec = {
			.path = elf->rec.path,
			.code = sap_str_of(sap_code_name(f->code)),
			.message = f->text,
			.offset = f->offset,
		};

		r = thread->encoder.sink.diagnostic(&thread->encoder.sink, &rec, err);
	}
	return r;
}

static int read_notes(struct sap_worker_thread *thread, struct sap_elf *elf, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int r = 0;

	if (elf->package_note_json.n) {
		r = sap_notes_package(&thread->notes, elf->package_note_json, &thread->arena,
				      &elf->rec.package_note, &fault, err);
		if (r == 0 && fault.code)
			r = sap_sink_fault(&thread->encoder.sink, elf->rec.path, &fault, err);
	}
	if (r == 0 && elf->dlopen_note_json.n) {
		r = sap_notes_dlopen(&thread->notes, elf->dlopen_note_json, &thread->arena,
				     &elf->rec, &fault, err);
		if (r == 0 && fault.code)
			r = sap_sink_fault(&thread->encoder.sink, elf->rec.path, &fault, err);
	}
	return r;
}

/* Gives the record and its symbols as one block, so that no other thread's objects come
 * between them. */
static int give(struct sap_worker_thread *thread, const struct sap_elf *elf, unsigned want,
		struct sap_err *err)
{
	const struct sap_rec_symbols symbols = { elf->rec.path, elf->symbols, elf->n_symbols };
	struct sap_encoder *encoder = &thread->encoder;
	size_t flush_at = encoder->flush_at;
	int r;

	encoder->flush_at = SIZE_MAX;
	r = encoder->sink.object(&encoder->sink, &elf->rec, err);
	if (r == 0 && (want & SAP_ELF_SYMBOLS) && symbols.n)
		r = encoder->sink.symbols(&encoder->sink, &symbols, err);
	encoder->flush_at = flush_at;
	return r;
}

int sap_other_give(struct sap_worker_thread *thread, struct sap_str path, uint64_t size,
		   enum sap_other_reason reason, struct sap_err *err)
{
	const struct sap_rec_other rec = { path, size, reason };

	return thread->encoder.sink.other(&thread->encoder.sink, &rec, err);
}

/* A file of which there will be no object: what is wrong with it, and the record. */
static int refuse(struct sap_worker_thread *thread, struct sap_str path, uint64_t size,
		  const struct sap_err *fault, enum sap_tried *tried, struct sap_err *err)
{
	bool damaged = fault->code == SAP_EFORMAT || fault->code == SAP_ELIMIT ||
		       fault->code == SAP_EUNSUPPORTED;
	int r = sap_sink_fault(&thread->encoder.sink, path, fault, err);

	*tried = damaged ? SAP_TRIED_DAMAGED : SAP_TRIED_UNREADABLE;
	if (r < 0)
		return r;
	return sap_other_give(thread, path, size,
			      damaged ? SAP_OTHER_DAMAGED : SAP_OTHER_UNREADABLE, err);
}

static int parse(struct sap_worker_thread *thread, const struct sap_input_file *file,
		 struct sap_str path, struct sap_span head, unsigned want, enum sap_tried *tried,
		 struct sap_err *err)
{
	const struct sap_reader reader = sap_input_file_reader(file);
	struct sap_err fault = { 0 };
	struct sap_elf elf;
	int r;

	memset(&elf, 0, sizeof(elf));
	if (thread->worker->hooks)
		thread->worker->hooks->before_object(path.p);
	r = sap_elf_read(&reader, head, want, &thread->arena, &elf, &fault);
	if (r == SAP_ENOMEM) {
		*err = fault;
		return r;
	}
	if (r < 0)
		return refuse(thread, path, file->size, &fault, tried, err);
	elf.rec.path = path;
	elf.rec.size = file->size;
	elf.rec.mode = file->mode;
	/* Facts depend on bytes alone; an inode number only tells which names are one file. */
	elf.rec.link_id = file->nlink > 1 ? file->ino ^ (file->dev << 40) : 0;
	r = note_faults(thread, &elf, err);
	if (r == 0)
		r = read_notes(thread, &elf, err);
	if (r == 0)
		r = sap_languages_go(thread, &elf, err);
	if (r == 0 && thread->worker->chase)
		sap_chase_object(thread->worker->chase, &elf.rec);
	return r < 0 ? r : give(thread, &elf, want, err);
}

static int open_failed(struct sap_worker_thread *thread, struct sap_str path,
		       const struct sap_err *fault, enum sap_tried *tried, struct sap_err *err)
{
	if (fault->code == SAP_ENOENT) {
		*tried = SAP_TRIED_GONE;
		return 0;
	}
	if (fault->code == SAP_EUNSUPPORTED) {
		*tried = SAP_TRIED_NO_FILE;
		return 0;
	}
	thread->stats.unreadable++;
	if (fault->sys_errno) {
		/* In the words of src/input, which a reader of this file may have used too: one
		 * remark instead of two. */
		struct sap_err again = { 0 };

		sap_err_sys(&again, fault->sys_errno, "cannot open %.*s", SAP_FMT(path));
		return refuse(thread, path, 0, &again, tried, err);
	}
	return refuse(thread, path, 0, fault, tried, err);
}

/* A file that says it is ELF. Takes fd over. */
static int take_object(struct sap_worker_thread *thread, int *fd, const struct stat *st,
		       struct sap_str path, struct sap_span head, unsigned want,
		       enum sap_tried *tried, struct sap_err *err)
{
	struct sap_input_file file;
	struct sap_err fault = { 0 };
	int r = 0;

	if (st)
		sap_input_file_from_stat(*fd, st, &file);
	else
		r = sap_input_file_from_fd(*fd, &file, &fault);

	if (r < 0) {
		thread->stats.unreadable++;
		return refuse(thread, path, 0, &fault, tried, err);
	}
	sap_steal_fd(fd);
	atomic_store(&thread->slot->reading, 1);
	r = parse(thread, &file, path, head, want, tried, err);
	/* After a failure (out of memory) it stays set: the parent goes on without this file. */
	if (r == 0)
		atomic_store(&thread->slot->reading, 0);
	sap_input_file_close(&file);
	return r;
}

int sap_object_try(struct sap_worker_thread *thread, int dirfd, struct sap_str dir,
		   const char *name, const struct stat *st, unsigned want, enum sap_tried *tried,
		   struct sap_err *err)
{
	unsigned char head[HEAD_BYTES];
	struct sap_err fault = { 0 };
	struct sap_reader reader;
	struct sap_str path;
	int sap_cleanup_fd fd = -1;
	uint64_t n = 0;
	int r = sap_input_name_open(dirfd, name, &fd, &fault);

	*tried = SAP_TRIED_UNREADABLE;
	if (r == 0) {
		reader = sap_reader_fd(fd, HEAD_BYTES);
		r = reader.read_at(&reader, 0, head, sizeof(head), &n, &fault);
	}
	if (r == 0 && !sap_elf_magic(sap_span_of(head, n))) {
		*tried = n ? SAP_TRIED_OTHER : SAP_TRIED_EMPTY;
		return 0;
	}
	sap_arena_reset(&thread->arena);
	if (r == SAP_ENOMEM || !sap_path_join(&thread->arena, dir, name, &path))
		return sap_err_nomem(err);
	if (r < 0)
		return open_failed(thread, path, &fault, tried, err);
	*tried = SAP_TRIED_OBJECT;
	thread->stats.objects++;
	atomic_fetch_add_explicit(&thread->worker->progress->objects, 1, memory_order_relaxed);
	if (sap_worker_skips(thread->worker, dir, name)) {
		*tried = SAP_TRIED_UNREADABLE;
		return sap_other_give(thread, path, 0, SAP_OTHER_UNREADABLE, err);
	}
	sap_slot_text(thread->slot->name, sizeof(thread->slot->name), sap_str_of(name));
	return take_object(thread, &fd, st, path, sap_span_of(head, n), want, tried, err);
}
