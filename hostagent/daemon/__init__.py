"""hostagentd, the supervisor: owns kernel state, processes, policy and the control socket; parses no peer bytes."""
