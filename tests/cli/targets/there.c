/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that is mapped when the program has run for a while. */
#include <string.h>

void work_there(void (*work)(unsigned long), unsigned long n);
void work_there(void (*work)(unsigned long), unsigned long n)
{
	char frame[300];

	memset(frame, 1, sizeof(frame));
	__asm__ volatile("" : : "r"(frame) : "memory");
	work(n);
	__asm__ volatile("" : : "r"(frame) : "memory");
}
