/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch.c - see patch.h. [runtime]
 *
 * Sites are in a table by address, which only grows, so that a signal handler can look there.
 */
#include "agent/patch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "agent/patch_memory.h"
#include "agent/patch_write.h"
#include "base/base.h"
#include "map/sys.h"

enum { BUCKET_BITS = 13, BUCKETS = 1 << BUCKET_BITS, PAGE = 4096 };

uint64_t patch_gate, patch_ways;
bool (*patch_occupied)(const struct patch *patch, uint64_t address);
static struct patch_site *buckets[BUCKETS];

static void *at_address(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* --- sites --- */

static struct patch_site **bucket_of(uint64_t address)
{
	return &buckets[(address * 0x9e3779b97f4a7c15u) >> (64 - BUCKET_BITS)];
}

struct patch_site *patch_find(uint64_t address)
{
	struct patch_site *site = __atomic_load_n(bucket_of(address), __ATOMIC_ACQUIRE);

	while (site && site->address != address)
		site = __atomic_load_n(&site->next, __ATOMIC_ACQUIRE);
	return site;
}

struct patch_site *patch_overlap(uint64_t start, uint64_t end)
{
	for (uint64_t at = start - PATCH_BYTES + 1; at < end; at++) {
		struct patch_site *site = patch_find(at);

		if (site && site->state != SITE_OUT && at + patch_change_size(site) > start)
			return site;
	}
	return NULL;
}

static bool is_call(const struct patch_site *site)
{
	return site->patch->kind == PATCH_SYSCALL;
}

static bool is_in_stub(const struct patch_site *site, uint64_t address)
{
	return address - site->stub < site->code + site->patch->code_size - site->stub;
}

/*
 * A thread that is found in a stub sleeps in a call mostly: at it or behind it, before the
 * instruction that says where the call returns to.
 */
static struct patch_site *site_of_call(uint64_t address)
{
	static const uint8_t call[] = { 0x0f, 0x05, 0x48, 0x8d, 0x0d };
	int32_t distance;
	uint64_t end;

	if (memcmp(at_address(address), call, sizeof(call)) != 0) {
		address -= 2;
		if (!patch_is_stub(address) || memcmp(at_address(address), call, sizeof(call)) != 0)
			return NULL;
	}
	memcpy(&distance, at_address(address + sizeof(call)), sizeof(distance));
	end = address + sizeof(call) + sizeof(distance) + (uint64_t)(int64_t)distance;
	for (unsigned length = 2; length <= PATCH_BYTES; length++) {
		struct patch_site *site = patch_find(end - length);

		if (site && is_call(site) && is_in_stub(site, address))
			return site;
	}
	return NULL;
}

struct patch_site *patch_of_stub(uint64_t address)
{
	struct patch_site *found = patch_is_stub(address) ? site_of_call(address) : NULL;

	for (unsigned i = 0; !found && i < BUCKETS && patch_is_stub(address); i++)
		for (struct patch_site *site = buckets[i]; site && !found; site = site->next)
			found = is_in_stub(site, address) ? site : NULL;
	return found;
}

void patch_each(void (*call)(void *arg, struct patch_site *site), void *arg)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct patch_site *site = buckets[i]; site; site = site->next)
			call(arg, site);
}

/* The site of a system call whose first byte is, or was, a trap. */
static const struct patch_site *call_at(uint64_t address)
{
	for (uint64_t at = address - PATCH_BYTES + 1; at <= address; at++) {
		const struct patch_site *site = patch_find(at);

		if (site && is_call(site) && at + site->patch->call_from == address &&
		    (site->trapped || site->patch->method == PATCH_TRAP))
			return site;
	}
	return NULL;
}

static bool is_out(const struct patch_site *site)
{
	return __atomic_load_n(&site->state, __ATOMIC_ACQUIRE) == SITE_OUT;
}

uint64_t patch_trap(uint64_t address)
{
	const struct patch_site *site = patch_find(address), *call;

	if (site && !(is_call(site) && site->patch->method == PATCH_TRAP))
		return is_out(site) ? address : site->stub;
	call = call_at(address);
	/* Removed since the thread met the trap: the instruction is there again. */
	return call && is_out(call) ? address : 0;
}

