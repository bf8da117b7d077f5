/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * made: writes code into memory and makes it executable; it asks for the parent's id, each time
 * round seven times. made FILE OFFSET: maps FILE as data, makes that executable, calls what is
 * at OFFSET five times, and changes it where it may be written, and calls it again.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int run_made(void)
{
	static const unsigned char code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	unsigned char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int round = 0; round < 3; round++) {
		mprotect(memory, 4096, PROT_READ | PROT_WRITE);
		memcpy(memory + round * 100, code, sizeof(code));
		mprotect(memory, 4096, PROT_READ | PROT_EXEC);
		for (int i = 0; i < 7; i++)
			if (((int (*)(void))(memory + round * 100))() != getppid())
				return 1;
	}
	return 0;
}

static int run_file(const char *path, size_t offset)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	unsigned char *memory, before[16];
	int (*work)(int);

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	memcpy(before, memory + offset, sizeof(before));
	work = (int (*)(int))(memory + offset);
	mprotect(memory, (size_t)st.st_size, PROT_READ | PROT_EXEC);
	for (int i = 0; i < 5; i++)
		if (work(i) != i + 1)
			return 2;
	/* What a linker would find that relocates it. */
	mprotect(memory, (size_t)st.st_size, PROT_READ | PROT_WRITE);
	if (memcmp(memory + offset, before, sizeof(before)) != 0)
		return 3;
	memcpy(memory + offset, (const unsigned char[]){ 0x8d, 0x47, 0x02, 0xc3 }, 4);
	mprotect(memory, (size_t)st.st_size, PROT_READ | PROT_EXEC);
	return work(1) == 3 ? 0 : 4;
}

int main(int argc, char **argv)
{
	return argc < 3 ? run_made() : run_file(argv[1], strtoul(argv[2], NULL, 0));
}
