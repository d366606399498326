/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Package URLs (ECMA-427, "purl"): one name for a package everywhere.
 *
 *     pkg:deb/debian/xz-utils@5.6.1-1?arch=amd64&distro=debian-12
 *         type/namespace/name@version?key=value&key=value
 *
 * Building follows the standard's rules: letters, digits and ".-_~:" stand for themselves,
 * every other byte is %XX (so "+" is %2B, while the ":" of an epoch is never encoded);
 * qualifiers are sorted by key, those without a value are left out. Result: ASCII without
 * blanks, whatever bytes a package database holds.
 *
 * What the parts are made of:
 *
 *     type   namespace        name        version                       qualifiers
 *     deb    ID, lower case   lower case  with epoch (1:2.3-4)          arch distro
 *     rpm    ID, lower case   as it is    without epoch                 arch distro epoch
 *     apk    ID, lower case   lower case  as it is                      arch distro
 *     alpm   ID, lower case   lower case  with epoch                    arch distro
 *
 *     pypi   none             lower case, runs of ".", "-" and "_" as one "-"; as it is; none
 *     npm    scope, "%40..."  as it is    as it is                      none
 *     gem    none             as it is    as it is                      platform
 *     golang module path up to its last "/", and the rest, lower case   none
 *
 * ID and VERSION_ID are os-release's; distro is "ID-VERSION_ID", "ID-CODENAME" where there is
 * no VERSION_ID, or ID alone. On a system that does not say what it is namespace and distro
 * are left out.
 */
#ifndef SAP_MODEL_PURL_H
#define SAP_MODEL_PURL_H

#include "base/buf.h"
#include "model/facts.h"

struct sap_purl_qualifier {
	const char *key;      /* lower case letters, digits, ".-_" */
	struct sap_str value; /* empty: left out */
};

struct sap_purl {
	const char *type;    /* lower case */
	struct sap_str ns;   /* empty: none */
	struct sap_str name; /* not empty */
	struct sap_str version;
	const struct sap_purl_qualifier *qualifiers; /* sorted by key */
	uint32_t n_qualifiers;
	bool fold_name;   /* lower case for the name */
	bool keep_ns;     /* not lower case for the namespace */
	bool ns_segments; /* the namespace has several, with '/' between them; else it is one */
};

/* Appends the text. */
void sap_purl_put(struct sap_buf *out, const struct sap_purl *purl);

/* Appends the purl of a package of facts. */
void sap_purl_put_package(struct sap_buf *out, const struct sap_facts *facts,
			  const struct sap_package *package);

/* Appends the purl of a source package of the facts' system: arch=source for deb (Debian's
 * word), arch=src for rpm, none for others. */
void sap_purl_put_source(struct sap_buf *out, const struct sap_facts *facts,
			 enum sap_package_type type, struct sap_str name, struct sap_str version);

/* The same for a system that is given by its os-release words (release may be empty). */
void sap_purl_put_source_of(struct sap_buf *out, const char *type, struct sap_str os,
			    struct sap_str release, struct sap_str name, struct sap_str version);

#endif
