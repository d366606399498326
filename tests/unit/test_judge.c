/* SPDX-License-Identifier: Apache-2.0 */
/* Judging: small systems against small stores. */

#include "judge_world.h"

#include <sched.h>
#include <sqlite3.h>

#include "advisory/judge_int.h"
#include "base/limits.h"

static const char debian_rows[] =
	"source debian-dsa Debian date=2026-02-16 covers=Debian:12;"
	"record DSA-1-1 covers=CVE-2024-1,CVE-2024-2 modified=2024-05-01;"
	"claim Debian:12 curl affected introduced=0 fixed=7.88.1-10+deb12u5;"
	"record DSA-2-1 covers=CVE-2024-3;"
	"claim Debian:12 linux affected introduced=0 fixed=6.1.90-1;"
	"record DSA-3-1 covers=CVE-2024-7;"
	"claim Debian:12 epoch affected introduced=0 fixed=1.0-1;"
	"source debian-cve Debian date=2026-02-15;"
	"record CVE-2024-1 alias=X-1;"
	"claim Debian curl affected introduced=0 fixed=8.5.0-1;"
	"claim Debian:11 curl not-affected;"
	"record CVE-2024-4;"
	"claim Debian curl affected introduced=0 fixed=8.6.0-1;"
	"claim Debian:12 curl unfixed reason=no-dsa severity=low;"
	"record CVE-2024-5;"
	"claim Debian zlib affected introduced=0 fixed=1.0;"
	"record CVE-2024-6 cvss=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H;"
	"claim Debian zlib affected introduced=0 functions=inflate,deflate;"
	"source kev CISA date=2026-02-16;"
	"vulnerability CVE-2024-2 severity=high exploitation=active automatable=yes impact=total;"
	"kev CVE-2024-2 added=2024-06-01 due=2024-06-22 ransomware=yes;"
	"epss CVE-2024-2 0.93 0.998;"
	"function CVE-2024-2 curl Curl_follow kind=M;"
	"function CVE-2024-2 curl Curl_new kind=A;"
	"function CVE-2024-6 zlib inflate kind=D;"
	"source local compromised date=2026-02-16;"
	"record CVE-2024-3094 compromised=yes severity=critical;"
	"claim Debian xz-utils affected versions=5.6.0-0.2,5.6.1-1 fixed=5.6.1+really5.4.5-1;"
	"claim Arch xz affected introduced=5.6.0-1 fixed=5.6.1-2;";

static struct sap_facts *debian(void)
{
	struct sap_facts *facts = make_system("debian", "12");

	add_deb(facts, "libcurl4 7.88.1-10+b1 curl 7.88.1-10");
	add_file(facts, "/usr/lib/libcurl.so.4");
	add_deb(facts, "curl 7.88.1-10");
	add_deb(facts, "libcurl3-gnutls 7.88.1-10+deb12u5 curl 7.88.1-10+deb12u5");
	add_deb(facts, "zlib1g 1:1.2.13.dfsg-1 zlib 1:1.2.13.dfsg-1");
	return facts;
}

