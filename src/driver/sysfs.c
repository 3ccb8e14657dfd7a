// SPDX-License-Identifier: GPL-2.0-only
#include <linux/device.h>
#include <linux/pci.h>

#include "region.h"
#include "sysfs.h"

enum bar_value { BAR_STATE, BAR_REASON, BAR_ORIGINAL, BAR_ADDRESS, BAR_PAGE };

struct bar_attribute {
	struct device_attribute attr;
	int bar;
	enum bar_value value;
};

static struct subpage_device *dev_to_subpage(struct device *dev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(dev);

	return to_subpage_device(&core->vdev);
}

static ssize_t bar_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct bar_attribute *file = container_of(attr, struct bar_attribute, attr);
	const struct page_claim *claim = &dev_to_subpage(dev)->claim[file->bar];

	switch (file->value) {
	case BAR_STATE:
		return sysfs_emit(buf, "%s\n", page_claim_state_name(claim));
	case BAR_REASON:
		return sysfs_emit(buf, "%s\n", page_claim_reason(claim));
	case BAR_ORIGINAL:
		return sysfs_emit(buf, "%#llx\n", (u64)claim->was.start);
	case BAR_ADDRESS:
		return sysfs_emit(buf, "%#llx\n",
				  (u64)pci_resource_start(to_pci_dev(dev), file->bar));
	case BAR_PAGE:
		break;
	}

	if (!page_claim_stands(claim))
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%#llx\n",
			  (u64)pci_resource_start(to_pci_dev(dev), file->bar));
}

#define BAR_FILE(_bar, _name, _value) \
	(&((struct bar_attribute) { \
		.attr = __ATTR(bar##_bar##_##_name, 0444, bar_show, NULL), \
		.bar = _bar, \
		.value = _value, \
	}).attr.attr)

static ssize_t msix_bar_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_subpage(dev)->msix.bar);
}
static DEVICE_ATTR_RO(msix_bar);

static ssize_t msix_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", msix_state_name(&dev_to_subpage(dev)->msix));
}
static DEVICE_ATTR_RO(msix_state);

static ssize_t msix_reason_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_to_subpage(dev)->msix.reason);
}
static DEVICE_ATTR_RO(msix_reason);

static struct attribute *subpage_attrs[] = {
	BAR_FILE(0, state, BAR_STATE),
	BAR_FILE(0, reason, BAR_REASON),
	BAR_FILE(0, original, BAR_ORIGINAL),
	BAR_FILE(0, address, BAR_ADDRESS),
	BAR_FILE(0, page, BAR_PAGE),
	BAR_FILE(1, state, BAR_STATE),
	BAR_FILE(1, reason, BAR_REASON),
	BAR_FILE(1, original, BAR_ORIGINAL),
	BAR_FILE(1, address, BAR_ADDRESS),
	BAR_FILE(1, page, BAR_PAGE),
	BAR_FILE(2, state, BAR_STATE),
	BAR_FILE(2, reason, BAR_REASON),
	BAR_FILE(2, original, BAR_ORIGINAL),
	BAR_FILE(2, address, BAR_ADDRESS),
	BAR_FILE(2, page, BAR_PAGE),
	BAR_FILE(3, state, BAR_STATE),
	BAR_FILE(3, reason, BAR_REASON),
	BAR_FILE(3, original, BAR_ORIGINAL),
	BAR_FILE(3, address, BAR_ADDRESS),
	BAR_FILE(3, page, BAR_PAGE),
	BAR_FILE(4, state, BAR_STATE),
	BAR_FILE(4, reason, BAR_REASON),
	BAR_FILE(4, original, BAR_ORIGINAL),
	BAR_FILE(4, address, BAR_ADDRESS),
	BAR_FILE(4, page, BAR_PAGE),
	BAR_FILE(5, state, BAR_STATE),
	BAR_FILE(5, reason, BAR_REASON),
	BAR_FILE(5, original, BAR_ORIGINAL),
	BAR_FILE(5, address, BAR_ADDRESS),
	BAR_FILE(5, page, BAR_PAGE),
	&dev_attr_msix_bar.attr,
	&dev_attr_msix_state.attr,
	&dev_attr_msix_reason.attr,
	NULL
};

static umode_t subpage_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct device *dev = kobj_to_dev(kobj);
	struct device_attribute *dev_attr = container_of(attr, struct device_attribute, attr);

	if (dev_attr->show == bar_show) {
		int bar = container_of(dev_attr, struct bar_attribute, attr)->bar;

		return page_claim_is_candidate(to_pci_dev(dev), bar) ? attr->mode : 0;
	}

	return dev_to_subpage(dev)->msix.state == SUBPAGE_MSIX_NONE ? 0 : attr->mode;
}

static const struct attribute_group subpage_group = {
	.name = KBUILD_MODNAME,
	.attrs = subpage_attrs,
	.is_visible = subpage_is_visible,
};

const struct attribute_group *sysfs_groups[] = { &subpage_group, NULL };
