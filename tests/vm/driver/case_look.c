// SPDX-License-Identifier: GPL-2.0-only
/* What a person can look at: sysfs, the log, tracepoints. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "cases.h"
#include "log.h"
#include "msix_table.h"
#include "trace.h"
#include "vfio.h"
#include "zoo.h"

#define REALIGN_OFF "trapped, it shares its page and realign=0 forbids moving it"

static bool has_file(const struct pci_dev *dev, const char *name, mode_t *mode)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/" OURS "/%s", dev->bdf, name);
	if (stat(path, &st))
		return false;
	*mode = st.st_mode & 0777;
	return true;
}

/* original: where a BAR was that has moved; 0 for one that has not. */
static void check_bar_files(const struct zoo_bar *at, const char *state, const char *reason, uint64_t original)
{
	static const char * const names[] = { "state", "reason", "size" };
	char name[32];
	mode_t mode = 0;
	size_t i;

	about("%s", state);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "bar%d_%s", at->bar, names[i]);
		ok(has_file(&at->dev, name, &mode) && mode == 0444, "%s: all may read it, none write", name);
	}
	snprintf(name, sizeof(name), "bar%d_state", at->bar == 5 ? 4 : at->bar + 1);
	ok(!has_file(&at->dev, name, &mode), "no %s, of a BAR that is not there", name);
	ok(!has_file(&at->dev, "msix_bar", &mode) && !has_file(&at->dev, "msix_state", &mode) &&
	   !has_file(&at->dev, "msix_reason", &mode), "nothing of MSI-X, which it has not");
	is_str(zoo_sysfs(at, "state"), state, "state");
	is_str(zoo_sysfs(at, "reason"), reason, "reason");
	snprintf(name, sizeof(name), "bar%d_original", at->bar);
	is_u64(has_file(&at->dev, name, &mode), original != 0, "%s, of a BAR that has moved alone", name);
	ok(!original || mode == 0444, "%s: none may write it", name);
	is_u64(strtoull(zoo_sysfs(at, "original"), NULL, 0), original, "original");
	is_u64(strtoull(zoo_sysfs(at, "size"), NULL, 10), at->size, "size");
	is_str(zoo_sysfs(at, "page"), "", "nothing that the file \"resource\" says, too");
}

/* One line a BAR, complete in itself, and nothing else from this driver. */
static void check_log(const struct zoo_bar *at, int mark, const char *says)
{
	char start[64], size[32], *log = log_since(mark);

	snprintf(size, sizeof(size), ": %llu bytes, ", (unsigned long long)at->size);
	is_u64(log_count(log, size), 1, "and how long it is, beside \"%s\"", says);
	snprintf(start, sizeof(start), OURS " %s: BAR %d", at->dev.bdf, at->bar);
	is_u64(log_count(log, says), 1, "the log says once \"%s\"", says);
	/* The PCI core says "assigned" under this driver's name. */
	is_u64(log_count(log, start) - log_count(log, ": assigned"), 1,
	       "and no other line is for the BAR than \"%s\"", says);
	free(log);
}

static void look_at_bars(struct zoo_bar *at)
{
	char trapped[96], claim[128], info[128], *trace;
	struct vfio_region_info region;
	uint64_t before = zoo_address(at);
	struct vfio vfio;
	int mark;

	about("a BAR");
	module_set("realign", "0");
	mark = log_mark();
	trace_start();
	pci_bind(&at->dev, OURS);
	check_bar_files(at, "realign_off", REALIGN_OFF, 0);
	check_log(at, mark, REALIGN_OFF);
	pci_bind(&at->dev, "");
	module_set("realign", "1");

	free(log_since(mark));
	pci_bind(&at->dev, OURS);
	check_bar_files(at, "moved", "moved to a page of its own", before);
	check_log(at, mark, "moved to a page of its own, from ");
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened")) {
		vfio_info(&vfio, at->bar, &region);
		vfio_close(&vfio);
	}
	snprintf(trapped, sizeof(trapped), "subpage_claim: %s bar=%d state=realign_off was=%#llx", at->dev.bdf,
		 at->bar, (unsigned long long)before);
	snprintf(claim, sizeof(claim), "subpage_claim: %s bar=%d state=moved was=%#llx now=%#llx", at->dev.bdf,
		 at->bar, (unsigned long long)before, (unsigned long long)zoo_address(at));
	snprintf(info, sizeof(info), "subpage_region_info: %s bar=%d offset=0x0 length=%#lx flags=0x7", at->dev.bdf,
		 at->bar, sysconf(_SC_PAGESIZE));
	trace = trace_end();
	trace_has(trace, trapped);
	trace_has(trace, claim);
	trace_has(trace, info);
	free(trace);
	pci_bind(&at->dev, "");

	is_u64(log_lines(mark, ": BAR"), 0, "while it is open and as it is unbound, the log says nothing of it");
	pci_bind(&at->dev, OURS);
	check_bar_files(at, "in_place", "alone on its page", 0);
	check_log(at, mark, "bytes, alone on its page\n");
	pci_bind(&at->dev, "");
	close(mark);
}

