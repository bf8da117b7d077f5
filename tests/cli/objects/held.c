/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held FILE: calls work(), whose second instruction faults. The handler waits until a byte can be
 * read from FILE and lets it go on. work() begins with short instructions: a jump over it takes
 * four of them. held FILE whole: waits before all that, with no fault.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int work(int *value);
__asm__(".text\n.globl work\n.type work, @function\n"
	"work:\n\tpush %rbx\n\tmov (%rdi), %eax\n\tpop %rbx\n\tnop\n\tnop\n\tret\n"
	".size work, . - work\n");

static int fd;
static int *value;

static void wait_for_byte(void)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(1);
}

static void on_fault(int sig)
{
	(void)sig;
	wait_for_byte();
	mprotect(value, 4096, PROT_READ | PROT_WRITE);
}

int main(int argc, char **argv)
{
	int whole = argc > 2 && strcmp(argv[2], "whole") == 0;

	if (argc < 2)
		return 2;
	fd = open(argv[1], O_RDONLY);
	value = mmap(NULL, 4096, whole ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	signal(SIGSEGV, on_fault);
	if (whole)
		wait_for_byte();
	for (int i = 0; i < 4; i++)
		if (work(value) != 0)
			return 3;
	write(1, "done\n", 5);
	return 0;
}
