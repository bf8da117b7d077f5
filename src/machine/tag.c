/* SPDX-License-Identifier: BSD-2-Clause */
/* tag.c - SHA-256 (FIPS 180-4), and the program tag made with it. */
#include "machine/tag.h"

#include <errno.h>
#include "base/base.h"
#include "isa/insn.h"

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_block(uint32_t h[8], const uint8_t block[64])
{
	uint32_t w[64], v[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = word_at(block + 4 * i);
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;

		w[i] = w[i - 16] + a + w[i - 7] + b;
	}
	memcpy(v, h, sizeof(v));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
		uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
		uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t most = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + s1 + choose + round_constants[i] + w[i];

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + s0 + most;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += v[i];
}

static void sha256(const uint8_t *bytes, size_t size, uint8_t digest[32])
{
	uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	uint64_t bits = (uint64_t)size * 8;
	uint8_t tail[128] = { 0 };
	size_t whole = size / 64 * 64, rest = size - whole, end = rest < 56 ? 64 : 128;

	for (size_t i = 0; i < whole; i += 64)
		sha256_block(h, bytes + i);
	memcpy(tail, bytes + whole, rest);
	tail[rest] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		tail[end - 1 - i] = (uint8_t)(bits >> (8 * i));
	for (size_t i = 0; i < end; i += 64)
		sha256_block(h, tail + i);
	for (unsigned i = 0; i < 32; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

int prog_tag(const struct skep_insn *insns, size_t count, uint8_t tag[8])
{
	struct skep_insn *copy = malloc(count * sizeof(*copy) + 1);
	uint8_t digest[32];

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct insn insn = insn_decode(insns, count, i, NULL);

		copy[i] = insns[i];
		if (insn.kind != INSN_IMM64)
			continue;
		copy[i + 1] = insns[i + 1];
		if (insn.op != IMM64_VALUE && insn.op != IMM64_BTF_ID && insn.op != IMM64_FUNC)
			copy[i].imm = copy[i + 1].imm = 0;
		/* Linux sees descriptors where we have indices; the kind is hashed too. */
		if (insn.op == IMM64_MAP_INDEX)
			copy[i].src = IMM64_MAP_FD;
		if (insn.op == IMM64_MAP_INDEX_VALUE)
			copy[i].src = IMM64_MAP_VALUE;
		i++;
	}
	sha256((const uint8_t *)copy, count * sizeof(*copy), digest);
	memcpy(tag, digest, 8);
	free(copy);
	return 0;
}
