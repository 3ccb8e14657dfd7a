// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "bar.h"
#include "device.h"
#include "eeh.h"
#include "fault.h"
#include "kcompat.h"
#include "revoke.h"

/*
 * All bound devices, and the lock for the list and for their states. It is the innermost lock:
 * the bus notifier takes it with the device lock of a newcomer, pciehp's reset_lock and
 * pci_lock_rescan_remove() held. Under it devices are only looked at, work is queued, and of
 * devices that nobody has open the saved config space is written, and the command register.
 */
static LIST_HEAD(bound_devices);
/* How many of them are REVOCATION_PENDING. */
static int pending;
static DEFINE_SPINLOCK(lock);

/* A device has been revoked, or the PCI core is done with what it did. */
static DECLARE_WAIT_QUEUE_HEAD(changed);

static void scan(struct work_struct *work);
static DECLARE_WORK(scan_work, scan);

/*
 * Not the system's: a scan waits for pci_lock_rescan_remove(), and a driver that is removed
 * with that lock held may flush the system's workqueue.
 */
static struct workqueue_struct *workqueue;

/* PLACE_AWAY: a BAR is out of the resource tree, for a moment or, if there is no room, for good. */
enum place {
	PLACE_SAME,
	PLACE_AWAY,
	PLACE_OTHER,
};

static enum place place_of(const struct placed_bar *placed, const struct resource *res)
{
	struct resource *parent = READ_ONCE(res->parent);
	bool same;

	if (!placed->parent)
		return PLACE_SAME;

	/* A BAR loses its parent, then its address; it gets its address, then its parent. */
	smp_rmb();
	same = parent == placed->parent && READ_ONCE(res->start) == placed->start;
	/* And it may have left since. */
	smp_rmb();
	/* The address may be seen to go before the parent is. */
	if (!parent || !READ_ONCE(res->parent) || (!READ_ONCE(res->start) && placed->start))
		return PLACE_AWAY;

	return same ? PLACE_SAME : PLACE_OTHER;
}

static enum place place(const struct subpage_device *sdev)
{
	enum place place = PLACE_SAME;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		place = max(place, place_of(&sdev->revocation.placed[bar],
					    &sdev->core.pdev->resource[bar]));

	return place;
}

static enum revocation_state state(const struct subpage_device *sdev)
{
	return READ_ONCE(sdev->revocation.state);
}

static void set_state(struct subpage_device *sdev, enum revocation_state state)
{
	spin_lock(&lock);
	if (sdev->revocation.state == REVOCATION_PENDING)
		WRITE_ONCE(pending, pending - 1);
	WRITE_ONCE(sdev->revocation.state, state);
	spin_unlock(&lock);
}

/* Called with @lock held. Why as work: see notify(). */
static void revoke_locked(struct subpage_device *sdev)
{
	if (state(sdev) != REVOCATION_OPEN)
		return;

	WRITE_ONCE(sdev->revocation.state, REVOCATION_PENDING);
	WRITE_ONCE(pending, pending + 1);
	queue_work(workqueue, &sdev->revocation.work);
}

static void revoke(struct subpage_device *sdev)
{
	spin_lock(&lock);
	revoke_locked(sdev);
	spin_unlock(&lock);
}

/* Take all mappings of the device's BARs away. This takes no lock that a user could hold. */
static void zap(struct subpage_device *sdev)
{
	struct address_space *mapping = READ_ONCE(sdev->revocation.mapping);
	int bar;

	/* The state is written before the page is looked for; see look_again() in mapping.c. */
	smp_mb();
	for (bar = 0; mapping && bar < PCI_STD_NUM_BARS; bar++) {
		const struct placed_bar *placed = &sdev->revocation.placed[bar];

		if (placed->parent)
			unmap_mapping_range(mapping, kcompat_mapped_at(bar, placed->start),
					    PAGE_ALIGN(placed->size), 1);
	}
}

/*
 * With memory decode off in the config space that the user sees, vfio-pci-core itself refuses
 * access to the BARs: read(), write(), ioeventfds. Decode goes off in the device, too, since
 * the register of a BAR without a new address holds the old one, and so does bus mastering, or
 * the device would go on with the DMA that its user has set up.
 *
 * A virtual function has no memory decode of its own, so vfio-pci-core does not check it: an
 * ioeventfd set up before goes on, and so does a read() or write() that has begun.
 */
