/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "snapshot_world.h"

/* ---- the parsers ------------------------------------------------------------------------- */

static void a_stat_line_whose_name_is_hostile(void)
{
	struct sap_proc_stat st;

	CHECK(sap_proc_stat_parse(SAP_STR("7 (a) R 1\n(b c) S 42 7 7 0 -1 4194304 9 0 0 0 1 2 0 0 "
					  "20 0 3 0 98765 1 2 3\n"),
				  &st));
	CHECK_STR(st.comm, "a) R 1\n(b c");
	CHECK_INT(st.state, 'S');
	CHECK_INT(st.ppid, 42);
	CHECK_INT(st.flags, 4194304);
	CHECK_INT(st.threads, 3);
	CHECK_INT(st.start, 98765);
	CHECK(!sap_proc_stat_parse(SAP_STR("7 (a) S 42 7 7 0 -1 4194304 9 0 0"), &st));
	CHECK(!sap_proc_stat_parse(SAP_STR("7 )a( S 42"), &st));
	CHECK(!sap_proc_stat_parse(SAP_STR(""), &st));
}

static void lines_of_maps(void)
{
	static const struct {
		const char *line;
		bool counts;
	} lines[] = {
		{ "7f00-7f01 r-xp 00001000 fe:00 12 /lib/a.so", true },
		{ "7f00-7f01 r--p 00001000 fe:00 12 /lib/a.so", false },
		{ "7f00-7f01 --xp 00001000 fe:00 12 /lib/a b.so (deleted)", true },
		{ "7f00-7f01 r-xp 00000000 00:00 0 ", false },
		{ "7f00-7f01 r-xp 00000000 00:00 0                  [vdso]", false },
		{ "7f00-7f01 rwxp 00000000 00:00 0 //anon", false },
		{ "7f00-7f01 rwxs 00000000 00:01 99 /dev/zero (deleted)", false },
		{ "7f00-7f01 rwxs 00000000 00:01 98 /SYSV0000abcd (deleted)", false },
		{ "7f00-7f01 rwxs 00000000 00:10 98 /[aio] (deleted)", false },
		{ "7f00-7f01 r-xs 00000000 00:01 97 /memfd:jit (deleted)", true },
		{ "7f00-7f01 r-xp 00000000 00:1b 97 /dev/shm/x (deleted)", true },
		{ "7f00-7f01 r-xp 00000000 fe:00 97 /SYSV1/lib.so (deleted)", true },
	};
	struct sap_proc_map m;
	char buf[64];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(sap_proc_map_parse(sap_str_of(lines[i].line), &m) &&
				  sap_proc_map_counts(&m),
			  lines[i].counts);
	CHECK(sap_proc_map_parse(SAP_STR("00400000-ffffffffff601000 r-xp 0 08:1f 77   /a\\012b"),
				 &m));
	CHECK(m.start == 0x400000 && m.end == 0xffffffffff601000);
	CHECK(m.dev == makedev(8, 31) && m.ino == 77);
	CHECK_STR(sap_proc_unescape(m.path, buf), "/a\nb");
	sap_map_files_name(&m, buf);
	CHECK_STR(sap_str_of(buf), "map_files/400000-ffffffffff601000");
	CHECK(!sap_proc_map_parse(SAP_STR("7f00-7f01 r-xp 00001000 fe:00"), &m));
	CHECK(!sap_proc_map_parse(SAP_STR("11112222333344445-7f01 r-xp 0 fe:00 1 /x"), &m));
	CHECK(!sap_proc_map_parse(SAP_STR("7f00-7f01 r-xp 0 fe:00 99999999999999999999 /x"), &m));
	CHECK(!sap_proc_map_parse(SAP_STR(""), &m));
}

