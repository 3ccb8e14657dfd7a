// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bus/file.h"
#include "bus/iommu.h"
#include "change/module.h"
#include "commands/commands.h"

enum { COL_RESULT, COL_CHECK, COL_HELP, COL_DETAIL };

static const struct column columns[] = {
	[COL_RESULT] = { "RESULT", COLUMN_TEXT, SHOWN, "pass; fail: no device can be bound; warn: something else is missing" },
	[COL_CHECK] = { "CHECK", COLUMN_TEXT, SHOWN, "what is looked at, in a word that stays" },
	[COL_HELP] = HELP_COLUMN(HIDDEN),
	[COL_DETAIL] = { "DETAIL", COLUMN_TEXT, SHOWN, "what was found" },
	{ 0 }
};

enum result { PASS, WARN, FAIL };

struct answer {
	enum result result;
	const char *detail, *help;	/* help NULL: there is nothing to do */
};

static struct answer check_iommu(void)
{
	if (iommu_is_on())
		return (struct answer) { PASS, "an IOMMU is in use", NULL };
	if (iommu_is_not_needed())
		return (struct answer) { WARN, "there is none, and VFIO's mode for that is on: devices write where they like",
					 NULL };
	return (struct answer) { FAIL, "no IOMMU is in use, without which VFIO takes no device",
				 "switch it on in the firmware's set-up (VT-d, AMD-Vi, SMMU) and boot Linux with intel_iommu=on on Intel" };
}

static struct answer check_vfio(void)
{
	bool exists = file_exists("/sys/bus/pci/drivers/vfio-pci");
	char *signer = NULL;

	if (!exists)
		exists = module_exists("vfio_pci_core", &signer);
	free(signer);
	if (exists)
		return (struct answer) { PASS, "this kernel has vfio-pci-core", NULL };
	return (struct answer) { FAIL, "this kernel has no vfio-pci-core", "boot one built with CONFIG_VFIO_PCI (6.1 or newer)" };
}

static bool is_loaded(void)
{
	return file_exists("/sys/module/" OURS);
}

static struct answer check_module(void)
{
	struct utsname kernel;
	char *signer = NULL;
	bool exists = is_loaded() || module_exists(OURS, &signer);

	free(signer);
	uname(&kernel);
	if (exists)
		return (struct answer) { PASS, is_loaded() ? "the driver is loaded" :
					 "the driver is there for this kernel, and is loaded when it is needed", NULL };
	return (struct answer) { FAIL, "there is no driver " OURS " for this kernel", module_cure(kernel.release) };
}

/* Does the kernel take only modules with a signature that it knows? */
static bool wants_signature(void)
{
	char text[64];

	if (file_read(text, sizeof(text), "/sys/module/module/parameters/sig_enforce") > 0 && *text == 'Y')
		return true;
	return file_read(text, sizeof(text), "/sys/kernel/security/lockdown") > 0 && !strstr(text, "[none]");
}

static struct answer check_signature(void)
{
	char *signer = NULL;
	struct lines keys = { 0 };
	bool known = false;

	if (!wants_signature())
		return (struct answer) { PASS, "the kernel takes modules without a signature that it knows", NULL };
	if (is_loaded())
		return (struct answer) { PASS, "the kernel has taken the driver", NULL };
	module_exists(OURS, &signer);
	while (*signer && !known && next_line(&keys, "/proc/keys"))
		known = strstr(keys.line, signer);
	lines_end(&keys);
	free(signer);
	if (known)
		return (struct answer) { PASS, "the kernel knows who has signed the driver", NULL };
	return (struct answer) { FAIL, "Secure Boot is on, and the kernel does not know who has signed the driver",
				 "mokutil --import /var/lib/dkms/mok.pub; reboot, and enrol the key" };
}

/* The names of interrupts tell: behind remapping those of x86 begin with "IR-", and arm64's have an ITS. */
static struct answer check_isolation(void)
{
	struct lines interrupts = { 0 };
	bool isolated = false;

