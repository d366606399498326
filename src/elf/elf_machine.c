/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

struct machine {
	uint16_t number;
	const char *name;
};

/* Sorted by number; the registry of the System V gABI. */
static const struct machine machines[] = {
	{ 0, "none" },       { 1, "WE32100" },      { 2, "SPARC" },        { 3, "i386" },
	{ 4, "68000" },      { 5, "88000" },        { 6, "IAMCU" },        { 7, "80860" },
	{ 8, "MIPS" },       { 9, "S370" },         { 10, "MIPS RS3000" }, { 15, "PA-RISC" },
	{ 18, "SPARC32+" },  { 19, "80960" },       { 20, "PowerPC" },     { 21, "PowerPC64" },
	{ 22, "S390" },      { 23, "SPU" },         { 36, "V800" },        { 39, "RCE" },
	{ 40, "ARM" },       { 42, "SuperH" },      { 43, "SPARC V9" },    { 44, "TriCore" },
	{ 45, "ARC" },       { 46, "H8/300" },      { 50, "IA-64" },       { 52, "ColdFire" },
	{ 53, "68HC12" },    { 62, "x86-64" },      { 75, "VAX" },         { 76, "CRIS" },
	{ 80, "MMIX" },      { 83, "AVR" },         { 84, "FR30" },        { 87, "V850" },
	{ 88, "M32R" },      { 89, "MN10300" },     { 92, "OpenRISC" },    { 93, "ARCompact" },
	{ 94, "Xtensa" },    { 105, "MSP430" },     { 106, "Blackfin" },   { 113, "Nios II" },
	{ 140, "TI C6000" }, { 164, "Hexagon" },    { 167, "NDS32" },      { 183, "AArch64" },
	{ 188, "TILEPro" },  { 189, "MicroBlaze" }, { 190, "CUDA" },       { 191, "TILE-Gx" },
	{ 195, "ARCv2" },    { 224, "AMD GPU" },    { 243, "RISC-V" },     { 247, "BPF" },
	{ 252, "C-SKY" },    { 258, "LoongArch" },  { 0x9026, "Alpha" },
};

const char *sap_elf_machine_name(uint16_t machine)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (machines[i].number == machine)
			return machines[i].name;
	}
	return "unknown";
}
