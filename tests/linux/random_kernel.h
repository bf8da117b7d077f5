/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_kernel.h - random programs in the kernel this runs on.
 */
#ifndef TESTS_LINUX_RANDOM_KERNEL_H
#define TESTS_LINUX_RANDOM_KERNEL_H

#include "../random/program.h"

/* What the kernel said of the program judged last, where it was asked to. */
extern char random_kernel_log[1 << 22];

/* Can programs be loaded here? Says so where not. */
bool random_kernel_answers(void);
/* 0: accepted, or the negative errno. level: of the log; 0: none. */
int kernel_verdict(const struct random_program *program, unsigned level);
/* A descriptor or a negative errno. btf_fd: of the types that spec names. */
int kernel_map(const struct map_spec *spec, int btf_fd);
int kernel_btf(const void *bytes, size_t size);

#endif
