// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bus/bar.h"
#include "bus/file.h"
#include "guest/vfio_user.h"
#include "print/output.h"

#define KVM_DEBUG "/sys/kernel/debug/kvm"

/* More than a sensible process has. */
#define COMMAND_LINE_MAX (1 << 20)
#define MAPPINGS_MAX 4096

/* As vfio-pci lays regions out in a device's file. */
#define REGION_SHIFT 40

/* What a process's open files tell while they are read. */
struct files {
	int groups, devices;	/* descriptors of groups; of devices got from them ... */
	int named;		/* ... of which the kernel tells the device */
	int *group;
};

static void add_device(struct vfio_user *user, const struct device *device, bool sure)
{
	struct held *held;

	for_each(held, user->held, user->devices)
		if (held->device == device) {
			held->sure |= sure;
			return;
		}
	*grow(user->held, user->devices) = (struct held) { device, sure };
}

/* The file's name depends on the reader's root directory; its number does not. */
static void add_node(const struct bus *bus, dev_t number, struct vfio_user *user, struct files *files)
{
	char path[64], target[PATH_MAX], *end;
	const struct device *device;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(number), minor(number));
	if (!realpath(path, target))
		return;
	end = strstr(target, "/vfio-dev/");
	if (end) {
		*end = '\0';
		device = bus_device_at(bus, strrchr(target, '/') + 1);
		if (device)
			add_device(user, device, true);
	}
	/* "virtual/vfio/12", or "noiommu-12". */
	end = strstr(target, "/virtual/vfio/");
	if (end)
		*grow(files->group, files->groups) = atoi(end + strcspn(end, "0123456789"));
}

/* Kernels since 6.18 say which device an open file is, though not of a mapping. */
static void add_file(const struct bus *bus, struct vfio_user *user, const struct holder *file, struct files *files)
{
	const struct device *device;
	char path[PATH_MAX], *name;

	files->devices++;
	if (!file_value(path, sizeof(path), "vfio-device-syspath:", "/proc/%d/task/%d/fdinfo/%d", file->pid,
			file->thread, file->fd))
		return;
	name = strrchr(path, '/');
	device = name ? bus_device_at(bus, name + 1) : NULL;
	if (device) {
		add_device(user, device, true);
		files->named++;
	}
}

static void read_files(const struct bus *bus, const struct holders *holders, struct vfio_user *user,
		       struct files *files)
{
	const struct holder *file;

	for (file = holders->holder; file < holders->holder + holders->count; file++)
		if (file->pid != user->pid)
			continue;
		else if (S_ISCHR(file->type))
			add_node(bus, file->device, user, files);
		else if (!strcmp(file->path, VFIO_FILE))
			add_file(bus, user, file, files);
		else if (!strcmp(file->path, VM_FILE))
			user->vm = file->fd;
}

/*
 * Older kernels do not tell which devices of a group are open: all that VFIO drivers
 * have, if there are as many of them as open files, or those on the command line.
 */
static void add_group_devices(const struct bus *bus, struct vfio_user *user, const struct files *files)
{
	int i, before = user->devices, found = 0;
	const struct device *device;

	if (files->named == files->devices)
		return;
	for (i = 0; i < files->groups; i++)
		for_each(device, bus->device, bus->count) {
			if (device->group != files->group[i] || !device_is_vfio(device))
				continue;
			add_device(user, device, vfio_user_word_of(user, device));
			found++;
		}
	for (i = before; i < user->devices; i++)
		user->held[i].sure |= found == files->devices;
}

/*
 * Its command line, two 0 behind it. A process can make its own as long as it likes, of memory that reading makes real.
 */
static char *read_command_line(pid_t pid)
{
	char *text = allocate(NULL, COMMAND_LINE_MAX + 2);
	int length = file_read(text, COMMAND_LINE_MAX, "/proc/%d/cmdline", pid);

	memcpy(text + (length > 0 ? length : 0), "\0", 2);
	return text;
}