static void lines_of_sockets(void)
{
	static const struct {
		enum sap_proc_net net;
		const char *line, *text; /* text NULL: does not listen */
		enum sap_exposure exposure;
	} lines[] = {
		{ SAP_NET_TCP, "0: 0100007F:0277 00000000:0000 0A 0:0 00:0 0 1000 0 71 1",
		  "127.0.0.1:631/tcp", SAP_EXPOSURE_LOCAL },
		{ SAP_NET_TCP, "0: 00000000:0016 00000000:0000 0A 0:0 00:0 0 0 0 71 1",
		  "0.0.0.0:22/tcp", SAP_EXPOSURE_NETWORK },
		{ SAP_NET_TCP, "0: 0200A8C0:01BB 00000000:0000 0A 0:0 00:0 0 0 0 71",
		  "192.168.0.2:443/tcp", SAP_EXPOSURE_NETWORK },
		{ SAP_NET_TCP, "0: 0200A8C0:01BB 0300A8C0:9999 01 0:0 00:0 0 0 0 71", NULL, 0 },
		{ SAP_NET_TCP, "0: 0200A8C0:01BB 0300A8C0:9999 06 0:0 00:0 0 0 0 0", NULL, 0 },
		{ SAP_NET_TCP, "0: 0200A8C0:01BB", NULL, 0 },
		{ SAP_NET_TCP, "0: 0200A8C:01BB 00000000:0000 0A 0:0 00:0 0 0 0 71", NULL, 0 },
		{ SAP_NET_TCP, "0: 0200A8C0:1BB1B 00000000:0000 0A 0:0 00:0 0 0 0 71", NULL, 0 },
		{ SAP_NET_UDP, "11: 00000000:0044 00000000:0000 07 0:0 00:0 0 0 0 71 2 0 0",
		  "0.0.0.0:68/udp", SAP_EXPOSURE_NETWORK },
		{ SAP_NET_UDP, "11: 00000000:0000 00000000:0000 07 0:0 00:0 0 0 0 71 2 0 0", NULL,
		  0 },
		{ SAP_NET_UDP, "11: 0100007F:0044 0100007F:0044 01 0:0 00:0 0 0 0 71 2 0 0", NULL,
		  0 },
		{ SAP_NET_TCP6,
		  "0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 "
		  "0A 0:0 00:0 0 0 0 71 1",
		  "[::]:80/tcp", SAP_EXPOSURE_NETWORK },
		{ SAP_NET_TCP6,
		  "0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 "
		  "0A 0:0 00:0 0 0 0 71 1",
		  "[::1]:80/tcp", SAP_EXPOSURE_LOCAL },
		{ SAP_NET_TCP6,
		  "0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 "
		  "0A 0:0 00:0 0 0 0 71 1",
		  "[::ffff:127.0.0.1]:80/tcp", SAP_EXPOSURE_LOCAL },
		{ SAP_NET_UDP6,
		  "0: 000080FE00000000FF005450B6AD1DFE:0222 00000000000000000000000000000000:0000 "
		  "07 0:0 00:0 0 0 0 71 1",
		  "[fe80::5054:ff:fe1d:adb6]:546/udp", SAP_EXPOSURE_NETWORK },
		{ SAP_NET_UNIX,
		  "0000000000000000: 00000002 00000000 00010000 0001 01 71 /run/a b.sock",
		  "/run/a b.sock", SAP_EXPOSURE_LOCAL },
		{ SAP_NET_UNIX,
		  "0000000000000000: 00000002 00000000 00010000 0005 01    71 @abstract@",
		  "@abstract@", SAP_EXPOSURE_LOCAL },
		{ SAP_NET_UNIX, "0000000000000000: 00000002 00000000 00000000 0002 01 71 /dev/log",
		  NULL, 0 },
		{ SAP_NET_UNIX, "0000000000000000: 00000003 00000000 00000000 0001 03 71", NULL,
		  0 },
		{ SAP_NET_UNIX, "Num       RefCount Protocol Flags    Type St Inode Path", NULL,
		  0 },
	};
	/* The kernel prints words in the order of the machine; these are of a little-endian one. */
	const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct sap_proc_socket s;
		char buf[80];
		bool got = sap_proc_socket_parse(sap_str_of(lines[i].line), lines[i].net, &s);

		CHECK_INT(got, lines[i].text != NULL);
		if (!got || !lines[i].text || (big && lines[i].net != SAP_NET_UNIX))
			continue;
		CHECK_INT(s.ino, 71);
		CHECK_STR(sap_proc_socket_text(&s, buf), lines[i].text);
		CHECK_INT(sap_proc_socket_exposure(&s), lines[i].exposure);
	}
}

