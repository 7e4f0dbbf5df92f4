-- What would a chunk add: which findings rest on it?
-- parameters: chunk = "" — the chunk; empty = all, by chunk
--   least_share = 0.5 — share of the rows behind a finding that the chunk must hold
select
    top_chunk as chunk,
    finding_rank,
    sentence,
    p_behavior_given_trigger,
    base_rate,
    lift,
    both_rows,
    top_chunk_share,
    scope,
from report.findings
where
    top_chunk_share >= getvariable('least_share')
    and (coalesce(getvariable('chunk'), '') = '' or top_chunk = getvariable('chunk'))
order by top_chunk asc, finding_rank asc
