/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places_update.c - what of a file is to be patched in a mapping of it (placed.h). [runtime]
 *
 * Programs' places come first: a system call whose patch is in the way of one is left to dispatch,
 * as are those of code that was not scanned.
 */
#include "agent/placed.h"

#include "base/base.h"

/* What is attached no more, or is to be patched in another way, to make room for others. */
static void remove_probes(struct mapping *mapping, enum patch_mode mode)
{
	struct probe *probe = __atomic_load_n(&mapping->file->probes, __ATOMIC_ACQUIRE);

	for (; probe && mapping->placed; probe = probe->next) {
		struct placed *placed = placed_of(mapping, probe);

		if (placed && (!probe_is_live(probe) ||
			       placed->patch != __atomic_load_n(&probe->patch, __ATOMIC_ACQUIRE)))
			placed_take_out(placed, mode);
	}
}

/* What is attached but not here. */
static void add_probes(struct mapping *mapping, struct patch_batch *batch, enum patch_mode mode)
{
	struct probe *probe = __atomic_load_n(&mapping->file->probes, __ATOMIC_ACQUIRE);

	for (; probe; probe = probe->next)
		if (probe_is_live(probe) && !placed_of(mapping, probe))
			placed_put_probe(mapping, batch, probe,
					 placed_at(address_in(mapping, probe->at)), mode);
}

static void update_unwinds(struct mapping *mapping, struct patch_batch *batch,
			   enum patch_mode mode)
{
	const struct patch_file *file = mapping->file;

	if (mapping->unwinds || !__atomic_load_n(&places_files()->returns, __ATOMIC_ACQUIRE))
		return;
	mapping->unwinds = true;
	for (uint32_t i = 0; i < file->unwind_count; i++) {
		const struct patch_unwind *unwind = &file->unwinds[i];
		struct placed *placed;

		if (!in_mapping(mapping, &unwind->patch))
			continue;
		placed = placed_at(address_in(mapping, unwind->patch.file_offset));
		if (placed && placed_is_in(placed)) {
			placed->also = unwind->begins ? probe_unwind_begins : probe_unwind_ends;
			continue;
		}
		placed_put_own(mapping, batch, &unwind->patch,
			       unwind->begins ? probe_unwind_begins : probe_unwind_ends, mode);
	}
}

/*
 * Where threads run already only windows are taken where none of them is, and no trap, which
 * costs what a dispatched call costs.
 */
static bool is_put(const struct patch *patch, uint64_t address, enum patch_mode mode)
{
	return mode == PATCH_ALONE || patch_jumps(patch, address, mode);
}

/* Those of a file are never in each other's way, only probes are. */
static void put_syscalls(struct mapping *mapping, struct patch_batch *batch, enum patch_mode mode)
{
	const struct patch_file *file = mapping->file;
	bool all = file->is_whole;
	int error;

	for (uint32_t i = 0; i < file->syscall_count; i++) {
		const struct patch *patch = &file->syscalls[i];
		uint64_t address = address_in(mapping, patch->file_offset);

		if (!in_mapping(mapping, patch))
			continue;
		if (!is_put(patch, address, mode) ||
		    (mapping->placed && patch_overlap(address, address + patch->length)) ||
		    !patch_add(batch, patch, address, NULL, 0, &error))
			all = false;
	}
	all &= patch_commit(batch, mode) == 0;
	if (!all)
		places_unknown();
}

static void update_syscalls(struct mapping *mapping, struct patch_batch *batch,
			    enum patch_mode mode)
{
	if (!places_opts->gate || mapping->syscalls)
		return;
	mapping->syscalls = true;
	put_syscalls(mapping, batch, mode);
}

/* Programs' first: they are committed before it is known what is in the way. */
void mapping_update(struct mapping *mapping, enum patch_mode mode)
{
	struct patch_batch batch;

	/* What was too large to be scanned unasked, until somebody probed it. */
	if (!mapping->file)
		mapping->file = patch_file_find(places_files(), &mapping->id);
	if (!mapping->file) {
		places_unknown();
		return;
	}
	/* Go keeps threads of its own, whose next instruction may be any. */
	if (mode == PATCH_HELD && mapping->file->is_go)
		mode = PATCH_LIVE;
	patch_begin(&batch, mapping->start, mapping->end);
	remove_probes(mapping, mode);
	add_probes(mapping, &batch, mode);
	patch_commit(&batch, mode);
	update_unwinds(mapping, &batch, mode);
	patch_commit(&batch, mode);
	update_syscalls(mapping, &batch, mode);
}
