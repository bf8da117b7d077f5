/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.c - taking and giving back virtual CPUs. [runtime]
 *
 * Two words say the same from two sides: the virtual CPU's owner word, which
 * other threads compare-and-swap, and the thread's own record of what it holds,
 * which only the thread and its signal handlers touch and which makes "am I
 * inside a program already?" one load. Taking writes the owner word first and
 * the record second; giving back goes the other way, so a signal in between
 * finds no program and may run one of its own on another virtual CPU.
 */
#include "map/vcpu.h"

#include <errno.h>
#include <signal.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "map/memory_impl.h"
#include "map/owner.h"

enum { POSSIBLE_MAX = 4096 };

struct vcpu_set {
	struct memory *memory;
	struct owner_table *owners;
	const uint64_t *epoch;
	uint32_t count;
	uint32_t half;
	uint64_t missed;
	struct vcpu cpu[];
};

/* --- which CPU --- */

enum { CPU_UNKNOWN, CPU_RDPID, CPU_RDTSCP, CPU_CALL };

static uint32_t cpu_means; /* how this process finds its CPU; the same answer for all threads */

static uint32_t cpu_means_find(void)
{
	uint32_t means = CPU_CALL;

#if defined(__x86_64__)
	uint32_t a = 0, b = 0, c = 0, d = 0;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 1u << 22))
		means = CPU_RDPID;
	else if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (d & 1u << 27))
		means = CPU_RDTSCP;
#endif
	__atomic_store_n(&cpu_means, means, __ATOMIC_RELAXED);
	return means;
}

/* Linux keeps CPU number and node in the register that RDPID and RDTSCP read. */
static inline bool cpu_now_quick(unsigned *cpu)
{
#if defined(__x86_64__)
	uint64_t aux;

	if (__builtin_expect(__atomic_load_n(&cpu_means, __ATOMIC_RELAXED) == CPU_RDPID, 1)) {
		__asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a"(aux)); /* rdpid %rax */
		*cpu = aux & 0xfff;
		return true;
	}
#endif
	(void)cpu;
	return false;
}

static inline unsigned cpu_now(void)
{
	uint32_t means = __atomic_load_n(&cpu_means, __ATOMIC_RELAXED);
	unsigned cpu = 0;

	if (cpu_now_quick(&cpu))
		return cpu;
	if (means == CPU_UNKNOWN)
		means = cpu_means_find();
#if defined(__x86_64__)
	if (means == CPU_RDTSCP) {
		uint32_t low, high, aux;

		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
		return aux & 0xfff;
	}
#endif
	sys_call3(SYS_getcpu, &cpu, NULL, NULL);
	return cpu;
}

/* Bits set in the kernel's widest affinity mask would not count CPUs offline
 * now; the list of possible ones does: "0-3,8-11". */
static unsigned cpus_possible(void)
{
	static const char path[] = "/sys/devices/system/cpu/possible";
	int64_t fd = sys_call4(SYS_openat, -100, path, 0, 0), size = 0;
	char text[512];
	unsigned last = 0;

	if (fd >= 0) {
		size = sys_call3(SYS_read, fd, text, sizeof(text));
		sys_call1(SYS_close, fd);
	}
	for (int64_t i = 0; i < size; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			last = last * 10 + (unsigned)(text[i] - '0');
		else if (text[i] != '\n')
			last = 0;
	}
	return last < POSSIBLE_MAX ? last + 1 : POSSIBLE_MAX;
}

/* --- the set --- */

struct vcpu_set *vcpu_set_new(struct memory *memory, unsigned count)
{
	struct vcpu_set *set;
	uint8_t *scratch;

