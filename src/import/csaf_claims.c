/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements of a CSAF document to claim rows.
 *
 * Publishers list every package of every architecture of every product by itself. Here equal
 * statements about one package become one, of all architectures together, and packages with
 * equal statements share a row.
 *
 * Several products fold into one space (channels and minor versions of a main stream), and a
 * document may say different things about a package in them. Within one space a fix stands
 * above "affected" and "will not be fixed" (the fix can be had there), these above "not
 * affected", and all above "under investigation".
 *
 * Packages of debugging data are left out: they hold no code that runs.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "import/csaf_int.h"

#define PACKAGES_A_ROW 4096u

int sap_csaf_claims_add(struct sap_csaf_claims *claims, const struct sap_csaf_claim *claim,
			struct sap_err *err)
{
	if (claims->n == SAP_CSAF_CLAIMS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "more than %u statements of one vulnerability",
				   SAP_CSAF_CLAIMS_MAX);
	if (claims->n == claims->cap && !sap_vec_grow((void **)&claims->v, claims->n, &claims->cap,
						      sizeof(*claims->v), SAP_CSAF_CLAIMS_MAX))
		return sap_err_nomem(err);
	claims->v[claims->n++] = *claim;
	return 0;
}

static int texts(struct sap_str a, struct sap_str b)
{
	return a.p == b.p && a.n == b.n ? 0 : sap_str_cmp(a, b);
}

/* What is talked about: space, package, source or binary, module. */
static int same_topic(const struct sap_csaf_claim *a, const struct sap_csaf_claim *b)
{
	int c = texts(a->space, b->space);

	if (!c)
		c = texts(a->package, b->package);
	if (!c)
		c = (int)a->source - (int)b->source;
	return c ? c : texts(a->module, b->module);
}

/* What is said: status, reason, severity, version. */
static int same_saying(const struct sap_csaf_claim *a, const struct sap_csaf_claim *b)
{
	int c = (int)a->status - (int)b->status;

	if (!c)
		c = (int)a->reason - (int)b->reason;
	if (!c)
		c = (int)a->severity - (int)b->severity;
	return c ? c : texts(a->version, b->version);
}

static int by_topic(const void *pa, const void *pb)
{
	int c = same_topic(pa, pb);

	return c ? c : same_saying(pa, pb);
}

/* Whether two statements can share a row, if it is about two packages. */
static int same_row(const struct sap_csaf_claim *a, const struct sap_csaf_claim *b)
{
	int c = texts(a->space, b->space);

	if (!c)
		c = same_saying(a, b);
	if (!c)
		c = (int)a->source - (int)b->source;
	if (!c)
		c = texts(a->module, b->module);
	return c ? c : a->arch < b->arch ? -1 : a->arch > b->arch;
}

static int by_row(const void *pa, const void *pb)
{
	const struct sap_csaf_claim *a = pa, *b = pb;
	int c = same_row(a, b);

	return c ? c : texts(a->package, b->package);
}

/* 0 (any) for a set of architectures that leaves out none that the product is made for: RHEL 6
 * and 7 have three or four of these, later ones all. */
static uint32_t reduce(uint32_t arch, struct sap_str space)
{
	enum {
		X86_64 = 1u << 1,
		AARCH64 = 1u << 3,
		PPC64LE = 1u << 4,
		PPC64 = 1u << 5,
		S390X = 1u << 6
	};
	bool old = sap_str_is(space, "Red Hat:6") || sap_str_is(space, "Red Hat:7");

	if (arch & SAP_CSAF_NOARCH)
		return 0;
	if ((arch & X86_64) && (arch & S390X) && (arch & (PPC64LE | PPC64)) &&
	    (old || (arch & AARCH64)))
		return 0;
	return arch;
}

