#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rpm_oracle.sh DUMP: compares what our reader finds (DUMP is the built rpm_dump.c) with what
# rpm says about the same root. Packages are built and installed into a scratch root here; the
# database is then also offered with an open write-ahead log, as Berkeley DB files of both byte
# orders (written by the real library through perl's DB_File) and as ndb.
# Ends with "N passed, N failed[, N skipped]"; 77 where nothing can run.
set -u
export LC_ALL=C
dump=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
passed=0 failed=0 skipped=0

skip_all() {
	echo "skipped: $1"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
}
for tool in rpm rpmbuild; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
[ "$(id -u)" = 0 ] || skip_all "rpm --root needs root"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root

result() { # NAME STATUS
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $1"
	fi
}

same() { # NAME GOT WANT
	diff "$3" "$2" >"$tmp/diff"
	result "$1" $?
	head -n 20 "$tmp/diff"
}

skipped() { # NAME REASON
	skipped=$((skipped + 1))
	echo "skipped: $1: $2"
}

query() { # ROOT FORMAT: rpm's answer, sorted; "(none)" and an epoch of 0 are nothing
	rpm --root "$1" --dbpath "${dbpath:-/var/lib/rpm}" -qa --qf "$2" 2>/dev/null |
		sed 's/(none)//g; s/^\([^\t]*\t\)0:/\1/' | sort
}

# ---- both sides in one form --------------------------------------------------------------

rpm_packages() {
	query "$1" '%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LICENSE}\t%{VENDOR}\t%{PACKAGER}\t%{GROUP}\t%{MODULARITYLABEL}\t%{INSTALLTIME}\t%{LONGSIZE}\n'
}

our_packages() { # DUMP-OUTPUT; source-version.src.rpm has no epoch
	awk -F '\t' -v OFS='\t' '$1 == "P" {
		srpm = $6; sub(/^[0-9]+:/, "", srpm)
		srpm = $5 == "" ? "" : $5 "-" srpm ".src.rpm"
		print $2, $3, $4, srpm, $7, $8, $9, $10, $11, $12, $13
	}' "$1" | sort
}

rpm_relations() {
	for tag in REQUIRE RECOMMEND SUGGEST PROVIDE CONFLICT; do
		kind=$(echo "${tag}S" | tr '[:upper:]' '[:lower:]')
		query "$1" "[%{=NAME}\t$kind\t%{${tag}NEVRS}\n]"
	done | sort
}

our_relations() {
	awk -F '\t' -v OFS='\t' '$1 == "P" { name = $2 } $1 == "R" { print name, $2, $3 }' "$1" |
		sort
}

rpm_files() { # without directories and files that are not this package's on disk
	query "$1" '[%{=NAME}\t%{FILENAMES}\t%{FILEMODES:octal}\t%{FILESTATES}\t%{FILEFLAGS}\t%{=FILEDIGESTALGO}\t%{FILEDIGESTS}\n]' |
	awk -F '\t' -v OFS='\t' '
		BEGIN { kind[""] = 1; kind[1] = 1; kind[2] = 2; kind[8] = 3; kind[9] = 4; kind[10] = 5; kind[11] = 6 }
		$3 ~ /^0?4....$/ || $4 == 1 || $4 == 2 || $4 == 4 { next }
		{
			flags = $5 % 2 + int($5 / 2) % 2 * 4 + int($5 / 64) % 2 * 2
			print $1, $2, flags, ($7 == "" ? 0 : kind[$6]) ":" $7
		}' | sort
}

our_files() {
	awk -F '\t' -v OFS='\t' '$1 == "P" { name = $2 } $1 == "F" { print name, $2, $3, $4 }' "$1" |
		sort
}

compare() { # NAME ROOT: everything that rpm and we say about a root
	"$dump" "$2" >"$tmp/ours"
	result "$1: rpm_dump runs" $?
	for what in packages relations files; do
		"rpm_$what" "$2" >"$tmp/want"
		"our_$what" "$tmp/ours" >"$tmp/got"
		[ -s "$tmp/want" ]
		result "$1: rpm lists $what" $?
		same "$1: $what" "$tmp/got" "$tmp/want"
	done
	! grep '^D' "$tmp/ours"
	result "$1: no diagnostics" $?
}

