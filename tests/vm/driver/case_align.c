// SPDX-License-Identifier: GPL-2.0-only
/*
 * align_for=vfio-pci: stock vfio-pci is given devices whose BARs are a page long, however it
 * comes by them, for as long as it has them; nothing else is touched.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "cases.h"
#include "log.h"
#include "zoo.h"

#define ALIGN_FOR "/sys/module/" OURS "/parameters/align_for"
#define DRIVER "/sys/bus/pci/drivers/" STOCK "/"

static struct zoo_bar bars[ZOO_MAX];
static int count, sleepers;

static bool is_native(const struct zoo_bar *at)
{
	return !strcmp(at->name, "nvme");
}

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]) && strcmp(pci_driver(&bars[i].dev), driver))
			pci_bind(&bars[i].dev, driver);
}

/* Packed again, and known where. */
static void pack(void)
{
	bind_all("");
	pci_rescan();
	count = zoo_list(bars);
	zoo_repack(bars, count);
	count = zoo_list(bars);
}

/* How many of those that stock vfio-pci has can a user map, and reads there what read() gives? */
static int mapped(void)
{
	int n = 0, i;

	for (i = 0; i < count; i++) {
		volatile uint32_t *reg;
		uint32_t value = 0;
		struct vfio vfio;
		void *map;

		if (strcmp(pci_driver(&bars[i].dev), STOCK) || vfio_open(&bars[i].dev, &vfio))
			continue;
		if (!vfio_map(&vfio, bars[i].bar, 0, sysconf(_SC_PAGESIZE), &map)) {
			reg = (void *)((char *)map + bars[i].reg);
			n += !vfio_read32(&vfio, bars[i].bar, bars[i].reg, &value) && *reg == value;
			munmap(map, sysconf(_SC_PAGESIZE));
		}
		vfio_close(&vfio);
	}
	return n;
}

static int native_bars(void)
{
	int n = 0, i;

	for (i = 0; i < count; i++)
		n += is_native(&bars[i]);
	return n;
}

static int devices(void)
{
	int n = 0, i;

	for (i = 0; i < count; i++)
		n += !is_native(&bars[i]) && zoo_first_of_device(bars, i);
	return n;
}

/* How many have their device asleep: stock vfio-pci has put it there, while nobody has it open. */
static int asleep(void)
{
	char status[32];
	int n = 0, i;

	sleep_ms(200);
	for (i = 0; i < count; i++)
		n += !is_native(&bars[i]) &&
		     pci_attr_read(&bars[i].dev, "power/runtime_status", status, sizeof(status)) > 0 &&
		     !strcmp(status, "suspended");
	return n;
}

static bool reported(const struct zoo_bar *at)
{
	struct vfio_region_info info;
	struct vfio vfio;
	bool good;

	if (vfio_open(&at->dev, &vfio))
		return false;
	good = !vfio_info(&vfio, at->bar, &info) && info.flags & VFIO_REGION_INFO_FLAG_MMAP &&
	       info.size == (uint64_t)sysconf(_SC_PAGESIZE);
	vfio_close(&vfio);
	return good;
}

static bool held_for(const struct zoo_bar *at, const char *driver)
{
	char want[64];

	snprintf(want, sizeof(want), "%llu %s", (unsigned long long)at->size, driver);
	return !strcmp(zoo_held(at), want);
}

static bool has_true_size(const struct zoo_bar *at)
{
	struct pci_bar bar;

	return !pci_bar(&at->dev, at->bar, &bar) && bar.size == at->size;
}

/* Stock vfio-pci has all but the native one, and each BAR is a page long for it. */
static void check_all(const char *how)
{
	int all = count - native_bars(), i;
	struct wrong wrong = {}, size = {}, file = {};

	about("%s", how);
	is_u64(mapped(), all, "all are mapped");
	for (i = 0; i < count; i++) {
		if (is_native(&bars[i]))
			continue;
		if (!zoo_claimed(&bars[i]) || *zoo_sysfs(&bars[i], "state"))
			wrong_add(&wrong, "%s BAR %d at %#llx", bars[i].dev.bdf, bars[i].bar,
				  (unsigned long long)zoo_address(&bars[i]));
		if (!reported(&bars[i]))
			wrong_add(&size, "%s BAR %d", bars[i].dev.bdf, bars[i].bar);
		if (!held_for(&bars[i], STOCK))
			wrong_add(&file, "%s BAR %d: \"%s\"", bars[i].dev.bdf, bars[i].bar, zoo_held(&bars[i]));
	}
	none_wrong(&wrong, "each is as long as the page that it is alone on, and not this driver's");
	none_wrong(&size, "vfio-pci reports the page, to be mapped");
	none_wrong(&file, "the file \"held\" says the true size, and for which driver");
	is_u64(zoo_held_count(), all, "and nothing else");
	is_errno(module_unload(), -EAGAIN, "this module cannot be unloaded meanwhile");
}

