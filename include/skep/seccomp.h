/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp.h - policies on system calls, and the classic BPF filters that they become.
 *
 * A policy says, for each of its architectures, what happens to which calls: rules on a call's
 * number and arguments, an action for calls without a rule (default), and one for
 * calls of other architectures (foreign).
 *
 * Threads: confined; functions on names and numbers: any.
 */
#ifndef SKEP_SECCOMP_H
#define SKEP_SECCOMP_H

#include <stdbool.h>
#include <skep/cbpf.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* --- names and numbers --- */

enum skep_seccomp_arch {
	SKEP_ARCH_X86_64, SKEP_ARCH_X86, SKEP_ARCH_X32, SKEP_ARCH_AARCH64, SKEP_ARCH_COUNT,
};

#define SKEP_X32_BIT 0x40000000u

/* "x86_64" */
const char *skep_arch_name(enum skep_seccomp_arch arch);
/* By any name: x86_64, amd64, SCMP_ARCH_X86_64 ... Negative: not known. */
int skep_arch_find(const char *name);
/* AUDIT_ARCH_X86_64 ... x32 has that of x86_64. */
uint32_t skep_arch_audit(enum skep_seccomp_arch arch);
/* NULL: no call has that number. Those of x32 have SKEP_X32_BIT set. */
const char *skep_syscall_name(enum skep_seccomp_arch arch, uint32_t number);
/* Negative: no such call there. name may be a number as well. */
int64_t skep_syscall_number(enum skep_seccomp_arch arch, const char *name);

/* The name of any call that some architecture has or had, by index; NULL past the last. */
const char *skep_syscall_each(size_t index);
/* The call or group (with '@') that a mistyped name may have meant; NULL: none is near. */
const char *skep_syscall_nearest(const char *name);
/*
 * The index-th group: "@basic-io", in a few words what it is, and its members with blanks between,
 * groups among them; of "@known", which is every call, none are listed. NULL past the last; about and
 * members may be NULL.
 */
const char *skep_syscall_group(size_t index, const char **about, const char **members);

/*
 * An action as a policy writes it: "allow", "errno EPERM", "trace 7", "kill-process" ... Other
 * return values of a filter as Linux takes them. Returns the length that it wanted.
 */
int skep_seccomp_action_text(uint32_t action, char *text, size_t size);
/* word: the action's name; data: "EPERM" or a number, or NULL: 0, or for errno EPERM. False: neither. */
bool skep_seccomp_action_find(const char *word, const char *data, uint32_t *action);

/* --- policies --- */

enum skep_seccomp_op {
	SKEP_SECCOMP_EQ, SKEP_SECCOMP_NE, SKEP_SECCOMP_LT, SKEP_SECCOMP_LE, SKEP_SECCOMP_GT,
	SKEP_SECCOMP_GE,
};

/* (argument & mask) op value. On x86 and x32 the lower half of the argument alone counts. */
struct skep_seccomp_test {
	uint8_t arg;         /* 0 to 5 */
	uint8_t op;          /* enum skep_seccomp_op */
	uint64_t mask, value;
};

#define SKEP_SECCOMP_TESTS 16u /* in one rule */

struct skep_seccomp;

/* Without architectures or rules; default and foreign are SECCOMP_RET_KILL_PROCESS. NULL: no memory. */
struct skep_seccomp *skep_seccomp_new(void);
void skep_seccomp_free(struct skep_seccomp *policy);
void skep_seccomp_set_default(struct skep_seccomp *policy, uint32_t action);
void skep_seccomp_set_foreign(struct skep_seccomp *policy, uint32_t action);
void skep_seccomp_add_arch(struct skep_seccomp *policy, enum skep_seccomp_arch arch);
bool skep_seccomp_has_arch(const struct skep_seccomp *policy, enum skep_seccomp_arch arch);

