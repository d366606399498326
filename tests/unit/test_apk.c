/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalog_int.h"
#include "catalog_tree.h"

#define INSTALLED "lib/apk/db/installed"
#define SHA1 "a5c7d37c33446cd290736b35b626bb75ad3933c4"
#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char two_packages[] = "C:Q1v4QhLje3kWlC8DJj+ZfJTjlJRSU=\n"
				   "P:busybox\n"
				   "V:1.36.1-r15\n"
				   "A:x86_64\n"
				   "S:1543\n"
				   "I:8192\n"
				   "T:busybox ash\n"
				   "L:GPL-2.0-only\n"
				   "o:busybox-src\n"
				   "m:Somebody <s@example.org>\n"
				   "t:1699383189\n"
				   "D:so:libc.musl-x86_64.so.1 !old<1\n"
				   "p:/bin/sh cmd:sh=1.36.1-r15\n"
				   "r:other\n"
				   "F:\n"
				   "R:rootfile\n"
				   "F:bin\n"
				   "M:0:0:755\n"
				   "R:sh\n"
				   "a:0:0:777\n"
				   "Z:Q1pcfTfDNEbNKQc2s1tia7da05M8Q=\n"
				   "R:none\n"
				   "F:empty\n"
				   "F:etc\n"
				   "R:conf\n"
				   "Z:Q247DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
				   "F:etc/init.d\n"
				   "R:rc\n"
				   "Z:" SHA1 "\n"
				   "\n"
				   "P:musl\n"
				   "V:1.2.4-r1\n"
				   "f:f\n"
				   "\n";

static const char answer[] =
	"package\t1\tapk\tbusybox\t1.36.1-r15\tx86_64\tbusybox-src\t1.36.1-r15\tno\tok\tunknown\t0"
	"\t8192\tGPL-2.0-only\tSomebody <s@example.org>\t\t\t/lib/apk/db/installed\n"
	"relation\t1\t1\tso:libc.musl-x86_64.so.1\n"
	"relation\t1\t6\told<1\n"
	"relation\t1\t5\t/bin/sh\n"
	"relation\t1\t5\tcmd:sh=1.36.1-r15\n"
	"file\t1\t/rootfile\t0\t0\t\n"
	"file\t1\t/bin/sh\t0\t2\t" SHA1 "\n"
	"file\t1\t/bin/none\t0\t0\t\n"
	"file\t1\t/etc/conf\t1\t3\t" SHA256 "\n"
	"file\t1\t/etc/init.d/rc\t0\t2\t" SHA1 "\n"
	"package\t2\tapk\tmusl\t1.2.4-r1\t\tmusl\t1.2.4-r1\tyes\tbroken\tunknown\t0\t0\t\t\t\t"
	"\t/lib/apk/db/installed\n";

static void records_files_and_world(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, INSTALLED, two_packages);
	tree_write(&tree, "etc/apk/world", "alpine-base\nbusybox>1@edge !musl\n");
	TREE_CHECK(&tree, sap_catalog_apk, answer);
	tree.without_files = true;
	tree_read(&tree, sap_catalog_apk);
	CHECK_INT(tree.sink.packages, 2);
	CHECK_INT(tree.sink.files, 0);
	tree_clear(&tree);
}

static void two_names_of_one_database_are_read_once(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "usr/lib/apk/db/installed", two_packages);
	tree_read(&tree, sap_catalog_apk);
	CHECK_INT(tree.sink.packages, 2);
	CHECK(tree_said(&tree, "\tunknown\tok\t"));
	tree_link(&tree, "lib", "usr/lib");
	tree_read(&tree, sap_catalog_apk);
	CHECK_INT(tree.sink.packages, 2);
	CHECK_INT(tree.sink.diagnostics, 0);
	tree_clear(&tree);
}

static void a_broken_record_does_not_hide_the_next(void)
{
	struct tree tree;

	tree_init(&tree);
	TREE_CHECK(&tree, sap_catalog_apk, "");
	tree_write(&tree, INSTALLED,
		   "P:a\nV:1\n\nP:b\nrubbish\nmore rubbish\n\nV:3\nF:x\nR:y\n\n\n"
		   "P:c\nV:1\r\nF:../d\nR:e\nF:d\nR:a/../../b\nR:ok\nZ:Q1bad\n");
	tree_read(&tree, sap_catalog_apk);
	CHECK(tree_said(&tree, "installed\tformat\t13\ta line that is not of the form"));
	CHECK(tree_said(&tree, "installed\tformat\t9\ta record without a version"));
	CHECK(tree_said(&tree, "\ta record without a name"));
	CHECK(tree_said(&tree, "\ta checksum of no known kind"));
	CHECK(tree_said(&tree, "package\t2\tapk\tc\t1\t"));
	CHECK(tree_said(&tree, "file\t2\t/d/ok\t0\t0\t\n"));
	CHECK_INT(tree.sink.packages, 2);
	CHECK_INT(tree.sink.files, 1);
	CHECK(tree_said(&tree, "\tno empty line ends the last record"));
	CHECK_INT(tree.sink.diagnostics, 7);
	tree_clear(&tree);
}

