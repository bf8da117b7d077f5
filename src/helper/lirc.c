/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lirc.c - infrared remote controls. [runtime]
 */
#include "helper/list.h"

const struct helper helper_rc_repeat = {
	.id = 77,
	.name = "rc_repeat",
	.prototype = "long bpf_rc_repeat(void *ctx)",
	.doc = "Reports that a remote control's last key is still held.",
	.types = TYPE(LIRC_MODE2),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_rc_keydown = {
	.id = 78,
	.name = "rc_keydown",
	.prototype = "long bpf_rc_keydown(void *ctx, u32 protocol, u64 scancode, u32 toggle)",
	.doc = "Reports a key press of a remote control.",
	.types = TYPE(LIRC_MODE2),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_rc_pointer_rel = {
	.id = 92,
	.name = "rc_pointer_rel",
	.prototype = "long bpf_rc_pointer_rel(void *ctx, s32 rel_x, s32 rel_y)",
	.doc = "Reports a pointer movement of a remote control.",
	.types = TYPE(LIRC_MODE2),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};
