/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/input, every case with openat2 and with the walk that replaces it, with /proc at hand
 * and without: all four must give the same answers.
 */
#include "input/input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"
#include "input/input_int.h"

#define NOBODY 65534

static char top[256]; /* a scratch folder; the root of the target is top/root */
static char long_name[256], deep_path[SAP_PATH_MAX];

static const struct variant {
	const char *name;
	unsigned flags;
	bool proc;
} variants[] = {
	{ "openat2, proc", 0, true },
	{ "openat2", 0, false },
	{ "walk, proc", SAP_INPUT_NO_OPENAT2, true },
	{ "walk", SAP_INPUT_NO_OPENAT2, false },
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static struct sap_input *open_variant(const struct variant *v)
{
	struct sap_input *input = NULL;
	struct sap_err err = { 0 };

	if (!CHECK_OK(sap_input_open("root", v->flags, &input, &err), &err))
		exit(check_done());
	if (!v->proc)
		sap_close_fd(&input->procfd);
	return input;
}

static void must(bool held, const char *what)
{
	if (!held) {
		perror(what);
		exit(1);
	}
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f && fputs(text, f) >= 0 && fclose(f) == 0, path);
}

static void make_dir(const char *path)
{
	must(mkdir(path, 0755) == 0, path);
}

static void make_link(const char *to, const char *path)
{
	must(symlink(to, path) == 0, path);
}

static void make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	must(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, path);
	close(fd);
}

/* chain1 -> chain2 -> ... -> chain41 -> file: 40 links may be followed, 41 may not. */
static void make_chain(void)
{
	char from[64], to[64];

	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "root/chain%d", i);
		snprintf(to, sizeof(to), "chain%d", i + 1);
		make_link(i == 41 ? "usr/lib/libx.so" : to, from);
	}
}

/* A path of exactly 4095 bytes that ends in a file: "/deep" and folders of 255 bytes below,
 * with names to fill it up. */
static void make_deep(void)
{
	char name[256];
	int fd = open("root", O_PATH | O_DIRECTORY);
	size_t n = 0;

	while (n < SAP_PATH_MAX - 1) {
		size_t left = SAP_PATH_MAX - 1 - n - 1, len = left > 256 ? 255 : left;
		int next;

		if (left == 256)
			len = 254;
		memset(name, 'd', len);
		name[len] = '\0';
		n += (size_t)snprintf(deep_path + n, sizeof(deep_path) - n, "/%s", name);
		if (n == SAP_PATH_MAX - 1) {
			next = openat(fd, name, O_WRONLY | O_CREAT, 0644);
			must(next >= 0 && write(next, "deep", 4) == 4, "deep");
		} else {
			must(mkdirat(fd, name, 0755) == 0, "deep folder");
			next = openat(fd, name, O_PATH);
		}
		close(fd);
		fd = next;
	}
	close(fd);
}

static void make_tree(void)
{
	char path[600];

	make_dir("root");
	make_dir("root/usr");
	make_dir("root/usr/lib");
	make_dir("root/usr/lib/x86_64");
	make_dir("root/etc");
	make_dir("root/empty");
	put("secret", "outside");
	put("root/usr/lib/libx.so", "inside");
	put("root/usr/lib/x86_64/liby.so.1", "y");
	put("root/etc/conf", "conf");
	put("root/etc/a..b", "dots");
	put("root/etc/nothing", "");
	put("root/etc/odd\n\t\x1b\xff\x80 name", "odd");
	make_link("usr/lib", "root/lib"); /* merged-/usr */
	make_link("/usr/lib", "root/abs");
	make_link("/", "root/slash");
	make_link("../../../../../../secret", "root/escape");
	make_link("..", "root/usr/up");
	make_link("/../..//etc/./conf", "root/usr/lib/messy");
	make_link("liby.so.1", "root/usr/lib/x86_64/liby.so");
	make_link("../lib/x86_64/liby.so", "root/usr/lib/twice");
	make_link("loop", "root/loop");
	make_link("pong", "root/ping");
	make_link("ping", "root/pong");
	make_link("nowhere", "root/dangling");
	make_link("etc/conf/", "root/notdir");
	make_link("etc/", "root/isdir");
	make_link("lib/libx.so", "root/longer");
	make_chain();
	must(mkfifo("root/fifo", 0644) == 0, "fifo");
	make_link("fifo", "root/to-fifo");
	make_socket("root/socket");
	memset(long_name, 'n', 255);
	snprintf(path, sizeof(path), "root/etc/%s", long_name);
	put(path, "long");
	make_deep();
	if (geteuid() == 0) {
		must(mknod("root/null", S_IFCHR | 0666, makedev(1, 3)) == 0, "mknod");
		must(mknod("root/block", S_IFBLK | 0666, makedev(7, 255)) == 0, "mknod");
	}
	make_dir("root/closed");
	put("root/closed/file", "closed");
	make_dir("root/listable");
	put("root/listable/file", "x");
	must(chmod("root/closed", 0) == 0 && chmod("root/listable", 0744) == 0, "chmod");
	put("root/unreadable", "x");
	must(chmod("root/unreadable", 0) == 0, "chmod");
}

