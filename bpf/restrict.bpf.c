// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What a governed process may not do with a socket at all: protocols that nothing intercepts, options that lead around
 * the redirect, and the proxy's own port.
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOL_IP 0
#define SOL_SOCKET 1
#define SOL_TCP 6
#define SOL_IPV6 41
#define SO_BINDTODEVICE 25
#define SO_MARK 36
#define SO_BINDTOIFINDEX 62
#define TCP_REPAIR 19
#define OPTION(level, name) ((__u64)(level) << 32 | (__u32)(name))

/* MPTCP is refused although its first subflow would be intercepted: further subflows are the kernel's own connects. */
SEC("cgroup/sock_create")
int hostagent_create(struct bpf_sock *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	bool tcp = ctx->type == SOCK_STREAM && ctx->protocol == IPPROTO_TCP;
	bool udp = ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP;
	enum governed_by by = caller_governed(task);
	struct socket_state *state;

	if (by == GOVERNED_NOT)
		return ALLOW;
	if ((ctx->family != AF_INET && ctx->family != AF_INET6) || !(tcp || udp))
		return refuse(CREATE_PROTOCOL, ctx->protocol, 0, 0);
	if (by == GOVERNED_BY_CALLER)
		return ALLOW;
	/* the cgroup of the socket will not tell the second lock, so the socket itself has to */
	state = bpf_sk_storage_get(&states, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state)
		return refuse(CONNECT_RECORD, ctx->protocol, 0, 0);
	state->flags |= SOCKET_GOVERNED;
	return ALLOW;
}

SEC("cgroup/setsockopt")
int hostagent_setsockopt(struct bpf_sockopt *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	switch (OPTION(ctx->level, ctx->optname)) {
	case OPTION(SOL_SOCKET, SO_MARK):
	case OPTION(SOL_SOCKET, SO_BINDTODEVICE):
	case OPTION(SOL_SOCKET, SO_BINDTOIFINDEX):
	case OPTION(SOL_IP, 15): /* IP_FREEBIND */
	case OPTION(SOL_IP, 19): /* IP_TRANSPARENT */
	case OPTION(SOL_IPV6, 75): /* IPV6_TRANSPARENT */
	case OPTION(SOL_IPV6, 78): /* IPV6_FREEBIND */
	case OPTION(SOL_TCP, TCP_REPAIR):
		if (caller_governed(task) != GOVERNED_NOT)
			return refuse(SOCKET_OPTION, 0, 0, 0);
	}
	return ALLOW;
}

static __always_inline int bound(struct bpf_sock *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct settings *settings = current_settings();
	__u32 port = ctx->src_port;

	if (settings && port == settings->proxy_port && caller_governed(task) != GOVERNED_NOT)
		return refuse(BIND_PROXY_PORT, ctx->protocol, 0, port);
	return ALLOW;
}

SEC("cgroup/post_bind4")
int hostagent_bound4(struct bpf_sock *ctx)
{
	return bound(ctx);
}

SEC("cgroup/post_bind6")
int hostagent_bound6(struct bpf_sock *ctx)
{
	return bound(ctx);
}
