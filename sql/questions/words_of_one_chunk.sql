-- Which words of the answers come from a chunk most out of proportion?
-- parameters: chunk = "" — the chunk; empty = every chunk's strongest
--   most_phrases = 10 — phrases shown a chunk
--   least_share = 0.5 — share of the rows with the phrase that the chunk must hold
--   least_tokens = 2 — shorter phrases are left out
with ranked_phrases as (
    select
        top_chunk,
        phrase,
        rows,
        top_chunk_share,
        phrase_log_odds,
        phrase_z_score,
        row_number() over (partition by top_chunk order by phrase_z_score desc, phrase asc) as place,
    from keywords.phrases
    where
        side = 'response'
        and position = 'anywhere'
        and phrase_z_score is not null
        and top_chunk_share >= getvariable('least_share')
        and tokens >= getvariable('least_tokens')
)

select
    top_chunk as chunk,
    phrase,
    rows,
    top_chunk_share,
    phrase_log_odds,
    phrase_z_score,
from ranked_phrases
where
    place <= getvariable('most_phrases')
    and (coalesce(getvariable('chunk'), '') = '' or top_chunk = getvariable('chunk'))
order by top_chunk asc, place asc
