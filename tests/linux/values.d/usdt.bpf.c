/* SPDX-License-Identifier: BSD-2-Clause */
/* usdt.bpf.c - arguments of all kinds that a USDT note can describe. */
#include "values.h"
#include "kernel.h"
#include <bpf/usdt.bpf.h>

#define ARGUMENT(n)                                    \
	do {                                           \
		long value = -1;                       \
		NUMBER("error " #n, bpf_usdt_arg(ctx, n, &value)); \
		NUMBER("arg " #n, value);              \
	} while (0)

#define USDT(name)                                              \
	SEC("usdt/./calls:values:" #name) int at_##name(struct pt_regs *ctx) \
	{                                                       \
		const char *place = "usdt " #name;              \
		NUMBER("count", bpf_usdt_arg_cnt(ctx));         \
		NUMBER("cookie", bpf_usdt_cookie(ctx));         \
		NUMBER("ip", PT_REGS_IP(ctx));                  \
		ARGUMENT(0); ARGUMENT(1); ARGUMENT(2);          \
		ARGUMENT(3); ARGUMENT(4); ARGUMENT(5);          \
		ARGUMENT(6);                                    \
		return 0;                                       \
	}

USDT(registers)
USDT(more)
USDT(numbers)
USDT(memory)
USDT(none)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
