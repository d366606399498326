/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of /proc/PID/cgroup:  HIERARCHY:CONTROLLERS:PATH  (cgroups(7)). The path may hold ':',
 * never a line end.
 *
 * Unit: the first component that is no slice, as systemd names it. What stands below belongs to
 * whom the unit was handed and can have any name, so it counts only in two cases:
 *     user@1000.service/app.slice/x.service   all of this, so that it cannot be taken for a unit of the system
 *     docker-ID.scope/system.slice/x.service  x.service, of the system inside the container
 *
 * Container: the last component that is one of
 *     ID                                       64 hexadecimal digits (docker, containerd, ECS)
 *     docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope, ...
 *     SLICE:cri-containerd:ID                  (systemd's notation under the cgroupfs driver)
 *     lxc/NAME, lxc.payload/NAME, lxc.payload.NAME
 *     machine-NAME.scope, systemd-nspawn@NAME.service/payload
 * The monitors of containers (conmon, lxc.monitor, nspawn's supervisor) and virtual machines are not in one.
 */
#include "observe/snapshot_int.h"

static struct sap_str cgroup_path(struct sap_str line)
{
	struct sap_str head, rest = line;

	if (line.n && line.p[0] == '/')
		return line;
	if (!sap_str_cut(line, ':', &head, &rest) || !sap_str_cut(rest, ':', &head, &rest))
		return (struct sap_str){ 0 };
	return rest;
}

/* Takes the next component off a path; empty ones are skipped. */
static bool next_component(struct sap_str *path, struct sap_str *out)
{
	do {
		if (path->n == 0)
			return false;
		sap_str_cut(*path, '/', out, path);
	} while (out->n == 0);
	return true;
}

static bool is_id(struct sap_str s)
{
	if (s.n != 64 || !s.p)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static struct sap_str without_end(struct sap_str s, struct sap_str end)
{
	if (sap_str_ends(s, end))
		s.n -= end.n;
	return s;
}

/* The id at the end of "crio-ID.scope", "SLICE:cri-containerd:ID", "ID"; else empty. */
static struct sap_str container_id(struct sap_str name)
{
	struct sap_str s = without_end(name, SAP_STR(".scope")), id;
	struct sap_str none = { 0 }, before;

	if (s.n < 64)
		return none;
	id = sap_str_skip(s, s.n - 64);
	if (!is_id(id))
		return none;
	before = (struct sap_str){ s.p, s.n - 64 };
	if (before.n == 0 || !before.p)
		return id;
	if (before.p[before.n - 1] != '-' && before.p[before.n - 1] != ':')
		return none;
	before.n--;
	return sap_str_ends(before, SAP_STR("conmon")) ? none : id;
}

/* A name that stands in the component itself. */
static struct sap_str container_name(struct sap_str c)
{
	struct sap_str s = container_id(c);

	if (s.n)
		return s;
	if (sap_str_starts(c, SAP_STR("lxc.payload.")))
		return sap_str_skip(c, sizeof("lxc.payload.") - 1);
	if (sap_str_starts(c, SAP_STR("machine-")) && sap_str_ends(c, SAP_STR(".scope")) &&
	    !sap_str_starts(c, SAP_STR("machine-qemu")))
		return sap_str_skip(without_end(c, SAP_STR(".scope")), sizeof("machine-") - 1);
	return s;
}

static struct sap_str find_container(struct sap_str path)
{
	const struct sap_str nspawn = SAP_STR("systemd-nspawn@");
	struct sap_str found = { 0 }, c, before = { 0 }, s;

	while (next_component(&path, &c)) {
		s = container_name(c);
		if (s.n == 0 && (sap_str_is(before, "lxc") || sap_str_is(before, "lxc.payload")))
			s = c;
		if (s.n == 0 && sap_str_is(c, "payload") && sap_str_starts(before, nspawn))
			s = without_end(sap_str_skip(before, nspawn.n), SAP_STR(".service"));
		if (s.n)
			found = s;
		else if (sap_str_is(c, "supervisor") && sap_str_ends(before, SAP_STR(".scope")))
			found = (struct sap_str){ 0 }; /* systemd-nspawn itself */
		before = c;
	}
	return found;
}

static bool is_unit(struct sap_str c)
{
	static const struct sap_str ends[] = { SAP_STR_INIT(".service"), SAP_STR_INIT(".scope"),
					       SAP_STR_INIT(".socket"), SAP_STR_INIT(".mount"),
					       SAP_STR_INIT(".swap") };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (c.n > ends[i].n && sap_str_ends(c, ends[i]))
			return true;
	return false;
}

/* systemd puts '_' before a name that the kernel could take for a file of its own. */
static struct sap_str unescaped(struct sap_str c)
{
	return c.n && c.p[0] == '_' ? sap_str_skip(c, 1) : c;
}

/* The first component that is a unit, below any number of slices (and the groups that container
 * managers put between themselves and their container); *path is what follows. */
static struct sap_str first_unit(struct sap_str *path)
{
	struct sap_str c;

	while (next_component(path, &c)) {
		if (is_unit(c))
			return unescaped(c);
		if (!sap_str_ends(c, SAP_STR(".slice")) && !sap_str_is(c, "..") &&
		    !sap_str_is(c, "payload") && !sap_str_is(c, "container"))
			break;
	}
	return (struct sap_str){ 0 };
}

static struct sap_str find_unit(struct sap_str path, struct sap_str container)
{
	struct sap_str unit, inner, head;

	if (container.n) {
		size_t at = (size_t)(container.p - path.p);

		sap_str_cut(sap_str_skip(path, at), '/', &head, &inner);
		unit = first_unit(&inner);
		if (unit.n)
			return unit;
	}
	unit = first_unit(&path);
	if (sap_str_starts(unit, SAP_STR("user@")) && sap_str_ends(unit, SAP_STR(".service"))) {
		inner = first_unit(&path);
		if (inner.n && !sap_str_is(inner, "init.scope"))
			unit.n = (size_t)(inner.p + inner.n - unit.p);
	}
	return unit;
}

void sap_cgroup_parse(struct sap_str line, struct sap_str *unit, struct sap_str *container)
{
	struct sap_str path = cgroup_path(line);

	*container = find_container(path);
	*unit = find_unit(path, *container);
}

bool sap_cgroup_within(struct sap_str line, struct sap_str want)
{
	struct sap_str path = cgroup_path(line);
	bool whole = want.n && want.p[0] == '/';

	while (want.n && want.p[0] == '/')
		want = sap_str_skip(want, 1);
	while (want.n && want.p[want.n - 1] == '/')
		want.n--;
	if (want.n == 0)
		return true;
	while (path.n) {
		const char *slash;

		if (path.p[0] == '/')
			path = sap_str_skip(path, 1);
		if (sap_str_starts(path, want) && (path.n == want.n || path.p[want.n] == '/'))
			return true;
		slash = path.n ? memchr(path.p, '/', path.n) : NULL;
		if (whole || !slash)
			return false;
		path = sap_str_skip(path, (size_t)(slash - path.p));
	}
	return false;
}
