/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts: what a target contains, in memory, after every record has come in.
 *
 * Plain data over one string pool. Texts are pool ids (0: absent). Lists are ranges of the
 * arrays below: struct sap_range{at, n}. Filled by the builder sink (sap_facts_sink), made
 * final by sap_facts_finish, read-only from then on.
 *
 * Invariants after sap_facts_finish, whoever produced the records (they may be hostile):
 * - every id is valid in the pool, every range lies inside its array;
 * - no two objects have the same path; of whole facts they are sorted by path, on demand they
 *   stand in the order in which they came, and keep their index when more come;
 * - packages are sorted by (type, name, arch, version, database) and files by package in
 *   the order of the database; file.package is an index into packages;
 * - symlinks, dirs, others, services, diagnostics are sorted; cache entries by index;
 *   settings by (kind, file, order).
 */
#ifndef SAP_MODEL_FACTS_H
#define SAP_MODEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/vec.h"
#include "model/record.h"

struct sap_range {
	uint32_t at;
	uint32_t n;
};

#define SAP_NONE UINT32_MAX

struct sap_os {
	uint32_t source, id, id_like, version_id, codename, name, pretty_name, variant_id, build_id,
		cpe_name, point_release;
};

struct sap_relation {
	uint32_t kind; /* enum sap_relation_kind */
	uint32_t text;
};

struct sap_package {
	uint32_t key; /* id of its record */
	uint32_t name, version, arch, source, source_version, licence, maintainer, vendor, section,
		modularity, database;
	int64_t install_time;
	uint64_t installed_size;
	struct sap_range relations; /* of facts->relations */
	struct sap_range files;     /* of facts->files */
	uint8_t type;               /* enum sap_package_type */
	uint8_t auto_installed;     /* enum sap_tristate */
	uint8_t essential;          /* enum sap_tristate */
	bool broken;
};

struct sap_file {
	uint32_t package; /* index into packages */
	uint32_t path;
	uint32_t digest; /* pool id of binary bytes; 0: none */
	uint16_t flags;  /* enum sap_file_flags */
	uint8_t digest_kind;
};

struct sap_symlink {
	uint32_t path;
	uint32_t target;
};

struct sap_other {
	uint32_t path;
	uint32_t reason; /* enum sap_other_reason */
	uint64_t size;
};

struct sap_lookup {
	uint32_t path;
	uint32_t canonical;
	uint32_t result; /* enum sap_lookup_result */
};

struct sap_verneed {
	uint32_t file;
	uint32_t version;
	bool weak;
};

struct sap_dlopen_note {
	uint32_t feature, description, priority;
	struct sap_range sonames; /* of facts->ids */
};

struct sap_package_note {
	uint32_t type, name, version, arch, os, os_version, cpe, debug_info_url;
};

struct sap_symbol {
	uint32_t name, version, file;
	uint32_t flags; /* enum sap_symbol_flags */
	uint64_t value;
	uint64_t size;
	bool defined;
};

/* As struct sap_rec_object, see there for what each member says. */
struct sap_object {
	uint32_t path, interp, soname, rpath, runpath, build_id;
	uint32_t mode, e_flags, flags;
	uint16_t type, machine;
	uint8_t elf_class, endian, osabi;
	uint64_t size, link_id, mapped_bytes, code_bytes;
	uint32_t n_defined, n_imported, n_ifuncs, n_irelative, n_constructors;
	struct sap_range needed, filters, auxiliaries, verdefs, uses, dlopen_strings,
		loader_dirs;           /* of facts->ids */
	struct sap_range verneeds;     /* of facts->verneeds */
	struct sap_range dlopen_notes; /* of facts->dlopen_notes */
	struct sap_range symbols;      /* of facts->symbols; n is 0 unless they were asked for */
	struct sap_package_note note;  /* note.name and note.type are 0 where there is no note */
	uint32_t package;              /* index of the owner in packages, or SAP_NONE; set by
					* sap_tree_own (model/tree.h) */
};

