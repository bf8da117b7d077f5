/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture.h - objects to test with: compiled by clang while building (a test
 * skips, saying so, where there is no clang), or put together byte by byte.
 */
#ifndef OBJECT_FIXTURE_H
#define OBJECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "isa/insn.h"
#include "object/object.h"

#define FIXTURE(name) "tests/unit/object/" name ".bpf.o"

static inline struct skep_object *fixture_open(const char *path)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_object *object;

	if (access(path, R_OK) < 0) {
		skep_diag_free(diag);
		print_message("no %s: clang was not there to make it\n", path);
		skip();
	}
	object = skep_object_open_file(path, diag);
	if (!object)
		print_error("%s\n", skep_diag_text(diag, 0));
	skep_diag_free(diag);
	assert_non_null(object);
	return object;
}

static inline struct skep_btf *fixture_btf(const char *path)
{
	struct skep_btf *btf = access(path, R_OK) < 0 ? NULL : skep_btf_open_file(path, NULL, NULL);

	if (!btf)
		skip();
	return btf;
}

static inline struct skep_object_prog *prog_named(struct skep_object *object, const char *name)
{
	struct skep_object_prog *prog = skep_object_prog_find(object, name);

	assert_non_null(prog);
	return prog;
}

static inline struct skep_object_map *map_named(struct skep_object *object, const char *name)
{
	struct skep_object_map *map = skep_object_map_find(object, name);

	assert_non_null(map);
	return map;
}

/* The first item of diag must have this code. */
#define assert_reported(diag, wanted)                                     \
	do {                                                              \
		assert_int_equal(skep_diag_count(diag), 1);               \
		assert_string_equal(skep_code_id(skep_diag_get(diag, 0)->code), \
				    skep_code_id(wanted));                \
	} while (0)

/* --- byte by byte --- */

struct built {
	unsigned char bytes[8192];
	size_t size;
	Elf64_Shdr headers[16];
	uint32_t count;
	char names[512];
	uint32_t names_len;
	Elf64_Sym symbols[16];
	uint32_t symbol_count;
	char strings[512];
	uint32_t strings_len;
};

static inline void built_init(struct built *b)
{
	memset(b, 0, sizeof(*b));
	b->size = sizeof(Elf64_Ehdr);
	b->count = b->symbol_count = 1;
	b->names_len = b->strings_len = 1;
}

static inline uint32_t built_section(struct built *b, const char *name, uint32_t type,
				     uint64_t flags, const void *data, size_t size, uint32_t info)
{
	Elf64_Shdr *header = &b->headers[b->count];

	header->sh_name = b->names_len;
	strcpy(b->names + b->names_len, name);
	b->names_len += (uint32_t)strlen(name) + 1;
	header->sh_type = type;
	header->sh_flags = flags;
	header->sh_info = info;
	header->sh_size = size;
	header->sh_offset = b->size = (b->size + 7) / 8 * 8;
	if (type != SHT_NOBITS) {
		if (size)
			memcpy(b->bytes + b->size, data, size);
		b->size += size;
	}
	return b->count++;
}

static inline uint32_t built_symbol(struct built *b, const char *name, uint32_t section,
				    unsigned bind, unsigned type, uint64_t value, uint64_t size)
{
	b->symbols[b->symbol_count] = (Elf64_Sym){
		.st_name = b->strings_len,
		.st_info = (unsigned char)ELF64_ST_INFO(bind, type),
		.st_shndx = (uint16_t)section,
		.st_value = value,
		.st_size = size,
	};
	strcpy(b->strings + b->strings_len, name);
	b->strings_len += (uint32_t)strlen(name) + 1;
	return b->symbol_count++;
}

/* Adds symbol, string and name tables, section headers and the ELF header. */
static inline void built_finish(struct built *b)
{
	uint32_t strtab, symtab, shstrtab;
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_REL, .e_machine = 247, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(header), .e_shentsize = sizeof(Elf64_Shdr),
	};

	strtab = built_section(b, ".strtab", SHT_STRTAB, 0, b->strings, b->strings_len, 0);
	symtab = built_section(b, ".symtab", SHT_SYMTAB, 0, b->symbols,
			       b->symbol_count * sizeof(Elf64_Sym), 1);
	b->headers[symtab].sh_link = strtab;
	b->headers[symtab].sh_entsize = sizeof(Elf64_Sym);
	shstrtab = built_section(b, ".shstrtab", SHT_STRTAB, 0, b->names, sizeof(b->names), 0);
	memcpy(b->bytes + b->headers[shstrtab].sh_offset, b->names, sizeof(b->names));
	for (uint32_t i = 1; i < b->count; i++)
		if (b->headers[i].sh_type == SHT_REL)
			b->headers[i].sh_link = symtab;
	header.e_shoff = b->size = (b->size + 7) / 8 * 8;
	header.e_shnum = (uint16_t)b->count;
	header.e_shstrndx = (uint16_t)shstrtab;
	memcpy(b->bytes + b->size, b->headers, b->count * sizeof(*b->headers));
	b->size += b->count * sizeof(*b->headers);
	memcpy(b->bytes, &header, sizeof(header));
}

/* r0 = 0; exit */
static const unsigned char code_ret0[16] = { 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95 };
enum { CODE = SHF_ALLOC | SHF_EXECINSTR };

#endif
