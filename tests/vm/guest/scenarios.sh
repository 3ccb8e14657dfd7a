# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of devices in the guest of a QEMU in the machine.

scenario_demo() {
	scenario_claim
	shows='what a person sees in "make demo": the same devices, host and guest, without the driver and with it'
	machines='x86_64-6.1 arm64-16k-6.12 arm64-64k'
	# The disk is for a guest under KVM.
	[ "${arch-}" != arm64 ] || {
		wants='linux new-qemu module:nvme'
		drive 1
		devices+=(-device nvme,drive=drive1,serial=1,dbcs=off)
	}
	nested_payload
}

scenario_nested() {
	shows='a QEMU in the machine gives the BARs to its guest, who reads them without a trap'
	machines='x86_64 arm64' cases=image,nested
	nested_payload
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device sdhci-pci -device rtl8139,romfile=)
	[ "${arch-}" = amd64 ] || devices+=(-device ahci -device pci-testdev)
}

scenario_relocation() {
	shows='what x-msix-relocation of the QEMU in the machine is good for, with each policy for the table'
	# On a 4K host the table has a page of its own.
	machines=arm64
	nested_payload
	drive 1
	devices=(-device nvme,drive=drive1,serial=1 -device qemu-xhci)
}

scenario_packed() {
	shows='a Linux guest that packs BARs as it likes reads none of them through QEMU'
	machines='arm64-16k-6.12 arm64-64k-7.2' wants='nested linux'
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci -device pci-ohci
		-device ahci -device pci-testdev)
}

scenario_linuxguest() {
	shows="a Linux guest's own drivers work with the disks that it is given"
	# A whole Linux boots in 8 s under KVM, which only these machines have.
	machines='arm64-16k-6.12 arm64-64k' wants='nested linux module:nvme module:ahci module:sd_mod'
	drive 2
	devices=(-device nvme,drive=drive1,serial=1 -device ahci,id=sata -device ide-hd,bus=sata.0,drive=drive2
		-device sdhci-pci)
}

scenario_denied() {
	local slot

	shows="what stock vfio-pci refuses for its errata is refused, and taken with disable_denylist=1"
	machines=arm64-16k-6.12 wants='nested linux'
	for slot in {1..9}; do
		devices+=(-device sdhci-pci)
	done
}

scenario_relocated() {
	shows='Linux guests use a disk whose MSI-X table is shown elsewhere: each interrupt, masked and pending, after resets'
	machines='arm64-16k-6.12 arm64-64k' wants='nested linux guest:arm64-4k-6.12 new-qemu module:nvme'
	drive 2
	options+=(-object 'memory-backend-ram,size=1M,id=memory')
	# As many vectors as the guest's driver takes. Four guests.
	limit=1600
	devices=(-device nvme,drive=drive1,serial=1,max_ioqpairs=2,msix_qsize=3
		-device nvme,drive=drive2,serial=2,max_ioqpairs=2,msix_qsize=3,pmrdev=memory)
}

scenario_relocated_x86() {
	scenario_relocated
	shows='the same on x86, under the KVM of a processor whose SVM is emulated, too'
	slow=yes machines=x86_64-6.12 cases=relocated
	wants=${wants/guest:arm64-4k-6.12/module:kvm-amd}
}

scenario_disk() {
	shows="a Linux guest rings the doorbells of its disk, which with stock vfio-pci QEMU does; one with 4K pages, too"
	# The disk has no shadow doorbells (dbcs), as real ones have none: each read rings two real ones.
	machines='arm64-16k-6.12 arm64-64k' limit=1600
	wants='nested linux guest:arm64-4k-6.12 new-qemu module:nvme'
	drive 2
	# The clock counts instructions, so that what else is busy beside the machine has no part in what a read costs.
	[ "$chosen" != disk ] || options+=(-icount shift=0)
	devices=(-device nvme,drive=drive1,serial=1,dbcs=off
		-device nvme,drive=drive2,serial=2,dbcs=off,msix-exclusive-bar=on
		-device pci-testdev,membar=8192 -device qemu-xhci)
}
