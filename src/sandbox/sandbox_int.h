/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_SANDBOX_SANDBOX_INT_H
#define SAP_SANDBOX_SANDBOX_INT_H

#include <stdbool.h>

#if defined(__has_feature)
#define SAP_HAS_FEATURE(x) __has_feature(x)
#else
#define SAP_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||               \
	SAP_HAS_FEATURE(address_sanitizer) || SAP_HAS_FEATURE(thread_sanitizer) || \
	SAP_HAS_FEATURE(memory_sanitizer)
#define SAP_SANITISED 1
#else
#define SAP_SANITISED 0
#endif

/* Installs the seccomp filter. Without allow_open nothing can be opened. 0 or -errno. */
int sap_sandbox_filter(bool allow_open, bool allow_openat2, bool allow_receive);

#endif
