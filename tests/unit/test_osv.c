/* SPDX-License-Identifier: Apache-2.0 */
/* OSV records to rows: each case is a record and the rows that it becomes. */
#include "check.h"
#include "import/import.h"

#include "base/limits.h"

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	(void)err;
	sap_buf_puts(ctx, lines);
	return 0;
}

/* The rows between the magic line and the end row; ' for " in the record, | for TAB in rows. */
static void expect(int line, const char *record, const char *want)
{
	const struct sap_import_options options = { .name = "in" };
	struct sap_buf out, json, rows_wanted;
	struct sap_rows rows;
	struct sap_err err = { 0 };
	struct sap_str got;

	sap_buf_init(&out, SAP_MIB);
	sap_buf_init(&json, SAP_MIB);
	sap_buf_init(&rows_wanted, SAP_MIB);
	for (const char *p = record; *p; p++)
		sap_buf_putc(&json, *p == '\'' ? '"' : *p);
	for (const char *p = want; *p; p++)
		sap_buf_putc(&rows_wanted, *p == '|' ? '\t' : *p);
	sap_rows_init(&rows, collect, &out);
	check_ok(__FILE__, line, record,
		 sap_import_memory(sap_buf_str(&json), &sap_format_osv, &options, &rows, &err),
		 &err);
	got = sap_str_skip(sap_buf_str(&out), sizeof(SAP_ROWS_MAGIC));
	while (got.n > 0 && !sap_str_starts((struct sap_str){ got.p + got.n - 1, 1 }, SAP_STR("e")))
		got.n--;
	got.n -= got.n > 0;
	check_str(__FILE__, line, record, got, sap_buf_str(&rows_wanted));
	sap_rows_clear(&rows);
	sap_buf_clear(&out);
	sap_buf_clear(&json);
	sap_buf_clear(&rows_wanted);
}

#define EXPECT(record, want) expect(__LINE__, record, want)

/* An entry of "affected". */
#define PACKAGE(eco, name) "'package':{'ecosystem':'" eco "','name':'" name "'}"
#define RANGE(type, events) "{'type':'" type "','events':[" events "]}"
#define FIXED(v) "{'introduced':'0'},{'fixed':'" v "'}"
#define ENTRY(eco, name, fixed) \
	"{" PACKAGE(eco, name) ",'ranges':[" RANGE("ECOSYSTEM", FIXED(fixed)) "]}"

static void test_record(void)
{
	EXPECT("{'id':'GHSA-aaaa-bbbb-cccc','modified':'2024-01-02T03:04:05Z',"
	       "'published':'2024-01-01T00:00:00Z','aliases':['CVE-2024-1','CVE-2024-1111'],"
	       "'related':['CVE-2023-9999'],'details':'long','severity':[{'type':'CVSS_V3',"
	       "'score':'CVSS:3.1/AV:N'},{'type':'CVSS_V4','score':'CVSS:4.0/AV:N'}],"
	       "'database_specific':{'severity':'MODERATE'},'affected':[" ENTRY("npm", "a",
										"1.2") "]}",
	       "source|osv|npm\n"
	       "record|GHSA-aaaa-bbbb-cccc|modified=2024-01-02T03:04:05Z|"
	       "published=2024-01-01T00:00:00Z|alias=CVE-2024-1,CVE-2024-1111|"
	       "related=CVE-2023-9999|cvss=CVSS:3.1/AV:N|cvss=CVSS:4.0/AV:N|severity=medium\n"
	       "claim|npm|a|affected|introduced=0|fixed=1.2\n");
	EXPECT("{'id':'PYSEC-2024-1','modified':'2024-01-02','withdrawn':'2024-02-01',"
	       "'affected':[" ENTRY("PyPI", "a", "1.2") "]}",
	       "source|osv|PyPI\n"
	       "record|PYSEC-2024-1|modified=2024-01-02|withdrawn=2024-02-01\n");
	EXPECT("[{'id':'A-1','modified':'1','affected':[]},{'id':'B-1','modified':'1'}]",
	       "source|osv|A\nrecord|A-1|modified=1\nsource|osv|B\nrecord|B-1|modified=1\n");
	/* What a package says of its severity holds where the record is silent. */
	EXPECT("{'id':'BIT-a-2024-1','modified':'1','affected':[{" PACKAGE(
		       "Bitnami", "a") ","
				       "'severity':[{'type':'CVSS_V3','score':'CVSS:3.1/"
				       "AV:L'}],'ranges':[" RANGE("SEMVER", FIXED("2")) "]}]}",
	       "source|osv|Bitnami\nrecord|BIT-a-2024-1|modified=1|cvss=CVSS:3.1/AV:L\n"
	       "claim|Bitnami|a|affected|introduced=0|fixed=2|type=semver\n");
}

