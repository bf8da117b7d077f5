/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - see probe.h. [runtime]
 */
#include "agent/probe.h"

#include <errno.h>
#include <stddef.h>
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

_Static_assert(offsetof(struct probe_record, address) == 0, "trampoline.S");
_Static_assert(offsetof(struct probe_record, skipped) == 8, "trampoline.S");
_Static_assert(offsetof(struct probe_record, enter) == 16, "trampoline.S");

struct thread_slot *probe_slots;
struct target_thread *(*probe_self)(void);
const char *probe_poll;

/* trampoline.S */
extern const char probe_entry[], probe_return[], probe_text_end[];
void probe_left(struct probe_thread *thread, uint64_t *regs);

/*
 * What a stub does before the copies of the instructions. The call pairs with a return, so
 * that the processor predicts it. Flags are left alone.
 *
 *      lea -128(%rsp), %rsp    over the red zone, if there is one
 *      push record(%rip)
 *      call *probe_entry(%rip)
 *      lea 136(%rsp), %rsp     or 8
 */
enum { RED_ZONE = 128, LITERALS = 16, BEFORE_MAX = 25 + LITERALS };

static const uint8_t skip_zone[] = { 0x48, 0x8d, 0x64, 0x24, 0x80 };
static const uint8_t enter_agent[] = { 0xff, 0x35, 0, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0 };
static const uint8_t end_plain[] = { 0x48, 0x8d, 0x64, 0x24, 0x08 };
static const uint8_t end_zone[] = { 0x48, 0x8d, 0xa4, 0x24, 0x88, 0, 0, 0 };

/* Returns its size with the two literals. */
static size_t write_before(uint8_t *before, const struct patch *patch, bool red_zone,
			   const struct probe_record *record)
{
	size_t code_size = (patch->code_size + 7u) & ~7u, size = 0, at;
	uint32_t distance;
	uint64_t entry = (uintptr_t)probe_entry;

	if (red_zone)
		memcpy(before, skip_zone, size = sizeof(skip_zone));
	at = size;
	memcpy(before + at, enter_agent, sizeof(enter_agent));
	size += sizeof(enter_agent);
	memcpy(before + size, red_zone ? end_zone : end_plain,
	       red_zone ? sizeof(end_zone) : sizeof(end_plain));
	size += red_zone ? sizeof(end_zone) : sizeof(end_plain);
	/* From the end of both instructions to the literals behind the template's code. */
	distance = (uint32_t)(size + code_size - (at + 6));
	memcpy(before + at + 2, &distance, sizeof(distance));
	distance = (uint32_t)(size + code_size + 8 - (at + 12));
	memcpy(before + at + 8, &distance, sizeof(distance));
	memcpy(before + size, &record, sizeof(record));
	memcpy(before + size + 8, &entry, sizeof(entry));
	return size + LITERALS;
}

int probe_add(struct patch_batch *batch, const struct patch *patch, uint64_t address,
	      struct probe_record *record, bool red_zone)
{
	uint8_t before[BEFORE_MAX];
	size_t size = write_before(before, patch, red_zone, record);
	int error;

	record->address = address;
	record->skipped = red_zone ? RED_ZONE : 0;
	record->site = patch_add(batch, patch, address, before, size, &error);
	if (record->site)
		record->site->owner = record;
	return error;
}

void probe_settle(uint64_t *ip, uint64_t *sp)
{
	const struct patch_site *site = patch_of_stub(*ip);
	const struct probe_record *record = site ? site->owner : NULL;
	uint64_t zone, skips, at;

	if (!record || *ip >= site->code)
		return;
	zone = record->skipped;
	skips = zone ? sizeof(skip_zone) : 0;
	at = *ip - site->stub;
	if (at > skips)
		*sp += zone + 8;
	else if (at == skips)
		*sp += zone;
	*ip = at == skips + sizeof(enter_agent) ? site->code : site->address;
}

bool probe_is_trampoline(uint64_t address)
{
	return address >= (uintptr_t)probe_entry && address < (uintptr_t)probe_text_end;
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

uint64_t probe_real_return(const struct probe_thread *thread, uint64_t slot, uint64_t address)
{
	const struct probe_call *call;

	if (address != (uintptr_t)probe_return)
		return address;
	call = call_of(thread->calls, slot);
	return call ? call->real : 0;
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
void probe_left(struct probe_thread *thread, uint64_t *regs)
{
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
