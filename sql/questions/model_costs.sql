-- Where did the money for models go?
-- parameters: run = "" — one run alone, by the beginning of its name; empty = all
-- Tokens and dollars are those of calls that were made; hits cost nothing. `unpriced` calls have no known cost.
select
    run,
    role,
    model,
    min(started_at) as began_at,
    count(*) as calls,
    count(*) filter (where is_cached) as cached_calls,
    count(*) filter (where error is not null) as failed_calls,
    count(*) filter (where usd is null) as unpriced_calls,
    sum(input_tokens) filter (where not is_cached) as input_tokens,
    sum(output_tokens) filter (where not is_cached) as output_tokens,
    sum(usd) as usd,
    sum(counted_usd) as counted_usd,
    sum(seconds) as seconds,
from llm.calls
where starts_with(run, getvariable('run'))
group by run, role, model
order by usd desc nulls last, began_at asc, run asc, role asc, model asc
