/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every ceiling of the program, in one list. A target that reaches one gets a diagnostic
 * with the code "limit" that names the file and the ceiling; nothing is dropped silently.
 */
#ifndef SAP_BASE_LIMITS_H
#define SAP_BASE_LIMITS_H

#define SAP_KIB (1024ULL)
#define SAP_MIB (1024ULL * 1024)
#define SAP_GIB (1024ULL * 1024 * 1024)

/* Paths and trees. */
#define SAP_PATH_MAX 4096u               /* bytes of a path inside a target */
#define SAP_SYMLINKS_MAX 40u             /* links followed in one resolution, as the kernel does */
#define SAP_TREE_DEPTH_MAX 512u          /* folders below the root */
#define SAP_TREE_ENTRIES_MAX 50000000ULL /* entries walked in one target */

/* Files that are read whole. */
#define SAP_TEXT_FILE_MAX (16 * SAP_MIB)    /* a configuration file, a unit, a list */
#define SAP_DB_FILE_MAX (1 * SAP_GIB)       /* a package database */
#define SAP_STATUS_FILE_MAX (256 * SAP_MIB) /* dpkg status, apk installed */

/* ELF. */
#define SAP_ELF_PHDRS_MAX 4096u
#define SAP_ELF_SHDRS_MAX 65536u
#define SAP_ELF_DYN_MAX 16384u /* entries of the dynamic section */
#define SAP_ELF_NEEDED_MAX 4096u
#define SAP_ELF_STRTAB_MAX (64 * SAP_MIB)
#define SAP_ELF_SYMBOLS_MAX 4000000u
#define SAP_ELF_VERSIONS_MAX 16384u              /* version needs or definitions of one object */
#define SAP_ELF_NOTES_MAX (1 * SAP_MIB)          /* bytes of notes read */
#define SAP_ELF_NAME_MAX 4096u                   /* bytes of a soname or a DT_NEEDED that is kept */
#define SAP_ELF_RELOCS_MAX 8000000u              /* relocations looked at for IRELATIVE */
#define SAP_ELF_RODATA_MAX (64 * SAP_MIB)        /* read-only data searched for sonames */
#define SAP_ELF_STRINGS_MAX 1024u                /* sonames kept of that search */
#define SAP_ELF_SYMBOL_NAME_MAX (64 * SAP_KIB)   /* bytes of a symbol's name */
#define SAP_ELF_SYMBOL_BYTES_MAX (512 * SAP_MIB) /* bytes of all symbol names of an object */
#define SAP_ELF_DLOPEN_NOTES_MAX 1024u           /* .note.dlopen entries of one object */
#define SAP_ELF_GO_TEXT_MAX (8 * SAP_MIB)        /* Go's list of modules */
#define SAP_FN_LIST_MAX 4000000u                 /* functions, or symbols of them, of one object */
#define SAP_FN_NAME_MAX (32 * SAP_KIB)           /* bytes of a function's name */
#define SAP_FN_NAMES_MAX (48 * SAP_KIB)          /* bytes of all names of one function */
#define SAP_FN_NAME_BYTES_MAX (512 * SAP_MIB)    /* of names looked at in one object */
#define SAP_FN_STRTAB_MAX (256 * SAP_MIB)        /* strings of .symtab */
#define SAP_FN_SECTION_NAMES_MAX (4 * SAP_MIB)   /* names of sections */
#define SAP_FN_CONSTRUCTORS_MAX 1000000u         /* entries of one array of constructors */
#define SAP_FN_FRAMES_MAX (256 * SAP_MIB)        /* .eh_frame */
#define SAP_FN_PACKED_MAX (64 * SAP_MIB)         /* .gnu_debugdata */
#define SAP_FN_UNPACKED_MAX (256 * SAP_MIB)      /* what comes out of it */
#define SAP_FN_XZ_MEMORY_MAX (128 * SAP_MIB)     /* memory of the decoder */
#define SAP_FN_MEMORY_MAX (1 * SAP_GIB)          /* arena for one object */
#define SAP_FN_SPACE_MAX (2 * SAP_GIB)           /* address space of sapper-functions */

