/* SPDX-License-Identifier: BSD-2-Clause */
/* types.h - the types that programs of a machine are relocated to and judged by. */
#ifndef OBJECT_TYPES_H
#define OBJECT_TYPES_H

struct skep_btf;
struct skep_diag;

/*
 * A kernel's types with the machine's own in place of those it has records of;
 * kernel may be NULL. A new reference; NULL on failure (see diag).
 */
struct skep_btf *machine_types(const struct skep_btf *kernel, struct skep_diag *diag);

#endif
