/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As a shared library (-DLIBRARY, linked with -z notext): functions whose instructions the dynamic
 * linker relocates. Else a program that loads ./textrel.so and calls each a hundred times; with an
 * argument it then changes its own function before it calls that as often. Prints the sum.
 */
#ifdef LIBRARY

long value = 7;

/* The addresses of 8 bytes are not known before the library is somewhere. */
__asm__(".text\n.globl plain, behind, table\n.type plain, @function\n.type behind, @function\n"
	".type table, @function\n"
	"plain: movabs $value, %rax\n mov (%rax), %rax\n ret\n.size plain, . - plain\n"
	"behind: push %rbx\n movabs $value, %rbx\n mov (%rbx), %rax\n pop %rbx\n ret\n"
	".size behind, . - behind\n"
	"table: movabs value, %rax\n ret\n.size table, . - table\n");

#else

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* xor %eax, %eax becomes mov $5, %eax: other bytes from the start on. */
__asm__(".text\n.balign 4096\n.globl changed\n.type changed, @function\n"
	"changed: xor %eax, %eax\n nop\n nop\n nop\n ret\n.size changed, . - changed\n.balign 4096\n");
long changed(void);

static void change(void)
{
	static const unsigned char code[] = { 0xb8, 5, 0, 0, 0, 0xc3 };
	void *page = (void *)((uintptr_t)changed & ~(uintptr_t)4095);

	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	memcpy((void *)(uintptr_t)changed, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "plain", "behind", "table" };
	void *library = dlopen("./textrel.so", RTLD_NOW);
	long sum = 0;

	(void)argv;
	if (!library)
		return 2;
	if (argc > 1)
		change();
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 3; k++)
			sum += ((long (*)(void))dlsym(library, names[k]))();
		sum += changed();
	}
	printf("%ld\n", sum);
	return 0;
}

#endif
