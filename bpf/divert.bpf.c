// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* On the host's side of a container interface: the first packet of a flow that an ungoverned process made gets the
 * BYSTANDER mark, nftables keeps it for the flow. Whatever else arrives goes to the proxy, and so does everything
 * where this program is missing. A packet of a flow that is known as governed is given to the proxy's socket already
 * here, or dropped: so it is never forwarded, nor taken by a server of this host, when the nftables table is gone.
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MARK_BYSTANDER 0x73U
#define ETH_BYTES 14
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define LOOPBACK4 bpf_htonl(0x7f000001)

struct ports_and_flags {
	__u16 source;
	__u16 destination;
	__u8 skipped[9];
	__u8 flags;
};

enum packet { NOT_TCP, TCP_OPENING, TCP_LATER };

static __always_inline enum packet read_tcp(struct __sk_buff *skb, __u32 offset, struct flow_key *key)
{
	struct ports_and_flags tcp;

	if (bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return NOT_TCP;
	key->source_port = bpf_ntohs(tcp.source);
	key->destination_port = bpf_ntohs(tcp.destination);
	return (tcp.flags & 0x17) == 0x02 ? TCP_OPENING : TCP_LATER; /* of FIN, SYN, RST, ACK only SYN */
}

static __always_inline enum packet read_ipv4(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[20];
	__u32 address;

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[9] != IPPROTO_TCP)
		return NOT_TCP;
	__builtin_memcpy(&address, start + 12, 4);
	map_ipv4(key->source, address);
	__builtin_memcpy(&address, start + 16, 4);
	map_ipv4(key->destination, address);
	return read_tcp(skb, ETH_BYTES + (start[0] & 0xf) * 4, key);
}

/* A SYN behind extension headers is nobody's: the kernel sends none of its own accord. */
static __always_inline enum packet read_ipv6(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[40];

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[6] != IPPROTO_TCP)
		return NOT_TCP;
	__builtin_memcpy(key->source, start + 8, 16);
	__builtin_memcpy(key->destination, start + 24, 16);
	return read_tcp(skb, ETH_BYTES + sizeof(start), key);
}

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

/* To the connection that a worker accepted, else to the proxy's listener. */
static __always_inline int give_to_proxy(struct __sk_buff *skb, const struct flow_key *key, bool ipv6)
{
	struct settings *settings = current_settings();
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	long failed;

	if (!settings)
		return TC_ACT_SHOT;
	fill_tuple(&tuple, key, ipv6);
	sk = lookup(skb, &tuple, ipv6);
	if (sk && sk->state == TCP_LISTEN) { /* a server of this host */
		bpf_sk_release(sk);
		sk = 0;
	}
	if (!sk) {
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

SEC("tc")
int hostagent_divert(struct __sk_buff *skb)
{
	bool ipv6 = skb->protocol == bpf_htons(0x86dd);
	enum packet packet = NOT_TCP;
	struct flow_key key = {};

	if (ipv6)
		packet = read_ipv6(skb, &key);
	else if (skb->protocol == bpf_htons(0x0800))
		packet = read_ipv4(skb, &key);
	if (packet == NOT_TCP)
		return TC_ACT_UNSPEC;
	if (bpf_map_lookup_elem(&flows, &key))
		return give_to_proxy(skb, &key, ipv6);
	if (packet == TCP_OPENING && bpf_map_lookup_elem(&bystanders, &key))
		set_mark(skb, MARK_BYSTANDER);
	return TC_ACT_UNSPEC;
}
