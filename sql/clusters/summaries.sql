-- clusters.summaries: what each cluster of attribute sentences says, how many rows have one of them, and from where
-- grain: one row per cluster
-- paper: algorithm 1 (summaries); counts own
with cluster_chunks as (  -- a row counts once for a cluster, however many of its sentences it has
    select
        cluster_id,
        chunk,
        count(distinct row_id) as chunk_rows,
    from attributes.row_attributes
    inner join new_assignments using (attribute_id)
    group by all
),

cluster_totals as (
    select
        cluster_id,
        sum(chunk_rows)::bigint as rows,
        arg_max(chunk, (chunk_rows, -chunk_rank)) as top_chunk,
        max(chunk_rows) as top_chunk_rows,
    from (
        select
            *,
            dense_rank() over (order by chunk) as chunk_rank,
        from cluster_chunks
    )
    group by all
)

select
    cluster_id,
    side,
    cluster,
    attributes,
    coalesce(rows, 0) as rows,
    coalesce(rows / nullif((select count(*) from corpus.rows), 0), 0) as row_share,
    top_attributes,
    cluster_similarity_mean,
    top_chunk,
    top_chunk_rows,
    top_chunk_rows / rows as top_chunk_share,
from new_summaries
left join cluster_totals using (cluster_id)
order by cluster_id
