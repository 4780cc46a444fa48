/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The bridge above the port that a frame arrived at: which one it is, and how to have the frame passed up to it. */
#ifndef HOSTAGENT_BRIDGE_H
#define HOSTAGENT_BRIDGE_H

#include "kernel.h"

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

#endif
