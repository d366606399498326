/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imported functions that make an object load more than its DT_NEEDED says: dlopen, dlmopen,
 * pam_start, and those of the C library that consult the name service switch.
 */
#ifndef SAP_MODEL_USES_H
#define SAP_MODEL_USES_H

#include "base/span.h"

/* A ceiling for indices, for bit sets. */
#define SAP_USES_MAX 192u

/* Place in the table, which is sorted by name; -1 for other functions. */
int sap_use_index(struct sap_str function);
struct sap_str sap_use_name(unsigned index);

/* The database of nsswitch.conf(5) that a function consults: "passwd" for "getpwnam_r"; absent
 * for one that consults none. getgrouplist and initgroups ask "initgroups", which nearly no
 * nsswitch.conf has, and then "group": that is their answer. Left out are functions that
 * consult one only for some arguments (glob with a tilde) or read a file given to them. */
struct sap_str sap_use_nss_database(struct sap_str function);

#endif
