/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalog_int.h"
#include "catalog_tree.h"

#define STATUS "var/lib/dpkg/status"
#define INFO "var/lib/dpkg/info/"
#define MD5_A "00112233445566778899aabbccddeeff"
#define MD5_B "ffeeddccbbaa99887766554433221100"

static const char two_packages[] = "Package: a\n"
				   "Status: install ok installed\n"
				   "Section: libs\n"
				   "Installed-Size: 3\n"
				   "Maintainer: A <a@example.org>\n"
				   "Architecture: amd64\n"
				   "Source: a-src (1:2-0)\n"
				   "Version: 1:2-1+b1\n"
				   "Depends: x (>= 1, << 2), y | z,\n"
				   " w\n"
				   "Breaks: old (<< 1)\n"
				   "Conffiles:\n"
				   " /etc/a.conf " MD5_A "\n"
				   " /etc/with blank " MD5_B "\n"
				   " /etc/old " MD5_B " obsolete\n"
				   " /etc/new newconffile\n"
				   "Description: text\n"
				   " Package: not a field\n"
				   " .\n"
				   "\n"
				   "Package: gone\n"
				   "Status: deinstall ok config-files\n"
				   "Architecture: amd64\n"
				   "Version: 1\n"
				   "\n"
				   "Package: b\n"
				   "Essential: yes\n"
				   "Status: install reinstreq half-installed\n"
				   "Architecture: all\n"
				   "Version: 0:3\n";

static const char list_a[] =
	"/.\n/etc\n/etc/a.conf\n/etc/with blank\n/etc/new\n/usr\n/usr/bin\n/usr/bin/tool\n"
	"/usr/lib\n/usr/lib/d\n/usr/lib/d/f\n/usr/lib/d.x\n/usr/lib/e\n/usr/lib/late\n"
	"/usr/lib/e/link\n";

static const char md5_a[] = MD5_A "  usr/bin/tool\n" MD5_B "  usr/lib/d.x\n" MD5_A
				  "  usr/lib/d/f\n" MD5_A "  usr/lib/nowhere\n";

static void the_status_file_gives_unpacked_packages(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS, two_packages);
	tree_write(&tree, INFO "a.list", list_a);
	tree_write(&tree, INFO "a.md5sums", md5_a);
	tree_write(&tree, INFO "b.list", "/.\n/b\n");
	TREE_CHECK(&tree, sap_catalog_dpkg,
		   "package\t1\tdeb\ta\t1:2-1+b1\tamd64\ta-src\t1:2-0\tunknown\tok\tno\t1000000000"
		   "\t3072\t\tA <a@example.org>\t\tlibs\t/var/lib/dpkg/status\n"
		   "relation\t1\t1\tx (>= 1, << 2)\n"
		   "relation\t1\t1\ty | z\n"
		   "relation\t1\t1\tw\n"
		   "relation\t1\t6\told (<< 1)\n"
		   "file\t1\t/etc/a.conf\t1\t1\t" MD5_A "\n"
		   "file\t1\t/etc/with blank\t1\t1\t" MD5_B "\n"
		   "file\t1\t/etc/new\t1\t0\t\n"
		   "file\t1\t/usr/bin/tool\t0\t1\t" MD5_A "\n"
		   "file\t1\t/usr/lib/d/f\t0\t1\t" MD5_A "\n"
		   "file\t1\t/usr/lib/d.x\t0\t1\t" MD5_B "\n"
		   "file\t1\t/usr/lib/late\t0\t0\t\n"
		   "file\t1\t/usr/lib/e/link\t0\t0\t\n"
		   "package\t2\tdeb\tb\t3\tall\tb\t3\tunknown\tbroken\tyes\t1000000000\t0\t\t\t\t"
		   "\t/var/lib/dpkg/status\n"
		   "file\t2\t/b\t0\t0\t\n");
	tree.flags = SAP_INPUT_NO_OPENAT2;
	tree_read(&tree, sap_catalog_dpkg);
	CHECK_INT(tree.sink.files, 9);
	tree.without_files = true;
	tree_read(&tree, sap_catalog_dpkg);
	CHECK_INT(tree.sink.packages, 2);
	CHECK_INT(tree.sink.files, 0);
	CHECK_INT(tree.sink.diagnostics, 0);
	tree_clear(&tree);
}

