/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions of eight and of six arguments, one calling the other: each drops the packet if
 * all of them came through, in order, and nothing else on the stack was touched. Written as
 * numbers for compilers that know no r11.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define CALLED static __attribute__((used, noinline, naked)) int
#define OUT1(r) ".8byte 0xfff8" #r "b7b;"     /* *(u64 *)(r11 - 8) = r */
#define OUT2(r) ".8byte 0xfff0" #r "b7b;"
#define OUT3(r) ".8byte 0xffe8" #r "b7b;"
#define IN1(r) ".8byte 0x8b" #r "79;"         /* r = *(u64 *)(r11 + 8) */
#define IN2(r) ".8byte 0x10b" #r "79;"
#define IN3(r) ".8byte 0x18b" #r "79;"
#define FIVE "r1 = 1; r2 = 2; r3 = 3; r4 = 4; r5 = 5;"
#define IS(number) "r1 = r0; r0 = 2; if r1 == " #number " goto 1f; r0 = 0; 1: exit;"

/* Its arguments as the digits of a number. */
CALLED digits(long a, long b, long c, long d, long e, long f, long g, long h)
{
	asm volatile("r0 = r1; r0 *= 10; r0 += r2; r0 *= 10; r0 += r3; r0 *= 10; r0 += r4;"
		     "r0 *= 10; r0 += r5; r0 *= 10;" IN1(1) "r0 += r1; r0 *= 10;"
		     IN2(1) "r0 += r1; r0 *= 10;" IN3(1) "r0 += r1; exit;");
}

/* Passes on what it got, the other way round, and keeps something on its own stack. */
CALLED passes_on(long a, long b, long c, long d, long e, long f)
{
	asm volatile(IN1(6) "r7 = r1; r1 = r6;" OUT1(7) OUT2(1) "r7 = 9;" OUT3(7)
		     "*(u64 *)(r10 - 8) = r6;" FIVE "call digits;"
		     "r1 = *(u64 *)(r10 - 8); r0 += r1; exit;");
}

SEC("tc") __attribute__((naked)) int eight(struct __sk_buff *skb)
{
	asm volatile("r1 = 6;" OUT1(1) "r1 = 7;" OUT2(1) "r1 = 8;" OUT3(1)
		     "*(u64 *)(r10 - 16) = r1;" FIVE "call digits;" IS(12345678));
}

SEC("tc") __attribute__((naked)) int six(struct __sk_buff *skb)
{
	asm volatile("r1 = 6;" OUT1(1) FIVE "r1 = 7; call passes_on;" IS(12345775));
}

char LICENSE[] SEC("license") = "GPL";
