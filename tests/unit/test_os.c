/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalog_int.h"
#include "catalog_tree.h"

/* What a tree with the files given (path, text, path, text, ..., NULL) says of itself. */
static void check_files(int line, const char *const *files, const char *want)
{
	struct tree tree;

	tree_init(&tree);
	for (; *files; files += 2)
		tree_write(&tree, files[0], files[1]);
	check_str(__FILE__, line, "the identity", tree_read(&tree, sap_catalog_os),
		  sap_str_of(want));
	tree_clear(&tree);
}

#define CHECK_FILES(want, ...) \
	check_files(__LINE__, (const char *const[]){ __VA_ARGS__, NULL }, (want))

static void os_release(void)
{
	CHECK_FILES("", "etc/hostname", "x");
	CHECK_FILES(
		"os\t/etc/os-release\tdebian\t12\tbookworm\tDebian GNU/Linux\tDebian 12\t12.5\t\n",
		"etc/os-release",
		"# a comment\nPRETTY_NAME=\"Debian 12\"\nNAME='Debian GNU/Linux'\n"
		"VERSION_ID=\"12\"\n\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"x\n",
		"etc/debian_version", "12.5\n");
	/* A file left behind by another release. */
	CHECK_FILES("os\t/etc/os-release\tdebian\t12\t\t\t\t\t\n", "etc/os-release",
		    "ID=debian\nVERSION_ID=12", "etc/debian_version", "11.9\n");
	CHECK_FILES("os\t/etc/os-release\tdebian\t\ttrixie\t\t\ttrixie/sid\t\n", "etc/os-release",
		    "ID=debian\nVERSION_CODENAME=trixie", "etc/debian_version", "trixie/sid\n");
	/* Debian's file on a derivative says nothing of that. */
	CHECK_FILES("os\t/etc/os-release\tubuntu\t22.04\tjammy\t\t\t22.04.4\tdebian\n",
		    "etc/os-release",
		    "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.4 LTS (x)\"\n"
		    "VERSION_CODENAME=jammy\n",
		    "etc/debian_version", "bookworm/sid\n");
	CHECK_FILES("os\t/usr/lib/os-release\tcentos\t7\t\t\t\t7.9.2009\trhel fedora\n",
		    "usr/lib/os-release",
		    "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n",
		    "etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n");
	CHECK_FILES("os\t/etc/os-release\talpine\t3.19.1\t\t\t\t3.19.1\t\n", "etc/os-release",
		    "ID=alpine\nVERSION_ID=3.19.1\n", "etc/alpine-release", "3.19.1\n");
}

static void quotes_and_escapes(void)
{
	CHECK_FILES("os\t/etc/os-release\tx\ta b\t\t$\"\\x5c`\\x5ca\tone  two\t\tq'q\n",
		    "etc/os-release",
		    "ID=x\r\nVERSION_ID=a\\ b rest\nNAME=\"\\$\\\"\\\\\\`\\a\"\n"
		    "PRETTY_NAME=\"one\"'  'two\nID_LIKE=\"q'q\" # comment\n");
	CHECK_FILES("diagnostic\t/etc/os-release\tformat\t5\ta line that is no assignment\n"
		    "diagnostic\t/etc/os-release\tformat\t14"
		    "\ta quote that is not closed, or a value that is too long\n"
		    "os\t/etc/os-release\tx\t\t\topen\t\t\t\n",
		    "etc/os-release", "ID=x\nnonsense\nNAME=\"open\n");
}

static void links_are_named_by_their_target(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "usr/lib/os-release", "ID=a\n");
	tree_link(&tree, "etc/os-release", "/usr/lib/os-release");
	TREE_CHECK(&tree, sap_catalog_os, "os\t/usr/lib/os-release\ta\t\t\t\t\t\t\n");
	unlink(tree_path(&tree, "etc/os-release"));
	tree_link(&tree, "etc/os-release", "os-release");
	tree_read(&tree, sap_catalog_os);
	CHECK(tree_said(&tree, "diagnostic\t/etc/os-release\tunreadable\t"));
	CHECK(tree_said(&tree, "os\t/usr/lib/os-release\ta\t"));
	tree_clear(&tree);
}

