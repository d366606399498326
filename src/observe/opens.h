/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens of files that are not ELF, by fanotify(7) (FAN_OPEN on mounts; CAP_SYS_ADMIN). Inside
 * sapper-observe.
 */
#ifndef SAP_OBSERVE_OPENS_H
#define SAP_OBSERVE_OPENS_H

#include <stdint.h>

#include "base/err.h"
#include "observe/wire.h"

struct sap_opens;

int sap_opens_new(struct sap_opens **out, struct sap_err *err);
void sap_opens_free(struct sap_opens *o);                                 /* takes NULL */
int sap_opens_mount(struct sap_opens *o, int dirfd, struct sap_err *err); /* of that folder */
int sap_opens_fd(const struct sap_opens *o);

/* Puts each (path, process) once as SAP_WIRE_OPEN; what begins with \177ELF, and what is no regular file, is left
 * out. *lost: times the queue overflowed. */
int sap_opens_read(struct sap_opens *o, struct sap_wire_out *out, uint64_t *lost,
		   struct sap_err *err);

#endif
