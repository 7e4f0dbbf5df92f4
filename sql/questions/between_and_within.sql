-- How many correlations hold inside chunks, and how many only because a chunk does both?
-- parameters: least_score = 0 — pairs below this lower bound of the log odds are left out
select
    coalesce(scope, 'no chunk tells') as scope,
    count(*) as pairs,
    count(*) filter (where is_reversed) as reversed_pairs,
    median(p_behavior_given_trigger) as p_median,
    median(lift) as lift_median,
    median(top_chunk_share) as top_chunk_share_median,
from correlations.pairs
where score >= getvariable('least_score') and not is_echo
group by all
order by pairs desc, scope asc
