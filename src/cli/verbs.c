/* SPDX-License-Identifier: BSD-2-Clause */
/* verbs.c - every verb, in the order that help lists them. */
#include "cli/cli.h"

#define VERBS(_) _(verb_check) _(verb_run) _(verb_prog_run) _(verb_dis) _(verb_asm) _(verb_feature) _(verb_conformance) \
	_(verb_completion)

#define DECLARE(row) extern const struct verb row;
VERBS(DECLARE)

#define POINTER(row) &row,
const struct verb *const verbs[] = { VERBS(POINTER) NULL };
