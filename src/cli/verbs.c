/* SPDX-License-Identifier: BSD-2-Clause */
/* verbs.c - every verb, in the order that help lists them. */
#include "cli/cli.h"

#define VERBS(_) _(verb_check) _(verb_run) _(verb_filter) _(verb_seccomp_compile) \
	_(verb_seccomp_disasm) _(verb_seccomp_emulate) _(verb_seccomp_explain) _(verb_seccomp_diff) \
	_(verb_seccomp_run) _(verb_seccomp_record) _(verb_seccomp_groups) \
	_(verb_machine_create) _(verb_machine_list) \
	_(verb_machine_show) _(verb_machine_remove) _(verb_map_list) _(verb_map_show) _(verb_map_dump) \
	_(verb_map_lookup) _(verb_map_update) _(verb_map_delete) _(verb_prog_list) _(verb_prog_show) \
	_(verb_prog_run) _(verb_dis) _(verb_asm) _(verb_feature) _(verb_conformance) \
	_(verb_completion)

#define DECLARE(row) extern const struct verb row;
VERBS(DECLARE)

#define POINTER(row) &row,
const struct verb *const verbs[] = { VERBS(POINTER) NULL };
