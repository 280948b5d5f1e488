"""cordyna_core.worker: task bodies in processes of their own (docs/contract/local-worker.md)."""
