/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pacman's local database: var/lib/pacman/local/NAME-VERSION-RELEASE/ with the files
 *
 *     desc    blocks "%KEY%", values one a line, an empty line: NAME VERSION BASE ARCH LICENSE
 *             PACKAGER INSTALLDATE SIZE REASON DEPENDS OPTDEPENDS PROVIDES CONFLICTS ...
 *     files   %FILES%, paths without leading slash, those of folders end with one;
 *             %BACKUP%, "PATH<tab>MD5" of configuration files
 */
#include <dirent.h>

#include "base/limits.h"
#include "catalog/catalog_int.h"

#define LOCAL SAP_STR("/var/lib/pacman/local")

enum key {
	KEY_NONE, /* before the first block */
	KEY_OTHER,
	KEY_NAME,
	KEY_VERSION,
	KEY_BASE,
	KEY_ARCH,
	KEY_LICENSE,
	KEY_PACKAGER,
	KEY_INSTALLDATE,
	KEY_SIZE,
	KEY_REASON,
	KEY_DEPENDS,
	KEY_OPTDEPENDS,
	KEY_PROVIDES,
	KEY_CONFLICTS,
	KEY_FILES,
	KEY_BACKUP,
};

static enum key key_of(struct sap_str line)
{
	static const struct {
		struct sap_str name;
		enum key key;
	} keys[] = {
		{ SAP_STR_INIT("%NAME%"), KEY_NAME },
		{ SAP_STR_INIT("%VERSION%"), KEY_VERSION },
		{ SAP_STR_INIT("%BASE%"), KEY_BASE },
		{ SAP_STR_INIT("%ARCH%"), KEY_ARCH },
		{ SAP_STR_INIT("%LICENSE%"), KEY_LICENSE },
		{ SAP_STR_INIT("%PACKAGER%"), KEY_PACKAGER },
		{ SAP_STR_INIT("%INSTALLDATE%"), KEY_INSTALLDATE },
		{ SAP_STR_INIT("%SIZE%"), KEY_SIZE },
		{ SAP_STR_INIT("%REASON%"), KEY_REASON },
		{ SAP_STR_INIT("%DEPENDS%"), KEY_DEPENDS },
		{ SAP_STR_INIT("%OPTDEPENDS%"), KEY_OPTDEPENDS },
		{ SAP_STR_INIT("%PROVIDES%"), KEY_PROVIDES },
		{ SAP_STR_INIT("%CONFLICTS%"), KEY_CONFLICTS },
		{ SAP_STR_INIT("%FILES%"), KEY_FILES },
		{ SAP_STR_INIT("%BACKUP%"), KEY_BACKUP },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (sap_str_eq(keys[i].name, line))
			return keys[i].key;
	}
	return KEY_OTHER;
}

/* A walk over the values of a file of blocks. */
struct blocks {
	struct sap_str all;
	struct sap_str rest;
	enum key key;
	bool inside;
	struct sap_notes *notes;
	bool faulty; /* a line outside of all blocks was reported */
};

/* The next value; *more is false at the end. */
static int next_value(struct blocks *blocks, struct sap_str *value, bool *more, struct sap_err *err)
{
	struct sap_str line;
	int r = 0;

	*more = false;
	while (r == 0 && sap_str_line(&blocks->rest, &line)) {
		uint64_t offset = (uint64_t)(line.p - blocks->all.p);

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0) {
			blocks->inside = false;
		} else if (line.n > SAP_DB_LINE_MAX) {
			r = sap_notes_add(blocks->notes, offset, "limit", err,
					  "a line of more than %llu bytes is left out",
					  (unsigned long long)SAP_DB_LINE_MAX);
		} else if (blocks->inside) {
			*value = line;
			*more = true;
			return 0;
		} else if (line.n > 2 && line.p[0] == '%' && line.p[line.n - 1] == '%') {
			blocks->key = key_of(line);
			blocks->inside = true;
		} else if (!blocks->faulty) {
			blocks->faulty = true;
			r = sap_notes_add(blocks->notes, offset, "format", err,
					  "a line that belongs to no %%KEY%%");
		}
	}
	return r;
}

/* ---- desc ------------------------------------------------------------------------------- */

