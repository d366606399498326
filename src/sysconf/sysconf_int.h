/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of sysconf share. The pure parsers here take a `fault` beside err: what is
 * wrong with the bytes goes into fault (code 0: nothing; the first fault is kept) and what
 * could be read is given all the same; only a sink that failed or memory that ran out makes
 * them return a negative code, with err set.
 */
#ifndef SAP_SYSCONF_INT_H
#define SAP_SYSCONF_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/pool.h"
#include "base/vec.h"
#include "sysconf/sysconf.h"

/* One call of sap_sysconf_*: where it reads, where it writes, its memory. */
struct sap_sysconf {
	struct sap_input *input;
	struct sap_sink *sink;
	struct sap_arena arena; /* lives as long as the call */
	struct sap_arena file;  /* reset for each file read */
	struct sap_pool *pool;
	struct sap_programs *programs; /* of sap_sysconf_services only */
};

int sap_sysconf_begin(struct sap_sysconf *sc, struct sap_input *input, struct sap_sink *sink,
		      struct sap_err *err);
void sap_sysconf_end(struct sap_sysconf *sc);

/* Reads a file, lists a folder, reads a link: 1 done, 0 absent or unreadable (then a
 * diagnostic has been given), negative: memory or the sink failed. */
int sap_sysconf_read(struct sap_sysconf *sc, struct sap_str path, uint64_t max,
		     struct sap_arena *arena, struct sap_span *out, struct sap_err *err);
int sap_sysconf_list(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
		     struct sap_input_entry **out, uint32_t *n, struct sap_err *err);
int sap_sysconf_readlink(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
			 struct sap_str *out, struct sap_err *err);

/* The canonical path that `path` leads to and its type: 1; 0 where there is nothing. */
int sap_sysconf_canonical(struct sap_sysconf *sc, struct sap_str path, struct sap_arena *arena,
			  struct sap_str *out, uint8_t *type, struct sap_err *err);

/* Gives the sink a diagnostic of fault, unless its code is 0. */
int sap_sysconf_fault(struct sap_sink *sink, struct sap_str path, const struct sap_err *fault,
		      struct sap_err *err);

/* Puts s in the pool; 1: it is new, 0: it was there, negative: no memory. */
int sap_sysconf_once(struct sap_pool *pool, struct sap_str s, struct sap_err *err);

/* dir "/" name in arena memory; name alone where dir is "/" or empty gets one slash. */
int sap_sysconf_join(struct sap_arena *arena, struct sap_str dir, struct sap_str name,
		     struct sap_str *out, struct sap_err *err);

/* An absolute path without doubled slashes, "." and trailing slashes; ".." takes the
 * component before it away, as text. */
int sap_sysconf_normal(struct sap_arena *arena, struct sap_str path, struct sap_str *out,
		       struct sap_err *err);

/* True where path has a component "..". */
bool sap_sysconf_has_dotdot(struct sap_str path);

/* glob(7) for one path component: * ? [a-z] [!a] \x; a leading '.' only matches itself.
 * Time is at most pattern times name. */
bool sap_sysconf_match(struct sap_str pattern, struct sap_str name);

/* First fault wins. */
void sap_sysconf_blame(struct sap_err *fault, enum sap_code code, uint64_t offset, const char *fmt,
		       ...) __attribute__((format(printf, 4, 5)));

/* ---- parsers ---------------------------------------------------------------------------- */

int sap_ldcache_read(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		     struct sap_err *fault, struct sap_err *err);

/* ld.so.preload: names separated by blanks or ':'; '#' starts a comment, anywhere. */
int sap_preload_read(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		     struct sap_err *err);

/* ld-musl-ARCH.path: folders separated by ':' or LF; nothing after a NUL counts. */
int sap_muslpath_read(struct sap_span bytes, struct sap_str path, struct sap_str arch,
		      struct sap_sink *sink, struct sap_err *err);

typedef int sap_pam_include_fn(void *arg, struct sap_str target, struct sap_err *err);

