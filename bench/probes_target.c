/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes_target.c - what bench/probes has probed. It is told by a pipe what to do over and
 * over, and answers how many nanoseconds one took.
 *
 * The functions begin with the instructions that a kernel's uprobes tell apart, and the last
 * 10,000 are there to be probed without being called.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FUNCTION(name, body)                                                                  \
	__asm__(".text\n.p2align 6\n.globl " #name "\n.type " #name ",@function\n" #name ":\n"   \
		body "\n.size " #name ",.-" #name "\n");                                         \
	long name(long)

FUNCTION(on_nop, ".byte 0x0f,0x1f,0x44,0x00,0x00\nlea 1(%rdi),%rax\nret");
FUNCTION(on_push, "push %rbp\nmov %rsp,%rbp\nlea 1(%rdi),%rax\npop %rbp\nret");
FUNCTION(on_other, "lea 1(%rdi),%rax\nadd $0x12345,%rax\nret");
FUNCTION(on_return, ".byte 0x0f,0x1f,0x44,0x00,0x00\nlea 1(%rdi),%rax\nret");
FUNCTION(call_getppid, "mov $110,%eax\nsyscall\nret");
FUNCTION(call_getuid, "mov $102,%eax\nsyscall\nret");

__asm__(".altmacro\n.macro elsewhere n\n.p2align 4\n.globl elsewhere_\\n\n"
	".type elsewhere_\\n,@function\nelsewhere_\\n: push %rbp\nmov %rsp,%rbp\npop %rbp\nret\n"
	".size elsewhere_\\n,.-elsewhere_\\n\n.endm\n"
	".set i,0\n.rept 10000\nelsewhere %i\n.set i,i+1\n.endr\n.noaltmacro\n");

/* Code that nobody can have looked at in a file. */
static long (*made_call)(long);

static void make_call(void)
{
	static const unsigned char code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		exit(1);
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0)
		exit(1);
	memcpy(&made_call, &page, sizeof(page));
}

static long call_made(long n)
{
	if (!made_call)
		make_call();
	return made_call(n);
}

static const struct {
	const char *name;
	long (*function)(long);
} functions[] = {
	{ "nop", on_nop }, { "push", on_push }, { "other", on_other }, { "return", on_return },
	{ "getppid", call_getppid }, { "getuid", call_getuid }, { "made", call_made },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	FILE *in = argc > 2 ? fdopen(atoi(argv[1]), "r") : NULL;
	int out = argc > 2 ? atoi(argv[2]) : -1;
	char name[32];
	long times;

	if (!in)
		return 2;
	while (fscanf(in, "%31s %ld", name, &times) == 2)
		for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
			double start;

			if (strcmp(functions[i].name, name) != 0)
				continue;
			start = now();
			for (long k = 0; k < times; k++)
				functions[i].function(k);
			dprintf(out, "%.2f\n", (now() - start) / (double)times);
		}
	return 0;
}
