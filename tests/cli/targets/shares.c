/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU time in two functions, 3:1, called by work(). How long a round is varies, so that no
 * clock's ticks keep step with it. shares SECONDS [THREADS]: so much CPU time in each. With a
 * library in SHARES_LIBRARY, its work_there() calls work() in turn.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void work_fn(unsigned long n);
typedef void there_fn(work_fn *work, unsigned long n);

static double seconds;
static there_fn *there;

#define HOT(name)                                               \
	__attribute__((noinline, noclone)) void name(unsigned long n); \
	void name(unsigned long n)                              \
	{                                                       \
		unsigned long x = 3;                            \
                                                                \
		while (n--)                                     \
			__asm__ volatile("imul %0, %0" : "+r"(x)); \
	}
HOT(often)
HOT(rare)

/* A frame of its own, and a call that is not the last thing it does. */
__attribute__((noinline, noclone)) void work(unsigned long n);
void work(unsigned long n)
{
	char frame[200];

	memset(frame, 1, sizeof(frame));
	__asm__ volatile("" : : "r"(frame) : "memory");
	often(3 * n);
	rare(n);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static void *until_done(void *arg)
{
	struct timespec now;
	unsigned long n = 1;

	do {
		n = n * 6364136223846793005ul + 1442695040888963407ul;
		if (there)
			there(work, 50000 + (n >> 45));
		else
			work(50000 + (n >> 45));
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < seconds);
	return arg;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 0;
	pthread_t thread[8];

	seconds = atof(argv[1]);
	if (getenv("SHARES_LIBRARY")) {
		there = (there_fn *)dlsym(dlopen(getenv("SHARES_LIBRARY"), RTLD_NOW), "work_there");
		if (!there)
			return 2;
	}
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, until_done, NULL);
	if (!threads)
		until_done(NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
