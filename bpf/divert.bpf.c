// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* On the host's side of a container interface: the first packet of a flow that an ungoverned process made gets the
 * BYSTANDER mark, nftables keeps it for the flow. Whatever else arrives goes to the proxy, and so does everything
 * where this program is missing. It marks and never drops: what it does not know is decided after it.
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MARK_BYSTANDER 0x73U
#define ETH_BYTES 14
#define TC_ACT_UNSPEC (-1)

struct ports_and_flags {
	__u16 source;
	__u16 destination;
	__u8 skipped[9];
	__u8 flags;
};

static __always_inline bool is_syn(struct __sk_buff *skb, __u32 offset, struct flow_key *key)
{
	struct ports_and_flags tcp;

	if (bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return false;
	key->source_port = bpf_ntohs(tcp.source);
	key->destination_port = bpf_ntohs(tcp.destination);
	return (tcp.flags & 0x12) == 0x02; /* SYN without ACK */
}

static __always_inline bool read_ipv4(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[20];
	__u32 address;

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[9] != IPPROTO_TCP)
		return false;
	__builtin_memcpy(&address, start + 12, 4);
	map_ipv4(key->source, address);
	__builtin_memcpy(&address, start + 16, 4);
	map_ipv4(key->destination, address);
	return is_syn(skb, ETH_BYTES + (start[0] & 0xf) * 4, key);
}

/* A SYN behind extension headers is nobody's: the kernel sends none of its own accord. */
static __always_inline bool read_ipv6(struct __sk_buff *skb, struct flow_key *key)
{
	__u8 start[40];

	if (bpf_skb_load_bytes(skb, ETH_BYTES, start, sizeof(start)) || start[6] != IPPROTO_TCP)
		return false;
	__builtin_memcpy(key->source, start + 8, 16);
	__builtin_memcpy(key->destination, start + 24, 16);
	return is_syn(skb, ETH_BYTES + sizeof(start), key);
}

SEC("tc")
int hostagent_divert(struct __sk_buff *skb)
{
	__u32 mark = (skb->mark & ~MARK_MASK) | MARK_BYSTANDER;
	struct flow_key key = {};
	bool syn = false;

	if (skb->protocol == bpf_htons(0x0800))
		syn = read_ipv4(skb, &key);
	else if (skb->protocol == bpf_htons(0x86dd))
		syn = read_ipv6(skb, &key);
	barrier_var(mark); /* else clang stores one byte of it, which the verifier does not take */
	if (syn && !bpf_map_lookup_elem(&flows, &key) && bpf_map_lookup_elem(&bystanders, &key))
		skb->mark = mark;
	return TC_ACT_UNSPEC;
}
