// SPDX-License-Identifier: GPL-2.0-only
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "device.h"
#include "relocate.h"

/* How much of a BAR the device decodes. */
static u64 bar_length(const struct subpage_device *sdev, int bar)
{
	if (sdev->claims[bar].res)
		return subpage_claim_true_size(&sdev->claims[bar]);

	return pci_resource_len(sdev->core.pdev, bar);
}

static bool is_inside(const struct subpage_device *sdev, int bar, u64 end)
{
	return bar < PCI_STD_NUM_BARS &&
	       pci_resource_flags(sdev->core.pdev, bar) & IORESOURCE_MEM &&
	       end <= bar_length(sdev, bar);
}

static u64 common(u64 start, u64 end, u64 other_start, u64 other_end)
{
	start = max(start, other_start);
	end = min(end, other_end);
	return start < end ? end - start : 0;
}

/* Is there anything in a part of the table's BAR but the table and the pending bits? */
static bool holds_more(const struct subpage_device *sdev, const struct msix_relocation *to,
		       u64 start, u64 end)
{
	const struct msix_table *table = &sdev->msix;
	u64 known = common(start, end, table->offset, (u64)table->offset + table->size);

	if (to->pba_bar == table->bar)
		known += common(start, end, to->pba_offset, (u64)to->pba_offset + to->pba_size);
	return end - start > known;
}

/*
 * The first number above all BARs that the device has: drivers of some guests go by the order
 * of the BARs that they find. The register of a BAR that does not exist is 0; that of a BAR
 * that the PCI core had no room for still holds the old address.
 */
static int free_bar(struct pci_dev *pdev)
{
	int bar, next = 0;
	u32 value;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		unsigned long flags = pci_resource_flags(pdev, bar);

		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * bar, &value);
		if (flags || value)
			next = max(next, bar + (flags & IORESOURCE_MEM_64 ? 2 : 1));
	}

	return next < PCI_STD_NUM_BARS ? next : -1;
}

/* Why the table stays where it is, or NULL. */
static const char *obstacle(const struct subpage_device *sdev, const struct msix_relocation *to,
			    bool mappable)
{
	const struct msix_table *table = &sdev->msix;
	u64 end = (u64)table->offset + table->size;

	if (sdev->options.msix_relocate == RELOCATE_NEVER)
		return "msix_relocate=never";
	if (table->state == SUBPAGE_MSIX_HIDDEN)
		return "as it is hidden from mmap";
	if (table->state == SUBPAGE_MSIX_EEH)
		return "as guests under EEH use the device's own table";
	if (table->state != SUBPAGE_MSIX_ISOLATED)
		return "as nothing isolates the device's MSIs, so a guest must not reach it";
	if (!is_inside(sdev, table->bar, end) ||
	    !is_inside(sdev, to->pba_bar, (u64)to->pba_offset + to->pba_size))
		return "as the table or the pending bits lie outside the BARs";
	if (!mappable)
		return "as its BAR cannot be mapped";
	if (!holds_more(sdev, to, 0, bar_length(sdev, table->bar)))
		return "as its BAR holds nothing else";
	if (sdev->options.msix_relocate == RELOCATE_AUTO &&
	    !holds_more(sdev, to, round_down((u64)table->offset, PAGE_SIZE),
			round_up(end, PAGE_SIZE)))
		return "as it is alone on its pages (msix_relocate=always overrides)";

	return NULL;
}

static void show_in_free_bar(struct msix_relocation *to, int bar, u64 needed)
{
	to->bar = bar;
	to->reason = "which the device does not have";
	to->size = roundup_pow_of_two(max_t(u64, needed, PAGE_SIZE));
	if (bar + 1 < PCI_STD_NUM_BARS)
		to->flags = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
}

