/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.h - an eBPF ELF object: its programs, maps, globals and types.
 *
 * Opening reads and checks the file; nothing is created. Optional settings
 * (map sizes, attach targets, globals) are changed between opening and
 * skep_machine_load().
 *
 * Threads: confined.
 */
#ifndef SKEP_OBJECT_H
#define SKEP_OBJECT_H

#include <skep/btf.h>
#include <skep/diag.h>
#include <skep/insn.h>
#include <skep/verify.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_object;
struct skep_object_prog; /* borrowed from its object */
struct skep_object_map;  /* borrowed from its object */

/* name is for messages. The image is copied. NULL on failure (see diag). */
struct skep_object *skep_object_open(const void *image, size_t size, const char *name,
				     struct skep_diag *diag);
struct skep_object *skep_object_open_file(const char *path, struct skep_diag *diag);
void skep_object_free(struct skep_object *object);

const char *skep_object_name(const struct skep_object *object);
const char *skep_object_license(const struct skep_object *object);
const struct skep_btf *skep_object_btf(const struct skep_object *object); /* or NULL */
/* Types to relocate against; borrowed. Default: the running kernel's, or the machine's
 * own where there are none. */
void skep_object_set_kernel_btf(struct skep_object *object, const struct skep_btf *btf);

size_t skep_object_prog_count(const struct skep_object *object);
struct skep_object_prog *skep_object_prog_at(const struct skep_object *object, size_t index);
/* By program name, or else by section name. NULL if there is none. */
struct skep_object_prog *skep_object_prog_find(const struct skep_object *object,
					       const char *name);

const char *skep_object_prog_name(const struct skep_object_prog *prog);
const char *skep_object_prog_section(const struct skep_object_prog *prog);
const char *skep_object_prog_type(const struct skep_object_prog *prog);   /* "xdp" */
const char *skep_object_prog_attach(const struct skep_object_prog *prog); /* "cgroup_inet_ingress", "" */
const char *skep_object_prog_target(const struct skep_object_prog *prog); /* "tcp_connect", "" */
/* What libbpf's SEC("?...") means: opened, loaded only when asked for. */
bool skep_object_prog_autoload(const struct skep_object_prog *prog);
void skep_object_prog_set_autoload(struct skep_object_prog *prog, bool autoload);
/* Does a program array hold it from the start, so that others jump to it? */
bool skep_object_prog_is_tail_target(const struct skep_object_prog *prog);

/* Is it, or does it call, a function of this name? */
bool skep_object_prog_has_function(struct skep_object_prog *prog, const char *name);
/*
 * What an extension (freplace) replaces, or what fentry and fexit look at: a function of
 * target, another program, which may be of another object; both must stay. function NULL:
 * the one that prog's section names. target NULL: none again. The target is verified when
 * prog is. Errors: EINVAL (prog is of no such type), ENOENT (no function is named, or
 * target's types have none of that name).
 */
int skep_object_prog_set_target(struct skep_object_prog *prog, struct skep_object_prog *target,
				const char *function, struct skep_diag *diag);

/*
 * The program's instructions, with the subprograms it calls appended and
 * CO-RE relocations applied (a map reference holds the map's index in its
 * object). Borrowed from the program. Errors: as relocation fails.
 */
int skep_object_prog_insns(struct skep_object_prog *prog, const struct skep_insn **insns,
			   size_t *count, struct skep_diag *diag);
/* The source place of an instruction; false where there is none. */
bool skep_object_prog_source(const struct skep_object_prog *prog, size_t insn,
			     struct skep_where *where);
/*
 * What the verifier said when skep_machine_load() last judged it, its log too if
 * opts asked for one; NULL before. Borrowed until the next load or the object's end.
 */
const struct skep_verify_result *skep_object_prog_result(const struct skep_object_prog *prog);
/* The name of the (sub)program an instruction starts, or NULL. */
const char *skep_object_prog_subprog_at(const struct skep_object_prog *prog, size_t insn);

/*
 * Verify without creating anything. result is filled whenever the verifier
 * ran. Returns 0 when it did (result->error is the verdict), else the negative
 * errno of what made the program unloadable, explained in diag.
 */
int skep_object_check(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		      struct skep_verify_result *result, struct skep_diag *diag);

size_t skep_object_map_count(const struct skep_object *object);
struct skep_object_map *skep_object_map_at(const struct skep_object *object, size_t index);
struct skep_object_map *skep_object_map_find(const struct skep_object *object, const char *name);

struct skep_map_info {
	const char *name;
	const char *type_name;   /* "hash" */
	uint32_t type;           /* BPF_MAP_TYPE_* */
	uint32_t key_size;       /* bytes */
	uint32_t value_size;     /* bytes, of one CPU's value */
	uint32_t max_entries;
	uint32_t flags;          /* BPF_F_* */
	uint64_t extra;
	uint32_t id;             /* 0 until created */
	const struct skep_btf *btf;
	uint32_t key_type, value_type; /* BTF ids; 0: unknown */
	bool internal;           /* .data, .rodata, .bss, .kconfig ... */
};

void skep_object_map_info(const struct skep_object_map *map, struct skep_map_info *info);
int skep_object_map_set_max_entries(struct skep_object_map *map, uint32_t max_entries);
/* Initial contents of a global-data map, to read or change before loading. */
void *skep_object_map_data(struct skep_object_map *map, size_t *size);

/*
 * Give a global variable its initial value, as text: a number (decimal, 0x hex,
 * 0 octal, 'c'), true or false, an enumerator's name, or for an array of char a
 * string; "a.b[2]" names a part. Variables in .rodata are constants to the
 * verifier afterwards. Errors: ENOENT (no such variable), EINVAL (no value of
 * its type), ERANGE (does not fit).
 */
int skep_object_set_global(struct skep_object *object, const char *name, const char *value,
			   struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
