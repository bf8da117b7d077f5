/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan_later.c - see scan_later.h.
 *
 * The record outlives its owner as long as a scan is under way: that looks at `stop` after every
 * function, but reading a large file's symbols and tables takes its time.
 */
#include "hook/scan_later.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICEST = 19 };

struct job {
	char *path;
	int fd;                     /* the path may lead nowhere by the time it is read */
	struct file_id id;
};

struct scan_later {
	pthread_mutex_t jobs_lock;  /* of the next four */
	VEC(struct job) jobs;
	size_t next;                /* to be done; those before it stay, so that each is done once */
	bool running;               /* there is a thread */
	unsigned users;
	pthread_mutex_t done_lock;  /* while done is called */
	bool stop;                  /* atomic */
	scan_done_fn *done;
	void *arg;
};

struct scan_later *scan_later_new(scan_done_fn *done, void *arg)
{
	struct scan_later *later = calloc(1, sizeof(*later));

	if (!later)
		return NULL;
	pthread_mutex_init(&later->jobs_lock, NULL);
	pthread_mutex_init(&later->done_lock, NULL);
	later->users = 1;
	later->done = done;
	later->arg = arg;
	return later;
}

/* The last one to let go of it frees it. */
static void leave(struct scan_later *later)
{
	unsigned left;

	pthread_mutex_lock(&later->jobs_lock);
	left = --later->users;
	pthread_mutex_unlock(&later->jobs_lock);
	if (left)
		return;
	for (size_t i = 0; i < later->jobs.count; i++) {
		if (later->jobs.items[i].fd >= 0)
			close(later->jobs.items[i].fd);
		free(later->jobs.items[i].path);
	}
	vec_done(&later->jobs);
	pthread_mutex_destroy(&later->jobs_lock);
	pthread_mutex_destroy(&later->done_lock);
	free(later);
}

/* By its name, if that leads there still: debug files lie beside it. */
static struct binary *open_job(const struct job *job)
{
	char path[40];
	struct stat st;

	if (stat(job->path, &st) == 0 && st.st_dev == job->id.device && st.st_ino == job->id.inode)
		return binary_open(job->path, NULL, NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", job->fd);
	return binary_open(path, NULL, NULL);
}

static void do_job(struct scan_later *later, const struct job *job)
{
	struct binary *binary = open_job(job);
	struct scan *scan = binary ? scan_new_until(binary, &later->stop, NULL) : NULL;

	/* What takes time is done before anybody is kept waiting. */
	if (scan)
		scan_is_whole(scan);
	pthread_mutex_lock(&later->done_lock);
	if (scan && !__atomic_load_n(&later->stop, __ATOMIC_ACQUIRE))
		later->done(later->arg, binary, scan, &job->id);
	pthread_mutex_unlock(&later->done_lock);
	scan_free(scan);
	binary_free(binary);
}

static bool take_job(struct scan_later *later, struct job *job)
{
	bool found;

	pthread_mutex_lock(&later->jobs_lock);
	found = later->next < later->jobs.count && !__atomic_load_n(&later->stop, __ATOMIC_ACQUIRE);
	if (found)
		*job = later->jobs.items[later->next];
	later->running = found;
	pthread_mutex_unlock(&later->jobs_lock);
	return found;
}

static void end_job(struct scan_later *later)
{
	struct job *job;

	pthread_mutex_lock(&later->jobs_lock);
	job = &later->jobs.items[later->next++];
	close(job->fd);
	job->fd = -1;
	pthread_mutex_unlock(&later->jobs_lock);
}

static void *work(void *arg)
{
	struct scan_later *later = arg;
	struct job job;

	prctl(PR_SET_NAME, "skep-scan");
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICEST);
	while (take_job(later, &job)) {
		do_job(later, &job);
		end_job(later);
	}
	leave(later);
	return NULL;
}

/* Signals are for the process's other threads. */
static void start(struct scan_later *later)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	later->running = pthread_create(&thread, NULL, work, later) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!later->running)
		return;
	pthread_detach(thread);
	later->users++;
}

static bool is_known(const struct scan_later *later, const struct file_id *id)
{
	for (size_t i = 0; i < later->jobs.count; i++)
		if (memcmp(&later->jobs.items[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

void scan_later_add(struct scan_later *later, const char *path, const struct file_id *id)
{
	struct job job = { .id = *id, .fd = -1 }, *place = NULL;

	pthread_mutex_lock(&later->jobs_lock);
	if (!is_known(later, id)) {
		job.path = strdup(path);
		job.fd = open(path, O_RDONLY | O_CLOEXEC);
		place = job.path && job.fd >= 0 ? vec_push(&later->jobs) : NULL;
	}
	if (place) {
		*place = job;
	} else {
		if (job.fd >= 0)
			close(job.fd);
		free(job.path);
	}
	if (place && !later->running)
		start(later);
	pthread_mutex_unlock(&later->jobs_lock);
}

size_t scan_later_left(struct scan_later *later)
{
	size_t left;

	pthread_mutex_lock(&later->jobs_lock);
	left = later->jobs.count - later->next;
	pthread_mutex_unlock(&later->jobs_lock);
	return left;
}

void scan_later_free(struct scan_later *later)
{
	if (!later)
		return;
	pthread_mutex_lock(&later->done_lock);
	__atomic_store_n(&later->stop, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&later->done_lock);
	leave(later);
}
