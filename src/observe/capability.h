/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rights of sapper-observe, given away (capabilities(7), prctl(2), called directly: no libcap),
 * and what this system lets it do, found out by doing it.
 */
#ifndef SAP_OBSERVE_CAPABILITY_H
#define SAP_OBSERVE_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Sets of capabilities, as bits of their numbers. */
#define SAP_RIGHT(cap) (1ULL << (cap))

uint64_t sap_rights_effective(void);

/* CAP_BPF and CAP_PERFMON are known (Linux 5.8); before, CAP_SYS_ADMIN stood for both. */
bool sap_rights_split(void);

/* Descriptors and locked memory as many as are allowed (with CAP_SYS_RESOURCE: as needed); no
 * core dumps, not even to a core_pattern program (PR_SET_DUMPABLE). What is refused is left. */
void sap_rights_limits(void);

/* Gives away, for good, for this thread and those it will start, all capabilities but those of
 * keep (as far as they are there): effective, permitted, inheritable, ambient, bounding; and
 * sets no_new_privs. */
int sap_rights_keep(uint64_t keep, struct sap_err *err);

/* text: what is used; or why not, and what would help. */
struct sap_capability_item {
	bool can;
	char text[SAP_ERR_TEXT_MAX];
};

struct sap_capabilities {
	char kernel[96];    /* release and machine */
	char settings[160]; /* "kernel.perf_event_paranoid=2 ...": those that can be read */
	struct sap_capability_item maps;       /* of all processes */
	struct sap_capability_item child_maps; /* of one's own child and its descendants */
	struct sap_capability_item build_ids;  /* told by the kernel with the mappings */
	struct sap_capability_item functions;  /* text: the means, "uprobe_multi" */
	struct sap_capability_item single;     /* by single perf uprobes */
	struct sap_capability_item opens;
};

/* Opens each thing and closes it; for functions a probe is set on a function of this program,
 * which is then called, and must be told of. SAP_ENOMEM at most. */
int sap_capabilities_try(struct sap_capabilities *out, struct sap_err *err);

#endif
