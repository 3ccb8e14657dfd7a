# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of devices that come while a claim stands, and windows that go.

# A bridge whose slots the machine itself plugs (SHPC), not ACPI.
hotplug_bridge() {
	options=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
	devices=(-device pcie-root-port,id=bridgeport,chassis=1,addr=8
		-device pcie-pci-bridge,id=bridge,bus=bridgeport,msi=on
		-device sdhci-pci,bus=bridge,addr=1 -device pci-ohci,bus=bridge,addr=2)
}

# Root ports, each with one slot: without a power controller pciehp brings up whatever it finds there. As it
# releases the window under an open device it forgets the region below it that vfio-pci-core has requested.
quiet_ports() {
	local slot
	warns='Trying to free nonexistent resource'
	options+=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
	for slot in $(seq 0 $(($1 - 1))); do
		devices+=(-device "pcie-root-port,id=port$slot,chassis=$((slot + 1)),slot=$slot,addr=$((slot + 8)),power_controller_present=off,bus-reserve=1")
	done
}

scenario_hotplug() {
	shows='a device that is plugged in stays off the pages that are claimed'
	# pciehp itself takes two locks in both orders, which is all that lockdep would tell.
	machines=x86_64 wants=monitor parameters=lockdep.prove_locking=0
	hotplug_bridge
	devices+=(-device pcie-root-port,id=port2,chassis=3,addr=9 -device pcie-root-port,id=port3,chassis=4,addr=0xa
		-device sdhci-pci -device pci-ohci)
}

scenario_lost() {
	shows='the kernel takes the window away under a bound device, and log, sysfs and VFIO say so'
	machines=x86_64 wants=monitor
	hotplug_bridge
}

scenario_lost_open() {
	shows='the same under a device that is open and mapped, and under one that sleeps'
	cases=lost_open,lost_untold,lost_asleep,lost_stock
	# Before 7.2 vfio-pci-core requests that region for the first mapping.
	machines=x86_64 wants=monitor parameters='lockdep.prove_locking=0 stock_leak=vfio_pci_core_enable'
	[ "${machine-}" != x86_64-6.12-debug ] || parameters=${parameters/core_enable/core_mmap}
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1,addr=4)
	quiet_ports 10
}

scenario_lost_trap() {
	shows='a BAR that realign=trap hides has its page all the same, so that the loss of its window harms nobody; nor does what shows an MSI-X table elsewhere'
	machines=x86_64 cases=lost_trap,lost_table wants=monitor parameters='lockdep.prove_locking=0 stock_leak=vfio_pci_core_enable'
	# Longer than all that there is for BARs of 64 bits.
	options=(-object memory-backend-ram,size=64G,reserve=off,id=huge)
	quiet_ports 3
}

scenario_lost_false() {
	shows='a BAR that is nowhere for a moment, and then where it was, costs its user nothing'
	# Two processors: one reads while the other releases the window. No window is longer than it has to be.
	# Later kernels release the port's other window, too, and there another BAR of the device does move.
	machines='x86_64-6.1 x86_64-6.12' wants='monitor faults' parameters='lockdep.prove_locking=0 pci=hpmmiosize=0,hpmmioprefsize=0'
	parameters+=' stock_leak=vfio_pci_core_enable'
	two_processors
	shared 4 8M
	quiet_ports 2
}

scenario_lost_saved() {
	shows='a user has put a device into D3hot, and no copy of its config space brings the old addresses back'
	machines=x86_64 wants='monitor faults' cases=lost_saved,lost_next
	parameters='lockdep.prove_locking=0 stock_leak=vfio_pci_core_enable'
	quiet_ports 4
}

scenario_lost_stuck() {
	shows='a user holds the lock of its own mappings, which neither a revocation nor the PCI bus waits for'
	# Later kernels take mappings away without that lock.
	machines=x86_64-6.1 wants='monitor module:fuse'
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1,addr=4)
	quiet_ports 1
}
