/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made a package, by what its own record says. The tables name each sign with the
 * repository that makes it. A sign that real packages of a distribution bear too is none here:
 * Debian has versions like "0.18.debian13+deb12u1", "2.26.2-1~deb10+1" and "0~2.gbp234f0c6-1",
 * Ubuntu published "1.21.1-1~ubuntu22.04.2", "2:1.16.0-1ubuntu1.2~trusty2" and
 * "1.75.0+dfsg0ubuntu1~bpo0-0ubuntu0.22.04" itself.
 */
#include <string.h>
#include <strings.h>

#include "advisory/origin_int.h"

const char *sap_origin_name(enum sap_origin origin)
{
	switch (origin) {
	case SAP_ORIGIN_DISTRIBUTION:
		return "distribution";
	case SAP_ORIGIN_BACKPORTS:
		return "backports";
	case SAP_ORIGIN_THIRD_PARTY:
		return "third-party";
	case SAP_ORIGIN_LOCAL:
		return "local";
	case SAP_ORIGIN_UNKNOWN:
		break;
	}
	return "unknown";
}

/* ---- deb -------------------------------------------------------------------------------- */

#define DEBIAN_NAME(text) \
	SAP_ORIGIN_WORD(text, SAP_WORD_REVISION, "made for Debian \"" text "\" by others", "")
#define UBUNTU_NAME(text) \
	SAP_ORIGIN_WORD(text, SAP_WORD_REVISION, "a PPA or another vendor, for \"" text "\"", "")

static const struct sap_origin_word deb_words[] = {
	SAP_ORIGIN_WORD("ubuntu", SAP_WORD_REVISION, "made for Ubuntu", "ubuntu"),
	SAP_ORIGIN_WORD("ppa", SAP_WORD_APART | SAP_WORD_REVISION, "a PPA", ""),
	SAP_ORIGIN_WORD("pgdg", SAP_WORD_REVISION, "apt.postgresql.org", ""),
	SAP_ORIGIN_WORD("nodesource", SAP_WORD_REVISION, "deb.nodesource.com", ""),
	SAP_ORIGIN_WORD("sury", SAP_WORD_REVISION, "deb.sury.org", ""),
	SAP_ORIGIN_WORD("maria", SAP_WORD_PLUS, "mariadb.org", ""),
	SAP_ORIGIN_WORD("rpt", SAP_WORD_NUMBER | SAP_WORD_PLUS | SAP_WORD_TILDE, "Raspberry Pi",
			"raspbian"),
	SAP_ORIGIN_WORD("rpi", SAP_WORD_NUMBER | SAP_WORD_PLUS, "Raspbian", "raspbian"),
	SAP_ORIGIN_WORD("pve", SAP_WORD_APART | SAP_WORD_REVISION, "Proxmox", ""),
	SAP_ORIGIN_WORD("pmx", SAP_WORD_NUMBER | SAP_WORD_PLUS | SAP_WORD_TILDE, "Proxmox", ""),
	SAP_ORIGIN_WORD("dmo", SAP_WORD_NUMBER | SAP_WORD_REVISION, "deb-multimedia.org", ""),
	SAP_ORIGIN_WORD("kisak", SAP_WORD_TILDE, "the kisak-mesa PPA", ""),
	SAP_ORIGIN_WORD("oibaf", SAP_WORD_REVISION, "the oibaf PPA", ""),
	SAP_ORIGIN_WORD("gpu", SAP_WORD_NUMBER | SAP_WORD_TILDE, "the graphics-drivers PPA", ""),
	SAP_ORIGIN_WORD("mt", SAP_WORD_NUMBER | SAP_WORD_TILDE, "the mozillateam PPA", ""),
	SAP_ORIGIN_WORD("mx", SAP_WORD_NUMBER | SAP_WORD_TILDE | SAP_WORD_PLUS, "MX Linux", "mx"),
	SAP_ORIGIN_WORD("antix", SAP_WORD_NUMBER, "antiX", "antix"),
	SAP_ORIGIN_WORD("kali", SAP_WORD_NUMBER, "Kali", "kali"),
	SAP_ORIGIN_WORD("parrot", SAP_WORD_NUMBER, "Parrot", "parrot"),
	SAP_ORIGIN_WORD("devuan", SAP_WORD_NUMBER, "Devuan", "devuan"),
	SAP_ORIGIN_WORD("armbian", 0, "Armbian", "armbian"),
	SAP_ORIGIN_WORD("sernet", SAP_WORD_PLUS | SAP_WORD_TILDE, "SerNet", ""),
	SAP_ORIGIN_WORD("cznic", SAP_WORD_APART | SAP_WORD_REVISION, "CZ.NIC", ""),
	SAP_ORIGIN_WORD("plesk", SAP_WORD_PLUS | SAP_WORD_TILDE, "Plesk", ""),
	/* docker.com, nginx.org, Ceph, WineHQ, VirtualBox, Puppet: their own build for a release.
	 * Debian names releases by number (deb12u1) since Debian 7. */
	DEBIAN_NAME("jessie"),
	DEBIAN_NAME("stretch"),
	DEBIAN_NAME("buster"),
	DEBIAN_NAME("bullseye"),
	DEBIAN_NAME("bookworm"),
	DEBIAN_NAME("trixie"),
	DEBIAN_NAME("forky"),
	DEBIAN_NAME("duke"),
	/* Ubuntu wrote codenames itself up to xenial; since then by number (~20.04.1). */
	UBUNTU_NAME("bionic"),
	UBUNTU_NAME("focal"),
	UBUNTU_NAME("groovy"),
	UBUNTU_NAME("hirsute"),
	UBUNTU_NAME("impish"),
	UBUNTU_NAME("jammy"),
	UBUNTU_NAME("kinetic"),
	UBUNTU_NAME("lunar"),
	UBUNTU_NAME("mantic"),
	UBUNTU_NAME("noble"),
	UBUNTU_NAME("oracular"),
	UBUNTU_NAME("plucky"),
	UBUNTU_NAME("questing"),
	UBUNTU_NAME("resolute"),
};

