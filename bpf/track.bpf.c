// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Keeps `governed` and `sticky` true. The tracepoints run inside mkdir, migration, fork and exit: when the system call
 * returns the map is right, so there is no window. Needs Linux 5.17 (bpf_loop).
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PATH_BYTES 1024	    /* TRACE_CGROUP_PATH_LEN */
#define MATCH_STEPS 8192    /* a pattern of one star takes at most path + pattern; a hostile name must end too */
#define DEFAULT_HIERARCHY 0 /* cgroup v2; ids of v1 hierarchies overlap with its ids */

/* What one mkdir works on: mkdir holds cgroup_mutex, so there is one at a time. It lies in a map because the verifier
 * would follow each value of a counter on the stack.
 */
struct search {
	char path[PATH_BYTES];
	__u32 path_length;
	__u32 verdict;
	__u32 first; /* pattern of the set in force, which user space may switch meanwhile */
	__u32 pattern;
	__u32 at_pattern;
	__u32 at_path;
	__u32 after_star; /* 0: no star yet */
	__u32 retry;
	bool ended;
	bool matched;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct search);
} searches SEC(".maps");

static __always_inline struct search *current_search(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&searches, &first);
}

static long match_step(__u32 step __attribute__((unused)), void *context __attribute__((unused)))
{
	struct search *search = current_search();
	struct pattern *pattern;
	__u32 at_pattern, index;
	char wanted = 0, found = 0;

	if (!search)
		return 1;
	index = search->pattern;
	pattern = bpf_map_lookup_elem(&patterns, &index);
	if (!pattern)
		return 1;
	at_pattern = search->at_pattern;
	if (at_pattern < pattern->length && at_pattern < PATTERN_BYTES)
		wanted = pattern->text[at_pattern];
	if (search->at_path < search->path_length)
		found = search->path[search->at_path & (PATH_BYTES - 1)];
	if (wanted == '*') {
		search->after_star = ++search->at_pattern;
		search->retry = search->at_path;
	} else if (found && wanted == found) {
		search->at_pattern++;
		search->at_path++;
	} else if (found && search->after_star && search->path[search->retry & (PATH_BYTES - 1)] != '/') {
		search->at_path = ++search->retry; /* the last star takes one character more */
		search->at_pattern = search->after_star;
	} else {
		search->matched = !found && !wanted;
		search->ended = true;
		return 1;
	}
	return 0;
}

static long try_pattern(__u32 offset, void *context __attribute__((unused)))
{
	struct search *search = current_search();
	struct pattern *pattern;
	__u32 index;

	if (!search)
		return 1;
	index = search->first + offset;
	pattern = bpf_map_lookup_elem(&patterns, &index);
	if (!pattern)
		return 1;
	search->pattern = index;
	search->at_pattern = search->at_path = search->after_star = search->retry = 0;
	search->ended = search->matched = false;
	bpf_loop(MATCH_STEPS, match_step, 0, 0);
	if (!search->ended) {
		count(PATTERN_TOO_LONG);
		search->matched = pattern->verdict == VERDICT_GOVERN;
	}
	if (search->matched && search->verdict != VERDICT_EXEMPT)
		search->verdict = pattern->verdict;
	return 0;
}

static __always_inline bool is_v2(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, root, hierarchy_id) == DEFAULT_HIERARCHY;
}

SEC("tp_btf/cgroup_mkdir")
int hostagent_cgroup_made(__u64 *ctx) /* struct cgroup *, const char *path */
{
	struct cgroup *cgroup = (void *)ctx[0];
	struct settings *settings = current_settings();
	struct search *search = current_search();
	__u64 id = cgroup_id(cgroup);
	__u32 verdict;
	long length;

	if (!settings || !search || !is_v2(cgroup))
		return 0;
	length = bpf_probe_read_kernel_str(search->path, PATH_BYTES, (void *)ctx[1]);
	search->path_length = length - 1;
	search->verdict = VERDICT_NONE;
	search->first = settings->patterns_first;
	if (length <= 0 || length == PATH_BYTES) {
		count(PATTERN_TOO_LONG);
		search->verdict = VERDICT_GOVERN;
	} else {
		bpf_loop(settings->patterns_count, try_pattern, 0, 0);
	}
	verdict = search->verdict;
	if (verdict && bpf_map_update_elem(&governed, &id, &verdict, BPF_ANY))
		count(GOVERNED_FULL);
	return 0;
}

/* Not at rmdir: sockets may outlive the directory, and keep the cgroup until they are gone. */
SEC("tp_btf/cgroup_release")
int hostagent_cgroup_gone(__u64 *ctx) /* struct cgroup *, const char *path */
{
	struct cgroup *cgroup = (void *)ctx[0];
	__u64 id = cgroup_id(cgroup);

	if (is_v2(cgroup))
		bpf_map_delete_elem(&governed, &id);
	return 0;
}
