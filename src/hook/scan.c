/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.c - chooses windows (see scan.h) and writes the templates of their stubs.
 */
#include "hook/scan.h"

#include <stdlib.h>

#include "hook/relocate.h"
#include "hook/sweep.h"
#include "hook/unwind.h"

enum {
	BACK_MAX = 24,          /* bytes before a system call in which its window may begin */
	RT_SIGRETURN = 15,
};

struct scan {
	struct sweep sweep;
	VEC(struct scan_site) sites; /* by address */
	struct unwind_table *frames; /* when somebody asked; NULL: none are described */
	bool frames_read;
};

/* Instructions that are to be displaced, decoded. */
struct window {
	uint64_t start;
	unsigned length, count;
	struct {
		uint64_t address;
		const uint8_t *bytes;
		ZydisDecodedInstruction insn;
	} insns[PATCH_MOVES - 1];
};

/* --- windows --- */

static bool window_add(const struct sweep *sweep, struct window *window)
{
	uint64_t address = window->start + window->length;
	unsigned i = window->count;

	if (i == PATCH_MOVES - 1)
		return false;
	window->insns[i].address = address;
	window->insns[i].bytes = sweep_decode(sweep, address, &window->insns[i].insn);
	if (!window->insns[i].bytes ||
	    window->length + window->insns[i].insn.length > PATCH_BYTES)
		return false;
	window->length += window->insns[i].insn.length;
	window->count++;
	return true;
}

static const ZydisDecodedInstruction *window_last(const struct window *window)
{
	return &window->insns[window->count - 1].insn;
}

static bool is_padding(const uint8_t *bytes, const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_NOP || bytes[0] == 0xcc || bytes[0] == 0x90;
}

/* Adds instructions until there is room for a jump, over the padding behind a function's end. */
static bool window_fill(const struct sweep *sweep, struct window *window, unsigned least)
{
	unsigned ended = 0;

	while (window->length < least) {
		unsigned i = window->count;

		if (i && !ended && insn_ends(window_last(window)))
			ended = window->count;
		if (ended && window->start + window->length >= sweep->end)
			return false;
		if (!window_add(sweep, window))
			return false;
		if (ended && !is_padding(window->insns[i].bytes, &window->insns[i].insn))
			return false;
	}
	/* Padding is overwritten, never executed: only its bytes count. */
	if (ended)
		window->count = ended;
	return true;
}

/* Whether nothing jumps into the bytes that the jump would take. */
static bool window_is_safe(const struct sweep *sweep, const struct window *window,
			   scan_taken_fn *taken, void *arg)
{
	const struct sweep_range *range = sweep_range_at(sweep, window->start);

	/* A single instruction has no inside that could be meant. */
	if (window->count == 1 && window->insns[0].insn.length >= PATCH_JUMP_SIZE)
		return true;
	if (!range || (range->open && !range->explained && range->start != window->start))
		return false;
	for (unsigned i = 1; i < PATCH_JUMP_SIZE; i++)
		if (sweep_is_target(sweep, window->start + i) ||
		    (taken && taken(arg, window->start + i)))
			return false;
	return true;
}

static bool window_can_move(const struct window *window)
{
	for (unsigned i = 0; i < window->count; i++)
		if (!stub_can_hold(&window->insns[i].insn, i + 1 == window->count))
			return false;
	return true;
}

/* A bit for each byte of a window that the linker changes. */
static uint32_t relocated_bytes(const struct sweep *sweep, const struct window *window)
{
	uint32_t bits = 0;

	_Static_assert(PATCH_BYTES <= 32, "a bit for each");
	for (unsigned i = 0; i < window->length; i++)
		if (sweep_relocation_in(sweep, window->start + i, window->start + i + 1))
			bits |= 1u << i;
	return bits;
}

/* Writes the template. Only the first system call is the gate's; a trap there needs no stub. */
static bool write_patch(const struct scan *scan, const struct window *window,
			enum patch_kind kind, enum patch_method method, struct patch *patch)
{
	struct stub stub = { .patch = patch, .site = window->start, .sweep = &scan->sweep };
	struct view bytes = binary_bytes(scan->sweep.binary, window->start);

