/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short names of processors for reports: as `uname -m` says them where Linux runs there
 * ("x86_64", "aarch64", "i386"), else the usual name in lower case. One name for both word
 * sizes and byte orders of a family that shares its e_machine ("riscv", "mips", "s390"): class
 * and endian of an object tell them apart.
 */
#ifndef SAP_MODEL_MACHINE_H
#define SAP_MODEL_MACHINE_H

#include <stdint.h>

/* The name of an e_machine of the gABI's registry; "unknown" for the rest. */
const char *sap_machine_name(uint16_t machine);

#endif