/*
 * When every test holds, the action. Of a call's rules the first that matches decides. Where an
 * architecture has no such call, the rule is nothing. Errors: ENOMEM; EINVAL: too many
 * tests, or no argument of that number.
 */
int skep_seccomp_add_rule(struct skep_seccomp *policy, enum skep_seccomp_arch arch,
			  const char *call, uint32_t action, const struct skep_seccomp_test *tests,
			  size_t count, struct skep_diag *diag);

/*
 * Of a call that x86 also makes through socketcall or ipc, such as socket: the same action for that
 * way. Nothing where x86 is not in the policy, or there is no such way. What else a rule
 * tests, no filter sees of such a call: its arguments are in memory.
 */
int skep_seccomp_add_multiplexed(struct skep_seccomp *policy, const char *call, uint32_t action,
				 struct skep_diag *diag);

/*
 * Reads a policy in text. A line is one of
 *
 *   arch x86_64 x86 ...           the architectures; none named: x86_64
 *   default ACTION                calls without a rule
 *   foreign ACTION                calls of other architectures
 *   ACTION CALL... [if TEST [and TEST]...]
 *
 * where CALL is a name or number, on one architecture alone: CALL@ARCH, or a group: @basic-io.
 * ~CALL and ~@GROUP are left out of what else the line names. A rule without tests is one for x86's
 * socketcall and ipc as well. A TEST is arg0 == 1,
 * arg1 & 0xff != 3, arg2 in 5..9. Operators: == != < <= > >=. '#' begins a comment. Errors:
 * EINVAL with line and column in diag; ENOMEM.
 */
int skep_seccomp_read(struct skep_seccomp *policy, const char *text, size_t size,
		      const char *name, struct skep_diag *diag);

/* A line of a text that never decides, because an earlier one does with another action. */
struct skep_seccomp_unreached {
	uint32_t line, by;       /* the line, and the earlier one */
	uint32_t action, by_action;
	uint32_t nr;
	const char *call;        /* for which; of a line of groups, one of its calls */
	bool named;              /* false: the line's calls are all from groups, and none is decided by it */
};

/* The next one; *from and *out are zero at first, and are kept between calls. False: no more. */
bool skep_seccomp_unreached(const struct skep_seccomp *policy, size_t *from,
			    struct skep_seccomp_unreached *out);

/*
 * The filter of a policy: a search among the numbers of each architecture, and each
 * different decision once. *insns is for the caller to free. Errors: EINVAL: it does not fit
 * into SKEP_CBPF_MAX instructions, or has no architecture; ENOMEM.
 */
int skep_seccomp_compile(const struct skep_seccomp *policy, const char *name,
			 struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag);

/* --- looking into filters, of policies or of other programs; skep_cbpf_check() accepts them --- */

/*
 * Which calls: of one number, or of all that have none below; of one architecture, or of all
 * that are not of enum skep_seccomp_arch. Arguments are any.
 */
struct skep_seccomp_calls {
	bool other_archs;    /* and any number */
	uint32_t audit;      /* else: its audit number */
	bool other_numbers;  /* those from low to high, else low alone */
	uint32_t low, high;
};

/*
 * What a filter does to such calls: "allow", or
 * "allow if arg0 == 1; errno EPERM otherwise". E2BIG: more ways than are followed. ENOMEM.
 */
int skep_seccomp_explain(const struct skep_cbpf_insn *insns, size_t count,
			 const struct skep_seccomp_calls *calls, struct skep_text *out);

/*
 * Do both filters the same to all such calls? SKEP_CBPF_EQUAL: proved; SKEP_CBPF_DIFFER: not to
 * *call, which was found and run; SKEP_CBPF_UNKNOWN: too many ways, or arithmetic that is not
 * followed. Or -ENOMEM.
 */
int skep_seccomp_compare(const struct skep_cbpf_insn *a, size_t a_count,
			 const struct skep_cbpf_insn *b, size_t b_count,
			 const struct skep_seccomp_calls *calls, struct skep_cbpf_call *call);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
