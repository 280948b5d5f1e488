"""cordyna's own stacks: cerebro, the task servers of this repository, and their monitoring."""
