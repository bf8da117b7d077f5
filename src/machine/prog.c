/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog.c - running a loaded program: once, many times, or as a test.
 *
 * A program whose context is plain memory may be given less of it than the
 * verifier let it read; then it runs on a copy with zeros behind.
 */
#include <time.h>

#include "machine/machine.h"

void skep_prog_info(const struct skep_prog *prog, struct skep_prog_info *info)
{
	*info = (struct skep_prog_info){
		.name = prog->name,
		.type = prog->type->name,
		.id = prog->id,
		.insns = prog->insns,
		.jited_size = prog->code->native_size,
		.run_count = code_runs(prog->code),
		.missed = __atomic_load_n(&prog->code->missed, __ATOMIC_RELAXED),
	};
	memcpy(info->tag, prog->tag, sizeof(info->tag));
	if (prog->entry) {
		info->loaded_ns = prog->entry->loaded_ns;
		info->uid = prog->entry->uid;
		info->pid = prog->entry->pid;
	}
}

/* --- on a virtual CPU --- */

static struct vcpu *enter(struct skep_prog *prog, struct vm *vm, struct skep_diag *diag)
{
	struct skep_machine *machine = prog->machine;
	struct vcpu *cpu = vcpu_take(machine->vcpus);

	if (!cpu) {
		__atomic_fetch_add(&prog->code->missed, 1, __ATOMIC_RELAXED);
		skep_report(diag, SKEP_PROG_BUSY, NULL, "'%s' did not run: no virtual CPU is "
			    "free, or this thread is inside a program", prog->name);
		return NULL;
	}
	vm->world = machine->world;
	vm->cpu = cpu;
	vm->prog_type = prog->type->id;
	return cpu;
}

