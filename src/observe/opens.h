/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens of files that are not ELF, by fanotify(7) (FAN_OPEN on file systems; CAP_SYS_ADMIN). Inside
 * sapper-observe.
 */
#ifndef SAP_OBSERVE_OPENS_H
#define SAP_OBSERVE_OPENS_H

#include <stdint.h>

#include "base/err.h"
#include "observe/wire.h"

struct sap_opens;

/* SAP_EUNSUPPORTED: the text (below 160 bytes) says what is missing and what would help. */
int sap_opens_new(struct sap_opens **out, struct sap_err *err);
void sap_opens_free(struct sap_opens *o); /* takes NULL */

/* Of the file system that the folder (any descriptor, O_PATH will do) lies on, in all mount
 * namespaces. An error whose text ("opens on /usr: ...") is for people: less than that is
 * watched, its mount in this namespace or nothing. */
int sap_opens_mount(struct sap_opens *o, int dirfd, struct sap_err *err);
int sap_opens_fd(const struct sap_opens *o);

/*
 * Takes what is there and puts each (path, process) as SAP_WIRE_OPEN once, as far as the last
 * SAP_OBSERVE_OPENS_KEPT or so go: later it may come again. Paths are those of this
 * process's root, or of the mount namespace of the one that opened where that is another. What begins with \177ELF, what is no regular file, and what this process
 * and its parent open is left out. *lost grows by the times the queue overflowed (the
 * kernel does not say by how much) and by the events that could not be looked at.
 */
int sap_opens_read(struct sap_opens *o, struct sap_wire_out *out, uint64_t *lost,
		   struct sap_err *err);

#endif
