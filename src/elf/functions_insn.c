/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>

#include "elf/functions.h"

/*
 * x86: what arch/x86/kernel/uprobes.c of Linux refuses. Of an instruction
 *     prefixes [REX] opcode            opcode may be 0f xx, 0f 38 xx, 0f 3a xx
 *     prefixes VEX2 (c5 x) | VEX3 (c4 x x) | EVEX (62 x x x) opcode
 * it looks at the prefixes and at the first byte of the opcode: in the same table of
 * one-byte opcodes with a VEX or EVEX prefix, too, so that vpxor (opcode ef, which alone is
 * "out") is refused. It refuses as well what its decoder does not know; that is not
 * repeated here: compilers make no such instructions, and kernels differ.
 *
 * By the same mistake it takes others, and does to the program what the opcode alone would do: a
 * vpor (eb) is "jmp" and passed over, after a vfnmadd132ss (9d) as after "popf" single-stepping
 * stays on and kills the program, after a vcmpps (c2) as after "ret" it runs on beside its code.
 */
typedef uint32_t opcodes[8]; /* a bit for each of 256 */

/* A row of 32: opcodes n..n+7 of it are a byte, the first its lowest bit. */
#define ROW(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* Refused: segment registers on the stack (07 17 1f), in and out, int, iret, hlt, cli, sti. */
static const opcodes refused_32 = {
	ROW(0x80, 0x00, 0x80, 0x80), /* 07, 17, 1f */
	0,
	0,
	ROW(0x00, 0xf0, 0x00, 0x00), /* 6c-6f */
	0,
	0,
	ROW(0x00, 0xf0, 0x00, 0x00), /* cc-cf */
	ROW(0xf0, 0xf0, 0x12, 0x0c), /* e4-e7, ec-ef, f1, f4, fa, fb */
};

/* And what 64-bit mode has not. */
static const opcodes refused_64 = {
	ROW(0xc0, 0x40, 0xc0, 0xc0), /* 06, 07, 0e, 16, 17, 1e, 1f */
	ROW(0x80, 0x80, 0x80, 0x80), /* 27, 2f, 37, 3f */
	0,
	ROW(0x07, 0xf0, 0x00, 0x00), /* 60-62, 6c-6f */
	ROW(0x04, 0x00, 0x00, 0x04), /* 82, 9a */
	0,
	ROW(0x00, 0xf0, 0x70, 0x00), /* cc-cf, d4-d6 */
	ROW(0xf0, 0xf4, 0x12, 0x0c), /* e4-e7, ea, ec-ef, f1, f4, fa, fb */
};

static bool in(const opcodes set, uint8_t opcode)
{
	return set[opcode / 32] >> opcode % 32 & 1;
}