/* The true size, where the BAR is. */
static void check_let_go(const char *how)
{
	uint64_t home[ZOO_MAX];
	int i, moved = 0;

	about("%s", how);
	for (i = 0; i < count; i++)
		home[i] = zoo_address(&bars[i]);
	bind_all("");
	ok(!zoo_any_claim(), "let go, each has its true size again");
	is_u64(zoo_held_count(), 0, "and none is held");
	for (i = 0; i < count; i++)
		moved += home[i] != zoo_address(&bars[i]);
	is_u64(moved, 0, "each stays where it is");
}

/* Bound before the module came. */
static void check_before(void)
{
	uint64_t home[ZOO_MAX];
	int few, i, moved = 0;

	about("bound before");
	bind_all(STOCK);
	few = mapped();
	ok(few < (count - native_bars()) / 2, "%d of %d are mapped", few, count - native_bars());
	for (i = 0; i < count; i++)
		home[i] = zoo_address(&bars[i]);
	is_errno(module_load("align_for=" STOCK), 0, "the module loads");
	for (i = 0; i < count; i++)
		moved += home[i] != zoo_address(&bars[i]);
	is_u64(moved, 0, "none is moved");
	is_u64(mapped(), few, "and no more are mapped");
	sleepers = asleep();
	diag("%d sleep", sleepers);
}

static void check_override(void)
{
	int mark = log_mark(), i, lines;
	char *log;

	bind_all("");
	for (i = 0; i < count; i++)
		/* Those that nobody has sleep if they can: their config space is written all the same. */
		pci_attr_write(&bars[i].dev, "power/control", "auto");
	sleep_ms(200);
	bind_all(STOCK);
	check_all("driver_override");
	is_u64(asleep(), sleepers, "as many sleep as with stock vfio-pci alone");
	log = log_since(mark);
	lines = log_count(log, STOCK " 0000:") ? log_count(log, ": " OURS ": BAR") : 0;
	is_u64(lines, count - native_bars(), "a line of the log for each says who moved it");
	is_u64(log_count(log, "this module cannot be unloaded"), devices(),
	       "and one for each device that this module stays");
	free(log);
	close(mark);
	check_let_go("driver_override");
}

/* On this driver's pages before. Whether they are held is a question of align_for alone. */
static void check_hand_over(void)
{
	file_write(ALIGN_FOR, "\n");
	bind_all(OURS);
	bind_all(STOCK);
	about("a hand-over");
	is_u64(zoo_held_count(), 0, "without align_for nothing is held");
	ok(!zoo_any_claim(), "and each has its true size");
	is_u64(mapped(), count - native_bars(), "all are mapped");
	file_write(ALIGN_FOR, STOCK);
	bind_all(OURS);
	is_u64(zoo_held_count(), 0, "nothing is held for others while this driver has them");
	bind_all(STOCK);
	check_all("with align_for");
	bind_all(OURS);
	is_u64(zoo_held_count(), 0, "nor when it has them back");
	bind_all("");
	ok(!zoo_any_claim(), "let go, each has its true size");
}

/* The PCI core looks for places, and a neighbour comes back: not onto the page. */
static void check_rescan(const struct zoo_bar *at, const struct zoo_bar *neighbour)
{
	uint64_t home = zoo_address(at);

	about("a rescan");
	pci_remove(&neighbour->dev);
	pci_rescan();
	ok(pci_present(&neighbour->dev), "a neighbour is found anew");
	is_u64(zoo_address(at), home, "the BAR stays where it was");
	ok(zoo_claimed(at), "a page long, and alone there");
	is_str(zoo_held(neighbour), "", "of the neighbour, which was held and removed, nothing is held");
	ok(has_true_size(neighbour), "and it has its true size");
	pci_bind(&neighbour->dev, STOCK);
	ok(held_for(neighbour, STOCK), "until vfio-pci has it again");
}

