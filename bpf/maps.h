/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* All maps. Every object names them; they are pinned by name, so all objects of an instance share one set. */
#ifndef HOSTAGENT_MAPS_H
#define HOSTAGENT_MAPS_H

#include "hostagent.h"
#include "kernel.h"

#define SHARED_MAP(map_name, map_type, key_type, value_type, entries) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
		__uint(pinning, LIBBPF_PIN_BY_NAME); \
	} map_name SEC(".maps")

#define SOCKET_MAP(map_name, value_type) \
	struct { \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__type(key, int); \
		__type(value, value_type); \
		__uint(pinning, LIBBPF_PIN_BY_NAME); \
	} map_name SEC(".maps")

SHARED_MAP(settings, BPF_MAP_TYPE_ARRAY, __u32, struct settings, 1);
SHARED_MAP(governed, BPF_MAP_TYPE_HASH, __u64, __u32, 65536);	      /* cgroup id → verdict */
SHARED_MAP(patterns, BPF_MAP_TYPE_ARRAY, __u32, struct pattern, 2 * MAX_PATTERNS);
SHARED_MAP(sticky, BPF_MAP_TYPE_HASH, __u32, __u64, 131072);	      /* tgid → start_boottime */
SHARED_MAP(netns_covered, BPF_MAP_TYPE_HASH, __u64, __u8, 4096);
SHARED_MAP(resolvers, BPF_MAP_TYPE_HASH, struct address, __u8, 64);
SHARED_MAP(flows, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct flow_record, 8192); /* 35 MiB */
SHARED_MAP(bystanders, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct bystander, 16384);
SHARED_MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, REASONS);
SOCKET_MAP(pending, struct flow_record); /* between connect() and the SYN only */
SOCKET_MAP(states, struct socket_state); /* as long as the socket lives */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} refusals SEC(".maps");

static __always_inline void count(enum reason reason)
{
	__u32 index = reason;
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		*counter += 1;
}

static __always_inline struct settings *current_settings(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&settings, &first);
}

/* Count, tell user space, and give the value that refuses. `destination` may be NULL. */
static __always_inline int refuse(enum reason reason, __u16 protocol, const __u8 *destination, __u16 port)
{
	struct refusal *refusal;
	struct task_struct *task = (void *)bpf_get_current_task();

	count(reason);
	refusal = bpf_ringbuf_reserve(&refusals, sizeof(*refusal), 0);
	if (!refusal) {
		count(REFUSAL_LOST);
		return REFUSE;
	}
	refusal->at = bpf_ktime_get_boot_ns();
	refusal->cgroup_id = cgroup_id(task_cgroup(task));
	refusal->reason = reason;
	refusal->pid = BPF_CORE_READ(task, tgid);
	refusal->uid = BPF_CORE_READ(task, cred, uid.val);
	refusal->protocol = protocol;
	refusal->port = port;
	if (destination)
		__builtin_memcpy(refusal->destination, destination, 16);
	else
		__builtin_memset(refusal->destination, 0, 16);
	BPF_CORE_READ_INTO(&refusal->comm, task, group_leader, comm);
	bpf_ringbuf_submit(refusal, 0);
	return REFUSE;
}

#endif
