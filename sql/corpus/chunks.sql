-- corpus.chunks: what each source dataset is made of and how much of it repeats
-- grain: one row per chunk
-- paper: section 1 (chunks)
with contents as (
    select
        content_id,
        count(*) as content_rows,
        count(distinct chunk) as content_chunks,
    from corpus.rows
    group by all
),

mix as (
    select count(*) as mix_rows
    from corpus.rows
)

select
    corpus.rows.chunk,
    count(*) as rows,
    count(*) filter (where turn = 1) as conversations,
    count(distinct content_id) as contents,
    count(distinct file) as files,
    count(*) / any_value(mix_rows) as mix_share,
    avg(query_chars) as query_chars_mean,
    avg(response_chars) as response_chars_mean,
    count(*) filter (where turn = 1 and turns > 1) / count(*) filter (where turn = 1) as multi_turn_share,
    count(system) / count(*) as system_share,
    count(*) filter (where content_rows > 1) as duplicate_rows,
    count(*) filter (where content_chunks > 1) as shared_rows,
from corpus.rows
inner join contents using (content_id)
cross join mix
group by all
order by corpus.rows.chunk
