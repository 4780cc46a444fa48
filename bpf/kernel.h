/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The few kernel structs that the programs read, relocated at load (CO-RE): only the names matter, not the layout. */
#ifndef HOSTAGENT_KERNEL_H
#define HOSTAGENT_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	__u64 id;
};

struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
	unsigned char sk_kern_sock : 1;
};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
};

struct upid {
	int nr;
	void *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
};

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct task_struct {
	int tgid;
	__u64 start_boottime;
	char comm[16];
	kuid_t loginuid;
	const struct cred *cred;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

#define PIDTYPE_SID 3
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define LOOPBACK_IFINDEX 1 /* in every network namespace */
#define TCP_LISTEN 10

#define ALLOW 1
#define REFUSE 0

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___before_6_15 *old = (void *)node;

	/* 6.15 renamed `parent` to `__parent` (kernfs: use RCU to access kernfs_node::parent) */
	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(node, __parent);
}

static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	return BPF_CORE_READ(task, cgroups, dfl_cgrp);
}

static __always_inline __u64 cgroup_id(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, kn, id);
}

/* The verifier lets nobody compute with a socket pointer; read back from the stack it is a plain address for CO-RE. */
static __always_inline struct sock *kernel_sock(struct bpf_sock *socket)
{
	struct bpf_sock *held = socket;
	struct sock *address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &held);
	return address;
}

static __always_inline __u64 netns_cookie(struct sock *socket)
{
	return BPF_CORE_READ(socket, __sk_common.skc_net.net, net_cookie);
}

#endif
