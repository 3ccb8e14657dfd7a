// SPDX-License-Identifier: GPL-2.0-only
/*
 * What nobody waits for: a user is killed in the middle of any call, the module is taken away while
 * others bind, virtual functions come and go, a device is unplugged under its user.
 */
#include <linux/pci_regs.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "cases.h"
#include "monitor.h"
#include "soak.h"

#define CALLS 16

static struct zoo_bar bars[ZOO_MAX];
static int count;

static struct shared {
	struct wrong wrong[4];
	unsigned int done[4];
	unsigned int good[CALLS];	/* for how many devices each call works */
	volatile bool stop, in;
} *shared;

/* A user, and what it has between two of its calls. */
struct user {
	const struct zoo_bar *at;
	struct vfio vfio;
	void *map;
	char *memory;
	uint64_t page, config;
	int fd;
};

/* Each is one call, and returns 0 or -errno. */
static int open_it(struct user *u)
{
	struct vfio_region_info info;

	if (vfio_open(&u->at->dev, &u->vfio)) {
		wrong_add(&shared->wrong[0], "%s: not opened", u->at->dev.bdf);
		_exit(1);
	}
	if (!u->config && !vfio_info(&u->vfio, VFIO_PCI_CONFIG_REGION_INDEX, &info))
		u->config = info.offset;
	return 0;
}

static int close_it(struct user *u)
{
	vfio_close(&u->vfio);
	return 0;
}

static int map_it(struct user *u)
{
	if (vfio_map(&u->vfio, u->at->bar, 0, u->page, &u->map)) {
		wrong_add(&shared->wrong[0], "%s: not mapped", u->at->dev.bdf);
		_exit(1);
	}
	return 0;
}

static int unmap_it(struct user *u)
{
	return munmap(u->map, u->page) ? -errno : 0;
}

static int load_it(struct user *u)
{
	(void)*(volatile uint32_t *)((char *)u->map + u->at->reg);
	return 0;
}

static int ask_it(struct user *u)
{
	struct vfio_region_info *info;
	int err = vfio_region(&u->vfio, u->at->bar, &info);

	if (!err)
		free(info);
	return err;
}

static int read_it(struct user *u)
{
	uint32_t value;

	return vfio_read32(&u->vfio, u->at->bar, u->at->reg, &value);
}

static int write_it(struct user *u)
{
	uint16_t command;

	if (pread(u->vfio.device, &command, sizeof(command), u->config + PCI_COMMAND) != sizeof(command) ||
	    pwrite(u->vfio.device, &command, sizeof(command), u->config + PCI_COMMAND) != sizeof(command))
		return -EIO;
	return 0;
}

static int reset_it(struct user *u)
{
	return ioctl(u->vfio.device, VFIO_DEVICE_RESET) ? -errno : 0;
}

static int reset_its_bus(struct user *u)
{
	return vfio_hot_reset(&u->vfio);
}

static int set_its_irq(struct user *u)
{
	return vfio_event(&u->vfio, VFIO_PCI_REQ_IRQ_INDEX, u->fd);
}

static int map_memory(struct user *u)
{
	return vfio_map_dma(&u->vfio, 0, u->memory, u->page);
}

static int unmap_memory(struct user *u)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .size = u->page };

	return ioctl(u->vfio.container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? -errno : 0;
}

static int send_to_sleep(struct user *u)
{
	return vfio_feature_set(&u->vfio, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY);
}

static int wake_up(struct user *u)
{
	return vfio_feature_set(&u->vfio, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);
}

static int export_it(struct user *u)
{
	int fd = vfio_dmabuf(&u->vfio, u->at->bar, 0, u->page);

	/* Older kernels have none. */
	if (fd < 0)
		return fd == -ENOTTY ? 0 : fd;
	close(fd);
	return 0;
}

static int use_eventfd(struct user *u)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request), .flags = VFIO_DEVICE_IOEVENTFD_32, .fd = u->fd,
	};
	struct vfio_region_info info;

	if (vfio_info(&u->vfio, u->at->bar, &info))
		return -EIO;
	request.offset = info.offset + u->at->reg;
	if (ioctl(u->vfio.device, VFIO_DEVICE_IOEVENTFD, &request))
		return -errno;
	request.fd = -1;
	return ioctl(u->vfio.device, VFIO_DEVICE_IOEVENTFD, &request) ? -errno : 0;
}

