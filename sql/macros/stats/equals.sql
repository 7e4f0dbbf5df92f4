-- stats.equals: true when both values are equal or both null, else an error that shows them; for the assertions in macro files
-- paper: own
create or replace macro stats.equals(actual, expected) as
    case
        when actual is not distinct from expected then true
        else error('expected ' || coalesce(expected::varchar, 'null') || ', got ' || coalesce(actual::varchar, 'null'))
    end;

-- tests
select stats.equals(1, 1);
select stats.equals('a', 'a');
select stats.equals(null, null);
