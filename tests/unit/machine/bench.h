/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.h - a machine with one object in it: for tests of what programs see. */
#ifndef TEST_MACHINE_BENCH_H
#define TEST_MACHINE_BENCH_H

#include "bss.h"

struct bench {
	struct skep_object *object;
	struct skep_machine *machine;
	struct skep_diag *diag;
};

static void bench_free(struct bench *b)
{
	skep_machine_free(b->machine);
	skep_object_free(b->object);
	skep_diag_free(b->diag);
}

/* What a variable of .bss holds: read, or written. */
static void variable(struct bench *b, const char *name, void *value, size_t size, bool write)
{
	bss_variable(b->machine, b->object, name, value, size, write);
}

#endif