static void a_tree_without_dpkg_says_nothing(void)
{
	struct tree tree;

	tree_init(&tree);
	TREE_CHECK(&tree, sap_catalog_dpkg, "");
	tree_clear(&tree);
}

static void diversions_move_the_files_of_others(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS,
		   "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n"
		   "Multi-Arch: same\n\nPackage: b\nStatus: install ok installed\nVersion: 1\n"
		   "Architecture: all\n");
	tree_write(&tree, INFO "a:amd64.list", "/.\n/bin\n/bin/x\n/bin/y\n/bin/z\n");
	tree_write(&tree, INFO "a:amd64.md5sums", MD5_A "  bin/x\n");
	tree_write(&tree, INFO "b.list", "/.\n/bin\n/bin/x\n/bin/y\n");
	tree_write(&tree, "var/lib/dpkg/diversions",
		   "/bin/x\n/bin/x.distrib\nb\n/bin/y\n/bin/y.local\n:\n/bin/z\n/bin/z.a\na:amd64\n"
		   "not a path\n/x\n:\n");
	tree_read(&tree, sap_catalog_dpkg);
	CHECK(tree_said(&tree, "file\t1\t/bin/x.distrib\t0\t1\t" MD5_A "\n"
			       "file\t1\t/bin/y.local\t0\t0\t\nfile\t1\t/bin/z\t0\t0\t\n"));
	CHECK(tree_said(&tree, "file\t2\t/bin/x\t0\t0\t\nfile\t2\t/bin/y.local\t0\t0\t\n"));
	CHECK(tree_said(&tree, "diagnostic\t/var/lib/dpkg/diversions\tformat\t"));
	CHECK_INT(tree.sink.diagnostics, 1);
	tree_clear(&tree);
}

static void apt_says_what_it_installed_by_itself(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(
		&tree, STATUS,
		"Package: dpkg\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"
		"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
		"Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"
		"Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: i386\n");
	for (const char *const *name = (const char *const[]){ "dpkg", "a", "b", NULL }; *name;
	     name++) {
		char path[64];

		snprintf(path, sizeof(path), INFO "%s.list", *name);
		tree_write(&tree, path, "/.\n");
	}
	tree_read(&tree, sap_catalog_dpkg);
	CHECK(!tree_said(&tree, "\tyes\tok") && !tree_said(&tree, "\tno\tok"));
	tree_write(&tree, "var/lib/apt/extended_states",
		   "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n"
		   "Package: b\nArchitecture: i386\nAuto-Installed: 1\n\n"
		   "Package: b\nArchitecture: amd64\nAuto-Installed: 0\n");
	tree_read(&tree, sap_catalog_dpkg);
	CHECK(tree_said(&tree, "dpkg\t1\tamd64\tdpkg\t1\tno"));
	CHECK(tree_said(&tree, "a\t1\tall\ta\t1\tyes"));
	CHECK(tree_said(&tree, "b\t1\tamd64\tb\t1\tno"));
	CHECK(tree_said(&tree, "b\t1\ti386\tb\t1\tyes"));
	tree_clear(&tree);
}

static void status_d_of_distroless_images(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "var/lib/dpkg/status.d/libssl1.1",
		   "Package: libssl1.1\nVersion: 1.1.1w-0+deb11u1\nArchitecture: amd64\n"
		   "Source: openssl\n");
	tree_write(&tree, "var/lib/dpkg/status.d/libssl1.1.md5sums",
		   MD5_A "  usr/lib/libssl.so.1.1\n" MD5_B "  ./usr/share/x\n" MD5_B "  ../up\n");
	tree_write(&tree, "var/lib/dpkg/status.d/dHpkYXRh.md5sums", "");
	tree_write(&tree, "var/lib/dpkg/status.d/dHpkYXRh",
		   "Package: tzdata\nVersion: 2024a\nArchitecture: all\n");
	TREE_CHECK(
		&tree, sap_catalog_dpkg,
		"package\t1\tdeb\ttzdata\t2024a\tall\ttzdata\t2024a\tunknown\tok\tno\t0\t0\t\t\t\t"
		"\t/var/lib/dpkg/status.d/dHpkYXRh\n"
		"package\t2\tdeb\tlibssl1.1\t1.1.1w-0+deb11u1\tamd64\topenssl\t1.1.1w-0+deb11u1"
		"\tunknown\tok\tno\t0\t0\t\t\t\t\t/var/lib/dpkg/status.d/libssl1.1\n"
		"file\t2\t/usr/lib/libssl.so.1.1\t0\t1\t" MD5_A "\n"
		"file\t2\t/usr/share/x\t0\t1\t" MD5_B "\n"
		"diagnostic\t/var/lib/dpkg/status.d/libssl1.1.md5sums\tformat\t104"
		"\tnot a path without \".\" and \"..\"\n");
	tree_clear(&tree);
}