/* Whoever unbinds waits for the user, and so does the BAR. */
static void check_user(const struct zoo_bar *at)
{
	volatile uint32_t *reg;
	uint32_t value = 0;
	struct vfio vfio;
	pid_t child;
	int status;
	void *map;

	about("with a user");
	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "opened") ||
	    !is_errno(vfio_event(&vfio, VFIO_PCI_REQ_IRQ_INDEX, eventfd(0, EFD_CLOEXEC)), 0,
		      "it would hear that it is to let go") ||
	    !is_errno(vfio_map(&vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped"))
		return;
	reg = (void *)((char *)map + at->reg);
	vfio_read32(&vfio, at->bar, at->reg, &value);
	child = fork();
	if (!child) {
		/* Its copies of the user's files would keep the device open. */
		munmap(map, sysconf(_SC_PAGESIZE));
		vfio_close(&vfio);
		_exit(!!pci_unbind(&at->dev));
	}
	sleep_ms(500);
	ok(!waitpid(child, &status, WNOHANG), "the unbind waits");
	ok(zoo_claimed(at) && held_for(at, STOCK), "the BAR is held");
	is_u64(*reg, value, "and reads as before");
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	waitpid(child, &status, 0);
	is_u64(status, 0, "the user gone, it is unbound");
	is_str(zoo_held(at), "", "and not held");
	ok(has_true_size(at), "with its true size");
	pci_bind(&at->dev, STOCK);
}

/* What is held stays held, whatever align_for says meanwhile. */
static void check_option(void)
{
	bind_all(STOCK);
	file_write(ALIGN_FOR, "\n");
	check_all("with the name taken away");
	check_let_go("with the name taken away");
	file_write(ALIGN_FOR, STOCK);
	bind_all(STOCK);
}

static void check_held(void)
{
	const struct zoo_bar *at = NULL, *neighbour = NULL;
	int i;

	check_hand_over();
	check_option();
	for (i = 0; i < count && !neighbour; i++) {
		if (is_native(&bars[i]))
			continue;
		if (at && strcmp(at->dev.bdf, bars[i].dev.bdf))
			neighbour = &bars[i];
		else
			at = &bars[i];
	}
	if (ok(at && neighbour, "there are two devices")) {
		check_rescan(at, neighbour);
		check_user(at);
	}
	check_let_go("held");
}

/* As vfio-pci.ids= does at boot, when the softdep has loaded this module first; async: by a thread of the kernel's. */
static void check_ids(bool async)
{
	const char *how = async ? "ids, async" : "ids";
	char ids[512] = "ids=";
	int i, waited;

	about("%s", how);
	pack();
	bind_all("");
	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]))
			sprintf(ids + strlen(ids), "%s%04x:%04x", ids[4] ? "," : "", bars[i].dev.vendor,
				bars[i].dev.device);
	for (i = 0; i < count; i++)
		pci_attr_write(&bars[i].dev, "driver_override", "\n");
	if (async)
		strcat(ids, " async_probe");
	is_errno(kmod_remove("vfio_pci"), 0, "vfio-pci is unloaded");
	is_errno(kmod_insert("boot", ids), 0, "and loaded with ids=");
	/* Pages are held before that thread has probed, and VFIO takes the device after it has. */
	for (waited = 0; waited < 20000 && mapped() < count - native_bars(); waited += 100)
		sleep_ms(100);
	check_all("then");
}

/* Packed again and nobody's; one that shares its page. */
static struct zoo_bar *sharing(void)
{
	int i;

	pack();
	bind_all("");
	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]) && !zoo_stock_maps(&bars[i]))
			break;
	return ok(i < count, "there is a BAR that shares its page") ? &bars[i] : NULL;
}

