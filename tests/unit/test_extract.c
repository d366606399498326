/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker and its parent: a tree with everything that can go wrong in one, and workers
 * that die. This program is its own worker, with a hook that fails for files of certain names.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "elf/elf.h"
#include "extract/extract_int.h"
#include "model/tree.h"

static char root[64];

/* ---- the worker ------------------------------------------------------------------------- */

static void before_object(const char *path)
{
	if (strstr(path, "die-by-signal"))
		raise(SIGKILL);
	if (strstr(path, "die-by-exit"))
		_exit(7);
	/* As long as it takes where nothing is in memory: longer than the parent's ticks. */
	if (strstr(path, "slow"))
		nanosleep(&(struct timespec){ 0, 350000000 }, NULL);
	/* Not a CBOR array: the parent must not believe a word from here on. */
	if (strstr(path, "die-by-lie") && write(5, "\xa1\x01\x02", 3) == 3) {
		for (;;)
			sleep(1);
	}
}

/* ---- the tree --------------------------------------------------------------------------- */

static const char *in_root(const char *name)
{
	static char path[8192];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t n, mode_t mode)
{
	int fd = open(in_root(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (!CHECK(fd >= 0))
		return;
	CHECK_INT(write(fd, bytes, n), (long long)n);
	close(fd);
}

/* This program itself is an ELF file that is sure to be here. */
static unsigned char *own_bytes;
static size_t own_n;

static void read_own(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	own_bytes = malloc((size_t)st.st_size);
	own_n = (size_t)st.st_size;
	CHECK_INT(read(fd, own_bytes, own_n), st.st_size);
	close(fd);
}

static void make_tree(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64], deep[4096] = "deep";
	int fd;

	snprintf(root, sizeof(root), "/tmp/sapper-extract-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	mkdir(in_root("usr"), 0755);
	mkdir(in_root("usr/lib"), 0755);
	mkdir(in_root("usr/bin"), 0755);
	CHECK(symlink("usr/bin", in_root("bin")) == 0);
	CHECK(symlink("loop-b", in_root("loop-a")) == 0);
	CHECK(symlink("loop-a", in_root("loop-b")) == 0);
	CHECK(symlink("/etc/passwd", in_root("usr/lib/outside.so")) == 0);
	CHECK(mkfifo(in_root("usr/lib/fifo.so"), 0644) == 0);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "usr/bin/good-%02u", i);
		write_file(name, own_bytes, own_n, 0755);
	}
	write_file("usr/lib/cut.so", own_bytes, 40, 0755);
	write_file("usr/lib/script.so", "GROUP ( libc.so.6 )\n", 20, 0644);
	write_file("usr/lib/empty.so", "", 0, 0644);
	write_file("usr/lib/readme", "text", 4, 0644);
	CHECK(link(in_root("usr/bin/good-00"), "/dev/null/x") < 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", root);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	close(fd);
	mkdir(in_root(deep), 0755);
	for (int i = 0; i < 600; i++) {
		strncat(deep, "/d", sizeof(deep) - strlen(deep) - 1);
		if (mkdir(in_root(deep), 0755) < 0)
			break;
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* ---- helpers ---------------------------------------------------------------------------- */

static const struct sap_extract_options options = {
	.worker = "/proc/self/exe",
	.target = "test",
	.kind = "directory",
};

static struct sap_facts *extract(unsigned threads, struct sap_extract_report *report)
{
	struct sap_extract_options o = options;
	struct sap_facts *facts = NULL;
	struct sap_err err = { 0 };

	o.threads = threads;
	CHECK_OK(sap_extract_whole(root, &o, &facts, report, &err), &err);
	return facts;
}

static bool has_object(const struct sap_facts *facts, const char *path)
{
	return sap_facts_object(facts, sap_str_of(path)) != SAP_NONE;
}

static bool has_diagnostic(const struct sap_facts *facts, const char *path, const char *code)
{
	for (size_t i = 0; i < facts->diagnostics.n; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		if (sap_str_eq(sap_facts_str(facts, d->path), sap_str_of(path)) &&
		    sap_str_eq(sap_facts_str(facts, d->code), sap_str_of(code)))
			return true;
	}
	return false;
}

/* The reason of an `other` record, or -1. */
static int reason_of(const struct sap_facts *facts, const char *path)
{
	for (size_t i = 0; i < facts->others.n; i++) {
		if (sap_str_eq(sap_facts_str(facts, facts->others.v[i].path), sap_str_of(path)))
			return (int)facts->others.v[i].reason;
	}
	return -1;
}

static unsigned count_good(const struct sap_facts *facts)
{
	unsigned n = 0;

	for (size_t i = 0; i < facts->objects.n; i++)
		n += sap_str_starts(sap_facts_str(facts, facts->objects.v[i].path),
				    SAP_STR("/usr/bin/good-"));
	return n;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void a_tree_is_walked_whatever_is_in_it(void)
{
	struct sap_extract_report report = { 0 };
	struct sap_facts *facts = extract(2, &report);

	if (!facts)
		return;
	CHECK_INT(count_good(facts), 40);
	CHECK_INT(facts->truncated, false);
	CHECK_INT(report.restarts, 0);
	CHECK(report.sandbox[0] != '\0');
	CHECK(has_diagnostic(facts, "/usr/lib/cut.so", "format"));
	CHECK(!has_object(facts, "/usr/lib/outside.so"));
	CHECK_INT(facts->stats.specials, 2); /* the FIFO and the socket */
	CHECK(has_diagnostic(facts, "/usr/lib/fifo.so", "special"));
	CHECK(has_diagnostic(facts, "/sock", "special"));
	CHECK_INT(facts->stats.symlinks, 4);
	CHECK_INT(reason_of(facts, "/usr/lib/script.so"), SAP_OTHER_NOT_ELF);
	CHECK_INT(reason_of(facts, "/usr/lib/empty.so"), SAP_OTHER_EMPTY);
	CHECK_INT(reason_of(facts, "/usr/lib/fifo.so"), SAP_OTHER_NO_FILE);
	CHECK_INT(reason_of(facts, "/usr/lib/cut.so"), SAP_OTHER_DAMAGED);
	CHECK_INT(facts->others.n, 5);       /* these, and the folder that lies too deep */
	CHECK(facts->stats.unreadable >= 1); /* the folder that lies too deep */
	sap_facts_free(facts);
}

static void the_same_tree_gives_the_same_facts(void)
{
	struct sap_facts *one = extract(1, NULL), *four = extract(4, NULL);

	if (one && four) {
		CHECK_INT(one->objects.n, four->objects.n);
		for (size_t i = 0; i < one->objects.n && i < four->objects.n; i++)
			CHECK(sap_str_eq(sap_facts_str(one, one->objects.v[i].path),
					 sap_facts_str(four, four->objects.v[i].path)));
		CHECK_INT(one->stats.files, four->stats.files);
		CHECK_INT(one->diagnostics.n, four->diagnostics.n);
	}
	sap_facts_free(one);
	sap_facts_free(four);
}

static void a_worker_that_dies_is_reported_and_the_rest_given(void)
{
	static const char *const bad[] = { "usr/bin/die-by-signal", "usr/bin/die-by-exit",
					   "usr/lib/die-by-lie" };
	struct sap_extract_report report = { 0 };
	struct sap_facts *facts;
	char path[128];

	for (size_t i = 0; i < 3; i++)
		write_file(bad[i], own_bytes, own_n, 0755);
	facts = extract(2, &report);
	if (facts) {
		CHECK_INT(count_good(facts), 40); /* innocent neighbours are all there */
		CHECK(report.restarts >= 3);
		CHECK_INT(facts->truncated, false);
		for (size_t i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "/%s", bad[i]);
			CHECK(has_diagnostic(facts, path, "worker-died"));
			CHECK(!has_object(facts, path));
		}
		CHECK_INT(facts->lookups.n, 0);
		CHECK_INT(facts->whole, true);
	}
	sap_facts_free(facts);
	for (size_t i = 0; i < 3; i++)
		unlink(in_root(bad[i]));
}

static uint32_t put(struct sap_facts *facts, const char *text)
{
	return sap_pool_put(facts->pool, sap_str_of(text));
}

static enum sap_lookup_result looked_up(const struct sap_facts *facts, const char *path,
					const char *canonical)
{
	for (size_t i = 0; i < facts->lookups.n; i++) {
		const struct sap_lookup *l = &facts->lookups.v[i];

		if (!sap_str_eq(sap_facts_str(facts, l->path), sap_str_of(path)))
			continue;
		if (canonical)
			CHECK_STR(sap_facts_str(facts, l->canonical), canonical);
		return (enum sap_lookup_result)l->result;
	}
	return 0;
}

static void paths_are_looked_up_on_demand(void)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_session *session = NULL;
	struct sap_err err = { 0 };
	uint32_t paths[] = {
		put(facts, "/bin/good-01"),
		put(facts, "/bin/good-02"),
		put(facts, "/usr/lib/fifo.so"),
		put(facts, "/usr/lib/script.so"),
		put(facts, "/absent/libx.so"),
		put(facts, "/usr/lib"),
		put(facts, "/loop-a"),
		put(facts, "/usr/lib/outside.so"),
		put(facts, "relative"),
		put(facts, "/usr/lib/../bin/good-03"),
		put(facts, "/usr/lib/cut.so"),
		put(facts, "/bin/die-by-signal"),
		put(facts, "/usr/bin/good-04/x"),
	};

	write_file("usr/bin/die-by-signal", own_bytes, own_n, 0755);
	CHECK_OK(sap_session_new(root, &options, facts, &session, &err), &err);
	CHECK_OK(sap_session_ask(session, SAP_PART_LOADER, SAP_ELF_ALL & ~SAP_ELF_SYMBOLS, paths,
				 sizeof(paths) / sizeof(paths[0]), &err),
		 &err);
	CHECK_INT(looked_up(facts, "/bin/good-01", "/usr/bin/good-01"), SAP_LOOKUP_OBJECT);
	CHECK_INT(looked_up(facts, "/usr/lib/../bin/good-03", "/usr/bin/good-03"),
		  SAP_LOOKUP_OBJECT);
	CHECK(has_object(facts, "/usr/bin/good-02"));
	CHECK_INT(looked_up(facts, "/usr/lib/fifo.so", NULL), SAP_LOOKUP_OTHER);
	CHECK_INT(looked_up(facts, "/usr/lib/script.so", NULL), SAP_LOOKUP_OTHER);
	CHECK_INT(looked_up(facts, "/absent/libx.so", NULL), SAP_LOOKUP_ABSENT);
	CHECK_INT(looked_up(facts, "/usr/bin/good-04/x", NULL), SAP_LOOKUP_ABSENT);
	CHECK_INT(looked_up(facts, "/usr/lib", "/usr/lib"), SAP_LOOKUP_DIR);
	CHECK_INT(looked_up(facts, "/loop-a", NULL), SAP_LOOKUP_UNREADABLE);
	CHECK_INT(reason_of(facts, "/loop-a"), SAP_OTHER_LOOP);
	CHECK_INT(reason_of(facts, "/usr/lib/fifo.so"), SAP_OTHER_NO_FILE);
	CHECK_INT(reason_of(facts, "/usr/lib/script.so"), SAP_OTHER_NOT_ELF);
	CHECK_INT(reason_of(facts, "/usr/lib/cut.so"), SAP_OTHER_DAMAGED);
	/* /etc/passwd of the target, which has none: not this machine's. */
	CHECK_INT(looked_up(facts, "/usr/lib/outside.so", NULL), SAP_LOOKUP_ABSENT);
	CHECK_INT(looked_up(facts, "relative", NULL), SAP_LOOKUP_ABSENT);
	CHECK(has_diagnostic(facts, "/usr/bin/die-by-signal", "worker-died"));
	/* A second question to the same session. */
	CHECK_OK(sap_session_ask(session, 0, 0, paths, 1, &err), &err);
	CHECK_INT(facts->objects.n, 3);
	sap_session_free(session);
	sap_facts_free(facts);
	unlink(in_root("usr/bin/die-by-signal"));
}

/* No answer within a tick, after an earlier one, is not the end of the answer. */
static void a_later_answer_is_waited_for(void)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_session *session = NULL;
	struct sap_err err = { 0 };
	uint32_t paths[] = { put(facts, "/bin/good-01"), put(facts, "/bin/slow"),
			     put(facts, "/bin/good-02") };

	write_file("usr/bin/slow", own_bytes, own_n, 0755);
	CHECK_OK(sap_session_new(root, &options, facts, &session, &err), &err);
	for (size_t i = 0; i < 3; i++) {
		CHECK_OK(sap_session_ask(session, 0, 0, &paths[i], 1, &err), &err);
		CHECK_INT(facts->lookups.n, i + 1);
		CHECK_INT(facts->objects.n, i + 1);
	}
	CHECK_INT(looked_up(facts, "/bin/slow", "/usr/bin/slow"), SAP_LOOKUP_OBJECT);
	sap_session_free(session);
	sap_facts_free(facts);
	unlink(in_root("usr/bin/slow"));
}

/* What rights do not let in is not absent: walked, and looked up. */
static void check_locked(void)
{
	struct sap_facts *facts = extract(2, NULL);
	struct sap_session *session = NULL;
	struct sap_err err = { 0 };
	struct sap_tree *tree;
	uint32_t paths[5];

	if (facts) {
		CHECK_INT(reason_of(facts, "/locked"), SAP_OTHER_UNREADABLE);
		CHECK_INT(reason_of(facts, "/usr/lib/locked.so"), SAP_OTHER_UNREADABLE);
		CHECK(has_diagnostic(facts, "/locked", "unreadable"));
		tree = sap_tree_new(facts);
		CHECK_INT(sap_tree_lookup(tree, SAP_STR("/locked/a.so"), NULL),
			  SAP_TREE_UNREADABLE);
		sap_tree_free(tree);
	}
	sap_facts_free(facts);
	facts = sap_facts_new();
	paths[0] = put(facts, "/locked/a.so");
	paths[1] = put(facts, "/locked/b.so");
	paths[2] = put(facts, "/locked");
	paths[3] = put(facts, "/usr/lib/locked.so");
	paths[4] = put(facts, "/usr/lib/into-locked.so");
	CHECK_OK(sap_session_new(root, &options, facts, &session, &err), &err);
	CHECK_OK(sap_session_ask(session, 0, 0, paths, 5, &err), &err);
	tree = sap_tree_new(facts);
	for (unsigned i = 0; i < 5; i++) {
		struct sap_str path = sap_facts_str(facts, paths[i]);

		CHECK_INT(looked_up(facts, path.p, NULL), SAP_LOOKUP_UNREADABLE);
		CHECK_INT(sap_tree_lookup(tree, path, NULL), SAP_TREE_UNREADABLE);
		CHECK_STR(sap_str_of(sap_tree_why(tree, path)), "cannot be read");
	}
	CHECK(has_diagnostic(facts, "/locked", "unreadable"));
	CHECK(has_diagnostic(facts, "/usr/lib/locked.so", "unreadable"));
	CHECK_INT(facts->diagnostics.n, 2); /* once for the folder */
	sap_tree_free(tree);
	sap_session_free(session);
	sap_facts_free(facts);
}

static void what_cannot_be_read_is_not_absent(void)
{
	int status = -1;
	pid_t child;

	mkdir(in_root("locked"), 0);
	write_file("usr/lib/locked.so", own_bytes, own_n, 0);
	CHECK(symlink("/locked/a.so", in_root("usr/lib/into-locked.so")) == 0);
	if (geteuid() != 0) {
		check_locked();
	} else if (chmod(root, 0755) == 0) {
		fflush(NULL);
		child = fork();
		if (child == 0) {
			if (setgid(65534) < 0 || setuid(65534) < 0 ||
			    access("/proc/self/exe", R_OK | X_OK) < 0)
				_exit(77);
			check_locked();
			_exit(check_done());
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			check_skip("what cannot be read", "no other user can run this program");
		else
			CHECK_INT(status, 0);
	}
	rmdir(in_root("locked"));
	unlink(in_root("usr/lib/locked.so"));
	unlink(in_root("usr/lib/into-locked.so"));
}

static void notes_hold_json_of_two_forms(void)
{
	static const struct sap_str texts[] = {
		SAP_STR_INIT("[{\"soname\":[\"liba.so.1\",\"liba.so.0\"],\"feature\":\"a\","
			     "\"priority\":\"required\"},{\"soname\":[\"libb.so.1\"]}]"),
		SAP_STR_INIT("{\"soname\":\"libc.so.9\",\"description\":\"c\"}"),
		SAP_STR_INIT("[{\"soname\":[1,null]},7,\"x\",{\"feature\":\"none\"}]"),
		SAP_STR_INIT("not json"),
	};
	const struct sap_strs all = { texts, 3 }, bad = { texts + 3, 1 };
	struct sap_rec_package_note package = { 0 };
	struct sap_rec_object rec = { 0 };
	struct sap_notes *notes = NULL;
	struct sap_err fault = { 0 }, err = { 0 };
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	CHECK_OK(sap_notes_dlopen(&notes, all, &arena, &rec, &fault, &err), &err);
	CHECK_INT(fault.code, SAP_OK);
	if (CHECK(rec.n_dlopen_notes == 3)) {
		CHECK_INT(rec.dlopen_notes[0].sonames.n, 2);
		CHECK_STR(rec.dlopen_notes[0].sonames.v[1], "liba.so.0");
		CHECK_STR(rec.dlopen_notes[0].priority, "required");
		CHECK_STR(rec.dlopen_notes[1].sonames.v[0], "libb.so.1");
		CHECK_STR(rec.dlopen_notes[2].sonames.v[0], "libc.so.9");
		CHECK_STR(rec.dlopen_notes[2].description, "c");
	}
	CHECK_OK(sap_notes_dlopen(&notes, bad, &arena, &rec, &fault, &err), &err);
	CHECK_INT(fault.code, SAP_EFORMAT);
	CHECK_OK(sap_notes_package(&notes,
				   SAP_STR("{\"type\":\"rpm\",\"name\":\"x\",\"version\":\"1\","
					   "\"osCpe\":\"cpe:/o:y\",\"architecture\":7}"),
				   &arena, &package, &fault, &err),
		 &err);
	CHECK_INT(fault.code, SAP_OK);
	CHECK_STR(package.name, "x");
	CHECK_STR(package.cpe, "cpe:/o:y");
	CHECK_STR(package.arch, ""); /* no text: unknown */
	/* SQLite 3.40 falls over a key that is an object. */
	CHECK_OK(sap_notes_package(&notes, SAP_STR("{{\"a\":\"b\"}:\"c\"}"), &arena, &package,
				   &fault, &err),
		 &err);
	CHECK_INT(fault.code, SAP_EFORMAT);
	CHECK_OK(sap_notes_package(&notes, SAP_STR("[]"), &arena, &package, &fault, &err), &err);
	CHECK_INT(fault.code, SAP_EFORMAT);
	sap_notes_free(notes);
	sap_arena_clear(&arena);
}

static void a_root_that_is_not_there_is_an_error(void)
{
	struct sap_facts *facts = NULL;
	struct sap_err err = { 0 };

	CHECK_INT(sap_extract_whole("/absent/root", &options, &facts, NULL, &err), SAP_ENOENT);
	CHECK(strstr(err.text, "/absent/root") != NULL);
}

static void a_worker_that_cannot_start_is_an_error(void)
{
	struct sap_extract_options o = options;
	struct sap_facts *facts = NULL;
	struct sap_err err = { 0 };

	o.worker = "/absent/worker";
	CHECK(sap_extract_whole(root, &o, &facts, NULL, &err) < 0);
	CHECK(strstr(err.text, "/absent/worker") != NULL);
}

int main(int argc, char **argv)
{
	static const struct sap_worker_hooks hooks = { before_object };

	if (argc == 2 && strcmp(argv[1], SAP_WORKER_ARGUMENT) == 0)
		_exit(sap_worker_main(&hooks));
	read_own();
	make_tree();
	a_tree_is_walked_whatever_is_in_it();
	the_same_tree_gives_the_same_facts();
	a_worker_that_dies_is_reported_and_the_rest_given();
	paths_are_looked_up_on_demand();
	a_later_answer_is_waited_for();
	what_cannot_be_read_is_not_absent();
	notes_hold_json_of_two_forms();
	a_root_that_is_not_there_is_an_error();
	a_worker_that_cannot_start_is_an_error();
	nftw(root, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	free(own_bytes);
	return check_done();
}
