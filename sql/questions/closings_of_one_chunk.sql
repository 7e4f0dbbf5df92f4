-- Which phrases close an answer in one chunk only?
-- parameters: least_rows = 20 — phrases in fewer rows are left out
--   least_share = 0.95 — share of the rows that the top chunk must hold
-- Of phrases that stand in the same number of rows of the same chunk the longest is shown, as the others are parts of it.
with owned_phrases as (
    select
        phrase,
        tokens,
        rows,
        top_chunk,
        top_chunk_share,
        phrase_z_score,
        row_number() over (partition by top_chunk, rows, top_chunk_rows order by tokens desc, phrase asc) as place,
    from keywords.phrases
    where
        side = 'response'
        and position = 'closing'
        and rows >= getvariable('least_rows')
        and top_chunk_share >= getvariable('least_share')
)

select
    phrase,
    rows,
    top_chunk,
    top_chunk_share,
    phrase_z_score,
from owned_phrases
where place = 1
order by owned_phrases.rows desc, owned_phrases.phrase asc
