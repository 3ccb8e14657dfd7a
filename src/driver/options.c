// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "options.h"

/*
 * struct choice - an option with a value for each device
 * @values: the words it takes, in the order of the enum that it stands for
 * @count: how many
 * @expected: the words, for people
 * @preset: the value where nothing is set
 * @text: as it was set; NULL until then
 */
struct choice {
	const char * const *values;
	int count;
	const char *expected;
	int preset;
	char *text;
};

/* One or more hexadecimal digits up to @max, which is all ones; returns what follows, or NULL. */
static const char *parse_hex(const char *at, unsigned int max, unsigned int *value)
{
	const char *start = at;

	for (*value = 0; isxdigit(*at) && *value <= max >> 4; at++)
		*value = *value << 4 | (isdigit(*at) ? *at - '0' : tolower(*at) - 'a' + 10);

	return at > start && *value <= max ? at : NULL;
}

static const char *parse_char(const char *at, char c)
{
	return at && *at == c ? at + 1 : NULL;
}

/*
 * Parse a device; returns what follows, or NULL.
 * @fits: is it this one; NULL if that does not matter
 */
static const char *parse_device(const char *at, struct pci_dev *pdev, bool *fits)
{
	unsigned int domain = 0, bus, slot, function, vendor, device;
	const char *next;

	if (!strncmp(at, "pci:", 4)) {
		at = parse_char(parse_hex(at + 4, 0xffff, &vendor), ':');
		at = at ? parse_hex(at, 0xffff, &device) : NULL;
		if (at && pdev)
			*fits = pdev->vendor == vendor && pdev->device == device;
		return at;
	}

	next = parse_hex(at, INT_MAX, &bus);
	at = parse_char(next, ':');
	next = at ? parse_hex(at, 0xff, &slot) : NULL;
	if (next && *next == ':') {
		domain = bus;
		bus = slot;
		next = parse_hex(next + 1, 0x1f, &slot);
	}
	at = parse_char(next, '.');
	at = at ? parse_hex(at, 7, &function) : NULL;
	if (!at || bus > 0xff || slot > 0x1f)
		return NULL;
	if (pdev)
		*fits = pci_domain_nr(pdev->bus) == domain && pdev->bus->number == bus &&
			pdev->devfn == PCI_DEVFN(slot, function);
	return at;
}

/* One of the option's words; returns what follows, or NULL. */
static const char *parse_value(const struct choice *choice, const char *at, int *value)
{
	size_t length = strcspn(at, ",@");

	for (*value = 0; *value < choice->count; ++*value)
		if (strlen(choice->values[*value]) == length &&
		    !strncmp(choice->values[*value], at, length))
			return at + length;

	return NULL;
}

/*
 * Go through all of an option.
 * @pdev: a device whose value is wanted, or NULL to look for errors alone
 * @value: that value; what it was if nothing fits
 * @error: where the text is wrong, and @expected says what should be there
 */
static bool parse(const struct choice *choice, const char *text, struct pci_dev *pdev,
		  int *value, const char **error, const char **expected)
{
	const char *at = text, *next;
	int one;

	do {
		bool fits = true;

		*error = at;
		*expected = choice->expected;
		next = parse_value(choice, at, &one);
		if (!next)
			return false;
		if (*next == '@') {
			*error = next + 1;
			*expected = "[DOMAIN:]BUS:DEVICE.FUNCTION or pci:VENDOR:DEVICE";
			next = parse_device(next + 1, pdev, &fits);
			if (!next)
				return false;
		}
		if (pdev && fits)
			*value = one;
		at = next + 1;
	} while (*next == ',');

	*error = next;
	*expected = "a comma";
	return !*next;
}

static int choice_set(const char *val, const struct kernel_param *kp)
{
	struct choice *choice = kp->arg;
	const char *error, *expected;
	char *text = kstrdup(val, GFP_KERNEL), *trimmed;
	int ignored;

	if (!text)
		return -ENOMEM;
	/* echo ends its line. */
	trimmed = strim(text);
	if (!parse(choice, trimmed, NULL, &ignored, &error, &expected)) {
		pr_err("%s: %s: expected %s at character %d of \"%s\"\n", KBUILD_MODNAME,
		       kp->name, expected, (int)(error - trimmed) + 1, trimmed);
		kfree(text);
		return -EINVAL;
	}

	memmove(text, trimmed, strlen(trimmed) + 1);
	kfree(choice->text);
	choice->text = text;
	return 0;
}

static int choice_get(char *buffer, const struct kernel_param *kp)
{
	const struct choice *choice = kp->arg;

	return sysfs_emit(buffer, "%s\n", choice->text ?: choice->values[choice->preset]);
}

static void choice_free(void *arg)
{
	struct choice *choice = arg;

	kfree(choice->text);
}

static const struct kernel_param_ops choice_ops = {
	.set = choice_set,
	.get = choice_get,
	.free = choice_free,
};

/* Under kernel_param_lock(). */
static int choice_for(const struct choice *choice, struct pci_dev *pdev)
{
	const char *error, *expected;
	int value = choice->preset;

	if (choice->text)
		parse(choice, choice->text, pdev, &value, &error, &expected);

	return value;
}

static const char * const msix_mmap_values[] = {
	[MSIX_MMAP_EEH] = "eeh",
	[MSIX_MMAP_ISOLATED] = "isolated",
	[MSIX_MMAP_ALWAYS] = "always",
	[MSIX_MMAP_NEVER] = "never",
};

static struct choice msix_mmap = {
	.values = msix_mmap_values,
	.count = ARRAY_SIZE(msix_mmap_values),
	.expected = "eeh, isolated, always or never",
	.preset = MSIX_MMAP_ISOLATED,
};

