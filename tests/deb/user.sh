# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317
#
# Usage, in a root of a Debian suite: user.sh RELEASE
#
# RELEASE is the kernel that is installed there; the packages are in /out.
set -u
# shellcheck source=SCRIPTDIR/../tap.sh
. /source/tests/tap.sh
release=$1
module=/lib/modules/$release/updates/dkms/subpage_vfio_pci.ko

installed_module() {
	modinfo -F vermagic "$module"*
}

same_version() {
	local version
	version=$(modinfo -F version "$module"*) || return
	echo "$version"
	[ "$version" = "$(dpkg-query -W -f '${Version}' subpage-vfio-pci-dkms)" ]
}

files() {
	find / -xdev \( -path /proc -o -path /out -o -path /source -o -path /tmp -o -path /var/log -o -path /var/cache \
		-o -path /var/lib/dpkg -o -path '/lib/modules/*/modules.*' -o -path '/usr/lib/modules/*/modules.*' \) -prune \
		-o -type f -print | sort
}

# Some of the kernel's own keys are made by DKMS at its first build, and stay DKMS's.
dpkg -i /out/needs/*.deb >/dev/null 2>&1
mkdir -p /var/lib/dkms
touch /var/lib/dkms/mok.key /var/lib/dkms/mok.pub
files >/tmp/before

ok "the module's package installs" dpkg -i /out/subpage-vfio-pci-dkms_*.deb
ok "its manual page is there" test -e /usr/share/man/man4/subpage_vfio_pci.4.gz
ok "DKMS has built the module for $release" installed_module
ok "its version is the package's" same_version
ok "modprobe finds it" modprobe --show-depends -S "$release" subpage_vfio_pci
ok "the command's package installs" dpkg -i /out/subpage-vfio_*.deb
ok "the command runs" subpage-vfio --help
ok "its manual page is there" test -e /usr/share/man/man8/subpage-vfio.8.gz
ok "bash completes it" test -e /usr/share/bash-completion/completions/subpage-vfio
ok "both are purged" dpkg --purge subpage-vfio subpage-vfio-pci-dkms
ok "modprobe no longer finds the module" not modprobe --show-depends -S "$release" subpage_vfio_pci
files >/tmp/after
ok "no file is left" diff /tmp/before /tmp/after
finish
