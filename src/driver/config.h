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
 * vfio-pci-core fills @buf. Where the MSI-X table is shown elsewhere, @buf is then corrected in
 * place; another thread of the user may see the real values in between.
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
 * vfio-pci-core copies from the user a register at a time, and a page fault there can take as
 * long as the user likes. So each register is passed on by itself, with page faults disabled,
 * and only while the device is not revoked.
 *
 * Return: @count, or a negative error: -EIO when the BARs have moved, else as
 * vfio-pci-core. The registers before the error are written, as there.
 */
ssize_t subpage_config_write(struct subpage_device *sdev, const char __user *buf, size_t count,
			     loff_t *ppos);

#endif /* SUBPAGE_CONFIG_H */
