/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * impl.h - how an opened BTF is kept, for the files of this folder only.
 *
 *   bytes    | types, one after the other | strings |     (host byte order)
 *   offs     where type start_id + i begins in bytes
 *   heads    hash of a name -> the lowest id with that hash; next chains up
 *
 * A split BTF keeps only what it adds to its base; ids below start_id and
 * string offsets below start_str are the base's.
 */
#ifndef BTF_IMPL_H
#define BTF_IMPL_H

#include "base/base.h"
#include "btf/btf.h"

struct skep_btf {
	unsigned refs;           /* atomic; partner: skep_btf_unref() */
	const struct skep_btf *base; /* a reference held; or NULL */
	char *name;              /* for messages */
	unsigned char *bytes;
	uint32_t types_len;
	const char *strs;        /* into bytes; ends with NUL */
	uint32_t str_len, start_str;
	uint32_t start_id;       /* 1 without a base */
	uint32_t count;          /* own types */
	uint32_t *offs;
	uint32_t *heads, *next;  /* ids; 0 ends a chain */
	uint32_t head_mask;
	uint32_t *tags;          /* ids of own DECL_TAGs, sorted by what they tag */
	uint32_t tag_count;
	uint8_t *aligns;         /* in bytes, of every own type; 0: none. NULL if sound */
	uint8_t ptr_size;        /* of the machine described: 4 or 8 */
	bool sound;              /* whoever made it vouches for what btf_check() finds out */
};

enum btf_third { THIRD_NONE, THIRD_SIZE, THIRD_TYPE };

struct btf_kind_row {
	const char *name;        /* "STRUCT"; NULL: no such kind */
	uint8_t each, fixed;     /* words, see kind.def */
	uint8_t third;           /* enum btf_third */
	bool vlen, flag;
};
extern const struct btf_kind_row btf_kinds[BTF_KIND_COUNT];

/* The types a type refers to, in order; ids may be 0 (void). */
uint32_t btf_ref_count(const struct btf_type *t);
uint32_t btf_ref(const struct btf_type *t, uint32_t i);

/* Nothing by-value nests deeper, so that walks over it may recurse. */
enum { BTF_MAX_DEPTH = 256 };

/* Check everything that accessors rely on, and fill in aligns (check.c). */
int btf_check(struct skep_btf *btf, struct skep_diag *diag);

static inline bool btf_is_modifier(enum btf_kind kind)
{
	return kind == BTF_CONST || kind == BTF_VOLATILE || kind == BTF_RESTRICT ||
	       kind == BTF_TYPE_TAG;
}

static inline bool btf_is_record(enum btf_kind kind)
{
	return kind == BTF_STRUCT || kind == BTF_UNION;
}

static inline bool btf_is_enum(enum btf_kind kind)
{
	return kind == BTF_ENUM || kind == BTF_ENUM64;
}

/* The fields of what follows an INT. */
static inline uint32_t btf_int_word(const struct btf_type *t)
{
	return *(const uint32_t *)btf_data(t);
}

static inline uint32_t btf_int_encoding(const struct btf_type *t)
{
	return (btf_int_word(t) >> 24) & 0xf;
}

static inline uint32_t btf_int_offset(const struct btf_type *t)
{
	return (btf_int_word(t) >> 16) & 0xff;
}

static inline uint32_t btf_int_bits(const struct btf_type *t)
{
	return btf_int_word(t) & 0xff;
}

/* The i-th enumerator of an ENUM or ENUM64: its name offset and value. */
uint32_t btf_enum_name_off(const struct btf_type *t, uint32_t i);
uint64_t btf_enum_value(const struct btf_type *t, uint32_t i);

/* The length of a name without its flavour: "task_struct___old" -> 11. */
size_t btf_essential_len(const char *name);

/* The words in front of a tag: "struct", "union", "enum"; "" for other kinds. */
const char *btf_tag_word(const struct btf_type *t);

/* --- C declarations (decl.c) --- */

/*
 * How a record, enum or typedef is called or spelt out where a declaration
 * mentions it. base() writes the specifier of a type that is no pointer,
 * array, function or modifier ("struct foo", "int").
 */
struct btf_namer {
	void *arg;
	void (*base)(void *arg, uint32_t id, int indent, struct skep_text *out);
};

/* The declaration of name with a type: "char *name[4]"; name may be "". */
void btf_declare(const struct skep_btf *btf, uint32_t id, const char *name, int indent,
		 const struct btf_namer *namer, struct skep_text *out);

/* A type in one line, as btf_type_text(), but growing text. */
void btf_describe(const struct skep_btf *btf, uint32_t id, struct skep_text *out);

#endif
