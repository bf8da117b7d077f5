/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dynptr.h - what a struct bpf_dynptr on a program's stack holds. [runtime]
 *
 *    0         8              12        16
 *   | data    | size, kind   | offset  |
 *
 * The upper byte of size tells the kind and whether it may be written. A dynptr
 * whose making failed has data NULL; using it fails.
 *
 * Threads: confined.
 */
#ifndef HELPER_DYNPTR_H
#define HELPER_DYNPTR_H

#include <stdbool.h>
#include <stdint.h>

enum dynptr_kind { DYNPTR_NONE, DYNPTR_LOCAL, DYNPTR_RINGBUF, DYNPTR_SKB, DYNPTR_XDP };

struct dynptr {
	uint8_t *data;
	uint32_t size_kind;
	uint32_t offset;
};

#define DYNPTR_SIZE_MAX 0xffffffu
#define DYNPTR_RDONLY (1u << 31)

static inline uint32_t dynptr_size(const struct dynptr *ptr)
{
	return ptr->size_kind & DYNPTR_SIZE_MAX;
}

static inline enum dynptr_kind dynptr_kind(const struct dynptr *ptr)
{
	return (enum dynptr_kind)(ptr->size_kind >> 28 & 7);
}

static inline void dynptr_set(struct dynptr *ptr, void *data, enum dynptr_kind kind, uint32_t size)
{
	*ptr = (struct dynptr){ .data = (uint8_t *)data, .size_kind = (uint32_t)kind << 28 | size };
}

static inline void dynptr_set_null(struct dynptr *ptr)
{
	*ptr = (struct dynptr){ 0 };
}

/* Are the bytes [offset, offset + len) inside it? */
static inline bool dynptr_holds(const struct dynptr *ptr, uint64_t offset, uint64_t len)
{
	return len <= dynptr_size(ptr) && offset <= dynptr_size(ptr) - len;
}

#endif
