/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.c - reading a relocatable ELF file that nobody vouches for.
 *
 *   | header | ... sections' bytes ... | section headers |
 *
 * Headers may be misaligned in the file, so they are copied out before use.
 */
#include "object/elf.h"

#include <elf.h>
#include <stdio.h>

#ifndef EM_BPF
#define EM_BPF 247
#endif

struct reader {
	struct view image;
	struct skep_where where;
	struct skep_diag *diag;
};

__attribute__((format(printf, 2, 3)))
static int damaged(const struct reader *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	skep_vreport(r->diag, SKEP_ELF_BAD, &r->where, fmt, args);
	va_end(args);
	return -SKEP_ELF_BAD_ERRNO;
}

static bool copy_out(struct view view, uint64_t off, void *to, size_t size)
{
	const void *from = view_range(view, off, size, 1);

	if (!from)
		return false;
	memcpy(to, from, size);
	return true;
}

static int read_header(const struct reader *r, Elf64_Ehdr *header)
{
	const char *what = NULL;

	if (!copy_out(r->image, 0, header, sizeof(*header))) {
		bool magic = r->image.size >= SELFMAG &&
			     memcmp(r->image.data, ELFMAG, SELFMAG) == 0;

		if (magic)
			return damaged(r, "the ELF header is cut short");
		return skep_fail(r->diag, SKEP_ELF_FOREIGN, &r->where,
				 r->image.size ? "not an ELF file" : "an empty file");
	}
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		what = "not an ELF file";
	else if (header->e_ident[EI_CLASS] != ELFCLASS64)
		what = "a 32-bit ELF file";
	else if (header->e_ident[EI_DATA] != ELFDATA2LSB)
		what = "a big-endian ELF file, and this machine is little-endian";
	else if (header->e_machine != EM_BPF && header->e_machine != EM_NONE)
		what = "an ELF file for another processor";
	else if (header->e_type != ET_REL)
		what = "an ELF file that is not relocatable";
	if (what)
		return skep_fail(r->diag, SKEP_ELF_FOREIGN, &r->where, "%s", what);
	if (header->e_shoff == 0)
		return damaged(r, "there are no section headers");
	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return damaged(r, "section headers of %u bytes", header->e_shentsize);
	return 0;
}

/* Counts too large for the header are in the null section's fields. */
static int count_sections(const struct reader *r, const Elf64_Ehdr *header, uint64_t *count,
			  uint32_t *names)
{
	Elf64_Shdr null;

	if (!copy_out(r->image, header->e_shoff, &null, sizeof(null)))
		return damaged(r, "the section headers lie outside the file");
	*count = header->e_shnum ? header->e_shnum : null.sh_size;
	*names = header->e_shstrndx == SHN_XINDEX ? null.sh_link : header->e_shstrndx;
	if (*count == 0 || *count > r->image.size / sizeof(null) ||
	    !view_range(r->image, header->e_shoff, *count * sizeof(null), 1))
		return damaged(r, "%llu section headers do not fit into the file",
			       (unsigned long long)*count);
	if (*names >= *count)
		return damaged(r, "the section of section names does not exist");
	return 0;
}

static int read_section(const struct reader *r, const Elf64_Shdr *header, size_t index,
			struct elf_section *section)
{
	*section = (struct elf_section){
		.name = "",
		.type = header->sh_type,
		.link = header->sh_link,
		.info = header->sh_info,
		.code = header->sh_flags & SHF_EXECINSTR,
		.size = header->sh_size,
		.entry_size = header->sh_entsize,
	};
	if (header->sh_type == SHT_NULL)
		section->size = 0;
	if (header->sh_type == SHT_NULL || header->sh_type == SHT_NOBITS)
		return 0;
	section->data.data = view_range(r->image, header->sh_offset, header->sh_size, 1);
	section->data.size = header->sh_size;
	if (!section->data.data)
		return damaged(r, "section %zu lies outside the file", index);
	return 0;
}

static int read_sections(const struct reader *r, struct elf *elf)
{
	Elf64_Ehdr header;
	Elf64_Shdr shdr;
	uint64_t count = 0;
	uint32_t names = 0;
	int error = read_header(r, &header);

	if (!error)
		error = count_sections(r, &header, &count, &names);
	if (error)
		return error;
	elf->sections = calloc(count, sizeof(*elf->sections));
	if (!elf->sections)
		return skep_fail(r->diag, SKEP_OOM, &r->where, "sections");
	elf->section_count = count;
	for (size_t i = 0; i < count; i++) {
		copy_out(r->image, header.e_shoff + i * sizeof(shdr), &shdr, sizeof(shdr));
		error = read_section(r, &shdr, i, &elf->sections[i]);
		if (error)
			return error;
	}
	for (size_t i = 1; i < count; i++) {
		const char *name;

		copy_out(r->image, header.e_shoff + i * sizeof(shdr), &shdr, sizeof(shdr));
		name = view_string(elf->sections[names].data, shdr.sh_name);
		if (!name)
			return damaged(r, "section %zu has no valid name", i);
		elf->sections[i].name = name;
	}
	return 0;
}

