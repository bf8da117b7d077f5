/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_jobs.c - operands judged by worker processes, verdicts back in order.
 *
 * Processes, not threads: an object that makes a worker crash or use up its
 * memory costs a verdict and not the run, and an interrupt ends whatever they
 * are in the middle of. Workers take tasks from a counter they share; each has
 * a pipe on which its messages come:
 *
 *   +------+------+---------------- size bytes ----------------+
 *   | kind | size | VERDICT: numbers, texts, notes             |
 *   |  u32 |  u32 | BEGIN: -   DONE: struct judge_counts       |
 *   +------+------+--------------------------------------------+
 *
 * A task is an operand, or where there are fewer of them than workers could
 * share, every n-th program of one.
 */
#include "cli/html.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum message_kind { MESSAGE_BEGIN, MESSAGE_VERDICT, MESSAGE_DONE };

struct message {
	uint32_t kind, size;
	uint64_t task;
};

struct task {
	size_t operand;
	unsigned slice, slices;
};

struct worker {
	pid_t pid;
	int fd;
	char *bytes;             /* received and not yet understood */
	size_t count, size;
	int64_t task;            /* in the middle of it; -1 */
};

/* One operand's verdicts until it is its turn to be shown. */
struct pile {
	struct judged **rows;
	size_t count, size;
	unsigned open;           /* tasks still to be done */
};

struct pool {
	const struct judging *judging;
	char **operands;
	struct task *tasks;
	size_t task_count, operand_count, tasks_done;
	_Atomic size_t *next;    /* the task to be taken; shared with all workers */
	struct worker *workers;
	size_t worker_count;
	struct pile *piles;      /* by operand */
	size_t shown;            /* operands shown so far */
	void (*show)(void *arg, const struct judged *j);
	void *arg;
	struct results *results;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void *must(void *ptr)
{
	if (!ptr) {
		fprintf(stderr, "skep: out of memory\n");
		exit(EXIT_REJECTED);
	}
	return ptr;
}

/* --- verdicts as bytes --- */

enum { NO_TEXT = UINT32_MAX };

static void put_text(FILE *out, const char *text)
{
	uint32_t size = text ? (uint32_t)strlen(text) : NO_TEXT;

	fwrite(&size, sizeof(size), 1, out);
	if (text)
		fwrite(text, 1, size, out);
}

static void put_judged(FILE *out, const struct judged *j)
{
	fwrite(&j->n, sizeof(j->n), 1, out);
#define JUDGED_TEXT(name) put_text(out, j->name);
	JUDGED_TEXTS(JUDGED_TEXT)
#undef JUDGED_TEXT
	fwrite(&j->note_count, sizeof(j->note_count), 1, out);
	for (size_t i = 0; i < j->note_count; i++) {
		put_text(out, j->notes[i].message);
		put_text(out, j->notes[i].file);
		fwrite(&j->notes[i].line, sizeof(uint64_t), 1, out);
		fwrite(&j->notes[i].column, sizeof(uint64_t), 1, out);
	}
}

struct input {
	const char *bytes;
	size_t left;
};

/* What a worker sent is whole, or it is an error of our own. */
static void get(struct input *in, void *to, size_t size)
{
	if (in->left < size)
		abort();
	memcpy(to, in->bytes, size);
	in->bytes += size;
	in->left -= size;
}

static char *get_text(struct input *in)
{
	uint32_t size;
	char *text;

	get(in, &size, sizeof(size));
	if (size == NO_TEXT)
		return NULL;
	text = must(malloc((size_t)size + 1));
	get(in, text, size);
	text[size] = '\0';
	return text;
}

static struct judged *get_judged(struct input in)
{
	struct judged *j = must(calloc(1, sizeof(*j)));

	get(&in, &j->n, sizeof(j->n));
#define JUDGED_TEXT(name) j->name = get_text(&in);
	JUDGED_TEXTS(JUDGED_TEXT)
#undef JUDGED_TEXT
	get(&in, &j->note_count, sizeof(j->note_count));
	if (j->note_count)
		j->notes = must(calloc(j->note_count, sizeof(*j->notes)));
	for (size_t i = 0; i < j->note_count; i++) {
		j->notes[i].message = get_text(&in);
		j->notes[i].file = get_text(&in);
		get(&in, &j->notes[i].line, sizeof(uint64_t));
		get(&in, &j->notes[i].column, sizeof(uint64_t));
	}
	return j;
}

/* --- the worker --- */

struct sender {
	int fd;
	uint64_t task;
};

/* The parent's end gone means that nobody wants to know any more. */
static void send_bytes(int fd, const void *bytes, size_t size)
{
	for (const char *at = bytes; size;) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(EXIT_REJECTED);
		at += n;
		size -= (size_t)n;
	}
}