static void systems_from_before_os_release(void)
{
	CHECK_FILES("os\t/etc/redhat-release\trhel\t5.11\tTikanga\tRed Hat Enterprise Linux Server"
		    "\tRed Hat Enterprise Linux Server release 5.11 (Tikanga)\t\t\n",
		    "etc/redhat-release",
		    "Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n");
	CHECK_FILES("os\t/etc/rocky-release\trocky\t9.2\tBlue Onyx\tRocky Linux"
		    "\tRocky Linux release 9.2 (Blue Onyx)\t\t\n",
		    "etc/rocky-release", "Rocky Linux release 9.2 (Blue Onyx)\n",
		    "etc/redhat-release", "Rocky Linux release 9.2 (Blue Onyx)\n");
	CHECK_FILES("os\t/etc/system-release\tamzn\t2018.03\t\tAmazon Linux AMI"
		    "\tAmazon Linux AMI release 2018.03\t\t\n",
		    "etc/system-release", "Amazon Linux AMI release 2018.03\n");
	CHECK_FILES("os\t/etc/debian_version\tdebian\t6\t\tDebian GNU/Linux\t\t6.0.10\t\n",
		    "etc/debian_version", "6.0.10\n");
	CHECK_FILES("os\t/etc/debian_version\tdebian\t\tsid\tDebian GNU/Linux\t\t\t\n",
		    "etc/debian_version", "sid\n");
	CHECK_FILES("os\t/etc/lsb-release\tubuntu\t10.04\tlucid\tUbuntu\tUbuntu 10.04.4 LTS\t\t\n",
		    "etc/lsb-release",
		    "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_CODENAME=lucid\n"
		    "DISTRIB_DESCRIPTION=\"Ubuntu 10.04.4 LTS\"\n",
		    "etc/debian_version", "squeeze/sid\n");
	CHECK_FILES("os\t/etc/alpine-release\talpine\t3.2.0\t\tAlpine Linux\t\t3.2.0\t\n",
		    "etc/alpine-release", "3.2.0\n");
	CHECK_FILES("os\t/etc/arch-release\tarch\t\t\tArch Linux\t\t\t\n", "etc/arch-release", "");
	CHECK_FILES("os\t/etc/SuSE-release\tsles\t11.4\t\tSUSE Linux Enterprise Server 11 (x86_64)"
		    "\tSUSE Linux Enterprise Server 11 (x86_64)\t\t\n",
		    "etc/SuSE-release",
		    "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n");
	CHECK_FILES("os\t/etc/gentoo-release\tgentoo\t2.14\t\tGentoo Base System"
		    "\tGentoo Base System release 2.14\t\t\n",
		    "etc/gentoo-release", "Gentoo Base System release 2.14\n");
	CHECK_FILES("", "etc/redhat-release", "no such thing\n", "etc/debian_version", "\n");
}

static int parse(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	struct sap_notes notes = { .sink = catalog->sink };
	struct sap_str version = { 0 }, name, codename;
	struct sap_rec_os rec = { 0 };
	struct sap_arena arena;
	int r;

	sap_arena_init(&arena, 0);
	r = sap_os_release_parse(text, &arena, &rec, &version, &notes, err);
	sap_os_release_line(sap_text_of(text), &name, &version, &codename);
	sap_arena_clear(&arena);
	return r;
}

int main(void)
{
	os_release();
	quotes_and_escapes();
	links_are_named_by_their_target();
	systems_from_before_os_release();
	check_damage("ID=x\nVERSION_ID=a\\ b rest\nNAME=\"\\$\\\"\\\\\\`\\a\"\nID_LIKE='q'\\''q'\n",
		     parse);
	check_damage("Rocky Linux release 9.2 (Blue Onyx)\n", parse);
	return check_done();
}
