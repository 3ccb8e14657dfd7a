# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# DPDK and SPDK take only devices whose driver is called vfio-pci: bind ours, hand
# over, the BARs stay where they are.

address() {
	sed -n "$2p" "/sys/bus/pci/devices/$1/resource" | cut -d ' ' -f 1
}

# One page for all their BARs, as firmware and hosts with large pages do it.
pack() {
	local dev
	for dev; do echo 1 >"/sys/bus/pci/devices/$dev/remove"; done
	echo 1 >/sys/bus/pci/rescan
	for dev; do soon 20 test -e "/sys/bus/pci/devices/$dev/driver"; done
}

same_page() {
	say "BAR 1 of $1 is at $(address "$1" 2), of $2 at $(address "$2" 2)"
	[ $(($(address "$1" 2) >> 12)) = $(($(address "$2" 2) >> 12)) ]
}

aligned() {
	local start
	start=$(address "$1" "$2")
	say "BAR $(($2 - 1)) of $1 is at $start"
	[ $((start & 0xfff)) = 0 ]
}

trapped() {
	local status=0
	try "$here/mapped" "$@" || status=$?
	[ $status = 3 ]
}

dpdk() {
	local nics nic packed
	mapfile -t nics < <(on_bus 10ec:8139)
	pack "${nics[@]}"
	nic=${nics[1]}
	check "two network cards share a page" same_page "${nics[@]}"

	try modprobe vfio-pci
	check "dpdk-devbind binds vfio-pci" try dpdk-devbind.py --bind=vfio-pci "$nic"
	check "the BAR cannot be mapped" trapped "$nic" 1

	check "driverctl binds ours" try driverctl --nosave set-override "$nic" "$driver"
	try dpdk-devbind.py --status-dev net
	packed=$(address "$nic" 2)
	check "ours has moved the BAR to a page of its own" aligned "$nic" 2

	check "dpdk-devbind hands over to vfio-pci" try dpdk-devbind.py --bind=vfio-pci "$nic"
	check "vfio-pci has the card" bound "$nic" vfio-pci
	try dpdk-devbind.py --status-dev net
	check "the BAR is where ours put it" test "$(address "$nic" 2)" = "$packed"
	check "the BAR can be mapped" try "$here/mapped" "$nic" 1
	check "dpdk-devbind does not know how to bind ours" eval "! try dpdk-devbind.py --bind=$driver $nic"
}