uint64_t patch_call(uint64_t address)
{
	const struct patch_site *site = call_at(address);

	return site && !is_out(site) ? address + 2 : 0;
}

/* Where a thread in a site's stub would be, were the code as it was. */
static uint64_t site_moved(const struct patch_site *site, uint64_t ip)
{
	const struct patch *patch = site->patch;
	uint64_t at = ip - site->code;

	/* Before the copies nothing has happened yet; the caller sees to threads that are in the
	 * middle of what comes before. */
	if (ip <= site->code)
		return site->address;
	for (unsigned k = 0; k < patch->move_count; k++)
		if (at == patch->moves[k].to)
			return site->address + patch->moves[k].from;
	if (!is_call(site) || at <= patch->call_to)
		return ip;
	if (at <= patch->call_at)
		return site->address + patch->call_from;
	/* Behind a call that ends the window, only rcx is loaded. */
	return patch->call_from + 2 == patch->length ? site->address + patch->length : ip;
}

uint64_t patch_moved(uint64_t ip, bool in)
{
	const struct patch_site *stub = in ? NULL : patch_of_stub(ip);

	if (stub)
		return site_moved(stub, ip);
	for (uint64_t at = ip - PATCH_BYTES; in && at < ip; at++) {
		const struct patch_site *site = patch_find(at);

		for (unsigned k = 0; site && site->state == SITE_JUMP &&
				     k < site->patch->move_count; k++)
			if (at + site->patch->moves[k].from == ip)
				return site->code + site->patch->moves[k].to;
	}
	return ip;
}

uint64_t patch_shown(uint64_t ip)
{
	const struct patch_site *site = patch_of_stub(ip);
	uint64_t to = site ? site_moved(site, ip) : ip;

	if (!site || !is_call(site) || to == ip)
		return ip;
	if (to == site->address || to - site->address >= PATCH_JUMP_SIZE)
		return to;
	/* The call is found anew how it goes. */
	return to == site->address + site->patch->call_from ? site->code + site->patch->call_to : ip;
}

uint64_t patch_returns_to(uint64_t address)
{
	uint64_t end = address - 2; /* of the distance, at the instruction that makes the call */
	int32_t distance;

	memcpy(&distance, at_address(end - sizeof(distance)), sizeof(distance));
	return end + (uint64_t)(int64_t)distance;
}

/* --- stubs --- */

static int apply_fixups(const struct patch *patch, uint64_t site, uint64_t code)
{
	for (unsigned i = 0; i < patch->fixup_count; i++) {
		const struct patch_fixup *fixup = &patch->fixups[i];
		uint64_t target = site + (uint64_t)(int64_t)fixup->to;
		int64_t distance;
		int32_t narrow;

		if (fixup->kind == FIXUP_COPY) {
			memcpy(at_address(code + fixup->at), at_address(target), fixup->end);
			continue;
		}
		if (fixup->kind == FIXUP_MOVED32) {
			memcpy(&narrow, at_address(target), sizeof(narrow));
			target += (uint64_t)(int64_t)narrow + fixup->end - fixup->at;
		}
		distance = (int64_t)(target - (code + fixup->end));
		narrow = (int32_t)distance;
		if (fixup->kind == FIXUP_GATE64)
			target = patch_gate;
		if (fixup->kind == FIXUP_WAYS64)
			target = patch_ways;
		if (fixup->kind != FIXUP_REL32 && fixup->kind != FIXUP_MOVED32) {
			memcpy(at_address(code + fixup->at), &target, sizeof(target));
			continue;
		}
		if (narrow != distance)
			return -ERANGE;
		memcpy(at_address(code + fixup->at), &narrow, sizeof(narrow));
	}
	return 0;
}

/* Whether the site's last stub is what would be written again: a library that comes and goes. */
static bool stub_fits(const struct patch_site *site, const struct patch *patch,
		      const void *before, size_t size)
{
	uint64_t code_size = (patch->code_size + 7u) & ~7u;
	size_t literals = size ? 16 : 0;

	return site->stub != site->address && site->patch == patch && !patch->relocated &&
	       site->code - site->stub == size - literals &&
	       memcmp(at_address(site->stub), before, size - literals) == 0 &&
	       memcmp(at_address(site->code + code_size),
		      (const char *)before + size - literals, literals) == 0;
}

