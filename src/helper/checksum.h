/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - arithmetic of Internet checksums (RFC 1071, RFC 1624). [runtime]
 *
 * A partial sum has 32 bits and end-around carry; only its value modulo 0xffff
 * matters, except that a sum of nothing but zeros is 0 and any other multiple
 * of 0xffff is 0xffff. Bytes are taken as 16-bit words in memory order, so that
 * results are in network order on any machine.
 *
 * Threads: any (pure functions).
 */
#ifndef HELPER_CHECKSUM_H
#define HELPER_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t sum_add(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < a);
}

static inline uint32_t sum_sub(uint32_t a, uint32_t b) { return sum_add(a, ~b); }

static inline uint16_t sum_to16(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The sum of size bytes and of what there was before. */
static inline uint32_t sum_bytes(const void *bytes, size_t size, uint32_t before)
{
	const uint8_t *at = (const uint8_t *)bytes;
	uint64_t sum = before;
	uint32_t word = 0;

	for (; size >= 4; size -= 4, at += 4) {
		memcpy(&word, at, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, at, size);
	sum += word;
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)(sum + (sum >> 32));
}

/* A checksum in a header, where a part that it covers changed. */
static inline uint16_t sum_replace_diff(uint16_t sum, uint32_t diff)
{
	return (uint16_t)~sum_to16(sum_add(diff, (uint16_t)~sum));
}

static inline uint16_t sum_replace4(uint16_t sum, uint32_t from, uint32_t to)
{
	return sum_replace_diff(sum, sum_add(~from, to));
}

static inline uint16_t sum16_add(uint16_t a, uint16_t b)
{
	uint16_t sum = (uint16_t)(a + b);

	return (uint16_t)(sum + (sum < a));
}

static inline uint16_t sum_replace2(uint16_t sum, uint16_t from, uint16_t to)
{
	return (uint16_t)~sum16_add(sum16_add((uint16_t)~sum, (uint16_t)~from), to);
}

#endif
