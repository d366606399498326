/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IFUNC symbols of libraries that this process has loaded too: the C library above all.
 *
 * Who calls such a function does not enter its symbol, which is a resolver, but what the resolver
 * chose when the library was loaded: code that mostly has no symbol of its own. The choice hangs on
 * the processor, and on GLIBC_TUNABLES, so that it is the same for all processes of this host that
 * load that file. Our own loader is asked what it chose, and our own mapping says where in the file
 * that lies. Nothing is loaded for it, and only resolvers of what we run on anyway are run.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "elf/functions.h"
#include "observe/snapshot_int.h"
#include "observe/watch_int.h"

enum {
	SYMBOL_MAX = 256, /* of a name or a version */
	CODE_READ = 16,   /* bytes of an instruction, and one more */
	COMPARE_READ = 8192,
};

/* ---- is it one of ours? -------------------------------------------------------------------- */

struct seek {
	struct sap_str build_id;
	struct sap_watch_own *own;
};

/* What is mapped, not what its path leads to now. */
static bool has_build_id(const struct dl_phdr_info *info, struct sap_str build_id)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		char hex[2 * SAP_BUILD_ID_MAX];
		struct sap_reader reader;

		if (p->p_type != PT_LOAD || p->p_offset != 0 || !(p->p_flags & PF_R))
			continue;
		reader = sap_reader_memory(sap_span_of(
			(const void *)(uintptr_t)(info->dlpi_addr + p->p_vaddr), p->p_filesz));
		return sap_str_eq(sap_build_id_read(&reader, hex), build_id);
	}
	return false;
}

static int look_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
	struct seek *s = ctx;
	struct sap_watch_own *own = s->own;
	bool wanted = !own->path && info->dlpi_name && info->dlpi_name[0] == '/' &&
		      has_build_id(info, s->build_id);

	(void)size;
	if (wanted)
		own->path = info->dlpi_name;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		struct sap_watch_code code = { .start = info->dlpi_addr + p->p_vaddr,
					       .n = p->p_filesz,
					       .offset = p->p_offset };

		if (p->p_type != PT_LOAD)
			continue;
		if (vdso && vdso - code.start < code.n)
			own->vdso = code;
		if (wanted && (p->p_flags & PF_X) && own->n_code < WATCH_OWN_CODE)
			own->code[own->n_code++] = code;
	}
	return 0;
}

/* The same bytes: a copy, as in the image of a container. */
static bool same_bytes(int a, int b)
{
	unsigned char buf[2 * COMPARE_READ];
	struct stat x, y;

	if (fstat(a, &x) < 0 || fstat(b, &y) < 0 || x.st_size != y.st_size ||
	    (uint64_t)x.st_size > SAP_WATCH_COMPARE_MAX)
		return false;
	for (off_t at = 0; at < x.st_size;) {
		ssize_t n = pread(a, buf, COMPARE_READ, at);

		if (n <= 0 || pread(b, buf + COMPARE_READ, (size_t)n, at) != n ||
		    memcmp(buf, buf + COMPARE_READ, (size_t)n) != 0)
			return false;
		at += n;
	}
	return true;
}

static bool same_file(const struct sap_watch *w, uint32_t file, int own)
{
	const struct sap_seen_file *f = &w->e->files.v[file];
	int sap_cleanup_fd path = -1, fd = -1;
	struct stat st;

	if (fstat(own, &st) < 0)
		return false;
	if (st.st_dev == f->id.dev && st.st_ino == f->id.ino)
		return true;
	path = sap_watch_path(w, f->root, 0, f->path, &st);
	if (path < 0 || st.st_dev != f->id.dev || st.st_ino != f->id.ino)
		return false;
	fd = sap_watch_reopen(path);
	return fd >= 0 && same_bytes(own, fd);
}

/* Then what was chosen for us is not what is chosen for others. */
static bool is_tuned(void)
{
	const char *tunables = getenv("GLIBC_TUNABLES");

	return tunables && strstr(tunables, "glibc.cpu.");
}

bool sap_watch_own_open(const struct sap_watch *w, uint32_t file, struct sap_watch_own *own)
{
	struct seek s = { .build_id = w->e->files.v[file].build_id, .own = own };

	*own = (struct sap_watch_own){ .fd = -1 };
	if (s.build_id.n && !is_tuned())
		dl_iterate_phdr(look_object, &s);
	if (own->path)
		own->fd = open(own->path, O_RDONLY | O_CLOEXEC);
	if (own->fd >= 0 && same_file(w, file, own->fd))
		own->handle = dlopen(own->path, RTLD_NOLOAD | RTLD_LAZY);
	if (own->handle)
		return true;
	sap_watch_own_close(own);
	return false;
}

void sap_watch_own_close(struct sap_watch_own *own)
{
	if (own->handle)
		dlclose(own->handle);
	own->handle = NULL;
	sap_close_fd(&own->fd);
}

/* ---- what was chosen ----------------------------------------------------------------------- */

static bool copy_text(struct sap_str s, char out[SYMBOL_MAX])
{
	if (s.n >= SYMBOL_MAX)
		return false;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

/* musl knows neither versions nor IFUNCs. */
static uintptr_t ask_loader(void *handle, const char *name, const char *version)
{
#ifdef __GLIBC__
	if (version[0])
		return (uintptr_t)dlvsym(handle, name, version);
#else
	(void)version;
#endif
	return (uintptr_t)dlsym(handle, name);
}

enum sap_watch_chosen sap_watch_own_find(const struct sap_watch_own *own, struct sap_str symbol,
					 uint64_t *offset)
{
	char name[SYMBOL_MAX], version[SYMBOL_MAX];
	struct sap_str after = { 0 };
	uintptr_t at;

	sap_str_cut(symbol, '@', &symbol, &after);
	if (after.n && after.p[0] == '@')
		after = sap_str_skip(after, 1);
	if (!symbol.n || !copy_text(symbol, name) || !copy_text(after, version))
		return WATCH_CHOSEN_UNKNOWN;
	at = ask_loader(own->handle, name, version);
	if (!at)
		return WATCH_CHOSEN_UNKNOWN;
	for (uint32_t i = 0; i < own->n_code; i++)
		if (at - own->code[i].start < own->code[i].n) {
			*offset = own->code[i].offset + (at - own->code[i].start);
			return WATCH_CHOSEN_HERE;
		}
	return at - own->vdso.start < own->vdso.n ? WATCH_CHOSEN_VDSO : WATCH_CHOSEN_UNKNOWN;
}

bool sap_watch_own_refused(const struct sap_watch_own *own, uint16_t machine, uint64_t offset)
{
	unsigned char code[CODE_READ];
	/* From the file: in our memory a probe may stand there already. */
	ssize_t n = pread(own->fd, code, sizeof(code), (off_t)offset);

	return n > 0 && sap_probe_refused(machine, sap_span_of(code, (uint64_t)n));
}
