/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the fuzz targets of the catalog: a sink that holds each record to its contract.
 */
#ifndef SAP_FUZZ_CATALOG_H
#define SAP_FUZZ_CATALOG_H

#include <stdlib.h>

#include "catalog/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_sink {
	struct sap_sink sink;
	struct sap_catalog catalog;
	uint32_t last; /* id of the package before */
	uint64_t sum;  /* of all bytes of all texts: they must be readable */
};

static void fuzz_read(struct fuzz_sink *fuzz, struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		fuzz->sum += (unsigned char)s.p[i];
}

static void fuzz_require(bool held)
{
	if (!held)
		abort();
}

static inline int fuzz_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			       struct sap_err *err)
{
	struct fuzz_sink *fuzz = (struct fuzz_sink *)sink;
	const struct sap_str *const texts[] = { &rec->name,    &rec->version,        &rec->arch,
						&rec->source,  &rec->source_version, &rec->licence,
						&rec->vendor,  &rec->maintainer,     &rec->section,
						&rec->database };

	(void)err;
	fuzz_require(rec->id == ++fuzz->last && rec->name.n > 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		fuzz_read(fuzz, *texts[i]);
	for (uint32_t i = 0; i < rec->n_relations; i++) {
		fuzz_require(rec->relations[i].kind > 0 && rec->relations[i].kind < SAP_REL_KINDS);
		fuzz_read(fuzz, rec->relations[i].text);
	}
	return 0;
}

static inline int fuzz_file(struct sap_sink *sink, const struct sap_rec_file *rec,
			    struct sap_err *err)
{
	struct fuzz_sink *fuzz = (struct fuzz_sink *)sink;
	const struct sap_str path = rec->path;

	(void)err;
	if (!path.p)
		abort();
	fuzz_require(rec->package == fuzz->last && rec->package > 0);
	fuzz_require(path.n > 1 && path.p[0] == '/' && path.p[path.n - 1] != '/');
	for (size_t i = 0; i + 1 < path.n; i++)
		fuzz_require(path.p[i] != '\0' && !(path.p[i] == '/' && path.p[i + 1] == '/'));
	fuzz_require(!memmem(path.p, path.n, "/../", 4) && !memmem(path.p, path.n, "/./", 3));
	fuzz_require(!sap_str_ends(path, SAP_STR("/..")) && !sap_str_ends(path, SAP_STR("/.")));
	fuzz_require(rec->digest.n == 0 || rec->digest.n == sap_digest_size(rec->digest_kind));
	fuzz_read(fuzz, path);
	fuzz_read(fuzz, rec->digest);
	return 0;
}

static inline int fuzz_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
				  struct sap_err *err)
{
	struct fuzz_sink *fuzz = (struct fuzz_sink *)sink;

	(void)err;
	fuzz_read(fuzz, rec->path);
	fuzz_read(fuzz, rec->code);
	fuzz_read(fuzz, rec->message);
	return 0;
}

static inline void fuzz_sink_init(struct fuzz_sink *fuzz)
{
	*fuzz = (struct fuzz_sink){ .sink = { .package = fuzz_package,
					      .file = fuzz_file,
					      .diagnostic = fuzz_diagnostic } };
	fuzz->catalog = (struct sap_catalog){ .sink = &fuzz->sink, .next_id = 1 };
}

#endif