/* Package databases. */
#define SAP_PACKAGES_MAX 500000u
#define SAP_FILES_MAX 20000000u /* owned files of one target */
#define SAP_RPM_HEADER_MAX (256 * SAP_MIB)
#define SAP_RPM_TAGS_MAX 65536u
#define SAP_RELATIONS_MAX 65536u                 /* dependencies of one package */
#define SAP_DB_LINE_MAX (1 * SAP_MIB)            /* a line of a database in text */
#define SAP_DB_NOTES_MAX 1000u                   /* diagnostics about one database file */
#define SAP_RPM_TEXT_MAX (64 * SAP_KIB)          /* a name, a version, a licence */
#define SAP_RPM_DIRS_MAX 1000000u                /* folders named by one package */
#define SAP_RPM_RELATION_BYTES_MAX (4 * SAP_MIB) /* text of one package's relations */
#define SAP_RPM_PATH_BYTES_MAX (2 * SAP_GIB)     /* text of all paths of one database */
#define SAP_SQLITE_STEPS_MAX 100000000ULL        /* operations of SQLite in one query */
#define SAP_LANGUAGE_FILE_MAX (4 * SAP_MIB)      /* METADATA, package.json, a gemspec */
#define SAP_LANGUAGE_NAME_MAX 1024u              /* bytes of a name or version in them */
#define SAP_GO_MODULES_MAX 65536u                /* modules of one program */

/* Facts. */
#define SAP_RECORD_MAX (8 * SAP_MIB)   /* one CBOR record */
#define SAP_POOL_MAX (4 * SAP_GIB - 1) /* bytes of all strings of one target */
#define SAP_LIST_MAX 4000000u          /* elements of one list in a record */
#define SAP_OBJECTS_MAX 4000000u
#define SAP_DIAGNOSTICS_MAX 100000u /* kept; the rest are counted */

/* The worker. */
#define SAP_WORKER_MEMORY_MAX (4 * SAP_GIB) /* RLIMIT_AS */
#define SAP_WORKER_STALL_SECONDS 60         /* no progress: killed, the file is named */
#define SAP_WORKER_RESTARTS_MAX 64          /* crashes survived in one scan */
#define SAP_WORKER_FILES_MAX 256            /* descriptors: RLIMIT_NOFILE */

/* The loader simulated. */
#define SAP_LINK_CLOSURE_MAX 65536u     /* libraries of one program */
#define SAP_LINK_SEARCH_MAX 4096u       /* folders of one search path */
#define SAP_LINK_STEPS_MAX 4000000u     /* files and folders tried for one program */
#define SAP_LINK_EDGES_MAX 1000000u     /* dependencies, by name, of all libraries of a program */
#define SAP_LINK_SEARCHED_MAX 100000u   /* steps of failed searches that are kept */
#define SAP_LINK_WHY_STEPS_MAX 1000000u /* of the walk that counts chains to a library */
#define SAP_LINK_BIND_STEPS_MAX 100000000u /* definitions looked at for one object's imports */
#define SAP_LINK_PAM_DEPTH_MAX 16u         /* services included by services */
#define SAP_LINK_PAM_LINES_MAX 1024u       /* modules of one service */

/* Configuration of a system. */
#define SAP_LDCACHE_ENTRIES_MAX 262144u
#define SAP_LDCONF_DEPTH_MAX 16u           /* includes inside includes of ld.so.conf */
#define SAP_LDCONF_FILE_MAX (64 * SAP_KIB) /* ld.so.conf, and each file it includes */
#define SAP_LDCONF_FILES_MAX 4096u         /* files read in one ld.so.conf */
#define SAP_LDCONF_NAMES_MAX 65536u        /* names compared with its patterns */
#define SAP_LDCONF_PATTERN_MAX 255u        /* bytes of one component of a pattern */
#define SAP_LDCONF_NOTES_MAX 100u          /* bad lines reported */
#define SAP_PAM_FILE_MAX (1 * SAP_MIB)     /* one file of pam.d */
#define SAP_PAM_FILES_MAX 16384u           /* services */
#define SAP_UNIT_FILE_MAX (1 * SAP_MIB)    /* a unit, a drop-in, an init script */
#define SAP_UNITS_MAX 65536u               /* names of units */
#define SAP_UNIT_DROPINS_MAX 4096u         /* drop-in folders of one target */
#define SAP_UNIT_DROPIN_FILES_MAX 256u     /* drop-ins of one unit */
#define SAP_UNIT_PROGRAMS_MAX 256u         /* programs of one directive of one unit */
#define SAP_INITSCRIPT_PROGRAMS_MAX 64u    /* guesses of one script */
#define SAP_SHEBANG_MAX 256u               /* bytes of a "#!" line, as in the kernel */
#define SAP_SHEBANG_LEVELS_MAX 5u          /* interpreters that are scripts, likewise */

