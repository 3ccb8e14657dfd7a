// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own VFIO selftests (tools/testing/selftests/vfio), unmodified, through groups, iommufd and the
 * device's own file: their verdicts are the same with this driver, and with vfio-pci for which it holds the
 * pages, as with stock vfio-pci alone, but for those that are skipped there for want of a BAR that can be mapped.
 */
#include <sys/wait.h>

#include "cases.h"
#include "zoo.h"

/*
 * Not vfio_pci_sriov_uapi_test: it asks whether the virtual function's driver is called
 * vfio-pci, and ends where not; case sriov does what it does. Nor vfio_pci_driver_test, which is for
 * devices that it has a driver for, and no QEMU has.
 */
static const char * const programs[] = {
	"vfio_pci_device_test", "vfio_pci_device_init_perf_test", "vfio_dma_mapping_mmio_test",
	/* These take half the time, and look at no BAR: one device is enough. */
	"vfio_dma_mapping_test", "vfio_iommufd_setup_test",
};

#define ALIGN_FOR "/sys/module/" OURS "/parameters/align_for"
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))
#define VERDICTS 100

static const struct {
	uint16_t vendor, device;
	size_t programs;
} models[] = {
	{ SDHCI, PROGRAMS },	/* 256 bytes */
	{ NVME, 3 },		/* MSI-X and FLR */
};

struct verdicts {
	int count, passed;
	char line[VERDICTS][160];
};

static bool same(const char *ours, const char *stock)
{
	const char *skipped = strstr(stock, " # SKIP No mappable BAR");

	return !strcmp(ours, stock) ||
	       (skipped && !strncmp(ours, stock, skipped - stock) && !strncmp(ours, "ok ", 3));
}

static void run(const char *program, const char *bdf, struct verdicts *verdicts)
{
	char path[80], line[1024];
	int ends[2], status;
	pid_t child;
	FILE *in;

	verdicts->count = 0;
	verdicts->passed = 0;
	snprintf(path, sizeof(path), "/kselftest/%s", program);
	if (pipe(ends))
		bail("no pipe");
	child = fork();
	if (!child) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(path, program, bdf, NULL);
		_exit(127);
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7))
			continue;
		if (verdicts->count == VERDICTS)
			break;
		verdicts->passed += line[0] == 'o' && !strstr(line, "SKIP");
		snprintf(verdicts->line[verdicts->count++], sizeof(verdicts->line[0]), "%.159s", line);
	}
	fclose(in);
	waitpid(child, &status, 0);
	snprintf(verdicts->line[verdicts->count++], sizeof(verdicts->line[0]), "exit status %#x", status);
}

/* The verdicts on a device as it is bound, beside those with stock vfio-pci; adds how many there were, and passed. */
static void compare(const char *how, const char *bdf, size_t count, const struct verdicts *stock, int *all, int *passed)
{
	static struct verdicts now;
	size_t p;
	int i;

	for (p = 0; p < count; p++) {
		struct wrong wrong = {};

		run(programs[p], bdf, &now);
		for (i = 0; i < now.count || i < stock[p].count; i++)
			if (!same(now.line[i], stock[p].line[i]) || now.count != stock[p].count)
				wrong_add(&wrong, "%s \"%s\", stock \"%s\"", how, now.line[i], stock[p].line[i]);
		none_wrong(&wrong, "%s, %s: the verdicts are those of stock vfio-pci", how, programs[p]);
		diag("%s, %s: %d verdicts, %d passed", how, programs[p], now.count - 1, now.passed);
		*all += now.count - 1;
		*passed += now.passed;
	}
}

MODULE_CASE(kselftest, "")
{
	static struct verdicts stock[PROGRAMS];
	struct zoo_bar bars[ZOO_MAX];
	int all[2] = {}, passed[2] = {};
	struct pci_dev dev;
	size_t m, p;

	zoo_list_packed(bars);
	for (m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
		about("%04x:%04x", models[m].vendor, models[m].device);
		file_write(ALIGN_FOR, "\n");
		if (!is_errno(pci_find(models[m].vendor, models[m].device, 0, &dev), 0, "is there") ||
		    !is_errno(pci_bind(&dev, STOCK), 0, "bound to vfio-pci"))
			continue;
		for (p = 0; p < models[m].programs; p++)
			run(programs[p], dev.bdf, &stock[p]);
		if (!is_errno(pci_bind(&dev, OURS), 0, "bound to ours"))
			continue;
		compare("ours", dev.bdf, models[m].programs, stock, &all[0], &passed[0]);
		is_errno(file_write(ALIGN_FOR, STOCK), 0, "align_for=" STOCK);
		if (!is_errno(pci_bind(&dev, STOCK), 0, "handed over to vfio-pci"))
			continue;
		compare("held", dev.bdf, models[m].programs, stock, &all[1], &passed[1]);
		pci_bind(&dev, "");
	}
	/* A program that does not even start gives none, to all. */
	ok(all[0] > 80 && passed[0] > 50, "the programs have run");
	diag("%d verdicts, %d of them passed and not skipped", all[0], passed[0]);
	is_u64(all[1], all[0], "as many with pages that are held");
	is_u64(passed[1], passed[0], "and as many of them passed and not skipped");
}