static void the_journal_overrides_the_status_file(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS,
		   "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
		   "Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n");
	tree_write(&tree, "var/lib/dpkg/updates/0001",
		   "Package: a\nStatus: install ok unpacked\nVersion: 2\nArchitecture: all\n");
	tree_write(&tree, "var/lib/dpkg/updates/0000",
		   "Package: a\nStatus: install ok installed\nVersion: 1.5\nArchitecture: all\n\n"
		   "Package: b\nStatus: deinstall ok not-installed\nArchitecture: all\n");
	tree_write(&tree, "var/lib/dpkg/updates/tmp.i", "rubbish");
	tree_write(&tree, INFO "a.list", "/.\n/a\n");
	TREE_CHECK(&tree, sap_catalog_dpkg,
		   "package\t1\tdeb\ta\t2\tall\ta\t2\tunknown\tbroken\tno\t1000000000\t0\t\t\t\t"
		   "\t/var/lib/dpkg/updates/0001\nfile\t1\t/a\t0\t0\t\n");
	tree_clear(&tree);
}

static void bad_stanzas_and_lists_are_said(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS,
		   "Package:\n\nno field\n\n\n"
		   "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
		   "Package: a\nStatus: install ok installed\nVersion: 2\nVersion: 3\n"
		   "Architecture: all\n\n"
		   "Package: b\nStatus: install ok installed\nArchitecture: all\n\n"
		   "Package: c\nVersion: 1\n\n"
		   "Package: ../../d\nStatus: install ok installed\nVersion: 1\n\n"
		   "Package: e\nStatus: what is this\nVersion: 1\n");
	tree_write(&tree, INFO "a.list", "/.\nrelative\n/a/../b\n/a//b\n/ok\n\n/fine/\n");
	tree_write(&tree, INFO "a.md5sums", "short\n" MD5_A "x ok\n" MD5_A "  ok\n");
	tree_link(&tree, INFO "e.list", "a.list");
	tree_read(&tree, sap_catalog_dpkg);
	CHECK(tree_said(&tree, "status\tformat\t0\ta stanza without a package name"));
	CHECK(tree_said(&tree, "status\tformat\t10\ta line that is no field"));
	CHECK(tree_said(&tree, "\tduplicate\t91\ta second stanza for a:all"));
	CHECK(tree_said(&tree, "\ta field that occurs twice"));
	CHECK(tree_said(&tree, "\ta\t2\tall\t"));
	CHECK(tree_said(&tree, "\tb has no version"));
	CHECK(tree_said(&tree, "\tmissing\t172\tb is installed but has no readable list"));
	CHECK(tree_said(&tree, "\tc has no Status"));
	CHECK(tree_said(&tree, "\ta package name that dpkg does not allow"));
	CHECK(tree_said(&tree, "\te has an unknown status"));
	CHECK(tree_said(&tree, "a.list\tformat\t3\t"));
	CHECK(tree_said(&tree, "a.list\tformat\t12\t"));
	CHECK(tree_said(&tree, "a.list\tformat\t20\t"));
	CHECK(tree_said(&tree, "a.md5sums\tformat\t0\tnot a line of md5sums"));
	CHECK(tree_said(&tree, "file\t1\t/ok\t0\t1\t" MD5_A));
	CHECK_INT(tree.sink.packages, 4);
	CHECK_INT(tree.sink.files, 2);
	tree_clear(&tree);
}

static void a_trailing_slash_in_a_list_marks_a_folder(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS, "Package: a\nStatus: install ok installed\nVersion: 1\n");
	tree_write(&tree, INFO "a.list", "/cf/\n/etc/a\n/long/enough/folder/\n/./\n/\n");
	tree_read(&tree, sap_catalog_dpkg);
	CHECK_INT(tree.sink.files, 1);
	CHECK(tree_said(&tree, "file\t1\t/etc/a\t"));
	CHECK_INT(tree.sink.diagnostics, 0);
	tree_clear(&tree);
}