struct parse {
	struct sap_catalog *catalog;
	struct sap_notes notes;
	struct sap_rec_package package;
	struct sap_relations relations;
	struct sap_buf licence;
	struct sap_buf path;
	SAP_VEC(struct sap_str) backups; /* digests, as digits */
	struct sap_strmap backup_map;    /* path to a position in backups */
	bool no_desc;                    /* there is none, which has been said */
};

static int set_value(struct parse *parse, enum key key, struct sap_str value, struct sap_err *err)
{
	struct sap_rec_package *package = &parse->package;

	switch (key) {
	case KEY_NAME:
		package->name = value;
		break;
	case KEY_VERSION:
		package->version = value;
		break;
	case KEY_BASE:
		package->source = value;
		break;
	case KEY_ARCH:
		package->arch = value;
		break;
	case KEY_PACKAGER:
		package->maintainer = value;
		break;
	case KEY_INSTALLDATE:
		package->install_time = sap_text_time(value);
		break;
	case KEY_SIZE:
		if (!sap_str_u64(value, &package->installed_size))
			package->installed_size = 0;
		break;
	case KEY_REASON:
		package->auto_installed = sap_str_is(value, "1") ? SAP_YES : SAP_NO;
		break;
	case KEY_LICENSE:
		if (parse->licence.n)
			sap_buf_puts(&parse->licence, SAP_STR(", "));
		sap_buf_puts(&parse->licence, value);
		break;
	case KEY_DEPENDS:
		return sap_relations_add(&parse->relations, SAP_REL_DEPENDS, value, err);
	case KEY_OPTDEPENDS:
		return sap_relations_add(&parse->relations, SAP_REL_SUGGESTS, value, err);
	case KEY_PROVIDES:
		return sap_relations_add(&parse->relations, SAP_REL_PROVIDES, value, err);
	case KEY_CONFLICTS:
		return sap_relations_add(&parse->relations, SAP_REL_CONFLICTS, value, err);
	default:
		break;
	}
	return 0;
}

static bool split_folder(struct sap_str folder, struct sap_str *name, struct sap_str *version)
{
	const char *dash;

	if (!folder.p)
		return false;
	dash = memrchr(folder.p, '-', folder.n);
	if (dash)
		dash = memrchr(folder.p, '-', (size_t)(dash - folder.p));
	if (!dash || dash == folder.p)
		return false;
	*name = (struct sap_str){ folder.p, (size_t)(dash - folder.p) };
	*version = sap_str_skip(folder, name->n + 1);
	return version->n > 2;
}

/* pacman takes a package's name and version from its folder, NAME-VERSION-RELEASE, whatever
 * desc says. 1: there is a name; 0: it is left out, and said. */
static int settle_name(struct parse *parse, struct sap_str folder, struct sap_err *err)
{
	struct sap_rec_package *package = &parse->package;
	struct sap_str name, version;
	bool same, complete = package->name.n && package->version.n;
	int r;

	if (!split_folder(folder, &name, &version)) {
		r = sap_notes_add(&parse->notes, 0, "format", err,
				  "its folder is not named NAME-VERSION-RELEASE");
		return r < 0 ? r : complete;
	}
	same = sap_str_eq(name, package->name) && sap_str_eq(version, package->version);
	r = same       ? 0
	    : complete ? sap_notes_add(&parse->notes, 0, "format", err,
				       "says that it is %.*s %.*s, unlike the name of its folder",
				       SAP_FMT(package->name), SAP_FMT(package->version))
		       : sap_notes_add(&parse->notes, 0, "format", err,
				       "no %%%s%%: the name of the folder is used",
				       package->name.n ? "VERSION" : "NAME");
	package->name = name;
	package->version = version;
	package->broken = !same;
	return r < 0 ? r : 1;
}

/* 1: given; 0: left out. */
static int put_package(struct parse *parse, struct sap_str folder, struct sap_err *err)
{
	struct sap_rec_package *package = &parse->package;
	int r = settle_name(parse, folder, err);

	if (r <= 0)
		return r;
	if (parse->relations.full)
		r = sap_notes_add(&parse->notes, 0, "limit", err,
				  "more than %u relations; the others are left out",
				  SAP_RELATIONS_MAX);
	if (r < 0)
		return r;
	if (sap_str_starts(package->version, SAP_STR("0:")))
		package->version = sap_str_skip(package->version, 2);
	if (package->source.n == 0)
		package->source = package->name;
	package->source_version = package->version;
	package->licence = sap_buf_str(&parse->licence);
	package->relations = parse->relations.v;
	package->n_relations = (uint32_t)parse->relations.n;
	return sap_catalog_put_package(parse->catalog, package, &parse->notes, err);
}

