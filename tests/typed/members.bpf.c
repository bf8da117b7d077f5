/* SPDX-License-Identifier: BSD-2-Clause */
/* Structures of functions: members, and what the kernel's stubs say of their arguments. */
#include "typed.h"

LICENSE;

struct task_struct;
extern void bpf_task_release(struct task_struct *p) __ksym;

struct bpf_dummy_ops {
	int (*test_1)(void *file);
	int (*test_2)(void *task);
	int (*test_sleepable)(void *file);
};

#define IMPLEMENTS(name, section, body, ...)                                                  \
	__VA_ARGS__ SEC(section) __naked int name(void)                                       \
	{                                                                                     \
		__asm__ volatile("r1 = *(u64 *)(r1 + 0);" body "r0 = 0; exit;" ::: "memory"); \
	}

IMPLEMENTS(nullable__must_be_tested, "struct_ops", "r2 = *(u64 *)(r1 + 0);",
	   REJECTED("R1 invalid mem access 'trusted_ptr_or_null_'"))
IMPLEMENTS(nullable__tested, "struct_ops", "if r1 == 0 goto 1f; r2 = *(u64 *)(r1 + 0); 1:",
	   ACCEPTED)
IMPLEMENTS(plain__is_trusted, "struct_ops.s", "r2 = *(u64 *)(r1 + 0);",
	   ACCEPTED LOGS("R1=trusted_ptr_file("))
IMPLEMENTS(sleeping__where_the_member_may_not, "struct_ops.s", "",
	   REJECTED("attach to unsupported member test_1 of struct bpf_dummy_ops"))
IMPLEMENTS(reference__must_be_given_up, "struct_ops", "",
	   REJECTED("would lead to reference leak"))
IMPLEMENTS(reference__given_up, "struct_ops", "call bpf_task_release;", ACCEPTED)

int use(void *p) { bpf_task_release(p); return 0; }

SEC(".struct_ops") struct bpf_dummy_ops
	one = { (void *)nullable__must_be_tested, (void *)reference__must_be_given_up,
		(void *)plain__is_trusted },
	two = { (void *)nullable__tested, (void *)reference__given_up, 0 },
	three = { (void *)sleeping__where_the_member_may_not, 0, 0 };