/* "~bpo12+1", "~bpo22.04.1" (Ubuntu), "~bpo70+1" (Debian 7). "~bpo0" and "~bpo1" are in
 * versions of Ubuntu's own releases (rustc). */
static bool is_backport(const struct sap_origin_run *run)
{
	uint64_t release;

	return run->before == '~' && run->direct && sap_origin_eq(run->word, SAP_STR("bpo")) &&
	       sap_str_u64(run->number, &release) && release >= 7;
}

/* "+debian12", "~debian.12": a vendor's build for that release (Docker, Zabbix, Icinga,
 * deb.sury.org). Debian itself writes "+debian1" in upstream's part, for changed sources. */
static bool is_debian_number(const struct sap_origin_run *run)
{
	uint64_t release;

	return (run->before == '+' || run->before == '~') && run->revision &&
	       sap_origin_eq(run->word, SAP_STR("debian")) && sap_str_u64(run->number, &release) &&
	       release >= 8 && release < 30;
}

/* apt.llvm.org: "1:17.0.6~++20231208085846+6009708b4367-1~exp1~...". */
static bool is_llvm_snapshot(struct sap_str version)
{
	const char *p = version.p ? memmem(version.p, version.n, "~++2", 4) : NULL;

	return p != NULL;
}

static enum sap_origin deb_version(const struct sap_origin_question *q, struct sap_str version)
{
	const struct sap_origin_word *word;
	struct sap_origin_run run;
	size_t at = 0;

	while (sap_origin_next_run(version, &at, &run)) {
		struct sap_str shown;

		if (is_backport(&run)) {
			shown = sap_origin_shown(version, &run);
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS, "%.*s",
					      SAP_ORIGIN_SHOWN(shown));
		}
		if (is_debian_number(&run)) {
			shown = sap_origin_shown(version, &run);
			return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
					      "made for a release of Debian by others (%.*s)",
					      SAP_ORIGIN_SHOWN(shown));
		}
		/* Another line of Ubuntu, fixed in versions of its own. */
		if (sap_origin_eq(run.word, SAP_STR("fips")) && q->os.n &&
		    sap_origin_system_in(q, "ubuntu")) {
			shown = sap_origin_shown(version, &run);
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS, "FIPS build (%.*s)",
					      SAP_ORIGIN_SHOWN(shown));
		}
		word = sap_origin_find_word(q, deb_words, SAP_ORIGIN_N(deb_words), &run);
		if (word) {
			shown = sap_origin_shown(version, &run);
			return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "%s (%.*s)", word->who,
					      SAP_ORIGIN_SHOWN(shown));
		}
	}
	if (is_llvm_snapshot(version))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
				      "likely apt.llvm.org (\"~++\" in %.*s)",
				      SAP_ORIGIN_SHOWN(version));
	return SAP_ORIGIN_DISTRIBUTION;
}

