/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target whose threads wait, each in another call that Linux itself does not begin again
 * after every interruption. A return before its time is wrong. SIGUSR1 prints what returned
 * too early, or "ok"; SIGTERM ends it with status 0 if nothing did. With an argument it has no
 * calls that a stop of the process ends.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 600 }; /* seconds, no test takes so long */

static int pair[2], queue, semaphores;
static sigset_t handled;

static void wait_epoll(void)
{
	struct epoll_event event;

	epoll_wait(queue, &event, 1, LONG * 1000);
}

static void wait_epoll_masked(void)
{
	struct epoll_event event;

	epoll_pwait(queue, &event, 1, LONG * 1000, &handled);
}

static void wait_poll(void)
{
	struct pollfd fd = { .fd = pair[0], .events = POLLIN };

	poll(&fd, 1, LONG * 1000);
}

static void wait_select(void)
{
	struct timeval time = { .tv_sec = LONG };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	select(pair[0] + 1, &set, NULL, NULL, &time);
}

static void wait_sleep(void)
{
	const struct timespec time = { .tv_sec = LONG };

	nanosleep(&time, NULL);
}

static void wait_semop(void)
{
	struct sembuf op = { .sem_op = -1 };

	semop(semaphores, &op, 1);
}

static void wait_signal(void)
{
	const struct timespec time = { .tv_sec = LONG };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigtimedwait(&set, &info, &time);
}

static void wait_semaphore(void)
{
	struct timespec time;
	sem_t sem;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += LONG;
	sem_init(&sem, 0, 0);
	sem_timedwait(&sem, &time);
}

static void wait_receive(void)
{
	const struct timeval time = { .tv_sec = LONG };
	char byte;

	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	recv(pair[1], &byte, 1, 0);
}

static void wait_pause(void)
{
	pause();
}

static const struct {
	const char *name;
	void (*wait)(void);
	int ends; /* when the process is stopped and continued, on Linux */
} waits[] = {
	{ "epoll_wait", wait_epoll, 1 },
	{ "epoll_pwait", wait_epoll_masked, 1 },
	{ "poll", wait_poll, 0 },
	{ "select", wait_select, 0 },
	{ "nanosleep", wait_sleep, 0 },
	{ "semop", wait_semop, 1 },
	{ "sigtimedwait", wait_signal, 1 },
	{ "sem_timedwait", wait_semaphore, 0 },
	{ "recv", wait_receive, 1 },
	{ "pause", wait_pause, 0 },
};

enum { WAITS = sizeof(waits) / sizeof(*waits) };

static int returned[WAITS], errors[WAITS];

static void *wait_in(void *arg)
{
	long i = (long)arg;

	for (;;) {
		errno = 0;
		waits[i].wait();
		errors[i] = errno;
		__atomic_fetch_add(&returned[i], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static int report(void)
{
	int wrong = 0;

	for (int i = 0; i < WAITS; i++) {
		if (__atomic_load_n(&returned[i], __ATOMIC_SEQ_CST))
			printf("%s%s:%d", wrong++ ? " " : "", waits[i].name, errors[i]);
	}
	printf("%s\n", wrong ? "" : "ok");
	fflush(stdout);
	return wrong;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t set;
	int sig, wrong;

	(void)argv;
	sigemptyset(&handled);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGUSR2);
	handled = set;
	queue = epoll_create1(0);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	if (queue < 0 || semaphores < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	for (long i = 0; i < WAITS; i++)
		if (argc == 1 || !waits[i].ends)
			pthread_create(&thread, NULL, wait_in, (void *)i);
	usleep(100000); /* most are in their calls then; a test that comes earlier is no worse */
	printf("ready\n");
	fflush(stdout);
	while (sigwait(&set, &sig) == 0 && sig == SIGUSR1)
		report();
	wrong = report();
	semctl(semaphores, 0, IPC_RMID);
	return wrong != 0;
}
