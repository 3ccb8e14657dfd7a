// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "align.h"
#include "options.h"
#include "page_claim.h"

/*
 * The device lock is held, the device has no driver yet, and it may be asleep. A
 * device that nobody may move or that would lose virtual functions stays as it is.
 */
static void give_pages(struct pci_dev *pdev)
{
	struct subpage_options options;
	struct page_claim *claims;

	subpage_options_for(pdev, &options);
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL || pdev->is_virtfn || pci_num_vf(pdev) ||
	    options.realign != REALIGN_ON)
		return;

	claims = kcalloc(PCI_STD_NUM_BARS, sizeof(*claims), GFP_KERNEL);
	if (!claims)
		return;

	pm_runtime_get_sync(&pdev->dev);
	subpage_claims_make(claims, pdev, REALIGN_ON);
	subpage_claims_settle(claims);
	subpage_claims_drop(claims, pdev);
	pm_runtime_put(&pdev->dev);
	kfree(claims);
}

static int notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;

	/* Our own probe claims, and can undo. */
	if (action == BUS_NOTIFY_BIND_DRIVER && strcmp(dev->driver->name, KBUILD_MODNAME) &&
	    subpage_option_align_for(dev->driver->name))
		give_pages(to_pci_dev(dev));

	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = notify };

int subpage_align_register(void)
{
	return bus_register_notifier(&pci_bus_type, &notifier);
}

void subpage_align_unregister(void)
{
	bus_unregister_notifier(&pci_bus_type, &notifier);
}