static int write_stub(struct patch_site *site, const struct patch *patch, const void *before,
		      size_t size)
{
	uint64_t code_size = (patch->code_size + 7u) & ~7u;
	/* before: code, then the template, then the literals of before */
	size_t literals = size ? 16 : 0;
	uint64_t stub = patch_room(site->address, size + code_size);
	int32_t distance;

	if (!stub)
		return -ENOMEM;
	site->stub = stub;
	site->code = stub + size - literals;
	memcpy(at_address(stub), before, size - literals);
	memcpy(at_address(site->code), patch->code, patch->code_size);
	if (literals)
		memcpy(at_address(site->code + code_size), (const char *)before + size - literals,
		       literals);
	distance = (int32_t)(site->stub - (site->address + PATCH_JUMP_SIZE));
	if ((int64_t)distance != (int64_t)(site->stub - (site->address + PATCH_JUMP_SIZE)))
		return -ERANGE;
	return apply_fixups(patch, site->address, site->code);
}

/* --- batches --- */

void patch_begin(struct patch_batch *batch, uint64_t start, uint64_t end)
{
	*batch = (struct patch_batch){ .last = &batch->first, .start = start, .end = end };
}

/* Whether bytes [from, to) there are what the patch was made for. */
static bool is_original(const struct patch *patch, uint64_t address, unsigned from, unsigned to)
{
	const uint8_t *bytes = at_address(address);

	if (!patch->relocated)
		return memcmp(bytes + from, patch->original + from, to - from) == 0;
	for (unsigned i = from; i < to; i++)
		if (!(patch->relocated >> i & 1) && bytes[i] != patch->original[i])
			return false;
	return true;
}

struct patch_site *patch_add(struct patch_batch *batch, const struct patch *patch,
			     uint64_t address, const void *before, size_t size, int *error)
{
	struct patch_site *site = patch_find(address);

	*error = -EILSEQ;
	if (!is_original(patch, address, 0, patch->length))
		return NULL;
	*error = -EBUSY;
	if (site && site->state != SITE_OUT)
		return NULL;
	*error = -ENOMEM;
	if (!site) {
		struct patch_site **bucket = bucket_of(address);

		site = patch_record(sizeof(*site));
		if (!site)
			return NULL;
		*site = (struct patch_site){ .address = address, .next = *bucket,
					     .stub = address, .code = address, .patch = patch };
		__atomic_store_n(bucket, site, __ATOMIC_RELEASE);
	}
	if (patch->code_size)
		*error = stub_fits(site, patch, before, size) ? 0 : write_stub(site, patch, before, size);
	else
		*error = 0;
	if (*error)
		return NULL;
	site->patch = patch;
	site->owner = NULL;
	site->stays = false;
	memcpy(site->were, at_address(address), MIN(sizeof(site->were), (size_t)patch->length));
	site->following = NULL;
	*batch->last = site;
	batch->last = &site->following;
	return site;
}

/* --- putting in, taking out --- */

/* The batch as an array, in pages of its own. */
static int64_t batch_array(const struct patch_batch *batch, size_t *count, uint64_t *size)
{
	const struct patch_site *site;
	struct patch_site **sites;
	int64_t got;

	*count = 0;
	for (site = batch->first; site; site = site->following)
		++*count;
	*size = (*count * sizeof(site) + PAGE) & ~(uint64_t)(PAGE - 1);
	got = patch_pages(0, *size, PROT_READ | PROT_WRITE, 0);
	if (got < 0)
		return got;
	sites = at_address((uint64_t)got);
	for (struct patch_site *s = batch->first; s; s = s->following)
		*sites++ = s;
	return got;
}

/* Behind the first instruction a thread may be asleep, and wake up in the jump. */
bool patch_jumps(const struct patch *patch, uint64_t address, enum patch_mode mode)
{
	if (patch->method != PATCH_JUMP)
		return false;
	if (mode == PATCH_ALONE || patch_is_whole(patch))
		return true;
	return mode == PATCH_HELD && !patch_occupied(patch, address);
}

