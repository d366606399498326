/* SPDX-License-Identifier: Apache-2.0 */
/* The front of all version schemes: which rules, invalid versions, names. */
#include "version/version_int.h"

static const struct sap_version_rules *const rules_of[SAP_VERSION_SCHEMES] = {
	[SAP_VERSION_DEB] = &sap_version_deb,
	[SAP_VERSION_RPM] = &sap_version_rpm,
	[SAP_VERSION_APK] = &sap_version_apk,
	[SAP_VERSION_PACMAN] = &sap_version_pacman,
	[SAP_VERSION_SEMVER] = &sap_version_semver,
	[SAP_VERSION_GO] = &sap_version_go,
	[SAP_VERSION_PEP440] = &sap_version_pep440,
	[SAP_VERSION_MAVEN] = &sap_version_maven,
	[SAP_VERSION_RUBYGEMS] = &sap_version_rubygems,
	[SAP_VERSION_NUGET] = &sap_version_nuget,
	[SAP_VERSION_PACKAGIST] = &sap_version_packagist,
	[SAP_VERSION_HACKAGE] = &sap_version_hackage,
	[SAP_VERSION_CRAN] = &sap_version_cran,
	[SAP_VERSION_PUB] = &sap_version_pub,
};

static const char *const names[SAP_VERSION_SCHEMES] = {
	[SAP_VERSION_NONE] = "none",       [SAP_VERSION_DEB] = "deb",
	[SAP_VERSION_RPM] = "rpm",         [SAP_VERSION_APK] = "apk",
	[SAP_VERSION_PACMAN] = "pacman",   [SAP_VERSION_SEMVER] = "semver",
	[SAP_VERSION_GO] = "go",           [SAP_VERSION_PEP440] = "pypi",
	[SAP_VERSION_MAVEN] = "maven",     [SAP_VERSION_RUBYGEMS] = "rubygems",
	[SAP_VERSION_NUGET] = "nuget",     [SAP_VERSION_PACKAGIST] = "packagist",
	[SAP_VERSION_HACKAGE] = "hackage", [SAP_VERSION_CRAN] = "cran",
	[SAP_VERSION_PUB] = "pub",
};

/* Ecosystems of OSV and types of package URLs, in small letters, where they are not the name of
 * a scheme. Those that mix formats (Root, Docker's images) and those whose order is their own
 * (FreeBSD, opam) are not among them. */
