// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include "bar.h"
#include "device.h"
#include "revoke.h"

/*
 * The devices that a user has open. Nothing else is locked below @open_lock, and no
 * mmap_lock is held around it; the bus notifier takes it below the device lock of a
 * newcomer, pciehp's reset_lock and pci_lock_rescan_remove().
 */
static LIST_HEAD(open_devices);
static DEFINE_MUTEX(open_lock);

/* Devices whose mappings are being taken away. */
static atomic_t pending = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(none_pending);

static bool is_moved(struct subpage_device *sdev)
{
	const struct resource *res = sdev->core.pdev->resource;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (sdev->revocation.placed[bar].parent &&
		    (res[bar].parent != sdev->revocation.placed[bar].parent ||
		     res[bar].start != sdev->revocation.placed[bar].start))
			return true;

	return false;
}

/*
 * With memory decode off in what the user sees of config space, vfio-pci-core itself
 * lets nobody near the BARs: no read(), no ioeventfd, no fault. The device must not
 * decode, either: where a BAR has no new place, its register still has the old one.
 *
 * Then all of the user's mappings go, and dma-bufs (since 6.19): to enter low power is
 * the one thing exported by vfio-pci-core of all kernels since 6.1 that takes them
 * away, whether or not the user is in low power already. Faults end with SIGBUS then.
 *
 * A virtual function's decode is not its own, so vfio-pci-core does not look at it: an
 * ioeventfd that its user has set up before goes on.
 */
static void close_doors(struct vfio_pci_core_device *core)
{
	__le16 *command = (__le16 *)(core->vconfig + PCI_COMMAND);
	u16 real;

	down_write(&core->memory_lock);
	*command &= cpu_to_le16(~PCI_COMMAND_MEMORY);
	pci_read_config_word(core->pdev, PCI_COMMAND, &real);
	pci_write_config_word(core->pdev, PCI_COMMAND, real & ~PCI_COMMAND_MEMORY);
	up_write(&core->memory_lock);

	vfio_pci_core_ioctl_feature(&core->vdev, VFIO_DEVICE_FEATURE_SET |
				    VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
}

/*
 * The device stays awake until it is closed, for what it restored on waking up would be
 * the old addresses. The user may have put it to sleep: then it wakes up with decode off.
 */
static void revoke_work(struct work_struct *work)
{
	struct subpage_device *sdev = container_of(work, struct subpage_device, revocation.work);
	struct pci_dev *pdev = sdev->core.pdev;

	pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MEMORY;
	pm_runtime_get_sync(&pdev->dev);
	mutex_lock(&sdev->revocation.lock);
	close_doors(&sdev->core);
	mutex_unlock(&sdev->revocation.lock);
	if (atomic_dec_and_test(&pending))
		wake_up_all(&none_pending);

	subpage_claims_log_lost(sdev->claims, pdev);
	pci_warn(pdev, "the PCI core has moved its BARs while a user has it open; it is of no use to that user until closed and opened again\n");
}

bool subpage_revoke_intact(struct subpage_device *sdev)
{
	if (atomic_read(&sdev->revocation.revoked))
		return false;
	if (!is_moved(sdev))
		return true;

	/* As work: see notify(). In this order: who sees @revoked also waits. */
	atomic_inc(&pending);
	if (!atomic_xchg(&sdev->revocation.revoked, 1))
		schedule_work(&sdev->revocation.work);
	else if (atomic_dec_and_test(&pending))
		wake_up_all(&none_pending);
	return false;
}

void subpage_revoke_init(struct subpage_device *sdev)
{
	mutex_init(&sdev->revocation.lock);
	INIT_WORK(&sdev->revocation.work, revoke_work);
}

bool subpage_revoke_lock(struct subpage_device *sdev)
{
	mutex_lock(&sdev->revocation.lock);
	if (subpage_revoke_intact(sdev))
		return true;

	mutex_unlock(&sdev->revocation.lock);
	return false;
}

void subpage_revoke_unlock(struct subpage_device *sdev)
{
	mutex_unlock(&sdev->revocation.lock);
}

/*
 * Address and decode as the PCI core has them now, in the registers and in the copy that
 * it restores. A BAR for which it found no room has its old address in the register, which
 * is no longer its.
 */
static void renew_registers(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!sdev->revocation.placed[bar].parent)
			continue;
		if (pdev->resource[bar].parent)
			subpage_bar_renew(pdev, bar);
		else
			subpage_bar_decode_off(pdev);
	}
}

