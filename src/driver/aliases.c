// SPDX-License-Identifier: GPL-2.0-only
/*
 * Built with SUBPAGE_ALIASES=y alone ("scripts/prefer on"). A tool that looks for the best VFIO
 * driver of a device, as libvirt does, takes the line of modules.alias that matches with the
 * fewest wildcards. vfio-pci's has seven, these have six. That of a driver made for a device has
 * five or fewer: it names vendor and device. Neither the kernel nor udev loads a module by these
 * lines: what a device announces begins with "pci:".
 */
#include <linux/module.h>

#define PREFER(base_class)	MODULE_ALIAS("vfio_pci:v*d*sv*sd*bc" base_class "sc*i*")

PREFER("00");
PREFER("01");
PREFER("02");
#ifndef CONFIG_VFIO_PCI_IGD
/* Elsewhere vfio-pci has more regions for Intel's graphics than vfio-pci-core. */
PREFER("03");
#endif
PREFER("04");
PREFER("05");
PREFER("06");
PREFER("07");
PREFER("08");
PREFER("09");
PREFER("0A");
PREFER("0B");
PREFER("0C");
PREFER("0D");
PREFER("0E");
PREFER("0F");
PREFER("10");
PREFER("11");
PREFER("12");
PREFER("13");
PREFER("40");
PREFER("FF");
