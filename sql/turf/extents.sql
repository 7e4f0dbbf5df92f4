-- turf.extents: of all rows with a trigger, how many answer as the crux says, and which chunks the supporting rows are from
-- grain: one row per trigger
-- paper: appendix A.4 (P of the phrase given two parts); extents are own
with trigger_rows as (
    select distinct
        new_triggers.failure_id,
        new_triggers.trigger_rank,
        new_triggers.crux_id,
        postings.row_id,
        postings.chunk,
    from new_triggers
    inner join clusters.postings as postings using (cluster_id)
),

asked_cruxes as (
    select distinct
        crux_id,
        new_cruxes.min_similarity,
    from new_triggers
    inner join new_cruxes using (crux_id)
),

crux_rows as (  -- rows as near to the crux as its neighbors are, beyond k as well
    select distinct
        sentences.crux_id,
        postings.row_id,
    from near_sentences as sentences
    inner join asked_cruxes using (crux_id)
    inner join clusters.postings as postings using (cluster_id, attribute_id)
    where sentences.similarity >= asked_cruxes.min_similarity
),

supporting as (
    select
        trigger_rows.failure_id,
        trigger_rows.trigger_rank,
        trigger_rows.chunk,
        count(*) as chunk_rows,
    from trigger_rows
    inner join crux_rows using (crux_id, row_id)
    group by all
)

select
    failure_id,
    trigger_rank,
    sum(chunk_rows)::bigint as both_rows,
    list(chunk order by chunk_rows desc, chunk asc) as chunks,
    list(chunk_rows order by chunk_rows desc, chunk asc) as chunk_counts,
from supporting
group by all
order by failure_id, trigger_rank
