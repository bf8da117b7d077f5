/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.c - see held.h. [runtime, in the agent's image only]
 *
 * Words of the stacks that are addresses of executable memory are collected once, in order, so
 * that each window is a short search. Stacks are looked at from a stack pointer to the end of
 * their mapping; frames of handlers that are found there lead to further ones.
 */
#include "agent/held.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/gate.h"
#include "agent/maps.h"
#include "agent/patch.h"
#include "base/base.h"
#include "base/fault.h"
#include "hook/agent.h"
#include "map/sys.h"

enum {
	WORDS_MAX = 1 << 20,
	CODES_MAX = 4096,
	STACKS_MAX = 1 << 16,
	STACK_MAX = 16 << 20,  /* more of a stack than that is not looked at */
	ROUNDS_MAX = 8,        /* stacks that lead to each other */
	RED_ZONE = 128,
	PAGE = 4096,
	FRAME_BELOW = 16,      /* a frame's first word may be just below the stack pointer */
	TRAP_NUMBER = 3,       /* of the processor's exceptions */
	CODE_SEGMENT = 0x33,   /* of 64-bit programs; 0xe033 in some virtual machines */
};

struct held_stack {
	uint64_t from;           /* a stack pointer */
	bool needed;             /* it is one for sure; else it may be an old one */
	bool seen;
};

static struct {
	bool everywhere;         /* nothing is known */
	uint64_t *words;
	uint32_t count;
	struct { uint64_t start, end; } *codes; /* executable memory, by address */
	uint32_t code_count;
	struct held_stack *stacks;
	uint32_t stack_count, stacks_done;
	struct agent_held *threads; /* NULL: each thread has noted where it is */
	uint64_t thread_count;
} held;

void held_note(struct target_thread *thread, uint64_t ip, uint64_t again, uint64_t sp)
{
	thread->held_ip = ip;
	thread->held_again = again;
	thread->held_sp = sp;
}

/* --- words --- */

static bool is_code(uint64_t word)
{
	uint32_t low = 0, high = held.code_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (held.codes[middle].end <= word)
			low = middle + 1;
		else
			high = middle;
	}
	return low < held.code_count && word >= held.codes[low].start;
}

static void add_word(uint64_t word)
{
	if (held.count == WORDS_MAX)
		held.everywhere = true;
	else
		held.words[held.count++] = word;
}

/* Who is in a stub goes on where it leads. */
static void add_stub(uint64_t address)
{
	const struct patch_site *site = patch_of_stub(address);

	if (!site) {
		held.everywhere = true;
		return;
	}
	for (unsigned i = 0; i < site->patch->fixup_count; i++)
		add_word(site->address + (uint64_t)(int64_t)site->patch->fixups[i].to);
}

static void add(uint64_t word)
{
	if (!is_code(word))
		return;
	if (patch_is_stub(word))
		add_stub(word);
	else
		add_word(word);
}

/* Shell sort: the words are mostly few. */
static void sort(void)
{
	for (uint32_t gap = held.count / 2; gap; gap /= 2)
		for (uint32_t i = gap; i < held.count; i++) {
			uint64_t word = held.words[i];
			uint32_t at = i;

			for (; at >= gap && held.words[at - gap] > word; at -= gap)
				held.words[at] = held.words[at - gap];
			held.words[at] = word;
		}
}

static void add_code(void *arg, const struct maps_line *line)
{
	uint32_t *last = &held.code_count;

	(void)arg;
	if (!(line->prot & PROT_EXEC))
		return;
	if (*last == CODES_MAX)
		held.everywhere = true;
	else
		held.codes[(*last)++] = (typeof(*held.codes)){ line->start, line->end };
}

/* --- stacks --- */

static void add_stack(uint64_t sp, bool needed)
{
	if (held.stack_count == STACKS_MAX)
		held.everywhere = true;
	else
		held.stacks[held.stack_count++] = (struct held_stack){ sp - RED_ZONE, needed, false };
}

/*
 * The restorer's address alone does not make a frame: who returns by gate_return faults there, and
 * later frames of the thread have that address among their registers, as the last fault's.
 */
static bool is_frame(uint64_t at, uint64_t end, const char *restorer)
{
	const struct signal_frame *frame = (const struct signal_frame *)(uintptr_t)at;

	return frame->restorer == (uintptr_t)restorer && end - at >= sizeof(*frame) &&
	       (frame->context.cs & 0xff) == CODE_SEGMENT;
}

/* A mapping may go on where its file has ended. */
static bool is_readable(uint64_t at)
{
	uint64_t word;

	return fault_copy(&word, (const void *)(uintptr_t)at, sizeof(word)) == 0;
}

