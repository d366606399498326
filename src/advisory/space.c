/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/space.h"

#include "base/pool.h"

/* What becomes of a release. */
enum fold {
	FOLD_KEEP,   /* as it is, in lower case */
	FOLD_DROP,   /* there are no releases; repositories (Maven:URL) tell nothing of a package */
	FOLD_MAJOR,  /* 9.3 is 9 */
	FOLD_MINOR,  /* v3.19.1 is 3.19 */
	FOLD_DEBIAN, /* codenames; 12.5 is 12, but 3.1 is not 3 */
	FOLD_UBUNTU, /* codenames, LTS, Pro */
	FOLD_REDHAT, /* what is left of a CPE: enterprise_linux:9::appstream */
	FOLD_SUSE,   /* modules of a service pack */
};

struct ecosystem {
	struct sap_str name; /* canonical */
	const char *human;
	enum sap_version_scheme scheme;
	enum sap_names names;
	enum fold fold;
};

#define ECO(name, human, scheme, names, fold)                                                   \
	{                                                                                       \
		SAP_STR_INIT(name), human, SAP_VERSION_##scheme, SAP_NAMES_##names, FOLD_##fold \
	}

static const struct ecosystem ecosystems[] = {
	ECO("debian", "Debian", DEB, SOURCE, DEBIAN),
	ECO("ubuntu", "Ubuntu", DEB, SOURCE, UBUNTU),
	ECO("kali", "Kali", DEB, SOURCE, DROP),
	ECO("echo", "Echo", DEB, SOURCE, KEEP),
	ECO("alpine", "Alpine", APK, SOURCE, MINOR),
	ECO("wolfi", "Wolfi", APK, SOURCE, DROP),
	ECO("minimos", "MinimOS", APK, SOURCE, DROP),
	ECO("alpaquita", "Alpaquita", APK, SOURCE, KEEP),
	ECO("bellsoft hardened containers", "BellSoft Hardened Containers", APK, SOURCE, KEEP),
	ECO("almalinux", "AlmaLinux", RPM, BINARY, MAJOR),
	ECO("rocky linux", "Rocky Linux", RPM, SOURCE, MAJOR),
	ECO("red hat", "Red Hat", RPM, BINARY, REDHAT),
	ECO("centos", "CentOS", RPM, BINARY, MAJOR),
	ECO("oracle linux", "Oracle Linux", RPM, BINARY, MAJOR),
	ECO("amazon linux", "Amazon Linux", RPM, BINARY, KEEP),
	ECO("fedora", "Fedora", RPM, SOURCE, MAJOR),
	ECO("epel", "EPEL", RPM, SOURCE, MAJOR),
	ECO("suse", "SUSE", RPM, SOURCE, SUSE),
	ECO("opensuse", "openSUSE", RPM, SOURCE, KEEP),
	ECO("mageia", "Mageia", RPM, SOURCE, MAJOR),
	ECO("openeuler", "openEuler", RPM, SOURCE, KEEP),
	ECO("photon os", "Photon OS", RPM, SOURCE, KEEP),
	ECO("azure linux", "Azure Linux", RPM, SOURCE, MAJOR),
	ECO("arch", "Arch", PACMAN, BINARY, DROP),
	ECO("pypi", "PyPI", PEP440, BINARY, DROP),
	ECO("go", "Go", GO, BINARY, DROP),
	ECO("crates.io", "crates.io", SEMVER, BINARY, DROP),
	ECO("npm", "npm", SEMVER, BINARY, DROP),
	ECO("maven", "Maven", MAVEN, BINARY, DROP),
	ECO("rubygems", "RubyGems", RUBYGEMS, BINARY, DROP),
	ECO("nuget", "NuGet", NUGET, BINARY, DROP),
	ECO("packagist", "Packagist", PACKAGIST, BINARY, DROP),
	ECO("hackage", "Hackage", HACKAGE, BINARY, DROP),
	ECO("ghc", "GHC", HACKAGE, BINARY, DROP),
	ECO("cran", "CRAN", CRAN, BINARY, DROP),
	ECO("bioconductor", "Bioconductor", CRAN, BINARY, KEEP),
	ECO("pub", "Pub", PUB, BINARY, DROP),
	ECO("hex", "Hex", SEMVER, BINARY, DROP),
	ECO("swifturl", "SwiftURL", SEMVER, BINARY, DROP),
	ECO("julia", "Julia", SEMVER, BINARY, DROP),
	ECO("bitnami", "Bitnami", SEMVER, BINARY, DROP),
	ECO("github actions", "GitHub Actions", SEMVER, BINARY, DROP),
	ECO("kubernetes", "Kubernetes", SEMVER, BINARY, DROP),
	ECO("vscode", "VSCode", SEMVER, BINARY, KEEP),
	ECO("git", "GIT", NONE, BINARY, DROP),
	ECO("oss-fuzz", "OSS-Fuzz", NONE, BINARY, DROP),
	ECO("linux", "Linux", NONE, BINARY, KEEP),
	ECO("android", "Android", NONE, BINARY, KEEP),
	ECO("conancenter", "ConanCenter", NONE, BINARY, DROP),
};

