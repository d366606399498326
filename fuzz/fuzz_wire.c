/* SPDX-License-Identifier: Apache-2.0 */
/* A packet of any bytes: what sap_wire_next lets through must be safe to use as its struct. */
#include <stdlib.h>
#include <string.h>

#include "observe/wire.h"

static uint64_t sum(const void *p, uint64_t n)
{
	const unsigned char *bytes = p;
	uint64_t total = 0;

	for (uint64_t i = 0; i < n; i++)
		total += bytes[i];
	return total;
}

/* Touches all that a reader may touch. */
static uint64_t use(const struct sap_wire_message *m)
{
	const struct sap_wire_map *map = m->body;
	const struct sap_wire_open *opened = m->body;
	const struct sap_wire_probe *probe = m->body;
	const struct sap_wire_ready *ready = m->body;
	const struct sap_wire_comm *comm = m->body;

	switch (m->type) {
	case SAP_WIRE_MAP:
		return sum(map->path, map->n_path) + sum(map->build_id, map->n_build_id);
	case SAP_WIRE_OPEN:
		return sum(opened->path, opened->n_path);
	case SAP_WIRE_PROBE:
		return sum(probe->offsets, probe->n * sizeof(uint64_t)) + probe->offsets[0];
	case SAP_WIRE_READY:
		return strlen(ready->maps) + strlen(ready->functions) + strlen(ready->opens);
	case SAP_WIRE_EXEC:
		return strlen(comm->comm);
	default:
		return sum(m->body, m->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_wire_message m;
	struct sap_err err = { 0 };
	unsigned char *packet;
	struct sap_span span;
	uint64_t total = 0;

	if (size > SAP_WIRE_PACKET_MAX)
		return 0;
	packet = malloc(size ? size : 1); /* aligned, and its end is its end */
	if (!packet)
		return 0;
	memcpy(packet, data, size);
	span = sap_span_of(packet, size);
	while (sap_wire_next(&span, &m, &err) == 1)
		total += use(&m);
	free(packet);
	return total == UINT64_MAX;
}
