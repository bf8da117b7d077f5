/* SPDX-License-Identifier: BSD-2-Clause */
/* How often the functions that --attach names return. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long returns;

SEC("uretprobe.multi")
int on_return(void *ctx)
{
	__sync_fetch_and_add(&returns, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
