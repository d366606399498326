/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/fd.h"
#include "extract/extract_int.h"

/* Descriptors are few in the sandbox: SAP_WORKER_FILES_MAX for all threads together. */
enum { OPEN_MAX = 24, CLOSED_MAX = 100000 };

void sap_folders_init(struct sap_folders *folders, struct sap_input *input, bool open)
{
	*folders = (struct sap_folders){ .input = input, .open = open };
	sap_arena_init(&folders->arena, 0);
}

static void forget(struct sap_folders *folders)
{
	for (size_t i = 0; i < folders->list.n; i++)
		sap_close_fd(&folders->list.v[i].fd);
	folders->list.n = 0;
	sap_pool_free(folders->names);
	folders->names = NULL;
	sap_arena_reset(&folders->arena);
}

static int why_not(const struct sap_err *fault)
{
	if (fault->code == SAP_ENOENT)
		return ENOENT;
	return fault->sys_errno ? fault->sys_errno : EIO;
}

void sap_folders_clear(struct sap_folders *folders)
{
	forget(folders);
	sap_vec_clear(&folders->list);
	sap_arena_clear(&folders->arena);
}

struct sap_folder *sap_folders_get(struct sap_folders *folders, struct sap_str dir)
{
	const size_t max = folders->open ? OPEN_MAX : CLOSED_MAX;
	struct sap_folder *folder;
	struct sap_err fault = { 0 };
	uint32_t id;

	if (folders->list.n >= max)
		forget(folders);
	if (!folders->names)
		folders->names = sap_pool_new();
	if (!folders->names)
		return NULL;
	/* The pool has the empty text as 0; folders count from 1. */
	id = sap_pool_put(folders->names, dir.n ? dir : SAP_STR("/"));
	if (id == UINT32_MAX)
		return NULL;
	if (id - 1 < folders->list.n)
		return &folders->list.v[id - 1];
	folder = SAP_VEC_PUSH(&folders->list, max);
	if (!folder)
		return NULL;
	folder->fd = -1;
	if (sap_input_canonical(folders->input, sap_pool_str(folders->names, id), &folders->arena,
				&folder->canonical, NULL, &fault) < 0) {
		folder->canonical = SAP_STR("");
		folder->why = why_not(&fault);
		return folder;
	}
	if (folders->open &&
	    sap_input_dir_open(folders->input, folder->canonical, &folder->fd, &fault) < 0)
		folder->why = why_not(&fault);
	return folder;
}
