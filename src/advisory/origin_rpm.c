/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made an rpm: its Vendor against that of the system; without one, the dist tag.
 */
#include <string.h>

#include "advisory/origin_int.h"

/* Where an rpm has no Vendor. */
static const struct sap_origin_word rpm_words[] = {
	SAP_ORIGIN_WORD("remi", SAP_WORD_APART, "rpms.remirepo.net", ""),
	SAP_ORIGIN_WORD("elrepo", SAP_WORD_APART, "ELRepo", ""),
	SAP_ORIGIN_WORD("pgdg", 0, "yum.postgresql.org", ""),
	SAP_ORIGIN_WORD("ngx", SAP_WORD_APART, "nginx.org", ""),
	SAP_ORIGIN_WORD("nodesource", 0, "rpm.nodesource.com", ""),
	SAP_ORIGIN_WORD("ius", SAP_WORD_APART, "IUS", ""),
	SAP_ORIGIN_WORD("gf", SAP_WORD_APART, "GhettoForge", ""),
	SAP_ORIGIN_WORD("art", SAP_WORD_APART, "Atomicorp", ""),
	SAP_ORIGIN_WORD("nux", SAP_WORD_APART, "Nux", ""),
	SAP_ORIGIN_WORD("rpmforge", 0, "RPMforge", ""),
	SAP_ORIGIN_WORD("rf", SAP_WORD_APART, "RPMforge", ""),
	SAP_ORIGIN_WORD("cpanel", 0, "cPanel", ""),
	SAP_ORIGIN_WORD("plesk", 0, "Plesk", ""),
	SAP_ORIGIN_WORD("lve", SAP_WORD_APART, "CloudLinux", "cloudlinux"),
	SAP_ORIGIN_WORD("tuxcare", 0, "TuxCare", ""),
};

/* Systems of rpm packages: what their builders write as Vendor (how it begins, lower case),
 * and the word of their dist tag (".el9", ".fc40"). */
struct rpm_system {
	const char *ids;
	const char *vendors;
	const char *tag;
};

static const struct rpm_system rpm_systems[] = {
	{ "almalinux", "almalinux*", "el" },
	{ "rocky", "rocky*", "el" },
	{ "rhel", "red hat*", "el" },
	{ "centos", "centos*", "el" },
	/* Oracle's other products say "Oracle and/or its affiliates": MySQL. */
	{ "ol", "oracle america*", "el" },
	{ "scientific", "scientific linux*", "el" },
	{ "cloudlinux", "cloudlinux*", "el" },
	{ "eurolinux", "eurolinux*", "el" },
	{ "miraclelinux", "cybertrust*|miracle*", "el" },
	{ "virtuozzo", "virtuozzo*", "vz" },
	{ "fedora", "fedora project*", "fc" },
	{ "amzn", "amazon*", "amzn" },
	{ "opensuse*", "opensuse*|suse*|http://bugs.opensuse.org*|https://bugs.opensuse.org*",
	  "lp" },
	{ "sle*|sl-micro|suse*", "suse*|https://www.suse.com*", "" },
	{ "mariner", "microsoft corporation*", "cm" },
	{ "azurelinux", "microsoft corporation*", "azl" },
	{ "photon", "vmware*|broadcom*", "ph" },
	{ "openeuler", "http://openeuler.org*|https://openeuler.org*|openeuler*", "oe" },
	{ "anolis", "anolis*|openanolis*", "an" },
	{ "mageia", "mageia*", "mga" },
	{ "altlinux", "alt linux*", "alt" },
	{ "openmandriva", "openmandriva*", "omv" },
};

static const struct rpm_system *rpm_system_of(struct sap_str id)
{
	for (size_t i = 0; i < SAP_ORIGIN_N(rpm_systems) && id.n; i++) {
		if (sap_origin_in_list(rpm_systems[i].ids, id))
			return &rpm_systems[i];
	}
	return NULL;
}

/* The Vendor of a package that every system of rpm packages has and takes from its maker; for
 * systems that the table does not know. Packages are sorted by type and name. */
static struct sap_str reference_vendor(const struct sap_facts *facts)
{
	static const struct sap_str names[] = { SAP_STR_INIT("filesystem"), SAP_STR_INIT("glibc"),
						SAP_STR_INIT("rpm") };

	for (size_t i = 0; i < SAP_ORIGIN_N(names); i++) {
		size_t low = 0, high = facts->packages.n;

		while (low < high) {
			size_t mid = low + (high - low) / 2;
			const struct sap_package *p = &facts->packages.v[mid];
			int order =
				p->type != SAP_PACKAGE_RPM
					? (p->type > SAP_PACKAGE_RPM) - (p->type < SAP_PACKAGE_RPM)
					: sap_str_cmp(sap_facts_str(facts, p->name), names[i]);

			if (order == 0 && p->vendor)
				return sap_facts_str(facts, p->vendor);
			if (order < 0)
				low = mid + 1;
			else
				high = mid;
		}
	}
	return (struct sap_str){ 0 };
}

/* Whether a dist tag's number is the system's: "9" of 9.3, "2203" of 22.03, "155" of 15.5. */
static bool is_release(struct sap_str release, struct sap_str number)
{
	size_t n = 0;

	if (release.n == 0)
		return true;
	if (number.n == sap_origin_digits(release, 0))
		return memcmp(release.p, number.p, number.n) == 0;
	for (size_t i = 0;
	     i < release.n && (sap_origin_is_digit(release.p[i]) || release.p[i] == '.'); i++) {
		if (release.p[i] == '.')
			continue;
		if (n == number.n || number.p[n] != release.p[i])
			return false;
		n++;
	}
	return n == number.n && n > 0;
}

static struct sap_str rpm_release(struct sap_str version)
{
	const char *dash = version.p ? memrchr(version.p, '-', version.n) : NULL;

