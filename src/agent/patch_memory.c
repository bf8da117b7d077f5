/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch_memory.c - see patch_memory.h. [runtime]
 *
 * Areas are reserved near the code by asking the kernel for one address after the other, never
 * replacing what is there:
 *
 *      area: | stubs, executable | pages of this batch, writable | reserved, no access |
 *            base                sealed                          used   opened     size
 */
#include "agent/patch_memory.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include "agent/patch.h"
#include "map/sys.h"

enum {
	PAGE = 4096,
	AREA_SIZE = 1 << 20,
	OPENED = 1 << 16,      /* so much becomes writable at a time */
	POOL_SIZE = 1 << 16,
};

/* Less than 2 GiB: the code itself and what it refers to must be in reach too. */
#define REACH ((uint64_t)0x70000000)
#define LOWEST ((uint64_t)0x10000)
#define HIGHEST ((uint64_t)0x7ffffffff000)

struct patch_area {
	struct patch_area *next;
	uint64_t base, size, used, opened, sealed;
};

struct pool {
	struct pool *next;
	size_t used;
};

static struct patch_area *areas;
static struct pool *pools;

int64_t patch_pages(uint64_t address, uint64_t size, int prot, int flags)
{
	return sys_call(SYS_mmap, address, size, (uint64_t)prot,
			(uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags), (uint64_t)-1, 0);
}

void *patch_record(size_t size)
{
	struct pool *pool = pools;

	size = (size + 15) & ~(size_t)15;
	if (!pool || pool->used + size > POOL_SIZE) {
		int64_t got = patch_pages(0, POOL_SIZE, PROT_READ | PROT_WRITE, 0);

		if (got <= 0)
			return NULL;
		pool = (struct pool *)(uintptr_t)got;
		pool->used = (sizeof(*pool) + 15) & ~(size_t)15;
		pool->next = pools;
		pools = pool;
	}
	pool->used += size;
	return (char *)pool + pool->used - size;
}

/* --- areas --- */

/* The kernels that know MAP_FIXED_NOREPLACE answer -EEXIST; older ones go elsewhere. */
static int64_t reserve_at(uint64_t address, uint64_t size)
{
	int64_t got = patch_pages(address, size, PROT_NONE, MAP_NORESERVE | MAP_FIXED_NOREPLACE);

	if (got >= 0 && (uint64_t)got != address) {
		sys_call2(SYS_munmap, got, size);
		return -EEXIST;
	}
	return got;
}

/*
 * Below the code first: above a program is its heap, which must be able to grow. Steps double
 * until they reach the distance of other mappings, so that a few dozen calls find a place.
 */
static int64_t reserve_near(uint64_t address, uint64_t size)
{
	uint64_t page = address & ~(uint64_t)(AREA_SIZE - 1);

	for (int up = 0; up < 2; up++) {
		uint64_t step = AREA_SIZE, distance = step;

		for (; distance < REACH; distance += step) {
			uint64_t at = up ? page + distance : page - distance;
			int64_t got;

			if ((!up && distance + LOWEST > page) || at + size > HIGHEST)
				break;
			got = reserve_at(at, size);
			if (got >= 0 || got == -ENOMEM)
				return got;
			if (step < 64u << 20 && distance >= 16 * step)
				step *= 2;
		}
	}
	return -ENOMEM;
}

static bool in_reach(const struct patch_area *area, uint64_t address)
{
	uint64_t end = area->base + area->size;

	return address > area->base ? address - area->base < REACH : end - address < REACH;
}

static struct patch_area *area_for(uint64_t address, uint64_t need)
{
	struct patch_area *area;
	int64_t base;

	for (area = areas; area; area = area->next)
		if (in_reach(area, address) && area->size - area->used >= need)
			return area;
	area = patch_record(sizeof(*area));
	if (!area)
		return NULL;
	base = reserve_near(address, AREA_SIZE);
	if (base < 0)
		return NULL;
	area->base = (uint64_t)base;
	area->size = AREA_SIZE;
	area->used = area->opened = area->sealed = 0;
	area->next = areas;
	__atomic_store_n(&areas, area, __ATOMIC_RELEASE);
	return area;
}

uint64_t patch_room(uint64_t address, uint64_t size)
{
	struct patch_area *area;
	uint64_t at, end;

	size = (size + 15) & ~(uint64_t)15;
	area = area_for(address, size);
	if (!area)
		return 0;
	at = area->base + area->used;
	end = (area->used + size + OPENED - 1) & ~(uint64_t)(OPENED - 1);
	if (area->used + size > area->opened) {
		if (sys_call3(SYS_mprotect, area->base + area->opened, end - area->opened,
			      PROT_READ | PROT_WRITE) < 0)
			return 0;
		area->opened = end;
	}
	area->used += size;
	return at;
}

int patch_seal(void)
{
	for (struct patch_area *area = areas; area; area = area->next) {
		uint64_t end = (area->used + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		int64_t error = 0;

		if (end > area->sealed)
			error = sys_call3(SYS_mprotect, area->base + area->sealed,
					  end - area->sealed, PROT_READ | PROT_EXEC);
		/* Those that were opened too early are taken back. */
		if (error == 0 && area->opened > end)
			error = sys_call3(SYS_mprotect, area->base + end, area->opened - end, PROT_NONE);
		if (error < 0)
			return (int)error;
		area->used = area->opened = area->sealed = end;
	}
	return 0;
}

bool patch_is_stub(uint64_t address)
{
	const struct patch_area *area = __atomic_load_n(&areas, __ATOMIC_ACQUIRE);

	for (; area; area = area->next)
		if (address - area->base < area->size)
			return true;
	return false;
}

void patch_memory_free(bool stubs_stay)
{
	for (struct patch_area *area = areas; area; area = area->next) {
		uint64_t kept = stubs_stay ? area->sealed : 0;

		if (area->size > kept)
			sys_call2(SYS_munmap, area->base + kept, area->size - kept);
	}
	areas = NULL;
	while (pools) {
		struct pool *next = pools->next;

		sys_call2(SYS_munmap, (uintptr_t)pools, POOL_SIZE);
		pools = next;
	}
}
