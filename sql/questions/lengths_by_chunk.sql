-- How long are the queries and answers of each chunk, and how uniform?
-- parameters: none
select
    chunk,
    count(*) as rows,
    quantile_cont(query_chars, 0.5) as query_chars_median,
    quantile_cont(response_chars, 0.05) as response_chars_p05,
    quantile_cont(response_chars, 0.5) as response_chars_median,
    quantile_cont(response_chars, 0.95) as response_chars_p95,
    count(distinct response) / count(*) as distinct_response_share,
from corpus.rows
group by all
order by response_chars_median desc, chunk asc
