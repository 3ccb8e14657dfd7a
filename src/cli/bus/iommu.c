// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>

#include "bus/file.h"
#include "bus/iommu.h"

/* Is there one, of whatever kind or of those that group late? */
static bool has_iommu(bool late)
{
	DIR *dir = opendir("/sys/class/iommu");
	struct dirent *entry;
	bool has = false;

	while (dir && !has && (entry = readdir(dir)))
		has = entry->d_name[0] != '.' &&
		      !(late && (!strncmp(entry->d_name, "dmar", 4) || !strncmp(entry->d_name, "ivhd", 4)));
	if (dir)
		closedir(dir);
	return has;
}

bool iommu_is_on(void)
{
	DIR *dir = opendir("/sys/kernel/iommu_groups");
	struct dirent *entry;
	bool has = has_iommu(false);

	/* Those of POWER have no class. */
	while (dir && !has && (entry = readdir(dir)))
		has = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return has;
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
		if (other != device && other->group >= 0 && other->group == device->group &&
		    device_blocks_group(other))
			return other;
	return NULL;
}
