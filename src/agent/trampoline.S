/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trampoline.S - from patched code into the agent and back. [runtime]
 *
 * The thread's record is found as the gate finds it (gate.S). All registers are laid out as
 * struct target_regs on the agent's stack; the application's has a few words more:
 *
 *      the application's stack                 the agent's stack
 *              red zone, 128 bytes or 0        top ->  (8 bytes)
 *      +40     record                                  ss sp flags cs ip orig_ax
 *      +32     return into the stub                    di si dx cx ax r8 ... r15  <- regs
 *      +24     ax
 *      +16     cx              on the way back: ax
 *      +8      r11                              status
 *      +0      flags           <- rbx
 *
 * The kernel puts its frames of signals at the top of the agent's stack unless the stack
 * pointer is there, so nothing is written to it before and nothing is read after. A signal
 * that came meanwhile waits; whoever is back on the application's stack looks for it.
 */
#include "agent/record.inc"

/* What trampoline.S and struct target_regs share: offsets. */
#define R15 0
#define R14 8
#define R13 16
#define R12 24
#define RBP 32
#define RBX 40
#define R11 48
#define R10 56
#define R9 64
#define R8 72
#define RAX 80
#define RCX 88
#define RDX 96
#define RSI 104
#define RDI 112
#define ORIG 120
#define RIP 128
#define CS 136
#define FLAGS 144
#define RSP 152
#define SS 160

/* struct probe_record */
#define RECORD_ADDRESS 0
#define RECORD_SKIPPED 8
#define RECORD_ENTER 16

	.text

/* Leaves room for four registers; r11 = the thread's record. */
.macro FIND
	push	%rax
	push	%rcx
	push	%r11
	pushfq
	RECORD	probe_slots
3:
.endm

/* Behind the code: the record was not at the first place. */
.macro FIND_ON unknown
	RECORD_ON
	call	ask_for_thread
	test	%r11, %r11
	jnz	3b
	jmp	\unknown
.endm

/* To the agent's stack: regs there but ip and sp; rbx: the frame, r12: the record. */
.macro SWITCH
	mov	%rsp, %rax
	mov	THREAD_STACK(%r11), %rsp
	sub	$PROBE_REGS_SIZE, %rsp
	mov	%r15, R15(%rsp)
	mov	%r14, R14(%rsp)
	mov	%r13, R13(%rsp)
	mov	%r12, R12(%rsp)
	mov	%rbp, RBP(%rsp)
	mov	%rbx, RBX(%rsp)
	mov	%r10, R10(%rsp)
	mov	%r9, R9(%rsp)
	mov	%r8, R8(%rsp)
	mov	%rdx, RDX(%rsp)
	mov	%rsi, RSI(%rsp)
	mov	%rdi, RDI(%rsp)
	mov	%rax, %rbx
	mov	%r11, %r12
	mov	0(%rbx), %rax
	mov	8(%rbx), %rcx
	mov	16(%rbx), %rdx
	mov	24(%rbx), %rsi
	mov	%rax, FLAGS(%rsp)
	mov	%rcx, R11(%rsp)
	mov	%rdx, RCX(%rsp)
	mov	%rsi, RAX(%rsp)
	movq	$-1, ORIG(%rsp)
	movq	$0x33, CS(%rsp)
	movq	$0x2b, SS(%rsp)
	test	$FLAGS_DF_HIGH, %ah
	jz	9f
	cld
9:
.endm

/* Loads everything from regs but rax, flags and sp. */
.macro LOAD
	mov	R15(%rsp), %r15
	mov	R14(%rsp), %r14
	mov	R13(%rsp), %r13
	mov	R12(%rsp), %r12
	mov	RBP(%rsp), %rbp
	mov	RBX(%rsp), %rbx
	mov	R11(%rsp), %r11
	mov	R10(%rsp), %r10
	mov	R9(%rsp), %r9
	mov	R8(%rsp), %r8
	mov	RDX(%rsp), %rdx
	mov	RCX(%rsp), %rcx
	mov	RSI(%rsp), %rsi
	mov	RDI(%rsp), %rdi
.endm

/* Back to the application's stack, at 8(%rbx): status, ax, a free word, the word to go to. */
.macro LEAVE
	mov	FLAGS(%rsp), %rcx
	mov	RAX(%rsp), %rdx
	movzbl	%cl, %eax
	mov	%rdx, 16(%rbx)
	shl	$8, %eax
	test	$FLAGS_DF_HIGH, %ch
	jz	9f
	std
