/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base.h - small things every folder needs: bounded views of foreign bytes,
 * growing vectors, a phase arena, hashing. Knows no BPF.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <skep/btf.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* --- views: foreign bytes with their end --- */

struct view {
	const void *data;
	size_t size;
};

/* NULL when the bytes are not all there or not aligned for the type. */
const void *view_range(struct view view, uint64_t off, uint64_t size, size_t align);
/* NULL when the bytes are not all there. The type is written once. */
#define view_at(v, off, type) \
	((const type *)view_range((v), (off), sizeof(type), _Alignof(type)))
/* A NUL-terminated string inside the view; NULL if off or its end is outside. */
const char *view_string(struct view view, uint64_t off);

/* Reads a whole file. *bytes is for the caller to free. Negative errno. */
int read_file(const char *path, void **bytes, size_t *size, size_t limit);

/* --- text (struct skep_text) --- */

void text_add(struct skep_text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct skep_text *text, const char *bytes, size_t size);
void text_add_json_string(struct skep_text *text, const char *string); /* with quotes */
void text_add_c_string(struct skep_text *text, const char *string);    /* with quotes */
void text_done(struct skep_text *text);

/* --- vectors: struct { T *items; size_t count, size; } --- */

#define VEC(type) struct { type *items; size_t count, size; }
/* Makes room for one more and returns its address, zeroed; NULL when out of memory. */
#define vec_push(v) \
	((__typeof__((v)->items))vec_grow((void **)&(v)->items, &(v)->count, &(v)->size, \
					  sizeof(*(v)->items)))
void *vec_grow(void **items, size_t *count, size_t *size, size_t item);
#define vec_done(v) (free((v)->items), (void)memset((v), 0, sizeof(*(v))))

/* --- phase arena: everything freed at once --- */

struct arena {
	struct arena_block *blocks;
	size_t used;             /* bytes handed out */
	size_t limit;            /* 0: none */
};

/* Zeroed; aligned to 16. NULL when out of memory or over the limit. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *string);
char *arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena);

/* --- hashing --- */

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed);
static inline uint64_t hash_string(const char *s) { return hash_bytes(s, strlen(s), 0); }

#endif
