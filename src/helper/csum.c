/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csum.c - Internet checksums of buffers and whole packets. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "helper/checksum.h"
#include "helper/packet.h"

/* Linux's own number, which no errno.h of user space has. */
enum { LINUX_ENOTSUPP = 524 };

/* Sizes are multiples of 4; a buffer of size 0 may be NULL. */
static uint64_t csum_diff(struct vm *vm, const uint64_t arg[5])
{
	uint32_t from_size = (uint32_t)arg[1], to_size = (uint32_t)arg[3];
	uint32_t sum = (uint32_t)arg[4];

	(void)vm;
	if ((from_size | to_size) & 3)
		return (uint64_t)-EINVAL;
	if (to_size)
		sum = sum_bytes((const void *)(uintptr_t)arg[2], to_size, sum);
	if (from_size && to_size)
		sum = sum_sub(sum, sum_bytes((const void *)(uintptr_t)arg[0], from_size, 0));
	else if (from_size)
		sum = ~sum_bytes((const void *)(uintptr_t)arg[0], from_size, ~sum);
	return sum_to16(sum);
}

const struct helper helper_csum_diff = {
	.id = 28,
	.name = "csum_diff",
	.prototype = "s64 bpf_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 "
	             "to_size, __wsum seed)",
	.doc = "Computes the change of a checksum when one buffer replaces another.",
	.types = TYPES_LWT | TYPES_TC | TYPE(XDP),
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
	.call = csum_diff,
};

static uint64_t csum_update(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;

	if (packet->summed != SUMMED_COMPLETE)
		return (uint64_t)-LINUX_ENOTSUPP;
	packet->csum = sum_add(packet->csum, (uint32_t)arg[1]);
	return packet->csum;
}

const struct helper helper_csum_update = {
	.id = 40,
	.name = "csum_update",
	.prototype = "s64 bpf_csum_update(struct sk_buff *skb, __wsum csum)",
	.doc = "Adds to the checksum of the whole packet as its device computed it.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = csum_update,
};

static uint64_t csum_level(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	bool good = packet->summed == SUMMED_UNNECESSARY;

	switch (arg[1]) {
	case BPF_CSUM_LEVEL_INC:
		if (good && packet->csum_level < 3) {
			packet->csum_level++;
		} else if (packet->summed == SUMMED_NONE) {
			packet->summed = SUMMED_UNNECESSARY;
			packet->csum_level = 0;
		}
		return 0;
	case BPF_CSUM_LEVEL_DEC:
		if (good && packet->csum_level)
			packet->csum_level--;
		else if (good)
			packet->summed = SUMMED_NONE;
		return 0;
	case BPF_CSUM_LEVEL_RESET:
		if (good) {
			packet->summed = SUMMED_NONE;
			packet->csum_level = 0;
		}
		return 0;
	case BPF_CSUM_LEVEL_QUERY:
		return good ? packet->csum_level : (uint64_t)-EACCES;
	default:
		return (uint64_t)-EINVAL;
	}
}

const struct helper helper_csum_level = {
	.id = 135,
	.name = "csum_level",
	.prototype = "long bpf_csum_level(struct sk_buff *skb, u64 level)",
	.doc = "Reads or changes how many checksums of the packet are known to be good.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = csum_level,
};
