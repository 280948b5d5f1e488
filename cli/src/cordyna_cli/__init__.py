"""The command line `dyna` (also `cordyna`): asks for tasks, shows what became of them. It talks to the `Engine` port only."""
