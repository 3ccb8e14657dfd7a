# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of many at once, for long.

scenario_together() {
	shows='two devices that share a page are bound at the same time, and neither takes the place of the other'
	machines='x86_64-6.1 x86_64-7.2 x86_64-6.12-rt' wants=faults
	two_processors
	devices=(-device sdhci-pci -device sdhci-pci)
}

# What all of them share: eight devices and a disk that storms are about.
soak_machine() {
	machines='x86_64-7.2-debug x86_64-6.12-rt' wants='new-qemu module:nvme module:8139cp' cases=storm
	# "make check" has five minutes of the first two together, "make check-slow" one for real time.
	local seconds=150
	[[ ${flavour-} != rt-* ]] || seconds=60
	seconds=${SOAK_S:-$seconds}
	parameters="soak_s=$seconds soak_seed=${SOAK_SEED:-}" limit=$((seconds + 350))
	two_processors
	options+=(-netdev user,id=net,net=10.0.2.0/24)
	drive 1
	shared 4
	# On the root bus BARs share pages; behind a port or bridge a device can be reset, there two of one
	# IOMMU group; the disk resets itself. The last one comes and goes.
	devices=(-device ivshmem-plain,memdev=shared1,addr=2 -device sdhci-pci,addr=3
		-device rtl8139,netdev=net,romfile=,addr=4 -device sdhci-pci,addr=5
		-device ivshmem-plain,memdev=shared2,addr=6
		-device pcie-root-port,id=port1,chassis=1,hotplug=off,addr=8
		-device pci-bridge,id=bridge,chassis_nr=2,shpc=off,msi=off,addr=9
		-device pcie-root-port,id=port3,chassis=3,hotplug=off,addr=0xa
		-device ivshmem-plain,memdev=shared3,bus=port1,addr=0
		-device sdhci-pci,bus=bridge,addr=1.0,multifunction=on
		-device ivshmem-plain,memdev=shared4,bus=bridge,addr=1.1
		-device nvme-subsys,id=subsystem
		-device nvme,id=disk,serial=1,bus=port3,subsys=subsystem,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2
		-device nvme-ns,drive=drive1,bus=disk)
}

scenario_soak() {
	shows='many processes at many devices at once, killed users, random calls; all is as before'
	soak_machine
	cases=storm,binds,surprise,fuzz
	# The last one also goes through the device's own file, which Debian's kernels lack.
	[[ ${flavour-} != rt-* ]] || cases=storm,binds,surprise
	devices+=(-device sdhci-pci,addr=0x1d)
}

scenario_soak_binds() {
	soak_machine
	shows='a device that moves each time is bound 10 000 times: binds get no slower, nothing grows or wanders'
	# Until it has been that often: a quarter of this time is its.
	slow=yes cases=binds parameters='soak_s=20000 binds=10000' limit=6000 machines='x86_64-7.2-debug x86_64-6.1'
}

# A BAR that goes and comes back (false_alarm.c). Its port has a host bridge of its own, so that nobody else
# takes the place meanwhile, and beside it another one, whose window it can have. Without a power
# controller pciehp brings up whatever it finds. No window is longer than it has to be, and without shpchp
# the group can be opened.
false_alarms() {
	options+=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
	devices+=(-device pxb-pcie,id=alarmhost,bus_nr=0x80
		-device ioh3420,id=alarm,bus=alarmhost,addr=0,chassis=80,slot=80,power_controller_present=off
		-device ioh3420,id=room,bus=alarmhost,addr=1,chassis=81,slot=81
		-device pcie-pci-bridge,id=alarmbridge,bus=alarm,addr=0.0,multifunction=on
		-device edu,bus=alarm,addr=0.1)
	parameters+=' false_alarms=yes pci=hpiosize=0,hpmmiosize=0,hpmmioprefsize=0 initcall_blacklist=shpcd_init'
	# As the window goes, the PCI core forgets the region below it that vfio-pci-core has requested.
	parameters+=' stock_leak=vfio_pci_core_enable' warns='Trying to free nonexistent resource'
}

scenario_soak_hotplug() {
	soak_machine
	# pciehp itself takes two locks in both orders, which is all that lockdep would tell.
	shows='the same while the ninth device is plugged and unplugged, and an open one is without its BAR for moments'
	cases=storm,unplug wants+=' monitor' parameters+=' lockdep.prove_locking=0'
	devices+=(-device pcie-root-port,id=plug,chassis=9,addr=0x1e)
	# For real time handlers of interrupts are threads, and pciehp hears neither its button nor its file "power".
	[[ ${flavour-} == rt-* ]] || false_alarms
}
