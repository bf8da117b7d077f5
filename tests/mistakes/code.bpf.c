/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops, the stack, calls that cannot be made, contexts, results. */
#include "common.h"
#include <linux/pkt_cls.h>

SEC("xdp")
int endless(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!table)
		return XDP_DROP;
	while (table->count) // blame: the loop | bpf_for
		asm volatile("" ::: "memory");
	return XDP_PASS;
}

SEC("xdp")
int too_many_rounds(struct xdp_md *ctx)
{
	__u64 sum = 0;

	for (int i = 0; i < 2000000; i++) // blame: round by round | bpf_loop
		sum += bpf_get_prandom_u32();
	return sum ? XDP_PASS : XDP_DROP;
}

static __attribute__((noinline)) int small(struct xdp_md *ctx)
{
	char text[200] = {};

	bpf_xdp_load_bytes(ctx, 0, text, sizeof(text));
	return text[ctx->rx_queue_index & 127];
}

static __attribute__((noinline)) int big(struct xdp_md *ctx) // blame: big() | bytes of stack | 512
{
	char text[400] = {};

	bpf_xdp_load_bytes(ctx, 0, text, sizeof(text));
	return text[ctx->rx_queue_index & 127] + small(ctx);
}

SEC("xdp")
int deep_stack(struct xdp_md *ctx)
{
	return big(ctx) ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int wrong_program_type(struct __sk_buff *skb)
{
	return bpf_xdp_adjust_head((void *)skb, 4); // blame: bpf_xdp_adjust_head() | sched_cls | xdp
}

SEC("kprobe/do_unlinkat")
int sleeps_in_kprobe(void *ctx)
{
	char byte = 0;

	bpf_copy_from_user(&byte, 1, (void *)4096); // blame: bpf_copy_from_user()
	return byte;
}

SEC("xdp")
int written_context(struct xdp_md *ctx)
{
	ctx->ingress_ifindex = 1; // blame: ingress_ifindex | cannot write
	return XDP_PASS;
}

SEC("socket")
int field_of_others(struct __sk_buff *skb)
{
	return skb->data; // blame: socket
}

SEC("tc")
int context_index(struct __sk_buff *skb)
{
	__u32 i = skb->mark & 3;

	return *(volatile __u32 *)((void *)skb + __builtin_offsetof(struct __sk_buff, cb) + i * 4); // blame: context | moved
}

SEC("tc")
int moved_context(struct __sk_buff *skb)
{
	void *ctx = skb;
	char byte = 0;

	asm volatile("%[ctx] += 8" : [ctx]"+r"(ctx)); // blame: context | moved
	bpf_skb_load_bytes(ctx, 0, &byte, 1);
	return byte;
}

SEC("cgroup_skb/ingress")
int result_out_of_range(struct __sk_buff *skb)
{
	return skb->len; // blame: [0, 1]
}

__attribute__((noinline)) int total(struct pair *pair)
{
	return pair->a + pair->b; // blame: 'pair' may be NULL | total() is global | __arg_nonnull
}

SEC("xdp")
int untagged_argument(struct xdp_md *ctx)
{
	struct pair pair = { .a = ctx->rx_queue_index };

	return total(&pair) ? XDP_PASS : XDP_DROP;
}

SEC("kprobe/do_unlinkat")
int number_as_pointer(__u64 *ctx)
{
	__u32 *name = (__u32 *)ctx[13];

	return *name; // blame: number | bpf_probe_read_kernel
}

SEC("xdp")
int pointer_from_map(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);
	__u32 *stored;

	if (!pair)
		return XDP_DROP;
	stored = (void *)pair->a;
	return *stored ? XDP_PASS : XDP_DROP; // blame: number | read from memory
}

static long each(__u32 index, void *arg)
{
	return index; // blame: [0, 1]
}

SEC("xdp")
int callback_result(struct xdp_md *ctx)
{
	return bpf_loop(5, each, 0, 0) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int no_result(struct xdp_md *ctx)
{
	int result;

	return result; // blame: return value
}

struct task_struct___gone {
	int no_such_field;
} __attribute__((preserve_access_index));

SEC("kprobe/do_unlinkat")
int field_gone(void *ctx)
{
	struct task_struct___gone *task = (void *)bpf_get_current_task();
	int value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), &task->no_such_field); // blame: no_such_field
	return value;
}

void bpf_no_such_function(void) __ksym;

SEC("xdp")
int function_gone(struct xdp_md *ctx)
{
	bpf_no_such_function(); // blame: bpf_no_such_function
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