	if (window->length > PATCH_BYTES || bytes.size < window->length)
		return false;
	*patch = (struct patch){ .kind = (uint8_t)kind, .method = (uint8_t)method,
		.length = (uint8_t)window->length,
		.file_offset = (uint64_t)binary_offset(scan->sweep.binary, window->start) };
	memcpy(patch->original, bytes.data, window->length);
	patch->relocated = relocated_bytes(&scan->sweep, window);
	if (patch->relocated && kind == PATCH_SYSCALL)
		return false;
	if (kind == PATCH_SYSCALL && method == PATCH_TRAP)
		return true;
	for (unsigned i = 0; i < window->count; i++) {
		const ZydisDecodedInstruction *insn = &window->insns[i].insn;
		uint64_t address = window->insns[i].address, next = address + insn->length;
		bool last = i + 1 == window->count;

		patch->moves[patch->move_count++] = (struct patch_move){
			(uint8_t)(address - window->start), patch->code_size };
		if (insn->mnemonic != ZYDIS_MNEMONIC_SYSCALL) {
			stub_add(&stub, window->insns[i].bytes, insn, address);
			continue;
		}
		patch->call_from = (uint8_t)(address - window->start);
		stub_add_syscall(&stub, !last, next);
		/* A thread asleep in the call is found behind it. */
		if (last)
			patch->moves[patch->move_count++] = (struct patch_move){
				(uint8_t)(next - window->start), (uint8_t)(patch->call_at + 2) };
	}
	if (!insn_ends(window_last(window)))
		stub_add_jump(&stub, window->start + window->length);
	stub_finish(&stub);
	return !stub.failed;
}

/* --- probes --- */

/* Whether decoding from the start of the function meets the address. */
static bool is_boundary(const struct sweep *sweep, uint64_t address, uint64_t *inside)
{
	const struct sweep_range *range = sweep_range_at(sweep, address);
	uint64_t at = range ? range->start : address;

	*inside = at;
	while (at < address) {
		ZydisDecodedInstruction insn;

		*inside = at;
		at += sweep_decode(sweep, at, &insn) ? insn.length : 1;
	}
	return at == address;
}

int scan_probe(struct scan *scan, uint64_t address, scan_taken_fn *taken, void *arg,
	       struct patch *patch, struct skep_diag *diag)
{
	const struct sweep *sweep = &scan->sweep;
	struct window window = { .start = address };
	uint64_t inside;

	if (address < sweep->start || address >= sweep->end)
		return skep_fail(diag, SKEP_PROBE_PLACE, NULL, "%s has no code at 0x%llx",
				 sweep->binary->path, (unsigned long long)address);
	if (!is_boundary(sweep, address, &inside))
		return skep_fail(diag, SKEP_PROBE_PLACE, NULL,
				 "0x%llx of %s is inside the instruction that begins at 0x%llx",
				 (unsigned long long)address, sweep->binary->path,
				 (unsigned long long)inside);
	if (window_fill(sweep, &window, PATCH_JUMP_SIZE) &&
	    window_is_safe(sweep, &window, taken, arg) && window_can_move(&window) &&
	    write_patch(scan, &window, PATCH_PROBE, PATCH_JUMP, patch))
		return 0;
	window = (struct window){ .start = address };
	if (window_add(sweep, &window) && window_can_move(&window) &&
	    write_patch(scan, &window, PATCH_PROBE, PATCH_TRAP, patch))
		return 0;
	return skep_fail(diag, SKEP_PROBE_PLACE, NULL,
			 "the instruction at 0x%llx of %s cannot be probed: it has no copy "
			 "elsewhere that does the same", (unsigned long long)address,
			 sweep->binary->path);
}

bool scan_can_probe(const struct scan *scan, uint64_t address)
{
	struct window window = { .start = address };

	return window_add(&scan->sweep, &window) && window_can_move(&window);
}

bool scan_is_start(const struct scan *scan, uint64_t address)
{
	const struct sweep_range *range = sweep_range_at(&scan->sweep, address);

	return range && range->start == address;
}

/*
 * Whether what lies on top of the stack there is a return address. Compilers move what is seldom
 * run out of functions, to places that have names as functions do but are in the middle of one.
 */
