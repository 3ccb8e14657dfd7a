// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "align.h"
#include "kcompat.h"
#include "options.h"
#include "page_claim.h"

/**
 * struct held_device - a device whose BARs are a page long for another driver
 * @list: in held_devices
 * @pdev: the device, with a reference
 * @driver: that driver's name; NULL when the driver has gone and left a BAR in use
 * @claims: as of a device of ours
 *
 * Each has a reference to this module.
 */
struct held_device {
	struct list_head list;
	struct pci_dev *pdev;
	const char *driver;
	struct page_claim claims[PCI_STD_NUM_BARS];
};

/* @lock is taken in the bus notifier, under the device lock; no other lock is taken under it. */
static LIST_HEAD(held_devices);
static DEFINE_MUTEX(lock);

static bool has_page(const struct page_claim *claim)
{
	return claim->res && !claim->refused;
}

/*
 * Called with the device lock held, for a device that has no driver yet and may be asleep. A
 * device that must not be moved, or that has virtual functions, stays as it is.
 */
static void hold(struct pci_dev *pdev)
{
	struct subpage_options options;
	struct held_device *held;
	int bar, pages = 0;

	subpage_options_for(pdev, &options);
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL || pdev->is_virtfn || pci_num_vf(pdev) ||
	    options.realign != REALIGN_ON)
		return;

	held = kzalloc(sizeof(*held), GFP_KERNEL);
	/* Fails while this module is being unloaded. */
	if (!held || !try_module_get(THIS_MODULE))
		goto err_free;

	pm_runtime_get_sync(&pdev->dev);
	subpage_claims_make(held->claims, pdev, REALIGN_ON);
	subpage_claims_settle(held->claims);
	pm_runtime_put(&pdev->dev);
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		pages += has_page(&held->claims[bar]);
	if (!pages)
		goto err_put;

	held->pdev = pci_dev_get(pdev);
	held->driver = pdev->dev.driver->name;
	mutex_lock(&lock);
	list_add_tail(&held->list, &held_devices);
	mutex_unlock(&lock);
	pci_info(pdev, "%s: its BARs keep their pages until %s releases it; this module cannot be unloaded before\n",
		 KBUILD_MODNAME, held->driver);
	return;

err_put:
	module_put(THIS_MODULE);
err_free:
	kfree(held);
}

static bool in_use(const struct held_device *held)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (has_page(&held->claims[bar]) && held->claims[bar].res->child)
			return true;

	return false;
}

/*
 * Called with the device lock held, or once the device has left the bus. A driver that refuses
 * a device may have requested regions of its BARs, which the driver core (devres) releases only
 * after this notifier: then the pages are given back at the next bind.
 */
static void give_back(struct pci_dev *pdev, bool is_gone)
{
	struct held_device *held, *found = NULL;

	mutex_lock(&lock);
	list_for_each_entry(held, &held_devices, list)
		if (held->pdev == pdev)
			found = held;
	if (found && !is_gone && in_use(found)) {
		found->driver = NULL;
		pci_info(pdev, "%s: BARs keep their pages, since one is still in use; the next bind restores their true size\n",
			 KBUILD_MODNAME);
		found = NULL;
	}
	if (found)
		list_del(&found->list);
	mutex_unlock(&lock);
	if (!found)
		return;

	subpage_claims_drop(found->claims, pdev);
	kfree(found);
	pci_dev_put(pdev);
	module_put(THIS_MODULE);
}

/*
 * BIND_DRIVER may come twice with no other event between (CONFIG_DEBUG_TEST_DRIVER_REMOVE).
 * Apart from that each unbind and each refusal has its event, with the device lock held. A
 * device that is removed, by surprise or not, loses its driver first and its resources last.
 *
 * The last reference to this module may be dropped here, because subpage_align_unregister()
 * waits for the lock of the notifier chain, which is held.
 */
static int notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;
	struct pci_dev *pdev = to_pci_dev(dev);

	switch (action) {
	case BUS_NOTIFY_BIND_DRIVER:
		give_back(pdev, false);
		/* Our own probe makes the claims itself, and can undo them. */
		if (strcmp(dev->driver->name, KBUILD_MODNAME) &&
		    subpage_option_align_for(dev->driver->name))
			hold(pdev);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		give_back(pdev, false);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		give_back(pdev, true);
		break;
	}

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

/* A binary attribute, since the text can be longer than a page. */
static ssize_t held_read(struct file *file, struct kobject *kobj, kcompat_bin_attribute *attr,
			 char *buf, loff_t from, size_t size)
{
	struct held_device *held;
	size_t done = 0;
	char line[320];
	int bar, length;

	mutex_lock(&lock);
	list_for_each_entry(held, &held_devices, list) {
		for (bar = 0; bar < PCI_STD_NUM_BARS && done < size; bar++) {
			if (!has_page(&held->claims[bar]))
				continue;
			length = scnprintf(line, sizeof(line), "%s %d %llu %s\n",
					   pci_name(held->pdev), bar,
					   (u64)subpage_claim_true_size(&held->claims[bar]),
					   held->driver ?: "-");
			/* Copies nothing of a line that ends before @from. */
			done += memory_read_from_buffer(buf + done, size - done, &from, line,
							length);
			from -= length;
		}
	}
	mutex_unlock(&lock);

	return done;
}
static BIN_ATTR_RO(held, 0);

static kcompat_bin_attribute *held_attrs[] = { &bin_attr_held, NULL };
static const struct attribute_group held_group = { .bin_attrs = held_attrs };

const struct attribute_group *subpage_align_groups[] = { &held_group, NULL };
