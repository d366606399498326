/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include <elf.h>

#define OTHER(name) "other architecture (" name ")"

enum { LE = ELFDATA2LSB, BE = ELFDATA2MSB, C32 = ELFCLASS32, C64 = ELFCLASS64 };

/* Flags that tell the ABIs of one machine apart (elf.h). */
enum {
	ARM_HARD = 0x400,
	MIPS_N32 = 0x20,
	MIPS_NAN2008 = 0x400,
	RISCV_FLOAT = 0x6,
	RISCV_DOUBLE = 0x4,
	LOONGARCH = 258,
	LARCH_FLOAT = 0x7,
	LARCH_DOUBLE = 0x3,
	LARCH_SOFT = 0x1,
};

/* Flags of the cache: sysdeps/generic/ldconfig.h of glibc; 3 is "ELF, libc 6". Rows with a
 * mask come before the row without. */
static const struct sap_abi abis[] = {
	{ EM_X86_64, C64, LE, 0, 0, 0x0303, 0, "/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu",
	  "lib64", "x86_64", OTHER("x86-64") },
	{ EM_386, C32, LE, 0, 0, 0x0003, 0x0001, "/lib/ld-linux.so.2", "i386-linux-gnu", "lib",
	  "i686", OTHER("i386") },
	{ EM_X86_64, C32, LE, 0, 0, 0x0803, 0, "/libx32/ld-linux-x32.so.2", "x86_64-linux-gnux32",
	  "libx32", "x86_64", OTHER("x32") },
	{ EM_AARCH64, C64, LE, 0, 0, 0x0a03, 0, "/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu",
	  "lib64", "aarch64", OTHER("arm64") },
	{ EM_ARM, C32, LE, ARM_HARD, ARM_HARD, 0x0903, 0, "/lib/ld-linux-armhf.so.3",
	  "arm-linux-gnueabihf", "lib", NULL, OTHER("armhf") },
	{ EM_ARM, C32, LE, ARM_HARD, 0, 0x0b03, 0x0003, "/lib/ld-linux.so.3", "arm-linux-gnueabi",
	  "lib", NULL, OTHER("armel") },
	{ EM_S390, C64, BE, 0, 0, 0x0403, 0, "/lib/ld64.so.1", "s390x-linux-gnu", "lib64", NULL,
	  OTHER("s390x") },
	{ EM_S390, C32, BE, 0, 0, 0x0003, 0x0001, "/lib/ld.so.1", "s390-linux-gnu", "lib", NULL,
	  OTHER("s390") },
	{ EM_PPC64, C64, LE, 0, 0, 0x0503, 0, "/lib64/ld64.so.2", "powerpc64le-linux-gnu", "lib64",
	  NULL, OTHER("ppc64le") },
	{ EM_PPC64, C64, BE, 0, 0, 0x0503, 0, "/lib64/ld64.so.1", "powerpc64-linux-gnu", "lib64",
	  NULL, OTHER("ppc64") },
	{ EM_PPC, C32, BE, 0, 0, 0x0003, 0x0001, "/lib/ld.so.1", "powerpc-linux-gnu", "lib", NULL,
	  OTHER("powerpc") },
	{ EM_RISCV, C64, LE, RISCV_FLOAT, RISCV_DOUBLE, 0x1003, 0,
	  "/lib/ld-linux-riscv64-lp64d.so.1", "riscv64-linux-gnu", "lib64/lp64d", NULL,
	  OTHER("riscv64") },
	{ EM_RISCV, C64, LE, RISCV_FLOAT, 0, 0x0f03, 0, "/lib/ld-linux-riscv64-lp64.so.1",
	  "riscv64-linux-gnu", "lib64/lp64", NULL, OTHER("riscv64, soft float") },
	{ LOONGARCH, C64, LE, LARCH_FLOAT, LARCH_DOUBLE, 0x1203, 0,
	  "/lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64-linux-gnu", "lib64", NULL,
	  OTHER("loong64") },
	{ LOONGARCH, C64, LE, LARCH_FLOAT, LARCH_SOFT, 0x1103, 0,
	  "/lib64/ld-linux-loongarch-lp64s.so.1", "loongarch64-linux-gnusf", "lib64", NULL,
	  OTHER("loong64, soft float") },
	{ EM_MIPS, C64, LE, MIPS_NAN2008, 0, 0x0703, 0, "/lib64/ld.so.1", "mips64el-linux-gnuabi64",
	  "lib64", NULL, OTHER("mips64el") },
	{ EM_MIPS, C64, LE, MIPS_NAN2008, MIPS_NAN2008, 0x0e03, 0, "/lib64/ld-linux-mipsn8.so.1",
	  "mipsisa64r6el-linux-gnuabi64", "lib64", NULL, OTHER("mips64r6el") },
	{ EM_MIPS, C32, LE, MIPS_N32 | MIPS_NAN2008, MIPS_N32, 0x0603, 0, "/lib32/ld.so.1",
	  "mips64el-linux-gnuabin32", "lib32", NULL, OTHER("mipsn32el") },
	{ EM_MIPS, C32, LE, MIPS_N32 | MIPS_NAN2008, 0, 0x0003, 0x0001, "/lib/ld.so.1",
	  "mipsel-linux-gnu", "lib", NULL, OTHER("mipsel") },
	{ EM_MIPS, C64, BE, MIPS_NAN2008, 0, 0x0703, 0, "/lib64/ld.so.1", "mips64-linux-gnuabi64",
	  "lib64", NULL, OTHER("mips64") },
	{ EM_MIPS, C32, BE, MIPS_N32 | MIPS_NAN2008, 0, 0x0003, 0x0001, "/lib/ld.so.1",
	  "mips-linux-gnu", "lib", NULL, OTHER("mips") },
	{ EM_SPARCV9, C64, BE, 0, 0, 0x0103, 0, "/lib64/ld-linux.so.2", "sparc64-linux-gnu",
	  "lib64", NULL, OTHER("sparc64") },
	{ EM_IA_64, C64, LE, 0, 0, 0x0203, 0, "/lib/ld-linux-ia64.so.2", "ia64-linux-gnu", "lib",
	  NULL, OTHER("ia64") },
	{ EM_ALPHA, C64, LE, 0, 0, 0x0003, 0x0001, "/lib/ld-linux.so.2", "alpha-linux-gnu", "lib",
	  NULL, OTHER("alpha") },
	{ EM_PARISC, C32, BE, 0, 0, 0x0003, 0x0001, "/lib/ld.so.1", "hppa-linux-gnu", "lib", NULL,
	  OTHER("hppa") },
	{ EM_68K, C32, BE, 0, 0, 0x0003, 0x0001, "/lib/ld.so.1", "m68k-linux-gnu", "lib", NULL,
	  OTHER("m68k") },
	{ EM_SH, C32, LE, 0, 0, 0x0003, 0x0001, "/lib/ld-linux.so.2", "sh4-linux-gnu", "lib", NULL,
	  OTHER("sh4") },
};

const struct sap_abi *sap_abi_of(const struct sap_object *object)
{
	for (size_t i = 0; i < sizeof(abis) / sizeof(abis[0]); i++) {
		const struct sap_abi *a = &abis[i];

		if (a->machine == object->machine && a->elf_class == object->elf_class &&
		    a->endian == object->endian && (object->e_flags & a->flags_mask) == a->flags)
			return a;
	}
	return NULL;
}

uint32_t sap_abi_key(const struct sap_object *object)
{
	const struct sap_abi *a = sap_abi_of(object);
	uint32_t row = a ? (uint32_t)(a - abis) + 1 : 0;

	return (uint32_t)object->machine << 16 | row << 8 |
	       (uint32_t)(object->elf_class & 15) << 4 | (object->endian & 15);
}