static void show_in_upper_half(struct subpage_device *sdev, struct msix_relocation *to, u64 needed)
{
	int bar = sdev->msix.bar;
	u64 length = pci_resource_len(sdev->core.pdev, bar);
	unsigned long flags = pci_resource_flags(sdev->core.pdev, bar);

	/* The table's offset has 32 bits, and twice the length must fit into the register. */
	if (length > (flags & IORESOURCE_MEM_64 ? SZ_2G : SZ_1G) || needed > length) {
		to->reason = "as no higher BAR is free, and its own is too long to be doubled";
		return;
	}
	if (sdev->options.exact_size) {
		to->reason = "as no higher BAR is free, and bar_size=exact keeps its own size";
		return;
	}

	to->bar = bar;
	to->doubled = true;
	to->reason = "which is shown twice as long";
	to->start = length;
	to->size = 2 * length;
	if (flags & IORESOURCE_MEM_64)
		to->flags |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (flags & IORESOURCE_PREFETCH)
		to->flags |= PCI_BASE_ADDRESS_MEM_PREFETCH;
}

static struct msix_relocation decide(struct subpage_device *sdev, bool mappable)
{
	struct msix_relocation to = { .bar = -1 };
	struct pci_dev *pdev = sdev->core.pdev;
	const struct msix_table *table = &sdev->msix;
	u32 location;
	int bar;

	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_PBA, &location);
	to.pba_bar = location & PCI_MSIX_PBA_BIR;
	to.pba_offset = location & PCI_MSIX_PBA_OFFSET;
	to.pba_size = round_up(table->size / PCI_MSIX_ENTRY_SIZE, 64) / 8;

	to.reason = obstacle(sdev, &to, mappable);
	if (to.reason)
		return to;

	bar = free_bar(pdev);
	if (bar >= 0)
		show_in_free_bar(&to, bar, table->size + to.pba_size);
	else
		show_in_upper_half(sdev, &to, table->size + to.pba_size);
	return to;
}

int subpage_relocate_describe(const struct subpage_device *sdev, char *buf, size_t size)
{
	const struct msix_relocation *to = &sdev->relocation;

	if (to->bar < 0)
		return scnprintf(buf, size, "where it is, %s", to->reason);

	return scnprintf(buf, size, "in BAR %d [%#llx-%#llx], %s", to->bar, to->start,
			 to->start + sdev->msix.size - 1, to->reason);
}

static void tell(struct subpage_device *sdev)
{
	char text[160];

	subpage_relocate_describe(sdev, text, sizeof(text));
	pci_info(sdev->core.pdev, "MSI-X table: users see it %s\n", text);
}

void subpage_relocate_init(struct subpage_device *sdev)
{
	const struct page_claim *claim;

	sdev->relocation.bar = -1;
	if (sdev->msix.state == SUBPAGE_MSIX_NONE)
		return;

	claim = &sdev->claims[min(sdev->msix.bar, PCI_STD_NUM_BARS - 1)];
	sdev->relocation = decide(sdev, !claim->res || subpage_claim_stands(claim));
	tell(sdev);
}

void subpage_relocate_open(struct subpage_device *sdev)
{
	struct msix_relocation was = sdev->relocation;
	struct msix_relocation *to = &sdev->relocation;
	int bar = sdev->msix.bar;

	if (sdev->msix.state == SUBPAGE_MSIX_NONE)
		return;

	*to = decide(sdev, bar < PCI_STD_NUM_BARS && sdev->core.bar_mmap_supported[bar]);
	if (to->doubled)
		memcpy(to->written, sdev->core.vconfig + PCI_BASE_ADDRESS_0 + 4 * bar,
		       bar + 1 < PCI_STD_NUM_BARS ? 8 : 4);
	if (to->bar != was.bar || to->start != was.start || to->reason != was.reason)
		tell(sdev);
}

bool subpage_relocate_covers(const struct subpage_device *sdev, loff_t position)
{
	const struct msix_relocation *to = &sdev->relocation;

	return to->bar >= 0 && VFIO_PCI_OFFSET_TO_INDEX(position) == to->bar &&
	       (position & VFIO_PCI_OFFSET_MASK) >= to->start;
}

static ssize_t read_ones(char __user *buf, size_t count)
{
	const u64 ones = ~0ull;
	size_t done, n;

	for (done = 0; done < count; done += n) {
		n = min(count - done, sizeof(ones));
		if (copy_to_user(buf + done, &ones, n))
			return -EFAULT;
	}

	return count;
}

