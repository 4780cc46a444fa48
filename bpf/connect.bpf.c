// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* connect() and sendmsg() of governed processes and sockets: who is written down before the first packet, or refused.
 * Attached at the cgroup root, so it runs for every socket whatever its cgroup.
 */
#include "record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOL_SOCKET 1
#define SO_MARK 36

static __always_inline int record_flow(struct bpf_sock_addr *ctx, struct task_struct *task, struct sock *socket,
				       enum governed_by by, const __u8 *destination, __u16 port)
{
	__u32 mark = (ctx->sk->mark & ~MARK_MASK) | MARK_GOVERNED;
	struct socket_state *state;
	struct flow_record *record;

	state = bpf_sk_storage_get(&states, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	record = bpf_sk_storage_get(&pending, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state || !record)
		return refuse(CONNECT_RECORD, ctx->protocol, destination, port);
	state->flags |= SOCKET_GOVERNED;
	fill_record(record, task, socket);
	record->governed_by = by;
	record->socket_cookie = bpf_get_socket_cookie(ctx);
	if (bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return refuse(CONNECT_MARK, ctx->protocol, destination, port);
	count(FLOW_RECORDED);
	return ALLOW;
}

static __always_inline int govern(struct bpf_sock_addr *ctx, const __u8 *destination)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sock *socket = kernel_sock(ctx->sk);
	enum governed_by by = caller_governed(task);
	__u16 port = bpf_ntohs(ctx->user_port);
	__u64 netns;

	if (by == GOVERNED_NOT && socket_governed(socket))
		by = GOVERNED_BY_SOCKET;
	if (by == GOVERNED_NOT)
		return ALLOW;
	netns = netns_cookie(socket);
	if (!bpf_map_lookup_elem(&netns_covered, &netns))
		return refuse(CONNECT_NETNS, ctx->protocol, destination, port);
	if (ctx->protocol == IPPROTO_TCP && ctx->type == SOCK_STREAM)
		return record_flow(ctx, task, socket, by, destination, port);
	if (ctx->protocol == IPPROTO_UDP && ctx->type == SOCK_DGRAM)
		return is_resolver(destination, port) ? ALLOW : refuse(CONNECT_UDP, ctx->protocol, destination, port);
	return refuse(CONNECT_PROTOCOL, ctx->protocol, destination, port);
}

static __always_inline int govern4(struct bpf_sock_addr *ctx)
{
	__u8 destination[16];

	map_ipv4(destination, ctx->user_ip4);
	return govern(ctx, destination);
}

static __always_inline int govern6(struct bpf_sock_addr *ctx)
{
	__u32 destination[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	return govern(ctx, (const __u8 *)destination);
}

SEC("cgroup/connect4")
int hostagent_connect4(struct bpf_sock_addr *ctx)
{
	return govern4(ctx);
}

SEC("cgroup/connect6")
int hostagent_connect6(struct bpf_sock_addr *ctx)
{
	return govern6(ctx);
}

SEC("cgroup/sendmsg4")
int hostagent_sendmsg4(struct bpf_sock_addr *ctx)
{
	return govern4(ctx);
}

SEC("cgroup/sendmsg6")
int hostagent_sendmsg6(struct bpf_sock_addr *ctx)
{
	return govern6(ctx);
}
