/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/limits.h"
#include "catalog/rpm_int.h"

/* FILEFLAGS and FILESTATES. */
enum { FLAG_CONFIG = 1, FLAG_DOC = 2, FLAG_GHOST = 64 };
enum { STATE_REPLACED = 1, STATE_NOT_INSTALLED = 2, STATE_WRONG_COLOUR = 4 };

/* The files of one header while they are gone through. */
struct walk {
	const struct sap_rpm_header *header;
	struct sap_rpm_texts names; /* base names, or whole paths in old packages */
	struct sap_rpm_texts digests;
	struct sap_str *dirs; /* with '/' at both ends; absent: not usable */
	uint32_t n_dirs;
	uint32_t n;
	bool whole_paths;
	bool modes, states, flags;
	enum sap_digest_kind digest_kind;
};

/* PGP's numbers of hash algorithms. */
static enum sap_digest_kind digest_kind_of(const struct sap_rpm_header *header,
					   struct sap_err *fault)
{
	uint64_t algo = 1;

	sap_rpm_number(header, SAP_RPM_FILEDIGESTALGO, 0, &algo);
	switch (algo) {
	case 1:
		return SAP_DIGEST_MD5;
	case 2:
		return SAP_DIGEST_SHA1;
	case 8:
		return SAP_DIGEST_SHA256;
	case 9:
		return SAP_DIGEST_SHA384;
	case 10:
		return SAP_DIGEST_SHA512;
	case 11:
		return SAP_DIGEST_SHA224;
	default:
		if (!fault->code)
			sap_err_set(fault, SAP_EUNSUPPORTED, "file digests of algorithm %llu",
				    (unsigned long long)algo);
		return SAP_DIGEST_NONE;
	}
}

/* True for a path that is absolute and has no empty part, "." or "..". */
static bool is_plain(struct sap_str path)
{
	size_t part = 1;

	if (!path.n || path.p[0] != '/')
		return false;
	for (size_t i = 1; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/')
			continue;
		if (i == part || (i - part == 1 && path.p[part] == '.') ||
		    (i - part == 2 && path.p[part] == '.' && path.p[part + 1] == '.'))
			return false;
		part = i + 1;
	}
	return true;
}

/* A folder as records word it, with '/' at both ends. Doubled slashes, which some packages
 * have, are made single ones; anything else that is not plain is refused. */
static int clean_dir(struct sap_str raw, struct sap_arena *arena, struct sap_str *out,
		     struct sap_err *err)
{
	struct sap_str inner = raw;
	size_t n = 0;
	char *p;

	*out = (struct sap_str){ 0 };
	if (raw.n > SAP_PATH_MAX || !raw.n || raw.p[0] != '/')
		return 0;
	if (raw.n == 1) {
		*out = raw;
		return 0;
	}
	if (raw.p[raw.n - 1] == '/') {
		inner.n--;
		if (is_plain(inner)) {
			*out = raw;
			return 0;
		}
	}
	p = sap_arena_alloc(arena, raw.n + 1);
	if (!p)
		return sap_err_nomem(err);
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] != '/' || !n || p[n - 1] != '/')
			p[n++] = raw.p[i];
	}
	if (p[n - 1] != '/')
		p[n++] = '/';
	if (n == 1 || is_plain((struct sap_str){ p, n - 1 }))
		*out = (struct sap_str){ p, n };
	return 0;
}

/* A parallel table must have one entry a file. */
static bool has_table(struct walk *w, enum sap_rpm_slot slot, const char *what,
		      struct sap_err *fault)
{
	uint32_t count = w->header->v[slot].count;

	if (count && count != w->n && !fault->code)
		sap_err_set(fault, SAP_EFORMAT, "%u files have %u %s", w->n, count, what);
	return count && count == w->n;
}

static int read_dirs(struct walk *w, struct sap_arena *arena, struct sap_err *fault,
		     struct sap_err *err)
{
	struct sap_rpm_texts dirs = sap_rpm_texts(w->header, SAP_RPM_DIRNAMES);
	uint32_t count = w->header->v[SAP_RPM_DIRNAMES].count;
	struct sap_str raw;

	if (count > SAP_RPM_DIRS_MAX) {
		sap_err_set(fault, SAP_ELIMIT, "more than %u folders", SAP_RPM_DIRS_MAX);
		return 0;
	}
	w->dirs = sap_arena_array(arena, count, sizeof(*w->dirs));
	if (!w->dirs)
		return sap_err_nomem(err);
	while (w->n_dirs < count && sap_rpm_texts_next(&dirs, &raw)) {
		int r = clean_dir(raw, arena, &w->dirs[w->n_dirs], err);

		if (r < 0)
			return r;
		if (!w->dirs[w->n_dirs].n && !fault->code)
			sap_err_set(fault, SAP_EFORMAT, "\"%.*s\" is no folder for files",
				    SAP_FMT(raw));
		w->n_dirs++;
	}
	return 0;
}

