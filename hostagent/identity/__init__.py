"""Who made a flow: from the kernel's flow record to an Actor. Knows no protocol and makes no decision."""
