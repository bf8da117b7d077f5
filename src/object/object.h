/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.h (internal) - an opened object, for the files of this folder and for
 * the machine that loads it.
 *
 * The object's code is a list of functions: those in named sections are
 * programs (entries), those in .text are subprograms. Nothing is relocated
 * when an object is opened; link.c builds a program on demand, from copies of
 * its functions, so that one bad program does not take the others with it.
 *
 *   functions   sorted by (section, first)    instructions, in the ELF's bytes
 *   externs     what the object expects of the kernel: .kconfig and .ksyms
 *   maps        in libbpf's order: defined, legacy, global data, .kconfig,
 *               struct_ops; a program names a map by its index in this list
 */
#ifndef OBJECT_OBJECT_H
#define OBJECT_OBJECT_H

#include <skep/object.h>
#include "base/base.h"
#include "btf/btf.h"
#include "map/map.h"
#include "object/elf.h"
#include "prog/prog.h"

/* A relocation that could not be satisfied; it matters only if reached. */
struct poison {
	uint32_t insn;           /* slot, in the function or in the linked program */
	const char *why;         /* in the object's strings */
	bool core;               /* a CO-RE relocation, else an extern or a map */
};
struct poisons {
	struct poison *items;
	size_t count, size;
};

/* A record that belongs to a place in a section (located.c). */
struct located {
	uint32_t section, slot, order;
	uint32_t symbol, type;   /* ELF relocations */
	const void *record;      /* of .BTF.ext */
};

struct located_list {
	struct located *items;
	size_t count, size;
};

struct located_span {
	const struct located *items;
	size_t count;
};

struct func {
	const char *name;
	uint32_t section;
	uint32_t first, count;   /* slots in its section */
	bool entry;              /* a program, not a subprogram */
	/* Its instructions with CO-RE applied: made by core_func(), NULL before. */
	struct skep_insn *insns; /* owned */
	struct poisons poisons;
};

/* Where a function begins in a linked program. */
struct placed {
	uint32_t func, at;
};

/* A table of the places that a jump may lead to, as a map of the program (jumptable.c). */
struct jump_table {
	uint64_t offset;         /* in its section */
	uint32_t shift;          /* from the function's place in its section to that in the program */
	const struct map_spec *spec; /* in the object's strings */
};

/* What link.c makes of a program; every pointer owned. */
struct linked {
	struct skep_insn *insns;
	uint32_t len;
	struct placed *placed;   /* sorted by at; [0] is the program itself */
	size_t placed_count;
	struct func_info *funcs;
	uint32_t func_count;
	struct line_info *lines;
	uint32_t line_count;
	struct poisons poisons;
	VEC(struct jump_table) tables;
	const struct map_spec **maps; /* the object's, then the tables */
	uint32_t map_count;
};

/* What a program attaches to, where that is another program. */
struct prog_aim {
	struct skep_object_prog *prog; /* borrowed; NULL: nothing */
	char *function;          /* owned; NULL: what the section names */
	bool resolving;          /* to notice circles */
	/* As of the last object_prog_spec(). */
	struct prog_spec spec;
	struct func_proof *funcs; /* owned */
};

struct skep_object_prog {
	struct skep_object *object;
	size_t index;
	uint32_t func;
	const char *section;     /* without the '?' */
	struct section_match match; /* match.type NULL: the section name says nothing */
	bool autoload;
	bool is_linked;
	struct prog_aim aim;
	struct linked linked;
	/* struct_ops: the kernel's type and the member that it implements. */
	uint32_t ops_map;        /* index of the map that refers to it */
	uint32_t ops_member;
	bool ops_bound;
	struct skep_verify_result judged; /* when it was last loaded into a machine */
};

enum object_map_kind {
	OBJECT_MAP_USER, OBJECT_MAP_DATA, OBJECT_MAP_RODATA, OBJECT_MAP_BSS, OBJECT_MAP_KCONFIG,
	OBJECT_MAP_STRUCT_OPS,
};

/* An initial value: an element of a map of maps or of a program array. */
struct map_initial {
	uint32_t index;
	uint32_t target;         /* index of a map, or of a program */
};

