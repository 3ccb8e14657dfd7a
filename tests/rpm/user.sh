# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317
#
# Usage, in a root of a Debian suite: user.sh RELEASE
#
# RELEASE is the kernel that is installed there; in /out are rpm, and the packages of
# this version and of an older one. The file /out/tests says how many tests were before these.
set -u
# shellcheck source=SCRIPTDIR/../tap.sh
. /source/tests/tap.sh
tests=$(cat /out/tests)
release=$1
name=subpage-vfio-pci
module=/lib/modules/$release/updates/dkms/subpage_vfio_pci.ko
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' /source/dkms.conf)

# Its own database, which knows of none of Debian's packages.
rpm() {
	RPM_CONFIGDIR=/out/rpm/config "$(echo /out/rpm/lib/ld-linux*)" --library-path /out/rpm/lib /out/rpm/rpm \
		--dbpath /out/rpm/db --nodeps "$@"
}

has_module() {
	local built
	built=$(modinfo -F version "$module"*) || return
	[ "$built" = "$1" ] || { echo "its version is $built"; return 1; }
	modprobe --show-depends -S "$release" subpage_vfio_pci
}

knows_only() {
	local known
	known=$(dkms status) || return
	[ "$known" = "$name/$1, $release, $(uname -m): installed" ] || { echo "$known"; return 1; }
}

scripts_have_said_nothing() {
	! grep -iE 'error|warning|fail' "$1"
}

files() {
	find / -xdev \( -path /proc -o -path /out -o -path /source -o -path /tmp -o -path /var/log -o -path /var/cache -o -path "/var/lib/dkms/mok.*" \
		-o -path '/lib/modules/*/modules.*' -o -path '/usr/lib/modules/*/modules.*' \) -prune -o -type f -print | sort
}

files >/tmp/before

install() {
	rpm -U "$@" >/out/said 2>&1
	local status=$?
	cat /out/said
	return "$status"
}

ok "an older version of the module's package installs" install /out/old/"$name"-dkms-*.rpm
ok "DKMS has built the module for $release" has_module 0.0.1
ok "the package is upgraded" install /out/new/"$name"-dkms-*.rpm
ok "the module is the new one" has_module "$version"
ok "DKMS knows of this version alone" knows_only "$version"
ok "nobody has complained" scripts_have_said_nothing /out/said
ok "the same version, built anew, is installed over it" install --force /out/new/"$name"-dkms-*.rpm
ok "the module is still there" has_module "$version"
ok "DKMS knows of this version alone" knows_only "$version"
ok "its manual page is there" test -e /usr/share/man/man4/subpage_vfio_pci.4
ok "the command's package installs" install /out/new/subpage-vfio-"$version"-*.rpm
ok "rpm finds all files as they were" rpm -V "$name-dkms" subpage-vfio
ok "both are removed" rpm -e "$name-dkms" subpage-vfio
ok "modprobe no longer finds the module" not modprobe --show-depends -S "$release" subpage_vfio_pci
ok "DKMS no longer knows it" not contains subpage "$(dkms status)"
files >/tmp/after
ok "no file is left" diff /tmp/before /tmp/after
finish
