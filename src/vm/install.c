/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * install.c - code memory of this process. [runtime]
 *
 * One region of addresses is reserved when the engine starts, so that one range
 * answers for faults and a page number says whose code it is. Pages are claimed
 * by compare-and-swap, filled while writable, then made executable; where that
 * change is refused (a hardened process), the same bytes are written to a
 * memory file and mapped executable from there, never writable at all; where
 * that is refused too, the copy is data and the program is interpreted.
 *
 * A copy is found by the address of its code and, because a freed code's place
 * may be used again by one loaded elsewhere, by the stamp of its content.
 *
 * In a target, which may outlive any number of programs, copies that no run asks
 * for any more are given up (install_trims()).
 */
#include "vm/install.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/base.h"
#include "base/fault.h"
#include "map/map.h"
#include "map/memory.h"
#include "map/owner.h"
#include "map/vcpu.h"

enum {
	PAGE = 4096,
	REGION_PAGES = 64 * 1024 * 1024 / PAGE,
	TABLE = 4096,            /* power of two */
	PROBES = 32,
	TRIM_EVERY = 32,         /* copies made */
};

#define LEAVES_SOON (~0ull)

static uint8_t *region;          /* NULL: none; every run interprets */
static uint32_t owner[REGION_PAGES]; /* 0: free; else first page of the copy, plus one */
static const struct installed *table[TABLE];
static const struct installed removed; /* a place once used: probing goes past it */
static uint8_t used[TABLE];      /* asked for since the last trim */
static uint32_t pages_top;       /* none past it was ever claimed */

static struct memory *trims;     /* whose virtual CPUs all runs hold; NULL: nothing is given up */
static uint64_t trimmer;         /* the process of the thread that is at it, or was, in a parent */
static uint32_t made;
static uint64_t leaves[REGION_PAGES]; /* by first page: the epoch in which the copy was taken from the table */

/* --- pages --- */

static void pages_give(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		__atomic_store_n(&owner[first + i], 0, __ATOMIC_RELEASE);
}

