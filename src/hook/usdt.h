/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usdt.h - statically defined probes of a file: where they are and how their arguments are read.
 *
 * <sys/sdt.h> leaves a note in .note.stapsdt for each place: the address of a nop, a counter
 * that somebody who listens raises (the semaphore), and text that says where the compiler has
 * put each argument: "-4@%edi 8@-16(%rbp) 4@$5". Programs read arguments through a map of
 * descriptions, struct __bpf_usdt_spec of <bpf/usdt.bpf.h>, whose key is their cookie.
 *
 * Threads: confined.
 */
#ifndef HOOK_USDT_H
#define HOOK_USDT_H

#include "hook/symbols.h"

enum { USDT_ARGS = 12 };

enum usdt_kind {
	USDT_CONST,         /* value */
	USDT_REG,           /* a register */
	USDT_REG_DEREF,     /* memory at a register + value */
	USDT_SIB,           /* memory at a register + index << shift + value */
};

struct usdt_arg {
	enum usdt_kind kind;
	int64_t value;
	uint16_t reg, index; /* offsets in struct pt_regs */
	uint8_t shift;
	uint8_t size;       /* bytes: 1, 2, 4, 8 */
	bool is_signed;
};

struct usdt_place {
	uint64_t address;
	uint64_t semaphore; /* its address; 0: none */
	const char *provider, *name, *args; /* in the binary */
	struct usdt_arg arg[USDT_ARGS];
	unsigned arg_count;
};

/*
 * Calls each place of provider:name with its arguments decoded; name NULL: any of the
 * provider; provider NULL: any. Returns their count, or the first negative result. Fails,
 * naming what is there, if there is none, or if an argument is written in a way that is not
 * known.
 */
typedef int usdt_fn(void *arg, const struct usdt_place *place);
int usdt_each(struct binary *binary, const char *provider, const char *name, usdt_fn *call,
	      void *arg, struct skep_diag *diag);

/* Decodes the arguments of place->args. Its reason, or NULL. */
const char *usdt_parse(struct usdt_place *place);

/*
 * How struct __bpf_usdt_spec is laid out, which libbpf's versions differ in: by the type
 * information of an object that uses it (NULL: as the first version has it).
 */
struct usdt_layout {
	uint32_t size;      /* of the whole */
	bool has_index;     /* knows USDT_SIB */
	uint32_t index_bit, shift_bit; /* in an argument's description */
};
void usdt_layout(const struct skep_btf *btf, struct usdt_layout *layout);
/* Writes it: layout->size bytes. False: it has an argument that the layout cannot say. */
bool usdt_write(const struct usdt_layout *layout, const struct usdt_place *place,
		uint64_t cookie, void *spec);

#endif