static void send_message(const struct sender *to, enum message_kind kind, const void *bytes,
			 size_t size)
{
	struct message message = { kind, (uint32_t)size, to->task };

	send_bytes(to->fd, &message, sizeof(message));
	send_bytes(to->fd, bytes, size);
}

static void send_judged(void *arg, struct judged *j)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&bytes, &size);

	if (!out)
		_exit(EXIT_REJECTED);
	put_judged(out, j);
	if (fclose(out) != 0)
		_exit(EXIT_REJECTED);
	send_message(arg, MESSAGE_VERDICT, bytes, size);
	free(bytes);
	judged_done(j);
}

static void work(const struct pool *pool, int fd)
{
	struct sender to = { .fd = fd };
	struct judging judging = *pool->judging;

	signal(SIGINT, SIG_IGN); /* the parent ends us */
	judging.emit = send_judged;
	judging.arg = &to;
	while ((to.task = atomic_fetch_add(pool->next, 1)) < pool->task_count) {
		const struct task *task = &pool->tasks[to.task];
		struct judge_counts counts;

		send_message(&to, MESSAGE_BEGIN, NULL, 0);
		judging.slice = task->slice;
		judging.slices = task->slices;
		judge_object(&judging, task->operand, pool->operands[task->operand], &counts);
		send_message(&to, MESSAGE_DONE, &counts, sizeof(counts));
	}
}

static bool start_worker(struct pool *pool, struct worker *worker)
{
	int ends[2];

	*worker = (struct worker){ .fd = -1, .task = -1 };
	if (pipe(ends) < 0)
		return false;
	fflush(stdout);
	fflush(stderr);
	worker->pid = fork();
	if (worker->pid == 0) {
		close(ends[0]);
		for (size_t i = 0; i < pool->worker_count; i++)
			if (pool->workers[i].fd >= 0)
				close(pool->workers[i].fd);
		work(pool, ends[1]);
		_exit(EXIT_DONE);
	}
	close(ends[1]);
	worker->fd = ends[0];
	if (worker->pid < 0)
		close(ends[0]), worker->fd = -1;
	return worker->pid > 0;
}

/* --- verdicts in order --- */

static void push(struct judged ***rows, size_t *count, size_t *size, struct judged *j)
{
	if (*count == *size) {
		*size = *size ? *size * 2 : 16;
		*rows = must(realloc(*rows, *size * sizeof(**rows)));
	}
	(*rows)[(*count)++] = j;
}

static int by_index(const void *a, const void *b)
{
	const struct judged *x = *(struct judged *const *)a, *y = *(struct judged *const *)b;

	return x->n.index < y->n.index ? -1 : x->n.index > y->n.index;
}

/* Slices of one operand may be done in any order. */
static void hand_on(struct pool *pool, struct pile *pile)
{
	struct results *results = pool->results;

	if (pile->count)
		qsort(pile->rows, pile->count, sizeof(*pile->rows), by_index);
	for (size_t i = 0; i < pile->count; i++) {
		if (pool->show)
			pool->show(pool->arg, pile->rows[i]);
		push(&results->rows, &results->count, &results->size, pile->rows[i]);
	}
	free(pile->rows);
	*pile = (struct pile){ 0 };
}

static void show_ready(struct pool *pool)
{
	while (pool->shown < pool->operand_count && !pool->piles[pool->shown].open)
		hand_on(pool, &pool->piles[pool->shown++]);
	pool->results->operands_done = pool->shown;
}

static void task_done(struct pool *pool, size_t index, const struct judge_counts *counts)
{
	const struct task *task = &pool->tasks[index];

	pool->tasks_done++;
	pool->piles[task->operand].open--;
	if (task->slice == 0) {
		pool->results->counts.objects += counts->objects;
		pool->results->counts.empty += counts->empty;
		pool->results->counts.selected += counts->selected;
	}
	show_ready(pool);
	progress(pool->tasks_done, pool->task_count, pool->operands[task->operand]);
}

