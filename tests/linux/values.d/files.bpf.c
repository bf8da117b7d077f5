/* SPDX-License-Identifier: BSD-2-Clause */
/* files.bpf.c - the file of a descriptor that the command names, and what belongs to it. */
#include "values.h"
#include "kernel.h"

static __always_inline struct file *file_of(struct task_struct *task, unsigned fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

static __noinline int names(const char *place, struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct dentry *above = BPF_CORE_READ(dentry, d_parent);
	struct super_block *sb = FOLLOW(dentry, d_sb);

	TEXT_AT("name", BPF_CORE_READ(dentry, d_name.name));
	NUMBER("name length", BPF_CORE_READ(dentry, d_name.len));
	NUMBER("name inode", BPF_CORE_READ(dentry, d_inode, i_ino));
	TEXT_AT("above", BPF_CORE_READ(above, d_name.name));
	TEXT_AT("above that", BPF_CORE_READ(above, d_parent, d_name.name));
	NUMBER("above inode", BPF_CORE_READ(above, d_inode, i_ino));
	NUMBER("above mode", BPF_CORE_READ(above, d_inode, i_mode));
	FIELD(sb, s_dev);
	return 0;
}

static __noinline int inode_of(const char *place, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);

	FIELD(inode, i_ino);
	FIELD(inode, i_mode);
	FIELD(inode, i_size);
	FIELD(inode, i_nlink);
	FIELD(inode, i_rdev);
	FIELD(inode, i_uid.val);
	FIELD(inode, i_gid.val);
	FIELD(inode, i_blocks);
	FIELD(inode, i_blkbits);
	FIELD(sb, s_dev);
	FIELD(sb, s_magic);
	return 0;
}

SEC("raw_tp/sys_enter") int at_mark(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "mark";
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	struct file *file;

	if (!is_mark(regs, ctx->args[1], MARK_FILE))
		return 0;
	file = file_of(task, BPF_CORE_READ(regs, si));
	NUMBER("fd", BPF_CORE_READ(regs, si));
	NUMBER("is there", file != 0);
	if (!file)
		return 0;
	FIELD(file, f_flags);
	/* Read, write, seek, O_PATH; the rest is the kernel's own. */
	NUMBER("file.f_mode", BPF_CORE_READ(file, f_mode) & 0x4007);
	FIELD(file, f_pos);
	NUMBER("dentry's inode is file's", BPF_CORE_READ(file, f_path.dentry, d_inode) ==
	       BPF_CORE_READ(file, f_inode));
	NUMBER("cred.uid", FOLLOW(file, f_cred) ? BPF_CORE_READ(file, f_cred, uid.val) : 0);
	names(place, file);
	return inode_of(place, file);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
