// SPDX-License-Identifier: GPL-2.0-only
/* The command does all or nothing, and says which of it: what fails is put back, what is done stays. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "cases.h"
#include "command.h"
#include "vfio.h"
#include "zoo.h"

static void saved_path(const struct pci_dev *dev, char *path, size_t size)
{
	snprintf(path, size, "/etc/driverctl.d/pci-%s", dev->bdf);
}

static void check_saved(const struct pci_dev *dev, const char *want, const char *what)
{
	char path[64], saved[64] = "nothing";

	saved_path(dev, path, sizeof(path));
	file_read(path, saved, sizeof(saved));
	is_str(saved, want, "%s: saved for %s", what, dev->bdf);
}

/* Both are bound and the first is saved, when the second cannot be. */
static void check_save_put_back(const struct pci_dev *first, const struct pci_dev *second)
{
	static const char what[] = "after an entry that cannot be saved";
	char path[64], in_the_way[64];

	saved_path(first, path, sizeof(path));
	ok(!shell("echo nobody >%s", path), "driverctl has a driver saved for the first, too");
	snprintf(in_the_way, sizeof(in_the_way), "/etc/driverctl.d/.pci-%s.new", second->bdf);
	mkdir(in_the_way, 0755);
	exits(cli("bind --persist %s %s", first->bdf, second->bdf), FAILED, "bind --persist that cannot save");
	says("what driverctl is to do with", "bind --persist that cannot save");
	says("nothing was changed", "bind --persist that cannot save");
	cli_state(first, "e1000e", "(null)", what);
	check_saved(first, "nobody", what);
	cli_state(second, "vfio-pci", "vfio-pci", what);
	check_saved(second, "vfio-pci", what);
	rmdir(in_the_way);
	unlink(path);
}

/* The test build of the module fails at its last step. */
static void check_put_back(const struct pci_dev *net, const struct pci_dev *dev)
{
	char path[64];

	pci_bind(dev, "");
	pci_bind(dev, "vfio-pci");
	pci_attr_write(dev, "driver_override", "vfio-pci\n");
	if (symlink("/cli/driverctl", "/usr/sbin/driverctl"))
		diag("driverctl: %s", strerror(errno));
	mkdir("/etc/driverctl.d", 0755);
	saved_path(dev, path, sizeof(path));
	ok(!shell("echo vfio-pci >%s", path), "driverctl has saved vfio-pci");
	cli_fail_last_step(true);
	exits(cli("bind --persist %s %s", net->bdf, dev->bdf), FAILED, "bind --persist that fails");
	cli_fail_last_step(false);
	says("nothing was changed", "bind --persist that fails");
	cli_state(dev, "vfio-pci", "vfio-pci", "after a bind that failed");
	check_saved(dev, "vfio-pci", "after a bind that failed");
	cli_state(net, "e1000e", "(null)", "after a bind that failed");
	check_saved(net, "nothing", "after a bind that failed");
	check_save_put_back(net, dev);

	/* An entry of somebody else's is neither ours nor to be forgotten. */
	exits(cli("bind %s", dev->bdf), OK, "bind, another driver being saved");
	exits(cli("unbind %s", dev->bdf), OK, "unbind, another driver being saved");
	ok(!strstr(err, "next boot"), "it does not return to us at the next boot");
	exits(cli("bind %s", dev->bdf), OK, "bind again");
	exits(cli("unbind --persist %s", dev->bdf), OK, "unbind --persist");
	says("driverctl has vfio-pci saved", "unbind --persist");
	check_saved(dev, "vfio-pci", "after unbind --persist");
	unlink(path);
}

/* What is bound already is not touched for --persist, so it may be open. */
static void check_persist(const struct pci_dev *dev)
{
	struct vfio vfio;

	exits(cli("bind %s", dev->bdf), OK, "bind, to be open");
	if (!is_errno(vfio_open(dev, &vfio), 0, "bind --persist: the device is open"))
		return;
	exits(cli("bind --persist %s", dev->bdf), OK, "bind --persist of an open device");
	check_saved(dev, OURS, "bind --persist of an open device");
	exits(cli("align %s", dev->bdf), IN_USE, "align of an open device");
	is_str(pci_driver(dev), OURS, "align of an open device: it keeps its driver");
	vfio_close(&vfio);
	exits(cli("unbind %s", dev->bdf), OK, "unbind, an entry being saved");
	says("returns to " OURS " at the next boot", "unbind, an entry being saved");
	exits(cli("unbind --persist %s", dev->bdf), OK, "unbind --persist, nothing being bound");
	check_saved(dev, "nothing", "unbind --persist, nothing being bound");
}