9:	shr	$11, %ecx
	and	$1, %ecx
	or	%ecx, %eax
	lea	8(%rbx), %rcx
	mov	%rax, 8(%rbx)
	mov	%rcx, RSP(%rsp)
	mov	%r12, %rax
	LOAD
	mov	RSP(%rsp), %rsp
	cmpb	$0, THREAD_PENDING(%rax)
	jne	8f
7:	pop	%rax
	add	$127, %al		/* the overflow flag again */
	sahf
	pop	%rax
.endm

.macro LEAVE_ON
8:	call	let_signals_in
	jmp	7b
.endm

/* The same where a program changed the stack pointer: by popfq and a return. */
.macro ELSEWHERE
	mov	RSP(%rsp), %rcx
	mov	RIP(%rsp), %rax
	mov	FLAGS(%rsp), %rdx
	mov	RAX(%rsp), %rsi
	mov	%rax, -136(%rcx)
	mov	%rdx, -144(%rcx)
	mov	%rsi, -152(%rcx)
	sub	$152, %rcx
	mov	%rcx, RSP(%rsp)
	mov	%r12, %rax
	LOAD
	mov	RSP(%rsp), %rsp
	cmpb	$0, THREAD_PENDING(%rax)
	jne	8f
7:	pop	%rax
	popfq
	ret	$128
8:	call	let_signals_in
	jmp	7b
.endm

/* From a probe's stub. */
	.globl	probe_entry
	.hidden	probe_entry
	.type	probe_entry, @function
	.balign	64
probe_entry:
	FIND
	SWITCH
	mov	40(%rbx), %rsi
	lea	48(%rbx), %rax
	add	RECORD_SKIPPED(%rsi), %rax
	mov	RECORD_ADDRESS(%rsi), %rcx
	mov	%rax, RSP(%rsp)
	mov	%rcx, RIP(%rsp)
	mov	%rax, %r13
	mov	%rcx, %r14
	lea	THREAD_PROBE(%r12), %rdi
	mov	%rsp, %rdx
	call	*RECORD_ENTER(%rsi)
	cmp	%r13, RSP(%rsp)
	jne	4f
	cmp	%r14, RIP(%rsp)
	jne	4f
	LEAVE
	lea	8(%rsp), %rsp
	ret
	LEAVE_ON
	FIND_ON 5f
4:	ELSEWHERE
	/* A thread that the agent does not know: the hit is missed. */
5:	popfq
	pop	%r11
	pop	%rcx
	pop	%rax
	ret
	.size	probe_entry, . - probe_entry

/*
 * A function returns here whose return address was replaced. Below the stack pointer is
 * nothing of value. The way on is a jump, since the processor has counted the return.
 */
	.globl	probe_return
	.hidden	probe_return
	.type	probe_return, @function
	.balign	64
probe_return:
	lea	-8(%rsp), %rsp
	FIND
	SWITCH
	lea	40(%rbx), %rax
	movq	$0, RIP(%rsp)
	mov	%rax, RSP(%rsp)
	mov	%rax, %r13
	lea	THREAD_PROBE(%r12), %rdi
	mov	%rsp, %rsi
	call	probe_left
	cmp	%r13, RSP(%rsp)
	jne	4f
	mov	RIP(%rsp), %rax
	mov	%rax, 32(%rbx)
	LEAVE
	lea	16(%rsp), %rsp
	jmp	*-8(%rsp)
	LEAVE_ON
	FIND_ON 5f
4:	ELSEWHERE
5:	ud2			/* nobody else knows where this call returns to */
	.size	probe_return, . - probe_return

/* Registers that C code changes, but for those that each caller has a word for. */
.macro PUSH_CHANGED
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
.endm

.macro POP_CHANGED
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
.endm

/* On the application's stack: r11 = the record that C code finds, or 0. */
ask_for_thread:
	PUSH_CHANGED
	push	%rbx
	mov	%rsp, %rbx
	and	$-16, %rsp
	cld
	call	*probe_self(%rip)
	mov	%rbx, %rsp
	mov	%rax, %r11
	pop	%rbx
	POP_CHANGED
	ret

/* On the application's stack, when one waits. All registers stay but rax. */
let_signals_in:
	push	%rcx
	PUSH_CHANGED
	push	%r11
	pushfq
	cld
	call	*probe_poll(%rip)
	popfq
	pop	%r11
	POP_CHANGED
	pop	%rcx
	ret
	.globl	probe_text_end
	.hidden	probe_text_end
probe_text_end:

	.section .note.GNU-stack, "", @progbits