/* What a user is killed in; before it and after it nobody aims. */
static const struct {
	const char *name;
	int (*before)(struct user *user), (*call)(struct user *user), (*after)(struct user *user);
} calls[CALLS] = {
	{ "open", NULL, open_it, close_it },
	{ "close", open_it, close_it, NULL },
	{ "region info", NULL, ask_it, NULL },
	{ "mmap", NULL, map_it, unmap_it },
	{ "load", map_it, load_it, unmap_it },
	{ "munmap", map_it, unmap_it, NULL },
	{ "read", NULL, read_it, NULL },
	{ "write", NULL, write_it, NULL },
	{ "reset", NULL, reset_it, NULL },
	{ "hot reset", NULL, reset_its_bus, NULL },
	{ "SET_IRQS", NULL, set_its_irq, NULL },
	{ "MAP_DMA", NULL, map_memory, unmap_memory },
	{ "UNMAP_DMA", map_memory, unmap_memory, NULL },
	{ "low power", NULL, send_to_sleep, wake_up },
	{ "dma-buf", NULL, export_it, NULL },
	{ "ioeventfd", NULL, use_eventfd, NULL },
};

static struct user user_of(const struct zoo_bar *at)
{
	struct user user = { .at = at, .vfio = { -1, -1, -1 }, .page = sysconf(_SC_PAGESIZE) };

	user.fd = eventfd(0, EFD_CLOEXEC);
	user.memory = mmap(NULL, user.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return user;
}

/* Does it take an open device? */
static bool of_open(int call)
{
	return calls[call].call != open_it && calls[call].call != close_it;
}

/* Each call once, with nobody who kills. */
static void call_each(const struct zoo_bar *at)
{
	struct user user = user_of(at);
	int i;

	for (i = 0; i < CALLS; i++) {
		if (of_open(i))
			open_it(&user);
		if (calls[i].before)
			calls[i].before(&user);
		shared->good[i] += !calls[i].call(&user);
		if (calls[i].after)
			calls[i].after(&user);
		if (of_open(i))
			close_it(&user);
	}
	_exit(0);
}

/* A user who is killed in a call that fails shows little. Not every device can be reset in every way. */
static void check_calls(void)
{
	struct wrong refused = {};
	int i;

	for (i = 0; i < count; i++) {
		pid_t child;

		pci_bind(&bars[i].dev, OURS);
		child = fork();
		if (!child)
			call_each(&bars[i]);
		waitpid(child, NULL, 0);
		pci_bind(&bars[i].dev, "");
	}
	for (i = 0; i < CALLS; i++)
		if (!shared->good[i])
			wrong_add(&refused, "%s", calls[i].name);
	none_wrong(&refused, "each call works for a device of this machine");
}

/* One call again and again, until it is killed. */
static void call_for_ever(const struct zoo_bar *at, int call)
{
	struct user user = user_of(at);

	if (of_open(call))
		open_it(&user);
	for (;;) {
		if (calls[call].before)
			calls[call].before(&user);
		shared->in = true;
		calls[call].call(&user);
		shared->in = false;
		if (calls[call].after)
			calls[call].after(&user);
	}
}

/* Fork a user, and kill it in that call, if the moment is right: was it? */
static bool kill_in(const struct zoo_bar *at, int call, struct rng *rng)
{
	double end = soak_now() + 20;
	pid_t child;

	shared->in = false;
	child = fork();
	if (!child)
		call_for_ever(at, call);
	usleep(rng_below(rng, 60000));
	while (!shared->in && soak_now() < end && !waitpid(child, NULL, WNOHANG))
		;
	usleep(rng_below(rng, 300));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return shared->in;
}

/* A part of the boot; on a busy host until all has happened, if that does not take for ever. */
static bool go_on(double end, bool happened)
{
	return soak_now() < end || (!happened && soak_now() < end + 200);
}

static void check_killed(void)
{
	double end = soak_now() + soak_share(9);
	struct wrong wrong = {}, missed = {};
	unsigned int n, in[CALLS] = {}, hit = 0;
	char text[400] = "";
	int err, i;

	about("killed");
	for (n = 0; go_on(end, hit == CALLS) && wrong.count < 10; n++) {
		const struct zoo_bar *at = &bars[n % count];
		struct rng rng;

		rng_start(&rng, 2000 + n);
		for (i = n % CALLS; soak_now() >= end && hit < CALLS && in[i]; i = (i + 1) % CALLS)
			;
		err = pci_bind(&at->dev, OURS);
		if (err)
			wrong_add(&wrong, "%s: bind: %s", at->dev.bdf, strerror(-err));
		if (kill_in(at, i, &rng))
			hit += !in[i]++;
		/* Its visit is over, and the next one finds all as it should be. */
		soak_use(&at->dev, NULL, bars, count, &rng, &wrong, NULL);
		err = pci_bind(&at->dev, "");
		if (err || zoo_any_claim())
			wrong_add(&wrong, "%s, killed in %s: unbind: %s, or a claim is left",
				  at->dev.bdf, calls[i].name, strerror(-err));
	}
	none_wrong(&shared->wrong[0], "a user sees nothing wrong until then");
	none_wrong(&wrong, "who comes after a killed user finds the device in order");
	for (i = 0; i < CALLS; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %s %u", calls[i].name, in[i]);
		if (!in[i])
			wrong_add(&missed, "%s", calls[i].name);
	}
	none_wrong(&missed, "users were killed in the middle of each call");
	diag("%u killed; in the middle of %s", n, text + 2);
}

/* Errors are what it gets when the module is not there; it must be told, and nothing else may happen. */
static void bind_for_ever(const struct pci_dev *dev, struct wrong *wrong, unsigned int *done)
{
	while (!shared->stop) {
		int err = pci_bind(dev, OURS);

		if (err && err != -ENODEV && err != -ENOENT && err != -EBUSY)
			wrong_add(wrong, "%s: bind: %s", dev->bdf, strerror(-err));
		else if (!err)
			(*done)++;
		err = pci_unbind(dev);
		/* The module, as it goes, may be quicker. */
		if (err && err != -ENODEV && err != -ENOENT)
			wrong_add(wrong, "%s: unbind: %s", dev->bdf, strerror(-err));
	}
	pci_bind(dev, "");
	_exit(0);
}

static void finish(pid_t *children, int n)
{
	shared->stop = true;
	while (n--)
		waitpid(children[n], NULL, 0);
	shared->stop = false;
}

static void check_unloaded(void)
{
	double end = soak_now() + soak_share(8);
	unsigned int unloaded = 0, busy = 0;
	struct wrong wrong = {};
	struct vfio vfio;
	pid_t children[2];
	int i, err;

	about("unloaded");
	/* While a device is open it cannot go. */
	is_errno(pci_bind(&bars[0].dev, OURS), 0, "bound");
	if (is_errno(vfio_open(&bars[0].dev, &vfio), 0, "opened")) {
		is_errno(module_unload(), -EAGAIN, "with a user it stays");
		vfio_close(&vfio);
	}
	pci_bind(&bars[0].dev, "");
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i])
			bind_for_ever(&bars[i].dev, &shared->wrong[1 + i], &shared->done[1 + i]);
	}
	while (go_on(end, unloaded && shared->done[1] && shared->done[2]) && wrong.count < 10) {
		sleep_ms(150);
		err = module_unload();
		if (err == -EAGAIN || err == -EBUSY) {
			busy++;
			continue;
		}
		if (err)
			wrong_add(&wrong, "unload: %s", strerror(-err));
		unloaded++;
		if (zoo_any_claim())
			wrong_add(&wrong, "a claim is left");
		err = module_load("");
		if (err)
			wrong_add(&wrong, "load: %s", strerror(-err));
	}
	finish(children, 2);
	for (i = 1; i < 3; i++)
		none_wrong(&shared->wrong[i], "process %d binds and releases, if it can", i);
	none_wrong(&wrong, "the module goes and comes back");
	ok(unloaded && shared->done[1] && shared->done[2], "both happened");
	diag("%u times unloaded (%u times busy), %u and %u binds", unloaded, busy, shared->done[1], shared->done[2]);
}

