/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.c - running a program on a packet as if it came by on an interface.
 *
 * Unlike a test run, this shows the program what its hook would: a VLAN tag is
 * beside an sk_buff and not in it, the interface and queue are the port's, and
 * a socket filter sees the link header.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hook/frame.h"
#include "machine/machine.h"


struct port {
	struct frame frame;
	uint8_t *in;              /* owned: the packet as it came, to tell a change */
	char action[32];
};

static void port_free(void *hook)
{
	struct port *port = hook;

	if (!port)
		return;
	frame_done(&port->frame);
	free(port->in);
	free(port);
}

static struct port *port_of(struct skep_prog *prog)
{
	struct port *port = prog->hook;

	if (port)
		return port;
	port = calloc(1, sizeof(*port));
	if (!port)
		return NULL;
	port->in = malloc(PACKET_MAX);
	if (!port->in || frame_init(&port->frame) < 0) {
		port_free(port);
		return NULL;
	}
	prog->hook = port;
	prog->hook_done = port_free;
	return port;
}

/* What the interface adds to the bytes. */
static void port_describe(struct packet *packet, const struct frame_shape *shape,
			  const struct skep_packet_in *in)
{
	uint32_t ifindex = in->ifindex ? in->ifindex : 1;

	packet->ingress_ifindex = in->egress ? 0 : ifindex;
	if (!shape->skb) {
		size_t page = 4096, shared = 320; /* Linux keeps skb_shared_info at a page's end */

		packet->ingress_ifindex = ifindex;
		packet->rx_queue_index = in->rx_queue;
		packet->limit = packet->start + page - shared;
		if (packet->limit < packet->end)
			packet->limit = packet->end;
		return;
	}
	packet->ifindex = ifindex;
	packet->mac_len = PACKET_ETH_LEN;
	packet->queue_mapping = in->egress ? 0 : in->rx_queue + 1;
	packet->wire_len = in->wire_size > in->size ? in->wire_size : in->size;
	packet->tstamp = in->time_ns;
	/* tc and sockets see packets after the stack has taken the tag off. */
	if (packet->data == packet->mac && ether_is_vlan(packet->protocol))
		(void)packet_vlan_accelerate(packet);
}

/* A socket's own addresses are the packet's destination where it comes in. */
static void port_swap_ends(struct packet *packet)
{
	uint32_t local4 = packet->local_ip4, local6[4];

	memcpy(local6, packet->local_ip6, sizeof(local6));
	packet->local_ip4 = packet->remote_ip4;
	memcpy(packet->local_ip6, packet->remote_ip6, sizeof(local6));
	packet->remote_ip4 = local4;
	memcpy(packet->remote_ip6, local6, sizeof(local6));
}

static void port_result(struct port *port, const struct frame_shape *shape,
			const struct skep_packet_in *in, const struct vm *vm, uint64_t retval,
			struct skep_packet_out *out)
{
	const struct skep_packet_out none = { 0 };

	*out = none;
	out->retval = (int32_t)retval;
	out->verdict = frame_verdict(shape, retval, in->egress, port->action, sizeof(port->action));
	out->action = port->action;
	out->data = frame_store(&port->frame, shape, shape->live_at_mac, &out->size);
	if (out->verdict == SKEP_VERDICT_REDIRECT) {
		out->redirect_ifindex = vm->redirect_ifindex;
		/* Asked for, but to nowhere: the packet is lost. */
		if (vm->redirect_kind == REDIRECT_NONE)
			out->verdict = SKEP_VERDICT_DROP;
	}
	/* A socket keeps so many bytes of the packet. */
	if (shape->prog_type == BPF_PROG_TYPE_SOCKET_FILTER && (uint32_t)retval < out->size)
		out->size = (uint32_t)retval;
	out->changed = out->size != in->size || memcmp(out->data, port->in, in->size) != 0;
}

int skep_prog_run_packet(struct skep_prog *prog, const struct skep_packet_in *in,
			 struct skep_packet_out *out, struct skep_diag *diag)
{
	const struct frame_shape *shape = frame_shape(prog->type->id);
	struct vm vm = { 0 };
	struct port *port;
	uint64_t retval;
	int error;

	if (!shape)
		return skep_fail(diag, SKEP_PACKET_TYPE, NULL, "program '%s' is of type %s",
				 prog->name, prog->type->name);
	if (in->size < PACKET_ETH_LEN || in->size > PACKET_MAX)
		return skep_fail(diag, SKEP_PACKET_SIZE, NULL,
				 "%u bytes; between %u and %u can be run", in->size, PACKET_ETH_LEN,
				 PACKET_MAX);
	port = port_of(prog);
	if (!port)
		return skep_fail(diag, SKEP_OOM, NULL, "buffers for program '%s'", prog->name);
	memcpy(port->in, in->data, in->size);
	frame_load(&port->frame, shape, shape->live_at_mac, in->data, in->size, PACKET_HEADROOM,
		   false);
	port_describe(&port->frame.packet, shape, in);
	if (shape->socket && prog->attach == BPF_CGROUP_INET_INGRESS)
		port_swap_ends(&port->frame.packet);
	vm.ctx = vm.packet = &port->frame.packet;
	error = prog_run(prog, &vm, &retval, diag);
	if (error < 0)
		return error;
	port_result(port, shape, in, &vm, retval, out);
	return 0;
}
