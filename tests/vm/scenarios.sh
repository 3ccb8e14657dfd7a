# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# The boots. For each: the machines it is meant for, the cases that PID 1 runs
# (in tests/vm/case_*.c), and the devices of the machine.
#
# machines	"all", or words that a machine's name starts with ("x86_64 arm64")
# cases		in order, with commas
# wants		monitor		the case talks to QEMU's monitor ($monitor)
#		faults		the module is the test build with fault points
#		nested		a QEMU of the machine's own architecture at /nested
#		drive		$scratch/drive.img: 1 MiB; the 16 bytes at N*16 are "line %010d\n"
#		module:NAME	a module of the kernel's own, for kmod_insert()
# files		HOST_PATH=GUEST_PATH, from the top directory; made before by "prepare"
# prepare	one command, run in the top directory
# memory	in place of the machine's own
# options	for QEMU itself; before the devices
# devices	QEMU arguments
# limit		seconds until the boot counts as hung

scenario_names='smoke claim cycles region msix'

scenario() {
	scratch=${scratch-}
	machines=all cases=$1 wants='' files=() prepare=() memory='' options=() devices=() limit=90
	case $1 in
	smoke)
		devices=(-device sdhci-pci)
		;;
	claim)
		options=(-object 'memory-backend-ram,size=1M,id=shared')
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci
			-device pci-ohci -device sdhci-pci)
		;;
	cycles)
		devices=(-device sdhci-pci -device pci-ohci)
		;;
	region)
		devices=(-device sdhci-pci)
		;;
	msix)
		wants=drive
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device e1000e,romfile= -device qemu-xhci)
		;;
	*)
		die "no scenario is called $1" "choose one of: $scenario_names"
		;;
	esac
}

# scenario_fits MACHINE: is the scenario that was set last meant for it?
scenario_fits() {
	local word
	for word in $machines; do
		[ "$word" != all ] && [[ $1 != "$word"* ]] || return 0
	done
	return 1
}
