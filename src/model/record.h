/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: the facts of a target as they are made, one at a time.
 *
 * A producer (the ELF parser, a package database reader, the walk) fills a record and gives
 * it to a sink. Every text in a record is borrowed: it is valid during the call and the sink
 * copies what it keeps. An absent text is {NULL, 0}: unknown is never made up.
 *
 * Sinks: the CBOR encoder (model/codec.h), the builder of struct sap_facts (model/facts.h),
 * and the collectors of tests. A sink returns 0 or a negative enum sap_code, which the
 * producer passes on at once.
 *
 * Paths in records are absolute inside the target ("/usr/bin/ls"), without "." or "..",
 * without doubled slashes. Only the path of an owned file may still contain symbolic links
 * (it is what the package database says); all others are canonical.
 */
#ifndef SAP_MODEL_RECORD_H
#define SAP_MODEL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* A borrowed list of texts. */
struct sap_strs {
	const struct sap_str *v;
	uint32_t n;
};

/* ---- the system ------------------------------------------------------------------------- */

/* os-release(5), or what stands in for it. source names the file the identity came from. */
struct sap_rec_os {
	struct sap_str source;
	struct sap_str id;         /* "debian" */
	struct sap_str id_like;    /* blank-separated, as in the file */
	struct sap_str version_id; /* "12" */
	struct sap_str codename;   /* VERSION_CODENAME */
	struct sap_str name;       /* NAME */
	struct sap_str pretty_name;
	struct sap_str variant_id;
	struct sap_str build_id;
	struct sap_str cpe_name;
	struct sap_str point_release; /* /etc/debian_version, /etc/alpine-release ...: "12.5" */
};

/* ---- packages --------------------------------------------------------------------------- */

enum sap_package_type {
	SAP_PACKAGE_NONE = 0,
	SAP_PACKAGE_DEB = 1,  /* purl type deb */
	SAP_PACKAGE_RPM = 2,  /* purl type rpm */
	SAP_PACKAGE_APK = 3,  /* purl type apk */
	SAP_PACKAGE_ALPM = 4, /* purl type alpm (pacman) */
	/* Of languages: each is found by a file of its own, which `database` names. */
	SAP_PACKAGE_PYPI = 5,   /* Python: METADATA, PKG-INFO */
	SAP_PACKAGE_NPM = 6,    /* Node: package.json */
	SAP_PACKAGE_GEM = 7,    /* Ruby: .gemspec */
	SAP_PACKAGE_GOLANG = 8, /* a module of Go, compiled into the ELF object `database` */
	SAP_PACKAGE_TYPES
};

/* "deb", "rpm", "apk", "alpm", "pypi", "npm", "gem", "golang": the purl type. */
const char *sap_package_type_name(enum sap_package_type type);

/* True for what a language's own manager installs: it owns no files, and nothing of the system
 * depends on it. */
static inline bool sap_package_type_is_language(unsigned type)
{
	return type >= SAP_PACKAGE_PYPI && type < SAP_PACKAGE_TYPES;
}

enum sap_tristate { SAP_UNKNOWN = 0, SAP_NO = 1, SAP_YES = 2 };

enum sap_relation_kind {
	SAP_REL_DEPENDS = 1, /* Depends, Requires, D:, %DEPENDS% */
	SAP_REL_PRE_DEPENDS, /* Pre-Depends; rpm: Requires(pre) are plain Requires */
	SAP_REL_RECOMMENDS,
	SAP_REL_SUGGESTS, /* %OPTDEPENDS% */
	SAP_REL_PROVIDES,
	SAP_REL_CONFLICTS,
	SAP_REL_KINDS
};

/* One relation as the package manager words it: "libc6 (>= 2.34) | libc6-udeb",
 * "libcrypto.so.3()(64bit)", "so:libz.so.1", "glibc>=2.38". */
struct sap_rec_relation {
	enum sap_relation_kind kind;
	struct sap_str text;
};