static void units_and_containers(void)
{
	static const struct {
		const char *line, *unit, *container;
	} lines[] = {
		{ "0::/", "", "" },
		{ "0::/system.slice/ssh.service", "ssh.service", "" },
		{ "1:name=systemd:/system.slice/ssh.service/sub", "ssh.service", "" },
		{ "0::/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service",
		  "" },
		{ "0::/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope",
		  "user@1000.service", "" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service/x",
		  "user@1000.service/app.slice/ssh.service", "" },
		{ "0::/init.scope", "init.scope", "" },
		{ "4:memory:/process_api/4694fb7fcf79a85a4249d95b1eaf1a65", "", "" },
		{ "12:cpu,cpuacct:/docker/" DOCKER, "", DOCKER },
		{ "0::/system.slice/docker-" DOCKER ".scope", "docker-" DOCKER ".scope", DOCKER },
		{ "0::/system.slice/docker-" DOCKER ".scope/system.slice/nginx.service",
		  "nginx.service", DOCKER },
		{ "0::/docker/" DOCKER "/system.slice/nginx.service", "nginx.service", DOCKER },
		{ "0::/machine.slice/libpod-" DOCKER ".scope/container", "libpod-" DOCKER ".scope",
		  DOCKER },
		{ "0::/machine.slice/libpod-conmon-" DOCKER ".scope",
		  "libpod-conmon-" DOCKER ".scope", "" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" DOCKER
		  ".scope/container",
		  "user@1000.service/user.slice/libpod-" DOCKER ".scope", DOCKER },
		{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podabc.slice/"
		  "cri-containerd-" DOCKER ".scope",
		  "cri-containerd-" DOCKER ".scope", DOCKER },
		{ "0::/kubepods/burstable/podabc/" DOCKER, "", DOCKER },
		{ "0::/system.slice/containerd.service/"
		  "kubepods-podabc.slice:cri-containerd:" DOCKER,
		  "containerd.service", DOCKER },
		{ "0::/kubepods.slice/crio-" DOCKER ".scope", "crio-" DOCKER ".scope", DOCKER },
		{ "0::/kubepods.slice/crio-conmon-" DOCKER ".scope", "crio-conmon-" DOCKER ".scope",
		  "" },
		{ "0::/lxc.payload.web/system.slice/cron.service", "cron.service", "web" },
		{ "0::/lxc/web", "", "web" },
		{ "0::/lxc.payload/web/init.scope", "init.scope", "web" },
		{ "0::/lxc.monitor.web", "", "" },
		{ "0::/machine.slice/machine-deb.scope/payload/system.slice/cron.service",
		  "cron.service", "deb" },
		{ "0::/machine.slice/systemd-nspawn@deb.service/payload/system.slice/cron.service",
		  "cron.service", "deb" },
		{ "0::/machine.slice/systemd-nspawn@deb.service/supervisor",
		  "systemd-nspawn@deb.service", "" },
		{ "0::/machine.slice/machine-deb.scope/supervisor", "machine-deb.scope", "" },
		{ "0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
		  "machine-qemu\\x2d1\\x2dvm.scope", "" },
		{ "0::/system.slice/_x.service", "x.service", "" },
		{ "0::/a:b/c", "", "" },
		{ "no line of it", "", "" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct sap_str unit, container;

		sap_cgroup_parse(sap_str_of(lines[i].line), &unit, &container);
		CHECK_STR(unit, lines[i].unit);
		CHECK_STR(container, lines[i].container);
	}
	CHECK(sap_cgroup_within(SAP_STR("0::/system.slice/a.service/b"), SAP_STR("/system.slice")));
	CHECK(sap_cgroup_within(SAP_STR("0::/system.slice/a.service/b"), SAP_STR("a.service/b/")));
	CHECK(sap_cgroup_within(SAP_STR("0::/system.slice/a.service"), SAP_STR("a.service")));
	CHECK(!sap_cgroup_within(SAP_STR("0::/system.slice/a.service"), SAP_STR("/a.service")));
	CHECK(!sap_cgroup_within(SAP_STR("0::/system.slice/a.service2"), SAP_STR("a.service")));
	CHECK(!sap_cgroup_within(SAP_STR("0::/system.slice/xa.service"), SAP_STR("a.service")));
	CHECK(sap_cgroup_within(SAP_STR("0::/x"), SAP_STR("/")));
}

static void environments(void)
{
	CHECK_INT(sap_proc_preload(SAP_STR("LD_PRELOAD=/x.so")), SAP_ENV_PRELOAD);
	CHECK_INT(sap_proc_preload(SAP_STR("LD_LIBRARY_PATH=/x")), SAP_ENV_LIBRARY_PATH);
	CHECK_INT(sap_proc_preload(SAP_STR("LD_AUDIT=/x")), SAP_ENV_AUDIT);
	CHECK_INT(sap_proc_preload(SAP_STR("LD_PRELOAD=")), 0);
	CHECK_INT(sap_proc_preload(SAP_STR("XLD_PRELOAD=/x.so")), 0);
	CHECK_INT(sap_proc_preload(SAP_STR("LD_PRELOADX=/x.so")), 0);
}

static void build_ids_of_any_bytes(void)
{
	unsigned char elf[200], broken[200];
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_reader reader;
	size_t n = 0;

	for (int big = 0; big < 2; big++) {
		n = make_elf(elf, ID_A, big);
		reader = sap_reader_memory(sap_span_of(elf, n));
		CHECK_STR(sap_build_id_read(&reader, hex), ID_A);
		for (size_t cut = 0; cut < n; cut++) {
			reader = sap_reader_memory(sap_span_of(elf, cut));
			CHECK_INT(sap_build_id_read(&reader, hex).n, 0);
		}
		for (size_t bit = 0; bit < n * 8; bit++) {
			memcpy(broken, elf, n);
			broken[bit / 8] ^= (unsigned char)(1 << bit % 8);
			reader = sap_reader_memory(sap_span_of(broken, n));
			CHECK(sap_build_id_read(&reader, hex).n <= sizeof(hex));
		}
	}
}

/* ---- made-up processes ---- */

static void check_made_up(const struct sap_evidence *e)
{
	static const struct {
		const char *path;
		enum sap_stale stale;
		const char *build_id, *new_build_id;
	} files[] = {
		{ "/bin/prog", SAP_STALE_NO, ID_A, "" },
		{ "/lib/a.so", SAP_STALE_NO, ID_A, "" },
		{ "/lib/b.so", SAP_STALE_REPLACED, "", ID_B },
		{ "/lib/gone.so", SAP_STALE_DELETED, "", "" },
		{ "/lib/real (deleted)", SAP_STALE_NO, ID_A, "" },
		{ "/lib/line\nend.so", SAP_STALE_NO, ID_B, "" },
		{ "/lib/back\\012slash.so", SAP_STALE_NO, ID_B, "" },
		{ "/memfd:jit (deleted)", SAP_STALE_DELETED, "", "" },
		{ "/lib/old.so", SAP_STALE_DELETED, ID_B, "" },
	};
	const struct sap_seen_process *p = find_process(e, 100);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct sap_seen_file *f = find_file(e, files[i].path);

		if (!CHECK(f != NULL))
			continue;
		CHECK_INT(f->stale, files[i].stale);
		CHECK_STR(f->build_id, files[i].build_id);
		CHECK_STR(f->new_build_id, files[i].new_build_id);
		CHECK_INT(f->root, 0);
		CHECK_INT(f->n_processes, 1 + (i == 1) * 2);
	}
	CHECK(!find_file(e, "[vdso]") && !find_file(e, "/lib/data.so"));
	if (!CHECK(p != NULL))
		return;
	CHECK_STR(p->comm, "pr) og");
	CHECK_STR(p->unit, "a.service");
	CHECK_INT(p->start, 1700000000000000000 + 1000 * (1000000000 / sysconf(_SC_CLK_TCK)));
	CHECK_INT(p->preloads, SAP_ENV_AUDIT);
	CHECK_INT(p->ppid, 1);
	CHECK_INT(p->exposure, SAP_EXPOSURE_NETWORK);
	CHECK(listens(e, 100, "0.0.0.0:80/tcp") && listens(e, 100, "/run/x.sock"));
	if (CHECK(p->exe != SAP_NONE)) {
		CHECK_STR(e->files.v[p->exe].path, "/bin/prog");
		CHECK(e->files.v[p->exe].is_program);
	}
}