struct sap_pam_source {
	struct sap_span bytes;
	struct sap_str path;
	struct sap_str service;      /* empty: pam.conf, where each line begins with one */
	sap_pam_include_fn *include; /* told of each new include; may be NULL */
	void *arg;
	struct sap_pool *seen; /* of the caller, to drop repeated rules; NULL: one of its own */
};

int sap_pam_read(const struct sap_pam_source *source, struct sap_sink *sink, struct sap_err *fault,
		 struct sap_err *err);

/* The Exec*= directives of a service, the main one first. */
enum sap_unit_exec {
	SAP_UNIT_START,
	SAP_UNIT_CONDITION,
	SAP_UNIT_START_PRE,
	SAP_UNIT_START_POST,
	SAP_UNIT_RELOAD,
	SAP_UNIT_STOP,
	SAP_UNIT_STOP_POST,
	SAP_UNIT_EXECS
};

/* What a unit file and its drop-ins say; texts live in the arena. */
struct sap_unit {
	SAP_VEC(struct sap_str) exec[SAP_UNIT_EXECS]; /* programs as written, without prefixes */
	/* For each of them: the absolute path that the text of "sh -c TEXT" begins with, after
	 * an optional "exec"; mostly empty. */
	SAP_VEC(struct sap_str) inner[SAP_UNIT_EXECS];
	struct sap_str user;
	struct sap_str triggers; /* Service= of a socket, Unit= of a timer or path */
	bool accept;             /* Accept=yes: each connection starts an instance */
};

/* Adds what a file says to unit: a drop-in is the same call again. Programs come as written.
 * 0 or SAP_ENOMEM. */
int sap_unit_read(struct sap_span bytes, struct sap_arena *arena, struct sap_unit *unit,
		  struct sap_err *fault, struct sap_err *err);
void sap_unit_clear(struct sap_unit *unit);

/* Absolute paths that an init script seems to start, by pattern: guesses, each once. */
int sap_initscript_read(struct sap_span bytes, struct sap_arena *arena, struct sap_str *paths,
			uint32_t max, uint32_t *n, struct sap_err *err);

/* ---- programs --------------------------------------------------------------------------- */

/* The absolute path after "#!", and what it starts where it is env; else empty. Only the first
 * SAP_SHEBANG_MAX bytes count. */
void sap_shebang_read(struct sap_span bytes, struct sap_str *interpreter, struct sap_str *name);

/* The programs of one service after the other; what was found and read is remembered. */
struct sap_programs;

/* NULL: out of memory. */
struct sap_programs *sap_programs_new(struct sap_sysconf *sc);
void sap_programs_free(struct sap_programs *programs);

/* Starts an empty list. */
void sap_programs_begin(struct sap_programs *programs);

/* Adds where a word leads (canonical, else as written; a name without folder: nothing where it
 * is nowhere), then what runs it where that is a script. Each path once. if_exists: only
 * regular files that exist. */
int sap_programs_add(struct sap_programs *programs, struct sap_str word, bool if_exists,
		     struct sap_err *err);

/* What runs the script with these bytes, without the script. */
int sap_programs_add_interpreter(struct sap_programs *programs, struct sap_span script,
				 struct sap_err *err);

/* The list; valid until the next begin. */
struct sap_strs sap_programs_list(const struct sap_programs *programs);

/* ---- services: units first, then the scripts that no unit replaces ---------------------- */

struct sap_units;

/* NULL: out of memory. */
struct sap_units *sap_units_new(struct sap_sysconf *sc);
void sap_units_free(struct sap_units *units);
int sap_units_emit(struct sap_units *units, struct sap_err *err);

/* True where systemd has (or masks) the unit NAME.service. */
bool sap_units_has(const struct sap_units *units, struct sap_str stem);

int sap_initscripts_emit(struct sap_sysconf *sc, const struct sap_units *units,
			 struct sap_err *err);

#endif
