/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs at functions of probed.cc; EXE and LIB are paths. */
#include <linux/types.h>
#include <stdbool.h>

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax,
		ip, cs, flags, sp, ss;
};

#define __VMLINUX_H__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static void add(__u32 key, __u64 more)
{
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	if (value)
		__sync_fetch_and_add(value, more);
}

SEC("uprobe/" EXE ":work")
int work_entered(struct pt_regs *ctx)
{
	add(0, 1);
	add(1, ctx->di);
	return 0;
}

SEC("uretprobe/" EXE ":work")
int work_left(struct pt_regs *ctx)
{
	add(2, 1);
	add(3, ctx->ax);
	return 0;
}

SEC("uprobe/" LIB ":in_library")
int library_entered(struct pt_regs *ctx)
{
	add(4, ctx->di);
	return 0;
}

SEC("uretprobe/" LIB ":in_library")
int library_left(struct pt_regs *ctx)
{
	add(5, ctx->ax);
	return 0;
}

SEC("uretprobe.multi/" EXE ":watched_*")
int watched_left(struct pt_regs *ctx)
{
	add(6, 1);
	return 0;
}

SEC("uprobe.multi/" EXE ":watched_*")
int watched_entered(struct pt_regs *ctx)
{
	add(7, 1);
	return 0;
}

SEC("usdt/" EXE ":probed:step")
int stepped(struct pt_regs *ctx)
{
	long number = 0, twice = 0;

	bpf_usdt_arg(ctx, 0, &number);
	bpf_usdt_arg(ctx, 1, &twice);
	add(8, 1);
	add(9, number);
	add(10, twice);
	return 0;
}

SEC("uprobe/" EXE ":work+" OFFSET)
int work_inside(struct pt_regs *ctx)
{
	add(11, 1);
	return 0;
}

SEC("uprobe/libc.so.6:getenv")
int getenv_entered(struct pt_regs *ctx)
{
	add(12, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
