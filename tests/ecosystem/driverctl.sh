# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# An override set with driverctl holds when the device or the machine comes back.

driverctl_set() {
	check "before: the native driver has the device" soon 20 bound "$sdhci" sdhci-pci
	check "before: the module is not loaded" test ! -e "/sys/module/$driver"
	check "driverctl loads the module and binds" try driverctl set-override "$sdhci" "$driver"
	check "the driver has the device" bound "$sdhci" "$driver"

	say "(QEMU monitor) device_del hot"
	monitor device_del hot
	check "unplugged: the device is gone" soon 30 gone "$sdhci"
	say "(QEMU monitor) device_add sdhci-pci,id=hot,bus=slot1"
	monitor device_add sdhci-pci,id=hot,bus=slot1
	check "plugged in again: the driver has it" soon 60 bound "$sdhci" "$driver"
	try systemctl --no-pager --lines=0 status "driverctl@pci-$sdhci.service"
	try cat "/etc/driverctl.d/pci-$sdhci"
}

driverctl_kept() {
	check "after a reboot: the driver has the device" soon 30 bound "$sdhci" "$driver"
	try journalctl --no-pager -o short-monotonic -k -g "$driver"
	check "its BAR can be mapped" try "$here/mapped" "$sdhci" 0
	check "driverctl gives it back" try driverctl unset-override "$sdhci"
	check "the native driver has it again" bound "$sdhci" sdhci-pci
}
