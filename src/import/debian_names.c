/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codenames of Debian and Ubuntu, and the temporary names of Debian's tracker. The tables of
 * advisory/space.h fold names of installed systems; these say what the publications mean by a
 * suite, which is more than releases.
 */
#include <stdio.h>

#include "import/lists_int.h"

struct debian_name {
	struct sap_str codename, space;
};

static const struct debian_name debian_names[] = {
	{ SAP_STR_INIT("sid"), SAP_STR_INIT("Debian") },
	{ SAP_STR_INIT("unstable"), SAP_STR_INIT("Debian") },
	{ SAP_STR_INIT("duke"), SAP_STR_INIT("Debian:15") },
	{ SAP_STR_INIT("forky"), SAP_STR_INIT("Debian:14") },
	{ SAP_STR_INIT("trixie"), SAP_STR_INIT("Debian:13") },
	{ SAP_STR_INIT("bookworm"), SAP_STR_INIT("Debian:12") },
	{ SAP_STR_INIT("bullseye"), SAP_STR_INIT("Debian:11") },
	{ SAP_STR_INIT("buster"), SAP_STR_INIT("Debian:10") },
	{ SAP_STR_INIT("stretch"), SAP_STR_INIT("Debian:9") },
	{ SAP_STR_INIT("jessie"), SAP_STR_INIT("Debian:8") },
	{ SAP_STR_INIT("wheezy"), SAP_STR_INIT("Debian:7") },
	{ SAP_STR_INIT("squeeze"), SAP_STR_INIT("Debian:6") },
	{ SAP_STR_INIT("lenny"), SAP_STR_INIT("Debian:5") },
	{ SAP_STR_INIT("etch"), SAP_STR_INIT("Debian:4") },
	{ SAP_STR_INIT("sarge"), SAP_STR_INIT("Debian:3.1") },
	{ SAP_STR_INIT("woody"), SAP_STR_INIT("Debian:3.0") },
	{ SAP_STR_INIT("potato"), SAP_STR_INIT("Debian:2.2") },
	{ SAP_STR_INIT("slink"), SAP_STR_INIT("Debian:2.1") },
	{ SAP_STR_INIT("hamm"), SAP_STR_INIT("Debian:2.0") },
};

struct ubuntu_name {
	struct sap_str codename, space, pro;
};

#define UBUNTU(codename, number)                                        \
	{                                                               \
		SAP_STR_INIT(codename), SAP_STR_INIT("Ubuntu:" number), \
			SAP_STR_INIT("Ubuntu:Pro:" number)              \
	}

