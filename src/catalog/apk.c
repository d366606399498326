/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apk's installed database (apk-installed(5), apk-package(5)): a record per package, ended by
 * an empty line; each line is a letter, ':' and a value.
 *
 *     P name    V version  A architecture  o origin (source)  L licence  m maintainer
 *     I size    D depends  p provides      C checksum of the package
 *     F folder of the files that follow    M its owner and mode
 *     R file in it         a owner:mode    Z checksum of the file
 *
 * A checksum is "Q1" and the base64 of a SHA-1, "Q2" and that of a SHA-256, or hexadecimal
 * digits in old databases. That of a symbolic link is over its target's name.
 */
#include "base/limits.h"
#include "catalog/catalog_int.h"

#define LIB_DB SAP_STR("/lib/apk/db/installed")
#define USR_DB SAP_STR("/usr/lib/apk/db/installed")
#define WORLD SAP_STR("/etc/apk/world")

struct parse {
	struct sap_catalog *catalog;
	struct sap_notes notes;
	struct sap_str all; /* the whole database */
	struct sap_relations relations;
	struct sap_buf path;
	struct sap_strmap world;
	bool has_world;
	bool cut; /* the database ends within its last record, which is said */
};

/* One record: its lines up to the first folder, and from there. */
struct record {
	struct sap_rec_package package;
	struct sap_str depends;
	struct sap_str provides;
	struct sap_str files;
	uint64_t offset;
	bool faulty;
};

/* etc/apk/world: names, each with a constraint ("=1.2", "~1", "@repository") or "!" before. */
static int read_world(struct parse *parse, struct sap_span text, struct sap_err *err)
{
	struct sap_str rest = sap_text_of(text), word;

	parse->has_world = true;
	while (sap_str_word(&rest, &word)) {
		uint32_t *slot;
		size_t n = 0;

		while (n < word.n && !memchr("=<>~@", word.p[n], 5))
			n++;
		word.n = n;
		if (word.n == 0 || word.p[0] == '!')
			continue;
		slot = sap_strmap_put(&parse->world, word);
		if (!slot)
			return sap_err_nomem(err);
		*slot = 1;
	}
	return 0;
}

static void set_field(struct record *record, char letter, struct sap_str value)
{
	struct sap_rec_package *package = &record->package;

	switch (letter) {
	case 'P':
		package->name = value;
		break;
	case 'V':
		package->version = value;
		break;
	case 'A':
		package->arch = value;
		break;
	case 'o':
		package->source = value;
		break;
	case 'L':
		package->licence = value;
		break;
	case 'm':
		package->maintainer = value;
		break;
	case 'I':
		if (!sap_str_u64(value, &package->installed_size))
			package->installed_size = 0;
		break;
	case 'D':
		record->depends = value;
		break;
	case 'p':
		record->provides = value;
		break;
	case 'f':
		/* What apk could not install: files, scripts, extended attributes. */
		for (size_t i = 0; i < value.n; i++)
			package->broken |=
				value.p[i] == 'f' || value.p[i] == 's' || value.p[i] == 'x';
		break;
	default:
		break;
	}
}

