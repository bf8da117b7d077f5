/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack FILE: a thread waits on a stack whose mapping goes on where its file has ended. Calls work()
 * four times when a byte can be read from FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK_SIZE = 1 << 18 };

int work(void);
__asm__(".text\n.globl work\n.type work, @function\n"
	"work:\n\tpush %rbx\n\txor %eax, %eax\n\tpop %rbx\n\tnop\n\tnop\n\tret\n"
	".size work, . - work\n");

static void *waits(void *arg)
{
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	int file = memfd_create("stack", 0);
	pthread_attr_t attr;
	pthread_t thread;
	char byte, *at;

	if (argc < 2 || ftruncate(file, STACK_SIZE) != 0)
		return 2;
	at = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, at, STACK_SIZE);
	if (pthread_create(&thread, &attr, waits, NULL) != 0)
		return 2;
	if (read(open(argv[1], O_RDONLY), &byte, 1) != 1)
		return 1;
	for (int i = 0; i < 4; i++)
		if (work() != 0)
			return 3;
	write(1, "done\n", 5);
	return 0;
}
