/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a program that talks to the network and keeps what it gets: it may write into one
 * folder, and execute nothing.
 */
#ifndef SAP_SANDBOX_WRITES_H
#define SAP_SANDBOX_WRITES_H

#include "base/err.h"

/*
 * Confines this process for the rest of its life. Call it while there is one thread.
 * - Landlock (Linux 5.13): making, writing, truncating (ABI 3) and removing files beneath the
 *   folder only; executing nothing. Reading stays as it is (certificates, resolv.conf). From ABI 6 no
 *   signals to other processes, and none of their abstract UNIX sockets.
 * - No new privileges, no capabilities, no core dumps.
 * Without Landlock the rest still holds; where it is there and refuses, that is a failure
 * (SAP_EIO).
 */
int sap_sandbox_writes(int dirfd, struct sap_err *err);

#endif
