/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_snapshot.c: a scratch folder with ELF files in it, a made-up /proc, processes of our own.
 */
#ifndef SAP_TESTS_SNAPSHOT_WORLD_H
#define SAP_TESTS_SNAPSHOT_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "observe/snapshot_int.h"

#define ID_A "00112233445566778899aabbccddeeff00112233"
#define ID_B "ffeeddccbbaa99887766554433221100ffeeddcc"
#define DOCKER "4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a4f1a"

static char top[64]; /* the scratch folder */

static const char *in_top(const char *name)
{
	static char paths[8][512];
	static unsigned at;
	char *p = paths[at++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", top, name);
	return p;
}

static void make_folders(const char *path)
{
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
}

static void put(const char *name, const void *data, size_t n)
{
	const char *path = in_top(name);
	int fd;

	make_folders(path);
	remove(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void put_link(const char *name, const char *to)
{
	const char *path = in_top(name);

	make_folders(path);
	unlink(path);
	CHECK_INT(symlink(to, path), 0);
}

/* A 64-bit ELF file with nothing but a build-id; in big-endian order where big. */
static size_t make_elf(unsigned char out[200], const char *id, bool big)
{
	static const unsigned char head[] = { 0x7f, 'E', 'L', 'F', 2 };
	const size_t phoff = 64, note = 120;
	const struct {
		size_t off, n;
		uint64_t v;
	} fields[] = {
		{ 32, 8, phoff },     { 54, 2, 56 },          { 56, 2, 1 },
		{ phoff, 4, 4 },      { phoff + 8, 8, note }, { phoff + 32, 8, 36 },
		{ phoff + 48, 8, 4 }, { note, 4, 4 },         { note + 4, 4, 20 },
		{ note + 8, 4, 3 },
	};

	memset(out, 0, 200);
	memcpy(out, head, sizeof(head));
	out[5] = big ? 2 : 1;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (size_t k = 0; k < fields[i].n; k++)
			out[fields[i].off + (big ? fields[i].n - 1 - k : k)] =
				(unsigned char)(fields[i].v >> (8 * k));
	memcpy(out + note + 12, "GNU", 4);
	for (size_t i = 0; i < 20; i++) {
		char two[3] = { id[2 * i], id[2 * i + 1], '\0' };

		out[note + 16 + i] = (unsigned char)strtoul(two, NULL, 16);
	}
	return note + 36;
}

static void put_elf(const char *name, const char *id)
{
	unsigned char elf[200];
	size_t n = make_elf(elf, id, false);

	put(name, elf, n);
}

static const struct sap_seen_file *find_file(const struct sap_evidence *e, const char *path)
{
	for (size_t i = 0; i < e->files.n; i++)
		if (sap_str_eq(e->files.v[i].path, sap_str_of(path)))
			return &e->files.v[i];
	return NULL;
}

static const struct sap_seen_process *find_process(const struct sap_evidence *e, int32_t pid)
{
	uint32_t i = sap_evidence_living(e, pid);

	return i == SAP_NONE ? NULL : &e->processes.v[i];
}

static bool uses(const struct sap_evidence *e, const char *path, int32_t pid)
{
	for (size_t i = 0; i < e->uses.n; i++)
		if (e->uses.v[i].file != SAP_NONE &&
		    sap_str_eq(e->files.v[e->uses.v[i].file].path, sap_str_of(path)) &&
		    e->processes.v[e->uses.v[i].process].pid == pid)
			return true;
	return false;
}

static bool listens(const struct sap_evidence *e, int32_t pid, const char *text)
{
	const struct sap_seen_process *p = find_process(e, pid);

	for (uint32_t at = p ? p->listens : 0; at; at = e->listens.v[at - 1].next)
		if (sap_str_eq(e->listens.v[at - 1].text, sap_str_of(text)))
			return true;
	return false;
}

/* ---- made-up folders as /proc ------------------------------------------------------------ */

static const struct sap_snapshot_options *made_up(void)
{
	static struct sap_snapshot_options options;
	static char proc[80];

	snprintf(proc, sizeof(proc), "%s/proc", top);
	options = (struct sap_snapshot_options){ .proc = proc, .sockets = true, .build_ids = true };
	return &options;
}

static void put_process(int pid, const char *comm, unsigned flags, char state, const char *root,
			unsigned mnt_ns, const char *cgroup, const char *maps)
{
	static const char *const net[] = { "tcp", "tcp6", "udp", "udp6", "unix" };
	static const char *const lists[] = {
		("  sl\n0: 00000000:0050 00000000:0000 0A 0:0 00:0 0 0 0 71\n"
		 "0: 00000000:0051 00000000:0000 0A 0:0 00:0 0 0 0 72\n"),
		"  sl\n",
		"  sl\n",
		"  sl\n",
		"Num\n0: 2 0 00010000 0001 01 73 /run/x.sock\n",
	};
	char name[64], text[256];

	snprintf(name, sizeof(name), "proc/%d/stat", pid);
	snprintf(text, sizeof(text), "%d (%s) %c 1 1 1 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 %d 0\n",
		 pid, comm, state, flags, pid * 10);
	put_text(name, text);
	snprintf(name, sizeof(name), "proc/%d/maps", pid);
	put_text(name, maps);
	snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
	put_text(name, cgroup);
	snprintf(name, sizeof(name), "proc/%d/environ", pid);
	put("x", "", 0);
	put(name, "A=1\0LD_AUDIT=/x\0B", 17);
	snprintf(name, sizeof(name), "proc/%d/root", pid);
	put_link(name, in_top(root));
	snprintf(name, sizeof(name), "proc/%d/ns/mnt", pid);
	snprintf(text, sizeof(text), "mnt:[%u]", mnt_ns);
	put_link(name, text);
	snprintf(name, sizeof(name), "proc/%d/ns/net", pid);
	put_link(name, "net:[7]");
	snprintf(name, sizeof(name), "proc/%d/fd/0", pid);
	put_link(name, "/dev/null");
	for (size_t i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "proc/%d/net/%s", pid, net[i]);
		put_text(name, lists[i]);
	}
}

/* A line of maps for a file that is there. */
static void put_map(char *maps, size_t cap, const char *file, const char *shown)
{
	struct stat st = { 0 };
	size_t n = strlen(maps);

	if (file)
		CHECK_INT(stat(in_top(file), &st), 0);
	snprintf(maps + n, cap - n, "%zx000-%zx000 r-xp 00000000 %02x:%02x %llu       %s\n", n + 16,
		 n + 17, major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino, shown);
}

static void put_made_up(void)
{
	char maps[4096] = "";
	const char *jail = "host/jail/lib/jailed.so";

	put_text("proc/stat", "cpu 1 2 3\nintr 5 6\nbtime 1700000000\nprocesses 5\n");
	put_text("proc/sys/kernel/hostname", "made-up\n");
	put_link("proc/self/root", in_top("host"));
	put_link("proc/self/ns/mnt", "mnt:[1]");
	put_elf("host/bin/prog", ID_A);
	put_elf("host/lib/a.so", ID_A);
	put_elf("host/lib/b.so", ID_B);
	put_elf("host/lib/real (deleted)", ID_A);
	put_elf("host/lib/line\nend.so", ID_B);
	put_elf("host/lib/back\\012slash.so", ID_B);
	put_elf("elsewhere/old.so", ID_B);
	put_elf(jail, ID_A);
	put_elf("container/lib/inside.so", ID_A);

	put_map(maps, sizeof(maps), "host/bin/prog", "/bin/prog");
	put_map(maps, sizeof(maps), "host/lib/a.so", "/lib/a.so");
	put_map(maps, sizeof(maps), NULL, "/lib/b.so (deleted)");
	put_map(maps, sizeof(maps), NULL, "/lib/gone.so (deleted)");
	put_map(maps, sizeof(maps), "host/lib/real (deleted)", "/lib/real (deleted)");
	put_map(maps, sizeof(maps), "host/lib/line\nend.so", "/lib/line\\012end.so");
	put_map(maps, sizeof(maps), "host/lib/back\\012slash.so", "/lib/back\\012slash.so");
	put_map(maps, sizeof(maps), NULL, "/memfd:jit (deleted)");
	put_map(maps, sizeof(maps), NULL, "[vdso]");
	strcat(maps, "ff000-ff100 r--p 00000000 00:00 7 /lib/data.so\n"
		     "00ff200-ff300 r-xp 00000000 00:00 8 /lib/old.so (deleted)\n"
		     "00ff200-ff300 r-xp 00000000 00:00\nrubbish\n\n");
	put_process(100, "pr) og", 0, 'S', "host", 1, "1:cpu:/\n0::/system.slice/a.service\n",
		    maps);
	put_link("proc/100/map_files/ff200-ff300", in_top("elsewhere/old.so"));
	put_link("proc/100/exe", in_top("host/bin/prog"));
	put_link("proc/100/fd/3", "socket:[71]");
	put_link("proc/100/fd/4", "socket:[73]");
	put_link("proc/100/fd/5", "socket:[74]");

	put_process(2, "kthreadd", 0x208040, 'S', "host", 1, "0::/\n", "");
	put_process(3, "dead", 0, 'Z', "host", 1, "0::/\n", "");
	put_process(101, "hidden", 0, 'S', "host", 1, "0::/\n", "");
	unlink(in_top("proc/101/maps"));
	mkdir(in_top("proc/101/maps"), 0755); /* so that it cannot be read */

	maps[0] = '\0';
	put_map(maps, sizeof(maps), jail, in_top(jail));
	put_map(maps, sizeof(maps), "host/lib/a.so", "/lib/a.so");
	put_process(102, "jailed", 0, 'S', "host/jail", 1, "0::/\n", maps);
	maps[0] = '\0';
	put_map(maps, sizeof(maps), "host/lib/a.so", in_top("host/lib/a.so"));
	put_process(103, "private", 0, 'S', "host", 2, "0::/\n", maps);
	maps[0] = '\0';
	put_map(maps, sizeof(maps), "container/lib/inside.so", in_top("container/lib/inside.so"));
	put_process(104, "contained", 0, 'S', "container", 3, "0::/docker/" DOCKER "\n", maps);
}

/* ---- processes of our own ---- */

struct child {
	pid_t pid;
	int ready; /* it writes a byte when it is as it shall be; 'x': it could not */
};

static bool map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (fd >= 0)
		close(fd);
	return p != MAP_FAILED;
}

static struct child start_child(bool (*prepare)(void))
{
	struct child child = { .ready = -1 };
	char byte = 'x';
	int fds[2];

	if (!CHECK_INT(pipe2(fds, O_CLOEXEC), 0))
		return child;
	child.pid = fork();
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = prepare() ? '.' : 'x';
		if (write(fds[1], &byte, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	child.ready = read(fds[0], &byte, 1) == 1 && byte == '.';
	close(fds[0]);
	return child;
}

static void end_child(const struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
}

static struct sap_evidence *take_one(const struct sap_evidence *old, const pid_t *pid)
{
	const struct sap_snapshot_options options = {
		.pids = pid, .n_pids = 1, .sockets = true, .build_ids = true
	};
	struct sap_evidence *e = old ? (struct sap_evidence *)(uintptr_t)old : sap_evidence_new();
	struct sap_err err;

	CHECK_OK(sap_snapshot_take(e, &options, &err), &err);
	return e;
}

#endif
