/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch_write.c - see patch_write.h. [runtime]
 *
 * Who may be executing the code decides how it is written: nobody (the pages become writable
 * for a moment), threads that are all stopped, or threads that run. For these only one byte
 * changes at a time, behind a trap.
 */
#include "agent/patch_write.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include "agent/patch_memory.h"
#include "base/base.h"
#include "map/sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096, JUMP = 0xe9, TRAP = 0xcc };

static void *code_at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

size_t patch_change_size(const struct patch_site *site)
{
	if (site->state != SITE_JUMP)
		return 1;
	return site->trapped ? site->patch->call_from + 1u : (size_t)PATCH_JUMP_SIZE;
}

/* What a site's bytes become when it is patched (in), or when it is removed. */
static void change_bytes(const struct patch_site *site, bool in, uint8_t bytes[PATCH_BYTES])
{
	int32_t distance = (int32_t)(site->stub - (site->address + PATCH_JUMP_SIZE));

	memcpy(bytes, site->patch->original, PATCH_BYTES);
	memcpy(bytes, site->were, MIN(sizeof(site->were), (size_t)site->patch->length));
	if (!in)
		return;
	bytes[0] = site->state == SITE_JUMP ? JUMP : TRAP;
	memcpy(bytes + 1, &distance, sizeof(distance));
	if (site->trapped)
		bytes[site->patch->call_from] = TRAP;
}

/* /proc/self/mem writes what is not writable; without it the page is replaced by a copy. */
struct writer {
	int64_t fd;
};

static int replace_page(uint64_t address, const void *bytes, size_t size)
{
	uint64_t page = address & ~(uint64_t)(PAGE - 1);
	uint64_t length = (address + size - page + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	int64_t copy = patch_pages(0, length, PROT_READ | PROT_WRITE, 0);
	int64_t error;

	if (copy < 0)
		return (int)copy;
	memcpy(code_at((uint64_t)copy), code_at(page), length);
	memcpy(code_at((uint64_t)copy + (address - page)), bytes, size);
	error = sys_call3(SYS_mprotect, copy, length, PROT_READ | PROT_EXEC);
	if (error == 0)
		error = sys_call(SYS_mremap, (uint64_t)copy, length, length,
				 MREMAP_MAYMOVE | MREMAP_FIXED, page, 0);
	if (error >= 0)
		return 0;
	sys_call2(SYS_munmap, copy, length);
	return (int)error;
}

static int write_code(const struct writer *writer, uint64_t address, const void *bytes,
		      size_t size)
{
	if (writer->fd >= 0 &&
	    sys_call4(SYS_pwrite64, writer->fd, (uintptr_t)bytes, size, address) == (int64_t)size)
		return 0;
	return replace_page(address, bytes, size);
}

/* Every thread of the process sees what was written before, also where it executes. */
static void sync_cores(void)
{
	static bool registered;

	if (!registered) {
		sys_call3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0,
			  0);
		registered = true;
	}
	sys_call3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
}

/* Three rounds over all sites: trap, tail, first byte. */
static int change_live(struct patch_site *const *sites, size_t count, bool in,
		       const struct writer *writer)
{
	static const uint8_t trap = TRAP;
	int error = 0;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < count && !error; i++) {
			uint64_t at = sites[i]->address;
			size_t size = patch_change_size(sites[i]);
			uint8_t bytes[PATCH_BYTES];

			change_bytes(sites[i], in, bytes);
			if (round == 2)
				error = write_code(writer, at, bytes, 1);
			else if (size > 1)
				error = round ? write_code(writer, at + 1, bytes + 1, size - 1)
					      : write_code(writer, at, &trap, 1);
		}
		sync_cores();
	}
	return error;
}

/* Nobody executes anything; what they had read of it is forgotten. */
static int change_held(struct patch_site *const *sites, size_t count, bool in,
		       const struct writer *writer)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		uint8_t bytes[PATCH_BYTES];

		change_bytes(sites[i], in, bytes);
		error = write_code(writer, sites[i]->address, bytes, patch_change_size(sites[i]));
	}
	sync_cores();
	return error;
}

static uint64_t page_end(const struct patch_site *site)
{
	return (site->address + patch_change_size(site) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/*
 * The end of the pages of sites that lie close together, in order of address; of all that lie in
 * the batch's mapping, so that it does not fall to pieces.
 */
static uint64_t run_end(struct patch_site *const *sites, size_t count,
			const struct patch_batch *batch)
{
	uint64_t end = page_end(sites[0]);

	for (size_t i = 1; i < count; i++) {
		uint64_t at = sites[i]->address;

		if (at < sites[0]->address || (at > end + PAGE && at >= batch->end))
			break;
		end = MAX(end, page_end(sites[i]));
	}
	return end;
}

/* The pages' own copies at one stretch, as a fault for each would take longer. Older kernels
 * do not know it: then they are made one by one. */
static void copy_pages(struct patch_site *const *sites, size_t count, uint64_t high)
{
	for (size_t i = 0; i < count && sites[i]->address < high;) {
		uint64_t low = sites[i]->address & ~(uint64_t)(PAGE - 1), end = page_end(sites[i]);

		while (++i < count && sites[i]->address >= low && sites[i]->address < end + PAGE)
			end = page_end(sites[i]);
		sys_call3(SYS_madvise, low, end - low, MADV_POPULATE_WRITE);
	}
}

/* Nobody executes the pages: they are made writable, and executable again, in runs. */
static int change_alone(struct patch_site *const *sites, size_t count, bool in,
			const struct patch_batch *batch)
{
	uint64_t low = 0, high = 0;
	int64_t error = 0;

	for (size_t i = 0; i < count && error >= 0; i++) {
		uint64_t at = sites[i]->address;
		uint8_t bytes[PATCH_BYTES];

		if (at < low || page_end(sites[i]) > high) {
			if (high)
				sys_call3(SYS_mprotect, low, high - low, PROT_READ | PROT_EXEC);
			low = at & ~(uint64_t)(PAGE - 1);
			high = run_end(sites + i, count - i, batch);
			error = sys_call3(SYS_mprotect, low, high - low, PROT_READ | PROT_WRITE);
			copy_pages(sites + i, count - i, high);
		}
		change_bytes(sites[i], in, bytes);
		if (error >= 0)
			memcpy(code_at(at), bytes, patch_change_size(sites[i]));
	}
	if (high)
		sys_call3(SYS_mprotect, low, high - low, PROT_READ | PROT_EXEC);
	return error < 0 ? (int)error : 0;
}

int patch_write(struct patch_site *const *sites, size_t count, bool in, enum patch_mode mode,
		const struct patch_batch *batch)
{
	struct writer writer;
	int error;

	if (mode == PATCH_ALONE)
		return change_alone(sites, count, in, batch);
	writer.fd = sys_call3(SYS_openat, AT_FDCWD, (uintptr_t)"/proc/self/mem", O_RDWR | O_CLOEXEC);
	error = mode == PATCH_HELD ? change_held(sites, count, in, &writer)
				   : change_live(sites, count, in, &writer);
	if (writer.fd >= 0)
		sys_call1(SYS_close, writer.fd);
	return error;
}