struct sap_rec_package {
	uint32_t id; /* counts up from 1 in the order of the target; named by its files */
	enum sap_package_type type;
	struct sap_str name;
	struct sap_str version;        /* full: with epoch (unless it is 0 or absent) and release */
	struct sap_str arch;           /* gem: its platform, absent for "ruby" */
	struct sap_str source;         /* source package's name */
	struct sap_str source_version; /* full version of the source package */
	struct sap_str licence;        /* as the manager words it */
	struct sap_str maintainer;     /* Maintainer, Packager, m: */
	struct sap_str vendor;         /* rpm's Vendor; deb's Origin */
	struct sap_str section;        /* deb Section, rpm Group */
	struct sap_str modularity;     /* rpm's Modularitylabel */
	struct sap_str database;       /* path of the database (or file) that names it */
	int64_t install_time;          /* seconds since 1970; 0: unknown */
	uint64_t installed_size;       /* bytes; 0: unknown */
	enum sap_tristate auto_installed;
	enum sap_tristate essential; /* Essential or Protected */
	bool broken;                 /* the manager itself says that it is not fully installed */
	const struct sap_rec_relation *relations;
	uint32_t n_relations;
};

enum sap_digest_kind {
	SAP_DIGEST_NONE = 0,
	SAP_DIGEST_MD5 = 1,
	SAP_DIGEST_SHA1 = 2,
	SAP_DIGEST_SHA256 = 3,
	SAP_DIGEST_SHA384 = 4,
	SAP_DIGEST_SHA512 = 5,
	SAP_DIGEST_SHA224 = 6,
	SAP_DIGEST_KINDS
};

/* Bytes of a digest of that kind; 0 for NONE and unknown kinds. */
uint32_t sap_digest_size(enum sap_digest_kind kind);

enum sap_file_flags {
	SAP_FILE_CONFIG = 1, /* a configuration file: expected to be changed */
	SAP_FILE_GHOST = 2,  /* owned but not shipped (rpm %ghost) */
	SAP_FILE_DOC = 4,
};

/* A file that a package owns, after diversions. Directories are left out where the database
 * tells them apart. */
struct sap_rec_file {
	uint32_t package; /* id of a package record that came before */
	uint32_t flags;   /* enum sap_file_flags */
	struct sap_str path;
	enum sap_digest_kind digest_kind;
	struct sap_str digest; /* binary, sap_digest_size bytes; absent: unknown */
};

/* ---- the tree --------------------------------------------------------------------------- */

struct sap_rec_symlink {
	struct sap_str path;
	struct sap_str target; /* as readlink gives it */
};

struct sap_rec_dir {
	struct sap_str path;
};

enum sap_other_reason {
	SAP_OTHER_NOT_ELF = 0,
	SAP_OTHER_UNREADABLE = 1, /* may be anything: no rights, input/output error */
	SAP_OTHER_EMPTY = 2,
	SAP_OTHER_NO_FILE = 3, /* a FIFO, socket or device */
	SAP_OTHER_DAMAGED = 4, /* it says that it is ELF, but is no usable ELF file */
	SAP_OTHER_LOOP = 5,    /* symbolic links that lead to themselves, or too many */
	SAP_OTHER_REASONS
};

/* What is no ELF object, but a loader may try it: it has ".so" in its name or was asked for; it
 * says that it is ELF; or nobody knows, since it cannot be read. The latter may be a folder: then
 * nothing is known of what is in it. */
struct sap_rec_other {
	struct sap_str path; /* on demand, where no canonical path could be found: as asked */
	uint64_t size;       /* 0 where it is not known */
	enum sap_other_reason reason;
};

/* The answer to a question for one path (on-demand extraction): where it leads. */
enum sap_lookup_result {
	SAP_LOOKUP_ABSENT = 1,
	SAP_LOOKUP_OBJECT = 2, /* an object record with the path `canonical` came before */
	SAP_LOOKUP_OTHER = 3,  /* a file, but no ELF object */
	SAP_LOOKUP_DIR = 4,
	SAP_LOOKUP_UNREADABLE = 5, /* it, or a folder on the way, cannot be looked at or opened */
	SAP_LOOKUP_RESULTS
};

