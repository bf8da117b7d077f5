/* SPDX-License-Identifier: BSD-2-Clause */
/* seen.c - a thread that ends, a call that a jump goes to, and signals to itself. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char after_call[];

static void *ends(void *arg)
{
	return arg;
}

/* Nothing before the call can be moved: a jump in its place takes what follows with it. */
static void jumped_to(void)
{
	long result = SYS_getpgid;

	__asm__ volatile("jmp 1f\n.byte 0xf\n1: syscall\nafter_call: cmp $-4096, %%rax\n"
			 "ja 1b\nnop\nnop\nnop\n"
			 : "+a"(result) : "D"(0) : "rcx", "r11", "memory", "cc");
}

int main(void)
{
	sigset_t blocked;
	pthread_t thread;

	printf("%lx\n", (unsigned long)after_call);
	fflush(stdout);
	jumped_to();
	pthread_create(&thread, NULL, ends, NULL);
	pthread_join(thread, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGURG);
	kill(getpid(), 99);
	if (fork() == 0)
		_exit(1);
	wait(NULL);
	return 0;
}
