// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest, which has no IOMMU: what is not refused for its errata is
 * refused for that, and the log says which.
 */
#include "cases.h"
#include "denied.h"
#include "log.h"
#include "pci.h"

/* Does the log of a bind have the text? */
static bool bind_says(const struct pci_dev *dev, const char *driver, const char *text)
{
	int mark = log_mark();
	bool says;
	char *log;

	pci_bind(dev, driver);
	log = log_since(mark);
	says = log && strstr(log, text);
	free(log);
	pci_bind(dev, "");
	return says;
}

CASE(guest_denied)
{
	static const char refused[] = "refusing device: known errata exploitable from user space (disable_denylist=1";
	struct wrong stock = {}, ours = {}, only_said = {}, off = {};
	struct pci_dev devices[DENIED];
	bool on_list;
	int i;

	for (i = 0; i < DENIED; i++)
		if (!is_errno(pci_find(INTEL, denied[i], 0, &devices[i]), 0, "there is a %04x", denied[i]))
			return;
	is_errno(module_load(""), 0, "the module loads");
	for (i = 0; i < DENIED; i++) {
		on_list = i < DENIED - 1;
		if (bind_says(&devices[i], "vfio-pci", "denylist") != on_list)
			wrong_add(&stock, "%04x", denied[i]);
		if (bind_says(&devices[i], "subpage_vfio_pci", refused) != on_list)
			wrong_add(&ours, "%04x", denied[i]);
		if (bind_says(&devices[i], "subpage_vfio_pci", "no IOMMU group: switch on the IOMMU") == on_list)
			wrong_add(&only_said, "%04x", denied[i]);
	}
	none_wrong(&stock, "stock vfio-pci refuses what is on the list, and nothing else");
	none_wrong(&ours, "this driver does so, too");
	none_wrong(&only_said, "and goes no further with those");
	is_errno(module_unload(), 0, "the module unloads");

	is_errno(module_load("disable_denylist=1"), 0, "disable_denylist=1");
	for (i = 0; i < DENIED - 1; i++)
		if (!bind_says(&devices[i], "subpage_vfio_pci", "accepted because of disable_denylist=1"))
			wrong_add(&off, "%04x", denied[i]);
	none_wrong(&off, "with it none is refused for that, and the log says of each that it has errata");
	ok(bind_says(&devices[0], "subpage_vfio_pci", "no IOMMU group: switch on the IOMMU"),
	   "what then stands in the way is the missing IOMMU");
	is_errno(module_unload(), 0, "it unloads");
}
