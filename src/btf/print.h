/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.h - what the files that print C share.
 *
 * record.c writes definitions so that a compiler lays them out as BTF says,
 * names.c finds each type a name that C accepts and no other type has, and
 * print_c.c decides what must come before what.
 */
#ifndef BTF_PRINT_H
#define BTF_PRINT_H

#include "btf/impl.h"

/* C has two name spaces at file scope. */
enum name_space { NAMES_TAGS, NAMES_IDENTS, NAMES_COUNT };

struct name_slot {
	const char *name;        /* NULL: free */
	uint32_t uses;
};

struct printer {
	const struct skep_btf *btf;
	struct skep_text *out;
	struct arena arena;      /* names made here */
	bool plain;              /* one type alone: names as they are */
	bool too_deep, oom;
	int nesting;             /* records written inside of records */
	int depth;               /* of require() */
	uint8_t *aligns;         /* as compilers see what is printed; 0: unknown yet */
	uint8_t *done;           /* enum progress, by id */
	const char **names;      /* by id; NULL: none given yet */
	struct {
		struct name_slot *slots;
		uint32_t mask, used;
	} names_in[NAMES_COUNT];
};

/* plain: for one type, whose name and neighbours need no care. */
int printer_init(struct printer *p, const struct skep_btf *btf, bool plain,
		 struct skep_text *out);
void printer_done(struct printer *p);

/* names.c */
const char *printer_name(struct printer *p, uint32_t id);
/* A new name in a name space, like this one; NULL when out of memory. */
const char *printer_unique(struct printer *p, enum name_space space, const char *name);
/* A name as C accepts it: other characters become '_', keywords get one more. */
const char *printer_ident(struct printer *p, const char *name);
/* How C calls a number; *known tells whether it needs no typedef for it. */
const char *printer_number(const struct btf_type *t, const char *name, bool *known);

/* record.c */
void printer_record(struct printer *p, uint32_t id, int indent);
void printer_enum(struct printer *p, uint32_t id, int indent);
/* The declaration of a name, records and enums without a name written out. */
void printer_declare(struct printer *p, uint32_t id, const char *name, int indent);

#endif