static int parse_desc(struct parse *parse, const struct sap_pacman_info *info, struct sap_err *err)
{
	struct blocks blocks = { .all = sap_text_of(info->desc), .notes = &parse->notes };
	struct sap_str value;
	bool more = true;
	int r = 0;

	blocks.rest = blocks.all;
	while (r == 0) {
		r = next_value(&blocks, &value, &more, err);
		if (r < 0 || !more)
			break;
		r = set_value(parse, blocks.key, value, err);
	}
	if (r == 0 && parse->licence.failed)
		return sap_err_nomem(err);
	return r < 0 ? r : put_package(parse, info->folder, err);
}

/* ---- files ------------------------------------------------------------------------------ */

static int put_file(struct parse *parse, struct sap_str path, uint64_t offset, struct sap_err *err)
{
	struct sap_rec_file rec = { .package = parse->package.id };
	uint32_t at = sap_strmap_get(&parse->backup_map, path);
	unsigned char digest[16];

	if (!sap_relpath_ok(path))
		return sap_notes_add(&parse->notes, offset, "format", err,
				     "not a path without \".\" and \"..\"");
	sap_buf_reset(&parse->path);
	sap_buf_putc(&parse->path, '/');
	sap_buf_puts(&parse->path, path);
	if (parse->path.failed)
		return sap_err_nomem(err);
	rec.path = sap_buf_str(&parse->path);
	if (at != SAP_STRMAP_NONE) {
		struct sap_str hex = parse->backups.v[at];

		rec.flags = SAP_FILE_CONFIG;
		if (sap_hex_decode(hex.p, hex.n, digest, sizeof(digest))) {
			rec.digest_kind = SAP_DIGEST_MD5;
			rec.digest = (struct sap_str){ (const char *)digest, sizeof(digest) };
		}
	}
	return sap_catalog_put_file(parse->catalog, &rec, &parse->notes, err);
}

static int add_backup(struct parse *parse, struct sap_str value, struct sap_err *err)
{
	struct sap_str path, hex, *slot;
	uint32_t *at;

	sap_str_cut(value, '\t', &path, &hex);
	at = sap_strmap_put(&parse->backup_map, path);
	slot = at ? SAP_VEC_PUSH(&parse->backups, SAP_FILES_MAX) : NULL;
	if (!slot)
		return sap_err_nomem(err);
	*slot = hex;
	*at = (uint32_t)(parse->backups.n - 1);
	return 0;
}

/* The backups come after the files that they are about, so there are two walks. */
static int parse_files(struct parse *parse, struct sap_span text, bool backups, struct sap_err *err)
{
	struct blocks blocks = { .all = sap_text_of(text), .notes = &parse->notes };
	bool more = true;
	int r = 0;

	blocks.rest = blocks.all;
	blocks.faulty = backups;
	while (r == 0) {
		struct sap_str value;

		r = next_value(&blocks, &value, &more, err);
		if (r < 0 || !more)
			break;
		if (backups && blocks.key == KEY_BACKUP)
			r = add_backup(parse, value, err);
		else if (!backups && blocks.key == KEY_FILES && value.p[value.n - 1] != '/')
			r = put_file(parse, value, (uint64_t)(value.p - blocks.all.p), err);
	}
	return r;
}

int sap_pacman_parse(struct sap_catalog *catalog, const struct sap_pacman_info *info,
		     struct sap_err *err)
{
	struct parse parse = {
		.catalog = catalog,
		.notes = { .sink = catalog->sink, .path = info->desc_path },
		/* %REASON% is only there for a dependency. */
		.package = { .type = SAP_PACKAGE_ALPM,
			     .database = info->desc_path,
			     .auto_installed = SAP_NO },
	};
	int r;

	parse.no_desc = !info->desc.p;
	sap_buf_init(&parse.licence, 2 * SAP_STATUS_FILE_MAX);
	sap_buf_init(&parse.path, SAP_PATH_MAX + 1);
	sap_strmap_init(&parse.backup_map);
	r = parse_desc(&parse, info, err);
	if (r > 0 && catalog->without_files)
		r = 0;
	if (r > 0) {
		parse.notes.path = info->files_path;
		r = parse_files(&parse, info->files, true, err);
		if (r == 0)
			r = parse_files(&parse, info->files, false, err);
	}
	sap_vec_clear(&parse.relations);
	sap_vec_clear(&parse.backups);
	sap_buf_clear(&parse.licence);
	sap_buf_clear(&parse.path);
	sap_strmap_clear(&parse.backup_map);
	return r;
}