static void check_other_roots(const struct sap_evidence *e)
{
	const struct sap_seen_process *p = find_process(e, 102);
	const struct sap_seen_file *f = find_file(e, "/lib/jailed.so");

	if (CHECK(p && f)) { /* a chroot: what it mapped before is the host's */
		CHECK_INT(f->root, p->root);
		CHECK_INT(f->stale, SAP_STALE_NO);
		CHECK(uses(e, "/lib/a.so", 102));
		CHECK_INT(p->exposure, SAP_EXPOSURE_NONE);
	}
	p = find_process(e, 103); /* a mount namespace of its own, the same root folder */
	if (CHECK(p != NULL)) {
		CHECK(p->root != 0);
		CHECK(uses(e, "/lib/a.so", 103));
	}
	p = find_process(e, 104);
	f = find_file(e, "/lib/inside.so");
	if (CHECK(p && f)) {
		CHECK_INT(f->root, p->root);
		CHECK_STR(p->container, DOCKER);
		CHECK_STR(e->roots.v[p->root].container, DOCKER);
		CHECK_INT(e->roots.v[p->root].mnt_ns, 3);
		CHECK_INT(e->roots.v[p->root].pid, 104);
	}
}

static void made_up_processes(void)
{
	struct sap_snapshot_options options = *made_up();
	struct sap_evidence *e = sap_evidence_new();
	struct sap_err err;
	int64_t start;
	size_t files;

	put_made_up();
	if (CHECK_OK(sap_snapshot_take(e, made_up(), &err), &err)) {
		CHECK_INT(e->processes_seen, 4);
		CHECK_INT(e->processes_hidden, 1);
		CHECK_STR(e->host, "made-up");
		CHECK_STR(e->means.maps, "/proc");
		CHECK(e->start > 0 && e->start == e->end);
		check_made_up(e);
		check_other_roots(e);
	}
	/* Again: nothing is new, the start of the window stays; the boot time may have moved. */
	start = e->start;
	files = e->files.n;
	put_text("proc/stat", "btime 1700000001\n");
	CHECK_OK(sap_snapshot_take(e, made_up(), &err), &err);
	CHECK_INT(e->processes_seen, 4);
	CHECK_INT(e->files.n, files);
	CHECK(e->start == start && e->end > start);
	CHECK_OK(sap_snapshot_end_gone(e, options.proc, e->end, &err), &err);
	CHECK(find_process(e, 100) && find_process(e, 104));
	/* Another process with the same number; one is gone. */
	put_process(100, "other", 0, 'S', "host", 1, "0::/\n", "");
	put_text("proc/100/stat", "100 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0\n");
	put_text("proc/104/stat", "100 (x) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1040 0\n");
	CHECK_OK(sap_snapshot_end_gone(e, options.proc, e->end, &err), &err);
	CHECK(!find_process(e, 100) && !find_process(e, 104) && find_process(e, 103));
	sap_evidence_free(e);

	e = sap_evidence_new();
	options.cgroup = "docker";
	put_process(104, "contained", 0, 'S', "container", 3, "0::/docker/" DOCKER "\n",
		    "1000-2000 r-xp 0 0:0 5 /x\n");
	CHECK_OK(sap_snapshot_take(e, &options, &err), &err);
	CHECK_INT(e->processes_seen, 1);
	CHECK(find_process(e, 104) != NULL);
	sap_evidence_free(e);
}

