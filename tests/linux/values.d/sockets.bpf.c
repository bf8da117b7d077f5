/* SPDX-License-Identifier: BSD-2-Clause */
/* sockets.bpf.c - the socket of a descriptor that the command names. */
#include "values.h"
#include "kernel.h"

enum { UNIX = 1, INET = 2, INET6 = 10, STREAM = 1, TCP = 6, LISTEN = 10 };

static __noinline int bytes(const char *place, const char *name, const struct in6_addr *at)
{
	struct value *v = begin(place, name);
	struct in6_addr a = { 0 };

	if (!v)
		return 0;
	bpf_core_read(&a, sizeof(a), at);
	BPF_SNPRINTF(v->text, sizeof(v->text), "%pI6", &a);
	bpf_ringbuf_submit(v, 0);
	return 0;
}

static __noinline int common_of(const char *place, struct sock *sk)
{
	struct sock_common *common = &sk->__sk_common;

	FIELD(common, skc_family);
	FIELD(common, skc_state);
	FIELD(common, skc_bound_dev_if);
	FIELD(common, skc_daddr);
	FIELD(common, skc_rcv_saddr);
	FIELD(common, skc_dport);
	FIELD(common, skc_num);
	NUMBER("net", BPF_CORE_READ(common, skc_net.net, ns.inum));
	bytes(place, "skc_v6_daddr", &common->skc_v6_daddr);
	bytes(place, "skc_v6_rcv_saddr", &common->skc_v6_rcv_saddr);
	return 0;
}

static __noinline int sock_of(const char *place, struct sock *sk)
{
	FIELD(sk, sk_rcvbuf);
	FIELD(sk, sk_sndbuf);
	FIELD(sk, sk_wmem_queued);
	FIELD(sk, sk_mark);
	FIELD(sk, sk_priority);
	FIELD(sk, sk_uid.val);
	FIELD(sk, sk_type);
	FIELD(sk, sk_protocol);
	FIELD(sk, sk_err);
	FIELD(sk, sk_shutdown);
	FIELD(sk, sk_ack_backlog);
	FIELD(sk, sk_max_ack_backlog);
	return 0;
}

static __noinline int inet_of(const char *place, struct inet_sock *inet)
{
	struct ipv6_pinfo *v6 = BPF_CORE_READ(inet, pinet6);

	FIELD(inet, inet_saddr);
	FIELD(inet, inet_sport);
	if (BPF_CORE_READ(inet, sk.__sk_common.skc_family) == INET6)
		bytes(place, "pinet6.saddr", &v6->saddr);
	return 0;
}

static __noinline int tcp_of(const char *place, struct tcp_sock *tcp)
{
	FIELD(tcp, bytes_sent);
	FIELD(tcp, bytes_acked);
	FIELD(tcp, bytes_received);
	FIELD(tcp, bytes_retrans);
	FIELD(tcp, srtt_us);
	FIELD(tcp, snd_cwnd);
	FIELD(tcp, snd_ssthresh);
	FIELD(tcp, mss_cache);
	FIELD(tcp, total_retrans);
	FIELD(tcp, retrans_out);
	FIELD(tcp, lost_out);
	FIELD(tcp, segs_in);
	FIELD(tcp, segs_out);
	FIELD(tcp, data_segs_in);
	FIELD(tcp, data_segs_out);
	FIELD(tcp, delivered);
	FIELD(tcp, reordering);
	return 0;
}

static __noinline int unix_of(const char *place, struct unix_sock *sk)
{
	struct unix_address *address = BPF_CORE_READ(sk, addr);
	struct value *v = begin(place, "sun_path");

	FIELD(address, len);
	if (!v)
		return 0;
	if (address) {
		bpf_core_read(v->text, 20, &address->name[0].sun_path);
		v->number = BPF_CORE_READ(address, name[0].sun_family);
		v->text[0] = v->text[0] ? v->text[0] : '@';
	}
	bpf_ringbuf_submit(v, 0);
	return 0;
}

SEC("raw_tp/sys_enter") int at_mark(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "mark";
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	struct file **files = BPF_CORE_READ(task, files, fdt, fd), *file = 0;
	struct socket *socket;
	struct sock *sk;
	int family, state;

	if (!is_mark(regs, ctx->args[1], MARK_SOCKET))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + BPF_CORE_READ(regs, si));
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	FIELD(socket, type);
	FIELD(socket, state);
	NUMBER("socket's file", BPF_CORE_READ(socket, file) == file);
	NUMBER("sock's socket", BPF_CORE_READ(sk, sk_socket) == socket);
	common_of(place, sk);
	sock_of(place, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (family == INET || family == INET6)
		inet_of(place, (struct inet_sock *)sk);
	if (family == UNIX)
		unix_of(place, (struct unix_sock *)sk);
	else if ((family == INET || family == INET6) && BPF_CORE_READ(sk, sk_type) == STREAM &&
		 state != LISTEN)
		tcp_of(place, (struct tcp_sock *)sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
