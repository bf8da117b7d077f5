/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * work spin: calls work() for ever, and nothing of the kernel. work FILE: sleeps until a byte
 * can be read there, and calls work() five times before it calls the kernel again.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

volatile long n;

__attribute__((noinline)) void work(void)
{
	n++;
}

int main(int argc, char **argv)
{
	char byte;
	int fd;

	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "spin") == 0)
		for (;;)
			work();
	fd = open(argv[1], O_RDONLY);
	if (read(fd, &byte, 1) != 1)
		return 1;
	for (int i = 0; i < 5; i++)
		work();
	write(1, "done\n", 5);
	return 0;
}
