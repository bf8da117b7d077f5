/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that count. TARGET: the path of what is probed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 hits[8];

#define COUNT(index)                                  \
	do {                                          \
		__sync_fetch_and_add(&hits[index], 1); \
		return 0;                             \
	} while (0)

SEC("uprobe/" TARGET ":on_nop")
int count_nop(void *ctx)
{
	COUNT(0);
}

SEC("uprobe/" TARGET ":on_push")
int count_push(void *ctx)
{
	COUNT(1);
}

SEC("uprobe/" TARGET ":on_other")
int count_other(void *ctx)
{
	COUNT(2);
}

SEC("uretprobe/" TARGET ":on_return")
int count_return(void *ctx)
{
	COUNT(3);
}

SEC("tracepoint/syscalls/sys_enter_getppid")
int count_call(void *ctx)
{
	COUNT(4);
}

SEC("uprobe.multi/" TARGET ":elsewhere_*")
int count_elsewhere(void *ctx)
{
	COUNT(5);
}

char LICENSE[] SEC("license") = "GPL";
