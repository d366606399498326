# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What make-roots and make-foreign share; sourced.

# Where roots are kept.
cache_dir() {
	printf '%s\n' "${SAPPER_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sapper-test-roots}"
}

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# The mirror this machine installs from: the one its own release's packages come from.
# Nothing where there is none: debootstrap's own default then.
mirror() {
	local release
	# shellcheck disable=SC1091
	release=$(. /etc/os-release 2>/dev/null && printf %s "${VERSION_CODENAME-}") || release=
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 2>/dev/null |
		awk -v r="$release" '$1 == r && $2 == "main" && $3 ~ /\/debian\/?$/ { print $3; exit }'
}

# Runs a command in mount and process namespaces of its own: what it mounts is not seen outside,
# and what it starts ends with it.
apart() {
	local propagation=private
	# inside a chroot "/" is no mount point, and how it propagates cannot be set
	unshare --mount true 2>/dev/null || propagation=unchanged
	unshare --mount --propagation $propagation --pid --fork --kill-child --mount-proc "$@"
}
