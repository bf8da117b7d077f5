/* SPDX-License-Identifier: BSD-2-Clause */
/* directory.c - adding to the directory, and believing what is read from it. */
#include "machine/directory.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "map/owner.h"
#include "prog/prog.h"
#include <skep/feature.h>

#define DIRECTORY_MAGIC 0x3052494450454b53ull /* "SKEPDIR0" */
#define DIRECTORY_LAYOUT 4u
#define LOCK_ROUNDS 3 /* of a second each, see owner_lock() */
#define ENTRIES_MAX (1u << 20)

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A number that differs where builds lay out differently what they would share. */
static uint32_t layout_of_build(void)
{
	static const size_t sizes[] = { sizeof(struct directory), sizeof(struct entry),
					sizeof(struct map), sizeof(struct code),
					sizeof(struct insn), sizeof(struct vm_world) };

	return DIRECTORY_LAYOUT << 24 ^ (uint32_t)hash_bytes(sizes, sizeof(sizes), 0) >> 8;
}

static uint64_t directory_checksum(const struct directory *directory)
{
	return hash_bytes(directory, offsetof(struct directory, checksum), DIRECTORY_MAGIC);
}

struct directory *directory_new(struct memory *memory, struct vm_world *world,
				struct vcpu_set *vcpus)
{
	struct directory *directory = memory_alloc(memory, sizeof(*directory), 64);

	if (!directory)
		return NULL;
	directory->magic = DIRECTORY_MAGIC;
	directory->layout = layout_of_build();
	directory->cpus = vcpu_count(vcpus);
	directory->made_ns = wall_ns();
	directory->world = world;
	directory->vcpus = vcpus;
	strncpy(directory->version, skep_version(), sizeof(directory->version) - 1);
	directory->next_map = directory->next_prog = 1;
	directory->checksum = directory_checksum(directory);
	__atomic_store_n(memory_root(memory), directory, __ATOMIC_RELEASE);
	return directory;
}

static bool world_sound(struct memory *memory, const struct directory *directory)
{
	const struct vm_world *world = directory->world;

	return memory_contains(memory, world, sizeof(*world), 8) && world->memory == memory &&
	       world->vcpus == directory->vcpus && map_sound(world->trace, memory, world->vcpus) &&
	       world->trace->type_id == BPF_MAP_TYPE_RINGBUF &&
	       memory_contains(memory, world->tasks, 64, 8) &&
	       (!world->board || memory_contains(memory, world->board, 64, 64));
}

struct directory *directory_find(struct memory *memory, int *error)
{
	struct directory *directory = *memory_root(memory);

	*error = -EBADMSG;
	if (!memory_contains(memory, directory, sizeof(*directory), 8) ||
	    directory->magic != DIRECTORY_MAGIC)
		return NULL;
	*error = -EPROTONOSUPPORT;
	if (directory->layout != layout_of_build() ||
	    strncmp(directory->version, skep_version(), sizeof(directory->version) - 1) != 0)
		return NULL;
	*error = -EBADMSG;
	if (directory->checksum != directory_checksum(directory) ||
	    directory->vcpus != memory_vcpus(memory) ||
	    !vcpu_set_sound(directory->vcpus, memory) ||
	    vcpu_count(directory->vcpus) != directory->cpus || !world_sound(memory, directory))
		return NULL;
	*error = 0;
	return directory;
}

/* --- the lock --- */

int directory_lock(struct directory *directory, struct memory *memory)
{
	struct owner_table *owners = memory_owners(memory);

	for (int i = 0; i < LOCK_ROUNDS; i++)
		if (owner_lock(owners, &directory->lock, owner_self(owners)) >= 0)
			return 0;
	return -EBUSY;
}

void directory_unlock(struct directory *directory)
{
	owner_unlock(&directory->lock);
}

/* --- adding --- */

static uint64_t entry_checksum(const struct entry *entry)
{
	const char *start = (const char *)&entry->kind;

	return hash_bytes(start, (size_t)((const char *)(entry + 1) - start), (uintptr_t)entry);
}

/* The entry after *link points to, if that is a place for one. */
static struct entry *entry_at(struct entry *const *link, const struct memory *memory)
{
	struct entry *entry = __atomic_load_n(link, __ATOMIC_ACQUIRE);

	return memory_contains(memory, entry, sizeof(*entry), 64) ? entry : NULL;
}

/* Lock held: a free entry, or a new one at the end. */
static struct entry *entry_find_free(struct directory *directory, struct memory *memory)
{
	struct owner_table *owners = memory_owners(memory);
	struct entry **link = &directory->first, *entry;
	struct entry *free_one = NULL;

