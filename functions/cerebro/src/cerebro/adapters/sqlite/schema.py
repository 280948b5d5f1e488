"""Schema: the tables of a home's database, and the number of their format.

Invariant: a change of the tables changes FORMAT; a database of another format is never written. A
new table that an older version can do without is an addition: it is created when a file is opened.
"""

from typing import Final

FORMAT: Final = 2

SCHEMA: Final = """
create table head (
  one integer primary key check (one = 1), generation integer not null, servers text not null
);
create table declarations (version text primary key, declared text not null) without rowid;
create table targets (
  target text primary key, server text, fingerprint text not null, error text,
  serving integer not null, at real not null
) without rowid;
create table loads (one integer primary key check (one = 1), loads text not null);
create table servers (
  server text primary key, state text, at real not null, missed_at real
) without rowid;
create table lasts (
  task text, fingerprint text, dispatched_at real not null, run_id text not null,
  last text not null, primary key (task, fingerprint)
) without rowid;
create index lasts_of_run on lasts (run_id);
create table ticks (task text primary key, nominal real not null) without rowid;
create table plans (id text primary key, plan blob not null) without rowid;
create table runs (
  id text primary key, version integer not null, status text not null, plan_id text not null,
  created_at real not null, ended_at real, run text not null
);
create index runs_by_age on runs (created_at);
create index runs_by_end on runs (ended_at) where ended_at is not null;
create index runs_of_plan on runs (plan_id);
create index runs_active on runs (id) where status = 'running';
create table tasks (
  run_id text, place integer, rev integer not null, live integer not null, fact text not null,
  primary key (run_id, place)
) without rowid;
create index tasks_live on tasks (run_id) where live = 1;
create table outputs (
  run_id text, place integer, ref text, output text not null,
  primary key (run_id, place, ref)
);
create table events (
  seq integer primary key autoincrement, run_id text, at real not null, event text not null
);
create index events_of_run on events (run_id, seq);
create index events_of_no_run on events (at) where run_id is null;
create table logs (
  seq integer primary key autoincrement, run_id text not null, task text not null,
  attempt integer not null, at real not null, stream text not null, text text not null
);
create index logs_of_run on logs (run_id, seq);
create table inbox (seq integer primary key autoincrement, event text not null);
create table waited_for (seq integer primary key, run_id text unique not null);
create table dead_letters (
  seq integer primary key, digest text unique not null, event text not null,
  reason text not null, at real not null
);
"""

ADDITIONS: Final = {
    "incidents": """
    create table if not exists incidents (
      id text primary key, version integer not null, closed_at real, incident text not null
    ) without rowid
    """,
    "deadlines": """
    create table if not exists deadlines (
      task text, nominal real, version integer not null, due real not null,
      is_open integer not null, deadline text not null, primary key (task, nominal)
    ) without rowid
    """,
    "alerts": """
    create table if not exists alerts (
      number integer primary key autoincrement, owner text not null, is_waiting integer not null,
      event text not null, tries integer not null, due real, reason text not null
    )
    """,
    "alert_cursor": """
    create table if not exists alert_cursor (
      one integer primary key check (one = 1), seq integer not null
    )
    """,
    "graph_changes": """
    create table if not exists graph_changes (
      server text, version text, change text not null, primary key (server, version)
    ) without rowid
    """,
    "marks": "create table if not exists marks (mark text primary key) without rowid",
}
"""Tables that a file of this format may lack, by name."""
