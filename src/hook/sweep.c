/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.c - decodes all code of a file once and marks everything that may be jumped to.
 *
 * Too many marks cost speed (a trap instead of a jump), one too few costs a crash. So each
 * source only adds: branches, starts of functions, landing pads, addresses that instructions
 * or relocations take, words of data that look like addresses of code, and jump tables.
 */
#include "hook/sweep.h"

#include <gelf.h>

enum {
	SWEEP_MAX = 1 << 30,    /* bytes of code */
};

/* --- instructions --- */

bool insn_branch(const ZydisDecodedInstruction *insn, uint64_t address, uint64_t *target)
{
	if (!insn->raw.imm[0].is_relative)
		return false;
	*target = address + insn->length + (uint64_t)insn->raw.imm[0].value.s;
	return true;
}

bool insn_rip_relative(const ZydisDecodedInstruction *insn, uint64_t address, uint64_t *target)
{
	if (!(insn->attributes & ZYDIS_ATTRIB_HAS_MODRM) || insn->raw.modrm.mod != 0 ||
	    insn->raw.modrm.rm != 5 || insn->raw.disp.size != 32)
		return false;
	*target = address + insn->length + (uint64_t)insn->raw.disp.value;
	return true;
}

static bool is_opcode(const ZydisDecodedInstruction *insn, unsigned opcode, int reg)
{
	return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	       insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == opcode &&
	       (reg < 0 || insn->raw.modrm.reg == reg);
}

bool insn_ends(const ZydisDecodedInstruction *insn)
{
	switch ((int)insn->mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_IRETQ:
		return true;
	default:
		return false;
	}
}

const uint8_t *sweep_decode(const struct sweep *sweep, uint64_t address,
			    ZydisDecodedInstruction *insn)
{
	struct view bytes = binary_bytes(sweep->binary, address);

	if (!bytes.data || address < sweep->start || address >= sweep->end ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&sweep->decoder, NULL, bytes.data,
							MIN(bytes.size, sweep->end - address),
							insn)))
		return NULL;
	return bytes.data;
}

/* --- marks --- */

void sweep_mark(struct sweep *sweep, uint64_t address)
{
	if (address >= sweep->start && address < sweep->end)
		sweep->targets[(address - sweep->start) / 8] |=
			(uint8_t)(1u << ((address - sweep->start) % 8));
}

bool sweep_is_target(const struct sweep *sweep, uint64_t address)
{
	return address >= sweep->start && address < sweep->end &&
	       sweep->targets[(address - sweep->start) / 8] >>
				       ((address - sweep->start) % 8) & 1;
}

static void mark_pad(void *arg, uint64_t address)
{
	sweep_mark(arg, address);
}

/* --- ranges --- */

