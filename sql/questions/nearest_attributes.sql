-- Which attributes are nearest in meaning to one, and in which chunks are they?
-- parameters: attribute = "refuses to help" — its sentence, or a part of it in any case; the most frequent that has it is taken
--   side = "response" — query or response
--   most_attributes = 20 — attributes shown, most similar first
-- For a sentence that no row has, ask `chunky near`, which embeds it.
with chosen_attribute as (
    select
        attribute_id,
        vector as center,
    from attributes.texts
    inner join embeddings.vectors using (attribute_id)
    where side = getvariable('side') and contains(lower(attribute), lower(getvariable('attribute')))
    order by attributes.texts.rows desc, attribute asc
    limit 1
),

nearest as (
    select
        attributes.texts.attribute_id,
        attribute,
        family,
        attributes.texts.rows,
        list_inner_product(vector, center) as similarity,
    from attributes.texts
    inner join embeddings.vectors using (attribute_id)
    cross join chosen_attribute
    where side = getvariable('side')
    order by similarity desc, attribute asc
    limit getvariable('most_attributes')
),

chunk_counts as (
    select
        attribute_id,
        chunk,
        count(*) as chunk_rows,
    from attributes.row_attributes
    inner join nearest using (attribute_id)
    group by all
)

select
    similarity,
    attribute,
    family,
    rows,
    list(chunk order by chunk_rows desc, chunk asc)[:3] as chunks,
    list(chunk_rows / rows order by chunk_rows desc, chunk asc)[:3] as chunk_shares,
from nearest
inner join chunk_counts using (attribute_id)
group by all
order by similarity desc, attribute asc