struct pair {
	struct sap_str from, to;
};

#define PAIR(from, to)                               \
	{                                            \
		SAP_STR_INIT(from), SAP_STR_INIT(to) \
	}

/* Other words for an ecosystem: types of purls, ids of os-release. Chainguard's packages are
 * Wolfi's, and both publish for both. */
static const struct pair aliases[] = {
	PAIR("alpine linux", "alpine"),
	PAIR("arch linux", "arch"),
	PAIR("archlinux", "arch"),
	PAIR("chainguard", "wolfi"),
	PAIR("alma", "almalinux"),
	PAIR("rocky", "rocky linux"),
	PAIR("rockylinux", "rocky linux"),
	PAIR("redhat", "red hat"),
	PAIR("rhel", "red hat"),
	PAIR("ol", "oracle linux"),
	PAIR("oracle", "oracle linux"),
	PAIR("amzn", "amazon linux"),
	PAIR("amazon", "amazon linux"),
	PAIR("photon", "photon os"),
	PAIR("azurelinux", "azure linux"),
	PAIR("mariner", "azure linux"),
	PAIR("cbl-mariner", "azure linux"),
	PAIR("golang", "go"),
	PAIR("cargo", "crates.io"),
	PAIR("gem", "rubygems"),
	PAIR("composer", "packagist"),
	PAIR("swift", "swifturl"),
};

/* Debian's releases by codename. */
static const struct pair debian_codenames[] = {
	PAIR("buzz", "1.1"),    PAIR("rex", "1.2"),     PAIR("bo", "1.3"),
	PAIR("hamm", "2.0"),    PAIR("slink", "2.1"),   PAIR("potato", "2.2"),
	PAIR("woody", "3.0"),   PAIR("sarge", "3.1"),   PAIR("etch", "4"),
	PAIR("lenny", "5"),     PAIR("squeeze", "6"),   PAIR("wheezy", "7"),
	PAIR("jessie", "8"),    PAIR("stretch", "9"),   PAIR("buster", "10"),
	PAIR("bullseye", "11"), PAIR("bookworm", "12"), PAIR("trixie", "13"),
	PAIR("forky", "14"),    PAIR("sid", "sid"),     PAIR("unstable", "sid"),
	PAIR("testing", "sid"),
};

