// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMMs and user-space drivers, by their own rules (consumer.c), make of each memory BAR:
 * with stock vfio-pci, with this driver, and handed over from it to vfio-pci, for which align_for= holds
 * the pages. Nowhere may it be less than with stock, and each must get all that its rules let it have.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "consumer.h"
#include "file.h"
#include "kmod.h"
#include "tap.h"
#include "zoo.h"

#define ALIGN_FOR "/sys/module/" OURS "/parameters/align_for"
#define CONSUMERS_MAX 16

enum way { WITH_STOCK, WITH_OURS, HANDED_OVER, WAYS };

static const struct {
	const char *name, *driver;
} ways[WAYS] = {
	[WITH_STOCK] = { "vfio-pci", "vfio-pci" },
	[WITH_OURS] = { "subpage_vfio_pci", "subpage_vfio_pci" },
	[HANDED_OVER] = { "handed over", "vfio-pci" },
};

static struct zoo_bar bars[ZOO_MAX];
static int count;

static struct cell {
	bool applies, can;	/* can: with the best answer of a kernel it maps something */
	bool is_64bit, table;
	struct consumer_result result[WAYS];
	uint64_t best;		/* bytes that are direct with the best answer */
} cells[ZOO_MAX][CONSUMERS_MAX];

static bool is_subpage(const struct zoo_bar *at)
{
	return at->size < (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The way in which it gets devices from this driver. */
static enum way own_way(const struct consumer *consumer)
{
	return consumer->vfio_pci_only ? HANDED_OVER : WITH_OURS;
}

static bool bind_all(const char *driver)
{
	bool good = true;
	int i;

	/* A group can be used when all of it is with VFIO. */
	for (i = 0; i < count; i++)
		if (zoo_first_of_device(bars, i))
			good &= is_errno(pci_bind(&bars[i].dev, driver), 0, "%s %s %s", bars[i].dev.bdf,
					 bars[i].name, *driver ? "is bound" : "is unbound");
	return good;
}

static void play_one(int i, const struct consumer_bar *bar, const struct vfio *vfio, struct kvm *kvm,
		     enum way way)
{
	const struct consumer_bar best = consumer_bar_best(bar);
	struct wrong values = { 0 };
	int c;

	for (c = 0; c < consumer_count; c++) {
		const struct consumer *consumer = &consumers[c];
		struct cell *cell = &cells[i][c];
		struct consumer_result *result = &cell->result[way];

		cell->applies = !consumer->nvme_only || (bar->nvme && bar->index == 0);
		cell->is_64bit = bar->is_64bit;
		cell->table = bar->table.bar == bar->index;
		if (!cell->applies || (way == WITH_OURS && consumer->vfio_pci_only))
			continue;
		*result = consumer_play(consumer, bar, vfio, kvm, bars[i].size, bars[i].reg);
		if (result->wrong)
			wrong_add(&values, "%s, %s", ways[way].name, consumer->name);
		if (way == WITH_OURS && *result->why)
			diag("%s, %s BAR %d: %s", consumer->name, bars[i].name, bars[i].bar, result->why);
		if (way == WITH_STOCK) {
			const struct consumer_result can =
				consumer_play(consumer, &best, NULL, NULL, bars[i].size, bars[i].reg);

			cell->can = !can.failed;
			cell->best = can.direct;
		}
	}
	none_wrong(&values, "its register reads the same in every mapping as through read()");
}

static void play(enum way way, struct kvm *kvm)
{
	struct consumer_bar bar;
	struct vfio vfio;
	int i;

	about("%s", ways[way].name);
	is_errno(file_write(ALIGN_FOR, way == HANDED_OVER ? STOCK "\n" : "\n"), 0, "align_for %s",
		 way == HANDED_OVER ? "names it" : "is empty");
	if (!bind_all(ways[way].driver))
		return;
	for (i = 0; i < count; i++) {
		about("%s %s BAR %d", bars[i].dev.bdf, bars[i].name, bars[i].bar);
		if (!is_errno(vfio_open(&bars[i].dev, &vfio), 0, "opened"))
			continue;
		if (is_errno(consumer_bar_read(&vfio, bars[i].bar, &bar), 0, "described"))
			play_one(i, &bar, &vfio, kvm, way);
		vfio_close(&vfio);
	}
}

static bool is_less(const struct consumer_result *result, const struct consumer_result *than)
{
	if (result->failed || than->failed)
		return result->failed && !than->failed;
	return result->direct < than->direct;
}

static bool differs(const struct consumer_result *a, const struct consumer_result *b)
{
	return a->failed != b->failed || a->direct != b->direct;
}

static void check(int c)
{
	const struct consumer *consumer = &consumers[c];
	enum way way = own_way(consumer);
	struct wrong worse = { 0 }, missed = { 0 }, plain_trapped = { 0 }, handed_over = { 0 };
	int gained = 0, plain = 0, all = 0, i;

	for (i = 0; i < count; i++) {
		const struct cell *cell = &cells[i][c];
		const struct consumer_result *stock = &cell->result[WITH_STOCK], *ours = &cell->result[way];
		const struct consumer_result *handed = &cell->result[HANDED_OVER];

		if (!cell->applies)
			continue;
		if (is_less(handed, stock) || (!cell->table && !consumer->vfio_pci_only && differs(handed, ours)))
			wrong_add(&handed_over, "%s BAR %d: %llu bytes direct, with ours %llu, with stock %llu; %s",
				  bars[i].name, bars[i].bar, (unsigned long long)handed->direct,
				  (unsigned long long)ours->direct, (unsigned long long)stock->direct, handed->why);
		if (is_less(ours, stock))
			wrong_add(&worse, "%s BAR %d: %llu bytes direct, with stock %llu; %s",
				  bars[i].name, bars[i].bar, (unsigned long long)ours->direct,
				  (unsigned long long)stock->direct, ours->why);
		all++;
		if (cell->can && (ours->failed || ours->direct < cell->best))
			wrong_add(&missed, "%s BAR %d: %llu bytes direct, it could have %llu; %s",
				  bars[i].name, bars[i].bar, (unsigned long long)ours->direct,
				  (unsigned long long)cell->best, ours->why);
		if (!is_subpage(&bars[i]))
			continue;
		gained += is_less(stock, ours);
		if (!cell->table && cell->can) {
			plain++;
			if (ours->direct != bars[i].size)
				wrong_add(&plain_trapped, "%s BAR %d", bars[i].name, bars[i].bar);
		}
	}
	about("%s", consumer->name);
	none_wrong(&handed_over, "handed over, none is, either, and BARs without an MSI-X table are as with this driver");
	none_wrong(&worse, "no BAR is worse off than with stock vfio-pci");
	none_wrong(&missed, "each of %d BARs is mapped as far as its rules can", all);
	if (consumer->nvme_only)
		return;
	/* Apart from what the rules can, by themselves: */
	none_wrong(&plain_trapped, "each sub-page BAR without an MSI-X table is mapped whole");
	ok(plain >= 2, "they are %d", plain);
	ok(gained >= 2, "%d sub-page BARs gain by it", gained);
}

static const char *word(int i, int c, enum way way)
{
	const struct consumer_result *result = &cells[i][c].result[way];

	if (result->failed)
		return "FAIL";
	if (!result->direct)
		return "trap";
	return result->direct == bars[i].size ? "map" : "part";
}

static void print_bars(void)
{
	char line[400], text[32];
	int i, c, len;

	say("with vfio-pci > with subpage_vfio_pci (DPDK, VPP: handed over to vfio-pci), where they differ:");
	len = snprintf(line, sizeof(line), "%-10s %3s %7s %4s %5s", "device", "BAR", "bytes", "bits", "MSI-X");
	for (c = 0; c < consumer_count; c++)
		len += snprintf(line + len, sizeof(line) - len, " %-11s", consumers[c].name);
	say("%s", line);
	for (i = 0; i < count; i++) {
		len = snprintf(line, sizeof(line), "%-10s %3d %7llu %4d %5s", bars[i].name, bars[i].bar,
			       (unsigned long long)bars[i].size, cells[i][0].is_64bit ? 64 : 32,
			       cells[i][0].table ? "table" : "");
		for (c = 0; c < consumer_count; c++) {
			const char *stock = word(i, c, WITH_STOCK), *ours = word(i, c, own_way(&consumers[c]));

			if (!cells[i][c].applies)
				text[0] = '\0';
			else if (!strcmp(stock, ours))
				snprintf(text, sizeof(text), "%s", ours);
			else
				snprintf(text, sizeof(text), "%s>%s", stock, ours);
			len += snprintf(line + len, sizeof(line) - len, " %-11s", text);
		}
		say("%s", line);
	}
}

static void print_sums(void)
{
	char line[400], text[32];
	int i, c, len, whole, failed, all;
	enum way way;

	say("sub-page BARs of which something is mapped, of how many; F: it does not start with so many:");
	len = snprintf(line, sizeof(line), "%-20s", "");
	for (c = 0; c < consumer_count; c++)
		len += snprintf(line + len, sizeof(line) - len, " %-11s", consumers[c].name);
	say("%s", line);
	for (way = 0; way < WAYS; way++) {
		len = snprintf(line, sizeof(line), "%-20s", ways[way].name);
		for (c = 0; c < consumer_count; c++) {
			whole = 0;
			failed = 0;
			all = 0;
			for (i = 0; i < count; i++) {
				if (!cells[i][c].applies || !is_subpage(&bars[i]))
					continue;
				all++;
				whole += cells[i][c].result[way].direct > 0;
				failed += cells[i][c].result[way].failed;
			}
			if (!all || (way == WITH_OURS && consumers[c].vfio_pci_only))
				snprintf(text, sizeof(text), "-");
			else if (failed)
				snprintf(text, sizeof(text), "%d/%d F%d", whole, all, failed);
			else
				snprintf(text, sizeof(text), "%d/%d", whole, all);
			len += snprintf(line + len, sizeof(line) - len, " %-11s", text);
		}
		say("%s", line);
	}
}

MODULE_CASE(consumers, "")
{
	struct kvm kvm;
	enum way way;
	int c;

	if (!is_errno(kvm_open(&kvm), 0, "KVM, if it is there"))
		return;
#ifdef __aarch64__
	ok(kvm_is_real(&kvm), "memory slots are asked of a real KVM");
#endif
	count = zoo_list_all(bars);
#ifdef __x86_64__
	/* Its firmware gives each a page. */
	zoo_repack(bars, count);
	count = zoo_list_all(bars);
#endif
	for (way = 0; way < WAYS; way++)
		play(way, &kvm);
	bind_all("");
	for (c = 0; c < consumer_count; c++)
		check(c);
	print_bars();
	print_sums();
	kvm_close(&kvm);
}
