// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMMs and user-space drivers, by their own rules (consumer.c), make of each memory BAR:
 * with stock vfio-pci, with this driver, and handed over from it to vfio-pci, for which align_for= holds
 * the pages. Nowhere may it be less than with stock, and each must get all that its rules let it have.
 * With options that take something away, only those fail of which that is known.
 */
#include "cases.h"
#include "consumer.h"
#include "zoo.h"

#define CONSUMERS_MAX 16

enum way { WITH_STOCK, WITH_OURS, HANDED_OVER, TRAPPED, EXACT, HIDDEN, WAYS };

/* With a parameter of the module that is set while the devices are bound. */
static const struct {
	const char *name, *driver, *parameter, *value, *usual;
} ways[WAYS] = {
	[WITH_STOCK] = { STOCK, STOCK },
	[WITH_OURS] = { OURS, OURS },
	[HANDED_OVER] = { "handed over", STOCK, "align_for", STOCK, "\n" },
	[TRAPPED] = { "realign=trap", OURS, "realign", "trap", "1" },
	[EXACT] = { "bar_size=exact", OURS, "bar_size", "exact", "page" },
	[HIDDEN] = { "msix_mmap=never", OURS, "msix_mmap", "never", "isolated" },
};

static struct zoo_bar bars[ZOO_MAX];
static int count;

static struct cell {
	bool applies, can;	/* can: with the best answer of a kernel it maps something */
	bool is_64bit, table;
	bool shown;		/* with this driver it is this BAR, too, that shows the table */
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

static void set(enum way way, const char *value)
{
	if (ways[way].parameter)
		is_errno(module_set(ways[way].parameter, "%s", value), 0, "%s is %s", ways[way].parameter,
			 *value == '\n' ? "empty" : value);
}

static bool plays(const struct consumer *consumer, enum way way)
{
	return !consumer->vfio_pci_only || way == WITH_STOCK || way == HANDED_OVER;
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

static bool applies(const struct consumer *consumer, const struct consumer_bar *bar)
{
	switch (consumer->only) {
	case NVME_DEVICE:
		return bar->device == NVME_DEVICE && bar->index == 0;
	case VIRTIO_BLK_DEVICE:
		return bar->virtio.count > 0;
	default:
		return true;
	}
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

		cell->applies = applies(consumer, bar);
		cell->is_64bit = bar->is_64bit;
		if (way == WITH_STOCK)
			cell->table = bar->table.bar == bar->index;
		if (way == WITH_OURS)
			cell->shown = bar->table.bar == bar->index;
		if (!cell->applies || !plays(consumer, way))
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
	set(way, ways[way].value);
	if (!bind_all(ways[way].driver))
		return;
	set(way, ways[way].usual);
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

/* It fails, and did not with stock vfio-pci. */
static bool newly_fails(int i, int c, enum way way)
{
	return cells[i][c].applies && cells[i][c].result[way].failed && !cells[i][c].result[WITH_STOCK].failed;
}

static void check_options(int c)
{
	const struct consumer *consumer = &consumers[c];
	struct wrong fails = { 0 }, not_cured = { 0 };
	int i;

	if (consumer->vfio_pci_only)
		return;
	about("%s", consumer->name);
	for (i = 0; i < count; i++) {
		if (newly_fails(i, c, EXACT) && !consumer->fails_exact && !consumer->fails_longer)
			wrong_add(&fails, "%s BAR %d, bar_size=exact", bars[i].name, bars[i].bar);
		if (newly_fails(i, c, HIDDEN) && !consumer->fails_hidden && !consumer->fails_longer)
			wrong_add(&fails, "%s BAR %d, msix_mmap=never", bars[i].name, bars[i].bar);
		if (newly_fails(i, c, TRAPPED))
			wrong_add(&not_cured, "%s BAR %d", bars[i].name, bars[i].bar);
	}
	none_wrong(&fails, "where an option makes it fail, that is known");
	none_wrong(&not_cured, "with realign=trap it starts wherever it does with stock vfio-pci");
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
		bool known;

		if (!cell->applies)
			continue;
		known = consumer->fails_longer && is_subpage(&bars[i]);
		if ((is_less(handed, stock) && !known) ||
		    (!cell->table && !consumer->vfio_pci_only && differs(handed, ours)))
			wrong_add(&handed_over, "%s BAR %d: %llu bytes direct, with ours %llu, with stock %llu; %s",
				  bars[i].name, bars[i].bar, (unsigned long long)handed->direct,
				  (unsigned long long)ours->direct, (unsigned long long)stock->direct, handed->why);
		if (is_less(ours, stock) && !known)
			wrong_add(&worse, "%s BAR %d: %llu bytes direct, with stock %llu; %s",
				  bars[i].name, bars[i].bar, (unsigned long long)ours->direct,
				  (unsigned long long)stock->direct, ours->why);
		all++;
		if (cell->can && (ours->failed || ours->direct < cell->best) &&
		    !(consumer->shuns_table && cell->shown))
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
	none_wrong(&handed_over, "nor is one handed over; those without an MSI-X table are as with this driver");
	none_wrong(&worse, "no BAR%s is worse off than with stock vfio-pci",
		   consumer->fails_longer ? " of a page or more" : "");
	none_wrong(&missed, "each of %d BARs is mapped as far as its rules can", all);
	if (consumer->only)
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
			if (!all || !plays(&consumers[c], way))
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

/* Of BARs of any size. */
static void print_failing(void)
{
	char line[400];
	int i, c, len;
	enum way way;

	say("what does not start, and does with vfio-pci:");
	for (way = WITH_OURS; way < WAYS; way++) {
		for (c = 0; c < consumer_count; c++) {
			len = snprintf(line, sizeof(line), "%-20s %s:", ways[way].name, consumers[c].name);
			for (i = 0; i < count; i++)
				if (newly_fails(i, c, way) && len < (int)sizeof(line))
					len += snprintf(line + len, sizeof(line) - len, " %s %d", bars[i].name,
							bars[i].bar);
			if (line[strlen(line) - 1] != ':')
				say("%s", line);
		}
	}
}

MODULE_CASE(consumers, "")
{
	struct pci_dev disk;
	struct kvm kvm;
	enum way way;
	int c;

	if (!is_errno(kvm_open(&kvm), 0, "KVM, if it is there"))
		return;
#ifdef __aarch64__
	ok(kvm_is_real(&kvm), "memory slots are asked of a real KVM");
#endif
	/* The zoo leaves out disks that a driver has: this one is not the machine's own. */
	if (!pci_find(VIRTIO_BLK, 0, &disk))
		pci_unbind(&disk);
	count = zoo_list_all(bars);
#ifdef __x86_64__
	/* Its firmware gives each a page. */
	zoo_repack(bars, count);
	count = zoo_list_all(bars);
#endif
	for (way = 0; way < WAYS; way++)
		play(way, &kvm);
	bind_all("");
	for (c = 0; c < consumer_count; c++) {
		check(c);
		check_options(c);
	}
	print_bars();
	print_sums();
	print_failing();
	kvm_close(&kvm);
}