struct sap_cache_entry {
	uint32_t soname, path, hwcaps, flags, index;
	uint64_t hwcap;
};

struct sap_setting {
	uint32_t kind; /* enum sap_setting_kind */
	uint32_t file, key, value, extra, order;
};

struct sap_service {
	uint32_t kind; /* enum sap_service_kind */
	uint32_t name, path, user;
	struct sap_range programs; /* of facts->ids */
	uint8_t enabled;           /* enum sap_tristate */
};

struct sap_diagnostic {
	uint32_t path, code, message;
	uint64_t offset;
};

struct sap_facts {
	struct sap_sink sink; /* fills these facts; first member */
	struct sap_pool *pool;
	uint32_t target;      /* what the user named */
	uint32_t target_kind; /* "host", "directory" */
	uint32_t tool;        /* version of the program that extracted */
	bool whole;           /* the target was walked; false: only paths that were asked for */
	bool with_symbols;    /* symbol lists were extracted */
	bool truncated;       /* the stream ended before its end record */
	bool has_os;
	struct sap_os os;
	struct sap_rec_stats stats;
	uint64_t diagnostics_dropped; /* beyond SAP_DIAGNOSTICS_MAX */
	SAP_VEC(struct sap_package) packages;
	SAP_VEC(struct sap_relation) relations;
	SAP_VEC(struct sap_file) files;
	SAP_VEC(struct sap_symlink) symlinks;
	SAP_VEC(uint32_t) dirs;
	SAP_VEC(struct sap_other) others;
	SAP_VEC(struct sap_lookup) lookups;
	SAP_VEC(struct sap_object) objects;
	SAP_VEC(struct sap_verneed) verneeds;
	SAP_VEC(struct sap_dlopen_note) dlopen_notes;
	SAP_VEC(struct sap_symbol) symbols;
	SAP_VEC(struct sap_cache_entry) cache;
	SAP_VEC(struct sap_setting) settings;
	SAP_VEC(struct sap_service) services;
	SAP_VEC(struct sap_diagnostic) diagnostics;
	SAP_VEC(uint32_t) ids; /* elements of all lists of texts */
};

/* Empty facts, ready to be filled through facts->sink. NULL: out of memory. */
struct sap_facts *sap_facts_new(void);
void sap_facts_free(struct sap_facts *facts);

/* Sorts, removes doubles, connects files to packages. Call it once the last record is in;
 * with on-demand facts, again after each further batch. SAP_ENOMEM. */
int sap_facts_finish(struct sap_facts *facts, struct sap_err *err);

/* How much there is, to go back to: what a producer that failed half-way has added since is
 * taken out again. Both only on finished facts that got records since the mark. */
struct sap_facts_mark {
	size_t packages, relations, files, symlinks, dirs, others, lookups, objects, verneeds,
		dlopen_notes, symbols, cache, settings, services, diagnostics, ids;
	struct sap_rec_stats stats;
	bool has_os;
};

struct sap_facts_mark sap_facts_mark(const struct sap_facts *facts);
void sap_facts_rollback(struct sap_facts *facts, const struct sap_facts_mark *mark);

/* The text of an id. */
static inline struct sap_str sap_facts_str(const struct sap_facts *facts, uint32_t id)
{
	return sap_pool_str(facts->pool, id);
}

/* Index of the object with that path, or SAP_NONE (after sap_facts_finish). */
uint32_t sap_facts_object(const struct sap_facts *facts, struct sap_str path);

/* A program: an executable file that the kernel would start. ET_EXEC, or ET_DYN with an
 * interpreter or DF_1_PIE, with an execute bit; not a dynamic loader, nor a library that can be
 * started as well (one with a soname and ".so" in its file name: libc.so.6). */
bool sap_object_is_program(const struct sap_facts *facts, const struct sap_object *object);

#endif
