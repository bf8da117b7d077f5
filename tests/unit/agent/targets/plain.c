/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that knows what a fresh program may expect: its arguments, no pending
 * or blocked signal, no descriptors but the first three, its first bytes of text
 * as in the file, and registers of the start as the ABI has them. Exits with 40
 * plus its number of arguments, or with the number of what is wrong.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <elf.h>

extern char __ehdr_start[];

/* The page of the entry point, where an agent would be brought in, against the file. */
static int text_intact(void)
{
	const Elf64_Ehdr *head = (const void *)__ehdr_start;
	const Elf64_Phdr *part = (const void *)(__ehdr_start + head->e_phoff);
	uint64_t page = head->e_entry & ~4095ull;
	char bytes[4096];
	int fd = open("/proc/self/exe", O_RDONLY);

	for (int i = 0; i < head->e_phnum; i++, part++) {
		uint64_t bias = (uint64_t)(uintptr_t)__ehdr_start;

		if (part->p_type != PT_LOAD || head->e_entry < part->p_vaddr ||
		    head->e_entry >= part->p_vaddr + part->p_filesz)
			continue;
		if (head->e_type == ET_EXEC)
			bias = 0;
		ssize_t got = pread(fd, bytes, sizeof(bytes),
				    (off_t)(part->p_offset + page - part->p_vaddr));
		uint64_t end = part->p_vaddr + part->p_filesz - page;

		close(fd);
		return got > 0 && memcmp(bytes, (char *)(uintptr_t)(bias + page),
					 (size_t)got < end ? (size_t)got : (size_t)end) == 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	sigset_t set;

	(void)argv;
	if (dup(0) != 3)
		return 1;
	close(3);
	if (!text_intact())
		return 2;
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&set, sig))
			return 3;
	sigpending(&set);
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&set, sig))
			return 4;
	return 40 + argc;
}
