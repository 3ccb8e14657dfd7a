/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_KVM_H
#define TEST_KVM_H

#include <stdbool.h>
#include <stdint.h>

/* A virtual machine without processors: it takes memory slots, or refuses them. */
struct kvm {
	int system;
	int vm;
	uint32_t slots;
};

/*
 * Where the machine has no /dev/kvm only what every KVM asks of a slot is checked.
 * Returns -errno when there is one that does not work.
 */
int kvm_open(struct kvm *kvm);
bool kvm_is_real(const struct kvm *kvm);
void kvm_close(struct kvm *kvm);

/* KVM_SET_USER_MEMORY_REGION with a new slot; -errno when it is refused. */
int kvm_add_slot(struct kvm *kvm, uint64_t guest_address, void *memory, uint64_t size);
/* Without them the next device's slots would overlap. */
void kvm_remove_slots(struct kvm *kvm);

#endif
