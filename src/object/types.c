/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.c - the machine's own kernel types.
 *
 * The table below describes the records that programs are shown in place of the
 * kernel's (helper/task.h), under the kernel's names for them and their fields.
 * A field that is not here does not exist for a program: asked for by
 * bpf_core_field_exists() it is not there, and to read it is an error.
 */
#include <stdlib.h>

#include "base/base.h"
#include "btf/btf.h"
#include "helper/socket.h"
#include "helper/task.h"
#include "object/types.h"

/* Ids are places in the table, from 1. */
enum own {
	OWN_VOID, OWN_INT, OWN_UINT, OWN_CHAR, OWN_ULONG, OWN_PID, OWN_UID, OWN_GID,
	OWN_UID_RECORD, OWN_KUID, OWN_GID_RECORD, OWN_KGID, OWN_TASK, OWN_TASK_POINTER,
	OWN_CRED, OWN_CONST_CRED, OWN_CRED_POINTER, OWN_COMM, OWN_CONST_CHAR, OWN_STRING,
	OWN_BINPRM, OWN_SIGINFO, OWN_U64, OWN_S64, OWN_U16, OWN_UCHAR, OWN_CONST_UCHAR, OWN_NAME_TEXT,
	OWN_SUPER, OWN_SUPER_POINTER, OWN_INODE, OWN_INODE_POINTER, OWN_NAME, OWN_DENTRY,
	OWN_DENTRY_POINTER, OWN_PATH, OWN_FILE, OWN_FILE_POINTER, OWN_FILE_ARRAY, OWN_FDTABLE,
	OWN_FDTABLE_POINTER, OWN_FILES, OWN_FILES_POINTER, OWN_FS, OWN_FS_POINTER, OWN_MM,
	OWN_MM_POINTER, OWN_NS_COMMON, OWN_UTS, OWN_UTS_POINTER, OWN_IPC, OWN_IPC_POINTER, OWN_MNT,
	OWN_MNT_POINTER, OWN_PIDNS, OWN_PIDNS_POINTER, OWN_NET, OWN_NET_POINTER, OWN_TIMENS,
	OWN_TIMENS_POINTER, OWN_CGROUPNS, OWN_CGROUPNS_POINTER, OWN_NSPROXY, OWN_NSPROXY_POINTER,
	OWN_VOID_POINTER, OWN_IN6_BYTES, OWN_IN6_HALVES, OWN_IN6_WORDS, OWN_IN6_UNION, OWN_IN6,
	OWN_ADDRESSES, OWN_ADDRESS_PAIR, OWN_PORTS, OWN_PORT_PAIR, OWN_NET_RECORD, OWN_POSSIBLE_NET,
	OWN_SOCK_COMMON, OWN_SOCK, OWN_SOCK_POINTER, OWN_SOCKET, OWN_SOCKET_POINTER, OWN_PINFO,
	OWN_PINFO_POINTER, OWN_INET_SOCK, OWN_INET_CONNECTION_SOCK, OWN_TCP_SOCK, OWN_UDP_SOCK,
	OWN_CAP_RECORD, OWN_KCAP, OWN_RLIMIT, OWN_RLIMITS, OWN_COUNTER_RECORD, OWN_COUNTER, OWN_SIGNAL, OWN_SIGNAL_POINTER, OWN_UPID,
	OWN_UPIDS, OWN_PID_RECORD, OWN_PID_POINTER, OWN_KERNFS_NODE, OWN_KERNFS_NODE_POINTER,
	OWN_CGROUP, OWN_CGROUP_POINTER, OWN_CSS_SET, OWN_CSS_SET_POINTER,
	OWN_SUN_PATH, OWN_SOCKADDR_UN, OWN_UNIX_NAMES, OWN_UNIX_ADDRESS, OWN_UNIX_ADDRESS_POINTER,
	OWN_UNIX_SOCK, OWN_S16, OWN_SOCKET_ALLOC,
	OWN_COUNT,
};

