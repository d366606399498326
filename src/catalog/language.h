/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages of languages' own managers: which files tell of one, and what they say. Pure: bytes
 * in, names and versions out. Nothing is executed, also where the file is a program (gemspec).
 *
 *     type    the file                                    name and version
 *     pypi    *.dist-info/METADATA, *.egg-info/PKG-INFO,  header fields Name, Version
 *             EGG-INFO/PKG-INFO, a plain *.egg-info       (PEP 566, core metadata)
 *     npm     node_modules/NAME/package.json,             JSON: extract/notes.c reads it with
 *             node_modules/@SCOPE/NAME/package.json       SQLite's functions
 *     gem     specifications/NAME-VERSION.gemspec,        the line "# stub:", else .name= and
 *             specifications/default/...                  .version=, else the file's name
 *     golang  an ELF object with Go's build information   lines of runtime/debug.BuildInfo
 *
 * Names and versions are given as written. What has control bytes in it, or more than
 * SAP_LANGUAGE_NAME_MAX bytes, is none.
 */
#ifndef SAP_CATALOG_LANGUAGE_H
#define SAP_CATALOG_LANGUAGE_H

#include "base/span.h"
#include "model/record.h"

enum sap_language_file {
	SAP_LANGUAGE_NONE = 0,
	SAP_LANGUAGE_PYTHON,
	SAP_LANGUAGE_NODE,
	SAP_LANGUAGE_RUBY,
};

enum sap_language_folder {
	SAP_LANGUAGE_ANYWHERE = 0, /* no special folder: a plain *.egg-info may lie in any */
	SAP_LANGUAGE_DIST_INFO,
	SAP_LANGUAGE_EGG_INFO,
	SAP_LANGUAGE_NODE_PACKAGE,
	SAP_LANGUAGE_SPECIFICATIONS,
};

/* What the folder with that path is. */
enum sap_language_folder sap_language_folder(struct sap_str path);

/* What a file in it is. */
enum sap_language_file sap_language_file(enum sap_language_folder folder, const char *name);

/* The type of the packages that such a file tells of. */
enum sap_package_type sap_language_type(enum sap_language_file file);

/* Texts are borrowed; name is never empty. */
struct sap_language_package {
	struct sap_str name;
	struct sap_str version; /* absent: not known */
	struct sap_str arch;    /* gem: its platform, absent for "ruby" */
};

/* Each: true where the text names a package and its version. */
bool sap_language_python(struct sap_str text, struct sap_language_package *out);
/* file: the name of the file, for one that does not say it in words that can be read. */
bool sap_language_ruby(struct sap_str text, struct sap_str file, struct sap_language_package *out);

/* Whether a text may be a name or a version. */
bool sap_language_text_ok(struct sap_str s);

/* ---- Go --------------------------------------------------------------------------------- */

/* The standard library, from the version of the toolchain ("go1.22.1 X:nocoverage" is 1.22.1).
 * One whose version is not known ("devel ...") has none. */
void sap_language_go_library(struct sap_str go_version, struct sap_language_package *out);

/* The next module: takes lines off *modules.
 *
 *     path  PACKAGE                the program
 *     mod   PATH  VERSION  [SUM]   its module
 *     dep   PATH  VERSION  [SUM]   a module that went into it
 *     =>    PATH  VERSION  SUM     what took the place of the module before
 *     build KEY=VALUE
 *
 * (separated by tabs). What is given is what was compiled: after "=>" the other module, or where
 * that is a folder the first one without a version. "(devel)" is no version. False: no more;
 * *bad counts lines that name no module though they should. */
bool sap_language_go_next(struct sap_str *modules, struct sap_language_package *out, uint32_t *bad);

#endif
