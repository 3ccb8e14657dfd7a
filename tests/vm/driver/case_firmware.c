// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that the PCI core leaves where the firmware has put them, and which are not
 * to be moved by a driver, either: an interrupt controller that is switched on; and one
 * without a class, for which the core finds no address at all. And what nobody can
 * move: where the firmware says so, or where another range of the kernel's is around it.
 */
#include "cases.h"
#include "iomem.h"
#include "log.h"
#include "zoo.h"

#define CLASS 0x0a
#define CLASS_NONE 0x0000
#define CLASS_PIC 0x0800
#define COMMAND 0x04
#define COMMAND_IO 0x1
#define COMMAND_MEMORY 0x2

static struct zoo_bar bars[ZOO_MAX];
static int count;

/* The first BAR of a device of that class, which shares its page if it has one. */
static const struct zoo_bar *of_class(uint16_t class)
{
	int i;

	for (i = 0; i < count; i++)
		if (pci_config_read(&bars[i].dev, CLASS, 2) == class &&
		    (!zoo_address(&bars[i]) || zoo_other_device(&bars[i])))
			return &bars[i];
	return NULL;
}

static void decode(const struct pci_dev *dev, uint16_t on)
{
	uint16_t command = pci_config_read(dev, COMMAND, 2) & ~(COMMAND_IO | COMMAND_MEMORY);

	pci_config_write(dev, COMMAND, 2, command | on);
}

static void check_stays(const struct zoo_bar *at, uint16_t on, const char *what)
{
	uint64_t home = zoo_address(at);
	int mark = log_mark();

	about("%s", what);
	decode(&at->dev, on);
	is_errno(pci_bind(&at->dev, OURS), 0, "it is bound");
	is_str(zoo_sysfs(at, "state"), "fixed", "state in sysfs");
	is_u64(zoo_address(at), home, "it is where it was");
	ok(log_has(mark, "it shares its page and must not be moved"), "the log says why");
	pci_bind(&at->dev, "");

	/* What an option forbids could be had without it; this could not. */
	module_set("realign", "0");
	pci_bind(&at->dev, OURS);
	is_str(zoo_sysfs(at, "state"), "fixed", "state in sysfs with realign=0");
	pci_bind(&at->dev, "");
	module_set("realign", "1");
}

MODULE_CASE(firmware, "")
{
	const struct zoo_bar *pic, *none;

	count = zoo_list(bars);
	pic = of_class(CLASS_PIC);
	none = of_class(CLASS_NONE);
	if (!ok(pic && zoo_address(pic), "there is an interrupt controller whose BAR shares its page") ||
	    !ok(none, "and a device without a class"))
		return;
	check_stays(pic, COMMAND_MEMORY, "memory decode left on");
	check_stays(pic, COMMAND_IO, "I/O decode left on");
	decode(&pic->dev, 0);
	is_errno(pci_bind(&pic->dev, OURS), 0, "switched off, it is bound");
	is_str(zoo_sysfs(pic, "state"), "moved", "and is moved as others are");
	pci_bind(&pic->dev, "");

	is_u64(zoo_address(none), 0, "the PCI core has no address for the device without a class");
	is_errno(pci_bind(&none->dev, OURS), 0, "it is bound, too");
	is_str(zoo_sysfs(none, "state"), "unassigned", "it says so");
	is_u64(zoo_address(none), 0, "and still has none");
	pci_bind(&none->dev, "");
}

/* The firmware's ACPI tables say that what it has placed is to stay, and so are devices that are found later. */
MODULE_CASE(preserve, "")
{
	int i;

	count = zoo_list_packed(bars);
	for (i = 0; i < count && !zoo_other_device(&bars[i]); i++)
		;
	if (!ok(i < count, "there is a BAR that shares its page"))
		return;
	check_stays(&bars[i], COMMAND_MEMORY, "nothing may be placed anew");
}

/* The BAR's parent in the tree of resources is then no window of its bus. */
MODULE_CASE(reserved, "")
{
	const struct iomem_entry *own, *around;
	struct iomem map;
	struct pci_bar bar;

	count = zoo_list(bars);
	if (!is_u64(count, 1, "there is a BAR") ||
	    !is_errno(pci_bar(&bars[0].dev, bars[0].bar, &bar), 0, "at an address"))
		return;
	diag("BAR %d at %#llx", bars[0].bar, (unsigned long long)bar.start);
	iomem_read(&map);
	own = iomem_range(&map, bar.start, bar.start + bar.size - 1);
	around = own ? iomem_parent(&map, own) : NULL;
	ok(around && !strcmp(around->name, "Reserved"), "what is around it is reserved");
	iomem_free(&map);
	check_stays(&bars[0], COMMAND_MEMORY, "reserved");
}
