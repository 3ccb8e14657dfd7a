// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices that stock vfio-pci refuses for their errata are Intel's, and no model
 * of QEMU's is one. But QEMU's own vfio-pci gives a device any number: so a Linux
 * guest has them. What it finds is in case_guest_denied.c.
 */
#include "cases.h"
#include "denied.h"
#include "image.h"
#include "nested.h"

MODULE_CASE(denied, "")
{
	static struct nested_device devices[DENIED];
	static char options[DENIED][64];
	const struct nested_linux linux_guest = { .parameters = "run=guest_denied" };
	struct nested guest;
	int i;

	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
	for (i = 0; i < DENIED; i++) {
		about("%04x", denied[i]);
		if (!is_errno(pci_find(SDHCI, i, &devices[i].dev), 0, "there is a device for it") ||
		    !is_errno(pci_bind(&devices[i].dev, "subpage_vfio_pci"), 0, "it is bound"))
			return;
		snprintf(options[i], sizeof(options[i]), ",x-pci-vendor-id=%#x,x-pci-device-id=%#x",
			 INTEL, denied[i]);
		devices[i].options = options[i];
	}
	about("the guest");
	if (is_errno(nested_run_linux(devices, DENIED, &linux_guest, &guest), 0, "a Linux guest runs"))
		is_u64(nested_relay(&guest), 1, "to its end");
	nested_free(&guest);
	about("after it");
	for (i = 0; i < DENIED; i++)
		is_errno(pci_bind(&devices[i].dev, ""), 0, "%s is given back", devices[i].dev.bdf);
}
