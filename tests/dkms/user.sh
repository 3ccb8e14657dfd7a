# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2317
#
# Usage, in a root of a Debian suite: user.sh RELEASE OTHER OLD
#
# RELEASE is the kernel that is installed; OTHER one that gets installed; OLD one
# from before 6.1, or ''. The packages of these two are in /out, of OLD the headers.
set -u
release=$1 other=$2 old=$3
name=subpage_vfio_pci
# shellcheck source=SCRIPTDIR/../tap.sh
. /source/tests/tap.sh

# DKMS has put a module there that is built for that kernel.
is_installed() {
	local vermagic
	vermagic=$(modinfo -F vermagic "/lib/modules/$1/updates/dkms/$name".ko*) || return
	[ "${vermagic%% *}" = "$1" ] || { echo "vermagic is $vermagic"; return 1; }
}

has_version() {
	contains "$1" "$(modinfo -k "$release" -F version "$name" 2>&1)"
}

# DKMS has built nothing for that kernel, and none of its files says that it has failed.
passed_over() {
	! dkms status | grep -F "$1" || return
	! find /lib/modules /var/lib/dkms -path "*$1*" -path '*subpage*' | grep .
}

no_alias() {
	local alias
	alias=$(modinfo -k "$1" -F alias "$name") || return
	[ -z "$alias" ] || { echo "$alias"; return 1; }
}

