/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper-observe: the kernel's side of `sapper watch` and `sapper run` (src/observe/serve.h). It
 * talks on its descriptor 3 and ends with its parent, however that ends; nothing of it
 * stays in the kernel. It parses no files.
 *
 * usage: sapper-observe                  run by sapper
 *        sapper-observe --capabilities   what this system can do, as KEY=VALUE lines
 *
 * Exit status: 0 done, 2 failed (said on stderr).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "observe/capability.h"
#include "observe/serve.h"
#include "observe/wire.h"

enum { DONE = 0, FAILED = 2 };

static const char usage[] = "usage: sapper-observe [--capabilities]\n"
			    "\n"
			    "Run by sapper watch and sapper run. By hand it says what this system\n"
			    "lets it do, and what would help, as KEY=VALUE lines.\n";

static int fail(const char *text)
{
	fprintf(stderr, "sapper-observe: %s\n", text);
	return FAILED;
}

static void put_item(const char *key, const struct sap_capability_item *item)
{
	printf("%s=%s\n%s_%s=%s\n", key, item->can ? "yes" : "no", key, item->can ? "by" : "why",
	       item->text);
}

static int say_capabilities(void)
{
	struct sap_capabilities c;
	struct sap_err err = { 0 };

	if (sap_capabilities_try(&c, &err) < 0)
		return fail(err.text);
	printf("kernel=%s\nsettings=%s\n", c.kernel, c.settings);
	put_item("maps", &c.maps);
	put_item("child_maps", &c.child_maps);
	put_item("build_ids", &c.build_ids);
	put_item("functions", &c.functions);
	put_item("functions_single", &c.single);
	put_item("opens", &c.opens);
	return fflush(stdout) == 0 ? DONE : fail("cannot write to standard output");
}

static int serve(void)
{
	struct sap_err err = { 0 };
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(SAP_WIRE_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    type != SOCK_SEQPACKET)
		return fail("descriptor 3 is no socket of sapper's; this program is run by sapper");
	/* Before anything is open; who is orphaned already finds the socket closed. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* ^C and a service's end come to both: sapper asks for what is left, then closes. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sap_observe_serve(SAP_WIRE_FD, &err) < 0)
		return fail(err.text);
	return DONE;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return serve();
	if (argc == 2 && strcmp(argv[1], "--capabilities") == 0)
		return say_capabilities();
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return DONE;
	}
	fputs(usage, stderr);
	return FAILED;
}