static void check_functions(void)
{
	double end = soak_now() + soak_share(8);
	struct wrong wrong = {};
	struct pci_dev pf, vf;
	unsigned int n = 0;
	pid_t child;
	int err, i;

	about("virtual functions");
	if (!is_errno(pci_find(NVME, 0, &pf), 0, "there is a disk") ||
	    !is_errno(module_set("enable_sriov", "1"), 0, "enable_sriov=1") ||
	    !is_errno(pci_bind(&pf, OURS), 0, "bound"))
		return;
	child = fork();
	if (!child)
		bind_for_ever(&bars[0].dev, &shared->wrong[3], &shared->done[3]);
	for (; go_on(end, n && shared->done[3]) && wrong.count < 10; n++) {
		err = pci_attr_write(&pf, "sriov_numvfs", "2");
		if (err)
			wrong_add(&wrong, "2 functions: %s", strerror(-err));
		for (i = 0; !err && i < 2; i++)
			if (pci_virtfn(&pf, i, &vf) || (*pci_driver(&vf) && strcmp(pci_driver(&vf), OURS)))
				wrong_add(&wrong, "function %d: driver %s", i, pci_driver(&vf));
		err = pci_attr_write(&pf, "sriov_numvfs", "0");
		if (err)
			wrong_add(&wrong, "no functions: %s", strerror(-err));
	}
	finish(&child, 1);
	none_wrong(&shared->wrong[3], "another device is bound meanwhile");
	none_wrong(&wrong, "they come and go");
	ok(n && shared->done[3], "both happened");
	diag("%u times, %u binds", n, shared->done[3]);
	pci_bind(&pf, "");
}