	return dash ? sap_str_skip(version, (size_t)(dash + 1 - version.p)) : (struct sap_str){ 0 };
}

/* Lines of a distribution that are fixed in versions of their own. */
static enum sap_origin own_line(const struct sap_origin_question *q)
{
	struct sap_str release = rpm_release(q->version), shown;
	struct sap_origin_run run;
	size_t at = 0;

	while (sap_origin_next_run(release, &at, &run)) {
		if (sap_origin_eq(run.word, SAP_STR("fips"))) {
			shown = sap_origin_shown(release, &run);
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS, "FIPS build (%.*s)",
					      SAP_ORIGIN_SHOWN(shown));
		}
		if (sap_origin_eq(run.word, SAP_STR("ksplice"))) {
			shown = sap_origin_shown(release, &run);
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS, "Ksplice build (%.*s)",
					      SAP_ORIGIN_SHOWN(shown));
		}
		/* ".el9s": the special interest groups of CentOS. */
		if (sap_origin_eq(run.word, SAP_STR("el")) && run.direct && run.number.n &&
		    sap_str_starts(sap_str_skip(release, at + run.number.n), SAP_STR("s")) &&
		    sap_origin_in_list("centos", q->os)) {
			shown = sap_origin_shown(release, &run);
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS, "CentOS SIG (%.*s)",
					      SAP_ORIGIN_SHOWN(shown));
		}
	}
	return SAP_ORIGIN_DISTRIBUTION;
}

static enum sap_origin rpm_by_vendor(const struct sap_origin_question *q,
				     const struct rpm_system *system)
{
	struct sap_str own;

	if (system) {
		if (sap_origin_in_list(system->vendors, q->vendor))
			return own_line(q);
		if (sap_origin_starts(q->vendor, SAP_STR("fedora project")))
			return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
					      "EPEL (Vendor is \"%.*s\")",
					      SAP_ORIGIN_SHOWN(q->vendor));
		if (sap_origin_in_list("sle*|sl-micro|suse*", q->os) &&
		    sap_origin_starts(q->vendor, SAP_STR("opensuse")))
			return sap_origin_say(q, SAP_ORIGIN_BACKPORTS,
					      "PackageHub (Vendor is \"%.*s\")",
					      SAP_ORIGIN_SHOWN(q->vendor));
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "Vendor is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->vendor));
	}
	own = reference_vendor(q->facts);
	if (own.n == 0)
		return sap_origin_say(
			q, SAP_ORIGIN_UNKNOWN,
			"Vendor is \"%.*s\", and the system does not say what its own is",
			SAP_ORIGIN_SHOWN(q->vendor));
	if (sap_str_eq(own, q->vendor))
		return own_line(q);
	return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
			      "Vendor is \"%.*s\", that of the system is \"%.*s\"",
			      SAP_ORIGIN_SHOWN(q->vendor), SAP_ORIGIN_SHOWN(own));
}

/* Whether a word is the dist tag of some system. */
static bool is_tag(struct sap_str word)
{
	for (size_t i = 0; i < SAP_ORIGIN_N(rpm_systems); i++) {
		if (*rpm_systems[i].tag && sap_origin_eq(word, sap_str_of(rpm_systems[i].tag)))
			return true;
	}
	return false;
}

static enum sap_origin rpm_by_tag(const struct sap_origin_question *q,
				  const struct rpm_system *system)
{
	struct sap_str release = rpm_release(q->version), shown, foreign = { 0 };
	const struct sap_origin_word *word;
	bool own = false;
	struct sap_origin_run run;
	size_t at = 0;

	while (sap_origin_next_run(release, &at, &run)) {
		word = sap_origin_find_word(q, rpm_words, SAP_ORIGIN_N(rpm_words), &run);
		shown = sap_origin_shown(release, &run);
		if (word)
			return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "%s (%.*s)", word->who,
					      SAP_ORIGIN_SHOWN(shown));
		if (!run.direct || !run.number.n || !is_tag(run.word))
			continue;
		if (system && *system->tag && sap_origin_eq(run.word, sap_str_of(system->tag)))
			own |= is_release(q->release, run.number);
		else if (system && *system->tag)
			foreign = shown;
	}
	if (own)
		return own_line(q);
	if (foreign.n)
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
				      "made for another system (%.*s), without Vendor",
				      SAP_ORIGIN_SHOWN(foreign));
	return sap_origin_say(q, SAP_ORIGIN_UNKNOWN,
			      "no Vendor, and no sign of this system in \"%.*s\"",
			      SAP_ORIGIN_SHOWN(q->version));
}

enum sap_origin sap_origin_rpm(const struct sap_origin_question *q, struct sap_str name)
{
	const struct rpm_system *system = rpm_system_of(q->os);

	/* Keys that the database holds as packages: no code. */
	if (sap_str_is(name, "gpg-pubkey"))
		return SAP_ORIGIN_DISTRIBUTION;
	if (sap_origin_eq(q->vendor, SAP_STR("none")))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY,
				      "made with fpm (Vendor is \"none\")");
	if (q->vendor.n && !sap_str_is(q->vendor, "(none)"))
		return rpm_by_vendor(q, system);
	if (system && q->maintainer.n && sap_origin_in_list(system->vendors, q->maintainer))
		return own_line(q);
	if (sap_origin_is_maker(q, q->maintainer))
		return sap_origin_say(q, SAP_ORIGIN_THIRD_PARTY, "Packager is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	if (sap_origin_is_nobody(q->maintainer))
		return sap_origin_say(q, SAP_ORIGIN_LOCAL, "Packager is \"%.*s\"",
				      SAP_ORIGIN_SHOWN(q->maintainer));
	return rpm_by_tag(q, system);
}
