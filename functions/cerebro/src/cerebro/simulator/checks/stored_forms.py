"""Stored forms: in a part of the worlds, what is written is also read from its stored form.

So it is in the form of this version, of a newer one (every list and object has one entry more), and
of an older one (what has its default is missing): two versions work on one store during a
deployment.

Invariant: each of them is read as what was written.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any, Final

from cerebro.adapters import codecs, incident_codec, internal_codec
from cerebro.core import effects
from cerebro.core.graph.versions import content_of
from cerebro.core.incidents import effects as incident_effects
from cerebro.core.internal_messages import InternalMessage
from cerebro.core.model.task_run import TaskRun
from cerebro.simulator.checks.unexpected import Unexpected

_LATER: Final = "later"
"""The name and the value of a field that only a newer version knows."""

_to_compact_json: Final = json.JSONEncoder(separators=(",", ":")).encode

Forms = Iterator[tuple[str, Any, Any]]
"""(form, what is read from it, what was written)."""


def check_stored_forms(effect: Any) -> None:
    """Read what an effect writes from each of its forms. Raises Unexpected."""
    for form, read, written in STORED[type(effect)](effect):
        if read != written:
            raise Unexpected(f"{type(effect).__name__}: {form} is read as {read}, not {written}")


def as_received(message: InternalMessage) -> InternalMessage:
    """Return an internal message as a handler of another version receives it.

    Raises Unexpected if that is another message.
    """
    ((kind, sent),) = json.loads(internal_codec.encode_internal(message)).items()
    newer = {**sent, _LATER: 1}
    older = {name: sent[name] for name in _set_fields(message)}
    for form in (older, newer):
        _opened(kind, form, message)
    return _opened(kind, sent, message)


def _opened(kind: str, form: dict[str, Any], message: InternalMessage) -> InternalMessage:
    text = _to_compact_json({kind: form})
    received = internal_codec.decode_internal(text)
    if received is None or received != message:
        raise Unexpected(f"{message} was received as {received}")
    return received


def _set_fields(value: Any) -> Iterator[str]:
    """Yield the names of the fields that do not have their default."""
    for field in fields(value):
        made = field.default_factory
        default = field.default if made is MISSING else made()
        if getattr(value, field.name) != default:
            yield field.name


def _without_defaults(stored: dict[str, Any], value: Any) -> str:
    kept = {"format", *_set_fields(value)}
    return json.dumps({name: entry for name, entry in stored.items() if name in kept})


def _task(effect: effects.WriteTask) -> Forms:
    fact: TaskRun = effect.new
    text = codecs.encode_task(fact)
    yield "a fact", codecs.decode_task(text), fact
    values = json.loads(text)
    *_, timeline, _rev = values if fact.dispatched_by is None else values[:-1]
    for entry in timeline:
        entry.append(_LATER)
    if fact.dispatched_by is None:
        values.append(None)
    yield "a newer fact", codecs.decode_task(json.dumps([*values, _LATER])), fact


def _run(effect: effects.WriteRun) -> Forms:
    run = effect.new
    text = codecs.encode_run(run)
    yield "a run", codecs.decode_run(text), run
    stored = json.loads(text)
    yield "a newer run", codecs.decode_run(json.dumps({**stored, _LATER: 1})), run
    yield "an older run", codecs.decode_run(_without_defaults(stored, run)), run


def _plan(effect: effects.WritePlan) -> Forms:
    plan = effect.plan
    blob = codecs.encode_plan(plan)
    yield "a plan", codecs.decode_plan(blob), plan
    content = json.loads(zlib.decompress(blob))
    content["fields"].append(_LATER)
    for row in content["tasks"]:
        row.append(1)
    newer = zlib.compress(json.dumps(content).encode())
    yield "a newer plan", codecs.decode_plan(newer), plan


def _result(effect: effects.WriteCachedResult) -> Forms:
    text = codecs.encode_cached_result(effect.result)
    yield "a result", codecs.decode_cached_result(text), effect.result
    newer = json.dumps([*json.loads(text), _LATER])
    yield "a newer result", codecs.decode_cached_result(newer), effect.result


def _declaration(effect: effects.WriteDeclaration) -> Forms:
    text = content_of(effect.declared)
    yield "a declaration", codecs.decode_declaration(text).tasks, effect.declared.tasks
    content = json.loads(text)
    for task in content.get("tasks", ()):
        task[_LATER] = 1
    newer = json.dumps({**content, _LATER: 1, "contract": _LATER})
    yield "a newer declaration", codecs.decode_declaration(newer).tasks, effect.declared.tasks


def _incident(effect: incident_effects.WriteIncident) -> Forms:
    incident = effect.new
    text = incident_codec.encode_incident(incident)
    yield "an incident", incident_codec.decode_incident(text), incident
    stored = json.loads(text)
    older = _without_defaults(stored, incident)
    yield "an older incident", incident_codec.decode_incident(older), incident
    for row in (*stored["blocked"], *stored["failing"]):
        row.append(_LATER)
    newer = json.dumps({**stored, _LATER: 1})
    yield "a newer incident", incident_codec.decode_incident(newer), incident


def _deadline(effect: incident_effects.WriteDeadline) -> Forms:
    deadline = effect.new
    text = incident_codec.encode_deadline(deadline)
    yield "a deadline", incident_codec.decode_deadline(text), deadline
    stored = json.loads(text)
    newer, older = json.dumps({**stored, _LATER: 1}), _without_defaults(stored, deadline)
    yield "a newer deadline", incident_codec.decode_deadline(newer), deadline
    yield "an older deadline", incident_codec.decode_deadline(older), deadline


STORED: Final[dict[type, Callable[[Any], Forms]]] = {
    effects.WriteTask: _task,
    effects.WriteRun: _run,
    effects.WritePlan: _plan,
    effects.WriteCachedResult: _result,
    effects.WriteDeclaration: _declaration,
    incident_effects.WriteIncident: _incident,
    incident_effects.WriteDeadline: _deadline,
}
"""The forms of what each effect writes."""