/* Advisories. */
#define SAP_IMPORT_RECORD_MAX (32 * SAP_MIB)  /* text of one record of JSON */
#define SAP_IMPORT_DEPTH_MAX 64u              /* values inside values */
#define SAP_IMPORT_LINE_MAX (4 * SAP_MIB)     /* a line of a list */
#define SAP_IMPORT_INPUT_MAX (64 * SAP_GIB)   /* bytes of one document, unpacked */
#define SAP_IMPORT_MEMORY_MAX (256 * SAP_MIB) /* address space for the records of an import */
#define SAP_ROW_MAX (16 * SAP_MIB)            /* one row */
#define SAP_ROW_ATTRS_MAX 100000u             /* attributes of one row: events of a claim */
#define SAP_CLAIMS_MAX 200000u                /* about one package in one space */
#define SAP_FUNCTIONS_MAX 4096u               /* of one vulnerability */
#define SAP_NAMES_MAX 4096u                   /* of one vulnerability */
#define SAP_FINDINGS_MAX 4000000u
#define SAP_MATCH_SPEAKERS_MAX 8000000u      /* claims times vulnerabilities, of one package */
#define SAP_CSAF_STEPS_MAX 20000000ULL       /* products named in one CSAF document */
#define SAP_CSAF_CLAIMS_MAX 500000u          /* statements of one vulnerability of it */
#define SAP_VERSION_TEXT_MAX 4096u           /* bytes of a version that a claim may name */
#define SAP_ADVISORY_NAME_MAX 1024u          /* bytes of an id, a package, a project, a file */
#define SAP_STORE_SOURCES_MAX 4096u          /* sources of one store */
#define SAP_STORE_SPACES_MAX 65536u          /* spaces of one store */
#define SAP_STORE_BATCH_MAX (16 * SAP_MIB)   /* records and claims held by the writer */
#define SAP_STORE_RECORD_MAX (24 * SAP_MIB)  /* of one record, claims included */
#define SAP_STORE_RUNS_MAX 32u               /* batches put aside before they are merged */
#define SAP_STORE_TEXT_MAX (256 * SAP_MIB)   /* text of all claims of one package */
#define SAP_CSV_LINES_MAX 256u               /* lines of one record of CSV */
#define SAP_CSV_FIELDS_MAX 4096u             /* fields of it */
#define SAP_IMPORT_STRING_MAX (1 * SAP_MIB)  /* one text in a record, else it is left out */
#define SAP_IMPORT_NESTING_MAX 1000000u      /* values inside values of what is skipped */
#define SAP_IMPORT_BROKEN_MAX 1000u          /* errors of syntax in one document */
#define SAP_IMPORT_FOLDERS_MAX 64u           /* folders inside folders */
#define SAP_IMPORT_UNKNOWN_MAX 100u          /* files of no known format that are named */
#define SAP_IMPORT_SPACE_MAX (512 * SAP_MIB) /* address space of sapper-import */
#define SAP_TOML_KEYS_MAX 64u                /* keys of one table */
#define SAP_TOML_ITEMS_MAX 10000u            /* strings of one list */
#define SAP_EXCEPTIONS_MAX 200000u           /* reviewed exceptions: ids by packages */
#define SAP_VEX_STATEMENTS_MAX 4000000u