/* What a path leads to. code: that of file_open; sys: its errno (0: not compared). */
static const struct path_case {
	const char *path, *content, *canon; /* canon NULL: no such path */
	int code, sys;
	uint8_t type;
} cases[] = {
	{ "/usr/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "usr/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "//usr///lib/./libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/usr/../usr/lib/../lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/../../../usr/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "../usr/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/lib/../lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/lib/../etc/conf", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/abs/x86_64/../libx.so", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/slash/slash/slash/etc/conf", "conf", "/etc/conf", 0, 0, DT_REG },
	{ "/usr/up/up", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/usr/up/etc/conf", "conf", "/etc/conf", 0, 0, DT_REG },
	{ "/usr/lib/messy", "conf", "/etc/conf", 0, 0, DT_REG },
	{ "/usr/lib/x86_64/liby.so", "y", "/usr/lib/x86_64/liby.so.1", 0, 0, DT_REG },
	{ "/usr/lib/twice", "y", "/usr/lib/x86_64/liby.so.1", 0, 0, DT_REG },
	{ "/longer", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/escape", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/loop", NULL, NULL, SAP_EIO, ELOOP, 0 },
	{ "/loop/x", NULL, NULL, SAP_EIO, ELOOP, 0 },
	{ "/ping", NULL, NULL, SAP_EIO, ELOOP, 0 },
	{ "/chain1", NULL, NULL, SAP_EIO, ELOOP, 0 },
	{ "/chain2", "inside", "/usr/lib/libx.so", 0, 0, DT_REG },
	{ "/dangling", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/dangling/..", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/missing", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/missing/../etc/conf", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
	{ "/etc/conf/", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/etc/conf/.", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/etc/conf/..", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/etc/conf/x", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/longer/", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/notdir", NULL, NULL, SAP_ENOENT, ENOTDIR, 0 },
	{ "/isdir/conf", "conf", "/etc/conf", 0, 0, DT_REG },
	{ "/etc/a..b", "dots", "/etc/a..b", 0, 0, DT_REG },
	{ "/etc/nothing", "", "/etc/nothing", 0, 0, DT_REG },
	{ "/etc/odd\n\t\x1b\xff\x80 name", "odd", "/etc/odd\n\t\x1b\xff\x80 name", 0, 0, DT_REG },
	{ "/", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "///", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ ".", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "..", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/usr/..", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/usr/up", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/slash", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/slash/", NULL, "/", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/lib", NULL, "/usr/lib", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/lib/", NULL, "/usr/lib", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/usr/lib/x86_64/..", NULL, "/usr/lib", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/isdir", NULL, "/etc", SAP_EUNSUPPORTED, 0, DT_DIR },
	{ "/fifo", NULL, "/fifo", SAP_EUNSUPPORTED, 0, DT_FIFO },
	{ "/to-fifo", NULL, "/fifo", SAP_EUNSUPPORTED, 0, DT_FIFO },
	{ "/socket", NULL, "/socket", SAP_EUNSUPPORTED, 0, DT_SOCK },
	{ "", NULL, NULL, SAP_ENOENT, ENOENT, 0 },
};

static void check_path(struct sap_input *input, const struct path_case *c)
{
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct sap_span got = { 0 };
	struct sap_str canon = { 0 };
	uint8_t type = 0;
	int rc;

	sap_arena_init(&arena, 0);
	rc = sap_input_read(input, sap_str_of(c->path), 4096, &arena, &got, &err);
	CHECK_INT(rc, c->code);
	if (c->content && rc == 0)
		CHECK_STR(((struct sap_str){ (const char *)got.p, got.n }), c->content);
	if (c->sys)
		CHECK_INT(err.sys_errno, c->sys);
	rc = sap_input_canonical(input, sap_str_of(c->path), &arena, &canon, &type, &err);
	CHECK_INT(rc, c->canon ? 0 : c->code);
	if (c->canon && rc == 0) {
		CHECK_STR(canon, c->canon);
		CHECK_INT(type, c->type);
	}
	CHECK_INT(sap_input_has_file(input, sap_str_of(c->path)), c->canon && c->type == DT_REG);
	CHECK_INT(sap_input_has_dir(input, sap_str_of(c->path)), c->canon && c->type == DT_DIR);
	sap_arena_clear(&arena);
}

static void check_table(struct sap_input *input)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_path(input, &cases[i]);
	if (geteuid() == 0) {
		check_path(input, &(struct path_case){ "/null", NULL, "/null", SAP_EUNSUPPORTED, 0,
						       DT_CHR });
		check_path(input, &(struct path_case){ "/block", NULL, "/block", SAP_EUNSUPPORTED,
						       0, DT_BLK });
	}
}

static void check_lengths(struct sap_input *input)
{
	char path[SAP_PATH_MAX + 16];
	struct sap_err err = { 0 };
	struct sap_input_file file;

	snprintf(path, sizeof(path), "/etc/%s", long_name);
	check_path(input, &(struct path_case){ path, "long", path, 0, 0, DT_REG });
	snprintf(path, sizeof(path), "/etc/%sn", long_name);
	check_path(input, &(struct path_case){ path, NULL, NULL, SAP_EIO, ENAMETOOLONG, 0 });
	check_path(input, &(struct path_case){ deep_path, "deep", deep_path, 0, 0, DT_REG });
	snprintf(path, sizeof(path), "/slash%s", deep_path + strlen("/slash"));
	check_path(input, &(struct path_case){ path, NULL, NULL, SAP_ENOENT, ENOENT, 0 });
	/* Longer than a path may be, though the file exists. */
	snprintf(path, sizeof(path), "/slash%s", deep_path);
	check_path(input, &(struct path_case){ path, NULL, NULL, SAP_EIO, ENAMETOOLONG, 0 });
	CHECK_INT(sap_input_file_open(input, SAP_STR("/etc/conf\0x"), &file, &err), SAP_ENOENT);
}

/* A thousand levels up and down, as a hostile link may ask for. */
static void check_up_and_down(struct sap_input *input)
{
	char path[SAP_PATH_MAX] = "";

	for (int i = 0; i < 450; i++)
		strcat(path, "/usr/..");
	strcat(path, "/etc/conf");
	check_path(input, &(struct path_case){ path, "conf", "/etc/conf", 0, 0, DT_REG });
}

static void check_list(struct sap_input *input)
{
	static const char *const names[] = { "a..b", "conf", "nothing",
					     "odd\n\t\x1b\xff\x80 name" };
	struct sap_input_entry *entries = NULL;
	struct sap_arena arena;
	struct sap_err err = { 0 };
	uint32_t n = 0;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_input_list(input, SAP_STR("/isdir"), &arena, &entries, &n, &err), &err);
	if (CHECK_INT(n, 5)) {
		CHECK_STR(entries[0].name, names[0]);
		CHECK_STR(entries[1].name, names[1]);
		CHECK_STR(entries[2].name, long_name);
		CHECK_STR(entries[3].name, names[2]);
		CHECK_STR(entries[4].name, names[3]);
		CHECK_INT(entries[4].type, DT_REG);
	}
	CHECK_OK(sap_input_list(input, SAP_STR("/"), &arena, &entries, &n, &err), &err);
	for (uint32_t i = 0; i < n; i++) {
		if (sap_str_is(entries[i].name, "lib"))
			CHECK_INT(entries[i].type, DT_LNK);
		if (sap_str_is(entries[i].name, "fifo"))
			CHECK_INT(entries[i].type, DT_FIFO);
		if (i > 0)
			CHECK(sap_str_cmp(entries[i - 1].name, entries[i].name) < 0);
	}
	CHECK_OK(sap_input_list(input, SAP_STR("/empty/"), &arena, &entries, &n, &err), &err);
	CHECK_INT(n, 0);
	CHECK_OK(sap_input_list(input, SAP_STR("/lib/.."), &arena, &entries, &n, &err), &err);
	CHECK_INT(n, 2); /* usr: lib, up */
	CHECK_INT(sap_input_list(input, SAP_STR("/etc/conf"), &arena, &entries, &n, &err),
		  SAP_ENOENT);
	CHECK_INT(sap_input_list(input, SAP_STR("/fifo"), &arena, &entries, &n, &err), SAP_ENOENT);
	CHECK_INT(sap_input_list(input, SAP_STR("/loop"), &arena, &entries, &n, &err), SAP_EIO);
	sap_arena_clear(&arena);
}

/* A folder that stays open, for names in it. */
static void check_dir(struct sap_input *input)
{
	struct sap_input_file file;
	struct sap_err err = { 0 };
	int fd = -1;

	if (CHECK_OK(sap_input_dir_open(input, SAP_STR("/lib"), &fd, &err), &err)) {
		CHECK_OK(sap_input_file_open_at(fd, "libx.so", &file, &err), &err);
		sap_input_file_close(&file);
		close(fd);
	}
	if (CHECK_OK(sap_input_dir_open(input, SAP_STR("/usr/.."), &fd, &err), &err))
		close(fd);
	CHECK_INT(sap_input_dir_open(input, SAP_STR("/etc/conf"), &fd, &err), SAP_ENOENT);
	CHECK_INT(sap_input_dir_open(input, SAP_STR("/fifo"), &fd, &err), SAP_ENOENT);
	CHECK_INT(sap_input_dir_open(input, SAP_STR("/dangling"), &fd, &err), SAP_ENOENT);
}

static void check_readlink(struct sap_input *input)
{
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct sap_str text = { 0 };

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_input_readlink(input, SAP_STR("/loop"), &arena, &text, &err), &err);
	CHECK_STR(text, "loop");
	CHECK_OK(sap_input_readlink(input, SAP_STR("/lib/messy"), &arena, &text, &err), &err);
	CHECK_STR(text, "/../..//etc/./conf");
	CHECK_OK(sap_input_readlink(input, SAP_STR("/usr/up/abs"), &arena, &text, &err), &err);
	CHECK_STR(text, "/usr/lib");
	CHECK_INT(sap_input_readlink(input, SAP_STR("/lib/"), &arena, &text, &err),
		  SAP_EUNSUPPORTED);
	CHECK_INT(sap_input_readlink(input, SAP_STR("/etc/conf"), &arena, &text, &err),
		  SAP_EUNSUPPORTED);
	CHECK_INT(sap_input_readlink(input, SAP_STR("/"), &arena, &text, &err), SAP_EUNSUPPORTED);
	CHECK_INT(sap_input_readlink(input, SAP_STR("/missing"), &arena, &text, &err), SAP_ENOENT);
	CHECK_INT(sap_input_readlink(input, SAP_STR("/loop/x"), &arena, &text, &err), SAP_EIO);
	sap_arena_clear(&arena);
}

static void check_file(struct sap_input *input)
{
	struct sap_arena arena;
	struct sap_err err = { 0 };
	struct sap_input_file file;
	struct sap_span span;
	struct stat st;
	int dir = open("root/usr/lib", O_RDONLY | O_DIRECTORY);

	sap_arena_init(&arena, 0);
	must(stat("root/usr/lib/libx.so", &st) == 0, "stat");
	if (CHECK_OK(sap_input_file_open(input, SAP_STR("/lib/libx.so"), &file, &err), &err)) {
		CHECK_INT(file.size, 6);
		CHECK_INT(file.ino, st.st_ino);
		CHECK_INT(file.dev, st.st_dev);
		CHECK_INT(file.nlink, 1);
		CHECK_INT(file.mtime_ns, st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec);
		CHECK_INT(fcntl(file.fd, F_GETFD), FD_CLOEXEC);
		sap_input_file_close(&file);
		CHECK_INT(file.fd, -1);
	}
	CHECK_INT(sap_input_read(input, SAP_STR("/etc/conf"), 3, &arena, &span, &err), SAP_ELIMIT);
	CHECK_OK(sap_input_read(input, SAP_STR("/etc/conf"), 4, &arena, &span, &err), &err);
	if (CHECK_OK(sap_input_file_open_at(dir, "libx.so", &file, &err), &err))
		sap_input_file_close(&file);
	CHECK_INT(sap_input_file_open_at(dir, "twice", &file, &err), SAP_ECHANGED);
	CHECK_INT(sap_input_file_open_at(dir, "gone", &file, &err), SAP_ENOENT);
	CHECK_INT(sap_input_file_open_at(dir, "x86_64", &file, &err), SAP_EUNSUPPORTED);
	CHECK_INT(sap_input_file_open_at(dir, "..", &file, &err), SAP_EUSAGE);
	CHECK_INT(sap_input_file_open_at(dir, "x86_64/liby.so.1", &file, &err), SAP_EUSAGE);
	close(dir);
	sap_arena_clear(&arena);
}

/* Without rights: root in the tests becomes nobody for a while. */
static void check_rights(struct sap_input *input)
{
	bool root = geteuid() == 0;

	if (root)
		must(seteuid(NOBODY) == 0, "seteuid");
	check_path(input, &(struct path_case){ "/closed/file", NULL, NULL, SAP_EIO, EACCES, 0 });
	check_path(input,
		   &(struct path_case){ "/closed/../etc/conf", NULL, NULL, SAP_EIO, EACCES, 0 });
	check_path(input, &(struct path_case){ "/closed/.", NULL, NULL, SAP_EIO, EACCES, 0 });
	check_path(input,
		   &(struct path_case){ "/closed/", NULL, "/closed", SAP_EUNSUPPORTED, 0, DT_DIR });
	check_path(input, &(struct path_case){ "/unreadable", NULL, "/unreadable", SAP_EIO, EACCES,
					       DT_REG });
	check_path(input, &(struct path_case){ "/lib/libx.so", "inside", "/usr/lib/libx.so", 0, 0,
					       DT_REG });
	if (root) {
		struct sap_arena arena;
		struct sap_input_entry *entries = NULL;
		struct sap_err err = { 0 };
		uint32_t n = 0;

		sap_arena_init(&arena, 0);
		CHECK_INT(sap_input_list(input, SAP_STR("/closed"), &arena, &entries, &n, &err),
			  SAP_EIO);
		CHECK_OK(sap_input_list(input, SAP_STR("/listable"), &arena, &entries, &n, &err),
			 &err);
		CHECK_INT(n, 1);
		must(seteuid(0) == 0, "seteuid");
		sap_arena_clear(&arena);
	}
}

/* Files that become something else between two calls. */
static void check_changes(struct sap_input *input)
{
	put("root/turn", "file");
	check_path(input, &(struct path_case){ "/turn", "file", "/turn", 0, 0, DT_REG });
	unlink("root/turn");
	make_link("/../secret", "root/turn");
	check_path(input, &(struct path_case){ "/turn", NULL, NULL, SAP_ENOENT, ENOENT, 0 });
	unlink("root/turn");
	must(mkfifo("root/turn", 0644) == 0, "fifo");
	check_path(input,
		   &(struct path_case){ "/turn", NULL, "/turn", SAP_EUNSUPPORTED, 0, DT_FIFO });
	unlink("root/turn");
	check_path(input, &(struct path_case){ "/turn", NULL, NULL, SAP_ENOENT, ENOENT, 0 });
}

#define RACES 3000

/* A folder of the target is moved out of the root and back, all the time, while ".." in it
 * is followed: nothing outside may ever be read. */
static void check_moving(struct sap_input *input)
{
	unsigned escaped = 0, read = 0;
	struct sap_arena arena;
	struct sap_span text;
	pid_t pid;

	make_dir("root/in");
	make_dir("root/in/moving");
	make_dir("root/in/moving/deep");
	put("root/in/secret", "in");
	put("root/secret", "in");
	pid = fork();
	if (pid == 0) {
		for (;;) {
			if (rename("root/in/moving", "moved") < 0 ||
			    rename("moved", "root/in/moving") < 0 || getppid() == 1)
				_exit(1);
		}
	}
	sap_arena_init(&arena, 0);
	for (int i = 0; i < RACES; i++) {
		if (sap_input_read(input, SAP_STR("/in/moving/deep/../../secret"), 100, &arena,
				   &text, NULL) < 0)
			continue;
		read++;
		escaped += text.n != 2;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(escaped, 0);
	if (read == 0)
		check_skip("a folder that moves", "never seen in place");
	sap_arena_clear(&arena);
	rename("moved", "root/in/moving");
	rmdir("root/in/moving/deep");
	rmdir("root/in/moving");
	unlink("root/in/secret");
	unlink("root/secret");
	rmdir("root/in");
}

/* The kernel's own answer inside a chroot: realpath(3) there. Empty: an error. */
static void oracle(const char *const *paths, size_t n, char (*out)[512])
{
	int pipes[2];
	FILE *in;
	pid_t pid;

	must(pipe(pipes) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		FILE *to = fdopen(pipes[1], "w");

		must(chroot("root") == 0 && chdir("/") == 0, "chroot");
		for (size_t i = 0; i < n; i++) {
			char *real = realpath(paths[i], NULL);

			fprintf(to, "%s\n", real ? real : "");
			free(real);
		}
		fclose(to);
		_exit(0);
	}
	close(pipes[1]);
	in = fdopen(pipes[0], "r");
	for (size_t i = 0; i < n; i++) {
		if (!fgets(out[i], sizeof(out[i]), in))
			out[i][0] = '\0';
		out[i][strcspn(out[i], "\n")] = '\0';
	}
	fclose(in);
	waitpid(pid, NULL, 0);
}

#define RANDOM_PATHS 1500

/* Paths put together by chance: openat2, the walk and a chroot agree on each. */
static void check_random(struct sap_input *const inputs[static VARIANTS])
{
	static const char *const parts[] = { "usr",   "lib",     "up",     "abs",    "..",
					     ".",     "slash",   "etc",    "conf",   "x86_64",
					     "twice", "liby.so", "",       "escape", "isdir",
					     "ping",  "messy",   "libx.so" };
	static char real[RANDOM_PATHS][512];
	static const char *paths[RANDOM_PATHS];
	unsigned seed = 7, ok = 0;
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	for (size_t i = 0; i < RANDOM_PATHS; i++) {
		char path[256] = "";

		for (int k = rand_r(&seed) % 9; k >= 0; k--) {
			strcat(path, "/");
			strcat(path,
			       parts[(unsigned)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))]);
		}
		paths[i] = sap_arena_cstr(&arena, sap_str_of(path));
	}
	if (geteuid() == 0)
		oracle(paths, RANDOM_PATHS, real);
	else
		check_skip("paths against a chroot", "needs root");
	for (size_t i = 0; i < RANDOM_PATHS; i++) {
		struct sap_str canon[VARIANTS] = { 0 };
		int rc[VARIANTS];

		for (size_t v = 0; v < VARIANTS; v++) {
			rc[v] = sap_input_canonical(inputs[v], sap_str_of(paths[i]), &arena,
						    &canon[v], NULL, NULL);
			if (!CHECK_INT(rc[v], rc[0]) || !CHECK(sap_str_eq(canon[v], canon[0])))
				fprintf(stderr, "  (path %s)\n", paths[i]);
		}
		ok += rc[0] == 0;
		if (geteuid() == 0 && !CHECK_STR(canon[0], real[i]))
			fprintf(stderr, "  (path %s)\n", paths[i]);
	}
	CHECK(ok > RANDOM_PATHS / 20);
	sap_arena_clear(&arena);
}

