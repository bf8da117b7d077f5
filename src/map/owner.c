/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.c - participants of an arena: joining, and finding out who died. [runtime]
 *
 * The one idea: a generation in every owner word. A slot of the table is given
 * to a new process with a higher generation, so words with the old one are
 * dead for good and need no search at the time of death.
 */
#include "map/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define OWNER_PATIENCE 1000000000ull /* ns that a live holder is waited for */
#define OWNER_GENERATION 0xffffffull /* those of the token */

struct owner_process *owner_process;

int owner_process_init(void)
{
	size_t size = sizeof(struct owner_process);
	struct owner_process *expected = NULL;
	void *fresh;

	if (__atomic_load_n(&owner_process, __ATOMIC_ACQUIRE))
		return 0;
	fresh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		return -ENOMEM;
	if (madvise(fresh, size, MADV_WIPEONFORK) < 0 ||
	    !__atomic_compare_exchange_n(&owner_process, &expected, (struct owner_process *)fresh,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap(fresh, size);
	return owner_process ? 0 : -ENOMEM;
}

void owner_process_done(void)
{
	if (owner_process)
		munmap(owner_process, sizeof(*owner_process));
	owner_process = NULL;
}

uint64_t owner_clock(void)
{
	struct timespec now = { 0, 0 };

	sys_call2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec -
	       (uint64_t)owner_ahead.monotonic_ns;
}

struct owner_clocks owner_ahead;

/* The next number of a text, which may be negative; 0 at its end. */
static int64_t take_signed(const char **at)
{
	int64_t value = 0;
	bool negative;

	while (**at && **at != '-' && (**at < '0' || **at > '9'))
		++*at;
	negative = **at == '-';
	*at += negative;
	for (; **at >= '0' && **at <= '9'; ++*at)
		value = value * 10 + (**at - '0');
	return negative ? -value : value;
}

/* "monotonic SECONDS NANOSECONDS", and so for boottime. */
bool owner_clocks_read(struct owner_clocks *offsets)
{
	int64_t fd = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/timens_offsets",
			       O_RDONLY | O_CLOEXEC, 0), size, seconds;
	char text[160];
	const char *at = text;

	if (fd < 0)
		return false;
	size = sys_call3(SYS_read, fd, text, sizeof(text) - 1);
	sys_call1(SYS_close, fd);
	text[size > 0 ? size : 0] = '\0';
	seconds = take_signed(&at);
	offsets->monotonic_ns = seconds * 1000000000 + take_signed(&at);
	seconds = take_signed(&at);
	offsets->boot_ns = seconds * 1000000000 + take_signed(&at);
	return size > 0;
}

/* --- what the kernel says of a process --- */

enum { PROC_GONE, PROC_ALIVE, PROC_UNKNOWN };

struct proc {
	int state;
	uint64_t start, image;
};

static char *put_decimal(char *p, uint64_t n)
{
	char digits[20];
	int count = 0;

	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	while (count > 0)
		*p++ = digits[--count];
	return p;
}

/* The number after n spaces. */
static uint64_t stat_field(const char *p, const char *end, int n)
{
	uint64_t value = 0;

	for (; p < end && n > 0; p++)
		n -= *p == ' ';
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return value;
}

/* Reads "PID (any text) STATE PPID ...": state is field 3, start 22, stack 28. */
static void stat_parse(const char *text, size_t size, struct proc *proc)
{
	const char *end = text + size, *p = end;

	while (p > text && p[-1] != ')')
		p--;
	if (p == text || end - p < 3)
		return;
	proc->state = p[1] == 'Z' || p[1] == 'X' || p[1] == 'x' ? PROC_GONE : PROC_ALIVE;
	proc->start = stat_field(p, end, 20);
	proc->image = stat_field(p, end, 26);
}

static char *put_text(char *p, const char *text)
{
	while (*text)
		*p++ = *text++;
	*p = '\0';
	return p;
}

/* pid 0: this process's own, whatever it is called there. */
static struct proc proc_read(uint32_t pid)
{
	struct proc proc = { .state = PROC_UNKNOWN };
	char path[40], text[1024], *p = put_text(path, "/proc/");
	int64_t fd, size;

	p = pid ? put_decimal(p, pid) : put_text(p, "self");
	put_text(p, "/stat");
	fd = sys_call4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0) {
		size = sys_call3(SYS_read, fd, text, sizeof(text));
		sys_call1(SYS_close, fd);
		if (size > 0)
			stat_parse(text, (size_t)size, &proc);
		else if (size == -ESRCH)
			proc.state = PROC_GONE;
	}
	if (proc.state == PROC_UNKNOWN && pid && sys_call2(SYS_kill, pid, 0) == -ESRCH)
		proc.state = PROC_GONE;
	return proc;
}

