"""Team b's task server: tasks that depend on what other teams run."""
