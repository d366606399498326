/* SPDX-License-Identifier: Apache-2.0 */
/* The line-based configuration files from any bytes: pam.d, pam.conf, nsswitch.conf,
 * ld.so.preload, ld-musl-ARCH.path; and the first line as a pattern for the rest. */
#include "sysconf/sysconf_int.h"

static int on_setting(struct sap_sink *sink, const struct sap_rec_setting *rec, struct sap_err *err)
{
	volatile char last = 0;

	(void)sink;
	(void)err;
	/* Touches the ends of every text, for the sanitizer. */
	if (rec->key.n)
		last = rec->key.p[rec->key.n - 1];
	if (rec->value.n)
		last = rec->value.p[rec->value.n - 1];
	if (rec->extra.n)
		last = rec->extra.p[rec->extra.n - 1];
	(void)last;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_sink sink = { .setting = on_setting };
	struct sap_span bytes = sap_span_of(data, size);
	struct sap_str text = { (const char *)data, size };
	struct sap_str path = SAP_STR("/etc/x");
	struct sap_str pattern;
	struct sap_err err;

	sap_pam_parse(bytes, path, SAP_STR("service"), &sink, &err);
	sap_pam_parse(bytes, path, SAP_STR(""), &sink, &err);
	sap_nsswitch_parse(bytes, path, &sink, &err);
	sap_preload_read(bytes, path, &sink, &err);
	sap_muslpath_read(bytes, path, SAP_STR("arch"), &sink, &err);
	if (sap_str_line(&text, &pattern))
		sap_sysconf_match(pattern, text);
	return 0;
}
