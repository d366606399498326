/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of one dpkg package: its .list, matched with its .md5sums and Conffiles, moved
 * where the diversions put them. Pure.
 */
#include "base/limits.h"
#include "catalog/catalog_int.h"

enum { MD5_SIZE = 16, MD5_DIGITS = 32 };

/* Whether a component that is empty, "." or ".." follows the '/' at i. One that ends its line
 * is not counted: it only marks a folder. */
static bool odd_at(struct sap_span text, uint64_t i)
{
	uint64_t end = i + 1;

	while (end < text.n && end < i + 4 && text.p[end] != '/' && text.p[end] != '\n')
		end++;
	if (end == i + 1)
		return end < text.n && text.p[end] == '/';
	return text.p[i + 1] == '.' && (end == i + 2 || (end == i + 3 && text.p[i + 2] == '.'));
}

/* Whether a path of the list has a NUL or such a component: most of the text is looked at
 * eight bytes at a time. Nearly every list is free of them, and its paths need no closer look. */
static bool is_odd(struct sap_span text)
{
	const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
	uint64_t i = 0;

	if (!text.p)
		return false;
	if (memchr(text.p, '\0', text.n))
		return true;
	for (; i + 9 <= text.n; i += 8) {
		uint64_t a, b, c;

		memcpy(&a, text.p + i, 8);
		memcpy(&b, text.p + i + 1, 8);
		c = b ^ ones * '.';
		a ^= ones * '/';
		b ^= ones * '/';
		/* The high bit of each byte that is zero, and of few others. */
		a = (a - ones) & ~a & high;
		b = (b - ones) & ~b & high;
		c = (c - ones) & ~c & high;
		if (!(a & (b | c)))
			continue;
		for (uint64_t k = i; k < i + 8; k++) {
			if (text.p[k] == '/' && odd_at(text, k))
				return true;
		}
	}
	for (; i < text.n; i++) {
		if (text.p[i] == '/' && odd_at(text, i))
			return true;
	}
	return false;
}

/* ---- md5sums ---------------------------------------------------------------------------- */

/* md5sum(1) marks a line with a leading backslash when it escaped the name. */
static bool unescape(struct sap_arena *arena, struct sap_str s, struct sap_str *out)
{
	char *p = sap_arena_alloc(arena, s.n);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n) {
			i++;
			p[n++] = s.p[i] == 'n' ? '\n' : s.p[i];
		} else {
			p[n++] = s.p[i];
		}
	}
	*out = (struct sap_str){ p, n };
	return true;
}

static int read_md5s(struct sap_dpkg_db *db, struct sap_span text, struct sap_err *err)
{
	struct sap_str rest = sap_text_of(text), line;
	int r = 0;

	db->md5s.n = 0;
	while (r == 0 && sap_str_line(&rest, &line)) {
		bool escaped = line.n && line.p[0] == '\\';
		struct sap_str path = sap_str_skip(line, MD5_DIGITS + 2 + escaped);
		uint64_t offset = (uint64_t)(line.p - (const char *)text.p);
		struct sap_dpkg_md5 entry = { .offset = (uint32_t)offset };
		struct sap_dpkg_md5 *md5;

		if (line.n == 0)
			continue;
		if (sap_str_starts(path, SAP_STR("./")))
			path = sap_str_skip(path, 2);
		else if (path.n && path.p[0] == '/')
			path = sap_str_skip(path, 1);
		if (path.n == 0 || line.p[MD5_DIGITS + escaped] != ' ' ||
		    !sap_hex_decode(line.p + escaped, MD5_DIGITS, entry.digest, MD5_SIZE)) {
			r = sap_notes_add(&db->notes, offset, "format", err,
					  "not a line of md5sums");
			continue;
		}
		if (escaped && !unescape(&db->work, path, &path))
			return sap_err_nomem(err);
		md5 = SAP_VEC_PUSH(&db->md5s, SAP_FILES_MAX);
		if (!md5)
			return sap_err_nomem(err);
		entry.path = path;
		*md5 = entry;
	}
	return r;
}

/* Where the digest of each path is. Both files mostly have the same order, apart from folders
 * and links, which md5sums does not name, and from "foo.bar", which dpkg-deb puts after the
 * contents of "foo/" and sort(1) before them. */
