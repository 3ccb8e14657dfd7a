// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bar.h"
#include "guest/hints.h"
#include "print/output.h"

/* The BAR for QEMU's own MSI-X table, -1: it stays where the device has it. */
static int relocated_to(const struct device *device)
{
	return bar_needs_relocation(device) ? bar_for_msix(device) : -1;
}

char *hint_qemu(const struct device *device)
{
	char *elsewhere = bar_needs_relocation(device) ? bar_relocation(device) : NULL;

	return elsewhere ? elsewhere : format("-device vfio-pci,host=%s", device->address);
}

/* libvirt has no word for the relocation: QEMU's own is set behind its back, by the alias. */
static char *override(const char *alias, int bar)
{
	if (bar < 0)
		return format("%s", "");
	return format("\n<!-- and at the end of <domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'> -->\n"
		      "<qemu:override>\n"
		      "  <qemu:device alias='%s'>\n"
		      "    <qemu:frontend>\n"
		      "      <qemu:property name='x-msix-relocation' type='string' value='bar%d'/>\n"
		      "    </qemu:frontend>\n"
		      "  </qemu:device>\n"
		      "</qemu:override>", alias, bar);
}

char *hint_libvirt(const struct device *device)
{
	unsigned int domain = 0, bus = 0, slot = 0, function = 0;
	char alias[32], *behind, *text;

	sscanf(device->address, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	snprintf(alias, sizeof(alias), "ua-%04x-%02x-%02x-%x", domain, bus, slot, function);
	behind = override(alias, relocated_to(device));
	/*
	 * It is bound already: nothing to manage. Older versions know no driver but vfio-pci, and hand it
	 * over to that.
	 */
	text = format("<hostdev mode='subsystem' type='pci' managed='no'>\n"
		      "  <!-- libvirt before 10.0 wants managed='yes' -->\n"
		      "  <source>\n"
		      "    <address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
		      "  </source>\n"
		      "  <alias name='%s'/>\n"
		      "</hostdev>%s", domain, bus, slot, function, alias, behind);
	free(behind);
	return text;
}
