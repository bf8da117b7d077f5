/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returns.h - what programs of each type may return; see prog_type.returns.
 *
 * Threads: any.
 */
#ifndef PROG_RETURNS_H
#define PROG_RETURNS_H

#include "prog/prog.h"

struct return_range returns_bool(uint32_t attach);
struct return_range returns_kprobe(uint32_t attach);
struct return_range returns_cgroup_skb(uint32_t attach);
struct return_range returns_sock_addr(uint32_t attach);
struct return_range returns_tracing(uint32_t attach);
struct return_range returns_lsm(uint32_t attach);

#endif