static void test_names(void)
{
	EXPECT("{'id':'DSA-5000-1','modified':'1','upstream':['CVE-2021-1111','CVE-2021-2222'],"
	       "'affected':[" ENTRY("Debian:12", "a", "1-1") "]}",
	       "source|osv|Debian\nrecord|DSA-5000-1|modified=1|covers=CVE-2021-1111,CVE-2021-"
	       "2222\n"
	       "claim|Debian:12|a|affected|introduced=0|fixed=1-1\n");
	EXPECT("{'id':'RLSA-2021:1','modified':'1','aliases':['CVE-2021-1111'],"
	       "'related':['CVE-2021-1111','RHSA-2021:1','CVE-2021-2222']}",
	       "source|osv|RLSA\n"
	       "record|RLSA-2021:1|modified=1|covers=CVE-2021-1111,CVE-2021-2222|"
	       "related=RHSA-2021:1\n");
	EXPECT("{'id':'USN-1-1','modified':'1','upstream':['UBUNTU-CVE-2021-1111',"
	       "'CVE-2021-1111']}",
	       "source|osv|USN\nrecord|USN-1-1|modified=1|covers=CVE-2021-1111\n");
	EXPECT("{'id':'UBUNTU-CVE-2021-1111','modified':'1','upstream':['CVE-2021-1111'],"
	       "'related':['USN-1-1']}",
	       "source|osv|UBUNTU\n"
	       "record|UBUNTU-CVE-2021-1111|modified=1|alias=CVE-2021-1111|related=USN-1-1\n");
	EXPECT("{'id':'DEBIAN-CVE-2021-1111','modified':'1','related':['CVE-2021-1111']}",
	       "source|osv|DEBIAN\nrecord|DEBIAN-CVE-2021-1111|modified=1|alias=CVE-2021-1111\n");
	EXPECT("{'id':'BREW-a-CVE-2021-1111','modified':'1','upstream':['CVE-2021-1111',"
	       "'GHSA-aaaa-bbbb-cccc']}",
	       "source|osv|BREW\n"
	       "record|BREW-a-CVE-2021-1111|modified=1|alias=CVE-2021-1111,GHSA-aaaa-bbbb-cccc\n");
	EXPECT("{'id':'X-1','modified':'1','upstream':['CVE-2021-1111','CVE-2021-2222']}",
	       "source|osv|X\nrecord|X-1|modified=1|covers=CVE-2021-1111,CVE-2021-2222\n");
}

