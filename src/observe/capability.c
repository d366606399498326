/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/capability.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/span.h"
#include "observe/opens.h"
#include "observe/perf.h"
#include "observe/probe.h"

enum { FILES_WANTED = 1 << 20, HIT_MS = 2000, SETTING_BYTES = 64, TRY_PAGES = 8 };

/* ---- rights ----------------------------------------------------------------------------- */

static bool get_sets(struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &h, sets) == 0;
}

uint64_t sap_rights_effective(void)
{
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (!get_sets(sets))
		return 0;
	return sets[0].effective | (uint64_t)sets[1].effective << 32;
}

bool sap_rights_split(void)
{
	return prctl(PR_CAPBSET_READ, CAP_BPF, 0, 0, 0) >= 0;
}

/* As far up as it goes: to wanted, else to what the hard limit is. */
static void raise_limit(__rlimit_resource_t which, rlim_t wanted)
{
	struct rlimit now, up = { .rlim_cur = wanted, .rlim_max = wanted };

	if (getrlimit(which, &now) < 0)
		return;
	if (now.rlim_max >= wanted)
		up.rlim_max = now.rlim_max;
	if (now.rlim_cur >= wanted || setrlimit(which, &up) == 0)
		return;
	up.rlim_cur = up.rlim_max = now.rlim_max;
	(void)setrlimit(which, &up);
}

void sap_rights_limits(void)
{
	struct rlimit none = { 0 };

	raise_limit(RLIMIT_NOFILE, FILES_WANTED); /* single probes: a descriptor each */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int sap_rights_keep(uint64_t keep, struct sap_err *err)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sap_err_sys(err, errno, "cannot set no_new_privs");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* Needs CAP_SETPCAP; without it there is nothing that exec could give back. */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep & SAP_RIGHT(cap)))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (!get_sets(sets))
		return sap_err_sys(err, errno, "cannot read the capabilities");
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t part = (uint32_t)(keep >> (32 * i));

		sets[i].permitted &= part;
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &h, sets) < 0)
		return sap_err_sys(err, errno, "cannot give capabilities away");
	return 0;
}

/* ---- what can be done ------------------------------------------------------------------- */

/* Appends "NAME=VALUE " where the file can be read. */
static void add_setting(char *to, size_t size, const char *path, const char *name)
{
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[SETTING_BYTES];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	size_t used = strlen(to);
	struct sap_str value;

	if (n <= 0)
		return;
	value = sap_str_trim((struct sap_str){ text, (size_t)n });
	(void)snprintf(to + used, size - used, "%s%s=%.*s", used ? " " : "", name, SAP_FMT(value));
}

static void settle(struct sap_capability_item *item, bool can, const char *text)
{
	item->can = can;
	(void)snprintf(item->text, sizeof(item->text), "%s", text);
}

static void try_maps(struct sap_capabilities *out)
{
	struct sap_perf_options all = { .build_ids = true, .pages = TRY_PAGES };
	struct sap_perf_options own = { .build_ids = true, .pages = TRY_PAGES, .pid = getpid() };
	struct sap_err err = { 0 };
	struct sap_perf *p = NULL;
	bool any, one, build_ids;

	any = sap_perf_new(&all, &p, &err) == 0;
	settle(&out->maps, any, any ? "perf MMAP2" : err.text);
	build_ids = any && sap_perf_build_ids(p);
	sap_perf_free(p);
	p = NULL;
	one = sap_perf_new(&own, &p, &err) == 0;
	settle(&out->child_maps, one, one ? "perf MMAP2, inherited" : err.text);
	any |= one;
	build_ids |= one && sap_perf_build_ids(p);
	sap_perf_free(p);
	settle(&out->build_ids, build_ids,
	       build_ids ? "perf MMAP2; else read from the files"
	       : any     ? "read from the files; a kernel from 5.12 on would tell them"
			 : "read from the files; no mappings are told");
}

/* What is probed: never called but for that. The work in it keeps it from being folded. */
static __attribute__((noinline)) unsigned probed_function(volatile unsigned *x)
{
	*x += 1;
	return *x;
}

