/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Fills a flow record from the current task and the socket. All of it is read here, at connect(): nothing later. */
#ifndef HOSTAGENT_RECORD_H
#define HOSTAGENT_RECORD_H

#include "govern.h"

#define MAX_COMPONENTS 96 /* directories and mounts of an executable's path */

static __always_inline void fill_process(struct process_record *record, struct task_struct *leader)
{
	record->start_time = BPF_CORE_READ(leader, start_boottime);
	record->pid = BPF_CORE_READ(leader, tgid);
	record->uid = BPF_CORE_READ(leader, cred, uid.val);
	BPF_CORE_READ_INTO(&record->comm, leader, comm);
}

static __always_inline void fill_parents(struct flow_record *record, struct task_struct *leader)
{
	record->parent_count = 0;
	for (int i = 0; i < MAX_PARENTS; i++) {
		leader = BPF_CORE_READ(leader, real_parent, group_leader);
		if (!leader || BPF_CORE_READ(leader, tgid) == 0)
			return;
		fill_process(&record->parents[i], leader);
		record->parent_count = i + 1;
	}
}

/* The pid by which the process itself goes: the number in the deepest namespace that its `struct pid` has. */
static __always_inline __u32 own_pid(struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	__u64 level = BPF_CORE_READ(pid, level);
	struct upid *number = (void *)pid + bpf_core_field_offset(struct pid, numbers);
	int found = 0;

	number = (void *)number + level * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&found, sizeof(found), (void *)number + bpf_core_field_offset(struct upid, nr));
	return found;
}

static __always_inline bool append(char *out, __u32 limit, __u32 *at, const void *name)
{
	__u32 offset = *at;
	long length;

	if (offset >= limit)
		return false;
	asm volatile("%0 &= %1" : "+r"(offset) : "ri"(limit - 1)); /* the bound, where the verifier can see it */
	length = bpf_probe_read_kernel_str(out + offset, NAME_BYTES, name);
	if (length <= 0)
		return false;
	*at += length;
	return true;
}

/* false: cut, the components nearest to the root are missing. */
static __always_inline bool fill_cgroup(char *out, __u32 *length, struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);
	__u32 at = 0;

	*length = 0;
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		struct kernfs_node *parent = kernfs_parent(node);

		if (!parent)
			return true;
		if (!append(out, CGROUP_BYTES, &at, BPF_CORE_READ(node, name)))
			return false;
		*length = at;
		node = parent;
	}
	return false;
}

/* As d_path(), without its locks: up the dentries, and from the root of a mount on to its mount point. */
static __always_inline void fill_executable(struct flow_record *record, struct task_struct *leader)
{
	struct file *file = BPF_CORE_READ(leader, mm, exe_file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct mount *mount = (void *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	__u32 at = 0;

	record->executable_length = 0;
	if (!file)
		return;
	if (!BPF_CORE_READ(dentry, d_hash.pprev))
		record->flags |= RECORD_EXECUTABLE_DELETED;
	for (int i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount)
				return;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (!append(record->executable, EXECUTABLE_BYTES, &at, BPF_CORE_READ(dentry, d_name.name)))
			break;
		record->executable_length = at;
		if (dentry == parent) /* a file without a place, such as a memfd */
			return;
		dentry = parent;
	}
	record->flags |= RECORD_EXECUTABLE_CUT;
}

static __always_inline void fill_arguments(struct flow_record *record, struct task_struct *leader)
{
	unsigned long start = BPF_CORE_READ(leader, mm, arg_start);
	__u64 length = BPF_CORE_READ(leader, mm, arg_end) - start;

	record->arguments_length = 0;
	if (length > ARGUMENT_BYTES)
		length = ARGUMENT_BYTES;
	if (bpf_probe_read_user(record->arguments, length, (void *)start))
		count(ARGUMENTS_UNREAD);
	else
		record->arguments_length = length;
}

static __always_inline void fill_record(struct flow_record *record, struct task_struct *task, struct sock *socket)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct cgroup *cgroup = task_cgroup(task);
	struct cgroup *socket_cgroup = BPF_CORE_READ(socket, sk_cgrp_data.cgroup);

	record->flags = 0;
	record->connected_at = bpf_ktime_get_boot_ns();
	record->cgroup_id = cgroup_id(cgroup);
	record->socket_cgroup_id = cgroup_id(socket_cgroup);
	record->netns_cookie = netns_cookie(socket);
	record->gid = BPF_CORE_READ(task, cred, gid.val);
	record->login_uid = ~0U;
	if (bpf_core_field_exists(leader->loginuid)) /* CONFIG_AUDIT */
		record->login_uid = BPF_CORE_READ(leader, loginuid.val);
	record->pid_in_namespace = own_pid(leader);
	record->session_leader = BPF_CORE_READ(leader, signal, pids[PIDTYPE_SID], numbers[0].nr);
	fill_process(&record->process, leader);
	fill_parents(record, leader);
	if (!fill_cgroup(record->cgroup, &record->cgroup_length, cgroup))
		record->flags |= RECORD_CGROUP_CUT;
	if (!fill_cgroup(record->socket_cgroup, &record->socket_cgroup_length, socket_cgroup))
		record->flags |= RECORD_SOCKET_CGROUP_CUT;
	fill_executable(record, leader);
	fill_arguments(record, leader);
}

#endif