static void packages_of_one_source_are_one_finding(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = debian();
	struct sap_findings *found = judge(facts, store);
	const struct sap_finding *f = finding(found, "CVE-2024-1", "curl@7.88.1-10?");

	CHECK_INT(f->status, SAP_STATUS_AFFECTED);
	CHECK_STR(f->package, "pkg:deb/debian/curl@7.88.1-10?arch=source&distro=debian-12");
	CHECK_STR(packages_of(found, f), "curl libcurl4");
	CHECK_STR(f->name, "curl");
	CHECK_STR(f->version, "7.88.1-10");
	CHECK_STR(f->fixed_version, "7.88.1-10+deb12u5");
	CHECK_INT(f->offered, SAP_YES);
	CHECK_INT(f->state, SAP_STATE_PRESENT);
	CHECK_STR(aliases_of(f), "DSA-1-1 X-1");
	f = finding(found, "CVE-2024-1", "deb12u5");
	CHECK_INT(f->status, 0); /* fixed, so not listed */
	f = finding(found, "CVE-2024-4", "curl@7.88.1-10?");
	CHECK_INT(f->status, SAP_STATUS_UNFIXED);
	CHECK_STR(f->reason, "no-dsa");
	CHECK_STR(f->fixed_version, "8.6.0-1");
	CHECK_INT(f->offered, SAP_NO);
	CHECK_INT(f->severity, SAP_SEVERITY_LOW);
	f = finding(found, "CVE-2024-4", "deb12u5");
	CHECK_STR(packages_of(found, f), "libcurl3-gnutls");
	CHECK_INT(found->list.n, 5);
	CHECK_INT(found->n_status[SAP_STATUS_AFFECTED], 3);
	CHECK_INT(found->n_status[SAP_STATUS_UNFIXED], 2);
	CHECK_INT(found->n_status[SAP_STATUS_FIXED], 3); /* 1 and 2 of u5, 5 of zlib */
	CHECK_INT(found->n_judged, 4);
	CHECK_INT(found->not_judged.n, 0);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void what_is_known_of_a_vulnerability_comes_along(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = debian();
	struct sap_findings *found = judge(facts, store);
	const struct sap_finding *f = finding(found, "CVE-2024-2", "curl");

	CHECK_STR(found->list.v[0].id, "CVE-2024-2"); /* known to be exploited: first */
	CHECK_INT(found->n_kev, 1);
	CHECK(f->kev && f->kev_ransomware);
	CHECK_STR(f->kev_added, "2024-06-01");
	CHECK_STR(f->kev_due, "2024-06-22");
	CHECK_STR(f->exploitation, "active");
	CHECK_STR(f->automatable, "yes");
	CHECK_STR(f->impact, "total");
	CHECK_INT(f->severity, SAP_SEVERITY_HIGH);
	CHECK(f->epss > 0.92 && f->epss < 0.94 && f->percentile > 0.99);
	CHECK(f->score < 0);
	CHECK_INT(f->n_functions, 1);
	CHECK_STR(f->functions[0].name, "Curl_follow");
	CHECK_STR(f->functions[0].project, "curl");
	CHECK_INT(f->functions[0].kind, 'M');
	f = finding(found, "CVE-2024-6", "zlib");
	CHECK_INT(f->severity, SAP_SEVERITY_CRITICAL);
	CHECK(f->score > 9.7 && f->score < 9.9);
	CHECK_STR(f->cvss, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
	CHECK(f->epss < 0 && !f->kev);
	CHECK_INT(f->n_functions, 2);
	CHECK_INT(f->functions[0].kind, 'D');
	CHECK_STR(f->functions[1].name, "deflate");
	CHECK_INT(f->functions[1].kind, 'S');
	CHECK_INT(f->offered, SAP_UNKNOWN);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void signed_kernels_are_their_source(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = make_system("debian", "12");
	struct sap_findings *found;
	const struct sap_finding *f;

	add_deb(facts, "linux-image-6.1.0-18-amd64 6.1.76-1 linux-signed-amd64 6.1.76+1");
	add_deb(facts, "linux-libc-dev 6.1.76-1 linux 6.1.76-1");
	found = judge(facts, store);
	f = finding(found, "CVE-2024-3", "");
	CHECK_STR(f->package, "pkg:deb/debian/linux@6.1.76-1?arch=source&distro=debian-12");
	CHECK_STR(packages_of(found, f), "linux-image-6.1.0-18-amd64 linux-libc-dev");
	CHECK_INT(found->list.n, 1);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void packages_of_others_are_not_judged(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = make_system("debian", "12");
	struct sap_findings *found;

	add_deb(facts, "curl 7.88.1-10~bpo12+1");
	add_deb(facts, "epoch 1:0.1-1");
	add_deb(facts, "liblzma5 5.6.1-1~bpo12+1 xz-utils 5.6.1-1");
	add_deb(facts, "zlib1g 1:1.2.13.dfsg-1 zlib");
	add_rpm(facts, "curl 7.0-1.el9");
	found = judge(facts, store);
	CHECK_INT(finding(found, "CVE-2024-1", "curl")->status, 0);
	CHECK_INT(finding(found, "CVE-2024-7", "epoch")->status, 0);
	CHECK(finding(found, "CVE-2024-3094", "xz-utils")->compromised);
	CHECK_INT(finding(found, "CVE-2024-6", "zlib")->status, SAP_STATUS_AFFECTED);
	CHECK_INT(found->not_judged.n, 4);
	for (size_t i = 0; i < found->not_judged.n; i++) {
		CHECK(found->not_judged.v[i].reason.n > 0);
		CHECK_INT(found->not_judged.v[i].object, SAP_NONE);
		if (i > 0)
			CHECK(found->not_judged.v[i].package > found->not_judged.v[i - 1].package);
	}
	CHECK_INT(found->n_judged, 1);
	CHECK_INT(found->coverage.v[0].packages, 1);
	CHECK_INT(found->n_compromised, 1);
	CHECK_STR(found->list.v[0].id, "CVE-2024-3094");
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void an_epoch_of_the_distribution_is_no_trick(void)
{
	struct sap_store *store =
		make_store("source s S date=2026-02-16;"
			   "record DSA-1-1 covers=CVE-2024-1;"
			   "claim Debian:12 a affected introduced=0 fixed=1.0-1;"
			   "record DSA-2-1 covers=CVE-2024-2;"
			   "claim Debian:12 a affected introduced=0 fixed=1:2.0-1;");
	struct sap_facts *facts = make_system("debian", "12");
	struct sap_findings *found;

	add_deb(facts, "a 1:1.0-1");
	found = judge(facts, store);
	CHECK_INT(found->not_judged.n, 0);
	CHECK_INT(finding(found, "CVE-2024-2", "a")->status, SAP_STATUS_AFFECTED);
	CHECK_INT(found->n_status[SAP_STATUS_FIXED], 1);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void what_nothing_covers_is_said_once(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = make_system("debian", "10");
	struct sap_findings *found;

	add_deb(facts, "curl 7.0-1");
	add_deb(facts, "liblzma5 5.6.1-1 xz-utils");
	found = judge(facts, store);
	CHECK_INT(found->coverage.n, 1);
	CHECK_STR(found->coverage.v[0].space, "Debian 10");
	CHECK(!found->coverage.v[0].covered);
	CHECK_INT(found->coverage.v[0].packages, 2);
	CHECK_INT(found->not_judged.n, 0);
	CHECK_INT(found->n_judged, 0);
	CHECK_INT(found->list.n, 1);
	CHECK(finding(found, "CVE-2024-3094", "xz-utils")->compromised);
	CHECK(!sap_findings_sound(found));
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void an_unreleased_system_is_judged_by_the_unstable_line(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = make_system("debian", "");
	struct sap_findings *found;
	const struct sap_finding *f;

	add_deb(facts, "curl 8.5.0-1");
	add_deb(facts, "liblzma5 5.6.1+really5.4.5-1 xz-utils");
	found = judge(facts, store);
	CHECK_STR(found->coverage.v[0].space, "Debian");
	CHECK(found->coverage.v[0].covered);
	f = finding(found, "CVE-2024-4", "curl");
	CHECK_INT(f->status, SAP_STATUS_AFFECTED); /* no-dsa is about Debian 12 */
	CHECK_INT(f->offered, SAP_YES);
	CHECK_INT(found->list.n, 1);
	CHECK_INT(found->n_status[SAP_STATUS_FIXED], 2);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void a_system_without_a_name_is_not_covered(void)
{
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = sap_facts_new();
	struct sap_findings *found;

	facts->whole = true;
	add_deb(facts, "curl 7.0-1");
	found = judge(facts, store);
	CHECK_INT(found->coverage.n, 1);
	CHECK(!found->coverage.v[0].covered);
	CHECK_INT(found->coverage.v[0].packages, 1);
	CHECK_INT(found->list.n, 0);
	CHECK(!sap_findings_sound(found));
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void only_the_binaries_that_matched_are_listed(void)
{
	struct sap_store *store = make_store(
		"source osv AlmaLinux date=2026-02-16;"
		"record ALSA-2024:1 covers=CVE-2024-1 severity=important;"
		"claim AlmaLinux:9 openssl,openssl-libs affected introduced=0 fixed=1:3.0.7-27.el9;"
		"record ALSA-2024:2 covers=CVE-2024-2;"
		"claim AlmaLinux:9 openssl affected introduced=0 fixed=1:3.0.7-27.el9;"
		"claim AlmaLinux:9 openssl-libs affected introduced=0 fixed=1:3.0.7-20.el9;");
	struct sap_facts *facts = make_system("almalinux", "9.3");
	struct sap_findings *found;
	const struct sap_finding *f;

	add_rpm(facts, "openssl-libs 1:3.0.7-24.el9 openssl 1:3.0.7-24.el9");
	add_rpm(facts, "openssl 1:3.0.7-24.el9 openssl 1:3.0.7-24.el9");
	add_rpm(facts, "openssl-devel 1:3.0.7-24.el9 openssl 1:3.0.7-24.el9");
	found = judge(facts, store);
	f = finding(found, "CVE-2024-1", "openssl");
	CHECK_STR(f->package,
		  "pkg:rpm/almalinux/openssl@3.0.7-24.el9?arch=src&distro=almalinux-9.3&epoch=1");
	CHECK_STR(packages_of(found, f), "openssl openssl-libs");
	CHECK_STR(aliases_of(f), "ALSA-2024:1");
	CHECK_INT(f->severity, SAP_SEVERITY_HIGH);
	f = finding(found, "CVE-2024-2", "openssl");
	CHECK_STR(packages_of(found, f), "openssl");
	CHECK_STR(f->name, "openssl");
	CHECK_INT(found->list.n, 2);
	CHECK_INT(found->n_status[SAP_STATUS_FIXED], 0);
	CHECK_INT(found->n_judged, 3);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void claims_about_sources_and_binaries_meet(void)
{
	struct sap_store *store =
		make_store("source s S date=2026-02-16;"
			   "record CVE-2024-1;"
			   "claim Debian:12 foo affected introduced=0 fixed=2.0-1;"
			   "record CVE-2024-2;"
			   "claim Debian:12 libfoo1 affected introduced=0 fixed=2.0-1 by=binary;"
			   "record DSA-9-9 covers=CVE-2024-1;"
			   "claim Debian:12 libfoo1 affected introduced=0 fixed=3.0-1 by=binary;");
	struct sap_facts *facts = make_system("debian", "12");
	struct sap_findings *found;
	const struct sap_finding *f;

	add_deb(facts, "foo 1.0-1");
	add_deb(facts, "foo-doc 1.0-1 foo 1.0-1");
	add_deb(facts, "libfoo1 1.0-1 foo 1.0-1");
	found = judge(facts, store);
	f = finding(found, "CVE-2024-1", "foo");
	CHECK_STR(packages_of(found, f), "foo foo-doc libfoo1");
	CHECK_STR(f->fixed_version, "3.0-1");
	CHECK_STR(aliases_of(f), "DSA-9-9");
	f = finding(found, "CVE-2024-2", "foo");
	CHECK_STR(packages_of(found, f), "libfoo1");
	CHECK_STR(f->name, "libfoo1");
	CHECK_STR(f->package, "pkg:deb/debian/foo@1.0-1?arch=source&distro=debian-12");
	CHECK_INT(found->list.n, 2);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void the_age_of_the_data_is_told(void)
{
	static const struct {
		const char *rows;
		bool stale;
	} cases[] = {
		{ "source s S date=2026-02-16;record CVE-2024-1;claim Debian:12 a not-affected;",
		  false },
		{ "source s S date=2026-02-01 checked=2026-02-01;record CVE-2024-1;claim Debian:12 "
		  "a not-affected;",
		  true },
		{ "source s S date=2026-02-01 checked=2026-02-16;record CVE-2024-1;"
		  "claim Debian:12 a not-affected;",
		  false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sap_store *store = make_store(cases[i].rows);
		struct sap_facts *facts = make_system("debian", "12");
		struct sap_findings *found;

		add_deb(facts, "a 1");
		found = judge(facts, store);
		CHECK(found->coverage.v[0].covered);
		CHECK_INT(found->coverage.v[0].stale, cases[i].stale);
		CHECK_INT(sap_findings_sound(found), !cases[i].stale);
		sap_findings_free(found);
		sap_facts_free(facts);
		drop_store(store);
	}
}

static void objects_without_an_owner(void)
{
	static const struct sap_rec_package_note note = { .type = SAP_STR_INIT("deb"),
							  .name = SAP_STR_INIT("zlib"),
							  .version =
								  SAP_STR_INIT("1:1.2.13.dfsg-1"),
							  .os = SAP_STR_INIT("debian"),
							  .os_version = SAP_STR_INIT("12") };
	static const struct sap_rec_package_note other = { .type = SAP_STR_INIT("rpm"),
							   .name = SAP_STR_INIT("zlib"),
							   .version = SAP_STR_INIT("1.0-1.fc40"),
							   .os = SAP_STR_INIT("fedora"),
							   .os_version = SAP_STR_INIT("40") };
	char rows[8192];
	struct sap_store *store;
	struct sap_facts *facts = debian();
	struct sap_findings *found;
	const struct sap_finding *f;

	snprintf(rows, sizeof(rows),
		 "%sobject 6b6e6f776e Debian:12 xz-utils 5.6.1-1;"
		 "object 70797069 PyPI Pillow 9.0;"
		 "record PYSEC-1;"
		 "claim PyPI pillow affected introduced=0 fixed=9.1;",
		 debian_rows);
	store = make_store(rows);
	add_object(facts, "/usr/lib/libcurl.so.4", "curl", NULL);
	add_object(facts, "/opt/app/libcurl.so.4", "curl", NULL);
	add_object(facts, "/opt/app/libz.so.1", "", &note);
	add_object(facts, "/opt/app/libz2.so.1", "zzz", &note);
	add_object(facts, "/opt/app/fedora.so.1", "", &other);
	add_object(facts, "/opt/app/liblzma.so.5", "known", NULL);
	add_object(facts, "/opt/app/pillow.so", "pypi", NULL);
	add_object(facts, "/opt/app/nothing.so", "nobody", NULL);
	found = judge(facts, store);
	f = finding(found, "CVE-2024-1", "curl");
	CHECK_INT(f->n_objects, 1);
	CHECK_STR(sap_facts_str(facts, facts->objects.v[f->objects[0]].path),
		  "/opt/app/libcurl.so.4");
	f = finding(found, "CVE-2024-3094", "xz");
	CHECK(f->compromised);
	CHECK_STR(f->package, "pkg:deb/debian/xz-utils@5.6.1-1?arch=source&distro=debian-12");
	CHECK_INT(f->n_packages, 0);
	CHECK_INT(f->n_objects, 1);
	f = finding(found, "PYSEC-1", "pillow");
	CHECK_STR(f->package, "pkg:pypi/pillow@9.0");
	CHECK_INT(f->n_objects, 1);
	CHECK_INT(f->offered, SAP_YES);
	/* zlib twice: as a package, and in two files that say so of themselves. */
	unsigned n = 0;

	for (size_t i = 0; i < found->list.n; i++) {
		f = &found->list.v[i];
		if (sap_str_is(f->id, "CVE-2024-6"))
			n += f->n_packages == 1 ? 1 : f->n_objects == 2 ? 10 : 100;
	}
	CHECK_INT(n, 11);
	CHECK_INT(found->not_judged.n, 1);
	CHECK_STR(found->not_judged.v[0].reason, "no advisories for Fedora 40");
	CHECK_STR(sap_facts_str(facts, facts->objects.v[found->not_judged.v[0].object].path),
		  "/opt/app/fedora.so.1");
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void explained_ones_are_listed_whatever_they_are(void)
{
	static const char *const names[] = { "CVE-2024-1", "X-1", "DSA-1-1", "cve-2024-1" };
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = debian();

	finish(facts);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sap_findings *found = judge_with(facts, store, names[i]);
		const struct sap_finding *f = finding(found, "CVE-2024-1", "deb12u5");

		CHECK_INT(f->status, SAP_STATUS_FIXED);
		CHECK(f->n_steps >= 3);
		if (f->n_steps >= 3) {
			CHECK_STR(f->steps[1].advisory, "DSA-1-1");
			CHECK_STR(f->steps[1].source,
				  "debian-dsa: Debian, as of 2026-02-16 (record of 2024-05-01)");
			CHECK(f->steps[1].decides);
		}
		CHECK(finding(found, "CVE-2024-1", "curl@7.88.1-10?")->n_steps >= 3);
		CHECK_INT(finding(found, "CVE-2024-6", "zlib")->n_steps, 0);
		CHECK_INT(found->n_status[SAP_STATUS_FIXED], 3);
		sap_findings_free(found);
	}
	sap_facts_free(facts);
	drop_store(store);
}

/* Entries of lists have ids that are unique in their list: nobody calls a vulnerability so. */
static void entries_of_lists_are_no_names(void)
{
	static const char rows[] = "source debian-json Debian date=2026-02-16 covers=Debian:12;"
				   "record CVE-2024-1/curl alias=CVE-2024-1;"
				   "claim Debian:12 curl affected introduced=0 fixed=7.99-1;"
				   "record CVE-2024-1/zlib alias=CVE-2024-1;"
				   "claim Debian:12 zlib affected introduced=0 fixed=2:1;"
				   "source csaf-vex X date=2026-02-16;"
				   "record RHSA-2024:1/CVE-2024-1 covers=CVE-2024-1;"
				   "claim Debian:12 curl affected introduced=0 fixed=7.98-1;"
				   "record GHSA-aaaa alias=CVE-2024-2,CVE-2024-1;"
				   "claim Debian:12 zlib affected introduced=0 fixed=2:1;";
	struct sap_store *store = make_store(rows);
	struct sap_facts *facts = debian();
	struct sap_findings *found;
	const struct sap_finding *f;

	finish(facts);
	found = judge_with(facts, store, "CVE-2024-1");
	f = finding(found, "CVE-2024-1", "curl@7.88.1-10?");
	CHECK_INT(f->n_aliases, 2);
	if (f->n_aliases == 2) {
		CHECK_STR(f->aliases[0], "GHSA-aaaa");
		CHECK_STR(f->aliases[1], "RHSA-2024:1");
	}
	for (uint32_t i = 0; i < f->n_steps; i++)
		CHECK(!f->steps[i].advisory.n ||
		      !memchr(f->steps[i].advisory.p, '/', f->steps[i].advisory.n));
	/* Nor is another CVE, whoever says so. */
	f = finding(found, "CVE-2024-2", "zlib");
	CHECK_INT(f->n_aliases, 1);
	CHECK_INT(f->status, SAP_STATUS_AFFECTED);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

static void without_a_store_nothing_is_sound(void)
{
	struct sap_facts *facts = debian();
	struct sap_findings *found;

	add_object(facts, "/opt/x.so", "x", NULL);
	found = judge(facts, NULL);
	CHECK_STR(found->no_store, "there is none");
	CHECK_INT(found->coverage.n, 1);
	CHECK(!found->coverage.v[0].covered);
	CHECK_INT(found->coverage.v[0].packages, 4);
	CHECK_INT(found->n_judged, 0);
	CHECK(!sap_findings_sound(found));
	sap_findings_free(found);
	sap_facts_free(facts);
}

static void suppressed_ones_do_not_count(void)
{
	static const struct sap_suppression by = { .by = SAP_STR_INIT("x") };
	struct sap_store *store = make_store(debian_rows);
	struct sap_facts *facts = debian();
	struct sap_findings *found = judge(facts, store);

	for (size_t i = 0; i < found->list.n; i++)
		if (found->list.v[i].kev)
			found->list.v[i].suppression = &by;
	sap_findings_sort(found);
	CHECK_INT(found->n_suppressed, 1);
	CHECK_INT(found->n_kev, 0);
	CHECK_INT(found->n_status[SAP_STATUS_AFFECTED], 2);
	CHECK_INT(found->n_status[SAP_STATUS_FIXED], 3);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

/* The ecosystem of a type of purl: whatever type packages come to have. */
static void types_of_purls_are_ecosystems(void)
{
	static const struct {
		const char *type, *space;
	} cases[] = { { "pypi", "pypi" },
		      { "golang", "go" },
		      { "npm", "npm" },
		      { "gem", "rubygems" },
		      { "cargo", "crates.io" } };
	struct sap_judge j = { .store = NULL };
	struct sap_court court;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(sap_court_of(&j, sap_str_of(cases[i].type), &court));
		CHECK_STR(sap_space_str(&court.space), cases[i].space);
		CHECK(court.scheme != SAP_VERSION_NONE && !court.release_known);
		CHECK_INT(court.n_spaces, 1);
	}
	CHECK(sap_court_of(&j, SAP_STR("ubuntu:22.04"), &court));
	CHECK_INT(court.n_spaces, 3);
	CHECK_STR(sap_space_str(&court.spaces[1]), "ubuntu");
	CHECK_STR(sap_space_str(&court.spaces[2]), "ubuntu-pro:22.04");
}

/* ---- many units ------------------------------------------------------------------------- */

enum { UNITS = 400 };

static struct sap_store *many_rows(void)
{
	struct sap_store *store;
	struct sap_buf rows;

	sap_buf_init(&rows, SAP_MIB);
	sap_buf_puts(&rows, SAP_STR("source debian-cve Debian date=2026-02-15;"));
	for (unsigned i = 0; i < UNITS; i++)
		for (unsigned k = 0; k < 4; k++)
			sap_buf_printf(&rows,
				       "record CVE-2024-%u/s%u-%u alias=X-%u-%u;claim Debian:12 "
				       "s%u affected introduced=0 fixed=1:%u-%u;",
				       1000 + (i * 37 + k * 11) % UNITS, i, k, i, k, i,
				       k == 3 ? 0 : 2, k);
	for (unsigned i = 0; i < UNITS; i += 5)
		sap_buf_printf(&rows, "epss CVE-2024-%u 0.5 0.5;function CVE-2024-%u p f%u;",
			       1000 + i, 1000 + i, i);
	sap_buf_putc(&rows, '\0');
	store = make_store((const char *)rows.p);
	sap_buf_clear(&rows);
	return store;
}

static struct sap_facts *many_packages(void)
{
	struct sap_facts *facts = make_system("debian", "12");
	char words[96];

	for (unsigned i = 0; i < UNITS; i++) {
		unsigned k = i * 29 % UNITS;

		/* Every seventh is of another line. */
		snprintf(words, sizeof(words), "lib%u %u:1-1 s%u", i, k % 7 ? 1 : 9, k);
		add_deb(facts, words);
		snprintf(words, sizeof(words), "s%u %u:1-1", k, k % 7 ? 1 : 9);
		add_deb(facts, words);
	}
	finish(facts);
	return facts;
}

static void put_finding(struct sap_buf *out, const struct sap_finding *f)
{
	sap_buf_printf(out, "%.*s %.*s %u %.*s %.*s %.*s %g %u", SAP_FMT(f->id),
		       SAP_FMT(f->package), f->status, SAP_FMT(f->name), SAP_FMT(f->version),
		       SAP_FMT(f->fixed_version), f->epss, f->n_functions);
	for (uint32_t i = 0; i < f->n_aliases; i++)
		sap_buf_printf(out, " %.*s", SAP_FMT(f->aliases[i]));
	for (uint32_t i = 0; i < f->n_packages; i++)
		sap_buf_printf(out, " %u", f->packages[i]);
	sap_buf_putc(out, '\n');
}

static void judge_into(struct sap_buf *out, struct sap_facts *facts, struct sap_store *store)
{
	struct sap_findings *found = judge_with(facts, store, "");

	sap_buf_init(out, 64 * SAP_MIB);
	for (size_t i = 0; i < found->list.n; i++)
		put_finding(out, &found->list.v[i]);
	for (size_t i = 0; i < found->not_judged.n; i++)
		sap_buf_printf(out, "%u %.*s\n", found->not_judged.v[i].package,
			       SAP_FMT(found->not_judged.v[i].reason));
	sap_buf_printf(out, "%u judged, %u fixed, %zu found\n", found->n_judged,
		       found->n_status[SAP_STATUS_FIXED], found->list.n);
	CHECK(found->list.n > UNITS && found->not_judged.n > 0);
	sap_findings_free(found);
}

/* With one processor there is one thread. */
static void threads_find_what_one_finds(void)
{
	struct sap_store *store = many_rows();
	struct sap_facts *facts = many_packages();
	struct sap_buf one, many;
	cpu_set_t all, single;

	CHECK_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&single);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&single) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &single);
	CHECK_INT(sched_setaffinity(0, sizeof(single), &single), 0);
	judge_into(&one, facts, store);
	CHECK_INT(sched_setaffinity(0, sizeof(all), &all), 0);
	for (int i = 0; i < 5; i++) {
		judge_into(&many, facts, store);
		CHECK(sap_str_eq(sap_buf_str(&one), sap_buf_str(&many)));
		sap_buf_clear(&many);
	}
	/* Where the file is gone, one thread does it all. */
	unlink(store_path);
	judge_into(&many, facts, store);
	CHECK(sap_str_eq(sap_buf_str(&one), sap_buf_str(&many)));
	sap_buf_clear(&many);
	sap_buf_clear(&one);
	sap_facts_free(facts);
	drop_store(store);
}

static void a_claim_that_names_a_binary_is_found(void)
{
	struct sap_store *store =
		make_store("source x x;record CVE-2024-1;"
			   "claim Debian:12 libb affected introduced=0 fixed=2 by=binary;"
			   "record CVE-2024-2;claim Debian libb affected introduced=0 fixed=2;"
			   "record CVE-2024-3;claim Debian:12 src affected introduced=0 fixed=2;");
	struct sap_facts *facts = make_system("debian", "12");
	struct sap_findings *found;

	add_deb(facts, "libb 1 src 1");
	found = judge(facts, store);
	CHECK_INT(found->list.n, 2);
	CHECK_STR(finding(found, "CVE-2024-1", "")->name, "libb");
	CHECK_STR(finding(found, "CVE-2024-3", "")->name, "src");
	sap_findings_free(found);
	/* An explanation names what does not count, too. */
	found = judge_with(facts, store, "CVE-2024-2");
	CHECK(finding(found, "CVE-2024-2", "")->n_steps > 1);
	sap_findings_free(found);
	sap_facts_free(facts);
	drop_store(store);
}

/* A damaged claim is the same failure however many look for it. */
static void damage_is_told_whoever_meets_it(void)
{
	const struct sap_judge_options options = { .now = NOW, .max_age = 5 * DAY };
	struct sap_store *store = many_rows();
	struct sap_facts *facts = many_packages();
	struct sap_findings *found = NULL;
	char first[SAP_ERR_TEXT_MAX] = "";
	sqlite3 *db = NULL;

	sap_store_close(store);
	CHECK_INT(sqlite3_open(store_path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "UPDATE package SET claims='x' WHERE id%50=7", NULL, NULL, NULL),
		  SQLITE_OK);
	sqlite3_close(db);
	CHECK_OK(sap_store_open(store_path, &store, &err), &err);
	for (int i = 0; i < 5; i++) {
		CHECK_INT(sap_judge(facts, store, NULL, &options, &found, &err), SAP_EFORMAT);
		CHECK(strstr(err.text, "is damaged: a claim about"));
		if (i == 0)
			snprintf(first, sizeof(first), "%s", err.text);
		CHECK_STR(sap_str_of(err.text), first);
	}
	sap_facts_free(facts);
	drop_store(store);
}

int main(void)
{
	threads_find_what_one_finds();
	a_claim_that_names_a_binary_is_found();
	damage_is_told_whoever_meets_it();
	packages_of_one_source_are_one_finding();
	what_is_known_of_a_vulnerability_comes_along();
	signed_kernels_are_their_source();
	packages_of_others_are_not_judged();
	an_epoch_of_the_distribution_is_no_trick();
	what_nothing_covers_is_said_once();
	an_unreleased_system_is_judged_by_the_unstable_line();
	a_system_without_a_name_is_not_covered();
	only_the_binaries_that_matched_are_listed();
	claims_about_sources_and_binaries_meet();
	the_age_of_the_data_is_told();
	objects_without_an_owner();
	explained_ones_are_listed_whatever_they_are();
	entries_of_lists_are_no_names();
	without_a_store_nothing_is_sound();
	suppressed_ones_do_not_count();
	types_of_purls_are_ecosystems();
	return check_done();
}
