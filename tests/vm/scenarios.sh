# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The boots. Each is a function scenario_NAME in the scenarios.sh of its room, beside its cases
# (case_*.c): it says which machines it is meant for, which cases PID 1 runs, and what devices
# the machine has. Here are the fields, what several rooms use, and what needs no boot, but a
# root of a machine's suite.
#
# shows		what it proves, in a line
# slow		"yes": takes minutes, "make check-slow" runs it; "bench": "make bench" does
# program	in place of tests/vm/run; it gets the machine
# machines	"all", or words that a machine's name starts with ("x86_64 arm64-16k-6.12");
#		$oldest, the oldest of each page size, is for what hardly depends on the kernel
# cases		in order, with commas; the scenario's name, if nothing else is said
# wants		monitor		the case talks to QEMU's monitor ($monitor)
#		faults		the module is the test build with fault points
#		new-qemu	QEMU 10 in place of Debian 12's 7.2
#		nested		a QEMU of the machine's own architecture at /nested
#		dpdk		with it: DPDK's testpmd instead of QEMU
#		nested-new	with it: QEMU 10
#		blkio		with it: a qemu-img with libblkio
#		linux		the machine's own kernel and initial files in /guest, for a guest
#		guest:NAME	those of a row of guest_table, in /guest/NAME; after "linux"
#		rom		$scratch/rom: what a device shows in its ROM BAR
#		preserve	$scratch/preserve: ACPI's word that nothing may be placed anew
#		packed		a PC's kernel that unpacks itself: for what wakes from suspend, or has the firmware draw
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

# drive N: drives drive1 to driveN of $scratch/drive.img. What is written to one is forgotten.
drive() {
	local i
	[[ " $wants " == *" drive "* ]] || wants+=' drive'
	for ((i = 1; i <= $1; i++)); do
		options+=(-drive "if=none,id=drive$i,format=raw,snapshot=on,file=$scratch/drive.img")
	done
}

# shared N [SIZE]: memory shared1 to sharedN for ivshmem-plain.
shared() {
	local i
	for ((i = 1; i <= $1; i++)); do
		options+=(-object "memory-backend-ram,size=${2:-1M},id=shared$i")
	done
}

# One thread of QEMU for both: with two, QEMU changes the memory map under the other processor, and an access goes
# astray. 7.2 loses the end of an interrupt so, and all timers stop; 10 ends (its issue 3040).
two_processors() {
	options+=(-smp 2 -accel tcg,thread=single)
}

# What a 64K host meets: small BARs behind one bridge, and two functions of one slot. Each host
# bridge is one slot; all that is below it is one PE and one IOMMU group.
power_zoo() {
	wants='' options=()
	drive 1
	devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0 -device pci-testdev,bus=bridge,addr=1
		-device sdhci-pci,bus=bridge,addr=2 -device rtl8139,romfile=,bus=bridge,addr=3
		-device nvme,drive=drive1,serial=1,bus=pcie.1,addr=0.0,multifunction=on
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

# The command and what it needs, for tests/vm/cli.
command_line() {
	local file
	prepare=(tests/cli/stage "${arch-}")
	for file in subpage-vfio loader libc.so.6 libpci.so.3 libjson-c.so.5 libsmartcols.so.1 libz.so.1 libudev.so.1 pci.ids \
		busybox bash libtinfo.so.6 driverctl read_capability kmod libkmod.so.2 \
		liblzma.so.5 libzstd.so.1 libcrypto.so.3; do
		files+=("build/cli/${arch-}/root/$file=cli/$file")
	done
}

scenario_dkms() {
	shows='DKMS builds the module for the kernels of a suite, and its users find and load it'
	# The suite of 7.3 has the DKMS of 6.12's.
	program=tests/dkms/run machines='x86_64-6.1 x86_64-6.12 x86_64-7.2'
}

scenario_compiler() {
	shows='for a kernel that clang has built plain make and DKMS build the module with clang'
	program=tests/compiler/run machines=x86_64-7.2-clang
}

scenario_boot() {
	shows="Debian's own initial ramdisk and vfio-pci.ids=: after \"align --always\" the devices have their pages"
	program=tests/boot/run machines=x86_64-6.12
}

scenario_deb() {
	shows='the Debian packages install, work and leave nothing'
	program=tests/deb/run machines='x86_64-6.1 x86_64-6.12'
}

scenario_rpm() {
	shows="the RPM packages hold what the Debian packages hold; installed, upgraded, removed, by this machine's rpm"
	program=tests/rpm/run machines='x86_64-6.1 x86_64-6.12'
}

scenario_ecosystem() {
	shows='driverctl, libvirt and DPDK of a suite use the driver as it is'
	slow=yes program=tests/ecosystem/run machines='x86_64-6.1 x86_64-6.12'
}

for room in "$top"/tests/vm/*/scenarios.sh; do
	# shellcheck source=/dev/null
	. "$room"
done

# scenario NAME: set all fields for the machine that is set.
scenario() {
	scratch=${scratch-} chosen=$1
	shows='' slow='' program=tests/vm/run
	machines=all cases=$1 wants='' files=() prepare=() warns='' memory='' parameters='' options=() devices=() limit=400
	declare -F "scenario_$1" >/dev/null ||
		die "no scenario is called $1" "choose one of: $(all_scenarios | xargs)"
	"scenario_$1"
	[ -n "$shows" ] || die "scenario_$1 does not say what it shows"
}

all_scenarios() {
	compgen -A function scenario_ | sed 's/^scenario_//'
}

# choose_scenarios SLOW: the names of those for each run (''), or those that take minutes each (yes).
choose_scenarios() {
	local name
	for name in $(all_scenarios); do
		scenario "$name"
		[ "$slow" != "$1" ] || echo "$name"
	done
}

help_scenarios() {
	local name
	for name in $(all_scenarios); do
		scenario "$name"
		printf '%-14s %s%s\n' "$name" "$shows" "$(case $slow in yes) echo ' (make check-slow)' ;; bench) echo ' (make bench)' ;; esac)"
	done
}

# slow_boots: what the machine of slow_table that is set runs.
slow_boots() {
	case $flavour in
	# By these ways the kernel calls the driver through pointers, each of which its kCFI checks.
	clang) echo compiler claim full lost_open relocate dmabuf config align ;;
	# Where spinlocks sleep, and threads answer interrupts.
	rt-*) echo lost_open together align soak ;;
	# What takes the driver's locks and memory through all they know.
	*) echo claim cycles faults nomem region msix cdev align hotplug lost lost_open options ;;
	esac
}

# fits MACHINE: is the scenario that was set last meant for it?
fits() {
	if slow_machine_names | grep -qxF "$1"; then
		[[ " $(slow_boots) " == *" $chosen "* ]] || return 1
		machine_meant "$1"
		return
	fi
	# A debug kernel is slow: what "cdev" does there is done, and a machine in the machine takes too long.
	case $1:$cases in
	*-debug:claim | *-debug:dmabuf | *-debug:*nested | *-debug:dkms) return 1 ;;
	# What takes locks and memory in these, lost_open has; other lines of theirs count for "make coverage".
	*-debug:lost_saved,*) [ -n "${COVERAGE:-}" ] || return 1 ;;
	# Nor has it a clock that wakes it up, volumes and arrays, or SD cards.
	*-debug:suspend | *-debug:vectors_asleep | *-debug:cli_holders | *-debug:align_refused) return 1 ;;
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
