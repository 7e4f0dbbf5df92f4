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

cluster_rows as (  -- a row with several sentences of the cluster counts once; few rows are left when that is looked at
    select
        cluster_id,
        row_id,
        any_value(chunk) as chunk,
    from clusters.postings
    inner join wanted using (cluster_id)
    where row_id in (select crux_rows.row_id from crux_rows)
    group by all
),

counted_by_chunk as (
    select
        shared.crux_id,
        shared.cluster_id,
        shared.chunk_hits,
        shared.chunk_pair_hits,
        chunks.rows as chunk_rows,
        row_number() over (
            partition by shared.crux_id, shared.cluster_id order by shared.chunk_hits desc, shared.chunk asc
        ) as chunk_rank,
    from (
        select
            crux_id,
            cluster_id,
            chunk,
            count(*) as chunk_hits,
            sum(pairs) as chunk_pair_hits,
        from cluster_rows
        inner join crux_rows using (row_id)
        group by all
    ) as shared
    inner join clusters.chunks as chunks using (cluster_id, chunk)
),

counted as (  -- two chunks: a behavior may be taught by a dataset and its sibling
    select
        crux_id,
        cluster_id,
        sum(chunk_hits)::bigint as hits,
        sum(chunk_pair_hits)::bigint as pair_hits,
        sum(chunk_hits) filter (chunk_rank <= 2)::bigint as inside_hits,
        sum(chunk_rows) filter (chunk_rank <= 2)::bigint as inside_rows,
    from counted_by_chunk
    group by all
),

cluster_sizes as (
    select
        cluster_id,
        rows as cluster_rows,
    from clusters.summaries
),

expectations as (
    select
        *,
        getvariable('mix_rows') as mix_rows,  -- counting corpus.rows opens a file for every chunk and input file
        neighbors * cluster_rows / mix_rows as expected,
    from counted
    inner join crux_sizes using (crux_id)
    inner join cluster_sizes using (cluster_id)
)

select
    crux_id,
    cluster_id,
    hits,
    pair_hits,
    inside_hits,
    inside_rows,
    neighbors,
    cluster_rows,
    expected,
    hits / expected as lift,
    (hits - expected) / sqrt(expected * (1 - cluster_rows / mix_rows) * (1 - neighbors / mix_rows) + 1) as trigger_score,
from expectations
order by crux_id, cluster_id
