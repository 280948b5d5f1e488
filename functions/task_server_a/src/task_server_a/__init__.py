"""Team a's task server: independent workloads."""
