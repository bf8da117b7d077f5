/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.c - packets of XDP programs. [runtime]
 */
#include "helper/list.h"

const struct helper helper_xdp_adjust_head = {
	.id = 44,
	.name = "xdp_adjust_head",
	.prototype = "long bpf_xdp_adjust_head(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the start of the packet, to remove bytes or make room for them.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_xdp_adjust_meta = {
	.id = 54,
	.name = "xdp_adjust_meta",
	.prototype = "long bpf_xdp_adjust_meta(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the start of the metadata that lies before the packet.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_xdp_adjust_tail = {
	.id = 65,
	.name = "xdp_adjust_tail",
	.prototype = "long bpf_xdp_adjust_tail(struct xdp_buff *xdp_md, int delta)",
	.doc = "Moves the end of the packet.",
	.types = TYPE(XDP),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_xdp_get_buff_len = {
	.id = 188,
	.name = "xdp_get_buff_len",
	.prototype = "u64 bpf_xdp_get_buff_len(struct xdp_buff *xdp_md)",
	.doc = "Returns the length of the packet over all its buffers.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
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
};

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
};
