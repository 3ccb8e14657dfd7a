// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

static struct device *find_device(const struct bus *bus, const char *address)
{
	int i;

	for (i = 0; i < bus->count; i++)
		if (!strcmp(bus->device[i].address, address))
			return &bus->device[i];
	return NULL;
}

static void add_device(struct vfio_user *user, const struct device *device, bool sure)
{
	int i;

	for (i = 0; i < user->devices; i++)
		if (user->held[i].device == device) {
			user->held[i].sure |= sure;
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
		device = find_device(bus, strrchr(target, '/') + 1);
		if (device)
			add_device(user, device, true);
		return;
	}
	end = strstr(target, "/virtual/vfio/");
	if (!end)
		return;
	end += strlen("/virtual/vfio/");
	if (!strncmp(end, "noiommu-", strlen("noiommu-")))
		end += strlen("noiommu-");
	*grow(files->group, files->groups) = atoi(end);
}

/* Kernels since 6.18 say which device an open file is, though not of a mapping. */
static void add_file(const struct bus *bus, struct vfio_user *user, const struct holder *file, struct files *files)
{
	const struct device *device;
	const char *slash;
	struct lines info = { 0 };

	files->devices++;
	while (next_line(&info, "/proc/%d/task/%d/fdinfo/%d", file->pid, file->thread, file->fd)) {
		if (strncmp(info.line, "vfio-device-syspath:", strlen("vfio-device-syspath:")))
			continue;
		slash = strrchr(info.line, '/');
		device = slash ? find_device(bus, slash + 1) : NULL;
		if (device) {
			add_device(user, device, true);
			files->named++;
		}
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
	int i, n, before = user->devices, found = 0;

	if (files->named == files->devices)
		return;
	for (i = 0; i < files->groups; i++)
		for (n = 0; n < bus->count; n++) {
			const struct device *device = &bus->device[n];

			if (device->group != files->group[i] || !device_is_vfio(device))
				continue;
			add_device(user, device, vfio_user_word_of(user, device));
			found++;
		}
	for (i = before; i < user->devices; i++)
		user->held[i].sure |= found == files->devices;
}

/*
 * Its command line, two 0 behind it. A process can make its own as long as it likes, of memory that
 * reading makes real.
 */
static char *read_command_line(pid_t pid)
{
	char *path = format("/proc/%d/cmdline", pid), *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	free(path);
	do {
		text = allocate(text, length + 4098);
		n = fd < 0 ? 0 : read(fd, text + length, 4096);
		length += n > 0 ? n : 0;
	} while (n > 0 && length < COMMAND_LINE_MAX);
	memcpy(text + length, "\0", 2);
	if (fd >= 0)
		close(fd);
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
	char attribute[64];
	int i;

	if (!name)
		return NULL;
	snprintf(attribute, sizeof(attribute), "vfio-dev/%.40s", name + 1);
	for (i = 0; i < user->devices; i++)
		if (device_has(user->held[i].device, attribute))
			return user->held[i].device;
	return NULL;
}

/* The held device whose BAR lies there on the host, with its number and the offset in it. */
static const struct device *find_address(const struct vfio_user *user, uint64_t address,
					 unsigned int *bar, uint64_t *offset)
{
	uint64_t mask = sysconf(_SC_PAGESIZE) - 1;
	int i, n;

	for (i = 0; i < user->devices; i++)
		for (n = 0; n < BARS; n++) {
			const struct resource *res = &user->held[i].device->resource[n];
			uint64_t start = res->start & ~mask;

			if (!bar_exists(user->held[i].device, n) || address < start ||
			    address >= ((res->start + res->size + mask) & ~mask))
				continue;
			*bar = n;
			*offset = address - start;
			return user->held[i].device;
		}
	return NULL;
}

/* Does any held device have so long a BAR of that number? */
static bool is_in_region(const struct vfio_user *user, uint64_t position)
{
	uint64_t page = sysconf(_SC_PAGESIZE), offset = position & ((1ull << REGION_SHIFT) - 1), size;
	unsigned int bar = position >> REGION_SHIFT;
	int i;

	for (i = 0; i < user->devices && bar < BARS; i++) {
		size = bar_exists(user->held[i].device, bar) ? user->held[i].device->resource[bar].size : 0;
		if (size && offset < (size < page ? page : size))
			return true;
	}
	return false;
}

/*
 * Before Linux 6.10 vfio-pci made a mapping's offset the BAR's address on the host, which
 * tells the device, too. Numbers of regions can look like addresses of two terabytes and
 * more, and the other way round; all mappings together leave little doubt.
 */
static bool are_addresses(const struct vfio_user *user)
{
	int i, addresses = 0, regions = 0;
	unsigned int bar;
	uint64_t offset;

	for (i = 0; i < user->mappings; i++) {
		regions += is_in_region(user, user->mapping[i].offset);
		addresses += !!find_address(user, user->mapping[i].offset, &bar, &offset);
	}
	return addresses > regions;
}

/* Until now the offset of each is what the kernel shows. */
static void find_regions(struct vfio_user *user)
{
	bool addresses = are_addresses(user);
	int i;

	for (i = 0; i < user->mappings; i++) {
		struct mapping *mapping = &user->mapping[i];
		const struct device *device = NULL;

		if (addresses)
			device = find_address(user, mapping->offset, &mapping->region, &mapping->offset);
		if (device) {
			mapping->device = device;
			continue;
		}
		mapping->region = mapping->offset >> REGION_SHIFT;
		mapping->offset &= (1ull << REGION_SHIFT) - 1;
	}
}

static void read_mappings(struct vfio_user *user)
{
	struct lines maps = { 0 };

	while (next_line(&maps, "/proc/%d/maps", user->pid) && user->mappings < MAPPINGS_MAX) {
		unsigned long long start, end, offset;
		const struct device *device = NULL;
		int name = 0;

		if (sscanf(maps.line, "%llx-%llx %*s %llx %*s %*s %n", &start, &end, &offset, &name) < 3 || !name)
			continue;
		if (strstr(maps.line + name, "/vfio/devices/"))
			device = find_cdev(user, maps.line + name);
		else if (strcmp(maps.line + name, VFIO_FILE))
			continue;
		*grow(user->mapping, user->mappings) = (struct mapping) {
			.offset = offset, .size = end - start, .device = device,
		};
	}
	lines_end(&maps);
}

/* Does VFIO let all of it be mapped? What shares its page or is hidden, it does not. */
static bool may_be_mapped(const struct bus *bus, const struct device *device,
			  const struct mapping *mapping)
{
	struct verdict verdict;
	bool may = true;
	int i;

	bar_judge(bus, device, mapping->region, &verdict);
	for (i = 0; i < verdict.parts; i++) {
		const struct part *part = &verdict.part[i];

		if (part->offset < mapping->offset + mapping->size &&
		    part->offset + part->size > mapping->offset)
			may &= part->mapped;
	}
	bar_verdict_free(&verdict);
	return may;
}

/* As long as the device's own mapping of that BAR would be, with a hole for the MSI-X table or without? */
static bool fits(const struct bus *bus, const struct device *device, const struct mapping *mapping)
{
	uint64_t page = sysconf(_SC_PAGESIZE), size, end = mapping->offset + mapping->size;
	const struct resource *res;
	bool starts, ends;

	if (mapping->region >= BARS || !bar_exists(device, mapping->region) ||
	    !may_be_mapped(bus, device, mapping))
		return false;
	res = &device->resource[mapping->region];
	size = (res->size + page - 1) & ~(page - 1);
	starts = !mapping->offset;
	ends = end == size;
	if (device->msix_size && device->msix_bar == (int)mapping->region) {
		uint64_t table_end = (device->msix_offset + device->msix_size + page - 1) & ~(page - 1);

		starts |= mapping->offset == table_end;
		ends |= end == (device->msix_offset & ~(page - 1));
	}
	return starts && ends;
}

static bool is_same_part(const struct mapping *one, const struct mapping *other)
{
	return one->region == other->region && one->offset == other->offset && one->size == other->size;
}

/*
 * A mapping of a file that came from a group does not tell the device. It is known
 * where one alone has a BAR of that length, and where there are as many such
 * mappings as devices: then each has one.
 */
static void assign_mapping(const struct bus *bus, struct vfio_user *user, struct mapping *mapping)
{
	const struct device *fitting = NULL, *nth = NULL;
	int same = 0, before = 0, fit = 0, i;

	for (i = 0; i < user->mappings; i++)
		if (is_same_part(mapping, &user->mapping[i])) {
			same++;
			before += &user->mapping[i] < mapping;
		}
	for (i = 0; i < user->devices; i++)
		if (fits(bus, user->held[i].device, mapping)) {
			fitting = user->held[i].device;
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
	char *valid, name[64];
	int i;

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
	find_regions(user);
	for (i = 0; i < user->mappings; i++)
		if (!user->mapping[i].device)
			assign_mapping(bus, user, &user->mapping[i]);
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
	int i;

	for (i = 0; i < user->mappings; i++) {
		const struct mapping *mapping = &user->mapping[i];

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
	char *pattern = format(KVM_DEBUG "/*-%d", user->vm), *found = NULL;
	glob_t all;
	size_t i;

	if (!glob(pattern, 0, NULL, &all)) {
		for (i = 0; i < all.gl_pathc; i++) {
			int thread = atoi(all.gl_pathv[i] + strlen(KVM_DEBUG "/"));
			bool own = file_exists("/proc/%d/task/%d", user->pid, thread);

			if (!own && (found || file_exists("/proc/%d", thread)))
				continue;
			free(found);
			found = format("%s", all.gl_pathv[i]);
			if (own)
				break;
		}
		globfree(&all);
	}
	free(pattern);
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
