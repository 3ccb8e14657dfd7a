// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bridge window without a free page: the bind succeeds, the BAR is trapped as
 * with stock vfio-pci, and nothing has changed.
 */
#include "cases.h"
#include "command.h"
#include "iomem.h"
#include "log.h"
#include "snapshot.h"
#include "zoo.h"

#define MEMORY_BASE_LIMIT 0x20

static bool is_page_free(const struct iomem *map, const struct iomem_entry *window, uint64_t page)
{
	const struct iomem_entry *entry;
	int i;

	for (i = 0; (entry = iomem_child(map, window, i)); i++)
		if (entry->start < page + sysconf(_SC_PAGESIZE) && entry->end >= page)
			return false;
	return true;
}

/* -1 if the BAR does not lie in the window of a bus below the root. */
static int count_free_pages(const struct zoo_bar *at)
{
	uint64_t start = zoo_address(at), page;
	const struct iomem_entry *window = NULL, *bar;
	struct iomem map;
	int n = -1;

	iomem_read(&map);
	bar = iomem_range(&map, start, start + at->size - 1);
	if (bar)
		window = iomem_parent(&map, bar);
	if (window) {
		diag("%s is in %#llx-%#llx %s", at->name, (unsigned long long)window->start,
		     (unsigned long long)window->end, window->name);
		n = 0;
		for (page = window->start; page < window->end; page += sysconf(_SC_PAGESIZE))
			n += is_page_free(&map, window, page);
	}
	iomem_free(&map);
	return n;
}

static bool find(struct zoo_bar *at)
{
	static struct zoo_bar bars[ZOO_MAX];
	const struct zoo_bar *found = zoo_named(bars, zoo_list(bars), "sdhci");

	if (found)
		*at = *found;
	return found;
}

/* What the command says of it. */
static void check_command(const struct zoo_bar *at)
{
	exits(cli("list --raw -o BAR,MAPPABLE,REASON_CODE %s", at->dev.bdf), OK, "list");
	shows_text("list", "\n%d no no_space\n", at->bar);
	exits(cli("list %s", at->dev.bdf), OK, "list for people");
	shows("the bridge window is full", "list for people");
	shows_text("list for people", "helps: boot with \"pci=realloc,resource_alignment=%d@%s\"\n",
		   __builtin_ctzl(sysconf(_SC_PAGESIZE)), at->dev.bdf);
	exits(cli("info --raw -o NAME,MMAP,BAR_STATE %s", at->dev.bdf), OK, "info");
	shows_text("info", "\nBAR\\x20%d 0 no_space\n", at->bar);
	exits(cli("info %s", at->dev.bdf), OK, "info for people");
	shows("sub-page: BAR no_space", "info for people");
}

MODULE_CASE(full, "")
{
	char *before;
	struct pci_dev bridge;
	struct zoo_bar at;
	struct vfio vfio;
	uint32_t value;
	void *map;
	int mark;

	cli_set_up();
	if (!is_errno(pci_find(PCI_BRIDGE, 0, &bridge), 0, "there is a bridge"))
		return;
	/* The firmware gave each BAR a page; a window closed to the kernel is sized anew. */
	pci_config_write(&bridge, MEMORY_BASE_LIMIT, 4, 0x0000fff0);
	pci_remove(&bridge);
	pci_rescan();
	if (!ok(find(&at), "there is a sub-page BAR behind it") ||
	    !is_u64(count_free_pages(&at), 0, "no page of the bridge window is free"))
		return;
	ok(!zoo_alone(&at), "and the BAR shares its page");
	/* The first user has the PCI core make the bridge a bus master, for good. */
	if (is_errno(pci_bind(&at.dev, "vfio-pci"), 0, "stock vfio-pci has it first") &&
	    is_errno(vfio_open(&at.dev, &vfio), 0, "and opens it"))
		vfio_close(&vfio);
	pci_bind(&at.dev, "");

	before = snapshot();
	mark = log_mark();
	is_errno(pci_bind(&at.dev, "subpage_vfio_pci"), 0, "the bind succeeds");
	is_u64(log_lines(mark, "bridge window is full"), 1, "one line of the log says why the BAR is trapped");
	is_str(zoo_sysfs(&at, "state"), "no_space", "state in sysfs");
	ok(snapshot_unchanged(before), "nothing has changed while it is bound");

	if (is_errno(vfio_open(&at.dev, &vfio), 0, "user space opens it")) {
		ok(!zoo_reported_mmap(&at, &vfio), "the BAR is not reported as mappable");
		is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), -EINVAL,
			 "mmap is refused");
		is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "it is read trapped");
		is_u64(value, 0x057834b4, "and the register is the controller's");
		vfio_close(&vfio);
	}
	check_command(&at);
	pci_bind(&at.dev, "");
	ok(snapshot_unchanged(before), "nor after it is unbound");
	free(before);
	close(mark);

	/* With one device gone there is a page. */
	if (is_errno(pci_find(TESTDEV, 0, &bridge), 0, "a neighbour with a page of its own")) {
		pci_remove(&bridge);
		is_errno(pci_bind(&at.dev, "subpage_vfio_pci"), 0, "bound with that one gone");
		is_str(zoo_sysfs(&at, "state"), "moved", "the BAR takes its place");
		ok(zoo_claimed(&at), "and has it alone");
		pci_bind(&at.dev, "");
	}
}
