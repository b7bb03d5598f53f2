\set VERBOSITY terse
begin;
grant connect on database "{{ database }}" to {{ reader }};
grant usage on schema health to {{ reader }};
revoke all on all tables in schema health from {{ reader }};
select format('grant select (%s) on %s to {{ reader }}', string_agg(format('%I', attname), ', '), attrelid::regclass)
  from pg_attribute join pg_class c on c.oid = attrelid
  where relnamespace = 'health'::regnamespace and relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped
    and relname || '.' || attname <> all (array[{{ withheld }}]::text[])
  group by attrelid \gexec
commit;
