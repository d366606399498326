/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target as an ordinary test: runs LLVMFuzzerTestOneInput over every file of the
 * folders and files given, without an engine. Ends with "N passed, N failed".
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned passed, failed;

static void replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned char *data = NULL;
	struct stat st;

	if (!f || fstat(fileno(f), &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
	    fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
		fprintf(stderr, "%s: cannot read\n", path);
		failed++;
	} else {
		/* An allocation of exactly the size, so that ASan sees one byte too far. */
		unsigned char *exact = malloc(st.st_size ? (size_t)st.st_size : 1);

		if (exact) {
			memcpy(exact, data, (size_t)st.st_size);
			LLVMFuzzerTestOneInput(exact, (size_t)st.st_size);
			passed++;
		}
		free(exact);
	}
	free(data);
	if (f)
		fclose(f);
}

static void replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];

	if (!dir) {
		replay_file(path);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		replay_file(name);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
