/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs for targets, and others that are not: for command.bats. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tracepoint/syscalls/sys_enter_mkdir")
int makes(void *ctx)
{
	bpf_printk("made a directory");
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_mkdirat")
int makes_at(void *ctx)
{
	bpf_printk("made a directory");
	return 0;
}

SEC("xdp")
int on_packets(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("kprobe/tcp_connect")
int in_the_kernel(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
