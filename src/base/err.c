/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static void store(struct sap_err *err, enum sap_code code,
							int sys_errno, unsigned long long offset,
							const char *fmt, va_list ap)
{
	if (!err)
		return;
	err->code = code;
	err->sys_errno = sys_errno;
	err->offset = offset;
	if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
		err->text[0] = '\0';
}

int(sap_err_set)(struct sap_err *err, enum sap_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	store(err, code, 0, 0, fmt, ap);
	va_end(ap);
	return code;
}

int(sap_err_format)(struct sap_err *err, unsigned long long offset, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	store(err, SAP_EFORMAT, 0, offset, fmt, ap);
	va_end(ap);
	return SAP_EFORMAT;
}

int(sap_err_sys)(struct sap_err *err, int sys_errno, const char *fmt, ...)
{
	enum sap_code code = SAP_EIO;
	char reason[128];
	size_t used;
	va_list ap;

	if (sys_errno == ENOMEM)
		code = SAP_ENOMEM;
	else if (sys_errno == ENOENT || sys_errno == ENOTDIR)
		code = SAP_ENOENT;
	va_start(ap, fmt);
	store(err, code, sys_errno, 0, fmt, ap);
	va_end(ap);
	if (!err)
		return code;
	used = strlen(err->text);
	/* GNU strerror_r: returns the text, in the buffer or not. */
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		 strerror_r(sys_errno, reason, sizeof(reason)));
	return code;
}

int(sap_err_wrap)(struct sap_err *err, const char *fmt, ...)
{
	char inner[SAP_ERR_TEXT_MAX];
	size_t used;
	va_list ap;

	if (!err)
		return SAP_EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	store(err, err->code, err->sys_errno, err->offset, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	return err->code;
}

int(sap_err_nomem)(struct sap_err *err)
{
	return sap_err_set(err, SAP_ENOMEM, "out of memory");
}

const char *sap_code_name(int code)
{
	switch (code) {
	case SAP_OK:
		return "ok";
	case SAP_ENOMEM:
		return "out-of-memory";
	case SAP_EIO:
		return "unreadable";
	case SAP_EFORMAT:
		return "format";
	case SAP_ELIMIT:
		return "limit";
	case SAP_ENOENT:
		return "missing";
	case SAP_EUSAGE:
		return "usage";
	case SAP_EUNSUPPORTED:
		return "unsupported";
	case SAP_ECHANGED:
		return "changed";
	case SAP_EWORKER:
		return "worker-died";
	default:
		return "unknown";
	}
}