/* Of a record by their offsets: who looks one up stops at the first that is behind it. */
struct own_member {
	const char *name;        /* NULL: the end; "": none, a record within the record */
	uint32_t type, offset;   /* bytes */
};

#define TASK(field, type) { #field, type, offsetof(struct own_task, field) }
#define CRED(field, type) { #field, type, offsetof(struct own_cred, field) }

#define BINPRM(field, type) { #field, type, offsetof(struct own_binprm, field) }
#define SIGINFO(field, type) { #field, type, offsetof(struct own_siginfo, field) }

static const struct own_member task_members[] = {
	TASK(pid, OWN_PID), TASK(tgid, OWN_PID),
	TASK(real_parent, OWN_TASK_POINTER), TASK(group_leader, OWN_TASK_POINTER),
	TASK(real_cred, OWN_CRED_POINTER), TASK(cred, OWN_CRED_POINTER),
	TASK(parent, OWN_TASK_POINTER),
	TASK(mm, OWN_MM_POINTER), TASK(files, OWN_FILES_POINTER), TASK(fs, OWN_FS_POINTER),
	TASK(nsproxy, OWN_NSPROXY_POINTER),
	TASK(signal, OWN_SIGNAL_POINTER), TASK(thread_pid, OWN_PID_POINTER),
	TASK(cgroups, OWN_CSS_SET_POINTER), TASK(flags, OWN_UINT), TASK(policy, OWN_UINT),
	TASK(rt_priority, OWN_UINT), TASK(loginuid, OWN_KUID), TASK(sessionid, OWN_UINT),
	TASK(prio, OWN_INT), TASK(static_prio, OWN_INT), TASK(normal_prio, OWN_INT),
	TASK(exit_signal, OWN_INT), TASK(start_time, OWN_U64),
	TASK(start_boottime, OWN_U64), TASK(exit_code, OWN_INT), TASK(comm, OWN_COMM), { 0 },
};

static const struct own_member cred_members[] = {
	CRED(uid, OWN_KUID), CRED(gid, OWN_KGID), CRED(suid, OWN_KUID), CRED(sgid, OWN_KGID),
	CRED(euid, OWN_KUID), CRED(egid, OWN_KGID), CRED(fsuid, OWN_KUID), CRED(fsgid, OWN_KGID),
	CRED(cap_inheritable, OWN_KCAP), CRED(cap_permitted, OWN_KCAP),
	CRED(cap_effective, OWN_KCAP), CRED(cap_bset, OWN_KCAP), CRED(cap_ambient, OWN_KCAP), { 0 },
};

static const struct own_member binprm_members[] = {
	BINPRM(filename, OWN_STRING), BINPRM(interp, OWN_STRING), BINPRM(argc, OWN_INT), BINPRM(envc, OWN_INT), { 0 },
};

static const struct own_member siginfo_members[] = {
	SIGINFO(si_signo, OWN_INT), SIGINFO(si_errno, OWN_INT), SIGINFO(si_code, OWN_INT), { 0 },
};

/* A list of members: M(field, type). */
#define MEMBERS(list, ...) \
	static const struct own_member list##_members[] = { __VA_ARGS__ { 0 } };
#define M(record, field, type) { #field, type, offsetof(struct record, field) },

MEMBERS(super, M(own_super, s_dev, OWN_UINT) M(own_super, s_magic, OWN_ULONG))
MEMBERS(inode,
	M(own_inode, i_sb, OWN_SUPER_POINTER) M(own_inode, i_ino, OWN_ULONG)
	M(own_inode, i_size, OWN_S64) M(own_inode, i_blocks, OWN_U64)
	M(own_inode, i_nlink, OWN_UINT) M(own_inode, i_rdev, OWN_UINT)
	M(own_inode, i_uid, OWN_KUID) M(own_inode, i_gid, OWN_KGID) M(own_inode, i_mode, OWN_U16)
	M(own_inode, i_blkbits, OWN_UCHAR))