static const struct {
	struct sap_str name;
	enum sap_version_scheme scheme;
} aliases[] = {
	{ SAP_STR_INIT("debian"), SAP_VERSION_DEB },
	{ SAP_STR_INIT("ubuntu"), SAP_VERSION_DEB },
	{ SAP_STR_INIT("dpkg"), SAP_VERSION_DEB },
	{ SAP_STR_INIT("echo"), SAP_VERSION_DEB },
	{ SAP_STR_INIT("almalinux"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("amazon linux"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("azure linux"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("centos"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("fedora"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("mageia"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("openeuler"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("opensuse"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("oracle linux"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("photon os"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("red hat"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("rocky linux"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("suse"), SAP_VERSION_RPM },
	{ SAP_STR_INIT("alpaquita"), SAP_VERSION_APK },
	{ SAP_STR_INIT("alpine"), SAP_VERSION_APK },
	{ SAP_STR_INIT("bellsoft hardened containers"), SAP_VERSION_APK },
	{ SAP_STR_INIT("chainguard"), SAP_VERSION_APK },
	{ SAP_STR_INIT("minimos"), SAP_VERSION_APK },
	{ SAP_STR_INIT("wolfi"), SAP_VERSION_APK },
	{ SAP_STR_INIT("alpm"), SAP_VERSION_PACMAN },
	{ SAP_STR_INIT("arch"), SAP_VERSION_PACMAN },
	{ SAP_STR_INIT("arch linux"), SAP_VERSION_PACMAN },
	{ SAP_STR_INIT("bioconductor"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("bitnami"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("cargo"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("conancenter"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("crates.io"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("ghc"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("github actions"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("hex"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("julia"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("npm"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("swift"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("swifturl"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("vscode"), SAP_VERSION_SEMVER },
	{ SAP_STR_INIT("golang"), SAP_VERSION_GO },
	{ SAP_STR_INIT("pep440"), SAP_VERSION_PEP440 },
	{ SAP_STR_INIT("python"), SAP_VERSION_PEP440 },
	{ SAP_STR_INIT("gem"), SAP_VERSION_RUBYGEMS },
	{ SAP_STR_INIT("composer"), SAP_VERSION_PACKAGIST },
};

static const struct sap_version_rules *rules(enum sap_version_scheme scheme)
{
	return (unsigned)scheme < SAP_VERSION_SCHEMES ? rules_of[scheme] : NULL;
}

static int sign(int r)
{
	return (r > 0) - (r < 0);
}

/* Two or three numbers without zeros in front, as most versions are: valid in every scheme. */
static bool is_plain(struct sap_str v)
{
	size_t start = 0;
	unsigned dots = 0;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '.') {
			if (i == start || ++dots > 2)
				return false;
			start = i + 1;
		} else if (!sap_digit(v.p[i]) || (i > start && v.p[start] == '0')) {
			return false;
		}
	}
	return dots > 0 && start < v.n;
}

static size_t end_of_number(struct sap_str v, size_t at)
{
	while (at < v.n && sap_digit(v.p[at]))
		at++;
	return at;
}

/* Valid versions whose first difference lies in one of the numbers that they begin with: every
 * scheme orders them by it, unless it is an epoch, or has zeros in front (apk reads them digit by
 * digit then). False: that does not tell. */
static bool numbers_differ(struct sap_str a, struct sap_str b, int *out)
{
	size_t start = 0, i = 0, x, y;

	for (; i < a.n && i < b.n && a.p[i] == b.p[i]; i++) {
		if (a.p[i] == '.' && i > start)
			start = i + 1;
		else if (!sap_digit(a.p[i]))
			return false;
	}
	x = end_of_number(a, start);
	y = end_of_number(b, start);
	if (x == start || y == start || a.p[start] == '0' || b.p[start] == '0')
		return false;
	if ((x < a.n && (a.p[x] == ':' || a.p[x] == '!')) ||
	    (y < b.n && (b.p[y] == ':' || b.p[y] == '!')))
		return false;
	if (x == y && (i >= x || i >= y))
		return false;
	*out = x != y ? (x < y ? -1 : 1) : a.p[i] < b.p[i] ? -1 : 1;
	return true;
}

int sap_version_cmp_valid(enum sap_version_scheme scheme, struct sap_str a, struct sap_str b)
{
	const struct sap_version_rules *r = rules(scheme);
	int known;

	if (sap_str_eq(a, b))
		return 0;
	if (!r)
		return sign(sap_str_cmp(a, b));
	return numbers_differ(a, b, &known) ? known : sign(r->cmp(a, b));
}

int sap_version_cmp(enum sap_version_scheme scheme, struct sap_str a, struct sap_str b)
{
	const struct sap_version_rules *r = rules(scheme);
	bool valid_a, valid_b;

	if (sap_str_eq(a, b))
		return 0;
	if (!r)
		return sign(sap_str_cmp(a, b));
	valid_a = a.n > 0 && r->valid(a);
	valid_b = b.n > 0 && r->valid(b);
	if (valid_a && valid_b)
		return sign(r->cmp(a, b));
	return valid_a != valid_b ? valid_a - valid_b : sign(sap_str_cmp(a, b));
}

bool sap_version_valid(enum sap_version_scheme scheme, struct sap_str v)
{
	const struct sap_version_rules *r = rules(scheme);

	return v.n > 0 && r && (is_plain(v) || r->valid(v));
}

const char *sap_version_scheme_name(enum sap_version_scheme scheme)
{
	return (unsigned)scheme < SAP_VERSION_SCHEMES ? names[scheme] : names[SAP_VERSION_NONE];
}

static bool same_word(struct sap_str s, struct sap_str small)
{
	if (s.n != small.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if (c != small.p[i])
			return false;
	}
	return true;
}

enum sap_version_scheme sap_version_scheme_parse(struct sap_str name)
{
	struct sap_str release;

	sap_str_cut(name, ':', &name, &release); /* OSV writes "Debian:12" */
	for (int i = 0; i < SAP_VERSION_SCHEMES; i++)
		if (same_word(name, sap_str_of(names[i])))
			return (enum sap_version_scheme)i;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (same_word(name, aliases[i].name))
			return aliases[i].scheme;
	return SAP_VERSION_NONE;
}
