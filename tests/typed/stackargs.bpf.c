/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions of more than five arguments. The instructions are written as numbers, for
 * compilers that know no r11: OUT1(r) stores register r as the first stack argument,
 * IN1(r) loads it.
 */
#include "typed.h"

LICENSE;

#define CALLED static __attribute__((used, noinline, naked)) int
#define SIX long a, long b, long c, long d, long e, long f
#define OUT1(r) ".8byte 0xfff8" #r "b7b;"     /* *(u64 *)(r11 - 8) = r */
#define OUT2(r) ".8byte 0xfff0" #r "b7b;"
#define OUT8(r) ".8byte 0xffc0" #r "b7b;"
#define OUT1_IMM5 ".8byte 0x5fff80b7a;"
#define IN1(r) ".8byte 0x8b" #r "79;"         /* r = *(u64 *)(r11 + 8) */
#define IN2(r) ".8byte 0x10b" #r "79;"
#define ZERO "r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0;"
#define PROGRAM(name, body)                                                                   \
	SEC("tc") __naked int name(void) { __asm__ volatile("r9 = r1;" ZERO body "exit;"); }

CALLED returns_sixth(SIX) { __asm__ volatile(IN1(0) "exit;"); }
CALLED ignores_sixth(SIX) { __asm__ volatile("r0 = 0; exit;"); }
CALLED reads_seventh(SIX) { __asm__ volatile(IN2(0) "exit;"); }
CALLED adds_two(SIX, long g) { __asm__ volatile(IN1(0) IN2(1) "r0 += r1; exit;"); }
CALLED follows_sixth(SIX) { __asm__ volatile(IN1(1) "r0 = *(u64 *)(r1 + 0); exit;"); }
CALLED loads_after_call(SIX) { __asm__ volatile("call 7;" IN1(0) "exit;"); }
CALLED loads_after_store(SIX) { __asm__ volatile("r1 = 1;" OUT1(1) IN1(0) "exit;"); }
CALLED passes_on(SIX) { __asm__ volatile(IN1(1) OUT1(1) ZERO "call returns_sixth; exit;"); }
CALLED five_only(long a, long b, long c, long d, long e) { __asm__ volatile(IN1(0) "exit;"); }
CALLED indexes_by_sixth(SIX)
{
	__asm__ volatile(IN1(1) "r2 = r10; r2 += -8; *(u64 *)(r10 - 8) = r5; r2 += r1;"
			 "*(u8 *)(r2 + 0) = r5; r0 = 0; exit;");
}
GLOBAL __attribute__((naked)) global_of_six(SIX) { __asm__ volatile("r0 = 0; exit;"); }

ACCEPTED PROGRAM(sixth__is_what_was_stored, OUT1(1) "call returns_sixth;"
		 "if r0 == 0 goto 1f; r0 = r8; 1:")
ACCEPTED PROGRAM(sixth__may_be_a_constant, OUT1_IMM5 "call returns_sixth;"
		 "if r0 == 5 goto 1f; r0 = r8; 1:")
ACCEPTED PROGRAM(two__in_any_order, "r1 = 3;" OUT2(1) OUT1_IMM5 "call adds_two;"
		 "if r0 == 8 goto 1f; r0 = r8; 1:")
ACCEPTED PROGRAM(sixth__is_passed_on, OUT1_IMM5 "call passes_on;"
		 "if r0 == 5 goto 1f; r0 = r8; 1:")
ACCEPTED PROGRAM(pointer__keeps_its_kind, "*(u64 *)(r10 - 8) = r5; r6 = r10; r6 += -8;"
		 OUT1(6) "call follows_sixth; if r0 == 0 goto 1f; r0 = r8; 1:")
ACCEPTED PROGRAM(context__may_be_passed, OUT1(9) "call ignores_sixth;")
ACCEPTED PROGRAM(stored_on_both_ways__is_there, "call 7; r1 = r0; r2 = 0; r3 = 0; r4 = 0;"
		 "r5 = 0; if r1 == 7 goto 1f;" OUT1(1) "goto 2f; 1:" OUT1(5)
		 "2: call returns_sixth;")
