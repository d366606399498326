/* SPDX-License-Identifier: Apache-2.0 */
/* The text of /proc and the notes of mapped files from any bytes. 
 * Every parser gets everything. */
#include "observe/snapshot_int.h"

#include <stdlib.h>

static void touch(struct sap_str s)
{
	volatile char last = 0;

	if (s.n)
		last = (char)(s.p[0] ^ s.p[s.n - 1]);
	(void)last;
}

static void maps_line(struct sap_str line)
{
	struct sap_proc_map m;
	struct sap_str stripped;
	char name[64], *buf;

	if (!sap_proc_map_parse(line, &m))
		return;
	sap_proc_map_counts(&m);
	sap_map_files_name(&m, name);
	touch(m.path);
	if (sap_proc_deleted(m.path, &stripped))
		touch(stripped);
	buf = malloc(m.path.n + 1);
	if (buf)
		touch(sap_proc_unescape(m.path, buf));
	free(buf);
}

static void net_line(struct sap_str line)
{
	for (unsigned net = SAP_NET_TCP; net <= SAP_NET_UNIX; net++) {
		struct sap_proc_socket s;
		char buf[80];

		if (!sap_proc_socket_parse(line, (enum sap_proc_net)net, &s))
			continue;
		touch(sap_proc_socket_text(&s, buf));
		sap_proc_socket_exposure(&s);
	}
}

static void cgroup_line(struct sap_str line)
{
	struct sap_str unit, container, head, rest;

	sap_cgroup_parse(line, &unit, &container);
	touch(unit);
	touch(container);
	sap_str_cut(line, '\n', &head, &rest);
	sap_cgroup_within(rest, head);
	sap_cgroup_within(head, rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_reader reader = sap_reader_memory(sap_span_of(data, size));
	struct sap_str text = { (const char *)data, size }, line;
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_proc_stat st;
	uint64_t number;

	touch(sap_build_id_read(&reader, hex));
	if (sap_proc_stat_parse(text, &st))
		touch(st.comm);
	sap_proc_bracket(text, SAP_STR("socket:"), &number);
	sap_proc_preload(text);
	cgroup_line(text);
	while (sap_str_line(&text, &line)) {
		maps_line(line);
		net_line(line);
		cgroup_line(line);
	}
	return 0;
}