equal_to_sqlite() { # NAME ROOT: the same records from another format
	"$dump" "$2" >"$tmp/ours"
	LC_ALL=C sort "$tmp/sqlite" >"$tmp/want"
	LC_ALL=C sort "$tmp/ours" >"$tmp/got"
	same "$1" "$tmp/got" "$tmp/want"
}

# ---- packages ----------------------------------------------------------------------------

build() { # SPEC-NAME RPMBUILD-OPTION...
	local spec=$tmp/$1.spec
	cat >"$spec"
	shift
	rpmbuild --quiet -bb --define "_topdir $tmp/build" --define "_rpmdir $tmp/rpms" \
		--define '__os_install_post %{nil}' --define 'debug_package %{nil}' "$@" "$spec" \
		>"$tmp/log" 2>&1 || { cat "$tmp/log"; result "build $spec" 1; }
}

mkdir -p "$tmp/build" "$tmp/rpms" "$root"
build alpha --define '_binary_filedigest_algorithm 8' <<'SPEC'
Name: alpha
Epoch: 3
Version: 1.2~rc1
Release: 4.el9
Summary: first
License: GPL-2.0-or-later AND MIT
Vendor: Example Vendor, Inc.
Packager: A Packager <packager@example.com>
Group: System/Libraries
ModularityLabel: stream:1:20230101:abcdef
Requires: beta >= 2:1.0-1, /bin/sh, libfoo.so.6(GLIBC_2.34)(64bit)
Requires: (gamma if delta)
Provides: alpha-compat = 9, alpha(virtual) = 3:1.0
Conflicts: omega < 1.0
Recommends: beta
Suggests: gamma > 1
AutoReqProv: no
%description
x
%package libs
Summary: a part
Epoch: 0
%description libs
x
%install
mkdir -p %{buildroot}/etc/alpha.d %{buildroot}/usr/bin %{buildroot}/usr/share/doc/alpha %{buildroot}/var/log %{buildroot}/usr/lib64
echo conf > %{buildroot}/etc/alpha.d/alpha.conf
echo conf > "%{buildroot}/etc/alpha.d/with space.conf"
echo bin > %{buildroot}/usr/bin/alpha
ln -s alpha %{buildroot}/usr/bin/alpha-link
echo doc > %{buildroot}/usr/share/doc/alpha/README
echo lib > %{buildroot}/usr/lib64/libalpha.so.1
ln %{buildroot}/usr/lib64/libalpha.so.1 %{buildroot}/usr/lib64/libalpha.so.1.0
%files
%dir /etc/alpha.d
%config(noreplace) /etc/alpha.d/alpha.conf
%config "/etc/alpha.d/with space.conf"
/usr/bin/alpha
/usr/bin/alpha-link
%doc /usr/share/doc/alpha/README
%ghost /var/log/alpha.log
%files libs
/usr/lib64/libalpha.so.1
/usr/lib64/libalpha.so.1.0
SPEC
n=0
for algorithm in 1 2 9 10 11; do
	n=$((n + 1))
	build "digest$algorithm" --define "_binary_filedigest_algorithm $algorithm" <<SPEC
Name: digest$algorithm
Version: 0
Release: $n
Summary: digests
License: MIT
BuildArch: noarch
%description
x
%install
mkdir -p %{buildroot}/opt/d %{buildroot}/usr/share/doc/d$algorithm
echo $algorithm > %{buildroot}/opt/d/f$algorithm
echo $algorithm > %{buildroot}/opt/d/shared
echo $algorithm > %{buildroot}/usr/share/doc/d$algorithm/text
%files
/opt/d
%doc /usr/share/doc/d$algorithm/text
SPEC
done

install() {
	rpm --root "$root" --dbpath /var/lib/rpm -i --nodeps --noscripts --ignoreos --ignorearch \
		"$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; result "install $*" 1; }
}

