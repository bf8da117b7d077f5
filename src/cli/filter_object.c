/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_object.c - a filter as an ELF file with one program, as clang writes them and every
 * loader reads them:
 *
 *   ELF header | program | license | .BTF | .BTF.ext | symbols | names | .rodata | relocations | headers
 *
 * The tables of sets are .rodata, which loaders make a map of and fill. BTF says which line of the
 * filter each instruction came from (filter_btf.c).
 */
#include "cli/filter.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <skep/insn.h>

#ifndef EM_BPF
#define EM_BPF 247
#endif

static const char license[] = "Dual BSD/GPL";
static const char names[] = "\0xdp\0tc\0license\0.rodata\0.relxdp\0.reltc\0.BTF\0.BTF.ext\0.rel.BTF\0.symtab\0"
			    ".strtab\0filter\0_license\0" FILTER_TABLES;

enum {
	SECTION_NONE, SECTION_PROGRAM, SECTION_LICENSE, SECTION_BTF, SECTION_BTF_EXT, SECTION_SYMBOLS,
	SECTION_NAMES, SECTION_DATA, SECTION_RELOCATIONS, SECTIONS
};
enum { SYMBOL_NONE, SYMBOL_FILTER, SYMBOL_LICENSE, SYMBOL_TABLES, SYMBOLS };
enum { ALIGN = 8, RELOCATION = 1 /* R_BPF_64_64 */ };

/* Where a name stands in names. */
static uint32_t name_at(const char *name)
{
	for (size_t i = 0; i < sizeof(names); i++) {
		if ((i == 0 || names[i - 1] == '\0') && strcmp(names + i, name) == 0)
			return (uint32_t)i;
	}
	return 0;
}

struct image {
	Elf64_Ehdr head;
	Elf64_Shdr sections[SECTIONS];
	const void *contents[SECTIONS];
	Elf64_Sym symbols[SYMBOLS];
};

static void add_section(struct image *image, unsigned which, const char *name, uint32_t type,
			uint64_t flags, const void *contents, uint64_t size)
{
	const Elf64_Shdr *before = &image->sections[which - 1];
	uint64_t end = which == SECTION_PROGRAM ? sizeof(Elf64_Ehdr) : before->sh_offset + before->sh_size;

	image->sections[which] = (Elf64_Shdr){
		.sh_name = name_at(name), .sh_type = type, .sh_flags = flags, .sh_size = size,
		.sh_offset = (end + ALIGN - 1) / ALIGN * ALIGN, .sh_addralign = ALIGN,
	};
	image->contents[which] = contents;
}

static void add_symbol(struct image *image, unsigned which, const char *name, unsigned section,
		       unsigned type, uint64_t size)
{
	image->symbols[which] = (Elf64_Sym){ .st_name = name_at(name), .st_shndx = (uint16_t)section,
					     .st_info = (unsigned char)ELF64_ST_INFO(STB_GLOBAL, type),
					     .st_size = size };
}

static void describe(struct image *image, bool xdp, const struct skep_cbpf_ebpf *ebpf,
		     const Elf64_Rel *relocations, const struct filter_btf *btf)
{
	Elf64_Shdr *symbols = &image->sections[SECTION_SYMBOLS], *relo = &image->sections[SECTION_RELOCATIONS];
	uint64_t size = ebpf->count * sizeof(*ebpf->insns);
	unsigned last = ebpf->data_size ? SECTION_RELOCATIONS : SECTION_NAMES;

	add_section(image, SECTION_PROGRAM, xdp ? "xdp" : "tc", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
		    ebpf->insns, size);
	add_section(image, SECTION_LICENSE, "license", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, license,
		    sizeof(license));
	add_section(image, SECTION_BTF, ".BTF", SHT_PROGBITS, 0, btf->types.data, btf->types.size);
	add_section(image, SECTION_BTF_EXT, ".BTF.ext", SHT_PROGBITS, 0, btf->lines.data, btf->lines.size);
	add_section(image, SECTION_SYMBOLS, ".symtab", SHT_SYMTAB, 0, image->symbols,
		    (ebpf->data_size ? SYMBOLS : SYMBOL_TABLES) * sizeof(Elf64_Sym));
	add_section(image, SECTION_NAMES, ".strtab", SHT_STRTAB, 0, names, sizeof(names));
	add_section(image, SECTION_DATA, ".rodata", SHT_PROGBITS, SHF_ALLOC, ebpf->data, ebpf->data_size);
	add_section(image, SECTION_RELOCATIONS, xdp ? ".relxdp" : ".reltc", SHT_REL, 0, relocations,
		    ebpf->place_count * sizeof(*relocations));
	symbols->sh_link = SECTION_NAMES;
	symbols->sh_info = 1; /* the first global symbol */
	symbols->sh_entsize = sizeof(Elf64_Sym);
	relo->sh_link = SECTION_SYMBOLS;
	relo->sh_info = SECTION_PROGRAM;
	relo->sh_entsize = sizeof(Elf64_Rel);
	add_symbol(image, SYMBOL_FILTER, "filter", SECTION_PROGRAM, STT_FUNC, size);
	add_symbol(image, SYMBOL_LICENSE, "_license", SECTION_LICENSE, STT_OBJECT, sizeof(license));
	add_symbol(image, SYMBOL_TABLES, FILTER_TABLES, SECTION_DATA, STT_OBJECT, ebpf->data_size);
	image->head = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
			     EV_CURRENT },
		.e_type = ET_REL, .e_machine = EM_BPF, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = (uint16_t)(last + 1),
		.e_shstrndx = SECTION_NAMES,
	};
	image->head.e_shoff = (image->sections[last].sh_offset + image->sections[last].sh_size + ALIGN - 1) /
			      ALIGN * ALIGN;
}