struct place {
	uintptr_t address;
	uint64_t offset;
	bool found;
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct place *place = ctx;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = (uintptr_t)(info->dlpi_addr + h->p_vaddr);

		if (h->p_type != PT_LOAD || place->address < start ||
		    place->address - start >= h->p_filesz)
			continue;
		place->offset = h->p_offset + (place->address - start);
		place->found = true;
	}
	return 1; /* the first object is this program */
}

static int note_refused(void *ctx, uint32_t cookie, int error, struct sap_err *err)
{
	int *kept = ctx;

	(void)cookie;
	(void)err;
	*kept = error;
	return 0;
}

static int note_hit(void *ctx, uint32_t cookie, int32_t pid, int64_t when, struct sap_err *err)
{
	uint32_t *hits = ctx;

	(void)cookie;
	(void)when;
	(void)err;
	*hits += pid == getpid();
	return 0;
}

/* A probe on probed_function, which is then called. */
static int try_probe(struct sap_probes *p, struct sap_err *err)
{
	struct place place = { .address = (uintptr_t)probed_function };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pollfd wait = { .fd = sap_probes_fd(p), .events = POLLIN };
	uint32_t placed = 0, hits = 0;
	volatile unsigned x = 0;
	uint64_t lost = 0;
	int refused = 0;
	int r;

	(void)dl_iterate_phdr(find_offset, &place);
	if (fd < 0 || !place.found) {
		sap_close_fd(&fd);
		return sap_err_set(err, SAP_EUNSUPPORTED, "this program's own file cannot be read");
	}
	r = sap_probes_file(p, 1, fd, err);
	if (r == 0)
		r = sap_probes_place(p, 1, 1, &place.offset, 1, note_refused, &refused, &placed,
				     err);
	if (r < 0)
		return r;
	if (placed == 0)
		return sap_err_sys(err, refused, "the kernel refuses a probe");
	(void)probed_function(&x);
	(void)poll(&wait, 1, HIT_MS);
	r = sap_probes_read(p, note_hit, &hits, &lost, err);
	if (r == 0 && hits == 0)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "a probe was placed, but nothing was heard of it");
	return r;
}

static void try_functions(struct sap_capability_item *item, bool single)
{
	struct sap_probe_options options = { .single = single, .hits_max = 64 };
	struct sap_probes *p = NULL;
	struct sap_err err = { 0 };
	int r = sap_probes_new(&options, &p, &err);

	if (r == 0)
		r = try_probe(p, &err);
	settle(item, r == 0, r == 0 ? sap_probes_means(p) : err.text);
	sap_probes_free(p);
}

static void try_opens(struct sap_capability_item *item)
{
	struct sap_opens *o = NULL;
	struct sap_err err = { 0 };
	int r = sap_opens_new(&o, &err);

	if (r == 0)
		r = sap_opens_mount(o, AT_FDCWD, &err);
	settle(item, r == 0, r == 0 ? "fanotify" : err.text);
	sap_opens_free(o);
}

int sap_capabilities_try(struct sap_capabilities *out, struct sap_err *err)
{
	struct utsname name;

	*out = (struct sap_capabilities){ 0 };
	if (uname(&name) < 0)
		return sap_err_sys(err, errno, "uname");
	(void)snprintf(out->kernel, sizeof(out->kernel), "%.60s %.30s", name.release, name.machine);
	add_setting(out->settings, sizeof(out->settings), "/proc/sys/kernel/perf_event_paranoid",
		    "kernel.perf_event_paranoid");
	add_setting(out->settings, sizeof(out->settings), "/proc/sys/kernel/perf_event_mlock_kb",
		    "kernel.perf_event_mlock_kb");
	add_setting(out->settings, sizeof(out->settings),
		    "/proc/sys/kernel/unprivileged_bpf_disabled",
		    "kernel.unprivileged_bpf_disabled");
	add_setting(out->settings, sizeof(out->settings), "/sys/kernel/security/lockdown",
		    "lockdown");
	try_maps(out);
	try_functions(&out->functions, false);
	try_functions(&out->single, true);
	try_opens(&out->opens);
	return 0;
}
