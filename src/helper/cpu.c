/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - the CPU a program runs on, and what belongs to it. [runtime]
 */
#include "helper/list.h"

#include "helper/clock.h"
#include "map/sys.h"

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

/* splitmix64: turns one number into well mixed ones. */
static uint64_t mix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* xoshiro256++ over the virtual CPU's state, which its owner has to itself. */
static uint64_t get_prandom_u32(struct vm *vm, const uint64_t arg[5])
{
	uint64_t *s = vm->cpu->random, result, t;

	(void)arg;
	if (!(s[0] | s[1] | s[2] | s[3])) {
		uint64_t seed = clock_ns(0) ^ (uint64_t)vm->cpu->id << 48 ^ (uintptr_t)vm;

		for (int i = 0; i < 4; i++)
			s[i] = mix(&seed);
	}
	result = rotate(s[0] + s[3], 23) + s[0];
	t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result >> 32;
}

const struct helper helper_get_prandom_u32 = {
	.id = 7,
	.name = "get_prandom_u32",
	.prototype = "u32 bpf_get_prandom_u32(void)",
	.doc = "Returns a pseudo-random 32-bit number.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
	.call = get_prandom_u32,
};

static uint64_t get_smp_processor_id(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return vm->cpu->id;
}

const struct helper helper_get_smp_processor_id = {
	.id = 8,
	.name = "get_smp_processor_id",
	.prototype = "u32 bpf_get_smp_processor_id(void)",
	.fastcall = true,
	.doc = "Returns the number of the CPU the program runs on, which does "
	       "not change meanwhile.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = get_smp_processor_id,
};

static uint64_t get_numa_node_id(struct vm *vm, const uint64_t arg[5])
{
	uint32_t cpu = 0, node = 0;

	(void)vm, (void)arg;
	sys_call4(SYS_getcpu, (uintptr_t)&cpu, (uintptr_t)&node, 0, 0);
	return node;
}

const struct helper helper_get_numa_node_id = {
	.id = 42,
	.name = "get_numa_node_id",
	.prototype = "long bpf_get_numa_node_id(void)",
	.doc = "Returns the NUMA node of the current CPU.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = get_numa_node_id,
};

const struct helper helper_per_cpu_ptr = {
	.id = 153,
	.name = "per_cpu_ptr",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_per_cpu_ptr(const void *percpu_ptr, u32 cpu)",
	.doc = "Returns the address of a per-CPU kernel variable on a given CPU.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MEM_OR_BTF_ID, .maybe_null = true, .read_only = true },
	.arg = { { ARG_PTR_TO_PERCPU_BTF_ID }, { ARG_ANYTHING } },
};

const struct helper helper_this_cpu_ptr = {
	.id = 154,
	.name = "this_cpu_ptr",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_this_cpu_ptr(const void *percpu_ptr)",
	.doc = "Returns the address of a per-CPU kernel variable on this CPU.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MEM_OR_BTF_ID, .read_only = true },
	.arg = { { ARG_PTR_TO_PERCPU_BTF_ID } },
};
