/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed.c - an eBPF program inside of a C program.
 *
 * Opens an object, changes a global variable of the program, loads it into a
 * machine of its own, gives it packets, and reads a map.
 *
 *   cc embed.c -lskep -o embed && ./embed xdp_synflood.bpf.o
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/skep.h>

/* Says what went wrong, with all that is known about it. */
static int give_up(const struct skep_diag *diag)
{
	char *text = skep_diag_text(diag, 0);

	fputs(text ? text : "out of memory\n", stderr);
	free(text);
	return 1;
}

/* A TCP SYN from 10.0.0.1, without options. */
static const unsigned char syn[60] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00,                    /* Ethernet */
	0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1, /* IPv4 */
	0x10, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff,    /* TCP */
};

/* How many of so many SYNs the program drops; -1 on an error. */
static int flood(struct skep_prog *prog, int count, struct skep_diag *diag)
{
	struct skep_packet_in in = { .data = syn, .size = sizeof(syn) };
	struct skep_packet_out out;
	int dropped = 0;

	for (int i = 0; i < count; i++) {
		if (skep_prog_run_packet(prog, &in, &out, diag) < 0)
			return -1;
		dropped += out.verdict == SKEP_VERDICT_DROP;
	}
	return dropped;
}

static int use(struct skep_machine *machine, struct skep_object *object, struct skep_diag *diag)
{
	static const unsigned char source[4] = { 10, 0, 0, 1 };
	struct { unsigned half_open, syns, dropped; } seen;
	struct skep_prog *prog;
	struct skep_map *map;
	int dropped;

	if (skep_object_set_global(object, "limit", "6", diag) < 0 ||
	    skep_machine_load(machine, object, NULL, diag) < 0)
		return give_up(diag);
	prog = skep_machine_prog(machine, skep_object_prog_find(object, "xdp_synflood"));
	map = skep_machine_map(machine, skep_object_map_find(object, "sources"));
	dropped = flood(prog, 10, diag);
	if (dropped < 0)
		return give_up(diag);
	if (skep_map_lookup(map, source, &seen) < 0)
		return 1;
	/* A SYN without options counts twice: three of them reach a limit of six. */
	printf("%d of 10 packets dropped; the program saw %u and dropped %u\n", dropped, seen.syns,
	       seen.dropped);
	return dropped == 7 && seen.syns == 10 && seen.dropped == 7 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_new(NULL, diag);
	struct skep_object *object = argc == 2 ? skep_object_open_file(argv[1], diag) : NULL;
	int status = 2;

	if (argc != 2)
		fprintf(stderr, "usage: embed xdp_synflood.bpf.o\n");
	else if (!machine || !object)
		status = give_up(diag);
	else
		status = use(machine, object, diag);
	skep_machine_free(machine);
	skep_object_free(object);
	skep_diag_free(diag);
	return status;
}
