"""Which network do these sequences need, and do they need one: the plan, the runs, the verdict."""
