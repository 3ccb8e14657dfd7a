# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# The scenarios of POWER: EEH, and pages that the firmware gives.

scenario_msix-eeh-off() {
	shows='where neither EEH nor the IOMMU isolates MSIs the table stays hidden'
	# The counter-case: the same machine, and nothing isolates MSIs.
	machines=ppc64le cases=msix parameters=eeh=off
	power_zoo
}

scenario_aligned() {
	shows='where the kernel gives each BAR a page the driver claims it where it is'
	# As powernv boots: the machine's own option is taken back.
	machines=ppc64le parameters='pci=resource_alignment='
	power_zoo
}

scenario_eeh() {
	shows='an EEH reset restores the BARs where the driver has put them, or put them back'
	machines=ppc64le
	power_zoo
	wants+=' faults'
}

scenario_freeze() {
	shows='a device is frozen and recovered by EEH, and has its pages after that'
	machines=ppc64le
	power_zoo
	wants+=' module:nvme'
}

scenario_pseries() {
	shows="a POWER guest's own EEH recovers a device that is frozen outside"
	slow=yes machines=ppc64le cases=image,pseries wants='nested linux' limit=1000
	devices=(-device pcie-pci-bridge,id=bridge,bus=pcie.0 -device pci-testdev,bus=bridge,addr=1
		-device sdhci-pci,bus=bridge,addr=2)
}