static void a_line_of_two_mebibytes_is_passed_over(void)
{
	enum { LONG = 2 * 1024 * 1024 };
	struct tree tree;
	struct sap_buf text;

	tree_init(&tree);
	sap_buf_init(&text, 3 * LONG);
	sap_buf_puts(&text, SAP_STR("Package: a\nStatus: install ok installed\nDepends: "));
	for (int i = 0; i < LONG; i++)
		sap_buf_putc(&text, 'x');
	sap_buf_puts(&text, SAP_STR("\n more\nVersion: 1\n"));
	tree_bytes(&tree, STATUS, sap_buf_str(&text));
	tree_read(&tree, sap_catalog_dpkg);
	CHECK(tree_said(&tree, "status\tlimit\t40\t"));
	CHECK(tree_said(&tree, "\ta\t1\t"));
	CHECK(!tree_said(&tree, "relation"));
	sap_buf_clear(&text);
	tree_clear(&tree);
}

static void a_thousand_faults_are_enough(void)
{
	struct tree tree;
	struct sap_buf text;

	tree_init(&tree);
	sap_buf_init(&text, 1 << 20);
	for (int i = 0; i < 5000; i++)
		sap_buf_puts(&text, SAP_STR("bad\n\n"));
	tree_bytes(&tree, STATUS, sap_buf_str(&text));
	tree_read(&tree, sap_catalog_dpkg);
	CHECK_INT(tree.sink.diagnostics, 1001);
	CHECK(tree_said(&tree, "\tlimit\t"));
	sap_buf_clear(&text);
	tree_clear(&tree);
}

/* Many files in the worst order for the matching of lists and digests. */
static void large_lists_in_any_order_match(void)
{
	enum { FILES = 200000 };
	struct tree tree;
	struct sap_buf list, md5s;

	tree_init(&tree);
	sap_buf_init(&list, 1 << 26);
	sap_buf_init(&md5s, 1 << 26);
	for (int i = 0; i < FILES; i++) {
		sap_buf_printf(&list, "/usr/share/d%d/file-%d\n", i % 7919, i);
		sap_buf_printf(&md5s, MD5_A "  usr/share/d%d/file-%d\n", (FILES - 1 - i) % 7919,
			       FILES - 1 - i);
	}
	tree_write(&tree, STATUS, "Package: a\nStatus: install ok installed\nVersion: 1\n");
	tree_bytes(&tree, INFO "a.list", sap_buf_str(&list));
	tree_bytes(&tree, INFO "a.md5sums", sap_buf_str(&md5s));
	tree_read(&tree, sap_catalog_dpkg);
	CHECK_INT(tree.sink.files, FILES);
	CHECK(!tree_said(&tree, "\t0\t0\t\n"));
	sap_buf_clear(&list);
	sap_buf_clear(&md5s);
	tree_clear(&tree);
}

#define ONE "Package: a\nStatus: install ok installed\nVersion: 1\n"

static void how_much_was_read_is_said(void)
{
	struct tree tree;

	check_things(STATUS, sap_catalog_dpkg, "deb unreadable /var/lib/dpkg/status\n");
	tree_init(&tree);
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "");
	tree_write(&tree, STATUS, "");
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb unreadable /var/lib/dpkg/status\n");
	CHECK(tree_said(&tree, "diagnostic\t/var/lib/dpkg/status\tempty\t0\t"));
	tree_write(&tree, STATUS, ONE);
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb partial /var/lib/dpkg/status\n");
	CHECK(tree_said(&tree, "diagnostic\t/var/lib/dpkg/info\tmissing\t"));
	CHECK_INT(tree.sink.diagnostics, 1);
	tree_write(&tree, INFO "a.list", "/.\n/a\n");
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb read /var/lib/dpkg/status\n");
	CHECK_INT(tree.sink.diagnostics, 0);
	/* What apt says is not about packages and their files. */
	tree_write(&tree, "var/lib/apt/extended_states", "rubbish");
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb read /var/lib/dpkg/status\n");
	CHECK_INT(tree.sink.diagnostics, 1);
	tree_clear(&tree);
}

