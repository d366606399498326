/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link: the tables of tests/link (see link_table.h), and facts that no tree would give.
 */
#include "link_table.h"

/* ---- hostile facts ---------------------------------------------------------------------- */

static void add_plain(struct sap_facts *facts, const char *path, const char *soname,
		      const struct sap_str *needed, uint32_t n, const char *rpath)
{
	struct sap_rec_object rec = {
		.path = sap_str_of(path),
		.soname = sap_str_of(soname),
		.rpath = sap_str_of(rpath),
		.elf_class = 2,
		.endian = 1,
		.type = 3,
		.machine = 62,
		.mode = 0100755,
		.flags = SAP_OBJ_DYNAMIC,
		.needed = { needed, n },
	};

	CHECK_OK(facts->sink.object(&facts->sink, &rec, &err), &err);
}

/* Ten thousand libraries, each needing the next and bringing a search path of its own. */
static void test_long_chain(void)
{
	enum { N = 10000 };
	struct table t = { 0 };
	struct sap_closure closure = { 0 };
	struct sap_link_chains chains = { 0 };

	start(&t, SAP_STR("chain"));
	t.facts->sink.dir(&t.facts->sink, &(struct sap_rec_dir){ SAP_STR("/t") }, &err);
	for (int i = 0; i < N; i++) {
		char path[64], next[64], rpath[64];
		struct sap_str needed = { next, 0 };

		snprintf(path, sizeof(path), "/t/lib%05d.so", i);
		needed.n = (size_t)snprintf(next, sizeof(next), "lib%05d.so", (i + 1) % N);
		snprintf(rpath, sizeof(rpath), "/none%d:/t", i);
		add_plain(t.facts, path, path + 3, &needed, 1, rpath);
	}
	finish(&t);
	CHECK_OK(sap_link_closure(t.link, 0, &closure, &err), &err);
	CHECK_INT(closure.libs.n, N - 1);
	CHECK_INT(closure.missing.n, 0);
	CHECK_OK(sap_link_why(t.link, &closure, N - 2, 3, &chains, &err), &err);
	CHECK_INT(chains.n_all, 1);
	CHECK_INT(chains.edges.n, N - 1);
	sap_link_chains_clear(&chains);
	sap_closure_clear(&closure);
	drop(&t);
}

/* A graph in which every library needs every other: chains without number. */
static void test_too_many_chains(void)
{
	enum { N = 60 };
	struct table t = { 0 };
	struct sap_closure closure = { 0 };
	struct sap_link_chains chains = { 0 };
	static char names[N][16];
	struct sap_str needed[N];

	start(&t, SAP_STR("dense"));
	t.facts->sink.dir(&t.facts->sink, &(struct sap_rec_dir){ SAP_STR("/t") }, &err);
	for (int i = 0; i < N; i++)
		needed[i] = (struct sap_str){ names[i], (size_t)snprintf(names[i], sizeof(names[i]),
									 "lib%02d.so", i) };
	for (int i = 0; i < N; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/t/%.15s", names[i]);
		add_plain(t.facts, path, names[i], needed, N, "/t");
	}
	finish(&t);
	CHECK_OK(sap_link_closure(t.link, 0, &closure, &err), &err);
	CHECK_INT(closure.libs.n, N - 1);
	CHECK_OK(sap_link_why(t.link, &closure, 7, 5, &chains, &err), &err);
	CHECK_INT(chains.chains.n, 5);
	CHECK_INT(chains.n_all, 10000);
	sap_link_chains_clear(&chains);
	sap_closure_clear(&closure);
	drop(&t);
}

static void test_long_names(void)
{
	static char name[6000];
	struct sap_str needed[] = {
		{ name, 5000 }, { name, 256 }, { name, 255 }, SAP_STR_INIT("")
	};
	struct table t = { 0 };
	struct sap_closure closure = { 0 };

	memset(name, 'a', sizeof(name) - 1);
	start(&t, SAP_STR("long names"));
	add_plain(t.facts, "/t/p", "", needed, 4, name);
	finish(&t);
	CHECK_OK(sap_link_closure(t.link, 0, &closure, &err), &err);
	CHECK_INT(closure.libs.n, 0);
	CHECK_INT(closure.missing.n, 3); /* the empty name is the object's own */
	sap_closure_clear(&closure);
	drop(&t);
}

static uint64_t random_state = 88172645463325252ULL;

static uint32_t dice(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % n;
}

static struct sap_str any_word(void)
{
	static const struct sap_str words[] = {
		SAP_STR_INIT("liba.so"),
		SAP_STR_INIT("libb.so"),
		SAP_STR_INIT("libc.so.6"),
		SAP_STR_INIT("/t/liba.so"),
		SAP_STR_INIT("$ORIGIN/liba.so"),
		SAP_STR_INIT(""),
		SAP_STR_INIT("/t:/t/x:$ORIGIN/..:${LIB}"),
		SAP_STR_INIT("/"),
		SAP_STR_INIT("::"),
		SAP_STR_INIT("/lib64/ld-linux-x86-64.so.2"),
		SAP_STR_INIT("libm.so.1"),
		SAP_STR_INIT("/lib/ld-musl-x86_64.so.1"),
		SAP_STR_INIT("passwd"),
		SAP_STR_INIT("getpwnam"),
		SAP_STR_INIT("pam_start"),
		SAP_STR_INIT("other"),
		SAP_STR_INIT("$"),
		SAP_STR_INIT("${"),
		SAP_STR_INIT("../../.."),
		SAP_STR_INIT("GLIBC_2.36"),
		SAP_STR_INIT("/t/../t/liba.so"),
		SAP_STR_INIT("\0x"),
	};

