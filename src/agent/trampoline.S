/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trampoline.S - from patched code into the agent and back. [runtime]
 *
 * The caller's registers are saved where C code would destroy them, on its own stack below the
 * red zone; then, on the agent's stack, all of them are laid out as struct target_regs.
 *
 *      the application's stack                 the agent's stack
 *      sp ->   ...                             top ->  (8 bytes)
 *              red zone, 128 bytes                     ss sp flags cs ip orig_ax
 *              record                                  di si dx cx ax r8 ... r15  <- regs
 *              return into the stub
 *              flags ax cx dx si di r8 - r11 bx
 *              aligned for C
 */

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
#define REGS_SIZE 176

/* The saved registers on the application's stack, below flags. */
#define SAVED (10 * 8)

	.text

/* Saves what C code destroys; rbx becomes the frame. */
.macro SAVE
	pushfq
	cld
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	mov	%rsp, %rbx
	and	$-16, %rsp
.endm

/* Switches to the agent's stack, whose end is in rax, and writes regs there but ip and sp. */
.macro SWITCH
	lea	-REGS_SIZE(%rax), %rsp
	mov	%r15, R15(%rsp)
	mov	%r14, R14(%rsp)
	mov	%r13, R13(%rsp)
	mov	%r12, R12(%rsp)
	mov	%rbp, RBP(%rsp)
	mov	0(%rbx), %rax
	mov	8(%rbx), %rcx
	mov	16(%rbx), %rdx
	mov	24(%rbx), %rsi
	mov	%rax, RBX(%rsp)
	mov	%rcx, R11(%rsp)
	mov	%rdx, R10(%rsp)
	mov	%rsi, R9(%rsp)
	mov	32(%rbx), %rax
	mov	40(%rbx), %rcx
	mov	48(%rbx), %rdx
	mov	56(%rbx), %rsi
	mov	%rax, R8(%rsp)
	mov	%rcx, RDI(%rsp)
	mov	%rdx, RSI(%rsp)
	mov	%rsi, RDX(%rsp)
	mov	64(%rbx), %rax
	mov	72(%rbx), %rcx
	mov	80(%rbx), %rdx
	mov	%rax, RCX(%rsp)
	mov	%rcx, RAX(%rsp)
	mov	%rdx, FLAGS(%rsp)
	movq	$-1, ORIG(%rsp)
	movq	$0x33, CS(%rsp)
	movq	$0x2b, SS(%rsp)
.endm

/* Loads everything from regs, but flags and sp. */
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
	mov	RAX(%rsp), %rax
	mov	RCX(%rsp), %rcx
	mov	RDX(%rsp), %rdx
	mov	RSI(%rsp), %rsi
	mov	RDI(%rsp), %rdi
.endm

/*
 * From a probe's stub: (%rsp) leads back into it, 8(%rsp) is the record, and the
 * application's stack pointer was 16 + 128 above.
 */
	.globl	probe_entry
	.hidden	probe_entry
	.type	probe_entry, @function
	.balign	64
probe_entry:
	SAVE
	call	probe_stack
	test	%rax, %rax
	jz	unknown
	SWITCH
	lea	SAVED + 8 + 16 + 128(%rbx), %rax
	mov	SAVED + 16(%rbx), %rdi
	mov	%rax, RSP(%rsp)
	mov	0(%rdi), %rax
	mov	%rax, RIP(%rsp)
	mov	%rsp, %rsi
	call	probe_hit
	test	%al, %al
	jnz	elsewhere
	/* Flags go back by way of the frame. */
	mov	FLAGS(%rsp), %rax
	lea	SAVED(%rbx), %rcx
	mov	%rax, (%rcx)
	mov	%rcx, RSP(%rsp)
	LOAD
	mov	RSP(%rsp), %rsp
	popfq
	ret

/* A thread that the agent does not know: the hit is missed. */
unknown:
	mov	%rbx, %rsp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	popfq
	ret

/* The program changed where the thread goes on: by a return that takes the red zone along. */
elsewhere:
	mov	RSP(%rsp), %rcx
	mov	RIP(%rsp), %rax
	mov	FLAGS(%rsp), %rdx
	mov	%rax, -136(%rcx)
	mov	%rdx, -144(%rcx)
	sub	$144, %rcx
	mov	%rcx, RSP(%rsp)
	LOAD
	mov	RSP(%rsp), %rsp
	popfq
	ret	$128
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
	SAVE
	call	probe_stack
	SWITCH
	lea	SAVED + 8 + 8(%rbx), %rax
	mov	%rax, RSP(%rsp)
	movq	$0, RIP(%rsp)
	mov	%rsp, %rdi
	call	probe_left
	mov	RSP(%rsp), %rcx
	mov	RIP(%rsp), %rax
	mov	FLAGS(%rsp), %rdx
	mov	%rax, -8(%rcx)
	mov	%rdx, -16(%rcx)
	sub	$16, %rcx
	mov	%rcx, RSP(%rsp)
	LOAD
	mov	RSP(%rsp), %rsp
	popfq
	lea	8(%rsp), %rsp
	jmp	*-8(%rsp)
	.size	probe_return, . - probe_return

	.section .note.GNU-stack, "", @progbits
