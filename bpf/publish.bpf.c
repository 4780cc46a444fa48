// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Between the choice of the local port and the SYN: the record goes under its 4-tuple, where the proxy looks for it. */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Word by word: the context takes no wider load, and clang would make one. */
static __always_inline void copy_ipv6(__u8 *address, const volatile __u32 *words)
{
	__u32 copy[4] = { words[0], words[1], words[2], words[3] };

	__builtin_memcpy(address, copy, 16);
}

static __always_inline void fill_key(struct flow_key *key, struct bpf_sock_ops *ctx)
{
	__builtin_memset(key, 0, sizeof(*key));
	/* An IPv6 socket to an IPv4-mapped address has both forms; the IPv4 fields are right for it at this point. */
	if (ctx->family == AF_INET ||
	    (!ctx->remote_ip6[0] && !ctx->remote_ip6[1] && ctx->remote_ip6[2] == bpf_htonl(0xffff))) {
		map_ipv4(key->source, ctx->local_ip4);
		map_ipv4(key->destination, ctx->remote_ip4);
	} else {
		copy_ipv6(key->source, ctx->local_ip6);
		copy_ipv6(key->destination, ctx->remote_ip6);
	}
	key->source_port = ctx->local_port;
	key->destination_port = bpf_ntohl(ctx->remote_port);
}

/* Two live flows of two namespaces may have one 4-tuple: then neither is known, until user space forgets the entry. */
static __always_inline void publish(struct flow_key *key, struct flow_record *record, struct socket_state *state)
{
	struct flow_record *other = bpf_map_lookup_elem(&flows, key);

	if (other && (other->netns_cookie != record->netns_cookie || other->flags & RECORD_AMBIGUOUS)) {
		record->flags |= RECORD_AMBIGUOUS;
		count(PUBLISH_AMBIGUOUS);
	}
	if (bpf_map_update_elem(&flows, key, record, BPF_ANY))
		count(PUBLISH_FAILED);
	else
		state->flags |= SOCKET_RECORDED;
}

static __always_inline void publish_bystander(struct flow_key *key, struct sock *socket)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct settings *settings = current_settings();
	struct bystander bystander = { .netns_cookie = netns_cookie(socket) };

	if (!settings || bystander.netns_cookie == settings->own_netns_cookie)
		return;
	if (bpf_map_lookup_elem(&flows, key)) /* a governed flow of another namespace has this 4-tuple: it must not pass */
		return;
	if (caller_governed(task) != GOVERNED_NOT || socket_governed(socket))
		return;
	bystander.cgroup_id = cgroup_id(task_cgroup(task));
	bystander.connected_at = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&bystanders, key, &bystander, BPF_ANY);
}

static __always_inline void connecting(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct socket_state *state = bpf_sk_storage_get(&states, sk, 0, 0);
	struct flow_record *record = bpf_sk_storage_get(&pending, sk, 0, 0);
	struct flow_key key;

	fill_key(&key, ctx);
	if (state) /* whatever the socket was before (accepted, connected elsewhere), it is a new flow now */
		state->flags &= ~(SOCKET_RECORDED | SOCKET_PASSIVE);
	if (!state || !record) {
		if (!state)
			publish_bystander(&key, kernel_sock(sk));
		return;
	}
	bpf_map_delete_elem(&bystanders, &key);
	publish(&key, record, state);
	bpf_sk_storage_delete(&pending, sk);
}

static __always_inline void accepted(struct bpf_sock *sk)
{
	struct socket_state *state;

	if (!socket_governed(kernel_sock(sk)))
		return;
	state = bpf_sk_storage_get(&states, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (state)
		state->flags |= SOCKET_GOVERNED | SOCKET_PASSIVE;
}

SEC("sockops")
int hostagent_publish(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return ALLOW;
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		connecting(ctx, sk);
	else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		accepted(sk);
	return ALLOW;
}