struct matching {
	size_t next;         /* of md5s, after the last match */
	size_t matched;      /* in all */
	uint32_t skipped[8]; /* passed over, latest last */
	unsigned n_skipped;
};

static uint32_t use_md5(struct sap_dpkg_db *db, struct matching *matching, size_t at)
{
	db->md5s.v[at].used = true;
	matching->matched++;
	return (uint32_t)at;
}

static bool md5_is(const struct sap_dpkg_db *db, size_t at, struct sap_str path)
{
	return at < db->md5s.n && !db->md5s.v[at].used && sap_str_eq(db->md5s.v[at].path, path);
}

static uint32_t match_in_order(struct sap_dpkg_db *db, struct matching *matching,
			       struct sap_str path)
{
	enum { AHEAD = 4, ROOM = sizeof(matching->skipped) / sizeof(matching->skipped[0]) };

	if (md5_is(db, matching->next, path))
		return use_md5(db, matching, matching->next++);
	for (unsigned i = matching->n_skipped; i-- > 0;) {
		uint32_t at = matching->skipped[i];

		if (!md5_is(db, at, path))
			continue;
		for (matching->n_skipped--; i < matching->n_skipped; i++)
			matching->skipped[i] = matching->skipped[i + 1];
		return use_md5(db, matching, at);
	}
	for (size_t at = matching->next + 1; at <= matching->next + AHEAD; at++) {
		if (!md5_is(db, at, path))
			continue;
		for (size_t i = matching->next; i < at; i++) {
			if (matching->n_skipped == ROOM)
				memmove(matching->skipped, matching->skipped + 1,
					sizeof(matching->skipped[0]) * --matching->n_skipped);
			matching->skipped[matching->n_skipped++] = (uint32_t)i;
		}
		matching->next = at + 1;
		return use_md5(db, matching, at);
	}
	return SAP_STRMAP_NONE;
}

/* The paths that have found no digest in order find what is left by name. */
static int match_the_rest(struct sap_dpkg_db *db, const struct matching *matching,
			  struct sap_err *err)
{
	if (matching->matched == db->md5s.n)
		return 0;
	if (!sap_strmap_reset(&db->md5_map, db->md5s.n - matching->matched))
		return sap_err_nomem(err);
	for (size_t i = 0; i < db->md5s.n; i++) {
		uint32_t *slot;

		if (db->md5s.v[i].used)
			continue;
		slot = sap_strmap_put(&db->md5_map, db->md5s.v[i].path);
		if (!slot)
			return sap_err_nomem(err);
		*slot = (uint32_t)i;
	}
	for (size_t i = 0; i < db->items.n; i++) {
		struct sap_dpkg_item *item = &db->items.v[i];

		if (item->md5 == SAP_STRMAP_NONE)
			item->md5 = sap_strmap_get(&db->md5_map, sap_str_skip(item->path, 1));
	}
	return 0;
}

/* ---- Conffiles -------------------------------------------------------------------------- */

/* Takes the last word off *text. */
static bool last_word(struct sap_str *text, struct sap_str *word)
{
	struct sap_str s = sap_str_trim(*text);
	size_t start = s.n;

	while (start && s.p[start - 1] != ' ' && s.p[start - 1] != '\t')
		start--;
	if (s.n == 0)
		return false;
	*word = sap_str_skip(s, start);
	*text = sap_str_trim((struct sap_str){ s.p, start });
	return true;
}

/* Lines " PATH MD5 [obsolete|remove-on-upgrade]"; a path may have blanks in it. */
static int read_conffiles(struct sap_dpkg_db *db, const struct sap_dpkg_package *package,
			  struct sap_err *err)
{
	struct sap_str rest = package->stanza.f[SAP_DPKG_CONFFILES], path, hex;
	int r = 0;

