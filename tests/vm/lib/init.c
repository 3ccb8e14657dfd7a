// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of a test machine: set the machine up, run the cases that the kernel
 * command line names (run=CASE,CASE), print the plan, power off.
 */
#include <glob.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "cases.h"
#include "coverage.h"

static void mount_or_bail(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, NULL))
		bail("cannot mount %s: %s", dir, strerror(errno));
}

static const struct test_case *current;

static void run_with_module(void)
{
	if (!is_errno(module_load(current->parameters), 0, "the module loads"))
		return;
	current->run();
	is_errno(module_unload(), 0, "the module unloads");
}

static void run_case(const char *name)
{
	const struct test_case *const *at;

	for (at = __start_test_cases; at < __stop_test_cases; at++) {
		if (strcmp((*at)->name, name))
			continue;
		/* One that crashed may have left the module, which the next one wants to load. */
		current = *at;
		if (!tap_case(name, current->parameters ? run_with_module : current->run))
			module_unload();
		return;
	}
	ok(false, "there is a case \"%s\"", name);
}

static void shrink_kmalloc_caches(void)
{
	static const char pattern[] = "/sys/kernel/slab/kmalloc-*/shrink";
	glob_t found;
	size_t i;

	if (glob(pattern, 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		file_write(found.gl_pathv[i], "1");
	globfree(&found);
}

/*
 * Since 7.0 a slab cache hands objects out of a sheaf, which keeps the pointers to
 * them, and kmemleak takes these for references. Shrinking empties the sheaf, the next
 * allocation replaces it, shrinking again frees it. sysfs allocates one byte more
 * than it is written.
 */
static void forget_handed_out(void)
{
	char text[4097];
	size_t size;

	shrink_kmalloc_caches();
	for (size = sizeof(text); size > 8; size -= size / 4) {
		memset(text, '1', size - 1);
		text[size - 1] = '\0';
		file_write("/sys/kernel/slab/kmalloc-8/shrink", text);
	}
	shrink_kmalloc_caches();
}

/*
 * A kernel with kmemleak says what nobody points to any more: of memory that is 5 s old,
 * at the second scan that finds its content the same. stock_leak=FUNCTION on the command
 * line: what that function of the kernel's own allocated is lost with stock vfio-pci too.
 */
static void check_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char *leaks = NULL, *object, *next, *line, *rest;
	const char *stock = getenv("stock_leak");
	struct utsname kernel;
	int scan, lost = 0;

	if (access(path, F_OK)) {
		/* The debug kernel was built for it: if it is missing there, nothing would be checked. */
		if (!uname(&kernel) && strstr(kernel.release, "-debug"))
			ok(false, "there is a kmemleak");
		return;
	}
	forget_handed_out();
	sleep_ms(5100);
	for (scan = 0; scan < 2; scan++)
		is_errno(file_write(path, "scan"), 0, "memory is scanned, %d of 2", scan + 1);
	leaks = file_slurp(path, NULL);
	for (object = leaks; object && *object; object = next) {
		next = strstr(object, "\nunreferenced object");
		next = next ? next + 1 : object + strlen(object);
		if (*next)
			next[-1] = '\0';
		if (stock && strstr(object, stock))
			continue;
		lost++;
		for (line = strtok_r(object, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			diag("%s", line);
	}
	ok(leaks && !lost, "no memory was lost");
	free(leaks);
}

int main(void)
{
	char *run = getenv("run"), *name, *rest;
	int err;

	tap_start();
	mkdir("/dev", 0755);
	/* The kernel may have mounted it already. */
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		return 1;
	mount_or_bail("proc", "/proc");
	mount_or_bail("sysfs", "/sys");
	mount_or_bail("tmpfs", "/tmp");
	mount_or_bail("debugfs", "/sys/kernel/debug");
	mount_or_bail("tracefs", "/sys/kernel/tracing");
	/* The boot was quiet; from here each line counts. */
	klogctl(8, NULL, 8);

	err = kmod_insert("boot", "");
	if (err && err != -EEXIST)
		bail("cannot insert the VFIO modules: %s", strerror(-err));
	coverage_start();
	if (!run)
		bail("the kernel command line has no run=CASE");
	for (name = strtok_r(run, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		run_case(name);
	check_leaks();
	coverage_print();
	tap_plan();
	sync();
	/* Once it has slept, QEMU's PC does not switch itself off any more: off=reboot. */
	if (!getenv("off"))
		reboot(RB_POWER_OFF);
	/* Where the machine cannot be switched off: -no-reboot makes QEMU end. */
	reboot(RB_AUTOBOOT);
	return 1;
}