static void sockets_that_cannot_be_read_are_not_none(void)
{
	struct sap_evidence *e = sap_evidence_new();
	struct sap_err err;
	char name[64];

	put_made_up();
	for (int pid = 100; pid < 105; pid++) {
		snprintf(name, sizeof(name), "proc/%d/net/udp", pid);
		unlink(in_top(name));
	}
	put_text("proc/103/net/udp", "");
	put_link("proc/103/ns/net", "net:[8]");
	unlink(in_top("proc/104/fd/0"));
	rmdir(in_top("proc/104/fd"));
	if (CHECK_OK(sap_snapshot_take(e, made_up(), &err), &err)) {
		CHECK_INT(find_process(e, 100)->exposure, SAP_EXPOSURE_NETWORK);
		CHECK_INT(find_process(e, 102)->exposure, SAP_EXPOSURE_UNKNOWN);
		CHECK_INT(find_process(e, 103)->exposure, SAP_EXPOSURE_NONE);
		CHECK_INT(find_process(e, 104)->exposure, SAP_EXPOSURE_UNKNOWN);
	}
	sap_evidence_free(e);
}

static void hidepid_is_told(void)
{
	struct sap_evidence *e = sap_evidence_new();
	struct sap_err err;
	char text[256];

	snprintf(text, sizeof(text), "21 1 0:20 / %s rw - proc proc rw,hidepid=invisible\n",
		 in_top("proc"));
	put_text("proc/self/mountinfo", text);
	CHECK_OK(sap_snapshot_take(e, made_up(), &err), &err);
	CHECK_STR(e->means.maps, "/proc (hidepid: others are invisible)");
	unlink(in_top("proc/self/mountinfo"));
	sap_evidence_free(e);
}

static void no_such_folder(void)
{
	const struct sap_snapshot_options options = { .proc = in_top("none") };
	struct sap_evidence *e = sap_evidence_new();
	struct sap_err err;
	uint32_t process;

	CHECK_INT(sap_snapshot_take(e, &options, &err), SAP_ENOENT);
	CHECK_INT(sap_snapshot_take(e, &options, NULL), SAP_ENOENT);
	CHECK_INT(sap_snapshot_process(e, made_up(), 99999, true, &process, NULL), SAP_ENOENT);
	CHECK_INT(sap_snapshot_process(e, made_up(), 2, true, &process, &err), SAP_ENOENT);
	CHECK_INT(sap_snapshot_process(e, made_up(), 101, true, &process, &err), SAP_EIO);
	CHECK_INT(e->processes.n, 0);
	if (CHECK_OK(sap_snapshot_process(e, made_up(), 103, false, &process, &err), &err)) {
		CHECK_INT(e->processes.v[process].pid, 103);
		CHECK_INT(e->uses.n, 0);
	}
	sap_evidence_free(e);
}

/* ---- processes of our own ---------------------------------------------------------------- */

static bool map_libraries(void)
{
	int fd = memfd_create("code", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4096) < 0 ||
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED)
		return false;
	close(fd);
	return map_file(in_top("real/same.so")) && map_file(in_top("real/replaced.so")) &&
	       map_file(in_top("real/gone.so")) && map_file(in_top("real/gone\n.so")) &&
	       map_file(in_top("real/x (deleted)")) && map_file(in_top("real/later.so"));
}

static void check_file(const struct sap_evidence *e, const char *name, enum sap_stale stale,
		       const char *id, const char *new_id)
{
	const struct sap_seen_file *f = find_file(e, in_top(name));

	if (!CHECK(f != NULL))
		return;
	CHECK_INT(f->stale, stale);
	CHECK_STR(f->new_build_id, new_id);
	if (geteuid() == 0 || stale == SAP_STALE_NO)
		CHECK_STR(f->build_id, id);
}

