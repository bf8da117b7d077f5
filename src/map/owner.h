/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.h - who holds a word of the arena, and whether they still live.
 *
 * An owner word names the process and the thread that put it there:
 *
 *   63            24 23      12 11        0
 *   | token         | for user | thread    |
 *
 * The token is a slot of the arena's table of participants and the slot's
 * generation, so that a word left by a dead process stays recognisable after
 * its slot, or its pid, is used again. The thread is an index in a table of
 * the process's own threads, found by the thread pointer; OWNER_THREAD_UNKNOWN
 * when that table is full.
 *
 * What liveness rests on: a participant is dead when its pid is gone, is a
 * zombie, started at another time, or (where that may be seen) runs another
 * image than the one that joined. It needs /proc; without it only a pid that
 * is gone counts as dead. A child made by fork() joins by itself at its first
 * operation: the process's own table is in memory that fork wipes.
 *
 * A pid means something in its pid namespace, a start time in its time
 * namespace; together they are a space. The table has one that is home, whose
 * participants judge each other. One of another space joins as abroad, with the
 * pid it has there: it is judged only from there, until somebody at home who
 * knows its pid here says it (owner_rename()). Whoever meets a word that he
 * cannot judge takes it for alive, and calls whoever can (owner_await_call()).
 *
 * Threads: any. Async-signal-safe, except owner_process_init().
 */
#ifndef MAP_OWNER_H
#define MAP_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map/sys.h"

enum {
	OWNER_PARTICIPANTS = 32768, /* most of which is never touched; a token has room for twice as many */
	OWNER_THREADS = 4096,
	OWNER_THREAD_UNKNOWN = OWNER_THREADS - 1,
	OWNER_ARENAS = 16, /* arenas a process may be in */
};

#define OWNER_TOKEN(word) ((word) & ~(uint64_t)0xffffff)

/* Flags of a pid in struct participant, above the highest that Linux gives. */
#define OWNER_ABROAD 0x80000000u /* of another space than home */
#define OWNER_TARGET 0x40000000u /* in a process that a supervisor looks after */
#define OWNER_PID 0x3fffffffu

#define OWNER_ANYWHERE 1ull /* a space that nothing is known of */
#define OWNER_NOWHERE 2ull  /* one whose pids nobody knows */

struct participant {
	uint64_t word;  /* generation << 32 | flags | pid; 0 there: free */
	uint64_t start; /* when it started, in ticks since boot; 0: not known */
	uint64_t image; /* top of its stack when it joined; 0: not known */
	uint64_t space; /* OWNER_ABROAD: which; 0: not said yet */
};

/* In the arena's header. */
struct owner_table {
	uint64_t deaths;    /* participants found dead so far */
	uint64_t checked;   /* when all were last looked at, in ns; see owner_reap() */
	uint32_t used;      /* slots ever used */
	uint32_t arena;     /* which of OWNER_ARENAS this is */
	uint64_t home;      /* the space of participants that are not abroad */
	uint32_t called;    /* somebody met a word that he cannot judge; waited for */
	uint32_t hand;      /* where the next search for the dead begins */
	struct participant at[OWNER_PARTICIPANTS];
};

/* A thread of this process, in one arena. Only the thread itself and its
 * signal handlers write it once key is set. */
struct owner_thread {
	uint64_t key;   /* thread pointer | arena; 0: free */
	void *held;     /* the virtual CPU it holds */
	uintptr_t frame; /* the stack frame it took it in */
};

/* This process's own view; wiped by fork. */
struct owner_process {
	uint64_t token[OWNER_ARENAS];
	uint64_t space; /* 0: not looked at yet */
	struct owner_thread thread[OWNER_THREADS];
};

extern struct owner_process *owner_process;

/* What the other participants know of this process, and of no child. */
struct owner_name {
	uint32_t pid;          /* at home; 0: as it says itself */
	uint64_t space;        /* where the process is; 0: as it finds */
	uint64_t start, image; /* as home sees them; 0: as it finds */
};

extern struct owner_name owner_known_as;

/* The space of the calling process: its namespaces' numbers, or OWNER_*. */
uint64_t owner_space(void);
/* Of a process as /proc tells; "self" or a pid in digits. 0: it does not. */
uint64_t owner_space_read(const char *process);
/* Whether its pids are others than those at home. */
bool owner_is_abroad(const struct owner_table *table);
/* The same of a space. */
bool owner_space_is_abroad(const struct owner_table *table, uint64_t space);
/* The calling process's space is home from now on. */
void owner_make_home(struct owner_table *table);
/* The participant of a token, abroad so far, is this process at home. */
void owner_rename(struct owner_table *table, uint64_t token, uint32_t pid);
/* When a process started, and the top of its stack, as this process sees it. 0: not known */
void owner_describe(uint32_t pid, uint64_t *start, uint64_t *image);
/* Waits until somebody calls for a judge, at most for so long; and ends that wait. */
void owner_await_call(struct owner_table *table, uint64_t ns);
void owner_call(struct owner_table *table);
/*
 * Looks at all participants if anybody called, and at those targets abroad that nobody has
 * renamed: gone() says whether there is such a process any more.
 */