MEMBERS(name, M(own_name, len, OWN_UINT) M(own_name, name, OWN_NAME_TEXT))
MEMBERS(dentry,
	M(own_dentry, d_parent, OWN_DENTRY_POINTER) M(own_dentry, d_inode, OWN_INODE_POINTER)
	M(own_dentry, d_sb, OWN_SUPER_POINTER) M(own_dentry, d_name, OWN_NAME))
MEMBERS(path, M(own_path, dentry, OWN_DENTRY_POINTER))
MEMBERS(file,
	M(own_file, f_path, OWN_PATH) M(own_file, f_inode, OWN_INODE_POINTER)
	M(own_file, f_pos, OWN_S64) M(own_file, f_flags, OWN_UINT) M(own_file, f_mode, OWN_UINT)
	M(own_file, private_data, OWN_VOID_POINTER))
MEMBERS(fdtable,
	M(own_fdtable, fd, OWN_FILE_ARRAY) M(own_fdtable, max_fds, OWN_UINT))
MEMBERS(files, M(own_files, fdt, OWN_FDTABLE_POINTER))
MEMBERS(fs, M(own_fs, umask, OWN_INT) M(own_fs, root, OWN_PATH) M(own_fs, pwd, OWN_PATH))
MEMBERS(mm,
	M(own_mm, start_code, OWN_ULONG) M(own_mm, end_code, OWN_ULONG)
	M(own_mm, start_data, OWN_ULONG) M(own_mm, end_data, OWN_ULONG)
	M(own_mm, start_brk, OWN_ULONG) M(own_mm, brk, OWN_ULONG)
	M(own_mm, start_stack, OWN_ULONG)
	M(own_mm, arg_start, OWN_ULONG) M(own_mm, arg_end, OWN_ULONG)
	M(own_mm, env_start, OWN_ULONG) M(own_mm, env_end, OWN_ULONG)
	M(own_mm, task_size, OWN_ULONG) M(own_mm, exe_file, OWN_FILE_POINTER))
MEMBERS(rlimit, M(own_rlimit, rlim_cur, OWN_ULONG) M(own_rlimit, rlim_max, OWN_ULONG))
MEMBERS(counter, M(own_counter, counter, OWN_INT))
MEMBERS(signal,
	M(own_signal, live, OWN_COUNTER) M(own_signal, nr_threads, OWN_INT)
	M(own_signal, group_exit_code, OWN_INT) M(own_signal, oom_score_adj, OWN_S16)
	M(own_signal, rlim, OWN_RLIMITS))
MEMBERS(upid, M(own_upid, nr, OWN_INT) M(own_upid, ns, OWN_PIDNS_POINTER))
MEMBERS(pid, M(own_pid, level, OWN_UINT) M(own_pid, numbers, OWN_UPIDS))
MEMBERS(kernfs_node, M(own_kernfs_node, id, OWN_U64) M(own_kernfs_node, name, OWN_STRING))
MEMBERS(cgroup, M(own_cgroup, kn, OWN_KERNFS_NODE_POINTER) M(own_cgroup, level, OWN_INT))
MEMBERS(css_set, M(own_css_set, dfl_cgrp, OWN_CGROUP_POINTER))
MEMBERS(ns_common, M(own_namespace, inum, OWN_UINT))
MEMBERS(nsproxy,
	M(own_nsproxy, uts_ns, OWN_UTS_POINTER) M(own_nsproxy, ipc_ns, OWN_IPC_POINTER)
	M(own_nsproxy, mnt_ns, OWN_MNT_POINTER)
	M(own_nsproxy, pid_ns_for_children, OWN_PIDNS_POINTER)
	M(own_nsproxy, net_ns, OWN_NET_POINTER) M(own_nsproxy, time_ns, OWN_TIMENS_POINTER)
	M(own_nsproxy, cgroup_ns, OWN_CGROUPNS_POINTER))
/* Each kind of namespace begins with what they have in common. */
static const struct own_member namespace_members[] = { { "ns", OWN_NS_COMMON, 0 }, { 0 } };

MEMBERS(in6_union,
	{ "u6_addr8", OWN_IN6_BYTES, 0 }, { "u6_addr16", OWN_IN6_HALVES, 0 },
	{ "u6_addr32", OWN_IN6_WORDS, 0 },)
