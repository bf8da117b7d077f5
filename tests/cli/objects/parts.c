/* SPDX-License-Identifier: BSD-2-Clause */
/* A function with a part elsewhere, as compilers move what is seldom run; and a deep recursion. */
#include <stdio.h>
#include <stdlib.h>

/* On top of the stack, where the part begins, is a number, and no return address. */
__asm__(".text\n.globl whole\n.type whole,@function\nwhole:\n.cfi_startproc\n"
	"push %rdi\n.cfi_def_cfa_offset 16\njmp part\n.cfi_endproc\n.size whole,.-whole\n"
	".globl part\n.type part,@function\npart:\n.cfi_startproc\n.cfi_def_cfa_offset 16\n"
	"mov (%rsp),%eax\nadd $1,%eax\nadd $8,%rsp\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n"
	".size part,.-part\n");
int whole(int number);

__attribute__((noinline, noclone)) int deep(int more)
{
	int below = 0;

	if (more > 0)
		below = deep(more - 1);
	__asm__ volatile("" : "+r"(below));
	return below + 1;
}

int main(int argc, char **argv)
{
	printf("%d %d\n", whole(41), deep(argc > 1 ? atoi(argv[1]) - 1 : 0));
	return 0;
}
