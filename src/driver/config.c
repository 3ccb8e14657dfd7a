// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "config.h"
#include "device.h"
#include "relocate.h"
#include "revoke.h"

/* How often a page may go again before its bytes are taken. */
#define TRIES	100

/*
 * What vfio-pci-core takes at once: aligned, of one capability, at most four bytes. Many
 * registers act on being written, by the width of the write.
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

static ssize_t write_register(struct subpage_device *sdev, const char __user *buf, size_t size,
			      loff_t position)
{
	int tries;

	for (tries = 0; tries < TRIES && !fatal_signal_pending(current); tries++) {
		loff_t pos = position;
		ssize_t ret;
		u32 value;

		if (!subpage_revoke_lock(sdev))
			return -EIO;
		pagefault_disable();
		ret = vfio_pci_core_write(&sdev->core.vdev, buf, size, &pos);
		pagefault_enable();
		subpage_revoke_unlock(sdev);
		if (ret != -EFAULT)
			return ret;
		/* Have the page there for the next try. */
		if (copy_from_user(&value, buf, size))
			break;
	}

	return -EFAULT;
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

	/* Nothing is written of what goes on behind the end. */
	if (at + count > sdev->core.pdev->cfg_size)
		return -EFAULT;

	for (done = 0; done < count; done += size) {
		size = register_size(&sdev->core, at + done, count - done);
		if (subpage_relocate_register(sdev, at + done))
			ret = subpage_relocate_config_write(sdev, buf + done, size, at + done);
		else
			ret = write_register(sdev, buf + done, size, *ppos + done);
		if (ret < 0)
			return ret;
	}

	*ppos += count;
	return count;
}