/* Looks through [from, to); a frame's context may lead to another stack. */
static void scan(uint64_t from, uint64_t to)
{
	uint64_t readable = 0; /* up to here */

	for (uint64_t at = from & ~(uint64_t)7; at < to && !held.everywhere; at += 8) {
		const struct signal_frame *frame = (const struct signal_frame *)(uintptr_t)at;

		if (at >= readable && !is_readable(at)) {
			held.everywhere = true;
			return;
		}
		readable = (at | (PAGE - 1)) + 1;
		add(frame->restorer);
		if (is_frame(at, to, gate_return) && frame->context.sp - from >= to - from)
			add_stack(frame->context.sp, true);
	}
}

static void scan_line(void *arg, const struct maps_line *line)
{
	const uint32_t *end = arg;
	uint64_t from = line->end;

	for (uint32_t i = held.stacks_done; i < *end; i++) {
		struct held_stack *stack = &held.stacks[i];

		if (stack->from < line->start || stack->from >= line->end)
			continue;
		stack->seen = true;
		from = MIN(from, stack->from);
	}
	if (from == line->end)
		return;
	if (!(line->prot & PROT_READ) || line->end - from > STACK_MAX)
		held.everywhere = true;
	else
		scan(from, line->end);
}

static void scan_stacks(void)
{
	for (int round = 0; held.stacks_done < held.stack_count && !held.everywhere; round++) {
		uint32_t end = held.stack_count;

		if (round == ROUNDS_MAX || maps_each(scan_line, &end) < 0)
			held.everywhere = true;
		for (; held.stacks_done < end; held.stacks_done++)
			held.everywhere |= held.stacks[held.stacks_done].needed &&
					   !held.stacks[held.stacks_done].seen;
	}
}

/* On an alternate stack only a frame that we know leads to the stack below it. */
static void check_alternate(const struct target_thread *thread, uint64_t sp)
{
	uint64_t end = thread->altstack.sp + thread->altstack.size;
	bool found = false;

	if (!signal_on_stack(&thread->altstack, sp))
		return;
	for (uint64_t at = sp & ~(uint64_t)7; at < end && !found; at += 8)
		found = is_frame(at, end, gate_return);
	held.everywhere |= !found;
}

/* --- threads --- */

static bool is_agent(uint64_t ip)
{
	return ip - (uintptr_t)gate_ops->text < gate_ops->text_size;
}

/* In assembly, where a thread's registers are on their way from one place to another. */
static bool is_between(uint64_t ip)
{
	return (ip >= (uintptr_t)gate_entry && ip < (uintptr_t)gate_text_end) || probe_is_trampoline(ip);
}

static void add_noted(void)
{
	for (struct target_thread *thread = thread_list; thread; thread = thread->next) {
		if (thread->state != THREAD_USED)
			continue;
		add(thread->held_ip);
		if (thread->held_again)
			add(thread->held_again);
		add_stack(thread->held_sp, true);
		check_alternate(thread, thread->held_sp);
	}
}

static const struct target_thread *thread_of(const struct agent_held *at)
{
	const struct target_thread *thread = thread_list;

	while (thread && (thread->state != THREAD_USED || thread->key != thread_key(at->fs_base)))
		thread = thread->next;
	return thread;
}

/*
 * On our stack: what it was called for is above it. A call has left the application's stack pointer
 * in the record, a probe above all else, or still has it in a register; a signal's frame has it.
 * -EAGAIN: that frame is being left.
 */
static int add_inside(const struct target_thread *thread, const struct agent_held *at)
{
	uint64_t top = (uint64_t)(uintptr_t)thread->stack, word = (at->sp - FRAME_BELOW) & ~(uint64_t)7;
	const struct target_regs *regs = (const struct target_regs *)(uintptr_t)(top - PROBE_REGS_SIZE);
	bool signalled = at->ip >= (uintptr_t)gate_signal && at->ip < (uintptr_t)gate_poll;

	add_stack(thread->regs.sp, false);
	if (at->sp <= (uintptr_t)regs)
		add_stack(regs->sp, false);
	if (probe_is_trampoline(at->ip)) {
		add_stack(at->ax, false);
		add_stack(at->bx, false);
	}
	for (; word < top && !held.everywhere; word += 8) {
		const struct signal_frame *frame = (const struct signal_frame *)(uintptr_t)word;

		add(frame->restorer);
		if (!is_frame(word, top, gate_restorer))
			continue;
		add_stack(frame->context.sp, true);
		signalled = false;
		/* Behind a trap of ours: it goes on in the stub. */
		if (frame->context.trapno == TRAP_NUMBER && patch_find(frame->context.ip - 1))
			word = (uint64_t)(uintptr_t)&frame->context.ip;
	}
	return signalled ? -EAGAIN : 0;
}

