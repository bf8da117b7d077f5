/* SPDX-License-Identifier: BSD-2-Clause */
/* Jumps through a table by the packet's length, as compilers do for a switch. */
#define SEC(name) __attribute__((section(name), used))

/* 0x0d is gotox r0, for compilers that do not know it. */
SEC("socket") __attribute__((naked)) int by_length(void)
{
	__asm__ volatile(".pushsection .jumptables,\"\",@progbits; jt: "
			 ".quad zero - socket; .quad one - socket; .quad two - socket; "
			 ".quad zero - socket; .size jt, 32; .global jt; .popsection;"
			 "r1 = *(u32 *)(r1 + 0); r1 &= 3; r1 <<= 3; r0 = jt ll; r0 += r1;"
			 "r0 = *(u64 *)(r0 + 0); .8byte 0x0d;"
			 "zero: r0 = 100; exit; one: r0 = 101; exit; two: r0 = 102; exit;" ::: "memory");
}

char LICENSE[] SEC("license") = "GPL";