static void check_unbind(const struct pci_dev *net, const struct pci_dev *dev, const struct pci_dev *second)
{
	char path[128];

	pci_bind(dev, "");
	pci_attr_write(dev, "driver_override", OURS "\n");
	exits(cli("unbind %s", dev->bdf), OK, "unbind of a leftover override");
	cli_state(dev, "", "(null)", "leftover override");

	/* Somebody has told the driver to take all of that kind. */
	is_errno(file_write("/sys/bus/pci/drivers/" OURS "/new_id", "1b36 0007"), 0, "the driver takes such devices");
	exits(cli("bind %s", dev->bdf), OK, "bind of such a device");
	exits(cli("unbind %s", dev->bdf), FAILED, "unbind of such a device");
	says("is still bound to " OURS, "unbind of such a device");
	is_str(pci_driver(dev), OURS, "unbind of such a device: it is as it was");
	is_errno(file_write("/sys/bus/pci/drivers/" OURS "/remove_id", "1b36 0007"), 0, "it takes them no more");
	exits(cli("unbind %s %s", dev->bdf, second->bdf), OK, "unbind of them all");
	cli_state(dev, "", "(null)", "unbind of them all");

	/* The native driver is not loaded: it was ours from the boot on. */
	exits(cli("bind %s", net->bdf), OK, "bind of the interface");
	is_errno(kmod_remove("e1000e"), 0, "its native driver's module goes");
	cli_install("e1000e", "/modules/e1000e.ko");
	exits(cli("unbind %s", net->bdf), OK, "unbind, the native driver not being loaded");
	cli_state(net, "e1000e", "(null)", "the module is loaded for it");

	exits(cli("bind %s", net->bdf), OK, "bind once more");
	is_errno(kmod_remove("e1000e"), 0, "its native driver's module goes again");
	cli_module_path("e1000e", path, sizeof(path));
	unlink(path);
	shell("echo nothing of use >%s", path);
	exits(cli("unbind %s", net->bdf), FAILED, "unbind, the native driver cannot be loaded");
	says("e1000e, the native driver of", "native driver that cannot be loaded");
	says("nothing was changed", "native driver that cannot be loaded");
	cli_state(net, OURS, OURS, "native driver that cannot be loaded");
	exits(cli("unbind --force %s", net->bdf), OK, "unbind --force");
	cli_state(net, "", "(null)", "unbind --force");
	unlink(path);
	if (symlink("/modules/e1000e.ko", path))
		diag("%s: %s", path, strerror(errno));
	kmod_insert("e1000e", "");
}

/* The output is lost, what was done is not. */
static void check_lost_output(const struct pci_dev *dev)
{
	pid_t pid = cli_start("1", "bind %s", dev->bdf);

	exits(cli_wait(pid), CHANGED, "bind whose output is lost");
	says("all was done, but the output could not be written", "bind whose output is lost");
	is_str(pci_driver(dev), OURS, "it is bound");
	exits(cli("unbind %s", dev->bdf), OK, "unbind after the output was lost");
}

/* A device's file that became number 2 had messages written into its registers. */
static void check_closed_files(const struct zoo_bar *at)
{
	char path[64], target[64];
	bool opened = false, clean = true;
	pid_t pid;
	int i, n;

	exits(cli("bind %s", at->dev.bdf), OK, "bind for bench");
	pid = cli_start("012", "bench --bar %d --offset %u %s", at->bar, at->reg, at->dev.bdf);
	while (!waitpid(pid, NULL, WNOHANG)) {
		for (i = 0; i < 8; i++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
			n = readlink(path, target, sizeof(target) - 1);
			target[n < 0 ? 0 : n] = '\0';
			opened |= !!strstr(target, "vfio-device");
			clean &= i > 2 || !strstr(target, "vfio");
		}
		sleep_ms(1);
	}
	ok(opened, "the device was open");
	ok(clean, "under no number of standard input, output or error");
	exits(cli("unbind %s", at->dev.bdf), OK, "unbind after bench");
}

CASE(cli_put_back)
{
	static struct zoo_bar bars[ZOO_MAX];
	struct pci_dev net, first, second;

	cli_set_up();
	cli_install_module();
	kmod_insert("e1000e", "");
	if (!ok(!pci_find(E1000E, 0, &net) && !pci_find(SDHCI, 0, &first) && !pci_find(SDHCI, 1, &second) &&
		zoo_list(bars), "the devices are there"))
		return;
	check_lost_output(&first);
	check_closed_files(zoo_named(bars, zoo_list(bars), "sdhci"));
	check_put_back(&net, &second);
	check_unbind(&net, &first, &second);
	check_persist(&first);
}

/* From here on the kernel takes no module without Debian's signature. */
CASE(cli_refused_module)
{
	char path[128];
	struct pci_dev dev;

	if (!is_errno(pci_find(SDHCI, 0, &dev), 0, "there is a device"))
		return;
	is_errno(module_unload(), 0, "our module goes");
	cli_module_path(OURS, path, sizeof(path));
	unlink(path);
	shell("echo nothing of use >%s", path);
	exits(cli("bind %s", dev.bdf), HOST, "module for another kernel");
	says("is not for Linux", "module for another kernel");
	unlink(path);
	if (symlink("/" OURS ".ko", path))
		diag("%s: %s", path, strerror(errno));
	is_errno(file_write("/sys/module/module/parameters/sig_enforce", "1"), 0,
		 "the kernel wants signatures");
	exits(cli("bind %s", dev.bdf), HOST, "module without a signature");
	says("the kernel refuses the signature", "module without a signature");
	is_str(pci_driver(&dev), "", "nothing was bound");
}