/* Evidence. */
#define SAP_EVIDENCE_TEXT_MAX (96 * SAP_MIB) /* paths and names of one set */
#define SAP_EVIDENCE_ROOTS_MAX 20000u
#define SAP_EVIDENCE_PROCESSES_MAX 1000000u
#define SAP_EVIDENCE_LISTENS_MAX 500000u
#define SAP_EVIDENCE_FILES_MAX 200000u
#define SAP_EVIDENCE_USES_MAX 2000000u
#define SAP_EVIDENCE_FUNCTIONS_MAX 1000000u
#define SAP_EVIDENCE_UNOBSERVED_MAX 1000000u
#define SAP_EVIDENCE_OPENS_MAX 500000u
#define SAP_EVIDENCE_GAPS_MAX 20000u
#define SAP_EVSTORE_TEXT_MAX (256 * SAP_KIB) /* a path, a reason, the names of a function */
#define SAP_EVSTORE_WINDOWS_MAX 4096u        /* kept; the oldest go */
#define SAP_EVSTORE_STEPS_MAX 400000000ULL   /* operations of SQLite in one query */
#define SAP_PROBE_LINKS_MAX 32768u   /* links of probes at once, SAP_PROBE_CHUNK places each */
#define SAP_PROBE_REFUSED_MAX 65536u /* refused places that are remembered */

/* The kernel's side of the watch. */
#define SAP_OBSERVE_EXITS_MAX 1024u /* processes whose first thread ended before others */
#define SAP_OBSERVE_CPUS_MAX 8192u  /* as the kernel's NR_CPUS */
#define SAP_OBSERVE_RINGS_MAX \
	(8 * SAP_MIB)                 /* of all rings together, where they may be that small */
#define SAP_OBSERVE_OPENS_KEPT 65536u /* opens that are remembered, a power of two */
#define SAP_WATCH_MAPS_MAX 4096u      /* files of one process that are told as events come */
#define SAP_WATCH_TASKS_MAX 1000000u  /* processes at once */
#define SAP_WATCH_KNOWN_MAX 500000u   /* paths whose file is remembered */
#define SAP_WATCH_PENDING_MAX 65536u  /* function entries that wait for news of their process */
#define SAP_WATCH_BACKLOG_MAX (64 * SAP_MIB)  /* packets kept while ours do not go out */
#define SAP_WATCH_SCRATCH_MAX (512 * SAP_MIB) /* functions of one file */
#define SAP_WATCH_NOTES_MAX (64 * SAP_KIB)    /* program headers, notes of a mapped file */
#define SAP_WATCH_NOTE_TEXT_MAX 1024u         /* bytes that the helper says about its means */
#define SAP_WATCH_COMPARE_MAX (64 * SAP_MIB)  /* of a file that is compared with one of our own */

/* /proc. */
#define SAP_PROC_PIDS_MAX 4194304u           /* processes of one look: the kernel's own ceiling */
#define SAP_PROC_BUFFER (64 * SAP_KIB)       /* bytes read at once; a longer line is cut */
#define SAP_PROC_MAPS_MAX (64 * SAP_MIB)     /* bytes of the maps of one process */
#define SAP_PROC_ENVIRON_MAX (8 * SAP_MIB)   /* bytes of the environment of one process */
#define SAP_PROC_THREADS_MAX 4096u           /* tried where the first thread has ended */
#define SAP_PROC_NET_MAX (1 * SAP_GIB)       /* bytes of one list of sockets */
#define SAP_PROC_SOCKETS_MAX 262144u         /* that listen, of all network namespaces */
#define SAP_PROC_FDS_MAX 65536u              /* descriptors looked at in one process */
#define SAP_PROC_HELD_MAX 8000000u           /* sockets held by all processes */
#define SAP_PROC_LISTENS_MAX 1024u           /* sockets named for one process */
#define SAP_BUILD_ID_READ_MAX (64 * SAP_KIB) /* bytes read of a file for its build-id */
#define SAP_BUILD_ID_MAX 64u                 /* bytes of a build-id */
#define SAP_BUILD_ID_NOTES_MAX 1024u         /* notes looked at for it */

#endif