static void check_proc(void)
{
	for (size_t v = 0; v < VARIANTS; v++) {
		struct sap_input *input = NULL;
		struct sap_err err = { 0 };
		struct sap_input_file file;
		struct sap_arena arena;
		struct sap_str canon = { 0 };

		sap_arena_init(&arena, 0);
		if (sap_input_open("/", variants[v].flags | SAP_INPUT_HOST, &input, &err) < 0 ||
		    !sap_input_has_file(input, SAP_STR("/proc/self/stat"))) {
			check_skip("magic links", "no /proc");
			sap_input_free(input);
			return;
		}
		if (!variants[v].proc)
			sap_close_fd(&input->procfd);
		CHECK_INT(sap_input_file_open(input, SAP_STR("/proc/self/exe"), &file, &err),
			  SAP_EIO);
		CHECK_INT(err.sys_errno, ELOOP);
		CHECK_INT(sap_input_file_open(input, SAP_STR("/proc/self/root/etc/passwd"), &file,
					      &err),
			  SAP_EIO);
		CHECK_INT(err.sys_errno, ELOOP);
		CHECK_INT(sap_input_canonical(input, SAP_STR("/proc/self/exe"), &arena, &canon,
					      NULL, &err),
			  SAP_EIO);
		CHECK_INT(err.sys_errno, ELOOP);
		CHECK_OK(sap_input_canonical(input, SAP_STR("/proc/mounts"), &arena, &canon, NULL,
					     &err),
			 &err);
		CHECK(sap_str_ends(canon, SAP_STR("/mounts")));
		sap_arena_clear(&arena);
		CHECK_INT(sap_input_file_open(input, SAP_STR("/proc/mounts"), &file, &err),
			  SAP_EUNSUPPORTED);
		sap_input_free(input);
	}
}