	if (count == 0)
		count = 2 * cpus_possible();
	if (count > 2 * POSSIBLE_MAX)
		return NULL;
	set = memory_alloc(memory, sizeof(*set) + count * sizeof(struct vcpu), 64);
	scratch = memory_alloc(memory, (size_t)count * VCPU_SCRATCH, 4096);
	if (!set || !scratch) {
		memory_release(memory, set, 0);
		memory_release(memory, scratch, 0);
		return NULL;
	}
	set->memory = memory;
	set->owners = memory_owners(memory);
	set->count = count;
	set->half = count > 1 ? count / 2 : 1;
	for (unsigned i = 0; i < count; i++) {
		struct vcpu *cpu = &set->cpu[i];

		cpu->id = i;
		cpu->set = set;
		cpu->scratch = scratch + (size_t)i * VCPU_SCRATCH;
		sys_call3(SYS_getrandom, cpu->random, sizeof(cpu->random), 0);
		cpu->random[0] |= 1; /* an all-zero state would stay zero */
	}
	memory_set_vcpus(memory, set);
	return set;
}

bool vcpu_set_sound(const struct vcpu_set *set, struct memory *memory)
{
	if (!memory_contains(memory, set, sizeof(*set), 64) || set->count == 0 ||
	    set->count > 2 * POSSIBLE_MAX ||
	    !memory_contains(memory, set, sizeof(*set) + set->count * sizeof(struct vcpu), 64) ||
	    set->memory != memory || set->owners != memory_owners(memory))
		return false;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct vcpu *cpu = &set->cpu[i];

		if (cpu->id != i || cpu->set != set ||
		    !memory_contains(memory, cpu->scratch, VCPU_SCRATCH, 4096))
			return false;
	}
	return true;
}

unsigned vcpu_count(const struct vcpu_set *set)
{
	return set->count;
}

struct vcpu *vcpu_at(struct vcpu_set *set, unsigned id)
{
	return id < set->count ? &set->cpu[id] : NULL;
}

uint64_t vcpu_missed(const struct vcpu_set *set)
{
	return __atomic_load_n(&set->missed, __ATOMIC_RELAXED);
}

unsigned vcpu_current(const struct vcpu_set *set)
{
	unsigned cpu = cpu_now();

	return cpu < set->count ? cpu : cpu % set->count;
}

/* --- take and give --- */