static void test_almalinux(void)
{
	/* A bug fix is no security advisory, unless it names a CVE. */
	EXPECT("{'id':'ALBA-2021:1','modified':'1','related':[],'affected':[" ENTRY("AlmaLinux:8",
										    "a", "1") "]}",
	       "");
	EXPECT("{'id':'ALBA-2021:1','modified':'1','related':['CVE-2021-1111']}",
	       "source|osv|ALBA\nrecord|ALBA-2021:1|modified=1|covers=CVE-2021-1111\n");
	EXPECT("{'id':'ALSA-2021:1','modified':'1','summary':'Important: nodejs:12 security "
	       "update','affected':[" ENTRY(
		       "AlmaLinux:8", "nodejs",
		       "1:12-1.module_el8.4.0+1+a") "," ENTRY("AlmaLinux:8", "npm",
							      "1:12-1.module_el8.4.0+1+"
							      "a") "," ENTRY("AlmaLinux:"
									     "8",
									     "plain",
									     "3-1.el8") "]}",
	       "source|osv|AlmaLinux\nrecord|ALSA-2021:1|modified=1|severity=high\n"
	       "claim|AlmaLinux:8|nodejs,npm|affected|introduced=0|"
	       "fixed=1:12-1.module_el8.4.0+1+a|module=nodejs:12\n"
	       "claim|AlmaLinux:8|plain|affected|introduced=0|fixed=3-1.el8\n");
	EXPECT("{'id':'ALSA-2021:2','modified':'1','summary':'Low: virt:rhel and virt-devel:rhel "
	       "security, bug fix update','affected':[" ENTRY("AlmaLinux:8", "a",
							      "1-1.module_el8.1") "]}",
	       "source|osv|AlmaLinux\nrecord|ALSA-2021:2|modified=1|severity=low\n"
	       "claim|AlmaLinux:8|a|affected|introduced=0|fixed=1-1.module_el8.1|module=virt:rhel\n"
	       "claim|AlmaLinux:8|a|affected|introduced=0|fixed=1-1.module_el8.1|"
	       "module=virt-devel:rhel\n");
	EXPECT("{'id':'ALSA-2022:5468','modified':'1','summary':'ALSA-2022:5468: php:8.0 security "
	       "update (Important)','affected':[" ENTRY("AlmaLinux:8", "a",
							"1-1.module_el8.1") "]}",
	       "source|osv|AlmaLinux\nrecord|ALSA-2022:5468|modified=1|severity=high\n"
	       "claim|AlmaLinux:8|a|affected|introduced=0|fixed=1-1.module_el8.1|module=php:8.0\n");
}

