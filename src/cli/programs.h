/* SPDX-License-Identifier: BSD-2-Clause */
/* programs.h - choosing a program of a machine, as bpftool's grammar names it. */
#ifndef CLI_PROGRAMS_H
#define CLI_PROGRAMS_H

#include <skep/machine.h>

#include "cli/cli.h"

/* "id" N, "name" NAME or "tag" TAG; either may be NULL. NULL with the reason in diag. */
struct skep_prog *prog_choose(struct skep_machine *machine, const char *machine_name,
			      const char *how, const char *what, struct skep_diag *diag);

#endif