/* ---- the reader ------------------------------------------------------------------------- */

/* LOCAL/FOLDER/FILE. */
static bool path_of(struct sap_arena *arena, struct sap_str folder, struct sap_str file,
		    struct sap_str *out)
{
	size_t n = LOCAL.n + 1 + folder.n + 1 + file.n;
	char *p = sap_arena_alloc(arena, n);

	if (!p)
		return false;
	*out = (struct sap_str){ p, n };
	memcpy(p, LOCAL.p, LOCAL.n);
	p += LOCAL.n;
	*p++ = '/';
	memcpy(p, folder.p, folder.n);
	p += folder.n;
	*p++ = '/';
	memcpy(p, file.p, file.n);
	return true;
}

/* One file of a package. Whatever is wrong with it is said, and the package is given. */
static int read_part(struct sap_catalog *catalog, struct sap_str path, struct sap_arena *arena,
		     const char *what, struct sap_span *out, bool *blocked, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	struct sap_str at = path;
	int r = sap_input_read(catalog->input, path, SAP_STATUS_FILE_MAX, arena, out, &fault);

	if (r == 0)
		return 0;
	*out = (struct sap_span){ 0 };
	if (r == SAP_ENOENT)
		return sap_sink_note(catalog->sink, path, 0, "missing", err, "a package without %s",
				     what);
	/* One fault of the package's folder goes for both of its files. */
	r = sap_catalog_blame(catalog, path, &fault, &at, err);
	*blocked = at.n < path.n;
	return r;
}

static int read_package(struct sap_catalog *catalog, struct sap_str folder, struct sap_arena *arena,
			struct sap_err *err)
{
	struct sap_pacman_info info = { .folder = folder };
	bool blocked = false;
	int r;

	if (!path_of(arena, folder, SAP_STR("desc"), &info.desc_path) ||
	    !path_of(arena, folder, SAP_STR("files"), &info.files_path))
		return sap_err_nomem(err);
	r = read_part(catalog, info.desc_path, arena,
		      "a description: the name of its folder is used", &info.desc, &blocked, err);
	if (r == 0 && !blocked && !catalog->without_files)
		r = read_part(catalog, info.files_path, arena, "a list of its files", &info.files,
			      &blocked, err);
	return r < 0 ? r : sap_pacman_parse(catalog, &info, err);
}

static int list_packages(struct sap_watch *watch, struct sap_arena *names,
			 struct sap_input_entry **entries, uint32_t *n, struct sap_err *err)
{
	struct sap_catalog *catalog = watch->catalog;
	struct sap_err fault = { 0 };
	struct sap_str at = LOCAL;
	int r = sap_input_list(catalog->input, LOCAL, names, entries, n, &fault);

	if (r == SAP_ENOENT) {
		r = sap_catalog_absent(catalog, LOCAL, 1, true, err);
		if (r > 0)
			watch->file = LOCAL;
		return r < 0 ? r : 0;
	}
	if (r < 0)
		r = sap_catalog_blocked(catalog, LOCAL, &fault, &at, err);
	/* Nobody knows what is in a folder above pacman's own. */
	if (at.n >= sap_path_dir(LOCAL).n)
		watch->file = LOCAL;
	return r;
}

int sap_catalog_pacman(struct sap_catalog *catalog, struct sap_err *err)
{
	struct sap_arena names, arena;
	struct sap_input_entry *entries;
	struct sap_watch watch;
	uint32_t n = 0;
	int r;

	sap_arena_init(&names, 0);
	sap_arena_init(&arena, 0);
	sap_watch_begin(&watch, catalog, SAP_STR("alpm"));
	r = list_packages(&watch, &names, &entries, &n, err);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		/* ALPM_DB_VERSION is the only file beside the folders. */
		if (entries[i].type != DT_DIR && entries[i].type != DT_LNK)
			continue;
		sap_arena_reset(&arena);
		r = read_package(catalog, entries[i].name, &arena, err);
	}
	r = sap_watch_end(&watch, r, err);
	sap_arena_clear(&names);
	sap_arena_clear(&arena);
	return r;
}
