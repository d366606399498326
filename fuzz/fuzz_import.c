/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an input: as a document, whose format is recognised, and as a file, which may be
 * an archive. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const uint8_t *data, size_t size, bool as_file)
{
	const struct sap_import_options options = { .name = "input", .replace = size % 2 };
	struct sap_arena arena;
	struct sap_rows rows;
	int fd = as_file ? memfd_create("input", 0) : -1;

	sap_arena_init(&arena, 0);
	sap_rows_init(&rows, fuzz_check_rows, &arena);
	if (!as_file)
		sap_import_memory((struct sap_str){ (const char *)data, size }, NULL, &options,
				  &rows, NULL);
	else if (fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0)
		sap_import_fd(fd, &options, &rows, NULL);
	if (fd >= 0)
		close(fd);
	sap_rows_clear(&rows);
	sap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What no archive begins with is the same either way, and memory is faster. */
	bool text = size > 0 && (data[0] == '{' || data[0] == '[' || data[0] == '#');

	run(data, size, !text);
	return 0;
}