static bool is_called(struct scan *scan, uint64_t address)
{
	const struct unwind_row *row;

	if (!scan->frames_read)
		scan->frames = unwind_build(scan->sweep.binary);
	scan->frames_read = true;
	row = scan->frames ? unwind_row_at(scan->frames, address) : NULL;
	if (!row || row->cfa == UNWIND_UNKNOWN || row->cfa == UNWIND_PLT)
		return true; /* nobody says otherwise */
	return row->cfa == UNWIND_SP && row->cfa_off == (int16_t)sizeof(uint64_t);
}

enum return_use scan_return_use(struct scan *scan, uint64_t address)
{
	if (!is_called(scan, address))
		return RETURN_NONE;
	return sweep_return_use(&scan->sweep, address);
}

/* mov or lea that sets the stack pointer. */
static bool sets_stack_pointer(const ZydisDecodedInstruction *insn)
{
	if (insn->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT || !insn->raw.rex.W)
		return false;
	if (insn->opcode == 0x89)
		return insn->raw.modrm.mod == 3 && insn->raw.modrm.rm == 4 && !insn->raw.rex.B;
	return (insn->opcode == 0x8b || insn->opcode == 0x8d) && insn->raw.modrm.reg == 4 &&
	       !insn->raw.rex.R;
}

size_t scan_ends(struct scan *scan, uint64_t address, uint64_t *ends, size_t max)
{
	const struct sweep_range *range = sweep_range_at(&scan->sweep, address);
	unsigned since = 3; /* instructions since the stack pointer was set */
	size_t count = 0;

	for (uint64_t at = address; range && at < range->end; since++) {
		ZydisDecodedInstruction insn;
		bool leaves;

		if (!sweep_decode(&scan->sweep, at, &insn)) {
			at++;
			continue;
		}
		leaves = insn.mnemonic == ZYDIS_MNEMONIC_JMP && !insn.raw.imm[0].is_relative &&
			 since < 3;
		if ((insn.mnemonic == ZYDIS_MNEMONIC_RET || leaves) && count++ < max)
			ends[count - 1] = at;
		if (sets_stack_pointer(&insn))
			since = 0;
		at += insn.length;
	}
	return count;
}

/* --- system calls --- */

/* The instructions of the site's range that begin shortly before it. */
struct before {
	uint64_t starts[BACK_MAX];
	unsigned count;
	int32_t number;
};

/* earlier: the site before it, NULL: none. From there on if that is in its range, as code without
 * symbols is one range of many megabytes. */
static void look_back(const struct sweep *sweep, uint64_t site, const struct scan_site *earlier,
		      struct before *before)
{
	const struct sweep_range *range = sweep_range_at(sweep, site);
	bool resumes = range && earlier && earlier->address >= range->start;
	uint64_t from = resumes ? earlier->address : range ? range->start : site;

	*before = (struct before){ .number = resumes ? earlier->number : -1 };
	for (uint64_t at = from; at < site;) {
		ZydisDecodedInstruction insn;
		const uint8_t *bytes = sweep_decode(sweep, at, &insn);
		unsigned length = bytes ? insn.length : 1;

		if (!bytes || insn_ends(&insn) || insn.mnemonic == ZYDIS_MNEMONIC_CALL)
			before->count = 0;
		else if (site - at <= BACK_MAX && before->count < BACK_MAX)
			before->starts[before->count++] = at;
		if (bytes && insn.opcode == 0xb8 && !insn.raw.rex.B && insn.raw.imm[0].size == 32)
			before->number = (int32_t)insn.raw.imm[0].value.u;
		else if (bytes && insn.opcode == 0xc7 && insn.raw.modrm.mod == 3 &&
			 insn.raw.modrm.rm == 0 && !insn.raw.rex.B)
			before->number = (int32_t)insn.raw.imm[0].value.u;
		else if (bytes && length == 2 && bytes[0] == 0x31 && bytes[1] == 0xc0)
			before->number = 0;
		at += length;
	}
}

