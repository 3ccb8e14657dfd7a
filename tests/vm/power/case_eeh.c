// SPDX-License-Identifier: GPL-2.0-only
/*
 * A moved BAR survives EEH: whatever reset the user asks for, EEH restores the
 * BAR to where it is now, not to where it was when the kernel booted.
 */
#include <endian.h>
#include <sys/mman.h>

#include "cases.h"
#include "eeh.h"
#include "vfio.h"
#include "zoo.h"

#define COMMAND 0x04
#define COMMAND_MEMORY 0x2
#define BAR(n) (0x10 + 4 * (n))
#define BAR_64 0x4
#define FAULT_REGISTER "32"	/* of src/driver/fault.h */

/* One BAR of an open device, as it was before the first reset. */
struct subject {
	struct zoo_bar at;
	struct vfio vfio;
	volatile uint32_t *reg;
	void *map;
	uint64_t start;
	uint32_t words[2];
	uint32_t value;
};

static bool is_64(const struct subject *s)
{
	return s->words[0] & BAR_64;
}

static void read_words(const struct zoo_bar *at, uint32_t words[2])
{
	words[0] = pci_config_read(&at->dev, BAR(at->bar), 4);
	words[1] = words[0] & BAR_64 ? pci_config_read(&at->dev, BAR(at->bar) + 4, 4) : 0;
}

/* All devices of a group share what the first one was opened with. */
static bool open_subject(struct subject *s, const struct subject *first)
{
	if (s == first) {
		if (!is_errno(vfio_open(&s->at.dev, &s->vfio), 0, "%s: opened", s->at.name))
			return false;
	} else {
		s->vfio = first->vfio;
		s->vfio.device = vfio_device(&first->vfio, &s->at.dev);
		if (!ok(s->vfio.device >= 0, "%s: opened with its group", s->at.name))
			return false;
	}
	if (!is_errno(vfio_map(&s->vfio, s->at.bar, 0, sysconf(_SC_PAGESIZE), &s->map), 0,
		      "%s: BAR %d is mapped", s->at.name, s->at.bar))
		return false;
	s->reg = (void *)((char *)s->map + s->at.reg);
	s->start = zoo_address(&s->at);
	read_words(&s->at, s->words);
	s->value = le32toh(*s->reg);
	diag("%s %s BAR %d: %s, %d-bit, %08x at %#llx, the register holds %#x", s->at.dev.bdf, s->at.name,
	     s->at.bar, zoo_sysfs(&s->at, "state"), is_64(s) ? 64 : 32, s->words[0],
	     (unsigned long long)s->start, s->value);
	/* What reads when nothing answers must not pass for the register. */
	return ok(s->value != 0 && s->value != 0xffffffff, "%s: the register tells something", s->at.name);
}

/* The kernel assigned the address when the BAR was claimed; compare the bus side too. */
static void check_bar(const struct subject *s)
{
	uint32_t words[2];

	read_words(&s->at, words);
	is_u64(words[0], s->words[0], "%s: BAR register %d is where the resource is", s->at.name, s->at.bar);
	if (is_64(s))
		is_u64(words[1], s->words[1], "%s: and its upper half", s->at.name);
	is_u64(zoo_address(&s->at), s->start, "%s: the resource has not moved", s->at.name);
	is_u64(le32toh(*s->reg), s->value, "%s: the mapping shows the register at once", s->at.name);
}

static void check_register(const struct subject *s)
{
	uint32_t command, value = 0;

	/* What a guest does after a reset. VFIO takes mappings away when decode goes off. */
	vfio_read32(&s->vfio, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, &command);
	vfio_write32(&s->vfio, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, command & 0xffff & ~COMMAND_MEMORY);
	vfio_write32(&s->vfio, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, (command & 0xffff) | COMMAND_MEMORY);
	is_u64(le32toh(*s->reg), s->value, "%s: the same through the mapping, made anew", s->at.name);
	is_errno(vfio_read32(&s->vfio, s->at.bar, s->at.reg, &value), 0, "%s: read trapped", s->at.name);
	is_u64(value, s->value, "%s: the same through read()", s->at.name);
}

static void reset_pe(const struct vfio *vfio, int op)
{
	is_errno(eeh_op(vfio, op), 0, "it begins");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_RESET_DEACTIVATE), 0, "its end");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_CONFIGURE), 0, "the PE is configured");
}