static void check_untouched(void)
{
	static const char * const never[] = { "0", "trap" };
	struct zoo_bar *at;
	uint64_t home;
	int i;

	about("untouched");
	/* vfio-pci has the ids of all by now. */
	file_write(ALIGN_FOR, "\n");
	at = sharing();
	if (!at)
		return;
	home = zoo_address(at);
	file_write(ALIGN_FOR, STOCK);
	for (i = 0; i < 2; i++) {
		module_set("realign", "1,%s@%.15s", never[i], at->dev.bdf);
		is_errno(pci_bind(&at->dev, STOCK), 0, "with realign=%s for it, vfio-pci has it", never[i]);
		is_u64(zoo_address(at), home, "with realign=%s it stays where it was", never[i]);
		pci_bind(&at->dev, "");
	}
	module_set("realign", "1");
	file_write(ALIGN_FOR, "vfio,vfio-pc,vfio_pci,vfio-pci-x,pci\n");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with names that are not quite vfio-pci");
	is_u64(zoo_address(at), home, "it stays, too");
	pci_bind(&at->dev, "");
	/* What was longer before leaves nothing behind. */
	file_write(ALIGN_FOR, "abc," STOCK);
	file_write(ALIGN_FOR, "abc");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with its name taken away again");
	is_u64(zoo_address(at), home, "it stays as well");
	pci_bind(&at->dev, "");
	file_write(ALIGN_FOR, "uio_pci_generic," STOCK ",uio\n");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with three names");
	ok(zoo_address(at) != home && zoo_stock_maps(at), "each counts");
}

/* What this driver's own probe moves it can put back. */
static void check_own_name(void)
{
	struct zoo_bar *at;

	about("with this driver's own name");
	file_write(ALIGN_FOR, OURS);
	at = sharing();
	if (!at)
		return;
	is_errno(pci_bind(&at->dev, OURS), 0, "it has the device");
	is_str(zoo_sysfs(at, "state"), "moved", "the move is that of its probe");
	pci_bind(&at->dev, "");
	file_write(ALIGN_FOR, STOCK "\n");
}

#ifdef __x86_64__
/* A bridge, whose own BAR is that small, too: vfio-pci refuses it, and so it is not touched. */
static void check_bridge(void)
{
	struct pci_dev bridge, other;
	struct pci_bar home, now;

	about("a bridge");
	if (!is_errno(pci_find(PCI_BRIDGE, 0, &bridge), 0, "there is one") ||
	    !is_errno(pci_find(PCI_BRIDGE, 1, &other), 0, "and another"))
		return;
	/* Found anew, they are placed beside each other. */
	pci_remove(&other);
	pci_remove(&bridge);
	pci_rescan();
	ok(!zoo_stock_maps_bar(&bridge, 0), "its BAR shares its page");
	pci_bar(&bridge, 0, &home);
	is_errno(pci_bind(&bridge, STOCK), -EINVAL, "vfio-pci does not take it");
	pci_bar(&bridge, 0, &now);
	is_u64(now.start, home.start, "its BAR is where it was");
	is_u64(now.size, home.size, "and as long");
	pci_attr_write(&bridge, "driver_override", "\n");
}
#endif

/* Whoever has it does not keep this module from being unloaded. */
static void check_nothing_held(const struct pci_dev *dev)
{
	int mark = log_mark();
	char *log;

	about("a device without a sub-page BAR");
	is_errno(pci_bind(dev, STOCK), 0, "vfio-pci has it");
	log = log_since(mark);
	is_u64(log_count(log, "this module cannot be unloaded"), 0, "the log says nothing of pages");
	free(log);
	close(mark);
}

CASE(align)
{
	struct pci_dev nvme;
	struct pci_bar before, after;

	if (!is_errno(pci_find(NVME, 0, &nvme), 0, "there is a disk"))
		return;
	pack();
	if (!ok(count - native_bars() >= 4, "%d BARs to align", count - native_bars()) ||
	    !is_errno(kmod_insert("nvme", ""), 0, "the native driver of the disk is loaded"))
		return;
	pci_bind(&nvme, "nvme");
	pci_bar(&nvme, 0, &before);

	check_before();
	check_override();
	check_held();
	check_ids(false);
	check_ids(true);
	check_untouched();
	check_own_name();
#ifdef __x86_64__
	check_bridge();
#endif

	is_str(pci_driver(&nvme), "nvme", "the native driver still has the disk");
	pci_bar(&nvme, 0, &after);
	ok(before.start == after.start || sysconf(_SC_PAGESIZE) == 4096, "which is where it was");

	bind_all(STOCK);
	check_let_go("in the end");
	/* With 64K pages the disk's BAR is smaller than one. */
	if (before.size >= (uint64_t)sysconf(_SC_PAGESIZE))
		check_nothing_held(&nvme);
	is_errno(module_unload(), 0, "the module unloads");
	bind_all(STOCK);
	is_u64(mapped(), count - native_bars(), "without it vfio-pci maps what stays alone on its page");
	bind_all("");
	pci_bind(&nvme, "");
}