void owner_answer(struct owner_table *table,
		  bool (*gone)(void *arg, uint64_t space, uint32_t pid), void *arg);

/* Once per process, before its first arena. 0 or -ENOMEM. */
int owner_process_init(void);
/* After its last. */
void owner_process_done(void);
uint64_t owner_join(struct owner_table *table);
/* What this process still holds is a dead one's from now on. */
void owner_leave(struct owner_table *table);
struct owner_thread *owner_thread_add(uint64_t key);
/* Whether a word's process has died. May make system calls. Never true of 0. */
bool owner_dead(struct owner_table *table, uint64_t word);
/* The process of a word, dead or alive; 0: its slot has another by now, or the word is 0. */
uint32_t owner_pid(const struct owner_table *table, uint64_t word);
/* Whether that is what the process calls itself, elsewhere. */
bool owner_pid_is_abroad(const struct owner_table *table, uint64_t word);
/* The token of the i-th participant if it lives, with a look at its process; else 0. */
uint64_t owner_participant(struct owner_table *table, uint32_t i);
/* Looks at every participant, at most once in 5 ms; returns table->deaths. */
uint64_t owner_reap(struct owner_table *table);
/* How far the clocks of this process's time namespace are ahead of those at home; 0, 0: not. */
struct owner_clocks {
	int64_t monotonic_ns, boot_ns;
};

extern struct owner_clocks owner_ahead;

/* The offsets of this process's time namespace, as /proc tells. False: it does not. */
bool owner_clocks_read(struct owner_clocks *offsets);
/* Now, on a clock that is the same in all processes; nanoseconds. */
uint64_t owner_clock(void);

/* Differs between all threads of a process that live at one time. */
static inline uint64_t owner_thread_pointer(void)
{
	uint64_t pointer;

#if defined(__x86_64__) && defined(SKEP_AGENT)
	/* Inside a target nothing is known of what lies there: Go keeps to no ABI, and a
	 * thread that has just begun has no thread pointer at all. */
	__asm__ volatile("rdfsbase %0" : "=r"(pointer));
	pointer = pointer ? pointer : OWNER_ARENAS;
#elif defined(__x86_64__)
	/* The ABI keeps the thread pointer's own value at its address. */
	__asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
#else
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
	return pointer;
}

static inline uint64_t owner_key(uint64_t pointer, const struct owner_table *table)
{
	return (pointer & ~(uint64_t)(OWNER_ARENAS - 1)) | table->arena;
}

static inline uint64_t owner_thread_key(const struct owner_table *table)
{
	return owner_key(owner_thread_pointer(), table);
}

/* The first place to look for a key, and its number. */
static inline uint64_t owner_thread_at(uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull) >> 52;
}

static inline struct owner_thread *owner_thread_place(uint64_t key)
{
	return &owner_process->thread[owner_thread_at(key)];
}

/* The record of a key; NULL when the table is full around its place. */
static inline struct owner_thread *owner_thread_of(uint64_t key)
{
	struct owner_thread *thread = owner_thread_place(key);

	if (__builtin_expect(thread->key == key, 1))
		return thread;
	return owner_thread_add(key);
}

static inline struct owner_thread *owner_thread_find(const struct owner_table *table)
{
	return owner_thread_of(owner_thread_key(table));
}

static inline uint64_t owner_token(struct owner_table *table)
{
	uint64_t token = __atomic_load_n(&owner_process->token[table->arena], __ATOMIC_RELAXED);

	return __builtin_expect(token != 0, 1) ? token : owner_join(table);
}

static inline uint64_t owner_word(struct owner_table *table, const struct owner_thread *thread)
{
	return owner_token(table) |
	       (thread ? (uint64_t)(thread - owner_process->thread) : OWNER_THREAD_UNKNOWN);
}

static inline uint64_t owner_self(struct owner_table *table)
{
	return owner_word(table, owner_thread_find(table));
}

/* --- locks that a dead process cannot keep --- */

int owner_lock_slow(struct owner_table *table, uint64_t *lock, uint64_t self);

/*
 * 0: held. 1: held, taken over from a dead holder, who may have left what the
 * lock guards between any two stores. -EBUSY: this very thread holds it (a
 * signal handler came in the middle), or a live holder kept it for a second.
 */
static inline int owner_lock(struct owner_table *table, uint64_t *lock, uint64_t self)
{
	uint64_t expected = 0;

	if (__builtin_expect(__atomic_compare_exchange_n(lock, &expected, self, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 1))
		return 0;
	return owner_lock_slow(table, lock, self);
}

static inline bool owner_trylock(uint64_t *lock, uint64_t self)
{
	uint64_t expected = 0;

	return __atomic_load_n(lock, __ATOMIC_RELAXED) == 0 &&
	       __atomic_compare_exchange_n(lock, &expected, self, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void owner_unlock(uint64_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
