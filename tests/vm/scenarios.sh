# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054
#
# The boots. For each: the machines it is meant for, the cases that PID 1 runs
# (in tests/vm/*/case_*.c), and the devices of the machine. This is the one place that
# lists them; at its end are those that need no boot, but a root of a machine's suite.
#
# shows		what it proves, in a line
# slow		"yes": takes minutes, "make check-slow" runs it; "bench": "make bench" does
# program	in place of tests/vm/run; it gets the machine
# machines	"all", or words that a machine's name starts with ("x86_64 arm64-16k-6.12");
#		$oldest, the oldest of each page size, is for what hardly depends on the kernel
# cases		in order, with commas
# wants		monitor		the case talks to QEMU's monitor ($monitor)
#		faults		the module is the test build with fault points
#		new-qemu	QEMU 10 in place of Debian 12's 7.2
#		nested		a QEMU of the machine's own architecture at /nested
#		dpdk		with it: DPDK's testpmd instead of QEMU
#		nested-new	with it: QEMU 10
#		linux		the machine's own kernel and initial files in /guest, for a guest
#		guest:NAME	those of a row of guest_table, in /guest/NAME; after "linux"
#		rom		$scratch/rom: what a device shows in its ROM BAR
#		preserve	$scratch/preserve: ACPI's word that nothing may be placed anew
#		drive		$scratch/drive.img: 1 MiB; the 16 bytes at N*16 are "line %010d\n"
#		module:NAME	a module of the kernel's own, for kmod_insert()
# files		HOST_PATH=GUEST_PATH, from the top directory; made before by "prepare"
# prepare	one command, run in the top directory
# warns		a regular expression: such a line of the kernel's is stock vfio-pci's as well
# memory	in place of the machine's own
# parameters	more of the kernel command line
# options	for QEMU itself; before the devices
# devices	QEMU arguments
# limit		seconds until the boot counts as hung: many times what it takes, for the host may be busy

oldest='x86_64-6.1 arm64-16k-6.12 arm64-64k ppc64le-64k-6.12'

# What a 64K host meets: small BARs behind one bridge, and two functions of one slot. Each host
# bridge is one slot; all that is below it is one PE and one IOMMU group.
power_zoo() {
	wants=drive
	options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
	devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0 -device pci-testdev,bus=bridge,addr=1
		-device sdhci-pci,bus=bridge,addr=2 -device rtl8139,romfile=,bus=bridge,addr=3
		-device nvme,drive=drive,serial=1,bus=pcie.1,addr=0.0,multifunction=on
		-device qemu-xhci,bus=pcie.1,addr=0.1)
}

# A guest inside the machine, with the payload of tests/guest.
nested_payload() {
	local payload=${arch-}
	payload=${payload/amd64/x86_64}
	wants+=' nested'
	prepare=(make -s -C tests/guest O=../../build/guest "$payload")
	files=("build/guest/$payload.elf=guest/payload.elf")
}

# Eight small functions in each of these slots; the machine's clock counts instructions, one a nanosecond.
count_instructions() {
	local slot function
	wants=new-qemu
	options=(-icount shift=0,sleep=off)
	for slot; do
		for function in {0..7}; do
			devices+=(-device "$(printf 'sdhci-pci,addr=%x.%d,multifunction=on' "$slot" "$function")")
		done
	done
}

# A bridge whose slots the machine itself plugs (SHPC), not ACPI.
hotplug_bridge() {
	options=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
	devices=(-device pcie-root-port,id=bridgeport,chassis=1,addr=8
		-device pcie-pci-bridge,id=bridge,bus=bridgeport,msi=on
		-device sdhci-pci,bus=bridge,addr=1 -device pci-ohci,bus=bridge,addr=2)
}

# The command and what it needs, for tests/vm/cli.
command_line() {
	local file
	prepare=(tests/cli/stage "${arch-}")
	for file in subpage-vfio loader libc.so.6 libpci.so.3 libjson-c.so.5 libsmartcols.so.1 libz.so.1 libudev.so.1 pci.ids \
		busybox bash libtinfo.so.6 driverctl read_capability kmod libmount.so.1 libblkid.so.1 libselinux.so.1 \
		libpcre2-8.so.0 libkmod.so.2 liblzma.so.5 libzstd.so.1 libcrypto.so.3; do
		files+=("build/cli/${arch-}/root/$file=cli/$file")
	done
}