void subpage_revoke_opening(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar;

	subpage_claims_log_lost(sdev->claims, pdev);
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct resource *res = &pdev->resource[bar];
		bool memory = res->flags & IORESOURCE_MEM;

		sdev->revocation.placed[bar].start = res->start;
		sdev->revocation.placed[bar].parent = memory ? res->parent : NULL;
	}
	atomic_set(&sdev->revocation.revoked, 0);

	/*
	 * Where the PCI core of 6.1 moves a BAR while the device sleeps, waking up restores the
	 * old address; and it is vfio_pci_core_enable() that wakes it up, and saves what is there.
	 */
	pm_runtime_get_sync(&pdev->dev);
	renew_registers(sdev);
	pm_runtime_put(&pdev->dev);
}

void subpage_revoke_opened(struct subpage_device *sdev)
{
	mutex_lock(&open_lock);
	list_add(&sdev->revocation.open, &open_devices);
	mutex_unlock(&open_lock);
	subpage_revoke_intact(sdev);
}

void subpage_revoke_closing(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;

	mutex_lock(&open_lock);
	list_del(&sdev->revocation.open);
	mutex_unlock(&open_lock);
	if (subpage_revoke_intact(sdev))
		return;

	flush_work(&sdev->revocation.work);
	/* What vfio-pci-core saved as it opened the device, and is about to restore. */
	pci_load_and_free_saved_state(pdev, &sdev->core.pci_saved_state);
	renew_registers(sdev);
	sdev->core.pci_saved_state = pci_store_saved_state(pdev);
}

void subpage_revoke_closed(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;

	if (!atomic_read(&sdev->revocation.revoked)) {
		if (!is_moved(sdev))
			return;
		/* Moved while VFIO closed the device, which then restored the old addresses. */
		pm_runtime_get_sync(&pdev->dev);
		renew_registers(sdev);
	}
	pm_runtime_put(&pdev->dev);
}

/*
 * pciehp holds its reset_lock around BUS_NOTIFY_ADD_DEVICE. A reset of the slot that
 * a user of VFIO has asked for waits for that lock with memory_lock held, which it
 * takes to revoke: hence the work, and the limit on waiting for it. Who holds
 * memory_lock for a reset has taken all mappings away. (On 6.1 who holds the mmap_lock
 * of the user's memory also keeps the work waiting.)
 */
static int notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct subpage_device *sdev;

	if (action != BUS_NOTIFY_ADD_DEVICE && action != BUS_NOTIFY_BIND_DRIVER)
		return NOTIFY_DONE;

	mutex_lock(&open_lock);
	list_for_each_entry(sdev, &open_devices, revocation.open)
		subpage_revoke_intact(sdev);
	mutex_unlock(&open_lock);
	if (!wait_event_timeout(none_pending, !atomic_read(&pending), HZ))
		pr_warn("%s: the mappings of a device that has moved cannot be taken away within a second\n",
			KBUILD_MODNAME);

	return NOTIFY_DONE;
}

/* Before align.c moves the BARs of the device that is about to be probed. */
static struct notifier_block notifier = { .notifier_call = notify, .priority = 1 };

int subpage_revoke_register(void)
{
	return bus_register_notifier(&pci_bus_type, &notifier);
}

void subpage_revoke_unregister(void)
{
	bus_unregister_notifier(&pci_bus_type, &notifier);
}
