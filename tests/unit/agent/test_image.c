/* SPDX-License-Identifier: BSD-2-Clause */
/* The agent's image: that it needs nothing and lies where it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hook/image.h"

extern const uint8_t agent_image[], agent_image_end[];

#define BASE 0x100fff000000ull

static size_t image_size(void)
{
	return (size_t)(agent_image_end - agent_image);
}

/* What is not R_X86_64_RELATIVE would need a dynamic linker; image_layout() refuses it. */
static void image__lies_at_the_address_it_is_told(void **state)
{
	struct image at_one, at_other;
	size_t changed = 0;

	(void)state;
	assert_int_equal(image_init(&at_one, BASE), 0);
	assert_int_equal(image_init(&at_other, BASE + 0x10000), 0);
	assert_true(at_one.table.size < AGENT_SPAN);
	assert_memory_equal(at_one.bytes, at_other.bytes, sizeof(struct agent_table));
	for (size_t i = 0; i + 8 <= at_one.table.size; i += 8) {
		uint64_t one, other;

		memcpy(&one, at_one.bytes + i, 8);
		memcpy(&other, at_other.bytes + i, 8);
		if (one == other)
			continue;
		changed++;
		assert_int_equal(other - one, 0x10000);
		assert_in_range(one, BASE, BASE + at_one.table.size);
	}
	assert_true(changed > 100); /* the tables of helpers and maps */
	image_done(&at_one);
	image_done(&at_other);
}

static void image__text_has_no_pointers_to_relocate(void **state)
{
	struct image at_one, at_other;

	(void)state;
	assert_int_equal(image_init(&at_one, BASE), 0);
	assert_int_equal(image_init(&at_other, BASE + 0x10000), 0);
	assert_memory_equal(at_one.bytes, at_other.bytes, at_one.table.text);
	image_done(&at_one);
	image_done(&at_other);
}

static void image__needs_no_symbol_of_anybody(void **state)
{
	const Elf64_Ehdr *head = (const void *)agent_image;
	const Elf64_Shdr *sections = (const void *)(agent_image + head->e_shoff);
	int tables = 0;

	(void)state;
	for (int i = 0; i < head->e_shnum; i++) {
		const Elf64_Sym *syms = (const void *)(agent_image + sections[i].sh_offset);

		if (sections[i].sh_type != SHT_SYMTAB && sections[i].sh_type != SHT_DYNSYM)
			continue;
		tables++;
		for (size_t s = 1; s < sections[i].sh_size / sizeof(*syms); s++)
			if (syms[s].st_shndx == SHN_UNDEF)
				fail_msg("undefined: %s", agent_image +
					 sections[sections[i].sh_link].sh_offset + syms[s].st_name);
	}
	assert_true(tables > 0);
}

static void image__damaged_bytes_are_refused(void **state)
{
	size_t size = image_size(), refused = 0;
	struct image image;
	uint8_t *copy;

	(void)state;
	assert_int_equal(image_layout(&image, "", 0, BASE), -ENOEXEC);
	assert_int_equal(image_layout(&image, agent_image, size / 8, BASE), -ENOEXEC);
	/* Any byte of the headers: an error, or an image whose table is sound. */
	copy = malloc(size);
	for (size_t i = 0; i < 64 + 3 * 56; i++) {
		memcpy(copy, agent_image, size);
		copy[i] ^= 0xff;
		if (image_layout(&image, copy, size, BASE) == 0)
			image_done(&image);
		else
			refused++;
	}
	assert_true(refused > 20);
	free(copy);
}

static void image__written_file_maps_as_the_image(void **state)
{
	struct image image;
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t *at;

	(void)state;
	assert_int_equal(image_init(&image, BASE), 0);
	assert_int_equal(image_write(&image, fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), image.table.size);
	at = mmap(NULL, image.table.size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_memory_equal(at, image.bytes, image.table.size);
	munmap(at, image.table.size);
	image_done(&image);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image__lies_at_the_address_it_is_told),
		cmocka_unit_test(image__text_has_no_pointers_to_relocate),
		cmocka_unit_test(image__needs_no_symbol_of_anybody),
		cmocka_unit_test(image__damaged_bytes_are_refused),
		cmocka_unit_test(image__written_file_maps_as_the_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
