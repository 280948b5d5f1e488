"""The command line `dyna` (also `cordyna`): invoke tasks and see what happened.

It knows engines by the port `Engine` only.
"""
