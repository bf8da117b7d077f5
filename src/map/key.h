/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key.h - hashing and comparing keys, by size. [runtime]
 *
 * Sizes 4, 8 and 16 have code of their own: called with a constant size, these
 * functions become a handful of instructions.
 */
#ifndef MAP_KEY_H
#define MAP_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"

struct key_seed {
	uint64_t add, multiply; /* multiply is odd */
};

static inline uint64_t key_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t key_hash(const void *key, uint32_t size, const struct key_seed *seed)
{
	uint64_t a, b;
	uint32_t word;

	switch (size) {
	case 4:
		memcpy(&word, key, 4);
		return (uint32_t)key_fold(word ^ seed->add, seed->multiply);
	case 8:
		memcpy(&a, key, 8);
		return (uint32_t)key_fold(a ^ seed->add, seed->multiply);
	case 16:
		memcpy(&a, key, 8);
		memcpy(&b, (const char *)key + 8, 8);
		return (uint32_t)key_fold(key_fold(a ^ seed->add, seed->multiply) ^ b,
					  seed->multiply);
	default:
		return (uint32_t)hash_bytes(key, size, seed->add);
	}
}

/* A key or value; the common sizes without a call. */
static inline void key_copy(void *dst, const void *src, uint32_t size)
{
	uint64_t wide[2];
	uint32_t word;

	switch (size) {
	case 4:
		memcpy(&word, src, 4);
		memcpy(dst, &word, 4);
		break;
	case 8:
		memcpy(wide, src, 8);
		memcpy(dst, wide, 8);
		break;
	case 16:
		memcpy(wide, src, 16);
		memcpy(dst, wide, 16);
		break;
	default:
		memcpy(dst, src, size);
	}
}

static inline bool key_equal(const void *a, const void *b, uint32_t size)
{
	uint64_t x[2], y[2];
	uint32_t v, w;

	switch (size) {
	case 4:
		memcpy(&v, a, 4);
		memcpy(&w, b, 4);
		return v == w;
	case 8:
		memcpy(x, a, 8);
		memcpy(y, b, 8);
		return x[0] == y[0];
	case 16:
		memcpy(x, a, 16);
		memcpy(y, b, 16);
		return x[0] == y[0] && x[1] == y[1];
	default:
		return memcmp(a, b, size) == 0;
	}
}

#endif
