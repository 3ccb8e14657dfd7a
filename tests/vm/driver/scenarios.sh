# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of the driver itself: claims, options, regions, the table, virtual functions.

scenario_smoke() {
	shows="the machine, stock vfio-pci and the kernel's log work, as every other test takes for granted"
	machines=$oldest
	devices=(-device sdhci-pci)
}

scenario_claim() {
	shows='BARs that share pages get pages of their own and can be mapped, none of them with stock vfio-pci'
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci
		-device pci-ohci -device sdhci-pci)
	[ "${arch-}" != ppc64el ] || power_zoo
}

scenario_zoo() {
	shows='the same for what a host of large pages meets: root bus, root ports, functions of one slot, several BARs on a page'
	machines=arm64 cases=claim
	drive 1
	shared 2
	devices=(-device ivshmem-plain,memdev=shared1 -device ahci -device sdhci-pci -device rtl8139,romfile=
		-device pci-testdev -device edu -device nvme,drive=drive1,serial=1 -device qemu-xhci
		-device e1000e,romfile= -device virtio-net-pci,romfile= -device vmxnet3,romfile=
		-device usb-ehci,addr=0x14.0,multifunction=on -device pci-ohci,addr=0x14.1 -device intel-hda,addr=0x14.2
		-device pcie-root-port,id=port1,chassis=1,hotplug=off,addr=0x15.0,multifunction=on
		-device pcie-root-port,id=port2,chassis=2,hotplug=off,addr=0x15.1
		-device ahci,bus=port1,addr=0.0,multifunction=on -device sdhci-pci,bus=port1,addr=0.1
		-device ivshmem-plain,memdev=shared2,bus=port2)
}

scenario_firmware() {
	shows="what the PCI core itself would not move stays: a firmware's interrupt controller, a device without a class"
	machines='arm64-16k-6.12 arm64-64k'
	drive 2
	# The class has 16 bits, and 0 is the model's own.
	devices=(-device pci-testdev -device virtio-blk-pci,drive=drive1,class=0x0800
		-device virtio-blk-pci,drive=drive2,class=0x10000 -device sdhci-pci)
}

scenario_preserve() {
	shows="where the firmware says that the kernel must not place anything anew a BAR that shares its page stays there"
	# Kernels of PCs ask since 6.11.
	machines=x86_64-7.2 wants=preserve
	options=(-acpitable "sig=SSDT,rev=2,data=$scratch/preserve")
	devices=(-device sdhci-pci -device pci-ohci -device sdhci-pci)
}

scenario_reserved() {
	shows="a BAR in a range that the kernel has reserved for something else stays there"
	# The firmware puts this device's BAR before that of the board's own disk controller.
	machines=x86_64-6.1 parameters="memmap=256\$0xfebfe000"
	devices=(-device sdhci-pci)
}

scenario_config() {
	shows='whatever is written to config space, of any length and anywhere, does what it does with stock vfio-pci'
	machines='x86_64 arm64-16k-6.12'
	devices=(-device e1000e,romfile=)
}

scenario_cycles() {
	shows='a device bound 200 times stays where it is, and no memory is lost'
	devices=(-device sdhci-pci -device pci-ohci)
}

scenario_faults() {
	shows='whatever step of a bind fails, all is put back as it was'
	machines=x86_64 wants=faults cases=faults,msix_behind
	shared 1
	# Each pci-testdev has a BAR of 64 bits, which the kernel places above 4 GiB, and one of just a page.
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci
		-device pci-ohci -device sdhci-pci -device pci-testdev,membar=256 -device pci-testdev,membar=256
		-device qemu-xhci)
	# Without USB nothing stops the controller that the firmware left running: stock vfio-pci does.
	[ "${flavour-}" != debug ] || devices=("${devices[@]/pci-ohci/sdhci-pci}")
}

scenario_nomem() {
	shows='each allocation of a bind, an unbind and a way to a mapping fails once, and nothing is left behind'
	# So long, their BAR 2 is of 64 bits, above 4 GiB, and shares a page, too.
	# Debian's kernels have no fault injection. ivshmem has no interrupt pin: what ACPI cannot allocate
	# while it routes one, it does not find again. Functions of one slot are in one IOMMU group.
	machines='x86_64-7.2-debug x86_64-6.12-debug'
	drive 1
	shared 2 2K
	devices=(-device ivshmem-plain,memdev=shared1,addr=0x10.0,multifunction=on
		-device ivshmem-plain,memdev=shared2,addr=0x10.1 -device nvme,drive=drive1,serial=1)
}

