/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate.S - the way from an application's system call to the agent and back.
 *
 * gate_entry, the contract with patched sites. In place of `syscall`:
 *
 *	lea  RETURN(%rip), %rcx
 *	jmp  gate_entry
 *
 *   rax      the call's number, rdi rsi rdx r10 r8 r9 its arguments, as for syscall
 *   rcx      where to go on; below 2^48
 *   r11      of no account, as syscall overwrites it
 *   flags    as they are, all registers as they are, also rsp and what is below it
 *
 * The application goes on at RETURN with every register as syscall leaves them:
 * rax the result, rcx RETURN, r11 the flags (less the bit that is always set, by which
 * dispatch_lost() knows who made the call), which are as they were. No word of
 * its stack is touched, above or below rsp: the stack may be tiny, shared with
 * a vfork parent, or unmapped by this very call. Vector state is not touched.
 *
 * An interrupted call that is to be restarted goes on at RETURN - 2 when there is a
 * syscall instruction there, else at gate_entry with the same registers.
 *
 * With no stack and one free register the thread's record is found like this:
 * the flags go to ax, as lahf and seto have them, while the number is kept in
 * the upper half; then rcx holds RETURN << 16 | flags, and rax holds
 * fs base << 16 | THREAD_KEY | number, from which xor with a slot's key leaves
 * the number alone, exactly if the slot is ours.
 *
 * Signals (signal.c) look at where they interrupted us:
 *   plain_window .. plain_syscall   the call is not made (or to be restarted)
 *   plain_after .. plain_leave      it is made, the result is in rax
 *   plain_leave .. plain_end        the result is in the record
 *   call_window .. call_found       the same, and all registers are in the record; a call that
 *                                   programs have seen begin and that does not wait is made
 *   leave .. leave_end, quick .. quick_end  all is in the record
 *   send .. sent                    the same, and `send` is still to be sent
 *   again .. again_loaded          the call is to wait on; its registers are in `resumed`
 *   again_plain, again_call         ... and as in the plain or the other window
 * and anywhere else here the signal waits: `pending` is looked at in each window.
 *
 * A signal in the agent's C code waits too: that runs on the agent's stack. Whoever else
 * runs there (a user probe's trampoline) calls gate_poll when back on the application's
 * stack; it changes what a function may change, and lets a waiting signal in.
 *
 * A thread that is in no slot stops at an hlt, which is a SIGSEGV that signal.c
 * answers by the record, in r11.
 */
#include "agent/record.inc"

#define SYS_rt_sigprocmask 14
#define SYS_rt_sigreturn 15
#define SYS_restart_syscall 219
#define SIG_SETMASK 2
#define SYS_rt_tgsigqueueinfo 297
/* Of struct signal_context, and of the extended state that it points to. */
#define CONTEXT_R8 40
#define CONTEXT_SP 160
#define CONTEXT_FLAGS 176
#define CONTEXT_IP 168
#define CONTEXT_FP 224
#define CONTEXT_MASK 296
#define FP_MAGIC 0x46505853
#define FP_MAGIC_AT 464
#define FP_FEATURES_AT 472

	.macro label name
	.globl \name
	.hidden \name
\name:
	.endm

	/* All registers but rax, rcx and r11 = the record; and the flags. */
	.macro restore
	mov THREAD_R15(%r11), %r15
	mov THREAD_R14(%r11), %r14
	mov THREAD_R13(%r11), %r13
	mov THREAD_R12(%r11), %r12
	mov THREAD_BP(%r11), %rbp
	mov THREAD_BX(%r11), %rbx
	mov THREAD_R10(%r11), %r10
	mov THREAD_R9(%r11), %r9
	mov THREAD_R8(%r11), %r8
	mov THREAD_DX(%r11), %rdx
	mov THREAD_SI(%r11), %rsi
	mov THREAD_DI(%r11), %rdi
	mov THREAD_SP(%r11), %rsp
	testb $FLAGS_DF_HIGH, 1 + THREAD_FLAGS(%r11)
	jz 9f
	std
9:	movzwl THREAD_STATUS(%r11), %eax
	add $127, %al
	sahf
	.endm

	/* Of the context in r11, those that calls keep or take. */
	.macro load
	mov CONTEXT_R8(%r11), %r8
	mov 8 + CONTEXT_R8(%r11), %r9
	mov 16 + CONTEXT_R8(%r11), %r10
	mov 32 + CONTEXT_R8(%r11), %r12
	mov 40 + CONTEXT_R8(%r11), %r13
	mov 48 + CONTEXT_R8(%r11), %r14
	mov 56 + CONTEXT_R8(%r11), %r15
	mov 64 + CONTEXT_R8(%r11), %rdi
	mov 72 + CONTEXT_R8(%r11), %rsi
	mov 80 + CONTEXT_R8(%r11), %rbp
	mov 88 + CONTEXT_R8(%r11), %rbx
	mov 96 + CONTEXT_R8(%r11), %rdx
	.endm

	.section .data.rel.ro.gate, "aw"
	.balign 8
slots:	.quad thread_slots

	.text
	.balign 64
	.type gate_entry, @function
	label gate_entry
	bswap %rax
	lahf
	seto %al
	shl $16, %rcx
	label gate_shifted
	mov %ax, %cx
	shr $32, %rax
	bswap %eax
	cmp $GATE_CALLS, %eax
	jae gate_odd
	rdfsbase %r11
	shl $16, %r11
	lea THREAD_KEY(%rax,%r11), %rax
	imul $THREAD_HASH, %r11, %r11
	shr $HASH_SHIFT, %r11
	shl $4, %r11
	add slots(%rip), %r11
gate_try:
	xor (%r11), %rax
	cmp $GATE_CALLS, %rax
	jae gate_probe
	mov 8(%r11), %r11
	label gate_found
	mov %rax, THREAD_NR(%r11)
	mov %cx, THREAD_STATUS(%r11)
	mov %rcx, %rax
	shr $16, %rax
	mov %rax, THREAD_IP(%r11)
	label gate_kept
	movzbl %ch, %eax
	or $0x200, %eax
	movzbl %cl, %ecx
	shl $11, %ecx
	or %ecx, %eax
	mov %rax, THREAD_FLAGS(%r11)
	mov THREAD_NR(%r11), %rax
	bt %rax, gate_special(%rip)
	jc gate_slow
	mov gate_wanted(%rip), %rcx
	bt %rax, (%rcx)
	jc gate_slow
	mov gate_ways(%rip), %rcx
	mov WAYS_DISPATCHED(%rcx), %cl
	cmp %cl, THREAD_SETTLED(%r11)
	jne gate_slow

	label gate_plain_window
	cmpb $0, THREAD_PENDING(%r11)
	jne gate_slow
	label gate_plain_syscall
	syscall
	label gate_plain_after
	RECORD slots
	label gate_plain_found
	mov %rax, THREAD_AX(%r11)
	label gate_plain_leave
	movzwl THREAD_STATUS(%r11), %eax
	add $127, %al		/* the overflow flag again */
	sahf
	mov THREAD_AX(%r11), %rax
	mov THREAD_IP(%r11), %rcx
	mov THREAD_FLAGS(%r11), %r11
	lea -2(%r11), %r11
	label gate_plain_end
	jmp *%rcx
	RECORD_ON
	label gate_plain_lost
	hlt
	jmp gate_plain_found

gate_probe:
	xor (%r11), %rax
	cmpq $0, (%r11)
	lea 16(%r11), %r11
	jne gate_try
	/* rax: fs base << 16 | THREAD_KEY | number. Continues at gate_found. */
	label gate_lost
	hlt
	/* rax: a number past the table. Continues at gate_slow. */
	label gate_odd
	hlt

	/* r11: the record, with number, ip, flags and status; the rest as it was. */
	label gate_slow
	mov %r15, THREAD_R15(%r11)
	mov %r14, THREAD_R14(%r11)
	mov %r13, THREAD_R13(%r11)
	mov %r12, THREAD_R12(%r11)
	mov %rbp, THREAD_BP(%r11)
	mov %rbx, THREAD_BX(%r11)
	mov %r10, THREAD_R10(%r11)
	mov %r9, THREAD_R9(%r11)
	mov %r8, THREAD_R8(%r11)
	mov %rdx, THREAD_DX(%r11)
	mov %rsi, THREAD_SI(%r11)
	mov %rdi, THREAD_DI(%r11)
	mov %rsp, THREAD_SP(%r11)
	mov THREAD_STACK(%r11), %rsp
	pushfq
	pop %rsi
	test $FLAGS_DF_HIGH << 8, %esi
	jz 1f
	cld
1:	mov %r11, %rbx
	mov %r11, %rdi
	call gate_before
	cmp $1, %eax
	mov %rbx, %r11
	je gate_leave
	jb gate_call_window
	cmp $2, %eax
	je gate_clone
	jmp gate_exit

	label gate_call_window
	mov THREAD_HEEDS(%r11), %al
	test %al, THREAD_PENDING(%r11)
	jne pending_restart
	mov THREAD_R15(%r11), %r15
	mov THREAD_R14(%r11), %r14
	mov THREAD_R13(%r11), %r13
	mov THREAD_R12(%r11), %r12
	mov THREAD_BP(%r11), %rbp
	mov %r11, %rbx		/* the record: the kernel keeps this one */
	mov THREAD_SP(%r11), %rsp
	cmpb $0, THREAD_QUICK(%r11)
	je 1f
	mov THREAD_NR(%r11), %rax
	mov THREAD_DI(%r11), %rdi
	mov THREAD_SI(%r11), %rsi
	mov THREAD_DX(%r11), %rdx
	mov THREAD_R10(%r11), %r10
	mov THREAD_R8(%r11), %r8
	mov THREAD_R9(%r11), %r9
	jmp gate_call_syscall
1:	mov THREAD_CALL(%r11), %rax
	mov 8 + THREAD_CALL(%r11), %rdi
	mov 16 + THREAD_CALL(%r11), %rsi
	mov 24 + THREAD_CALL(%r11), %rdx
	mov 32 + THREAD_CALL(%r11), %r10
	mov 40 + THREAD_CALL(%r11), %r8
	mov 48 + THREAD_CALL(%r11), %r9
	label gate_call_syscall
	syscall
	label gate_call_after
	mov %rbx, %r11
	label gate_call_found
	cmpb $0, THREAD_QUICK(%r11)
	jne 6f
	mov THREAD_STACK(%r11), %rsp
	mov %r11, %rbx
	mov %r11, %rdi
	mov %rax, %rsi
	cld
	call gate_after
	mov %rbx, %r11
	/* r11: the record. */
	label gate_leave
	cmpb $0, THREAD_PENDING(%r11)
	jne pending_done
	restore
	mov THREAD_AX(%r11), %rax
	mov THREAD_IP(%r11), %rcx
	mov THREAD_FLAGS(%r11), %r11
	lea -2(%r11), %r11
	label gate_leave_end
	jmp *%rcx
	/* The kernel has kept all but these. */
6:	mov %rax, THREAD_AX(%r11)
	label gate_quick
	cmpb $0, THREAD_PENDING(%r11)
	jne pending_done
	mov THREAD_BX(%r11), %rbx
	testb $FLAGS_DF_HIGH, 1 + THREAD_FLAGS(%r11)
	jz 7f
	std
7:	movzwl THREAD_STATUS(%r11), %eax
	add $127, %al
	sahf
	mov THREAD_AX(%r11), %rax
	mov THREAD_IP(%r11), %rcx
	mov THREAD_FLAGS(%r11), %r11
	lea -2(%r11), %r11
	label gate_quick_end
	jmp *%rcx

pending_restart:
	mov THREAD_STACK(%r11), %rsp
	mov %r11, %rdi
	mov %r11, %rbx
	call gate_finishes
	mov %rbx, %r11
	test %al, %al
	jne gate_call_window
	mov $1, %esi
	jmp 4f
pending_done:
	xor %esi, %esi
4:	mov THREAD_STACK(%r11), %rsp
	mov %r11, %rdi
	mov %r11, %rbx
	mov %esi, %r12d
	call signal_deferred
	test %rax, %rax
	jz 5f
	mov %rax, %rsp
	mov $SYS_rt_sigreturn, %eax
	syscall
	hlt
	/* No frame of the kernel's: the signal is sent again, to be taken here. */
5:	mov %rbx, %r11
	label gate_send
	mov THREAD_SEND(%r11), %rdi
	mov 8 + THREAD_SEND(%r11), %rsi
	mov 16 + THREAD_SEND(%r11), %rdx
	mov 24 + THREAD_SEND(%r11), %r10
	mov $SYS_rt_tgsigqueueinfo, %eax
	syscall
	label gate_sent
	mov %rbx, %r11
	test %r12d, %r12d
	jz gate_leave
	restore
	mov THREAD_NR(%r11), %rax
	mov THREAD_IP(%r11), %rcx
	label gate_send_end
	jmp gate_entry

	/*
	 * The child may have another stack, another fs base, or share both with its
	 * parent, so the records travel in registers.
	 */
gate_clone:
	label gate_clone_window
	cmpb $0, THREAD_PENDING(%r11)
	jne pending_restart
	mov THREAD_R15(%r11), %r15
	mov THREAD_R14(%r11), %r14
	mov THREAD_BP(%r11), %rbp
	mov %r11, %r13
	mov THREAD_CHILD(%r11), %r12
	mov THREAD_SP(%r11), %rsp
	mov THREAD_CALL(%r11), %rax
	mov 8 + THREAD_CALL(%r11), %rdi
	mov 16 + THREAD_CALL(%r11), %rsi
	mov 24 + THREAD_CALL(%r11), %rdx
	mov 32 + THREAD_CALL(%r11), %r10
	mov 40 + THREAD_CALL(%r11), %r8
	mov 48 + THREAD_CALL(%r11), %r9
	label gate_clone_syscall
	syscall
	label gate_clone_after
	test %rax, %rax
	jz 5f
	mov THREAD_STACK(%r13), %rsp
	mov %r13, %rdi
	mov %rax, %rsi
	cld
	call gate_cloned
	mov %r13, %r11
	jmp gate_leave
5:	mov %rsp, THREAD_SP(%r12)
	mov THREAD_STACK(%r12), %rsp
	mov %r12, %rdi
	cld
	call gate_child
	mov %r12, %r11
	label gate_clone_end
	jmp gate_leave

	/* Once it is free, the record and its stack are another's. */
gate_exit:
	mov THREAD_SP(%r11), %rsp
	mov THREAD_CALL(%r11), %rax
	mov 8 + THREAD_CALL(%r11), %rdi
	movl $0, THREAD_STATE(%r11)
	syscall
	hlt

	/* The handler of all signals. The kernel has cleared DF. */
	label gate_signal
	mov %rdx, %rbx
	and $-16, %rsp
	call signal_arrived
	mov %rbx, %rsp
	test %eax, %eax
	jnz 1f
0:	mov $SYS_rt_sigreturn, %eax
	syscall
	hlt
	/*
	 * A dispatched call goes to the gate without the kernel, which is forbidden to take
	 * us there. All but rcx, r11 and where to is as it was; the frame, which lies
	 * at the end of the alternate stack, is good until rsp has left that.
	 */
1:	mov %rbx, %r11
	mov %eax, %r12d
	mov CONTEXT_FP(%r11), %rcx
	cmpl $FP_MAGIC, FP_MAGIC_AT(%rcx)
	jne 2f
	mov FP_FEATURES_AT(%rcx), %eax
	mov 4 + FP_FEATURES_AT(%rcx), %edx
	xrstor64 (%rcx)
	jmp 3f
2:	fxrstor64 (%rcx)
3:	cmp $SIGNAL_WAY_RESUME, %r12d
	je gate_again
	load
	mov 104 + CONTEXT_R8(%r11), %rax
	mov 112 + CONTEXT_R8(%r11), %rcx
	pushq CONTEXT_FLAGS(%r11)
	popfq
	mov CONTEXT_SP(%r11), %rsp
	jmp gate_entry

	/*
	 * The call that was interrupted waits on for what is left of its time, which the kernel
	 * has kept, and would forget in rt_sigreturn. rbx: a context, whose r11 is the record. A
	 * signal from here on is one that interrupts the call.
	 */
	label gate_again
	mov 24 + CONTEXT_R8(%rbx), %r11
	mov THREAD_RESUMED(%r11), %rbx /* the first of several */
	mov %rbx, %rsp
	cmpb $0, THREAD_PENDING(%r11)
	jne 0b
	mov $SYS_rt_sigprocmask, %eax
	mov $SIG_SETMASK, %edi
	lea CONTEXT_MASK(%rbx), %rsi
	xor %edx, %edx
	mov $8, %r10d
	syscall
	mov %rbx, %r11
	lea gate_again_plain(%rip), %rcx
	lea gate_plain_after(%rip), %rax
	cmp %rax, CONTEXT_IP(%r11)
	lea gate_again_call(%rip), %rax
	cmovne %rax, %rcx
	load
	mov $SYS_restart_syscall, %eax
	pushq CONTEXT_FLAGS(%r11)
	popfq
	mov CONTEXT_SP(%r11), %rsp
	label gate_again_loaded
	jmp *%rcx
	label gate_again_plain
	syscall
	label gate_again_plain_after
	jmp gate_plain_after
	label gate_again_call
	syscall
	label gate_again_call_after
	jmp gate_call_after

	/* Nothing here is kept in the record until a signal is known to wait. */
	label gate_poll
	RECORD slots
	label gate_poll_found
	cmpb $0, THREAD_PENDING(%r11)
	jne 3f
	label gate_poll_end
	ret
	RECORD_ON
	label gate_poll_lost
	hlt
	jmp gate_poll_found
3:	mov %r15, THREAD_R15(%r11)
	mov %r14, THREAD_R14(%r11)
	mov %r13, THREAD_R13(%r11)
	mov %r12, THREAD_R12(%r11)
	mov %rbp, THREAD_BP(%r11)
	mov %rbx, THREAD_BX(%r11)
	pop %rax
	mov %rax, THREAD_IP(%r11)
	mov %rsp, THREAD_SP(%r11)
	movq $0x202, THREAD_FLAGS(%r11)
	jmp pending_done

	/* Handlers are left above; the kernel insists on an address. */
	label gate_restorer
	mov $SYS_rt_sigreturn, %eax
	syscall
	hlt
	label gate_text_end

	/*
	 * The return address of signal handlers, where they are not dispatched: the bytes by
	 * which debuggers and unwinders know a signal's frame, not to be executed.
	 */
	.section .data.gate_return, "aw"
	label gate_return
	mov $SYS_rt_sigreturn, %rax
	label gate_return_call
	syscall

	.section .note.GNU-stack, "", @progbits
