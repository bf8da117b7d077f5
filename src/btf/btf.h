/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * btf.h (internal) - reading types.
 *
 * A struct btf_type points into the BTF's own bytes (host byte order, checked
 * when opened: every reference is in range, every size consistent, no cycles
 * that a size computation could follow). What follows it depends on its kind;
 * the accessors below give it typed. No accessor fails on an opened BTF and an
 * id in range; btf_type() of an id out of range gives void.
 */
#ifndef BTF_BTF_H
#define BTF_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/btf.h>

enum btf_kind {
	BTF_VOID, BTF_INT, BTF_PTR, BTF_ARRAY, BTF_STRUCT, BTF_UNION, BTF_ENUM, BTF_FWD,
	BTF_TYPEDEF, BTF_VOLATILE, BTF_CONST, BTF_RESTRICT, BTF_FUNC, BTF_FUNC_PROTO, BTF_VAR,
	BTF_DATASEC, BTF_FLOAT, BTF_DECL_TAG, BTF_TYPE_TAG, BTF_ENUM64, BTF_KIND_COUNT,
};

/* What raw BTF begins with; offsets are from the end of the header. */
struct btf_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
};

enum { BTF_MAGIC = 0xeb9f, BTF_MAGIC_SWAPPED = 0x9feb };
enum { BTF_INT_SIGNED = 1, BTF_INT_CHAR = 2, BTF_INT_BOOL = 4 };

struct btf_type {
	uint32_t name_off;
	uint32_t info;           /* vlen: bits 0-23, kind: 24-30, kind_flag: 31 */
	union { uint32_t size, type; };
};

struct btf_array { uint32_t type, index_type, nelems; };
struct btf_member { uint32_t name_off, type, offset; };
struct btf_enum { uint32_t name_off; int32_t val; };
struct btf_enum64 { uint32_t name_off, val_lo32, val_hi32; };
struct btf_param { uint32_t name_off, type; };
struct btf_secinfo { uint32_t type, offset, size; };

/* "INT"; "UNKNOWN" for void and what there is not. */
const char *btf_kind_text(const struct btf_type *t);
static inline enum btf_kind btf_kind(const struct btf_type *t) { return (t->info >> 24) & 0x7f; }
static inline uint32_t btf_vlen(const struct btf_type *t) { return t->info & 0xffffff; }
static inline bool btf_kind_flag(const struct btf_type *t) { return t->info >> 31; }
static inline const void *btf_data(const struct btf_type *t) { return t + 1; }

/* The bytes to open an equal one from: their number, and writing them. Without a base. */
size_t btf_raw_size(const struct skep_btf *btf);
void btf_raw_write(const struct skep_btf *btf, void *to);
/* Where in them a type begins. */
size_t btf_raw_offset(const struct skep_btf *btf, uint32_t id);

const struct btf_type *btf_type(const struct skep_btf *btf, uint32_t id);
const char *btf_str(const struct skep_btf *btf, uint32_t off);     /* "" out of range */
const char *btf_name(const struct skep_btf *btf, const struct btf_type *t);
/* Past modifiers (const, volatile, restrict, type tags) and typedefs. */
uint32_t btf_skip_mods(const struct skep_btf *btf, uint32_t id);
uint32_t btf_skip_mods_and_typedefs(const struct skep_btf *btf, uint32_t id);
uint32_t btf_member_bit_off(const struct btf_type *t, uint32_t i);
uint32_t btf_member_bit_size(const struct btf_type *t, uint32_t i); /* 0: not a bit field */
/* The alignment in bytes of a type; 0 if it has none. */
uint32_t btf_align(const struct skep_btf *btf, uint32_t id);
/* First id at or after `from` with this name (flavour-exact) and kind; 0: none. Indexed. */
uint32_t btf_find_from(const struct skep_btf *btf, const char *name, unsigned kind, uint32_t from);
/* The decl tag "prefix..." on a type (component -1) or its component; NULL if none.
 * Returns what follows the prefix. */
const char *btf_decl_tag(const struct skep_btf *btf, uint32_t id, int component,
			 const char *prefix);
bool btf_is_int(const struct skep_btf *btf, uint32_t id, bool *is_signed, uint32_t *bits);
/* "struct foo *" etc., one line, into text (snprintf rules). */
int btf_type_text(const struct skep_btf *btf, uint32_t id, char *text, size_t size);

/* base's types with over's structures in place of those of the same name (overlay.c). */
/* As skep_btf_open(), of bytes that are known to be well-formed: only indexed, not checked. */
struct skep_btf *btf_open_sound(const void *bytes, size_t size, const char *name,
				struct skep_diag *diag);
struct skep_btf *btf_overlay(const struct skep_btf *base, const struct skep_btf *over,
			     const char *name, struct skep_diag *diag);

/* --- .BTF.ext (ext.c) --- */

struct btf_ext_func { uint32_t insn_off, type_id; };      /* insn_off in bytes */
struct btf_ext_line { uint32_t insn_off, file_name_off, line_off, line_col; };
struct btf_core_relo { uint32_t insn_off, type_id, access_str_off, kind; };

/* One section's records. */
struct btf_ext_section {
	const char *section;      /* borrowed from the BTF */
	uint32_t count;
	const void *records;      /* of the type above that the list is of */
};
struct btf_ext {
	struct btf_ext_section *funcs, *lines, *relos;  /* owned */
	size_t func_count, line_count, relo_count;      /* sections in each */
};
int btf_ext_open(const struct skep_btf *btf, const void *bytes, size_t size,
		 struct btf_ext *ext, struct skep_diag *diag);
void btf_ext_done(struct btf_ext *ext);

/* --- CO-RE (core.c) --- */

/*
 * Apply one relocation to the instruction(s) at insn. On a missing target the
 * instruction is poisoned (a call to helper 0xbad2310) and *poison says why
 * ("struct task_struct has no field exit_code2") for the verifier's log line;
 * it is not an error by itself. Errors: -EINVAL (damaged or ambiguous).
 */
#define CORE_POISON_HELPER 0xbad2310
struct skep_insn;
struct core_target;   /* a kernel BTF with an index of candidates; reusable */
struct core_target *core_target_new(const struct skep_btf *kernel);
void core_target_free(struct core_target *target);
int core_relocate(struct core_target *target, const struct skep_btf *local,
		  const struct btf_core_relo *relo, struct skep_insn *insns, size_t count,
		  size_t insn, char *poison, size_t poison_size, struct skep_diag *diag);

#endif
