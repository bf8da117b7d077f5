/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that must not pass: one past the packet's end, one without its kernel type. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct no_such_type___skep {
	int no_such_field;
} __attribute__((preserve_access_index));

SEC("xdp")
int good(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int past_the_end(struct xdp_md *ctx)
{
	char *data = (char *)(long)ctx->data;

	return data[14] ? XDP_DROP : XDP_PASS;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int no_type(void *ctx)
{
	struct no_such_type___skep *object = ctx;

	return BPF_CORE_READ(object, no_such_field);
}

char LICENSE[] SEC("license") = "GPL";