static int add_thread(const struct agent_held *at)
{
	static const uint8_t call[] = { 0x0f, 0x05 };
	const struct target_thread *thread = thread_of(at);

	if (!thread) {
		held.everywhere = true;
		return 0;
	}
	/* A frame in the record is being left. */
	if (at->sp - (uintptr_t)thread < sizeof(*thread))
		return -EAGAIN;
	if (is_between(at->ip)) {
		/* It has the place to return to in rcx, perhaps shifted. */
		add(at->cx);
		add(at->cx >> 16);
	}
	if (thread_on_stack(thread, at->sp))
		return add_inside(thread, at);
	add_stack(at->sp, true);
	check_alternate(thread, at->sp);
	if (patch_is_stub(at->ip))
		add(at->ip);
	else if (!is_agent(at->ip) && is_code(at->ip) && is_code(at->ip - 2) &&
		 memcmp((const void *)(uintptr_t)(at->ip - 2), call, sizeof(call)) == 0)
		add(at->ip - 2); /* the call is made again, perhaps */
	return 0;
}

static int add_threads(void)
{
	int error = 0;

	for (uint64_t i = 0; i < held.thread_count && error == 0; i++)
		error = add_thread(&held.threads[i]);
	return error;
}

/* --- between begin and end --- */

static void *take(size_t size)
{
	int64_t got = sys_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);

	return got > 0 ? (void *)(uintptr_t)got : NULL;
}

static void begin(void)
{
	held.everywhere = false;
	held.count = held.code_count = held.stack_count = held.stacks_done = 0;
	held.threads = NULL;
	held.thread_count = 0;
	held.words = take(WORDS_MAX * sizeof(*held.words));
	held.codes = take(CODES_MAX * sizeof(*held.codes));
	held.stacks = take(STACKS_MAX * sizeof(*held.stacks));
	if (!held.words || !held.codes || !held.stacks || maps_each(add_code, NULL) < 0)
		held.everywhere = true;
}

static void finish(void)
{
	if (!held.everywhere)
		scan_stacks();
	if (!held.everywhere)
		sort();
}

void held_begin(void)
{
	begin();
	if (!held.everywhere)
		add_noted();
	finish();
}

int held_begin_at(struct agent_held *threads, uint64_t count)
{
	int error = 0;

	begin();
	held.threads = threads;
	held.thread_count = count;
	if (!held.everywhere)
		error = add_threads();
	if (error == 0)
		finish();
	return error;
}

static bool is_in(uint64_t from, uint64_t to)
{
	uint32_t low = 0, high = held.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (held.words[middle] < from)
			low = middle + 1;
		else
			high = middle;
	}
	return held.everywhere || (low < held.count && held.words[low] < to);
}

static bool has_copy(const struct patch *patch, uint64_t distance)
{
	for (unsigned i = 0; i < patch->move_count; i++)
		if (patch->moves[i].from == distance)
			return true;
	return false;
}

bool held_blocks(const struct patch *patch, uint64_t address)
{
	if (is_in(address + 1, address + PATCH_JUMP_SIZE))
		return true;
	for (uint64_t i = 0; i < held.thread_count; i++) {
		uint64_t distance = held.threads[i].ip - address;

		if (distance - 1 < PATCH_JUMP_SIZE - 1 && !has_copy(patch, distance))
			return true;
	}
	return false;
}

/* Where it goes on if a jump has taken the address in its middle. */
static uint64_t moved(uint64_t ip)
{
	const struct patch_site *site = patch_overlap(ip, ip + 1);

	return site && site->address != ip && site->state == SITE_JUMP ? patch_moved(ip, true) : ip;
}

void held_move(void)
{
	for (uint64_t i = 0; i < held.thread_count; i++)
		held.threads[i].ip = moved(held.threads[i].ip);
	/* Who sleeps in the gate; elsewhere the place to return to is an old one. */
	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		if (thread->state == THREAD_USED && (held.threads || is_agent(thread->held_ip)))
			thread->regs.ip = moved(thread->regs.ip);
}

static void give(void *memory, size_t size)
{
	if (memory)
		sys_call2(SYS_munmap, (uintptr_t)memory, size);
}

void held_end(void)
{
	give(held.words, WORDS_MAX * sizeof(*held.words));
	give(held.codes, CODES_MAX * sizeof(*held.codes));
	give(held.stacks, STACKS_MAX * sizeof(*held.stacks));
	held.words = NULL;
	held.codes = NULL;
	held.stacks = NULL;
	held.threads = NULL;
	held.thread_count = 0;
}