static int add_range(void *arg, uint64_t start, uint64_t size)
{
	struct sweep *sweep = arg;
	struct sweep_range *range;

	(void)size;
	if (start < sweep->start || start >= sweep->end)
		return 0;
	range = vec_push(&sweep->ranges);
	if (!range)
		return -ENOMEM;
	range->start = start;
	sweep_mark(sweep, start);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct sweep_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sections of code begin a range too: what is before their first function is code as well. */
static int add_sections(struct sweep *sweep)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int error = 0;

	while (!error && (section = elf_nextscn(sweep->binary->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR)
			error = add_range(sweep, header.sh_addr, 0);
	for (size_t i = 0; !error && i < sweep->binary->loads.count; i++)
		if (sweep->binary->loads.items[i].executable)
			error = add_range(sweep, sweep->binary->loads.items[i].address, 0);
	return error;
}

static int make_ranges(struct sweep *sweep)
{
	size_t kept = 0;
	int error = add_sections(sweep);

	for (size_t i = 0; !error && i < sweep->binary->functions.count; i++)
		error = add_range(sweep, sweep->binary->functions.items[i].address, 0);
	if (!error)
		error = frames_read(sweep->binary, add_range, mark_pad, sweep);
	if (error)
		return error;
	qsort(sweep->ranges.items, sweep->ranges.count, sizeof(*sweep->ranges.items), by_start);
	for (size_t i = 0; i < sweep->ranges.count; i++) {
		if (kept && sweep->ranges.items[kept - 1].start == sweep->ranges.items[i].start)
			continue;
		sweep->ranges.items[kept++] = sweep->ranges.items[i];
	}
	sweep->ranges.count = kept;
	for (size_t i = 0; i < kept; i++)
		sweep->ranges.items[i].end =
			i + 1 < kept ? sweep->ranges.items[i + 1].start : sweep->end;
	return 0;
}

struct sweep_range *sweep_range_at(const struct sweep *sweep, uint64_t address)
{
	size_t low = 0, high = sweep->ranges.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sweep->ranges.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= sweep->ranges.items[low - 1].end)
		return NULL;
	return &sweep->ranges.items[low - 1];
}

/* --- code --- */

static bool is_code(const struct sweep *sweep, uint64_t address)
{
	return address >= sweep->start && address < sweep->end;
}

static int note_table(struct sweep *sweep, struct sweep_range *range, uint64_t base)
{
	struct sweep_table *table;

	if (is_code(sweep, base) || binary_offset(sweep->binary, base) < 0)
		return 0;
	table = vec_push(&sweep->tables);
	if (!table)
		return -ENOMEM;
	*table = (struct sweep_table){ base, (uint32_t)(range - sweep->ranges.items) };
	return 0;
}

static int look_at(struct sweep *sweep, struct sweep_range *range, uint64_t address,
		   const ZydisDecodedInstruction *insn)
{
	uint64_t target;

	if (insn_branch(insn, address, &target)) {
		sweep_mark(sweep, target);
	} else if (insn_rip_relative(insn, address, &target)) {
		/* lea: code whose address is taken, or a table. A jump through a fixed slot
		 * (PLT) leaves the function: nothing to mark. */
		if (is_opcode(insn, 0x8d, -1)) {
			sweep_mark(sweep, target);
			return note_table(sweep, range, target);
		}
	} else if (is_opcode(insn, 0xff, 4)) {
		range->open = true;
		if (insn->raw.modrm.rm == 4 && insn->raw.disp.size == 32)
			return note_table(sweep, range, (uint64_t)insn->raw.disp.value);
	} else if (insn->raw.imm[0].size >= 32) {
		/* mov $code, %reg and push $code of programs at fixed addresses */
		sweep_mark(sweep, insn->raw.imm[0].value.u);
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_SYSCALL) {
		uint64_t *site = vec_push(&sweep->syscalls);

		if (!site)
			return -ENOMEM;
		*site = address;
	}
	return 0;
}

/* Go's goroutines return to the second byte of goexit(), which begins with a nop for that: their
 * address is computed, and nowhere to be found. */
static void mark_second(struct sweep *sweep, const struct sweep_range *range)
{
	struct view bytes = binary_bytes(sweep->binary, range->start);

	if (sweep->binary->is_go && bytes.size > 0 && *(const uint8_t *)bytes.data == 0x90)
		sweep_mark(sweep, range->start + 1);
}

static int sweep_code(struct sweep *sweep, struct sweep_range *range)
{
	ZydisDecodedInstruction insn;
	int error = 0;

	mark_second(sweep, range);

	for (uint64_t at = range->start; at < range->end && !error;) {
		if (sweep_decode(sweep, at, &insn)) {
			error = look_at(sweep, range, at, &insn);
			at += insn.length;
		} else {
			range->broken = true;
			at++;
		}
	}
	return error;
}

/*
 * The bytes of a system call that were not met as one are part of another instruction, which
 * is as sure as the decoding is: not where it failed, and not where something jumps to them.
 */
static bool hides_call(const struct sweep *sweep, const struct binary_load *load)
{
	const uint8_t *bytes = (const uint8_t *)sweep->binary->image.data + load->offset;
	const uint8_t *at = bytes, *end = bytes + load->size;
	size_t known = 0;

	for (; (at = memchr(at, 0x0f, (size_t)(end - at))) && at + 1 < end; at++) {
		uint64_t address = load->address + (uint64_t)(at - bytes);
		const struct sweep_range *range;

		if (at[1] != 0x05)
			continue;
		while (known < sweep->syscalls.count && sweep->syscalls.items[known] < address)
			known++;
		if (known < sweep->syscalls.count && sweep->syscalls.items[known] == address)
			continue;
		range = sweep_range_at(sweep, address);
		if (!range || range->broken || sweep_is_target(sweep, address))
			return true;
	}
	return false;
}

/* --- jump tables --- */

/*
 * The target that entry i names, if it names code. gcc and clang write tables of 4-byte
 * distances from the table in position-independent code, of 8-byte addresses otherwise.
 */
static bool table_entry(const struct sweep *sweep, uint64_t base, struct view bytes, size_t i,
			size_t width, uint64_t *target)
{
	int64_t wide;
	int32_t narrow;

	if ((i + 1) * width > bytes.size)
		return false;
	if (width == sizeof(narrow)) {
		memcpy(&narrow, (const char *)bytes.data + i * width, width);
		*target = base + (uint64_t)(int64_t)narrow;
	} else {
		memcpy(&wide, (const char *)bytes.data + i * width, width);
		*target = (uint64_t)wide;
	}
	return is_code(sweep, *target);
}

/* Whether it is a table of jumps within its range. All its entries are marked. */
static bool mark_table(struct sweep *sweep, const struct sweep_table *table, uint64_t end,
		       size_t width)
{
	const struct sweep_range *range = &sweep->ranges.items[table->range];
	struct view bytes = binary_bytes(sweep->binary, table->base);
	uint64_t target;
	bool ours = false;

	bytes.size = MIN(bytes.size, end - table->base);
	for (size_t i = 0; table_entry(sweep, table->base, bytes, i, width, &target); i++) {
		sweep_mark(sweep, target);
		ours |= target >= range->start && target < range->end;
	}
	return ours;
}

static int by_base(const void *a, const void *b)
{
	const struct sweep_table *x = a, *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

/* A table ends where the next begins at the latest. A range in which none was found for its
 * indirect jumps stays open. */
static void mark_tables(struct sweep *sweep)
{
	uint64_t end = UINT64_MAX;

	if (sweep->tables.count)
		qsort(sweep->tables.items, sweep->tables.count, sizeof(*sweep->tables.items),
		      by_base);
	for (size_t i = sweep->tables.count; i-- > 0;) {
		const struct sweep_table *table = &sweep->tables.items[i];

		if (i + 1 < sweep->tables.count && table[1].base != table->base)
			end = table[1].base;
		if (!sweep->ranges.items[table->range].open)
			continue;
		if (mark_table(sweep, table, end, 4) || mark_table(sweep, table, end, 8))
			sweep->ranges.items[table->range].explained = true;
	}
}

/* --- data --- */

/* Words of data that could be addresses of code: tables of labels, functions. */
static void sweep_words(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->binary->loads.count; i++) {
		const struct binary_load *load = &sweep->binary->loads.items[i];
		const char *data = (const char *)sweep->binary->image.data + load->offset;

		if (load->executable)
			continue;
		for (uint64_t at = -load->address & 7; at + 8 <= load->size; at += 8) {
			uint64_t word;

			memcpy(&word, data + at, sizeof(word));
			sweep_mark(sweep, word);
		}
	}
}

/* Those in code, which position-independent code has none of. What a linker has left for other
 * tools is not applied any more. */
static int note_relocation(struct sweep *sweep, const GElf_Rela *rela)
{
	struct sweep_relocation *relocation;

	if (!is_code(sweep, rela->r_offset))
		return 0;
	relocation = vec_push(&sweep->relocations);
	if (!relocation)
		return -ENOMEM;
	relocation->address = rela->r_offset;
	switch (GELF_R_TYPE(rela->r_info)) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_GOTPCREL:
	case R_X86_64_TPOFF32:
	case R_X86_64_SIZE32:
		relocation->size = 4;
		break;
	default:
		relocation->size = 8;
	}
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct sweep_relocation *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

const struct sweep_relocation *sweep_relocation_in(const struct sweep *sweep, uint64_t start,
						   uint64_t end)
{
	size_t low = 0, high = sweep->relocations.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sweep_relocation *at = &sweep->relocations.items[middle];

		if (at->address + at->size <= start)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == sweep->relocations.count || sweep->relocations.items[low].address >= end)
		return NULL;
	return &sweep->relocations.items[low];
}

