# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of what it costs and gains.

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

scenario_bench-disk() {
	scenario_disk
	shows='how much a guest reads from its disk, what that costs the host, and with whom'
	slow=bench cases=disk parameters=disk=all limit=2000
}

scenario_bench-injected() {
	scenario_disk
	shows="the same where the disk's interrupts are injected into the guest (GICv4), beside what the host has without a guest"
	# The host's own driver at its best: the IOMMU does not translate for it.
	slow=bench cases=disk parameters='disk=injected kvm-arm.vgic_v4_enable=1 iommu.passthrough=1' limit=4000
	# The clock counts instructions, one a nanosecond: timers interrupt as seldom as where no processor is emulated.
	options+=(-machine gic-version=4 -icount shift=0)
}

scenario_bench-access() {
	shows='what one access to a register takes, in user space and in a guest'
	# iomem=relaxed: the floor is a BAR's file in sysfs, mapped while VFIO has it open.
	slow=bench machines='x86_64 arm64' cases=bench_access wants=new-qemu parameters=iomem=relaxed
	drive 1
	shared 1
	devices=(-device ivshmem-plain,memdev=shared1 -device rtl8139,romfile= -device sdhci-pci -device sdhci-pci
		-device pci-ohci -device nvme,drive=drive1,serial=1,dbcs=off -device qemu-xhci)
	[ "${arch-}" != arm64 ] || nested_payload
}

scenario_bench-bind() {
	shows='what bind and unbind take, of one function and of hundreds'
	slow=bench machines='x86_64 arm64' cases=bench_bind limit=2000
	count_instructions {2..30}
}

scenario_bind_cost() {
	shows='to bind a device whose BAR stays costs at most 1.2 times what stock vfio-pci does'
	machines='x86_64-6.1 x86_64-6.12 arm64-64k' cases=bench_bind
	count_instructions {2..14}
}