static void close_doors(struct vfio_pci_core_device *core)
{
	__le16 *command = (__le16 *)(core->vconfig + PCI_COMMAND);
	u16 real;

	down_write(&core->memory_lock);
	/* A reset in progress would restore what was saved when the user put it to sleep. */
	kfree(core->pm_save);
	core->pm_save = NULL;
	core->pdev->saved_config_space[PCI_COMMAND / 4] &=
		~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	*command &= cpu_to_le16(~PCI_COMMAND_MEMORY);
	pci_read_config_word(core->pdev, PCI_COMMAND, &real);
	pci_write_config_word(core->pdev, PCI_COMMAND,
			      real & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	up_write(&core->memory_lock);
}

/*
 * Mappings go first, since that takes no lock that a user could hold.
 *
 * The device is kept awake until it is closed, since it would restore the old addresses on
 * waking up. If its user has put it to sleep, it wakes up here, with decode off.
 */
static void revoke_work(struct work_struct *work)
{
	struct subpage_device *sdev = container_of(work, struct subpage_device, revocation.work);
	struct pci_dev *pdev = sdev->core.pdev;

	zap(sdev);

	/* close_doors() does it, too, but that is after the device has woken up. */
	pdev->saved_config_space[PCI_COMMAND / 4] &= ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pm_runtime_get_sync(&pdev->dev);
	/*
	 * On 6.1 a config write that switches decode off waits, with the lock held, for an
	 * mmap_lock that a user can hold. So the doors close without the lock, and again with
	 * it, to undo what such a write has done.
	 */
	close_doors(&sdev->core);
	mutex_lock(&sdev->revocation.lock);
	close_doors(&sdev->core);
	mutex_unlock(&sdev->revocation.lock);
	kcompat_revoke_dmabufs(&sdev->core.vdev);

	set_state(sdev, REVOCATION_DONE);
	wake_up_all(&changed);

	subpage_claims_log_lost(sdev->claims, pdev);
	pci_warn(pdev, "the PCI core has moved its BARs while a user has it open; access revoked until it is closed and reopened\n");
}

bool subpage_revoke_intact(struct subpage_device *sdev)
{
	enum place now = place(sdev);

	if (state(sdev) == REVOCATION_OPEN && now == PLACE_AWAY) {
		queue_work(workqueue, &scan_work);
		wait_event_timeout(changed, state(sdev) != REVOCATION_OPEN ||
				   place(sdev) != PLACE_AWAY, HZ);
		now = place(sdev);
	}
	if (now == PLACE_OTHER)
		revoke(sdev);

	return state(sdev) == REVOCATION_OPEN && now == PLACE_SAME;
}

bool subpage_revoke_is_open(const struct subpage_device *sdev)
{
	return state(sdev) == REVOCATION_OPEN;
}

bool subpage_revoke_may_fault(const struct subpage_device *sdev)
{
	return state(sdev) == REVOCATION_OPEN &&
	       (!KCOMPAT_FAULTS_ANEW || place(sdev) == PLACE_SAME);
}

/* A page that was faulted in can be gone again before it is read. */
#define TRIES	100

long subpage_revoke_call(struct subpage_device *sdev,
			 long (*function)(struct subpage_device *sdev, const void *call),
			 const void *call, const void __user *from, size_t size)
{
	bool is_last = false;
	long ret = -EFAULT;
	int tries;

	for (tries = 0; tries < TRIES && !fatal_signal_pending(current); tries++) {
		if (!subpage_revoke_intact(sdev))
			return -EIO;

		mutex_lock(&sdev->revocation.lock);
		ret = -EIO;
		if (state(sdev) == REVOCATION_OPEN) {
			pagefault_disable();
			ret = function(sdev, call);
			pagefault_enable();
		}
		mutex_unlock(&sdev->revocation.lock);
		if (ret != -EFAULT || is_last)
			break;
		/* If not all of it can be read, the function may still need only what can. */
		is_last = fault_in_readable(from, size);
	}

	return ret;
}

/*
 * Bring the registers, and the copies that are restored, in line with the BARs' resources. If
 * the PCI core found no room for a BAR, its register holds an address that is not its own any
 * more: then memory decode goes off.
 */
static void renew_registers(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!sdev->revocation.placed[bar].parent)
			continue;
		if (!pdev->resource[bar].parent) {
			subpage_bar_decode_off(pdev);
			continue;
		}
		subpage_bar_renew(pdev, bar);
		subpage_eeh_save_bar(pdev, bar);
	}
}

/*
 * The same for a device that may be asleep, without waking it up, which would wait for
 * memory_lock: for the copy that it restores then. The PCI core has written the registers of one
 * that is awake, but its memory decode is still on.
 */
static void renew_closed(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!sdev->revocation.placed[bar].parent)
			continue;
		if (pdev->resource[bar].parent)
			subpage_bar_save(pdev, bar);
		else if (pdev->current_state == PCI_D0)
			subpage_bar_decode_off(pdev);
		else
			pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MEMORY;
	}
}