	while (!isolated && next_line(&interrupts, "/proc/interrupts"))
		isolated = strstr(interrupts.line, " IR-") || strstr(interrupts.line, " ITS-") ||
			   strstr(interrupts.line, "DMAR-MSI-IR");
	lines_end(&interrupts);
	if (isolated || file_exists("/proc/powerpc/eeh"))
		return (struct answer) { PASS, "devices are confined to their own interrupts", NULL };
	return (struct answer) { WARN, "nothing shows that the IOMMU confines devices to their own interrupts: then VFIO refuses groups, and the driver hides MSI-X tables",
				 "switch interrupt remapping on in the firmware's set-up, and boot without intremap=off" };
}

static struct answer check_page_size(void)
{
	long page = sysconf(_SC_PAGESIZE);

	return (struct answer) { PASS, page == 4096 ? "4K: what gains are BARs below that" :
				 page == 16384 ? "16K: what gains are BARs below that, such as most NVMe disks'" :
				 "64K: what gains are BARs below that, such as most NVMe disks'", NULL };
}

static struct answer check_iommufd(void)
{
	return (struct answer) { PASS, file_exists("/dev/iommu") ? "there is /dev/iommu" :
				 "there is no /dev/iommu; programs go through groups, which all can", NULL };
}

static struct answer check_debugfs(void)
{
	if (!access("/sys/kernel/debug/kvm", X_OK) || !access("/sys/kernel/debug/tracing", X_OK))
		return (struct answer) { PASS, "\"check\" can count the exits of guests", NULL };
	if (errno == EACCES)
		return (struct answer) { WARN, "only root sees the counters of guests, for \"check\"", "sudo subpage-vfio check" };
	if (errno == EPERM)
		return (struct answer) { WARN, "the kernel is locked down: \"check\" cannot count the exits of guests", NULL };
	return (struct answer) { WARN, "debugfs is not mounted, from which \"check\" counts the exits of guests",
				 "mount -t debugfs none /sys/kernel/debug" };
}

static int host_run(const struct options *options)
{
	static const struct {
		const char *name;
		struct answer (*check)(void);
	} checks[] = {
		{ "iommu", check_iommu }, { "vfio", check_vfio }, { "module", check_module },
		{ "signature", check_signature }, { "isolation", check_isolation },
		{ "page_size", check_page_size }, { "iommufd", check_iommufd }, { "debugfs", check_debugfs },
	};
	static const char * const result[] = { [PASS] = "pass", [WARN] = "warn", [FAIL] = "fail" };
	static const enum colour colour[] = { [PASS] = GOOD, [WARN] = BETTER, [FAIL] = BAD };
	struct table *table = table_new("host", columns, &options->format);
	char *helps = format("%s", "");
	int code = CODE_OK;
	size_t i;

	for (i = 0; i < COUNT(checks); i++) {
		struct answer answer = checks[i].check();

		table_row(table, NULL, NULL, -1);
		table_text(table, COL_RESULT, result[answer.result]);
		table_colour(table, COL_RESULT, colour[answer.result]);
		table_text(table, COL_CHECK, checks[i].name);
		table_text(table, COL_DETAIL, answer.detail);
		table_text(table, COL_HELP, answer.help);
		if (answer.help)
			add_text(&helps, "", "%s helps: %s\n", checks[i].name, answer.help);
		if (answer.result == FAIL)
			code = CODE_HOST;
	}
	table_end(table, "");
	if (table_is_for_people(&options->format))
		fputs(helps, stdout);
	free(helps);
	return code;
}

static const struct option_use host_options[] = {
	OUTPUT_OPTIONS,
	{ 0 }
};

const struct command host_command = {
	.name = "host", .run = host_run,
	.summary = "say whether this machine is fit for it, and what to do if not",
	.arguments = "", .min_arguments = 0, .max_arguments = 0,
	.description = 
		"Look at what this machine has, and say of each thing whether it will do or what\n"
		"helps. Ends with 6 if no device can be bound here.\n",
	.option = host_options,
	.columns = columns,
	.examples = "  subpage-vfio host\n",
};
