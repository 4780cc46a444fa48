/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kernel half and the user half share. hostagent/kernel/layout.py mirrors every struct and enum of this file,
 * the loader compares the sizes before it attaches anything. Addresses are 16 bytes in network order, an IPv4 address
 * as ::ffff:a.b.c.d; ports are in host order.
 */
#ifndef HOSTAGENT_H
#define HOSTAGENT_H

#include <linux/types.h>

#define MARK_MASK 0xffU
#define MARK_GOVERNED 0x75U
#define MARK_REDIRECT 0x77U

#define MAX_PARENTS 8
#define NAME_BYTES 256	     /* NAME_MAX and its NUL */
#define EXECUTABLE_BYTES 1024 /* where the last component may begin; 4096 = PATH_MAX would quadruple the flow map */
#define CGROUP_BYTES 512      /* the longest kubepods path is about 200 */
#define ARGUMENT_BYTES 1024
#define PATTERN_BYTES 248
#define MAX_PATTERNS 128

enum verdict { VERDICT_NONE, VERDICT_GOVERN, VERDICT_EXEMPT };

enum governed_by { GOVERNED_NOT, GOVERNED_BY_CALLER, GOVERNED_BY_SOCKET, GOVERNED_BY_STICKY };

/* Why something was refused, dropped or lost; the index of `counters`. */
enum reason {
	FLOW_RECORDED,	       /* not a failure: governed connects that were recorded */
	CONNECT_PROTOCOL,      /* connect of another protocol than TCP and UDP */
	CONNECT_UDP,	       /* governed UDP that is not DNS to a resolver */
	CONNECT_NETNS,	       /* in a network namespace without a way to the proxy */
	CONNECT_RECORD,	       /* no room for the record */
	CONNECT_MARK,	       /* the mark could not be set */
	CREATE_PROTOCOL,       /* socket() of a protocol that cannot be intercepted */
	BIND_PROXY_PORT,
	SOCKET_OPTION,	       /* SO_MARK, IP_TRANSPARENT and the like */
	PUBLISH_FAILED,	       /* the flow map did not take the record */
	PUBLISH_AMBIGUOUS,     /* one 4-tuple, two network namespaces */
	EGRESS_NETNS,
	EGRESS_UNRECORDED,     /* a governed TCP socket that no connect hook recorded */
	EGRESS_DEVICE,	       /* governed TCP about to leave by another device than lo */
	EGRESS_MARK,	       /* governed TCP on lo that nobody redirected */
	EGRESS_UDP,
	EGRESS_PROTOCOL,
	STICKY_FULL,
	GOVERNED_FULL,
	CGROUP_TOO_DEEP,       /* treated as governed */
	PATTERN_TOO_LONG,      /* a match that did not end: treated as governed, never as exempt */
	ARGUMENTS_UNREAD,
	REFUSAL_LOST,	       /* the ring of refusals was full */
	REASONS
};

enum record_flag {
	RECORD_EXECUTABLE_DELETED = 1,
	RECORD_EXECUTABLE_CUT = 2,
	RECORD_CGROUP_CUT = 4,
	RECORD_SOCKET_CGROUP_CUT = 8,
	RECORD_AMBIGUOUS = 16,
};

/* State of a governed socket, as the second lock sees it. */
enum socket_flag { SOCKET_GOVERNED = 1, SOCKET_RECORDED = 2, SOCKET_PASSIVE = 4 };

struct process_record {
	__u64 start_time; /* start_boottime of the thread group leader, ns */
	__u32 pid;
	__u32 uid;
	char comm[16];
};

struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
};

/* Paths hold their components from the last to the first, each ended by NUL: no second pass in the kernel. */
struct flow_record {
	struct process_record process;
	struct process_record parents[MAX_PARENTS];
	__u64 connected_at;
	__u64 cgroup_id;
	__u64 socket_cgroup_id;
	__u64 netns_cookie;
	__u64 socket_cookie;
	__u32 gid;
	__u32 login_uid; /* ~0: none */
	__u32 pid_in_namespace;
	__u32 session_leader;
	__u32 governed_by;
	__u32 flags;
	__u32 parent_count;
	__u32 executable_length;
	__u32 cgroup_length;
	__u32 socket_cgroup_length;
	__u32 arguments_length;
	__u32 reserved;
	char executable[EXECUTABLE_BYTES + NAME_BYTES];
	char cgroup[CGROUP_BYTES + NAME_BYTES];
	char socket_cgroup[CGROUP_BYTES + NAME_BYTES];
	char arguments[ARGUMENT_BYTES];
};

/* An ungoverned flow of another network namespace than the daemon's. */
struct bystander {
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u64 connected_at;
};

struct socket_state {
	__u32 flags;
};

struct address {
	__u8 bytes[16];
};

struct pattern {
	__u32 verdict;
	__u32 length;
	char text[PATTERN_BYTES];
};

struct settings {
	__u64 own_netns_cookie;
	__u32 proxy_port;
	__u32 reserved;
	__u32 patterns_first; /* index of the first pattern in force: 0 or MAX_PATTERNS; changes with the count at once */
	__u32 patterns_count;
};

struct refusal {
	__u64 at; /* ns since boot */
	__u64 cgroup_id;
	__u32 reason;
	__u32 pid;
	__u32 uid;
	__u16 protocol;
	__u16 port;
	__u8 destination[16];
	char comm[16];
};

#endif
