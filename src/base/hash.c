/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.c - a fast hash for tables that only this process's trust depends on.
 *
 * Eight bytes at a time, each multiplied and folded; the multiplier is the
 * golden ratio in 64 bits. [runtime]
 */
#include "base/base.h"

static uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ size ^ 0x9e3779b97f4a7c15u;
	uint64_t word;

	for (; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = hash_fold(h ^ word, 0xa0761d6478bd642fu);
	}
	word = 0;
	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return hash_fold(h ^ word ^ 0xe7037ed1a0b428dbu, 0x9e3779b97f4a7c15u);
}