void owner_describe(uint32_t pid, uint64_t *start, uint64_t *image)
{
	struct proc proc = proc_read(pid);

	*start = proc.start;
	*image = proc.image;
}

/* --- spaces --- */

struct owner_name owner_known_as;

static uint64_t inherited; /* the space of this process or, before it looked, its parent's */

/* The number of a namespace; 0: not known. */
static uint32_t namespace_of(const char *process, const char *name)
{
	char path[64];
	struct stat status;

	put_text(put_text(put_text(put_text(path, "/proc/"), process), "/ns/"), name);
	return sys_call4(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0 ? (uint32_t)status.st_ino
									   : 0;
}

uint64_t owner_space_read(const char *process)
{
	uint64_t pids = namespace_of(process, "pid");

	return pids ? pids << 32 | namespace_of(process, "time") : 0;
}

/* Without /proc: where its parent was, unless that cannot be seen from here. */
static uint64_t space_guess(void)
{
	if (!inherited)
		return OWNER_ANYWHERE;
	return sys_call0(SYS_getppid) == 0 ? OWNER_NOWHERE : inherited;
}

uint64_t owner_space(void)
{
	uint64_t space = owner_process ? owner_process->space : 0;

	if (space)
		return space;
	space = owner_known_as.pid ? owner_known_as.space : 0;
	if (!space)
		space = owner_space_read("self");
	if (!space)
		space = space_guess();
	inherited = space;
	if (owner_process)
		owner_process->space = space;
	return space;
}

static bool is_home(const struct owner_table *table, uint64_t space)
{
	uint64_t home = __atomic_load_n(&table->home, __ATOMIC_ACQUIRE);

	return space == home || space == OWNER_ANYWHERE || home == OWNER_ANYWHERE || home == 0;
}

bool owner_space_is_abroad(const struct owner_table *table, uint64_t space)
{
	return !is_home(table, space);
}

bool owner_is_abroad(const struct owner_table *table)
{
	return owner_space_is_abroad(table, owner_space());
}

static uint32_t slots_used(const struct owner_table *table)
{
	uint32_t used = __atomic_load_n(&table->used, __ATOMIC_ACQUIRE);

	return used < OWNER_PARTICIPANTS ? used : OWNER_PARTICIPANTS;
}

void owner_make_home(struct owner_table *table)
{
	uint64_t before = __atomic_load_n(&table->home, __ATOMIC_ACQUIRE), now = owner_space();

	if (before == now)
		return;
	for (uint32_t i = 0; before > OWNER_NOWHERE && i < slots_used(table); i++) {
		struct participant *at = &table->at[i];
		uint64_t word = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);

		if ((uint32_t)word == 0 || word & OWNER_ABROAD)
			continue;
		__atomic_store_n(&at->space, before, __ATOMIC_RELEASE);
		__atomic_compare_exchange_n(&at->word, &word, word | OWNER_ABROAD, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&table->home, now, __ATOMIC_RELEASE);
}

/* Whether what this process sees of the pid in a word says anything. */
static bool may_judge(const struct owner_table *table, const struct participant *at, uint64_t word)
{
	uint64_t own = owner_space();

	if (word & OWNER_ABROAD)
		return own > OWNER_NOWHERE && __atomic_load_n(&at->space, __ATOMIC_ACQUIRE) == own;
	return is_home(table, own);
}

/* --- participants --- */

void owner_call(struct owner_table *table)
{
	if (!__atomic_exchange_n(&table->called, 1, __ATOMIC_ACQ_REL))
		sys_call3(SYS_futex, &table->called, FUTEX_WAKE, 1);
}

void owner_await_call(struct owner_table *table, uint64_t ns)
{
	const struct timespec time = { .tv_sec = (time_t)(ns / 1000000000u),
				       .tv_nsec = (long)(ns % 1000000000u) };

	sys_call4(SYS_futex, &table->called, FUTEX_WAIT, 0, &time);
}

static bool participant_died(struct owner_table *table, const struct participant *at,
			     uint64_t word)
{
	uint64_t start = __atomic_load_n(&at->start, __ATOMIC_ACQUIRE);
	uint64_t image = __atomic_load_n(&at->image, __ATOMIC_RELAXED);
	struct proc proc;

	if (!may_judge(table, at, word)) {
		owner_call(table);
		return false;
	}
	proc = proc_read((uint32_t)word & OWNER_PID);
	if (__atomic_load_n(&at->word, __ATOMIC_ACQUIRE) != word)
		return false; /* another's by now: start and image may be theirs */
	if (proc.state == PROC_GONE)
		return true;
	if (start != 0 && proc.start != 0 && start != proc.start)
		return true;
	return image > 1 && proc.image > 1 && image != proc.image;
}

/* Gives a dead participant's slot back, once. What is known of it is forgotten
 * first: the next owner's must not be compared with it. */
static void participant_bury(struct owner_table *table, struct participant *at, uint64_t word)
{
	uint64_t expected = word;

	__atomic_store_n(&at->start, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&at->image, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&at->space, 0, __ATOMIC_RELEASE);
	if (__atomic_compare_exchange_n(&at->word, &expected, word & ~(uint64_t)0xffffffff, false,
					__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		__atomic_fetch_add(&table->deaths, 1, __ATOMIC_ACQ_REL);
}

bool owner_dead(struct owner_table *table, uint64_t word)
{
	uint64_t token = word >> 24;
	struct participant *at = &table->at[(token & 0xffff) % OWNER_PARTICIPANTS];
	uint64_t seen = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);

	if (word == 0 || OWNER_TOKEN(word) == owner_process->token[table->arena])
		return false;
	if (((seen >> 32) & OWNER_GENERATION) != token >> 16 || (uint32_t)seen == 0)
		return true;
	if (!participant_died(table, at, seen))
		return false;
	participant_bury(table, at, seen);
	return true;
}

bool owner_pid_is_abroad(const struct owner_table *table, uint64_t word)
{
	uint64_t token = word >> 24;

	return __atomic_load_n(&table->at[(token & 0xffff) % OWNER_PARTICIPANTS].word,
			       __ATOMIC_ACQUIRE) & OWNER_ABROAD;
}

uint32_t owner_pid(const struct owner_table *table, uint64_t word)
{
	uint64_t token = word >> 24;
	uint64_t seen = __atomic_load_n(&table->at[(token & 0xffff) % OWNER_PARTICIPANTS].word,
					__ATOMIC_ACQUIRE);

	return word != 0 && ((seen >> 32) & OWNER_GENERATION) == token >> 16 ? (uint32_t)seen & OWNER_PID : 0;
}

uint64_t owner_participant(struct owner_table *table, uint32_t i)
{
	uint64_t seen = __atomic_load_n(&table->at[i].word, __ATOMIC_ACQUIRE);
	uint64_t token = (((seen >> 32) & OWNER_GENERATION) << 16 | i) << 24;

	return (uint32_t)seen == 0 || owner_dead(table, token) ? 0 : token;
}

static void reap(struct owner_table *table)
{
	uint64_t own = owner_token(table) >> 24;
	uint32_t used = slots_used(table);

	for (uint32_t i = 0; i < used; i++) {
		uint64_t word = __atomic_load_n(&table->at[i].word, __ATOMIC_ACQUIRE);

		if ((uint32_t)word != 0 && i != (own & 0xffff) &&
		    participant_died(table, &table->at[i], word))
			participant_bury(table, &table->at[i], word);
	}
}

uint64_t owner_reap(struct owner_table *table)
{
	uint64_t now = owner_clock(), last = __atomic_load_n(&table->checked, __ATOMIC_RELAXED);

	if (now - last >= 5000000 &&
	    __atomic_compare_exchange_n(&table->checked, &last, now, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		reap(table);
	return __atomic_load_n(&table->deaths, __ATOMIC_ACQUIRE);
}

void owner_answer(struct owner_table *table,
		  bool (*gone)(void *arg, uint64_t space, uint32_t pid), void *arg)
{
	const uint32_t flags = OWNER_ABROAD | OWNER_TARGET;
	uint32_t used = slots_used(table);

	if (__atomic_exchange_n(&table->called, 0, __ATOMIC_ACQ_REL))
		reap(table);
	for (uint32_t i = 0; i < used; i++) {
		struct participant *at = &table->at[i];
		uint64_t word = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);
		uint64_t space = __atomic_load_n(&at->space, __ATOMIC_ACQUIRE);

		if ((word & flags) == flags && space && gone(arg, space, (uint32_t)word & OWNER_PID))
			participant_bury(table, at, word);
	}
}

/* What was known of it is as it saw it itself. */
void owner_rename(struct owner_table *table, uint64_t token, uint32_t pid)
{
	struct participant *at = &table->at[(token >> 24 & 0xffff) % OWNER_PARTICIPANTS];
	uint64_t word = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE), start, image;

	if (((word >> 32) & OWNER_GENERATION) != token >> 40 || !(word & OWNER_ABROAD))
		return;
	owner_describe(pid, &start, &image);
	__atomic_store_n(&at->start, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&at->image, 0, __ATOMIC_RELEASE);
	if (!__atomic_compare_exchange_n(&at->word, &word, (word & ~(uint64_t)0xffffffff) | pid,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&at->image, image, __ATOMIC_RELAXED);
	__atomic_store_n(&at->start, start, __ATOMIC_RELEASE);
}

/* Claims slot i if it is free, or its process is dead or is this one before an
 * exec. Returns the token, or 0. */
static uint64_t participant_claim(struct owner_table *table, uint32_t i, uint32_t pid,
				  bool check)
{
	struct participant *at = &table->at[i];
	uint64_t seen = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);
	uint64_t generation = (seen >> 32) + 1;

	if ((uint32_t)seen != 0 && check && may_judge(table, at, seen) &&
	    participant_died(table, at, seen)) {
		participant_bury(table, at, seen);
		seen = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);
	}
	if ((uint32_t)seen != 0)
		return 0;
	if ((generation & OWNER_GENERATION) == 0)
		generation++;
	generation &= 0xffffffff;
	if (!__atomic_compare_exchange_n(&at->word, &seen, generation << 32 | pid, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return 0;
	return ((generation & OWNER_GENERATION) << 16 | i) << 24;
}

/* Who joins: the pid, with its flags, and what is known of it. */
static struct owner_name name_here(struct owner_table *table)
{
	struct owner_name name = owner_known_as;
	uint64_t home = 0, space = owner_space();
	struct proc proc = { 0 };

	if (__atomic_load_n(&table->home, __ATOMIC_RELAXED) == 0)
		__atomic_compare_exchange_n(&table->home, &home, space, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	if (!name.pid || !name.start)
		proc = proc_read(0);
	if (!name.pid || (!name.start && is_home(table, space))) {
		name.start = proc.start;
		name.image = proc.image;
	}
	if (!name.pid) {
		name.pid = (uint32_t)sys_call0(SYS_getpid);
		name.pid |= is_home(table, space) ? 0 : OWNER_ABROAD;
#ifdef SKEP_AGENT
		name.pid |= OWNER_TARGET;
#endif
	}
	name.space = space;
	return name;
}

/*
 * A slot that was given back, or of somebody dead, or a new one. Before a new one is used a few are
 * looked at, so that the table grows with those that live, not with those that have lived. All
 * live: waits until one ends.
 */
static uint64_t slot_claim(struct owner_table *table, uint32_t pid, uint32_t *slot)
{
	enum { LOOKS = 4 };
	uint64_t token = 0;

	for (;;) {
		uint32_t used = slots_used(table);

		for (*slot = 0; *slot < used && token == 0; *slot += token == 0)
			token = participant_claim(table, *slot, pid, false);
		for (uint32_t i = 0; i < LOOKS && i < used && token == 0; i++) {
			*slot = __atomic_fetch_add(&table->hand, 1, __ATOMIC_RELAXED) % used;
			token = participant_claim(table, *slot, pid, true);
		}
		for (*slot = token ? *slot : used; *slot < OWNER_PARTICIPANTS && token == 0;
		     *slot += token == 0)
			token = participant_claim(table, *slot, pid, false);
		if (token != 0)
			return token;
		owner_call(table); /* there may be dead that cannot be judged from here */
		sys_yield();
	}
}

uint64_t owner_join(struct owner_table *table)
{
	const struct owner_name name = name_here(table);
	uint64_t expected = 0, token;
	uint32_t slot;

	token = slot_claim(table, name.pid, &slot);
	__atomic_store_n(&table->at[slot].image, name.image, __ATOMIC_RELAXED);
	__atomic_store_n(&table->at[slot].start, name.start, __ATOMIC_RELEASE);
	__atomic_store_n(&table->at[slot].space, name.space, __ATOMIC_RELEASE);
	for (uint32_t used = __atomic_load_n(&table->used, __ATOMIC_RELAXED); used <= slot;)
		if (__atomic_compare_exchange_n(&table->used, &used, slot + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			break;
	if (__atomic_compare_exchange_n(&owner_process->token[table->arena], &expected, token,
					false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return token;
	/* Another thread joined first: hand the slot back. */
	__atomic_store_n(&table->at[slot].start, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&table->at[slot].image, 0, __ATOMIC_RELEASE);
	__atomic_and_fetch(&table->at[slot].word, ~(uint64_t)0xffffffff, __ATOMIC_RELEASE);
	return expected;
}

void owner_leave(struct owner_table *table)
{
	uint64_t token = __atomic_exchange_n(&owner_process->token[table->arena], 0,
					     __ATOMIC_ACQ_REL) >> 24;
	struct participant *at = &table->at[token & 0xffff];
	uint64_t word = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);

	if (token != 0 && ((word >> 32) & OWNER_GENERATION) == token >> 16)
		participant_bury(table, at, word);
}

struct owner_thread *owner_thread_add(uint64_t key)
{
	uint64_t at = (key * 0x9e3779b97f4a7c15ull) >> 52;

	for (uint64_t i = 0; i < 8; i++) {
		uint64_t index = (at + i) % OWNER_THREADS, expected = 0;
		struct owner_thread *thread = &owner_process->thread[index];

		if (index == OWNER_THREAD_UNKNOWN)
			continue;
		if (__atomic_load_n(&thread->key, __ATOMIC_RELAXED) == key ||
		    __atomic_compare_exchange_n(&thread->key, &expected, key, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return thread;
	}
	return NULL;
}

/* --- locks --- */

int owner_lock_slow(struct owner_table *table, uint64_t *lock, uint64_t self)
{
	bool known = (self & (OWNER_THREADS - 1)) != OWNER_THREAD_UNKNOWN;
	uint64_t patience = known ? OWNER_PATIENCE : OWNER_PATIENCE / 100, start = 0;

	for (unsigned spins = 1;; spins++) {
		uint64_t seen = __atomic_load_n(lock, __ATOMIC_RELAXED);

		if (seen == 0 && __atomic_compare_exchange_n(lock, &seen, self, false,
							     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return 0;
		if (seen == self && known)
			return -EBUSY;
		if (spins % 128 != 0) {
			cpu_pause();
			continue;
		}
		if (seen != 0 && spins % 1024 == 0 && owner_dead(table, seen) &&
		    __atomic_compare_exchange_n(lock, &seen, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return 1;
		if (start == 0)
			start = owner_clock();
		else if (owner_clock() - start > patience)
			return -EBUSY;
		sys_yield();
	}
}
