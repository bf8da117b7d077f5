/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.c - lays out the agent's image for the address it will run at.
 *
 * The image is an ELF file of two loaded parts. Its only relocations are
 * R_X86_64_RELATIVE, "base plus a number", so that adding is all there is to
 * do; anything else means that the image was built wrongly.
 */
#include "hook/image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

extern const uint8_t agent_image[], agent_image_end[];

/* Of the file's bytes; NULL when they are not all there. */
static const void *elf_range(const uint8_t *elf, size_t size, uint64_t off, uint64_t length)
{
	return off <= size && length <= size - off ? elf + off : NULL;
}

static int image_load(struct image *image, const uint8_t *elf, size_t size,
		      const Elf64_Phdr *part)
{
	const void *from = elf_range(elf, size, part->p_offset, part->p_filesz);

	if (!from || part->p_filesz > part->p_memsz || part->p_vaddr > AGENT_SPAN ||
	    part->p_memsz > AGENT_SPAN - part->p_vaddr)
		return -ENOEXEC;
	memcpy(image->bytes + part->p_vaddr, from, part->p_filesz);
	return 0;
}

static int image_relocate_one(struct image *image, const Elf64_Rela *rela)
{
	uint64_t value = image->base + (uint64_t)rela->r_addend;

	if (ELF64_R_TYPE(rela->r_info) != R_X86_64_RELATIVE || rela->r_offset > AGENT_SPAN - 8)
		return -ENOEXEC;
	memcpy(image->bytes + rela->r_offset, &value, sizeof(value));
	return 0;
}

/* The dynamic section says where the relocations are; both are in the image. */
static int image_relocate(struct image *image, const Elf64_Phdr *part)
{
	uint64_t at = 0, length = 0;

	for (uint64_t off = 0; off + sizeof(Elf64_Dyn) <= part->p_filesz; off += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;

		if (part->p_vaddr + off > AGENT_SPAN - sizeof(entry))
			return -ENOEXEC;
		memcpy(&entry, image->bytes + part->p_vaddr + off, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_NEEDED || entry.d_tag == DT_JMPREL)
			return -ENOEXEC;
		if (entry.d_tag == DT_RELA)
			at = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_RELASZ)
			length = entry.d_un.d_val;
	}
	if (at > AGENT_SPAN || length > AGENT_SPAN - at)
		return -ENOEXEC;
	for (uint64_t off = 0; off + sizeof(Elf64_Rela) <= length; off += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		int error;

		memcpy(&rela, image->bytes + at + off, sizeof(rela));
		error = image_relocate_one(image, &rela);
		if (error < 0)
			return error;
	}
	return 0;
}

bool image_table_good(const struct agent_table *table)
{
	const uint32_t code[] = { table->start, table->thread, table->leave, table->stop, table->look,
				  table->settle, table->patch, table->call, table->back, table->called };
	bool good = table->magic == AGENT_MAGIC && table->size <= AGENT_SPAN && table->size % 4096 == 0 &&
		    table->text % 4096 == 0 && table->text <= table->size &&
		    table->stack <= table->size && table->stack >= table->text &&
		    table->note >= table->text &&
		    table->note <= table->size - sizeof(struct agent_start);

	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		good &= code[i] < table->text;
	return good;
}

static int image_check_table(struct image *image)
{
	memcpy(&image->table, image->bytes, sizeof(image->table));
	return image_table_good(&image->table) ? 0 : -ENOEXEC;
}

static int image_read(struct image *image, const uint8_t *elf, size_t size)
{
	const Elf64_Ehdr *head = elf_range(elf, size, 0, sizeof(*head));
	const Elf64_Phdr *parts;
	int error = 0;

	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_machine != EM_X86_64 ||
	    head->e_phentsize != sizeof(*parts))
		return -ENOEXEC;
	parts = elf_range(elf, size, head->e_phoff, (uint64_t)head->e_phnum * sizeof(*parts));
	for (int i = 0; parts && i < head->e_phnum && !error; i++)
		if (parts[i].p_type == PT_LOAD)
			error = image_load(image, elf, size, &parts[i]);
	for (int i = 0; parts && i < head->e_phnum && !error; i++)
		if (parts[i].p_type == PT_DYNAMIC)
			error = image_relocate(image, &parts[i]);
	if (!parts)
		return -ENOEXEC;
	return error ? error : image_check_table(image);
}

int image_layout(struct image *image, const void *elf, size_t size, uint64_t base)
{
	uint8_t *copy = malloc(size ? size : 1); /* aligned, whatever was given */
	int error;

	*image = (struct image){ .base = base, .bytes = calloc(1, AGENT_SPAN) };
	if (!copy || !image->bytes) {
		free(copy);
		image_done(image);
		return -ENOMEM;
	}
	memcpy(copy, elf, size);
	error = image_read(image, copy, size);
	free(copy);
	if (error < 0)
		image_done(image);
	return error;
}

int image_init(struct image *image, uint64_t base)
{
	return image_layout(image, agent_image, (size_t)(agent_image_end - agent_image), base);
}

void image_done(struct image *image)
{
	free(image->bytes);
	image->bytes = NULL;
}

int image_write(const struct image *image, int fd)
{
	for (size_t done = 0; done < image->table.size;) {
		ssize_t n = pwrite(fd, image->bytes + done, image->table.size - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
