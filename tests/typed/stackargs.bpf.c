/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of more than five arguments: what is not passed is missed. */
#include "typed.h"

LICENSE;

static __attribute__((used, noinline, naked)) int takes_six(long a, long b, long c, long d, long e,
							    long f)
{
	__asm__ volatile("r0 = 0; exit;");
}

REJECTED("callee expects 6 args, stack arg1 is not initialized")
SEC("tc") __naked int sixth_argument__is_not_there(void)
{
	__asm__ volatile("r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; call takes_six; exit;");
}
