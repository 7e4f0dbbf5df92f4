-- turf.extents: of all rows with a trigger, how many answer as the crux says, and which chunks the supporting rows are from
-- grain: one row per trigger
-- paper: appendix A.4 (P of the phrase given two parts); extents are own
with asked as (
    select distinct
        crux_id,
        cluster_id,
    from new_triggers
),

asked_cruxes as (
    select distinct
        crux_id,
        min_similarity,
    from new_cruxes
    where crux_id in (select asked.crux_id from asked)
),

crux_rows as (  -- rows as near to the crux as its neighbors are, beyond k as well; a row as often as it has such a sentence
    select
        sentences.crux_id,
        postings.row_id,
    from near_sentences as sentences
    inner join asked_cruxes using (crux_id)
    inner join clusters.postings as postings using (cluster_id, attribute_id)
    where sentences.similarity >= asked_cruxes.min_similarity
    union all
    select
        crux_id,
        row_id,
    from like_rows
    inner join asked_cruxes using (crux_id)
    where similarity >= min_similarity
),

carriers as (  -- integers first: of the rows with a trigger few answer as some crux says, and only theirs are grouped
    select
        cluster_id,
        row_id,
        any_value(chunk) as chunk,
    from clusters.postings
    where
        cluster_id in (select asked.cluster_id from asked)
        and row_id in (select crux_rows.row_id from crux_rows)
    group by all
),

supporting as (
    select
        crux_id,
        cluster_id,
        chunk,
        count(*) as chunk_rows,
    from asked
    inner join carriers using (cluster_id)
    semi join crux_rows using (crux_id, row_id)
    group by all
),

totals as (
    select
        crux_id,
        cluster_id,
        sum(chunk_rows)::bigint as both_rows,
        list(chunk order by chunk_rows desc, chunk asc) as chunks,
        list(chunk_rows order by chunk_rows desc, chunk asc) as chunk_counts,
    from supporting
    group by all
)

select
    failure_id,
    trigger_rank,
    both_rows,
    chunks,
    chunk_counts,
from new_triggers
inner join totals using (crux_id, cluster_id)
order by failure_id, trigger_rank
