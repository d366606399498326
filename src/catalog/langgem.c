/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gemspec as RubyGems writes it on installing: a program in Ruby, whose first lines say for
 * RubyGems itself what it is, so that it need not be run:
 *
 *     # -*- encoding: utf-8 -*-
 *     # stub: nokogiri 1.15.4 x86_64-linux lib
 *     Gem::Specification.new do |s|
 *       s.name = "nokogiri".freeze
 *       s.version = "1.15.4"
 *       s.platform = "x86_64-linux".freeze
 *
 * Files of other making may lack the stub, or compute what they assign. Their names are
 * NAME-VERSION.gemspec or NAME-VERSION-PLATFORM.gemspec.
 */
#include "catalog/language.h"

/* Lines in which the stub and plain assignments are looked for. */
enum { STUB_LINES = 4, LINES_MAX = 10000 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Gem::Version: parts of letters and digits between dots, the first one a number; what stands
 * behind a '-' belongs to a platform. */
static bool is_version(struct sap_str s)
{
	if (s.n == 0 || !is_digit(s.p[0]) || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.')
			return false;
		if (c == '.' && s.p[i + 1] == '.')
			return false;
	}
	return true;
}

static void set_platform(struct sap_language_package *p, struct sap_str platform)
{
	p->arch = sap_str_is(platform, "ruby") || !sap_language_text_ok(platform)
			  ? (struct sap_str){ 0 }
			  : platform;
}

static bool read_stub(struct sap_str text, struct sap_language_package *out)
{
	const struct sap_str mark = SAP_STR("# stub: ");
	struct sap_language_package found = { .name = { 0 } };
	struct sap_str line, platform;

	for (unsigned i = 0; i < STUB_LINES && sap_str_line(&text, &line); i++) {
		if (!sap_str_starts(line, mark))
			continue;
		line = sap_str_skip(line, mark.n);
		if (!sap_str_word(&line, &found.name) || !sap_str_word(&line, &found.version) ||
		    !sap_str_word(&line, &platform) || !is_version(found.version))
			return false;
		set_platform(&found, platform);
		*out = found;
		return true;
	}
	return false;
}

/* The text in quotes that s begins with, maybe as the argument of Gem::Version.new. */
static struct sap_str quoted(struct sap_str s)
{
	const struct sap_str wrap = SAP_STR("Gem::Version.new(");
	struct sap_str inside, rest;

	if (sap_str_starts(s, wrap))
		s = sap_str_skip(s, wrap.n);
	if (s.n == 0 || (s.p[0] != '"' && s.p[0] != '\'') ||
	    !sap_str_cut(sap_str_skip(s, 1), s.p[0], &inside, &rest))
		return (struct sap_str){ 0 };
	/* Text that is put together when it runs. */
	if (memchr(inside.p, '\\', inside.n) || memchr(inside.p, '#', inside.n))
		return (struct sap_str){ 0 };
	return inside;
}

/* "s.name = ..." of a line: *field is "name", *value what follows the '='. */
static bool assignment(struct sap_str line, struct sap_str *field, struct sap_str *value)
{
	struct sap_str left, object;

	if (!sap_str_cut(sap_str_trim(line), '=', &left, value) ||
	    !sap_str_cut(sap_str_trim(left), '.', &object, field) || object.n == 0)
		return false;
	for (size_t i = 0; i < object.n; i++) {
		char c = object.p[i];

		if (!(c >= 'a' && c <= 'z') && c != '_' && !is_digit(c))
			return false;
	}
	*value = sap_str_trim(*value);
	return true;
}

static bool read_assignments(struct sap_str text, struct sap_language_package *out)
{
	struct sap_language_package found = { .name = { 0 } };
	struct sap_str line, field, value;

	for (unsigned i = 0; i < LINES_MAX && sap_str_line(&text, &line); i++) {
		if (!assignment(line, &field, &value))
			continue;
		if (sap_str_is(field, "name"))
			found.name = quoted(value);
		else if (sap_str_is(field, "version"))
			found.version = quoted(value);
		else if (sap_str_is(field, "platform"))
			set_platform(&found, quoted(value));
	}
	if (!found.name.n || !is_version(found.version))
		return false;
	*out = found;
	return true;
}

/* "NAME-VERSION[-PLATFORM]": the version is the last part between dashes that can be one and
 * has a dot ("x86_64-darwin-21"), or failing that the first that can be one. */
static bool read_name(struct sap_str file, struct sap_language_package *out)
{
	struct sap_str stem = file, part, best = { 0 };
	struct sap_str rest;

	if (!sap_str_ends(file, SAP_STR(".gemspec")))
		return false;
	stem.n -= sizeof(".gemspec") - 1;
	sap_str_cut(stem, '-', &part, &rest);
	while (rest.n) {
		sap_str_cut(rest, '-', &part, &rest);
		if (is_version(part) && (!best.n || memchr(part.p, '.', part.n)))
			best = part;
	}
	if (!best.n || best.p <= stem.p + 1)
		return false;
	*out = (struct sap_language_package){
		.name = { stem.p, (size_t)(best.p - stem.p) - 1 },
		.version = best,
	};
	rest = sap_str_skip(stem, (size_t)(best.p - stem.p) + best.n);
	if (rest.n > 1)
		set_platform(out, sap_str_skip(rest, 1));
	return true;
}

bool sap_language_ruby(struct sap_str text, struct sap_str file, struct sap_language_package *out)
{
	struct sap_language_package found;

	if (!read_stub(text, &found) && !read_assignments(text, &found) && !read_name(file, &found))
		return false;
	if (!sap_language_text_ok(found.name) || !sap_language_text_ok(found.version))
		return false;
	*out = found;
	return true;
}
