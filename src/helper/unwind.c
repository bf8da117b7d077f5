/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - from frame to frame up a stack. [runtime]
 */
#include "helper/unwind.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

/* Where an instruction, a frame and a stack pointer are among the registers (pt_regs). */
#if defined(__x86_64__)
enum { REGS_FRAME = 4, REGS_IP = 16, REGS_SP = 19 };
/* And in the ucontext of a signal's frame, bytes. */
enum { UCONTEXT_FRAME = 120, UCONTEXT_SP = 160, UCONTEXT_IP = 168 };
#elif defined(__aarch64__)
enum { REGS_FRAME = 29, REGS_IP = 32, REGS_SP = 31 };
enum { UCONTEXT_FRAME = 416, UCONTEXT_SP = 432, UCONTEXT_IP = 440 };
#else
#error "unwind.c: say where the registers are"
#endif

const struct unwind_modules *unwind_modules;
void (*unwind_look)(void);
uint64_t (*unwind_return)(uint64_t slot, uint64_t address);
uint32_t unwind_walkers;

struct cursor {
	uint64_t ip, sp, bp;
	bool exact;      /* ip is where execution is; else the call was just before it */
};

static const struct unwind_module *module_at(uint64_t ip)
{
	const struct unwind_modules *all = __atomic_load_n(&unwind_modules, __ATOMIC_SEQ_CST);
	uint32_t low = 0, high = all ? all->count : 0;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct unwind_module *module = &all->at[middle];

		if (ip < module->start)
			high = middle;
		else if (ip >= module->end)
			low = middle + 1;
		else
			return module;
	}
	return NULL;
}

static struct unwind_row row_at(uint64_t ip)
{
	const struct unwind_module *module = module_at(ip);
	const struct unwind_row *row = module && module->table
				       ? unwind_row_at(module->table, ip - module->bias) : NULL;

	return row ? *row : (struct unwind_row){ .cfa = UNWIND_UNKNOWN };
}

static bool load(uint64_t address, uint64_t *word)
{
	return !(address & 7) &&
	       fault_copy(word, (const void *)(uintptr_t)address, sizeof(*word)) == 0;
}

static bool load_return(uint64_t slot, uint64_t *ip)
{
	if (!load(slot, ip))
		return false;
	if (unwind_return)
		*ip = unwind_return(slot, *ip);
	return true;
}

/* A frame pointer points at the caller's, with the return address after it. */
static bool step_frame_pointer(struct cursor *at)
{
	uint64_t frame = at->bp;

	if (frame < at->sp || !load(frame, &at->bp) || !load_return(frame + 8, &at->ip))
		return false;
	at->sp = frame + 16;
	return true;
}

static bool step_signal(struct cursor *at)
{
	uint64_t context = at->sp, sp = at->sp;

	if (!load(context + UCONTEXT_IP, &at->ip) || !load(context + UCONTEXT_SP, &at->sp) ||
	    !load(context + UCONTEXT_FRAME, &at->bp))
		return false;
	at->exact = true;
	/* An alternate stack may lie anywhere; on one stack, the frame is below. */
	return at->sp != sp;
}

static bool find_cfa(const struct cursor *at, const struct unwind_row *row, uint64_t *cfa)
{
	switch ((enum unwind_cfa)row->cfa) {
	case UNWIND_SP:
		*cfa = at->sp + (uint64_t)(int64_t)row->cfa_off;
		return true;
	case UNWIND_BP:
		*cfa = at->bp + (uint64_t)(int64_t)row->cfa_off;
		return true;
	case UNWIND_AT_BP:
		return load(at->bp + (uint64_t)(int64_t)row->cfa_off, cfa);
	case UNWIND_PLT:
		*cfa = at->sp + 8 + ((at->ip & 15) >= (uint64_t)row->cfa_off ? 8 : 0);
		return true;
	case UNWIND_UNKNOWN: case UNWIND_END: case UNWIND_SIGNAL:
		break;
	}
	return false;
}

static bool step_row(struct cursor *at, const struct unwind_row *row)
{
	uint64_t cfa, bp = at->bp;

	if (!find_cfa(at, row, &cfa) || cfa <= at->sp)
		return false;
	if (row->rbp == UNWIND_RBP_SAVED && !load(cfa + (uint64_t)(int64_t)row->rbp_off, &bp))
		return false;
	if (row->rbp == UNWIND_RBP_AT_BP && !load(at->bp + (uint64_t)(int64_t)row->rbp_off, &bp))
		return false;
	if (!load_return(cfa - 8, &at->ip))
		return false;
	at->sp = cfa;
	at->bp = bp;
	return true;
}

static bool step(struct cursor *at)
{
	struct unwind_row row = row_at(at->exact ? at->ip : at->ip - 1);

	at->exact = false;
	switch ((enum unwind_cfa)row.cfa) {
	case UNWIND_UNKNOWN:
		return step_frame_pointer(at);
	case UNWIND_END:
		return false;
	case UNWIND_SIGNAL:
		return step_signal(at);
	case UNWIND_SP: case UNWIND_BP: case UNWIND_AT_BP: case UNWIND_PLT:
		break;
	}
	return step_row(at, &row);
}

uint32_t unwind_walk(const uint64_t *regs, uint64_t *ips, uint32_t max)
{
	struct cursor at;
	uint32_t count = 0;

	if (!regs || !max)
		return 0;
	if (unwind_look)
		unwind_look();
	__atomic_fetch_add(&unwind_walkers, 1, __ATOMIC_SEQ_CST);
	at = (struct cursor){ regs[REGS_IP], regs[REGS_SP], regs[REGS_FRAME], true };
	ips[count++] = at.ip;
	while (count < max && step(&at) && at.ip)
		ips[count++] = at.ip;
	__atomic_fetch_sub(&unwind_walkers, 1, __ATOMIC_SEQ_CST);
	return count;
}
