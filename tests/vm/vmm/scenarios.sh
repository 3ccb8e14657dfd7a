# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of VMMs and user-space drivers, by their rules or themselves.

scenario_consumers() {
	shows='eleven VMMs and user-space drivers, by their own rules: none but libblkio is worse off than with stock vfio-pci'
	# BARs of 256 bytes to 64K, of 32 and 64 bits, with and without an MSI-X table.
	machines='x86_64-6.1 arm64-16k-6.12 arm64-64k-7.2 ppc64le-64k-6.12'
	drive 2
	shared 1 64K
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci -device pci-ohci
		-device lsi53c895a -device pci-testdev -device ahci -device nvme,drive=drive1,serial=1
		-device qemu-xhci -device e1000e,romfile= -device vmxnet3,romfile= -device virtio-net-pci,romfile=
		-device mptsas1068 -device virtio-blk-pci,drive=drive2)
	[ "${arch-}" != ppc64el ] || {
		power_zoo
		options=()
		drive 2
		shared 1 64K
		devices+=(-device ivshmem-plain,memdev=shared1,bus=bridge,addr=4 -device lsi53c895a,bus=bridge,addr=5
			-device mptsas1068,bus=bridge,addr=6 -device e1000e,romfile=,bus=pcie.2
			-device virtio-net-pci,romfile=,bus=pcie.3 -device virtio-blk-pci,drive=drive2,bus=pcie.4)
	}
}

scenario_qemu_nvme() {
	shows="QEMU's own NVMe driver (nvme://) reads a drive right, where with stock vfio-pci it cannot start"
	# One with the table in its 16K; two of 8K, with a BAR for MSI-X alone, which share a page.
	machines='arm64-16k-6.12 arm64-64k-7.2' wants='nested new-qemu'
	drive 3
	devices=(-device nvme,drive=drive1,serial=1 -device nvme,drive=drive2,serial=2,msix-exclusive-bar=on
		-device nvme,drive=drive3,serial=3,msix-exclusive-bar=on)
}

scenario_testpmd() {
	shows="DPDK's testpmd passes packets over two cards, handed over to vfio-pci and with align_for"
	# Of e1000e no BAR is smaller than a 16K page, of vmxnet3 each is.
	machines='x86_64-6.1 arm64-16k-6.12 arm64-64k-7.2' wants='nested dpdk'
	local card=e1000e
	[ "${arch-}" != arm64 ] || card=vmxnet3
	options=(-netdev hubport,id=wire1,hubid=1 -netdev hubport,id=wire2,hubid=1)
	devices=(-device "$card,netdev=wire1,romfile=" -device "$card,netdev=wire2,romfile=")
}

scenario_blkio() {
	shows="libblkio (QEMU's virtio-blk-vfio-pci) reads a disk where its rules let it; where pages are large, with realign=trap"
	machines='x86_64-6.1 arm64-16k-6.12 arm64-64k-7.2' wants='nested blkio'
	drive 1
	# Beside it, so that its BAR shares a 64K page.
	devices=(-device virtio-blk-pci,drive=drive1,disable-legacy=on,iommu_platform=on -device sdhci-pci)
}