ssize_t subpage_relocate_read(struct subpage_device *sdev, char __user *buf, size_t count,
			      loff_t *ppos)
{
	const struct msix_relocation *to = &sdev->relocation;
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;
	u64 pba = to->start + sdev->msix.size, pba_end = pba + to->pba_size;
	size_t done = 0, n;
	ssize_t ret;
	loff_t real;

	if (offset >= to->size)
		return -EINVAL;

	count = min_t(u64, count, to->size - offset);
	while (done < count) {
		n = count - done;
		if (offset < pba) {
			ret = read_ones(buf + done, min_t(u64, n, pba - offset));
		} else if (offset >= pba_end) {
			ret = read_ones(buf + done, n);
		} else if (offset % 4 || n < 4) {
			ret = read_ones(buf + done, min_t(u64, n, 4 - offset % 4));
		} else {
			real = VFIO_PCI_INDEX_TO_OFFSET(to->pba_bar) + to->pba_offset +
			       (offset - pba);
			n = min_t(u64, n, pba_end - offset);
			ret = vfio_pci_core_read(&sdev->core.vdev, buf + done, round_down(n, 4),
						 &real);
		}
		if (ret <= 0)
			return ret;
		done += ret;
		offset += ret;
	}

	*ppos += done;
	return done;
}

ssize_t subpage_relocate_write(struct subpage_device *sdev, size_t count, loff_t *ppos)
{
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;

	if (offset >= sdev->relocation.size)
		return -EINVAL;

	count = min_t(u64, count, sdev->relocation.size - offset);
	*ppos += count;
	return count;
}

static u32 register_start(const struct msix_relocation *to)
{
	return PCI_BASE_ADDRESS_0 + 4 * to->bar;
}

static u32 register_size(const struct msix_relocation *to)
{
	return to->flags & PCI_BASE_ADDRESS_MEM_TYPE_64 ? 8 : 4;
}

/* The bits below the length stay 0 whatever is written: that is how a BAR is sized. */
static u64 register_value(const struct msix_relocation *to)
{
	u64 value = 0;
	int i;

	for (i = 0; i < sizeof(to->written); i++)
		value |= (u64)READ_ONCE(to->written[i]) << (8 * i);

	return (value & ~(to->size - 1)) | to->flags;
}

/* Copy the part of a register of four bytes that lies in a buffer beginning at @offset. */
static int show_register(char __user *buf, size_t count, u64 offset, u32 at, u32 value)
{
	__le32 bytes = cpu_to_le32(value);
	u64 start = max_t(u64, offset, at), n = common(offset, offset + count, at, at + 4);

	if (n && copy_to_user(buf + (start - offset), (u8 *)&bytes + (start - at), n))
		return -EFAULT;
	return 0;
}

int subpage_relocate_config_read(const struct subpage_device *sdev, char __user *buf,
				 size_t count, u64 offset)
{
	const struct msix_relocation *to = &sdev->relocation;
	u32 cap = sdev->core.pdev->msix_cap, at = register_start(to);
	u64 value = register_value(to), pba = to->start + sdev->msix.size;
	int ret;

	if (to->bar < 0)
		return 0;

	ret = show_register(buf, count, offset, at, lower_32_bits(value));
	if (!ret && register_size(to) == 8)
		ret = show_register(buf, count, offset, at + 4, upper_32_bits(value));
	if (!ret)
		ret = show_register(buf, count, offset, cap + PCI_MSIX_TABLE, to->start | to->bar);
	if (!ret)
		ret = show_register(buf, count, offset, cap + PCI_MSIX_PBA, pba | to->bar);
	return ret;
}

bool subpage_relocate_register(const struct subpage_device *sdev, u64 offset)
{
	const struct msix_relocation *to = &sdev->relocation;

	return to->bar >= 0 && offset >= register_start(to) &&
	       offset - register_start(to) < register_size(to);
}

int subpage_relocate_config_write(struct subpage_device *sdev, const char __user *buf,
				  size_t count, u64 offset)
{
	struct msix_relocation *to = &sdev->relocation;
	u8 bytes[4];
	size_t i;

	if (copy_from_user(bytes, buf, count))
		return -EFAULT;

	for (i = 0; i < count; i++)
		WRITE_ONCE(to->written[offset - register_start(to) + i], bytes[i]);
	return 0;
}
