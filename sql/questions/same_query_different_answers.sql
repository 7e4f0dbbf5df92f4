-- Which queries get different answers from different chunks?
-- parameters: least_chars = 15 — shorter queries are left out
select
    query,
    count(*) as rows,
    count(distinct response) as responses,
    count(distinct corpus.rows.chunk) as chunk_count,
    list(distinct corpus.rows.chunk order by corpus.rows.chunk) as chunks,
from corpus.rows
where turn = 1 and query_chars >= getvariable('least_chars')
group by all
having count(distinct corpus.rows.chunk) > 1 and count(distinct response) > 1
order by chunk_count desc, count(*) desc, query asc
