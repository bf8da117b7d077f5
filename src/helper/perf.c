/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf.c - perf events: samples out, counters in. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

#include "helper/packet.h"

/*
 * A packet program may ask for the first bytes of its packet behind the sample.
 * Where the index is the current CPU, it is the virtual one.
 */
static uint64_t perf_event_output(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = (struct map *)(uintptr_t)arg[1];
	const void *data = (const void *)(uintptr_t)arg[3];
	uint64_t flags = arg[2], allowed = BPF_F_INDEX_MASK;
	uint32_t index = (uint32_t)(flags & BPF_F_INDEX_MASK);
	uint64_t tail = (flags & BPF_F_CTXLEN_MASK) >> 32;

	if (vm->packet)
		allowed |= BPF_F_CTXLEN_MASK;
	if (flags & ~allowed)
		return (uint64_t)-EINVAL;
	if (tail && tail > (uint64_t)(vm->packet->end - vm->packet->data) + vm->packet->paged)
		return (uint64_t)-EFAULT;
	if (index == BPF_F_CURRENT_CPU)
		index = vm->cpu->id;
	if (index >= map->max_entries)
		return (uint64_t)-E2BIG;
	return (uint64_t)perf_output(map, index, data, arg[4], vm->packet ? vm->packet->data : NULL,
				     tail, vm->cpu);
}

const struct helper helper_perf_event_output = {
	.id = 25,
	.name = "perf_event_output",
	.prototype = "long bpf_perf_event_output(void *ctx, struct bpf_map *map, u64 "
	             "flags, void *data, u64 size)",
	.doc = "Sends a sample, with a part of the packet on request, to a perf event array.",
	.types = TYPES_BASE & ~(TYPE(SK_REUSEPORT) | TYPE(FLOW_DISSECTOR) | TYPE(NETFILTER) |
			  TYPE(STRUCT_OPS)),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
	.call = perf_event_output,
};

const struct helper helper_skb_output = {
	.id = 111,
	.name = "skb_output",
	.prototype = "long bpf_skb_output(void *ctx, struct bpf_map *map, u64 flags, "
	             "void *data, u64 size)",
	.doc = "Sends a sample with a part of an sk_buff to a perf event array.",
	.types = TYPES_BTF,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "sk_buff" },
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_xdp_output = {
	.id = 121,
	.name = "xdp_output",
	.prototype = "long bpf_xdp_output(void *ctx, struct bpf_map *map, u64 flags, "
	             "void *data, u64 size)",
	.doc = "Sends a sample with a part of an xdp_buff to a perf event array.",
	.types = TYPES_BTF,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "xdp_buff" },
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_perf_event_read = {
	.id = 22,
	.name = "perf_event_read",
	.needs = NEEDS_PERFMON,
	.prototype = "u64 bpf_perf_event_read(struct bpf_map *map, u64 flags)",
	.doc = "Reads a hardware or software event counter from a perf event array.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_perf_event_read_value = {
	.id = 55,
	.name = "perf_event_read_value",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_perf_event_read_value(struct bpf_map *map, u64 flags, "
	             "struct bpf_perf_event_value *buf, u32 buf_size)",
	.doc = "Reads an event counter with the times it was enabled and running.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_perf_prog_read_value = {
	.id = 56,
	.name = "perf_prog_read_value",
	.prototype = "long bpf_perf_prog_read_value(struct bpf_perf_event_data *ctx, "
	             "struct bpf_perf_event_value *buf, u32 buf_size)",
	.doc = "Reads the counter of the event the program is attached to, with its times.",
	.types = TYPE(PERF_EVENT),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
};

const struct helper helper_read_branch_records = {
	.id = 119,
	.name = "read_branch_records",
	.prototype = "long bpf_read_branch_records(struct bpf_perf_event_data *ctx, "
	             "void *buf, u32 size, u64 flags)",
	.doc = "Copies the branch records of the sample that called the program.",
	.types = TYPE(PERF_EVENT),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_WRITE },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_get_branch_snapshot = {
	.id = 176,
	.name = "get_branch_snapshot",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_get_branch_snapshot(void *entries, u32 size, u64 flags)",
	.doc = "Copies the processor's record of its last branches.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO } },
};