/* An input made before fork: the child's descriptors are its own. */
static void check_fork(struct sap_input *input)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct sap_input_file file;
		int first = open("/dev/null", O_RDONLY);
		int rc = sap_input_file_open(input, SAP_STR("/lib/libx.so"), &file, NULL);

		_exit(first >= 0 && rc == 0 && file.size == 6 ? 0 : 1);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	CHECK_INT(status, 0);
}

static void check_open(void)
{
	struct sap_input *input = NULL;
	struct sap_err err = { 0 };
	int fd = open("secret", O_RDONLY);

	CHECK_INT(sap_input_open("missing", 0, &input, &err), SAP_ENOENT);
	CHECK_INT(sap_input_open("secret", 0, &input, &err), SAP_EUSAGE);
	CHECK_INT(sap_input_from_fd(fd, 0, &input, &err), SAP_EUSAGE);
	CHECK_INT(fcntl(fd, F_GETFD), 0);
	close(fd);
	CHECK(input == NULL);
	sap_input_free(NULL);
	CHECK(sap_input_is_pseudo(PROC_SUPER_MAGIC));
	CHECK(sap_input_is_pseudo((int32_t)0xde5e81e4)); /* as where f_type is signed */
	CHECK(!sap_input_is_pseudo(TMPFS_MAGIC));
	CHECK(!sap_input_is_pseudo(OVERLAYFS_SUPER_MAGIC));
	CHECK(!sap_input_is_pseudo(EXT4_SUPER_MAGIC));
}

