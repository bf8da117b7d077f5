/* SPDX-License-Identifier: BSD-2-Clause */
/* Two processes that are busy in inner(), called by outer(), and gone when anybody asks. */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

__attribute__((noinline)) static void inner(void)
{
	for (int i = 0; i < 100000; i++)
		sink += (unsigned long)i;
}

__attribute__((noinline)) static void outer(void)
{
	clock_t end = clock() + CLOCKS_PER_SEC;

	while (clock() < end)
		for (int i = 0; i < 100; i++)
			inner();
	__asm__ volatile("");
}

int main(void)
{
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			outer();
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
