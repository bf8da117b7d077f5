/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - see probe.h. [runtime]
 */
#include "agent/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

enum {
	CALLS_FIRST = 64,
	CALLS_MAX = 1 << 16,
	/* Dead frames are at most so far below the stack pointer; further down is another
	 * stack. */
	STACK_SPAN = 8 << 20,
};

/* Places in struct target_regs. trampoline.S knows them as well. */
enum { REG_IP = 16, REG_SP = 19 };

struct probe_thread *(*probe_self)(void);

/* trampoline.S */
extern const char probe_entry[], probe_return[];
uint64_t probe_stack(void);
bool probe_hit(struct probe_record *record, uint64_t *regs);
void probe_left(uint64_t *regs);

/*
 * What a stub does before the copies of the instructions. The call pairs with a return, so
 * that the processor predicts it. Flags are left alone.
 *
 *      lea -128(%rsp), %rsp    over the red zone
 *      push record(%rip)
 *      call *probe_entry(%rip)
 *      lea 136(%rsp), %rsp
 */
enum { BEFORE_CODE = 5 + 6 + 6 + 8, BEFORE_SIZE = BEFORE_CODE + 16 };

int probe_add(struct patch_batch *batch, const struct patch *patch, uint64_t address,
	      struct probe_record *record)
{
	static const uint8_t code[BEFORE_CODE] = {
		0x48, 0x8d, 0x64, 0x24, 0x80,
		0xff, 0x35, 0, 0, 0, 0,
		0xff, 0x15, 0, 0, 0, 0,
		0x48, 0x8d, 0xa4, 0x24, 0x88, 0, 0, 0,
	};
	/* From the end of both instructions to the literals behind the template's code. */
	uint32_t literals = BEFORE_CODE + ((patch->code_size + 7u) & ~7u);
	uint32_t to_record = literals - 11, to_entry = literals + 8 - 17;
	uint64_t entry = (uintptr_t)probe_entry;
	uint8_t before[BEFORE_SIZE];
	int error;

	memcpy(before, code, sizeof(code));
	memcpy(before + 7, &to_record, sizeof(to_record));
	memcpy(before + 13, &to_entry, sizeof(to_entry));
	memcpy(before + BEFORE_CODE, &record, sizeof(record));
	memcpy(before + BEFORE_CODE + 8, &entry, sizeof(entry));
	record->address = address;
	record->site = patch_add(batch, patch, address, before, sizeof(before), &error);
	if (record->site)
		record->site->owner = record;
	return error;
}

/* --- called by trampoline.S --- */

/* On the application's stack: where the agent's begins for this thread; 0: unknown. */
uint64_t probe_stack(void)
{
	struct probe_thread *thread = probe_self();

	return thread ? thread->stack : 0;
}

/* Whether the thread goes on elsewhere, or with another stack pointer. */
bool probe_hit(struct probe_record *record, uint64_t *regs)
{
	uint64_t sp = regs[REG_SP];

	record->enter(probe_self(), record, (struct target_regs *)regs);
	return regs[REG_IP] != record->address || regs[REG_SP] != sp;
}

/* --- calls whose return is watched --- */

static uint64_t calls_size(uint32_t max)
{
	uint64_t size = sizeof(struct probe_calls) + (uint64_t)max * sizeof(struct probe_call);

	return (size + 4095) & ~(uint64_t)4095;
}

/* Twice the room. */
static bool calls_grow(struct probe_thread *thread)
{
	struct probe_calls *old = thread->calls, *calls;
	uint32_t max = old ? old->max * 2 : CALLS_FIRST;
	int64_t got;

	if (max > CALLS_MAX)
		return false;
	got = sys_call(SYS_mmap, 0, calls_size(max), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	if (got < 0)
		return false;
	calls = (struct probe_calls *)(uintptr_t)got;
	if (old)
		memcpy(calls, old, sizeof(*old) + old->count * sizeof(old->calls[0]));
	calls->max = max;
	thread->calls = calls;
	if (old)
		sys_call2(SYS_munmap, (uintptr_t)old, calls_size(old->max));
	return true;
}

void probe_calls_free(struct probe_thread *thread)
{
	if (thread->calls)
		sys_call2(SYS_munmap, (uintptr_t)thread->calls, calls_size(thread->calls->max));
	thread->calls = NULL;
}

/* What a slot has in it; 0 if its stack is gone. */
static uint64_t slot_value(uint64_t slot)
{
	uint64_t value;

	return fault_copy(&value, (const void *)(uintptr_t)slot, sizeof(value)) ? 0 : value;
}

static void slot_set(uint64_t slot, uint64_t value)
{
	*(uint64_t *)(uintptr_t)slot = value;
}

/* Forgets calls of the slot: whoever made them has been jumped out of. */
static void forget_slot(struct probe_calls *calls, uint64_t slot)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < calls->count; i++)
		if (calls->calls[i].slot != slot)
			calls->calls[kept++] = calls->calls[i];
	calls->count = kept;
}