const char *vfio_user_word_of(const struct vfio_user *user, const struct device *device)
{
	const char *address = device->address, *word;

	if (!strncmp(address, "0000:", strlen("0000:")))
		address += strlen("0000:");
	for (word = user->command_line; word && *word; word += strlen(word) + 1)
		if (strstr(word, address))
			return word;
	return NULL;
}

const char *vfio_user_next_word(const struct vfio_user *user, const char *after)
{
	const char *word;

	for (word = user->command_line; word && *word; word += strlen(word) + 1)
		if (!strcmp(word, after) && word[strlen(word) + 1])
			return word + strlen(word) + 1;
	return NULL;
}

static const struct device *find_cdev(const struct vfio_user *user, const char *path)
{
	const char *name = strrchr(path, '/');
	const struct held *held;
	char attribute[64];

	snprintf(attribute, sizeof(attribute), "vfio-dev/%.40s", name ? name + 1 : "-");
	for_each(held, user->held, user->devices)
		if (device_has(held->device, attribute))
			return held->device;
	return NULL;
}

/*
 * Since Linux 6.10 the offset of a mapping is the region's number and the offset in it. Before, it was the BAR's
 * address on the host, which tells the device, too.
 */
static void find_region(const struct vfio_user *user, struct mapping *mapping)
{
	uint64_t mask = sysconf(_SC_PAGESIZE) - 1;
	const struct held *held;
	int bar;

	for_each(held, user->held, user->devices)
		for (bar = 0; bar < BARS; bar++) {
			const struct device *device = held->device;
			const struct resource *res = &device->resource[bar];
			uint64_t start = res->start & ~mask, end = (res->start + res->size + mask) & ~mask;

			if ((mapping->device && mapping->device != device) || !bar_exists(device, bar) ||
			    !bar_has_address(device, bar) || mapping->offset < start || mapping->offset >= end)
				continue;
			*mapping = (struct mapping) { bar, mapping->offset - start, mapping->size, device };
			return;
		}
	mapping->region = mapping->offset >> REGION_SHIFT;
	mapping->offset &= (1ull << REGION_SHIFT) - 1;
}

static void read_mappings(struct vfio_user *user)
{
	struct lines maps = { 0 };

	while (next_line(&maps, "/proc/%d/maps", user->pid) && user->mappings < MAPPINGS_MAX) {
		unsigned long long start, end, offset;
		const struct device *device = NULL;
		struct mapping *mapping;
		int name = 0;

		if (sscanf(maps.line, "%llx-%llx %*s %llx %*s %*s %n", &start, &end, &offset, &name) < 3 || !name)
			continue;
		if (strstr(maps.line + name, "/vfio/devices/"))
			device = find_cdev(user, maps.line + name);
		else if (strcmp(maps.line + name, VFIO_FILE))
			continue;
		mapping = grow(user->mapping, user->mappings);
		*mapping = (struct mapping) { .offset = offset, .size = end - start, .device = device };
		find_region(user, mapping);
	}
	lines_end(&maps);
}

/*
 * Would a program map just that of the device? It maps a BAR whole, or all before and behind the pages of the
 * MSI-X table; and nothing that VFIO does not let be mapped.
 */
static bool fits(const struct bus *bus, const struct device *device, const struct mapping *mapping)
{
	uint64_t mask = sysconf(_SC_PAGESIZE) - 1, end = mapping->offset + mapping->size;
	bool starts = false, ends = false, may = true;
	const struct part *part;
	struct verdict verdict;

	if (mapping->region >= BARS || !bar_exists(device, mapping->region))
		return false;
	bar_judge(bus, device, mapping->region, &verdict);
	for_each(part, verdict.part, verdict.parts) {
		uint64_t part_end = (part->offset + part->size + mask) & ~mask;

		starts |= part->offset == mapping->offset;
		ends |= part_end == end;
		may &= part->mapped || part->offset >= end || part_end <= mapping->offset;
	}
	bar_verdict_free(&verdict);
	return starts && ends && may;
}

/*
 * A mapping of a file that came from a group does not tell the device. It is known where one alone has a BAR of that
 * length, and where there are as many such mappings as devices: then each has one.
 */
