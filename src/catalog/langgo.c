/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program of Go was built from: see runtime/debug.BuildInfo of Go's library.
 */
#include "catalog/language.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "go1.22.1", "go1.22rc2", "go1.22.1 X:boringcrypto", "go1.22.1-vendor": the numbers and what
 * marks one as not yet released. A vendor's mark does not make it another release. */
static struct sap_str library_version(struct sap_str go)
{
	static const struct sap_str marks[] = { SAP_STR_INIT("rc"), SAP_STR_INIT("beta") };
	size_t n = 0;

	if (!sap_str_starts(go, SAP_STR("go")))
		return (struct sap_str){ 0 };
	go = sap_str_skip(go, 2);
	while (n < go.n && (is_digit(go.p[n]) || (n && go.p[n] == '.' && is_digit(go.p[n - 1]))))
		n++;
	if (n && go.p[n - 1] == '.')
		n--;
	for (size_t i = 0; n && i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t to = n + marks[i].n;

		if (!sap_str_starts(sap_str_skip(go, n), marks[i]))
			continue;
		while (to < go.n && is_digit(go.p[to]))
			to++;
		if (to > n + marks[i].n)
			return (struct sap_str){ go.p, to };
	}
	return (struct sap_str){ go.p, n };
}

void sap_language_go_library(struct sap_str go_version, struct sap_language_package *out)
{
	struct sap_str version = library_version(go_version);

	*out = (struct sap_language_package){ .name = SAP_STR("stdlib") };
	if (sap_language_text_ok(version))
		out->version = version;
}

/* A folder, not a module: "./x", "../x", "/x". */
static bool is_folder(struct sap_str path)
{
	return path.n && (path.p[0] == '/' || path.p[0] == '.');
}

/* The path and version that follow the first word of a line. */
static bool take_module(struct sap_str fields, struct sap_language_package *out)
{
	struct sap_str path, version;

	sap_str_cut(fields, '\t', &path, &fields);
	sap_str_cut(fields, '\t', &version, &fields);
	if (!sap_language_text_ok(path))
		return false;
	*out = (struct sap_language_package){ .name = path };
	if (sap_language_text_ok(version) && !sap_str_is(version, "(devel)"))
		out->version = version;
	return true;
}

/* What stands in for the module, where the next line says so. */
static void take_replacement(struct sap_str *modules, struct sap_language_package *out,
			     uint32_t *bad)
{
	struct sap_language_package other;
	struct sap_str rest = *modules, line, word;

	if (!sap_str_line(&rest, &line))
		return;
	sap_str_cut(line, '\t', &word, &line);
	if (!sap_str_is(word, "=>"))
		return;
	*modules = rest;
	out->version = (struct sap_str){ 0 };
	if (!take_module(line, &other))
		(*bad)++;
	else if (!is_folder(other.name))
		*out = other;
}

bool sap_language_go_next(struct sap_str *modules, struct sap_language_package *out, uint32_t *bad)
{
	struct sap_str line, word;

	while (sap_str_line(modules, &line)) {
		sap_str_cut(line, '\t', &word, &line);
		if (!sap_str_is(word, "mod") && !sap_str_is(word, "dep")) {
			*bad += sap_str_is(word, "=>");
			continue;
		}
		if (!take_module(line, out)) {
			(*bad)++;
			continue;
		}
		take_replacement(modules, out, bad);
		return true;
	}
	return false;
}