static struct sap_str without_cr(struct sap_str line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static uint64_t offset_of(const struct parse *parse, struct sap_str line)
{
	return (uint64_t)(line.p - parse->all.p);
}

/* Reads the lines of the next record; false at the end of the database. */
static int next_record(struct parse *parse, struct sap_str *rest, struct record *record, bool *more,
		       struct sap_err *err)
{
	struct sap_str line;
	bool begun = false;
	int r = 0;

	*record = (struct record){ .package.type = SAP_PACKAGE_APK };
	while (r == 0 && sap_str_line(rest, &line)) {
		struct sap_str whole = line;

		line = without_cr(line);
		if (line.n == 0) {
			if (begun)
				break;
			continue;
		}
		if (!begun)
			record->offset = offset_of(parse, line);
		begun = true;
		if (line.n > SAP_DB_LINE_MAX) {
			r = sap_notes_add(&parse->notes, offset_of(parse, line), "limit", err,
					  "a line of more than %llu bytes is left out",
					  (unsigned long long)SAP_DB_LINE_MAX);
			continue;
		}
		if (line.n < 2 || line.p[1] != ':') {
			if (!record->faulty && !(parse->cut && rest->n == 0))
				r = sap_notes_add(&parse->notes, offset_of(parse, line), "format",
						  err, "a line that is not of the form X:value");
			record->faulty = true;
			continue;
		}
		if (line.p[0] == 'F' && !record->files.p)
			record->files.p = whole.p;
		if (record->files.p)
			record->files.n = (size_t)(whole.p + whole.n - record->files.p);
		set_field(record, line.p[0], sap_str_skip(line, 2));
	}
	*more = begun;
	return r;
}

static int add_words(struct parse *parse, enum sap_relation_kind kind, struct sap_str words,
		     struct sap_err *err)
{
	struct sap_str word;
	int r = 0;

	while (r == 0 && sap_str_word(&words, &word)) {
		bool conflict = kind == SAP_REL_DEPENDS && word.p[0] == '!';

		r = sap_relations_add(&parse->relations, conflict ? SAP_REL_CONFLICTS : kind,
				      sap_str_skip(word, conflict), err);
	}
	return r;
}

/* 1: given, and its files are to follow; 0: left out. */
static int put_package(struct parse *parse, struct record *record, bool last, struct sap_err *err)
{
	struct sap_rec_package *package = &record->package;
	int r;

	if (package->name.n == 0 || package->version.n == 0) {
		if (parse->cut && last)
			return 0;
		/* A record without any field has had its line reported. */
		if (record->faulty && package->name.n == 0)
			return 0;
		return sap_notes_add(&parse->notes, record->offset, "format", err,
				     "a record without a %s is left out",
				     package->name.n ? "version" : "name");
	}
	if (package->source.n == 0)
		package->source = package->name;
	package->source_version = package->version;
	package->database = parse->notes.path;
	if (parse->has_world)
		package->auto_installed =
			sap_strmap_get(&parse->world, package->name) != SAP_STRMAP_NONE ? SAP_NO
											: SAP_YES;
	parse->relations.n = 0;
	parse->relations.full = false;
	r = add_words(parse, SAP_REL_DEPENDS, record->depends, err);
	if (r == 0)
		r = add_words(parse, SAP_REL_PROVIDES, record->provides, err);
	if (r == 0 && parse->relations.full)
		r = sap_notes_add(&parse->notes, record->offset, "limit", err,
				  "%.*s has more than %u relations; the others are left out",
				  SAP_FMT(package->name), SAP_RELATIONS_MAX);
	if (r < 0)
		return r;
	package->relations = parse->relations.v;
	package->n_relations = (uint32_t)parse->relations.n;
	return sap_catalog_put_package(parse->catalog, package, &parse->notes, err);
}

/* ---- files ------------------------------------------------------------------------------ */

static enum sap_digest_kind decode(struct sap_str text, unsigned char *digest)
{
	if (sap_str_starts(text, SAP_STR("Q1")) &&
	    sap_base64_decode(sap_str_skip(text, 2), digest, 20))
		return SAP_DIGEST_SHA1;
	if (sap_str_starts(text, SAP_STR("Q2")) &&
	    sap_base64_decode(sap_str_skip(text, 2), digest, 32))
		return SAP_DIGEST_SHA256;
	if (text.n == 64 && sap_hex_decode(text.p, text.n, digest, 32))
		return SAP_DIGEST_SHA256;
	if (text.n == 40 && sap_hex_decode(text.p, text.n, digest, 20))
		return SAP_DIGEST_SHA1;
	if (text.n == 32 && sap_hex_decode(text.p, text.n, digest, 16))
		return SAP_DIGEST_MD5;
	return SAP_DIGEST_NONE;
}

/* apk's built-in list of what it does not overwrite: +etc, @etc/init.d, !etc/apk. */
static bool is_config(struct sap_str path)
{
	return sap_str_starts(path, SAP_STR("/etc/")) &&
	       !sap_str_starts(path, SAP_STR("/etc/init.d/")) &&
	       !sap_str_starts(path, SAP_STR("/etc/apk/"));
}

static int put_file(struct parse *parse, uint32_t id, struct sap_str folder, struct sap_str name,
		    struct sap_str checksum, struct sap_err *err)
{
	struct sap_rec_file rec = { .package = id };
	unsigned char digest[32];
	int r = 0;

	sap_buf_reset(&parse->path);
	if (folder.n) {
		sap_buf_putc(&parse->path, '/');
		sap_buf_puts(&parse->path, folder);
	}
	sap_buf_putc(&parse->path, '/');
	sap_buf_puts(&parse->path, name);
	if (parse->path.failed && parse->path.n + name.n < SAP_PATH_MAX)
		return sap_err_nomem(err);
	rec.path = sap_buf_str(&parse->path);
	if (parse->path.failed || !sap_relpath_ok(sap_str_skip(rec.path, 1)))
		return sap_notes_add(&parse->notes, offset_of(parse, name), "format", err,
				     "not the name of a file in a folder");
	if (checksum.n) {
		rec.digest_kind = decode(checksum, digest);
		if (rec.digest_kind == SAP_DIGEST_NONE)
			r = sap_notes_add(&parse->notes, offset_of(parse, checksum), "format", err,
					  "a checksum of no known kind");
		else
			rec.digest = (struct sap_str){ (const char *)digest,
						       sap_digest_size(rec.digest_kind) };
	}
	rec.flags = is_config(rec.path) ? SAP_FILE_CONFIG : 0;
	return r < 0 ? r : sap_catalog_put_file(parse->catalog, &rec, &parse->notes, err);
}

static int put_files(struct parse *parse, uint32_t id, struct sap_str lines, struct sap_err *err)
{
	struct sap_str folder = { 0 }, name = { 0 }, checksum = { 0 }, line;
	int r = 0;

	while (r == 0 && sap_str_line(&lines, &line)) {
		line = without_cr(line);
		if (line.n < 2 || line.n > SAP_DB_LINE_MAX || line.p[1] != ':')
			continue;
		if ((line.p[0] == 'F' || line.p[0] == 'R') && name.n) {
			r = put_file(parse, id, folder, name, checksum, err);
			name = checksum = (struct sap_str){ 0 };
		}
		if (line.p[0] == 'F')
			folder = sap_str_skip(line, 2);
		else if (line.p[0] == 'R')
			name = sap_str_skip(line, 2);
		else if (line.p[0] == 'Z')
			checksum = sap_str_skip(line, 2);
	}
	if (r == 0 && name.n)
		r = put_file(parse, id, folder, name, checksum, err);
	return r;
}

/* apk ends every record, the last one too, with an empty line. */
static int check_end(struct parse *parse, struct sap_err *err)
{
	struct sap_str all = parse->all;

	if (all.n == 0)
		return sap_notes_add(&parse->notes, 0, "empty", err,
				     "the file is empty: no package is known from it");
	if (sap_str_ends(all, SAP_STR("\n\n")) || sap_str_ends(all, SAP_STR("\n\r\n")) ||
	    sap_str_is(all, "\n"))
		return 0;
	parse->cut = true;
	return sap_notes_add(&parse->notes, all.n, "format", err,
			     "no empty line ends the last record: the file is cut");
}

int sap_apk_parse(struct sap_catalog *catalog, struct sap_str path, struct sap_span text,
		  const struct sap_span *world, struct sap_err *err)
{
	struct parse parse = {
		.catalog = catalog,
		.notes = { .sink = catalog->sink, .path = path },
		.all = sap_text_of(text),
	};
	struct sap_str rest = parse.all;
	struct record record;
	bool more = true;
	int r = 0;

	sap_strmap_init(&parse.world);
	sap_buf_init(&parse.path, SAP_PATH_MAX);
	if (world)
		r = read_world(&parse, *world, err);
	if (r == 0)
		r = check_end(&parse, err);
	while (r == 0) {
		r = next_record(&parse, &rest, &record, &more, err);
		if (r < 0 || !more)
			break;
		r = put_package(&parse, &record, rest.n == 0, err);
		if (r > 0)
			r = catalog->without_files
				    ? 0
				    : put_files(&parse, record.package.id, record.files, err);
	}
	sap_vec_clear(&parse.relations);
	sap_strmap_clear(&parse.world);
	sap_buf_clear(&parse.path);
	return r;
}

/* ---- the reader ------------------------------------------------------------------------- */

static int read_text(struct sap_watch *watch, struct sap_str path, struct sap_arena *arena,
		     struct sap_err *err)
{
	struct sap_catalog *catalog = watch->catalog;
	struct sap_err fault = { 0 };
	struct sap_str at = path;
	struct sap_span text, world;
	int r = sap_input_read(catalog->input, path, SAP_STATUS_FILE_MAX, arena, &text, &fault);

	if (r == SAP_ENOENT) {
		r = sap_catalog_absent(catalog, path, 2, false, err);
		if (r > 0)
			watch->file = path;
		return r < 0 ? r : 0;
	}
	if (r < 0) {
		r = sap_catalog_blocked(catalog, path, &fault, &at, err);
		/* Nobody knows what is in a folder above apk's own. */
		if (at.n >= path.n - strlen("/db/installed"))
			watch->file = path;
		return r;
	}
	watch->file = path;
	/* World only tells what was asked for. */
	watch->aside = true;
	r = sap_catalog_slurp(catalog, WORLD, SAP_TEXT_FILE_MAX, arena, &world, err);
	watch->aside = false;
	if (r < 0)
		return r;
	return sap_apk_parse(catalog, path, text, r > 0 ? &world : NULL, err);
}

static int read_database(struct sap_catalog *catalog, struct sap_str path, struct sap_arena *arena,
			 struct sap_err *err)
{
	struct sap_watch watch;
	int r;

	sap_watch_begin(&watch, catalog, SAP_STR("apk"));
	r = read_text(&watch, path, arena, err);
	return sap_watch_end(&watch, r, err);
}

int sap_catalog_apk(struct sap_catalog *catalog, struct sap_err *err)
{
	struct sap_str lib = { 0 }, usr = { 0 };
	struct sap_arena arena;
	bool again;
	int r;

	sap_arena_init(&arena, 0);
	/* One is often a link to the other, or lib is one to usr/lib: read once. */
	again = sap_input_canonical(catalog->input, LIB_DB, &arena, &lib, NULL, NULL) == 0 &&
		sap_input_canonical(catalog->input, USR_DB, &arena, &usr, NULL, NULL) == 0 &&
		sap_str_eq(lib, usr);
	r = read_database(catalog, LIB_DB, &arena, err);
	if (r == 0 && !again)
		r = read_database(catalog, USR_DB, &arena, err);
	sap_arena_clear(&arena);
	return r;
}
