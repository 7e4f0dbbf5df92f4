-- How likely is a response like this, given a query like that, inside each chunk?
-- parameters: query_pattern = "(?i)step[- ]by[- ]step" — regular expression on the query; empty = any
--   response_pattern = "(?i)the answer is" — regular expression on the response; empty = any
select
    chunk,
    chunk_rows,
    trigger_rows,
    behavior_rows,
    both_rows,
    p_behavior_given_trigger,
    p_low,
    p_high,
    base_rate,
    lift,
    share_of_both,
from correlations.p_by_chunk(getvariable('query_pattern'), getvariable('response_pattern'))
order by both_rows desc, trigger_rows desc, chunk asc
