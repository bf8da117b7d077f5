/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * late COUNT [alternate|stay]: four threads call g(), h() and k() for ever, and signals come all
 * the time, whose handlers call them too. Once there is a file "go", each thread makes COUNT calls
 * of each with numbers from MARK on, and the program ends. Prints its id, then how many those were
 * with those of the handlers. Exit status 1: a function returned something else than it does.
 * alternate: the handlers have stacks of their own; stay: and it is a thread's second handler that
 * calls them for ever.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { THREADS = 4, STACK = 65536 };
#define MARK (1l << 32)

/* The first five bytes are several instructions; k() begins with a branch. */
__asm__(".text\n.globl g, h, k\n.type g, @function\n.type h, @function\n.type k, @function\n"
	"g: push %rbp\n mov %rsp, %rbp\n sub $32, %rsp\n lea 1(%rdi), %rax\n leave\n ret\n.size g, . - g\n"
	"h: xor %eax, %eax\n inc %eax\n add %rdi, %rax\n ret\n.size h, . - h\n"
	"k: test %rdi, %rdi\n js 1f\n inc %rdi\n mov %rdi, %rax\n ret\n1: ud2\n.size k, . - k\n");
long g(long n), h(long n), k(long n);

static volatile int go;
static long calls, wrong;
static int alternate, stay;
static __thread int handled;

static void call_all(long n)
{
	if (g(n) != n + 1 || h(n) != n + 1 || k(n) != n + 1)
		__sync_fetch_and_add(&wrong, 1);
}

static void on_alarm(int sig)
{
	long mark = go ? MARK : 0;

	(void)sig;
	for (long n = 0; stay && handled > 0 && !go; n++)
		call_all(n & 0xffff);
	handled++;
	for (int i = 0; i < 3; i++)
		call_all(mark + i);
	if (mark)
		__sync_fetch_and_add(&calls, 3);
}

static void *run(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec often = { { 0, 500000 }, { 0, 500000 } };
	stack_t stack = { .ss_sp = malloc(STACK), .ss_size = STACK };
	long count = *(long *)arg, n = 0;
	timer_t timer;

	if (alternate)
		sigaltstack(&stack, NULL);
	event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	while (!go)
		if (!stay)
			call_all(n++ & 0xffff);
	for (long i = 0; i < count; i++)
		call_all(MARK + i);
	timer_delete(timer);
	__sync_fetch_and_add(&calls, count);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	pthread_t threads[THREADS];
	long count = argc > 1 ? atol(argv[1]) : 0;
	sigset_t none;

	alternate = argc > 2;
	stay = alternate && strcmp(argv[2], "stay") == 0;
	action.sa_flags |= alternate ? SA_ONSTACK : 0;
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, &count);
	sigemptyset(&none);
	sigaddset(&none, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &none, NULL);
	printf("%d\n", getpid());
	fflush(stdout);
	while (access("go", F_OK) < 0)
		usleep(1000);
	go = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%ld\n", calls);
	return wrong != 0;
}
