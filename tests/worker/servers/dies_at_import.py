"""A server whose import ends the process."""

import os
import sys

print("last words", file=sys.stderr, flush=True)
os._exit(3)
