/* SPDX-License-Identifier: BSD-2-Clause */
/* object.h - OBJECT[:PROGRAM] on the command line, and C sources compiled on the way. */
#ifndef CLI_OBJECT_H
#define CLI_OBJECT_H

#include <skep/object.h>

#include "cli/cli.h"

struct object_arg {
	char *path;     /* owned */
	char *program;  /* owned; NULL: all */
};

/*
 * Split and open "fw.o" or "fw.o:xdp_fw"; a file whose name holds a colon wins.
 * "prog.bpf.c" is compiled with clang first. NULL with the reason in diag.
 */
struct skep_object *object_arg_open(struct object_arg *arg, const char *operand,
				    struct skep_diag *diag);
/* What --btf names: a file, or the machine's own. NULL with the reason in diag. */
struct skep_btf *kernel_types(const char *name, struct skep_diag *diag);
void object_arg_done(struct object_arg *arg);
/* Is it the program named (by program or section), or were all asked for? */
bool object_arg_selects(const struct object_arg *arg, const struct skep_object_prog *prog);
/* The same for the values of --program. */
bool list_selects(const struct list *names, const struct skep_object_prog *prog);
/* Explain in diag that name (NULL: what was asked for) is not there, and what is. */
void no_such_program(const struct skep_object *object, const char *name, struct skep_diag *diag);

struct targets;
/* What --target names, opened (target.c). NULL with the reason in diag. */
struct targets *targets_open(const struct list *names, struct skep_diag *diag);
void targets_close(struct targets *targets);
/* Attach prog to one of them, if it is of a type that attaches to programs; they must stay. */
int targets_aim(const struct targets *targets, struct skep_object_prog *prog,
		struct skep_diag *diag);

/* "source":{"file":...,"line":...,"text":...} */
void json_source(struct json *json, const struct skep_where *where);

/*
 * Compile a .c file for eBPF into memory with clang. *image is for the caller
 * to free. Clang's own messages go to stderr. Negative errno with a reason.
 */
int compile_source(const char *path, void **image, size_t *size, struct skep_diag *diag);

#endif
