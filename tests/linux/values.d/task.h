/* SPDX-License-Identifier: BSD-2-Clause */
/* task.h - what there is to see of a task. */
#include "kernel.h"

static __always_inline void whose(const char *place, struct task_struct *task)
{
	FIELD(task, pid);
	FIELD(task, tgid);
	TEXT_AT("task.comm", &task->comm);
}

static __noinline int family(const char *place, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct task_struct *tracer = FOLLOW(task, parent);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *forebear = BPF_CORE_READ(parent, real_parent);

	FIELD(parent, pid);
	FIELD(parent, tgid);
	TEXT_AT("parent.comm", &parent->comm);
	NUMBER("parent.euid", BPF_CORE_READ(parent, cred, euid.val));
	NUMBER("tracer.pid", BPF_CORE_READ(tracer, pid));
	FIELD(leader, pid);
	FIELD(leader, tgid);
	TEXT_AT("leader.comm", &leader->comm);
	NUMBER("leader is task", leader == task);
	FIELD(forebear, tgid);
	TEXT_AT("forebear.comm", &forebear->comm);
	return 0;
}

static __noinline int scheduling(const char *place, struct task_struct *task)
{
	FIELD(task, __state);
	FIELD(task, flags);
	FIELD(task, ptrace);
	FIELD(task, policy);
	FIELD(task, rt_priority);
	FIELD(task, prio);
	FIELD(task, static_prio);
	FIELD(task, normal_prio);
	FIELD(task, nr_cpus_allowed);
	FIELD(task, exit_code);
	FIELD(task, exit_signal);
	FIELD(task, exit_state);
	FIELD(task, pdeath_signal);
	FIELD(task, personality);
	FIELD(task, sessionid);
	FIELD(task, loginuid.val);
	FIELD(task, blocked.sig[0]);
	FIELD(task, set_child_tid);
	FIELD(task, clear_child_tid);
	FIELD(task, start_time);
	FIELD(task, start_boottime);
	NUMBER("is young", bpf_ktime_get_ns() - BPF_CORE_READ(task, start_time) < 10000000000);
	return 0;
}

static __noinline int credentials(const char *place, struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct group_info *groups = FOLLOW(cred, group_info);

	FIELD(cred, uid.val);
	FIELD(cred, euid.val);
	FIELD(cred, suid.val);
	FIELD(cred, fsuid.val);
	FIELD(cred, gid.val);
	FIELD(cred, egid.val);
	FIELD(cred, sgid.val);
	FIELD(cred, fsgid.val);
	FIELD(cred, securebits);
	FIELD(cred, cap_inheritable.val);
	FIELD(cred, cap_permitted.val);
	FIELD(cred, cap_effective.val);
	FIELD(cred, cap_bset.val);
	FIELD(cred, cap_ambient.val);
	FIELD(groups, ngroups);
	NUMBER("real_cred.uid", BPF_CORE_READ(task, real_cred, uid.val));
	return 0;
}

static __noinline int memory(const char *place, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *exe = FOLLOW(mm, exe_file);

	FIELD(mm, start_code);
	FIELD(mm, end_code);
	FIELD(mm, start_data);
	FIELD(mm, end_data);
	FIELD(mm, start_brk);
	FIELD(mm, brk);
	FIELD(mm, start_stack);
	FIELD(mm, arg_start);
	FIELD(mm, arg_end);
	FIELD(mm, env_start);
	FIELD(mm, env_end);
	FIELD(mm, task_size);
	FIELD(mm, mmap_base);
	FIELD(mm, total_vm);
	FIELD(mm, map_count);
	TEXT_AT("exe name", BPF_CORE_READ(exe, f_path.dentry, d_name.name));
	NUMBER("exe inode", BPF_CORE_READ(exe, f_inode, i_ino));
	user_text(place, "arguments", (const void *)BPF_CORE_READ(mm, arg_start));
	user_text(place, "environment", (const void *)BPF_CORE_READ(mm, env_start));
	return 0;
}

static __noinline int directories(const char *place, struct task_struct *task)
{
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct files_struct *files = BPF_CORE_READ(task, files);
	struct fdtable *table = FOLLOW(files, fdt);

	FIELD(fs, umask);
	FIELD(fs, users);
	TEXT_AT("cwd name", BPF_CORE_READ(fs, pwd.dentry, d_name.name));
	TEXT_AT("cwd parent", BPF_CORE_READ(fs, pwd.dentry, d_parent, d_name.name));
	NUMBER("cwd inode", BPF_CORE_READ(fs, pwd.dentry, d_inode, i_ino));
	TEXT_AT("root name", BPF_CORE_READ(fs, root.dentry, d_name.name));
	NUMBER("root inode", BPF_CORE_READ(fs, root.dentry, d_inode, i_ino));
	FIELD(files, next_fd);
	FIELD(table, max_fds);
	return 0;
}

static __noinline int groups(const char *place, struct task_struct *task)
{
	struct signal_struct *signal = FOLLOW(task, signal);
	struct nsproxy *ns = BPF_CORE_READ(task, nsproxy);
	struct pid *pid = FOLLOW(task, thread_pid);
	struct css_set *set = FOLLOW(task, cgroups);
	struct cgroup *cgroup = FOLLOW(set, dfl_cgrp);
	struct kernfs_node *node = FOLLOW(cgroup, kn);

	FIELD(signal, live.counter);
	FIELD(signal, group_exit_code);
	FIELD(signal, oom_score_adj);
	FIELD(signal, rlim[7].rlim_cur);
	FIELD(signal, rlim[7].rlim_max);
	FIELD(signal, rlim[3].rlim_cur);
	FIELD(pid, level);
	FIELD(pid, numbers[0].nr);
	NUMBER("uts", BPF_CORE_READ(ns, uts_ns, ns.inum));
	NUMBER("ipc", BPF_CORE_READ(ns, ipc_ns, ns.inum));
	NUMBER("mnt", BPF_CORE_READ(ns, mnt_ns, ns.inum));
	NUMBER("pid_for_children", BPF_CORE_READ(ns, pid_ns_for_children, ns.inum));
	NUMBER("net", BPF_CORE_READ(ns, net_ns, ns.inum));
	NUMBER("time", BPF_CORE_READ(ns, time_ns, ns.inum));
	NUMBER("cgroup", BPF_CORE_READ(ns, cgroup_ns, ns.inum));
	FIELD(cgroup, level);
	FIELD(node, id);
	TEXT_AT("cgroup name", FOLLOW(node, name));
	return 0;
}

static __always_inline void all_of(const char *place, struct task_struct *task)
{
	whose(place, task);
	family(place, task);
	scheduling(place, task);
	credentials(place, task);
	memory(place, task);
	directories(place, task);
	groups(place, task);
}
