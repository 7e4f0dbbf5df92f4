-- turf.null_levels: what each query cluster scores in the neighborhoods of random response attributes, best first
-- grain: one row per query cluster with a hit in one of them
-- paper: own (docs/decisions/0026); read once a session, since every failure asks for it
select
    cluster_id,
    list(trigger_score order by trigger_score desc) as scores,
    -- the level that one random neighborhood in twenty reaches; those without a hit are below zero
    greatest(
        coalesce(scores[greatest(1, floor(0.05 * getvariable('neighborhoods')))::bigint], 0), 0
    ) as chance_score,
from turf.null_hits
group by all
