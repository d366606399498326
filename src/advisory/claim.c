/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/claim.h"

#include <strings.h>

static const char *const names[] = {
	[SAP_SEVERITY_NEGLIGIBLE] = "negligible", [SAP_SEVERITY_LOW] = "low",
	[SAP_SEVERITY_MEDIUM] = "medium",         [SAP_SEVERITY_HIGH] = "high",
	[SAP_SEVERITY_CRITICAL] = "critical",
};

const char *sap_severity_name(enum sap_severity severity)
{
	return severity > 0 && severity <= SAP_SEVERITY_CRITICAL ? names[severity] : NULL;
}

/* The words of publishers: Red Hat and SUSE (Important, Moderate), Debian (unimportant, not yet
 * assigned), Ubuntu (untriaged), GHSA (MODERATE), FIRST (None). */
enum sap_severity sap_severity_parse(struct sap_str word)
{
	static const struct {
		struct sap_str word;
		enum sap_severity severity;
	} words[] = {
		{ SAP_STR_INIT("critical"), SAP_SEVERITY_CRITICAL },
		{ SAP_STR_INIT("high"), SAP_SEVERITY_HIGH },
		{ SAP_STR_INIT("medium"), SAP_SEVERITY_MEDIUM },
		{ SAP_STR_INIT("low"), SAP_SEVERITY_LOW },
		{ SAP_STR_INIT("negligible"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("important"), SAP_SEVERITY_HIGH },
		{ SAP_STR_INIT("urgent"), SAP_SEVERITY_CRITICAL },
		{ SAP_STR_INIT("moderate"), SAP_SEVERITY_MEDIUM },
		{ SAP_STR_INIT("minor"), SAP_SEVERITY_LOW },
		{ SAP_STR_INIT("unimportant"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("informational"), SAP_SEVERITY_NEGLIGIBLE },
		{ SAP_STR_INIT("none"), SAP_SEVERITY_NEGLIGIBLE },
	};

	word = sap_str_trim(word);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word.n == words[i].word.n && strncasecmp(word.p, words[i].word.p, word.n) == 0)
			return words[i].severity;
	return SAP_SEVERITY_UNKNOWN;
}

/* ---- names of records ------------------------------------------------------------------- */

static const char *find_byte(struct sap_str s, char c)
{
	return s.n ? memchr(s.p, c, s.n) : NULL;
}

static bool has_digit(struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= '0' && s.p[i] <= '9')
			return true;
	return false;
}

struct sap_str sap_advisory_name(struct sap_str id)
{
	struct sap_str head, tail;

	/* "team/7" of a private list is a name as it stands. */
	return sap_str_cut(id, '/', &head, &tail) && tail.n && find_byte(head, '-') &&
			       has_digit(head)
		       ? head
		       : id;
}

bool sap_advisory_is_own(struct sap_str id, struct sap_str vulnerability)
{
	struct sap_str v = vulnerability;

	if (v.n == 0 || id.n < v.n)
		return false;
	if (sap_str_starts(id, v) && (id.n == v.n || id.p[v.n] == '/'))
		return true;
	return sap_str_ends(id, v) &&
	       (id.p[id.n - v.n - 1] == '/' ||
		(id.p[id.n - v.n - 1] == '-' && sap_str_starts(v, SAP_STR("CVE-"))));
}

/* ---- architectures ---------------------------------------------------------------------- */

/* A line for each architecture: the words of dpkg, rpm, apk, pacman, Go and the purls of others.
 * Alpine's "armhf" is an older one than Debian's; the two are taken for one. */
static const struct sap_str arch_words[][10] = {
#define W(s) SAP_STR_INIT(s)
	{ W("amd64"), W("x86_64"), W("x86-64"), W("x64"), W("ia32e") },
	{ W("arm64"), W("aarch64"), W("armv8"), W("arm64v8") },
	{ W("i386"), W("i486"), W("i586"), W("i686"), W("x86"), W("ia32"), W("386"), W("athlon"),
	  W("geode") },
	{ W("armhf"), W("armv7"), W("armv7l"), W("armv7h"), W("armv7hl"), W("armv7hnl"),
	  W("armhfp"), W("armv6hl"), W("armv6h"), W("arm32v7") },
	{ W("armel"), W("arm"), W("armv5tel"), W("armv5tejl"), W("armv6"), W("armv6l") },
	{ W("ppc64el"), W("ppc64le"), W("powerpc64le") },
	{ W("ppc64"), W("powerpc64") },
	{ W("powerpc"), W("ppc") },
	{ W("s390x") },
	{ W("s390") },
	{ W("riscv64") },
	{ W("loong64"), W("loongarch64") },
	{ W("mips64el"), W("mips64le") },
	{ W("mipsel"), W("mipsle") },
	{ W("mips64") },
	{ W("mips") },
	{ W("sparc64"), W("sparcv9") },
	{ W("x32") },
	{ W("ia64") },
#undef W
};

static bool same_word(struct sap_str a, struct sap_str b)
{
	return a.n == b.n && a.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* 1 and up; 0: an unknown word. */
static size_t arch_of(struct sap_str word)
{
	for (size_t i = 0; i < sizeof(arch_words) / sizeof(arch_words[0]); i++)
		for (size_t k = 0; k < 10 && arch_words[i][k].n; k++)
			if (same_word(word, arch_words[i][k]))
				return i + 1;
	return 0;
}

bool sap_arch_same(struct sap_str a, struct sap_str b)
{
	size_t known;

	if (same_word(a, b))
		return true;
	known = arch_of(a);
	return known && known == arch_of(b);
}

bool sap_arch_known(struct sap_str word)
{
	return arch_of(word) != 0;
}