module_param_cb(msix_mmap, &choice_ops, &msix_mmap, 0644);
MODULE_PARM_DESC(msix_mmap,
		 "Where the MSI-X table can be mapped: isolated (where EEH or the IOMMU isolates the device's MSIs; default), eeh (where EEH does), always, never. With exceptions: VALUE[,VALUE@DEVICE]... Read at bind.");

static const char * const msix_relocate_values[] = {
	[RELOCATE_AUTO] = "auto",
	[RELOCATE_ALWAYS] = "always",
	[RELOCATE_NEVER] = "never",
};

static struct choice msix_relocate = {
	.values = msix_relocate_values,
	.count = ARRAY_SIZE(msix_relocate_values),
	.expected = "auto, always or never",
	.preset = RELOCATE_AUTO,
};

module_param_cb(msix_relocate, &choice_ops, &msix_relocate, 0644);
MODULE_PARM_DESC(msix_relocate,
		 "Where the IOMMU isolates a device's MSIs, its users see the MSI-X table elsewhere: auto (where it shares a page with anything else of its BAR; default), always (wherever its BAR holds anything else), never. With exceptions: VALUE[,VALUE@DEVICE]... Read at bind.");

static const char * const realign_values[] = {
	[REALIGN_OFF] = "0",
	[REALIGN_ON] = "1",
	[REALIGN_TRAP] = "trap",
};

static struct choice realign = {
	.values = realign_values,
	.count = ARRAY_SIZE(realign_values),
	.expected = "0, 1 or trap",
	.preset = REALIGN_ON,
};

module_param_cb(realign, &choice_ops, &realign, 0644);
MODULE_PARM_DESC(realign,
		 "Sub-page BARs that share a page: 1 moves them (default); 0 leaves them, and gives only BARs that are alone on a page that page; trap gives none a page and lets none be mapped. With exceptions: VALUE[,VALUE@DEVICE]... Read at bind.");

static const char * const bar_size_values[] = { "page", "exact" };

static struct choice bar_size = {
	.values = bar_size_values,
	.count = ARRAY_SIZE(bar_size_values),
	.expected = "page or exact",
};

module_param_cb(bar_size, &choice_ops, &bar_size, 0644);
MODULE_PARM_DESC(bar_size,
		 "Size that region info gives for a BAR with a page of its own: page (default), exact (what the device decodes; sizing it in config space still gives a page). With exceptions: VALUE[,VALUE@DEVICE]... Read at bind.");

static char align_for[256];

static int align_for_set(const char *val, const struct kernel_param *kp)
{
	size_t length = strcspn(val, "\n");

	if (length >= sizeof(align_for)) {
		pr_err("%s: align_for: longer than %zu characters; name fewer drivers\n",
		       KBUILD_MODNAME, sizeof(align_for) - 1);
		return -ENOSPC;
	}

	memcpy(align_for, val, length);
	align_for[length] = '\0';
	return 0;
}

static int align_for_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", align_for);
}

static const struct kernel_param_ops align_for_ops = {
	.set = align_for_set,
	.get = align_for_get,
};

module_param_cb(align_for, &align_for_ops, NULL, 0644);
MODULE_PARM_DESC(align_for,
		 "Drivers, with commas, whose devices get a page for each sub-page BAR right before they are probed, for software that takes only vfio-pci (default: none).");

bool subpage_option_enable_sriov;
module_param_named(enable_sriov, subpage_option_enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov,
		 "Let sriov_numvfs create virtual functions of a bound physical function, whose user-space driver must support that (default: no).");

static bool nointxmask;
module_param(nointxmask, bool, 0644);
MODULE_PARM_DESC(nointxmask,
		 "Do not use PCI 2.3 INTx masking (default: no). Read at bind.");

static bool disable_vga;
module_param(disable_vga, bool, 0444);
MODULE_PARM_DESC(disable_vga, "Deny access to VGA's legacy ranges (default: no). Read at bind.");

static bool disable_idle_d3;
module_param(disable_idle_d3, bool, 0644);
MODULE_PARM_DESC(disable_idle_d3,
		 "Keep a device awake (D0) while nobody has it open (default: no). Read at bind.");

bool subpage_option_disable_denylist;
module_param_named(disable_denylist, subpage_option_disable_denylist, bool, 0444);
MODULE_PARM_DESC(disable_denylist,
		 "Accept devices with known errata exploitable from user space (default: no).");

void subpage_options_for(struct pci_dev *pdev, struct subpage_options *options)
{
	kernel_param_lock(THIS_MODULE);
	options->msix_mmap = choice_for(&msix_mmap, pdev);
	options->msix_relocate = choice_for(&msix_relocate, pdev);
	options->realign = choice_for(&realign, pdev);
	options->exact_size = choice_for(&bar_size, pdev);
	options->nointxmask = nointxmask;
	options->disable_vga = disable_vga;
	options->disable_idle_d3 = disable_idle_d3;
	kernel_param_unlock(THIS_MODULE);
}

bool subpage_option_align_for(const char *driver)
{
	size_t length = strlen(driver);
	const char *at;
	bool listed = false;

	/* Called before each probe in the system: takes no lock where the option is not set. */
	if (!*align_for)
		return false;

	kernel_param_lock(THIS_MODULE);
	for (at = align_for; *at && !listed; at += strspn(at, ",")) {
		listed = strcspn(at, ",") == length && !strncmp(at, driver, length);
		at += strcspn(at, ",");
	}
	kernel_param_unlock(THIS_MODULE);

	return listed;
}
