// SPDX-License-Identifier: GPL-2.0-only
#include "bus/file.h"
#include "bus/iommu.h"

/* Is there one, of whatever kind or of those that group late? */
static bool has_iommu(bool late)
{
	struct matches found = { 0 };
	bool has = false;
	const char *path;

	while (!has && (path = next_match(&found, "/sys/class/iommu/*")))
		has = !late || !(strstr(path, "/dmar") || strstr(path, "/ivhd"));
	matches_end(&found);
	return has;
}

bool iommu_is_on(void)
{
	struct matches groups = { 0 };
	/* Those of POWER have no class. */
	bool is = has_iommu(false) || next_match(&groups, "/sys/kernel/iommu_groups/*");

	matches_end(&groups);
	return is;
}

bool iommu_is_not_needed(void)
{
	char mode[8];

	return file_read(mode, sizeof(mode), "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") > 0 &&
	       *mode == 'Y';
}

bool iommu_may_group(const struct device *device)
{
	return device->group >= 0 || has_iommu(true) || iommu_is_not_needed();
}

const struct device *group_blocker(const struct bus *bus, const struct device *device, const struct device *from)
{
	const struct device *other = from ? from + 1 : bus->device;

	for (; other < bus->device + bus->count; other++)
		if (other != device && other->group >= 0 && other->group == device->group && device_blocks_group(other))
			return other;
	return NULL;
}
