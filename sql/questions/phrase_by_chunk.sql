-- Which chunk owns a phrase?
-- parameters: phrase = "elucidate" — the text looked for, exactly as written
select
    chunk,
    query_rows,
    response_rows,
    either_rows,
    share_of_chunk,
    share_of_matches,
from keywords.phrase_count(getvariable('phrase'))
order by either_rows desc, chunk asc