static const struct ubuntu_name ubuntu_names[] = {
	UBUNTU("stonking", "26.10"), UBUNTU("resolute", "26.04"), UBUNTU("questing", "25.10"),
	UBUNTU("plucky", "25.04"),   UBUNTU("oracular", "24.10"), UBUNTU("noble", "24.04"),
	UBUNTU("mantic", "23.10"),   UBUNTU("lunar", "23.04"),    UBUNTU("kinetic", "22.10"),
	UBUNTU("jammy", "22.04"),    UBUNTU("impish", "21.10"),   UBUNTU("hirsute", "21.04"),
	UBUNTU("groovy", "20.10"),   UBUNTU("focal", "20.04"),    UBUNTU("eoan", "19.10"),
	UBUNTU("disco", "19.04"),    UBUNTU("cosmic", "18.10"),   UBUNTU("bionic", "18.04"),
	UBUNTU("artful", "17.10"),   UBUNTU("zesty", "17.04"),    UBUNTU("yakkety", "16.10"),
	UBUNTU("xenial", "16.04"),   UBUNTU("wily", "15.10"),     UBUNTU("vivid", "15.04"),
	UBUNTU("utopic", "14.10"),   UBUNTU("trusty", "14.04"),   UBUNTU("saucy", "13.10"),
	UBUNTU("raring", "13.04"),   UBUNTU("quantal", "12.10"),  UBUNTU("precise", "12.04"),
	UBUNTU("oneiric", "11.10"),  UBUNTU("natty", "11.04"),    UBUNTU("maverick", "10.10"),
	UBUNTU("lucid", "10.04"),    UBUNTU("karmic", "9.10"),    UBUNTU("jaunty", "9.04"),
	UBUNTU("intrepid", "8.10"),  UBUNTU("hardy", "8.04"),     UBUNTU("gutsy", "7.10"),
	UBUNTU("feisty", "7.04"),    UBUNTU("edgy", "6.10"),      UBUNTU("dapper", "6.06"),
	UBUNTU("breezy", "5.10"),    UBUNTU("hoary", "5.04"),     UBUNTU("warty", "4.10"),
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static bool debian_exact(struct sap_str codename, struct sap_str *space)
{
	for (size_t i = 0; i < N(debian_names); i++) {
		if (sap_str_eq(debian_names[i].codename, codename)) {
			*space = debian_names[i].space;
			return true;
		}
	}
	return false;
}

enum sap_codename sap_debian_space(struct sap_str codename, struct sap_str *space)
{
	struct sap_str head, rest;

	if (codename.n == 0) {
		*space = SAP_STR("Debian");
		return SAP_CODENAME_RELEASE;
	}
	if (debian_exact(codename, space))
		return SAP_CODENAME_RELEASE;
	if (sap_str_is(codename, "experimental") || sap_str_is(codename, "rc-buggy"))
		return SAP_CODENAME_NONE;
	if (!sap_str_cut(codename, '-', &head, &rest) || !debian_exact(head, space))
		return SAP_CODENAME_UNKNOWN;
	if (sap_str_is(rest, "security") || sap_str_is(rest, "lts"))
		return SAP_CODENAME_RELEASE;
	/* Packages of other origin: backports, -proposed-updates, volatile. */
	return SAP_CODENAME_NONE;
}

static const struct ubuntu_name *ubuntu_exact(struct sap_str codename)
{
	for (size_t i = 0; i < N(ubuntu_names); i++) {
		if (sap_str_eq(ubuntu_names[i].codename, codename))
			return &ubuntu_names[i];
	}
	return NULL;
}

enum sap_codename sap_ubuntu_space(struct sap_str suite, struct sap_str *space, bool *pro)
{
	const struct ubuntu_name *name;
	struct sap_str head, rest;

	*pro = false;
	if (!sap_str_cut(suite, '/', &head, &rest)) {
		if (sap_str_is(suite, "devel")) {
			*space = SAP_STR("Ubuntu");
			return SAP_CODENAME_RELEASE;
		}
		if (sap_str_is(suite, "upstream") || sap_str_is(suite, "snap"))
			return SAP_CODENAME_NONE;
		name = ubuntu_exact(suite);
		if (!name)
			return SAP_CODENAME_UNKNOWN;
		*space = name->space;
		return SAP_CODENAME_RELEASE;
	}
	if (sap_str_is(rest, "esm") && (name = ubuntu_exact(head)) != NULL) {
		*pro = true;
		*space = name->pro;
		return SAP_CODENAME_RELEASE;
	}
	name = ubuntu_exact(rest);
	if (sap_str_starts(head, SAP_STR("esm-")) && name) {
		*pro = true;
		*space = name->pro;
		return SAP_CODENAME_RELEASE;
	}
	/* Products beside the distribution: fips, fips-updates, fips-preview, ros-esm, realtime,
	 * bluefield, intel-iotg, the phone's and Ubuntu Core's overlays. */
	return name || ubuntu_exact(head) ? SAP_CODENAME_NONE : SAP_CODENAME_UNKNOWN;
}

/* ---- temporary names -------------------------------------------------------------------- */

/* RFC 1321. The digest names things here, it protects nothing. */
struct md5 {
	uint32_t a, b, c, d;
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* floor(2^32 * |sin(i + 1)|), section 3.4. */
static const uint32_t md5_sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
	0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
	0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
	0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
	0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
	0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
	0xeb86d391,
};

static void md5_block(struct md5 *h, const unsigned char *p)
{
	static const uint8_t turns[16] = {
		7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21
	};
	uint32_t a = h->a, b = h->b, c = h->c, d = h->d, x[16];

	for (unsigned i = 0; i < 16; i++) {
		x[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 |
		       (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
	}
	for (unsigned i = 0; i < 64; i++) {
		unsigned round = i / 16, k;
		uint32_t f, next;

		if (round == 0) {
			f = (b & c) | (~b & d);
			k = i;
		} else if (round == 1) {
			f = (b & d) | (c & ~d);
			k = (5 * i + 1) % 16;
		} else if (round == 2) {
			f = b ^ c ^ d;
			k = (3 * i + 5) % 16;
		} else {
			f = c ^ (b | ~d);
			k = 7 * i % 16;
		}
		next = b + rotate(a + f + md5_sines[i] + x[k], turns[4 * round + i % 4]);
		a = d;
		d = c;
		c = b;
		b = next;
	}
	h->a += a;
	h->b += b;
	h->c += c;
	h->d += d;
}

/* The first three bytes of the digest. */
static uint32_t md5_head(struct sap_str s)
{
	struct md5 h = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	unsigned char tail[128] = { 0 };
	size_t whole = s.n / 64 * 64, left = s.n - whole, end = left < 56 ? 64 : 128;
	uint64_t bits = (uint64_t)s.n * 8;

	for (size_t at = 0; at < whole; at += 64)
		md5_block(&h, (const unsigned char *)s.p + at);
	if (left > 0)
		memcpy(tail, s.p + whole, left);
	tail[left] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		tail[end - 8 + i] = (unsigned char)(bits >> (8 * i));
	for (size_t at = 0; at < end; at += 64)
		md5_block(&h, tail + at);
	return (h.a & 0xff) << 16 | (h.a & 0xff00) | (h.a >> 16 & 0xff);
}

void sap_debian_temp_name(uint64_t bug, struct sap_str description, char *out)
{
	snprintf(out, SAP_TEMP_NAME_MAX, "TEMP-%07llu-%06X", (unsigned long long)bug,
		 (unsigned)md5_head(description));
}
