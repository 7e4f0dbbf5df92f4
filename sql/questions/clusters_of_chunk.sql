-- Which clusters does a chunk own?
-- parameters: chunk = "" — the chunk; empty = every chunk's largest
--   side = "query" — query or response
--   least_share = 0.5 — share of the cluster's rows that the chunk must hold
--   least_rows = 20 — clusters in fewer rows are left out
--   most_clusters = 10 — clusters shown a chunk
with ranked_clusters as (
    select
        top_chunk,
        cluster_id,
        cluster,
        attributes,
        rows,
        row_share,
        top_chunk_share,
        row_number() over (partition by top_chunk order by top_chunk_rows desc, cluster asc) as place,
    from clusters.summaries
    where
        side = getvariable('side')
        and top_chunk_share >= getvariable('least_share')
        and clusters.summaries.rows >= getvariable('least_rows')
)

select
    top_chunk as chunk,
    cluster,
    attributes,
    rows,
    row_share,
    top_chunk_share,
from ranked_clusters
where
    place <= getvariable('most_clusters')
    and (coalesce(getvariable('chunk'), '') = '' or top_chunk = getvariable('chunk'))
order by top_chunk asc, place asc, cluster_id asc
