-- Which answers does the mix give word for word again and again to different queries?
-- parameters: least_queries = 10 — distinct queries that an answer must have
--   least_chars = 20 — shorter answers are left out
select
    response,
    count(*) as rows,
    count(distinct query) as queries,
    count(distinct corpus.rows.chunk) as chunk_count,
    mode(corpus.rows.chunk order by corpus.rows.chunk) as top_chunk,
from corpus.rows
where response_chars >= getvariable('least_chars')
group by all
having count(distinct query) >= getvariable('least_queries')
order by queries desc, response asc
