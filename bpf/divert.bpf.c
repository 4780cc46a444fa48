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
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MARK_BYSTANDER 0x73U
#define ETH_BYTES 14
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define LOOPBACK4 bpf_htonl(0x7f000001)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct net_device {
	const unsigned char *dev_addr;
	struct {
		struct list_head upper;
	} adj_list;
};

struct netdev_adjacent {
	struct net_device *dev;
	bool master;
	struct list_head list;
};

struct sk_buff {
	struct net_device *dev;
};

#pragma clang attribute pop

enum packet { NOT_TCP, TCP_OPENING, TCP_LATER };

/* The smallest first fragment has the ports, not always the flags: what it belongs to is known all the same. */
static __always_inline enum packet read_tcp(struct __sk_buff *skb, __u32 offset, struct flow_key *key)
{
	__u16 ports[2];
	__u8 flags;

	if (bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
		return NOT_TCP;
	key->source_port = bpf_ntohs(ports[0]);
	key->destination_port = bpf_ntohs(ports[1]);
	if (bpf_skb_load_bytes(skb, offset + 13, &flags, sizeof(flags)))
		return TCP_OPENING;
	return (flags & 0x17) == 0x02 ? TCP_OPENING : TCP_LATER; /* of FIN, SYN, RST, ACK only SYN */
}

static __always_inline enum packet read_ipv4(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[20];
	__u32 address;

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[9] != IPPROTO_TCP)
		return NOT_TCP;
	if ((start[6] & 0x1f) | start[7]) /* no first fragment: without that one it is nothing */
		return NOT_TCP;
	__builtin_memcpy(&address, start + 12, 4);
	map_ipv4(key->source, address);
	__builtin_memcpy(&address, start + 16, 4);
	map_ipv4(key->destination, address);
	return read_tcp(skb, ETH_BYTES + (start[0] & 0xf) * 4, key);
}

/* TCP behind extension headers is not looked for: governed sockets send none (egress.bpf.c). */
static __always_inline enum packet read_ipv6(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[40];

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[6] != IPPROTO_TCP)
		return NOT_TCP;
	__builtin_memcpy(key->source, start + 8, 16);
	__builtin_memcpy(key->destination, start + 24, 16);
	return read_tcp(skb, ETH_BYTES + sizeof(start), key);
}

/* The bridge whose port this arrived at, or another master: it is the first of the devices above. NULL without one. */
static __always_inline struct net_device *master_of(struct __sk_buff *skb)
{
	struct __sk_buff *held = skb;
	struct netdev_adjacent *above;
	struct net_device *device;
	struct sk_buff *packet = 0;
	struct list_head *upper;

	/* The verifier lets nobody compute with the context; read back from the stack it is a plain address for CO-RE. */
	bpf_probe_read_kernel(&packet, sizeof(packet), &held);
	device = BPF_CORE_READ(packet, dev);
	upper = BPF_CORE_READ(device, adj_list.upper.next);
	above = (void *)upper - bpf_core_field_offset(struct netdev_adjacent, list);
	if (upper == (void *)device + bpf_core_field_offset(struct net_device, adj_list.upper))
		return 0;
	return BPF_CORE_READ(above, master) ? BPF_CORE_READ(above, dev) : 0;
}

/* Let the bridge pass it up. A tagged frame would need a VLAN of the bridge that leads to us: it is dropped. */
static __always_inline bool address_to(struct __sk_buff *skb, struct net_device *bridge)
{
	__u8 address[6];

	if (skb->vlan_present || bpf_probe_read_kernel(address, sizeof(address), BPF_CORE_READ(bridge, dev_addr)))
		return false;
	return !bpf_skb_store_bytes(skb, 0, address, sizeof(address), 0);
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
	governed = bpf_map_lookup_elem(&flows, &key);
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
