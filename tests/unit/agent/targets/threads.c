/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target to attach to: threads that compute, sleep and wait in system calls, and
 * check what they computed. SIGUSR1 prints the rounds done so far and "ok"; SIGTERM
 * ends it with status 0 if nothing went wrong.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t rounds[3];
static const char *volatile wrong; /* what went so, if anything did */
static int pipes[2];

static void *compute(void *arg)
{
	volatile double x = 1.5; /* in vector registers */

	(void)arg;
	for (;;) {
		uint64_t h = 1;
		double y = x;

		for (int i = 0; i < 1000; i++) {
			h = h * 6364136223846793005u + 1442695040888963407u;
			y = y * 1.0000001 + 0.25;
		}
		static uint64_t expect_h;
		static double expect_y;

		if (!rounds[0]) {
			expect_h = h;
			expect_y = y;
		}
		if (h != expect_h || y < expect_y || y > expect_y)
			wrong = "numbers";
		__atomic_fetch_add(&rounds[0], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *nap(void *arg)
{
	struct timespec time = { .tv_nsec = 2000000 };

	(void)arg;
	for (;;) {
		if (nanosleep(&time, NULL) != 0)
			wrong = "nanosleep";
		__atomic_fetch_add(&rounds[1], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *echo(void *arg)
{
	char byte;

	(void)arg;
	for (;;) {
		if (read(pipes[0], &byte, 1) != 1)
			wrong = "read";
		__atomic_fetch_add(&rounds[2], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(void)
{
	void *(*const mains[])(void *) = { compute, nap, echo };
	pthread_t thread;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (pipe(pipes) < 0)
		return 1;
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, mains[i], NULL);
	printf("ready\n");
	fflush(stdout);
	while (sigwait(&set, &sig) == 0 && sig == SIGUSR1) {
		uint64_t before[3], after[3];
		int moved = 0;

		for (int i = 0; i < 3; i++)
			before[i] = __atomic_load_n(&rounds[i], __ATOMIC_RELAXED);
		if (write(pipes[1], "x", 1) != 1)
			wrong = "write";
		/* A machine with other things to do may take a while. */
		for (int tries = 0; tries < 200 && !moved; tries++) {
			usleep(20000);
			moved = 1;
			for (int i = 0; i < 3; i++) {
				after[i] = __atomic_load_n(&rounds[i], __ATOMIC_RELAXED);
				moved &= after[i] > before[i];
			}
		}
		printf("%s\n", wrong ? wrong : moved ? "ok" : "stuck");
		fflush(stdout);
	}
	return wrong != NULL;
}
