/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spaces: the place a statement holds in: an ecosystem, or one release of a distribution.
 * "Debian:12", "debian:bookworm", "Debian:12.5" are one space.
 *
 * Canonical form: lower case, "ECOSYSTEM" or "ECOSYSTEM:RELEASE", point releases folded:
 *
 *     published as                            canonical            scheme    names
 *     Debian:12  Debian:bookworm              debian:12            deb       source
 *     Debian                                  debian               deb       source
 *     Ubuntu:22.04:LTS  Ubuntu:22.04          ubuntu:22.04         deb       source
 *     Ubuntu:Pro:22.04:LTS (esm)              ubuntu-pro:22.04     deb       source
 *     Alpine:v3.19  Alpine:3.19.1             alpine:3.19          apk       source
 *     Alpine:edge                             alpine:edge          apk       source
 *     Wolfi, Chainguard                       wolfi                apk       source
 *     AlmaLinux:9  AlmaLinux:9.3              almalinux:9          rpm       binary
 *     Rocky Linux:9                           rocky linux:9        rpm       source
 *     Red Hat:9  (import folds CPEs)          red hat:9            rpm       binary
 *     SUSE:..., openSUSE:Leap 15.6            opensuse:leap 15.6   rpm       source
 *     openSUSE:Tumbleweed                     opensuse:tumbleweed  rpm       source
 *     Fedora:40                               fedora:40            rpm       source
 *     Arch                                    arch                 pacman    binary
 *     PyPI, Go, crates.io, npm, Maven ...     pypi ...             its own   binary
 *
 * Codenames of Debian and Ubuntu are folded to numbers where they are known (table in
 * space.c); testing and unstable are "debian:sid" only where a publisher says so.
 */
#ifndef SAP_ADVISORY_SPACE_H
#define SAP_ADVISORY_SPACE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "model/facts.h"
#include "version/version.h"

enum sap_names { SAP_NAMES_SOURCE = 1, SAP_NAMES_BINARY = 2 };

/* Bytes of a canonical space, at most; longer ones are cut off at the release's end. */
#define SAP_SPACE_MAX 128u

struct sap_space {
	char text[SAP_SPACE_MAX + 1]; /* canonical, terminated */
	size_t n;
	size_t ecosystem_n; /* bytes of the part before ':' (n where there is none) */
};

static inline struct sap_str sap_space_str(const struct sap_space *s)
{
	return (struct sap_str){ s->text, s->n };
}

static inline struct sap_str sap_space_ecosystem(const struct sap_space *s)
{
	return (struct sap_str){ s->text, s->ecosystem_n };
}

/* The canonical form of what a publication says. False: empty or control bytes in it. */
bool sap_space_parse(struct sap_str published, struct sap_space *out);

/* How versions of that ecosystem are ordered (NONE: unknown ecosystem), and what its
 * advisories name by default. */
enum sap_version_scheme sap_space_scheme(const struct sap_space *space);
enum sap_names sap_space_names(const struct sap_space *space);

/* For people: "Debian 12", "Alpine 3.19", "PyPI". */
void sap_space_put(struct sap_buf *out, const struct sap_space *space);

/* The space of a system: os-release of "debian" 12 is debian:12; without VERSION_ID the
 * codename decides ("trixie/sid" of an unreleased Debian: debian, without release). False: the
 * system does not say what it is. Derivatives are themselves (raspbian, linuxmint), never
 * their parents: who rebuilds packages versions them anew. rolling: there are no releases, or
 * it is the line that future ones come from (arch, wolfi, opensuse-tumbleweed, alpine edge,
 * Debian testing and unstable). */
bool sap_space_of_os(const struct sap_facts *facts, struct sap_space *out, bool *rolling);

/* The folding of names that an ecosystem's own rules prescribe: PyPI lower case with runs of
 * "-_." as one "-"; NuGet, Packagist, deb: lower case; others as they are. Appends. */
void sap_space_put_name(struct sap_buf *out, const struct sap_space *space, struct sap_str name);

#endif