ACCEPTED PROGRAM(bounded_index__is_safe, "call 7; r0 &= 7;" OUT1(0) ZERO
		 "call indexes_by_sixth;")

REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(sixth__is_not_there, "call ignores_sixth;")
REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(seventh_alone__is_not_the_sixth, OUT2(1) "call ignores_sixth;")
REJECTED("callee expects 7 args, stack arg2 is not initialized")
PROGRAM(seventh__is_not_there, OUT1(1) "call adds_two;")
REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(helper_call__clears_them, OUT1(1) "call 7;" ZERO "call ignores_sixth;")
REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(call__clears_them, OUT1(1) "call returns_sixth;" ZERO "call returns_sixth;")
REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(stored_on_one_way__is_not_there, "call 7; r1 = r0; r2 = 0; r3 = 0; r4 = 0; r5 = 0;"
	"if r1 == 7 goto 1f;" OUT1(1) "1: call returns_sixth;")
REJECTED("invalid read from stack arg off 16 depth 8")
PROGRAM(more_than_given__is_not_read, OUT1(1) "call reads_seventh;")
REJECTED("invalid read from stack arg off 8 depth 0")
PROGRAM(five_arguments__have_no_sixth, "call five_only;")
REJECTED("invalid read from stack arg off 8 depth 0")
PROGRAM(main_program__has_none, IN1(0))
REJECTED("r11 load must be before any r11 store or call insn")
PROGRAM(load__after_call, OUT1(1) "call loads_after_call;")
REJECTED("r11 load must be before any r11 store or call insn")
PROGRAM(load__after_store, OUT1(1) "call loads_after_store;")
REJECTED("func#0 writes 1 stack arg slots, but calls only require 0")
PROGRAM(store__for_no_call, OUT1(1) "r0 = 0;")
REJECTED("writes 2 stack arg slots, but calls only require 1")
PROGRAM(store__of_more_than_is_taken, OUT1(1) OUT2(1) "call returns_sixth;")
REJECTED("stack arg write offset -64 exceeds max 7 stack args")
PROGRAM(eighth__is_too_many, OUT8(1) "r0 = 0;")
REJECTED("R6 !read_ok")
PROGRAM(nothing__cannot_be_stored, OUT1(6) "call ignores_sixth;")
REJECTED("R1 invalid mem access 'scalar'")
PROGRAM(number__cannot_be_followed, OUT1(1) "call follows_sixth;")
REJECTED("invalid write to stack R2 off=0 size=1")
PROGRAM(index__is_looked_at_on_every_path, "call 7; r6 = 7; if r0 > 3 goto 1f; r6 = 8; 1:"
	OUT1(6) ZERO "call indexes_by_sixth;")
REJECTED("global function global_of_six has 6 > 5 args, stack args not supported")
PROGRAM(global_function__takes_five, OUT1(1) "call global_of_six;")
REJECTED("R11 is invalid")
PROGRAM(argument_register__is_no_operand, ".8byte 0xb1bf; r0 = 0;")
REJECTED("R11 is invalid")
PROGRAM(argument__has_eight_bytes, ".8byte 0xfff81b63; call ignores_sixth;")
REJECTED("R11 is invalid")
PROGRAM(argument__is_aligned, ".8byte 0xfffc1b7b; call ignores_sixth;")
REJECTED("R11 is invalid")
PROGRAM(outgoing_argument__is_not_loaded, OUT1(1) ".8byte 0xfff8b079; r0 = 0;")
REJECTED("R11 is invalid")
PROGRAM(own_argument__is_not_stored, ".8byte 0x81b7b; r0 = 0;")
REJECTED("callee expects 6 args, stack arg1 is not initialized")
PROGRAM(callback__has_no_sixth, "r1 = 1; r2 = ignores_sixth ll; call 181; r0 = 0;")
ACCEPTED PROGRAM(packet_load__leaves_them, "r6 = r9;" OUT1_IMM5 ".8byte 0x30;" ZERO
		 "call returns_sixth;")
