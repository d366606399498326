/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The product tree of a CSAF document (CSAF 2.0, 3.2.2): what the identifiers in its status
 * lists stand for.
 *
 *     branches[].(branches[])*.product      a product, a package, a module: name, identifier,
 *     full_product_names[]                  purl or CPE
 *     relationships[]                       "package P as a component of product R", with an
 *                                           identifier of its own; P and R may be relationships
 *
 * A package is known by its purl (type rpm), else by its NEVRA or its bare name; a product's
 * space by its CPE:
 *
 *     CPE                                          space
 *     cpe:/o:redhat:enterprise_linux:9::baseos     Red Hat:9       (any channel, any minor version)
 *     cpe:/o:redhat:rhel_eus:9.2::baseos           Red Hat:rhel_eus:9.2 (eus, aus, tus, e4s,
 *     cpe:/o:redhat:enterprise_linux_eus:10.2      Red Hat:rhel_eus:10.2 els: never those of a
 *                                                  plain RHEL)
 *     cpe:/a:redhat:openshift:4.16::el9            Red Hat:openshift:4.16::el9
 *     cpe:/o:suse:..., cpe:/o:opensuse:...         by name: "SUSE:Linux Enterprise Server 15 SP5",
 *                                                  "openSUSE:Leap 15.6"
 *
 * A product "AppStream-9.2.0.Z.MAIN.EUS" has the CPE of the main stream: it was published
 * while 9.2 was the newest minor version, for all.
 */
#ifndef SAP_IMPORT_CSAF_INT_H
#define SAP_IMPORT_CSAF_INT_H

#include "advisory/claim.h"
#include "base/vec.h"
#include "import/import_int.h"

/* What a product identifier turned out to be. */
enum sap_csaf_kind {
	SAP_CSAF_UNREAD = 0,
	SAP_CSAF_PACKAGE, /* an rpm, by its binary or its source name */
	SAP_CSAF_OTHER,   /* a container, a jar, a product as a whole */
	SAP_CSAF_BAD,     /* says it is an rpm and cannot be read */
};

/* Architectures of a set of claims, a bit each; csaf_arches names them. */
#define SAP_CSAF_NOARCH 1u
#define SAP_CSAF_ARCHES 16u
extern const char *const sap_csaf_arches[SAP_CSAF_ARCHES];

struct sap_csaf_product {
	struct sap_str id;
	uint64_t hash;
	struct sap_str name, purl, cpe;
	struct sap_str component, platform; /* of a relationship: identifiers */
	/* What it is as a package, read once. */
	uint8_t kind;  /* enum sap_csaf_kind */
	bool source;   /* the name is that of a source package */
	bool bare;     /* there was nothing but a name */
	uint32_t arch; /* a bit; 0: none said */
	struct sap_str package, version, module;
	/* What it is as a platform, read once. */
	bool has_space; /* space was worked out; empty: none */
	struct sap_str space;
	/* Of the vulnerability at hand, where "round" is its number. */
	uint32_t round;
	uint8_t status, reason, severity;
	struct sap_str justification, action;
};

struct sap_csaf_tree {
	struct sap_arena *arena;
	struct sap_csaf_product *v; /* sorted by hash, then by identifier */
	size_t n;
};

/* SAP_ENOMEM. Entries without identifier are left out; of two with the same identifier the
 * first counts. */
int sap_csaf_tree_read(const struct sap_json *product_tree, struct sap_arena *arena,
		       struct sap_csaf_tree *out, struct sap_err *err);

struct sap_csaf_product *sap_csaf_tree_find(const struct sap_csaf_tree *tree, struct sap_str id);

/* An identifier taken apart: the package, the product that it is part of, and the module
 * between them (each may be NULL). */
struct sap_csaf_parts {
	struct sap_csaf_product *package, *module, *platform;
};

/* False: a relationship names something that is not in the tree, or goes round in circles. */
bool sap_csaf_parts(const struct sap_csaf_tree *tree, struct sap_csaf_product *product,
		    struct sap_csaf_parts *out);

/* Reads what product is as a package (kind, package, version, module ...). SAP_ENOMEM. */
int sap_csaf_package(const struct sap_csaf_tree *tree, struct sap_csaf_product *product,
		     struct sap_err *err);

/* Reads what product is as a module: "nodejs:18" of "pkg:rpmmod/redhat/nodejs@18:809...:ctx" or
 * of its identifier; empty where it is none. SAP_ENOMEM. */
int sap_csaf_module(const struct sap_csaf_tree *tree, struct sap_csaf_product *product,
		    struct sap_str *out, struct sap_err *err);

/* Reads product->space; empty where its CPE names no space. SAP_ENOMEM. */
int sap_csaf_space(const struct sap_csaf_tree *tree, struct sap_csaf_product *product,
		   struct sap_err *err);

/* ---- statements (csaf_claims.c) ------------------------------------------------------------ */

enum sap_csaf_status {
	SAP_CSAF_NO_STATUS = 0,
	SAP_CSAF_FIXED, /* in this order of weight within one document: see csaf_claims.c */
	SAP_CSAF_AFFECTED,
	SAP_CSAF_UNFIXED,
	SAP_CSAF_NOT_AFFECTED,
	SAP_CSAF_INVESTIGATED,
};

enum sap_csaf_reason {
	SAP_CSAF_NO_REASON = 0,
	SAP_CSAF_WONT_FIX,
	SAP_CSAF_END_OF_LIFE,
	SAP_CSAF_DEFERRED,
};

/* What one product identifier says about one package in one space. */
struct sap_csaf_claim {
	struct sap_str space, package, module, version;
	uint32_t arch;
	uint8_t status, reason, severity;
	bool source;
};

struct sap_csaf_claims {
	struct sap_csaf_claim *v;
	size_t n, cap;
};

/* SAP_ENOMEM; SAP_ELIMIT: SAP_CSAF_CLAIMS_MAX. */
int sap_csaf_claims_add(struct sap_csaf_claims *claims, const struct sap_csaf_claim *claim,
			struct sap_err *err);

/* Writes them as claim rows, as few as they can be, and empties the list. severity: of the
 * record; a claim's is written where it differs. */
void sap_csaf_claims_put(struct sap_csaf_claims *claims, uint8_t severity, struct sap_rows *rows);

#endif
