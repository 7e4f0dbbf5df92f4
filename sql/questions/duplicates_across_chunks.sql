-- Which texts stand in several chunks?
-- parameters: kind = "content" — content (word for word), query (same query) or near (nearly the same)
select
    kind,
    chunks,
    count(*) as groups,
    sum(corpus.duplicates.rows) as rows,
    min(similarity) as similarity_min,
from corpus.duplicates
where chunk_count > 1 and kind = getvariable('kind')
group by all
order by sum(corpus.duplicates.rows) desc, chunks asc
