/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and cleanup attributes.
 */
#ifndef SAP_BASE_FD_H
#define SAP_BASE_FD_H

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/span.h"

static inline void sap_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void sap_free_ptr(void *p)
{
	free(*(void **)p);
}

/* int sap_cleanup_fd fd = open(...): closed at the end of the scope. */
#define sap_cleanup_fd __attribute__((cleanup(sap_close_fd)))
#define sap_cleanup_free __attribute__((cleanup(sap_free_ptr)))

/* Hands a pointer or a descriptor over: the variable no longer owns it. */
#define sap_steal_fd(fd)             \
	({                           \
		int sap_fd_ = *(fd); \
		*(fd) = -1;          \
		sap_fd_;             \
	})
#define sap_steal(p)                            \
	({                                      \
		__typeof__(*(p)) sap_p_ = *(p); \
		*(p) = NULL;                    \
		sap_p_;                         \
	})

/* Writes all n bytes. 0 or SAP_EIO. */
int sap_fd_write_all(int fd, const void *p, size_t n, struct sap_err *err);

#endif