static bool pages_claim(uint32_t first, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint32_t none = 0;

		if (!__atomic_compare_exchange_n(&owner[first + i], &none, first + 1, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			pages_give(first, i);
			return false;
		}
	}
	i = __atomic_load_n(&pages_top, __ATOMIC_RELAXED);
	while (i < first + count && !__atomic_compare_exchange_n(&pages_top, &i, first + count, false,
								 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
	return true;
}

/* The first of count pages, or -1. */
static int64_t pages_take(uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < REGION_PAGES; i++) {
		run = __atomic_load_n(&owner[i], __ATOMIC_RELAXED) ? 0 : run + 1;
		if (run == count && pages_claim(i + 1 - count, count))
			return i + 1 - count;
		if (run == count)
			run = 0;
	}
	return -1;
}

static uint8_t *page_at(uint32_t page)
{
	return region + (size_t)page * PAGE;
}

/* --- helpers of the conformance tests --- */

/* "unwind", as the conformance programs know it: gives back its argument. */
static uint64_t bare_unwind(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return arg[0];
}

helper_fn *bare_helper(uint32_t id)
{
	return id == 5 ? bare_unwind : NULL;
}

/* --- making a copy --- */

static const void *call_runtime(uint32_t id, const struct installed *self);

const void *install_resolve(const struct code *code, const struct code_slot *slot)
{
	switch ((enum code_slot_kind)slot->kind) {
	case CODE_SLOT_RUNTIME:
		return call_runtime(slot->id, NULL);
	case CODE_SLOT_HELPER: {
		const struct helper *helper = helper_get(slot->id, code->prog_type, code->attach);

		return helper ? (const void *)(uintptr_t)helper->call : NULL;
	}
	case CODE_SLOT_MAP_LOOKUP:
		return (const void *)(uintptr_t)map_type(slot->id)->lookup;
	case CODE_SLOT_BARE:
		break;
	}
	return (const void *)(uintptr_t)bare_helper(slot->id);
}

static size_t installed_size(const struct code *code)
{
	return sizeof(struct installed) + 16 + 8 * (size_t)code->slot_count + code->native_size;
}

/* Writes header, vector and code to pages that are writable. */
static struct installed *installed_fill(const struct code *code, uint8_t *at, uint32_t pages)
{
	struct installed *self = (struct installed *)(void *)at;
	size_t native = (sizeof(*self) + 8 * (size_t)code->slot_count + 15) & ~(size_t)15;

	self->code = code;
	self->stamp = code->stamp;
	self->pages = pages;
	self->native = at + native;
	self->executable = code->native_size > 0;
	for (uint32_t i = 0; i < code->slot_count; i++) {
		const struct code_slot *slot = &code->slots[i];
		const void **to = (const void **)(void *)(at + native) - 1 - i;

		*to = slot->kind == CODE_SLOT_RUNTIME ? call_runtime(slot->id, self)
						       : install_resolve(code, slot);
	}
	memcpy(at + native, code->native, code->native_size);
	return self;
}

/* The same bytes as executable pages of a memory file. */
static bool map_from_file(uint8_t *at, size_t size)
{
	int fd = (int)syscall(SYS_memfd_create, "skep-code", 0x0001u /* MFD_CLOEXEC */);
	bool done = false;

	if (fd < 0)
		return false;
	if (write(fd, at, size) == (ssize_t)size)
		done = mmap(at, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == at;
	close(fd);
	return done;
}

static void pages_free(uint32_t first, uint32_t count)
{
	/* A fresh reservation gives the memory back and forgets a file behind it. */
	mmap(page_at(first), (size_t)count * PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	pages_give(first, count);
}

static const struct installed *install_new(const struct code *code)
{
	uint32_t pages = (uint32_t)((installed_size(code) + PAGE - 1) / PAGE);
	size_t size = (size_t)pages * PAGE;
	struct installed *self;
	int64_t first;

	if (!region || pages > REGION_PAGES)
		return NULL;
	first = pages_take(pages);
	if (first < 0)
		return NULL;
	if (mprotect(page_at((uint32_t)first), size, PROT_READ | PROT_WRITE) < 0) {
		pages_give((uint32_t)first, pages);
		return NULL;
	}
	self = installed_fill(code, page_at((uint32_t)first), pages);
	if (!self->executable || (mprotect(self, size, PROT_READ | PROT_EXEC) < 0 &&
				  !map_from_file((uint8_t *)self, size))) {
		self->executable = false;
		mprotect(self, size, PROT_READ);
	}
	return self;
}

/* --- finding it --- */

static uint32_t table_start(const struct code *code)
{
	return (uint32_t)(((uint64_t)(uintptr_t)code >> 4) * 0x9e3779b97f4a7c15u >> 40) & (TABLE - 1);
}

static uint32_t first_page(const struct installed *self)
{
	return (uint32_t)(((const uint8_t *)self - region) / PAGE);
}

static void installed_free(const struct installed *self)
{
	pages_free(first_page(self), self->pages);
}

static bool table_has(const struct installed *self)
{
	for (uint32_t i = 0; i < TABLE; i++)
		if (__atomic_load_n(&table[i], __ATOMIC_RELAXED) == self)
			return true;
	return false;
}

/* --- giving up what is not used --- */

/*
 * What no run has asked for since the last time leaves the table, so that no run finds it any more;
 * those that had found it hold virtual CPUs, so that the epoch tells when they are over. A fork may
 * keep any state of this for its child, which goes on from there.
 */
static void trim_table(void)
{
	for (uint32_t i = 0; i < TABLE; i++) {
		const struct installed *self = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);
		uint64_t *when;

		if (!self || self == &removed || __atomic_exchange_n(&used[i], 0, __ATOMIC_RELAXED))
			continue;
		when = &leaves[first_page(self)];
		__atomic_store_n(when, LEAVES_SOON, __ATOMIC_RELEASE);
		if (__atomic_compare_exchange_n(&table[i], &self, &removed, false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			__atomic_store_n(when, memory_epoch_next(trims), __ATOMIC_RELEASE);
		/* Else install_slow() has put another there, and said so of this one. */
	}
}

static void trim_page(uint32_t page, uint64_t passed)
{
	const struct installed *self = (const struct installed *)(void *)page_at(page);
	uint64_t when = __atomic_load_n(&leaves[page], __ATOMIC_ACQUIRE);

	if (when == LEAVES_SOON) {
		__atomic_store_n(&leaves[page], table_has(self) ? 0 : memory_epoch_next(trims),
				 __ATOMIC_RELEASE);
	} else if (when != 0 && when < passed) {
		__atomic_store_n(&leaves[page], 0, __ATOMIC_RELEASE);
		installed_free(self);
	}
}

static void install_trim(void)
{
	uint64_t self = owner_token(memory_owners(trims)), passed;
	uint64_t seen = __atomic_load_n(&trimmer, __ATOMIC_RELAXED);

	if (seen == self || !__atomic_compare_exchange_n(&trimmer, &seen, self, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	trim_table();
	passed = vcpu_epoch_min(memory_vcpus(trims));
	for (uint32_t i = 0; i < __atomic_load_n(&pages_top, __ATOMIC_RELAXED); i++)
		trim_page(i, passed);
	__atomic_store_n(&trimmer, 0, __ATOMIC_RELEASE);
}

void install_trims(struct memory *memory)
{
	trims = memory;
}

/* --- who asks first --- */

static __attribute__((noinline)) const struct installed *install_slow(const struct code *code)
{
	const struct installed *self = install_new(code);
	uint32_t start = table_start(code);

	if (trims && (!self || __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) % TRIM_EVERY == 0))
		install_trim();
	for (uint32_t i = 0; self && i < PROBES; i++) {
		uint32_t place = (start + i) & (TABLE - 1);
		const struct installed **at = &table[place];
		const struct installed *old = __atomic_load_n(at, __ATOMIC_ACQUIRE);

		/* Another's copy stays; a stale one of this address is abandoned, not
		 * freed: a thread of the code that was here may still be in it. */
		if (old && old != &removed && old->code != code)
			continue;
		if (old && old != &removed && old->stamp == code->stamp) {
			installed_free(self);
			return old;
		}
		__atomic_store_n(&used[place], 1, __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(at, &old, self, false, __ATOMIC_SEQ_CST,
						__ATOMIC_ACQUIRE)) {
			if (trims && old && old != &removed)
				__atomic_store_n(&leaves[first_page(old)], memory_epoch_next(trims),
						 __ATOMIC_RELEASE);
			return self;
		}
		i--; /* it changed: look again */
	}
	if (self)
		installed_free(self);
	return NULL;
}

const struct installed *install_find(const struct code *code)
{
	uint32_t start = table_start(code);

	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t place = (start + i) & (TABLE - 1);
		const struct installed *at = __atomic_load_n(&table[place], __ATOMIC_ACQUIRE);

		if (!at)
			break;
		if (at->code == code && at->stamp == code->stamp) {
			if (!__atomic_load_n(&used[place], __ATOMIC_RELAXED))
				__atomic_store_n(&used[place], 1, __ATOMIC_RELAXED);
			return at;
		}
	}
	return install_slow(code);
}

void install_remove(const struct code *code)
{
	uint32_t start = table_start(code);

	for (uint32_t i = 0; i < PROBES; i++) {
		const struct installed **at = &table[(start + i) & (TABLE - 1)];
		const struct installed *old = __atomic_load_n(at, __ATOMIC_ACQUIRE);

		if (!old)
			return;
		if (old->code != code)
			continue;
		__atomic_store_n(at, &removed, __ATOMIC_RELEASE);
		installed_free(old);
	}
}

/* --- faults in generated code --- */

static const struct jit_fault *fault_at(const struct code *code, uint32_t off)
{
	uint32_t low = 0, high = code->fault_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct jit_fault *fault = &code->fault_table[middle];

		if (off < fault->start)
			high = middle;
		else if (off >= fault->end)
			low = middle + 1;
		else
			return fault;
	}
	return NULL;
}

/* ucontext's index of each machine register, by its number in instructions. */
static const int greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15 };

static bool region_on_fault(void *arg, void *ucontext, uint64_t address)
{
	ucontext_t *uc = ucontext;
	const uint8_t *pc = (const uint8_t *)uc->uc_mcontext.gregs[REG_RIP];
	uint32_t page = owner[(pc - region) / PAGE];
	const struct installed *self;
	const struct jit_fault *fault;

	(void)arg;
	if (page == 0)
		return false;
	self = (const struct installed *)(void *)page_at(page - 1);
	if (!self->executable || pc < self->native)
		return false;
	fault = fault_at(self->code, (uint32_t)(pc - self->native));
	if (!fault)
		return false;
	if (fault->zero_reg != JIT_FAULT_ENDS) {
		uc->uc_mcontext.gregs[greg_of[fault->zero_reg]] = 0;
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(self->native + fault->end);
		return true;
	}
	run_fault((struct run *)uc->uc_mcontext.gregs[REG_R12], self->code, fault->insn, address);
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(self->native + self->code->native_fault);
	return true;
}

int install_init(void)
{
	size_t size = (size_t)REGION_PAGES * PAGE;
	void *at;
	int error;

	if (region)
		return 0;
	at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return 0; /* no room for code: everything is interpreted */
	error = fault_register(at, (const uint8_t *)at + size, region_on_fault, NULL);
	if (error < 0) {
		munmap(at, size);
		return error;
	}
	region = at;
	return 0;
}

void install_done(void)
{
	if (!region)
		return;
	fault_unregister(region);
	munmap(region, (size_t)REGION_PAGES * PAGE);
	region = NULL;
}

/* --- the runtime's own calls --- */

static uint64_t tail_interpret(uint64_t ctx, struct jit_frame *frame, uint8_t *fp)
{
	struct run *run = (struct run *)(void *)frame;
	const uint64_t args[5] = { ctx };

	return interpret(run, run->tail, 0, args, fp);
}

static const void *tail_call(struct jit_frame *frame, struct map *map, uint64_t index)
{
	struct run *run = (struct run *)(void *)frame;
	const struct code *target = run_tail_target(frame->vm, map, index);
	const struct installed *home;

	if (!target)
		return NULL;
	home = install_find(target);
	if (home && home->executable)
		return home->native + target->subprogs[0].native_off;
	run->tail = target;
	return (const void *)(uintptr_t)tail_interpret;
}

uint64_t install_call_register(struct jit_frame *frame, const uint64_t *args, uint64_t id)
{
	struct run *run = (struct run *)(void *)frame;
	helper_fn *fn = id <= UINT32_MAX ? bare_helper((uint32_t)id) : NULL;

	if (fn)
		return fn(frame->vm, args);
	run->error = -EINVAL;
	frame->stopped = true;
	return 0;
}

static const void *call_runtime(uint32_t id, const struct installed *self)
{
	switch ((enum jit_slot)id) {
	case JIT_SLOT_SELF:
		return self;
	case JIT_SLOT_TAIL_CALL:
		return (const void *)(uintptr_t)tail_call;
	case JIT_SLOT_PACKET:
		return (const void *)(uintptr_t)run_packet;
	case JIT_SLOT_CALL_REGISTER:
		return (const void *)(uintptr_t)install_call_register;
	case JIT_SLOT_CALLS:
		break;
	}
	return NULL;
}
