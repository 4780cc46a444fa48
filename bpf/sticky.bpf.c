// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Once governed, always governed: a process that was in a governed cgroup stays governed wherever it moves, and so do
 * its children. A process that was never in one does not become sticky by entering an exempt cgroup.
 */
#include "govern.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define DEFAULT_HIERARCHY 0 /* cgroup v2 */

SEC("tp_btf/cgroup_attach_task")
int hostagent_task_moved(__u64 *ctx) /* struct cgroup *to, const char *path, struct task_struct *, bool threadgroup */
{
	struct cgroup *to = (void *)ctx[0];

	if (BPF_CORE_READ(to, root, hierarchy_id) == DEFAULT_HIERARCHY && cgroup_verdict(to) == VERDICT_GOVERN)
		make_sticky((void *)ctx[2]);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int hostagent_forked(__u64 *ctx) /* struct task_struct *parent, struct task_struct *child */
{
	struct task_struct *parent = (void *)ctx[0];
	struct task_struct *child = (void *)ctx[1];

	if (BPF_CORE_READ(parent, tgid) == BPF_CORE_READ(child, tgid))
		return 0;
	if (is_sticky(parent) || cgroup_verdict(task_cgroup(child)) == VERDICT_GOVERN)
		make_sticky(child);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int hostagent_exited(__u64 *ctx) /* struct task_struct * */
{
	struct task_struct *task = (void *)ctx[0];
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter) == 0) /* the last thread */
		bpf_map_delete_elem(&sticky, &tgid);
	return 0;
}

/* Run by user space after a change of the patterns: what is in a governed cgroup already is governed from here on. */
SEC("iter/task")
int hostagent_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && cgroup_verdict(task_cgroup(task)) == VERDICT_GOVERN)
		make_sticky(task);
	return 0;
}
