// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Which network namespaces there are: inode (as /proc/PID/ns/net shows it) → cookie and one process in it. Read by an
 * iterator, because asking a namespace for its cookie would need CAP_SYS_ADMIN to enter it.
 */
#include "maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net___named {
	struct ns_common ns;
	__u64 net_cookie;
};

struct nsproxy {
	struct net___named *net_ns;
};

struct task_struct___namespaces {
	struct nsproxy *nsproxy;
};

#pragma clang attribute pop

struct namespace {
	__u64 cookie;
	__u64 pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct namespace);
} namespaces SEC(".maps");

SEC("iter/task")
int hostagent_namespaces(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct namespace namespace = {};
	struct nsproxy *proxy;
	__u64 inode;

	if (!task)
		return 0;
	proxy = BPF_CORE_READ((struct task_struct___namespaces *)task, nsproxy);
	if (!proxy) /* it is about to be gone */
		return 0;
	inode = BPF_CORE_READ(proxy, net_ns, ns.inum);
	namespace.cookie = BPF_CORE_READ(proxy, net_ns, net_cookie);
	namespace.pid = BPF_CORE_READ(task, tgid);
	bpf_map_update_elem(&namespaces, &inode, &namespace, BPF_ANY);
	return 0;
}