static void check_partial(struct tree *tree, const char *said)
{
	tree_read(tree, sap_catalog_dpkg);
	TREE_DATABASES(tree, "deb partial /var/lib/dpkg/status\n");
	CHECK(tree_said(tree, said));
	CHECK_INT(tree->sink.diagnostics, 1);
	CHECK_INT(tree->sink.packages, 1);
}

static void cut_and_missing_lists_are_said(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS, ONE);
	tree_write(&tree, INFO "b.list", "/.\n");
	check_partial(&tree, "status\tmissing\t0\ta is installed but has no readable list");
	tree_write(&tree, INFO "a.list", "");
	check_partial(&tree, "/var/lib/dpkg/info/a.list\tempty\t0\t");
	tree_write(&tree, INFO "a.list", "/.\n/usr/bi");
	check_partial(&tree, "/var/lib/dpkg/info/a.list\tformat\t10\tthe last line does not end");
	CHECK(unlink(tree_path(&tree, INFO "a.list")) == 0);
	tree_make(&tree, INFO "a.list", TREE_FIFO);
	check_partial(&tree, "/var/lib/dpkg/info/a.list\tunsupported\t");
	CHECK(unlink(tree_path(&tree, INFO "a.list")) == 0);
	tree_write(&tree, INFO "a.list", "/.\n");
	tree_write(&tree, STATUS, ONE "Descript");
	check_partial(&tree, "status\tformat\t");
	tree_clear(&tree);
}

static void status_d_without_digests_is_partial(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "var/lib/dpkg/status.d/a", "Package: a\nVersion: 1\n");
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb partial /var/lib/dpkg/status.d\n");
	CHECK(tree_said(&tree, "status.d/a\tmissing\t0\ta has no .md5sums"));
	tree_write(&tree, "var/lib/dpkg/status.d/a.md5sums", MD5_A "  a\n");
	tree_read(&tree, sap_catalog_dpkg);
	TREE_DATABASES(&tree, "deb read /var/lib/dpkg/status.d\n");
	CHECK_INT(tree.sink.diagnostics, 0);
	tree_clear(&tree);
}

static void a_closed_folder_is_said_once(void)
{
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, STATUS, ONE);
	tree_write(&tree, INFO "a.list", "/.\n/a\n");
	tree_write(&tree, "var/lib/rpm/x", "");
	tree_write(&tree, "var/lib/pacman/x", "");
	if (tree_read_denied(&tree, "var/lib/dpkg", sap_catalog_read)) {
		TREE_DATABASES(&tree, "deb unreadable /var/lib/dpkg/status\n");
		CHECK(tree_said(&tree, "diagnostic\t/var/lib/dpkg\tunreadable\t"));
		CHECK_INT(tree.sink.diagnostics, 1);
	}
	if (tree_read_denied(&tree, "var/lib/dpkg/info", sap_catalog_read)) {
		TREE_DATABASES(&tree, "deb partial /var/lib/dpkg/status\n");
		CHECK_INT(tree.sink.diagnostics, 1);
	}
	if (tree_read_denied(&tree, STATUS, sap_catalog_read)) {
		TREE_DATABASES(&tree, "deb unreadable /var/lib/dpkg/status\n");
		CHECK_INT(tree.sink.diagnostics, 1);
	}
	/* Nobody knows what is in there. */
	if (tree_read_denied(&tree, "var/lib", sap_catalog_read)) {
		TREE_DATABASES(&tree, "");
		CHECK(tree_said(&tree, "diagnostic\t/var/lib\tunreadable\t"));
		CHECK_INT(tree.sink.diagnostics, 1);
	}
	tree_clear(&tree);
}

static int parse_status(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_dpkg_info info = { .has_list = true,
					    .list = sap_span_of(list_a, sizeof(list_a) - 1),
					    .md5 = sap_span_of(md5_a, sizeof(md5_a) - 1) };
	struct sap_dpkg_db db;
	int r;

	sap_dpkg_db_init(&db, catalog);
	r = sap_dpkg_db_add(&db, SAP_STR("/status"), text, SAP_DPKG_IN_STATUS, err);
	for (size_t i = 0; i < db.packages.n && r == 0; i++)
		r = sap_dpkg_emit(&db, &db.packages.v[i], &info, err);
	sap_dpkg_db_clear(&db);
	return r;
}

static int parse_files(struct sap_catalog *catalog, const struct sap_dpkg_info *info,
		       struct sap_err *err)
{
	struct sap_dpkg_db db;
	int r;

