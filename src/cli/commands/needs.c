// SPDX-License-Identifier: GPL-2.0-only
#include <sys/utsname.h>

#include "bus/file.h"
#include "bus/iommu.h"
#include "change/module.h"
#include "commands/run.h"

#define DRIVER_DIRECTORY "/sys/bus/pci/drivers/" OURS

void need_root(const struct device *device)
{
	char path[80];

	if (geteuid())
		fail(CODE_PERMISSION, "run it as root: sudo subpage-vfio ...",
		     "no permission to change the driver of %s", device->address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", device->address);
	if (access(path, W_OK))
		fail(CODE_PERMISSION, "in a container? run it on the host", "%s cannot be written: %s", path,
		     strerror(errno));
}

void need_driver(void)
{
	struct utsname kernel;
	int err;

	if (!access(DRIVER_DIRECTORY, F_OK))
		return;
	progress("loading " OURS);
	err = module_load(OURS);
	if (!err && !access(DRIVER_DIRECTORY, F_OK))
		return;

	uname(&kernel);
	switch (-err) {
	case EKEYREJECTED:
	case ENOKEY:
		fail(CODE_HOST,
		     "Secure Boot is on: \"mokutil --import /var/lib/dkms/mok.pub\", reboot, and enrol the key",
		     "the kernel refuses the signature of " OURS);
	case EPERM:
		fail(CODE_HOST,
		     "the kernel is locked down, or this is a container: see \"dmesg | tail\" and /sys/kernel/security/lockdown",
		     "the kernel does not allow " OURS " to be loaded");
	case ENOENT:
		fail(CODE_HOST, module_cure(kernel.release), "there is no module " OURS " for Linux %s",
		     kernel.release);
	case ENOEXEC:
		fail(CODE_HOST, "\"dkms status\" says what it was built for; \"make dkms-install\" builds it anew",
		     "the module " OURS " is not for Linux %s", kernel.release);
	default:
		fail(CODE_HOST, "\"dmesg | tail\" says more", "cannot load " OURS ": %s",
		     err ? strerror(-err) : "it has no driver for PCI");
	}
}

void need_other_driver(const char *driver)
{
	if (!file_exists("/sys/bus/pci/drivers/%s", driver))
		module_load(driver);
	if (!file_exists("/sys/bus/pci/drivers/%s", driver))
		fail(CODE_HOST, "is it built for this kernel? \"modinfo\" with its name says so",
		     "there is no PCI driver %s; nothing was changed", driver);
}

void need_driverctl(void)
{
	if (!file_exists("/usr/sbin/driverctl") && !file_exists("/usr/bin/driverctl") &&
	    !file_exists("/usr/local/sbin/driverctl"))
		fail(CODE_HOST, "apt-get install driverctl, or leave --persist out",
		     "--persist needs driverctl, which is not installed");
}

void need_no_bridges(const struct transaction *transaction)
{
	const struct change *change;

	for_each(change, transaction->change, transaction->count)
		if (device_is_bridge(change->device))
			fail(CODE_USAGE, "name the devices behind it; \"lspci -tv\" shows them",
			     "%s is a bridge, which VFIO does not support", change->device->address);
}

bool lacks_iommu(const struct device *device)
{
	if (!file_exists("/sys/module/vfio"))
		module_load("vfio");
	return !iommu_may_group(device);
}

void need_iommu(const struct transaction *transaction)
{
	const struct change *change;

	for_each(change, transaction->change, transaction->count)
		if (change->wanted && lacks_iommu(change->device))
			fail(CODE_HOST,
			     "switch the IOMMU on in the firmware's set-up and boot with intel_iommu=on (Intel); \"subpage-vfio host\" says more",
			     "%s has no IOMMU group, which VFIO needs; nothing was changed",
			     change->device->address);
}

void need_groups(const struct run *run)
{
	const struct transaction *transaction = &run->transaction;
	const struct device *other;
	const struct change *change;

	for_each(change, transaction->change, transaction->count)
		for (other = NULL; change->wanted && (other = group_blocker(&run->bus, change->device, other)); )
			if (!transaction_has(transaction, other))
				fail(CODE_HOST, device_is_bridge(other) ? "unbind the bridge from that driver" :
				     "--group takes it, too; or unbind it",
				     "%s could not be used: %s, of the same IOMMU group %d, has the driver %s; nothing was changed",
				     change->device->address, other->address, other->group, other->driver);
}
