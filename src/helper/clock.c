/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c - reading the kernel's clocks at the cost of a function call. [runtime]
 *
 * The kernel maps a shared object into every process whose clock_gettime needs
 * no system call, no lock and no thread state: it reads a page that the kernel
 * updates, and tries again if it caught an update. It is found here by reading
 * the object's dynamic symbols, so that no libc is needed.
 */
#include "helper/clock.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "map/owner.h"
#include "map/sys.h"

typedef int clock_fn(int clock, struct timespec *time);

static clock_fn *vdso_clock; /* NULL: by system call. Written once, before any reader */
static uint64_t tick_ns;

struct vdso {
	uint64_t bias;
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash; /* DT_HASH: buckets, chains; the second is the symbol count */
	const uint32_t *gnu;  /* DT_GNU_HASH */
};

/* The number of dynamic symbols: only the hash tables tell. */
static uint32_t vdso_symbol_count(const struct vdso *vdso)
{
	const uint32_t *buckets, *chains;
	uint32_t last = 0;

	if (vdso->hash)
		return vdso->hash[1];
	if (!vdso->gnu)
		return 0;
	buckets = vdso->gnu + 4 + 2 * vdso->gnu[2];
	chains = buckets + vdso->gnu[0];
	for (uint32_t i = 0; i < vdso->gnu[0]; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < vdso->gnu[1])
		return 0;
	while (!(chains[last - vdso->gnu[1]] & 1))
		last++;
	return last + 1;
}

static void vdso_read_dynamic(struct vdso *vdso, const Elf64_Dyn *dynamic)
{
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uint64_t address = vdso->bias + dynamic->d_un.d_ptr;

		switch (dynamic->d_tag) {
		case DT_SYMTAB:
			vdso->symbols = (const Elf64_Sym *)(uintptr_t)address;
			break;
		case DT_STRTAB:
			vdso->strings = (const char *)(uintptr_t)address;
			break;
		case DT_HASH:
			vdso->hash = (const uint32_t *)(uintptr_t)address;
			break;
		case DT_GNU_HASH:
			vdso->gnu = (const uint32_t *)(uintptr_t)address;
			break;
		default:
			break;
		}
	}
}

static clock_fn *vdso_find(const Elf64_Ehdr *header, const char *name)
{
	const Elf64_Phdr *segments =
		(const Elf64_Phdr *)((uintptr_t)header + (uintptr_t)header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;
	struct vdso vdso = { 0 };
	uint64_t load = 0;

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
			load = segments[i].p_vaddr;
	vdso.bias = (uint64_t)(uintptr_t)header - load;
	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf64_Dyn *)(uintptr_t)(vdso.bias + segments[i].p_vaddr);
	if (!dynamic)
		return NULL;
	vdso_read_dynamic(&vdso, dynamic);
	if (!vdso.symbols || !vdso.strings)
		return NULL;
	for (uint32_t i = 0, n = vdso_symbol_count(&vdso); i < n; i++)
		if (vdso.symbols[i].st_shndx != SHN_UNDEF &&
		    strcmp(vdso.strings + vdso.symbols[i].st_name, name) == 0)
			return (clock_fn *)(uintptr_t)(vdso.bias + vdso.symbols[i].st_value);
	return NULL;
}

void clock_init(uint64_t vdso)
{
#if defined(__x86_64__)
	const char *name = "__vdso_clock_gettime";
#else
	const char *name = "__kernel_clock_gettime";
#endif
	struct timespec time = { 0 };

	if (vdso)
		vdso_clock = vdso_find((const Elf64_Ehdr *)(uintptr_t)vdso, name);
	sys_call4(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, (uintptr_t)&time, 0, 0);
	tick_ns = (uint64_t)time.tv_nsec;
}

__attribute__((constructor)) static void clock_load(void)
{
	clock_init(getauxval(AT_SYSINFO_EHDR));
}

/* Programs are told the time at home, as the kernel tells its own. */
static int64_t clock_ahead(int clock)
{
	if (clock == CLOCK_BOOTTIME)
		return owner_ahead.boot_ns;
	return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ? owner_ahead.monotonic_ns : 0;
}

uint64_t clock_ns(int clock)
{
	struct timespec time = { 0 };

	if (!vdso_clock || vdso_clock(clock, &time) != 0)
		sys_call4(SYS_clock_gettime, (uint64_t)clock, (uintptr_t)&time, 0, 0);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec -
	       (uint64_t)clock_ahead(clock);
}

uint64_t clock_tick_ns(void)
{
	return tick_ns ? tick_ns : 4000000;
}