static void remove_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	while (dir && (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, d->d_name, 0) < 0 && errno == EISDIR)
			remove_folder(fd, d->d_name);
	}
	if (dir)
		closedir(dir);
	unlinkat(at, name, AT_REMOVEDIR);
}

int main(void)
{
	struct sap_input *inputs[VARIANTS];

	snprintf(top, sizeof(top), "%s/sap-input-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	must(mkdtemp(top) != NULL && chmod(top, 0755) == 0 && chdir(top) == 0, top);
	umask(022);
	make_tree();
	check_open();
	for (size_t v = 0; v < VARIANTS; v++) {
		inputs[v] = open_variant(&variants[v]);
		fprintf(stderr, "%s\n", variants[v].name);
		check_table(inputs[v]);
		check_lengths(inputs[v]);
		check_up_and_down(inputs[v]);
		check_list(inputs[v]);
		check_dir(inputs[v]);
		check_readlink(inputs[v]);
		check_file(inputs[v]);
		check_rights(inputs[v]);
		check_changes(inputs[v]);
		check_fork(inputs[v]);
		check_moving(inputs[v]);
	}
	check_random(inputs);
	check_proc();
	for (size_t v = 0; v < VARIANTS; v++)
		sap_input_free(inputs[v]);
	chmod("root/closed", 0755);
	must(chdir("/") == 0, "/");
	remove_folder(AT_FDCWD, top);
	return check_done();
}
