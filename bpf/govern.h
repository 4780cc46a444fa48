/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is governed: the caller by its cgroup, the socket by its cgroup, or a process that was governed before. */
#ifndef HOSTAGENT_GOVERN_H
#define HOSTAGENT_GOVERN_H

#include "maps.h"

#define MAX_DEPTH 64

/* From the cgroup upwards the nearest entry decides. Deeper than we walk is governed: depth must not be a way out. */
static __always_inline __u32 cgroup_verdict(struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		__u64 id;
		__u32 *verdict;

		if (!node)
			return VERDICT_NONE;
		id = BPF_CORE_READ(node, id);
		verdict = bpf_map_lookup_elem(&governed, &id);
		if (verdict)
			return *verdict;
		node = kernfs_parent(node);
	}
	count(CGROUP_TOO_DEEP);
	return VERDICT_GOVERN;
}

static __always_inline bool is_sticky(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 *started = bpf_map_lookup_elem(&sticky, &tgid);

	return started && *started == BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline void make_sticky(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 started = BPF_CORE_READ(task, group_leader, start_boottime);

	if (bpf_map_update_elem(&sticky, &tgid, &started, BPF_ANY))
		count(STICKY_FULL);
}

static __always_inline enum governed_by caller_governed(struct task_struct *task)
{
	if (cgroup_verdict(task_cgroup(task)) == VERDICT_GOVERN)
		return GOVERNED_BY_CALLER;
	return is_sticky(task) ? GOVERNED_BY_STICKY : GOVERNED_NOT;
}

static __always_inline bool socket_governed(struct sock *socket)
{
	return cgroup_verdict(BPF_CORE_READ(socket, sk_cgrp_data.cgroup)) == VERDICT_GOVERN;
}

static __always_inline bool is_resolver(const __u8 *destination, __u16 port)
{
	return port == 53 && bpf_map_lookup_elem(&resolvers, destination);
}

static __always_inline void map_ipv4(__u8 *address, __u32 ipv4)
{
	__u32 words[4] = { 0, 0, bpf_htonl(0xffff), ipv4 };

	__builtin_memcpy(address, words, 16);
}

#endif
