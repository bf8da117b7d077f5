/* SPDX-License-Identifier: BSD-2-Clause */
/* Global functions: what their arguments' types and tags mean, on both sides of a call. */
#include "typed.h"

LICENSE;

struct __sk_buff;
struct task_struct {
	int pid;
};
struct task_struct___flavour {
	int pid;
};
struct pair {
	long a, b;
};
struct nowhere;
enum number { ONE = 1 };

/* A function of one argument, and a program that passes it the context. */
#define TAKES(name, type, tags, words, ...)                                                   \
	GLOBAL take_##name(type arg tags) { return arg != 0; }                                \
	__VA_ARGS__ SEC("tc") int name(struct __sk_buff *ctx)                                 \
	{                                                                                     \
		return take_##name((type)(long)(words));                                      \
	}
#define ARG(tag) TAG("arg:" tag)

TAKES(ctx__by_type, struct __sk_buff *, , ctx, ACCEPTED)
TAKES(ctx__by_tag, void *, ARG("ctx"), ctx, ACCEPTED)
TAKES(ctx__of_another_type, int *, ARG("ctx"), ctx,
      REJECTED("arg#0 should be `struct __sk_buff *`"))
TAKES(ctx__of_no_name, int **, ARG("ctx"), ctx, REJECTED("arg#0 type doesn't have a name"))
TAKES(ctx__and_another_tag, struct __sk_buff *, ARG("nonnull"), ctx,
      REJECTED("arg#0 has invalid combination of tags"))
TAKES(ctx__is_nothing_else, struct __sk_buff *, , 5, REJECTED("R1 expects pointer to ctx"))
TAKES(number__by_type, int, , 5, ACCEPTED)
TAKES(number__with_a_tag, int, ARG("nonnull"), 5,
      REJECTED("arg#0 has pointer tag, but is not a pointer type"))
TAKES(number__is_no_pointer, long, , ctx, REJECTED("R1 is not a scalar"))
TAKES(memory__may_be_null, int *, , 0, ACCEPTED LOGS("R1=mem_or_null("))
TAKES(memory__nonnull, int *, ARG("nonnull"), 0, REJECTED("arg#0 is expected to be non-NULL"))
TAKES(memory__nullable_is_no_news, int *, ARG("nullable"), 0,
      REJECTED("arg#0 has invalid combination of tags"))
TAKES(memory__of_no_size, struct nowhere *, , 0,
      REJECTED("arg#0 reference type('FWD nowhere') size cannot be determined: -22"))
TAKES(memory__is_not_the_context, int *, , ctx, REJECTED("R1 type=ctx expected=fp"))
TAKES(trusted__is_not_the_context, struct task_struct *, ARG("trusted"), ctx,
      REJECTED("R1 type=ctx expected=ptr_, trusted_ptr_, rcu_ptr_"))
TAKES(trusted__of_no_kernel_type, struct pair *, ARG("trusted"), ctx,
      REJECTED("arg#0 reference type('STRUCT pair') has no matches"))
TAKES(trusted__void, void *, ARG("trusted"), ctx,
      REJECTED("arg#0 reference type('UNKNOWN (anon)') candidate matching error: -22"))
TAKES(trusted__nullable_takes_null, struct task_struct *, ARG("trusted") ARG("nullable"), 0,
      ACCEPTED LOGS("R1=trusted_ptr_or_null_task_struct("))
TAKES(trusted__takes_no_null, struct task_struct *, ARG("trusted"), 0,
      REJECTED("R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_"))
TAKES(trusted__of_a_flavour, struct task_struct___flavour *, ARG("trusted") ARG("nullable"), 0,
      ACCEPTED LOGS("R1=trusted_ptr_or_null_task_struct("))
TAKES(trusted__nonnull_is_no_news, struct task_struct *, ARG("trusted") ARG("nonnull"), 0,
      REJECTED("arg#0 has invalid combination of tags"))
TAKES(untrusted__takes_anything, struct task_struct *, ARG("untrusted"), ctx,
      ACCEPTED LOGS("R1=untrusted_ptr_task_struct("))
TAKES(untrusted__bytes, char *, ARG("untrusted"), 5, ACCEPTED)
TAKES(untrusted__stands_alone, int *, ARG("untrusted") ARG("nonnull"), 5,
      REJECTED("arg#0 untrusted cannot be combined with any other tags"))
TAKES(arena__stands_alone, int *, ARG("arena") ARG("nonnull"), 5,
      REJECTED("arg#0 arena cannot be combined with any other tags"))
TAKES(arena__is_not_the_context, int *, ARG("arena"), ctx,
      REJECTED("R1 is not a pointer to arena or scalar."))
TAKES(arena__may_be_a_number, int *, ARG("arena"), 5, ACCEPTED LOGS("R1=arena"))
TAKES(tag__unknown, int *, ARG("elsewhere"), 5, REJECTED("arg#0 has unsupported set of tags"))
TAKES(memory__of_any_type, double *, , 0, ACCEPTED)

__attribute__((noinline, weak)) void nothing(int x) { __asm__ volatile("" : "+r"(x)); }

ACCEPTED SEC("tc") int void__may_be_called(void *ctx)
{
	nothing(1);
	return 0;
}

REJECTED("R0 !read_ok") SEC("tc") __naked int void__has_no_result(void)
{
	__asm__ volatile("r1 = 0; call nothing; exit;");
}