/* Below @lock. */
static void remember(struct subpage_device *sdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct resource *res = &sdev->core.pdev->resource[bar];
		struct placed_bar *placed = &sdev->revocation.placed[bar];

		placed->start = res->start;
		placed->size = resource_size(res);
		placed->parent = res->flags & IORESOURCE_MEM ? res->parent : NULL;
	}
}

/*
 * With pci_lock_rescan_remove() held no BAR is being moved: one that is out of the resource
 * tree is lost. Whoever holds that lock may wait for a user to close a device, so nothing that
 * closes a device waits for a scan.
 */
static void scan(struct work_struct *work)
{
	struct subpage_device *sdev;

	pci_lock_rescan_remove();
	spin_lock(&lock);
	list_for_each_entry(sdev, &bound_devices, revocation.bound) {
		if (place(sdev) == PLACE_SAME)
			continue;
		if (state(sdev) == REVOCATION_CLOSED)
			renew_closed(sdev);
		else
			revoke_locked(sdev);
	}
	spin_unlock(&lock);
	pci_unlock_rescan_remove();
	wake_up_all(&changed);
}

/* Does the newcomer lie where a BAR was that is now out of the resource tree? */
static bool is_taken(const struct subpage_device *sdev, const struct pci_dev *newcomer)
{
	const struct resource *res;
	int bar, i;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct placed_bar *placed = &sdev->revocation.placed[bar];

		if (place_of(placed, &sdev->core.pdev->resource[bar]) != PLACE_AWAY)
			continue;
		for (i = 0; i < PCI_BRIDGE_RESOURCES; i++) {
			res = &newcomer->resource[i];
			if (res->parent && (res->flags & IORESOURCE_MEM) &&
			    res->start < placed->start + placed->size && res->end >= placed->start)
				return true;
		}
	}

	return false;
}

/* Whatever delays the revocation of one device must not delay the whole bus again. */
static void wait_no_more(void)
{
	struct subpage_device *sdev;

	spin_lock(&lock);
	list_for_each_entry(sdev, &bound_devices, revocation.bound) {
		if (state(sdev) != REVOCATION_PENDING)
			continue;
		WRITE_ONCE(sdev->revocation.state, REVOCATION_OVERDUE);
		WRITE_ONCE(pending, pending - 1);
		pci_warn(sdev->core.pdev, "access not revoked within a second, though its BARs have moved; end the process that has it open\n");
	}
	spin_unlock(&lock);
}

/* The newcomer is about to be used: a driver probes it, or a user opens it. */
static void make_room_for(const struct pci_dev *newcomer)
{
	struct subpage_device *sdev;
	enum place now;

	spin_lock(&lock);
	list_for_each_entry(sdev, &bound_devices, revocation.bound) {
		if (state(sdev) != REVOCATION_OPEN)
			continue;
		now = place(sdev);
		if (now == PLACE_OTHER || (now == PLACE_AWAY && is_taken(sdev, newcomer)))
			revoke_locked(sdev);
	}
	spin_unlock(&lock);
	if (!wait_event_timeout(changed, !READ_ONCE(pending), HZ))
		wait_no_more();
}

void subpage_revoke_bound(struct subpage_device *sdev)
{
	int bar;

	mutex_init(&sdev->revocation.lock);
	INIT_WORK(&sdev->revocation.work, revoke_work);

	spin_lock(&lock);
	remember(sdev);
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (sdev->revocation.placed[bar].parent)
			sdev->revocation.at_bind |= BIT(bar);
	list_add(&sdev->revocation.bound, &bound_devices);
	spin_unlock(&lock);
}

void subpage_revoke_unbound(struct subpage_device *sdev)
{
	spin_lock(&lock);
	list_del(&sdev->revocation.bound);
	spin_unlock(&lock);
	renew_registers(sdev);
}

/* Has each BAR that had an address at bind got one now, or has its resource been cleared? */
static bool is_settled(const struct subpage_device *sdev)
{
	const struct resource *res = sdev->core.pdev->resource;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if ((sdev->revocation.at_bind & BIT(bar)) && res[bar].flags && !res[bar].parent)
			return false;

	return true;
}

/*
 * The PCI core clears the resource of a BAR that it found no room for, but the register still
 * holds an address, and if another BAR of the device got room, memory decode will be on. (If
 * the resource is not cleared, vfio-pci-core would refuse the device; or the BAR could return
 * unwatched.)
 */
