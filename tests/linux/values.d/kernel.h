/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.h - the kernel's records, as far as the programs here look into them. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct { unsigned val; } kuid_t, kgid_t;
typedef struct { unsigned long long val; } kernel_cap_t;
typedef struct { unsigned long sig[1]; } sigset_t;

struct super_block { unsigned s_dev; unsigned long s_magic, s_blocksize, s_flags; char s_id[32]; };
struct inode {
	unsigned short i_mode, i_opflags;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned i_flags, i_nlink, i_rdev, i_generation;
	struct super_block *i_sb;
	unsigned long i_ino;
	long long i_size;
	unsigned long long i_blocks;
	long i_mtime_sec;
	unsigned char i_blkbits;
};
struct qstr { unsigned hash, len; const unsigned char *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; struct inode *d_inode; struct super_block *d_sb; };
struct vfsmount { struct dentry *mnt_root; struct super_block *mnt_sb; int mnt_flags; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	unsigned securebits;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	struct group_info *group_info;
};
struct group_info { int ngroups; kgid_t gid[0]; };
struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned f_flags, f_mode;
	long long f_pos;
	const struct cred *f_cred;
	void *private_data;
};
struct fdtable { unsigned max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; unsigned next_fd; };
struct fs_struct { int users, umask, in_exec; struct path root, pwd; };
struct mm_struct {
	unsigned long start_code, end_code, start_data, end_data, start_brk, brk, start_stack,
		arg_start, arg_end, env_start, env_end, total_vm, mmap_base, task_size, exec_vm, stack_vm,
		data_vm;
	int map_count;
	struct file *exe_file;
	struct task_struct *owner;
};
struct ns_common { unsigned inum; };
struct uts_namespace { struct ns_common ns; };
struct ipc_namespace { struct ns_common ns; };
struct mnt_namespace { struct ns_common ns; };
struct pid_namespace { struct ns_common ns; unsigned level; };
struct net { struct ns_common ns; };
struct time_namespace { struct ns_common ns; };
struct cgroup_namespace { struct ns_common ns; };
struct user_namespace { struct ns_common ns; };
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns;
	struct cgroup_namespace *cgroup_ns;
};
struct rlimit { unsigned long rlim_cur, rlim_max; };
typedef struct { int counter; } atomic_t;
struct signal_struct {
	atomic_t live;
	int nr_threads, group_exit_code;
	short oom_score_adj;
	struct rlimit rlim[16];
	struct pid *pids[4];
	unsigned flags;
};
struct upid { int nr; struct pid_namespace *ns; };
struct pid { unsigned level; struct upid numbers[1]; };
struct kernfs_node { unsigned long long id; const char *name; };
struct cgroup { struct kernfs_node *kn; int level; };
struct css_set { struct cgroup *dfl_cgrp; };
struct task_struct {
	unsigned __state, flags, ptrace, policy, rt_priority, personality, sessionid;
	int pid, tgid, prio, static_prio, normal_prio, exit_code, exit_signal, exit_state, pdeath_signal,
		nr_cpus_allowed;
	unsigned long long start_time, start_boottime;
	struct task_struct *real_parent, *parent, *group_leader;
	const struct cred *real_cred, *cred;
	struct mm_struct *mm;
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct pid *thread_pid;
	struct css_set *cgroups;
	kuid_t loginuid;
	sigset_t blocked;
	int *set_child_tid, *clear_child_tid;
	char comm[16];
};
struct linux_binprm { const char *filename, *interp; int argc, envc; struct file *file; };
struct kernel_siginfo { int si_signo, si_errno, si_code; };

struct in6_addr { union { __u8 u6_addr8[16]; __u64 none[2]; } in6_u; };
typedef struct { struct net *net; } possible_net_t;
struct sock_common {
	__u32 skc_daddr, skc_rcv_saddr;
	__u16 skc_dport, skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	long long skc_cookie;
};
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	int sk_rcvbuf, sk_sndbuf, sk_wmem_queued, sk_err, sk_rcvlowat;
	unsigned sk_mark, sk_priority, sk_shutdown, sk_ack_backlog, sk_max_ack_backlog;
	long sk_rcvtimeo;
	kuid_t sk_uid;
	__u16 sk_type, sk_protocol;
};
struct ipv6_pinfo { struct in6_addr saddr; };
struct inet_sock { struct sock sk; struct ipv6_pinfo *pinet6; __u32 inet_saddr; __u16 inet_sport; };
struct tcp_sock {
	unsigned long long bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	unsigned srtt_us, snd_cwnd, snd_ssthresh, mss_cache, total_retrans, retrans_out, lost_out,
		segs_in, segs_out, data_segs_in, data_segs_out, delivered, reordering, rcv_nxt, snd_nxt;
};
struct sockaddr_un { unsigned short sun_family; char sun_path[108]; };
struct unix_address { int len; struct sockaddr_un name[1]; };
struct unix_sock { struct sock sk; struct unix_address *addr; struct sock *peer; };
struct socket { int state; short type; unsigned long flags; struct file *file; struct sock *sk; };
#pragma clang attribute pop

/* Calls of the command that say what is to be looked at: arguments, from 0. */
enum { MARK_CALL = 310, MARK_FLAGS = 77 };
enum { MARK_NUMBERS = 1, MARK_FILE, MARK_SOCKET, MARK_TASK, MARK_CLOCKS, MARK_MEMORY };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};
#pragma clang attribute pop

static __always_inline bool is_mark(const struct pt_regs *regs, long id, long what)
{
	return id == MARK_CALL && (long)BPF_CORE_READ(regs, di) == what &&
	       BPF_CORE_READ(regs, r9) == MARK_FLAGS;
}
