/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.h - CO-RE: "compile once, run everywhere".
 *
 * A relocation names a type of the program's own BTF and something about it
 * (a field by its access path, an enumerator, the type itself). That becomes a
 * spec; the same spec is looked for in each candidate type of the kernel's
 * BTF; what both say is computed, and the instruction is moved from the local
 * answer to the kernel's.
 */
#ifndef BTF_CORE_H
#define BTF_CORE_H

#include "btf/impl.h"

enum core_kind {
	CORE_FIELD_BYTE_OFFSET, CORE_FIELD_BYTE_SIZE, CORE_FIELD_EXISTS, CORE_FIELD_SIGNED,
	CORE_FIELD_LSHIFT_U64, CORE_FIELD_RSHIFT_U64, CORE_TYPE_ID_LOCAL, CORE_TYPE_ID_TARGET,
	CORE_TYPE_EXISTS, CORE_TYPE_SIZE, CORE_ENUMVAL_EXISTS, CORE_ENUMVAL_VALUE,
	CORE_TYPE_MATCHES, CORE_KIND_COUNT,
};

bool core_is_field(uint32_t kind);
bool core_is_type(uint32_t kind);
bool core_is_enumval(uint32_t kind);
const char *core_kind_name(uint32_t kind); /* "byte_off", as disassemblers print */

enum { CORE_MAX_PATH = 64 };

/* One step of an access path: a named member, or an element of an array. */
struct core_step {
	uint32_t type;           /* the record or array stepped into; the root for step 0 */
	uint32_t index;
	uint32_t name_off;       /* of a member; 0 for elements */
	bool member;
};

/* A path in one BTF. Anonymous members count in bits but are no steps. */
struct core_spec {
	const struct skep_btf *btf;
	uint32_t root;           /* type id */
	uint32_t kind;           /* enum core_kind */
	struct core_step steps[CORE_MAX_PATH];
	uint32_t len;
	uint64_t bits;           /* offset of what the path leads to */
	uint32_t looked_at;      /* members, while matching: anonymous records may multiply */
};

/* Reads a relocation against its own BTF. NULL, or what is wrong with it. */
const char *core_parse(const struct skep_btf *btf, const struct btf_core_relo *relo,
		       struct core_spec *spec);
/* 1: found in that type of the target; 0: not there. */
int core_match(const struct core_spec *local, const struct skep_btf *target, uint32_t id,
	       struct core_spec *found);
/* "struct task_struct has no field exit_code2", for a spec found nowhere. */
void core_missing_text(const struct core_spec *local, bool candidates, char *text, size_t size);

/* May a field of one type stand for a field of the other? (core_types.c) */
bool core_fields_compatible(const struct skep_btf *local, uint32_t local_id,
			    const struct skep_btf *target, uint32_t target_id);
/* What bpf_core_type_exists() and bpf_core_type_matches() ask. */
bool core_types_compatible(const struct skep_btf *local, uint32_t local_id,
			   const struct skep_btf *target, uint32_t target_id);
bool core_types_match(const struct skep_btf *local, uint32_t local_id,
		      const struct skep_btf *target, uint32_t target_id);
bool core_same_kind(const struct btf_type *a, const struct btf_type *b);
bool core_same_name(const char *a, const char *b); /* ignoring flavours */

/* What a spec says, in numbers; see core_value.c. */
struct core_value {
	uint64_t value;
	uint32_t size;           /* BYTE_OFFSET: bytes of the field */
	uint32_t type;           /* and its type id; 0: none */
	bool exact;              /* the instruction must hold the local value */
	bool unsure;             /* 32 bits of a sign that old producers did not record */
};
/* NULL, or why there is no such number. */
const char *core_evaluate(const struct core_spec *spec, struct core_value *value);

#endif