static bool is_prefix(uint8_t b)
{
	switch (b) {
	case 0x26: /* es, cs, ss, ds, fs, gs */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* size of operands, of addresses */
	case 0x67:
	case 0xf0: /* lock, repne, rep */
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

static bool is_bad_prefix(uint8_t b)
{
	return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0xf0;
}

/* Bytes of a VEX or EVEX prefix; 0: it is none. In 32-bit mode these are les, lds and bound
 * unless the next byte would name two registers. */
static unsigned vex_size(uint8_t b, uint8_t next, bool is64)
{
	if (!is64 && next < 0xc0)
		return 0;
	return b == 0xc5 ? 2 : b == 0xc4 ? 3 : b == 0x62 ? 4 : 0;
}

static bool is_branch(uint8_t opcode, uint8_t next)
{
	return opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb ||
	       (opcode >= 0x70 && opcode <= 0x7f) ||
	       (opcode == 0x0f && next >= 0x80 && next <= 0x8f);
}

/* With a VEX or EVEX prefix: taken for a branch, nop, popf, ret, or a call or jump by address. */
static bool is_misread(uint8_t opcode)
{
	switch (opcode) {
	case 0x90:
	case 0x9a:
	case 0x9d:
	case 0xc2:
	case 0xc3:
	case 0xca:
	case 0xcb:
	case 0xea:
	case 0xff:
		return true;
	default:
		return is_branch(opcode, 0);
	}
}

static bool x86_refuses(struct sap_span code, bool is64)
{
	const opcodes *set = is64 ? &refused_64 : &refused_32;
	bool small = false;
	uint64_t at = 0;
	uint8_t b = 0, next = 0;
	unsigned vex;

	for (; sap_span_u8(code, at, &b) && is_prefix(b); at++) {
		if (is_bad_prefix(b))
			return true;
		small |= b == 0x66;
		if (at == 15) /* longer than an instruction may be */
			return true;
	}
	if (is64 && (b & 0xf0) == 0x40 && at < code.n)
		sap_span_u8(code, ++at, &b);
	/* REX2: kernels before 6.10 know it not. None is told apart here. */
	if (is64 && b == 0xd5)
		return false;
	if (!sap_span_u8(code, at, &b))
		return false;
	sap_span_u8(code, at + 1, &next);
	vex = vex_size(b, next, is64);
	if (vex)
		return sap_span_u8(code, at + vex, &b) && (in(*set, b) || is_misread(b));
	/* Moving to ss keeps the next instruction from being stepped. Branches of 16 bits: the
	 * makers of processors disagree. */
	if ((b == 0x8e && (next >> 3 & 7) == 2) || (small && is_branch(b, next)))
		return true;
	return in(*set, b);
}

/*
 * AArch64: arch/arm64/kernel/probes/decode-insn.c. Neither stepped out of line nor simulated:
 * exceptions and returns from them, writes to system registers, branches with pointer
 * authentication, hints that may trap or wait, loads from beside the code, exclusive loads
 * and stores, memory copies.
 */
static bool hint_is_known(uint32_t insn)
{
	/* nop, xpaclri, pacia1716, pacib1716, paciaz, paciasp, pacibz, pacibsp, bti, bti c, j, jc */
	static const uint8_t known[] = { 0, 7, 8, 10, 24, 25, 26, 27, 32, 34, 36, 38 };
	const uint32_t number = insn >> 5 & 0x7f;

	for (size_t i = 0; i < sizeof(known); i++) {
		if (known[i] == number)
			return true;
	}
	return false;
}

static bool aarch64_refuses(struct sap_span code)
{
	static const struct {
		uint32_t mask;
		uint32_t value;
	} refused[] = {
		{ 0xff000000, 0xd4000000 }, /* svc, hvc, smc, brk, hlt */
		{ 0xfff8f01f, 0xd500401f }, /* msr, immediate */
		{ 0xfff00000, 0xd5100000 }, /* msr, register */
		{ 0xffffffe0, 0xd53b4220 }, /* mrs of DAIF */
		{ 0xffffffff, 0xd69f03e0 }, /* eret */
		{ 0xfffffbff, 0xd69f0bff }, /* eretaa, eretab */
		{ 0xfefff800, 0xd61f0800 }, /* braa, brab */
		{ 0xfefff800, 0xd63f0800 }, /* blraa, blrab */
		{ 0xfffffbff, 0xd65f0bff }, /* retaa, retab */
		{ 0xbf000000, 0x18000000 }, /* ldr, literal */
		{ 0xff000000, 0x98000000 }, /* ldrsw, literal */
		{ 0xff000000, 0xd8000000 }, /* prfm, literal */
		{ 0x3f800000, 0x08000000 }, /* ldxr, stxr and their kind */
		{ 0x3b200c00, 0x19000400 }, /* cpyp, setp and their kind */
	};
	uint32_t insn = 0;

	/* Instructions are little-endian, whatever data is. */
	if (!sap_span_u32(code, 0, false, &insn))
		return false;
	if ((insn & 0xfffff01f) == 0xd503201f)
		return !hint_is_known(insn);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if ((insn & refused[i].mask) == refused[i].value)
			return true;
	}
	return false;
}

bool sap_probe_refused(uint16_t machine, struct sap_span code)
{
	switch (machine) {
	case EM_X86_64:
		return x86_refuses(code, true);
	case EM_386:
		return x86_refuses(code, false);
	case EM_AARCH64:
		return aarch64_refuses(code);
	default:
		return false;
	}
}
