// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"
#include "device.h"
#include "relocate.h"
#include "revoke.h"

/*
 * The largest access that vfio-pci-core makes at once: aligned, within one capability, at most
 * four bytes. The width matters: many registers act on being written.
 */
static size_t register_size(const struct vfio_pci_core_device *core, size_t at, size_t count)
{
	const u8 *capability = core->pci_config_map + at;
	size_t size = 1;

	if (at % 2)
		return 1;
	while (size < count && (at + size) % 4 && capability[size] == capability[0])
		size++;

	return size == 3 ? 2 : size;
}

struct register_write {
	const char __user *buf;
	size_t size;
	loff_t position;
};

static long call_write(struct subpage_device *sdev, const void *call)
{
	const struct register_write *write = call;
	loff_t position = write->position;

	return vfio_pci_core_write(&sdev->core.vdev, write->buf, write->size, &position);
}

ssize_t subpage_config_read(struct subpage_device *sdev, char __user *buf, size_t count,
			    loff_t *ppos)
{
	loff_t position = *ppos;
	ssize_t done = vfio_pci_core_read(&sdev->core.vdev, buf, count, ppos);
	int ret;

	if (done <= 0)
		return done;

	ret = subpage_relocate_config_read(sdev, buf, done, position & VFIO_PCI_OFFSET_MASK);
	if (ret)
		*ppos = position;
	return ret ?: done;
}

ssize_t subpage_config_write(struct subpage_device *sdev, const char __user *buf, size_t count,
			     loff_t *ppos)
{
	u64 at = *ppos & VFIO_PCI_OFFSET_MASK;
	size_t done, size;
	ssize_t ret;

	/* Nothing is written of an access that runs past the end. */
	if (count && at + count > sdev->core.pdev->cfg_size)
		return -EFAULT;

	for (done = 0; done < count; done += size) {
		struct register_write write = { .buf = buf + done, .position = *ppos + done };

		size = register_size(&sdev->core, at + done, count - done);
		write.size = size;
		if (subpage_relocate_register(sdev, at + done))
			ret = subpage_relocate_config_write(sdev, buf + done, size, at + done);
		else
			ret = subpage_revoke_call(sdev, call_write, &write, write.buf, size);
		if (ret < 0)
			return ret;
	}

	*ppos += count;
	return count;
}
