-- Which clusters are spread over the most chunks, or say the most different things?
-- parameters: side = "query" — query or response
--   order_by = "chunks" — chunks (most chunks first) or similarity (least like their center first)
--   least_rows = 100 — clusters in fewer rows are left out
--   least_attributes = 2 — clusters of fewer sentences are left out
--   most_clusters = 20 — clusters shown
with cluster_chunks as (
    select
        cluster_id,
        chunk,
        count(distinct row_id) as chunk_rows,
    from attributes.row_attributes
    inner join clusters.assignments using (attribute_id)
    where clusters.assignments.side = getvariable('side')
    group by all
),

spread as (
    select
        cluster_id,
        count(*) as chunks,
        exp(-sum(chunk_rows / cluster_rows * ln(chunk_rows / cluster_rows))) as even_chunks,
    from (
        select
            *,
            sum(chunk_rows) over (partition by cluster_id) as cluster_rows,
        from cluster_chunks
    )
    group by all
)

select
    cluster,
    rows,
    attributes,
    cluster_similarity_mean,
    chunks,
    even_chunks,
    top_chunk,
    top_chunk_share,
    top_attributes,
from clusters.summaries
inner join spread using (cluster_id)
where
    clusters.summaries.rows >= getvariable('least_rows')
    and attributes >= getvariable('least_attributes')
order by
    if(getvariable('order_by') = 'similarity', cluster_similarity_mean, -even_chunks) asc,
    cluster asc,
    cluster_id asc
limit getvariable('most_clusters')
