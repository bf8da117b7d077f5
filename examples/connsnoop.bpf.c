/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connsnoop - who connects to whom, and who is let in?
 *
 * A descriptor is only a number: which socket it means stands in the task's table of
 * files. From there CO-RE follows the kernel's own structures, wherever this kernel has
 * their fields, to the addresses, ports and state that the call left behind.
 *
 *   skep run examples/connsnoop.bpf.c -- curl -s http://localhost:8000/
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10 };
enum { STATE_CLOSE = 7 };
enum { MODE_TYPE = 0170000, MODE_SOCKET = 0140000 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[1];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
};

struct socket {
	struct sock *sk;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct files_struct *files;
};
#pragma clang attribute pop

/* What the kernel passes to tracepoints of system calls. */
struct sys_enter {
	__u64 common;
	long number;
	unsigned long args[6];
};

struct sys_exit {
	__u64 common;
	long number;
	long result;
};

struct connection_event {
	__u32 pid;
	int result;              /* 0, or a negative error */
	__u16 family, type, protocol;
	__u16 port, peer_port;
	__u8 state;              /* of a connection: 1 there, 2 being made, 7 none */
	char call[8];
	char comm[16];
	char local[64];          /* an address, or the name of a local socket */
	char peer[40];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, int);
} connecting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

const struct connection_event *unused_connection_event __attribute__((unused));

static __always_inline struct sock *socket_of(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file **files = BPF_CORE_READ(task, files, fdt, fd), *file = 0;
	struct socket *socket;

	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & MODE_TYPE) != MODE_SOCKET)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline void say_inet(struct connection_event *c, struct sock *sk)
{
	__u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	__u32 peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);

	BPF_SNPRINTF(c->local, sizeof(c->local), "%pI4", &local);
	BPF_SNPRINTF(c->peer, sizeof(c->peer), "%pI4", &peer);
}

static __always_inline void say_inet6(struct connection_event *c, struct sock *sk)
{
	struct in6_addr local = { 0 }, peer = { 0 };

	BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&peer, sk, __sk_common.skc_v6_daddr);
	BPF_SNPRINTF(c->local, sizeof(c->local), "%pI6", &local);
	BPF_SNPRINTF(c->peer, sizeof(c->peer), "%pI6", &peer);
}

/* The name has a length; of an abstract one the first byte is 0. */
static __always_inline void say_unix(struct connection_event *c, struct sock *sk)
{
	struct unix_address *address = BPF_CORE_READ((struct unix_sock *)sk, addr);
	__u64 size;

	if (!address)
		return;
	size = (__u32)BPF_CORE_READ(address, len) - sizeof(unsigned short);
	asm volatile("" : "+r"(size)); /* or clang bounds a copy that is not used */
	if (size >= sizeof(c->local))
		size = sizeof(c->local) - 1;
	bpf_core_read(c->local, size, &address->name[0].sun_path);
	if (!c->local[0])
		c->local[0] = '@';
}

static __always_inline int say(int fd, long result, const char *call)
{
	struct connection_event *c;
	struct sock *sk = socket_of(fd);

	if (!sk)
		return 0;
	c = bpf_ringbuf_reserve(&events, sizeof(*c), 0);
	if (!c)
		return 0;
	__builtin_memset(c, 0, sizeof(*c));
	c->pid = bpf_get_current_pid_tgid() >> 32;
	c->result = result < 0 ? (int)result : 0;
	c->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	c->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	c->type = BPF_CORE_READ(sk, sk_type);
	c->protocol = BPF_CORE_READ(sk, sk_protocol);
	__builtin_memcpy(c->call, call, sizeof(c->call));
	bpf_get_current_comm(c->comm, sizeof(c->comm));
	/* A socket that is closed again has only what is left of its addresses. */
	if (c->state != STATE_CLOSE && c->family != FAMILY_UNIX) {
		c->port = BPF_CORE_READ(sk, __sk_common.skc_num);
		c->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	if (c->family == FAMILY_UNIX)
		say_unix(c, sk);
	else if (c->state != STATE_CLOSE && c->family == FAMILY_INET)
		say_inet(c, sk);
	else if (c->state != STATE_CLOSE && c->family == FAMILY_INET6)
		say_inet6(c, sk);
	bpf_ringbuf_submit(c, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_connect")
int enter_connect(struct sys_enter *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	int fd = (int)ctx->args[0];

	bpf_map_update_elem(&connecting, &thread, &fd, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_connect")
int exit_connect(struct sys_exit *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	int *fd = bpf_map_lookup_elem(&connecting, &thread);

	if (!fd)
		return 0;
	say(*fd, ctx->result, "connect");
	bpf_map_delete_elem(&connecting, &thread);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int exit_accept(struct sys_exit *ctx)
{
	return ctx->result < 0 ? 0 : say((int)ctx->result, 0, "accept\0");
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int exit_accept4(struct sys_exit *ctx)
{
	return ctx->result < 0 ? 0 : say((int)ctx->result, 0, "accept\0");
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
