/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader of TOML makes of documents, for tests/live/toml.py. Standard input: for each
 * document its length in bytes, LF, the bytes. Output, a line an item: "table", "string",
 * "date" or "strings", the name, the texts in hexadecimal digits, separated by blanks; then
 * "end", or "error" and the message.
 */
#include <stdio.h>
#include <stdlib.h>

#include "advisory/toml_int.h"

static void put_hex(struct sap_str s)
{
	putchar(' ');
	putchar('=');
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
}

static void dump(struct sap_str text, struct sap_arena *arena)
{
	static const char *const words[] = { "end", "table", "string", "date", "strings" };
	struct sap_toml_item item;
	struct sap_toml toml;
	struct sap_err err;

	sap_toml_init(&toml, "x", text, arena);
	do {
		if (sap_toml_next(&toml, &item, &err) < 0) {
			printf("error %s\n", err.text);
			return;
		}
		printf("%s", words[item.kind]);
		if (item.kind != SAP_TOML_END)
			put_hex(item.name);
		if (item.kind == SAP_TOML_STRING || item.kind == SAP_TOML_DATE)
			put_hex(item.text);
		for (uint32_t i = 0; i < item.n; i++)
			put_hex(item.list[i]);
		putchar('\n');
	} while (item.kind != SAP_TOML_END);
}

int main(void)
{
	struct sap_arena arena;
	char line[64];

	sap_arena_init(&arena, 0);
	while (fgets(line, sizeof(line), stdin)) {
		size_t n = strtoul(line, NULL, 10);
		char *text = malloc(n ? n : 1);

		if (!text || fread(text, 1, n, stdin) != n)
			return 2;
		dump((struct sap_str){ text, n }, &arena);
		free(text);
		sap_arena_reset(&arena);
	}
	sap_arena_clear(&arena);
	return fflush(stdout) ? 2 : 0;
}
