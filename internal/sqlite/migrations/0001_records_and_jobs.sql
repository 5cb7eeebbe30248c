-- The records of storage.Backend. Text compares by its bytes (binary collation), which is the order of the contract.
create table records (
  key text not null,
  value blob not null,
  rev integer not null,
  expires integer, -- unix milliseconds; null means never
  constraint records_pk primary key (key)
) without rowid;

create index records_by_expiry on records (expires) where expires is not null;

-- What the newest revisions wrote, for watchers, also of other processes. Only the newest revisions are kept, and the
-- greatest rev here is the present revision of the store: the last row must never be deleted.
create table changes (
  rev integer not null,
  n integer not null, -- position within the revision
  key text not null,
  deleted integer not null,
  constraint changes_pk primary key (rev, n)
) without rowid;

-- The jobs of queue.Queue. An open job (finished is null) may be claimed from due on; while it is claimed, due is the
-- end of the lease that token names.
create table jobs (
  seq integer not null, -- the order in which they came
  id text not null,
  kind text not null,
  unique_key text, -- null means none
  payload blob not null,
  priority integer not null,
  max_attempts integer not null, -- 0 means without limit
  attempts integer not null default 0,
  due integer not null, -- unix milliseconds
  token text, -- null means not claimed
  finished integer, -- unix milliseconds; null means open
  failed integer not null default 0, -- 1 means put aside
  reason text, -- of the last retry or failure
  constraint jobs_pk primary key (seq),
  constraint jobs_id unique (id)
);

create unique index jobs_unique_key on jobs (kind, unique_key) where finished is null and unique_key is not null;
create index jobs_by_priority on jobs (priority desc, seq) where finished is null;
create index jobs_by_due on jobs (due) where finished is null;
create index jobs_by_end on jobs (finished) where finished is not null;