/* Forgets calls whose slot has something else in it by now. */
static void forget_overwritten(struct probe_calls *calls)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < calls->count; i++)
		if (slot_value(calls->calls[i].slot) ==
		    (calls->calls[i].armed ? (uintptr_t)probe_return : calls->calls[i].real))
			calls->calls[kept++] = calls->calls[i];
	calls->count = kept;
}

/* The innermost call of a slot. */
static struct probe_call *call_of(struct probe_calls *calls, uint64_t slot)
{
	for (uint32_t i = calls ? calls->count : 0; i-- > 0;)
		if (calls->calls[i].slot == slot)
			return &calls->calls[i];
	return NULL;
}

struct probe_call *probe_call_watch(struct probe_thread *thread, struct probe_record *record,
				    struct target_regs *regs)
{
	uint64_t slot = ((uint64_t *)regs)[REG_SP];
	uint64_t real = *(uint64_t *)(uintptr_t)slot;
	struct probe_calls *calls = thread->calls;
	struct probe_call *call;

	if (real == (uintptr_t)probe_return) {
		/* A tail call: it returns for its caller too. */
		call = call_of(calls, slot);
		if (!call)
			return NULL;
		real = call->real;
	} else if (calls && calls->count) {
		forget_slot(calls, slot);
	}
	if (calls && calls->count == calls->max)
		forget_overwritten(calls);
	if ((!calls || calls->count == calls->max) && !calls_grow(thread)) {
		thread->missed++;
		return NULL;
	}
	calls = thread->calls;
	call = &calls->calls[calls->count++];
	*call = (struct probe_call){ .slot = slot, .real = real, .record = record,
				     .armed = true };
	slot_set(slot, (uintptr_t)probe_return);
	return call;
}

/* A function has returned into probe_return: every call of its slot returns now. */
void probe_left(uint64_t *regs)
{
	struct probe_thread *thread = probe_self();
	uint64_t slot = regs[REG_SP] - 8;
	struct probe_call *found = call_of(thread->calls, slot);

	if (!found)
		__builtin_trap(); /* nobody else knows where this call returns to */
	regs[REG_IP] = found->real;
	while ((found = call_of(thread->calls, slot))) {
		struct probe_call call = *found;
		uint32_t index = (uint32_t)(found - thread->calls->calls);

		memmove(found, found + 1,
			(--thread->calls->count - index) * sizeof(*found));
		call.record->leave(thread, &call, (struct target_regs *)regs);
	}
}

/* --- unwinding --- */

void probe_calls_disarm(struct probe_thread *thread)
{
	struct probe_calls *calls = thread->calls;

	for (uint32_t i = calls ? calls->count : 0; i-- > 0;) {
		struct probe_call *call = &calls->calls[i];

		if (call->armed && slot_value(call->slot) == (uintptr_t)probe_return)
			slot_set(call->slot, call->real);
		call->armed = false;
	}
}

void probe_calls_arm(struct probe_thread *thread, uint64_t sp)
{
	struct probe_calls *calls = thread->calls;
	uint32_t kept = 0;

	for (uint32_t i = 0; calls && i < calls->count; i++) {
		struct probe_call *call = &calls->calls[i];

		if (!call->armed) {
			uint64_t value = slot_value(call->slot);

			if (call->slot < sp && sp - call->slot < STACK_SPAN)
				continue;
			/* Ours already: of a tail call, the first has armed it. */
			if (value != call->real && value != (uintptr_t)probe_return)
				continue;
			slot_set(call->slot, (uintptr_t)probe_return);
			call->armed = true;
		}
		calls->calls[kept++] = *call;
	}
	if (calls)
		calls->count = kept;
}

void probe_unwind_begins(struct probe_thread *thread, struct probe_record *record,
			 struct target_regs *regs)
{
	(void)record;
	(void)regs;
	probe_calls_disarm(thread);
}

/* At the instruction that leaves the unwinder: what is below the stack pointer is gone. */
void probe_unwind_ends(struct probe_thread *thread, struct probe_record *record,
		       struct target_regs *regs)
{
	(void)record;
	probe_calls_arm(thread, ((uint64_t *)regs)[REG_SP]);
}
