/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 (RFC 3629), one code point at a time.
 */
#ifndef SAP_REPORT_UTF8_H
#define SAP_REPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the code point that p[0..n) begins with (n > 0), which goes to *code; 0 where they
 * are none: cut short, overlong, a surrogate, beyond U+10FFFF. */
static inline unsigned sap_utf8_next(const unsigned char *p, size_t n, uint32_t *code)
{
	unsigned more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];

	if (more && (p[0] < 0xc2 || p[0] > 0xf4 || more >= n))
		return 0;
	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((more == 2 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
	    (more == 3 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	*code = c;
	return more + 1;
}

#endif