MEMBERS(in6, M(own_in6, in6_u, OWN_IN6_UNION))
/* The pairs and what they are made of, by their places in struct sock_common. */
MEMBERS(addresses, { "skc_daddr", OWN_UINT, 0 }, { "skc_rcv_saddr", OWN_UINT, 4 },)
MEMBERS(address_pair, { "skc_addrpair", OWN_ULONG, 0 }, { "", OWN_ADDRESSES, 0 },)
MEMBERS(ports, { "skc_dport", OWN_U16, 0 }, { "skc_num", OWN_U16, 2 },)
MEMBERS(port_pair, { "skc_portpair", OWN_UINT, 0 }, { "", OWN_PORTS, 0 },)
MEMBERS(possible_net, { "net", OWN_NET_POINTER, 0 },)
MEMBERS(sock_common,
	{ "", OWN_ADDRESS_PAIR, offsetof(struct own_sock_common, skc_addrpair) },
	{ "", OWN_PORT_PAIR, offsetof(struct own_sock_common, skc_portpair) },
	M(own_sock_common, skc_family, OWN_U16) M(own_sock_common, skc_state, OWN_UCHAR)
	M(own_sock_common, skc_bound_dev_if, OWN_INT) M(own_sock_common, skc_net, OWN_POSSIBLE_NET)
	M(own_sock_common, skc_v6_daddr, OWN_IN6) M(own_sock_common, skc_v6_rcv_saddr, OWN_IN6))
MEMBERS(sock,
	M(own_sock, __sk_common, OWN_SOCK_COMMON) M(own_sock, sk_socket, OWN_SOCKET_POINTER)
	M(own_sock, sk_rcvbuf, OWN_INT) M(own_sock, sk_sndbuf, OWN_INT)
	M(own_sock, sk_wmem_queued, OWN_INT) M(own_sock, sk_mark, OWN_UINT)
	M(own_sock, sk_priority, OWN_UINT) M(own_sock, sk_uid, OWN_KUID)
	M(own_sock, sk_type, OWN_U16) M(own_sock, sk_protocol, OWN_U16))
MEMBERS(pinfo, M(own_ipv6_pinfo, saddr, OWN_IN6))
MEMBERS(inet_sock,
	M(own_inet_sock, sk, OWN_SOCK) M(own_inet_sock, pinet6, OWN_PINFO_POINTER)
	M(own_inet_sock, inet_saddr, OWN_UINT) M(own_inet_sock, inet_sport, OWN_U16))
MEMBERS(inet_connection_sock, M(own_inet_connection_sock, icsk_inet, OWN_INET_SOCK))
MEMBERS(tcp_sock,
	M(own_tcp_sock, inet_conn, OWN_INET_CONNECTION_SOCK)
	M(own_tcp_sock, bytes_sent, OWN_U64) M(own_tcp_sock, bytes_acked, OWN_U64)
	M(own_tcp_sock, bytes_received, OWN_U64) M(own_tcp_sock, bytes_retrans, OWN_U64)
	M(own_tcp_sock, srtt_us, OWN_UINT) M(own_tcp_sock, snd_cwnd, OWN_UINT)
	M(own_tcp_sock, snd_ssthresh, OWN_UINT) M(own_tcp_sock, mss_cache, OWN_UINT)
	M(own_tcp_sock, total_retrans, OWN_UINT) M(own_tcp_sock, retrans_out, OWN_UINT)
	M(own_tcp_sock, lost_out, OWN_UINT) M(own_tcp_sock, segs_in, OWN_UINT)
	M(own_tcp_sock, segs_out, OWN_UINT) M(own_tcp_sock, data_segs_in, OWN_UINT)
	M(own_tcp_sock, data_segs_out, OWN_UINT) M(own_tcp_sock, delivered, OWN_UINT)
	M(own_tcp_sock, reordering, OWN_UINT))