static void reset(struct subject *subjects, int count, int op, const char *name)
{
	int i;

	about("%s reset", name);
	reset_pe(&subjects->vfio, op);
	is_u64(eeh_op(&subjects->vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_NORMAL, "its state is normal");
	/* First all BARs as EEH left them: any write to COMMAND has VFIO restore BARs too. */
	for (i = 0; i < count; i++)
		check_bar(&subjects[i]);
	for (i = 0; i < count; i++)
		check_register(&subjects[i]);
	for (i = 0; i < count; i++)
		ok(zoo_claimed(&subjects[i].at), "%s: the claim stands", subjects[i].at.name);
}

/* Bind in that order, and reset the PE that all of them are in. */
static void check_group(struct subject *subjects, int count, const char *const *states)
{
	int i, round;

	about("%s and %s", subjects[0].at.name, subjects[1].at.name);
	for (i = 0; i < count; i++) {
		is_errno(pci_bind(&subjects[i].at.dev, OURS), 0, "%s: bound", subjects[i].at.name);
		is_str(zoo_sysfs(&subjects[i].at, "state"), states[i], "%s: %s", subjects[i].at.name, states[i]);
	}
	for (i = 0; i < count; i++)
		if (!open_subject(&subjects[i], subjects))
			return;
	is_errno(eeh_op(&subjects->vfio, VFIO_EEH_PE_ENABLE), 0, "the user takes EEH over");
	for (round = 0; round < 2; round++) {
		about("round %d", round + 1);
		reset(subjects, count, VFIO_EEH_PE_RESET_HOT, "hot");
		reset(subjects, count, VFIO_EEH_PE_RESET_FUNDAMENTAL, "fundamental");
	}
	for (i = count - 1; i >= 0; i--) {
		munmap(subjects[i].map, sysconf(_SC_PAGESIZE));
		if (i)
			close(subjects[i].vfio.device);
		else
			vfio_close(&subjects[i].vfio);
	}
	for (i = 0; i < count; i++)
		pci_bind(&subjects[i].at.dev, "");
}

/* A bind that fails moves its BARs there and back; EEH must not know them where they were meanwhile. */
static void check_undone(struct subject *subjects, int count)
{
	uint32_t words[2];
	struct vfio vfio;
	int i;

	about("a bind that failed");
	/* Placed anew, they share a page again. */
	for (i = 0; i < count; i++)
		pci_remove(&subjects[i].at.dev);
	pci_rescan();
	is_errno(module_set("fault_points", "%s", FAULT_REGISTER), 0, "VFIO takes no device");
	for (i = 0; i < count; i++) {
		struct subject *s = &subjects[i];

		s->start = zoo_address(&s->at);
		read_words(&s->at, s->words);
		ok(!zoo_stock_maps(&s->at), "%s: its BAR shares its page", s->at.name);
		is_errno(pci_bind(&s->at.dev, OURS), -EIO, "%s: not bound", s->at.name);
		is_u64(zoo_address(&s->at), s->start, "%s: its BAR is where it was", s->at.name);
	}
	is_errno(module_set("fault_points", "0"), 0, "VFIO takes devices again");
	for (i = 0; i < count; i++)
		is_errno(pci_bind(&subjects[i].at.dev, "vfio-pci"), 0, "%s: stock vfio-pci has it",
			 subjects[i].at.name);
	if (!is_errno(vfio_open(&subjects->at.dev, &vfio), 0, "it is opened"))
		return;
	is_errno(eeh_op(&vfio, VFIO_EEH_PE_ENABLE), 0, "the user takes EEH over");
	reset_pe(&vfio, VFIO_EEH_PE_RESET_HOT);
	for (i = 0; i < count; i++) {
		read_words(&subjects[i].at, words);
		is_u64(words[0], subjects[i].words[0], "%s: BAR register %d is where the resource is",
		       subjects[i].at.name, subjects[i].at.bar);
	}
	vfio_close(&vfio);
	for (i = 0; i < count; i++)
		pci_bind(&subjects[i].at.dev, "");
}

static bool pick(const struct zoo_bar *bars, int count, const char *name, struct subject *s)
{
	int i;

	for (i = 0; i < count; i++) {
		if (strcmp(bars[i].name, name))
			continue;
		s->at = bars[i];
		return true;
	}
	return ok(false, "the machine has a %s", name);
}

MODULE_CASE(eeh, "")
{
	static const char * const moved[] = { "moved", "moved" };
	/* The second one is left alone at the start of the page that they shared. */
	static const char * const sibling_in_place[] = { "moved", "in_place" };
	static struct zoo_bar bars[ZOO_MAX];
	struct subject small[2] = {}, large[2] = {};
	int count;

	if (!ok(eeh_enabled(), "EEH is enabled"))
		return;
	count = zoo_list(bars);
	if (!pick(bars, count, "sdhci", &small[0]) || !pick(bars, count, "rtl8139", &small[1]) ||
	    !pick(bars, count, "qemu-xhci", &large[0]) || !pick(bars, count, "nvme", &large[1]))
		return;
	diag("32-bit BARs behind a bridge");
	check_group(small, 2, moved);
	ok(!is_64(&small[0]) && !is_64(&small[1]), "they were 32-bit BARs");
	diag("64-bit BARs of two functions");
	check_group(large, 2, sibling_in_place);
	ok(is_64(&large[0]) && is_64(&large[1]), "they were 64-bit BARs");
	check_undone(small, 2);
}
