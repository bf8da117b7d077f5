/* SPDX-License-Identifier: BSD-2-Clause */
/* compute.bpf.c - the computations of kernels.h, each as an XDP program. */
#include "kernels.h"

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

#define PROGRAM(name, what)                                                       \
	__attribute__((section("xdp"), used)) int bench_##name(struct xdp_md *ctx) \
	{                                                                         \
		const u8 *data = (const u8 *)(unsigned long)ctx->data;            \
                                                                                  \
		if (data + KERNEL_BYTES > (const u8 *)(unsigned long)ctx->data_end) \
			return 0;                                                 \
		return (int)kernel_##name(data);                                  \
	}
KERNEL_LIST(PROGRAM)

__attribute__((section("license"), used)) char gpl[] = "GPL";
