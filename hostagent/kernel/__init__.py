"""The kernel side: hooks (eBPF), redirect (nftables and policy routing), flows (what the hooks wrote down)."""