	return words[dice(sizeof(words) / sizeof(words[0]))];
}

static struct sap_strs any_list(struct sap_str *room)
{
	uint32_t n = dice(4);

	for (uint32_t i = 0; i < n; i++)
		room[i] = any_word();
	return (struct sap_strs){ room, n };
}

static void add_any_object(struct sap_facts *facts, uint32_t at)
{
	static const uint16_t machines[] = { 62, 62, 62, 62, 3, 22, 999 };
	struct sap_str room[8][4], paths[] = { SAP_STR("/t/liba.so"),
					       SAP_STR("/t/libb.so"),
					       SAP_STR("/lib64/ld-linux-x86-64.so.2"),
					       SAP_STR("/lib/ld-musl-x86_64.so.1"),
					       SAP_STR("/t/x/libc.so.6"),
					       SAP_STR("/p") };
	struct sap_rec_verneed need = { any_word(), any_word(), dice(2) };
	struct sap_rec_dlopen_note note = { any_word(), any_word(), any_word(), any_list(room[7]) };
	struct sap_rec_symbol symbols[] = { { any_word(), any_word(), any_word(), 0, 0, 0, true },
					    { any_word(), any_word(), any_word(), 0, 0, 8,
					      false } };
	struct sap_rec_object rec = {
		.path = paths[at % 6],
		.elf_class = (uint8_t)(1 + dice(4) / 1 % 2),
		.endian = dice(9) ? 1 : 2,
		.type = (uint16_t)(2 + dice(3)),
		.machine = machines[dice(7)],
		.mode = 0100755 | (dice(4) ? 0 : 04000),
		.flags = SAP_OBJ_DYNAMIC | (dice(8) ? 0 : SAP_OBJ_NODEFLIB) | (dice(2) ? 0 : 1),
		.link_id = dice(4),
		.interp = dice(2) ? any_word() : SAP_STR(""),
		.soname = any_word(),
		.rpath = any_word(),
		.runpath = dice(2) ? any_word() : SAP_STR(""),
		.needed = any_list(room[0]),
		.filters = any_list(room[1]),
		.auxiliaries = any_list(room[2]),
		.verdefs = any_list(room[3]),
		.uses = any_list(room[4]),
		.dlopen_strings = any_list(room[5]),
		.loader_dirs = any_list(room[6]),
		.verneeds = &need,
		.n_verneeds = dice(2),
		.dlopen_notes = &note,
		.n_dlopen_notes = dice(2),
	};
	struct sap_rec_symbols list = { rec.path, symbols, 2 };

	facts->sink.object(&facts->sink, &rec, &err);
	facts->sink.symbols(&facts->sink, &list, &err);
}

static void ask_everything(struct table *t)
{
	struct sap_closure closure = { 0 };
	struct sap_link_chains chains = { 0 };
	struct sap_link_unneeded_list unneeded = { 0 };

	CHECK_OK(sap_link_prefetch(t->link, &err), &err);
	for (uint32_t i = 0; i < t->facts->objects.n; i++) {
		if (!CHECK_OK(sap_link_closure(t->link, i, &closure, &err), &err))
			continue;
		for (uint32_t k = 0; k < closure.libs.n; k++) {
			sap_link_why(t->link, &closure, k, 3, &chains, &err);
			sap_link_find_unneeded(t->link, &closure, k, &unneeded, &err);
		}
		for (size_t k = 0; k < closure.edges.n; k++)
			CHECK(closure.edges.v[k].to == SAP_NONE ||
			      closure.edges.v[k].to < closure.libs.n);
		for (size_t k = 0; k < closure.libs.n; k++)
			CHECK(closure.edges.v[closure.libs.v[k].edge].to == k);
	}
	sap_link_chains_clear(&chains);
	sap_link_unneeded_clear(&unneeded);
	sap_closure_clear(&closure);
}

static void test_random_facts(void)
{
	for (uint32_t round = 0; round < 400; round++) {
		struct table t = { 0 };

		start(&t, SAP_STR("random"));
		t.facts->whole = dice(4) != 0;
		t.options.beyond = dice(2);
		t.options.cpu_level = (int)dice(5);
		t.options.library_path = any_word();
		for (uint32_t i = 0; i < 6; i++)
			add_any_object(t.facts, i);
		add_dirs(&t, SAP_STR("/t/x/y"));
		for (uint32_t i = 0; i < 12; i++) {
			struct sap_rec_setting s = { (enum sap_setting_kind)(1 + dice(7)),
						     any_word(),
						     any_word(),
						     any_word(),
						     any_word(),
						     i };
			struct sap_rec_cache_entry e = { any_word(),  any_word(),
							 SAP_STR(""), dice(2) ? 0x0303 : 3,
							 i,           dice(3) };

			if (dice(2))
				t.facts->sink.setting(&t.facts->sink, &s, &err);
			if (dice(3) == 0)
				t.facts->sink.cache_entry(&t.facts->sink, &e, &err);
		}
		finish(&t);
		ask_everything(&t);
		drop(&t);
	}
}

int main(void)
{
	test_tables();
	test_long_chain();
	test_too_many_chains();
	test_long_names();
	test_random_facts();
	return check_done();
}
