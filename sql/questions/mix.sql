-- What is the mix made of?
-- parameters: none
select
    chunk,
    corpus.chunks.rows,
    conversations,
    contents,
    mix_share,
    query_chars_mean,
    response_chars_mean,
    multi_turn_share,
    system_share,
    duplicate_rows,
    shared_rows,
from corpus.chunks
order by corpus.chunks.rows desc, chunk asc
