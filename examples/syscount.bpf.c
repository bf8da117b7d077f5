/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscount - which system calls are made how often, by programs of which name?
 *
 *   skep run examples/syscount.bpf.c -- ls -R
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct call {
	char comm[16];
	long number;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct call);
	__type(value, __u64);
} calls SEC(".maps");

/* What is passed to raw tracepoints: here the registers, and the call's number. */
SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct call call = { .number = (long)ctx->args[1] };
	__u64 one = 1, *count;

	bpf_get_current_comm(call.comm, sizeof(call.comm));
	count = bpf_map_lookup_elem(&calls, &call);
	if (count)
		__sync_fetch_and_add(count, 1);
	/* Another CPU may have been first. */
	else if (bpf_map_update_elem(&calls, &call, &one, BPF_NOEXIST)) {
		count = bpf_map_lookup_elem(&calls, &call);
		if (count)
			__sync_fetch_and_add(count, 1);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
