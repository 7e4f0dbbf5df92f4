-- Which attributes are most particular to a chunk?
-- parameters: chunk = "" — the chunk; empty = every chunk's first
--   side = "response" — query or response
--   least_rows = 20 — attributes in fewer rows of the chunk are left out
--   most_attributes = 10 — attributes shown a chunk
-- Ordered by share_of_chunk · ln(share_of_chunk / share_elsewhere), with the lower and the upper 95 % bound for them.
with chunk_sizes as (
    select
        chunk,
        count(*) as chunk_rows,
        sum(chunk_rows) over () as mix_rows,
    from corpus.rows
    group by all
),

chunk_attributes as (
    select
        chunk,
        attribute_id,
        count(*) as rows,
    from attributes.row_attributes
    where side = getvariable('side')
    group by all
),

measured as (
    select
        chunk_attributes.chunk,
        attributes.texts.attribute_id,
        attribute,
        family,
        chunk_attributes.rows,
        chunk_attributes.rows / chunk_rows as share_of_chunk,
        (attributes.texts.rows - chunk_attributes.rows) / nullif(mix_rows - chunk_rows, 0) as share_elsewhere,
        chunk_attributes.rows / attributes.texts.rows as chunk_share,
        stats.wilson_low(chunk_attributes.rows, chunk_rows) as low_of_chunk,
        coalesce(
            stats.wilson_high((attributes.texts.rows - chunk_attributes.rows)::bigint, (mix_rows - chunk_rows)::bigint), 1
        ) as high_elsewhere,
    from chunk_attributes
    inner join attributes.texts using (attribute_id)
    inner join chunk_sizes using (chunk)
    where chunk_attributes.rows >= getvariable('least_rows') and same_as is null
),

ranked_attributes as (
    select
        *,
        row_number() over (
            partition by chunk
            order by low_of_chunk * ln(low_of_chunk / high_elsewhere) desc, attribute asc
        ) as place,
    from measured
    where low_of_chunk > high_elsewhere
)

select
    chunk,
    attribute,
    family,
    rows,
    share_of_chunk,
    share_elsewhere,
    chunk_share,
from ranked_attributes
where
    place <= getvariable('most_attributes')
    and (coalesce(getvariable('chunk'), '') = '' or chunk = getvariable('chunk'))
order by chunk asc, place asc, attribute_id asc
