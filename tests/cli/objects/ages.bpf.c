/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that want kernels of different ages. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

extern int LINUX_KERNEL_VERSION __kconfig;

SEC("xdp")
int always(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int ring(struct xdp_md *ctx)
{
	int *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0); /* ring */

	if (!event)
		return XDP_PASS;
	*event = 1;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

/* The newer helper is asked for only where it is. */
SEC("xdp")
int guarded(struct xdp_md *ctx)
{
	return LINUX_KERNEL_VERSION >= 0x050800 ? (int)bpf_ktime_get_boot_ns() & 1 : XDP_PASS;
}

static long step(__u32 i, void *ctx)
{
	return 0;
}

SEC("xdp")
int looping(struct xdp_md *ctx)
{
	bpf_loop(10, step, NULL, 0);
	return XDP_PASS;
}

SEC("tc")
int stamped(struct __sk_buff *skb)
{
	return skb->tstamp_type == 1;
}

/* Accepted since the verifier keeps the bounds of a copy of what was checked. */
SEC("xdp")
int copies(struct xdp_md *ctx)
{
	char text[16] = "0123456789abcde";
	long result;

	asm volatile("r1 = %[text]\n"
		     "call 7\n"
		     "r2 = r0\n"
		     "if r2 > 15 goto +4\n"
		     "r1 = r10\n"
		     "r1 += -16\n"
		     "r1 += r0\n"
		     "*(u8 *)(r1 + 0) = r2\n"
		     "%[result] = 2\n"
		     : [result] "=r"(result)
		     : [text] "r"(text)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return result;
}

struct pair {
	int first, second;
};

__attribute__((noinline)) int sum_of(struct pair *pair)
{
	return pair ? pair->first + pair->second : 0;
}

SEC("xdp")
int by_pointer(struct xdp_md *ctx)
{
	struct pair pair = { 1, ctx->rx_queue_index };

	return sum_of(&pair);
}

char LICENSE[] SEC("license") = "GPL";
