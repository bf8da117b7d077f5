/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placed.c - one place that is patched: what a hit does, its semaphore, its patch (placed.h).
 * [runtime]
 */
#include "agent/placed.h"

#include <errno.h>
#include <string.h>

#include "agent/patch_memory.h"
#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

uint32_t places_waiting, places_unlike;
uint32_t placed_pending;

/* --- hits --- */

static void run_leave(struct probe_thread *thread, struct probe_call *call,
		      struct target_regs *regs)
{
	struct placed *placed = container_of(call->record, struct placed, record);
	struct task_facts *facts = places_opts->facts ? places_opts->facts(thread) : NULL;
	struct hook_session session;

	memcpy(&session, call->data, sizeof(session));
	hook_list(places_opts->board, facts, &placed->probe->leave, regs, placed->address);
	if (session.links[0])
		hook_session_leave(places_opts->board, facts, &placed->probe->session, regs,
				   placed->address, &session);
}

static void run_enter(struct probe_thread *thread, struct probe_record *record,
		      struct target_regs *regs)
{
	struct placed *placed = container_of(record, struct placed, record);
	struct probe *probe = placed->probe;
	struct task_facts *facts = places_opts->facts ? places_opts->facts(thread) : NULL;
	struct hook_session session = { { 0 } };
	struct probe_call *call;
	bool watched;

	hook_list(places_opts->board, facts, &probe->enter, regs, placed->address);
	if (placed->also)
		placed->also(thread, record, regs);
	watched = __atomic_load_n(&probe->leave, __ATOMIC_RELAXED) != NULL;
	if (__atomic_load_n(&probe->session, __ATOMIC_RELAXED))
		watched |= hook_session_enter(places_opts->board, facts, &probe->session, regs,
					      placed->address, &session);
	if (!watched)
		return;
	call = probe_call_watch(thread, record, regs);
	if (call)
		memcpy(call->data, &session, sizeof(session));
	else
		__atomic_fetch_add(&places_opts->board->missed_returns, 1, __ATOMIC_RELAXED);
}

/* --- semaphores --- */

/* Changes the counter; false: it is not there, or may not be written yet. */
static bool change_semaphore(uint64_t address, int by)
{
	void *at = (void *)(uintptr_t)address;
	uint16_t value;

	if (fault_copy(&value, at, sizeof(value)) < 0)
		return false;
	value = (uint16_t)(value + by);
	return fault_copy(at, &value, sizeof(value)) == 0;
}

void placed_raise(struct placed *placed)
{
	if (!placed->semaphore || placed->raised)
		return;
	placed->raised = change_semaphore(placed->semaphore, 1);
	if (!placed->raised)
		placed_pending++;
}

void placed_lower(struct placed *placed)
{
	if (placed->raised)
		change_semaphore(placed->semaphore, -1);
	placed->raised = false;
}

bool placed_is_in(const struct placed *placed)
{
	return placed->record.site && placed->record.site->state != SITE_OUT &&
	       placed->record.site->owner == &placed->record;
}

/* --- putting patches in --- */

/* A system call's patch makes room for a program's; the call is dispatched then. */
static void make_room(uint64_t address, unsigned length, enum patch_mode mode)
{
	struct patch_site *site;

	while ((site = patch_overlap(address, address + length)) && !site->owner) {
		places_unknown();
		if (patch_remove(&site, 1, mode) < 0)
			return;
	}
}

static void note_unlike(struct placed *placed, bool unlike)
{
	places_unlike += (uint32_t)unlike - (uint32_t)placed->unlike;
	placed->unlike = unlike;
}

static int put(struct mapping *mapping, struct patch_batch *batch, struct placed *placed,
	       const struct patch *patch, enum patch_mode mode)
{
	int error;

	placed->patch = patch;
	placed->address = address_in(mapping, patch->file_offset);
	make_room(placed->address,
		  patch->method == PATCH_TRAP ? 1 : (unsigned)PATCH_JUMP_SIZE, mode);
	error = probe_add(batch, patch, placed->address, &placed->record, !mapping->file->is_go);
	note_unlike(placed, error == -EILSEQ);
	placed->failed = error != 0;
	if (error == 0)
		placed->record.site->stays = mapping->file->is_go;
	return error;
}

