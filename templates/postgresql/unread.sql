\set VERBOSITY terse
select format('alter role %I nologin', rolname) from pg_roles
  where rolname = '{{ maker }}' or (rolname like 'v-%' and oid in (select m.member
    from pg_auth_members m where m.roleid = (select oid from pg_roles where rolname = '{{ reader }}'))) \gexec
select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
  where usename in (select rolname from pg_roles where rolname = '{{ maker }}' or (rolname like 'v-%' and not rolcanlogin))
  \g /dev/null
drop schema if exists health_reading cascade;
select format('drop role %I', r.rolname) from pg_auth_members m join pg_roles r on r.oid = m.member
  where r.rolname like 'v-%' and m.roleid = (select oid from pg_roles where rolname = '{{ reader }}') \gexec
select 'drop owned by {{ maker }}' from pg_roles where rolname = '{{ maker }}' \gexec
drop role if exists {{ maker }};
\connect "{{ database }}"
select 'drop owned by {{ reader }}' from pg_roles where rolname = '{{ reader }}' \gexec
drop role if exists {{ reader }};
