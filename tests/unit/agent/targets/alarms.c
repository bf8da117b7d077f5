/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that a signal interrupts every millisecond, with the handler on an alternate stack
 * ("alternate") or not. SIGUSR1 prints "ok"; SIGTERM ends it with status 0.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, asked, ended;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void on_usr1(int sig)
{
	(void)sig;
	asked = 1;
}

static void on_term(int sig)
{
	(void)sig;
	ended = 1;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART | flags };

	sigaction(sig, &action, NULL);
}

int main(int argc, char **argv)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	stack_t stack = { .ss_size = 65536 };

	stack.ss_sp = malloc(stack.ss_size);
	if (argc > 1 && strcmp(argv[1], "alternate") == 0)
		sigaltstack(&stack, NULL);
	handle(SIGALRM, on_alarm, SA_ONSTACK);
	handle(SIGUSR1, on_usr1, 0);
	handle(SIGTERM, on_term, 0);
	setitimer(ITIMER_REAL, &often, NULL);
	printf("ready\n");
	fflush(stdout);
	while (!ended) {
		int before = alarms;

		pause();
		if (!asked)
			continue;
		asked = 0;
		while (alarms - before < 3)
			pause();
		printf("ok\n");
		fflush(stdout);
	}
	return 0;
}
