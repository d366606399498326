/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sapper: which native code is on a system, who loads it, and why.
 *
 * The map of src/, from the outside in. docs/ARCHITECTURE.md tells why it is cut this way;
 * tools/layers fails the build on an include that it does not allow.
 *
 *   cli/      main.c         this file: commands, help, the worker's entry
 *             cmd_scan.c     `sapper scan`
 *             cmd_links.c    `sapper links`: options; trees, counts, chains
 *             links_ask.c    programs looked up on demand, round by round
 *             links_modes.c  reverse, census, unneeded; links_why.c chains to a library
 *             cmd_db.c       `sapper db`; db_import.c db_status.c db_update.c its verbs
 *             advice.c       which store, exceptions, VEX; helper.c helper programs
 *             cmd_watch.c cmd_run.c  `sapper watch`, `sapper run`; watching.c what they share;
 *                            expect.c what a command will load; owners.c whose mapped files are
 *             evidence_now.c what runs now, and what watches have kept
 *             main_import.c main_fetch.c main_observe.c main_functions.c  the helper programs
 *             target.c       what TARGET means; facts files; CPU levels
 *             output.c       where answers and messages go; progress
 *   report/   report.c       one call a view, text or JSON behind it
 *             tty.c json.c   the two writers
 *             scan_*.c       the view of a scan; scan_tables.c its tables, object_json.c objects
 *             findings_*.c   what advisories say; db_report.c the store
 *             evidence_*.c   what runs: libraries, processes, functions; findings_states.c in findings
 *             links_*.c      trees; tree_tty.c how they are drawn; gaps.c what could not be read
 *             answers_*.c    chains, unneeded, census; census_tty.c; reverse.c reverse_tty.c
 *   decide/   states*.c      facts, evidence and findings joined
 *   store/    evstore*.c     evidence in SQLite
 *   observe/  snapshot*.c cgroup.c  /proc
 *             watch*.c       the watch: events, files, functions, looks; watch_int.h has its map
 *             wire.c         between sapper and sapper-observe; fnworker.c fnserve.c sapper-functions
 *             perf*.c        mappings as they come; opens.c; serve.c capability.c sapper-observe
 *             probe*.c       probes that vanish; probe_int.h has their map
 *   link/     link.c         the loader simulated: memory of one target's searches
 *             closure.c      load order; search.c rpath.c cache.c env.c abi.c where to look
 *             versions.c     symbol versions; beyond.c PAM, NSS, dlopen
 *             why.c unneeded.c  questions about a closure; radius.c counts over all programs
 *   advisory/ judge*.c       facts and a store to findings; enrich.c what is known beside
 *             match.c weigh.c rule.c steps.c  statements about one package weighed, explained
 *             origin*.c      whose package it is; space.c releases and ecosystems
 *             review*.c toml*.c purl_match.c  exceptions and VEX; findings.c their order
 *             store*.c       the SQLite file; rows.c claim.c the form that goes in
 *   import/   import.c document.c archive.c  inputs; formats.c the list; jsontree.c jsonstream.c
 *             osv*.c debian*.c ubuntu.c secdb.c arch.c csaf*.c openvex.c cyclonedx.c vex.c
 *             cve.c kev.c epss.c functions.c rowsfile.c  a publication each; csv.c ids.c lists.c
 *   fetch/    fetch.c fetch_state.c  one file by HTTPS
 *   version/  version.c      the front; a scheme a file; npmrange.c; cvss*.c
 *   extract/  session.c      the parent: requests, dead workers; child.c one worker process
 *             worker.c       the worker: walk.c the tree, paths.c and folders.c on demand,
 *                            object.c one file, notes.c JSON in notes and of Node,
 *                            languages.c packages of languages, as the walk meets them
 *   sandbox/  sandbox.c      the cage of whatever parses hostile bytes; sandbox_filter.c;
 *                            writes.c that of what downloads
 *   sysconf/  ldcache.c ldconf.c  what loaders go by; modules.c nsswitch.conf and PAM
 *             units.c unitfile.c initscripts.c  services
 *   catalog/  catalog.c      all package databases: dpkg*.c rpm*.c apk.c pacman.c; osrelease.c
 *             language.c     which files tell of packages of languages; langpy.c langgem.c
 *                            langgo.c what they say
 *   elf/      elf.c          an ELF object; elf_*.c one part of it each
 *             functions_*.c  its functions, as places for probes
 *   input/    input.c        one read-only tree; input_resolve.c and input_walk.c paths inside it
 *   model/    record.h       facts as they are made; facts.c in memory; tree.c paths and owners
 *             encode.c decode.c cursor.c reencode.c  the CBOR form
 *             purl.c machine.c uses.c  names and tables
 *             evidence*.c    what was seen to run
 *   base/     err.c span.c arena.c buf.c pool.c vec.c reader.c fd.c limits.h
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "extract/extract.h"

static const struct command *const commands[] = { &cmd_scan, &cmd_links, &cmd_watch, &cmd_run,
						  &cmd_db };

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
	fputs("usage: sapper COMMAND [OPTIONS] [ARGUMENTS]\n"
	      "\n"
	      "Which native code is on a system, who loads it and why, and what is wrong with it.\n"
	      "It reads, it never executes anything of a target, and it changes nothing.\n"
	      "\n",
	      to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("  help     help about a command: sapper help links\n"
	      "\n"
	      "examples:\n"
	      "  sapper scan                         this host: what is here, who loads what\n"
	      "  sapper scan /srv/root               a root file system in a folder\n"
	      "  sapper links sshd                   what sshd loads, and why\n"
	      "  sapper links --why liblzma.so.5 sshd\n"
	      "  sapper links --reverse liblzma.so.5 everything that would load it\n"
	      "  sapper scan --explain CVE-2024-3094 why this host is affected, or not\n"
	      "  sapper watch --for 10m              what runs here, for ten minutes\n"
	      "  sapper run -- openssl version       what a command loads and executes\n"
	      "  sapper db update                    current advisories\n"
	      "\n"
	      "exit status: 0 done, 1 done with losses (db), 2 usage or failure\n",
	      to);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	if (name[0] == '-') {
		cli_say("'%s': options come behind the command, as in 'sapper scan %s'", name,
			name);
		return STATUS_FAILURE;
	}
	cli_say("there is no command '%s'", name);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strncmp(commands[i]->name, name, 2) == 0)
			cli_say("did you mean 'sapper %s'?", commands[i]->name);
	}
	cli_say("'sapper help' lists the commands");
	return STATUS_FAILURE;
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return STATUS_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	fputs(command->help, stdout);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	const struct command *command;

	/* A file that may not grow is an error to be told, not a signal that ends us. */
	(void)signal(SIGXFSZ, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], SAP_WORKER_ARGUMENT) == 0)
		_exit(sap_worker_main(NULL));
	if (argc < 2) {
		print_help(stderr);
		return STATUS_FAILURE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts("sapper " SAP_VERSION);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "help") == 0)
		return help(argc - 1, argv + 1);
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return command->run(argc - 1, argv + 1);
}