/* One statement a topic and saying, without those that a weightier one outdoes. */
static void merge(struct sap_csaf_claims *claims)
{
	struct sap_csaf_claim *v = claims->v;
	size_t kept = 0;

	qsort(v, claims->n, sizeof(*v), by_topic);
	for (size_t i = 0, next; i < claims->n; i = next) {
		uint8_t best = v[i].status; /* the weightiest comes first */

		next = i;
		while (next < claims->n && same_topic(&v[i], &v[next]) == 0) {
			struct sap_csaf_claim c = v[next];
			bool any = false;

			do {
				any = any || c.source || v[next].arch == 0;
				c.arch |= v[next++].arch;
			} while (next < claims->n && same_topic(&c, &v[next]) == 0 &&
				 same_saying(&c, &v[next]) == 0);
			if (c.status != best &&
			    !(best == SAP_CSAF_AFFECTED && c.status == SAP_CSAF_UNFIXED))
				continue;
			c.arch = any ? 0 : reduce(c.arch, c.space);
			v[kept++] = c;
		}
	}
	claims->n = kept;
}

/* "curl-debuginfo", "curl-debugsource", "kernel-debuginfo-common-x86_64". */
static bool debugging(struct sap_str name)
{
	static const struct sap_str common = SAP_STR_INIT("-debuginfo-common");

	if (sap_str_ends(name, SAP_STR("-debuginfo")) ||
	    sap_str_ends(name, SAP_STR("-debugsource")))
		return true;
	for (; name.n >= common.n; name = sap_str_skip(name, 1))
		if (sap_str_starts(name, common))
			return true;
	return false;
}

/* A row about the n packages of v. */
static void put_row(const struct sap_csaf_claim *v, size_t n, uint8_t severity,
		    struct sap_rows *rows)
{
	static const char *const status[] = { [SAP_CSAF_FIXED] = "affected",
					      [SAP_CSAF_AFFECTED] = "affected",
					      [SAP_CSAF_UNFIXED] = "unfixed",
					      [SAP_CSAF_NOT_AFFECTED] = "not-affected",
					      [SAP_CSAF_INVESTIGATED] = "under-investigation" };
	static const char *const reason[] = { [SAP_CSAF_WONT_FIX] = "wont-fix",
					      [SAP_CSAF_END_OF_LIFE] = "end-of-life",
					      [SAP_CSAF_DEFERRED] = "deferred" };

	sap_rows_begin(rows, SAP_ROW_CLAIM);
	sap_rows_arg(rows, v->space);
	sap_rows_list_begin(rows, NULL);
	for (size_t i = 0; i < n; i++)
		sap_rows_list_item(rows, v[i].package);
	sap_rows_list_end(rows);
	sap_rows_arg(rows, sap_str_of(status[v->status]));
	if (v->status == SAP_CSAF_FIXED) {
		sap_rows_attr(rows, "introduced", SAP_STR("0"));
		sap_rows_attr(rows, "fixed", v->version);
	}
	/* Red Hat's advisories name binary packages by default, those of SUSE sources. */
	if (v->source)
		sap_rows_attr(rows, "by", SAP_STR("source"));
	else if (!sap_str_starts(v->space, SAP_STR("Red Hat:")))
		sap_rows_attr(rows, "by", SAP_STR("binary"));
	if (v->reason)
		sap_rows_attr(rows, "reason", sap_str_of(reason[v->reason]));
	sap_rows_attr(rows, "module", v->module);
	sap_rows_list_begin(rows, "arch");
	for (unsigned i = 0; i < SAP_CSAF_ARCHES; i++)
		if (v->arch & (1u << i))
			sap_rows_list_item(rows, sap_str_of(sap_csaf_arches[i]));
	sap_rows_list_end(rows);
	if (v->severity != severity)
		sap_rows_attr(rows, "severity",
			      sap_str_of(sap_severity_name((enum sap_severity)v->severity)));
	sap_rows_done(rows);
}

void sap_csaf_claims_put(struct sap_csaf_claims *claims, uint8_t severity, struct sap_rows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < claims->n; i++)
		if (!debugging(claims->v[i].package))
			claims->v[kept++] = claims->v[i];
	claims->n = kept;
	if (kept == 0)
		return;
	merge(claims);
	qsort(claims->v, claims->n, sizeof(*claims->v), by_row);
	for (size_t i = 0, next; i < claims->n; i = next) {
		next = i + 1;
		while (next < claims->n && next - i < PACKAGES_A_ROW &&
		       same_row(&claims->v[i], &claims->v[next]) == 0)
			next++;
		put_row(&claims->v[i], next - i, severity, rows);
	}
	claims->n = 0;
}
