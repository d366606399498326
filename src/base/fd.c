/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

int sap_fd_write_all(int fd, const void *p, size_t n, struct sap_err *err)
{
	const char *at = p;

	while (n) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return sap_err_sys(err, errno, "cannot write");
		at += w;
		n -= (size_t)w;
	}
	return 0;
}
