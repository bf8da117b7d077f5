/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf.c - perf events: samples out, counters in. [runtime]
 */
#include "helper/list.h"

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
	.prototype = "long bpf_get_branch_snapshot(void *entries, u32 size, u64 flags)",
	.doc = "Copies the processor's record of its last branches.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO } },
};
