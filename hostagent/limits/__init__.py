"""Counting what actors do, exactly, over all workers: the supervisor's budgets and each worker's purse. No I/O."""