static int walk_init(struct walk *w, const struct sap_rpm_header *header, struct sap_arena *arena,
		     struct sap_err *fault, struct sap_err *err)
{
	*w = (struct walk){ .header = header };
	if (header->v[SAP_RPM_BASENAMES].count) {
		int r = read_dirs(w, arena, fault, err);

		if (r < 0)
			return r;
		w->names = sap_rpm_texts(header, SAP_RPM_BASENAMES);
		w->n = w->names.left;
		if (!has_table(w, SAP_RPM_DIRINDEXES, "folders", fault)) {
			if (!fault->code)
				sap_err_set(fault, SAP_EFORMAT, "files without folders");
			w->n = 0;
			return 0;
		}
	} else {
		w->names = sap_rpm_texts(header, SAP_RPM_OLDFILENAMES);
		w->n = w->names.left;
		w->whole_paths = true;
	}
	if (!w->n)
		return 0;
	w->modes = has_table(w, SAP_RPM_FILEMODES, "modes", fault);
	w->states = has_table(w, SAP_RPM_FILESTATES, "states", fault);
	w->flags = has_table(w, SAP_RPM_FILEFLAGS, "flags", fault);
	if (has_table(w, SAP_RPM_FILEDIGESTS, "digests", fault)) {
		w->digests = sap_rpm_texts(header, SAP_RPM_FILEDIGESTS);
		w->digest_kind = digest_kind_of(header, fault);
	}
	return 0;
}

/* Whether file i is one on disk that belongs to this package. */
static bool is_there(const struct walk *w, uint32_t i)
{
	uint64_t mode = 0, state = 0;

	if (w->modes && sap_rpm_number(w->header, SAP_RPM_FILEMODES, i, &mode) && S_ISDIR(mode))
		return false;
	if (w->states && sap_rpm_number(w->header, SAP_RPM_FILESTATES, i, &state) &&
	    (state == STATE_REPLACED || state == STATE_NOT_INSTALLED ||
	     state == STATE_WRONG_COLOUR))
		return false;
	return true;
}

/* The path of file i; false where it makes none. */
static bool path_of(struct sap_rpm_emit *emit, const struct walk *w, uint32_t i,
		    struct sap_str name, struct sap_str *out)
{
	uint64_t dir = 0;

	if (w->whole_paths) {
		*out = name;
		return name.n <= SAP_PATH_MAX && is_plain(name);
	}
	if (!sap_rpm_number(w->header, SAP_RPM_DIRINDEXES, i, &dir) || dir >= w->n_dirs ||
	    !w->dirs[dir].n)
		return false;
	if (!name.n || memchr(name.p, '/', name.n) || sap_str_is(name, ".") ||
	    sap_str_is(name, "..") || name.n + w->dirs[dir].n > SAP_PATH_MAX)
		return false;
	sap_buf_reset(&emit->path);
	sap_buf_puts(&emit->path, w->dirs[dir]);
	sap_buf_puts(&emit->path, name);
	*out = sap_buf_str(&emit->path);
	return true;
}

static void set_flags(const struct walk *w, uint32_t i, struct sap_rec_file *rec)
{
	uint64_t flags = 0;

	if (w->flags)
		sap_rpm_number(w->header, SAP_RPM_FILEFLAGS, i, &flags);
	if (flags & FLAG_CONFIG)
		rec->flags |= SAP_FILE_CONFIG;
	if (flags & FLAG_DOC)
		rec->flags |= SAP_FILE_DOC;
	if (flags & FLAG_GHOST)
		rec->flags |= SAP_FILE_GHOST;
}

/* False where the limit for all files of the database is reached. */
static bool within_limits(struct sap_rpm_emit *emit, size_t path_n, struct sap_err *fault)
{
	if (emit->path_bytes > SAP_RPM_PATH_BYTES_MAX) {
		sap_err_set(fault, SAP_ELIMIT, "more than %llu bytes of paths",
			    (unsigned long long)SAP_RPM_PATH_BYTES_MAX);
		return false;
	}
	emit->path_bytes += path_n;
	return true;
}

int sap_rpm_emit_files(struct sap_rpm_emit *emit, const struct sap_rpm_header *header,
		       uint32_t package, struct sap_err *fault, struct sap_err *err)
{
	unsigned char digest[64];
	struct walk w;
	struct sap_str name;
	uint32_t i = 0;
	int r = walk_init(&w, header, &emit->arena, fault, err);

	if (r < 0)
		return r;
	for (; i < w.n && sap_rpm_texts_next(&w.names, &name); i++) {
		struct sap_rec_file rec = { .package = package };
		uint32_t size = sap_digest_size(w.digest_kind);
		struct sap_str hex = { 0 };

		sap_rpm_texts_next(&w.digests, &hex);
		if (!is_there(&w, i))
			continue;
		if (!path_of(emit, &w, i, name, &rec.path)) {
			if (!sap_buf_ok(&emit->path))
				return sap_err_nomem(err);
			if (!fault->code)
				sap_err_set(fault, SAP_EFORMAT, "file %u, \"%.*s\", has no path", i,
					    SAP_FMT(name));
			continue;
		}
		if (!sap_buf_ok(&emit->path))
			return sap_err_nomem(err);
		if (!within_limits(emit, rec.path.n, fault))
			return 0;
		set_flags(&w, i, &rec);
		if (size && sap_hex_decode(hex.p, hex.n, digest, size)) {
			rec.digest_kind = w.digest_kind;
			rec.digest = (struct sap_str){ (const char *)digest, size };
		} else if (size && hex.n && !fault->code) {
			sap_err_set(fault, SAP_EFORMAT, "%.*s: not a digest", SAP_FMT(rec.path));
		}
		r = sap_catalog_put_file(emit->catalog, &rec, &emit->notes, err);
		if (r < 0)
			return r;
	}
	if (i < w.n && !fault->code)
		sap_err_set(fault, SAP_EFORMAT, "%u of %u file names are there", i, w.n);
	return 0;
}