/* Origin of a deb: the distributions leave it out, or name themselves. */
static bool is_own_origin(const struct sap_origin_question *q)
{
	struct sap_str text = q->vendor, word, like = q->like;
	struct sap_str name = sap_facts_str(q->facts, q->facts->os.name);

	if (q->os.n == 0 || (name.n && sap_str_eq(text, name)))
		return true;
	if (!sap_str_word(&text, &word))
		return true;
	if (word.n == q->os.n && strncasecmp(word.p, q->os.p, word.n) == 0)
		return true;
	for (struct sap_str id; sap_str_word(&like, &id);) {
		if (word.n == id.n && strncasecmp(word.p, id.p, word.n) == 0)
			return true;
	}
	return false;
}

static enum sap_origin deb_origin(const struct sap_origin_question *q)
{
	enum sap_origin origin;

	/* No archive has these sections; each is what a tool writes. */
	if (sap_str_is(q->section, "checkinstall") || sap_str_is(q->section, "alien"))
		return sap_origin_say(q, SAP_ORIGIN_LOCAL, "made with %.*s",
				      SAP_ORIGIN_SHOWN(q->section));
	if (q->vendor.n && !is_own_origin(q))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "Origin is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->vendor));
	origin = deb_version(q, q->version);
	if (origin == SAP_ORIGIN_DISTRIBUTION && !sap_str_eq(q->version, q->source_version))
		origin = deb_version(q, q->source_version);
	if (origin != SAP_ORIGIN_DISTRIBUTION)
		return origin;
	if (sap_origin_is_maker(q, q->maintainer))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "Maintainer is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	if (sap_origin_is_nobody(q->maintainer))
		return sap_origin_say(q, SAP_ORIGIN_LOCAL, "Maintainer is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	if (sap_str_is(q->section, "default"))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
				      "made with fpm (Section is \"default\")");
	return SAP_ORIGIN_DISTRIBUTION;
}

/* ---- alpm ------------------------------------------------------------------------------- */

static enum sap_origin alpm_origin(const struct sap_origin_question *q)
{
	if (q->maintainer.n == 0)
		return sap_origin_say(q, SAP_ORIGIN_LOCAL, "built without a packager's name");
	/* makepkg's default. */
	if (sap_origin_eq(q->maintainer, SAP_STR("unknown packager")))
		return sap_origin_say(q, SAP_ORIGIN_LOCAL, "Packager is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	if (sap_origin_is_maker(q, q->maintainer))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "Packager is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	return SAP_ORIGIN_DISTRIBUTION;
}

/* ---- the contract ----------------------------------------------------------------------- */

enum sap_origin sap_origin_of(const struct sap_facts *facts, const struct sap_package *package,
			      struct sap_arena *arena, struct sap_str *reason)
{
	const struct sap_origin_question q = {
		.facts = facts,
		.os = sap_facts_str(facts, facts->os.id),
		.like = sap_facts_str(facts, facts->os.id_like),
		.release = sap_facts_str(facts, facts->os.version_id),
		.version = sap_facts_str(facts, package->version),
		.source_version = sap_facts_str(facts, package->source_version),
		.maintainer = sap_facts_str(facts, package->maintainer),
		.vendor = sap_str_trim(sap_facts_str(facts, package->vendor)),
		.section = sap_facts_str(facts, package->section),
		.arena = arena,
		.reason = reason,
	};

	*reason = (struct sap_str){ 0 };
	switch (package->type) {
	case SAP_PACKAGE_DEB:
		return deb_origin(&q);
	case SAP_PACKAGE_RPM:
		return sap_origin_rpm(&q, sap_facts_str(facts, package->name));
	case SAP_PACKAGE_ALPM:
		return alpm_origin(&q);
	default: /* apk: nothing in its database tells */
		return SAP_ORIGIN_DISTRIBUTION;
	}
}

/* The digits before the first ':', without leading zeros; empty: no epoch, or 0. */
static struct sap_str epoch_of(struct sap_str version)
{
	struct sap_str epoch, rest;

	if (!sap_str_cut(version, ':', &epoch, &rest) || sap_origin_digits(epoch, 0) != epoch.n)
		return (struct sap_str){ 0 };
	while (epoch.n && epoch.p[0] == '0')
		epoch = sap_str_skip(epoch, 1);
	return epoch;
}

bool sap_origin_epoch_differs(uint8_t package_type, struct sap_str installed, struct sap_str fixed)
{
	struct sap_str have, want;

	if (package_type != SAP_PACKAGE_DEB && package_type != SAP_PACKAGE_RPM &&
	    package_type != SAP_PACKAGE_ALPM)
		return false;
	have = epoch_of(installed);
	want = epoch_of(fixed);
	if (have.n != want.n)
		return want.n < have.n;
	return sap_str_cmp(want, have) < 0;
}