install "$tmp"/rpms/*/alpha*.rpm
# One after the other: "shared" is replaced each time; documentation is left out.
for package in "$tmp"/rpms/noarch/digest*.rpm; do
	install --replacefiles --excludedocs "$package"
done
if command -v gpg >/dev/null; then
	export GNUPGHOME=$tmp/gnupg
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-gen-key 'Test <test@example.com>' rsa2048 \
		>/dev/null 2>&1
	gpg --batch --armor --export >"$tmp/key.asc" 2>/dev/null
	rpm --root "$root" --dbpath /var/lib/rpm --import "$tmp/key.asc" ||
		skipped "gpg-pubkey" "rpm does not import the key"
else
	skipped "gpg-pubkey" "gpg is not installed"
fi

compare "installed" "$root"
"$dump" "$root" >"$tmp/sqlite"
grep -c '^P' "$tmp/sqlite" | grep -qx '[78]'
result "seven packages, and gpg's key" $?

# ---- the same database in other forms ----------------------------------------------------

# An open connection keeps its changes in the write-ahead log.
live=$tmp/live
mkdir -p "$live/var/lib/rpm" "$tmp/work"
cp "$root/var/lib/rpm/rpmdb.sqlite" "$tmp/work/"
if command -v python3 >/dev/null && python3 "$here/rpm_convert.py" wal \
	"$tmp/work/rpmdb.sqlite" "$live/var/lib/rpm"; then
	[ -s "$live/var/lib/rpm/rpmdb.sqlite-wal" ]
	result "there is a write-ahead log" $?
	before=$(cd "$live/var/lib/rpm" && sha256sum ./*)
	"$dump" "$live" >"$tmp/ours"
	grep '^P.alpha' "$tmp/ours" | cut -f 2 | sort >"$tmp/got"
	printf 'alpha\nalpha\nalpha-libs\n' >"$tmp/want"
	same "changes in the log are seen" "$tmp/got" "$tmp/want"
	! grep -q '^P.digest9' "$tmp/ours"
	result "a removal in the log is seen" $?
	! grep '^D' "$tmp/ours"
	result "a log gives no diagnostics" $?
	[ "$before" = "$(cd "$live/var/lib/rpm" && sha256sum ./*)" ]
	result "nothing is written beside the database" $?
	# rpm, on a copy that it may checkpoint.
	cp -a "$live" "$tmp/live2"
	compare "with a log" "$tmp/live2"

	mkdir -p "$tmp/ndb/usr/lib/sysimage/rpm"
	python3 "$here/rpm_convert.py" ndb "$root/var/lib/rpm/rpmdb.sqlite" \
		"$tmp/ndb/usr/lib/sysimage/rpm/Packages.db"
	equal_to_sqlite "ndb" "$tmp/ndb"
else
	skipped "write-ahead log and ndb" "python3 with sqlite3 is not installed"
fi

if perl -MDB_File -e 1 2>/dev/null && command -v python3 >/dev/null; then
	python3 "$here/rpm_convert.py" blobs "$root/var/lib/rpm/rpmdb.sqlite" "$tmp/blobs"
	for order in 1234 4321; do
		for page in 512 4096 65536; do
			mkdir -p "$tmp/bdb-$order-$page/var/lib/rpm"
			perl "$here/rpm_bdb.pl" "$tmp/blobs" $order $page \
				"$tmp/bdb-$order-$page/var/lib/rpm/Packages"
			equal_to_sqlite "Berkeley DB, order $order, pages of $page bytes" \
				"$tmp/bdb-$order-$page"
		done
	done
	# Debian's rpm reads Berkeley DB, but writes into the folder of the database.
	compare "Berkeley DB" "$tmp/bdb-1234-4096"
else
	skipped "Berkeley DB" "perl's DB_File or python3 is not installed"
fi

# ---- samples of real systems -------------------------------------------------------------

for sample in rpm-sqlite rpm-bdb; do
	from=${SAP_SHARED:-/nonexistent}/vectors/packages/$sample
	if [ -d "$from" ]; then
		cp -r "$from" "$tmp/$sample"
		chmod -R u+w "$tmp/$sample"
		compare "$sample" "$tmp/$sample"
	else
		skipped "$sample" "no samples here"
	fi
done

echo "$passed passed, $failed failed$([ $skipped = 0 ] || echo ", $skipped skipped")"
[ $failed = 0 ]
