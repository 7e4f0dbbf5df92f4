-- turf.extents: of all rows with a trigger, how many answer as the crux says, and which chunks the supporting rows are from
-- grain: one row per trigger
-- paper: appendix A.4 (P of the phrase given two parts); extents are own
with trigger_rows as (
    select distinct
        new_triggers.failure_id,
        new_triggers.trigger_rank,
        new_triggers.crux_id,
        postings.row_id,
    from new_triggers
    inner join clusters.postings as postings using (cluster_id)
),

crux_rows as (  -- rows as near to the crux as its neighbors are, beyond k as well
    select distinct
        sentences.crux_id,
        postings.row_id,
    from near_sentences as sentences
    inner join (select distinct crux_id from new_triggers) using (crux_id)
    inner join clusters.postings as postings using (cluster_id, attribute_id)
    inner join (select distinct crux_id, min_similarity from new_cruxes) as cruxes using (crux_id)
    where sentences.similarity >= cruxes.min_similarity
),

supporting as (
    select
        trigger_rows.failure_id,
        trigger_rows.trigger_rank,
        rows.chunk,
        count(*) as chunk_rows,
    from trigger_rows
    inner join crux_rows using (crux_id, row_id)
    inner join corpus.rows as rows using (row_id)
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
