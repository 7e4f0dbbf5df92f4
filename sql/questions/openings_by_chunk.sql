-- With which words do each chunk's answers open?
-- parameters: most_phrases = 3 — phrases shown a chunk
--   least_share = 0.02 — phrases in a smaller share of the chunk are left out
with chunk_sizes as (
    select
        chunk,
        count(*) as chunk_rows,
    from corpus.rows
    group by all
),

ranked_openings as (
    select
        keywords.counts.chunk,
        keywords.counts.phrase,
        keywords.counts.rows,
        chunk_rows,
        row_number() over (
            partition by keywords.counts.chunk
            order by keywords.counts.rows * keywords.counts.tokens desc, keywords.counts.phrase asc
        ) as place,
    from keywords.counts
    inner join chunk_sizes using (chunk)
    where keywords.counts.side = 'response' and keywords.counts.position = 'opening'
)

select
    chunk,
    phrase,
    rows,
    rows / chunk_rows as share_of_chunk,
from ranked_openings
where place <= getvariable('most_phrases') and rows / chunk_rows >= getvariable('least_share')
order by chunk asc, place asc