	sap_dpkg_db_init(&db, catalog);
	r = sap_dpkg_db_add(&db, SAP_STR("/status"),
			    sap_span_of(two_packages, sizeof(two_packages) - 1), SAP_DPKG_IN_STATUS,
			    err);
	if (r == 0)
		r = sap_dpkg_emit(&db, &db.packages.v[0], info, err);
	sap_dpkg_db_clear(&db);
	return r;
}

static int parse_list(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_dpkg_info info = { .has_list = true,
					    .list = text,
					    .md5 = sap_span_of(md5_a, sizeof(md5_a) - 1) };

	return parse_files(catalog, &info, err);
}

static int parse_md5s(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	const struct sap_dpkg_info info = { .has_list = true,
					    .list = sap_span_of(list_a, sizeof(list_a) - 1),
					    .md5 = text };

	return parse_files(catalog, &info, err);
}

static int parse_diversions(struct sap_catalog *catalog, struct sap_span text, struct sap_err *err)
{
	struct sap_dpkg_db db;
	int r;

	sap_dpkg_db_init(&db, catalog);
	r = sap_dpkg_db_diversions(&db, SAP_STR("/diversions"), text, err);
	sap_dpkg_db_clear(&db);
	return r;
}

static void base64_and_digits(void)
{
	unsigned char out[20];

	CHECK(sap_base64_decode(SAP_STR("pcfTfDNEbNKQc2s1tia7da05M8Q="), out, 20));
	CHECK(memcmp(out, "\xa5\xc7\xd3\x7c\x33\x44", 6) == 0 && out[19] == 0xc4);
	CHECK(!sap_base64_decode(SAP_STR("pcfTfDNEbNKQc2s1tia7da05M8QA"), out, 20));
	CHECK(!sap_base64_decode(SAP_STR("pcfTfDNEbNKQc2s1tia7da05M8=="), out, 20));
	CHECK(!sap_base64_decode(SAP_STR("pcfTfDNEbNKQ-2s1tia7da05M8Q="), out, 20));
	CHECK(!sap_base64_decode(SAP_STR(""), out, 20));
	CHECK(sap_base64_decode(SAP_STR("TWE="), out, 2) && memcmp(out, "Ma", 2) == 0);
	CHECK(sap_base64_decode(SAP_STR("TQ=="), out, 1) && out[0] == 'M');
	CHECK(sap_base64_decode(SAP_STR("TWFu"), out, 3) && memcmp(out, "Man", 3) == 0);
	CHECK(sap_hex_decode("aAfF09", 6, out, 3) && memcmp(out, "\xaa\xff\x09", 3) == 0);
	CHECK(!sap_hex_decode("aAfF0g", 6, out, 3) && !sap_hex_decode("aAfF0", 5, out, 3));
	CHECK(sap_relpath_ok(SAP_STR("a/.b/c..d")) && !sap_relpath_ok(SAP_STR("a/../b")));
	CHECK(!sap_relpath_ok(SAP_STR("a//b")) && !sap_relpath_ok(SAP_STR("/a")));
	CHECK(!sap_relpath_ok(SAP_STR("a/")) && !sap_relpath_ok(SAP_STR(".")));
	CHECK(!sap_relpath_ok(SAP_STR("a\0b")) && !sap_relpath_ok(SAP_STR("")));
}

int main(void)
{
	base64_and_digits();
	the_status_file_gives_unpacked_packages();
	a_tree_without_dpkg_says_nothing();
	diversions_move_the_files_of_others();
	apt_says_what_it_installed_by_itself();
	status_d_of_distroless_images();
	the_journal_overrides_the_status_file();
	bad_stanzas_and_lists_are_said();
	a_trailing_slash_in_a_list_marks_a_folder();
	a_line_of_two_mebibytes_is_passed_over();
	a_thousand_faults_are_enough();
	large_lists_in_any_order_match();
	how_much_was_read_is_said();
	cut_and_missing_lists_are_said();
	status_d_without_digests_is_partial();
	a_closed_folder_is_said_once();
	check_damage(two_packages, parse_status);
	check_damage(list_a, parse_list);
	check_damage(md5_a, parse_md5s);
	check_damage("/bin/x\n/bin/x.distrib\nb\n/bin/y\n/bin/y.local\n:\n", parse_diversions);
	return check_done();
}