/* Indices too large for a symbol are in a section beside the symbol table. */
static const struct elf_section *extended_indices(const struct elf *elf, uint32_t table)
{
	for (size_t i = 1; i < elf->section_count; i++)
		if (elf->sections[i].type == SHT_SYMTAB_SHNDX && elf->sections[i].link == table)
			return &elf->sections[i];
	return NULL;
}

static int read_symbol(const struct reader *r, const struct elf *elf, uint32_t table, size_t index,
		       const struct elf_section *extended, struct elf_symbol *symbol)
{
	const struct elf_section *symtab = &elf->sections[table];
	uint32_t section;
	Elf64_Sym sym;

	copy_out(symtab->data, index * sizeof(sym), &sym, sizeof(sym));
	section = sym.st_shndx;
	if (section == SHN_XINDEX &&
	    (!extended || !copy_out(extended->data, index * 4, &section, sizeof(section))))
		return damaged(r, "symbol %zu has no section index", index);
	if (section >= elf->section_count &&
	    (sym.st_shndx < SHN_LORESERVE || sym.st_shndx == SHN_XINDEX))
		return damaged(r, "symbol %zu is in section %u, which does not exist", index,
			       section);
	*symbol = (struct elf_symbol){
		.name = view_string(elf->sections[symtab->link].data, sym.st_name),
		.type = ELF64_ST_TYPE(sym.st_info),
		.bind = ELF64_ST_BIND(sym.st_info),
		.visibility = ELF64_ST_VISIBILITY(sym.st_other),
		.section = section,
		.value = sym.st_value,
		.size = sym.st_size,
	};
	if (!symbol->name)
		return damaged(r, "symbol %zu has no valid name", index);
	if (symbol->type == STT_SECTION && section < elf->section_count && !symbol->name[0])
		symbol->name = elf->sections[section].name;
	return 0;
}

static int read_symbols(const struct reader *r, struct elf *elf)
{
	const struct elf_section *extended;
	uint32_t table = 0;

	for (uint32_t i = 1; i < elf->section_count && !table; i++)
		if (elf->sections[i].type == SHT_SYMTAB)
			table = i;
	if (!table)
		return damaged(r, "there is no symbol table");
	if (elf->sections[table].link >= elf->section_count ||
	    elf->sections[table].size % sizeof(Elf64_Sym))
		return damaged(r, "the symbol table is malformed");
	elf->symbol_count = elf->sections[table].size / sizeof(Elf64_Sym);
	elf->symbols = calloc(elf->symbol_count + 1, sizeof(*elf->symbols));
	if (!elf->symbols)
		return skep_fail(r->diag, SKEP_OOM, &r->where, "symbols");
	extended = extended_indices(elf, table);
	for (size_t i = 0; i < elf->symbol_count; i++) {
		int error = read_symbol(r, elf, table, i, extended, &elf->symbols[i]);

		if (error)
			return error;
	}
	return 0;
}

static int check_relos(const struct reader *r, const struct elf *elf)
{
	uint64_t total = 0;

	for (size_t i = 1; i < elf->section_count; i++) {
		const struct elf_section *section = &elf->sections[i];

		if (section->type != SHT_REL)
			continue;
		if (section->size % sizeof(Elf64_Rel) || section->info >= elf->section_count)
			return damaged(r, "section '%s' is malformed", section->name);
		total += section->size;
		if (total > r->image.size)
			return damaged(r, "relocation sections overlap");
		for (size_t n = 0; n < elf_relo_count(section); n++) {
			struct elf_relo relo = elf_relo_at(section, n);

			if (relo.symbol >= elf->symbol_count)
				return damaged(r, "relocation %zu of '%s' is for symbol %u, "
					       "which does not exist", n, section->name,
					       relo.symbol);
		}
	}
	return 0;
}

int elf_open(struct view image, const char *name, struct elf *elf, struct skep_diag *diag)
{
	struct reader r = { .image = image, .where = SKEP_NOWHERE, .diag = diag };
	int error;

	r.where.object = name;
	*elf = (struct elf){ 0 };
	error = read_sections(&r, elf);
	if (!error)
		error = read_symbols(&r, elf);
	if (!error)
		error = check_relos(&r, elf);
	if (error)
		elf_done(elf);
	return error;
}

void elf_done(struct elf *elf)
{
	free(elf->sections);
	free(elf->symbols);
	*elf = (struct elf){ 0 };
}

uint32_t elf_find(const struct elf *elf, const char *name)
{
	for (uint32_t i = 1; i < elf->section_count; i++)
		if (strcmp(elf->sections[i].name, name) == 0)
			return i;
	return 0;
}

size_t elf_relo_count(const struct elf_section *section)
{
	return section->data.size / sizeof(Elf64_Rel);
}

struct elf_relo elf_relo_at(const struct elf_section *section, size_t index)
{
	Elf64_Rel rel;

	memcpy(&rel, (const char *)section->data.data + index * sizeof(rel), sizeof(rel));
	return (struct elf_relo){ rel.r_offset, (uint32_t)ELF64_R_SYM(rel.r_info),
				  (uint32_t)ELF64_R_TYPE(rel.r_info) };
}