scenario_undone() {
	shows='the same where several BARs of a device move, and the last one that it can have'
	machines=arm64-16k-6.12 wants='faults new-qemu'
	devices=(-device sdhci-pci -device ahci -device nvme-subsys,id=subsystem
		-device nvme,serial=1,subsys=subsystem,msix-exclusive-bar=on)
}

scenario_full() {
	local slot model

	shows='in a window without room a device works trapped, and gets its page when there is room again'
	# 7 x 128K + 7 x 16K + 3 x 4K, and one page for two BARs: 1 MiB.
	machines=x86_64
	devices=(-device pci-bridge,id=bridge,chassis_nr=1,shpc=off,msi=off)
	slot=0
	for model in {e1000,intel-hda}{,,,,,,} pci-testdev{,,} sdhci-pci pci-ohci; do
		slot=$((slot + 1))
		[ "$model" != e1000 ] || model+=,romfile=
		devices+=(-device "$model,bus=bridge,addr=$slot")
	done
	command_line
}

scenario_options() {
	shows="stock vfio-pci's options by their names; a move leaves the other BARs alone, ends mappings of the old place, and is none while a BAR is in use"
	machines=x86_64 cases=options,undisturbed,old_place,busy wants=module:ramoops
	two_processors
	drive 1
	shared 1
	# Slots 0x10 and 0x18 share an interrupt line.
	# The debug kernels are built without ramoops, which uses a BAR in the last case, and
	# without IO_STRICT_DEVMEM, which takes mappings away.
	[[ ${machine-} != *-debug ]] || cases=options,undisturbed wants=drive
	# That one is built without VFIO for VGA's legacy ranges. (QEMU itself reads "vga=".)
	[ "${machine-}" != x86_64-7.2-debug ] || parameters=vga_legacy=none
	devices=(-device ivshmem-plain,memdev=shared1 -device VGA -device nvme,drive=drive1,serial=1
		-device sdhci-pci,addr=0x10 -device sdhci-pci,addr=0x18
		-device pcie-root-port,id=displayport,chassis=1,hotplug=off -device VGA,bus=displayport)
}

scenario_align() {
	shows='stock vfio-pci maps, and reports as a page, what align_for= has given pages before; nothing else is touched'
	wants=module:nvme
	drive 1
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci
		-device pci-ohci -device sdhci-pci -device nvme,drive=drive1,serial=1)
	[ "${flavour-}" != debug ] || devices=("${devices[@]/pci-ohci/sdhci-pci}")
	[ "${arch-}" != amd64 ] || devices+=(-device pci-bridge,chassis_nr=1 -device pci-bridge,chassis_nr=2)
	# The disk keeps its native driver: a PE of its own.
	[ "${arch-}" != ppc64el ] || devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0
		-device pci-testdev,bus=bridge,addr=1 -device sdhci-pci,bus=bridge,addr=2
		-device rtl8139,romfile=,bus=bridge,addr=3 -device sdhci-pci,bus=bridge,addr=4
		-device nvme,drive=drive1,serial=1,bus=pcie.1)
}

scenario_align_many() {
	local slot function

	shows='BARs of 160 devices are held, bound by four processes at once, and all of them are listed'
	machines=x86_64-6.1
	two_processors
	for slot in {1..20}; do
		for function in {0..7}; do
			devices+=(-device "$(printf 'sdhci-pci,addr=%x.%d,multifunction=on' "$slot" "$function")")
		done
	done
}

scenario_align_refused() {
	shows='a BAR has its true size back when the driver that it is held for does not take the device'
	# What that driver says of a device that it does not know.
	machines='x86_64-6.1 x86_64-7.2 arm64-16k-6.12' wants='module:sdhci-pci module:ramoops' warns='sdhci|mmc|Trying to free nonexistent resource'
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device usb-ehci)
}

