/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls twice() 20 times, step_one() and step_two() 5 times each, getpriority() 7 times. */
#include <sys/resource.h>

__attribute__((noinline)) int twice(int n) { __asm__ volatile(""); return n * 2; }
__attribute__((noinline)) int step_one(int n) { __asm__ volatile(""); return n + 1; }
__attribute__((noinline)) int step_two(int n) { __asm__ volatile(""); return n + 2; }

int main(void)
{
	volatile int sum = 0;

	for (int i = 0; i < 20; i++)
		sum += twice(i);
	for (int i = 0; i < 5; i++)
		sum += step_one(i) + step_two(i);
	for (int i = 0; i < 7; i++)
		sum += getpriority(PRIO_PROCESS, 0);
	return sum == 0;
}
