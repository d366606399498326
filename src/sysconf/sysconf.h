/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sysconf: what the configuration of a target says about which code is loaded.
 *
 * ld.so.cache, ld.so.conf, ld.so.preload, ld-musl-ARCH.path, nsswitch.conf, pam.d, systemd
 * units and init scripts, as records. Absent files are no fault.
 */
#ifndef SAP_SYSCONF_SYSCONF_H
#define SAP_SYSCONF_SYSCONF_H

#include "base/err.h"
#include "input/input.h"
#include "model/record.h"

/* What the dynamic loaders go by: /etc/ld.so.cache; /etc/ld.so.conf with its includes
 * (glob patterns, resolved inside the target); /etc/ld.so.preload; /etc/ld-musl-*.path.
 *
 * SAP_SET_LD_CONF: file is always /etc/ld.so.conf and order counts over all includes, so that
 * sorting by (file, order) keeps ldconfig's order; extra is the file that has the line.
 * SAP_SET_MUSL_PATH: a file without folders gives one setting with an empty value. */
int sap_sysconf_loader(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* What makes programs load modules: /etc/nsswitch.conf (or usr/etc), /etc/pam.d,
 * /usr/lib/pam.d, /usr/etc/pam.d (an earlier folder hides a name), and where there is none of
 * them /etc/pam.conf. A file outside these that a service includes by its absolute path is
 * given under that path as its key. Each (service, type, module) once. */
int sap_sysconf_modules(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* What is started at boot or on demand: systemd system units (etc, run, usr/lib, lib, with
 * drop-ins, masks, aliases, templates, generators left out) and the init scripts for which
 * there is no unit.
 *
 * Masked units and aliases are not given. Programs are canonical paths where the file exists,
 * else as written (also with specifiers: "/opt/%i/run"); a name without folder that is
 * nowhere in systemd's own path is left out. A program that is a script ("#!" in its first
 * SAP_SHEBANG_MAX bytes, which are all that is read of it) is followed by its interpreter, for
 * "env NAME" also by NAME, and so on where those are scripts; an init script's programs begin
 * with the interpreter of the script itself. Of "sh -c TEXT" the absolute path that TEXT begins
 * with (or that follows "exec" there) counts where the file exists.
 *
 * Enabled: linked from a .wants, .requires or .upholds folder under its name, an alias or an
 * instance, or so is a socket, timer or path that activates it. */
int sap_sysconf_services(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* ---- pure parsers, for tests and fuzzing: bytes in, records out ------------------------- */

/* ld.so.cache: the new format ("glibc-ld.so.cache1.1") alone or behind the old one
 * ("ld.so-1.7.0"), either byte order, with the glibc-hwcaps extension. Gives a
 * SAP_SET_CACHE setting ("new", "compat"; "old" where there is only the old one) and the
 * entries. SAP_EFORMAT where it is damaged; the entries that lie inside have been given. */
int sap_ldcache_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		      struct sap_err *err);
int sap_nsswitch_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		       struct sap_err *err);
int sap_pam_parse(struct sap_span bytes, struct sap_str path, struct sap_str service,
		  struct sap_sink *sink, struct sap_err *err);

#endif
