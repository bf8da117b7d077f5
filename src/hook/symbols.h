/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - the functions of an executable or shared library, and where they lie in its file.
 *
 * A probe is placed in a file, not in a process: what a symbol names is turned into an offset
 * in the file, which holds wherever the file is mapped. Addresses are those the linker gave.
 * Symbols come from .symtab and .dynsym with their versions and, when a name is not among
 * them, from the separate debug file that the build id or .gnu_debuglink names.
 *
 * Threads: confined.
 */
#ifndef HOOK_SYMBOLS_H
#define HOOK_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/diag.h>
#include "base/base.h"

struct function {
	const char *name;     /* without the version; owned by the binary */
	const char *version;  /* "GLIBC_2.34"; NULL: none */
	uint64_t address, size;
	uint8_t bind;         /* STB_* */
	bool is_default;      /* the version that a new program would be linked with */
	bool is_ifunc;        /* chooses an implementation when the library is loaded */
};

/* A part of the file that is mapped. */
struct binary_load {
	uint64_t address, offset, size; /* size in the file */
	bool executable;
};

struct binary {
	char *path;                 /* owned */
	const char *debug_root;     /* borrowed: where separate debug files are looked for */
	struct view image;          /* the file, mapped */
	struct Elf *elf;            /* libelf's view of the image */
	VEC(struct binary_load) loads;
	VEC(struct function) functions; /* by address, then name */
	VEC(char *) names;          /* owned strings that the functions use */
	bool is_go;                 /* stacks move: return addresses must not be replaced */
	bool debug_read;            /* the debug file's functions are among the functions */
};

/* NULL if path is not an x86-64 ELF file. debug_root: NULL means /usr/lib/debug. */
struct binary *binary_open(const char *path, const char *debug_root, struct skep_diag *diag);
void binary_free(struct binary *binary);

/*
 * The file behind the path of a section name: a name without a slash is looked up as a
 * library (if it has ".so") along LD_LIBRARY_PATH and the usual directories, or along PATH.
 * The result is for the caller to free; NULL if there is none.
 */
char *binary_find(const char *name, struct skep_diag *diag);

/* Adds the functions of its debug file. Whether more are known than before. */
bool binary_read_debug(struct binary *binary);
/*
 * The address that "FUNC", "FUNC@VERSION", "FUNC+OFFSET" or "FILE-OFFSET" (a number) names.
 * Fails, naming what comes near, when there is no such function or several that differ.
 */
int binary_address(struct binary *binary, const char *spec, uint64_t *address,
		   struct skep_diag *diag);

/*
 * Calls each function whose name matches a pattern of '*', '?' and sets, once for an address.
 * Returns how many, or the first negative result of call.
 */
typedef int binary_match_fn(void *arg, const struct function *function);
int binary_match(struct binary *binary, const char *pattern, binary_match_fn *call, void *arg);

/* The function that an address is in; NULL: none is known there. */
const struct function *binary_function_at(const struct binary *binary, uint64_t address);
/* -1: the address is not in the file / the offset is not mapped by any load. */
int64_t binary_offset(const struct binary *binary, uint64_t address);
int64_t binary_from_offset(const struct binary *binary, uint64_t offset);
/* The bytes from an address to the end of its load; data is NULL if it is not in the file. */
struct view binary_bytes(const struct binary *binary, uint64_t address);
/* The bytes of a section and its address; data is NULL if there is none. */
struct view binary_section(const struct binary *binary, const char *name, uint64_t *address);

#endif
