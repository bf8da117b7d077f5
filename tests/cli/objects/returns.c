/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returns.c - handlers that return by restorers of their own: as glibc and musl write it, as Go
 * does, and as nobody does. Each prints what is behind its call.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void by_rax(void), by_eax(void), by_push(void);
extern const char behind_rax[], behind_eax[], behind_push[];

__asm__(".text\nby_rax: mov $15, %rax\nsyscall\nbehind_rax: hlt\n"
	"by_eax: mov $15, %eax\nsyscall\nbehind_eax: hlt\n"
	"by_push: push $15\npop %rax\nsyscall\nbehind_push: hlt\n");

struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void handler(int sig)
{
	(void)sig;
}

static void returns_by(void (*restorer)(void), const char *behind)
{
	struct kernel_action action = { handler, 0x04000000, restorer, 0 };

	syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	raise(SIGUSR1);
	printf("returns %lx\n", (unsigned long)behind);
}

int main(void)
{
	returns_by(by_rax, behind_rax);
	returns_by(by_eax, behind_eax);
	returns_by(by_push, behind_push);
	return 0;
}
