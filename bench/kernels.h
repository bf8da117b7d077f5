/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernels.h - small computations, as a program for the machine and as eBPF.
 *
 * The same source is compiled both ways (compute.c, compute.bpf.c). Each takes
 * KERNEL_BYTES bytes that may be read, and returns 32 bits that depend on all
 * it did. opaque() hides a loop's counter from the compiler, so that neither
 * side unrolls what the other cannot.
 */
#ifndef KERNELS_H
#define KERNELS_H

#define KERNEL_BYTES 1024

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL static inline __attribute__((always_inline)) u32
#define opaque(x) __asm__ volatile("" : "+r"(x))

/* KERNEL_LIST(name, what) */
#define KERNEL_LIST(K)                                                   \
	K(nothing, "nothing: what a call costs")                         \
	K(fnv, "FNV-1a hash of 256 bytes")                               \
	K(crc32, "CRC-32 of 128 bytes, by nibble table")                 \
	K(sha256, "SHA-256 of one block")                                \
	K(sort, "sorting 12 numbers in place")                           \
	K(matrix, "product of two 4x4 matrices")                         \
	K(tuple, "IPv4/TCP 5-tuple of a packet, hashed")                 \
	K(checksum, "Internet checksum of 512 bytes")                    \
	K(search, "16 binary searches in 256 numbers")                   \
	K(match, "first place of 4 bytes in 256")                        \
	K(xorshift, "64 steps of xorshift64*")                           \
	K(varint, "32 numbers of variable length, decoded")              \
	K(divide, "64 divisions and remainders")

KERNEL kernel_nothing(const u8 *data)
{
	return data[0];
}

KERNEL kernel_fnv(const u8 *data)
{
	u64 hash = 0xcbf29ce484222325u;

	for (u32 i = 0; i < 256; i++) {
		opaque(i);
		hash = (hash ^ data[i]) * 0x100000001b3u;
	}
	return (u32)(hash ^ hash >> 32);
}

static const u32 crc_table[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

KERNEL kernel_crc32(const u8 *data)
{
	u32 crc = 0xffffffff;

	for (u32 i = 0; i < 128; i++) {
		opaque(i);
		crc ^= data[i];
		crc = crc >> 4 ^ crc_table[crc & 15];
		crc = crc >> 4 ^ crc_table[crc & 15];
	}
	return ~crc;
}

static const u32 sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

KERNEL kernel_sha256(const u8 *data)
{
	u32 w[16], a = 0x6a09e667, b = 0xbb67ae85, c = 0x3c6ef372, d = 0xa54ff53a;
	u32 e = 0x510e527f, f = 0x9b05688c, g = 0x1f83d9ab, h = 0x5be0cd19;

	for (u32 i = 0; i < 16; i++)
		w[i] = __builtin_bswap32(((const u32 *)(const void *)data)[i]);
	for (u32 i = 0; i < 64; i++) {
		u32 t1, t2, s0, s1, at;

		opaque(i);
		at = i & 15;
		if (i >= 16) {
			s0 = w[(i + 1) & 15];
			s1 = w[(i + 14) & 15];
			s0 = ROR(s0, 7) ^ ROR(s0, 18) ^ s0 >> 3;
			s1 = ROR(s1, 17) ^ ROR(s1, 19) ^ s1 >> 10;
			w[at] += s0 + w[(i + 9) & 15] + s1;
		}
		t1 = h + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + (g ^ (e & (f ^ g))) +
		     sha_k[i & 63] + w[at];
		t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) | (c & (a | b)));
		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}

KERNEL kernel_sort(const u8 *data)
{
	u32 v[12], sum = 0;

#pragma GCC unroll 12
	for (u32 i = 0; i < 12; i++)
		v[i] = ((const u32 *)(const void *)data)[i];
	for (u32 n = 0; n < 11; n++) {
		opaque(n);
#pragma GCC unroll 12
		for (u32 i = 0; i < 11; i++) {
			u32 low = v[i] < v[i + 1] ? v[i] : v[i + 1];

			v[i + 1] ^= v[i] ^ low;
			v[i] = low;
		}
	}
#pragma GCC unroll 12
	for (u32 i = 0; i < 12; i++)
		sum = sum * 31 + v[i];
	return sum;
}

