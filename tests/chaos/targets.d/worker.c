/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - worker KIND NUMBER FILE: one call over and over, each noted when it is made.
 *
 * FILE has a 64-bit word for each worker's number. KIND: plain; threads (two of them, with the
 * next number too); child (a fork does the work); exec (it begins again as another image now
 * and then, with the count it had); signals (a timer interrupts it).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL = 0x5eed, WORDS = 65536, IMAGE = 2000 };

static uint64_t *words;

static void step(uint32_t number)
{
	syscall(SYS_getpriority, CALL, (long)number);
	__atomic_store_n(&words[number], words[number] + 1, __ATOMIC_RELAXED);
}

static void *work(void *number)
{
	for (;;)
		step((uint32_t)(uintptr_t)number);
	return NULL;
}

static void work_images(uint32_t number, char **argv)
{
	for (int i = 0; i < IMAGE; i++)
		step(number);
	execv("/proc/self/exe", argv);
	_exit(1);
}

static void on_alarm(int signal)
{
	(void)signal;
	getpid();
}

int main(int argc, char **argv)
{
	uint32_t number = argc == 4 ? (uint32_t)atoi(argv[2]) : 0;
	int file = argc == 4 ? open(argv[3], O_RDWR) : -1;
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	pthread_t other;

	if (file < 0)
		return 2;
	words = mmap(NULL, WORDS * sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (words == MAP_FAILED)
		return 2;
	if (strcmp(argv[1], "exec") == 0)
		work_images(number, argv);
	if (strcmp(argv[1], "child") == 0 && fork() > 0)
		return wait(NULL) < 0;
	if (strcmp(argv[1], "signals") == 0) {
		signal(SIGALRM, on_alarm);
		setitimer(ITIMER_REAL, &often, NULL);
	}
	if (strcmp(argv[1], "threads") == 0)
		pthread_create(&other, NULL, work, (void *)(uintptr_t)(number + 1));
	work((void *)(uintptr_t)number);
}
