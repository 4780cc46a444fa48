"""Policy: files → a Policy, and (actor classes, target, analysis) → a Ruling. Pure and deterministic."""