/* Before OTHER and UNREADABLE comes an `other` record with the path `canonical`, unless an
 * earlier lookup led to the same file. */
struct sap_rec_lookup {
	struct sap_str path;      /* as asked */
	struct sap_str canonical; /* absent for SAP_LOOKUP_ABSENT */
	enum sap_lookup_result result;
};

/* ---- ELF objects ------------------------------------------------------------------------ */

enum sap_object_flags {
	SAP_OBJ_PIE = 1u << 0,           /* ET_DYN with PT_INTERP or DF_1_PIE */
	SAP_OBJ_STATIC = 1u << 1,        /* a program without PT_INTERP and without DT_NEEDED */
	SAP_OBJ_DYNAMIC = 1u << 2,       /* has a PT_DYNAMIC */
	SAP_OBJ_NODEFLIB = 1u << 3,      /* DF_1_NODEFLIB */
	SAP_OBJ_BIND_NOW = 1u << 4,      /* DT_BIND_NOW, DF_BIND_NOW or DF_1_NOW */
	SAP_OBJ_TEXTREL = 1u << 5,       /* DT_TEXTREL or DF_TEXTREL */
	SAP_OBJ_RELRO = 1u << 6,         /* PT_GNU_RELRO; full RELRO: with BIND_NOW */
	SAP_OBJ_EXECSTACK = 1u << 7,     /* PT_GNU_STACK executable */
	SAP_OBJ_NO_STACK_NOTE = 1u << 8, /* no PT_GNU_STACK at all */
	SAP_OBJ_NODELETE = 1u << 9,
	SAP_OBJ_INITFIRST = 1u << 10,
	SAP_OBJ_SYMBOLIC = 1u << 11,
	SAP_OBJ_GLOBAL = 1u << 12,
	SAP_OBJ_ORIGIN = 1u << 13,
	SAP_OBJ_RPATH_IGNORED = 1u << 14, /* has DT_RPATH beside DT_RUNPATH: without effect */
	SAP_OBJ_SYMBOLS_READ =
		1u << 15,            /* the dynamic symbol table was read: counts and uses hold */
	SAP_OBJ_DAMAGED = 1u << 16,  /* part of it could not be read; a diagnostic says what */
	SAP_OBJ_RWX = 1u << 17,      /* a PT_LOAD both writable and executable */
	SAP_OBJ_SECTIONS = 1u << 18, /* has a readable section header table */
	SAP_OBJ_SYMTAB = 1u << 19,   /* has a .symtab (is not stripped) */
	SAP_OBJ_PIE_MARK = 1u << 21, /* DF_1_PIE: glibc loads it as a program only */
	SAP_OBJ_VERSIONS = 1u << 20, /* has DT_VERDEF or DT_VERNEED */
};

/* Version `version` of `file` (DT_VERNEED), needed by the object. */
struct sap_rec_verneed {
	struct sap_str file;
	struct sap_str version;
	bool weak; /* VER_FLG_WEAK: its absence is tolerated */
};

/* One entry of .note.dlopen (ELF dlopen metadata): any of the sonames satisfies it. */
struct sap_rec_dlopen_note {
	struct sap_str feature;
	struct sap_str description;
	struct sap_str priority; /* required, recommended, suggested; absent: recommended */
	struct sap_strs sonames;
};

/* .note.package (ELF package metadata). */
struct sap_rec_package_note {
	struct sap_str type;
	struct sap_str name;
	struct sap_str version;
	struct sap_str arch;
	struct sap_str os;
	struct sap_str os_version;
	struct sap_str cpe;
	struct sap_str debug_info_url;
};

