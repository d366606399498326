/* SPDX-License-Identifier: Apache-2.0 */
/* Reviewed exceptions from any bytes, applied to a finding; each line of the input also as a
 * purl and as a pattern for it. */
#include "advisory/review_int.h"
#include "advisory/toml_int.h"

static void purls(struct sap_str text)
{
	struct sap_str line, last = SAP_STR("pkg:deb/debian/xz-utils@5.4.1-1?arch=amd64");

	for (unsigned n = 0; n < 64 && sap_str_line(&text, &line); n++) {
		sap_review_purl_matches(line, last);
		sap_review_purl_matches(last, line);
		if (line.n)
			last = line;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str text = { (const char *)data, size };
	struct sap_findings f = { 0 };
	struct sap_finding *it;
	struct sap_review review;
	struct sap_err err;
	size_t n;

	sap_arena_init(&f.arena, 0);
	sap_review_init(&review);
	it = SAP_VEC_PUSH(&f.list, 1);
	if (it) {
		*it = (struct sap_finding){ .id = SAP_STR("CVE-2024-3094"),
					    .status = SAP_STATUS_AFFECTED,
					    .package = SAP_STR("pkg:deb/debian/xz-utils@5.6.1-1"),
					    .name = SAP_STR("xz-utils") };
		if (sap_review_read_toml(&review, "x", text, &err) == 0) {
			n = review.exceptions.n;
			/* Once more: the same again. */
			if (sap_review_read_toml(&review, "y", text, &err) < 0 ||
			    review.exceptions.n != 2 * n)
				__builtin_trap();
			sap_review_apply(&review, &f, 1795219200, &err);
		} else if (review.exceptions.n) {
			__builtin_trap();
		}
	}
	purls(text);
	sap_review_clear(&review);
	sap_vec_clear(&f.list);
	sap_vec_clear(&f.notes);
	sap_arena_clear(&f.arena);
	return 0;
}