static void look_at_msix(void)
{
	static const char * const names[] = { "msix_bar", "msix_state", "msix_reason" };
	char text[256], refused[2][96], *trace;
	struct msix_table table;
	struct pci_dev nvme;
	struct vfio vfio;
	long page = sysconf(_SC_PAGESIZE);
	mode_t mode = 0;
	void *map;
	size_t i;

	about("MSI-X");
	if (!ok(!pci_find(NVME, 0, &nvme), "there is an NVMe") ||
	    !ok(msix_table_find(&nvme, &table), "it has a table"))
		return;
	module_set("msix_mmap", "never");
	trace_start();
	pci_bind(&nvme, OURS);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ok(has_file(&nvme, names[i], &mode) && mode == 0444, "%s: all may read it, none write",
		   names[i]);
	pci_attr_read(&nvme, OURS "/msix_bar", text, sizeof(text));
	is_str(text, "0", "the table's BAR");
	pci_attr_read(&nvme, OURS "/msix_state", text, sizeof(text));
	is_str(text, "hidden", "its state");
	pci_attr_read(&nvme, OURS "/msix_reason", text, sizeof(text));
	is_str(text, "hidden from mmap, msix_mmap=never", "why");
	if (is_errno(vfio_open(&nvme, &vfio), 0, "opened")) {
		ok(vfio_map(&vfio, 0, 0, table.hole_end, &map), "mapping over the table is refused");
		ok(vfio_map(&vfio, 0, table.hole_start, page, &map), "so is its page alone");
		vfio_close(&vfio);
	}
	snprintf(refused[0], sizeof(refused[0]), "subpage_mmap_refused: %s bar=0 offset=0x0 length=%#llx", nvme.bdf,
		 (unsigned long long)table.hole_end);
	snprintf(refused[1], sizeof(refused[1]), "subpage_mmap_refused: %s bar=0 offset=%#llx length=%#lx", nvme.bdf,
		 (unsigned long long)table.hole_start, page);
	trace = trace_end();
	trace_has(trace, refused[0]);
	if (table.hole_start)
		trace_has(trace, refused[1]);
	free(trace);
	pci_bind(&nvme, "");
}

/* The short form of an address is for domain 0. */
static void check_short_form(void)
{
	char text[64];
	struct pci_dev nvme;

	if (pci_find(NVME, 0, &nvme))
		return;
	about("never@%s", nvme.bdf + 5);
	is_errno(module_set("msix_mmap", "isolated,never@%.15s", nvme.bdf + 5), 0, "the short form is taken");
	pci_bind(&nvme, OURS);
	pci_attr_read(&nvme, OURS "/msix_state", text, sizeof(text));
	is_u64(!strcmp(text, "hidden"), !strncmp(nvme.bdf, "0000", 4), "it is for domain 0 (%s is %s)", nvme.bdf, text);
	pci_bind(&nvme, "");
}

MODULE_CASE(look, "")
{
	static struct zoo_bar bars[ZOO_MAX];
	int count, i;

	count = zoo_list_packed(bars);
	/* One without MSI-X, which its own files are for, and with a neighbour. */
	for (i = 0; i < count; i++)
		if (zoo_other_device(&bars[i]) && !pci_capability(&bars[i].dev, 0x11))
			break;
	if (!ok(i < count, "there is a BAR that shares its page"))
		return;
	for (count--; count >= 0; count--)
		pci_bind(&bars[count].dev, "");
	look_at_bars(&bars[i]);
	look_at_msix();
	check_short_form();
}
