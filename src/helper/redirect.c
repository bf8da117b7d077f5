/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redirect.c - sending a packet elsewhere. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

#include "helper/packet.h"

/* What a program returns so that its request is carried out, or so that nothing is. */
static uint64_t redirect_result(const struct vm *vm, bool granted)
{
	if (vm->prog_type == BPF_PROG_TYPE_XDP)
		return granted ? XDP_REDIRECT : XDP_ABORTED;
	return granted ? TC_ACT_REDIRECT : TC_ACT_SHOT;
}

static uint64_t redirect_to(struct vm *vm, enum redirect kind, uint64_t ifindex, uint64_t flags)
{
	vm->redirect_kind = kind;
	vm->redirect_ifindex = (uint32_t)ifindex;
	vm->redirect_flags = flags;
	vm->redirect_map = NULL;
	return redirect_result(vm, true);
}

static uint64_t redirect(struct vm *vm, const uint64_t arg[5])
{
	uint64_t allowed = vm->prog_type == BPF_PROG_TYPE_XDP ? 0 : BPF_F_INGRESS;

	if (arg[1] & ~allowed)
		return redirect_result(vm, false);
	return redirect_to(vm, REDIRECT_IFINDEX, arg[0], arg[1]);
}

const struct helper helper_redirect = {
	.id = 23,
	.name = "redirect",
	.prototype = "long bpf_redirect(u32 ifindex, u64 flags)",
	.doc = "Asks that the packet go to another interface; the program returns its result.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = redirect,
};

static uint64_t clone_redirect(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;

	if (arg[2] & ~BPF_F_INGRESS || !(uint32_t)arg[1])
		return (uint64_t)-EINVAL;
	if (packet->clone_count < PACKET_CLONES)
		packet->clone_ifindex[packet->clone_count] = (uint32_t)arg[1];
	packet->clone_count++;
	return 0;
}

const struct helper helper_clone_redirect = {
	.id = 13,
	.name = "clone_redirect",
	.prototype = "long bpf_clone_redirect(struct sk_buff *skb, u32 ifindex, u64 flags)",
	.doc = "Sends a copy of the packet to another interface and keeps the original.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = clone_redirect,
};

/*
 * The low flag bits are what to return where the map has nothing under the key.
 * A broadcast goes to all entries and needs none.
 */
static uint64_t redirect_map(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = (struct map *)(uintptr_t)arg[0];
	const struct map_type *type = map_type(map->type_id);
	bool devices = map->type_id == BPF_MAP_TYPE_DEVMAP ||
		       map->type_id == BPF_MAP_TYPE_DEVMAP_HASH;
	uint64_t action = 3, broadcast = devices ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0;
	uint32_t key = (uint32_t)arg[1]; /* as on Linux: the upper half is cut off */
	uint32_t target = 0;

	if (arg[2] & ~(action | broadcast))
		return XDP_ABORTED;
	if (!(arg[2] & BPF_F_BROADCAST)) {
		const uint32_t *entry = type->lookup(map, &key, vm->cpu);

		/* A value starts with the target, which is 0 if it was deleted since. */
		if (entry)
			target = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (!target) {
			vm->redirect_kind = REDIRECT_NONE;
			return arg[2] & action;
		}
	}
	vm->redirect_kind = REDIRECT_MAP;
	vm->redirect_map = map;
	vm->redirect_key = key;
	vm->redirect_flags = arg[2];
	vm->redirect_ifindex = devices ? target : 0;
	return XDP_REDIRECT;
}

const struct helper helper_redirect_map = {
	.id = 51,
	.name = "redirect_map",
	.prototype = "long bpf_redirect_map(struct bpf_map *map, u64 key, u64 flags)",
	.doc = "Asks that the packet go where an entry of a device, CPU or socket map points.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = redirect_map,
};

enum { REDIR_NEIGH_SIZE = 20 };

static uint64_t redirect_neigh(struct vm *vm, const uint64_t arg[5])
{
	uint32_t size = (uint32_t)arg[2];

	if ((size && size < REDIR_NEIGH_SIZE) || arg[3])
		return redirect_result(vm, false);
	return redirect_to(vm, REDIRECT_NEIGH, arg[0], 0);
}

const struct helper helper_redirect_neigh = {
	.id = 152,
	.name = "redirect_neigh",
	.prototype = "long bpf_redirect_neigh(u32 ifindex, struct bpf_redir_neigh "
	             "*params, int plen, u64 flags)",
	.doc = "Asks that the packet leave an interface with its link header filled in there.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
	.call = redirect_neigh,
};

static uint64_t redirect_peer(struct vm *vm, const uint64_t arg[5])
{
	if (arg[1])
		return redirect_result(vm, false);
	return redirect_to(vm, REDIRECT_PEER, arg[0], 0);
}

const struct helper helper_redirect_peer = {
	.id = 155,
	.name = "redirect_peer",
	.prototype = "long bpf_redirect_peer(u32 ifindex, u64 flags)",
	.doc = "Asks that the packet arrive at the peer of an interface, in its namespace.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = redirect_peer,
};