static void check_opening(const struct sap_evidence *e, const struct child *child, const char *name,
			  const char *id)
{
	const struct sap_seen_file *f = find_file(e, in_top(name));
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_reader reader;
	struct sap_file_id got;
	struct sap_err err;
	int fd = -1;

	if (!f || !CHECK_OK(sap_snapshot_open("/proc", child->pid, f, &fd, &got, &err), &err))
		return;
	CHECK(got.dev == f->id.dev && got.ino == f->id.ino && got.ctime > 0);
	reader = sap_reader_fd(fd, 4096);
	CHECK_STR(sap_build_id_read(&reader, hex), id);
	close(fd);
}

static void libraries_that_are_replaced_and_deleted(void)
{
	static const char *const names[] = {
		"real/same.so",   "real/replaced.so", "real/gone.so",
		"real/gone\n.so", "real/x (deleted)", "real/later.so"
	};
	struct sap_evidence *e;
	struct child child;
	struct sap_err err;
	size_t files;

	for (size_t i = 0; i < 6; i++)
		put_elf(names[i], ID_A);
	child = start_child(map_libraries);
	if (child.ready != 1) {
		check_skip(__func__, "the scratch folder does not allow executable mappings");
		end_child(&child);
		return;
	}
	put_elf("real/new.so", ID_B);
	CHECK_INT(rename(in_top("real/new.so"), in_top("real/replaced.so")), 0);
	unlink(in_top("real/gone.so"));
	unlink(in_top("real/gone\n.so"));
	e = take_one(NULL, &child.pid);
	CHECK_INT(e->processes_seen, 1);
	check_file(e, "real/same.so", SAP_STALE_NO, ID_A, "");
	check_file(e, "real/replaced.so", SAP_STALE_REPLACED, ID_A, ID_B);
	check_file(e, "real/gone.so", SAP_STALE_DELETED, ID_A, "");
	check_file(e, "real/gone\n.so", SAP_STALE_DELETED, ID_A, "");
	check_file(e, "real/x (deleted)", SAP_STALE_NO, ID_A, "");
	check_file(e, "real/later.so", SAP_STALE_NO, ID_A, "");
	CHECK(find_file(e, "/memfd:code (deleted)") != NULL);
	check_opening(e, &child, "real/same.so", ID_A);
	if (geteuid() == 0) {
		check_opening(e, &child, "real/replaced.so", ID_A);
		check_opening(e, &child, "real/gone.so", ID_A);
	} else {
		check_skip("opening what has no path", "map_files needs root");
	}

	/* Later: the same entry says so, whichever call looks. */
	files = e->files.n;
	unlink(in_top("real/x (deleted)"));
	put_elf("real/new.so", ID_B);
	CHECK_INT(rename(in_top("real/new.so"), in_top("real/later.so")), 0);
	CHECK_OK(sap_snapshot_stale(e, "/proc", &err), &err);
	check_file(e, "real/x (deleted)", SAP_STALE_DELETED, ID_A, "");
	check_file(e, "real/later.so", SAP_STALE_REPLACED, ID_A, ID_B);
	check_file(e, "real/same.so", SAP_STALE_NO, ID_A, "");
	take_one(e, &child.pid);
	check_file(e, "real/later.so", SAP_STALE_REPLACED, ID_A, ID_B);
	CHECK_INT(e->files.n, files);
	CHECK_INT(e->processes_seen, 1);
	end_child(&child);
	CHECK_OK(sap_snapshot_end_gone(e, "/proc", e->end, &err), &err);
	CHECK(!find_process(e, child.pid));
	sap_evidence_free(e);
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void a_process_whose_first_thread_has_ended(void)
{
	struct sap_evidence *e;
	char name[64], text[512];
	pthread_t thread;
	pid_t pid = fork();
	int tries;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, wait_for_ever, NULL) == 0)
			pthread_exit(NULL);
		_exit(1);
	}
	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	for (tries = 0; tries < 1000; tries++) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		close(fd);
		text[n > 0 ? n : 0] = '\0';
		if (strstr(text, ") Z"))
			break;
		usleep(10000);
	}
	CHECK(tries < 1000);
	e = take_one(NULL, &pid);
	CHECK_INT(e->processes_seen, 1);
	CHECK_INT(e->processes_hidden, 0);
	CHECK(e->uses.n > 0 && find_process(e, pid) && find_process(e, pid)->exe != SAP_NONE);
	end_child(&(struct child){ .pid = pid });
	sap_evidence_free(e);
}

static char ports[5][80]; /* what the child listens on, as text */