static inline bool vcpu_claim(struct vcpu *cpu, uint64_t word)
{
	uint64_t seen = 0;

	return __atomic_load_n(&cpu->owner, __ATOMIC_RELAXED) == 0 &&
	       __atomic_compare_exchange_n(&cpu->owner, &seen, word, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline struct vcpu *vcpu_enter(struct vcpu *cpu, struct owner_thread *thread,
				      uint64_t key, uintptr_t frame)
{
	/* After the claim, which is a full barrier: what this epoch's programs may
	 * not see was unlinked before. Partner: memory_epoch_next(). */
	__atomic_store_n(&cpu->epoch, __atomic_load_n(&cpu->set->memory->epoch, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
	__atomic_store_n(&cpu->takes, cpu->takes + 1, __ATOMIC_RELEASE);
	cpu->nested = 1;
	cpu->thread = key;
	cpu->frame = frame;
	if (thread) {
		thread->frame = frame;
		__atomic_store_n(&thread->held, cpu, __ATOMIC_RELAXED);
	}
	return cpu;
}

static void vcpu_drop(struct vcpu *cpu)
{
	cpu->nested = 0;
	cpu->thread = 0;
	__atomic_store_n(&cpu->epoch, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&cpu->owner, 0, __ATOMIC_RELEASE);
}

/* Clears a dead owner's word, so that the next claim finds it free. */
static bool vcpu_bury(struct vcpu_set *set, struct vcpu *cpu)
{
	uint64_t seen = __atomic_load_n(&cpu->owner, __ATOMIC_ACQUIRE);

	if (seen == 0 || !owner_dead(set->owners, seen))
		return false;
	return __atomic_compare_exchange_n(&cpu->owner, &seen, 0, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* What this thread holds, when the table of threads has no room for it. */
static struct vcpu *vcpu_held_by(struct vcpu_set *set, uint64_t key)
{
	uint64_t token = owner_token(set->owners);

	for (uint32_t i = 0; i < set->count; i++)
		if (OWNER_TOKEN(__atomic_load_n(&set->cpu[i].owner, __ATOMIC_RELAXED)) == token &&
		    set->cpu[i].thread == key)
			return &set->cpu[i];
	return NULL;
}

static bool stack_is_alternate(uintptr_t frame, bool *frame_in_it)
{
	stack_t now = { .ss_flags = SS_DISABLE };

	sys_call2(SYS_sigaltstack, NULL, &now);
	*frame_in_it = !(now.ss_flags & SS_DISABLE) && frame - (uintptr_t)now.ss_sp < now.ss_size;
	return now.ss_flags & SS_ONSTACK;
}

/*
 * Whether the program that took a virtual CPU in frame was left by a jump. A
 * live one is below us on this stack or on the one a signal interrupted; one
 * whose frame is lower on our own stack is gone. A stack is taken to be no
 * larger than STACK_SPAN; past that there is no telling, and the event is missed.
 */
static bool vcpu_abandoned(uintptr_t frame, uintptr_t now)
{
	enum { STACK_SPAN = 64 << 20 };
	bool frame_alternate, now_alternate;

	if (now <= frame || now - frame > STACK_SPAN)
		return false;
	now_alternate = stack_is_alternate(frame, &frame_alternate);
	return now_alternate == frame_alternate;
}

/* The common case failed: this thread is inside a program, or the first virtual
 * CPU is taken. */
static __attribute__((noinline)) struct vcpu *
vcpu_take_slow(struct vcpu_set *set, struct owner_thread *thread, uintptr_t frame, bool count)
{
	uint64_t word = owner_word(set->owners, thread), key = owner_thread_key(set->owners);
	struct vcpu *held = thread ? thread->held : vcpu_held_by(set, key);
	unsigned first = vcpu_current(set);

	if (held) {
		if (!vcpu_abandoned(held->frame, frame)) {
			if (count)
				__atomic_fetch_add(&held->missed, 1, __ATOMIC_RELAXED);
			return NULL;
		}
		vcpu_give(held);
	}
	/* The CPU's second one, then any; at last those of the dead. */
	for (uint32_t i = 0; i <= set->count; i++) {
		struct vcpu *cpu = &set->cpu[(i == 0 ? first + set->half : first + i) % set->count];

		if (vcpu_claim(cpu, word))
			return vcpu_enter(cpu, thread, key, frame);
	}
	for (uint32_t i = 0; i < set->count; i++) {
		struct vcpu *cpu = &set->cpu[(first + i) % set->count];

		if (vcpu_bury(set, cpu) && vcpu_claim(cpu, word))
			return vcpu_enter(cpu, thread, key, frame);
	}
	if (count)
		__atomic_fetch_add(&set->missed, 1, __ATOMIC_RELAXED);
	return NULL;
}

struct vcpu *vcpu_take(struct vcpu_set *set)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	struct owner_thread *thread = owner_thread_find(set->owners);
	struct vcpu *cpu = &set->cpu[vcpu_current(set)];

	if (__builtin_expect(thread && !thread->held, 1) &&
	    __builtin_expect(vcpu_claim(cpu, owner_word(set->owners, thread)), 1))
		return vcpu_enter(cpu, thread, thread->key, frame);
	return vcpu_take_slow(set, thread, frame, true);
}

/* Where there is no record of the thread; and after a fork inside a program, when it is not
 * ours: the parent goes on with it. */
static __attribute__((noinline)) void vcpu_give_slow(struct vcpu *cpu)
{
	struct owner_table *owners = cpu->set->owners;
	struct owner_thread *thread = owner_thread_of(cpu->thread);

	if (OWNER_TOKEN(cpu->owner) != owner_token(owners))
		return;
	if (thread && thread->held == cpu)
		__atomic_store_n(&thread->held, NULL, __ATOMIC_RELAXED);
	vcpu_drop(cpu);
}

void vcpu_give(struct vcpu *cpu)
{
	/* This very thread took it: its thread pointer need not be asked for again. */
	struct owner_thread *thread = owner_thread_place(cpu->thread);

	if (__builtin_expect(thread->held != cpu || OWNER_TOKEN(cpu->owner) !=
			     __atomic_load_n(&owner_process->token[cpu->set->owners->arena],
					     __ATOMIC_RELAXED), 0)) {
		vcpu_give_slow(cpu);
		return;
	}
	__atomic_store_n(&thread->held, NULL, __ATOMIC_RELAXED);
	vcpu_drop(cpu);
}

struct vcpu *vcpu_borrow(struct vcpu_set *set, bool *taken)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	uint64_t start = 0;

	for (;;) {
		struct owner_thread *thread = owner_thread_find(set->owners);
		struct vcpu *cpu = vcpu_take_slow(set, thread, frame, false);

		*taken = cpu != NULL;
		if (!cpu)
			cpu = thread ? thread->held
				     : vcpu_held_by(set, owner_thread_key(set->owners));
		if (cpu)
			return cpu;
		if (start == 0)
			start = owner_clock();
		else if (owner_clock() - start > 1000000000ull)
			return NULL;
		sys_yield();
	}
}

struct vcpu *vcpu_take_waiting(struct vcpu_set *set, bool *inside)
{
	return vcpu_take_waiting_at(set, owner_thread_pointer(), inside);
}

static __attribute__((noinline)) struct vcpu *
take_waiting_any(struct vcpu_set *set, uint64_t pointer, bool *inside)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	struct owner_thread *thread = owner_thread_of(owner_key(pointer, set->owners));
	struct vcpu *cpu = &set->cpu[vcpu_current(set)];
	bool taken;

	*inside = false;
	if (__builtin_expect(thread && !thread->held, 1) &&
	    __builtin_expect(vcpu_claim(cpu, owner_word(set->owners, thread)), 1))
		return vcpu_enter(cpu, thread, thread->key, frame);
	cpu = vcpu_borrow(set, &taken);
	if (cpu && taken)
		return cpu;
	*inside = cpu != NULL;
	__atomic_fetch_add(cpu ? &cpu->missed : &set->missed, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Every event comes by here: nothing is looked for that is not at its first place. */
struct vcpu *vcpu_take_waiting_at(struct vcpu_set *set, uint64_t pointer, bool *inside)
{
	const struct owner_table *owners = set->owners;
	struct owner_process *process = owner_process;
	uint64_t key = owner_key(pointer, owners), token;
	struct owner_thread *thread = owner_thread_place(key);
	unsigned now;

	if (__builtin_expect(!cpu_now_quick(&now) || now >= set->count || thread->key != key ||
			     thread->held, 0))
		return take_waiting_any(set, pointer, inside);
	token = __atomic_load_n(&process->token[owners->arena], __ATOMIC_RELAXED);
	if (__builtin_expect(!token, 0) ||
	    __builtin_expect(!vcpu_claim(&set->cpu[now], token | owner_thread_at(key)), 0))
		return take_waiting_any(set, pointer, inside);
	*inside = false;
	return vcpu_enter(&set->cpu[now], thread, key, (uintptr_t)__builtin_frame_address(0));
}

/* --- what others can tell --- */

bool vcpu_use_over(struct vcpu_set *set, unsigned id, uint64_t takes, bool deep)
{
	struct vcpu *cpu = vcpu_at(set, id);
	uint64_t owner;

	if (!cpu || __atomic_load_n(&cpu->takes, __ATOMIC_ACQUIRE) != takes)
		return true;
	owner = __atomic_load_n(&cpu->owner, __ATOMIC_ACQUIRE);
	if (owner == 0 || (deep && owner_dead(set->owners, owner)))
		return true;
	/* Taken again since, but its new use not counted yet? */
	return __atomic_load_n(&cpu->takes, __ATOMIC_ACQUIRE) != takes;
}

uint64_t vcpu_epoch_min(struct vcpu_set *set)
{
	uint64_t min = ~0ull;

	for (uint32_t i = 0; i < set->count; i++) {
		struct vcpu *cpu = &set->cpu[i];
		uint64_t epoch;

		if (__atomic_load_n(&cpu->owner, __ATOMIC_SEQ_CST) == 0)
			continue;
		epoch = __atomic_load_n(&cpu->epoch, __ATOMIC_ACQUIRE);
		if (epoch < min && !vcpu_bury(set, cpu))
			min = epoch;
	}
	return min;
}
