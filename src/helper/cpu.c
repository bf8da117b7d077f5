/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - the CPU a program runs on, and what belongs to it. [runtime]
 */
#include "helper/list.h"

const struct helper helper_get_prandom_u32 = {
	.id = 7,
	.name = "get_prandom_u32",
	.prototype = "u32 bpf_get_prandom_u32(void)",
	.doc = "Returns a pseudo-random 32-bit number.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
};

const struct helper helper_get_smp_processor_id = {
	.id = 8,
	.name = "get_smp_processor_id",
	.prototype = "u32 bpf_get_smp_processor_id(void)",
	.doc = "Returns the number of the CPU the program runs on, which does "
	       "not change meanwhile.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
};

const struct helper helper_get_numa_node_id = {
	.id = 42,
	.name = "get_numa_node_id",
	.prototype = "long bpf_get_numa_node_id(void)",
	.doc = "Returns the NUMA node of the current CPU.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
};

const struct helper helper_per_cpu_ptr = {
	.id = 153,
	.name = "per_cpu_ptr",
	.prototype = "void *bpf_per_cpu_ptr(const void *percpu_ptr, u32 cpu)",
	.doc = "Returns the address of a per-CPU kernel variable on a given CPU.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MEM_OR_BTF_ID, .maybe_null = true, .read_only = true },
	.arg = { { ARG_PTR_TO_PERCPU_BTF_ID }, { ARG_ANYTHING } },
};

const struct helper helper_this_cpu_ptr = {
	.id = 154,
	.name = "this_cpu_ptr",
	.prototype = "void *bpf_this_cpu_ptr(const void *percpu_ptr)",
	.doc = "Returns the address of a per-CPU kernel variable on this CPU.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MEM_OR_BTF_ID, .read_only = true },
	.arg = { { ARG_PTR_TO_PERCPU_BTF_ID } },
};
