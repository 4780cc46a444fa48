/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A frame of a container → the flow that it belongs to. */
#ifndef HOSTAGENT_PACKET_H
#define HOSTAGENT_PACKET_H

#include "govern.h"

#define ETH_BYTES 14

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

#endif
