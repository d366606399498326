/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure OUT COMMAND...: runs a command with its output thrown away and writes to OUT the wall
 * seconds, the peak resident KiB of its largest process, the exit status, and the processor
 * seconds (user and system) of all its processes. A small program does it because a child's peak
 * is never below the size of the process that started it.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t files;
	struct timespec start, end;
	struct rusage usage;
	int status = 0;
	pid_t child;

	if (argc < 3)
		return 2;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (posix_spawnp(&child, argv[2], &files, NULL, argv + 2, environ) != 0 ||
	    wait4(child, &status, 0, &usage) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &end);

	FILE *out = fopen(argv[1], "w");

	if (!out)
		return 1;
	posix_spawn_file_actions_destroy(&files);
	fprintf(out, "%.9f %ld %d %.6f\n",
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
		usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	return fclose(out) ? 1 : 0;
}
