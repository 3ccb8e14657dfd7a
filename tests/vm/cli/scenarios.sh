# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of the command subpage-vfio.

scenario_cli() {
	shows='the command subpage-vfio as an operator uses it, with real devices'
	# The disk and one SD controller are functions of one slot, and so of one IOMMU group.
	machines=$oldest
	cases=cli,cli_answers,cli_in_use wants='faults module:nvme module:e1000e'
	drive 1
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device sdhci-pci -device rtl8139,romfile= -device pci-ohci
		-device nvme,drive=drive1,serial=1,addr=0x18.0,multifunction=on -device sdhci-pci,addr=0x18.1
		-device e1000e,romfile=)
	[ "${arch-}" != amd64 ] || devices+=(-device VGA)
	# On its large pages the second memory BAR of that one is a sub-page one, and the first is not.
	[ "${arch-}" != arm64 ] || devices+=(-device bochs-display)
	[ "${arch-}" != ppc64el ] || {
		cases=cli
		power_zoo
	}
	command_line
}

scenario_cli-safe() {
	shows='the command leaves alone what is in use, does all or nothing, and says which of it'
	# Users of all kinds, of devices whose native drivers this kernel has.
	machines=x86_64-6.1
	cases=cli_disks,cli_interfaces,cli_users,cli_put_back,cli_interrupted,cli_swap,cli_refused_module
	wants='new-qemu faults module:nvme module:e1000e module:loop module:nvmet module:ext4 module:bridge
		module:snd-hda-codec-generic module:snd-hda-intel module:bochs module:xhci-pci module:hid-generic module:usbhid module:sd_mod module:usb-storage'
	options=(-audiodev none,id=silence)
	drive 2
	devices=(-device nvme,drive=drive1,serial=1 -device e1000e,romfile= -device sdhci-pci -device sdhci-pci
		-device intel-hda -device hda-duplex,audiodev=silence -device pci-serial -device bochs-display
		-device qemu-xhci,id=usb -device usb-kbd,bus=usb.0 -device usb-storage,bus=usb.0,drive=drive2
		-device pcie-root-port,id=port1,chassis=1,hotplug=off -device nvme-subsys,id=subsystem
		-device nvme,serial=2,bus=port1,subsys=subsystem,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2)
	command_line
}

scenario_cli-holders() {
	shows="the command leaves alone what the kernel itself holds: volumes, arrays, targets, bonds, the firmware's picture"
	# Each kernel that names its holders in its own way. vga= has the firmware draw.
	machines='x86_64-6.1 x86_64-7.2' cases=cli_holders parameters=vga=0x317
	wants='packed module:nvme module:e1000e module:dm-mod module:raid1 module:sd_mod module:virtio_pci module:virtio_scsi
		module:target_core_iblock module:bonding module:8021q'
	drive 2
	devices=(-device nvme,drive=drive1,serial=1 -device virtio-scsi-pci,id=scsi,disable-legacy=on -device scsi-hd,bus=scsi.0,drive=drive2
		-device e1000e,romfile= -device VGA)
	command_line
}

scenario_check() {
	shows='"subpage-vfio check" tells why a guest is slow: guests in every state, under real KVM'
	machines=arm64-16k-6.12 wants=nested
	command_line
	prepare=(sh -c "tests/cli/stage ${arch-} && make -s -C tests/guest O=../../build/guest arm64-stay arm64-packed")
	files+=(build/guest/arm64-stay.elf=guest/stay.elf build/guest/arm64-packed.elf=guest/packed.elf)
	drive 1
	devices=(-device nvme,drive=drive1,serial=1 -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci)
}

scenario_check-iommufd() {
	shows='the same of a guest whose QEMU has opened its devices by their own files, through iommufd'
	# The one kernel that has KVM and iommufd.
	machines=arm64-64k-7.2 cases=check_iommufd wants='nested nested-new'
	command_line
	prepare=(sh -c "tests/cli/stage ${arch-} && make -s -C tests/guest O=../../build/guest arm64-stay arm64-packed")
	files+=(build/guest/arm64-stay.elf=guest/stay.elf)
	drive 1
	devices=(-device nvme,drive=drive1,serial=1 -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci)
}

scenario_check-program() {
	shows='"subpage-vfio check" knows whose mapping it is, as far as the kernel tells'
	machines='x86_64-6.1 x86_64-7.2 x86_64-7.2-debug' cases=check_program
	command_line
	devices=(-device sdhci-pci -device sdhci-pci)
	[ "${flavour-}" != debug ] || parameters=vfio=cdev
}
