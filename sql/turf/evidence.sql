-- turf.evidence: the rows that support each trigger, in the order of the crux's neighbors
-- grain: one row per trigger and supporting row, at most `evidence_rows` each
-- paper: figures 6, 7 and 20 (examples from the training data)
with supporting as (
    select
        new_triggers.failure_id,
        new_triggers.trigger_rank,
        new_neighbors.row_id,
        min(new_neighbors.neighbor_rank) as neighbor_rank,
        max(new_neighbors.crux_similarity) as crux_similarity,
    from new_triggers
    inner join new_neighbors using (crux_id)
    inner join clusters.postings using (cluster_id, row_id)
    group by all
)

select
    failure_id,
    trigger_rank,
    row_number() over (partition by failure_id, trigger_rank order by neighbor_rank asc)::integer as evidence_rank,
    row_id,
    crux_similarity,
from supporting
qualify evidence_rank <= getvariable('evidence_rows')
order by failure_id, trigger_rank, evidence_rank
