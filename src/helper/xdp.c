/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.c - packets of XDP programs. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "helper/packet.h"

/* Linux takes metadata of up to 252 bytes, in words. */
static bool xdp_meta_invalid(size_t length) { return length & 3 || length > 255; }

static uint64_t xdp_adjust_head(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	ptrdiff_t delta = (int32_t)arg[1];
	ptrdiff_t meta = packet->data - packet->meta, size = packet->end - packet->data;
	ptrdiff_t room = packet->meta - packet->start - (ptrdiff_t)PACKET_XDP_FRAME;

	if (delta < -room || delta > size - (ptrdiff_t)PACKET_ETH_LEN)
		return (uint64_t)-EINVAL;
	if (meta)
		memmove(packet->meta + delta, packet->meta, (size_t)meta);
	packet->meta += delta;
	packet->data += delta;
	packet->len = (uint32_t)(packet->end - packet->data);
	return 0;
}

const struct helper helper_xdp_adjust_head = {
	.id = 44,
	.name = "xdp_adjust_head",
	.prototype = "long bpf_xdp_adjust_head(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the start of the packet, to remove bytes or make room for them.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = xdp_adjust_head,
};

static uint64_t xdp_adjust_meta(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	ptrdiff_t delta = (int32_t)arg[1], length = packet->data - packet->meta - delta;
	ptrdiff_t room = packet->meta - packet->start - (ptrdiff_t)PACKET_XDP_FRAME;

	if (delta < -room || length < 0)
		return (uint64_t)-EINVAL;
	if (xdp_meta_invalid((size_t)length))
		return (uint64_t)-EACCES;
	packet->meta += delta;
	return 0;
}

const struct helper helper_xdp_adjust_meta = {
	.id = 54,
	.name = "xdp_adjust_meta",
	.prototype = "long bpf_xdp_adjust_meta(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the start of the metadata that lies before the packet.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = xdp_adjust_meta,
};

/* Bytes that only helpers reach are cut off first. */
static void xdp_cut(struct packet *packet, uint32_t count)
{
	uint32_t paged = count < packet->paged ? count : packet->paged;

	packet->paged -= paged;
	packet->paged_room += paged;
	packet->end -= count - paged;
}

static uint64_t xdp_adjust_tail(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	ptrdiff_t delta = (int32_t)arg[1], size = packet->end - packet->data + packet->paged;

	if (delta > 0 && packet->paged) {
		if (delta > (ptrdiff_t)packet->paged_room)
			return (uint64_t)-EINVAL;
		memset(packet->end + packet->paged, 0, (size_t)delta);
		packet->paged += (uint32_t)delta;
		packet->paged_room -= (uint32_t)delta;
		return 0;
	}
	if (delta > packet->limit - packet->end || size + delta < (ptrdiff_t)PACKET_ETH_LEN)
		return (uint64_t)-EINVAL;
	if (delta > 0) {
		memset(packet->end, 0, (size_t)delta);
		packet->end += delta;
	} else {
		xdp_cut(packet, (uint32_t)-delta);
	}
	packet->len = (uint32_t)(packet->end - packet->data);
	return 0;
}

const struct helper helper_xdp_adjust_tail = {
	.id = 65,
	.name = "xdp_adjust_tail",
	.prototype = "long bpf_xdp_adjust_tail(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the end of the packet.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = xdp_adjust_tail,
};

static uint64_t xdp_get_buff_len(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return (uint64_t)(vm->packet->end - vm->packet->data) + vm->packet->paged;
}

const struct helper helper_xdp_get_buff_len = {
	.id = 188,
	.name = "xdp_get_buff_len",
	.prototype = "u64 bpf_xdp_get_buff_len(struct xdp_buff *xdp_md)",
	.doc = "Returns the length of the packet over all its buffers.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = xdp_get_buff_len,
};

const struct helper helper_xdp_get_buff_len_trace = {
	.id = 188,
	.name = "xdp_get_buff_len",
	.prototype = "u64 bpf_xdp_get_buff_len(struct xdp_buff *xdp_md)",
	.doc = "Returns the length of the packet over all its buffers.",
	.types = TYPES_BTF,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID, .btf = "xdp_buff" } },
};

/* Where [off, off + len) of the packet is; NULL with Linux's *error. */
static uint8_t *xdp_range(const struct packet *packet, uint32_t off, uint32_t len, uint64_t *error)
{
	uint64_t size;

	*error = (uint64_t)-EFAULT;
	if (off > 0xffff || len > 0xffff)
		return NULL;
	size = (uint64_t)(packet->end - packet->data) + packet->paged;
	*error = (uint64_t)-EINVAL;
	return (uint64_t)off + len <= size ? packet->data + off : NULL;
}

static uint64_t xdp_load_bytes(struct vm *vm, const uint64_t arg[5])
{
	uint64_t error;
	uint8_t *at = xdp_range(vm->packet, (uint32_t)arg[1], (uint32_t)arg[3], &error);

	if (!at)
		return error;
	memmove((void *)(uintptr_t)arg[2], at, (uint32_t)arg[3]);
	return 0;
}

const struct helper helper_xdp_load_bytes = {
	.id = 189,
	.name = "xdp_load_bytes",
	.prototype = "long bpf_xdp_load_bytes(struct xdp_buff *xdp_md, u32 offset, "
	             "void *buf, u32 len)",
	.doc = "Copies bytes out of the packet, over all its buffers.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
	.call = xdp_load_bytes,
};

static uint64_t xdp_store_bytes(struct vm *vm, const uint64_t arg[5])
{
	uint64_t error;
	uint8_t *at = xdp_range(vm->packet, (uint32_t)arg[1], (uint32_t)arg[3], &error);

	if (!at)
		return error;
	memmove(at, (const void *)(uintptr_t)arg[2], (uint32_t)arg[3]);
	return 0;
}

const struct helper helper_xdp_store_bytes = {
	.id = 190,
	.name = "xdp_store_bytes",
	.prototype = "long bpf_xdp_store_bytes(struct xdp_buff *xdp_md, u32 offset, "
	             "void *buf, u32 len)",
	.doc = "Writes bytes into the packet, over all its buffers.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
	.call = xdp_store_bytes,
};