static void test_ranges(void)
{
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("Go", "a") ",'ranges':[" RANGE(
		       "SEMVER", "{'introduced':'1'},{'fixed':'2'},{'introduced':'3'},"
				 "{'last_affected':'4'},{'limit':'5'}") ",{'type':'GIT','repo':'x',"
									"'events':[{'introduced':"
									"'0'},{'fixed':'abc'}]}],"
									"'versions':['1','1.5']}]}",
	       "source|osv|Go\nrecord|A-1|modified=1\n"
	       "claim|Go|a|affected|introduced=1|fixed=2|introduced=3|last=4|limit=5|type=semver\n"
	       "claim|Go|a|affected|introduced=0|fixed=abc|type=git\n");
	/* Versions count where there is nothing to compare by. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'versions':['1',"
									       "'1,5']}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\nclaim|PyPI|a|affected|versions=1,1\\,5\n");
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "GIT", FIXED("abc")) "],'versions':['1']}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=abc|type=git\n"
	       "claim|PyPI|a|affected|versions=1\n");
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE(
		       "Unheard-of", "a") ",'ranges':[" RANGE("ECOSYSTEM",
							      FIXED("2")) "],'versions':['1']}]}",
	       "source|osv|Unheard-of\nrecord|A-1|modified=1\n"
	       "claim|Unheard-of|a|affected|introduced=0|fixed=2\n"
	       "claim|Unheard-of|a|affected|versions=1\n");
	/* Commits of a repository name no package. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{'ranges':[" RANGE("GIT",
									  FIXED("abc")) "]}]}",
	       "source|osv|A\nrecord|A-1|modified=1\n");
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("npm", "a") "}]}",
	       "source|osv|npm\nrecord|A-1|modified=1\nproblem|in|A-1: no versions are given of "
	       "a\n");
	EXPECT("{'id':'MAL-2024-1','modified':'1','affected':[{" PACKAGE("npm", "a") "}]}",
	       "source|osv|npm\nrecord|MAL-2024-1|modified=1|compromised=yes\n"
	       "claim|npm|a|affected\n");
	EXPECT("{'id':'MAL-2024-1','modified':'1','affected':[{" PACKAGE("npm",
									 "a") ",'versions':[7]}]}",
	       "source|osv|npm\nrecord|MAL-2024-1|modified=1|compromised=yes\n"
	       "problem|in|MAL-2024-1: no versions are given of a\n");
}

/* A version is affected where a range holds it or the list names it. */
static void versions_that_no_range_holds_are_kept(void)
{
	/* PYSEC-2023-61: the pre-release of a line that the ranges begin with. */
	EXPECT("{'id':'PYSEC-2023-61','modified':'1','affected':[{" PACKAGE(
		       "PyPI", "django") ","
					 "'ranges':[" RANGE("ECOSYSTEM",
							    "{'introduced':'3.2'},{'fixed':'3.2.19'"
							    "},"
							    "{'introduced':'4.2'},{'fixed':'4.2.1'"
							    "}") "],"
								 "'versions':['3.2','3.2.18','4.2',"
								 "'4.2a1','4.2rc1']}]}",
	       "source|osv|PyPI\nrecord|PYSEC-2023-61|modified=1\n"
	       "claim|PyPI|django|affected|introduced=3.2|fixed=3.2.19|introduced=4.2|fixed=4.2.1|"
	       "versions=4.2a1,4.2rc1\n");
	/* Beside commits, and with the first range that can be compared. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "GIT",
		       FIXED("abc")) "," RANGE("ECOSYSTEM",
					       FIXED("2")) "," RANGE("ECOSYSTEM",
								     "{'introduced':'3'},{'fixed':'"
								     "4'}") "],"
									    "'versions':['1','3.5',"
									    "'2.1','x y']}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=abc|type=git\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=2|versions=2.1,x y\n"
	       "claim|PyPI|a|affected|introduced=3|fixed=4\n");
	/* A range that nothing ends holds all, another that follows takes nothing from it. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM", "{'introduced':'1'}") "," RANGE("ECOSYSTEM",
								    "{'introduced':'3'},{'fixed':'"
								    "4'}") "],"
									   "'versions':['0.9','5']}"
									   "]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=1|versions=0.9\n"
	       "claim|PyPI|a|affected|introduced=3|fixed=4\n");
	/* No text makes an event of itself. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM", FIXED("1\\tintroduced=0")) "],'versions':['7']}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=1\\tintroduced=0|versions=7\n");
}

/* Rows read an "introduced" behind an end as the next range. */
static void events_of_a_range_are_written_by_version(void)
{
	/* CVE-2024-1968: equal ones mean what their order says. */
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM", "{'introduced':'0'},{'fixed':'2.0.0'},{'introduced':'2.0.0'},"
				    "{'fixed':'2.11.2'}") "],'versions':['2.1.0']}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=2.0.0|introduced=2.0.0|fixed=2.11.2\n");
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM", "{'fixed':'4'},{'introduced':'3'},{'fixed':'2'},"
				    "{'introduced':'0'}") "]}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=0|fixed=2|introduced=3|fixed=4\n");
	EXPECT("{'id':'A-1','modified':'1','affected':[{" PACKAGE("PyPI", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM", "{'introduced':'1'},{'fixed':'3'},{'introduced':'2'},"
				    "{'fixed':'4'}") "]}]}",
	       "source|osv|PyPI\nrecord|A-1|modified=1\n"
	       "claim|PyPI|a|affected|introduced=1|introduced=2|fixed=3|fixed=4\n");
}

