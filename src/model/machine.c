/* SPDX-License-Identifier: Apache-2.0 */
#include "model/machine.h"

#include <stddef.h>

struct machine {
	uint16_t number;
	const char *name;
};

/* Sorted by number. */
static const struct machine machines[] = {
	{ 0, "none" },      { 2, "sparc" },     { 3, "i386" },         { 4, "m68k" },
	{ 8, "mips" },      { 15, "parisc" },   { 18, "sparc" },       { 20, "ppc" },
	{ 21, "ppc64" },    { 22, "s390" },     { 40, "arm" },         { 42, "sh" },
	{ 43, "sparc64" },  { 45, "arc" },      { 50, "ia64" },        { 62, "x86_64" },
	{ 75, "vax" },      { 83, "avr" },      { 88, "m32r" },        { 92, "openrisc" },
	{ 93, "arc" },      { 94, "xtensa" },   { 105, "msp430" },     { 106, "blackfin" },
	{ 113, "nios2" },   { 140, "c6x" },     { 164, "hexagon" },    { 167, "nds32" },
	{ 183, "aarch64" }, { 188, "tilepro" }, { 189, "microblaze" }, { 190, "cuda" },
	{ 191, "tilegx" },  { 195, "arc" },     { 224, "amdgpu" },     { 243, "riscv" },
	{ 247, "bpf" },     { 252, "csky" },    { 258, "loongarch" },  { 0x9026, "alpha" },
};

const char *sap_machine_name(uint16_t machine)
{
	size_t low = 0;
	size_t high = sizeof(machines) / sizeof(machines[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (machines[middle].number == machine)
			return machines[middle].name;
		if (machines[middle].number < machine)
			low = middle + 1;
		else
			high = middle;
	}
	return "unknown";
}