/* The worker died over its task: the object gets a verdict of its own for that. */
static void task_lost(struct pool *pool, size_t index, int status)
{
	const struct task *task = &pool->tasks[index];
	struct pile *pile = &pool->piles[task->operand];
	struct judged *j = must(calloc(1, sizeof(*j)));
	static const struct judge_counts none;

	j->n.operand = task->operand;
	j->n.index = SIZE_MAX;
	j->n.insn = -1;
	j->n.verdict = UNLOADABLE;
	j->n.error = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? ENOMEM : EFAULT;
	j->n.code = SKEP_CODE_COUNT;
	j->object = strdup(pool->operands[task->operand]);
	if (asprintf(&j->message, "skep itself failed on it (%s)",
		     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended early") < 0 ||
	    asprintf(&j->why, "error: %s: %s; please report it\n", j->object, j->message) < 0)
		must(NULL);
	push(&pile->rows, &pile->count, &pile->size, j);
	task_done(pool, index, &none);
}

static void receive(struct pool *pool, struct worker *worker, struct message message,
		    struct input in)
{
	struct judge_counts counts;
	struct pile *pile;

	switch ((enum message_kind)message.kind) {
	case MESSAGE_BEGIN:
		worker->task = (int64_t)message.task;
		return;
	case MESSAGE_VERDICT:
		pile = &pool->piles[pool->tasks[message.task].operand];
		push(&pile->rows, &pile->count, &pile->size, get_judged(in));
		return;
	case MESSAGE_DONE:
		worker->task = -1;
		get(&in, &counts, sizeof(counts));
		task_done(pool, message.task, &counts);
		return;
	}
	abort();
}

/* Read what there is; false once the worker has closed its end. */
static bool read_worker(struct pool *pool, struct worker *worker)
{
	size_t used = 0;
	ssize_t n;

	if (worker->size - worker->count < 65536) {
		worker->size = worker->size ? worker->size * 2 : 131072;
		worker->bytes = must(realloc(worker->bytes, worker->size));
	}
	n = read(worker->fd, worker->bytes + worker->count, worker->size - worker->count);
	if (n < 0)
		return errno == EINTR;
	worker->count += (size_t)n;
	for (;;) {
		struct message message;

		if (worker->count - used < sizeof(message))
			break;
		memcpy(&message, worker->bytes + used, sizeof(message));
		if (worker->count - used - sizeof(message) < message.size)
			break;
		receive(pool, worker, message,
			(struct input){ worker->bytes + used + sizeof(message), message.size });
		used += sizeof(message) + message.size;
	}
	memmove(worker->bytes, worker->bytes + used, worker->count - used);
	worker->count -= used;
	return n > 0;
}

/* A worker is gone; where it left a task behind, another takes up its place. */
static void bury(struct pool *pool, struct worker *worker)
{
	int64_t task = worker->task;
	int status = 0;

	close(worker->fd);
	worker->fd = -1;
	waitpid(worker->pid, &status, 0);
	free(worker->bytes);
	worker->bytes = NULL;
	if (task < 0 || interrupted)
		return;
	task_lost(pool, (size_t)task, status);
	start_worker(pool, worker);
}

static void wait_for_workers(struct pool *pool)
{
	struct pollfd *fds = must(calloc(pool->worker_count, sizeof(*fds)));
	sigset_t block, before;

	/* An interrupt comes while waiting or not at all: none is slept over. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, &before);

	while (!interrupted && pool->tasks_done < pool->task_count) {
		size_t open = 0;

		for (size_t i = 0; i < pool->worker_count; i++) {
			fds[i] = (struct pollfd){ .fd = pool->workers[i].fd, .events = POLLIN };
			open += fds[i].fd >= 0;
		}
		if (!open)
			break;
		if (ppoll(fds, pool->worker_count, NULL, &before) < 0)
			continue;
		for (size_t i = 0; i < pool->worker_count; i++)
			if (fds[i].fd >= 0 && fds[i].revents &&
			    !read_worker(pool, &pool->workers[i]))
				bury(pool, &pool->workers[i]);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(fds);
}

/* --- setting up --- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static void make_tasks(struct pool *pool, size_t jobs)
{
	unsigned slices = pool->operand_count < 2 * jobs ? (unsigned)jobs : 1;

	pool->tasks = must(calloc(pool->operand_count * slices, sizeof(*pool->tasks)));
	pool->piles = must(calloc(pool->operand_count, sizeof(*pool->piles)));
	for (size_t i = 0; i < pool->operand_count; i++) {
		/* Compiling a source twice would cost more than it saves. */
		unsigned parts = ends_with(pool->operands[i], ".c") ? 1 : slices;

		pool->piles[i].open = parts;
		for (unsigned s = 0; s < parts; s++)
			pool->tasks[pool->task_count++] = (struct task){ i, s, parts };
	}
}