static bool listen_on(int family, int type, const char *address, char text[static 80])
{
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	socklen_t n = family == AF_INET ? sizeof(*v4) : sizeof(*v6);
	int fd = socket(family, type, 0), on = 1;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd < 0 ||
	    inet_pton(family, address,
		      family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&a, n) < 0 || (type == SOCK_STREAM && listen(fd, 1) < 0) ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return false;
	snprintf(text, 80, family == AF_INET ? "%s:%u/%s" : "[%s]:%u/%s", address,
		 (unsigned)ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port),
		 type == SOCK_STREAM ? "tcp" : "udp");
	return true;
}

static bool listen_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s k", top);
	return fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0;
}

static bool hold_sockets(void)
{
	return true; /* they are inherited */
}

static void who_listens(void)
{
	struct child quiet = start_child(hold_sockets), child;
	struct sap_evidence *e = take_one(NULL, &quiet.pid);
	bool v6, held = true;

	CHECK_INT(find_process(e, quiet.pid)->exposure, SAP_EXPOSURE_NONE);
	sap_evidence_free(e);
	held &= listen_on(AF_INET, SOCK_STREAM, "127.0.0.1", ports[0]);
	held &= listen_unix();
	child = start_child(hold_sockets);
	CHECK(held);
	e = take_one(NULL, &child.pid);
	CHECK_INT(find_process(e, child.pid)->exposure, SAP_EXPOSURE_LOCAL);
	CHECK(listens(e, child.pid, ports[0]));
	CHECK(listens(e, child.pid, in_top("s k")));
	end_child(&child);
	sap_evidence_free(e);

	CHECK(listen_on(AF_INET, SOCK_STREAM, "0.0.0.0", ports[1]));
	CHECK(listen_on(AF_INET, SOCK_DGRAM, "127.0.0.1", ports[2]));
	v6 = listen_on(AF_INET6, SOCK_STREAM, "::", ports[3]) &&
	     listen_on(AF_INET6, SOCK_DGRAM, "::1", ports[4]);
	if (!v6)
		check_skip("IPv6 sockets", "no IPv6 here");
	child = start_child(hold_sockets);
	e = take_one(NULL, &child.pid);
	CHECK_INT(find_process(e, child.pid)->exposure, SAP_EXPOSURE_NETWORK);
	for (int i = 0; i < (v6 ? 5 : 3); i++)
		CHECK(listens(e, child.pid, ports[i]));
	end_child(&child);
	end_child(&quiet);
	sap_evidence_free(e);
}

static bool enter_jail(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", in_top("jail/only"), "tmpfs", 0, "mode=755") == 0 &&
	       (put_elf("jail/only/here.so", ID_B), true) && map_file(in_top("real/outer.so")) &&
	       chroot(in_top("jail")) == 0 && chdir("/") == 0 && map_file("/lib/inner.so") &&
	       map_file("/only/here.so");
}

static void a_mount_namespace_and_a_chroot(void)
{
	const struct sap_seen_process *p;
	const struct sap_seen_file *f;
	struct sap_evidence *e;
	struct child child;
	struct sap_err err;

	put_elf("real/outer.so", ID_A);
	put_elf("jail/lib/inner.so", ID_A);
	mkdir(in_top("jail/only"), 0755);
	child = start_child(enter_jail);
	if (child.ready != 1) {
		check_skip(__func__, "no right to make a mount namespace");
		end_child(&child);
		return;
	}
	put_elf("jail/lib/new.so", ID_B);
	CHECK_INT(rename(in_top("jail/lib/new.so"), in_top("jail/lib/inner.so")), 0);
	e = take_one(NULL, &child.pid);
	p = find_process(e, child.pid);
	for (int again = 0; again < 2 && CHECK(p && p->root); again++) {
		f = find_file(e, "/lib/inner.so");
		if (CHECK(f != NULL)) {
			CHECK_INT(f->root, p->root);
			CHECK_INT(f->stale, SAP_STALE_REPLACED);
			CHECK_STR(f->build_id, ID_A);
			CHECK_STR(f->new_build_id, ID_B);
		}
		f = find_file(e, "/only/here.so"); /* no other namespace has it */
		if (CHECK(f != NULL)) {
			CHECK_INT(f->root, p->root);
			CHECK_INT(f->stale, SAP_STALE_NO);
			CHECK_STR(f->build_id, ID_B);
		}
		CHECK_OK(sap_snapshot_stale(e, "/proc", &err), &err);
	}
	CHECK(p && p->exe != SAP_NONE);
	/* It mapped this before, through a root that nobody has now whom we looked at. */
	f = find_file(e, in_top("real/outer.so"));
	if (CHECK(f != NULL)) {
		CHECK_INT(f->stale, SAP_STALE_NO);
		CHECK_INT(f->root, 0);
	}
	unlink(in_top("real/outer.so"));
	sap_evidence_free(e);
	e = take_one(NULL, &child.pid);
	CHECK_OK(sap_snapshot_stale(e, "/proc", &err), &err);
	f = find_file(e, in_top("real/outer.so"));
	if (CHECK(f != NULL))
		CHECK_INT(f->stale, SAP_STALE_UNKNOWN);
	end_child(&child);
	sap_evidence_free(e);
}