static void assign_mapping(const struct bus *bus, struct vfio_user *user, struct mapping *mapping)
{
	const struct device *fitting = NULL, *nth = NULL;
	int same = 0, before = 0, fit = 0;
	const struct mapping *other;
	const struct held *held;

	for_each(other, user->mapping, user->mappings)
		if (other->region == mapping->region && other->offset == mapping->offset &&
		    other->size == mapping->size) {
			same++;
			before += other < mapping;
		}
	for_each(held, user->held, user->devices)
		if (fits(bus, held->device, mapping)) {
			fitting = held->device;
			if (fit++ == before)
				nth = fitting;
		}
	if (fit == 1)
		mapping->device = fitting;
	else if (fit == same)
		mapping->device = nth;
	else if (!fit && user->devices == 1)
		mapping->device = user->held[0].device;
}

bool vfio_user_read(const struct bus *bus, const struct holders *holders, pid_t pid, struct vfio_user *user)
{
	struct files files = { 0 };
	struct mapping *mapping;
	char *valid, name[64];

	*user = (struct vfio_user) { .pid = pid, .vm = -1 };
	file_read(name, sizeof(name), "/proc/%d/comm", pid);
	valid = valid_text(name);
	snprintf(user->name, sizeof(user->name), "%s", valid);
	free(valid);
	read_files(bus, holders, user, &files);
	if (user->devices || files.groups)
		user->command_line = read_command_line(pid);
	add_group_devices(bus, user, &files);
	if (user->devices)
		read_mappings(user);
	for_each(mapping, user->mapping, user->mappings)
		if (!mapping->device)
			assign_mapping(bus, user, mapping);
	free(files.group);
	return user->devices;
}

void vfio_user_free(struct vfio_user *user)
{
	free(user->command_line);
	free(user->held);
	free(user->mapping);
}

enum mapped vfio_user_has_mapped(const struct bus *bus, const struct vfio_user *user,
				 const struct device *device, int bar, uint64_t offset,
				 uint64_t size)
{
	enum mapped found = MAPPED_NO;
	const struct mapping *mapping;

	for_each(mapping, user->mapping, user->mappings) {
		if ((int)mapping->region != bar || offset < mapping->offset ||
		    offset + size > mapping->offset + mapping->size)
			continue;
		if (mapping->device == device)
			return MAPPED_YES;
		if (!mapping->device && fits(bus, device, mapping))
			found = MAPPED_UNSURE;
	}
	return found;
}

/*
 * The directory of KVM's counters for a machine is called after the thread that made it, which may
 * have ended: "NUMBER-FD". Then it is one whose number no living thread has.
 */
static char *find_counters(const struct vfio_user *user)
{
	struct matches all = { 0 };
	char *found = NULL;
	const char *path;
	bool own = false;

	while (!own && (path = next_match(&all, KVM_DEBUG "/*-%d", user->vm))) {
		int thread = atoi(path + strlen(KVM_DEBUG "/"));

		own = file_exists("/proc/%d/task/%d", user->pid, thread);
		if (!own && (found || file_exists("/proc/%d", thread)))
			continue;
		free(found);
		found = format("%s", path);
	}
	matches_end(&all);
	return found;
}

int64_t vfio_user_mmio_exits(const struct vfio_user *user)
{
	/* x86 and POWER count in one, arm64 those that user space had to serve. */
	static const char * const counter[] = { "mmio_exits", "mmio_exit_user" };
	char text[32], *directory;
	int err = -ENOENT;
	size_t i;

	if (user->vm < 0)
		return -ENOENT;
	if (access(KVM_DEBUG, X_OK))
		return -errno;
	directory = find_counters(user);
	for (i = 0; i < COUNT(counter) && directory && err < 0; i++)
		err = file_read(text, sizeof(text), "%s/%s", directory, counter[i]);
	free(directory);
	if (err < 0)
		return err == -ENOENT ? -ENODATA : err;
	return strtoll(text, NULL, 10);
}
