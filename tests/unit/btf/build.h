/* SPDX-License-Identifier: BSD-2-Clause */
/* build.h - making BTF by hand for tests: one call per type, ids count from 1. */
#ifndef TEST_BTF_BUILD_H
#define TEST_BTF_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/base.h"
#include "btf/btf.h"

struct build {
	uint32_t words[4096];
	uint32_t len;            /* words */
	char strs[8192];
	uint32_t str_len;        /* without the empty string at 0 for a split BTF */
	uint32_t str_base;       /* what a base BTF has */
	uint32_t count;          /* ids given out */
};

static inline void build_init(struct build *b)
{
	memset(b, 0, sizeof(*b));
	b->str_len = 1;
}

static inline uint32_t build_str(struct build *b, const char *s)
{
	uint32_t off = b->str_len;

	if (!s || !*s)
		return 0;
	assert_true(b->str_len + strlen(s) + 1 < sizeof(b->strs));
	strcpy(b->strs + off, s);
	b->str_len += (uint32_t)strlen(s) + 1;
	return b->str_base + off;
}

static inline void build_word(struct build *b, uint32_t w)
{
	assert_true(b->len < ARRAY_SIZE(b->words));
	b->words[b->len++] = w;
}

static inline uint32_t build_type(struct build *b, const char *name, unsigned kind, bool flag,
				  uint32_t vlen, uint32_t third)
{
	build_word(b, build_str(b, name));
	build_word(b, (uint32_t)flag << 31 | kind << 24 | vlen);
	build_word(b, third);
	return ++b->count;
}

static inline uint32_t build_int(struct build *b, const char *name, uint32_t size,
				 uint32_t encoding)
{
	uint32_t id = build_type(b, name, BTF_INT, false, 0, size);

	build_word(b, encoding << 24 | size * 8);
	return id;
}

static inline uint32_t build_ref(struct build *b, const char *name, unsigned kind, uint32_t to)
{
	return build_type(b, name, kind, false, 0, to);
}

static inline uint32_t build_array(struct build *b, uint32_t elem, uint32_t index, uint32_t n)
{
	uint32_t id = build_type(b, NULL, BTF_ARRAY, false, 0, 0);

	build_word(b, elem);
	build_word(b, index);
	build_word(b, n);
	return id;
}

struct build_member {
	const char *name;
	uint32_t type, bits, width; /* width 0: no bit field */
};

/* Members end with a type of UINT32_MAX. */
static inline uint32_t build_record(struct build *b, const char *name, unsigned kind,
				    uint32_t size, const struct build_member *m)
{
	uint32_t vlen = 0, id;
	bool flag = false;

	for (; m[vlen].type != UINT32_MAX; vlen++)
		flag |= m[vlen].width != 0;
	id = build_type(b, name, kind, flag, vlen, size);
	for (; m->type != UINT32_MAX; m++) {
		build_word(b, build_str(b, m->name));
		build_word(b, m->type);
		build_word(b, flag ? m->width << 24 | m->bits : m->bits);
	}
	return id;
}

#define MEMBERS(...) ((const struct build_member[]){ __VA_ARGS__, { NULL, UINT32_MAX, 0, 0 } })
#define build_struct(b, name, size, ...) \
	build_record(b, name, BTF_STRUCT, size, MEMBERS(__VA_ARGS__))
#define build_union(b, name, size, ...) \
	build_record(b, name, BTF_UNION, size, MEMBERS(__VA_ARGS__))

struct build_enumerator {
	const char *name;
	int64_t value;
};

static inline uint32_t build_enum_rows(struct build *b, const char *name, unsigned kind,
				       bool is_signed, uint32_t size,
				       const struct build_enumerator *e)
{
	uint32_t vlen = 0, id;

	while (e[vlen].name)
		vlen++;
	id = build_type(b, name, kind, is_signed, vlen, size);
	for (; e->name; e++) {
		build_word(b, build_str(b, e->name));
		build_word(b, (uint32_t)e->value);
		if (kind == BTF_ENUM64)
			build_word(b, (uint32_t)((uint64_t)e->value >> 32));
	}
	return id;
}

#define build_enum(b, name, kind, is_signed, size, ...) \
	build_enum_rows(b, name, kind, is_signed, size, \
			(const struct build_enumerator[]){ __VA_ARGS__, { NULL, 0 } })

/* A FUNC_PROTO of up to three parameters (0: no more). */
static inline uint32_t build_proto(struct build *b, uint32_t ret, uint32_t p1, uint32_t p2)
{
	uint32_t vlen = (p1 != 0) + (p2 != 0), id;

	id = build_type(b, NULL, BTF_FUNC_PROTO, false, vlen, ret);
	if (p1) {
		build_word(b, build_str(b, "a"));
		build_word(b, p1);
	}
	if (p2) {
		build_word(b, build_str(b, "b"));
		build_word(b, p2);
	}
	return id;
}

/* The finished bytes; returns their size. */
static inline size_t build_bytes(const struct build *b, unsigned char *out, size_t room)
{
	uint32_t header[6] = { 0x0001eb9f, 24, 0, b->len * 4, b->len * 4, b->str_len };
	size_t size = sizeof(header) + b->len * 4 + b->str_len;

	assert_true(size <= room);
	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), b->words, b->len * 4);
	memcpy(out + sizeof(header) + b->len * 4, b->strs, b->str_len);
	return size;
}

static inline struct skep_btf *build_try(const struct build *b, const struct skep_btf *base,
					 struct skep_diag *diag)
{
	static unsigned char bytes[32768];
	size_t size = build_bytes(b, bytes, sizeof(bytes));

	return skep_btf_open(bytes, size, base, "test", diag);
}

static inline struct skep_btf *build_open(const struct build *b)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_btf *btf = build_try(b, NULL, diag);

	if (!btf) {
		char *text = skep_diag_text(diag, 0);

		fail_msg("%s", text);
	}
	skep_diag_free(diag);
	return btf;
}

#endif
