/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_plain.c - rejections that need no search: what the message means, in
 * plain words, and what usually helps.
 */
#include "verify/explain.h"

static const struct plain {
	const char *message;     /* part of it */
	const char *cause, *fix;
} plains[] = {
	{ "unlock of different lock", "this unlocks another lock than the one that is held",
	  "unlock through the pointer that was locked: looked up again, it counts as another one" },
	{ "must be held for", "the list or tree may only be touched while the lock beside it is held",
	  "call bpf_spin_lock() on the lock in the same map value (or object) before, and "
	  "bpf_spin_unlock() after" },
	{ "cannot overwrite referenced dynptr", "this would overwrite a dynptr that still owns a record",
	  "submit or discard it first" },
	{ "Dynptr has to be an uninitialized dynptr", "the dynptr is in use already",
	  "give each dynptr a variable of its own, and end it before it is used anew" },
	{ "tracing progs cannot use", "programs that trace may run anywhere, also where this would lock up",
	  "do it in a program of another type, or in user space" },
	{ "div by zero", "this divides by the constant zero", "test the divisor, or use another one" },
	{ "is not an arena", "this is no pointer into the arena", "take the address from the arena" },
	{ "cannot be accessed directly by", "this touches a part of the value that only its functions may "
	  "touch: a lock, timer or kernel pointer",
	  "keep that member out of reads, writes and copies" },
	{ "cannot be accessed indirectly by helper", "the helper would touch a part of the value that only "
	  "its own functions may touch", "pass the address of another member, or copy to the stack first" },
	{ "direct access to", "this touches a part of the object that only its functions may touch",
	  "use the functions of that list, tree or lock" },
	{ "unmatched", "nothing was entered that this could leave", "enter and leave on the same way" },
	{ "cannot pass map_type", "the function does not work on maps of this type",
	  "use a map of a type that it takes, or the function that belongs to the map" },
	{ "same insn cannot be used with different pointers", "on different ways this accesses different "
	  "kinds of memory, which one instruction cannot",
	  "access each kind in a branch of its own" },
	{ "helper access to the packet is not allowed", "this function cannot read or write the packet",
	  "copy what it needs to the stack first" },
	{ "must have zero offset", "the pointer was moved; only the pointer as it was given can be passed on",
	  "keep the original pointer in a variable of its own" },
	{ "constant offset", "the member must be at an offset that is known",
	  "use the member by its name, without a computed index" },
	{ "not a known constant", "this argument must be a constant of the program",
	  "write the number itself, or let the compiler see that it is one (const, #define)" },
	{ "must be a known constant", "this argument must be a constant of the program",
	  "write the number itself, or let the compiler see that it is one (const, #define)" },
	{ "must be referenced or trusted", "the function wants a pointer that is sure to stay valid, and this "
	  "one may not", "take a reference first (bpf_..._acquire(), bpf_kptr_xchg()), or use the pointer "
	  "that the program was given" },
	{ "must be a rcu pointer", "the function wants a pointer that RCU protects",
	  "read it between bpf_rcu_read_lock() and bpf_rcu_read_unlock()" },
	{ "requires RCU critical section", "this may only be called inside an RCU section",
	  "put it between bpf_rcu_read_lock() and bpf_rcu_read_unlock()" },
	{ "misaligned", "the address is no multiple of the size that is accessed",
	  "align the member, or access its bytes one by one (or with __builtin_memcpy)" },
	{ "unreachable insn", "code that no way leads to", "remove it; compilers do unless told otherwise" },
	{ "BPF_ATOMIC", "atomic operations do not work on this kind of memory",
	  "use them on map values, the stack or arenas" },
	{ "invalid sock access", "the socket has no such field", "use the fields of struct bpf_sock" },
	{ "not pointing to valid bpf_map", "the instruction names a map that does not exist", NULL },
	{ "access beyond", "this reaches past the end of the kernel's structure or member",
	  "read the member whole, with its own type; bpf_probe_read_kernel() copies any bytes" },
	{ "Caller passes invalid args", "the global function does not accept this argument", NULL },
	{ "expected an initialized", "the iterator was not started, or is destroyed already",
	  "call its ..._new() before, and its ..._destroy() last" },
	{ "expected uninitialized", "the iterator is in use already", "destroy it before it is started anew" },
	{ "Expected an initialized dynptr", "the dynptr was not made, or is gone already",
	  "make it with bpf_dynptr_from_...() or bpf_ringbuf_reserve_dynptr() first" },
	{ "doesn't point to a readonly map", "the string must be a constant",
	  "use a string literal, or static const char text[]" },
	{ "not point to a readonly map", "the string must be a constant",
	  "use a string literal, or static const char text[]" },
};

bool story_plain(struct story *story)
{
	if (strstr(story->message, "has to have BTF") && *story->remark) {
		story_cause(story, story->insn, "the object's types cannot be used: %s", story->remark);
		story_fix(story, "compile with -g, with whole definitions of the structures in map values "
			  "(vmlinux.h has the kernel's)");
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plains); i++) {
		if (!strstr(story->message, plains[i].message))
			continue;
		story_cause(story, story->insn, "%s", plains[i].cause);
		if (plains[i].fix)
			story_fix(story, "%s", plains[i].fix);
		return true;
	}
	return false;
}
