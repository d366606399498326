/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/language.h"

#include "base/limits.h"

/* node_modules/NAME or node_modules/@SCOPE/NAME: the folder of a package, not one in it. */
static bool is_node_folder(struct sap_str path)
{
	const struct sap_str modules = SAP_STR("/node_modules");
	struct sap_str base = sap_path_base(path), parent = sap_path_dir(path);
	struct sap_str scope = sap_path_base(parent);

	if (base.n == 0 || base.p[0] == '@' || base.p[0] == '.')
		return false;
	if (scope.n > 1 && scope.p[0] == '@')
		parent = sap_path_dir(parent);
	return sap_str_ends(parent, modules);
}

enum sap_language_folder sap_language_folder(struct sap_str path)
{
	struct sap_str base = sap_path_base(path);

	if (sap_str_ends(base, SAP_STR(".dist-info")))
		return SAP_LANGUAGE_DIST_INFO;
	if (sap_str_ends(base, SAP_STR(".egg-info")) || sap_str_is(base, "EGG-INFO"))
		return SAP_LANGUAGE_EGG_INFO;
	if (is_node_folder(path))
		return SAP_LANGUAGE_NODE_PACKAGE;
	if (sap_str_is(base, "default"))
		base = sap_path_base(sap_path_dir(path));
	return sap_str_is(base, "specifications") ? SAP_LANGUAGE_SPECIFICATIONS
						  : SAP_LANGUAGE_ANYWHERE;
}

enum sap_language_file sap_language_file(enum sap_language_folder folder, const char *name)
{
	struct sap_str s = sap_str_of(name);

	if (sap_str_ends(s, SAP_STR(".egg-info")))
		return SAP_LANGUAGE_PYTHON;
	switch (folder) {
	case SAP_LANGUAGE_DIST_INFO:
		return sap_str_is(s, "METADATA") ? SAP_LANGUAGE_PYTHON : SAP_LANGUAGE_NONE;
	case SAP_LANGUAGE_EGG_INFO:
		return sap_str_is(s, "PKG-INFO") ? SAP_LANGUAGE_PYTHON : SAP_LANGUAGE_NONE;
	case SAP_LANGUAGE_NODE_PACKAGE:
		return sap_str_is(s, "package.json") ? SAP_LANGUAGE_NODE : SAP_LANGUAGE_NONE;
	case SAP_LANGUAGE_SPECIFICATIONS:
		return sap_str_ends(s, SAP_STR(".gemspec")) ? SAP_LANGUAGE_RUBY : SAP_LANGUAGE_NONE;
	default:
		return SAP_LANGUAGE_NONE;
	}
}

enum sap_package_type sap_language_type(enum sap_language_file file)
{
	switch (file) {
	case SAP_LANGUAGE_PYTHON:
		return SAP_PACKAGE_PYPI;
	case SAP_LANGUAGE_NODE:
		return SAP_PACKAGE_NPM;
	case SAP_LANGUAGE_RUBY:
		return SAP_PACKAGE_GEM;
	default:
		return SAP_PACKAGE_NONE;
	}
}

bool sap_language_text_ok(struct sap_str s)
{
	if (s.n == 0 || s.n > SAP_LANGUAGE_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	}
	return true;
}
