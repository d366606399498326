/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the files of a dpkg database:
 *
 *     var/lib/dpkg/status           a stanza for each package (deb822, dpkg(1))
 *     var/lib/dpkg/updates/NNNN     the journal: stanzas not yet merged into status
 *     var/lib/dpkg/status.d/NAME    one package each, beside NAME.md5sums (distroless images)
 *     var/lib/dpkg/info/NAME.list   the paths of NAME; NAME:ARCH.list for Multi-Arch: same
 *     var/lib/dpkg/info/NAME.md5sums
 *     var/lib/dpkg/diversions
 *     var/lib/dpkg/arch-native
 *     var/lib/apt/extended_states
 */
#include "base/limits.h"
#include "catalog/catalog_int.h"

#include <dirent.h>

#define STATUS SAP_STR("/var/lib/dpkg/status")
#define UPDATES SAP_STR("/var/lib/dpkg/updates")
#define STATUS_D SAP_STR("/var/lib/dpkg/status.d")
#define INFO SAP_STR("/var/lib/dpkg/info")
#define DIVERSIONS SAP_STR("/var/lib/dpkg/diversions")
#define ARCH_NATIVE SAP_STR("/var/lib/dpkg/arch-native")
#define APT SAP_STR("/var/lib/apt")
#define EXTENDED_STATES SAP_STR("/var/lib/apt/extended_states")

struct reading {
	struct sap_catalog *catalog;
	struct sap_dpkg_db db;
	struct sap_arena texts; /* what the database borrows */
	struct sap_arena arena; /* the files of one package */
	struct sap_catalog_dir info;
	struct sap_catalog_dir status_d;
	struct sap_buf name;
	struct sap_watch watch;
	bool has_status_d;
	bool no_lists; /* info/ is not there or out of reach, which is said */
};

/* FOLDER/NAME, in the arena. */
static bool join(struct sap_arena *arena, struct sap_str folder, struct sap_str name,
		 struct sap_str *out)
{
	char *p = sap_arena_alloc(arena, folder.n + 1 + name.n);

	if (!p)
		return false;
	memcpy(p, folder.p, folder.n);
	p[folder.n] = '/';
	memcpy(p + folder.n + 1, name.p, name.n);
	*out = (struct sap_str){ p, folder.n + 1 + name.n };
	return true;
}

/* dpkg itself names the files of its journal by digits only. */
static bool is_journal(struct sap_str name)
{
	uint64_t number;

	return sap_str_u64(name, &number);
}

/* In status.d, what is no stanza but belongs to one. */
static bool is_beside(struct sap_str name)
{
	static const struct sap_str suffixes[] = {
		SAP_STR_INIT(".md5sums"),   SAP_STR_INIT(".list"),     SAP_STR_INIT(".conffiles"),
		SAP_STR_INIT(".preinst"),   SAP_STR_INIT(".postinst"), SAP_STR_INIT(".prerm"),
		SAP_STR_INIT(".postrm"),    SAP_STR_INIT(".config"),   SAP_STR_INIT(".templates"),
		SAP_STR_INIT(".triggers"),  SAP_STR_INIT(".shlibs"),   SAP_STR_INIT(".symbols"),
		SAP_STR_INIT(".copyright"),
	};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (sap_str_ends(name, suffixes[i]))
			return true;
	}
	return false;
}

/* The stanzas in the files of a folder. */
static int read_folder(struct reading *reading, struct sap_str folder, enum sap_dpkg_place place,
		       struct sap_err *err)
{
	struct sap_input_entry *entries;
	struct sap_err fault = { 0 };
	struct sap_str at;
	uint32_t n = 0;
	int r = sap_input_list(reading->catalog->input, folder, &reading->texts, &entries, &n,
			       &fault);