/*
 * Two places of one batch, the second inside the window of the first, whose maker did not know of
 * it: the first is to be a trap. Whether the site itself is that.
 */
static bool yield(struct patch_site *site)
{
	struct patch_site *other = patch_overlap(site->address, site->address + 1);

	if (other && other != site && other->state == SITE_JUMP)
		__atomic_store_n(&other->state, SITE_TRAP, __ATOMIC_RELEASE);
	return patch_overlap(site->address + 1, site->address + PATCH_JUMP_SIZE) != NULL;
}

int patch_commit(struct patch_batch *batch, enum patch_mode mode)
{
	struct patch_site **sites;
	uint64_t size;
	size_t count;
	int64_t array;
	int error = patch_seal();

	if (error || !batch->first)
		return error;
	array = batch_array(batch, &count, &size);
	if (array < 0)
		return (int)array;
	sites = at_address((uint64_t)array);
	/* A trap may be met as soon as it is written. */
	for (size_t i = 0; i < count; i++) {
		const struct patch *patch = sites[i]->patch;

		if (sites[i]->owner && yield(sites[i])) {
			__atomic_store_n(&sites[i]->state, SITE_TRAP, __ATOMIC_RELEASE);
			continue;
		}
		sites[i]->trapped = mode == PATCH_ALONE && is_call(sites[i]) &&
				    patch->method == PATCH_JUMP && patch->call_from >= PATCH_JUMP_SIZE;
		__atomic_store_n(&sites[i]->state,
				 patch_jumps(patch, sites[i]->address, mode) ? SITE_JUMP : SITE_TRAP,
				 __ATOMIC_RELEASE);
	}
	error = patch_write(sites, count, true, mode, batch);
	if (error) {
		patch_write(sites, count, false, mode, batch);
		for (size_t i = 0; i < count; i++)
			__atomic_store_n(&sites[i]->state, SITE_OUT, __ATOMIC_RELEASE);
	}
	sys_call2(SYS_munmap, array, size);
	patch_begin(batch, batch->start, batch->end);
	return error;
}

int patch_remove(struct patch_site *const *sites, size_t count, enum patch_mode mode)
{
	const struct patch_batch anywhere = { 0 };
	int error = patch_write(sites, count, false, mode, &anywhere);

	for (size_t i = 0; i < count && !error; i++)
		__atomic_store_n(&sites[i]->state, SITE_OUT, __ATOMIC_RELEASE);
	return error;
}

/* --- traps that become jumps --- */

static bool is_unfinished(const struct patch_site *site)
{
	return site->state == SITE_TRAP && site->patch->method == PATCH_JUMP && !site->stays;
}

uint32_t patch_unfinished(void)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (const struct patch_site *site = buckets[i]; site; site = site->next)
			count += is_unfinished(site);
	return count;
}

/* The bytes behind the trap may be another site's by now. */
static void finish(struct patch_site *site)
{
	const struct patch_batch anywhere = { 0 };
	uint64_t inside = site->address + 1, end = site->address + PATCH_JUMP_SIZE;

	if (!patch_jumps(site->patch, site->address, PATCH_HELD) || patch_overlap(inside, end) ||
	    !is_original(site->patch, site->address, 1, PATCH_JUMP_SIZE))
		return;
	site->state = SITE_JUMP;
	if (patch_write(&site, 1, true, PATCH_HELD, &anywhere) < 0)
		site->state = SITE_TRAP;
}

uint32_t patch_finish(void)
{
	uint32_t left = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct patch_site *site = buckets[i]; site; site = site->next) {
			if (is_unfinished(site))
				finish(site);
			left += is_unfinished(site);
		}
	return left;
}

void patch_forget(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct patch_site *site = buckets[i]; site; site = site->next)
			if (site->address >= start && site->address < end)
				site->state = SITE_OUT;
}

void patch_free(bool stubs_stay)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		buckets[i] = NULL;
	patch_memory_free(stubs_stay);
}
