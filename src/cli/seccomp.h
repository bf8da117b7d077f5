/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp.h - what the verbs of 'skep seccomp' share: a filter, from whatever notation. */
#ifndef CLI_SECCOMP_H
#define CLI_SECCOMP_H

#include <skep/seccomp.h>
#include <sys/types.h>
#include "cli/cli.h"

/* For whom a profile is: its rules may depend on it. */
struct seccomp_host {
	struct list archs;       /* names; none: the policy's own, or x86_64 and what it brings */
	struct list caps;        /* CAP_SYS_ADMIN ... */
	const char *kernel;      /* "6.1"; NULL: newer than all that the profile knows */
	bool warn;               /* of mistakes that are none to a runtime */
};

struct seccomp_code {
	struct skep_cbpf_insn *insns; /* owned */
	size_t count;
};

/*
 * The filter that a file holds: a policy in text, a JSON profile, or instructions in any
 * notation or as bytes. False with the reason in diag.
 */
bool seccomp_load(const char *path, const struct seccomp_host *host, struct seccomp_code *code,
		  struct skep_diag *diag);

/* --- seccomp_pid.c: of a running process --- */

struct seccomp_filter {
	struct seccomp_code code;
	char flags[80];          /* "log, spec-allow" */
};

/* The newest first. */
struct seccomp_stack {
	struct seccomp_filter *filters; /* owned */
	size_t count;
};

/* False with the reason in diag. A process without filters has an empty stack. */
bool seccomp_of_process(uint64_t pid, struct seccomp_stack *stack, struct skep_diag *diag);
void seccomp_stack_done(struct seccomp_stack *stack);
/* What all of them together return. */
uint32_t seccomp_decide(const struct seccomp_stack *stack, const struct skep_cbpf_call *call);
/* The line above what is shown of one of them. */
void seccomp_stack_head(const struct seccomp_stack *stack, size_t index, FILE *out);
/*
 * From a file, or if pid is not 0 from a process: a stack of one filter, or of any number. flags of
 * the first are "" for a file.
 */
bool seccomp_load_stack(const char *path, uint64_t pid, const struct seccomp_host *host,
			struct seccomp_stack *stack, struct skep_diag *diag);

/* --- seccomp_profile.c: JSON --- */

bool seccomp_is_profile(const char *text);
int seccomp_read_profile(struct skep_seccomp *policy, const char *text, const char *name,
			 const struct seccomp_host *host, struct skep_diag *diag);

/* --- seccomp_tell.c: a refused call --- */

struct seccomp_refusal {
	pid_t thread;            /* is stopped in the call */
	struct skep_cbpf_call call;
	uint32_t action;
	size_t instruction;      /* of the policy's filter, which returned it */
};

void seccomp_tell(FILE *out, bool json, const struct seccomp_refusal *refusal);
/* enum skep_seccomp_arch; x32's calls have x86_64's audit number. */
int seccomp_arch_of(const struct skep_cbpf_call *call);

/* --- seccomp_frames.c --- */

/* Each is "" where it is not known. */
struct seccomp_frames {
	char function[128];      /* that made the call: "mkdir" */
	char caller[128];        /* the first outwards with a source line: "main" */
	char source[256];        /* "prog.c:12" */
	uint64_t address;        /* where the first frame in another file goes on; 0: not known */
};

/* The thread is stopped and traced by this process. */
void seccomp_find_frames(pid_t pid, pid_t thread, struct seccomp_frames *frames);
/* The process has ended, or executes another file. 0: all. */
void seccomp_forget_frames(pid_t pid);

/* --- seccomp_record.c --- */

struct seccomp_record;

/* values: CALL:ARG, of which the values are to be in the policy; usual: of calls where that tells. */
struct seccomp_record *seccomp_record_new(const struct list *values, bool usual, struct skep_diag *diag);
void seccomp_record_add(struct seccomp_record *record, const struct skep_cbpf_call *call);
/* False: no memory while it was recorded. */
bool seccomp_record_write(const struct seccomp_record *record, FILE *out);
void seccomp_record_free(struct seccomp_record *record);

/* --- seccomp_show.c --- */

/* Instructions with what they load, ask for and do in words beside them. */
void seccomp_list(const struct seccomp_code *code, FILE *out);
/* Names of system calls, actions and so on for messages. "openat", or "syscall 777". */
const char *seccomp_call_name(enum skep_seccomp_arch arch, uint32_t nr, char *text, size_t size);

#endif
