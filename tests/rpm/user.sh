# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317
#
# Usage, in a root of a Debian suite: user.sh RELEASE
#
# RELEASE is the kernel that is installed there; in /out are rpm, the packages of this
# version and of the release before, and in /out/debian those that stand for what this root has. The file /out/tests says how many tests were before these.
set -u
# shellcheck source=SCRIPTDIR/../tap.sh
. /source/tests/tap.sh
tests=$(cat /out/tests)
release=$1
name=subpage-vfio-pci
module=/lib/modules/$release/updates/dkms/subpage_vfio_pci.ko
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' /source/dkms.conf)

before=$(echo /out/old/"$name"-dkms-*.rpm)
before=${before#*-dkms-} before=${before%%-*}

# Its own database.
rpm() {
	RPM_CONFIGDIR=/out/rpm/config "$(echo /out/rpm/lib/ld-linux*)" --library-path /out/rpm/lib /out/rpm/rpm \
		--dbpath /out/rpm/db "$@"
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

install() {
	rpm -U "$@" >/out/said 2>&1
	local status=$?
	cat /out/said
	return "$status"
}

# refused NEED PACKAGE...: rpm does not install them, and says what they need.
refused() {
	local need=$1
	shift
	! install "$@" || { echo "they were installed"; return 1; }
	contains "$need" "$(cat /out/said)"
}

dpkg -i /out/needs/*.deb >/dev/null 2>&1
files >/tmp/before

ok "the command's package is refused where the libraries are missing" refused "libpci.so.3" /out/new/subpage-vfio-"$version"-*.rpm
ok "they come" install /out/debian/noarch/debian-1-1.noarch.rpm
ok "the module's package is refused where DKMS is missing" refused "dkms >= 2.8 is needed" /out/new/"$name"-dkms-*.rpm
ok "DKMS comes" install /out/debian/noarch/debian-dkms-*.rpm
ok "the module's package of the release before, $before, installs" install /out/old/"$name"-dkms-*.rpm
ok "DKMS has built the module for $release" has_module "$before"
ok "DKMS cannot be removed from under it" not rpm -e debian-dkms
ok "the package is upgraded" install /out/new/"$name"-dkms-*.rpm
ok "the module is the new one" has_module "$version"
ok "DKMS knows of this version alone" knows_only "$version"
ok "nobody has complained" scripts_have_said_nothing /out/said
ok "the same version, built anew, is installed over it" install --force /out/new/"$name"-dkms-*.rpm
ok "the module is still there" has_module "$version"
ok "DKMS knows of this version alone" knows_only "$version"
ok "its manual page is there" test -e /usr/share/man/man4/subpage_vfio_pci.4
ok "the command's package installs" install /out/new/subpage-vfio-"$version"-*.rpm
ok "the command runs" subpage-vfio --help
ok "rpm finds all files as they were" rpm -V "$name-dkms" subpage-vfio
ok "both are removed" rpm -e "$name-dkms" subpage-vfio
ok "modprobe no longer finds the module" not modprobe --show-depends -S "$release" subpage_vfio_pci
ok "DKMS no longer knows it" not contains subpage "$(dkms status)"
files >/tmp/after
ok "no file is left" diff /tmp/before /tmp/after
finish
