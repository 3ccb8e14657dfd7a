// SPDX-License-Identifier: GPL-2.0-only
/*
 * More BARs are held than lines fit on a page of the file that lists them, and their devices are bound and
 * unbound by four processes at the same time.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "cases.h"
#include "zoo.h"

#define HELD "/sys/bus/pci/drivers/" OURS "/held"
#define PROCESSES 4
#define MANY 256

static struct pci_dev devs[MANY];
static int count;

static int slot_of(const struct pci_dev *dev)
{
	return strtol(dev->bdf + strlen("0000:00:"), NULL, 16);
}

/*
 * Each process has every fourth slot. The functions of a slot are one IOMMU group, and when two of a group get their
 * first driver at the same moment Linux 6.1 makes the group twice, and warns (vfio_group_release()).
 */
static void bind_all(const char *driver, const char *text)
{
	int i, p, status, failed = 0;

	for (p = 0; p < PROCESSES; p++) {
		if (fork())
			continue;
		for (i = 0; i < count; i++)
			if (slot_of(&devs[i]) % PROCESSES == p && pci_bind(&devs[i], driver))
				_exit(1);
		_exit(0);
	}
	while (wait(&status) > 0)
		failed += !!status;
	is_u64(failed, 0, "%s", text);
}

/* A few bytes at a time, and from every place: as it is read at once? */
static bool reads_alike(const char *whole, size_t len)
{
	int fd = open(HELD, O_RDONLY | O_CLOEXEC);
	size_t at;
	char some[7];
	bool alike = fd >= 0;

	for (at = 0; alike && at <= len; at += 5) {
		size_t want = len - at < sizeof(some) ? len - at : sizeof(some);

		alike = pread(fd, some, sizeof(some), at) == (ssize_t)want && !memcmp(some, whole + at, want);
	}
	if (fd >= 0)
		close(fd);
	return alike;
}

MODULE_CASE(align_many, "align_for=" STOCK)
{
	struct wrong wrong = {}, shared = {};
	char *text, line[64];
	uint64_t page = sysconf(_SC_PAGESIZE);
	size_t len = 0;
	int i;

	while (count < MANY && !pci_find(SDHCI, count, &devs[count]))
		count++;
	/* Each is alone on a page already: a move takes its time where there are so many. */
	bind_all(STOCK, "all are bound by four processes");
	text = file_slurp(HELD, &len);
	if (!ok(text && len > page, "what the file lists is longer than a page: %zu bytes, %d devices", len, count))
		return;
	for (i = 0; i < count; i++) {
		struct pci_bar bar;

		snprintf(line, sizeof(line), "%.15s 0 256 " STOCK "\n", devs[i].bdf);
		if (!strstr(text, line))
			wrong_add(&wrong, "%s", devs[i].bdf);
		if (pci_bar(&devs[i], 0, &bar) || bar.size != page || bar.start % page)
			wrong_add(&shared, "%s", devs[i].bdf);
	}
	none_wrong(&wrong, "each has its line");
	none_wrong(&shared, "each is as long as a page and on one");
	is_u64(zoo_held_count(), count, "and there is no other line");
	ok(reads_alike(text, len), "however it is read, it says the same");
	free(text);
	bind_all("", "all are unbound");
	is_u64(zoo_held_count(), 0, "nothing is held");
	ok(!zoo_any_claim(), "and each has its true size");
}
