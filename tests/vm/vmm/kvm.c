// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"

int kvm_open(struct kvm *kvm)
{
	*kvm = (struct kvm) { .system = open("/dev/kvm", O_RDWR | O_CLOEXEC), .vm = -1 };
	if (kvm->system < 0)
		return errno == ENOENT ? 0 : -errno;
	kvm->vm = ioctl(kvm->system, KVM_CREATE_VM, 0);
	return kvm->vm < 0 ? -errno : 0;
}

bool kvm_is_real(const struct kvm *kvm)
{
	return kvm->vm >= 0;
}

void kvm_close(struct kvm *kvm)
{
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->system >= 0)
		close(kvm->system);
}

int kvm_add_slot(struct kvm *kvm, uint64_t guest_address, void *memory, uint64_t size)
{
	struct kvm_userspace_memory_region slot = {
		.slot = kvm->slots,
		.guest_phys_addr = guest_address,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (!kvm_is_real(kvm)) {
		if (!size || (guest_address | size | slot.userspace_addr) % sysconf(_SC_PAGESIZE))
			return -EINVAL;
		return 0;
	}
	if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return -errno;
	kvm->slots++;
	return 0;
}

void kvm_remove_slots(struct kvm *kvm)
{
	while (kvm->slots) {
		struct kvm_userspace_memory_region slot = { .slot = --kvm->slots };

		ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &slot);
	}
}
