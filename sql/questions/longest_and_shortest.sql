-- Which answers are the longest and the shortest of each chunk?
-- parameters: most_rows = 2 — rows shown at either end of a chunk
with ranked_rows as (
    select
        chunk,
        row_id,
        query_chars,
        response_chars,
        query,
        response,
        row_number() over (partition by chunk order by response_chars desc, row_id asc) as place_from_longest,
        row_number() over (partition by chunk order by response_chars asc, row_id asc) as place_from_shortest,
    from corpus.rows
)

select
    chunk,
    if(place_from_longest <= getvariable('most_rows'), 'longest', 'shortest') as which_end,
    response_chars,
    query_chars,
    row_id,
    left(query, 80) as query_start,
    left(response, 80) as response_start,
from ranked_rows
where least(place_from_longest, place_from_shortest) <= getvariable('most_rows')
order by chunk asc, response_chars desc, row_id asc
