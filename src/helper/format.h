/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h - the format strings of bpf_trace_printk(), bpf_snprintf() and kin. [runtime]
 *
 * In two steps, as Linux does it: format_take() checks the format and copies
 * all that the values point to (any address may be bad), format_put() writes.
 * A failure of the first leaves no trace.
 *
 *   %[0+- ][width] d i u x X, with l or ll        numbers
 *   %c %s %pks %pus                               a character, strings
 *   %p %px %pK %ps %pS %pB                        addresses
 *   %pi4 %pI4 %pi6 %pI6                           what is at an address, as an IP address
 *
 * Threads: confined. Async-signal-safe.
 */
#ifndef HELPER_FORMAT_H
#define HELPER_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_VALUES 12
#define FORMAT_BYTES 512  /* that copied values may take, as on Linux */
#define FORMAT_LINE 1024  /* a line of the trace log, with its NUL */

/* The values one after the other: numbers of 4 or 8 bytes aligned to 4,
 * characters, strings with their NUL, addresses' texts. */
struct format {
	uint32_t used;
	char bytes[FORMAT_BYTES];
};

/*
 * fmt has size bytes with a NUL among them. 0; -EINVAL: a bad format, or more
 * conversions than count values; -ENOSPC: the values are too long.
 */
int format_take(struct format *format, const char *fmt, size_t size, const uint64_t *values,
		uint32_t count);
/*
 * Writes at most size bytes, terminated where size > 0. Returns the length the
 * whole text has without its NUL.
 */
size_t format_put(const struct format *format, const char *fmt, char *out, size_t size);

#endif