struct placed *placed_at(uint64_t address)
{
	const struct patch_site *site = patch_find(address);

	return site && site->owner ? container_of((struct probe_record *)site->owner,
						  struct placed, record) : NULL;
}

static struct placed *placed_new(struct mapping *mapping, struct probe *probe)
{
	struct placed *placed = patch_record(sizeof(*placed));

	if (!placed)
		return NULL;
	*placed = (struct placed){ .probe = probe, .next = mapping->placed };
	mapping->placed = placed;
	return placed;
}

/* One that could not be put there. */
static struct placed *placed_before(const struct mapping *mapping, const struct probe *probe)
{
	struct placed *placed = mapping->placed;

	while (placed && !(placed->probe == probe && placed->unlike))
		placed = placed->next;
	return placed;
}

/* Where the linker's address of something in the file is here. */
static uint64_t here(const struct mapping *mapping, const struct probe *probe, uint64_t linked)
{
	return address_in(mapping, probe->at) + (linked - probe->address);
}

/* Rather than to take what a trap costs. Go's threads may be anywhere, also when they are held. */
static bool waits(const struct mapping *mapping, const struct patch *patch, enum patch_mode mode)
{
	return mode == PATCH_LIVE && !places_prompt && patch->method == PATCH_JUMP &&
	       !patch_is_whole(patch) && !mapping->file->is_go && places_opts->waits && places_opts->waits();
}

void placed_put_probe(struct mapping *mapping, struct patch_batch *batch, struct probe *probe,
		      struct placed *placed, enum patch_mode mode)
{
	const struct patch *patch = __atomic_load_n(&probe->patch, __ATOMIC_ACQUIRE);

	if (!in_mapping(mapping, patch))
		return;
	if (placed && !placed->probe && placed_is_in(placed)) {
		/* An unwinder's: hits are told to both from now on. */
		placed->also = placed->record.enter;
		placed->probe = probe;
		__atomic_store_n(&placed->record.enter, run_enter, __ATOMIC_RELEASE);
		return;
	}
	if (waits(mapping, patch, mode)) {
		places_waiting++;
		return;
	}
	if (!placed || placed->probe != probe)
		placed = places_unlike ? placed_before(mapping, probe) : NULL;
	if (!placed)
		placed = placed_new(mapping, probe);
	if (!placed)
		return;
	placed->record.enter = run_enter;
	placed->record.leave = run_leave;
	if (put(mapping, batch, placed, patch, mode) < 0)
		return;
	placed->semaphore = probe->semaphore ? here(mapping, probe, probe->semaphore) : 0;
	placed_raise(placed);
}

void placed_take_out(struct placed *placed, enum patch_mode mode)
{
	struct patch_site *site = placed->record.site;

	if (placed->also) {
		__atomic_store_n(&placed->record.enter, placed->also, __ATOMIC_RELEASE);
		placed->probe = NULL;
		return;
	}
	patch_remove(&site, 1, mode);
	placed_lower(placed);
}

struct placed *placed_of(const struct mapping *mapping, const struct probe *probe)
{
	struct placed *placed = placed_at(address_in(mapping, probe->at));

	return placed && placed->probe == probe && placed_is_in(placed) ? placed : NULL;
}

void placed_put_own(struct mapping *mapping, struct patch_batch *batch, const struct patch *patch,
		    probe_enter_fn *enter, enum patch_mode mode)
{
	struct placed *placed = placed_new(mapping, NULL);

	if (!placed)
		return;
	placed->record.enter = enter;
	put(mapping, batch, placed, patch, mode);
}

void placed_forget(struct placed *placed)
{
	note_unlike(placed, false);
}
