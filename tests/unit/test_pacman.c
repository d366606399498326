/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalog_int.h"
#include "catalog_tree.h"

#define LOCAL "var/lib/pacman/local/"
#define MD5 "79fce043df7dfc676ae5ecb903762d8b"

static const char desc[] =
	"%NAME%\nlib-a\n\n%VERSION%\n1:2.0-3\n\n%BASE%\na\n\n%ARCH%\nx86_64\n\n"
	"%INSTALLDATE%\n1665878640\n\n%PACKAGER%\nP <p@example.org>\n\n%SIZE%\n10\n\n"
	"%REASON%\n1\n\n%LICENSE%\nLGPL3\nGPL\n\n%VALIDATION%\npgp\n\n"
	"%DEPENDS%\nglibc>=2.38\nsh\n\n%OPTDEPENDS%\npython: for scripts\n\n"
	"%PROVIDES%\nliba.so=1-64\n\n%CONFLICTS%\nold-a\n";
static const char files[] = "%FILES%\nusr/\nusr/lib/\nusr/lib/liba.so\netc/\netc/a b.conf\n"
			    "%odd%\n../x\n\n%BACKUP%\netc/a b.conf\t" MD5 "\n";

static const char answer[] =
	"package\t1\talpm\tlib-a\t1:2.0-3\tx86_64\ta\t1:2.0-3\tyes\tok\tunknown\t1665878640\t10"
	"\tLGPL3, GPL\tP <p@example.org>\t\t\t/var/lib/pacman/local/lib-a-1:2.0-3/desc\n"
	"relation\t1\t1\tglibc>=2.38\n"
	"relation\t1\t1\tsh\n"
	"relation\t1\t4\tpython: for scripts\n"
	"relation\t1\t5\tliba.so=1-64\n"
	"relation\t1\t6\told-a\n"
	"file\t1\t/usr/lib/liba.so\t0\t0\t\n"
	"file\t1\t/etc/a b.conf\t1\t1\t" MD5 "\n"
	"file\t1\t/%odd%\t0\t0\t\n"
	"diagnostic\t/var/lib/pacman/local/lib-a-1:2.0-3/files\tformat\t62"
	"\tnot a path without \".\" and \"..\"\n";

static void a_package_and_its_files(void)
{
	struct tree tree;

	tree_init(&tree);
	TREE_CHECK(&tree, sap_catalog_pacman, "");
	tree_write(&tree, LOCAL "ALPM_DB_VERSION", "9\n");
	tree_write(&tree, LOCAL "lib-a-1:2.0-3/desc", desc);
	tree_write(&tree, LOCAL "lib-a-1:2.0-3/files", files);
	TREE_CHECK(&tree, sap_catalog_pacman, answer);
	tree.without_files = true;
	tree_read(&tree, sap_catalog_pacman);
	CHECK_INT(tree.sink.files, 0);
	tree_clear(&tree);
}

static void lines_end_with_cr_and_without_lf(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, LOCAL "b-1-1/desc",
		   "%NAME%\r\nb\r\n\r\n%VERSION%\r\n1-1\r\n\r\n%REASON%\r\n0");
	tree_write(&tree, LOCAL "b-1-1/files", "%FILES%\r\nb");
	TREE_CHECK(&tree, sap_catalog_pacman,
		   "package\t1\talpm\tb\t1-1\t\tb\t1-1\tno\tok\tunknown\t0\t0\t\t\t\t"
		   "\t/var/lib/pacman/local/b-1-1/desc\nfile\t1\t/b\t0\t0\t\n");
	tree_clear(&tree);
}

/* As pacman does: it lists the folder, and complains. */
static void the_folder_names_the_package(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, LOCAL "nodesc-1-1/files", "%FILES%\nx\n");
	tree_write(&tree, LOCAL "other-3.0-1/desc", desc);
	tree_write(&tree, LOCAL "other-3.0-1/files", "");
	tree_write(&tree, LOCAL "noname-1-2/desc", "%NME%\nx\n\nstray\n");
	tree_write(&tree, LOCAL "rubbish/desc", "");
	tree_read(&tree, sap_catalog_pacman);
	CHECK(tree_said(&tree, "\tnodesc\t1-1\t"));
	CHECK(tree_said(&tree, "\tother\t3.0-1\t"));
	CHECK(tree_said(&tree, "\tnoname\t1-2\t"));
	CHECK(tree_said(&tree, "nodesc-1-1/desc\tmissing\t0\ta package without a description"));
	CHECK(tree_said(&tree, "other-3.0-1/desc\tformat\t0\tsays that it is lib-a 1:2.0-3"));
	CHECK(tree_said(&tree, "noname-1-2/desc\tformat\t9\ta line that belongs to no"));
	CHECK(tree_said(&tree, "noname-1-2/desc\tformat\t0\tno %NAME%"));
	CHECK(tree_said(&tree, "noname-1-2/files\tmissing\t"));
	CHECK(tree_said(&tree, "rubbish/desc\tformat\t0\tits folder is not named"));
	CHECK_INT(tree.sink.packages, 3);
	CHECK_INT(tree.sink.files, 1);
	tree_clear(&tree);
}

static void how_much_was_read_is_said(void)
{
	struct tree tree;

	for (int thing = 0; thing < TREE_THINGS; thing++) {
		tree_init(&tree);
		tree_make(&tree, "var/lib/pacman/local", (enum tree_thing)thing);
		tree_read(&tree, sap_catalog_pacman);
		TREE_DATABASES(&tree, thing == TREE_DIR
					      ? "alpm read /var/lib/pacman/local\n"
					      : "alpm unreadable /var/lib/pacman/local\n");
		CHECK_INT(tree.sink.diagnostics, thing != TREE_DIR);
		tree_clear(&tree);
	}
	tree_init(&tree);
	tree_write(&tree, LOCAL "lib-a-1:2.0-3/desc", desc);
	tree_read(&tree, sap_catalog_pacman);
	TREE_DATABASES(&tree, "alpm partial /var/lib/pacman/local\n");
	CHECK_INT(tree.sink.diagnostics, 1);
	if (tree_read_denied(&tree, LOCAL "lib-a-1:2.0-3", sap_catalog_pacman)) {
		TREE_DATABASES(&tree, "alpm partial /var/lib/pacman/local\n");
		CHECK(tree_said(&tree,
				"diagnostic\t/var/lib/pacman/local/lib-a-1:2.0-3\tunreadable\t"));
	}
	tree_clear(&tree);
}

static int parse_desc(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_pacman_info info = { .folder = SAP_STR("lib-a-1:2.0-3"),
					      .desc = text,
					      .files = sap_span_of(files, sizeof(files) - 1) };

	return sap_pacman_parse(catalog, &info, err);
}

static int parse_files(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_pacman_info info = { .folder = SAP_STR("lib-a-1:2.0-3"),
					      .desc = sap_span_of(desc, sizeof(desc) - 1),
					      .files = text };

	return sap_pacman_parse(catalog, &info, err);
}

int main(void)
{
	a_package_and_its_files();
	lines_end_with_cr_and_without_lf();
	the_folder_names_the_package();
	how_much_was_read_is_said();
	check_damage(desc, parse_desc);
	check_damage(files, parse_files);
	return check_done();
}