KERNEL kernel_matrix(const u8 *data)
{
	const u32 *a = (const u32 *)(const void *)data, *b = a + 16;
	u32 sum = 0;

#pragma GCC unroll 4
	for (u32 row = 0; row < 4; row++) {
#pragma GCC unroll 4
		for (u32 column = 0; column < 4; column++) {
			u32 cell = 0;

#pragma GCC unroll 4
			for (u32 i = 0; i < 4; i++)
				cell += a[4 * row + i] * b[4 * i + column];
			sum = sum * 17 + cell;
		}
	}
	return sum;
}

KERNEL kernel_tuple(const u8 *data)
{
	u32 from, to, ports, key;

	if (data[12] != 8 || data[13] != 0 || (data[14] & 0xf0) != 0x40)
		return 0;
	if (data[14] != 0x45 || (data[23] != 6 && data[23] != 17))
		return 1;
	__builtin_memcpy(&from, data + 26, 4);
	__builtin_memcpy(&to, data + 30, 4);
	__builtin_memcpy(&ports, data + 34, 4);
	key = from * 0x9e3779b1u;
	key = (key ^ key >> 15 ^ to) * 0x85ebca77u;
	key = (key ^ key >> 13 ^ ports) * 0xc2b2ae3du;
	return key ^ key >> 16 ^ data[23];
}

KERNEL kernel_checksum(const u8 *data)
{
	const u32 *words = (const u32 *)(const void *)data;
	u64 sum = 0;

	for (u32 i = 0; i < 128; i++) {
		opaque(i);
		sum += words[i];
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u32)~sum & 0xffff;
}

#define ROW8(n) (n), (n) + 97, (n) + 211, (n) + 300, (n) + 420, (n) + 555, (n) + 610, (n) + 777
#define ROW64(n) ROW8(n), ROW8((n) + 800), ROW8((n) + 1600), ROW8((n) + 2400), ROW8((n) + 3200), \
		 ROW8((n) + 4000), ROW8((n) + 4800), ROW8((n) + 5600)

static const u32 search_table[256] = { ROW64(0), ROW64(6400), ROW64(12800), ROW64(19200) };

KERNEL kernel_search(const u8 *data)
{
	u32 sum = 0;

	for (u32 n = 0; n < 16; n++) {
		u32 at = 0, wanted;

		opaque(n);
		wanted = ((const u16 *)(const void *)data)[n] % 25600;
#pragma GCC unroll 8
		for (u32 step = 128; step; step >>= 1)
			if (search_table[(at + step) & 255] <= wanted)
				at += step;
		sum = sum * 5 + at;
	}
	return sum;
}

KERNEL kernel_match(const u8 *data)
{
	for (u32 i = 0; i < 256; i++) {
		opaque(i);
		if (data[i] == 'S' && data[i + 1] == 'k' && data[i + 2] == 'e' && data[i + 3] == 'p')
			return i;
	}
	return 256;
}

KERNEL kernel_xorshift(const u8 *data)
{
	u64 state = *(const u64 *)(const void *)data | 1;
	u32 sum = 0;

	for (u32 i = 0; i < 64; i++) {
		opaque(i);
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		sum += (u32)(state * 0x2545f4914f6cdd1du >> 32);
	}
	return sum;
}

KERNEL kernel_varint(const u8 *data)
{
	u32 value = 0, shift = 0, sum = 0;

	for (u32 i = 0; i < 64; i++) {
		u8 byte;

		opaque(i);
		byte = data[i];
		value |= (u32)(byte & 127) << (shift & 31);
		shift += 7;
		if (byte & 128)
			continue;
		sum = sum * 33 + value;
		value = shift = 0;
	}
	return sum;
}

KERNEL kernel_divide(const u8 *data)
{
	const u32 *words = (const u32 *)(const void *)data;
	u32 sum = 0;

	for (u32 i = 0; i < 32; i++) {
		u32 by;

		opaque(i);
		by = words[i] >> 20 | 1;
		sum += words[i] / by + words[i] % 1000 + (u32)((u64)words[i] * 0x10001 / by);
	}
	return sum;
}

#endif
