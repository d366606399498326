/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper-observe's side of wire.h.
 *
 * It must not lose because of the other side, nor keep without end: what was heard is sent as
 * packets; while the other side does not take them the sending waits, the kernel's rings fill,
 * and what the kernel then drops is counted (SAP_WIRE_LOST).
 */
#ifndef SAP_OBSERVE_SERVE_H
#define SAP_OBSERVE_SERVE_H

#include "base/err.h"

/*
 * Serves until STOP was answered with END, or the other side is gone: 0. A packet that is not
 * sound: SAP_EFORMAT. fd stays the caller's.
 *
 * Gives rights away (capability.h) once everything is open: what stays is CAP_BPF, CAP_PERFMON,
 * CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, as far as they are of use; before Linux 5.8, for opens, and
 * for single perf uprobes also CAP_SYS_ADMIN. Call it while there is one thread.
 */
int sap_observe_serve(int fd, struct sap_err *err);

#endif
