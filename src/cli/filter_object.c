/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_object.c - a filter as an ELF file with one program, as clang writes them and every
 * loader reads them:
 *
 *   ELF header | program | license | symbols | names | section headers
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
static const char names[] = "\0xdp\0tc\0license\0.symtab\0.strtab\0filter\0_license";

enum { SECTION_NONE, SECTION_PROGRAM, SECTION_LICENSE, SECTION_SYMBOLS, SECTION_NAMES, SECTIONS };
enum { ALIGN = 8 };

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
	Elf64_Sym symbols[3];
};

static void add_section(struct image *image, unsigned which, const char *name, uint32_t type,
			uint64_t flags, uint64_t size)
{
	const Elf64_Shdr *before = &image->sections[which - 1];
	uint64_t end = which == SECTION_PROGRAM ? sizeof(Elf64_Ehdr) : before->sh_offset + before->sh_size;

	image->sections[which] = (Elf64_Shdr){
		.sh_name = name_at(name), .sh_type = type, .sh_flags = flags, .sh_size = size,
		.sh_offset = (end + ALIGN - 1) / ALIGN * ALIGN, .sh_addralign = ALIGN,
	};
}

static void describe(struct image *image, const char *section, size_t program_size)
{
	Elf64_Shdr *symbols = &image->sections[SECTION_SYMBOLS];

	add_section(image, SECTION_PROGRAM, section, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, program_size);
	add_section(image, SECTION_LICENSE, "license", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
		    sizeof(license));
	add_section(image, SECTION_SYMBOLS, ".symtab", SHT_SYMTAB, 0, sizeof(image->symbols));
	add_section(image, SECTION_NAMES, ".strtab", SHT_STRTAB, 0, sizeof(names));
	symbols->sh_link = SECTION_NAMES;
	symbols->sh_info = 1; /* the first global symbol */
	symbols->sh_entsize = sizeof(Elf64_Sym);
	image->symbols[1] = (Elf64_Sym){ .st_name = name_at("filter"), .st_shndx = SECTION_PROGRAM,
					 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_size = program_size };
	image->symbols[2] = (Elf64_Sym){ .st_name = name_at("_license"), .st_shndx = SECTION_LICENSE,
					 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
					 .st_size = sizeof(license) };
	image->head = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
			     EV_CURRENT },
		.e_type = ET_REL, .e_machine = EM_BPF, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = SECTIONS,
		.e_shstrndx = SECTION_NAMES,
	};
	image->head.e_shoff = (image->sections[SECTION_NAMES].sh_offset + sizeof(names) + ALIGN - 1) /
			      ALIGN * ALIGN;
}

static int write_image(const struct image *image, const void *program, const char *path,
		       struct skep_diag *diag)
{
	const void *parts[SECTIONS] = { NULL, program, license, image->symbols, names };
	size_t size = image->head.e_shoff + sizeof(image->sections);
	uint8_t *bytes = calloc(1, size);
	int error;

	if (!bytes)
		return skep_fail(diag, SKEP_OOM, NULL, "writing '%s'", path);
	memcpy(bytes, &image->head, sizeof(image->head));
	for (unsigned i = SECTION_PROGRAM; i < SECTIONS; i++)
		memcpy(bytes + image->sections[i].sh_offset, parts[i], image->sections[i].sh_size);
	memcpy(bytes + image->head.e_shoff, image->sections, sizeof(image->sections));
	error = spill(path, bytes, size, diag);
	free(bytes);
	return error;
}

int filter_write_object(const struct filter_code *code, enum skep_cbpf_target target,
			const char *path, struct skep_diag *diag)
{
	struct image image = { 0 };
	struct skep_insn *insns;
	size_t count;
	int error = skep_cbpf_to_ebpf(code->insns, code->count, target, code->name, &insns, &count, diag);

	if (error < 0)
		return error;
	describe(&image, target == SKEP_CBPF_TO_XDP ? "xdp" : "tc", count * sizeof(*insns));
	error = write_image(&image, insns, path, diag);
	free(insns);
	return error;
}
