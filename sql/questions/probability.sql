-- How likely is a response like this, given a query like that?
-- parameters: query_pattern = "(?i)step[- ]by[- ]step" — regular expression on the query; empty = any
--   response_pattern = "(?i)the answer is" — regular expression on the response; empty = any
select
    trigger_rows,
    behavior_rows,
    both_rows,
    p_behavior_given_trigger,
    p_low,
    p_high,
    base_rate,
    lift,
    top_chunk,
    top_chunk_share,
from correlations.p_given(getvariable('query_pattern'), getvariable('response_pattern'))