	for (uint32_t i = 0; i < ENTRIES_MAX && (entry = entry_at(link, memory)); i++) {
		uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);

		if (state > ENTRY_READY && owner_dead(owners, state)) {
			entry_abandon(memory, entry);
			state = 0;
		}
		if (state == 0)
			free_one = entry;
		link = &entry->next;
	}
	if (free_one || *link)
		return free_one; /* what follows an entry is no entry: nothing is added */
	return memory_alloc_into(memory, sizeof(*entry), 64, (void **)link);
}

struct entry *directory_claim(struct directory *directory, struct memory *memory)
{
	struct entry *entry = entry_find_free(directory, memory), *next;

	if (!entry)
		return NULL;
	next = entry->next;
	memset(entry, 0, sizeof(*entry));
	__atomic_store_n(&entry->next, next, __ATOMIC_RELEASE);
	entry->loaded_ns = wall_ns();
	entry->uid = geteuid();
	entry->pid = (uint32_t)getpid();
	__atomic_store_n(&entry->state, owner_self(memory_owners(memory)), __ATOMIC_RELEASE);
	return entry;
}

void entry_publish(struct entry *entry)
{
	entry->checksum = entry_checksum(entry);
	__atomic_store_n(&entry->state, ENTRY_READY, __ATOMIC_RELEASE);
}

/* Forgotten before it is freed: dying between loses it, freeing twice would be worse. */
static void *taken(void *slot)
{
	return __atomic_exchange_n((void **)slot, NULL, __ATOMIC_ACQ_REL);
}

void entry_abandon(struct memory *memory, struct entry *entry)
{
	struct code *code;
	void *types;

	if (!entry)
		return;
	code = taken(&entry->code);
	if (code)
		memory_release(memory, code, code->size);
	memory_release(memory, taken(&entry->ref), sizeof(struct prog_ref));
	map_free(taken(&entry->map));
	types = taken(&entry->types);
	if (entry->kind == ENTRY_TYPES)
		memory_release(memory, types, entry->types_size);
	__atomic_store_n(&entry->state, 0, __ATOMIC_RELEASE);
}

/* --- reading --- */

static bool name_sound(const struct entry *entry)
{
	return memchr(entry->name, '\0', sizeof(entry->name)) != NULL;
}

static bool types_sound(const struct entry *entry, const struct memory *memory)
{
	return entry->types_size == 0 ||
	       memory_contains(memory, entry->types, entry->types_size, 1);
}

static bool prog_sound(const struct entry *entry, const struct memory *memory)
{
	return code_sound(entry->code, memory) && entry->code->stamp == entry->stamp &&
	       memory_contains(memory, entry->ref, sizeof(*entry->ref), 8) &&
	       entry->ref->code == entry->code && entry->code->id == entry->id &&
	       prog_type(entry->code->prog_type);
}

/* The entry was copied: what is judged does not change any more. */
static bool entry_sound(const struct entry *entry, const struct entry *at,
			const struct directory *directory, struct memory *memory)
{
	const char *start = (const char *)&entry->kind;
	size_t size = (size_t)((const char *)(entry + 1) - start);

	if (entry->checksum != hash_bytes(start, size, (uintptr_t)at) || !name_sound(entry))
		return false;
	switch (entry->kind) {
	case ENTRY_MAP:
		return types_sound(entry, memory) &&
		       map_sound(entry->map, memory, directory->vcpus) &&
		       entry->map->id == entry->id;
	case ENTRY_TABLE:
		return map_sound(entry->map, memory, directory->vcpus);
	case ENTRY_PROG:
		return prog_sound(entry, memory);
	case ENTRY_TYPES:
		return types_sound(entry, memory);
	default:
		return false;
	}
}

struct entry *directory_next(struct directory *directory, struct memory *memory,
			     struct entry *entry, int *error)
{
	struct entry *const *link = entry ? &entry->next : &directory->first;

	*error = 0;
	for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
		struct entry *at = entry_at(link, memory);
		struct entry copy;

		if (!at) {
			*error = *link ? -EBADMSG : 0;
			return NULL;
		}
		if (__atomic_load_n(&at->state, __ATOMIC_ACQUIRE) == ENTRY_READY) {
			copy = *at;
			if (entry_sound(&copy, at, directory, memory))
				return at;
			break;
		}
		link = &at->next;
	}
	*error = -EBADMSG;
	return NULL;
}
