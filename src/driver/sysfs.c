// SPDX-License-Identifier: GPL-2.0-only
#include <linux/device.h>
#include <linux/pci.h>

#include "device.h"
#include "sysfs.h"

static struct subpage_device *dev_to_subpage(struct device *dev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(dev);

	return to_subpage_device(&core->vdev);
}

static const struct page_claim *claim_of(struct device *dev, const struct device_attribute *attr)
{
	const struct dev_ext_attribute *file = container_of(attr, struct dev_ext_attribute, attr);

	return &dev_to_subpage(dev)->claims[(unsigned long)file->var];
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum subpage_bar_state state = subpage_claim_state(claim_of(dev, attr));

	return sysfs_emit(buf, "%s\n", subpage_bar_state_name(state));
}

static ssize_t reason_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum subpage_bar_state state = subpage_claim_state(claim_of(dev, attr));

	return sysfs_emit(buf, "%s\n", subpage_bar_state_reason(state));
}

static ssize_t size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)subpage_claim_true_size(claim_of(dev, attr)));
}

static ssize_t original_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", (u64)claim_of(dev, attr)->was.start);
}

#define BAR_ATTRS(_bar) { \
	{ __ATTR(bar ## _bar ## _state, 0444, state_show, NULL), (void *)_bar ## UL }, \
	{ __ATTR(bar ## _bar ## _reason, 0444, reason_show, NULL), (void *)_bar ## UL }, \
	{ __ATTR(bar ## _bar ## _size, 0444, size_show, NULL), (void *)_bar ## UL }, \
	{ __ATTR(bar ## _bar ## _original, 0444, original_show, NULL), (void *)_bar ## UL }, \
}

static struct dev_ext_attribute bar_attrs[PCI_STD_NUM_BARS][4] = {
	BAR_ATTRS(0), BAR_ATTRS(1), BAR_ATTRS(2), BAR_ATTRS(3), BAR_ATTRS(4), BAR_ATTRS(5),
};

static ssize_t msix_bar_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_subpage(dev)->msix.bar);
}
static DEVICE_ATTR_RO(msix_bar);

static ssize_t msix_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", subpage_msix_state_name(&dev_to_subpage(dev)->msix));
}
static DEVICE_ATTR_RO(msix_state);

static ssize_t msix_reason_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_to_subpage(dev)->msix.reason);
}
static DEVICE_ATTR_RO(msix_reason);

/* The BAR, or its upper half, that holds the table in the user's view. */
static ssize_t msix_relocation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct msix_relocation *to = &dev_to_subpage(dev)->relocation;

	if (to->bar < 0)
		return sysfs_emit(buf, "none\n");

	return sysfs_emit(buf, "bar%d%s\n", to->bar, to->doubled ? "-upper" : "");
}
static DEVICE_ATTR_RO(msix_relocation);

static ssize_t msix_relocation_reason_show(struct device *dev, struct device_attribute *attr,
					   char *buf)
{
	int len = subpage_relocate_describe(dev_to_subpage(dev), buf, PAGE_SIZE - 1);

	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(msix_relocation_reason);

#define MSIX_ATTRS 5

/* subpage_sysfs_init() adds those of the BARs. */
static struct attribute *
subpage_attrs[MSIX_ATTRS + sizeof(bar_attrs) / sizeof(bar_attrs[0][0]) + 1] = {
	&dev_attr_msix_bar.attr,
	&dev_attr_msix_state.attr,
	&dev_attr_msix_reason.attr,
	&dev_attr_msix_relocation.attr,
	&dev_attr_msix_relocation_reason.attr,
};

void __init subpage_sysfs_init(void)
{
	struct dev_ext_attribute *from = bar_attrs[0];
	size_t i;

	for (i = MSIX_ATTRS; i + 1 < ARRAY_SIZE(subpage_attrs); i++)
		subpage_attrs[i] = &from++->attr.attr;
}

/* Each file costs time at bind and memory while bound: show only those that say something. */
static umode_t subpage_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct device *dev = kobj_to_dev(kobj);
	const struct device_attribute *file = container_of(attr, struct device_attribute, attr);
	const struct page_claim *claim;
	bool visible;

	if (n < MSIX_ATTRS) {
		visible = dev_to_subpage(dev)->msix.state != SUBPAGE_MSIX_NONE;
	} else {
		claim = claim_of(dev, file);
		visible = claim->res && (file->show != original_show ||
					 subpage_claim_state(claim) == SUBPAGE_BAR_MOVED);
	}

	return visible ? attr->mode : 0;
}

static const struct attribute_group subpage_group = {
	.name = KBUILD_MODNAME,
	.attrs = subpage_attrs,
	.is_visible = subpage_is_visible,
};

const struct attribute_group *subpage_sysfs_groups[] = { &subpage_group, NULL };
