// SPDX-License-Identifier: GPL-2.0-only
/* What users get wrong: the error says what, and nothing has changed. */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "cases.h"
#include "log.h"
#include "meminfo.h"
#include "snapshot.h"
#include "zoo.h"

#define BIND "/sys/bus/pci/drivers/" OURS "/bind"
#define MSIX_MMAP "/sys/module/" OURS "/parameters/msix_mmap"
#define REALIGN "/sys/module/" OURS "/parameters/realign"

static struct zoo_bar bars[ZOO_MAX];
static char *before;

static void unchanged(const char *what)
{
	ok(snapshot_unchanged(before), "%s: nothing has changed", what);
}

/* A snapshot of what is to stay, and a mark in the log. */
static int start(void)
{
	free(before);
	before = snapshot();
	return log_mark();
}

/* The log says it, in one line. */
static void said(int mark, const char *text)
{
	char *log = log_since(mark);

	if (!is_u64(log_count(log, text), 1, "the log says \"%s\"", text))
		diag("%s", log);
	free(log);
	close(mark);
}

static void check_parameter(const char *parameter, const char *text)
{
	int mark = start();

	about("%s", parameter);

	is_errno(module_load(parameter), -EINVAL, "%s: the module does not load", parameter);
	said(mark, text);
	ok(access("/sys/module/" OURS, F_OK), "%s: it is not there", parameter);
	unchanged(parameter);
}

static void check_parameter_later(void)
{
	char value[16] = "";

	is_errno(file_write(MSIX_MMAP, "foo"), -EINVAL, "msix_mmap does not take foo later, either");
	file_read(MSIX_MMAP, value, sizeof(value));
	is_str(value, "isolated", "and is what it was");
	is_errno(file_write(MSIX_MMAP, "  never\n"), 0, "blanks around a value are left out");
	file_read(MSIX_MMAP, value, sizeof(value));
	is_str(value, "never", "and are not kept");
	is_errno(file_write(MSIX_MMAP, "isolated"), 0, "it is set back");
	ok(access("/sys/module/" OURS "/parameters/fault_points", F_OK),
	   "fault points are for test builds only");
}

/* sysfs takes a page in one write. */
#define LONG_TEXT 4000
#define TIMES 200

/* Right or wrong, set again and again: only the last text is kept, and goes with the module. */
static void check_option_memory(void)
{
	char right[LONG_TEXT + 1] = "1", wrong[LONG_TEXT + 1];
	struct wrong errors = {};
	long before, after;
	int i, err, len;

	/* What watches a debug kernel's memory sees that itself, and needs memory for it. */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		return;
	about("options of %d characters", LONG_TEXT);
	for (len = 1; len + strlen(",1@ffff:ff:1f.7") < sizeof(right);)
		len += sprintf(right + len, ",1@ffff:ff:1f.7");
	/* What surrounds a value is left out, in the log, too. */
	snprintf(wrong, sizeof(wrong), "%*s", LONG_TEXT, "x");
	before = meminfo_kb("SUnreclaim");
	for (i = 0; i < TIMES; i++) {
		err = file_write(REALIGN, right);
		if (err)
			wrong_add(&errors, "right: %s", strerror(-err));
	}
	after = meminfo_kb("SUnreclaim");
	ok(after - before < 512, "%d that are right leave no memory behind (%ld KiB more)", TIMES, after - before);
	before = after;
	for (i = 0; i < TIMES; i++) {
		err = file_write(REALIGN, wrong);
		if (err != -EINVAL)
			wrong_add(&errors, "wrong: %s", strerror(-err));
	}
	after = meminfo_kb("SUnreclaim");
	ok(after - before < 512, "nor do %d that are wrong (%ld KiB more)", TIMES, after - before);
	before = after;
	for (i = 0; i < TIMES; i++) {
		err = module_unload();
		if (!err)
			err = module_load("");
		if (!err)
			err = file_write(REALIGN, right);
		if (err)
			wrong_add(&errors, "another module: %s", strerror(-err));
	}
	after = meminfo_kb("SUnreclaim");
	ok(after - before < 512, "nor does a module that goes with one, %d times (%ld KiB more)", TIMES,
	   after - before);
	none_wrong(&errors, "each is taken or refused as it should be");
	is_errno(file_write(REALIGN, "1"), 0, "it is set to what it was");
}

/* Only what driver_override names is bound. */
static void check_not_asked(const struct pci_dev *dev)
{
	start();
	is_str(pci_driver(dev), "", "loading the module binds nothing");
	is_errno(file_write(BIND, dev->bdf), -ENODEV, "no driver_override: not bound");
	pci_attr_write(dev, "driver_override", "vfio-pci");
	is_errno(file_write(BIND, dev->bdf), -ENODEV, "driver_override names another: not bound");
	pci_attr_write(dev, "driver_override", "\n");
	is_errno(file_write(BIND, "0000:ff:1f.7"), -ENODEV, "no such device");
	is_errno(file_write(BIND, "eth0"), -ENODEV, "not even an address");
	unchanged("asked wrongly");
}

static void check_has_driver(const struct pci_dev *dev)
{
	pci_bind(dev, "vfio-pci");
	start();
	pci_attr_write(dev, "driver_override", OURS);
	is_errno(file_write(BIND, dev->bdf), -EBUSY, "a device that has a driver is not taken from it");
	is_str(pci_driver(dev), "vfio-pci", "it keeps its driver");
	unchanged("has a driver");
	pci_bind(dev, "");
}