/* One attempt: from start, over the call, up to the room that a jump needs. */
static bool try_window(struct scan *scan, uint64_t start, uint64_t site, struct patch *patch)
{
	const struct sweep *sweep = &scan->sweep;
	struct window window = { .start = start };

	if (!window_fill(sweep, &window,
			 (unsigned)MAX(site + 2 - start, (uint64_t)PATCH_JUMP_SIZE)))
		return false;
	for (unsigned i = 0; i < window.count; i++)
		if (window.insns[i].address != site &&
		    window.insns[i].insn.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
			return false;
	return window_is_safe(sweep, &window, NULL, NULL) && window_can_move(&window) &&
	       write_patch(scan, &window, PATCH_SYSCALL, PATCH_JUMP, patch);
}

/*
 * Windows that end with the call come first: a thread asleep in it returns to code that is
 * as it was. Else one that reaches past it.
 */
static void find_window(struct scan *scan, struct scan_site *site)
{
	struct before before;

	look_back(&scan->sweep, site->address, site > scan->sites.items ? site - 1 : NULL, &before);
	site->number = before.number;
	/* Debuggers and unwinders know a signal's frame by the bytes of its return. */
	if (site->number == RT_SIGRETURN)
		return;
	for (unsigned i = before.count; i > 0 && !site->patched; i--)
		if (site->address + 2 - before.starts[i - 1] >= PATCH_JUMP_SIZE)
			site->patched = try_window(scan, before.starts[i - 1], site->address,
						   &site->patch);
	if (!site->patched)
		site->patched = try_window(scan, site->address, site->address, &site->patch);
	for (unsigned i = before.count; i > 0 && !site->patched; i--)
		if (site->address + 2 - before.starts[i - 1] < PATCH_JUMP_SIZE)
			site->patched = try_window(scan, before.starts[i - 1], site->address,
						   &site->patch);
}

/* As restorers are written, down to the bytes. */
static bool is_sigreturn(const struct scan *scan, uint64_t site)
{
	static const uint8_t number[] = { RT_SIGRETURN, 0, 0, 0, 0x0f, 0x05 };
	struct view bytes = binary_bytes(scan->sweep.binary, site - 4);

	return bytes.data && bytes.size >= sizeof(number) &&
	       memcmp(bytes.data, number, sizeof(number)) == 0;
}

/* A site whose window would share bytes with the one before it has none. */
static void settle_site(struct scan *scan, struct scan_site *site, uint64_t *free_from)
{
	struct window window = { .start = site->address };
	uint64_t start = (uint64_t)binary_from_offset(scan->sweep.binary, site->patch.file_offset);

	if (site->patched && start >= *free_from) {
		*free_from = start + site->patch.length;
		return;
	}
	site->patched = false;
	if (is_sigreturn(scan, site->address))
		return;
	site->trapped = window_add(&scan->sweep, &window) &&
			write_patch(scan, &window, PATCH_SYSCALL, PATCH_TRAP, &site->patch);
}

size_t scan_syscalls(struct scan *scan, const struct scan_site **sites)
{
	uint64_t free_from = 0;

	if (!scan->sites.count) {
		for (size_t i = 0; i < scan->sweep.syscalls.count; i++) {
			struct scan_site *site = vec_push(&scan->sites);

			if (!site)
				break;
			site->address = scan->sweep.syscalls.items[i];
			find_window(scan, site);
			settle_site(scan, site, &free_from);
		}
	}
	*sites = scan->sites.items;
	return scan->sites.count;
}

bool scan_is_whole(struct scan *scan)
{
	const struct scan_site *sites;
	size_t count = scan_syscalls(scan, &sites);

	for (size_t i = 0; i < count; i++)
		if (!sites[i].patched && !sites[i].trapped && !is_sigreturn(scan, sites[i].address))
			return false;
	return !scan->sweep.hidden;
}

/* --- a scan --- */

struct scan *scan_new(struct binary *binary, struct skep_diag *diag)
{
	static const bool never;

	return scan_new_until(binary, &never, diag);
}

struct scan *scan_new_until(struct binary *binary, const bool *stop, struct skep_diag *diag)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int error = scan ? sweep_run(&scan->sweep, binary, stop) : -ENOMEM;

	if (!error)
		return scan;
	if (error == -ENOMEM)
		skep_report(diag, SKEP_OOM, NULL, "the code of %s", binary->path);
	else
		skep_report(diag, SKEP_TARGET_FORMAT, NULL, "%s has no code, or too much",
			    binary->path);
	scan_free(scan);
	return NULL;
}

void scan_free(struct scan *scan)
{
	if (!scan)
		return;
	sweep_done(&scan->sweep);
	vec_done(&scan->sites);
	free(scan->frames);
	free(scan);
}