struct sap_rec_object {
	struct sap_str path;
	uint64_t size;     /* of the file */
	uint32_t mode;     /* st_mode: permissions, setuid, setgid */
	uint64_t link_id;  /* the same non-zero number for hard links to one file; 0: one name */
	uint8_t elf_class; /* 1: 32 bit, 2: 64 bit (EI_CLASS) */
	uint8_t endian;    /* 1: little, 2: big (EI_DATA) */
	uint8_t osabi;     /* EI_OSABI */
	uint16_t type;     /* e_type: 1 REL, 2 EXEC, 3 DYN, 4 CORE */
	uint16_t machine;  /* e_machine */
	uint32_t e_flags;
	uint32_t flags; /* enum sap_object_flags */
	struct sap_str interp;
	struct sap_str soname;
	struct sap_str rpath;    /* DT_RPATH, as written */
	struct sap_str runpath;  /* DT_RUNPATH, as written */
	struct sap_str build_id; /* binary */
	struct sap_strs needed;
	struct sap_strs filters;     /* DT_FILTER */
	struct sap_strs auxiliaries; /* DT_AUXILIARY */
	const struct sap_rec_verneed *verneeds;
	uint32_t n_verneeds;
	struct sap_strs verdefs; /* version names defined, without the base definition */
	uint64_t mapped_bytes;   /* sum of PT_LOAD memory sizes */
	uint64_t code_bytes;     /* sum of executable PT_LOAD file sizes */
	/* Of the dynamic symbol table; hold where SAP_OBJ_SYMBOLS_READ is set. */
	uint32_t n_defined;
	uint32_t n_imported;
	uint32_t n_ifuncs;
	uint32_t n_irelative;    /* IRELATIVE relocations */
	uint32_t n_constructors; /* DT_INIT and the entries of DT_INIT_ARRAY (and PREINIT) */
	struct sap_strs uses;    /* imported functions that lead to more loading; sorted */
	struct sap_strs
		dlopen_strings; /* sonames in read-only data, where dlopen is imported; sorted */
	struct sap_strs loader_dirs; /* of a dynamic loader: the folders built into it, in order */
	const struct sap_rec_dlopen_note *dlopen_notes;
	uint32_t n_dlopen_notes;
	struct sap_rec_package_note package_note;
};

enum sap_symbol_flags {
	SAP_SYM_WEAK = 1,
	SAP_SYM_IFUNC = 2,
	SAP_SYM_FUNC = 4,
	SAP_SYM_OBJECT = 8,
	SAP_SYM_TLS = 16,
	SAP_SYM_HIDDEN_VERSION = 32, /* not the default version ("@", not "@@") */
};

/* A dynamic symbol. Defined: version is the one it is defined at. Imported: version and
 * file are those of DT_VERNEED, absent for an unversioned reference. */
struct sap_rec_symbol {
	struct sap_str name;
	struct sap_str version;
	struct sap_str file;
	uint64_t value; /* st_value; 0 for imports */
	uint64_t size;
	uint32_t flags;
	bool defined;
};

/* The dynamic symbols of the object whose record came before; may come in several records. */
struct sap_rec_symbols {
	struct sap_str path;
	const struct sap_rec_symbol *v;
	uint32_t n;
};

/* ---- what the configuration says about loading ------------------------------------------ */

/* An entry of ld.so.cache, in the cache's order. */
struct sap_rec_cache_entry {
	struct sap_str soname;
	struct sap_str path;
	struct sap_str hwcaps; /* name of the glibc-hwcaps subdirectory; absent: none */
	uint32_t flags;        /* ABI, as in sysdeps' ldconfig.h: 0x0303 x86-64, 0x0003 i386 ... */
	uint64_t hwcap;        /* the legacy mask, 0 with `hwcaps` */
	uint32_t index;        /* position in the cache */
};

enum sap_setting_kind {
	/* key, value, extra; `file` is the file that says it, `order` its position there. */
	SAP_SET_CACHE =
		1,       /* a readable ld.so.cache was found: value its format ("new", "compat") */
	SAP_SET_LD_CONF, /* value: a folder of ld.so.conf, includes followed */
	SAP_SET_LD_PRELOAD, /* value: a name of ld.so.preload */
	SAP_SET_MUSL_PATH,  /* key: ARCH of ld-musl-ARCH.path; value: a folder */
	SAP_SET_NSS,        /* key: database ("passwd"); value: a service ("systemd") */
	SAP_SET_PAM, /* key: service ("sshd"); value: module as written; extra: type (auth ...) */
	SAP_SET_PAM_INCLUDE, /* key: service; value: the service included; extra: type or empty
				(all) */
	SAP_SET_CPU,         /* of a host: key "x86-64", value its micro-architecture level */
	SAP_SET_DATABASE,    /* a package database that is there: key its purl type; value
				"read", "partial" (packages or lists of files are missing) or
				"unreadable" (nothing of it) */
	SAP_SET_KINDS
};

