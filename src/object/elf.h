/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.h - a relocatable ELF file for eBPF, read within its bounds.
 *
 * Every offset, count and name is checked when the file is opened; afterwards
 * sections and symbols are plain arrays whose views lie inside the image. An
 * image is at most as large as a file can be read into memory, and no table
 * here is larger than a constant times the image.
 *
 * Threads: immutable after elf_open(). The image must outlive it.
 */
#ifndef OBJECT_ELF_H
#define OBJECT_ELF_H

#include <stdbool.h>
#include <stdint.h>
#include <skep/diag.h>
#include "base/base.h"

struct elf_section {
	const char *name;        /* "" where it has none */
	uint32_t type;           /* SHT_* */
	uint32_t link, info;
	bool code;               /* SHF_EXECINSTR */
	uint64_t size;           /* bytes in memory; SHT_NOBITS has no data */
	struct view data;        /* bytes in the file */
	uint64_t entry_size;
};

struct elf_symbol {
	const char *name;        /* of an unnamed section symbol: the section's */
	uint8_t type, bind, visibility; /* STT_*, STB_*, STV_* */
	uint32_t section;        /* index, or SHN_UNDEF, SHN_ABS, SHN_COMMON */
	uint64_t value, size;
};

struct elf_relo {
	uint64_t offset;         /* bytes into the section it applies to */
	uint32_t symbol, type;   /* type: R_BPF_* */
};

struct elf {
	struct elf_section *sections; /* owned; [0] is the null section */
	size_t section_count;
	struct elf_symbol *symbols;   /* owned */
	size_t symbol_count;
};

/* Relocation types: R_BPF_64_64, R_BPF_64_ABS64 ... */
enum { ELF_R_64 = 1, ELF_R_ABS64 = 2, ELF_R_ABS32 = 3, ELF_R_NODYLD32 = 4, ELF_R_CALL32 = 10 };

int elf_open(struct view image, const char *name, struct elf *elf, struct skep_diag *diag);
void elf_done(struct elf *elf);

/* The first section of this name; 0 if there is none. */
uint32_t elf_find(const struct elf *elf, const char *name);
size_t elf_relo_count(const struct elf_section *section);
struct elf_relo elf_relo_at(const struct elf_section *section, size_t index);

#endif
