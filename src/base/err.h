/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a code that a caller can act on, and one line of text for a person.
 *
 * Every function that can fail returns 0 or a negative enum sap_code and takes a
 * struct sap_err as its last parameter. The text names the thing, the reason and,
 * where there is one, the remedy. err may be NULL: then only the code is given.
 * Only src/cli prints and exits.
 */
#ifndef SAP_BASE_ERR_H
#define SAP_BASE_ERR_H

#include <errno.h>

enum sap_code {
	SAP_OK = 0,
	SAP_ENOMEM = -1,       /* out of memory, or an arena's ceiling of our own making */
	SAP_EIO = -2,          /* the system refused; sys_errno says why */
	SAP_EFORMAT = -3,      /* bytes do not follow their format; offset says where */
	SAP_ELIMIT = -4,       /* a ceiling of base/limits.h was reached */
	SAP_ENOENT = -5,       /* what was asked for is not there */
	SAP_EUSAGE = -6,       /* the caller asked for something that makes no sense */
	SAP_EUNSUPPORTED = -7, /* a valid thing that this program or kernel cannot do */
	SAP_ECHANGED = -8,     /* the input changed while it was read */
	SAP_EWORKER = -9,      /* the extract worker died or broke its protocol */
};

#define SAP_ERR_TEXT_MAX 512

struct sap_err {
	enum sap_code code;
	int sys_errno;               /* 0 when no system call was involved */
	unsigned long long offset;   /* with SAP_EFORMAT: byte offset of the fault; else 0 */
	char text[SAP_ERR_TEXT_MAX]; /* always terminated; cut, never overrun */
};

/* Stores code and the formatted text in err (which may be NULL) and returns code. */
int sap_err_set(struct sap_err *err, enum sap_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As sap_err_set with SAP_EIO; appends ": " and the text of sys_errno. ENOMEM becomes
 * SAP_ENOMEM, ENOENT and ENOTDIR become SAP_ENOENT. */
int sap_err_sys(struct sap_err *err, int sys_errno, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* SAP_EFORMAT at a byte offset of the input. */
int sap_err_format(struct sap_err *err, unsigned long long offset, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text that err has, keeps its code, and returns that code. */
int sap_err_wrap(struct sap_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory, in one expression. */
int sap_err_nomem(struct sap_err *err);

/* What these return is below zero. Saying so to the compiler keeps static analysers from
 * following paths on which an error was no error. */
static inline int sap_negative(int code)
{
	if (code >= 0)
		__builtin_unreachable();
	return code;
}

#define sap_err_set(...) sap_negative((sap_err_set)(__VA_ARGS__))
#define sap_err_sys(...) sap_negative((sap_err_sys)(__VA_ARGS__))
#define sap_err_format(...) sap_negative((sap_err_format)(__VA_ARGS__))
#define sap_err_wrap(...) sap_negative((sap_err_wrap)(__VA_ARGS__))
#define sap_err_nomem(...) sap_negative((sap_err_nomem)(__VA_ARGS__))

/* A stable word for a code: "format", "limit" ...; used in diagnostics and JSON. */
const char *sap_code_name(int code);

#endif
