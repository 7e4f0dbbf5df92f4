-- turf.cluster_hits: how often each query cluster occurs among the neighbors of each crux, and how often by chance
-- grain: one row per crux and query cluster that they share a row with
-- paper: equation 4 (rows: a neighbor counts once for a cluster; pairs: as often as it stands among the neighbors)
with wanted as (
    select distinct cluster_id from candidate_clusters
),

crux_rows as (
    select
        crux_id,
        row_id,
        count(*) as pairs,
    from new_neighbors
    group by all
),

crux_sizes as (
    select
        crux_id,
        count(*) as neighbors,
    from crux_rows
    group by all
),

counted as (
    select
        crux_id,
        cluster_id,
        count(*) as hits,
        sum(pairs)::bigint as pair_hits,
    from (
        select distinct
            crux_rows.crux_id,
            postings.cluster_id,
            crux_rows.row_id,
            crux_rows.pairs,
        from clusters.postings as postings
        inner join wanted using (cluster_id)
        inner join crux_rows using (row_id)
    )
    group by all
),

mix as (
    select count(*) as mix_rows from corpus.rows
)

select
    crux_id,
    cluster_id,
    hits,
    pair_hits,
    neighbors,
    summaries.rows as cluster_rows,
    neighbors * summaries.rows / mix_rows as expected,
    hits / (neighbors * summaries.rows / mix_rows) as lift,
    (hits - neighbors * summaries.rows / mix_rows)
    / sqrt(neighbors * summaries.rows / mix_rows * (1 - summaries.rows / mix_rows) * (1 - neighbors / mix_rows) + 1) as trigger_score,
from counted
inner join crux_sizes using (crux_id)
inner join clusters.summaries as summaries using (cluster_id)
cross join mix
order by crux_id, cluster_id