static void test_specifics(void)
{
	EXPECT("{'id':'GO-2021-1','modified':'1','affected':[{" PACKAGE(
		       "Go", "a") ",'ranges':[" RANGE("SEMVER",
						      FIXED("2")) "],'ecosystem_specific':{'"
								  "imports':[{'path':'a/b',"
								  "'symbols':['F','T.G']},{'"
								  "symbols':['H']}]}}]}",
	       "source|osv|Go\nrecord|GO-2021-1|modified=1\n"
	       "claim|Go|a|affected|introduced=0|fixed=2|type=semver|functions=F,T.G,H\n");
	EXPECT("{'id':'RUSTSEC-2021-1','modified':'1','affected':[{" PACKAGE(
		       "crates.io",
		       "a") ",'ranges':[" RANGE("SEMVER",
						FIXED("2")) "],'ecosystem_specific':{'affects':"
							    "{'functions':['a::b']}}}]}",
	       "source|osv|crates.io\nrecord|RUSTSEC-2021-1|modified=1\n"
	       "claim|crates.io|a|affected|introduced=0|fixed=2|type=semver|functions=a::b\n");
	EXPECT("{'id':'RUSTSEC-2021-2','modified':'1','affected':[{" PACKAGE(
		       "crates.io", "a") ",'ranges':[" RANGE("SEMVER",
							     FIXED("2")) "],'database_specific':{'"
									 "informational':"
									 "'unmaintained'}}]}",
	       "source|osv|crates.io\nrecord|RUSTSEC-2021-2|modified=1\n");
	EXPECT("{'id':'USN-1-1','modified':'1','affected':[{" PACKAGE("Ubuntu:Pro:16.04:LTS", "a") ",'ranges':[" RANGE(
		       "ECOSYSTEM",
		       FIXED("2")) "],'ecosystem_specific':{"
				   "'availability':'Available with "
				   "Ubuntu Pro','ubuntu_priority':"
				   "'medium'}},{" PACKAGE(
					   "Ubuntu:22.04:LTS",
					   "a") ",'ranges':[" RANGE("ECOSYSTEM",
								    FIXED("2")) "],'ecosystem_"
										"specific':{"
										"'availability':'"
										"No subscription "
										"required'}}]}",
	       "source|osv|Ubuntu\nrecord|USN-1-1|modified=1\n"
	       "claim|Ubuntu:Pro:16.04:LTS|a|affected|introduced=0|fixed=2|severity=medium|pro="
	       "yes\n"
	       "claim|Ubuntu:22.04:LTS|a|affected|introduced=0|fixed=2\n");
}

/* Wrong kinds everywhere: nothing is made of them, nothing is lost beside them. */
static void test_nonsense(void)
{
	EXPECT("{'id':7,'modified':'1'}", "problem|in|no OSV record: it has no id\n");
	EXPECT("{'id':'A-1','modified':{},'aliases':'x','related':[1,{},'CVE-2021-1111'],"
	       "'severity':{'type':3},'affected':'none','database_specific':[]}",
	       "source|osv|A\nrecord|A-1|related=CVE-2021-1111\n");
	EXPECT("{'id':'A-1','affected':[1,null,[],{'package':'x'},{'package':{'name':'a'}},"
	       "{'package':{'ecosystem':'npm','name':['a']}},{" PACKAGE(
		       "npm",
		       "a") ",'ranges':{'type':'SEMVER'},'versions':'1'},{" PACKAGE("npm",
										    "b") ",'ranges'"
											 ":[7,{'"
											 "type':1,'"
											 "events':["
											 "[],{},'x'"
											 ",{'"
											 "introduce"
											 "d':5},{'"
											 "introduce"
											 "d':'1'}]}"
											 "],"
											 "'ecosyste"
											 "m_"
											 "specific'"
											 ":'x','"
											 "database_"
											 "specific'"
											 ":[1],'"
											 "severity'"
											 ":7}]}",
	       "source|osv|npm\nrecord|A-1\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: an entry names no package\n"
	       "problem|in|A-1: no versions are given of a\n"
	       "claim|npm|b|affected|introduced=1\n");
	EXPECT("{'id':'A\\t1\\u0000','modified':'1\\n','modified':'2'}",
	       "source|osv|A\\t1\nrecord|A\\t1|modified=2\n");
}

int main(void)
{
	test_record();
	test_names();
	test_almalinux();
	test_ranges();
	versions_that_no_range_holds_are_kept();
	events_of_a_range_are_written_by_version();
	test_specifics();
	test_nonsense();
	return check_done();
}