MEMBERS(udp_sock, { "inet", OWN_INET_SOCK, 0 },)
MEMBERS(sockaddr_un,
	M(own_sockaddr_un, sun_family, OWN_U16) M(own_sockaddr_un, sun_path, OWN_SUN_PATH))
MEMBERS(unix_address, M(own_unix_address, len, OWN_INT) M(own_unix_address, name, OWN_UNIX_NAMES))
MEMBERS(unix_sock,
	M(own_unix_sock, sk, OWN_SOCK) M(own_unix_sock, addr, OWN_UNIX_ADDRESS_POINTER))
MEMBERS(socket,
	M(own_socket, file, OWN_FILE_POINTER) M(own_socket, sk, OWN_SOCK_POINTER)
	M(own_socket, type, OWN_S16))
MEMBERS(socket_alloc,
	M(own_socket_alloc, socket, OWN_SOCKET) M(own_socket_alloc, vfs_inode, OWN_INODE))

static const struct own_member uid_members[] = { { "val", OWN_UID, 0 }, { 0 } };
static const struct own_member cap_members[] = { { "val", OWN_U64, 0 }, { 0 } };
static const struct own_member gid_members[] = { { "val", OWN_GID, 0 }, { 0 } };

struct own_row {
	enum btf_kind kind;
	const char *name;
	uint32_t third;          /* size or type */
	uint32_t encoding;       /* of an integer */
	uint32_t count;          /* of an array */
	const struct own_member *members;
};

#define NUMBER(c_name, c_type, encode) { BTF_INT, c_name, sizeof(c_type), .encoding = encode }
#define UNION(bytes, list) { BTF_UNION, NULL, bytes, .members = list }
#define RECORD(c_name, bytes, list) { BTF_STRUCT, c_name, bytes, .members = list }