static void something_else_in_its_place_is_said(void)
{
	struct tree tree;

	tree_init(&tree);
	CHECK(mkdir(tree_path(&tree, "lib/apk/db/installed/"), 0755) == 0 || errno == EEXIST);
	tree_read(&tree, sap_catalog_apk);
	CHECK_INT(tree.sink.diagnostics, 1);
	CHECK(tree_said(&tree, "diagnostic\t/lib/apk/db/installed\tunsupported\t"));
	tree_clear(&tree);
}

static void check_state(const char *text, const char *want, const char *said)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, INSTALLED, text);
	tree_read(&tree, sap_catalog_apk);
	TREE_DATABASES(&tree, want);
	CHECK_INT(tree.sink.diagnostics, said != NULL);
	CHECK(!said || tree_said(&tree, said));
	tree_clear(&tree);
}

static void how_much_was_read_is_said(void)
{
	static const char partial[] = "apk partial /lib/apk/db/installed\n";
	static const char none[] = "apk unreadable /lib/apk/db/installed\n";

	check_things(INSTALLED, sap_catalog_apk, none);
	check_things("usr/" INSTALLED, sap_catalog_apk,
		     "apk unreadable /usr/lib/apk/db/installed\n");
	check_state("P:a\nV:1\n\n", "apk read /lib/apk/db/installed\n", NULL);
	check_state("", none, "installed\tempty\t0\t");
	check_state("P:a\nV:1\n\nP:b\nV:2\n", partial, "\tformat\t17\tno empty line ends");
	check_state("P:a\nV:1\n\nP:b\nV:2", partial, "\tformat\t16\tno empty line ends");
	check_state("P:a\nV:1\n\nP:b\nV", partial, "\tformat\t14\tno empty line ends");
	check_state("P:a\nV:1\n\nP:b\n", partial, "\tformat\t13\tno empty line ends");
	check_state("P:a\nV:1\n\nP:b\n\n", partial, "\ta record without a version");
}

static void the_samples(void)
{
	const char *shared = getenv("SAP_SHARED");
	struct tree tree;

	tree_init(&tree);
	rmdir(tree.root);
	for (int corrupt = 0; corrupt < 2; corrupt++) {
		struct sap_str path;
		struct sap_buf name;

		sap_buf_init(&name, 4096);
		sap_buf_printf(&name, "%s/vectors/packages/apk%s", shared ? shared : "",
			       corrupt ? "-corrupt" : "");
		sap_buf_putc(&name, '\0');
		path = sap_buf_str(&name);
		if (access(path.p, R_OK) == 0 && path.n < sizeof(tree.root)) {
			memcpy(tree.root, path.p, path.n);
			tree_read(&tree, sap_catalog_apk);
			CHECK_INT(tree.sink.packages, corrupt ? 1 : 4);
			/* Both are cut from larger ones, without the last empty line. */
			CHECK_INT(tree.sink.diagnostics, 1 + corrupt);
		} else {
			check_skip("apk samples", "SAP_SHARED names no folder with them");
		}
		sap_buf_clear(&name);
	}
	text_sink_clear(&tree.sink);
}

static int parse(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_span world = { (const unsigned char *)"busybox", 7 };

	return sap_apk_parse(catalog, SAP_STR("/installed"), text, &world, err);
}

static int parse_world(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	return sap_apk_parse(catalog, SAP_STR("/installed"),
			     sap_span_of(two_packages, sizeof(two_packages) - 1), &text, err);
}

int main(void)
{
	records_files_and_world();
	two_names_of_one_database_are_read_once();
	a_broken_record_does_not_hide_the_next();
	something_else_in_its_place_is_said();
	how_much_was_read_is_said();
	the_samples();
	check_damage(two_packages, parse);
	check_damage("busybox>1@edge !musl a=1\n", parse_world);
	return check_done();
}
