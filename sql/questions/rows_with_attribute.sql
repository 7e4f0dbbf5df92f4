-- Which rows have a given attribute?
-- parameters: attribute = "refuses to help" — its sentence, or a part of it in any case; the most frequent that has it is taken
--   side = "response" — query or response
--   chunk = "" — the chunk; empty = spread over all
--   most_rows = 10 — rows shown
with chosen_attribute as (
    select
        attribute_id,
        attribute,
    from attributes.texts
    where side = getvariable('side') and contains(lower(attribute), lower(getvariable('attribute')))
    order by attributes.texts.rows desc, attribute asc
    limit 1
),

numbered_rows as (
    select
        row_id,
        chunk,
        attribute,
        attribute_rank,
        row_number() over (partition by chunk order by attribute_rank asc, row_id asc) as place,
    from attributes.row_attributes
    inner join chosen_attribute using (attribute_id)
    where coalesce(getvariable('chunk'), '') = '' or chunk = getvariable('chunk')
)

select
    row_id,
    chunk,
    attribute,
    attribute_rank,
    query,
    response,
from numbered_rows
inner join corpus.rows using (row_id, chunk)
where place <= getvariable('most_rows')
order by place asc, chunk asc, row_id asc
limit getvariable('most_rows')
