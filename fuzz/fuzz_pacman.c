/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package of pacman's local database: the name of its folder, desc and files, with the byte
 * 0x1e between one and the next; after a fourth, os-release.
 */
#include "catalog/catalog_int.h"
#include "fuzz_catalog.h"

static void read_os(struct fuzz_sink *sink, struct sap_span text)
{
	struct sap_notes notes = { .sink = &sink->sink };
	struct sap_str version = { 0 }, name, codename;
	struct sap_rec_os rec = { 0 };
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	if (sap_os_release_parse(text, &arena, &rec, &version, &notes, NULL) < 0)
		abort();
	fuzz_read(sink, rec.id);
	fuzz_read(sink, rec.name);
	fuzz_read(sink, rec.pretty_name);
	fuzz_read(sink, version);
	if (sap_os_release_line(sap_text_of(text), &name, &version, &codename)) {
		fuzz_read(sink, name);
		fuzz_read(sink, version);
		fuzz_read(sink, codename);
	}
	sap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str folder, desc, files, os;
	struct sap_pacman_info info = { 0 };
	struct fuzz_sink sink;

	sap_str_cut((struct sap_str){ (const char *)data, size }, 0x1e, &folder, &desc);
	sap_str_cut(desc, 0x1e, &desc, &files);
	sap_str_cut(files, 0x1e, &files, &os);
	info.folder = folder;
	info.desc = sap_span_of(desc.p, desc.n);
	info.files = sap_span_of(files.p, files.n);
	fuzz_sink_init(&sink);
	if (sap_pacman_parse(&sink.catalog, &info, NULL) < 0)
		abort();
	read_os(&sink, sap_span_of(os.p, os.n));
	return 0;
}
