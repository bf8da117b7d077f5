/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - spin locks and kernel pointers in map values. [runtime]
 */
#include "helper/list.h"

#include "map/special.h"

static uint64_t spin_lock(struct vm *vm, const uint64_t arg[5])
{
	special_lock(vm->world->vcpus, (uint32_t *)(uintptr_t)arg[0], vm->cpu);
	return 0;
}

const struct helper helper_spin_lock = {
	.id = 93,
	.name = "spin_lock",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_spin_lock(struct bpf_spin_lock *lock)",
	.doc = "Takes the spin lock in a map value.",
	.types = TYPES_BASE,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_SPIN_LOCK } },
	.call = spin_lock,
};

static uint64_t spin_unlock(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	special_unlock((uint32_t *)(uintptr_t)arg[0]);
	return 0;
}

const struct helper helper_spin_unlock = {
	.id = 94,
	.name = "spin_unlock",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_spin_unlock(struct bpf_spin_lock *lock)",
	.doc = "Gives back the spin lock in a map value.",
	.types = TYPES_BASE,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_SPIN_LOCK } },
	.call = spin_unlock,
};

static uint64_t kptr_xchg(struct vm *vm, const uint64_t arg[5])
{
	uint64_t *place = (uint64_t *)(uintptr_t)arg[0];

	(void)vm;
	return __atomic_exchange_n(place, arg[1], __ATOMIC_ACQ_REL);
}

const struct helper helper_kptr_xchg = {
	.id = 194,
	.name = "kptr_xchg",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_kptr_xchg(void *dst, void *ptr)",
	.doc = "Exchanges the kernel pointer in a map value for another.",
	.types = TYPES_BASE,
	.acquires = true,
	.releases = true,
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true },
	.arg = { { ARG_KPTR_XCHG_DEST }, { ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL | ARG_RELEASE } },
	.call = kptr_xchg,
};
