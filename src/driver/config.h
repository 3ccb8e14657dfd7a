/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_CONFIG_H
#define SUBPAGE_CONFIG_H

#include <linux/types.h>

struct subpage_device;

/**
 * subpage_config_read() - a user reads config space
 * @sdev: the device, open
 * @buf: the user's
 * @count: bytes
 * @ppos: region and offset; moved on if all is read
 *
 * Where the MSI-X table is shown elsewhere, what vfio-pci-core has put into @buf is
 * corrected there: in between another thread of the user can see where it really is.
 *
 * Return: @count, or a negative error, as vfio-pci-core.
 */
ssize_t subpage_config_read(struct subpage_device *sdev, char __user *buf, size_t count,
			    loff_t *ppos);

/**
 * subpage_config_write() - a user writes to config space
 * @sdev: the device, open
 * @buf: the user's
 * @count: bytes
 * @ppos: region and offset; moved on if all is written
 *
 * vfio-pci-core takes the bytes from the user a register at a time, and waits as long
 * as the user likes for a page that is not there. So it gets one register at a time,
 * each only while the device is not revoked, and has to do with the pages that are there.
 *
 * Return: @count, or a negative error: -EIO when the BARs have moved, else as
 * vfio-pci-core. What came before the error is written, as there.
 */
ssize_t subpage_config_write(struct subpage_device *sdev, const char __user *buf, size_t count,
			     loff_t *ppos);

#endif /* SUBPAGE_CONFIG_H */
