\set VERBOSITY terse
begin;
create schema if not exists health_reading authorization postgres;
alter schema health_reading owner to postgres;
revoke all on schema health_reading from public;
create or replace function health_reading.make(name text, verifier text, until timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
begin
  if name !~ '^v-.{1,61}$' or verifier !~ '^SCRAM-SHA-256[$]' then
    raise exception 'a name begins with v-, and a password comes as its SCRAM verifier';
  end if;
  execute format('create role %I login password %L valid until %L connection limit {{ reading.connections }}',
    name, verifier, least(until, now() + interval '{{ reading.minutes + 5 }} minutes'));
  execute format('grant {{ reader }} to %I', name);
  execute format('alter role %I set default_transaction_read_only = on', name);
  execute format('alter role %I set statement_timeout = %L', name, '{{ reading.statement_timeout }}s');
  execute format('alter role %I set idle_in_transaction_session_timeout = %L', name, '10min');
  execute format('alter role %I set search_path = health, public', name);
  execute format('alter role %I set pgaudit.log = %L', name, 'ddl, role, write, read');
end $body$;
create or replace function health_reading.finish(name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
begin
  if name !~ '^v-' or not exists (select from pg_auth_members
      where roleid = '{{ reader }}'::regrole and member = (select oid from pg_roles where rolname = name)) then
    return;
  end if;
  execute format('alter role %I nologin', name);
  perform pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = name;
  execute format('drop role %I', name);
end $body$;
revoke all on all functions in schema health_reading from public;
grant usage on schema health_reading to {{ maker }};
grant execute on all functions in schema health_reading to {{ maker }};
comment on schema health_reading is '{{ digest }}';
commit;
