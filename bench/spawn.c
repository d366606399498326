/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn COUNT PROGRAM: runs the program so many times, one after the other, and prints the
 * seconds that took and the processor seconds of all of it.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage own, theirs;

	if (argc != 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long n = strtol(argv[1], NULL, 10); n > 0; n--) {
		char *const args[] = { argv[2], NULL };
		pid_t pid;
		int status;

		if (posix_spawn(&pid, argv[2], NULL, NULL, args, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid)
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &theirs);
	printf("%.6f %.6f\n",
	       (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
	       seconds(own.ru_utime) + seconds(own.ru_stime) + seconds(theirs.ru_utime) +
		       seconds(theirs.ru_stime));
	return 0;
}
