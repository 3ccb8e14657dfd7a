# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317
#
# Usage, in a root of a Debian suite: user.sh RELEASE
#
# RELEASE is the kernel that is installed there; the packages are in /out/new, those of the
# release before them in /out/old.
set -u
# shellcheck source=SCRIPTDIR/../tap.sh
. /source/tests/tap.sh
release=$1
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' /source/dkms.conf)
before=$(dpkg-deb -f /out/old/subpage-vfio-pci-dkms_*.deb Version)
before=${before%-*}
module=/lib/modules/$release/updates/dkms/subpage_vfio_pci.ko

installed_module() {
	modinfo -F vermagic "$module"*
}

module_says() {
	local says
	says=$(modinfo -F version "$module"*) || return
	[ "$says" = "$1" ] || { echo "it says $says, not $1"; return 1; }
}

knows_only() {
	local known
	known=$(dkms status) || return
	[ "$known" = "subpage-vfio-pci/$1, $release, $(uname -m): installed" ] || { echo "$known"; return 1; }
}

# As apt does it: a file moves from one package to the other.
upgrade() {
	dpkg --auto-deconfigure -i /out/new/*.deb >/tmp/said 2>&1
	local status=$?
	cat /tmp/said
	return "$status"
}

nobody_complained() {
	test -s /tmp/said && ! grep -iE 'error|warning|fail|not empty' /tmp/said
}

# DKMS makes keys at its first build, which stay its own.
files() {
	find / -xdev \( -path /proc -o -path '/var/lib/dkms/mok.*' -o -path /out -o -path /source -o -path /tmp -o -path /var/log -o -path /var/cache \
		-o -path /var/lib/dpkg -o -path '/lib/modules/*/modules.*' -o -path '/usr/lib/modules/*/modules.*' \) -prune \
		-o -type f -print | sort
}

dpkg -i /out/needs/*.deb >/dev/null 2>&1
files >/tmp/before

ok "the release before, $before, is an older one" dpkg --compare-versions "$before" lt "$version"
ok "it installs" dpkg -i /out/old/*.deb
ok "DKMS has built that for $release" knows_only "$before"
ok "both packages are upgraded" upgrade
ok "nobody has complained" nobody_complained
ok "DKMS knows of this version alone" knows_only "$version"
ok "its module is the new one" module_says "$version"
ok "nothing is left of the older source" not ls -d "/usr/src/subpage-vfio-pci-$before" "/var/lib/dkms/subpage-vfio-pci/$before"
ok "it is purged" dpkg --purge subpage-vfio subpage-vfio-pci-dkms
files >/tmp/after
ok "no file is left" diff /tmp/before /tmp/after
ok "the module's package installs alone" dpkg -i /out/new/subpage-vfio-pci-dkms_*.deb
ok "its manual page is there" test -e /usr/share/man/man4/subpage_vfio_pci.4.gz
ok "DKMS has built the module for $release" installed_module
ok "its version is the package's" module_says "$version"
ok "modprobe finds it" modprobe --show-depends -S "$release" subpage_vfio_pci
ok "the command's package installs" dpkg -i /out/new/subpage-vfio_*.deb
ok "the command runs" subpage-vfio --help
ok "its manual page is there" test -e /usr/share/man/man8/subpage-vfio.8.gz
ok "bash completes it" test -e /usr/share/bash-completion/completions/subpage-vfio
ok "both are purged" dpkg --purge subpage-vfio subpage-vfio-pci-dkms
ok "modprobe no longer finds the module" not modprobe --show-depends -S "$release" subpage_vfio_pci
files >/tmp/after
ok "no file is left" diff /tmp/before /tmp/after
finish