/* Keeps its mapping and reads until VFIO asks for the device; an obedient user then lets go of it. */
static void hold(const struct pci_dev *dev, const struct zoo_bar *at, bool obeys)
{
	struct pollfd asked = { .events = POLLIN };
	struct vfio vfio;
	uint32_t first;
	void *map;

	asked.fd = eventfd(0, EFD_CLOEXEC);
	if (vfio_open(dev, &vfio) || vfio_map(&vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map) ||
	    vfio_event(&vfio, VFIO_PCI_REQ_IRQ_INDEX, asked.fd))
		_exit(1);
	first = *(volatile uint32_t *)((char *)map + at->reg);
	shared->done[0]++;
	while (!obeys || poll(&asked, 1, 0) <= 0) {
		uint32_t value = *(volatile uint32_t *)((char *)map + at->reg);

		/* All ones: the slot's power is off. */
		if (value != first && value != ~0u) {
			wrong_add(&shared->wrong[0], "%s reads %#x, then %#x", dev->bdf, first, value);
			_exit(2);
		}
	}
	_exit(0);
}

/* A user who is not asked, or who does not hear it, would hold up all of the boot. */
static bool ended(pid_t child, int *status)
{
	int waited;

	for (waited = 0; waited < BUTTON_MS; waited += 50) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		sleep_ms(50);
	}
	return false;
}

/* The button of its slot is pressed while a user has it mapped and reads. */
MODULE_CASE(unplug, "")
{
	double end;
	struct wrong wrong = {};
	struct pci_dev port = {}, dev;
	unsigned int n;
	char *before;
	int i;

	shared = soak_shared(sizeof(*shared));
	before = soak_begin();
	for (i = 0; !pci_find(ROOT_PORT, i, &port); i++)
		;
	snprintf(dev.bdf, sizeof(dev.bdf), "0000:%02x:00.0", (uint8_t)pci_config_read(&port, PCI_SECONDARY_BUS, 1));
	end = soak_now() + soak_share(40);
	for (n = 0; (n < 2 || soak_now() < end) && wrong.count < 10; n++) {
		const struct zoo_bar *at = NULL;
		char reply[512] = "";
		int err, status = 0, waited;
		bool obeys = n % 2 == 0;
		pid_t child;

		err = monitor_cmd(reply, sizeof(reply), "device_add sdhci-pci,id=held,bus=plug");
		soak_present(&dev, true);
		pci_rescan();
		count = zoo_list(bars);
		for (i = 0; i < count; i++)
			if (!strcmp(bars[i].dev.bdf, dev.bdf))
				at = &bars[i];
		if (err || *reply || !at || pci_bind(&dev, OURS)) {
			wrong_add(&wrong, "%u: not plugged in and bound: %d %s", n, err, reply);
			break;
		}
		shared->done[0] = 0;
		child = fork();
		if (!child)
			hold(&dev, at, obeys);
		for (waited = 0; !shared->done[0] && waited < 20000; waited += 20)
			sleep_ms(20);
		err = monitor_cmd(reply, sizeof(reply), "device_del held");
		if (!obeys) {
			sleep_ms(9000);
			if (!pci_present(&dev))
				wrong_add(&wrong, "%u: it was taken from a user who did not let go", n);
			kill(child, SIGKILL);
		}
		if (!ended(child, &status)) {
			wrong_add(&wrong, "%u: its user was not asked to let go", n);
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
		} else if (obeys && status) {
			wrong_add(&wrong, "%u: the user ended with %#x", n, status);
		}
		if (!soak_present(&dev, false) || err || zoo_any_claim())
			wrong_add(&wrong, "%u: it does not go: %d %s", n, err, reply);
		if (!soak_slot_off(&port))
			wrong_add(&wrong, "%u: the slot stays on", n);
	}
	none_wrong(&shared->wrong[0], "while it is held it reads what it is");
	none_wrong(&wrong, "a user is asked to let go, and the device goes when it has, or is killed");
	diag("%u times", n);
	soak_end(before);
}

MODULE_CASE(surprise, "")
{
	struct rng rng;
	char *before;

	shared = soak_shared(sizeof(*shared));
	rng_start(&rng, 0);
	before = soak_begin();
	count = zoo_list(bars);
	if (!ok(count >= 8, "%d BARs smaller than a page", count))
		return;
	check_calls();
	check_killed();
	check_unloaded();
	check_functions();
	soak_end(before);
}