static void check_bridge(void)
{
	struct pci_dev port;
	int mark;

	if (!is_errno(pci_find(ROOT_PORT, 0, &port), 0, "there is a root port"))
		return;
	pci_unbind(&port);
	mark = start();
	is_errno(pci_bind(&port, OURS), -EINVAL, "a bridge is refused");
	said(mark, "refusing device: it is a bridge, and VFIO supports endpoints only");
	unchanged("bridge");
	is_errno(pci_bind(&port, "pcieport"), 0, "its own driver takes it");
	pci_attr_write(&port, "driver_override", "\n");
}

static void check_busy(const struct zoo_bar *at)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vfio vfio, second;
	uint64_t asked = 0;
	uint32_t value;
	int status;
	pid_t child;

	is_errno(pci_bind(&at->dev, OURS), 0, "bound");
	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "opened"))
		return;
	is_errno(vfio_open(&at->dev, &second), -EBUSY, "not a second time");
	is_errno(module_unload(), -EAGAIN, "the module does not unload");
	ok(!vfio_event(&vfio, VFIO_PCI_REQ_IRQ_INDEX, event), "the user wants to hear of requests");

	child = fork();
	if (!child) {
		/* The user is the parent alone. */
		vfio_close(&vfio);
		_exit(!!pci_unbind(&at->dev));
	}
	sleep_ms(1500);
	is_u64(waitpid(child, &status, WNOHANG), 0, "an unbind waits for the user");
	ok(read(event, &asked, sizeof(asked)) == sizeof(asked) && asked, "the user is asked to let it go");
	close(event);
	ok(zoo_claimed(at), "the claim stands");
	is_errno(vfio_read32(&vfio, at->bar, at->reg, &value), 0, "the user still reads");
	vfio_close(&vfio);
	is_u64(waitpid(child, &status, 0), child, "it ends when the user closes the device");
	is_u64(status, 0, "without an error");
	is_str(pci_driver(&at->dev), "", "the device is unbound");
	ok(!zoo_claimed(at), "the claim is gone");
	pci_bind(&at->dev, "");
}

/*
 * Virtual functions come and go with a driver of the physical one that knows them. One that nobody
 * drives stays as it is while we compare.
 */
static void check_has_vfs(void)
{
	struct pci_dev dev;
	int mark;

	if (!is_errno(kmod_insert("nvme", ""), 0, "nvme is loaded") ||
	    !is_errno(pci_find(NVME, 0, &dev), 0, "there is a physical function") ||
	    !is_errno(pci_attr_write(&dev, "sriov_drivers_autoprobe", "0"), 0, "its virtual functions get no driver") ||
	    !is_errno(pci_attr_write(&dev, "sriov_numvfs", "1"), 0, "it has a virtual function"))
		return;
	pci_unbind(&dev);
	mark = start();
	is_errno(pci_bind(&dev, OURS), -EBUSY, "it is refused with that");
	said(mark, "write 0 to sriov_numvfs");
	unchanged("virtual functions");
	is_errno(pci_bind(&dev, "nvme"), 0, "nvme takes it");
	is_errno(pci_attr_write(&dev, "sriov_numvfs", "0"), 0, "without the virtual function");
	is_errno(pci_bind(&dev, OURS), 0, "it is bound");
	pci_bind(&dev, "");
}

static void check_unload(const struct zoo_bar *at)
{
	is_errno(pci_bind(&at->dev, OURS), 0, "bound once more");
	is_errno(module_unload(), 0, "the module unloads under a device that nobody has open");
	is_str(pci_driver(&at->dev), "", "which then has no driver");
	pci_attr_write(&at->dev, "driver_override", "\n");
}

static bool pack(void)
{
	int count = zoo_list(bars);

	zoo_repack(bars, count);
	count = zoo_list(bars);
	return ok(count >= 2 && !zoo_alone(&bars[0]), "two BARs share a page");
}

CASE(badinput)
{
	if (!pack())
		return;
	check_parameter("msix_mmap=foo", "msix_mmap: expected eeh, isolated, always or never");
	check_parameter("msix_relocate=1", "msix_relocate: expected auto, always or never");
	check_parameter("realign=x", "realign: expected 0, 1 or trap at character 1 of \"x\"");
	check_parameter("bar_size=", "bar_size: expected page or exact at character 1");
	check_parameter("realign=1,0@0000:00:01",
			"expected [DOMAIN:]BUS:DEVICE.FUNCTION or pci:VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@100:00.0", "VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@00:20.0", "VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@00:1f.8", "VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@00:.7", "VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@pci:8086", "VENDOR:DEVICE at character 5");
	check_parameter("realign=1,0@00:1f.7x", "expected a comma at character 12");
	check_parameter("realign=1,", "expected 0, 1 or trap at character 3");
	check_parameter("realign=1,00@00:1f.7", "expected 0, 1 or trap at character 3");
	if (!is_errno(module_load(""), 0, "without them it loads"))
		return;
	check_parameter_later();
	check_option_memory();
	check_not_asked(&bars[0].dev);
	check_has_driver(&bars[0].dev);
	check_bridge();
	check_busy(&bars[0]);
	check_has_vfs();
	check_unload(&bars[0]);
}

/* The kernel was booted without its IOMMU. */
MODULE_CASE(noiommu, "")
{
	struct pci_dev net;
	int mark;

	if (!pack())
		return;
	mark = start();
	is_errno(pci_bind(&bars[0].dev, OURS), -EINVAL, "the bind fails");
	said(mark, "; no IOMMU group: switch on the IOMMU");
	unchanged("no IOMMU");

	/* There is no group to be asked whether it isolates MSIs. */
	about("with MSI-X");
	if (!is_errno(pci_find(E1000E, 0, &net), 0, "there is a card"))
		return;
	mark = start();
	is_errno(pci_bind(&net, OURS), -EINVAL, "the bind fails");
	said(mark, "neither EEH nor the IOMMU isolates its MSIs");
	pci_attr_write(&net, "driver_override", "\n");
	unchanged("no IOMMU");
}