scenario_native() {
	shows="the kernel's own drivers work before, beside and after this one"
	machines='x86_64 arm64' wants='module:nvme module:ahci module:sd_mod module:e1000e module:8139cp'
	options=(-netdev user,id=net2,net=10.0.2.0/24 -netdev user,id=net3,net=10.0.3.0/24)
	drive 2
	devices=(-device nvme,drive=drive1,serial=1 -device ahci,id=sata -device ide-hd,bus=sata.0,drive=drive2
		-device sdhci-pci -device e1000e,netdev=net2,romfile= -device rtl8139,netdev=net3,romfile=)
}

scenario_badinput() {
	shows='wrong parameters and devices in the wrong state get an error that says why, and nothing changes'
	machines=x86_64 cases=badinput,limits wants=module:nvme
	devices=(-device sdhci-pci -device pci-ohci -device pcie-root-port,id=port1,chassis=1
		-device nvme-subsys,id=subsystem
		-device nvme,serial=1,bus=port1,subsys=subsystem,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1)
}

scenario_noiommu() {
	shows='without an IOMMU nothing is bound, and driver and command say what to switch on'
	machines='x86_64-6.1 x86_64-7.2 x86_64-6.12-debug' cases=noiommu,cli_no_iommu parameters=intel_iommu=off
	wants=module:e1000e
	# Debian's kernels are built without VFIO's mode for such a machine.
	[ "${machine-}" != x86_64-6.12-debug ] || {
		parameters+=' vfio=noiommu'
		warns='Adding kernel taint for vfio-noiommu'
	}
	devices=(-device sdhci-pci -device pci-ohci -device e1000e,romfile=)
	command_line
}

scenario_region() {
	shows='region info, mmap, sysfs, log and trace, at their edges'
	cases=look,region wants=rom
	drive 1
	# Functions of one slot, so that the tracepoints' numbers are not all 0.
	devices=(-device nvme,drive=drive1,serial=1,addr=0x10.0,multifunction=on
		-device "sdhci-pci,romfile=$scratch/rom,addr=0x10.1" -device "pci-ohci,romfile=$scratch/rom,addr=0x10.2")
	[ "${arch-}" != ppc64el ] || power_zoo
}

scenario_msix() {
	shows="the MSI-X table is mapped or hidden as the option says, and all kernels answer the same bytes"
	cases=golden,msix files=("tests/vm/golden/${arch-}=golden")
	# More is smaller than a page there.
	[[ ${flavour-} != arm64-64k* ]] || files=("tests/vm/golden/arm64-64k=golden")
	drive 1
	devices=(-device nvme,drive=drive1,serial=1 -device e1000e,romfile= -device qemu-xhci -device sdhci-pci)
	[ "${arch-}" != ppc64el ] || {
		power_zoo
		cases+=,relocate_refused
	}
}

scenario_relocate() {
	shows='where the IOMMU isolates MSIs a user sees the MSI-X table elsewhere: config space, regions, every door, each vector'
	machines='x86_64 arm64' cases=relocate,vectors wants=new-qemu
	# There once through the device's own file and iommufd.
	[[ ${machine-} != arm64-64k* ]] || parameters=vfio=cdev
	drive 2
	options+=(-object 'memory-backend-ram,size=1M,id=memory')
	# The second disk has its memory in the last BAR, the third its table in the last but one, the old
	# virtio device its registers in the last. The fourth disk is behind a port, whose bus can be reset: a slow
	# one, for after a reset the kernel waits for the link of a fast one, of which this port says nothing. The
	# fifth has so many vectors that table and pending bits fill their BAR.
	devices=(-device nvme,drive=drive1,serial=1 -device nvme,serial=2,pmrdev=memory -device nvme,serial=3,msix-exclusive-bar=on
		-device e1000e,romfile= -device qemu-xhci -device virtio-net-pci,romfile=,disable-legacy=off,disable-modern=off
		-device pcie-root-port,id=port1,chassis=1,hotplug=off,x-speed=2_5 -device nvme,drive=drive2,serial=4,bus=port1
		-device nvme,serial=5,msix-exclusive-bar=on,msix_qsize=254)
	# With that many vectors the table is as long as a page of these machines, and begins with one.
	[ "${arch-}" != amd64 ] || devices+=(-device nvme,serial=6,msix_qsize=256)
}

