// SPDX-License-Identifier: GPL-2.0-only
/*
 * DPDK, unmodified, takes devices from vfio-pci alone: testpmd on two network cards that are on one wire,
 * with stock vfio-pci, after a hand-over, and with align_for=vfio-pci. What one card sends the other
 * receives and sends back.
 */
#include "cases.h"
#include "image.h"
#include "zoo.h"

#define OUTPUT "/tmp/testpmd"
#define CARDS 2

/* It starts within a few seconds, and goes on until it is stopped. */
#define SECONDS 15

static struct zoo_bar bars[ZOO_MAX];
static struct pci_dev cards[CARDS];
static int count, card_count;

static void list_cards(void)
{
	int i;

	count = zoo_list_all(bars);
	card_count = 0;
	for (i = 0; i < count; i++) {
		if (strcmp(bars[i].name, "vmxnet3") && strcmp(bars[i].name, "e1000e"))
			continue;
		if (card_count < CARDS && (!card_count || strcmp(cards[0].bdf, bars[i].dev.bdf)) &&
		    (card_count < 2 || strcmp(cards[1].bdf, bars[i].dev.bdf)))
			cards[card_count++] = bars[i].dev;
	}
}

static int count_trapped(void)
{
	int trapped = 0, i;

	for (i = 0; i < count; i++)
		trapped += bars[i].size < (uint64_t)sysconf(_SC_PAGESIZE) && !zoo_stock_maps(&bars[i]);
	return trapped;
}

/* Its last statistics of each port. */
static bool has_passed(const char *said, const char *what)
{
	const char *last = NULL, *next = said;
	unsigned long long packets = 0;

	while ((next = strstr(next, what)))
		last = next++;
	if (last)
		sscanf(last + strlen(what), " %llu", &packets);
	diag("%s %llu", what, packets);
	return packets > 1000;
}

static void run(bool works)
{
	/* One processor for two threads. What the IOMMU of these machines can address ends below the usual places. */
	char *const argv[] = {
		"dpdk-testpmd", "--lcores", "0@0,1@0", "--no-huge", "-m", "128", "--base-virtaddr", "0x100000000",
		"-a", cards[0].bdf, "-a", cards[1].bdf, "--", "--tx-first", "--stats-period", "1",
		"--total-num-mbufs", "4096", NULL,
	};
	int status = image_run(argv, OUTPUT, SECONDS);
	char *said = file_slurp(OUTPUT, NULL);

	if (works) {
		if (!is_errno(status, -ETIMEDOUT, "testpmd runs until it is stopped"))
			diag("%s", said ? said : "");
		ok(said && has_passed(said, "RX-packets:") && has_passed(said, "TX-packets:"),
		   "packets go round between the cards");
	} else {
		ok(status != -ETIMEDOUT, "testpmd does not start (%d)", status);
		diag("%s", said ? said : "");
	}
	free(said);
}

static void bind_cards(const char *driver)
{
	int i;

	for (i = 0; i < card_count; i++)
		is_errno(pci_bind(&cards[i], driver), 0, "%s: %s", cards[i].bdf, *driver ? driver : "unbound");
}

static void with_stock(bool works)
{
	about("stock vfio-pci");
	bind_cards("vfio-pci");
	run(works);
	bind_cards("");
}

static void handed_over(void)
{
	about("handed over");
	is_errno(module_load(""), 0, "the module loads");
	bind_cards(OURS);
	bind_cards("vfio-pci");
	is_u64(count_trapped(), 0, "no BAR shares a page any more");
	run(true);
	bind_cards("");
	is_errno(module_unload(), 0, "the module unloads");
}

static void with_align_for(void)
{
	char text[32] = "";

	about("align_for=vfio-pci");
	is_errno(module_load("align_for=vfio-pci"), 0, "the module loads");
	/* The kernel ignores a parameter that a module does not have. */
	file_read("/sys/module/" OURS "/parameters/align_for", text, sizeof(text));
	is_str(text, "vfio-pci", "with the parameter");
	bind_cards("vfio-pci");
	is_u64(count_trapped(), 0, "no BAR shares a page any more");
	run(true);
	bind_cards("");
	is_errno(module_unload(), 0, "the module unloads");
}

CASE(testpmd)
{
	bool works;

	if (!is_errno(image_mount(), 0, "there is DPDK in the machine"))
		return;
	list_cards();
	if (!is_u64(card_count, CARDS, "there are two cards"))
		return;
	/* Neither card has a BAR below 4K. */
	works = sysconf(_SC_PAGESIZE) == 4096;
	ok(works == !count_trapped(), "%d BARs share a page: none on a host with 4K pages, some on others",
	   count_trapped());
	with_stock(works);
	handed_over();
	/* A BAR that was moved stays on its page until it is placed anew. */
	zoo_repack(bars, count);
	list_cards();
	ok(works == !count_trapped(), "after a rescan the BARs are as they were");
	with_align_for();
}