static int write_image(const struct image *image, const char *path, struct skep_diag *diag)
{
	size_t headers = image->head.e_shnum * sizeof(image->sections[0]);
	size_t size = image->head.e_shoff + headers;
	uint8_t *bytes = calloc(1, size);
	int error;

	if (!bytes)
		return skep_fail(diag, SKEP_OOM, NULL, "writing '%s'", path);
	memcpy(bytes, &image->head, sizeof(image->head));
	for (unsigned i = SECTION_PROGRAM; i < image->head.e_shnum; i++) {
		if (image->sections[i].sh_size)
			memcpy(bytes + image->sections[i].sh_offset, image->contents[i], image->sections[i].sh_size);
	}
	memcpy(bytes + image->head.e_shoff, image->sections, headers);
	error = spill(path, bytes, size, diag);
	free(bytes);
	return error;
}

/*
 * A loader reads what to add to the symbol's address from the first immediate, and fills in the
 * map: so the offset moves there, and which map it is goes.
 */
static Elf64_Rel *relocate(struct skep_cbpf_ebpf *ebpf)
{
	Elf64_Rel *all = calloc(ebpf->place_count + 1, sizeof(*all));

	for (size_t i = 0; all && i < ebpf->place_count; i++) {
		struct skep_insn *insn = &ebpf->insns[ebpf->places[i]];

		insn[0].imm = insn[1].imm;
		insn[1].imm = 0;
		insn[0].src = 0; /* no kind of address yet */
		all[i] = (Elf64_Rel){ .r_offset = ebpf->places[i] * sizeof(*insn),
				      .r_info = ELF64_R_INFO((uint64_t)SYMBOL_TABLES, (uint64_t)RELOCATION) };
	}
	return all;
}

/* Also of a filter without sets, to have its lines. */
static int to_program(struct filter_code *code, struct skep_diag *diag)
{
	return code->program ? 0 :
	       skep_cbpf_program_new(code->insns, code->count, code->name, &code->program, diag);
}

int filter_write_object(struct filter_code *code, enum skep_cbpf_target target, const char *path,
			struct skep_diag *diag)
{
	struct image image = { 0 };
	struct skep_cbpf_ebpf ebpf = { 0 };
	struct filter_btf btf = { 0 };
	Elf64_Rel *relocations = NULL;
	int error = to_program(code, diag);

	if (error == 0)
		error = skep_cbpf_program_to_ebpf(code->program, target, &ebpf, diag);
	if (error < 0)
		return error;
	relocations = relocate(&ebpf);
	if (!relocations || !filter_btf_make(&btf, code, target, &ebpf)) {
		error = skep_fail(diag, SKEP_OOM, NULL, "writing '%s'", path);
	} else {
		describe(&image, target == SKEP_CBPF_TO_XDP, &ebpf, relocations, &btf);
		error = write_image(&image, path, diag);
	}
	free(relocations);
	filter_btf_done(&btf);
	skep_cbpf_ebpf_done(&ebpf);
	return error;
}
