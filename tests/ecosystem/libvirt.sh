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
	check "this libvirt does not know the name" refuses "unknown driver name '$driver'" virsh nodedev-detach --driver "$driver" "pci_${nic//[:.]/_}"
	check "driverctl binds ours" try driverctl --nosave set-override "$nic" "$driver"
	check "ours has moved the BAR to a page of its own" aligned "$nic" 2
	domain yes >/tmp/domain.xml
	check "a domain with managed='yes' starts" try virsh create /tmp/domain.xml
	check "libvirt has handed the card over to vfio-pci" bound "$nic" vfio-pci
}

# takes DRIVER [ALIASES]: that is what libvirt picks by itself, when modules.alias is as given.
takes() {
	local aliases
	aliases=/lib/modules/$(uname -r)/modules.alias
	[ $# = 1 ] || mount --bind "$2" "$aliases"
	try grep -E 'vfio_pci:v.*bc(02|[*])' "$aliases"
	check "a domain with managed='yes' alone starts" try virsh create /tmp/domain.xml
	check "the card is with $1" bound "$nic" "$1"
	check "the domain is ended" try virsh destroy guest
	check "the card is with its native driver again" soon 20 bound "$nic" 8139cp
	[ $# = 1 ] || umount "$aliases"
}

# The disk's module was built after "prefer on".
libvirt_prefers() {
	local nics nic
	[ "$(virsh --version | cut -d . -f 1)" -ge 10 ] || return 0
	mapfile -t nics < <(on_bus 10ec:8139)
	pack "${nics[@]}"
	nic=${nics[1]}
	domain yes >/tmp/domain.xml
	say "prefer off"
	takes vfio-pci /opt/modules.alias.off
	say "prefer on"
	takes "$driver"
	say "prefer on, and a driver that is made for the card, by a line such as depmod writes for it"
	{
		cat "/lib/modules/$(uname -r)/modules.alias"
		echo 'alias vfio_pci:v000010ECd00008139sv*sd*bc*sc*i* vfio_pci'
	} >/tmp/modules.alias
	takes vfio-pci /tmp/modules.alias
}

# The XML that "subpage-vfio bind --libvirt" prints, put where it says into a domain.
domain_with() {
	cat <<-END
		<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>guest</name>
		  <memory unit='MiB'>64</memory>
		  <os><type machine='q35'>hvm</type></os>
		  <devices>
		$(sed '/^<!-- and at the end/,$d' "$1")
		  </devices>
		$(sed -n '/^<!-- and at the end/,$p' "$1")
		</domain>
	END
}

libvirt_xml() {
	local nics nic
	mapfile -t nics < <(on_bus 10ec:8139)
	pack "${nics[@]}"
	nic=${nics[1]}
	subpage-vfio bind --libvirt "$nic" >/tmp/said
	try cat /tmp/said
	sed -n '/^</,$p' /tmp/said >/tmp/hostdev.xml
	check "the command has bound the card" bound "$nic" "$driver"
	check "it prints a hostdev" grep -q '^<hostdev' /tmp/hostdev.xml
	domain_with /tmp/hostdev.xml >/tmp/domain.xml
	if [ "$(virsh --version | cut -d . -f 1)" -lt 10 ]; then
		check "this libvirt takes it" try virsh define /tmp/domain.xml
		check "but wants to manage the card" refuses 'must be manually detached' virsh start guest
		check "its domain is undefined" try virsh undefine guest
		check "as the comment in it says" grep "before 10.0 wants managed='yes'" /tmp/hostdev.xml
		sed -i "s/managed='no'/managed='yes'/" /tmp/domain.xml /tmp/hostdev.xml
	fi
	check "libvirt's schema takes it" try virsh define --validate /tmp/domain.xml
	check "the domain starts with it" try virsh start guest
	check "QEMU has mapped the card's BAR with it" bar_mapped
	check "the domain with it ends" try virsh destroy guest
	check "the domain is undefined" try virsh undefine guest
	sed '/<hostdev/,/<.hostdev>/d' /tmp/domain.xml >/tmp/plain.xml
	check "a domain without a device is defined" try virsh define --validate /tmp/plain.xml
	check "attach-device takes it, too" try virsh attach-device --config guest /tmp/hostdev.xml
	check "so that the device is in the domain" sh -c 'virsh dumpxml guest | grep -q "<hostdev"'
	check "that domain is undefined" try virsh undefine guest
	check "the command gives the card back" try subpage-vfio unbind "$nic"
	check "its native driver has it" soon 20 bound "$nic" 8139cp

	# No card of this machine has registers beside its MSI-X table.
	printf '%b\n' "$(/opt/fake-sysfs subpage-vfio bind --raw -o LIBVIRT --libvirt 00:05.0 2>/dev/null | tail -n 1)" \
		>/tmp/relocated.xml
	check "with registers beside the table there is a relocation" try grep x-msix-relocation /tmp/relocated.xml
	domain_with /tmp/relocated.xml >/tmp/domain.xml
	check "libvirt's schema takes that, too" try virsh define --validate /tmp/domain.xml
	check "and libvirt keeps it" sh -c 'virsh dumpxml guest | grep -q x-msix-relocation'
	check "the last domain is undefined" try virsh undefine guest
	sed -i 's/<qemu:frontend>/<qemu:frontends>/' /tmp/domain.xml
	check "the schema takes not everything" refuses 'failed to validate against schema' virsh define --validate /tmp/domain.xml
}
