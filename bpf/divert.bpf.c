// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* On the host's side of a container interface: the first packet of a flow that an ungoverned process made gets the
 * BYSTANDER mark, nftables keeps it for the flow. Whatever else arrives goes to the proxy, and so does everything
 * where this program is missing. A packet of a flow that is known as governed is given to the proxy's socket already
 * here, or dropped: so it is never forwarded, nor taken by a server of this host, when the nftables table is gone.
 *
 * A port of a bridge is stricter, because nftables does not see what is switched from port to port: here whatever opens
 * a flow and is no bystander's is the proxy's, and what is the proxy's is addressed to the bridge itself, so that it is
 * passed up instead of switched. Anything else may be switched: no governed flow was ever opened to its destination.
 */
#include "bridge.h"
#include "packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MARK_BYSTANDER 0x73U
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define LOOPBACK4 bpf_htonl(0x7f000001)

/* clang would store the one byte that changes, which the verifier does not take: hence the barrier. */
static __always_inline void set_mark(struct __sk_buff *skb, __u32 ours)
{
	__u32 mark = (skb->mark & ~MARK_MASK) | ours;

	barrier_var(mark);
	skb->mark = mark;
}

static __always_inline void fill_tuple(struct bpf_sock_tuple *tuple, const struct flow_key *key, bool ipv6)
{
	if (ipv6) {
		__builtin_memcpy(tuple->ipv6.saddr, key->source, 16);
		__builtin_memcpy(tuple->ipv6.daddr, key->destination, 16);
		tuple->ipv6.sport = bpf_htons(key->source_port);
		tuple->ipv6.dport = bpf_htons(key->destination_port);
		return;
	}
	__builtin_memcpy(&tuple->ipv4.saddr, key->source + 12, 4);
	__builtin_memcpy(&tuple->ipv4.daddr, key->destination + 12, 4);
	tuple->ipv4.sport = bpf_htons(key->source_port);
	tuple->ipv4.dport = bpf_htons(key->destination_port);
}

static __always_inline void aim_at_proxy(struct bpf_sock_tuple *tuple, __u16 port, bool ipv6)
{
	if (ipv6) {
		__builtin_memset(tuple->ipv6.daddr, 0, 16);
		tuple->ipv6.daddr[3] = bpf_htonl(1);
		tuple->ipv6.dport = bpf_htons(port);
	} else {
		tuple->ipv4.daddr = LOOPBACK4;
		tuple->ipv4.dport = bpf_htons(port);
	}
}

static __always_inline struct bpf_sock *lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, bool ipv6)
{
	if (ipv6)
		return bpf_skc_lookup_tcp(skb, tuple, sizeof(tuple->ipv6), BPF_F_CURRENT_NETNS, 0);
	return bpf_skc_lookup_tcp(skb, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
}

/* The connection of this host that the packet belongs to: what a worker accepted, or what a server of the host did. */
static __always_inline struct bpf_sock *find_connection(struct __sk_buff *skb, const struct flow_key *key, bool ipv6)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	fill_tuple(&tuple, key, ipv6);
	sk = lookup(skb, &tuple, ipv6);
	if (sk && sk->state == TCP_LISTEN) {
		bpf_sk_release(sk);
		return 0;
	}
	return sk;
}

/* To the connection that a worker accepted, else to the proxy's listener. */
static __always_inline int give_to_proxy(struct __sk_buff *skb, const struct flow_key *key, bool ipv6)
{
	struct settings *settings = current_settings();
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	long failed;

	if (!settings)
		return TC_ACT_SHOT;
	sk = find_connection(skb, key, ipv6);
	if (!sk) {
		fill_tuple(&tuple, key, ipv6);
		aim_at_proxy(&tuple, settings->proxy_port, ipv6);
		sk = lookup(skb, &tuple, ipv6);
	}
	if (!sk)
		return TC_ACT_SHOT;
	failed = bpf_sk_assign(skb, sk, 0);
	bpf_sk_release(sk);
	set_mark(skb, MARK_REDIRECT);
	return failed ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* A flow that is forgotten goes on: nftables knows it by its conntrack mark, if only the packet comes there. */
static __always_inline int pass_up_if_ours(struct __sk_buff *skb, const struct flow_key *key, bool ipv6)
{
	struct net_device *bridge = master_of(skb);
	struct bpf_sock *sk = bridge ? find_connection(skb, key, ipv6) : 0;

	if (!sk)
		return TC_ACT_UNSPEC;
	bpf_sk_release(sk);
	return address_to(skb, bridge) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int hostagent_divert(struct __sk_buff *skb)
{
	bool ipv6 = skb->protocol == bpf_htons(0x86dd);
	enum packet packet = NOT_TCP;
	struct flow_key key = {};
	struct net_device *bridge;
	bool governed;

	if (ipv6)
		packet = read_ipv6(skb, &key);
	else if (skb->protocol == bpf_htons(0x0800))
		packet = read_ipv4(skb, &key);
	if (packet == NOT_TCP)
		return TC_ACT_UNSPEC;
	/* The mark is from a port of this bridge: netfilter of the bridge may have taken the socket off again. */
	governed = (skb->mark & MARK_MASK) == MARK_REDIRECT || bpf_map_lookup_elem(&flows, &key);
	if (!governed && packet == TCP_LATER)
		return pass_up_if_ours(skb, &key, ipv6);
	if (!governed && bpf_map_lookup_elem(&bystanders, &key)) {
		set_mark(skb, MARK_BYSTANDER);
		return TC_ACT_UNSPEC;
	}
	bridge = master_of(skb);
	if (!governed && !bridge)
		return TC_ACT_UNSPEC;
	if (bridge && !address_to(skb, bridge))
		return TC_ACT_SHOT;
	return give_to_proxy(skb, &key, ipv6);
}
