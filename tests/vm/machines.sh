# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
#
# The machines that tests can run on, one row each; what all machines of one
# architecture have in common is below the tables.

#	name			arch	suite			flavour		page
machine_table='
	x86_64-6.1		amd64	bookworm		amd64		4096
	x86_64-6.12		amd64	trixie			amd64		4096
	x86_64-7.2		amd64	sid			amd64		4096
	x86_64-7.3		amd64	trixie-backports	amd64		4096
	x86_64-7.2-debug	amd64	sid			debug		4096
	arm64-16k-6.12		arm64	bookworm-backports	arm64-16k	16384
	arm64-16k-7.2		arm64	sid			arm64-16k	16384
	arm64-64k-7.2		arm64	sid			arm64-64k	65536
	ppc64le-64k-6.12	ppc64el	bookworm-backports	powerpc64le-64k	65536
	ppc64le-64k-7.2		ppc64el	sid			powerpc64le-64k	65536
'

# Those of "make check-slow" alone: kernels that are built here, 5 to 25 minutes each, boots of minutes, and
# a kernel for real time.
slow_table='
	x86_64-6.12-debug	amd64	trixie			debug		4096
	arm64-64k-7.2-debug	arm64	sid			arm64-64k-debug	65536
	x86_64-7.2-clang	amd64	sid			clang		4096
	x86_64-6.12-rt		amd64	trixie			rt-amd64	4096
'

# Those that are only guests of the machines above, under KVM: they do without the driver.
guest_table='
	arm64-4k-6.12		arm64	bookworm-backports	arm64		4096
'

machine_names() {
	awk 'NF { print $1 }' <<<"$machine_table"
}

slow_machine_names() {
	awk 'NF { print $1 }' <<<"$slow_table"
}

guest_names() {
	awk 'NF { print $1 }' <<<"$guest_table"
}

# suite_machines SUITE: those that the driver runs on.
suite_machines() {
	awk -v suite="$1" '$3 == suite { print $1 }' <<<"$machine_table$slow_table"
}

# chosen_machines ARCHES KERNELS [slow]: words, or regular expressions; "slow": of slow_table, too.
chosen_machines() {
	{
		machine_names
		[ -z "${3:-}" ] || slow_machine_names
	} | grep -xE "(${1// /|})(-[0-9]+k)?-(${2// /|})" | xargs
}

# machine NAME: set all that is known of it.
machine() {
	local row
	row=$(awk -v name="$1" '$1 == name' <<<"$machine_table$slow_table$guest_table")
	[ -n "$row" ] || die "no machine is called $1" \
		"choose one of: $(machine_names | xargs), or, slow: $(slow_machine_names | xargs)"
	read -r machine arch suite flavour page <<<"$row"
	kernel_version=$(grep -o '[0-9]*\.[0-9]*' <<<"$machine")
	# What Debian has no package of is built from its linux-source: with what the tests need (clang's with what
	# the debug kernel's do), with what watches, and with what is this machine's own, where a later line counts.
	configs=()
	local part
	for part in "${flavour%-debug}" "${flavour/%clang/debug}" "${flavour/%*debug/watched}" "$machine"; do
		part=$top/tests/vm/kernels/$part.config
		[ ! -e "$part" ] || [[ " ${configs[*]} " == *" $part "* ]] || configs+=("$part")
	done
	case $arch in
	amd64)
		kernel_arch=x86
		cross='' qemu_package=qemu-system-x86 cross_packages=''
		vfio_modules='vfio_iommu_type1 vfio-pci'
		console=ttyS0 monitor_tty=ttyS1
		# split: interrupt remapping cannot be had with the in-kernel chip. Four levels of page tables: with
		# five, KASAN reports good addresses if the timer ticks while identify_cpu() has the features cleared.
		qemu=(qemu-system-x86_64 -M 'q35,kernel-irqchip=split' -cpu 'max,la57=off' -m 1G -nodefaults
			-device 'intel-iommu,intremap=on,caching-mode=on')
		# On a busy host the emulated timer can miss the kernel's check of it, which then panics. And 7.2's watchdog
		# of the TSC spins, with jiffies for a clock, until the other processor answers, which may be waiting
		# for this one to stop: both for ever (watchdog_check_skew(), multi_cpu_stop()).
		append='intel_iommu=on iommu=nopt no_timer_check tsc=nowatchdog'
		# What watches over memory walks through all of it.
		[[ $flavour != *debug ]] || qemu+=(-m 512M)
		;;
	arm64)
		kernel_arch=arm64
		cross=aarch64-linux-gnu- qemu_package=qemu-system-arm
		cross_packages='gcc-aarch64-linux-gnu libc6-dev-arm64-cross'
		vfio_modules='vfio_iommu_type1 vfio-pci'
		console=ttyAMA0 monitor_tty=''
		# virtualization=on gives the machine a /dev/kvm of its own. Without kpti=off each
		# system call costs 18 us under emulation, which would hide what is measured.
		qemu=(qemu-system-aarch64 -M 'virt,iommu=smmuv3,gic-version=3,virtualization=on' -cpu cortex-a76
			-m 2G -nodefaults)
		append='kpti=off mitigations=off'
		;;
	ppc64el)
		kernel_arch=powerpc
		cross=powerpc64le-linux-gnu- qemu_package=qemu-system-ppc
		cross_packages='gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross'
		vfio_modules='vfio_iommu_spapr_tce vfio-pci'
		console=hvc0 monitor_tty=''
		# What the machine has by itself but for its six host bridges: tests/vm/run adds those that are needed.
		qemu=(qemu-system-ppc64 -M powernv9 -m 2G -smp 1 -accel 'tcg,thread=single' -nodefaults
			-device 'ipmi-bmc-sim,id=bmc0' -device 'isa-ipmi-bt,bmc=bmc0,irq=10')
		# powernv gives each BAR 64K of its own; undo that for all devices, so that BARs share pages.
		append='pci=resource_alignment=8@pci:0:0'
		;;
	esac
	qemu+=(-display none -monitor none -no-reboot)
}
