// SPDX-License-Identifier: BSD-2-Clause
/* Counts the marked calls of the program late, by function and by how they are seen. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static void count(__u32 key, __u64 number)
{
	__u64 *value = bpf_map_lookup_elem(&calls, &key);

	if (value && number >> 32)
		__sync_fetch_and_add(value, 1);
}

SEC("uprobe/" EXE ":g")
int g_begins(struct pt_regs *ctx)
{
	count(0, PT_REGS_PARM1(ctx));
	return 0;
}

SEC("uretprobe/" EXE ":g")
int g_ends(struct pt_regs *ctx)
{
	count(1, PT_REGS_RC(ctx) - 1);
	return 0;
}

SEC("uprobe/" EXE ":h")
int h_begins(struct pt_regs *ctx)
{
	count(2, PT_REGS_PARM1(ctx));
	return 0;
}

SEC("uprobe.multi/" EXE ":[hk]")
int many(struct pt_regs *ctx)
{
	count(3, PT_REGS_PARM1(ctx));
	return 0;
}