	db->conffiles.n = 0;
	if (rest.n && !sap_strmap_reset(&db->conffile_map, 16))
		return sap_err_nomem(err);
	while (r == 0 && sap_str_line(&rest, &path)) {
		struct sap_dpkg_conffile *conffile;
		bool obsolete = false;
		bool ok = last_word(&path, &hex);
		uint32_t *slot;

		if (!ok)
			continue;
		while (ok &&
		       (sap_str_is(hex, "obsolete") || sap_str_is(hex, "remove-on-upgrade"))) {
			obsolete = true;
			ok = last_word(&path, &hex);
		}
		if (!ok || path.n == 0 || path.p[0] != '/' ||
		    !sap_relpath_ok(sap_str_skip(path, 1))) {
			r = sap_notes_add(&db->notes, package->stanza.offset, "format", err,
					  "%.*s has a line in Conffiles that names no file",
					  SAP_FMT(package->stanza.f[SAP_DPKG_PACKAGE]));
			continue;
		}
		slot = sap_strmap_put(&db->conffile_map, path);
		conffile = slot ? SAP_VEC_PUSH(&db->conffiles, SAP_FILES_MAX) : NULL;
		if (!conffile)
			return sap_err_nomem(err);
		*conffile = (struct sap_dpkg_conffile){ path, hex, obsolete };
		*slot = (uint32_t)(db->conffiles.n - 1);
	}
	return r;
}

static const struct sap_dpkg_conffile *find_conffile(const struct sap_dpkg_db *db,
						     struct sap_str path)
{
	uint32_t at = SAP_STRMAP_NONE;

	if (db->conffiles.n)
		at = sap_strmap_get(&db->conffile_map, path);
	return at == SAP_STRMAP_NONE ? NULL : &db->conffiles.v[at];
}

/* ---- records ---------------------------------------------------------------------------- */

static struct sap_str diverted(const struct sap_dpkg_db *db, const struct sap_dpkg_package *package,
			       struct sap_str path)
{
	const struct sap_dpkg_diversion *diversion;
	uint32_t at;

	if (!(db->diverted_lengths >> (path.n & 63) & 1))
		return path;
	at = sap_strmap_get(&db->diverted, path);
	if (at == SAP_STRMAP_NONE)
		return path;
	diversion = &db->diversions.v[at];
	if (diversion->package.n &&
	    sap_str_eq(diversion->package, package->stanza.f[SAP_DPKG_PACKAGE]))
		return path;
	return diversion->to;
}

static int put_file(struct sap_dpkg_db *db, const struct sap_dpkg_package *package, uint32_t id,
		    struct sap_str path, const struct sap_dpkg_md5 *md5,
		    const struct sap_dpkg_conffile *conffile, struct sap_err *err)
{
	struct sap_rec_file rec = { .package = id, .path = diverted(db, package, path) };
	unsigned char shipped[MD5_SIZE];
	const unsigned char *digest = md5 ? md5->digest : NULL;

	if (conffile) {
		rec.flags = SAP_FILE_CONFIG;
		if (sap_hex_decode(conffile->hex.p, conffile->hex.n, shipped, MD5_SIZE))
			digest = shipped;
	}
	if (digest) {
		rec.digest_kind = SAP_DIGEST_MD5;
		rec.digest = (struct sap_str){ (const char *)digest, MD5_SIZE };
	}
	return sap_catalog_put_file(db->catalog, &rec, &db->notes, err);
}

/* Whether some entry of the list lies in this one. */
static int is_parent(struct sap_dpkg_db *db, struct sap_str list, struct sap_str path, bool *out,
		     struct sap_err *err)
{
	struct sap_str line, last = { 0 };

	if (!db->parents_known) {
		if (!sap_strmap_reset(&db->parents, 64))
			return sap_err_nomem(err);
		while (sap_str_line(&list, &line)) {
			struct sap_str parent = sap_path_dir(line);
			uint32_t *slot;

			if (parent.n == 0 || sap_str_eq(parent, last))
				continue;
			last = parent;
			slot = sap_strmap_put(&db->parents, parent);
			if (!slot)
				return sap_err_nomem(err);
			*slot = 1;
		}
		db->parents_known = true;
	}
	*out = sap_strmap_get(&db->parents, path) != SAP_STRMAP_NONE;
	return 0;
}

/* Takes the paths of the list that are no folders: everything in a folder comes after it,
 * mostly at once. */
