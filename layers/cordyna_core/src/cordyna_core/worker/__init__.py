"""cordyna_core.worker: task bodies in processes of their own (docs/contract/local-worker.md).

    pool    the engine's side: starts a host, gives it commands, reports what happened
    host    the process between an engine and the bodies of all its servers
    body    what runs beside a Python body, in the body's process

`template` imports a Python server once and forks its bodies, and `python_server` is between a body
and its server. These two keep their names: the host of another version starts them by name.
"""
