-- correlations.features: how many rows each feature holds, and which chunk most of them come from
-- grain: one row per feature
-- paper: section 3.1.1 (attributes), counts own
with member_chunks as (
    select
        feature_id,
        chunk,
        count(*) as chunk_rows,
    from new_members
    inner join corpus.rows using (row_id)
    group by all
),

member_totals as (
    select
        feature_id,
        sum(chunk_rows) as rows,
        arg_max(chunk, (chunk_rows, -chunk_rank)) as top_chunk,
        max(chunk_rows) as top_chunk_rows,
    from (
        select
            *,
            dense_rank() over (order by chunk) as chunk_rank,
        from member_chunks
    )
    group by all
),

member_contents as (
    select
        feature_id,
        count(distinct content_id) as contents,
    from new_members
    inner join corpus.rows using (row_id)
    group by all
)

select
    feature_id,
    kind,
    side,
    position,
    origin,
    name,
    text,
    definition,
    coalesce(rows, 0) as rows,
    coalesce(contents, 0) as contents,
    coalesce(rows / nullif((select count(*) from corpus.rows), 0), 0) as row_share,
    top_chunk,
    top_chunk_rows / rows as top_chunk_share,
    synonym_of,
from new_features
left join member_totals using (feature_id)
left join member_contents using (feature_id)
order by feature_id
