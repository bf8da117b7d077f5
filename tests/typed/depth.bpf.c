/* SPDX-License-Identifier: BSD-2-Clause */
/* How much stack: shared by functions, of a function's own, or not needed after all. */
#include "typed.h"

LICENSE;

struct {
	__uint(type, PROG_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(max_entries, 2);
} programs SEC(".maps");

#define TOUCH(offset) "r1 = 0; *(u64 *)(r10 - " offset ") = r1;"
#define FUNCTION(name, body)                                                                  \
	static __attribute__((used, noinline, naked)) int name(void)                          \
	{                                                                                     \
		__asm__ volatile(body "r0 = 0; exit;" ::: "memory");                          \
	}
#define PROGRAM(name, section, body, ...)                                                     \
	__VA_ARGS__ SEC(section) __naked int name(void)                                       \
	{                                                                                     \
		__asm__ volatile(body "r0 = 0; exit;" ::[programs] "i"(&programs) : "memory"); \
	}

FUNCTION(uses_512, TOUCH("512"))
FUNCTION(uses_48, TOUCH("48"))
FUNCTION(passes_on, TOUCH("8") "call uses_512;")
FUNCTION(saves_one, "*(u64 *)(r10 - 8) = r1; call 8; r1 = *(u64 *)(r10 - 8);")

PROGRAM(shared__up_to_512, "tc", TOUCH("464") "call uses_48;", ACCEPTED LOGS("stack depth 464+48"))
PROGRAM(shared__too_much, "tc", TOUCH("472") "call uses_48;",
	REJECTED("combined stack size of 2 calls is 528. Too large"))
PROGRAM(own__large_frames, "raw_tp", TOUCH("512") "call passes_on;", ACCEPTED)
PROGRAM(own__not_with_tail_calls, "raw_tp",
	"r6 = r1;" TOUCH("512") "call uses_512; r1 = r6; r2 = %[programs] ll; r3 = 0; call 12;",
	REJECTED("combined stack size of 2 calls is 1024. Too large"))
PROGRAM(saved__around_a_call_that_changes_nothing, "tc",
	"r1 = 1; *(u64 *)(r10 - 16) = r1; call 8; r1 = *(u64 *)(r10 - 16);" TOUCH("8"),
	ACCEPTED LOGS("stack depth 8\n"))
PROGRAM(saved__and_counted_in_calls, "tc", TOUCH("512") "call saves_one;",
	ACCEPTED LOGS("stack depth 512+0"))
PROGRAM(saved__and_used_otherwise, "tc",
	"r1 = 1; *(u64 *)(r10 - 16) = r1; call 8; r1 = *(u64 *)(r10 - 16);"
	"r2 = *(u64 *)(r10 - 16);", ACCEPTED LOGS("stack depth 16\n"))
PROGRAM(saved__around_a_call_that_does_change, "tc",
	"r1 = 1; *(u64 *)(r10 - 16) = r1; call 7; r1 = *(u64 *)(r10 - 16);",
	ACCEPTED LOGS("stack depth 16\n"))
PROGRAM(saved__in_another_register, "tc",
	"r1 = 1; *(u64 *)(r10 - 16) = r1; call 8; r2 = *(u64 *)(r10 - 16);",
	ACCEPTED LOGS("stack depth 16\n"))

FUNCTION(frame16, "r0 = 0;")
#define CALLS(name, next) FUNCTION(name, "call " #next ";")
CALLS(frame15, frame16)
CALLS(frame14, frame15)
CALLS(frame13, frame14)
CALLS(frame12, frame13)
CALLS(frame11, frame12)
CALLS(frame10, frame11)
CALLS(frame9, frame10)
CALLS(frame8, frame9)
CALLS(frame7, frame8)
CALLS(frame6, frame7)
CALLS(frame5, frame6)
CALLS(frame4, frame5)
CALLS(frame3, frame4)
CALLS(frame2, frame3)
CALLS(frame1, frame2)

PROGRAM(frames__up_to_sixteen, "tc", "call frame2;", ACCEPTED)
PROGRAM(frames__one_too_many, "tc", "call frame1;",
	REJECTED("the call stack of 17 frames is too deep"))

GLOBAL __naked calls_itself(void)
{
	__asm__ volatile("call calls_itself; exit;");
}

REJECTED("recursive call from calls_itself() to calls_itself()")
SEC("tc") __naked int recursion__through_a_global_function(void)
{
	__asm__ volatile("call calls_itself; exit;");
}