static const struct own_row rows[OWN_COUNT] = {
	[OWN_INT] = NUMBER("int", int, BTF_INT_SIGNED),
	[OWN_UINT] = NUMBER("unsigned int", unsigned, 0),
	[OWN_CHAR] = NUMBER("char", char, BTF_INT_SIGNED),
	[OWN_ULONG] = NUMBER("long unsigned int", unsigned long, 0),
	[OWN_PID] = { BTF_TYPEDEF, "pid_t", OWN_INT },
	[OWN_UID] = { BTF_TYPEDEF, "uid_t", OWN_UINT },
	[OWN_GID] = { BTF_TYPEDEF, "gid_t", OWN_UINT },
	[OWN_UID_RECORD] = RECORD(NULL, sizeof(uint32_t), uid_members),
	[OWN_KUID] = { BTF_TYPEDEF, "kuid_t", OWN_UID_RECORD },
	[OWN_GID_RECORD] = RECORD(NULL, sizeof(uint32_t), gid_members),
	[OWN_KGID] = { BTF_TYPEDEF, "kgid_t", OWN_GID_RECORD },
	[OWN_CAP_RECORD] = RECORD(NULL, sizeof(uint64_t), cap_members),
	[OWN_KCAP] = { BTF_TYPEDEF, "kernel_cap_t", OWN_CAP_RECORD },
	[OWN_RLIMIT] = RECORD("rlimit", sizeof(struct own_rlimit), rlimit_members),
	[OWN_RLIMITS] = { BTF_ARRAY, NULL, OWN_RLIMIT,
			  .count = ARRAY_SIZE(((struct own_signal *)0)->rlim) },
	[OWN_COUNTER_RECORD] = RECORD(NULL, sizeof(struct own_counter), counter_members),
	[OWN_COUNTER] = { BTF_TYPEDEF, "atomic_t", OWN_COUNTER_RECORD },
	[OWN_SIGNAL] = RECORD("signal_struct", sizeof(struct own_signal), signal_members),
	[OWN_SIGNAL_POINTER] = { BTF_PTR, NULL, OWN_SIGNAL },
	[OWN_UPID] = RECORD("upid", sizeof(struct own_upid), upid_members),
	[OWN_UPIDS] = { BTF_ARRAY, NULL, OWN_UPID, .count = PID_LEVELS + 1 },
	[OWN_PID_RECORD] = RECORD("pid", sizeof(struct own_pid), pid_members),
	[OWN_PID_POINTER] = { BTF_PTR, NULL, OWN_PID_RECORD },
	[OWN_KERNFS_NODE] = RECORD("kernfs_node", sizeof(struct own_kernfs_node),
				   kernfs_node_members),
	[OWN_KERNFS_NODE_POINTER] = { BTF_PTR, NULL, OWN_KERNFS_NODE },
	[OWN_CGROUP] = RECORD("cgroup", sizeof(struct own_cgroup), cgroup_members),
	[OWN_CGROUP_POINTER] = { BTF_PTR, NULL, OWN_CGROUP },
	[OWN_CSS_SET] = RECORD("css_set", sizeof(struct own_css_set), css_set_members),
	[OWN_CSS_SET_POINTER] = { BTF_PTR, NULL, OWN_CSS_SET },
	[OWN_TASK] = RECORD("task_struct", sizeof(struct own_task), task_members),
	[OWN_TASK_POINTER] = { BTF_PTR, NULL, OWN_TASK },
	[OWN_CRED] = RECORD("cred", sizeof(struct own_cred), cred_members),
	[OWN_CONST_CRED] = { BTF_CONST, NULL, OWN_CRED },
	[OWN_CRED_POINTER] = { BTF_PTR, NULL, OWN_CONST_CRED },
	[OWN_COMM] = { BTF_ARRAY, NULL, OWN_CHAR,
		       .count = sizeof(((struct own_task *)0)->comm) },
	[OWN_CONST_CHAR] = { BTF_CONST, NULL, OWN_CHAR },
	[OWN_STRING] = { BTF_PTR, NULL, OWN_CONST_CHAR },
	[OWN_U64] = { BTF_TYPEDEF, "u64", OWN_ULONG },
	[OWN_S64] = NUMBER("long int", long, BTF_INT_SIGNED),
	[OWN_U16] = NUMBER("short unsigned int", unsigned short, 0),
	[OWN_UCHAR] = NUMBER("unsigned char", unsigned char, 0),
	[OWN_CONST_UCHAR] = { BTF_CONST, NULL, OWN_UCHAR },
	[OWN_NAME_TEXT] = { BTF_PTR, NULL, OWN_CONST_UCHAR },
	[OWN_SUPER] = RECORD("super_block", sizeof(struct own_super), super_members),
	[OWN_SUPER_POINTER] = { BTF_PTR, NULL, OWN_SUPER },
	[OWN_INODE] = RECORD("inode", sizeof(struct own_inode), inode_members),
	[OWN_INODE_POINTER] = { BTF_PTR, NULL, OWN_INODE },
	[OWN_DENTRY] = RECORD("dentry", sizeof(struct own_dentry), dentry_members),
	[OWN_DENTRY_POINTER] = { BTF_PTR, NULL, OWN_DENTRY },
	[OWN_FILE] = RECORD("file", sizeof(struct own_file), file_members),
	[OWN_FILE_POINTER] = { BTF_PTR, NULL, OWN_FILE },
	[OWN_FDTABLE] = RECORD("fdtable", sizeof(struct own_fdtable), fdtable_members),
	[OWN_FDTABLE_POINTER] = { BTF_PTR, NULL, OWN_FDTABLE },
	[OWN_FILES] = RECORD("files_struct", sizeof(struct own_files), files_members),
	[OWN_FILES_POINTER] = { BTF_PTR, NULL, OWN_FILES },
	[OWN_FS] = RECORD("fs_struct", sizeof(struct own_fs), fs_members),
	[OWN_FS_POINTER] = { BTF_PTR, NULL, OWN_FS },
	[OWN_MM] = RECORD("mm_struct", sizeof(struct own_mm), mm_members),
	[OWN_MM_POINTER] = { BTF_PTR, NULL, OWN_MM },
	[OWN_UTS] = RECORD("uts_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_UTS_POINTER] = { BTF_PTR, NULL, OWN_UTS },
	[OWN_IPC] = RECORD("ipc_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_IPC_POINTER] = { BTF_PTR, NULL, OWN_IPC },
	[OWN_MNT] = RECORD("mnt_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_MNT_POINTER] = { BTF_PTR, NULL, OWN_MNT },
	[OWN_PIDNS] = RECORD("pid_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_PIDNS_POINTER] = { BTF_PTR, NULL, OWN_PIDNS },
	[OWN_NET] = RECORD("net", sizeof(struct own_namespace), namespace_members),
	[OWN_NET_POINTER] = { BTF_PTR, NULL, OWN_NET },
	[OWN_TIMENS] = RECORD("time_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_TIMENS_POINTER] = { BTF_PTR, NULL, OWN_TIMENS },
	[OWN_CGROUPNS] = RECORD("cgroup_namespace", sizeof(struct own_namespace), namespace_members),
	[OWN_CGROUPNS_POINTER] = { BTF_PTR, NULL, OWN_CGROUPNS },
	[OWN_NSPROXY] = RECORD("nsproxy", sizeof(struct own_nsproxy), nsproxy_members),
	[OWN_NSPROXY_POINTER] = { BTF_PTR, NULL, OWN_NSPROXY },
	[OWN_NAME] = RECORD("qstr", sizeof(struct own_name), name_members),
	[OWN_PATH] = RECORD("path", sizeof(struct own_path), path_members),
	[OWN_NS_COMMON] = RECORD("ns_common", sizeof(struct own_namespace), ns_common_members),
	[OWN_FILE_ARRAY] = { BTF_PTR, NULL, OWN_FILE_POINTER },
	[OWN_VOID_POINTER] = { BTF_PTR, NULL, OWN_VOID },
	[OWN_IN6_BYTES] = { BTF_ARRAY, NULL, OWN_UCHAR, .count = 16 },
	[OWN_IN6_HALVES] = { BTF_ARRAY, NULL, OWN_U16, .count = 8 },
	[OWN_IN6_WORDS] = { BTF_ARRAY, NULL, OWN_UINT, .count = 4 },
	[OWN_IN6_UNION] = UNION(16, in6_union_members),
	[OWN_IN6] = RECORD("in6_addr", sizeof(struct own_in6), in6_members),
	[OWN_ADDRESSES] = RECORD(NULL, 8, addresses_members),
	[OWN_ADDRESS_PAIR] = UNION(8, address_pair_members),
	[OWN_PORTS] = RECORD(NULL, 4, ports_members),
	[OWN_PORT_PAIR] = UNION(4, port_pair_members),
	[OWN_NET_RECORD] = RECORD(NULL, sizeof(void *), possible_net_members),
	[OWN_POSSIBLE_NET] = { BTF_TYPEDEF, "possible_net_t", OWN_NET_RECORD },
	[OWN_SOCK_COMMON] = RECORD("sock_common", sizeof(struct own_sock_common),
				   sock_common_members),
	[OWN_SOCK] = RECORD("sock", sizeof(struct own_sock), sock_members),
	[OWN_SOCK_POINTER] = { BTF_PTR, NULL, OWN_SOCK },
	[OWN_SOCKET] = RECORD("socket", sizeof(struct own_socket), socket_members),
	[OWN_SOCKET_POINTER] = { BTF_PTR, NULL, OWN_SOCKET },
	[OWN_PINFO] = RECORD("ipv6_pinfo", sizeof(struct own_ipv6_pinfo), pinfo_members),
	[OWN_PINFO_POINTER] = { BTF_PTR, NULL, OWN_PINFO },
	[OWN_INET_SOCK] = RECORD("inet_sock", sizeof(struct own_inet_sock), inet_sock_members),
	[OWN_INET_CONNECTION_SOCK] = RECORD("inet_connection_sock",
					    sizeof(struct own_inet_connection_sock),
					    inet_connection_sock_members),
	[OWN_TCP_SOCK] = RECORD("tcp_sock", sizeof(struct own_tcp_sock), tcp_sock_members),
	[OWN_UDP_SOCK] = RECORD("udp_sock", sizeof(struct own_inet_sock), udp_sock_members),
	[OWN_SUN_PATH] = { BTF_ARRAY, NULL, OWN_CHAR, .count = 108 },
	[OWN_SOCKADDR_UN] = RECORD("sockaddr_un", sizeof(struct own_sockaddr_un),
				   sockaddr_un_members),
	[OWN_UNIX_NAMES] = { BTF_ARRAY, NULL, OWN_SOCKADDR_UN, .count = 1 },
	[OWN_UNIX_ADDRESS] = RECORD("unix_address", sizeof(struct own_unix_address),
				    unix_address_members),
	[OWN_UNIX_ADDRESS_POINTER] = { BTF_PTR, NULL, OWN_UNIX_ADDRESS },
	[OWN_UNIX_SOCK] = RECORD("unix_sock", sizeof(struct own_unix_sock), unix_sock_members),
	[OWN_S16] = NUMBER("short int", short, BTF_INT_SIGNED),
	[OWN_SOCKET_ALLOC] = RECORD("socket_alloc", sizeof(struct own_socket_alloc),
				    socket_alloc_members),
	[OWN_BINPRM] = RECORD("linux_binprm", sizeof(struct own_binprm), binprm_members),
	[OWN_SIGINFO] = RECORD("kernel_siginfo", sizeof(struct own_siginfo), siginfo_members),
};

/* --- as BTF --- */

struct writer {
	struct skep_text types, text;
};

static void put(struct writer *w, uint32_t word)
{
	text_add_bytes(&w->types, (const char *)&word, sizeof(word));
}

static uint32_t name_offset(struct writer *w, const char *name)
{
	uint32_t offset = (uint32_t)w->text.len;

	if (!name || !*name)
		return 0;
	text_add_bytes(&w->text, name, strlen(name) + 1);
	return offset;
}

static void put_members(struct writer *w, const struct own_row *row)
{
	for (const struct own_member *m = row->members; m->name; m++) {
		put(w, name_offset(w, m->name));
		put(w, m->type);
		put(w, m->offset * 8);
	}
}

static void put_row(struct writer *w, const struct own_row *row)
{
	uint32_t count = 0;

	while (row->members && row->members[count].name)
		count++;
	put(w, name_offset(w, row->name));
	put(w, (uint32_t)row->kind << 24 | count);
	put(w, row->kind == BTF_ARRAY ? 0 : row->third);
	if (row->kind == BTF_INT)
		put(w, row->encoding << 24 | row->third * 8);
	if (row->kind == BTF_ARRAY) {
		put(w, row->third);
		put(w, OWN_ULONG);
		put(w, row->count);
	}
	if (row->members)
		put_members(w, row);
}

struct skep_btf *skep_btf_open_machine(struct skep_diag *diag)
{
	struct btf_header header = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(header) };
	struct writer w = { 0 };
	struct skep_text all = { 0 };
	struct skep_btf *btf = NULL;

	text_add_bytes(&w.text, "", 1);
	for (uint32_t i = 1; i < OWN_COUNT; i++)
		put_row(&w, &rows[i]);
	header.type_len = header.str_off = (uint32_t)w.types.len;
	header.str_len = (uint32_t)w.text.len;
	text_add_bytes(&all, (const char *)&header, sizeof(header));
	text_add_bytes(&all, w.types.data, w.types.len);
	text_add_bytes(&all, w.text.data, w.text.len);
	if (w.types.failed || w.text.failed || all.failed)
		skep_report(diag, SKEP_OOM, NULL, "the machine's own types");
	else
		btf = skep_btf_open(all.data, all.len, NULL, "the machine's own types", diag);
	text_done(&w.types);
	text_done(&w.text);
	text_done(&all);
	return btf;
}

struct skep_btf *machine_types(const struct skep_btf *kernel, struct skep_diag *diag)
{
	struct skep_btf *own = skep_btf_open_machine(diag), *both;

	if (!own || !kernel)
		return own;
	both = btf_overlay(kernel, own, "the machine's types", diag);
	skep_btf_unref(own);
	return both;
}