static const struct pair ubuntu_codenames[] = {
	PAIR("warty", "4.10"),     PAIR("hoary", "5.04"),     PAIR("breezy", "5.10"),
	PAIR("dapper", "6.06"),    PAIR("edgy", "6.10"),      PAIR("feisty", "7.04"),
	PAIR("gutsy", "7.10"),     PAIR("hardy", "8.04"),     PAIR("intrepid", "8.10"),
	PAIR("jaunty", "9.04"),    PAIR("karmic", "9.10"),    PAIR("lucid", "10.04"),
	PAIR("maverick", "10.10"), PAIR("natty", "11.04"),    PAIR("oneiric", "11.10"),
	PAIR("precise", "12.04"),  PAIR("quantal", "12.10"),  PAIR("raring", "13.04"),
	PAIR("saucy", "13.10"),    PAIR("trusty", "14.04"),   PAIR("utopic", "14.10"),
	PAIR("vivid", "15.04"),    PAIR("wily", "15.10"),     PAIR("xenial", "16.04"),
	PAIR("yakkety", "16.10"),  PAIR("zesty", "17.04"),    PAIR("artful", "17.10"),
	PAIR("bionic", "18.04"),   PAIR("cosmic", "18.10"),   PAIR("disco", "19.04"),
	PAIR("eoan", "19.10"),     PAIR("focal", "20.04"),    PAIR("groovy", "20.10"),
	PAIR("hirsute", "21.04"),  PAIR("impish", "21.10"),   PAIR("jammy", "22.04"),
	PAIR("kinetic", "22.10"),  PAIR("lunar", "23.04"),    PAIR("mantic", "23.10"),
	PAIR("noble", "24.04"),    PAIR("oracular", "24.10"), PAIR("plucky", "25.04"),
	PAIR("questing", "25.10"), PAIR("resolute", "26.04"),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct sap_str pair_find(const struct pair *pairs, size_t n, struct sap_str from)
{
	for (size_t i = 0; i < n; i++)
		if (sap_str_eq(pairs[i].from, from))
			return pairs[i].to;
	return (struct sap_str){ 0 };
}

static const struct ecosystem *ecosystem_of(struct sap_str name)
{
	for (size_t i = 0; i < COUNT(ecosystems); i++)
		if (sap_str_eq(ecosystems[i].name, name))
			return &ecosystems[i];
	/* "ubuntu-pro", "ubuntu-pro-fips": other archives of the same kind. */
	if (sap_str_starts(name, SAP_STR("ubuntu-")))
		return ecosystem_of(SAP_STR("ubuntu"));
	return NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- folding releases ------------------------------------------------------------------- */

/* The first parts numbers of a dotted version. What is no number stays whole. */
static struct sap_str dotted(struct sap_str release, unsigned parts)
{
	if (release.n == 0 || !digit(release.p[0]))
		return release;
	for (size_t i = 0; i < release.n; i++) {
		if (release.p[i] == '.' && --parts == 0)
			return (struct sap_str){ release.p, i };
		if (release.p[i] != '.' && !digit(release.p[i]))
			return release;
	}
	return release;
}

static struct sap_str fold_debian(struct sap_str release)
{
	static const struct sap_str suites[] = { SAP_STR_INIT("-security"),
						 SAP_STR_INIT("-updates"), SAP_STR_INIT("-lts"),
						 SAP_STR_INIT("/updates") };
	struct sap_str number;

	for (size_t i = 0; i < COUNT(suites); i++)
		if (sap_str_ends(release, suites[i]))
			release.n -= suites[i].n;
	number = pair_find(debian_codenames, COUNT(debian_codenames), release);
	if (number.n)
		return number;
	/* Up to 3.1 the second number made a release. */
	if (release.n > 1 && release.p[0] >= '1' && release.p[0] <= '3' && release.p[1] == '.')
		return dotted(release, 2);
	return dotted(release, 1);
}

/* "pro:fips:20.04:lts": what precedes the release goes to the ecosystem. */
static struct sap_str fold_ubuntu(struct sap_str rest, char *eco, size_t *eco_n, size_t max)
{
	struct sap_str part;

	while (rest.n > 0) {
		struct sap_str number;

		sap_str_cut(rest, ':', &part, &rest);
		number = pair_find(ubuntu_codenames, COUNT(ubuntu_codenames), part);
		if (number.n)
			return number;
		if (part.n > 0 && digit(part.p[0]))
			return dotted(part, 2);
		if (part.n == 0 || sap_str_is(part, "lts") || part.n + 1 > max - *eco_n)
			continue;
		eco[(*eco_n)++] = '-';
		memcpy(eco + *eco_n, part.p, part.n);
		*eco_n += part.n;
	}
	return (struct sap_str){ 0 };
}

/* "enterprise_linux:9::appstream" is 9; other products (rhel_eus:9.2, openshift:4.12::el8)
 * stay themselves, without the repository. */
static struct sap_str fold_redhat(struct sap_str release)
{
	const struct sap_str base = SAP_STR("enterprise_linux:");
	struct sap_str product, version, rest;

	if (sap_str_starts(release, base)) {
		sap_str_cut(sap_str_skip(release, base.n), ':', &version, &rest);
		return dotted(version, 1);
	}
	if (!sap_str_cut(release, ':', &product, &rest))
		return dotted(release, 1);
	sap_str_cut(rest, ':', &version, &rest);
	return (struct sap_str){ product.p,
				 (size_t)(version.p ? version.p - product.p : 0) + version.n };
}

/* Packages of a service pack are published by module, a system is one of the service pack:
 * "linux enterprise module for basesystem 15 sp5" is "linux enterprise server 15 sp5". */
static struct sap_str fold_suse(struct sap_str release, char *buf, size_t size)
{
	const struct sap_str module = SAP_STR("linux enterprise module for ");
	const struct sap_str server = SAP_STR("linux enterprise server ");
	size_t at = release.n;

	if (!sap_str_starts(release, module))
		return release;
	/* The last word that begins with a digit ("... for python 3 15 sp5"). */
	for (size_t i = module.n; i < release.n; i++)
		if (release.p[i - 1] == ' ' && digit(release.p[i]))
			at = i;
	if (at == release.n || release.n - at + server.n > size)
		return release;
	memcpy(buf, server.p, server.n);
	memcpy(buf + server.n, release.p + at, release.n - at);
	return (struct sap_str){ buf, server.n + release.n - at };
}

static struct sap_str fold(const struct ecosystem *e, struct sap_str release, char *eco,
			   size_t *eco_n, char buf[SAP_SPACE_MAX])
{
	switch (e ? e->fold : FOLD_KEEP) {
	case FOLD_DROP:
		return (struct sap_str){ 0 };
	case FOLD_MAJOR:
		return dotted(release, 1);
	case FOLD_MINOR:
		if (release.n > 1 && release.p[0] == 'v' && digit(release.p[1]))
			release = sap_str_skip(release, 1);
		return dotted(release, 2);
	case FOLD_DEBIAN:
		return fold_debian(release);
	case FOLD_UBUNTU:
		return fold_ubuntu(release, eco, eco_n, SAP_SPACE_MAX);
	case FOLD_REDHAT:
		return fold_redhat(release);
	case FOLD_SUSE:
		return fold_suse(release, buf, SAP_SPACE_MAX);
	default:
		return release;
	}
}

bool sap_space_parse(struct sap_str published, struct sap_space *out)
{
	char text[SAP_SPACE_MAX * 2], buf[SAP_SPACE_MAX];
	struct sap_str name, release, other;
	struct sap_space space = { .n = 0 };

	published = sap_str_trim(published);
	for (size_t i = 0; i < published.n; i++)
		if ((unsigned char)published.p[i] < ' ' || published.p[i] == 0x7f)
			return false;
	if (published.n > sizeof(text))
		published.n = sizeof(text);
	for (size_t i = 0; i < published.n; i++)
		text[i] = lower(published.p[i]);
	sap_str_cut((struct sap_str){ text, published.n }, ':', &name, &release);
	name = sap_str_trim(name);
	release = sap_str_trim(release);
	if (name.n == 0)
		return false;
	other = pair_find(aliases, COUNT(aliases), name);
	if (other.n)
		name = other;
	if (name.n > SAP_SPACE_MAX)
		name.n = SAP_SPACE_MAX;
	memcpy(space.text, name.p, name.n);
	space.n = name.n;
	release = fold(ecosystem_of(name), release, space.text, &space.n, buf);
	space.ecosystem_n = space.n;
	if (release.n > 0 && space.n + 1 < SAP_SPACE_MAX) {
		space.text[space.n++] = ':';
		if (release.n > SAP_SPACE_MAX - space.n)
			release.n = SAP_SPACE_MAX - space.n;
		memcpy(space.text + space.n, release.p, release.n);
		space.n += release.n;
	}
	space.text[space.n] = '\0';
	*out = space;
	return true;
}

/* ---- what an ecosystem is like ---------------------------------------------------------- */

/* Root rebuilds the packages of others: "root:alpine:3.18". */
static const struct ecosystem *of_space(const struct sap_space *space)
{
	struct sap_str name = sap_space_ecosystem(space), rest;

	if (sap_str_is(name, "root") && space->n > name.n + 1) {
		rest = sap_str_skip(sap_space_str(space), name.n + 1);
		sap_str_cut(rest, ':', &name, &rest);
	}
	return ecosystem_of(name);
}

enum sap_version_scheme sap_space_scheme(const struct sap_space *space)
{
	const struct ecosystem *e = of_space(space);

	return e ? e->scheme : SAP_VERSION_NONE;
}

enum sap_names sap_space_names(const struct sap_space *space)
{
	const struct ecosystem *e = of_space(space);

	return e ? e->names : SAP_NAMES_BINARY;
}

/* Words with a capital: "linux enterprise server 15 sp5" to "Linux Enterprise Server 15 SP5". */
static void put_title(struct sap_buf *out, struct sap_str s)
{
	size_t capitals = 1;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (i + 2 < s.n && capitals && c == 's' && s.p[i + 1] == 'p' && digit(s.p[i + 2]))
			capitals = 2;
		if (capitals && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		capitals = c == ' ' || c == '-' ? 1 : capitals - (capitals > 0);
		sap_buf_putc(out, c);
	}
}

static void put_upper(struct sap_buf *out, struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		sap_buf_putc(out,
			     s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i]);
}

void sap_space_put(struct sap_buf *out, const struct sap_space *space)
{
	struct sap_str name = sap_space_ecosystem(space);
	struct sap_str release = sap_str_skip(sap_space_str(space), name.n + 1);
	const struct ecosystem *e = ecosystem_of(name);

	if (!e) {
		put_title(out, name);
	} else {
		sap_buf_puts(out, sap_str_of(e->human));
		name = sap_str_skip(name, e->name.n);
		if (name.n > 0) {
			sap_buf_putc(out, ' ');
			put_title(out, sap_str_skip(name, 1));
		}
	}
	if (release.n == 0)
		return;
	sap_buf_putc(out, ' ');
	if (e && (e->fold == FOLD_SUSE || sap_str_is(e->name, "opensuse")))
		put_title(out, release);
	else if (e && sap_str_is(e->name, "openeuler"))
		put_upper(out, release);
	else
		sap_buf_puts(out, release);
}

void sap_space_put_name(struct sap_buf *out, const struct sap_space *space, struct sap_str name)
{
	const struct ecosystem *e = of_space(space);
	bool pypi = e && e->scheme == SAP_VERSION_PEP440;

	if (!pypi && !(e && (e->scheme == SAP_VERSION_NUGET || e->scheme == SAP_VERSION_PACKAGIST ||
			     e->scheme == SAP_VERSION_DEB))) {
		sap_buf_puts(out, name);
		return;
	}
	for (size_t i = 0; i < name.n; i++) {
		char c = lower(name.p[i]);

		if (pypi && (c == '_' || c == '.' || c == '-')) {
			/* A run of them is one. */
			if (i > 0 &&
			    (name.p[i - 1] == '_' || name.p[i - 1] == '.' || name.p[i - 1] == '-'))
				continue;
			c = '-';
		}
		sap_buf_putc(out, c);
	}
}

/* ---- systems ---------------------------------------------------------------------------- */

/* What os-release calls a system, where that is not the ecosystem's name followed by
 * VERSION_ID. %v is VERSION_ID, %s the service pack: 15.5 is "15 sp5". */
static const struct system {
	struct sap_str id;
	const char *space;
	bool rolling;
} systems[] = {
	{ SAP_STR_INIT("arch"), "arch", true },
	{ SAP_STR_INIT("wolfi"), "wolfi", true },
	{ SAP_STR_INIT("chainguard"), "wolfi", true },
	{ SAP_STR_INIT("minimos"), "minimos", true },
	{ SAP_STR_INIT("opensuse-tumbleweed"), "opensuse:tumbleweed", true },
	{ SAP_STR_INIT("opensuse-leap"), "opensuse:leap %v", false },
	{ SAP_STR_INIT("opensuse-leap-micro"), "opensuse:leap micro %v", false },
	{ SAP_STR_INIT("sles"), "suse:linux enterprise server %s", false },
	{ SAP_STR_INIT("sles_sap"), "suse:linux enterprise server %s", false },
	{ SAP_STR_INIT("sled"), "suse:linux enterprise desktop %s", false },
	{ SAP_STR_INIT("sle-micro"), "suse:linux enterprise micro %v", false },
	{ SAP_STR_INIT("sl-micro"), "suse:linux micro %v", false },
	/* Others without releases: nobody speaks of them, but they are not to be taken for a
	 * system that does not say its release. */
	{ SAP_STR_INIT("gentoo"), "gentoo", true },
	{ SAP_STR_INIT("void"), "void", true },
	{ SAP_STR_INIT("kali"), "kali", true },
	{ SAP_STR_INIT("manjaro"), "manjaro", true },
	{ SAP_STR_INIT("endeavouros"), "endeavouros", true },
	{ SAP_STR_INIT("cachyos"), "cachyos", true },
	{ SAP_STR_INIT("artix"), "artix", true },
	{ SAP_STR_INIT("archarm"), "archarm", true },
};

static bool contains(struct sap_str s, const char *what)
{
	return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void put_system(struct sap_buf *out, const char *pattern, struct sap_str version)
{
	struct sap_str major, minor;

	sap_str_cut(version, '.', &major, &minor);
	for (const char *p = pattern; *p; p++) {
		if (*p != '%') {
			sap_buf_putc(out, *p);
			continue;
		}
		/* From 16 on there are no service packs. */
		if (*++p == 's' && minor.n > 0 && major.n == 2 && memcmp(major.p, "15", 2) <= 0) {
			sap_buf_puts(out, major);
			if (!sap_str_is(minor, "0")) {
				sap_buf_puts(out, SAP_STR(" sp"));
				sap_buf_puts(out, minor);
			}
		} else {
			sap_buf_puts(out, version);
		}
	}
}

/* openEuler says "22.03" in VERSION_ID and "22.03 (LTS-SP3)" where people read it. */
static void put_openeuler(struct sap_buf *out, struct sap_str version, struct sap_str pretty)
{
	struct sap_str head, rest;

	sap_buf_puts(out, SAP_STR("openeuler:"));
	sap_buf_puts(out, version);
	if (sap_str_cut(pretty, '(', &head, &rest) && sap_str_cut(rest, ')', &head, &rest)) {
		sap_buf_putc(out, '-');
		sap_buf_puts(out, head);
	}
}

bool sap_space_of_os(const struct sap_facts *facts, struct sap_space *out, bool *rolling)
{
	struct sap_str id = sap_pool_str(facts->pool, facts->os.id);
	struct sap_str version = sap_pool_str(facts->pool, facts->os.version_id);
	struct sap_str pretty = sap_pool_str(facts->pool, facts->os.pretty_name);
	struct sap_buf text;
	bool ok, rolls = false;
	size_t i = 0;

	if (id.n == 0)
		return false;
	sap_buf_init(&text, 4096);
	while (i < COUNT(systems) && !sap_str_eq(systems[i].id, id))
		i++;
	if (i < COUNT(systems)) {
		put_system(&text, systems[i].space, version);
		rolls = systems[i].rolling;
	} else if (sap_str_is(id, "openEuler") || sap_str_is(id, "openeuler")) {
		put_openeuler(&text, version, pretty);
	} else if (sap_str_is(id, "alpine") &&
		   (contains(version, "_alpha") || contains(pretty, " edge"))) {
		sap_buf_puts(&text, SAP_STR("alpine:edge"));
		rolls = true;
	} else if (sap_str_is(id, "debian") && version.n == 0 &&
		   (contains(pretty, "/sid") ||
		    contains(sap_pool_str(facts->pool, facts->os.point_release), "/sid"))) {
		sap_buf_puts(&text, id);
		rolls = true;
	} else {
		sap_buf_puts(&text, id);
		sap_buf_putc(&text, ':');
		sap_buf_puts(&text,
			     version.n ? version : sap_pool_str(facts->pool, facts->os.codename));
	}
	ok = sap_buf_ok(&text) && sap_space_parse(sap_buf_str(&text), out);
	if (ok)
		*rolling = rolls;
	sap_buf_clear(&text);
	return ok;
}