static void end_workers(struct pool *pool)
{
	for (size_t i = 0; i < pool->worker_count; i++) {
		if (pool->workers[i].fd < 0)
			continue;
		if (interrupted)
			kill(pool->workers[i].pid, SIGKILL);
		close(pool->workers[i].fd);
		waitpid(pool->workers[i].pid, NULL, 0);
		free(pool->workers[i].bytes);
	}
}

/* What was done when the interrupt came is shown, though something before it is missing. */
static void show_rest(struct pool *pool)
{
	for (size_t i = pool->shown; i < pool->operand_count; i++)
		hand_on(pool, &pool->piles[i]);
}

bool judge_all(const struct judging *judging, size_t jobs, int count, char **operands,
	       void (*show)(void *arg, const struct judged *j), void *arg,
	       struct results *results)
{
	struct sigaction action = { .sa_handler = on_interrupt }, before;
	struct pool pool = {
		.judging = judging, .operands = operands, .operand_count = (size_t)count,
		.show = show, .arg = arg, .results = results,
	};

	*results = (struct results){ 0 };
	make_tasks(&pool, jobs);
	pool.next = mmap(NULL, sizeof(*pool.next), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pool.next == MAP_FAILED)
		return false;
	atomic_store(pool.next, 0);
	pool.workers = must(calloc(jobs, sizeof(*pool.workers)));
	sigaction(SIGINT, &action, &before);
	for (size_t i = 0; i < jobs && i < pool.task_count; i++)
		pool.worker_count += start_worker(&pool, &pool.workers[pool.worker_count]);
	wait_for_workers(&pool);
	end_workers(&pool);
	progress_clear();
	show_rest(&pool);
	sigaction(SIGINT, &before, NULL);
	results->interrupted = interrupted;
	free(pool.workers);
	free(pool.tasks);
	free(pool.piles);
	munmap(pool.next, sizeof(*pool.next));
	return pool.worker_count > 0;
}

/* --- without processes --- */

struct collector {
	void (*show)(void *arg, const struct judged *j);
	void *arg;
	struct results *results;
};

static void collect(void *arg, struct judged *j)
{
	struct collector *c = arg;

	c->show(c->arg, j);
	push(&c->results->rows, &c->results->count, &c->results->size, j);
}

void judge_into_page(const struct judging *judging, int count, char **operands,
		     void (*show)(void *arg, const struct judged *j), void *arg,
		     struct results *results)
{
	/* The second interrupt ends it as it is, should the first not be seen. */
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	struct sigaction before;
	struct collector collector = { show, arg, results };
	struct judging own = *judging;

	*results = (struct results){ 0 };
	own.emit = collect;
	own.arg = &collector;
	own.slices = 1;
	judging->html->stop = &interrupted;
	sigaction(SIGINT, &action, &before);
	for (int i = 0; i < count && !interrupted; i++) {
		struct judge_counts counts;

		judge_object(&own, (size_t)i, operands[i], &counts);
		results->counts.objects += counts.objects;
		results->counts.empty += counts.empty;
		results->counts.selected += counts.selected;
		results->operands_done += !interrupted;
		progress((size_t)i + 1, (size_t)count, operands[i]);
	}
	progress_clear();
	sigaction(SIGINT, &before, NULL);
	results->interrupted = interrupted;
}

void results_done(struct results *results)
{
	for (size_t i = 0; i < results->count; i++)
		judged_done(results->rows[i]);
	free(results->rows);
	*results = (struct results){ 0 };
}
