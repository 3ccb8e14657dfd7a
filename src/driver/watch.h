/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_WATCH_H
#define SUBPAGE_WATCH_H

struct subpage_device;

/*
 * What the PCI core does to a device while it is bound, and just before another
 * driver gets it.
 *
 * The core can release a bridge window under a device that is open and mapped: a
 * hot-added device that does not fit is enough. Where the window was, another
 * device's registers may be next, and the user's mapping would reach them. So
 * before any device of the system gets a driver, all open devices are looked at;
 * one whose BARs are not where they were is revoked: its mappings go, and what would
 * reach the device gives an error until it is closed. A newcomer without a driver is
 * noticed at the next bind or at the user's next system call.
 *
 * The same place is the last one before the driver of align_for= probes.
 */

/**
 * subpage_watch_init() - begin to watch the PCI bus
 *
 * Return: 0 or a negative error.
 */
int subpage_watch_init(void);
void subpage_watch_exit(void);

/* A device that is not open yet. */
void subpage_watch_prepare(struct subpage_device *sdev);

/**
 * subpage_watch_opening() - remember where the BARs of a device are, and have it decode them there
 * @sdev: the device, before vfio_pci_core_enable(); it may be asleep
 */
void subpage_watch_opening(struct subpage_device *sdev);

/**
 * subpage_watch_opened() - watch a device from now on
 * @sdev: the device, after vfio_pci_core_finish_enable()
 */
void subpage_watch_opened(struct subpage_device *sdev);

/**
 * subpage_watch_closing() - do so no more
 * @sdev: the device, before vfio_pci_core_close_device()
 *
 * If its BARs are not where they were, what VFIO saved as it opened the device, and
 * is going to restore, is brought up to date.
 */
void subpage_watch_closing(struct subpage_device *sdev);

/* After vfio_pci_core_close_device(). */
void subpage_watch_closed(struct subpage_device *sdev);

/**
 * subpage_watch_intact() - are the BARs of an open device where they were
 * @sdev: the device
 *
 * If not, the device is revoked.
 *
 * Context: any in which one may sleep; takes no lock.
 *
 * Return: false when the user must not get at the device any more.
 */
bool subpage_watch_intact(struct subpage_device *sdev);

/**
 * subpage_watch_config_written() - a user has written to config space
 * @sdev: the device
 *
 * The write may have begun before the device was revoked, and taken as long as the
 * user liked, whose buffer it reads: what it switched on is switched off again.
 */
void subpage_watch_config_written(struct subpage_device *sdev);

#endif /* SUBPAGE_WATCH_H */
