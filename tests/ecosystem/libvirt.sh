# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
#
# A domain with a card whose BAR shares its page. libvirt 10.0 or newer is told which
# driver to use; 9.0 knows vfio-pci alone and gets the card after ours has had it.

# domain MANAGED [DRIVER]: a definition whose one passed-through device is the card.
domain() {
	local slot=${nic#*:*:}
	cat <<-END
		<domain type='qemu'>
		  <name>guest</name>
		  <memory unit='MiB'>64</memory>
		  <os><type machine='q35'>hvm</type></os>
		  <devices>
		    <hostdev mode='subsystem' type='pci' managed='$1'>
		      ${2:+<driver model='$2'/>}
		      <source>
		        <address domain='0x0000' bus='0x00' slot='0x${slot%.*}' function='0x${slot#*.}'/>
		      </source>
		    </hostdev>
		  </devices>
		</domain>
	END
}

# VFIO puts BAR 1 at offset 1 << 40 of the device's file; older kernels (6.1)
# show the BAR's address in its place.
bar_mapped() {
	local start
	start=$(address "$nic" 2)
	try grep -E " (10000000000|$(printf '%08x' "$start")) .*vfio-device" \
		"/proc/$(pgrep -f 'qemu-system.*guest=guest')/maps"
}

libvirt() {
	local nics nic version
	mapfile -t nics < <(on_bus 10ec:8139)
	pack "${nics[@]}"
	nic=${nics[1]}
	check "the card's BAR shares its page" same_page "${nics[@]}"
	version=$(virsh --version)
	say "libvirt $version"
	if [ "${version%%.*}" -ge 10 ]; then
		libvirt_model
	else
		libvirt_older
	fi
	check "QEMU has mapped the card's BAR" bar_mapped
	check "the domain ends" try virsh destroy guest
	check "the native driver has the card again" soon 20 bound "$nic" 8139cp
}

libvirt_model() {
	local node=pci_${nic//[:.]/_}
	check "nodedev-detach binds ours" try virsh nodedev-detach --driver "$driver" "$node"
	check "the driver has the card" bound "$nic" "$driver"
	domain no >/tmp/domain.xml
	check "a domain with managed='no' starts" try virsh create /tmp/domain.xml
	check "QEMU has mapped the card's BAR" bar_mapped
	check "the domain ends" try virsh destroy guest
	check "the driver still has the card" bound "$nic" "$driver"
	check "nodedev-reattach gives it back" try virsh nodedev-reattach "$node"
	domain yes "$driver" >/tmp/domain.xml
	check "a domain with <driver model='$driver'/> starts" try virsh create /tmp/domain.xml
	check "libvirt has bound ours" bound "$nic" "$driver"
}

libvirt_older() {
	check "this libvirt does not know the name" eval "! try virsh nodedev-detach --driver $driver pci_${nic//[:.]/_}"
	check "driverctl binds ours" try driverctl --nosave set-override "$nic" "$driver"
	check "ours has moved the BAR to a page of its own" aligned "$nic" 2
	domain yes >/tmp/domain.xml
	check "a domain with managed='yes' starts" try virsh create /tmp/domain.xml
	check "libvirt has handed the card over to vfio-pci" bound "$nic" vfio-pci
}