static int report_fault(const struct skep_prog *prog, const struct vm *vm, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;

	where.program = prog->name;
	where.insn = vm->fault_insn;
	return vm_report_fault(vm, &where, diag);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void run_again(struct skep_prog *prog, struct vm *vm, uint64_t *retval)
{
	vm->tail_calls = 0;
	vm->code = prog->code;
	*retval = vm_run(vm, prog->code, prog->machine->engine == SKEP_ENGINE_INTERPRETER);
}

/* The clock is read around all the runs; what restores the input is taken out. */
int prog_run_repeat(struct skep_prog *prog, struct vm *vm, uint32_t repeat,
		    void (*again)(void *arg), void *arg, uint64_t *retval,
		    uint32_t *duration_ns, struct skep_diag *diag)
{
	struct vcpu *cpu = enter(prog, vm, diag);
	uint32_t runs = 0;
	uint64_t spent;

	if (!cpu)
		return -EBUSY;
	spent = 0 - now_ns();
	do {
		if (runs && again) {
			uint64_t pause = now_ns();

			again(arg);
			spent -= now_ns() - pause;
		}
		run_again(prog, vm, retval);
	} while (++runs < repeat && !vm->faulted);
	spent = (spent + now_ns()) / runs;
	vcpu_give(cpu);
	*duration_ns = (uint32_t)MIN(spent, (uint64_t)UINT32_MAX);
	if (vm->faulted) {
		*retval = 0;
		return report_fault(prog, vm, diag);
	}
	return 0;
}

int prog_run(struct skep_prog *prog, struct vm *vm, uint64_t *retval, struct skep_diag *diag)
{
	struct vcpu *cpu = enter(prog, vm, diag);

	if (!cpu)
		return -EBUSY;
	vm->code = prog->code;
	*retval = vm_run(vm, prog->code, prog->machine->engine == SKEP_ENGINE_INTERPRETER);
	vcpu_give(cpu);
	if (!vm->faulted)
		return 0;
	*retval = 0;
	return report_fault(prog, vm, diag);
}

/* --- on plain memory --- */

/* A context at least as large as the program may read. */
struct context {
	void *data;              /* the caller's, or copy */
	void *copy;              /* owned; or NULL */
	size_t size;
};

static int context_init(struct context *context, const struct skep_prog *prog, void *ctx,
			size_t size, bool always_copy)
{
	size_t needed = prog->type->ctx ? prog->type->ctx->size : 0;

	*context = (struct context){ .data = ctx, .size = size };
	if (size >= needed && !always_copy)
		return 0;
	context->copy = calloc(1, MAX(size, needed) + 8);
	if (!context->copy)
		return -ENOMEM;
	if (size)
		memcpy(context->copy, ctx, size);
	context->data = context->copy;
	return 0;
}

static int refuse_packets(const struct skep_prog *prog, struct skep_diag *diag)
{
	if (!prog->type->packet)
		return 0;
	return skep_fail(diag, SKEP_PROG_PACKET, NULL, "'%s' is a program of type %s", prog->name,
			 prog->type->name);
}

int skep_prog_run(struct skep_prog *prog, void *ctx, size_t ctx_size, uint64_t *retval,
		  struct skep_diag *diag)
{
	struct vm vm = { 0 };
	struct context context;
	int error = refuse_packets(prog, diag);

	if (error)
		return error;
	if (context_init(&context, prog, ctx, ctx_size, false) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "a context for '%s'", prog->name);
	vm.ctx = context.data;
	error = prog_run(prog, &vm, retval, diag);
	if (context.copy && ctx_size)
		memcpy(ctx, context.copy, ctx_size);
	free(context.copy);
	return error;
}

/* Copies out what fits; -ENOSPC if that is not all, as bpf(2) has it. */
static int copy_out(void *to, size_t *room, const void *from, size_t size, struct skep_diag *diag)
{
	size_t fits = MIN(*room, size);
	bool all = !to || size <= *room;

	if (to && fits)
		memcpy(to, from, fits);
	*room = size;
	return all ? 0 : skep_fail(diag, SKEP_PROG_SPACE, NULL, "%zu bytes do not fit into %zu",
				   size, fits);
}

enum { MAX_CONTEXT = 65535, MAX_REPEAT = 1000000 };

static bool may_be_null(const struct ctx_field *field)
{
	return field->kind == FIELD_SOCKET_OR_NULL || field->kind == FIELD_SOCK_COMMON_OR_NULL ||
	       field->kind == FIELD_BTF_OR_NULL;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	while (size && !bytes[size - 1])
		size--;
	return !size;
}

/*
 * Bytes from user space cannot be pointers that programs may follow. A context
 * that must have one has no test run; one that may have one has NULL there.
 */
static int refuse_pointers(const struct skep_prog *prog, const struct context *context,
			   struct skep_diag *diag)
{
	const struct ctx_field *field = prog->type->ctx ? prog->type->ctx->fields : NULL;

	for (; field && field->size; field++) {
		if (field->kind == FIELD_SCALAR)
			continue;
		if (!may_be_null(field))
			return skep_fail(diag, SKEP_PROG_POINTER, NULL, "'%s' is a program of type "
					 "%s: its context's '%s' points into the kernel",
					 prog->name, prog->type->name, field->name);
		if (!all_zero((const uint8_t *)context->data + field->native_off, field->native_size))
			return skep_fail(diag, SKEP_ARG, NULL, "the context's '%s' is a pointer and "
					 "can only be 0", field->name);
	}
	return 0;
}

int plain_test_run(struct skep_prog *prog, struct skep_test_run *run, struct skep_diag *diag)
{
	struct vm vm = { 0 };
	struct context context;
	uint64_t retval = 0;
	int error = refuse_packets(prog, diag);

	if (error)
		return error;
	if (run->data_in || run->data_size_in)
		return skep_fail(diag, SKEP_ARG, NULL, "'%s' takes a context and no packet",
				 prog->name);
	if ((!run->ctx_in && run->ctx_size_in) || run->ctx_size_in > MAX_CONTEXT)
		return skep_fail(diag, SKEP_ARG, NULL, "a context of %zu bytes", run->ctx_size_in);
	if (context_init(&context, prog, (void *)(uintptr_t)run->ctx_in, run->ctx_size_in, true) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "a context for '%s'", prog->name);
	vm.ctx = context.data;
	error = refuse_pointers(prog, &context, diag);
	if (!error)
		error = prog_run_repeat(prog, &vm, MIN(run->repeat, (uint32_t)MAX_REPEAT), NULL, NULL,
					&retval, &run->duration_ns, diag);
	if (!error) {
		run->retval = (uint32_t)retval;
		run->data_size_out = 0;
		error = copy_out(run->ctx_out, &run->ctx_size_out, context.data, run->ctx_size_in,
				 diag);
	}
	free(context.copy);
	return error;
}
