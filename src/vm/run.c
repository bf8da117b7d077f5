/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - what both engines ask for while a program runs: tail calls,
 * callbacks, legacy packet loads, faults; and vm_run(), which starts one.
 * [runtime]
 */
#include "vm/run.h"

#include <stddef.h>

#include "base/base.h"
#include "helper/packet.h"
#include "vm/install.h"

_Static_assert(offsetof(struct run, frame) == 0, "generated code holds a struct run's address");

void run_fault(struct run *run, const struct code *code, uint32_t insn, uint64_t address)
{
	struct vm *vm = run->frame.vm;

	vm->code = code;
	run->frame.stopped = true;
	vm->faulted = true;
	vm->fault_address = address;
	vm->fault_insn = insn;
}

const struct code_subprog *run_subprog(const struct code *code, uint64_t slot)
{
	uint32_t low = 0, high = code->subprog_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (code->subprogs[middle].start == slot)
			return &code->subprogs[middle];
		if (code->subprogs[middle].start < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- tail calls --- */

/*
 * Linux's order: the index, the limit, the slot; only a slot that is filled
 * counts. The count belongs to the whole run, subprograms included.
 */
const struct code *run_tail_target(struct vm *vm, struct map *map, uint64_t index)
{
	const struct prog_ref *ref;

	if ((uint32_t)index >= map->max_entries || vm->tail_calls >= TAIL_CALL_LIMIT)
		return NULL;
	ref = prog_array_at(map, (uint32_t)index);
	if (!ref || !ref->code)
		return NULL;
	vm->tail_calls++;
	vm->code = ref->code;
	return ref->code;
}

/* --- callbacks --- */

static uint64_t callback_native(struct run *run, const struct code_subprog *subprog,
				const uint64_t args[5])
{
	const struct installed *home = run->frame.self;
	jit_enter_fn *enter = (jit_enter_fn *)(uintptr_t)(home->native + home->code->native_enter);

	return enter(&run->frame, home->native + subprog->native_off, args, run->frame.callee_fp);
}

/*
 * A helper calls a subprogram of the program that called it. Its stack begins
 * below the caller's; what a helper called in it leaves in the frame is undone,
 * so that the helper may call back again.
 */
uint64_t run_callback(struct vm *vm, uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3,
		      uint64_t a4, uint64_t a5)
{
	struct run *run = vm->engine;
	const struct installed *self = run->frame.self;
	const struct code *code = self ? self->code : run->code;
	const struct code_subprog *subprog = run_subprog(code, fn);
	const uint64_t args[5] = { a1, a2, a3, a4, a5 };
	struct call_record *records = run->records;
	uint8_t *fp = run->frame.callee_fp;
	uint64_t result;

	if (run->frame.stopped)
		return 1; /* bpf_loop and its kin stop at 1 */
	if (!subprog || fp - run->stack_end < (ptrdiff_t)subprog->stack) {
		run_fault(run, code, (uint32_t)fn, (uint64_t)(uintptr_t)fp);
		return 1;
	}
	result = self ? callback_native(run, subprog, args)
		      : interpret(run, code, (uint32_t)fn, args, fp);
	run->frame.self = self;
	run->frame.callee_fp = fp;
	run->records = records;
	run->code = code;
	return run->frame.stopped ? 1 : result;
}

/* --- legacy packet loads --- */

/* Offsets that count from a header, as in classic filters. */
#define PACKET_FROM_NET (-0x100000)
#define PACKET_FROM_LINK (-0x200000)

static const uint8_t *packet_from(const struct packet *packet, int64_t off)
{
	if (off >= 0)
		return packet->data + off;
	if (off >= PACKET_FROM_NET)
		return packet->network ? packet->network + (off - PACKET_FROM_NET) : NULL;
	if (off >= PACKET_FROM_LINK)
		return packet->mac ? packet->mac + (off - PACKET_FROM_LINK) : NULL;
	return NULL;
}

int64_t run_packet(struct jit_frame *frame, int32_t off, uint32_t width)
{
	const struct packet *packet = frame->vm->packet;
	const uint8_t *at = packet ? packet_from(packet, off) : NULL;
	int64_t value = 0;

	if (!at || at < packet->start || at > packet->end || packet->end - at < (ptrdiff_t)width)
		return -1;
	for (uint32_t i = 0; i < width; i++)
		value = value << 8 | at[i];
	return value;
}

/* --- starting --- */

/* What generated code sets before anybody reads it is left as it is. */
static inline void run_init(struct run *run, struct vm *vm)
{
	uint8_t *scratch = vm->cpu->scratch;

	run->frame.vm = vm;
	run->frame.cpu = vm->cpu;
	run->frame.exit_sp = NULL;
	run->frame.self = NULL;
	run->frame.stopped = false;
	run->code = NULL;
	run->records = (struct call_record *)(void *)(scratch + VM_SCRATCH_CALLS);
	run->records_end = (struct call_record *)(void *)(scratch + VM_SCRATCH_STACK -
							  sizeof(struct call_record));
	run->stack_end = scratch + VM_SCRATCH_STACK;
	run->watched = false;
	vm->engine = run;
	vm->callback = run_callback;
}

static inline void count_run(const struct code *code, uint32_t cpu)
{
	uint64_t *runs = code->runs + (size_t)cpu * CODE_RUN_STRIDE;

	if (cpu < code->run_count)
		__atomic_store_n(runs, *runs + 1, __ATOMIC_RELAXED);
}

uint64_t vm_run(struct vm *vm, const struct code *code, bool interpreted)
{
	const struct installed *home;
	const uint64_t args[5] = { (uint64_t)(uintptr_t)vm->ctx };
	uint8_t *top = vm->cpu->scratch + VCPU_SCRATCH;
	struct run run;
	uint64_t result;

	run_init(&run, vm);
	vm->code = code;
	count_run(code, vm->cpu->id);
	home = interpreted ? NULL : install_find(code);
	if (home && home->executable) {
		jit_enter_fn *enter = (jit_enter_fn *)(uintptr_t)(home->native + code->native_enter);

		result = enter(&run.frame, home->native + code->subprogs[0].native_off, args, top);
	} else {
		result = interpret(&run, code, 0, args, top);
	}
	vm->engine = NULL;
	return run.frame.stopped ? 0 : result;
}
