/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * together.c - a process whose threads end all at once: together HOW [THREADS [ENDERS]]
 *
 * Of each three threads one ends by itself, one sleeps and one makes calls; the last that is made
 * may have yet to begin. HOW: by what the process ends, by each of further threads or by its first.
 * It prints how many threads there were.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *how;
static volatile int all;
static char *program;

static void end(void)
{
	if (strcmp(how, "exit") == 0)
		_exit(3);
	if (strcmp(how, "signal") == 0)
		kill(getpid(), SIGTERM);
	if (strcmp(how, "fault") == 0)
		*(volatile int *)8 = 1;
	if (strcmp(how, "exec") == 0)
		execl(program, program, "over", NULL);
	if (strcmp(how, "failing") == 0) {
		execl("/", program, NULL);
		_exit(3);
	}
	for (;;)
		pause();
}

static void *lives(void *arg)
{
	long n = (long)arg;

	prctl(PR_SET_NAME, "lives");
	while (n % 3 == 1)
		pause();
	while (n % 3 == 2)
		syscall(SYS_getppid);
	return NULL;
}

static void *ends(void *arg)
{
	prctl(PR_SET_NAME, "ends");
	while (!all)
		sched_yield();
	end();
	return arg;
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 0) : 2;
	int others = argc > 3 ? atoi(argv[3]) : 0;
	pthread_t thread;

	how = argv[1];
	program = argv[0];
	if (strcmp(how, "over") == 0)
		return 0;
	printf("%ld\n", count + 1 + others);
	fflush(stdout);
	for (long i = 0; i < count; i++)
		pthread_create(&thread, NULL, lives, (void *)i);
	for (int i = 0; i < others; i++)
		pthread_create(&thread, NULL, ends, NULL);
	all = 1;
	if (!others)
		end();
	for (;;)
		pause();
}
