/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert_metadata.c - what a filter asks about a packet besides its bytes, as eBPF: a field of the
 * program's context, a helper's answer, or something that this kind of program cannot know.
 */
#include "cbpf/converter.h"

#include <stdio.h>

enum { PRANDOM = 7, PROCESSOR = 8 }; /* helpers */

/* Metadata as a field of a context; size 0: there is none. */
struct metadata_field { uint8_t off, size, swap; };

#define NATIVE(member) { offsetof(struct cbpf_native_ctx, member), 4, 0 }

/* struct __sk_buff */
#define SK_BUFF_FIELDS \
	[CBPF_AD_PROTOCOL / 4] = { 16, 4, 2 }, [CBPF_AD_PKTTYPE / 4] = { 4, 4, 0 }, \
	[CBPF_AD_IFINDEX / 4] = { 40, 4, 0 }, [CBPF_AD_MARK / 4] = { 8, 4, 0 }, \
	[CBPF_AD_QUEUE / 4] = { 12, 4, 0 }, [CBPF_AD_RXHASH / 4] = { 68, 4, 0 }, \
	[CBPF_AD_VLAN_TCI / 4] = { 24, 4, 0 }, [CBPF_AD_VLAN_AVAIL / 4] = { 20, 4, 0 }, \
	[CBPF_AD_VLAN_TPID / 4] = { 28, 4, 2 },

static const struct metadata_field metadata[][CBPF_ANCILLARY_COUNT] = {
	[CBPF_TO_SOCKET_FILTER] = { SK_BUFF_FIELDS },
	[CBPF_TO_TC] = { SK_BUFF_FIELDS },
	/* struct xdp_md */
	[CBPF_TO_XDP] = {
		[CBPF_AD_IFINDEX / 4] = { 12, 4, 0 }, [CBPF_AD_QUEUE / 4] = { 16, 4, 0 },
	},
	[CBPF_TO_NATIVE] = {
		[CBPF_AD_PROTOCOL / 4] = NATIVE(protocol), [CBPF_AD_PKTTYPE / 4] = NATIVE(type),
		[CBPF_AD_IFINDEX / 4] = NATIVE(ifindex), [CBPF_AD_HATYPE / 4] = NATIVE(hatype),
		[CBPF_AD_MARK / 4] = NATIVE(mark), [CBPF_AD_QUEUE / 4] = NATIVE(queue),
		[CBPF_AD_RXHASH / 4] = NATIVE(hash), [CBPF_AD_VLAN_TCI / 4] = NATIVE(vlan_tci),
		[CBPF_AD_VLAN_AVAIL / 4] = NATIVE(vlan_present),
		[CBPF_AD_VLAN_TPID / 4] = NATIVE(vlan_tpid), [CBPF_AD_CPU / 4] = NATIVE(cpu),
		[CBPF_AD_RANDOM / 4] = NATIVE(random), [CBPF_AD_PAY_OFFSET / 4] = NATIVE(payload),
	},
};

/* Without a device the filter ends with what A holds. */
static void need_device(struct converter *c, uint8_t number)
{
	uint32_t found = ebpf_labels(&c->e, 1);

	if (number != CBPF_AD_IFINDEX && number != CBPF_AD_HATYPE)
		return;
	if (c->target == CBPF_TO_NATIVE)
		ebpf_load(&c->e, 4, TEMPORARY, c->plan->context,
			  offsetof(struct cbpf_native_ctx, has_device));
	else if (c->target == CBPF_TO_SOCKET_FILTER)
		ebpf_load(&c->e, 4, TEMPORARY, c->plan->context, 40);
	else
		return; /* tc and XDP are on a device */
	ebpf_if_imm(&c->e, COND_NE, 4, TEMPORARY, 0, found);
	ebpf_exit(&c->e);
	ebpf_label(&c->e, found);
}

/* What no field but a call or arithmetic gives; false: neither does. */
static bool load_computed(struct converter *c, uint8_t number)
{
	if (number == CBPF_AD_XOR_X) {
		ebpf_alu(&c->e, ALU_XOR, 4, A, c->plan->x);
		return true;
	}
	if (c->target == CBPF_TO_NATIVE)
		return false;
	if (number == CBPF_AD_CPU || number == CBPF_AD_RANDOM) {
		ebpf_call(&c->e, number == CBPF_AD_CPU ? PROCESSOR : PRANDOM);
		return true;
	}
	/* XDP sees packets before their tags are taken off. */
	if (c->target == CBPF_TO_XDP && (number == CBPF_AD_VLAN_AVAIL || number == CBPF_AD_VLAN_TCI ||
					 number == CBPF_AD_VLAN_TPID || number == CBPF_AD_MARK)) {
		ebpf_mov_imm(&c->e, 4, A, 0);
		return true;
	}
	return false;
}

int convert_metadata(struct converter *c, const struct cbpf_ancillary_row *ancillary)
{
	const struct metadata_field *field = &metadata[c->target][ancillary->number / 4];

	c->metadata = true;
	c->payload |= ancillary->number == CBPF_AD_PAY_OFFSET;
	if (field->size == 0) {
		char what[48];

		if (load_computed(c, ancillary->number))
			return 0;
		snprintf(what, sizeof(what), "'%s'", ancillary->listing);
		return converter_cannot(c, what);
	}
	need_device(c, ancillary->number);
	ebpf_load(&c->e, field->size, A, c->plan->context, field->off);
	if (field->swap)
		ebpf_big_endian(&c->e, field->swap, A);
	return 0;
}

bool metadata_calls(const struct converter *c, const struct cbpf_ancillary_row *ancillary)
{
	return c->target != CBPF_TO_NATIVE &&
	       (ancillary->number == CBPF_AD_CPU || ancillary->number == CBPF_AD_RANDOM);
}