static int read_list(struct sap_dpkg_db *db, struct sap_str list, struct sap_err *err)
{
	struct sap_str rest = sap_str_skip(list, sap_str_starts(list, SAP_STR("/.\n")) ? 3 : 0);
	bool careful = is_odd(sap_span_of(rest.p, rest.n));
	struct matching matching = { 0 };
	struct sap_str path;
	int r = 0;

	db->items.n = 0;
	while (r == 0 && sap_str_line(&rest, &path)) {
		struct sap_dpkg_item *item;

		if (rest.n > path.n && rest.p[path.n] == '/' && path.n &&
		    memcmp(rest.p, path.p, path.n) == 0)
			continue;
		if (sap_str_is(path, "/.") || sap_str_ends(path, SAP_STR("/")))
			continue;
		if (path.n == 0 || path.p[0] != '/' || path.n > SAP_PATH_MAX ||
		    (careful && !sap_relpath_ok(sap_str_skip(path, 1)))) {
			r = sap_notes_add(&db->notes, (uint64_t)(path.p - list.p), "format", err,
					  "not an absolute path without \".\" and \"..\"");
			continue;
		}
		item = SAP_VEC_PUSH(&db->items, SAP_FILES_MAX);
		if (!item)
			return sap_err_nomem(err);
		item->path = path;
		item->md5 = match_in_order(db, &matching, sap_str_skip(path, 1));
	}
	return r < 0 ? r : match_the_rest(db, &matching, err);
}

static int put_listed(struct sap_dpkg_db *db, const struct sap_dpkg_package *package, uint32_t id,
		      struct sap_str list, struct sap_err *err)
{
	int r = read_list(db, list, err);

	for (size_t i = 0; i < db->items.n && r == 0; i++) {
		const struct sap_dpkg_item *item = &db->items.v[i];
		const struct sap_dpkg_conffile *conffile = find_conffile(db, item->path);
		const struct sap_dpkg_md5 *md5 =
			item->md5 == SAP_STRMAP_NONE ? NULL : &db->md5s.v[item->md5];
		bool folder = false;

		if (!md5 && !conffile)
			r = is_parent(db, list, item->path, &folder, err);
		if (r == 0 && !folder)
			r = put_file(db, package, id, item->path, md5, conffile, err);
	}
	return r;
}

static bool absolute(struct sap_dpkg_db *db, struct sap_str path, struct sap_str *out)
{
	sap_buf_reset(&db->path);
	sap_buf_putc(&db->path, '/');
	sap_buf_puts(&db->path, path);
	*out = sap_buf_str(&db->path);
	return sap_buf_ok(&db->path);
}

/* Without a list: what the digests and the Conffiles field name. */
static int put_unlisted(struct sap_dpkg_db *db, const struct sap_dpkg_package *package, uint32_t id,
			struct sap_err *err)
{
	const struct matching none = { 0 };
	int r;

	db->items.n = 0;
	r = sap_strmap_reset(&db->md5_map, 0) ? match_the_rest(db, &none, err) : sap_err_nomem(err);
	for (size_t i = 0; i < db->md5s.n && r == 0; i++) {
		const struct sap_dpkg_md5 *md5 = &db->md5s.v[i];
		struct sap_str path;

		if (!sap_relpath_ok(md5->path))
			r = sap_notes_add(&db->notes, md5->offset, "format", err,
					  "not a path without \".\" and \"..\"");
		else if (!absolute(db, md5->path, &path))
			r = sap_err_nomem(err);
		else
			r = put_file(db, package, id, path, md5, find_conffile(db, path), err);
	}
	for (size_t i = 0; i < db->conffiles.n && r == 0; i++) {
		const struct sap_dpkg_conffile *conffile = &db->conffiles.v[i];

		if (!conffile->obsolete &&
		    sap_strmap_get(&db->md5_map, sap_str_skip(conffile->path, 1)) ==
			    SAP_STRMAP_NONE)
			r = put_file(db, package, id, conffile->path, NULL, conffile, err);
	}
	return r;
}

int sap_dpkg_emit_files(struct sap_dpkg_db *db, const struct sap_dpkg_package *package, uint32_t id,
			const struct sap_dpkg_info *info, struct sap_err *err)
{
	int r;

	db->parents_known = false;
	db->notes.path = package->path;
	r = read_conffiles(db, package, err);
	db->notes.path = info->md5_path;
	if (r == 0)
		r = read_md5s(db, info->md5, err);
	if (r < 0)
		return r;
	if (!info->has_list)
		return put_unlisted(db, package, id, err);
	db->notes.path = info->list_path;
	return put_listed(db, package, id, sap_text_of(info->list), err);
}