static int check_decoded(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	u64 old;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!(sdev->revocation.at_bind & BIT(bar)) || pdev->resource[bar].parent)
			continue;
		old = subpage_bar_read(pdev, bar);
		if (!old && !pdev->resource[bar].flags)
			continue;
		subpage_bar_decode_off(pdev);
		pci_err(pdev, "cannot be opened: BAR %d has lost its address, and %#llx in its register may belong to another device; remove the device and rescan\n",
			bar, old);
		return -EIO;
	}

	return 0;
}

int subpage_revoke_opening(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int ret;

	make_room_for(pdev);
	if (!is_settled(sdev)) {
		queue_work(workqueue, &scan_work);
		wait_event_timeout(changed, is_settled(sdev), HZ);
	}
	subpage_claims_log_lost(sdev->claims, pdev);
	spin_lock(&lock);
	remember(sdev);
	spin_unlock(&lock);
	sdev->revocation.mapping = NULL;

	/*
	 * If the PCI core of 6.1 moves a BAR of a sleeping device, waking up restores the old
	 * address; and vfio_pci_core_enable() would wake it up and save that.
	 */
	pm_runtime_get_sync(&pdev->dev);
	renew_registers(sdev);
	ret = check_decoded(sdev);
	pm_runtime_put(&pdev->dev);

	return ret;
}

bool subpage_revoke_opened(struct subpage_device *sdev)
{
	set_state(sdev, REVOCATION_OPEN);
	return !subpage_fault(FAULT_OPENED) && subpage_revoke_intact(sdev);
}

/*
 * After this the device is not revoked any more: the work would use what vfio-pci-core frees on
 * close. Return: false if the user has lost access, or is about to.
 */
static bool end_use(struct subpage_device *sdev)
{
	bool intact;

	spin_lock(&lock);
	intact = state(sdev) == REVOCATION_OPEN && place(sdev) == PLACE_SAME;
	if (intact)
		WRITE_ONCE(sdev->revocation.state, REVOCATION_CLOSED);
	spin_unlock(&lock);

	return intact;
}

void subpage_revoke_closing(struct subpage_device *sdev)
{
	struct vfio_pci_core_device *core = &sdev->core;
	struct pci_dev *pdev = core->pdev;

	if (subpage_revoke_intact(sdev) && end_use(sdev))
		return;

	/* A BAR still away after a second is lost: VFIO would restore its old address. */
	revoke(sdev);
	flush_work(&sdev->revocation.work);

	/* In D0 VFIO restores nothing but what it saved as it opened the device. */
	pci_set_power_state(pdev, PCI_D0);
	pci_load_and_free_saved_state(pdev, &core->pci_saved_state);
	renew_registers(sdev);
	if (!subpage_fault(FAULT_STORE))
		core->pci_saved_state = pci_store_saved_state(pdev);
}

/*
 * vfio-pci-core has restored the state that subpage_revoke_closing() renewed or, on 6.1 without
 * one, nothing. And the BARs may have moved since.
 */
void subpage_revoke_closed(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	bool revoked = state(sdev) != REVOCATION_CLOSED;

	set_state(sdev, REVOCATION_CLOSED);
	if (revoked) {
		pdev->state_saved = true;
		pci_restore_state(pdev);
	} else if (place(sdev) != PLACE_SAME) {
		pm_runtime_get_sync(&pdev->dev);
	} else {
		return;
	}
	renew_registers(sdev);
	pm_runtime_put(&pdev->dev);
}

/*
 * pciehp holds its reset_lock around BUS_NOTIFY_ADD_DEVICE. A reset of the slot that a user of
 * VFIO has requested waits for that lock with memory_lock held, and revoking takes memory_lock:
 * hence the work, and the limit on waiting for it. Whoever holds memory_lock for a reset has
 * taken all mappings away.
 */
static int notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev((struct device *)data);

	if (subpage_fault(FAULT_TOLD))
		return NOTIFY_DONE;
	/* Adding a virtual function moves no BAR. */
	if (action == BUS_NOTIFY_ADD_DEVICE && !pdev->is_virtfn)
		queue_work(workqueue, &scan_work);
	else if (action == BUS_NOTIFY_BIND_DRIVER)
		make_room_for(pdev);

	return NOTIFY_DONE;
}

/* Runs before align.c moves the BARs of the device that is about to be probed. */
static struct notifier_block notifier = { .notifier_call = notify, .priority = 1 };

int subpage_revoke_register(void)
{
	int ret;

	workqueue = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	if (!workqueue)
		return -ENOMEM;

	ret = bus_register_notifier(&pci_bus_type, &notifier);
	if (ret)
		destroy_workqueue(workqueue);
	return ret;
}

void subpage_revoke_unregister(void)
{
	bus_unregister_notifier(&pci_bus_type, &notifier);
	destroy_workqueue(workqueue);
}