struct skep_object_map {
	struct skep_object *object;
	size_t index;
	enum object_map_kind kind;
	struct map_spec spec;
	char *name;              /* owned; what users call it */
	const char *real_name;   /* of global data: its section */
	uint32_t section;
	uint64_t offset;         /* in its section */
	uint64_t size;           /* bytes of its definition there */
	struct map_spec *inner;  /* owned; or NULL */
	uint32_t values_off;     /* of its definition's array "values"; 0: none */
	bool values_progs;       /* they are programs */
	VEC(struct map_initial) initial;
	uint8_t *data;           /* owned: contents of global data, spec.value_size bytes */
	uint32_t ops_type;       /* STRUCT_OPS: the object's BTF id of the structure */
};

enum extern_kind { EXTERN_KCONFIG, EXTERN_KSYM, EXTERN_KFUNC };

struct object_extern {
	const char *name;
	uint32_t symbol;
	enum extern_kind kind;
	bool weak;
	uint32_t btf_id;         /* VAR or FUNC */
	uint32_t type;           /* of the variable, modifiers skipped */
	const char *problem;     /* why it cannot be used; or NULL */
	/* EXTERN_KCONFIG: its place in the .kconfig map. */
	uint32_t size, align, offset;
	bool is_set;
	/* EXTERN_KSYM, EXTERN_KFUNC, once resolved. */
	bool resolved;
	uint32_t kernel_id;      /* BTF id; 0 with resolved: there is none */
	uint64_t address;        /* untyped */
	bool untyped;
};

struct skep_object {
	uint64_t serial;         /* never used twice in a process */
	char *name;              /* owned; for messages */
	char base[BPF_OBJ_NAME_LEN]; /* what libbpf calls it: for names of internal maps */
	void *image;             /* owned */
	struct elf elf;
	struct arena strings;    /* names and messages made up here */
	char license[64];
	struct skep_btf *btf;    /* own reference; or NULL */
	struct btf_ext ext;
	const struct skep_btf *kernel; /* borrowed or kernel_own; NULL until asked for */
	struct skep_btf *kernel_own;
	struct skep_btf *machine_types; /* owned; NULL until loaded into a machine */
	bool kernel_tried;
	bool kernel_spared;      /* kernel_own is the machine's alone, as that sufficed */
	struct core_target *core;
	uint32_t text;           /* index of .text; 0: none */
	uint32_t maps_section;   /* .maps */
	VEC(struct func) funcs;
	struct skep_object_prog *progs; /* owned */
	size_t prog_count;
	VEC(struct skep_object_map *) maps;
	const struct map_spec **specs; /* owned: &maps[i]->spec */
	VEC(struct object_extern) externs;
	uint32_t kconfig_map;    /* index + 1; 0: none */
	uint32_t kconfig_size;   /* bytes of settings */
	bool kconfig_filled;
	uint32_t release;        /* that LINUX_KERNEL_VERSION tells of; 0: the running one */
	struct located_list relos, func_records, line_records, core_records;
	uint64_t linked_slots;   /* in all linked programs, to bound memory */
};

struct skep_where object_where(const struct skep_object *object, const char *section,
			       const char *program);
/* The BTF of the kernel to relocate against; NULL when out of memory. */
const struct skep_btf *object_kernel_btf(struct skep_object *object);
/* Whether it makes a difference which kernel's they are (kernel.c). */
bool object_names_kernel_types(const struct skep_object *object);
/* From now on, relocate against that with the machine's own types in it. */
int object_use_machine_types(struct skep_object *object, struct skep_diag *diag);

/* The function that starts at, or contains, a slot of a section; -1: none. */
int64_t func_starting(const struct skep_object *object, uint32_t section, uint64_t slot);

int locate_records(struct skep_object *object, struct skep_diag *diag);
/* The records inside a function, by place. */
void located_source(const struct skep_object *object, uint32_t section, uint32_t slot,
		    struct skep_where *where);
struct located_span located_in(const struct located_list *list, const struct func *func);

