/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which database of nsswitch.conf(5) a function of the C library consults.
 */
#ifndef SAP_MODEL_NSS_H
#define SAP_MODEL_NSS_H

#include "base/span.h"

/* "passwd" for "getpwnam_r"; absent for a function that consults none. getgrouplist and
 * initgroups ask "initgroups", which nearly no nsswitch.conf has, and then "group": that is
 * their answer. Left out are functions that consult one only for some arguments (glob with a
 * tilde) or read a file given to them (fgetpwent). */
struct sap_str sap_nss_database(struct sap_str function);

#endif
