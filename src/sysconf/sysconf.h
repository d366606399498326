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
 * (glob patterns, resolved inside the target); /etc/ld.so.preload; /etc/ld-musl-*.path. */
int sap_sysconf_loader(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* What makes programs load modules: /etc/nsswitch.conf (or usr/etc), /etc/pam.d,
 * /usr/lib/pam.d, /etc/pam.conf. */
int sap_sysconf_modules(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* What is started at boot or on demand: systemd system units (etc, run, usr/lib, lib, with
 * drop-ins, masks, aliases, templates, generators left out) and init scripts. */
int sap_sysconf_services(struct sap_input *input, struct sap_sink *sink, struct sap_err *err);

/* ---- pure parsers, for tests and fuzzing: bytes in, records out ----------------------- */

/* ld.so.cache: the new format ("glibc-ld.so.cache1.1") alone or behind the old one
 * ("ld.so-1.7.0"), either byte order, with the glibc-hwcaps extension. Gives a
 * SAP_SET_CACHE setting and the entries. SAP_EFORMAT where it is damaged; entries that were
 * read before have been given. */
int sap_ldcache_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		      struct sap_err *err);
int sap_nsswitch_parse(struct sap_span bytes, struct sap_str path, struct sap_sink *sink,
		       struct sap_err *err);
int sap_pam_parse(struct sap_span bytes, struct sap_str path, struct sap_str service,
		  struct sap_sink *sink, struct sap_err *err);

#endif