scenario() {
	local slot function model
	scratch=${scratch-} chosen=$1
	shows='' slow='' program=tests/vm/run
	machines=all cases=$1 wants='' files=() prepare=() warns='' memory='' parameters='' options=() devices=() limit=400
	case $1 in
	smoke)
		shows="the machine, stock vfio-pci and the kernel's log work, as every other test takes for granted"
		machines=$oldest
		devices=(-device sdhci-pci)
		;;
	claim | demo)
		shows='BARs that share pages get pages of their own and can be mapped, none of them with stock vfio-pci'
		options=(-object 'memory-backend-ram,size=1M,id=shared')
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci
			-device pci-ohci -device sdhci-pci)
		[ "${arch-}" != ppc64el ] || power_zoo
		[ "$1" != demo ] || {
			shows='what a person sees in "make demo": the same devices, host and guest, without the driver and with it'
			machines='x86_64-6.1 arm64-16k-6.12 arm64-64k'
			# The disk is for a guest under KVM.
			[ "${arch-}" != arm64 ] || {
				wants='linux drive new-qemu module:nvme'
				options+=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
				devices+=(-device nvme,drive=drive,serial=1,dbcs=off,msix-exclusive-bar=on
					-device pci-testdev,membar=8192)
			}
			nested_payload
		}
		;;
	zoo)
		shows='the same for what a host of large pages meets: root bus, root ports, functions of one slot, several BARs on a page'
		machines=arm64 cases=claim
		options=(-object 'memory-backend-ram,size=1M,id=shared' -object 'memory-backend-ram,size=1M,id=shared2'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		wants=drive
		devices=(-device ivshmem-plain,memdev=shared -device ahci -device sdhci-pci -device rtl8139,romfile=
			-device pci-testdev -device edu -device nvme,drive=drive,serial=1 -device qemu-xhci
			-device e1000e,romfile= -device virtio-net-pci,romfile= -device vmxnet3,romfile=
			-device usb-ehci,addr=0x14.0,multifunction=on -device pci-ohci,addr=0x14.1 -device intel-hda,addr=0x14.2
			-device pcie-root-port,id=port1,chassis=1,hotplug=off,addr=0x15.0,multifunction=on
			-device pcie-root-port,id=port2,chassis=2,hotplug=off,addr=0x15.1
			-device ahci,bus=port1,addr=0.0,multifunction=on -device sdhci-pci,bus=port1,addr=0.1
			-device ivshmem-plain,memdev=shared2,bus=port2)
		;;
	firmware)
		shows="what the PCI core itself would not move stays: a firmware's interrupt controller, a device without a class"
		machines='arm64-16k-6.12 arm64-64k' wants=drive
		options=(-drive "if=none,id=drive1,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive2,format=raw,snapshot=on,file=$scratch/drive.img")
		# The class has 16 bits, and 0 is the model's own.
		devices=(-device pci-testdev -device virtio-blk-pci,drive=drive1,class=0x0800
			-device virtio-blk-pci,drive=drive2,class=0x10000 -device sdhci-pci)
		;;
	preserve)
		shows="where the firmware says that the kernel must not place anything anew a BAR that shares its page stays there"
		# Kernels of PCs ask since 6.11.
		machines=x86_64-7.2 wants=preserve
		options=(-acpitable "sig=SSDT,rev=2,data=$scratch/preserve")
		devices=(-device sdhci-pci -device pci-ohci -device sdhci-pci)
		;;
	reserved)
		shows="a BAR in a range that the kernel has reserved for something else stays there"
		# The firmware puts this device's BAR before that of the board's own disk controller.
		machines=x86_64-6.1 parameters="memmap=256\$0xfebfe000"
		devices=(-device sdhci-pci)
		;;
	cycles)
		shows='a device bound 200 times stays where it is, and no memory is lost'
		devices=(-device sdhci-pci -device pci-ohci)
		;;
	faults)
		shows='whatever step of a bind fails, all is put back as it was'
		machines=x86_64 wants=faults cases=faults,msix_behind
		options=(-object 'memory-backend-ram,size=1M,id=shared')
		# Each pci-testdev has a BAR of 64 bits, which the kernel places above 4 GiB, and one of just a page.
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci
			-device pci-ohci -device sdhci-pci -device pci-testdev,membar=256 -device pci-testdev,membar=256
			-device qemu-xhci)
		# Without USB nothing stops the controller that the firmware left running: stock vfio-pci does.
		[ "${flavour-}" != debug ] || devices=("${devices[@]/pci-ohci/sdhci-pci}")
		;;
	nomem)
		shows='each allocation of a bind, an unbind and a way to a mapping fails once, and nothing is left behind'
		# So long, their BAR 2 is of 64 bits, above 4 GiB, and shares a page, too.
		# Debian's kernels have no fault injection. ivshmem has no interrupt pin: what ACPI cannot allocate
		# while it routes one, it does not find again. Functions of one slot are in one IOMMU group.
		machines='x86_64-7.2-debug x86_64-6.12-debug' wants=drive
		options=(-object 'memory-backend-ram,size=2K,id=shared' -object 'memory-backend-ram,size=2K,id=shared2'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared,addr=0x10.0,multifunction=on
			-device ivshmem-plain,memdev=shared2,addr=0x10.1 -device nvme,drive=drive,serial=1)
		;;
	undone)
		shows='the same where several BARs of a device move, and the last one that it can have'
		machines=arm64-16k-6.12 wants='faults new-qemu'
		devices=(-device sdhci-pci -device ahci -device nvme-subsys,id=subsystem
			-device nvme,serial=1,subsys=subsystem,msix-exclusive-bar=on)
		;;
	full)
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
		;;
	together)
		shows='two devices that share a page are bound at the same time, and neither takes the place of the other'
		machines='x86_64-6.1 x86_64-7.2' wants=faults
		options=(-smp 2)
		devices=(-device sdhci-pci -device sdhci-pci)
		;;
	options)
		shows="stock vfio-pci's options by their names; a move leaves the other BARs alone, ends mappings of the old place, and is none while a BAR is in use"
		machines=x86_64 cases=options,undisturbed,old_place,busy wants='drive module:ramoops'
		options=(-smp 2 -object 'memory-backend-ram,size=1M,id=shared'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		# Slots 0x10 and 0x18 share an interrupt line.
		# The debug kernels are built without ramoops, who is busy with a BAR in the last case, and
		# without IO_STRICT_DEVMEM, which takes mappings away.
		[[ ${machine-} != *-debug ]] || cases=options,undisturbed wants=drive
		# That one is built without VFIO for VGA's legacy ranges. (QEMU itself reads "vga=".)
		[ "${machine-}" != x86_64-7.2-debug ] || parameters=vga_legacy=none
		devices=(-device ivshmem-plain,memdev=shared -device VGA -device nvme,drive=drive,serial=1
			-device sdhci-pci,addr=0x10 -device sdhci-pci,addr=0x18
			-device pcie-root-port,id=displayport,chassis=1,hotplug=off -device VGA,bus=displayport)
		;;
	align)
		shows='stock vfio-pci maps what align_for= has aligned before; nothing else is touched'
		wants='drive module:nvme'
		options=(-object 'memory-backend-ram,size=1M,id=shared'
			-drive "if=none,id=drive,format=raw,snapshot=on,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci
			-device pci-ohci -device sdhci-pci -device nvme,drive=drive,serial=1)
		[ "${flavour-}" != debug ] || devices=("${devices[@]/pci-ohci/sdhci-pci}")
		[ "${arch-}" != amd64 ] || devices+=(-device pci-bridge,chassis_nr=1 -device pci-bridge,chassis_nr=2)
		# The disk keeps its native driver: a PE of its own.
		[ "${arch-}" != ppc64el ] || devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0
			-device pci-testdev,bus=bridge,addr=1 -device sdhci-pci,bus=bridge,addr=2
			-device rtl8139,romfile=,bus=bridge,addr=3 -device sdhci-pci,bus=bridge,addr=4
			-device nvme,drive=drive,serial=1,bus=pcie.1)
		;;
	hotplug)
		shows='a device that is plugged in stays off the pages that are claimed'
		# pciehp itself takes two locks in both orders, which is all that lockdep would tell.
		machines=x86_64 wants=monitor parameters=lockdep.prove_locking=0
		hotplug_bridge
		devices+=(-device pcie-root-port,id=port2,chassis=3,addr=9 -device pcie-root-port,id=port3,chassis=4,addr=0xa
			-device sdhci-pci -device pci-ohci)
		;;
	lost)
		shows='the kernel takes the window away under a bound device, and log, sysfs and VFIO say so'
		machines=x86_64 wants=monitor
		hotplug_bridge
		;;
	lost_open)
		shows='the same under a device that is open and mapped, and under one that sleeps'
		# Without a power controller pciehp brings up whatever it finds in the slot. As it releases the
		# window it forgets the region below it that vfio-pci-core has requested for the open device:
		# before 7.2 for its first mapping.
		machines=x86_64 wants=monitor parameters='lockdep.prove_locking=0 stock_leak=vfio_pci_core_enable'
		[ "${machine-}" != x86_64-6.12-debug ] || parameters=${parameters/core_enable/core_mmap}
		warns='Trying to free nonexistent resource'
		options=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off -object 'memory-backend-ram,size=1M,id=shared')
		devices=(-device ivshmem-plain,memdev=shared,addr=4)
		for slot in {0..6}; do
			devices+=(-device "pcie-root-port,id=port$slot,chassis=$((slot + 1)),addr=$((slot + 8)),power_controller_present=off,bus-reserve=1")
		done
		;;
	native)
		shows="the kernel's own drivers work before, beside and after this one"
		machines='x86_64 arm64' wants='drive module:nvme module:ahci module:sd_mod module:e1000e module:8139cp'
		options=(-drive "if=none,id=drive1,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive2,format=raw,snapshot=on,file=$scratch/drive.img"
			-netdev user,id=net2,net=10.0.2.0/24 -netdev user,id=net3,net=10.0.3.0/24)
		devices=(-device nvme,drive=drive1,serial=1 -device ahci,id=sata -device ide-hd,bus=sata.0,drive=drive2
			-device sdhci-pci -device e1000e,netdev=net2,romfile= -device rtl8139,netdev=net3,romfile=)
		;;
	badinput)
		shows='wrong parameters and devices in the wrong state get an error that says why, and nothing changes'
		machines=x86_64 cases=badinput,limits wants=module:nvme
		devices=(-device sdhci-pci -device pci-ohci -device pcie-root-port,id=port1,chassis=1
			-device nvme-subsys,id=subsystem
			-device nvme,serial=1,bus=port1,subsys=subsystem,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1)
		;;
	noiommu)
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
		;;
	region)
		shows='region info, mmap, sysfs, log and trace, at their edges'
		cases=look,region wants='drive rom'
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		# Functions of one slot, so that the tracepoints' numbers are not all 0.
		devices=(-device nvme,drive=drive,serial=1,addr=0x10.0,multifunction=on
			-device "sdhci-pci,romfile=$scratch/rom,addr=0x10.1" -device "pci-ohci,romfile=$scratch/rom,addr=0x10.2")
		[ "${arch-}" != ppc64el ] || power_zoo
		;;
	msix)
		shows="the MSI-X table is mapped or hidden as the option says, and all kernels answer the same bytes"
		cases=golden,msix wants=drive files=("tests/vm/golden/${arch-}=golden")
		# More is smaller than a page there.
		[[ ${flavour-} != arm64-64k* ]] || files=("tests/vm/golden/arm64-64k=golden")
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device e1000e,romfile= -device qemu-xhci -device sdhci-pci)
		[ "${arch-}" != ppc64el ] || power_zoo
		;;
	nested)
		shows='a QEMU in the machine gives the BARs to its guest, who reads them without a trap'
		machines='x86_64 arm64' cases=image,nested
		nested_payload
		options=(-object 'memory-backend-ram,size=1M,id=shared')
		devices=(-device ivshmem-plain,memdev=shared -device sdhci-pci -device rtl8139,romfile=)
		[ "${arch-}" = amd64 ] || devices+=(-device ahci -device pci-testdev)
		;;
	relocation)
		shows='what x-msix-relocation of the QEMU in the machine is good for, with each policy for the table'
		# On a 4K host the table has a page of its own.
		machines=arm64 wants=drive
		nested_payload
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device qemu-xhci)
		;;
	consumers)
		shows='ten VMMs and user-space drivers, by their own rules: none is worse off than with stock vfio-pci'
		# BARs of 256 bytes to 64K, of 32 and 64 bits, with and without an MSI-X table.
		machines='x86_64-6.1 arm64-16k-6.12 arm64-64k-7.2 ppc64le-64k-6.12' wants=drive
		options=(-object 'memory-backend-ram,size=64K,id=shared'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci -device pci-ohci
			-device lsi53c895a -device pci-testdev -device ahci -device nvme,drive=drive,serial=1
			-device qemu-xhci -device e1000e,romfile= -device vmxnet3,romfile= -device virtio-net-pci,romfile=
			-device mptsas1068)
		[ "${arch-}" != ppc64el ] || {
			power_zoo
			options+=(-object 'memory-backend-ram,size=64K,id=shared')
			devices+=(-device ivshmem-plain,memdev=shared,bus=bridge,addr=4 -device lsi53c895a,bus=bridge,addr=5
				-device mptsas1068,bus=bridge,addr=6 -device e1000e,romfile=,bus=pcie.2
				-device virtio-net-pci,romfile=,bus=pcie.3)
		}
		;;
	qemu_nvme)
		shows="QEMU's own NVMe driver (nvme://) reads a drive right, where with stock vfio-pci it cannot start"
		# One with the table in its 16K; two of 8K, with a BAR for MSI-X alone, which share a page.
		machines='arm64-16k-6.12 arm64-64k-7.2' wants='nested new-qemu drive'
		options=(-drive "if=none,id=drive1,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive2,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive3,format=raw,snapshot=on,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive1,serial=1 -device nvme,drive=drive2,serial=2,msix-exclusive-bar=on
			-device nvme,drive=drive3,serial=3,msix-exclusive-bar=on)
		;;
	packed)
		shows='a Linux guest that packs BARs as it likes reads none of them through QEMU'
		machines='arm64-16k-6.12 arm64-64k-7.2' wants='nested linux'
		options=(-object 'memory-backend-ram,size=1M,id=shared')
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci -device pci-ohci
			-device ahci -device pci-testdev)
		;;
	testpmd)
		shows="DPDK's testpmd passes packets over two cards, handed over to vfio-pci and with align_for"
		# Of e1000e no BAR is smaller than a page of 16K, of vmxnet3 each is.
		machines='x86_64-6.1 arm64-16k-6.12 arm64-64k-7.2' wants='nested dpdk'
		local card=e1000e
		[ "${arch-}" != arm64 ] || card=vmxnet3
		options=(-netdev hubport,id=wire1,hubid=1 -netdev hubport,id=wire2,hubid=1)
		devices=(-device "$card,netdev=wire1,romfile=" -device "$card,netdev=wire2,romfile=")
		;;
	linuxguest)
		shows="a Linux guest's own drivers work with the disks that it is given"
		# A whole Linux boots in 8 s under KVM, which only these machines have.
		machines='arm64-16k-6.12 arm64-64k' wants='nested linux drive module:nvme module:ahci module:sd_mod'
		options=(-drive "if=none,id=drive1,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive2,format=raw,snapshot=on,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive1,serial=1 -device ahci,id=sata -device ide-hd,bus=sata.0,drive=drive2
			-device sdhci-pci)
		;;
	denied)
		shows="what stock vfio-pci refuses for its errata is refused, and taken with disable_denylist=1"
		machines=arm64-16k-6.12 wants='nested linux'
		for slot in {1..9}; do
			devices+=(-device sdhci-pci)
		done
		;;
	disk | bench-disk)
		shows="a Linux guest reads from its disk, more of it than with stock vfio-pci, with guest pages of 4K, too"
		[ "$1" != bench-disk ] || {
			shows='how much a guest reads from its disk, what that costs the host, and with whom'
			slow=bench cases=disk parameters=disk=all limit=2000
		}
		# The disk has no shadow doorbells (dbcs), as real ones have none: each read rings two real ones.
		machines='arm64-16k-6.12 arm64-64k'
		wants='nested linux guest:arm64-4k-6.12 drive new-qemu module:nvme'
		options=(-drive "if=none,id=drive1,format=raw,snapshot=on,file=$scratch/drive.img"
			-drive "if=none,id=drive2,format=raw,snapshot=on,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive1,serial=1,dbcs=off
			-device nvme,drive=drive2,serial=2,dbcs=off,msix-exclusive-bar=on
			-device pci-testdev,membar=8192 -device qemu-xhci)
		;;
	bench-access)
		shows='what one access to a register takes, in user space and in a guest'
		# iomem=relaxed: the floor is a BAR's file in sysfs, mapped while VFIO has it open.
		slow=bench machines='x86_64 arm64' cases=bench_access wants='drive new-qemu' parameters=iomem=relaxed
		options=(-object 'memory-backend-ram,size=1M,id=shared'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci
			-device pci-ohci -device nvme,drive=drive,serial=1,dbcs=off -device qemu-xhci)
		[ "${arch-}" != arm64 ] || nested_payload
		;;
	bench-bind)
		shows='what bind and unbind take, of one function and of hundreds'
		slow=bench machines='x86_64 arm64' cases=bench_bind limit=2000
		count_instructions {2..30}
		;;
	bind_cost)
		shows='to bind a device whose BAR stays costs at most 1.2 times what stock vfio-pci does'
		machines='x86_64-6.1 x86_64-6.12 arm64-64k' cases=bench_bind
		count_instructions {2..14}
		;;
	dmabuf)
		shows='a dma-buf exports what mmap would map, and no page of a hidden table'
		machines='x86_64-7.2 x86_64-7.3' wants=drive
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device e1000e,romfile= -device qemu-xhci -device sdhci-pci)
		;;
	cdev)
		shows="claim, region, msix and dmabuf through the device's own file and iommufd"
		# The same through the device's own file and iommufd, which Debian's kernels do not have.
		machines='x86_64-7.2-debug x86_64-6.12-debug arm64-64k' cases=claim,region,msix,dmabuf
		[[ ${machine-} != *-6.12-debug ]] || cases=${cases%,dmabuf}
		parameters=vfio=cdev wants=drive
		options=(-object 'memory-backend-ram,size=1M,id=shared' -drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared -device rtl8139,romfile= -device sdhci-pci
			-device pci-ohci -device sdhci-pci -device nvme,drive=drive,serial=1 -device e1000e,romfile=
			-device qemu-xhci)
		;;
	sriov)
		shows='virtual functions come to the driver, where SR-IOV has placed them, and are mapped'
		wants='new-qemu module:nvme'
		# A root port has ACS: each function is alone in its IOMMU group. powernv has a host bridge of
		# that name for each slot.
		[ "${arch-}" = ppc64el ] || devices=(-device pcie-root-port,id=pcie.1,chassis=1,hotplug=off
			-device pcie-root-port,id=pcie.2,chassis=2,hotplug=off)
		# No BAR of igb is smaller than 16K; those of the disk are 8K and, with a BAR for MSI-X alone, 4K.
		devices+=(-device igb,bus=pcie.1,romfile= -device nvme-subsys,id=subsystem
			-device nvme,serial=1,bus=pcie.2,subsys=subsystem,msix-exclusive-bar=on,sriov_max_vfs=3,sriov_vq_flexible=6,sriov_vi_flexible=3)
		# QEMU drops the upper half of a virtual function's BAR: no window above 4 GiB.
		[ "${arch-}" != arm64 ] || options=(-machine highmem-mmio=off)
		# There a virtual function's token goes with the binding to iommufd.
		[ "${machine-}" != x86_64-7.2-debug ] || parameters=vfio=cdev
		;;
	msix-eeh-off)
		shows='where neither EEH nor the IOMMU isolates MSIs the table stays hidden'
		# The counter-case: the same machine, and nothing isolates MSIs.
		machines=ppc64le cases=msix parameters=eeh=off
		power_zoo
		;;
	msix-no-remap)
		shows='where the IOMMU does not remap interrupts the table stays hidden, too'
		machines='x86_64-6.1 x86_64-7.2' cases=msix parameters=intremap=off wants=drive
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		# With that many vectors the table takes two pages.
		devices=(-device nvme,drive=drive,serial=1,msix_qsize=512 -device e1000e,romfile= -device qemu-xhci)
		;;
	aligned)
		shows='where the kernel gives each BAR a page the driver claims it where it is'
		# As powernv boots: the machine's own option is taken back.
		machines=ppc64le parameters='pci=resource_alignment='
		power_zoo
		;;
	eeh)
		shows='an EEH reset restores the BARs where the driver has put them, or put them back'
		machines=ppc64le
		power_zoo
		wants+=' faults'
		;;
	freeze)
		shows='a device is frozen and recovered by EEH, and has its pages after that'
		machines=ppc64le
		power_zoo
		wants+=' module:nvme'
		;;
	suspend)
		shows='the host suspends to RAM and resumes, with devices bound, open and mapped'
		machines='x86_64-6.1 x86_64-7.2' parameters='no_console_suspend off=reboot'
		devices=(-device sdhci-pci -device rtl8139,romfile= -device sdhci-pci)
		;;
	kselftest)
		shows="the kernel's own VFIO selftests say of this driver what they say of stock vfio-pci"
		# The machine has the source that its kernel is built from, and iommufd.
		machines=x86_64-7.2-debug wants=drive prepare=(tests/kselftest/stage "${machine-}")
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device sdhci-pci -device sdhci-pci -device nvme,drive=drive,serial=1)
		local test
		for test in dma_mapping_test dma_mapping_mmio_test iommufd_setup_test pci_device_test \
			pci_device_init_perf_test; do
			files+=("build/kselftest/vfio_$test=kselftest/vfio_$test")
		done
		;;
	soak | soak_hotplug | soak_binds)
		shows='a year in minutes: many processes at many devices at once, killed users, random calls; all is as before'
		machines=x86_64-7.2-debug wants='new-qemu drive module:nvme module:8139cp' cases=storm
		# "make check" has five minutes of the first two together.
		local seconds=${SOAK_S:-150}
		parameters="soak_s=$seconds soak_seed=${SOAK_SEED:-}" limit=$((seconds + 250))
		# One thread for both processors: with two, QEMU changes the memory map under the other one, and an
		# access goes astray. 7.2 loses the end of an interrupt so, and all timers stop; 10 ends (its issue 3040).
		options=(-smp 2 -accel tcg,thread=single -netdev user,id=net,net=10.0.2.0/24
			-object 'memory-backend-ram,size=1M,id=shared1' -object 'memory-backend-ram,size=1M,id=shared2'
			-object 'memory-backend-ram,size=1M,id=shared3' -object 'memory-backend-ram,size=1M,id=shared4'
			-drive "if=none,id=drive,format=raw,snapshot=on,file=$scratch/drive.img")
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
			-device nvme-ns,drive=drive,bus=disk)
		if [ "$1" = soak ]; then
			cases=storm,binds,surprise,fuzz
			devices+=(-device sdhci-pci,addr=0x1d)
		elif [ "$1" = soak_binds ]; then
			shows='a device that moves each time is bound 10 000 times: no bind takes longer, nothing grows or wanders'
			# Until it has been that often: a quarter of this time is its.
			slow=yes cases=binds parameters='soak_s=20000' limit=6000 machines='x86_64-7.2-debug x86_64-6.1'
		else
			# pciehp itself takes two locks in both orders, which is all that lockdep would tell.
			shows='the same while the ninth device is plugged and unplugged'
			cases=storm,unplug wants+=' monitor' parameters+=' lockdep.prove_locking=0'
			devices+=(-device pcie-root-port,id=plug,chassis=9,addr=0x1e)
		fi
		;;
	pseries)
		shows="a POWER guest's own EEH recovers a device that is frozen outside"
		slow=yes machines=ppc64le cases=image,pseries wants='nested linux' limit=1000
		devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0 -device pci-testdev,bus=bridge,addr=1
			-device sdhci-pci,bus=bridge,addr=2)
		;;
	cli)
		shows='the command subpage-vfio as an operator uses it, with real devices'
		# The disk and one SD controller are functions of one slot, and so of one IOMMU group.
		machines=$oldest
		cases=cli,cli_answers,cli_in_use wants='drive faults module:nvme module:e1000e'
		options=(-object 'memory-backend-ram,size=1M,id=shared'
			-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device ivshmem-plain,memdev=shared -device sdhci-pci -device rtl8139,romfile= -device pci-ohci
			-device nvme,drive=drive,serial=1,addr=0x18.0,multifunction=on -device sdhci-pci,addr=0x18.1
			-device e1000e,romfile=)
		[ "${arch-}" != amd64 ] || devices+=(-device VGA)
		# On its large pages the second memory BAR of that one is a sub-page one, and the first is not.
		[ "${arch-}" != arm64 ] || devices+=(-device bochs-display)
		[ "${arch-}" != ppc64el ] || {
			cases=cli
			power_zoo
		}
		command_line
		;;
	cli-safe)
		shows='the command leaves alone what is in use, does all or nothing, and says which of it'
		# Users of all kinds, of devices whose native drivers this kernel has.
		machines=x86_64-6.1 cases=cli_safe
		wants='new-qemu drive faults module:nvme module:e1000e module:loop module:nvmet module:ext4 module:bridge
			module:snd-hda-codec-generic module:snd-hda-intel module:bochs module:xhci-pci module:hid-generic module:usbhid module:sd_mod module:usb-storage'
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img"
			-drive "if=none,id=stick,format=raw,snapshot=on,file=$scratch/drive.img,file.locking=off" -audiodev none,id=silence)
		devices=(-device nvme,drive=drive,serial=1 -device e1000e,romfile= -device sdhci-pci -device sdhci-pci
			-device intel-hda -device hda-duplex,audiodev=silence -device pci-serial -device bochs-display
			-device qemu-xhci,id=usb -device usb-kbd,bus=usb.0 -device usb-storage,bus=usb.0,drive=stick
			-device pcie-root-port,id=port1,chassis=1,hotplug=off -device nvme-subsys,id=subsystem
			-device nvme,serial=2,bus=port1,subsys=subsystem,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2)
		command_line
		;;
	cli-holders)
		shows="the command leaves alone what the kernel itself holds: volumes, arrays, targets, bonds, the firmware's picture"
		# Each kernel that names its holders in its own way. vga= has the firmware draw.
		machines='x86_64-6.1 x86_64-7.2' cases=cli_holders parameters=vga=0x317
		wants='drive module:nvme module:e1000e module:dm-mod module:raid1 module:sd_mod module:virtio_pci module:virtio_scsi
			module:target_core_iblock module:bonding module:8021q'
		options=(-drive "if=none,id=drive,format=raw,snapshot=on,file=$scratch/drive.img,file.locking=off"
			-drive "if=none,id=lun,format=raw,snapshot=on,file=$scratch/drive.img,file.locking=off")
		devices=(-device nvme,drive=drive,serial=1 -device virtio-scsi-pci,id=scsi,disable-legacy=on -device scsi-hd,bus=scsi.0,drive=lun
			-device e1000e,romfile= -device VGA)
		command_line
		;;
	dkms)
		shows='DKMS builds the module for the kernels of a suite, and its users find and load it'
		program=tests/dkms/run machines=x86_64
		;;
	deb)
		shows='the Debian packages install, work and leave nothing'
		program=tests/deb/run machines='x86_64-6.1 x86_64-6.12'
		;;
	rpm)
		shows="the RPM packages hold what the Debian packages hold; installed, upgraded, removed, by this machine's rpm"
		program=tests/rpm/run machines='x86_64-6.1 x86_64-6.12'
		;;
	ecosystem)
		shows='driverctl, libvirt and DPDK of a suite use the driver as it is'
		slow=yes program=tests/ecosystem/run machines='x86_64-6.1 x86_64-6.12'
		;;
	check)
		shows='"subpage-vfio check" tells why a guest is slow: guests in every state, under real KVM'
		machines=arm64-16k-6.12 wants='drive nested'
		command_line
		prepare=(sh -c "tests/cli/stage ${arch-} && make -s -C tests/guest O=../../build/guest arm64-stay arm64-packed")
		files+=(build/guest/arm64-stay.elf=guest/stay.elf build/guest/arm64-packed.elf=guest/packed.elf)
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci)
		;;
	check-iommufd)
		shows='the same of a guest whose QEMU has opened its devices by their own files, through iommufd'
		# The one kernel that has KVM and iommufd.
		machines=arm64-64k-7.2 cases=check_iommufd wants='drive nested nested-new'
		command_line
		prepare=(sh -c "tests/cli/stage ${arch-} && make -s -C tests/guest O=../../build/guest arm64-stay arm64-packed")
		files+=(build/guest/arm64-stay.elf=guest/stay.elf)
		options=(-drive "if=none,id=drive,format=raw,file=$scratch/drive.img")
		devices=(-device nvme,drive=drive,serial=1 -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci)
		;;
	check-program)
		shows='"subpage-vfio check" knows whose mapping it is, as far as the kernel tells'
		machines='x86_64-6.1 x86_64-7.2 x86_64-7.2-debug' cases=check_program
		command_line
		devices=(-device sdhci-pci -device sdhci-pci)
		[ "${flavour-}" != debug ] || parameters=vfio=cdev
		;;
	*)
		die "no scenario is called $1" "choose one of: $(scenario_names | xargs)"
		;;
	esac
	[ -n "$shows" ] || die "tests/vm/scenarios.sh does not say what $1 shows"
}