/* Relocations that will put an address of code somewhere, or change code. */
static int sweep_relocations(struct sweep *sweep)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int error = 0;

	while ((section = elf_nextscn(sweep->binary->elf, section))) {
		Elf_Data *data;
		GElf_Rela rela;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA ||
		    !header.sh_entsize)
			continue;
		data = elf_getdata(section, NULL);
		for (size_t i = 0; data && !error && i < data->d_size / header.sh_entsize; i++) {
			if (!gelf_getrela(data, (int)i, &rela))
				continue;
			sweep_mark(sweep, (uint64_t)rela.r_addend);
			if (header.sh_flags & SHF_ALLOC)
				error = note_relocation(sweep, &rela);
		}
	}
	if (sweep->relocations.count)
		qsort(sweep->relocations.items, sweep->relocations.count,
		      sizeof(*sweep->relocations.items), by_address);
	return error;
}

int sweep_run(struct sweep *sweep, struct binary *binary, const bool *stop)
{
	int error;

	sweep->binary = binary;
	sweep->start = UINT64_MAX;
	for (size_t i = 0; i < binary->loads.count; i++) {
		const struct binary_load *load = &binary->loads.items[i];

		if (!load->executable)
			continue;
		sweep->start = MIN(sweep->start, load->address);
		sweep->end = MAX(sweep->end, load->address + load->size);
	}
	if (sweep->start >= sweep->end || sweep->end - sweep->start > SWEEP_MAX)
		return -ENOEXEC;
	ZydisDecoderInit(&sweep->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&sweep->decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	sweep->targets = calloc(1, (sweep->end - sweep->start) / 8 + 1);
	if (!sweep->targets)
		return -ENOMEM;
	error = make_ranges(sweep);
	for (size_t i = 0; !error && i < sweep->ranges.count; i++)
		error = __atomic_load_n(stop, __ATOMIC_RELAXED)
				? -EINTR : sweep_code(sweep, &sweep->ranges.items[i]);
	if (error)
		return error;
	mark_tables(sweep);
	sweep_words(sweep);
	error = sweep_relocations(sweep);
	for (size_t i = 0; i < binary->loads.count; i++)
		if (binary->loads.items[i].executable)
			sweep->hidden |= hides_call(sweep, &binary->loads.items[i]);
	return error;
}

void sweep_done(struct sweep *sweep)
{
	free(sweep->targets);
	vec_done(&sweep->ranges);
	vec_done(&sweep->tables);
	vec_done(&sweep->syscalls);
	vec_done(&sweep->relocations);
}