	if (r == SAP_ENOENT)
		r = sap_catalog_absent(reading->catalog, folder, 0, true, err);
	else if (r < 0)
		r = sap_catalog_blocked(reading->catalog, folder, &fault, &at, err);
	if (r < 0)
		return r;
	if (reading->watch.faults && !reading->watch.file.n)
		reading->watch.file = folder;
	for (uint32_t i = 0; i < n; i++) {
		struct sap_str name = entries[i].name, path;
		struct sap_span text;

		if (entries[i].type == DT_DIR ||
		    (place == SAP_DPKG_IN_JOURNAL ? !is_journal(name) : is_beside(name)))
			continue;
		if (!reading->watch.file.n)
			reading->watch.file = folder;
		reading->has_status_d |= place == SAP_DPKG_IN_STATUS_D;
		if (!join(&reading->texts, folder, name, &path))
			return sap_err_nomem(err);
		r = sap_catalog_slurp(reading->catalog, path, SAP_STATUS_FILE_MAX, &reading->texts,
				      &text, err);
		if (r > 0)
			r = sap_dpkg_db_add(&reading->db, path, text, place, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_apt(struct reading *reading, struct sap_err *err)
{
	struct sap_dpkg_db *db = &reading->db;
	struct sap_str line;
	struct sap_span text;
	int r;

	r = sap_catalog_slurp(reading->catalog, ARCH_NATIVE, SAP_TEXT_FILE_MAX, &reading->texts,
			      &text, err);
	if (r < 0)
		return r;
	if (r > 0) {
		line = sap_text_of(text);
		sap_str_word(&line, &db->native);
	}
	r = sap_catalog_slurp(reading->catalog, EXTENDED_STATES, SAP_STATUS_FILE_MAX,
			      &reading->texts, &text, err);
	if (r < 0)
		return r;
	if (r > 0 || sap_input_has_dir(reading->catalog->input, APT))
		db->auto_default = SAP_NO;
	return r > 0 ? sap_dpkg_db_autos(db, EXTENDED_STATES, text, err) : 0;
}

/* The stanzas of the status file. 1: the folder itself is out of reach, which is said. */
static int read_status(struct reading *reading, struct sap_err *err)
{
	struct sap_catalog *catalog = reading->catalog;
	struct sap_str at = STATUS;
	struct sap_err fault = { 0 };
	struct sap_span text;
	int r = sap_input_read(catalog->input, STATUS, SAP_STATUS_FILE_MAX, &reading->texts, &text,
			       &fault);

	if (r == SAP_ENOENT) {
		r = sap_catalog_absent(catalog, STATUS, 1, false, err);
		if (r > 0)
			reading->watch.file = STATUS;
		return r;
	}
	if (r < 0) {
		r = sap_catalog_blocked(catalog, STATUS, &fault, &at, err);
		/* Whether there is a database in a folder above its own, nobody knows. */
		if (at.n >= sap_path_dir(STATUS).n)
			reading->watch.file = STATUS;
		return r < 0 ? r : at.n < STATUS.n;
	}
	reading->watch.file = STATUS;
	if (text.n == 0)
		return sap_sink_note(catalog->sink, STATUS, 0, "empty", err,
				     "the file is empty: no package is known from it");
	return sap_dpkg_db_add(&reading->db, STATUS, text, SAP_DPKG_IN_STATUS, err);
}

/* Everything but the files of the single packages. */
static int read_database(struct reading *reading, struct sap_err *err)
{
	struct sap_span text = { 0 };
	int r = read_status(reading, err);

	if (r > 0)
		return 0;
	if (r == 0)
		r = read_folder(reading, UPDATES, SAP_DPKG_IN_JOURNAL, err);
	if (r == 0)
		r = read_folder(reading, STATUS_D, SAP_DPKG_IN_STATUS_D, err);
	if (r < 0 || reading->db.packages.n == 0)
		return r;
	reading->watch.aside = true;
	r = read_apt(reading, err);
	reading->watch.aside = false;
	if (r == 0)
		r = sap_catalog_slurp(reading->catalog, DIVERSIONS, SAP_TEXT_FILE_MAX,
				      &reading->texts, &text, err);
	if (r > 0)
		r = sap_dpkg_db_diversions(&reading->db, DIVERSIONS, text, err);
	return r;
}

/* NAME.SUFFIX or NAME:ARCH.SUFFIX. */
static struct sap_str file_name(struct reading *reading, struct sap_str name, struct sap_str arch,
				struct sap_str suffix)
{
	sap_buf_reset(&reading->name);
	sap_buf_puts(&reading->name, name);
	if (arch.n) {
		sap_buf_putc(&reading->name, ':');
		sap_buf_puts(&reading->name, arch);
	}
	sap_buf_puts(&reading->name, suffix);
	return sap_buf_ok(&reading->name) ? sap_buf_str(&reading->name) : SAP_STR("");
}

/* 1: read; 0: not there, or noted; negative: failure. */
static int read_beside(struct reading *reading, const struct sap_catalog_dir *dir,
		       struct sap_str name, struct sap_span *out, struct sap_str *path,
		       int64_t *mtime, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int r = sap_catalog_dir_read(dir, name, SAP_STATUS_FILE_MAX, &reading->arena, out, mtime,
				     &fault);

	if (r == SAP_ENOENT)
		return 0;
	if (!join(&reading->arena, dir->path, name, path))
		return sap_err_nomem(err);
	if (r == 0)
		return 1;
	return sap_catalog_fault(reading->catalog, *path, &fault, err);
}

static int read_list(struct reading *reading, const struct sap_dpkg_package *package,
		     struct sap_dpkg_info *info, struct sap_err *err)
{
	struct sap_str name = package->stanza.f[SAP_DPKG_PACKAGE];
	struct sap_str arch = package->stanza.f[SAP_DPKG_ARCHITECTURE];
	bool same = sap_str_is(package->stanza.f[SAP_DPKG_MULTI_ARCH], "same");
	struct sap_span *out = reading->catalog->without_files ? NULL : &info->list;
	struct sap_str md5_arch = { 0 };
	uint32_t before = reading->watch.faults;
	int r = 0;

	if (reading->no_lists)
		return 0;
	/* Before the format 1 of info, no name had its architecture. */
	for (int i = 0; i < (arch.n ? 2 : 1) && r == 0 && reading->watch.faults == before; i++) {
		md5_arch = same == (i == 0) ? arch : (struct sap_str){ 0 };
		if (md5_arch.n && !sap_dpkg_name_ok(md5_arch))
			continue;
		r = read_beside(reading, &reading->info,
				file_name(reading, name, md5_arch, SAP_STR(".list")), out,
				&info->list_path, &info->list_time, err);
	}
	if (r < 0 || reading->watch.faults > before)
		return r < 0 ? r : 0;
	if (r == 0)
		return sap_sink_note(reading->catalog->sink, package->path, package->stanza.offset,
				     "missing", err,
				     "%.*s is installed but has no readable list of its files",
				     SAP_FMT(name));
	info->has_list = true;
	if (!out)
		return 0;
	/* dpkg writes "/." for a package without files, and refuses a list that is cut. */
	if (info->list.n == 0)
		r = sap_sink_note(reading->catalog->sink, info->list_path, 0, "empty", err,
				  "the list of the files of %.*s is empty", SAP_FMT(name));
	else if (info->list.p[info->list.n - 1] != '\n')
		r = sap_sink_note(reading->catalog->sink, info->list_path, info->list.n, "format",
				  err, "the last line does not end: the list may be cut");
	if (r < 0 || reading->catalog->without_digests)
		return r;
	r = read_beside(reading, &reading->info,
			file_name(reading, name, md5_arch, SAP_STR(".md5sums")), &info->md5,
			&info->md5_path, NULL, err);
	return r < 0 ? r : 0;
}

/* A package of status.d has no list: its files are those with digests. */
static int read_md5sums(struct reading *reading, const struct sap_dpkg_package *package,
			struct sap_dpkg_info *info, struct sap_err *err)
{
	uint32_t before = reading->watch.faults;
	int r = read_beside(reading, &reading->status_d,
			    file_name(reading, sap_path_base(package->path), (struct sap_str){ 0 },
				      SAP_STR(".md5sums")),
			    &info->md5, &info->md5_path, NULL, err);

	if (r != 0 || reading->watch.faults > before)
		return r;
	return sap_sink_note(reading->catalog->sink, package->path, package->stanza.offset,
			     "missing", err, "%.*s has no .md5sums: its files are not known",
			     SAP_FMT(package->stanza.f[SAP_DPKG_PACKAGE]));
}

static int put_package(struct reading *reading, const struct sap_dpkg_package *package,
		       struct sap_err *err)
{
	struct sap_str name = package->stanza.f[SAP_DPKG_PACKAGE];
	struct sap_dpkg_info info = { 0 };
	bool broken, odd;
	int r = 0;

	if (!sap_dpkg_is_present(package, &broken, &odd))
		return 0;
	sap_arena_reset(&reading->arena);
	if (package->place == SAP_DPKG_IN_STATUS_D) {
		if (!reading->catalog->without_files)
			r = read_md5sums(reading, package, &info, err);
	} else if (!sap_dpkg_name_ok(name)) {
		r = sap_sink_note(
			reading->catalog->sink, package->path, package->stanza.offset, "format",
			err, "a package name that dpkg does not allow; its files are not read");
	} else {
		r = read_list(reading, package, &info, err);
	}
	return r < 0 ? r : sap_dpkg_emit(&reading->db, package, &info, err);
}

/* 1: open; 0: it is not there, or it is out of reach, which is said. */
static int open_folder(struct reading *reading, struct sap_str path, struct sap_catalog_dir *dir,
		       struct sap_err *err)
{
	struct sap_err fault = { 0 };
	struct sap_str at;
	int r;

	*dir = (struct sap_catalog_dir){ .input = reading->catalog->input, .path = path, .fd = -1 };
	r = sap_catalog_dir_open(dir, dir->input, path, &fault);
	if (r == 0)
		return 1;
	return r == SAP_ENOENT ? 0 : sap_catalog_blocked(reading->catalog, path, &fault, &at, err);
}

/* Opens info/ where a package needs it. That it is missing is said once, not for each. */
static int open_info(struct reading *reading, struct sap_err *err)
{
	const struct sap_dpkg_db *db = &reading->db;
	uint32_t before = reading->watch.faults;
	bool needed = false, broken, odd;
	int r;

	for (size_t i = 0; i < db->packages.n && !needed; i++)
		needed = db->packages.v[i].place != SAP_DPKG_IN_STATUS_D &&
			 sap_dpkg_is_present(&db->packages.v[i], &broken, &odd);
	if (!needed)
		return 0;
	r = open_folder(reading, INFO, &reading->info, err);
	if (r != 0)
		return r < 0 ? r : 0;
	reading->no_lists = true;
	if (reading->watch.faults > before)
		return 0;
	r = sap_catalog_absent(reading->catalog, INFO, 0, true, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return sap_sink_note(reading->catalog->sink, INFO, 0, "missing", err,
			     "the folder with the lists of all packages' files is not there");
}

int sap_catalog_dpkg(struct sap_catalog *catalog, struct sap_err *err)
{
	struct reading reading = { .catalog = catalog, .info.fd = -1, .status_d.fd = -1 };
	int r;

	sap_dpkg_db_init(&reading.db, catalog);
	sap_arena_init(&reading.texts, 0);
	sap_arena_init(&reading.arena, 0);
	sap_buf_init(&reading.name, SAP_PATH_MAX);
	sap_watch_begin(&reading.watch, catalog, SAP_STR("deb"));
	reading.db.notes.sink = catalog->sink;
	r = read_database(&reading, err);
	if (r == 0)
		r = open_info(&reading, err);
	if (r == 0 && reading.has_status_d)
		r = open_folder(&reading, STATUS_D, &reading.status_d, err);
	if (r > 0)
		r = 0;
	for (size_t i = 0; i < reading.db.packages.n && r == 0; i++)
		r = put_package(&reading, &reading.db.packages.v[i], err);
	r = sap_watch_end(&reading.watch, r, err);
	sap_catalog_dir_close(&reading.info);
	sap_catalog_dir_close(&reading.status_d);
	sap_buf_clear(&reading.name);
	sap_arena_clear(&reading.arena);
	sap_arena_clear(&reading.texts);
	sap_dpkg_db_clear(&reading.db);
	return r;
}