# The scenarios, in the order of above.
scenario_names() {
	declare -f scenario | sed -n 's/^        \([a-z][a-z_ |-]*\))$/\1/p' | tr -d ' ' | tr '|' '\n'
}

# scenario_choice SLOW: those for each run (''), or those that take minutes each (yes).
scenario_choice() {
	local name
	for name in $(scenario_names); do
		scenario "$name"
		[ "$slow" != "$1" ] || echo "$name"
	done
}

scenario_help() {
	local name
	for name in $(scenario_names); do
		scenario "$name"
		printf '%-14s %s%s\n' "$name" "$shows" "$(case $slow in yes) echo ' (make check-slow)' ;; bench) echo ' (make bench)' ;; esac)"
	done
}

# What the machines of slow_table run: what takes the driver's locks and memory through all they know.
watched='claim cycles faults nomem region msix cdev align hotplug lost lost_open options'

# scenario_fits MACHINE: is the scenario that was set last meant for it?
scenario_fits() {
	if slow_machine_names | grep -qxF "$1"; then
		[[ " $watched " == *" $chosen "* ]] || return 1
		machine_meant "$1"
		return
	fi
	# A debug kernel is slow: what "cdev" does there is done, and a machine in the machine takes too long.
	case $1:$cases in
	*-debug:claim | *-debug:dmabuf | *-debug:*nested | *-debug:dkms) return 1 ;;
	# Nor has it a clock that wakes it up, nor volumes and arrays.
	*-debug:suspend | *-debug:cli_holders) return 1 ;;
	esac
	machine_meant "$1"
}

# machine_meant MACHINE: do the scenario's own words name it?
machine_meant() {
	local word
	for word in $machines; do
		[ "$word" != all ] && [[ $1- != "$word"-* ]] || return 0
	done
	return 1
}
