/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * btf.h - BPF Type Format: the types of programs, maps and kernels.
 *
 * A skep_btf is immutable once opened. Type ids are 1..count; id 0 is void.
 * A split BTF continues the ids and strings of its base, which must outlive it.
 *
 * Threads: immutable after open.
 */
#ifndef SKEP_BTF_H
#define SKEP_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/diag.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_btf;

/*
 * Open from bytes (copied), or from a file that is raw BTF or an ELF file with
 * a .BTF section. Errors: EINVAL (damaged; diag says where), ENOENT, ENOMEM.
 * Reference counted: skep_btf_ref() and skep_btf_unref(), which accepts NULL.
 */
struct skep_btf *skep_btf_open(const void *bytes, size_t size, const struct skep_btf *base,
			       const char *name, struct skep_diag *diag);
struct skep_btf *skep_btf_open_file(const char *path, const struct skep_btf *base,
				    struct skep_diag *diag);
/* The running kernel's (/sys/kernel/btf/vmlinux); NULL where there are none. */
struct skep_btf *skep_btf_open_kernel(struct skep_diag *diag);
/* The machine's own: of the kernel objects that programs running in Skep can read. */
struct skep_btf *skep_btf_open_machine(struct skep_diag *diag);
struct skep_btf *skep_btf_ref(const struct skep_btf *btf);
void skep_btf_unref(struct skep_btf *btf);

uint32_t skep_btf_count(const struct skep_btf *btf); /* highest id */
const char *skep_btf_type_name(const struct skep_btf *btf, uint32_t id);
/* The id of a named type of a kind (BTF_KIND_*; 0: any); 0 if there is none. */
uint32_t skep_btf_find(const struct skep_btf *btf, const char *name, unsigned kind);
/* Size in bytes; -ENOENT for types without one. */
int64_t skep_btf_size(const struct skep_btf *btf, uint32_t id);

/* Growing text for the writers below: init with { 0 }, free(text.data) after. */
struct skep_text {
	char *data;    /* NUL-terminated once anything was added; NULL before */
	size_t len;
	size_t size;
	bool failed;   /* an allocation failed; what follows was dropped */
};

/* The declaration or definition of a type as C, as bpftool's "format c". */
void skep_btf_print_type(const struct skep_btf *btf, uint32_t id, struct skep_text *out);
/* Every type as one compilable header. */
int skep_btf_print_c(const struct skep_btf *btf, struct skep_text *out, struct skep_diag *diag);
/* One line per type as bpftool's "format raw". */
void skep_btf_print_raw(const struct skep_btf *btf, uint32_t id, struct skep_text *out);

enum skep_value_flags {
	SKEP_VALUE_JSON = 1 << 0,    /* JSON instead of C-like text */
	SKEP_VALUE_COMPACT = 1 << 1, /* one line, no type names */
};

/*
 * A value of a type as text: character arrays that are strings as strings,
 * enums by name, bit fields, nested records. Returns bytes consumed, or
 * -E2BIG when size is short of the type, -EINVAL for a type without values.
 */
int64_t skep_btf_print_value(const struct skep_btf *btf, uint32_t id, const void *value,
			     size_t size, unsigned flags, struct skep_text *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