static bool private_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && map_file(in_top("real/outer.so"));
}

static void private_mounts_keep_the_files_of_the_host(void)
{
	struct child child;
	const struct sap_seen_process *p;
	const struct sap_seen_file *f;
	struct sap_evidence *e;

	put_elf("real/outer.so", ID_A);
	child = start_child(private_mounts);
	if (child.ready == 1) {
		e = take_one(NULL, &child.pid);
		p = find_process(e, child.pid);
		f = find_file(e, in_top("real/outer.so"));
		CHECK(p && f && p->root != 0 && f->root == 0 && f->stale == SAP_STALE_NO);
		sap_evidence_free(e);
	} else {
		check_skip(__func__, "no right to make a mount namespace");
	}
	end_child(&child);
}

static void programs_with_names_that_load_code(void)
{
	int fds[2];
	pid_t pid;
	struct sap_evidence *e;
	const struct sap_seen_process *p;
	char byte;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char *env[] = { (char[]){ "LD_LIBRARY_PATH=/none" }, (char[]){ "LD_PRELOAD=" },
				(char[]){ "Z=LD_AUDIT=x" }, NULL };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execle("/bin/sleep", "sleep", "1000", (char *)NULL, env);
		_exit(127);
	}
	close(fds[1]);
	CHECK_INT(read(fds[0], &byte, 1), 0); /* the program has begun */
	close(fds[0]);
	e = take_one(NULL, &pid);
	p = find_process(e, pid);
	if (CHECK(p != NULL)) {
		CHECK_INT(p->preloads, SAP_ENV_LIBRARY_PATH);
		CHECK_STR(p->comm, "sleep");
		CHECK_INT(p->ppid, getpid());
		CHECK(p->start / 1000000000 <= (uint64_t)time(NULL) + 2 &&
		      p->start / 1000000000 + 3600 > (uint64_t)time(NULL));
		CHECK(p->exe != SAP_NONE && e->files.v[p->exe].is_program);
	}
	end_child(&(struct child){ .pid = pid });
	sap_evidence_free(e);
}

/* As another user: one's own processes, and how many could not be seen. */
static bool look_as_nobody(void)
{
	const struct sap_snapshot_options options = { .pids = (int32_t[]){ getppid(), getpid() },
						      .n_pids = 2,
						      .sockets = true,
						      .build_ids = true };
	struct sap_evidence *e = sap_evidence_new();
	const struct sap_seen_file *same, *gone;
	bool ok = setgid(65534) == 0 && setuid(65534) == 0 && map_file(in_top("real/same.so")) &&
		  map_file(in_top("real/gone.so"));

	unlink(in_top("real/gone.so"));
	rename(in_top("real/new.so"), in_top("real/gone.so"));
	ok = ok && sap_snapshot_take(e, &options, NULL) == 0 && e->processes_seen == 1 &&
	     e->processes_hidden == 1;
	same = find_file(e, in_top("real/same.so"));
	gone = find_file(e, in_top("real/gone.so"));
	ok = ok && same && same->stale == SAP_STALE_NO && same->build_id.n && same->id.ctime &&
	     gone && gone->stale == SAP_STALE_REPLACED && gone->id.ctime == 0 &&
	     gone->build_id.n == 0 && sap_str_eq(gone->new_build_id, SAP_STR(ID_B));
	sap_evidence_free(e);
	return ok;
}

static void without_rights(void)
{
	struct child child;

	if (geteuid() != 0) {
		check_skip(__func__, "needs root, to become another user");
		return;
	}
	put_elf("real/same.so", ID_A);
	put_elf("real/gone.so", ID_A);
	put_elf("real/new.so", ID_B);
	CHECK_INT(chmod(top, 0755) | chmod(in_top("real"), 0777), 0);
	child = start_child(look_as_nobody);
	CHECK_INT(child.ready, 1);
	end_child(&child);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || strlen(tmp) > 30)
		tmp = "/tmp";
	snprintf(top, sizeof(top), "%s/sap-snapshot-XXXXXX", tmp);
	if (!CHECK(mkdtemp(top) != NULL))
		return check_done();
	a_stat_line_whose_name_is_hostile();
	lines_of_maps();
	lines_of_sockets();
	units_and_containers();
	environments();
	build_ids_of_any_bytes();
	made_up_processes();
	sockets_that_cannot_be_read_are_not_none();
	hidepid_is_told();
	no_such_folder();
	libraries_that_are_replaced_and_deleted();
	a_process_whose_first_thread_has_ended();
	who_listens();
	a_mount_namespace_and_a_chroot();
	private_mounts_keep_the_files_of_the_host();
	programs_with_names_that_load_code();
	without_rights();
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return check_done();
}