# prefers KERNEL MODULE DEVICE: what libvirt would take, by its rule, for what the device announces.
prefers() {
	local pattern module stars least=8 best=
	while read -r _ pattern module; do
		stars=${pattern//[^*]/}
		# shellcheck disable=SC2053 # it is a pattern
		if [[ vfio_$3 == $pattern ]] && [ "${#stars}" -lt "$least" ]; then
			least=${#stars} best=$module
		fi
	done < <(grep '^alias vfio_pci:' "/lib/modules/$1/modules.alias")
	[ "$best" = "$2" ] || { echo "${best:-none} for $3, not $2"; return 1; }
}

# Six, where vfio-pci's alias has seven, and one that names vendor and device five or fewer.
has_six_wildcards() {
	modinfo -k "$1" -F alias "$name" >/tmp/aliases || return
	test -s /tmp/aliases && ! grep -vE '^vfio_pci:v[*]d[*]sv[*]sd[*]bc[0-9A-F]{2}sc[*]i[*]$' /tmp/aliases
}

loads_by_itself() {
	modinfo -k "$1" -F alias "$name" | grep -v '^vfio_pci:'
}

no_warning() {
	test -s "$1" && ! grep -iE 'warning|undefined' "$1"
}

# build_for HEADERS [VARIABLE=VALUE]...
build_for() {
	make -C "$1" M=/tmp/source "${@:2}" modules 2>&1
}

cp "/lib/modules/$release/modules.dep" /tmp/modules.dep
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' /source/dkms.conf)

ok "make dkms-install" make -C /source dkms-install KERNEL="$release"
ok "modprobe finds the module and what it needs" \
	contains vfio-pci-core "$(modprobe --show-depends -S "$release" "$name" 2>&1)"
ok "it is built for the kernel of this suite" is_installed "$release"
ok "it says which version it is, $version" has_version "$version"
ok "no PCI device loads it by itself" no_alias "$release"
ok "the build has no warning" no_warning "/var/lib/dkms/subpage-vfio-pci/"*"/$release/"*/log/make.log
ok "the same once more says so and does no harm" make -C /source dkms-install KERNEL="$release"

nvme=pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02
ok "whoever asks for the best VFIO driver of an NVMe gets vfio-pci" prefers "$release" vfio_pci $nvme
ok "prefer on" /usr/src/subpage-vfio-pci-"$version"/prefer on
ok "then it is this one" prefers "$release" $name $nvme
ok "and a driver that is made for a device would be before it" has_six_wildcards "$release"
ok "still no PCI device loads it by itself" not loads_by_itself "$release"

# As apt does on an upgrade: image and headers in one go, old ones kept.
ok "another kernel gets installed" dpkg --force-depends -i "/out/$other"/*.deb
ok "its image is there" contains vmlinuz "$(find /boot /usr/lib/modules -name "vmlinuz*" -path "*$other*")"
ok "DKMS has built the module for it, $other, by itself" is_installed "$other"
ok "modprobe finds that" contains "updates/dkms/$name" "$(modprobe --show-depends -S "$other" "$name" 2>&1)"
ok "that is the best for an NVMe, too" prefers "$other" $name $nvme
ok "and the one for $release is still there" is_installed "$release"
packages=$(dpkg-query -W -f '${Package}\n' | grep -F -e "-$other")
# shellcheck disable=SC2086
ok "that kernel is removed" dpkg --force-depends --purge $packages
ok "DKMS has removed its module with it" not test -e "/lib/modules/$other/updates"
ok "and the one for $release is still there" is_installed "$release"

# passes_over KERNEL COMMAND...: DKMS builds nothing for that kernel, and all is well. It says why, but for
# 3.0.10, Debian 12's, which has no other way to leave a kernel out than to count it as failed: dkms.conf.
passes_over() {
	local kernel=$1 said
	shift
	said=$("$@" 2>&1) || { printf '%s\n' "$said"; return 1; }
	[ "$(dkms --version)" = dkms-3.0.10 ] ||
		contains "includes a BUILD_EXCLUSIVE directive" "$(tr "\n" " " <<<"$said")" || return
	passed_over "$kernel"
}

# An upgrade of a distribution, with a kernel of the one before.
if [ -n "$old" ]; then
	ok "an older kernel's headers, of $old, come, and DKMS passes over it" \
		passes_over "$old" dpkg --force-depends -i "/out/$old"/*.deb
	ok "its header package is installed" contains "install ok installed" \
		"$(dpkg-query -W -f '${Status}' "linux-headers-$old")"
	ok "so it does when it looks at that kernel again" passes_over "$old" dkms autoinstall -k "$old"
	ok "asked for by hand, it is told what would do" \
		contains "is not supported: use 6.1 or newer" "$(make -C /source dkms-install KERNEL="$old" 2>&1)"
	ok "and the module for $release is still there" is_installed "$release"
fi

# From an older version of ours, which somebody has installed by hand.
make -s -C /source dkms-remove >/dev/null 2>&1
make -s -C /source dkms-source DESTDIR=/tmp/older
mv /tmp/older/usr/src/* /usr/src/subpage-vfio-pci-0.0.1
sed -i '/^PACKAGE_VERSION/s/=.*/="0.0.1"/' /usr/src/subpage-vfio-pci-0.0.1/dkms.conf
ok "an older version is installed" dkms install subpage-vfio-pci/0.0.1 -k "$release"
ok "it says that it is 0.0.1" has_version 0.0.1
ok "make dkms-install puts this one in its place" make -C /source dkms-install KERNEL="$release"
ok "it says that it is $version" has_version "$version"
ok "and is the best still" prefers "$release" $name $nvme
ok "the older one can go" dkms remove subpage-vfio-pci/0.0.1 --all
rm -r /usr/src/subpage-vfio-pci-0.0.1
ok "and this one is still there" has_version "$version"

echo 'CLEAN=true' >>/etc/dkms/subpage-vfio-pci.conf
ok "prefer off" /usr/src/subpage-vfio-pci-"$version"/prefer off
ok "the best is vfio-pci again" prefers "$release" vfio_pci $nvme
ok "it has no alias any more" no_alias "$release"
ok "what else was in DKMS's file is there" contains "CLEAN=true" "$(cat /etc/dkms/subpage-vfio-pci.conf)"
rm /etc/dkms/subpage-vfio-pci.conf

ok "make dkms-remove" make -C /source dkms-remove
ok "modprobe no longer finds it" not modprobe --show-depends -S "$release" "$name"
ok "DKMS no longer knows it" not contains subpage "$(dkms status)"
# With no module there is nothing to build.
ok "prefer on, before there is a module" /source/scripts/prefer on
ok "writes its file" test -s /etc/dkms/subpage-vfio-pci.conf
ok "prefer off" /source/scripts/prefer off
ok "leaves no file" not test -e /etc/dkms/subpage-vfio-pci.conf
ok "prefer needs a word" not /source/scripts/prefer
ok "modules.dep is as before" cmp "/lib/modules/$release/modules.dep" /tmp/modules.dep
find / -name '*subpage*vfio*' -not -path '/proc/*' -not -path '/source/*' -not -path '/out/*' >/tmp/left
ok "no file of it is left" diff /dev/null /tmp/left

make -s -C /source dkms-source DESTDIR=/tmp/dest
mv /tmp/dest/usr/src/* /tmp/source
headers=/lib/modules/$release/build

# The configuration of a kernel that clang has built, and no clang: what fails, fails for want of it.
dkms_asks_for_clang() {
	make -s -C /source dkms-source || return
	! dkms build "subpage-vfio-pci/$version" -k "$release" --force >/dev/null 2>&1 || { echo "something else has built it"; return 1; }
	find /var/lib/dkms -name make.log -exec cat {} + | grep "$1.*not found"
	local status=$?
	make -s -C /source dkms-remove >/dev/null 2>&1
	return "$status"
}

cp "$headers/include/config/auto.conf" /tmp/auto.conf
cp "$headers/.config" /tmp/dot.config
# Where a kernel was built there is one, and DKMS asks that, which may not say what built it.
: >"$headers/vmlinux"
echo CONFIG_CC_IS_CLANG=y | tee -a "$headers/.config" >>"$headers/include/config/auto.conf"
ok "for a kernel that clang has built, make takes clang" contains " CC=clang" "$(make -n -C /source module KDIR="$headers" 2>&1)"
ok "so does DKMS" dkms_asks_for_clang clang
echo CONFIG_LD_IS_LLD=y | tee -a "$headers/.config" >>"$headers/include/config/auto.conf"
ok "and all of LLVM's tools, if it was linked with LLVM's linker" \
	contains " LLVM=1" "$(make -n -C /source module KDIR="$headers" 2>&1)"
cp /tmp/auto.conf "$headers/include/config/auto.conf"
cp /tmp/dot.config "$headers/.config"
rm "$headers/vmlinux"

# Kernels that are not supported.
if [ -n "$old" ]; then
	ok "a kernel before 6.1 stops the build with what to use" \
		contains "too old: it lacks vfio_alloc_device(); use Linux 6.1 or newer" "$(build_for "/usr/src/linux-headers-$old")"
	ok "and nothing was compiled" not test -e /tmp/source/src/driver/main.o
fi
sed -i '/CONFIG_VFIO_PCI_CORE/d' "$headers/include/config/auto.conf"
ok "a kernel without vfio-pci-core stops the build with what is missing" \
	contains "lacks vfio-pci-core" "$(build_for "$headers")"
ok "and nothing was compiled" not test -e /tmp/source/src/driver/main.o
sed -i '/CONFIG_VFIO_PCI_CORE/d' "$headers/.config"
make -s -C /source dkms-source
dkms add subpage-vfio-pci/"$version" >/dev/null
ok "DKMS passes over such a kernel" passes_over "$release" dkms autoinstall -k "$release"

finish
