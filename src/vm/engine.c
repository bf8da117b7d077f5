/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.c - setting up the engines for this process, and saying what went
 * wrong in a run. Control plane.
 */
#include <inttypes.h>
#include <pthread.h>

#include "base/fault.h"
#include "vm/install.h"

static int init_error;

static void engine_init_once(void)
{
	const void *start, *end;

	init_error = fault_init();
	if (init_error == 0)
		init_error = install_init();
	interpret_fault_range(&start, &end);
	if (init_error == 0)
		init_error = fault_register(start, end, interpret_on_fault, NULL);
}

int engine_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, engine_init_once);
	return init_error;
}

int vm_report_fault(const struct vm *vm, const struct skep_where *where, struct skep_diag *diag)
{
	return skep_fail(diag, SKEP_ENGINE_FAULT, where,
			 "instruction %" PRIu32 " of '%.16s' accessed 0x%" PRIx64, vm->fault_insn,
			 vm->code->name, vm->fault_address);
}
