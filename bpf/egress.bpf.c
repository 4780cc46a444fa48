// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The second lock, independent of the first: what leaves a governed socket leaves to the proxy, or not at all. It looks
 * at the socket's cgroup itself, so it holds when connect4/6 are detached; and at the mark and the device, so it holds
 * when the nftables table or the policy routing is gone.
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct ipv4_start {
	__u8 version_length;
	__u8 skipped[8];
	__u8 protocol;
	__u8 checksum[2];
	__u32 source;
	__u32 destination;
};

struct ipv6_start {
	__u8 skipped[6];
	__u8 next_header;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

static __always_inline int drop(enum reason reason)
{
	count(reason);
	return REFUSE;
}

/* Read from the packet: an unconnected socket has its destination nowhere else. IPv6 extension headers are refused. */
static __always_inline bool is_dns(struct __sk_buff *skb)
{
	__u8 destination[16];
	__u16 ports[2];
	__u32 offset;

	if (skb->protocol == bpf_htons(0x0800)) {
		struct ipv4_start ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.protocol != IPPROTO_UDP)
			return false;
		map_ipv4(destination, ip.destination);
		offset = (ip.version_length & 0xf) * 4;
	} else {
		struct ipv6_start ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.next_header != IPPROTO_UDP)
			return false;
		__builtin_memcpy(destination, ip.destination, 16);
		offset = sizeof(ip);
	}
	if (bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
		return false;
	return is_resolver(destination, bpf_ntohs(ports[1]));
}

/* Only TCP sends on its own; a datagram leaves in the context of its sender. So a raw or UDP socket that was made, or
 * connected, before its process was governed is found here. A raw socket may well have the protocol TCP.
 */
static __always_inline bool sender_governed(struct bpf_sock *sk)
{
	return sk->type != SOCK_STREAM && caller_governed((void *)bpf_get_current_task()) != GOVERNED_NOT;
}

/* From another network namespace the 4-tuple alone tells whose packet it is: so it has to be there, in its place, and
 * the destination has to be that of the socket. No extension headers, no source route.
 */
static __always_inline bool shows_its_flow(struct __sk_buff *skb, struct bpf_sock *sk)
{
	if (skb->protocol == bpf_htons(0x0800)) {
		struct ipv4_start ip;

		return !bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) && ip.destination == sk->dst_ip4;
	} else {
		struct ipv6_start ip;
		__u32 words[4];

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.next_header != IPPROTO_TCP)
			return false;
		__builtin_memcpy(words, ip.destination, 16);
		return words[0] == sk->dst_ip6[0] && words[1] == sk->dst_ip6[1] && words[2] == sk->dst_ip6[2] &&
		       words[3] == sk->dst_ip6[3];
	}
}

static __always_inline int tcp_leaves(struct __sk_buff *skb, struct bpf_sock *sk, __u32 flags, __u64 netns)
{
	struct settings *settings = current_settings();

	if (sk->state == TCP_LISTEN || flags & SOCKET_PASSIVE)
		return ALLOW; /* a governed server answers */
	if (!(flags & SOCKET_RECORDED))
		return drop(EGRESS_UNRECORDED);
	if (settings && netns != settings->own_netns_cookie) /* diverted where it arrives at the host */
		return shows_its_flow(skb, sk) ? ALLOW : drop(EGRESS_PROTOCOL);
	if (skb->ifindex != LOOPBACK_IFINDEX)
		return drop(EGRESS_DEVICE);
	if ((skb->mark & MARK_MASK) != MARK_REDIRECT)
		return drop(EGRESS_MARK); /* to an address of this host, and nobody took it to the proxy */
	return ALLOW;
}

SEC("cgroup_skb/egress")
int hostagent_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_state *state;
	struct sock *socket;
	__u32 flags;
	__u64 netns;

	if (!sk)
		return ALLOW;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return ALLOW;
	socket = kernel_sock(sk);
	state = bpf_sk_storage_get(&states, sk, 0, 0);
	flags = state ? state->flags : 0;
	/* The kernel's own sockets for resets, ICMP and neighbour discovery have the cgroup of who made the namespace. */
	if (sk->type == SOCK_RAW && BPF_CORE_READ_BITFIELD_PROBED(socket, sk_kern_sock))
		return ALLOW;
	if (!(flags & SOCKET_GOVERNED) && !socket_governed(socket) && !sender_governed(sk))
		return ALLOW;
	netns = netns_cookie(socket);
	if (!bpf_map_lookup_elem(&netns_covered, &netns))
		return drop(EGRESS_NETNS);
	if (sk->protocol == IPPROTO_TCP && sk->type == SOCK_STREAM)
		return tcp_leaves(skb, sk, flags, netns);
	if (sk->protocol == IPPROTO_UDP)
		return is_dns(skb) ? ALLOW : drop(EGRESS_UDP);
	return drop(EGRESS_PROTOCOL);
}