/* --- maps (mapdef.c, mapdata.c, structops.c) --- */

struct skep_object_map *object_map_add(struct skep_object *object, enum object_map_kind kind,
				       const char *name, struct skep_diag *diag);
int collect_defined_maps(struct skep_object *object, struct skep_diag *diag);
int collect_initial_values(struct skep_object *object, struct skep_diag *diag);
int collect_legacy_maps(struct skep_object *object, struct skep_diag *diag);
int collect_data_maps(struct skep_object *object, struct skep_diag *diag);
int collect_struct_ops(struct skep_object *object, struct skep_diag *diag);
/* A map of global data; size fits 32 bits. section must outlive the object. */
struct skep_object_map *object_data_map(struct skep_object *object, enum object_map_kind kind,
					const char *section, uint64_t size, struct skep_diag *diag);
/* Round and fill in what libbpf does before it creates a map. */
void map_spec_settle(struct map_spec *spec);
/* Complete the BTF from the ELF's symbols (fixbtf.c). */
int fix_btf(struct skep_object *object, struct skep_diag *diag);
/* The map that covers a place of a section; -1: none. */
int64_t map_covering(const struct skep_object *object, uint32_t section, uint64_t offset);
/* Contents of a global-data map, made on demand; NULL when out of memory. */
uint8_t *map_contents(struct skep_object_map *map);
/* Bind struct_ops programs to the kernel's types. */
int struct_ops_bind(struct skep_object *object, struct skep_object_prog *prog, uint32_t *type,
		    uint32_t *member, const char **name, struct skep_diag *diag);

/* --- externs (extern.c, kconfig.c, ksyms.c) --- */

int collect_externs(struct skep_object *object, struct skep_diag *diag);
int collect_kconfig_map(struct skep_object *object, struct skep_diag *diag);
struct object_extern *extern_of_symbol(struct skep_object *object, uint32_t symbol);
/* Fill in the values of a .kconfig map. */
int kconfig_fill(struct skep_object *object, struct skep_diag *diag);
int ksym_resolve(struct skep_object *object, struct object_extern *ext,
		 const struct skep_where *where, struct skep_diag *diag);

/* --- programs --- */

/* The function's instructions with CO-RE applied (core.c). */
int core_func(struct skep_object *object, struct func *func, struct skep_diag *diag);
int object_link(struct skep_object_prog *prog, struct skep_diag *diag);
void linked_done(struct linked *linked);
/* linked->maps, once it is linked (jumptable.c); -ENOMEM. */
int list_maps(struct skep_object *object, struct linked *linked);
/* func_info and line_info of a linked program (info.c). */
int link_info(struct skep_object *object, struct linked *linked, struct skep_diag *diag);

/* Everything the verifier and the machine need; borrowed from the program. */
int object_prog_spec(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		     struct prog_spec *spec, struct skep_diag *diag);

/* Fill in spec->target: the program aimed at, verified with what it is to be judged by. */
int aim_resolve(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		struct prog_spec *spec, const struct skep_where *where, struct skep_diag *diag);
void aim_done(struct prog_aim *aim);

struct verified;

/* skep_object_check(), which also gives the spec (without filled-in maps) and, if
 * out is not NULL, what was proved. */
int object_verify(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		  struct prog_spec *spec, struct skep_verify_result *result, struct verified *out,
		  struct skep_diag *diag);

/* Would the map be created? */
int object_check_map(const struct map_spec *spec, const struct skep_where *where,
		     struct skep_diag *diag);

/* What the program is attached to: its section, or a place in words (place.c). match points into
 * place. */
int object_prog_place(const struct skep_object_prog *prog, const char *place,
		      struct section_match *match, struct skep_diag *diag);

/*
 * The verifier on a specification whose maps are settled. Where it met a poisoned instruction,
 * what is told, and said in the log in libbpf's words, is what could not be resolved; the
 * result is negative then.
 */
int object_judge(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		 const struct prog_spec *spec, struct skep_verify_result *result,
		 struct verified *out, struct skep_diag *diag);

#endif
