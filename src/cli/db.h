/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs of `sapper db` share.
 */
#ifndef SAP_CLI_DB_H
#define SAP_CLI_DB_H

#include "advisory/store.h"
#include "cli/cli.h"

struct db_options {
	struct common common;
	const char *db;     /* --db */
	const char *source; /* --source KIND/NAME */
	bool replace;       /* --replace */
	unsigned max_age_days;
	/* update */
	const char *mirror, *kev_url, *epss_url, *proxy, *cacert;
	unsigned timeout, retries;
	uint64_t max_bytes;
	char **args; /* what follows the verb */
	int n_args;
};

/* Seconds that an import or update waits for another one. */
enum { DB_WAIT_SECONDS = 600 };

/* Opens a writer for the user's store, begun with what came with the program where there is
 * none yet. ctx of the problem function: struct db_problems. */
struct db_problems {
	const struct common *common;
	uint64_t n;
};

int db_writer_new(const struct db_options *o, struct db_problems *problems, char *path, size_t size,
		  struct sap_store_writer **out, struct sap_err *err);

/* What one input is: the file or folder behind fd, read by sapper-import. */
struct db_input {
	int fd;
	const char *name;   /* for messages */
	const char *source; /* KIND/NAME that all is to belong to, or NULL */
	bool replace;
	struct sap_str defaults; /* of sap_store_begin_stream */
};

/* Runs sapper-import over it and feeds the rows to the writer; after a failure the stream has
 * been dropped, and the writer can go on with the next. */
int db_import_input(struct sap_store_writer *w, const struct db_input *input,
		    struct sap_store_counts *counts, struct sap_err *err);

/* The verbs; each returns an exit status. */
int db_import(const struct db_options *o);
int db_status(const struct db_options *o);
int db_export(const struct db_options *o);
int db_update(const struct db_options *o); /* db_update.c */

#endif