struct sap_rec_setting {
	enum sap_setting_kind kind;
	struct sap_str file;
	struct sap_str key;
	struct sap_str value;
	struct sap_str extra;
	uint32_t order;
};

enum sap_service_kind { SAP_SERVICE_SYSTEMD = 1, SAP_SERVICE_INIT = 2, SAP_SERVICE_KINDS };

/* A systemd unit that starts programs (.service; with what its .socket or .timer says of
 * enablement), or an init script. */
struct sap_rec_service {
	enum sap_service_kind kind;
	struct sap_str name;       /* "ssh.service"; "networking" for an init script */
	struct sap_str path;       /* the unit file or script */
	struct sap_str user;       /* User= */
	struct sap_strs programs;  /* absolute paths of ExecStart= and its kin, first words only */
	enum sap_tristate enabled; /* linked from a .wants/.requires folder, or rcN.d */
};

/* ---- what could not be said ------------------------------------------------------------- */

/* code is a stable word, see docs/formats/scan.md; message is for a person. */
struct sap_rec_diagnostic {
	struct sap_str path;
	struct sap_str code;
	struct sap_str message;
	uint64_t offset; /* byte offset in the file; 0 where none applies */
};

/* What the walk went over. */
struct sap_rec_stats {
	uint64_t files; /* regular files */
	uint64_t dirs;
	uint64_t symlinks;
	uint64_t specials;       /* sockets, devices, FIFOs */
	uint64_t objects;        /* ELF files, readable or not */
	uint64_t unreadable;     /* files and folders that could not be opened or read */
	uint64_t skipped_mounts; /* pseudo file systems on a host */
};

/* ---- the sink --------------------------------------------------------------------------- */

/* All members must be set; a sink that has no use for a kind sets sap_sink_ignore-like
 * functions of its own. Not called by two threads at once. */
struct sap_sink {
	int (*os)(struct sap_sink *sink, const struct sap_rec_os *rec, struct sap_err *err);
	int (*package)(struct sap_sink *sink, const struct sap_rec_package *rec,
		       struct sap_err *err);
	int (*file)(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err);
	int (*symlink)(struct sap_sink *sink, const struct sap_rec_symlink *rec,
		       struct sap_err *err);
	int (*dir)(struct sap_sink *sink, const struct sap_rec_dir *rec, struct sap_err *err);
	int (*other)(struct sap_sink *sink, const struct sap_rec_other *rec, struct sap_err *err);
	int (*lookup)(struct sap_sink *sink, const struct sap_rec_lookup *rec, struct sap_err *err);
	int (*object)(struct sap_sink *sink, const struct sap_rec_object *rec, struct sap_err *err);
	int (*symbols)(struct sap_sink *sink, const struct sap_rec_symbols *rec,
		       struct sap_err *err);
	int (*cache_entry)(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
			   struct sap_err *err);
	int (*setting)(struct sap_sink *sink, const struct sap_rec_setting *rec,
		       struct sap_err *err);
	int (*service)(struct sap_sink *sink, const struct sap_rec_service *rec,
		       struct sap_err *err);
	int (*diagnostic)(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			  struct sap_err *err);
	int (*stats)(struct sap_sink *sink, const struct sap_rec_stats *rec, struct sap_err *err);
};

/* Gives sink a diagnostic made from a code and a formatted message (cut at 512 bytes). */
int sap_sink_note(struct sap_sink *sink, struct sap_str path, uint64_t offset, const char *code,
		  struct sap_err *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Gives sink a diagnostic made from what a parser reported in `fault`; the code is
 * sap_code_name(fault->code). */
int sap_sink_fault(struct sap_sink *sink, struct sap_str path, const struct sap_err *fault,
		   struct sap_err *err);

#endif
