// SPDX-License-Identifier: GPL-2.0-only
#include <sys/utsname.h>

#include "bus/file.h"
#include "bus/iommu.h"
#include "change/module.h"
#include "commands/options.h"

enum { COL_RESULT, COL_CHECK, COL_HELP, COL_DETAIL };

static const struct column columns[] = {
	[COL_RESULT] = { "RESULT", COLUMN_TEXT, SHOWN, "pass; fail: no device can be bound; warn: less is possible" },
	[COL_CHECK] = { "CHECK", COLUMN_TEXT, SHOWN, "what is looked at, in a word that stays" },
	[COL_HELP] = HELP_COLUMN(HIDDEN),
	[COL_DETAIL] = { "DETAIL", COLUMN_TEXT, SHOWN, "what was found" },
	{ 0 }
};

struct answer {
	enum result { PASS, WARN, FAIL } is;
	const char *detail, *help;	/* help NULL: there is nothing to do */
};

static struct answer say(enum result is, const char *detail, const char *help)
{
	return (struct answer) { is, detail, help };
}

static struct answer check_iommu(void)
{
	if (iommu_is_on())
		return say(PASS, "an IOMMU is in use", NULL);
	if (iommu_is_not_needed())
		return say(WARN, "there is none, and VFIO is told to do without: devices write where they like", NULL);
	return say(FAIL, "no IOMMU is in use, and VFIO needs one",
		   "switch it on in the firmware's set-up (VT-d, AMD-Vi, SMMU); on Intel, boot with intel_iommu=on");
}

static struct answer check_vfio(void)
{
	if (file_exists("/sys/bus/pci/drivers/vfio-pci") || module_exists("vfio_pci_core", NULL, 0))
		return say(PASS, "this kernel has vfio-pci-core", NULL);
	return say(FAIL, "this kernel has no vfio-pci-core", "boot one of 6.1 or newer, built with CONFIG_VFIO_PCI");
}

static bool is_loaded(void)
{
	return file_exists("/sys/module/" OURS);
}

static struct answer check_module(void)
{
	struct utsname kernel;

	uname(&kernel);
	if (is_loaded())
		return say(PASS, "the driver is loaded", NULL);
	if (module_exists(OURS, NULL, 0))
		return say(PASS, "the driver is there for this kernel, and is loaded when it is needed", NULL);
	return say(FAIL, "there is no driver " OURS " for this kernel", module_cure(kernel.release));
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
	struct lines keys = { 0 };
	char signer[128] = "";
	bool known = false;

	if (!wants_signature())
		return say(PASS, "the kernel takes modules without a signature that it knows", NULL);
	module_exists(OURS, signer, sizeof(signer));
	while (*signer && !known && next_line(&keys, "/proc/keys"))
		known = strstr(keys.line, signer);
	lines_end(&keys);
	if (known || is_loaded())
		return say(PASS, "the kernel takes the driver's signature", NULL);
	return say(FAIL, "Secure Boot is on, and the kernel does not know the key that signed the driver",
		   "mokutil --import /var/lib/dkms/mok.pub; reboot, and enrol the key");
}

/* The names of interrupts tell: behind remapping those of x86 begin with "IR-", and arm64's have an ITS. */
static struct answer check_isolation(void)
{
	struct lines interrupts = { 0 };
	bool isolated = file_exists("/proc/powerpc/eeh");

	while (!isolated && next_line(&interrupts, "/proc/interrupts"))
		isolated = strstr(interrupts.line, " IR-") || strstr(interrupts.line, " ITS-");
	lines_end(&interrupts);
	if (isolated)
		return say(PASS, "devices are confined to their own interrupts", NULL);
	return say(WARN, "nothing shows that devices are confined to their own interrupts, as VFIO wants them",
		   "switch interrupt remapping on in the firmware's set-up, and boot without intremap=off");
}

static struct answer check_page_size(void)
{
	long page = sysconf(_SC_PAGESIZE);

	return say(PASS, page == 4096 ? "4K: what gains are BARs below that" : page == 16384 ?
		   "16K: what gains are BARs below that, and disks whose MSI-X table shares a page" :
		   "64K: what gains are BARs below that, such as those of most NVMe disks", NULL);
}

static struct answer check_iommufd(void)
{
	return say(PASS, file_exists("/dev/iommu") ? "there is /dev/iommu" :
		   "there is no /dev/iommu; programs go through groups, which all of them can", NULL);
}

static struct answer check_debugfs(void)
{
	if (!access("/sys/kernel/debug/kvm", X_OK) || !access("/sys/kernel/debug/tracing", X_OK))
		return say(PASS, "\"check\" can count the exits of guests", NULL);
	if (errno == EACCES)
		return say(WARN, "only root can count the exits of guests", "sudo subpage-vfio check");
	if (errno == EPERM)
		return say(WARN, "the kernel is locked down: \"check\" cannot count the exits of guests", NULL);
	return say(WARN, "debugfs is not mounted, from which \"check\" counts the exits of guests",
		   "mount -t debugfs none /sys/kernel/debug");
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
	char *helps = NULL;
	int code = CODE_OK;
	size_t i;

	for (i = 0; i < COUNT(checks); i++) {
		struct answer answer = checks[i].check();

		table_row(table, NULL, NULL, -1);
		table_text(table, COL_RESULT, result[answer.is]);
		table_colour(table, COL_RESULT, colour[answer.is]);
		table_text(table, COL_CHECK, checks[i].name);
		table_text(table, COL_DETAIL, answer.detail);
		table_text(table, COL_HELP, answer.help);
		if (answer.help)
			add_text(&helps, "", "%s helps: %s\n", checks[i].name, answer.help);
		if (answer.is == FAIL)
			code = CODE_HOST;
	}
	table_end(table, "");
	if (helps && table_is_for_people(&options->format))
		fputs(helps, stdout);
	free(helps);
	return code;
}

const struct command host_command = {
	.name = "host", .run = host_run,
	.summary = "say whether this machine is fit for it, and what to do if not",
	.arguments = "", .min_arguments = 0, .max_arguments = 0,
	.description =
		"Look at what this machine has, and say of each thing whether it will do or what\n"
		"helps. Ends with 6 if no device can be bound here.\n",
	.columns = columns,
	.examples = "  subpage-vfio host\n",
};