scenario_dmabuf() {
	shows='a dma-buf exports what mmap would map, and no page of a hidden table'
	machines='x86_64-7.2 x86_64-7.3'
	drive 1
	devices=(-device nvme,drive=drive1,serial=1 -device e1000e,romfile= -device qemu-xhci -device sdhci-pci)
}

scenario_cdev() {
	shows="claim, region, msix and dmabuf through the device's own file and iommufd"
	# The same through the device's own file and iommufd, which Debian's kernels do not have.
	machines='x86_64-7.2-debug x86_64-6.12-debug arm64-64k' cases=claim,region,msix,dmabuf
	[[ ${machine-} != *-6.12-debug ]] || cases=${cases%,dmabuf}
	parameters=vfio=cdev
	drive 1
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci
		-device pci-ohci -device sdhci-pci -device nvme,drive=drive1,serial=1 -device e1000e,romfile=
		-device qemu-xhci)
}

scenario_sriov() {
	shows='virtual functions come to the driver, where SR-IOV has placed them, and are mapped; each vector of one fires'
	wants='new-qemu module:nvme'
	# With larger pages the kernel makes none; under EEH a table is shown where it is.
	[[ ${machine-} != x86_64* && ${machine-} != arm64-16k* ]] || cases=sriov,vectors_vf
	drive 1
	# A root port has ACS: each function is alone in its IOMMU group. powernv has a host bridge of
	# that name for each slot.
	[ "${arch-}" = ppc64el ] || devices=(-device pcie-root-port,id=pcie.1,chassis=1,hotplug=off
		-device pcie-root-port,id=pcie.2,chassis=2,hotplug=off)
	# No BAR of igb is smaller than 16K; those of the disk are 8K and, with a BAR for MSI-X alone, 4K.
	devices+=(-device igb,bus=pcie.1,romfile= -device nvme-subsys,id=subsystem
		-device nvme,serial=1,bus=pcie.2,subsys=subsystem,msix-exclusive-bar=on,sriov_max_vfs=3,sriov_vq_flexible=6,sriov_vi_flexible=6
		-device nvme-ns,drive=drive1)
	# QEMU drops the upper half of a virtual function's BAR: no window above 4 GiB.
	[ "${arch-}" != arm64 ] || options+=(-machine highmem-mmio=off)
	# There a virtual function's token goes with the binding to iommufd.
	[ "${machine-}" != x86_64-7.2-debug ] || parameters=vfio=cdev
}

scenario_msix-no-remap() {
	shows='where the IOMMU does not remap interrupts the table stays hidden, too'
	machines='x86_64-6.1 x86_64-7.2' cases=msix,relocate_refused parameters=intremap=off
	drive 1
	# With that many vectors the table takes two pages.
	devices=(-device nvme,drive=drive1,serial=1,msix_qsize=512 -device e1000e,romfile= -device qemu-xhci)
}

scenario_suspend() {
	shows='the host suspends to RAM and resumes, with devices bound, open and mapped'
	# QEMU loads an unpacked kernel anew when the machine wakes.
	machines='x86_64-6.1 x86_64-7.2' wants=packed parameters='no_console_suspend off=reboot'
	# 6.1 allocates memory before it has the time again (acpi_pci_link_set()).
	warns='kernel/time/timekeeping.c:[0-9]* ktime_get_seconds|cut here|\] Call Trace:'
	devices=(-device sdhci-pci -device rtl8139,romfile= -device sdhci-pci)
}

scenario_vectors_asleep() {
	# In one boot QEMU's PC takes the power from its devices only once.
	scenario_suspend
	shows='interrupts of a device whose MSI-X table is shown elsewhere come after the host has slept'
	cases=vectors_asleep
	drive 1
	devices=(-device nvme,drive=drive1,serial=1)
}

scenario_kselftest() {
	shows="the kernel's own VFIO selftests say of this driver what they say of stock vfio-pci"
	# The machine has the source that its kernel is built from, and iommufd.
	machines=x86_64-7.2-debug prepare=(tests/kselftest/stage "${machine-}")
	drive 1
	devices=(-device sdhci-pci -device sdhci-pci -device nvme,drive=drive1,serial=1)
	local test
	for test in dma_mapping_test dma_mapping_mmio_test iommufd_setup_test pci_device_test \
		pci_device_init_perf_test; do
		files+=("build/kselftest/vfio_$test=kselftest/vfio_$test")
	done
}
