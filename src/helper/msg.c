/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.c - messages on their way to a socket. [runtime]
 */
#include "helper/list.h"

const struct helper helper_msg_redirect_map = {
	.id = 60,
	.name = "msg_redirect_map",
	.prototype = "long bpf_msg_redirect_map(struct sk_msg_buff *msg, struct "
	             "bpf_map *map, u32 key, u64 flags)",
	.doc = "Asks that a message go to a socket of a socket map.",
	.types = TYPE(SK_MSG),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_msg_redirect_hash = {
	.id = 71,
	.name = "msg_redirect_hash",
	.prototype = "long bpf_msg_redirect_hash(struct sk_msg_buff *msg, struct "
	             "bpf_map *map, void *key, u64 flags)",
	.doc = "Asks that a message go to a socket of a socket hash.",
	.types = TYPE(SK_MSG),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
};

const struct helper helper_msg_apply_bytes = {
	.id = 61,
	.name = "msg_apply_bytes",
	.prototype = "long bpf_msg_apply_bytes(struct sk_msg_buff *msg, u32 bytes)",
	.doc = "Lets the verdict hold for the next so many bytes of the message.",
	.types = TYPE(SK_MSG),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_msg_cork_bytes = {
	.id = 62,
	.name = "msg_cork_bytes",
	.prototype = "long bpf_msg_cork_bytes(struct sk_msg_buff *msg, u32 bytes)",
	.doc = "Waits for so many bytes before the program is called again.",
	.types = TYPE(SK_MSG),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_msg_pull_data = {
	.id = 63,
	.name = "msg_pull_data",
	.prototype = "long bpf_msg_pull_data(struct sk_msg_buff *msg, u32 start, u32 "
	             "end, u64 flags)",
	.doc = "Makes a range of the message directly accessible.",
	.types = TYPE(SK_MSG),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_msg_push_data = {
	.id = 90,
	.name = "msg_push_data",
	.prototype = "long bpf_msg_push_data(struct sk_msg_buff *msg, u32 start, u32 "
	             "len, u64 flags)",
	.doc = "Makes room in a message.",
	.types = TYPE(SK_MSG),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_msg_pop_data = {
	.id = 91,
	.name = "msg_pop_data",
	.prototype = "long bpf_msg_pop_data(struct sk_msg_buff *msg, u32 start, u32 "
	             "len, u64 flags)",
	.doc = "Removes bytes from a message.",
	.types = TYPE(SK_MSG),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};
