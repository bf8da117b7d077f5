/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.h - a file's .eh_frame as the table that helper/unwind.c walks with.
 *
 * Threads: confined.
 */
#ifndef HOOK_UNWIND_H
#define HOOK_UNWIND_H

#include "helper/unwind.h"
#include "hook/symbols.h"

/*
 * The table, for the caller to free(); NULL if the file has none, or none that is
 * sound, or there is no memory. Bytes it does not understand make a gap, not an error:
 * there frame pointers are followed.
 */
struct unwind_table *unwind_build(const struct binary *binary);

#endif
