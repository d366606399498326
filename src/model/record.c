/* SPDX-License-Identifier: Apache-2.0 */
#include "model/record.h"

#include <stdarg.h>
#include <stdio.h>

const char *sap_package_type_name(enum sap_package_type type)
{
	switch (type) {
	case SAP_PACKAGE_DEB:
		return "deb";
	case SAP_PACKAGE_RPM:
		return "rpm";
	case SAP_PACKAGE_APK:
		return "apk";
	case SAP_PACKAGE_ALPM:
		return "alpm";
	case SAP_PACKAGE_PYPI:
		return "pypi";
	case SAP_PACKAGE_NPM:
		return "npm";
	case SAP_PACKAGE_GEM:
		return "gem";
	case SAP_PACKAGE_GOLANG:
		return "golang";
	default:
		return "unknown";
	}
}

uint32_t sap_digest_size(enum sap_digest_kind kind)
{
	switch (kind) {
	case SAP_DIGEST_MD5:
		return 16;
	case SAP_DIGEST_SHA1:
		return 20;
	case SAP_DIGEST_SHA224:
		return 28;
	case SAP_DIGEST_SHA256:
		return 32;
	case SAP_DIGEST_SHA384:
		return 48;
	case SAP_DIGEST_SHA512:
		return 64;
	default:
		return 0;
	}
}

int sap_sink_note(struct sap_sink *sink, struct sap_str path, uint64_t offset, const char *code,
		  struct sap_err *err, const char *fmt, ...)
{
	char text[SAP_ERR_TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	const struct sap_rec_diagnostic rec = {
		.path = path,
		.code = sap_str_of(code),
		.message = sap_str_of(text),
		.offset = offset,
	};
	return sink->diagnostic(sink, &rec, err);
}

int sap_sink_fault(struct sap_sink *sink, struct sap_str path, const struct sap_err *fault,
		   struct sap_err *err)
{
	const struct sap_rec_diagnostic rec = {
		.path = path,
		.code = sap_str_of(sap_code_name(fault->code)),
		.message = sap_str_of(fault->text),
		.offset = fault->offset,
	};

	return sink->diagnostic(sink, &rec, err);
}
