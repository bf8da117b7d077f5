/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.h - packets from and to pcap and pcapng files.
 *
 * Packets come as Ethernet frames; captures of bare IP get a header of zeros
 * with the right EtherType. Files are written as pcap with nanoseconds.
 */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include <skep/packet.h>

struct capture_in;
struct capture_out;

/* path "-": standard input. filter: a tcpdump expression, or NULL. */
struct capture_in *capture_open(const char *path, const char *filter, struct skep_diag *diag);
/* 1: the next packet, borrowed until the next call; 0: the end; negative errno. */
int capture_next(struct capture_in *in, struct skep_packet_in *packet, struct skep_diag *diag);
void capture_close(struct capture_in *in);

struct capture_out *capture_create(const char *path, struct skep_diag *diag);
void capture_write(struct capture_out *out, uint64_t time_ns, const void *data, uint32_t size);
/*
 * What was written must have arrived; if it is not to be kept, or has not, there
 * is no file. Negative errno. Accepts NULL.
 */
int capture_finish(struct capture_out *out, bool keep, struct skep_diag *diag);

#endif
